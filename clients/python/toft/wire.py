"""JSON-RPC 2.0 over HTTP, by TCP or by a Unix socket."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .errors import NoAnswer, RpcError

_ids = itertools.count(1)


def request(method: str, params: Any) -> dict[str, Any]:
    """A call of JSON-RPC 2.0."""
    return {"jsonrpc": "2.0", "id": next(_ids), "method": method, "params": params}


def outcome(message: dict[str, Any]) -> Any:
    """What came of a call."""
    if message.get("error") is not None:
        raise RpcError(message["error"])
    return message.get("result")


@dataclass(frozen=True)
class Address:
    """Where a node's wallet RPC is: a URL or a Unix socket."""

    url: str | None
    path: str | None
    token: str | None = field(repr=False)
    timeout: float

    def __post_init__(self) -> None:
        if (self.url is None) == (self.path is None):
            raise ValueError("give the url of the node's rpc.listen, or the path of its socket")
        if self.url is not None and urlsplit(self.url).scheme != "http":
            raise ValueError(f"{self.url} is not the address of a node: http://127.0.0.1:3002")

    @property
    def where(self) -> str:
        return self.url or self.path or ""

    @property
    def host(self) -> str:
        """As it stands in the header."""
        return urlsplit(self.url).netloc if self.url else "toft"

    def connect(self) -> socket.socket:
        if self.path is not None:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            line.settimeout(self.timeout)
            try:
                line.connect(self.path)
            except OSError:
                line.close()
                raise
            return line
        parts = urlsplit(self.url or "")
        return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), self.timeout)


class _Connection(http.client.HTTPConnection):
    def __init__(self, at: Address) -> None:
        super().__init__(at.host, timeout=at.timeout)
        self._at = at

    def connect(self) -> None:
        self.sock = self._at.connect()


def post(at: Address, path: str, body: Any) -> Any:
    """Sends a call or a batch to an endpoint of the node; what it answered, which is None for notifications alone."""
    headers = {"Content-Type": "application/json"}
    if at.token is not None:
        headers["Authorization"] = f"Bearer {at.token}"
    status, text = exchange(at, "POST", path, headers, json.dumps(body).encode())
    return None if status == 204 else read(status, text)


def exchange(at: Address, method: str, path: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
    """One request, and the whole answer."""
    connection = _Connection(at)
    try:
        connection.request(method, path, body, {**headers, "Host": at.host})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"the node at {at.where} gave no answer: {error}") from error
    finally:
        connection.close()


def read(status: int, text: bytes) -> Any:
    """What an answer says, if it is JSON."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, (dict, list)):
        raise NoAnswer(f"the node answered {status}: {text[:200].decode(errors='replace')}", status)
    return answer
