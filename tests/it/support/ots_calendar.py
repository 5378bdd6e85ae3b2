"""An OpenTimestamps calendar for the tests, of python-opentimestamps' own parts; it anchors in the test's bitcoind.

ots_calendar.py BITCOIND_WALLET_URL [PORT]      prints its port; commands come on standard input, one a line, each answered
"""

import base64, binascii, io, json, os, sys, threading, time, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import bitcoin
from bitcoin.core import CBlock
from opentimestamps.bitcoin import make_timestamp_from_block
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import Timestamp, make_merkle_tree

bitcoin.SelectParams("regtest")
lock, mode, waiting, done, seen = threading.Lock(), "good", [], {}, []
SPECIAL = ("nonsense", "broken", "endless", "redirect")


def rpc(method, *params):
    url = urllib.parse.urlparse(sys.argv[1])
    user = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    body = json.dumps({"method": method, "params": params, "id": 0}).encode()
    request = urllib.request.Request(f"http://{url.hostname}:{url.port}{url.path}", body, {"Authorization": f"Basic {user}"})
    return json.load(urllib.request.urlopen(request))["result"]


def written(timestamp):
    out = BytesSerializationContext()
    timestamp.serialize(out)
    return out.getbytes()


def anchor():
    """Brings all that waits into one transaction and a block of its own."""
    with lock:
        stamps = [Timestamp(commitment) for commitment in waiting]
        tip = make_merkle_tree(stamps)
        funded = rpc("fundrawtransaction", rpc("createrawtransaction", [], {"data": tip.msg.hex()}), {"fee_rate": 2})
        signed = rpc("signrawtransactionwithwallet", funded["hex"])
        rpc("sendrawtransaction", signed["hex"])
        block = rpc("generatetoaddress", 1, rpc("getnewaddress"))[0]
        height = rpc("getblock", block)["height"]
        raw = CBlock.deserialize(bytes.fromhex(rpc("getblock", block, 0)))
        tip.merge(make_timestamp_from_block(tip.msg, raw, height))
        for stamp in stamps:
            done[stamp.msg] = stamp
        waiting.clear()
        return height


class Calendar(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def special(self):
        if mode == "nonsense":
            self.answer(200, b"<html>Log in to the network of this hotel</html>")
        elif mode == "broken":
            self.answer(500, b"oops")
        elif mode == "endless":
            self.answer(200, b"\xf0" * 1_000_000)
        elif mode == "redirect":
            self.answer(302, b"", [("Location", f"http://127.0.0.1:{port}/elsewhere")])

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ["POST", self.path, body.hex(), self.headers["Accept"], self.headers["User-Agent"]]
        if mode in SPECIAL:
            seen.append(request)
            self.special()
            return
        stamp = Timestamp(body)
        commitment = stamp.ops.add(OpAppend(os.urandom(16))).ops.add(OpSHA256())
        uri = "https://evil.example" if mode == "foreign" else f"http://127.0.0.1:{port}"
        commitment.attestations.add(PendingAttestation(uri))
        # Together: who has seen the request may ask for the block at once.
        with lock:
            seen.append(request)
            waiting.append(commitment.msg)
        self.answer(200, written(stamp))

    def do_GET(self):
        seen.append(["GET", self.path, "", self.headers["Accept"], self.headers["User-Agent"]])
        if mode in SPECIAL:
            self.special()
            return
        commitment = binascii.unhexlify(self.path.removeprefix("/timestamp/"))
        if mode == "liar":
            lie = Timestamp(commitment)
            lie.ops.add(OpSHA256()).attestations.add(BitcoinBlockHeaderAttestation(1))
            self.answer(200, written(lie))
        elif mode == "prophet":
            lie = Timestamp(commitment)
            lie.ops.add(OpSHA256()).attestations.add(BitcoinBlockHeaderAttestation(900_000))
            self.answer(200, written(lie))
        elif commitment in done:
            self.answer(200, written(done[commitment]))
        else:
            self.answer(404, b"Pending confirmation in Bitcoin blockchain")


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Calendar)
server.daemon_threads = True
port = server.server_address[1]
threading.Thread(target=server.serve_forever, daemon=True).start()
print(port, flush=True)
for line in sys.stdin:
    command, _, rest = line.strip().partition(" ")
    if command == "mode":
        mode, result = rest, rest
    elif command == "anchor":
        result = anchor()
    elif command == "seen":
        result = seen
    print(json.dumps(result), flush=True)
