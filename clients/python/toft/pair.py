"""Asking the node's owner for a token."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .errors import NoAnswer, RpcError
from .methods import Json
from .wire import Address, outcome, post, request

#: Seconds between two looks whether the owner has typed the code.
_EVERY = 1.0


def pair(url: str, *, name: str, scopes: Sequence[str], show: Callable[[str], None], timeout: float = 300) -> Json:
    """`show` gets six digits, which the owner types at the node (`toft wallet approve`).

    The answer has the token, which is given once: keep it as a password.
    """
    at = Address(url, None, None, 60)
    end = time.monotonic() + timeout
    asked = _ask(at, "pair.request", {"name": name, "scopes": list(scopes)})
    show(asked["code"])
    while True:
        try:
            return _ask(at, "pair.poll", {"id": asked["id"], "secret": asked["secret"]})
        except RpcError as error:
            if error.kind not in ("pending", "too-many") or time.monotonic() > end:
                raise
            time.sleep(max(_EVERY, error.retry_after or 0))


def _ask(at: Address, method: str, params: Json) -> Json:
    # These two have an endpoint of their own, which answers whoever holds no token.
    answer = post(at, "/pair", request(method, params))
    if not isinstance(answer, dict):
        raise NoAnswer("what answers is no node: a call has one answer")
    return outcome(answer)
