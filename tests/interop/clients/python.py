"""The Python client, driven line by line, as typescript.mjs says."""

import base64
import json
import sys

import toft
from toft import RpcError, Toft

first = json.loads(sys.stdin.readline())
node = Toft(**first)


def said(error):
    known = (getattr(error, name, None) for name in ("code", "kind", "retry_after"))
    code, kind, retry_after = known
    return {"error": {"code": code, "kind": kind, "message": str(error), "retryAfter": retry_after}}


def methods():
    groups = {name: group for name, group in vars(node).items() if type(group).__name__.endswith("Group")}
    verbs = [(name, verb) for name, group in groups.items() for verb in dir(group) if not verb.startswith("_")]
    return {"methods": [f"{name}.{verb}".replace("_", "") for name, verb in verbs]}


def call(method, params):
    group, verb = method.split(".")
    return {"result": getattr(getattr(node, group), verb)(**params)}


def batch(calls):
    answers = node.batch([(one["method"], one["params"]) for one in calls])
    return {"answers": [said(one) if isinstance(one, RpcError) else {"result": one} for one in answers]}


def large(data):
    data = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    upload = node.records.write(dataSize=len(data), dataFormat="application/octet-stream")["upload"]
    record = node.upload(upload, data)["recordId"]
    data = node.download(node.records.read(recordId=record, download=True)["download"])
    return {"data": base64.urlsafe_b64encode(data).decode().rstrip("=")}


def pair(url, name, scopes):
    show = lambda code: print(json.dumps({"code": code}), flush=True)
    return {"result": toft.pair(url, name=name, scopes=scopes, show=show)}


def follow(method, params, then, count):
    with node.connect() as live:
        subscription = live.subscribe(method, **params)
        live.call(then["method"], then["params"])
        return {"events": [event for _, event in zip(range(count), subscription)]}


OPS = {"methods": methods, "call": call, "batch": batch, "large": large, "pair": pair, "follow": follow}
for line in sys.stdin:
    command = json.loads(line)
    try:
        answer = OPS[command.pop("op")](**command)
    except Exception as error:
        answer = said(error)
    print(json.dumps(answer), flush=True)
