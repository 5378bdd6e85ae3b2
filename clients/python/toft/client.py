"""A node, by its wallet RPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import NoAnswer, RpcError
from .live import Live
from .methods import Groups, Json, OneTimeAddress, Written
from .wire import Address, exchange, outcome, post, read, request


class Toft(Groups):
    """`Toft(url="http://127.0.0.1:3002", token=…).records.write(data=…)`.

    `url`: what `rpc.listen` says; it needs a named token. `socket`: `rpc.sock` in the node's home, which is the owner's.
    Each call has a connection of its own, so threads may share one of these.
    """

    def __init__(
        self, *, url: str | None = None, socket: str | None = None, token: str | None = None, timeout: float = 60
    ) -> None:
        super().__init__(self.call)
        self._at = Address(url, socket, token, timeout)

    def call(self, method: str, params: Any) -> Json:
        """Calls a method by its name."""
        answer = post(self._at, "/rpc", request(method, params))
        if not isinstance(answer, dict):
            raise NoAnswer("what answers is no node: a call has one answer")
        return outcome(answer)

    def batch(self, calls: Sequence[tuple[str, Any]]) -> list[Json | RpcError]:
        """Several calls (at most 50) in one request; for each, in order, its result or the error."""
        requests = [request(method, params) for method, params in calls]
        answers = post(self._at, "/rpc", requests)
        if isinstance(answers, dict):  # what concerns the batch as a whole has one answer
            outcome(answers)
        by_id = {answer.get("id"): answer for answer in answers} if isinstance(answers, list) else {}
        if any(call["id"] not in by_id for call in requests):
            raise NoAnswer("what answers is no node: a call of the batch has no answer")
        found = [by_id[call["id"]] for call in requests]
        return [RpcError(answer["error"]) if answer.get("error") else answer.get("result") for answer in found]

    def upload(self, to: OneTimeAddress, data: bytes) -> Written:
        """Sends the data of `records.write` with a `dataSize` to the address that it gave; what is written then."""
        status, text = exchange(self._at, "PUT", to["path"], {}, data)
        answer: Any = read(status, text)
        if answer.get("error"):
            raise RpcError(answer["error"])
        written: Written = answer
        return written

    def download(self, source: OneTimeAddress) -> bytes:
        """Fetches the data of a record from the address that `records.read` gave."""
        status, data = exchange(self._at, "GET", source["path"], {}, None)
        if status != 200:
            outcome(read(status, data))
            raise NoAnswer(f"the node answered {status}", status)
        return data

    def connect(self) -> Live:
        """A connection (over TCP) for many calls and for subscriptions: `with node.connect() as live: …`"""
        return Live(self._at)
