"""How calls fail."""

from __future__ import annotations

from typing import Any


class RpcError(Exception):
    """A call that the node answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message", "the node gave no reason"))
        data = error.get("data")
        known = data if isinstance(data, dict) else {}
        #: Of JSON-RPC: -32001 is "not allowed", -32002 "no valid token", and so on; docs/rpc.md lists all.
        self.code: int = error.get("code", -32000)
        #: The same as a word: `denied`, `not-found`, `too-many`, …
        self.kind: str = known.get("kind", "failed")
        #: Seconds until the call may do better, where the node knows.
        self.retry_after: float | None = known.get("retryAfter")
        self.data: Any = data


class SubscriptionEnded(Exception):
    """The node has ended a subscription, and says why."""


class NoAnswer(Exception):
    """No answer of the node came: it is not there, the connection broke off, or something else answered."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        #: Of HTTP, if there was one.
        self.status = status
