"""Typed records: what the code of `toft protocol gen --lang python` is made on. The node makes and signs the messages."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from types import TracebackType
from typing import Any, ClassVar, Generic, Literal, NotRequired, TypeAlias, TypedDict, TypeVar, cast

from .client import Toft
from .errors import RpcError
from .live import Live

#: A node, as the code that is made calls it.
Node: TypeAlias = Toft
#: What a tag can be.
TagValue: TypeAlias = str | int | float | bool | list[str] | list[int] | list[float]
#: When: a text as `2026-11-21T09:00:00.000000Z`, or a datetime that knows its zone.
Time: TypeAlias = str | datetime
Sort: TypeAlias = Literal["createdAscending", "createdDescending", "publishedAscending", "publishedDescending"]


class TextRange(TypedDict, total=False):
    """Between these; at most one bound on each side."""

    gt: str
    gte: str
    lt: str
    lte: str


class NumberRange(TypedDict, total=False):
    """Between these; at most one bound on each side."""

    gt: float
    gte: float
    lt: float
    lte: float


#: From the one on, and before the other.
Times = TypedDict("Times", {"from": NotRequired[Time], "to": NotRequired[Time]})


class StartsWith(TypedDict):
    startsWith: str


#: Of a tag that is a text, or a list of them.
TextFilter: TypeAlias = str | TextRange | StartsWith
#: Of a tag that is a number, or a list of them.
NumberFilter: TypeAlias = int | float | NumberRange
#: Of a tag of which the protocol says no type.
AnyFilter: TypeAlias = TextFilter | NumberFilter | bool

Data = TypeVar("Data")
Tags = TypeVar("Tags")
TagFilter = TypeVar("TagFilter")

#: Data that goes in a call; more goes to an address of its own.
_CALL_MAX = 700 << 10


@dataclass(frozen=True)
class Written:
    """What has been written."""

    record_id: str
    context_id: str
    date_created: str
    message_timestamp: str


@dataclass(frozen=True)
class Stored(Generic[Data, Tags]):
    """A record in its newest state."""

    record_id: str
    #: Its place in the protocol: what records below it name as their parent.
    context_id: str
    #: Who wrote this state.
    author: str
    #: Who wrote the first one.
    creator: str
    recipient: str | None
    date_created: str
    date_updated: str
    published: bool
    data_format: str
    data_cid: str
    data_size: int
    #: The node has judged them by the protocol.
    tags: Tags
    #: The newest RecordsWrite.
    message: dict[str, Any]
    _records: Records[Data, Tags, Any]
    _role: str | None

    def data(self) -> Data:
        """Its data: small data is here, what is large is fetched. A node does not look at data: what others wrote may be anything."""
        encoded = self.message.get("encodedData")
        return self._records._decoded(_bytes(encoded) if encoded is not None else self._records._read(self.record_id, self._role)[1])


#: contextId of the record that one stands below, or that record.
Parent: TypeAlias = str | Written | Stored[Any, Any]
#: recordId, or the record.
Record: TypeAlias = str | Written | Stored[Any, Any]


@dataclass(frozen=True)
class Page(Generic[Data, Tags]):
    records: list[Stored[Data, Tags]]
    #: For the next page, if there is one.
    cursor: Any


@dataclass(frozen=True)
class Event(Generic[Data, Tags]):
    """What has happened."""

    #: The record that is there, or has a new state.
    written: Stored[Data, Tags] | None
    #: recordId of the one that is gone.
    deleted: str | None


class Events(Iterator[Event[Data, Tags]]):
    """What happens from now on: `with records.subscribe() as events: …`. It has a connection of its own."""

    def __init__(self, records: Records[Data, Tags, Any], live: Live, params: dict[str, Any]) -> None:
        self._records = records
        self._live = live
        self._role: str | None = params.get("protocolRole")
        self._events = live.subscribe("records.subscribe", **params)

    def __next__(self) -> Event[Data, Tags]:
        while True:
            told = self._records._told(next(self._events), self._role)
            if told is not None:
                return told

    def close(self) -> None:
        self._live.close()

    def __enter__(self) -> Events[Data, Tags]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Records(Generic[Data, Tags, TagFilter]):
    """The records at one path of a protocol."""

    PROTOCOL: ClassVar[str]
    PATH: ClassVar[str]
    SCHEMA: ClassVar[str | None]
    #: If its type has one.
    DATA_FORMAT: ClassVar[str | None]
    IS_JSON: ClassVar[bool]

    def __init__(self, node: Node, *, sender: str | None = None, tenant: str | None = None) -> None:
        """`sender`: one of the node's identities, its own if none is named. `tenant`: whose records they are; the sender's if none is named."""
        self._node = node
        self._whose = _said({"from": sender, "tenant": tenant})

    def get(self, record_id: str, *, role: str | None = None) -> Stored[Data, Tags] | None:
        """None: no such record is there, or it is at another place."""
        try:
            message, data = self._read(record_id, role)
        except RpcError as error:
            if error.kind == "not-found":
                return None
            raise
        return self._stored({**message, "encodedData": _text(data)}, message.get("initialWrite"), role)

    def query(
        self,
        *,
        tags: TagFilter | None = None,
        parent: Parent | None = None,
        author: str | list[str] | None = None,
        recipient: str | list[str] | None = None,
        published: bool | None = None,
        data_format: str | None = None,
        created: Times | None = None,
        updated: Times | None = None,
        publication: Times | None = None,
        sort: Sort | None = None,
        limit: int | None = None,
        cursor: Any = None,
        role: str | None = None,
    ) -> Page[Data, Tags]:
        """Those that meet all conditions; without one, all there are. `cursor`: of the page before."""
        pagination = _said({"limit": limit, "cursor": cursor})
        filter = self._filter(tags, parent, author, recipient, published, data_format, created, updated, publication)
        params = {"filter": filter, **_said({"dateSort": sort, "protocolRole": role})}
        if pagination:
            params["pagination"] = pagination
        page = self._node.call("records.query", {**params, **self._whose})
        found = [self._stored(_unsealed(entry), entry.get("initialWrite"), role) for entry in page["entries"]]
        return Page([record for record in found if record is not None], page.get("cursor"))

    def update(
        self,
        record: Record,
        *,
        data: Data | None = None,
        data_format: str | None = None,
        tags: Tags | None = None,
        published: bool | None = None,
        role: str | None = None,
    ) -> Written:
        """What is not given stays; `tags` stand in the place of all that it has."""
        # It is refused if the record is at another place.
        state = {"recordId": _id(record), "protocol": self.PROTOCOL, "protocolPath": self.PATH}
        state |= _said({"dataFormat": data_format, "tags": tags, "published": published, "protocolRole": role})
        return self._write(state, None if data is None else self._encoded(data))

    def delete(self, record: Record, *, prune: bool = False, role: str | None = None) -> None:
        """`prune`: and all records below it."""
        params = {"recordId": _id(record), "prune": prune, **_said({"protocolRole": role}), **self._whose}
        self._node.call("records.delete", params)

    def subscribe(
        self,
        *,
        tags: TagFilter | None = None,
        parent: Parent | None = None,
        author: str | list[str] | None = None,
        recipient: str | list[str] | None = None,
        published: bool | None = None,
        role: str | None = None,
    ) -> Events[Data, Tags]:
        """What happens to them from now on. It needs a node over TCP."""
        filter = self._filter(tags, parent, author, recipient, published, None, None, None, None)
        live = self._node.connect()
        try:
            return Events(self, live, {"filter": filter, **_said({"protocolRole": role}), **self._whose})
        except BaseException:
            live.close()
            raise

    def _create(
        self,
        data: Data,
        *,
        tags: Tags | None,
        recipient: str | None,
        published: bool | None,
        role: str | None,
        parent: Parent | None = None,
        data_format: str | None = None,
    ) -> Written:
        state: dict[str, Any] = {"protocol": self.PROTOCOL, "protocolPath": self.PATH}
        state["dataFormat"] = data_format or self.DATA_FORMAT or "application/octet-stream"
        # A record has tags or none, and never no tags.
        state |= _said({"schema": self.SCHEMA, "tags": tags or None, "recipient": recipient})
        state |= _said({"published": published, "protocolRole": role})
        if parent is not None:
            state["parentContextId"] = _context(parent)
        return self._write(state, self._encoded(data))

    def _write(self, state: dict[str, Any], data: bytes | None) -> Written:
        if data is not None:
            state |= {"dataSize": len(data)} if len(data) > _CALL_MAX else {"data": _text(data)}
        written: Any = self._node.call("records.write", {**state, **self._whose})
        if "upload" in written:
            written = self._node.upload(written["upload"], data or b"")
        return Written(written["recordId"], written.get("contextId", ""), written["dateCreated"], written["messageTimestamp"])

    def _read(self, record_id: str, role: str | None) -> tuple[dict[str, Any], bytes]:
        params = {"recordId": record_id, **_said({"protocolRole": role}), **self._whose}
        read = self._node.call("records.read", params)
        message = {**read["record"], **_said({"initialWrite": read.get("initialWrite")})}
        download = read.get("download")
        return message, self._node.download(download) if download else _bytes(read.get("data", ""))

    def _told(self, event: dict[str, Any], role: str | None) -> Event[Data, Tags] | None:
        message = event["message"]
        if message["descriptor"]["method"] == "Delete":
            return Event(None, message["descriptor"]["recordId"])
        record = self._stored(_unsealed(message), event.get("initialWrite"), role)
        return None if record is None else Event(record, None)

    def _stored(self, message: dict[str, Any], initial: dict[str, Any] | None, role: str | None) -> Stored[Data, Tags] | None:
        descriptor = message["descriptor"]
        if descriptor.get("protocol") != self.PROTOCOL or descriptor.get("protocolPath") != self.PATH:
            return None
        author = _author(message["authorization"])
        return Stored(
            record_id=message["recordId"],
            context_id=message.get("contextId", ""),
            author=author,
            creator=_author(initial["authorization"]) if initial else author,
            recipient=descriptor.get("recipient"),
            date_created=descriptor["dateCreated"],
            date_updated=descriptor["messageTimestamp"],
            published=descriptor.get("published") is True,
            data_format=descriptor["dataFormat"],
            data_cid=descriptor["dataCid"],
            data_size=descriptor["dataSize"],
            tags=cast(Tags, descriptor.get("tags", {})),
            message=message,
            _records=self,
            _role=role,
        )

    def _filter(
        self,
        tags: TagFilter | None,
        parent: Parent | None,
        author: str | list[str] | None,
        recipient: str | list[str] | None,
        published: bool | None,
        data_format: str | None,
        created: Times | None,
        updated: Times | None,
        publication: Times | None,
    ) -> dict[str, Any]:
        context = None if parent is None else _context(parent)
        said = {"tags": tags or None, "contextId": context, "author": author, "recipient": recipient, "published": published}
        times = {"dateCreated": _times(created), "dateUpdated": _times(updated), "datePublished": _times(publication)}
        own = {"protocol": self.PROTOCOL, "protocolPath": self.PATH}
        return own | _said(said | {"dataFormat": data_format} | times)

    def _encoded(self, data: Data) -> bytes:
        return json.dumps(data).encode() if self.IS_JSON else cast(bytes, data)

    def _decoded(self, data: bytes) -> Data:
        return cast(Data, json.loads(data) if self.IS_JSON else data)


def _said(params: dict[str, Any]) -> dict[str, Any]:
    """Without what is not said."""
    return {name: value for name, value in params.items() if value is not None}


def _context(parent: Parent) -> str:
    return parent if isinstance(parent, str) else parent.context_id


def _id(record: Record) -> str:
    return record if isinstance(record, str) else record.record_id


def _times(range: Times | None) -> dict[str, str] | None:
    if range is None:
        return None
    return {bound: _time(cast(Time, time)) for bound, time in range.items()}


def _time(time: Time) -> str:
    if isinstance(time, str):
        return time
    if time.tzinfo is None:
        raise ValueError(f"{time} does not know its zone: give it one, such as datetime.timezone.utc")
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unsealed(message: dict[str, Any]) -> dict[str, Any]:
    """Without data that is encrypted: the node decrypts what is read."""
    if "encryption" not in message:
        return message
    return {name: value for name, value in message.items() if name != "encodedData"}


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _author(authorization: dict[str, Any]) -> str:
    """Who wrote a message: its signer, or who let the signer write in his name."""
    grant = authorization.get("authorDelegatedGrant")
    if grant is not None:
        return _author(grant["authorization"])
    header = json.loads(_bytes(authorization["signature"]["signatures"][0]["protected"]))
    return cast(str, header["kid"].split("#")[0])
