"""An open connection (WebSocket, RFC 6455): every method, and subscriptions. For one thread."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from .errors import NoAnswer, SubscriptionEnded
from .methods import Groups, Json
from .wire import Address, outcome, request

#: Largest message that is taken.
MESSAGE_MAX = 16 << 20
#: Events that wait for whoever reads them.
WAITING_MAX = 10_000
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _CLOSE, _PING, _PONG = 0, 1, 8, 9, 10


class Live(Groups):
    """Ends with the `with` block or `close`."""

    def __init__(self, at: Address) -> None:
        super().__init__(self.call)
        self._timeout = at.timeout
        self._subscriptions: dict[Any, Subscription] = {}
        try:
            self._socket = at.connect()
        except OSError as error:
            raise NoAnswer(f"the node at {at.where} gave no answer: {error}") from error
        self._reader = self._socket.makefile("rb")
        try:
            self._upgrade(at)
            if at.token is not None:
                self.call("rpc.authenticate", {"token": at.token})
        except BaseException:
            self.close()
            raise

    def call(self, method: str, params: Any) -> Json:
        """Calls a method by its name."""
        return outcome(self._exchange(request(method, params)))

    def subscribe(self, method: str, **params: Any) -> Subscription:
        """Calls a method that subscribes; its events, in order, for `for`."""
        subscription = Subscription(self, self.call(method, params))
        self._subscriptions[subscription.id] = subscription
        return subscription

    def close(self) -> None:
        try:
            self._write(_CLOSE, b"\x03\xe8")
        except NoAnswer:
            pass
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _exchange(self, call: dict[str, Any]) -> dict[str, Any]:
        self._write(_TEXT, json.dumps(call).encode())
        while True:
            message = self._message()
            if message.get("id") == call["id"] and "method" not in message:
                return message
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        """Keeps an event for its subscription."""
        params = message.get("params") or {}
        subscription = self._subscriptions.get(params.get("subscription"))
        if message.get("method") != "rpc.event" or subscription is None:
            return
        if "ended" in params:
            del self._subscriptions[subscription.id]
            subscription._ended = params["ended"]
            return
        if len(subscription._events) >= WAITING_MAX:
            raise NoAnswer(f"{WAITING_MAX} events wait and nobody reads them")
        subscription._events.append(params.get("event"))

    def _upgrade(self, at: Address) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /rpc HTTP/1.1", f"Host: {at.host}", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", ""]
        self._send("\r\n".join(lines).encode())
        head = [line.decode("latin-1").strip() for line in iter(self._line, b"\r\n")]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        status = int(head[0].split()[1])
        accept = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()
        if status != 101 or fields.get("sec-websocket-accept") != accept:
            raise NoAnswer(f"the node at {at.where} opened no WebSocket: it answered {status}", status)

    def _line(self) -> bytes:
        line = self._read(self._reader.readline, 1 << 16)
        if not line.endswith(b"\n"):
            raise NoAnswer("the node broke off the connection")
        return line

    def _message(self) -> dict[str, Any]:
        """The next whole message of the node."""
        text = b""
        while True:
            head = self._exactly(2)
            opcode, last, length = head[0] & 15, head[0] & 128, head[1] & 127
            if length > 125:
                length = int.from_bytes(self._exactly(2 if length == 126 else 8))
            if head[1] & 128 or len(text) + length > MESSAGE_MAX:
                raise NoAnswer("the node sent a frame that a client does not take")
            payload = self._exactly(length)
            if opcode == _PING:
                self._write(_PONG, payload)
            elif opcode == _CLOSE:
                said = f": {int.from_bytes(payload[:2])} {payload[2:].decode(errors='replace')}" if payload else ""
                raise NoAnswer(f"the node closed the connection{said}".rstrip())
            elif opcode in (_TEXT, _CONTINUED):
                text += payload
                if last:
                    message = json.loads(text)
                    return message if isinstance(message, dict) else {}

    def _exactly(self, length: int) -> bytes:
        payload = self._read(self._reader.read, length)
        if len(payload) < length:
            raise NoAnswer("the node closed the connection")
        return payload

    def _read(self, read: Any, length: int) -> bytes:
        try:
            found: bytes = read(length)
            return found
        except (OSError, ValueError) as error:
            raise NoAnswer(f"the connection broke off: {error}") from error

    def _write(self, opcode: int, payload: bytes) -> None:
        """One frame, masked as a client's are."""
        length = len(payload)
        size = bytes([128 | length]) if length < 126 else bytes([128 | 126]) + length.to_bytes(2)
        if length > 65535:
            size = bytes([128 | 127]) + length.to_bytes(8)
        mask = os.urandom(4)
        pad = (mask * (length // 4 + 1))[:length]
        masked = (int.from_bytes(payload) ^ int.from_bytes(pad)).to_bytes(length) if length else b""
        self._send(bytes([128 | opcode]) + size + mask + masked)

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.sendall(frame)
        except OSError as error:
            raise NoAnswer(f"the connection broke off: {error}") from error


class Subscription(Iterator[Json]):
    """Events as they come; ends with an error when the node ends it, or the connection."""

    def __init__(self, live: Live, answer: dict[str, Any]) -> None:
        #: What the method answered.
        self.answer = answer
        self.id: Any = answer["subscription"]
        self._live = live
        self._events: deque[Json] = deque()
        self._ended: str | None = None

    def __next__(self) -> Json:
        while not self._events:
            if self._ended is not None:
                raise SubscriptionEnded(self._ended)
            if self.id not in self._live._subscriptions:
                raise StopIteration
            # Events may be a long time in coming.
            self._live._socket.settimeout(None)
            self._live._note(self._live._message())
            self._live._socket.settimeout(self._live._timeout)
        return self._events.popleft()

    def close(self) -> None:
        """Ends the subscription, not the connection."""
        if self._live._subscriptions.pop(self.id, None) is not None:
            self._live.call("rpc.unsubscribe", {"subscription": self.id})
