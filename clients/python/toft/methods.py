"""Written by clients/generate.mjs from docs/openrpc.json: change the methods, not this file."""

from __future__ import annotations

from typing import Any, Callable, Final, Literal, NotRequired, TypeAlias, TypedDict, Unpack

#: Any JSON.
Json: TypeAlias = Any

#: Calls a method by its name, with its parameters.
Call: TypeAlias = Callable[[str, Any], Any]


class Access(TypedDict):
    """What somebody may do, and why."""

    #: The same in a sentence.
    because: str
    #: `owner`, `creator`, `author`, `recipient`, `published`, `rule`, `role`, `grant` or `nothing`.
    by: str
    #: When that grant expires.
    dateExpires: NotRequired[str | None]
    #: recordId of the grant, if one lets them.
    grantId: NotRequired[str | None]
    #: In the words of `$actions`. Empty: nothing, and `because` says why not.
    may: list[str]
    #: A DID, `anyone`, or whom a rule speaks of.
    who: str


class AccessExplained(TypedDict):
    """Who may do what."""

    access: list[Access]
    #: False: there are more parties than were looked at.
    complete: bool


class AnchorAudit(TypedDict):
    """What the audit has found."""

    batches: int
    #: The first of what is broken, in the order of the log.
    broken: list[AnchorUnproven]
    #: Batches whose leaves do not give their root, or whose transaction or block does not hold it, in sentences.
    broken_batches: list[str]
    #: Data, by its root.
    data: AnchorCounts
    #: Data of many blocks as one file, by its plain sha256.
    files: AnchorCounts
    #: Data that is anchored and not on this node any more: its proof holds for who has it.
    gone: int
    #: Signed messages: each state of each record is one.
    messages: AnchorCounts
    #: There are more names: from this position of the log on. (What is broken there may be among those already.)
    more: NotRequired[int | None]
    #: Were the roots computed again? Not while the node is locked: a leaf needs its secret.
    roots_checked: bool
    #: All of it, for people.
    sentence: str
    #: Files of which not all bytes are here, and which were never hashed: their roots alone are anchored.
    unhashed: int
    #: The first of what waits, in the order of the log.
    waiting: list[AnchorUnproven]


AnchorBatch = TypedDict(
    "AnchorBatch",
    {
        "confirmations": "int",
        "created": "str",
        #: sat
        "fee": "NotRequired[int | None]",
        "height": "NotRequired[int | None]",
        "leaves": "int",
        #: The chain it is in, once there is a transaction.
        "network": "NotRequired[Network | None]",
        "note": "NotRequired[str | None]",
        "number": "int",
        #: The transaction that waits for a signature (base64, BIP 174).
        "psbt": "NotRequired[str | None]",
        "root": "str",
        #: Where to send how many sat, in state awaiting_funds.
        "send_to": "NotRequired[list[str | int] | None]",
        #: batched, submitted, awaiting_funds, awaiting_signature, fee_capped, signed, broadcast, conflicted, mined or final.
        "state": "str",
        "txid": "NotRequired[str | None]",
        #: The batch whose transaction carries it, if it is another.
        "with": "NotRequired[int | None]",
    },
)


class AnchorCounts(TypedDict):
    """How many of one kind stand where."""

    #: Without a proof that would hold.
    broken: int
    #: All that can have a proof.
    eligible: int
    #: In a block for good.
    final: int
    #: In a block, which is not deep enough to be final.
    mined: int
    #: In a batch that is in no block yet.
    pending: int
    #: In no batch yet.
    queued: int


class AnchorFunds(TypedDict):
    """What anchoring costs."""

    #: sat in the wallet's confirmed coins, when it was last asked.
    balance: NotRequired[int | None]
    #: How long they last at what the last 24 hours cost.
    days_left: NotRequired[int | None]
    #: sat of all anchors that are final.
    paid: int
    #: sat that were agreed to within the last 24 hours.
    paid_today: int


class AnchorNow(TypedDict):
    """What "anchor now" came to."""

    batch: NotRequired[int | None]
    outcome: AnchorOutcome
    #: For people.
    sentence: str
    txid: NotRequired[str | None]


AnchorOutcome: TypeAlias = 'Literal["awaiting_funds", "off", "nothing", "sent", "waiting"]'


class AnchorProof(TypedDict):
    """A proof, and what it is about."""

    #: Of the stamped file.
    cid: str
    confirmations: int
    #: Enough confirmations. Before, the block may still be reorganised away.
    final: bool
    height: int
    network: Network
    #: The `.ots` file.
    ots: Base64
    #: The file it stamps; nothing if this node does not have it any more, or if it is a whole file of many blocks.
    stamped: NotRequired[Base64 | None]
    txid: str


class AnchorRebuilt(TypedDict):
    """What came of it."""

    #: Batches that were computed again from the log, and are in the chain.
    from_chain: int
    #: Batches that stood in records and are in the ledger again.
    from_records: int
    #: Messages and data whose proof is in a record alone: of other devices' batches, or of those that are not here as a whole.
    in_records: int
    #: Why the chain was not asked.
    problem: NotRequired[str | None]
    #: Messages and data that wait for a batch again: no proof of them is known.
    queued: int
    #: All of it, for people.
    sentence: str
    #: Transactions of this wallet with a root that nothing here explains: whatever they prove is proven anew.
    unexplained: list[str]


class AnchorStanding(TypedDict):
    """How the proof of one record, message or data stands."""

    batch: NotRequired[AnchorBatch | None]
    #: It existed before this time, which the block's miner wrote; true to about two hours.
    existed_before: NotRequired[str | None]
    #: Until it is final, if blocks come every ten minutes.
    minutes: NotRequired[int | None]
    #: For people.
    sentence: str
    #: queued, or the state of its batch.
    state: str


class AnchorStatus(TypedDict):
    """How things stand."""

    #: The newest batches and all that are not final, oldest first.
    batches: list[AnchorBatch]
    #: In the modes that pay: what was paid, and what is left.
    funds: NotRequired[AnchorFunds | None]
    mode: Mode
    network: Network
    #: When the next batch is made of what waits.
    next: NotRequired[str | None]
    #: Why nothing moves, with what to do.
    problem: NotRequired[str | None]
    #: Messages and data that wait for the next batch.
    queued: int
    #: All of it, for people.
    sentence: str
    #: Height of the chain when bitcoind was last asked.
    tip: NotRequired[int | None]


class AnchorTaken(TypedDict):
    """What was taken."""

    #: Does anybody bring it into the chain under the settings (anchor.mode)? Otherwise it waits for that.
    anchored: bool
    #: By which its proof is asked for (anchor.proof).
    cid: str


class AnchorUnproven(TypedDict):
    """Something that has no proof, or none yet."""

    batch: NotRequired[int | None]
    #: Of a message or data; of a file of many blocks as a whole, its data CID.
    cid: str
    #: message, data or file.
    kind: str
    #: queued, pending or broken.
    state: str
    #: What is broken.
    why: NotRequired[str | None]


class AnchorUnsigned(TypedDict):
    """A transaction that waits for a signature."""

    batch: int
    #: sat
    fee: int
    #: Base64, as wallets exchange it (BIP 174).
    psbt: str


class Authenticated(TypedDict):
    """What whoever has shown a token may do."""

    #: Nothing: it does not expire.
    expires: NotRequired[str | None]
    scopes: list[str]
    #: The only tenant it is for; nothing: every one of this node.
    tenant: NotRequired[str | None]


#: Bytes in JSON, with padding.
Base64: TypeAlias = 'str'


class BlocksUsage(TypedDict):
    """What the blocks take on disk."""

    file_bytes: int
    files: int
    pack_bytes: int
    #: Of the packs' bytes, those of blocks that are in the index.
    pack_live: int
    packs: int


class Collected(TypedDict):
    """What a round has done."""

    #: Blocks that nothing needed.
    blocks: int
    #: Bytes given back to the file system.
    bytes: int
    #: Blocks left alone because a stage or a reader had them.
    held: int
    #: Files that no record has ever named.
    orphans: int
    #: Packs rewritten and deleted.
    packs: int


class Compacted(TypedDict):
    """What a round of compaction has done."""

    #: Bytes given back to the file system.
    bytes: int
    #: Segments left as they are because something in them is damaged.
    damaged: int
    #: Of these bytes, those that could go.
    dead: int
    #: Frames left out altogether.
    frames: int
    log: int
    #: Messages of which only a stub is left.
    messages: int
    #: Segments written anew.
    rewritten: int
    #: Sealed segments looked at, and their bytes before.
    segments: int


class Compaction(TypedDict):
    """What a compaction has done."""

    collected: Collected
    compacted: Compacted
    #: Of the index, when it was built anew as well.
    index: NotRequired[Rebuilt | None]


class Conditions(TypedDict):
    """Further conditions of a grant."""

    #: `Required` or `Prohibited`: must what is written be published?
    publication: str


class Conflict(TypedDict):
    """An edit that lost."""

    #: When it came.
    at: str
    #: DID of the device that brought what won.
    by: NotRequired[str | None]
    #: Of what lost.
    dataCid: NotRequired[str | None]
    dataSize: NotRequired[int | None]
    #: What won ended the record: nothing can be written to it any more.
    deleted: bool
    #: The CID of the message that lost.
    id: str
    #: What was written here.
    lost: ConflictSide
    protocol: NotRequired[str | None]
    recordId: str
    #: Whose record it is.
    tenant: str
    #: Until when what lost is kept.
    until: str
    #: What took its place.
    won: ConflictSide


class ConflictDifference(TypedDict):
    #: Null: it is not there.
    lost: Json
    property: str
    won: Json


class ConflictRemoved(TypedDict):
    removed: str


class ConflictShown(TypedDict):
    """Both sides of a conflict."""

    #: When it came.
    at: str
    #: DID of the device that brought what won.
    by: NotRequired[str | None]
    #: Of what lost.
    dataCid: NotRequired[str | None]
    dataSize: NotRequired[int | None]
    #: What won ended the record: nothing can be written to it any more.
    deleted: bool
    #: Properties of the descriptor that differ. Nothing if what won is a delete.
    differs: list[ConflictDifference]
    #: Where the data of what lost is fetched.
    download: NotRequired[OneTimeAddress | None]
    #: The CID of the message that lost.
    id: str
    #: What was written here.
    lost: ConflictSide
    lostMessage: Json
    protocol: NotRequired[str | None]
    recordId: str
    #: Whose record it is.
    tenant: str
    #: Until when what lost is kept.
    until: str
    #: What took its place.
    won: ConflictSide
    wonMessage: Json


class ConflictSide(TypedDict):
    """A message of one side."""

    author: str
    messageCid: str
    messageTimestamp: str
    #: `Write` or `Delete`.
    method: str


class ConflictsKept(TypedDict):
    """How many conflicts there are, and what their data takes."""

    #: Bytes of data that they hold.
    bytes: int
    conflicts: int


class Connection(TypedDict):
    """A libp2p peer that is connected."""

    #: The remote address of each connection.
    addresses: list[str]
    #: What the peer calls its program, once it has said so.
    agent: NotRequired[str | None]
    #: libp2p peer id.
    peer: str
    #: Of the last ping.
    round_trip_seconds: NotRequired[float | None]


class Considered(TypedDict):
    """An index that could serve a filter."""

    #: Do its entries alone say whether a row meets the filter, so that no row is fetched where it is read in order?
    #: A node of before does not say.
    covers: NotRequired[bool]
    #: By what its entries are found.
    index: str
    #: Property by which they are sorted under one value.
    order: str
    #: Are they in the order that is asked for?
    ordered: bool
    #: Ranges of it that are read: one for each value.
    ranges: int
    #: Entries counted.
    rows: int
    #: Were these all? Otherwise there are more than `rows`, or it was not worth counting.
    whole: bool


class ContentOutcome2(TypedDict):
    """It is kept when it has come to this address, which then answers with it."""

    upload: OneTimeAddress


#: What has become of data.
ContentOutcome: TypeAlias = 'Kept | ContentOutcome2'


class Counted(TypedDict):
    count: int


class Created(TypedDict):
    """A new token. Its text is shown this once."""

    created: str
    #: Not given: never.
    expires: NotRequired[str | None]
    id: str
    name: str
    #: Used by pages of this origin alone; without one, by no page.
    origin: NotRequired[Origin | None]
    #: The token that made it; it ends with that one.
    parent: NotRequired[str | None]
    #: Records of these protocols alone; empty: of all that the scopes name.
    protocols: NotRequired[list[str]]
    #: Calls a minute.
    rate: int
    scopes: Scopes
    #: Records and signatures of this tenant alone.
    tenant: NotRequired[str | None]
    #: What its holder shows: `toft_<id>.<secret>`.
    token: str


class DataHolder(TypedDict):
    """A record that holds data."""

    recordId: str
    tenant: str


class Deleted(TypedDict):
    #: Of the message that ended it.
    messageCid: str
    recordId: str


class Descriptors(TypedDict):
    """File descriptors, and how many connections they are enough for."""

    #: What it was given at first.
    before: int
    dwn_connections: int
    #: Where there are fewer connections than the settings ask for: a sentence.
    fewer: NotRequired[str | None]
    gateway_connections: int
    #: What the process may have.
    most: int
    peer_connections: int


class Device(TypedDict):
    """A device of this node's owner."""

    #: Since when it is one. None: nobody has given it a name.
    added: NotRequired[Moment | None]
    address: NotRequired[str | None]
    connected: bool
    did: str
    in_sync: bool
    #: It came in by a code of this node: it acts in the name of its identities whose records both keep.
    let_in: bool
    name: str
    #: It is this one.
    this: bool


class DeviceStatus(TypedDict):
    """A device, protocol by protocol."""

    #: Multiaddr with the peer id at its end.
    address: str
    #: Nothing is on its way, and they do not hold the same.
    apart: bool
    connected: bool
    #: Copies that run at the same time: of it, as seen here, and of this node, as it said.
    copies: list[TwoCopies]
    did: str
    #: Records shared with it of which the data is not here (`sync.data = "on-demand"`), and bytes of that. It comes when it is
    #: read.
    elsewhere: int
    elsewhere_bytes: int
    #: Somebody else's node.
    friend: NotRequired[Friend | None]
    #: Both hold the same messages of what they share: both have said so lately, and nothing has changed here since.
    in_sync: bool
    #: Seconds since both said so last.
    in_sync_seconds: NotRequired[int | None]
    #: Messages of the other device that this node could not take, and of this node that the other could not: they are asked
    #: for again when the reason may be gone (toft sync status).
    parked: int
    parked_there: int
    #: Why it is not connected, as far as known.
    problem: NotRequired[str | None]
    #: What this device could not take of what the other sent.
    put_aside: list[Parked]
    #: What the other could not take, as far as it told why.
    put_aside_there: list[Put]
    receiving: NotRequired[Way | None]
    #: As both told when they compared last; empty while it is not connected.
    scopes: list[ScopeStatus]
    #: How far what this node has is on its way there, and what the other has here. `None`: nothing is under way.
    sending: NotRequired[Way | None]
    #: DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read.
    tenants: list[str]


class DevicesAsked(TypedDict):
    """So many devices and DWN servers are compared with."""

    devices: int
    remotes: int


class Entry(TypedDict):
    """One entry."""

    #: To what, and how.
    about: dict[str, Json]
    at: str
    #: The hash of this one.
    hash: NotRequired[str]
    #: Its number; the first has 1.
    n: int
    #: The hash of the entry before.
    prev: str
    #: What happened: `token.made`.
    what: str
    #: Who did it: `owner`, `cookie`, `token <id>`, `node`.
    who: str


class Explanation(TypedDict):
    """How a question was answered."""

    #: One for each filter of which the answer is the union: what the asker may see is one filter for the owner and up
    #: to four for others.
    filters: list[Filtered]
    #: What finding the rows took; reading the messages is not part of it.
    microseconds: int
    #: Do more records follow?
    more: bool
    #: Property and direction that were asked for.
    order: str
    returned: int
    #: Index entries that the plans went through.
    scanned: int
    #: Index entries that were read to choose, or ahead, and not used.
    unused: int


class FileContent(TypedDict):
    """A file, or where it is to be had."""

    cid: str
    #: base64url, without padding.
    data: NotRequired[str | None]
    #: Where it is fetched, if it is not in the answer.
    download: NotRequired[OneTimeAddress | None]
    size: NotRequired[int | None]


class Filtered(TypedDict):
    """How one filter was answered."""

    #: Which of `considered` are read, the leading one first.
    chosen: list[int]
    considered: list[Considered]
    #: `nothing`, `in order`, `zig-zag` or `gather and sort`.
    plan: str
    #: Which of `considered` took over when the way became long.
    switched: NotRequired[int | None]


class Footprint(TypedDict):
    """What a home takes on disk, and what it holds."""

    blocks: BlocksUsage
    #: Edits that lost to others and are kept for a while; nothing if the node does not run.
    conflicts: NotRequired[ConflictsKept | None]
    #: How many pins there are.
    pins: int
    #: What retention has done since the node started; nothing if it does not run.
    retention: NotRequired[Retained | None]
    stats: Stats
    store: StoreUsage


class Friend(TypedDict):
    """What is shared with a friend."""

    #: DIDs of this node: the friend gets what grants and protocol rules let them read.
    gives: list[str]
    #: DIDs of the friend: this node keeps a copy of what it may read.
    takes: list[str]


class FriendAdded(TypedDict):
    """A friend that was added."""

    address: str
    did: str
    #: DIDs of this node of whose records they get what they may read.
    gives: list[str]
    #: Grants made just now.
    granted: list[Grant]
    #: Their DIDs, of whose records this node keeps a copy of what it may read.
    takes: list[str]


class FriendListed(TypedDict):
    """A friend and how they stand."""

    #: Multiaddr with the peer id at its end.
    address: str
    #: Nothing is on its way, and they do not hold the same.
    apart: bool
    connected: bool
    #: Copies that run at the same time: of it, as seen here, and of this node, as it said.
    copies: list[TwoCopies]
    did: str
    #: Somebody else's node.
    friend: NotRequired[Friend | None]
    #: Those in force.
    grants: list[Grant]
    #: Both hold the same messages of what they share: both have said so lately, and nothing has changed here since.
    in_sync: bool
    #: Seconds since both said so last.
    in_sync_seconds: NotRequired[int | None]
    #: Messages of the other device that this node could not take, and of this node that the other could not: they are asked
    #: for again when the reason may be gone (toft sync status).
    parked: int
    parked_there: int
    #: Why it is not connected, as far as known.
    problem: NotRequired[str | None]
    receiving: NotRequired[Way | None]
    #: How far what this node has is on its way there, and what the other has here. `None`: nothing is under way.
    sending: NotRequired[Way | None]
    #: DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read.
    tenants: list[str]


class FriendRemoved(TypedDict):
    """Who is no friend any more."""

    removed: str
    revoked: list[Grant]


class Grant(TypedDict):
    """A grant and how it stands."""

    dateExpires: str
    dateGranted: str
    #: Since when it is revoked.
    dateRevoked: NotRequired[str | None]
    #: The grantee acts in the owner's name.
    delegated: bool
    #: recordId of the grant.
    grantId: str
    grantedTo: NotRequired[str | None]
    scope: GrantScope
    #: `active`, `expired` or `revoked`.
    state: str


class GrantCreated(TypedDict):
    """A grant that was made."""

    dateExpires: str
    dateGranted: str
    #: Since when it is revoked.
    dateRevoked: NotRequired[str | None]
    #: The grantee acts in the owner's name.
    delegated: bool
    #: recordId of the grant.
    grantId: str
    grantedTo: NotRequired[str | None]
    #: The RecordsWrite with its data as `encodedData`.
    message: Json
    scope: GrantScope
    #: `active`, `expired` or `revoked`.
    state: str


class GrantCursor(TypedDict):
    """Where a page ended."""

    messageCid: str
    value: str


class GrantPage(TypedDict):
    """Grants in their order."""

    #: Where the next page goes on, if more follow: what `pagination.cursor` takes. There may be more behind a page that is not full.
    cursor: NotRequired[GrantCursor | None]
    grants: list[Grant]


class GrantPagination(TypedDict):
    """Which page of them."""

    #: What the page before gave.
    cursor: NotRequired[GrantCursor | None]
    #: Grants of one page, 1000 at most.
    limit: NotRequired[int]


class GrantRequested(TypedDict):
    """A request for a grant."""

    #: It lies with the one asked, whose records are kept here too. Otherwise `message` is to be sent to their node.
    delivered: bool
    #: The RecordsWrite with its data as `encodedData`.
    message: Json
    #: recordId of the request.
    requestId: str


class GrantScope(TypedDict):
    """What a grant is about."""

    #: Of `Records`: this context and what is below it. Not together with `protocolPath`.
    contextId: NotRequired[str | None]
    #: `Records`, `Protocols` or `Messages`.
    interface: str
    #: Of `Records`: `Read`, `Write`, `Query`, `Subscribe`, `Delete`.
    method: str
    #: URI of the protocol. None: records that belong to no protocol, or (of `Messages` and `Protocols`) all.
    protocol: NotRequired[str | None]
    protocolPath: NotRequired[str | None]


class GrantsGiven(TypedDict):
    """What a device has been given."""

    #: Those that it had and that are good for a while yet.
    kept: int
    #: Made just now.
    made: list[Grant]


class Handed(TypedDict):
    """A message to the node that gave the key."""

    #: Of the key that it is sealed to.
    number: str
    #: base64url.
    sealed: str


class Health(TypedDict):
    """Whether all is well with what the node keeps; `/health` says the same."""

    healthy: bool
    #: Sentences; none if all is well.
    problems: list[str]
    #: Writes are taken.
    writable: bool


class Holder(TypedDict):
    """A record whose data, or message, is damaged."""

    record: str
    tenant: str


class InForce(TypedDict):
    """Settings, as node.toml has them."""

    #: Where they are written. Told over the node's socket alone.
    file: NotRequired[str | None]
    #: By section.
    settings: Json


class JobFailed(TypedDict):
    """Why a run failed."""

    at: Moment
    message: str


JobState: TypeAlias = 'Literal["working", "waiting", "off"]'


class JobStatus(TypedDict):
    """How a job stands."""

    #: The last run failed: [`Status::last_error`] says why. Otherwise that is of an earlier one.
    failing: bool
    last_error: NotRequired[JobFailed | None]
    #: When the last run ended.
    last_run: NotRequired[Moment | None]
    name: str
    #: When it runs next, as far as time decides; `None` while it works, and where only the log decides.
    next_run: NotRequired[Moment | None]
    #: Runs that have ended since the node started.
    runs: int
    state: JobState
    #: What it waits for between two runs, as [`Wait`] says it.
    wait: NotRequired[str | None]
    #: What it does, in a few words.
    work: str


class JoiningLeft(TypedDict):
    """Did it wait to be let in?"""

    left: bool


#: How joining stands.
JoiningState: TypeAlias = 'Literal["none", "waits", "joined", "failed"]'


class JoiningStatus(TypedDict):
    """How joining stands, as the owner sees it."""

    #: The device that made the offer.
    device: NotRequired[PairedDevice | None]
    #: Six digits that the other device shows too.
    digits: NotRequired[str | None]
    state: JoiningState
    #: DIDs whose records both keep.
    tenants: list[str]
    #: Why it failed.
    why: NotRequired[str | None]


class Kept(TypedDict):
    """Data that is kept."""

    cid: str
    published: bool
    recordId: str
    size: int


class KeptPolicy(TypedDict):
    """A policy that is followed."""

    messageCid: str
    policy: dict[str, Json]
    #: Why it cannot be followed, so that nothing of the protocol is written here.
    problem: NotRequired[str | None]
    #: URI of the protocol that it is for.
    protocol: str
    recordId: str


#: How keys have come to be handed over.
KeysCome: TypeAlias = 'Literal["made", "imported", "recovered"]'


class KeysLocked(TypedDict):
    locked: bool


class Listed(TypedDict):
    """A token, and how it stands."""

    created: str
    #: Not given: never.
    expires: NotRequired[str | None]
    id: str
    #: When it was used last; within a minute if the node was killed.
    lastUsed: NotRequired[str | None]
    name: str
    #: Used by pages of this origin alone; without one, by no page.
    origin: NotRequired[Origin | None]
    #: The token that made it; it ends with that one.
    parent: NotRequired[str | None]
    #: Records of these protocols alone; empty: of all that the scopes name.
    protocols: NotRequired[list[str]]
    #: Calls a minute.
    rate: int
    scopes: Scopes
    state: State
    #: Records and signatures of this tenant alone.
    tenant: NotRequired[str | None]


Method: TypeAlias = 'Literal["key", "jwk", "dht"]'

#: How roots come into the chain. Sending anything and spending anything is always opt-in.
Mode: TypeAlias = 'Literal["auto", "calendar", "wallet", "psbt", "off"]'

#: A moment, as RFC 3339 spells it, to the second.
Moment: TypeAlias = 'str'

#: A Bitcoin network.
Network: TypeAlias = 'Literal["mainnet", "testnet4", "signet", "regtest"]'


class NodeIdentity(TypedDict):
    """Who a node is and where it is reached."""

    #: Multiaddrs with the peer id at the end.
    addresses: list[str]
    did: str
    #: Its keys are locked: it signs nothing.
    locked: bool
    #: libp2p peer id. Nothing until the keys of a node that was started without them are unlocked: it reaches no peers before.
    peer: NotRequired[str | None]


class NodeStatus(TypedDict):
    """How a node does."""

    anchor: AnchorStatus
    #: Edits made here that other devices' took the place of without knowing them.
    conflicts: ConflictsKept
    connections: list[Connection]
    #: What is wrong with the store, in sentences; empty when all is well.
    degraded: list[str]
    #: URL of the DWN endpoint.
    dwn: str
    files: Descriptors
    #: Bytes free on the disk.
    free_bytes: int
    #: URL of the gateway, if there is one.
    gateway: NotRequired[str | None]
    #: Told over the node's socket alone.
    home: NotRequired[str | None]
    identity: NodeIdentity
    #: What the node does by itself.
    jobs: list[JobStatus]
    log_bytes: int
    peers: list[PeerStatus]
    #: Why nothing is written, if nothing is.
    read_only: NotRequired[str | None]
    retention: Retained
    #: Resident memory, where the system tells.
    rss_bytes: NotRequired[int | None]
    short: NotRequired[Shortage | None]
    store: Stats
    uptime_seconds: int
    version: str


#: How the offer stands.
OfferState: TypeAlias = 'Literal["none", "open", "asks", "paired", "over"]'


class OfferStatus(TypedDict):
    """The offer, as the owner sees it."""

    #: Who asks, or was let in.
    device: NotRequired[PairedDevice | None]
    #: Six digits that the other device shows too.
    digits: NotRequired[str | None]
    #: Until when it stands.
    expires: NotRequired[Moment | None]
    state: OfferState
    #: Why it is over.
    why: NotRequired[str | None]


class OfferWithdrawn(TypedDict):
    """Was there an offer?"""

    withdrawn: bool


class Offered(TypedDict):
    """An offer that was made."""

    #: What the other device is given: `toft join CODE`.
    code: str
    expires: NotRequired[Moment | None]


class OneRecord(TypedDict):
    """A record, with its data or where that is to be had."""

    #: Of a record of a protocol: its place in it.
    contextId: NotRequired[str | None]
    #: base64url, without padding.
    data: NotRequired[str | None]
    #: Of the data as it is kept: of private data, encrypted.
    dataCid: str
    dataFormat: str
    dataSize: int
    #: Where the data is fetched, if it is not in the answer.
    download: NotRequired[OneTimeAddress | None]
    #: The data is kept encrypted; what is given is decrypted, here and at the address.
    encrypted: NotRequired[bool]
    #: The first one, if that is another.
    initialWrite: NotRequired[Json]
    #: The newest RecordsWrite.
    record: Json
    recordId: str
    #: The data is encrypted and given as it is: why.
    sealed: NotRequired[str | None]


class OneTimeAddress(TypedDict):
    """Where data is sent or fetched, once."""

    #: Until when.
    expires: str
    #: Of the same host: `PUT` the bytes to an upload, `GET` them from a download.
    path: str


#: `https://wallet.example`, `http://127.0.0.1:5173`, `chrome-extension://…`: scheme, host and port, spelled in the one way in which a
#: browser does.
Origin: TypeAlias = 'str'


class Outcome2(TypedDict):
    """It is written when the data has come to this address, which then answers with it."""

    upload: OneTimeAddress


#: What has become of a write.
Outcome: TypeAlias = 'Written | Outcome2'


class Page(TypedDict):
    """Records in the order that was asked for."""

    #: Where the next page goes on, if there is one: what `pagination.cursor` takes.
    cursor: NotRequired[Json]
    #: RecordsWrite messages, with small data as `encodedData`. They go out as the text that they are.
    entries: list[Json]


class PairedDevice(TypedDict):
    """A device as it says it is."""

    #: Where it is reached: a multiaddr that ends in its peer id.
    address: str
    did: str
    #: What it calls itself.
    name: str


class Pairing(TypedDict):
    """What the owner sees of it."""

    #: The code was typed, and the token not fetched yet.
    approved: bool
    expires: str
    #: A browser says so; otherwise a program does, which may say what it likes.
    fromPage: bool
    id: str
    name: str
    origin: NotRequired[Origin | None]
    scopes: Scopes
    #: What the scopes mean.
    words: list[str]


class PairingAsked(TypedDict):
    """What it is told. It shows the code, and keeps the secret."""

    #: Six digits that the owner types.
    code: str
    expires: str
    id: str
    #: The token is fetched with it: pair.poll.
    secret: str


class Parked(TypedDict):
    """A message that was put aside."""

    #: What the door said.
    code: int
    digest: str
    has_data: bool
    protocol: NotRequired[str | None]
    #: Put aside first, in milliseconds since 1970.
    since: int
    tenant: str
    #: Asked for last, in milliseconds since 1970.
    tried: int
    #: Asked for so many times.
    tries: int
    why: str


class Peer(TypedDict):
    """A device this one keeps in step with."""

    #: Multiaddr with the peer id at its end.
    address: str
    did: str
    #: Somebody else's node.
    friend: NotRequired[Friend | None]
    #: DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read.
    tenants: list[str]


class PeerRemoved(TypedDict):
    """The DID of the device that is no peer any more."""

    removed: str


class PeerStatus(TypedDict):
    """A peer and how it stands."""

    #: Multiaddr with the peer id at its end.
    address: str
    #: Nothing is on its way, and they do not hold the same.
    apart: bool
    connected: bool
    #: Copies that run at the same time: of it, as seen here, and of this node, as it said.
    copies: list[TwoCopies]
    did: str
    #: Somebody else's node.
    friend: NotRequired[Friend | None]
    #: Both hold the same messages of what they share: both have said so lately, and nothing has changed here since.
    in_sync: bool
    #: Seconds since both said so last.
    in_sync_seconds: NotRequired[int | None]
    #: Messages of the other device that this node could not take, and of this node that the other could not: they are asked
    #: for again when the reason may be gone (toft sync status).
    parked: int
    parked_there: int
    #: Why it is not connected, as far as known.
    problem: NotRequired[str | None]
    receiving: NotRequired[Way | None]
    #: How far what this node has is on its way there, and what the other has here. `None`: nothing is under way.
    sending: NotRequired[Way | None]
    #: DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read.
    tenants: list[str]


class Pinned(TypedDict):
    pinned: str


class PolicyRemoved(TypedDict):
    """The records that held the policy."""

    recordIds: list[str]


class PolicySet(TypedDict):
    """A policy that was set, and which records that are here it would not take. They stay as they are."""

    messageCid: NotRequired[str | None]
    #: URI of the protocol that it is for.
    protocol: str
    #: Of the policy; nothing if none was set.
    recordId: NotRequired[str | None]
    #: Records of the protocol that are here.
    records: int
    #: As many of them the policy would not take.
    unfit: int
    #: The first of those.
    unfitRecords: list[Unfit]


class Protocol(TypedDict):
    """A protocol that is installed."""

    dateConfigured: str
    #: CID of the ProtocolsConfigure.
    messageCid: str
    #: Its URI.
    protocol: str
    #: May anybody see its definition?
    published: bool
    #: The names of its types.
    types: list[str]


class ProtocolDefinition(TypedDict):
    """What a protocol is."""

    dateConfigured: str
    #: As ProtocolsConfigure carries it.
    definition: dict[str, Json]
    #: CID of the ProtocolsConfigure.
    messageCid: str


class ProtocolDifferences(TypedDict):
    """What a newer definition changes, in sentences. Records keep what they were: they are only not taken again."""

    #: What could not be done before.
    allows: list[str]
    #: What cannot be done any more.
    forbids: list[str]
    #: Records of the protocol that are here.
    records: int
    #: As many of them the newer definition would not take.
    refused: int
    #: The first of those.
    refusedRecords: list[RefusedRecord]


class ProtocolInstalled(TypedDict):
    """A protocol and what installed it."""

    #: CID of the ProtocolsConfigure.
    messageCid: str
    #: URI of the protocol.
    protocol: str


class ProtocolRemoved(TypedDict):
    """A protocol that is out of use."""

    #: As many of them were deleted.
    deleted: int
    #: Its URI.
    protocol: str
    #: Records of it that were there.
    records: int


class ProtocolVerdict(TypedDict):
    """What stands against a definition, in sentences."""

    #: Why it would be refused. Empty: it can be installed.
    problems: list[str]
    #: What it says in vain: rules that nobody can use, types without a place.
    warnings: list[str]


class Put(TypedDict):
    """A message that the other device put aside."""

    code: int
    #: CID of the message.
    message: str
    why: str


class ReadableByFriend(TypedDict):
    """Records that a friend is let read."""

    protocol: str
    #: Those at one path of it; all if none is named.
    protocolPath: NotRequired[str | None]


class Rebuilt(TypedDict):
    """Bytes of the index."""

    after: int
    before: int


class RefusedRecord(TypedDict):
    """A record that a definition would not take."""

    recordId: str
    why: str


class Registered(TypedDict):
    """What a registered tenant has agreed to."""

    #: When, as DWN writes times.
    since: str
    #: SHA-256 of the terms of service, in hex; nothing if there were none.
    terms: NotRequired[str | None]


class RemoteServer(TypedDict):
    """A DWN server that this node keeps in step with."""

    #: URIs of the protocols that count. Empty: all, and what belongs to none.
    protocols: list[str]
    #: DIDs whose messages go there and come from there.
    tenants: list[str]
    url: str


class RemoteServerStatus(TypedDict):
    """A remote and how it stands."""

    #: After the last round both had the same, as far as this node knows, nothing was put aside, and nothing has been written here since.
    in_step: bool
    #: When that was so last, since this node started.
    last_in_step: NotRequired[Moment | None]
    #: Why the last round could not be ended.
    problem: NotRequired[str | None]
    #: URIs of the protocols that count. Empty: all, and what belongs to none.
    protocols: list[str]
    pulled: int
    #: Messages that went there and came from there, since this node started.
    pushed: int
    #: What could not be fetched or taken here, and what the server refused: it is tried again.
    put_aside: list[Parked]
    put_aside_there: list[Parked]
    #: DIDs whose messages go there and come from there.
    tenants: list[str]
    url: str
    waiting_here: int
    #: Messages that are known to lack there, and here, in the round that is under way.
    waiting_there: int


class Report(TypedDict):
    """What looking at the whole log has found."""

    entries: int
    files: int
    hash: str
    #: Signed heads that were looked at.
    heads: int
    #: The last entry.
    n: int
    #: What is wrong, in sentences; empty: nothing is.
    problems: list[str]


class Retained(TypedDict):
    """What retention has done since the node started."""

    #: A round is under way.
    at_work: bool
    #: Records of this node's own tenant that were deleted.
    deleted: int
    #: Rows of the index that were looked at.
    looked_at: int
    #: Why the last round left something for the next one.
    problem: NotRequired[str | None]
    #: Records of others that left this node.
    purged: int
    rules: int


#: Minor units: decimal digits, at most 18446744073709551615. A whole number is read too.
RgbAmount: TypeAlias = 'str'


class RgbAsset(TypedDict):
    """An RGB asset."""

    assetId: str
    #: CID of the contract.
    contract: NotRequired[str | None]
    issuedSupply: RgbAmount
    name: str
    network: RgbNetwork
    #: Digits after the point, for people.
    precision: int
    schema: RgbSchema
    ticker: NotRequired[str | None]


class RgbAssetExists(TypedDict):
    exists: bool


class RgbAssetFilter(TypedDict):
    """Which assets are wanted: those that fit all that is given."""

    assetId: NotRequired[str | None]
    network: NotRequired[RgbNetwork | None]
    precision: NotRequired[int | None]
    schema: NotRequired[RgbSchema | None]
    ticker: NotRequired[str | None]


class RgbAssets(TypedDict):
    """Assets in the order in which they were stored, the newest first."""

    assets: list[RgbFoundAsset]
    #: Where the next page goes on, if there is one.
    cursor: NotRequired[RgbPlace | None]


class RgbBalance(TypedDict):
    """Derived from the transfers that count."""

    #: Now.
    asOf: str
    assetId: str
    #: Of these, those that do not, for another one spent a coin of theirs before (rgb.conflicts).
    conflicts: int
    #: When those under way are settled.
    future: RgbAmount
    #: More went out than ever came in, by so much: transfers that brought it are missing here.
    overdrawn: NotRequired[RgbAmount]
    #: By settled transfers.
    settled: RgbAmount
    #: Settled, without what is being sent.
    spendable: RgbAmount
    #: Transfers that count, or would.
    transfers: int


class RgbConflict(TypedDict):
    """A transfer that does not count."""

    amount: RgbAmount
    assetId: str
    #: Coins that both spend.
    coins: list[str]
    #: What counts instead.
    conflictsWith: str
    transferId: str


class RgbDeclared(TypedDict):
    """What somebody says is held."""

    assetId: str
    future: RgbAmount
    settled: RgbAmount
    spendable: RgbAmount


class RgbDescribedAsset(TypedDict):
    """An asset with what else is known of it."""

    asset: RgbAsset
    metadata: NotRequired[RgbMetadata | None]
    recordId: str


class RgbEvent(TypedDict):
    """What happened."""

    amount: NotRequired[RgbAmount | None]
    #: Of a conflict: the transfer that counts instead.
    conflictsWith: NotRequired[str | None]
    date: str
    kind: RgbHistoryKind
    recordId: str
    source: RgbHistorySource
    #: Of a transfer.
    status: NotRequired[RgbTransferStatus | None]
    #: recordId of the transfer.
    transfer: NotRequired[str | None]
    txid: NotRequired[str | None]


class RgbFoundAsset(TypedDict):
    """An asset that is kept."""

    asset: RgbAsset
    recordId: str


class RgbHistory(TypedDict):
    """A page of an asset's history."""

    #: Where the next page goes on, if there is one.
    cursor: NotRequired[RgbPlace | None]
    entries: list[RgbEvent]


class RgbHistoryEntry(TypedDict):
    """What happened to an asset, as somebody noted it."""

    amount: NotRequired[RgbAmount | None]
    assetId: str
    #: When it happened; now if it is not said.
    date: NotRequired[str | None]
    kind: RgbHistoryKind
    #: recordId of the transfer.
    transfer: NotRequired[str | None]
    txid: NotRequired[str | None]


RgbHistoryKind: TypeAlias = 'Literal["issue", "send", "receive", "burn", "invoice"]'

#: Where an entry comes from.
RgbHistorySource: TypeAlias = 'Literal["transfer", "entry"]'


class RgbInvoice(TypedDict):
    """What is to be paid, and to what seal."""

    amount: NotRequired[RgbAmount | None]
    assetId: str
    dateExpires: NotRequired[str | None]
    endpoints: NotRequired[list[str]]
    #: The invoice's text, as wallets read it.
    invoice: str
    recipientId: NotRequired[str | None]
    status: NotRequired[RgbInvoiceStatus]


RgbInvoiceStatus: TypeAlias = 'Literal["open", "paid", "expired", "cancelled"]'


class RgbMedia(TypedDict):
    cid: str
    #: Media type.
    type: str


class RgbMetadata(TypedDict):
    """What else is known of an asset."""

    details: NotRequired[str | None]
    media: NotRequired[RgbMedia | None]
    terms: NotRequired[str | None]
    #: When the asset was issued.
    timestamp: NotRequired[str | None]


RgbNetwork: TypeAlias = 'Literal["mainnet", "testnet4", "signet", "regtest"]'


class RgbPlace(TypedDict):
    """The end of a page: where the next one goes on."""

    messageCid: str
    value: str


#: Which rules the contract follows.
RgbSchema: TypeAlias = 'Literal["NIA", "UDA", "CFA", "IFA"]'


class RgbStored(TypedDict):
    """A record that was written."""

    dataCid: str
    dateCreated: str
    #: Of the message: what time proofs are about (anchor.proof).
    messageCid: str
    recordId: str


class RgbTransfer(TypedDict):
    """Units that change hands."""

    amount: RgbAmount
    assetId: str
    #: CID of the consignment.
    consignment: NotRequired[str | None]
    #: recordId of the invoice that it pays.
    invoice: NotRequired[str | None]
    kind: RgbTransferKind
    #: DID.
    receiver: NotRequired[str | None]
    #: Blinded seal or address of who gets it.
    recipientId: NotRequired[str | None]
    #: DID.
    sender: NotRequired[str | None]
    #: Coins whose seals it closes, each as `txid:vout`.
    spends: NotRequired[list[str]]
    status: NotRequired[RgbTransferState]
    txid: NotRequired[str | None]


#: What a transfer is, as seen by who wrote it.
RgbTransferKind: TypeAlias = 'Literal["send", "burn", "issue", "receive"]'

RgbTransferState: TypeAlias = 'Literal["waitingCounterparty", "waitingConfirmations", "settled", "failed"]'

#: How a transfer stands.
RgbTransferStatus: TypeAlias = 'Literal["waitingCounterparty", "waitingConfirmations", "settled", "failed", "conflict"]'


class RgbTransferTold(TypedDict):
    """A transfer, and how it stands."""

    #: Of a conflict: the transfer that took the coin.
    conflictsWith: NotRequired[str | None]
    #: It counts in balances. What somebody else wrote does only when it is accepted (rgb.storeTransfer with its transferId).
    counts: bool
    dateCreated: str
    status: RgbTransferStatus
    #: As its record says it.
    transfer: RgbTransfer
    transferId: str


class RgbVerdict(TypedDict):
    """What the validator says."""

    reason: NotRequired[str | None]
    valid: bool


Scope: TypeAlias = 'str'


class ScopeStatus(TypedDict):
    """A tenant's messages of one protocol, or of none."""

    #: The fingerprints of both are equal.
    equal: bool
    #: Messages kept here, and there when it told last.
    here: int
    protocol: NotRequired[str | None]
    tenant: str
    there: int


#: What a token may do, in all.
Scopes: TypeAlias = 'list[Scope]'


class Scrubbed(TypedDict):
    """What a scrub has found."""

    blocks: int
    bytes: int
    #: It came to the end of everything.
    complete: bool
    #: Objects that are not what they should be, healed ones included.
    damaged: int
    healed: int
    messages: int
    #: One sentence for each damaged object.
    named: list[str]
    #: Records whose data, or message, is damaged still.
    records: NotRequired[list[Holder]]


class SealingKey(TypedDict):
    """A key to seal to, and its number."""

    #: secp256k1, as a JWK.
    key: Json
    number: str


class SettingChanged(TypedDict):
    """A setting that was changed."""

    #: When it counts: `at once`, or `at the next start`. What the environment or an option of `toft up` says goes on counting.
    effect: str
    file: str
    key: str
    #: An environment variable that the node was started with, and that counts more than the file.
    overriddenBy: NotRequired[str | None]


class ShippedProtocol(TypedDict):
    """A protocol that comes with toft."""

    #: As ProtocolsConfigure carries it.
    definition: dict[str, Json]
    name: str
    #: Its types whose data is nobody's business but that of those it is for: what `private` of protocols.install takes.
    private: list[str]


class Shortage(TypedDict):
    """What the system has been short of since the node started."""

    #: What the last time was about.
    last: str
    seconds_ago: int
    times: int


class Shown(TypedDict):
    """An identity, as its owner is shown it."""

    #: Empty: by a toft that did not note it.
    created: str
    #: The node itself is this one.
    default: bool
    did: str
    #: DID URL of the key that signs.
    kid: str
    #: It signs nothing now.
    locked: bool
    method: Method
    #: Keys that signed before, oldest first.
    past: list[ShownPast]


class ShownPast(TypedDict):
    """A key that signed before."""

    #: Given up because somebody else may have it.
    compromised: bool
    kid: str
    #: What it signed before this time verifies.
    until: str


class Signed1(TypedDict):
    """The message with its authorization."""

    message: Json


class Signed2(TypedDict):
    """A compact JWS."""

    jwt: str


#: What was signed.
Signed: TypeAlias = 'Signed1 | Signed2'


class Snapshot(TypedDict):
    """What taking a snapshot has done."""

    bytes: int
    #: One sentence for each file that is missing or damaged in the home, and so in the snapshot.
    damaged: NotRequired[list[str]]
    files: int
    #: Of the new ones, those that are links to the home's.
    linked: NotRequired[int]
    #: Of the new ones, those whose objects were damaged in the backup.
    mended: NotRequired[int]
    new_bytes: int
    #: Of these, those that no earlier snapshot had brought.
    new_files: int
    snapshot: str


class Standing(TypedDict):
    """How data stands here."""

    #: Its blocks that are here, up to the first that is not.
    blocks: int
    cid: str
    #: All of them are here.
    complete: bool
    #: The first that is not.
    missing: NotRequired[str | None]
    #: It stays whatever becomes of its records.
    pinned: bool
    #: Records that hold it; at most 16.
    records: list[DataHolder]
    #: Bytes of the file, if its root is here.
    size: NotRequired[int | None]


State: TypeAlias = 'Literal["live", "expired", "revoked"]'


class Stats(TypedDict):
    """Counters, kept with every batch."""

    #: Blocks that have a place.
    blocks: int
    #: Bytes of data that records hold; data held by two records counts twice.
    bytes: int
    #: Messages kept.
    messages: int
    #: Latest states of records.
    records: int


class StoreUsage(TypedDict):
    """Bytes on disk."""

    #: Indexes that were set aside; they can be deleted.
    aside: int
    index: int
    log: int
    segments: int


class Subscribed(TypedDict):
    """Which subscription began. Its events come as `rpc.event`; `rpc.unsubscribe` ends it."""

    subscription: str


class SubscriptionEnded(TypedDict):
    ended: str


class SyncPaused(TypedDict):
    """Is sync paused?"""

    paused: bool


class Tenant(TypedDict):
    """Somebody who is or may be a tenant."""

    #: May write and be written to now.
    allowed: bool
    did: str
    messages: int
    registered: NotRequired[Registered | None]


class TenantRemoved(TypedDict):
    """What was removed of a tenant."""

    messages: int
    registration: bool


class Token(TypedDict):
    """A token, without its secret."""

    created: str
    #: Not given: never.
    expires: NotRequired[str | None]
    id: str
    name: str
    #: Used by pages of this origin alone; without one, by no page.
    origin: NotRequired[Origin | None]
    #: The token that made it; it ends with that one.
    parent: NotRequired[str | None]
    #: Records of these protocols alone; empty: of all that the scopes name.
    protocols: NotRequired[list[str]]
    #: Calls a minute.
    rate: int
    scopes: Scopes
    #: Records and signatures of this tenant alone.
    tenant: NotRequired[str | None]


class TwoCopies(TypedDict):
    """Two copies of a node that run at the same time. The older one is served."""

    did: str
    #: Since when each has shared without a break, by its own clock: since its start, or since it was let in again.
    older_since: Moment
    younger_since: Moment


class Unfit(TypedDict):
    """A record that a policy would not take."""

    recordId: str
    why: str


class Unpinned(TypedDict):
    unpinned: str


class Version(TypedDict):
    """One state of a record."""

    author: str
    #: The record began with it.
    initial: bool
    #: It stays, with its data: the newest one, and those that its policy keeps; and without it the first. The others are what the log
    #: still holds of states that were superseded: compaction takes them away.
    kept: bool
    messageCid: str
    messageTimestamp: str
    #: `Write`, or the `Delete` that ended it.
    method: str
    #: The message.
    record: Json


class Versions(TypedDict):
    """A record's past."""

    #: There are older ones.
    more: bool
    versions: list[Version]


class WantedMessage(TypedDict):
    """A DWN message without its authorization: `descriptor`, and of a RecordsWrite `recordId` and `contextId`."""

    message: Json
    use: Literal["message"]


class WantedCredential(TypedDict):
    """A verifiable credential, whose issuer is who signs."""

    credential: Json
    use: Literal["credential"]


class WantedLogin(TypedDict):
    """The answer to the challenge of a site."""

    challenge: str
    #: Who asks: scheme and host, as a browser says it.
    origin: str
    use: Literal["login"]


#: What is to be signed.
Wanted: TypeAlias = 'WantedMessage | WantedCredential | WantedLogin'


class Way(TypedDict):
    """How far one direction is."""

    messages: int
    of_messages: int


class Why(TypedDict):
    """A record and a device."""

    did: str
    #: Both hold the same of it: known only while both are in sync.
    same: bool
    #: A sentence.
    why: str


class Written(TypedDict):
    """A state of a record that was written."""

    #: Of a record of a protocol: its place in it.
    contextId: NotRequired[str | None]
    #: Of the data as it is kept: of private data, encrypted.
    dataCid: str
    dataSize: int
    dateCreated: str
    #: Its data is encrypted.
    encrypted: NotRequired[bool]
    #: Of this state.
    messageCid: str
    messageTimestamp: str
    recordId: str


RpcDiscoverResult: TypeAlias = 'Json'


class RpcAuthenticateParams(TypedDict):
    #: A token's text, or that of the cookie (`rpc.cookie` in the home).
    token: str


class RpcUnsubscribeParams(TypedDict):
    #: Its id, as the call that began it has answered.
    subscription: str


IdentityListResult: TypeAlias = 'list[Shown]'


class IdentityShowParams(TypedDict):
    did: NotRequired[str | None]


class IdentityCreateParams(TypedDict):
    #: Where keys that are handed over come from.
    come: NotRequired[KeysCome | None]
    #: Keys, and the passphrase if it takes one.
    handed: NotRequired[Handed | None]
    method: NotRequired[Method | None]


class IdentityUseParams(TypedDict):
    did: str
    #: The passphrase, if it takes one.
    handed: NotRequired[Handed | None]


class IdentityRotateParams(TypedDict):
    did: str
    #: Somebody else may have the key: it is no longer published.
    compromised: NotRequired[bool]
    #: The passphrase, if it takes one.
    handed: NotRequired[Handed | None]


class IdentitySignParams(TypedDict):
    wanted: Wanted
    #: Who signs; the node itself, if nothing is said.
    did: NotRequired[str | None]


class IdentityExportedParams(TypedDict):
    did: NotRequired[str | None]


class IdentityUnlockParams(TypedDict):
    #: The passphrase, if it takes one.
    handed: NotRequired[Handed | None]


NodeJobsResult: TypeAlias = 'list[JobStatus]'


ProtocolsInstallParams = TypedDict(
    "ProtocolsInstallParams",
    {
        #: As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`.
        "definition": "dict[str, Json]",
        #: Which of the node's identities installs it; its own if none is named.
        "from": "NotRequired[str | None]",
        #: Names of types whose data is private: the node adds the identity's keys (`$encryption`) at their paths, and takes away what stands
        #: at others. Their data is encrypted from then on, by records.write too. Not given: the definition is installed as it is.
        "private": "NotRequired[list[str] | None]",
    },
)


ProtocolsListParams = TypedDict(
    "ProtocolsListParams",
    {
        #: One of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


ProtocolsListResult: TypeAlias = 'list[Protocol]'


ProtocolsShowParams = TypedDict(
    "ProtocolsShowParams",
    {
        #: URI of the protocol.
        "protocol": "str",
        #: Whose: one of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


class ProtocolsCheckParams(TypedDict):
    #: As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`.
    definition: dict[str, Json]


ProtocolsDiffParams = TypedDict(
    "ProtocolsDiffParams",
    {
        #: As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`.
        "definition": "dict[str, Json]",
        #: Whose protocol: one of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


ProtocolsShippedResult: TypeAlias = 'list[ShippedProtocol]'


PoliciesSetParams = TypedDict(
    "PoliciesSetParams",
    {
        #: `protocol`, and by path what is asked of the records there (docs/dwn.md, "Policies").
        "policy": "dict[str, Json]",
        #: Set nothing.
        "dryRun": "NotRequired[bool]",
        #: Which of the node's identities sets it; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


PoliciesListParams = TypedDict(
    "PoliciesListParams",
    {
        #: One of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


PoliciesListResult: TypeAlias = 'list[KeptPolicy]'


PoliciesRemoveParams = TypedDict(
    "PoliciesRemoveParams",
    {
        #: URI of the protocol that it is for.
        "protocol": "str",
        #: Whose: one of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


ProtocolsRemoveParams = TypedDict(
    "ProtocolsRemoveParams",
    {
        #: Its URI.
        "protocol": "str",
        #: Whose: one of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
        #: Delete its records too.
        "records": "NotRequired[bool]",
    },
)


GrantsRequestParams = TypedDict(
    "GrantsRequestParams",
    {
        #: The DID of who is asked.
        "from": "str",
        "scope": "GrantScope",
        #: Which of the node's identities asks; its own if none is named.
        "asker": "NotRequired[str | None]",
        "conditions": "NotRequired[Conditions | None]",
        #: To act in their name.
        "delegated": "NotRequired[bool]",
        #: What it is for, as the one asked reads it.
        "description": "NotRequired[str | None]",
    },
)


GrantsCreateParams = TypedDict(
    "GrantsCreateParams",
    {
        #: Until when, as `2026-11-21T00:00:00Z`.
        "dateExpires": "str",
        #: The DID that is let do it.
        "grantedTo": "str",
        "scope": "GrantScope",
        "conditions": "NotRequired[Conditions | None]",
        #: To act in the owner's name: the grantee sends `message` along with what they sign.
        "delegated": "NotRequired[bool]",
        "description": "NotRequired[str | None]",
        #: Which of the node's identities grants it; its own if none is named.
        "from": "NotRequired[str | None]",
        #: recordId of the request that this answers.
        "requestId": "NotRequired[str | None]",
    },
)


GrantsListParams = TypedDict(
    "GrantsListParams",
    {
        #: Those in force, or with `false` the others.
        "active": "NotRequired[bool | None]",
        #: Which of the node's identities gave them; its own if none is named.
        "from": "NotRequired[str | None]",
        "grantedTo": "NotRequired[str | None]",
        "pagination": "NotRequired[GrantPagination]",
        #: URI of the protocol that they are about.
        "protocol": "NotRequired[str | None]",
    },
)


GrantsRevokeParams = TypedDict(
    "GrantsRevokeParams",
    {
        #: recordId of the grant.
        "grantId": "str",
        #: Which of the node's identities gave it; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


GrantsGiveParams = TypedDict(
    "GrantsGiveParams",
    {
        #: The device's own DID.
        "device": "str",
        #: Until when, as `2026-11-21T00:00:00Z`; a year from now if nothing is said.
        "dateExpires": "NotRequired[str | None]",
        #: Which of the node's identities gives them; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


GrantsWithdrawParams = TypedDict(
    "GrantsWithdrawParams",
    {
        #: The device's own DID.
        "device": "str",
        #: Which of the node's identities gave them; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


GrantsWithdrawResult: TypeAlias = 'list[Grant]'

DevicesListResult: TypeAlias = 'list[Device]'


class DevicesOfferParams(TypedDict):
    #: DIDs whose records both will keep. Empty: this node's own and the other's.
    tenants: NotRequired[list[str]]


class DevicesOfferedParams(TypedDict):
    #: The state that the caller knows already: another is waited for.
    after: NotRequired[OfferState | None]
    #: Seconds, 60 at most.
    wait: NotRequired[int]


class DevicesDecideParams(TypedDict):
    #: As both devices show them.
    digits: NotRequired[str | None]


class DevicesJoinParams(TypedDict):
    #: As toft pair, on the other device, prints it.
    code: str
    #: Where that device is, if not where its code says: a multiaddr.
    at: NotRequired[str | None]
    #: The other device may keep the records of this node's own identities too.
    share: NotRequired[bool]


class DevicesJoiningParams(TypedDict):
    #: The state that the caller knows already: another is waited for.
    after: NotRequired[JoiningState | None]
    #: Seconds, 60 at most.
    wait: NotRequired[int]


class DevicesRenameParams(TypedDict):
    #: Its DID, or what it is called.
    device: str
    #: 1 to 64 letters.
    name: str


class DevicesRemoveParams(TypedDict):
    #: Its DID, or what it is called.
    device: str


FriendsAddParams = TypedDict(
    "FriendsAddParams",
    {
        #: Where their node is reached: a multiaddr with the peer id at its end.
        "address": "str",
        #: Their DID, which is also what their node proves to be.
        "did": "str",
        #: Until when these are good, as `2026-11-21T00:00:00Z`; a year from now if nothing is said.
        "dateExpires": "NotRequired[str | None]",
        #: The identity of this node that they are a friend of; its own if none is named.
        "from": "NotRequired[str | None]",
        #: Keep no copy here of what this node may read there.
        "giveOnly": "NotRequired[bool]",
        #: What they are let read. What other grants and protocol rules let them read goes to them too.
        "grants": "NotRequired[list[ReadableByFriend]]",
    },
)


FriendsListResult: TypeAlias = 'list[FriendListed]'


class FriendsRemoveParams(TypedDict):
    did: str
    #: Leave the grants that they have.
    keepGrants: NotRequired[bool]


GrantsExplainParams = TypedDict(
    "GrantsExplainParams",
    {
        #: What this one may, and if they may not read, why not. None: everybody.
        "did": "NotRequired[str | None]",
        #: Whose records: one of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
        #: URI, together with `protocolPath`.
        "protocol": "NotRequired[str | None]",
        "protocolPath": "NotRequired[str | None]",
        "recordId": "NotRequired[str | None]",
    },
)


RecordsQueryParams = TypedDict(
    "RecordsQueryParams",
    {
        #: `createdAscending`, `createdDescending`, `publishedAscending`, `publishedDescending`.
        "dateSort": "NotRequired[str | None]",
        #: RecordsFilter. Empty: every record.
        "filter": "NotRequired[dict[str, Json]]",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: `limit`, `cursor`.
        "pagination": "NotRequired[dict[str, Json]]",
        #: Path of a role that the asker invokes.
        "protocolRole": "NotRequired[str | None]",
        #: DID of whose records it is about; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RecordsCountParams = TypedDict(
    "RecordsCountParams",
    {
        #: RecordsFilter. Empty: every record.
        "filter": "NotRequired[dict[str, Json]]",
        #: Whose records: one of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


RecordsExplainParams = TypedDict(
    "RecordsExplainParams",
    {
        #: `createdAscending`, `createdDescending`, `publishedAscending`, `publishedDescending`.
        "dateSort": "NotRequired[str | None]",
        #: RecordsFilter. Empty: every record.
        "filter": "NotRequired[dict[str, Json]]",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: `limit`, `cursor`.
        "pagination": "NotRequired[dict[str, Json]]",
        #: Path of a role that the asker invokes.
        "protocolRole": "NotRequired[str | None]",
        #: DID of whose records it is about; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RecordsReadParams = TypedDict(
    "RecordsReadParams",
    {
        "recordId": "str",
        #: Give an address for the data even if it is small.
        "download": "NotRequired[bool]",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: CID of the message of an earlier state, if its policy keeps those; the newest if none is named.
        "messageCid": "NotRequired[str | None]",
        #: recordId of a grant that the asker invokes.
        "permissionGrantId": "NotRequired[str | None]",
        #: Path of a role that the asker invokes.
        "protocolRole": "NotRequired[str | None]",
        #: Give encrypted data as it is.
        "raw": "NotRequired[bool]",
        #: DID of whose record it is; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RecordsHistoryParams = TypedDict(
    "RecordsHistoryParams",
    {
        "recordId": "str",
        #: Whose record it is: one of the node's identities; its own if none is named.
        "from": "NotRequired[str | None]",
    },
)


RecordsWriteParams = TypedDict(
    "RecordsWriteParams",
    {
        #: base64url, without padding; at most 700 KiB of bytes.
        "data": "NotRequired[str | None]",
        #: Media type. A new record needs one.
        "dataFormat": "NotRequired[str | None]",
        #: Instead of `data`: so many bytes are to come to a one-time address.
        "dataSize": "NotRequired[int | None]",
        #: When it was made, if not now: UTC with six digits of a second.
        "dateCreated": "NotRequired[str | None]",
        #: Is the data encrypted before it is kept? If it is not said, it is where the protocol has a key for it (`$encryption`): for the
        #: protocol's owner, for who writes, and for the readers of the context. True: it is, or nothing is written. False: it is kept as it is.
        "encrypt": "NotRequired[bool | None]",
        #: Which of the node's identities signs; its own if none is named.
        "from": "NotRequired[str | None]",
        #: contextId of the record that this one stands below.
        "parentContextId": "NotRequired[str | None]",
        #: recordId of a grant that the signer invokes.
        "permissionGrantId": "NotRequired[str | None]",
        #: URI of the protocol.
        "protocol": "NotRequired[str | None]",
        #: Path within the protocol, such as `thread/reply`.
        "protocolPath": "NotRequired[str | None]",
        #: Path of a role that the signer invokes.
        "protocolRole": "NotRequired[str | None]",
        #: May anyone read it?
        "published": "NotRequired[bool | None]",
        #: DID of whom it is written to.
        "recipient": "NotRequired[str | None]",
        #: Of the record that gets a new state.
        "recordId": "NotRequired[str | None]",
        #: URI of the schema.
        "schema": "NotRequired[str | None]",
        #: Names with texts, numbers, flags, or lists of one of them.
        "tags": "NotRequired[dict[str, Json] | None]",
        #: DID of whose records it becomes one; the signer's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RecordsDeleteParams = TypedDict(
    "RecordsDeleteParams",
    {
        "recordId": "str",
        #: Which of the node's identities signs; its own if none is named.
        "from": "NotRequired[str | None]",
        #: recordId of a grant that the signer invokes.
        "permissionGrantId": "NotRequired[str | None]",
        #: Path of a role that the signer invokes.
        "protocolRole": "NotRequired[str | None]",
        #: And all records below it.
        "prune": "NotRequired[bool]",
        #: DID of whose record it is; the signer's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RecordsSubscribeParams = TypedDict(
    "RecordsSubscribeParams",
    {
        #: That of the last event that was seen: what came since then is told first.
        "cursor": "NotRequired[Json]",
        #: RecordsFilter. Empty: every record.
        "filter": "NotRequired[dict[str, Json]]",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: Path of a role that the asker invokes.
        "protocolRole": "NotRequired[str | None]",
        #: DID of whose records they are; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


ConflictsListResult: TypeAlias = 'list[Conflict]'


class ConflictsShowParams(TypedDict):
    #: The CID of the message that lost, or how it begins.
    id: str
    #: Give an address for the data of what lost.
    download: NotRequired[bool]
    #: DID of whose record it is, if messages of several are alike.
    tenant: NotRequired[str | None]


ConflictsKeepParams = TypedDict(
    "ConflictsKeepParams",
    {
        #: The CID of the message that lost, or how it begins.
        "id": "str",
        #: Which of the node's identities signs; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose record it is, if messages of several are alike.
        "tenant": "NotRequired[str | None]",
    },
)


class ConflictsRemoveParams(TypedDict):
    #: The CID of the message that lost, or how it begins.
    id: str
    #: Give an address for the data of what lost.
    download: NotRequired[bool]
    #: DID of whose record it is, if messages of several are alike.
    tenant: NotRequired[str | None]


RgbAssetExistsParams = TypedDict(
    "RgbAssetExistsParams",
    {
        "assetId": "str",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose asset it is; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbStoreAssetParams = TypedDict(
    "RgbStoreAssetParams",
    {
        "asset": "RgbAsset",
        #: Which of the node's identities signs; its own if none is named.
        "from": "NotRequired[str | None]",
        "metadata": "NotRequired[RgbMetadata | None]",
        #: DID of whose asset it becomes; the signer's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbQueryAssetsParams = TypedDict(
    "RgbQueryAssetsParams",
    {
        #: Where the page before ended.
        "cursor": "NotRequired[RgbPlace | None]",
        #: Empty: all.
        "filter": "NotRequired[RgbAssetFilter]",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: At most so many: 100 if nothing is said, 1,000 at most.
        "limit": "NotRequired[int | None]",
        #: DID of whose assets; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbGetAssetMetadataParams = TypedDict(
    "RgbGetAssetMetadataParams",
    {
        "assetId": "str",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose asset it is; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbStoreTransferParams = TypedDict(
    "RgbStoreTransferParams",
    {
        "transfer": "RgbTransfer",
        #: Which of the node's identities signs; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose transfer it becomes; the signer's if none is named.
        "tenant": "NotRequired[str | None]",
        #: Of the transfer that gets a new state. What it is about stays: asset, kind, amount, coins.
        "transferId": "NotRequired[str | None]",
    },
)


RgbGetTransferStatusParams = TypedDict(
    "RgbGetTransferStatusParams",
    {
        "transferId": "str",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose transfer it is; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbValidateTransferParams = TypedDict(
    "RgbValidateTransferParams",
    {
        #: base64url, without padding; at most 700 KiB of bytes. A larger one is written as a record first.
        "consignment": "NotRequired[str | None]",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose transfer it is; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
        "transfer": "NotRequired[RgbTransfer | None]",
        "transferId": "NotRequired[str | None]",
    },
)


RgbConflictsParams = TypedDict(
    "RgbConflictsParams",
    {
        #: All assets, if none is named: that reads every transfer once.
        "assetId": "NotRequired[str | None]",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose transfers; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbConflictsResult: TypeAlias = 'list[RgbConflict]'


RgbGetAssetBalanceParams = TypedDict(
    "RgbGetAssetBalanceParams",
    {
        "assetId": "str",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose asset it is; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbUpdateBalanceParams = TypedDict(
    "RgbUpdateBalanceParams",
    {
        "balance": "RgbDeclared",
        #: Which of the node's identities signs; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose balance it is; the signer's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbStoreInvoiceParams = TypedDict(
    "RgbStoreInvoiceParams",
    {
        "invoice": "RgbInvoice",
        #: Which of the node's identities signs; its own if none is named.
        "from": "NotRequired[str | None]",
        #: Of the invoice that gets a new state.
        "invoiceId": "NotRequired[str | None]",
        #: Of a new one: DID of who is asked to pay, and may read it.
        "payer": "NotRequired[str | None]",
        #: DID of whose invoice it becomes; the signer's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbGetAssetHistoryParams = TypedDict(
    "RgbGetAssetHistoryParams",
    {
        "assetId": "str",
        #: The oldest first.
        "ascending": "NotRequired[bool]",
        #: Where the page before ended.
        "cursor": "NotRequired[RgbPlace | None]",
        #: Which of the node's identities asks; its own if none is named.
        "from": "NotRequired[str | None]",
        #: At most so many entries: 100 if nothing is said, 1,000 at most.
        "limit": "NotRequired[int | None]",
        #: DID of whose asset it is; the asker's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


RgbStoreHistoryEntryParams = TypedDict(
    "RgbStoreHistoryEntryParams",
    {
        "entry": "RgbHistoryEntry",
        #: Which of the node's identities signs; its own if none is named.
        "from": "NotRequired[str | None]",
        #: DID of whose asset it is; the signer's if none is named.
        "tenant": "NotRequired[str | None]",
    },
)


class BlocksAddParams(TypedDict):
    #: base64url, without padding; at most 700 KiB of bytes.
    data: NotRequired[str | None]
    #: Instead of `data`: so many bytes are to come to a one-time address.
    dataSize: NotRequired[int | None]
    #: Media type.
    format: NotRequired[str | None]
    #: May anyone have it?
    published: NotRequired[bool]


class BlocksGetParams(TypedDict):
    #: Of a file: UnixFS, or raw bytes.
    cid: str
    #: Seconds for a block that nobody sends; at most 600.
    timeout: NotRequired[int]


class BlocksStatParams(TypedDict):
    cid: str


PinsListResult: TypeAlias = 'list[str]'


class PinsAddParams(TypedDict):
    cid: str


class PinsRemoveParams(TypedDict):
    cid: str


SyncPeersResult: TypeAlias = 'list[PeerStatus]'

SyncStatusResult: TypeAlias = 'list[DeviceStatus]'


class SyncWhyParams(TypedDict):
    recordId: str
    #: Whose record it is. None: this node's own.
    tenant: NotRequired[str | None]


SyncWhyResult: TypeAlias = 'list[Why]'


class SyncAddParams(TypedDict):
    #: Multiaddr with the peer id at its end.
    address: str
    did: str
    #: DIDs whose records both keep. Empty: this node's own and the other's.
    tenants: NotRequired[list[str]]


class SyncRemoveParams(TypedDict):
    did: str


SyncRemotesResult: TypeAlias = 'list[RemoteServerStatus]'


class SyncAttachParams(TypedDict):
    #: `https://…` or `http://…`.
    url: str
    #: URIs of the protocols that count. Empty: all, and what belongs to none.
    protocols: NotRequired[list[str]]
    #: DIDs whose messages go there and come from there. Empty: this node's own.
    tenants: NotRequired[list[str]]


class SyncDetachParams(TypedDict):
    url: str


class AnchorStandingParams(TypedDict):
    #: recordId, message CID or data CID.
    id: str


class AnchorUnsignedParams(TypedDict):
    batch: int


class AnchorSignedParams(TypedDict):
    #: Base64, as wallets exchange it (BIP 174).
    psbt: str


class AnchorProofParams(TypedDict):
    #: recordId (its newest signed message with a proof), message CID, data CID (the data as a file: of data of many blocks the
    #: proof is of the plain sha256 of the whole), raw CID of the sha256 of some bytes, or `audit-head`.
    id: str
    #: Of a record the first message with a proof, not the newest.
    first: NotRequired[bool]


AnchorAuditParams = TypedDict(
    "AnchorAuditParams",
    {
        #: From this position of the log on: `more` of an answer before. All of it, if not given.
        "from": "NotRequired[int | None]",
        #: How many names are given, of what is broken and of what waits: 100 if not given, 10,000 at most.
        "names": "NotRequired[int | None]",
    },
)


class AnchorStampParams(TypedDict):
    #: Of the file, in hex.
    sha256: str


class BackupCreateParams(TypedDict):
    #: Absolute.
    dir: str


class StorageScrubParams(TypedDict):
    #: Bytes in a second; 0: as fast as the disk goes.
    rate: int


class StorageCompactParams(TypedDict):
    #: Share of a segment of the log, from 0 to 1, that must be able to go.
    above: float
    #: Bytes in a second; 0: as fast as the disk goes.
    rate: int


ConfigSchemaResult: TypeAlias = 'Json'


class ConfigSetParams(TypedDict):
    #: `section.key`, such as `log.level`.
    key: str
    #: A text, number, flag or list; or text that means one.
    value: Json


TenantsListResult: TypeAlias = 'list[Tenant]'


class TenantsRemoveParams(TypedDict):
    did: str


class TokensCreateParams(TypedDict):
    #: Seconds that it is good for: a day if not given.
    expiresIn: NotRequired[int | None]
    #: What it is for, as its owner will know it again.
    name: NotRequired[str]
    #: It is good until it is revoked. On the control socket only.
    neverExpires: NotRequired[bool]
    #: Used by pages of this origin alone.
    origin: NotRequired[Origin | None]
    #: Records of these protocols alone.
    protocols: NotRequired[list[str]]
    #: Calls a minute: 600 if not given.
    rate: NotRequired[int | None]
    scopes: NotRequired[Scopes]
    #: Records and signatures of this tenant alone.
    tenant: NotRequired[str | None]


TokensListResult: TypeAlias = 'list[Listed]'


class TokensRevokeParams(TypedDict):
    #: As tokens.list shows it.
    id: str


class PairRequestParams(TypedDict):
    #: What the wallet is called.
    name: str
    scopes: Scopes
    #: Its page's origin; without one, it is no page.
    origin: NotRequired[Origin | None]


class PairPollParams(TypedDict):
    id: str
    #: As pair.request gave it.
    secret: str


PairListResult: TypeAlias = 'list[Pairing]'


class PairApproveParams(TypedDict):
    #: Six digits, as the wallet shows them.
    code: str
    #: Seconds that its token is good for: a day if not given.
    expiresIn: NotRequired[int | None]
    #: Which one it is, where several wait.
    id: NotRequired[str | None]


class PairRejectParams(TypedDict):
    id: str


class AuditListParams(TypedDict):
    #: 100 if not given, 1000 at most.
    limit: NotRequired[int | None]
    #: From this moment on (RFC 3339).
    since: NotRequired[str | None]
    #: What happened: `token.made`, or all of `token`.
    what: NotRequired[str | None]


AuditListResult: TypeAlias = 'list[Entry]'


#: What a caller must be allowed, and from where: "socket" is for the node's Unix socket alone.
METHODS: Final[dict[str, tuple[str, Literal["anywhere", "socket"]]]] = {
    "rpc.discover": ("info", "anywhere"),
    "rpc.authenticate": ("any token", "anywhere"),
    "rpc.unsubscribe": ("any token", "anywhere"),
    "node.id": ("info", "anywhere"),
    "node.status": ("info", "anywhere"),
    "node.health": ("info", "anywhere"),
    "node.events": ("info", "anywhere"),
    "identity.list": ("info", "anywhere"),
    "identity.show": ("info", "anywhere"),
    "identity.create": ("admin", "socket"),
    "identity.use": ("admin", "socket"),
    "identity.rotate": ("admin", "socket"),
    "identity.sign": ("any token", "anywhere"),
    "identity.exported": ("admin", "socket"),
    "identity.sealing": ("admin", "socket"),
    "identity.lock": ("admin", "socket"),
    "identity.unlock": ("admin", "socket"),
    "node.jobs": ("info", "anywhere"),
    "protocols.install": ("records:write", "anywhere"),
    "protocols.list": ("records:read", "anywhere"),
    "protocols.show": ("records:read", "anywhere"),
    "protocols.check": ("records:read", "anywhere"),
    "protocols.diff": ("records:read", "anywhere"),
    "protocols.shipped": ("records:read", "anywhere"),
    "policies.set": ("records:write", "anywhere"),
    "policies.list": ("records:read", "anywhere"),
    "policies.remove": ("records:write", "anywhere"),
    "protocols.remove": ("records:write", "anywhere"),
    "grants.request": ("records:write", "anywhere"),
    "grants.create": ("identity:sign:grant", "anywhere"),
    "grants.list": ("records:read", "anywhere"),
    "grants.revoke": ("identity:sign:grant", "anywhere"),
    "grants.give": ("identity:sign:grant", "anywhere"),
    "grants.withdraw": ("identity:sign:grant", "anywhere"),
    "devices.list": ("sync", "anywhere"),
    "devices.offer": ("sync", "socket"),
    "devices.offered": ("sync", "socket"),
    "devices.decide": ("sync", "socket"),
    "devices.withdraw": ("sync", "socket"),
    "devices.join": ("sync", "socket"),
    "devices.joining": ("sync", "socket"),
    "devices.leave": ("sync", "socket"),
    "devices.rename": ("sync", "socket"),
    "devices.remove": ("sync", "socket"),
    "friends.add": ("sync", "socket"),
    "friends.list": ("sync", "anywhere"),
    "friends.remove": ("sync", "socket"),
    "grants.explain": ("records:read", "anywhere"),
    "records.query": ("records:read", "anywhere"),
    "records.count": ("records:read", "anywhere"),
    "records.explain": ("records:read", "anywhere"),
    "records.read": ("records:read", "anywhere"),
    "records.history": ("records:read", "anywhere"),
    "records.write": ("records:write", "anywhere"),
    "records.delete": ("records:write", "anywhere"),
    "records.subscribe": ("records:read", "anywhere"),
    "conflicts.list": ("records:read", "anywhere"),
    "conflicts.show": ("records:read", "anywhere"),
    "conflicts.keep": ("records:write", "anywhere"),
    "conflicts.remove": ("records:write", "anywhere"),
    "rgb.assetExists": ("records:read", "anywhere"),
    "rgb.storeAsset": ("records:write", "anywhere"),
    "rgb.queryAssets": ("records:read", "anywhere"),
    "rgb.getAssetMetadata": ("records:read", "anywhere"),
    "rgb.storeTransfer": ("records:write", "anywhere"),
    "rgb.getTransferStatus": ("records:read", "anywhere"),
    "rgb.validateTransfer": ("records:read", "anywhere"),
    "rgb.conflicts": ("records:read", "anywhere"),
    "rgb.getAssetBalance": ("records:read", "anywhere"),
    "rgb.updateBalance": ("records:write", "anywhere"),
    "rgb.storeInvoice": ("records:write", "anywhere"),
    "rgb.getAssetHistory": ("records:read", "anywhere"),
    "rgb.storeHistoryEntry": ("records:write", "anywhere"),
    "blocks.add": ("blocks:write", "anywhere"),
    "blocks.get": ("blocks:read", "anywhere"),
    "blocks.stat": ("blocks:read", "anywhere"),
    "pins.list": ("pins", "anywhere"),
    "pins.add": ("pins", "anywhere"),
    "pins.remove": ("pins", "anywhere"),
    "sync.peers": ("sync", "anywhere"),
    "sync.status": ("sync", "anywhere"),
    "sync.why": ("sync", "anywhere"),
    "sync.now": ("sync", "anywhere"),
    "sync.pause": ("sync", "anywhere"),
    "sync.resume": ("sync", "anywhere"),
    "sync.add": ("sync", "socket"),
    "sync.remove": ("sync", "anywhere"),
    "sync.remotes": ("sync", "anywhere"),
    "sync.attach": ("sync", "socket"),
    "sync.detach": ("sync", "anywhere"),
    "anchor.now": ("anchor", "anywhere"),
    "anchor.status": ("anchor", "anywhere"),
    "anchor.standing": ("anchor", "anywhere"),
    "anchor.unsigned": ("anchor", "anywhere"),
    "anchor.signed": ("anchor", "anywhere"),
    "anchor.proof": ("anchor", "anywhere"),
    "anchor.audit": ("anchor", "anywhere"),
    "anchor.stamp": ("anchor", "anywhere"),
    "anchor.rebuild": ("anchor", "anywhere"),
    "backup.create": ("backup", "socket"),
    "storage.du": ("admin", "anywhere"),
    "storage.gc": ("admin", "anywhere"),
    "storage.scrub": ("admin", "anywhere"),
    "storage.compact": ("admin", "anywhere"),
    "config.get": ("admin", "anywhere"),
    "config.schema": ("info", "anywhere"),
    "config.set": ("admin", "socket"),
    "tenants.list": ("admin", "anywhere"),
    "tenants.remove": ("admin", "anywhere"),
    "tokens.create": ("any token", "anywhere"),
    "tokens.list": ("any token", "anywhere"),
    "tokens.revoke": ("any token", "anywhere"),
    "pair.request": ("no token", "anywhere"),
    "pair.poll": ("no token", "anywhere"),
    "pair.list": ("admin", "anywhere"),
    "pair.approve": ("admin", "anywhere"),
    "pair.reject": ("admin", "anywhere"),
    "audit.list": ("admin", "anywhere"),
    "audit.verify": ("admin", "anywhere"),
}


class RpcGroup:
    """`rpc.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def discover(self) -> RpcDiscoverResult:
        """Give the OpenRPC document of all methods. Scope: info."""
        answer: RpcDiscoverResult = self._call("rpc.discover", {})
        return answer

    def authenticate(self, **params: Unpack[RpcAuthenticateParams]) -> Authenticated:
        """Show a token: the first call on a WebSocket. Over HTTP the token comes with each request. Scope: any token."""
        answer: Authenticated = self._call("rpc.authenticate", params)
        return answer

    def unsubscribe(self, **params: Unpack[RpcUnsubscribeParams]) -> SubscriptionEnded:
        """End a subscription of this WebSocket. Scope: any token."""
        answer: SubscriptionEnded = self._call("rpc.unsubscribe", params)
        return answer


class NodeGroup:
    """`node.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def id(self) -> NodeIdentity:
        """Say who this node is and where it is reached. Scope: info."""
        answer: NodeIdentity = self._call("node.id", {})
        return answer

    def status(self) -> NodeStatus:
        """Say how this node does. Scope: info."""
        answer: NodeStatus = self._call("node.status", {})
        return answer

    def health(self) -> Health:
        """Say whether all is well, and if not, what is wrong. Scope: info."""
        answer: Health = self._call("node.health", {})
        return answer

    def events(self) -> Subscribed:
        """Be told how the node does, now and whenever that changes, by notifications (over a WebSocket alone). Scope: info."""
        answer: Subscribed = self._call("node.events", {})
        return answer

    def jobs(self) -> NodeJobsResult:
        """List the jobs: what each waits for, its last error and when it runs next. Scope: info."""
        answer: NodeJobsResult = self._call("node.jobs", {})
        return answer


class IdentityGroup:
    """`identity.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def list(self) -> IdentityListResult:
        """List the identities of this node. Scope: info."""
        answer: IdentityListResult = self._call("identity.list", {})
        return answer

    def show(self, **params: Unpack[IdentityShowParams]) -> Shown:
        """Show one identity of this node: without a DID, the one that the node itself is. Scope: info."""
        answer: Shown = self._call("identity.show", params)
        return answer

    def create(self, **params: Unpack[IdentityCreateParams]) -> Shown:
        """Add an identity: a new did:key or did:jwk, or one whose keys are handed over sealed. Scope: admin, over the socket alone."""
        answer: Shown = self._call("identity.create", params)
        return answer

    def use(self, **params: Unpack[IdentityUseParams]) -> Shown:
        """Let the node itself be this identity, from its next start on. Scope: admin, over the socket alone."""
        answer: Shown = self._call("identity.use", params)
        return answer

    def rotate(self, **params: Unpack[IdentityRotateParams]) -> Shown:
        """Let a next key sign for a did:dht; what the one before has signed still verifies. Scope: admin, over the socket alone."""
        answer: Shown = self._call("identity.rotate", params)
        return answer

    def sign(self, **params: Unpack[IdentitySignParams]) -> Signed:
        """Sign a DWN message, a credential or a login with an identity of this node. Scope: any token."""
        answer: Signed = self._call("identity.sign", params)
        return answer

    def exported(self, **params: Unpack[IdentityExportedParams]) -> Shown:
        """Write down in the audit log that the owner takes an identity out; gives no key. Scope: admin, over the socket alone."""
        answer: Shown = self._call("identity.exported", params)
        return answer

    def sealing(self) -> SealingKey:
        """Give a key, good for one use within a minute, to seal to what is handed over. Scope: admin, over the socket alone."""
        answer: SealingKey = self._call("identity.sealing", {})
        return answer

    def lock(self) -> KeysLocked:
        """Wipe the keys that sign from memory; reading goes on. Scope: admin, over the socket alone."""
        answer: KeysLocked = self._call("identity.lock", {})
        return answer

    def unlock(self, **params: Unpack[IdentityUnlockParams]) -> KeysLocked:
        """Bring the keys that sign back into memory. Scope: admin, over the socket alone."""
        answer: KeysLocked = self._call("identity.unlock", params)
        return answer


class ProtocolsGroup:
    """`protocols.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def install(self, **params: Unpack[ProtocolsInstallParams]) -> ProtocolInstalled:
        """Install a protocol, or a newer definition of it. Scope: records:write."""
        answer: ProtocolInstalled = self._call("protocols.install", params)
        return answer

    def list(self, **params: Unpack[ProtocolsListParams]) -> ProtocolsListResult:
        """List the protocols that are installed, of those that the caller may read. Scope: records:read."""
        answer: ProtocolsListResult = self._call("protocols.list", params)
        return answer

    def show(self, **params: Unpack[ProtocolsShowParams]) -> ProtocolDefinition:
        """Show the definition of a protocol that is installed. Scope: records:read."""
        answer: ProtocolDefinition = self._call("protocols.show", params)
        return answer

    def check(self, **params: Unpack[ProtocolsCheckParams]) -> ProtocolVerdict:
        """Say what stands against a definition, without installing it. Scope: records:read."""
        answer: ProtocolVerdict = self._call("protocols.check", params)
        return answer

    def diff(self, **params: Unpack[ProtocolsDiffParams]) -> ProtocolDifferences:
        """Say what a newer definition allows and forbids, and which records that are here it would refuse. Scope: records:read."""
        answer: ProtocolDifferences = self._call("protocols.diff", params)
        return answer

    def shipped(self) -> ProtocolsShippedResult:
        """List the protocols that come with toft, with their definitions, to be installed or read. Scope: records:read."""
        answer: ProtocolsShippedResult = self._call("protocols.shipped", {})
        return answer

    def remove(self, **params: Unpack[ProtocolsRemoveParams]) -> ProtocolRemoved:
        """Take a protocol out of use: a definition that allows nothing takes its place. Its records stay, or are deleted. Scope: records:write."""
        answer: ProtocolRemoved = self._call("protocols.remove", params)
        return answer


class PoliciesGroup:
    """`policies.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def set(self, **params: Unpack[PoliciesSetParams]) -> PolicySet:
        """Set the policy of a protocol, or only say which records that are here it would not take. Scope: records:write."""
        answer: PolicySet = self._call("policies.set", params)
        return answer

    def list(self, **params: Unpack[PoliciesListParams]) -> PoliciesListResult:
        """List the policies that the node follows, of the protocols that the caller may read. Scope: records:read."""
        answer: PoliciesListResult = self._call("policies.list", params)
        return answer

    def remove(self, **params: Unpack[PoliciesRemoveParams]) -> PolicyRemoved:
        """Ask no more of the records of a protocol than the protocol does. Scope: records:write."""
        answer: PolicyRemoved = self._call("policies.remove", params)
        return answer


class GrantsGroup:
    """`grants.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def request(self, **params: Unpack[GrantsRequestParams]) -> GrantRequested:
        """Ask somebody for a grant, in a record that is signed by an identity of this node. Scope: records:write."""
        answer: GrantRequested = self._call("grants.request", params)
        return answer

    def create(self, **params: Unpack[GrantsCreateParams]) -> GrantCreated:
        """Let somebody do something with the records of an identity of this node, until a date. Scope: identity:sign:grant."""
        answer: GrantCreated = self._call("grants.create", params)
        return answer

    def list(self, **params: Unpack[GrantsListParams]) -> GrantPage:
        """List the grants that an identity of this node has given, the newest first. Scope: records:read."""
        answer: GrantPage = self._call("grants.list", params)
        return answer

    def revoke(self, **params: Unpack[GrantsRevokeParams]) -> Grant:
        """End a grant from now on. One that is revoked already stays as it is. Scope: identity:sign:grant."""
        answer: Grant = self._call("grants.revoke", params)
        return answer

    def give(self, **params: Unpack[GrantsGiveParams]) -> GrantsGiven:
        """Give a device of an identity the grants that it lacks, so that it reads and writes in the identity's name under each protocol that is installed. Scope: identity:sign:grant."""
        answer: GrantsGiven = self._call("grants.give", params)
        return answer

    def withdraw(self, **params: Unpack[GrantsWithdrawParams]) -> GrantsWithdrawResult:
        """Revoke all grants in force that an identity of this node has given a device. Scope: identity:sign:grant."""
        answer: GrantsWithdrawResult = self._call("grants.withdraw", params)
        return answer

    def explain(self, **params: Unpack[GrantsExplainParams]) -> AccessExplained:
        """Say who may read and write a record, or the records at a path of a protocol, and why. Scope: records:read."""
        answer: AccessExplained = self._call("grants.explain", params)
        return answer


class DevicesGroup:
    """`devices.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def list(self) -> DevicesListResult:
        """List the owner's devices, this one first. Scope: sync."""
        answer: DevicesListResult = self._call("devices.list", {})
        return answer

    def offer(self, **params: Unpack[DevicesOfferParams]) -> Offered:
        """Offer one device to come in: a code for ten minutes, in place of the one before. Scope: sync, over the socket alone."""
        answer: Offered = self._call("devices.offer", params)
        return answer

    def offered(self, **params: Unpack[DevicesOfferedParams]) -> OfferStatus:
        """Say how the offer stands, or how it does as soon as that is something else. Scope: sync, over the socket alone."""
        answer: OfferStatus = self._call("devices.offered", params)
        return answer

    def decide(self, **params: Unpack[DevicesDecideParams]) -> OfferStatus:
        """Let in the device that shows these six digits; without digits, turn it away. Scope: sync, over the socket alone."""
        answer: OfferStatus = self._call("devices.decide", params)
        return answer

    def withdraw(self) -> OfferWithdrawn:
        """End the offer. Scope: sync, over the socket alone."""
        answer: OfferWithdrawn = self._call("devices.withdraw", {})
        return answer

    def join(self, **params: Unpack[DevicesJoinParams]) -> JoiningStatus:
        """Go to the device that made an offer: its owner compares six digits and lets this one in. Scope: sync, over the socket alone."""
        answer: JoiningStatus = self._call("devices.join", params)
        return answer

    def joining(self, **params: Unpack[DevicesJoiningParams]) -> JoiningStatus:
        """Say how joining stands, or how it does as soon as that is something else. Scope: sync, over the socket alone."""
        answer: JoiningStatus = self._call("devices.joining", params)
        return answer

    def leave(self) -> JoiningLeft:
        """Give up joining: this device waits to be let in no more. Scope: sync, over the socket alone."""
        answer: JoiningLeft = self._call("devices.leave", {})
        return answer

    def rename(self, **params: Unpack[DevicesRenameParams]) -> Device:
        """Call a device something else. Scope: sync, over the socket alone."""
        answer: Device = self._call("devices.rename", params)
        return answer

    def remove(self, **params: Unpack[DevicesRemoveParams]) -> Device:
        """A device is none any more: what it has it keeps, and nothing more goes there. Scope: sync, over the socket alone."""
        answer: Device = self._call("devices.remove", params)
        return answer


class FriendsGroup:
    """`friends.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def add(self, **params: Unpack[FriendsAddParams]) -> FriendAdded:
        """Share with a friend's node: it gets what grants and protocol rules let the friend read, and this node keeps a copy of what it may read there. Scope: sync, over the socket alone."""
        answer: FriendAdded = self._call("friends.add", params)
        return answer

    def list(self) -> FriendsListResult:
        """List the friends, how their nodes stand, and what grants they have. Scope: sync."""
        answer: FriendsListResult = self._call("friends.list", {})
        return answer

    def remove(self, **params: Unpack[FriendsRemoveParams]) -> FriendRemoved:
        """Share nothing with a friend's node any more, and revoke their grants. What it has it keeps. Scope: sync, over the socket alone."""
        answer: FriendRemoved = self._call("friends.remove", params)
        return answer


class RecordsGroup:
    """`records.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def query(self, **params: Unpack[RecordsQueryParams]) -> Page:
        """Look for records: the newest state of each that meets a filter. Scope: records:read."""
        answer: Page = self._call("records.query", params)
        return answer

    def count(self, **params: Unpack[RecordsCountParams]) -> Counted:
        """Count the records that meet a filter. Scope: records:read."""
        answer: Counted = self._call("records.count", params)
        return answer

    def explain(self, **params: Unpack[RecordsExplainParams]) -> Explanation:
        """Say how the store would answer a query: what it would look at, and did. Scope: records:read."""
        answer: Explanation = self._call("records.explain", params)
        return answer

    def read(self, **params: Unpack[RecordsReadParams]) -> OneRecord:
        """Give a record with its data; large data by a one-time address. Scope: records:read."""
        answer: OneRecord = self._call("records.read", params)
        return answer

    def history(self, **params: Unpack[RecordsHistoryParams]) -> Versions:
        """List the states of a record that are still known, the newest first. Scope: records:read."""
        answer: Versions = self._call("records.history", params)
        return answer

    def write(self, **params: Unpack[RecordsWriteParams]) -> Outcome:
        """Write a record, or a new state of one: the node makes the message, signs and judges it. Scope: records:write."""
        answer: Outcome = self._call("records.write", params)
        return answer

    def delete(self, **params: Unpack[RecordsDeleteParams]) -> Deleted:
        """End a record: its data goes, and that it was here stays. Scope: records:write."""
        answer: Deleted = self._call("records.delete", params)
        return answer

    def subscribe(self, **params: Unpack[RecordsSubscribeParams]) -> Subscribed:
        """Be told of each change of records that meet a filter, by notifications (over a WebSocket alone). Scope: records:read."""
        answer: Subscribed = self._call("records.subscribe", params)
        return answer


class ConflictsGroup:
    """`conflicts.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def list(self) -> ConflictsListResult:
        """List the edits made here that another device's took the place of without knowing them, the oldest first. Scope: records:read."""
        answer: ConflictsListResult = self._call("conflicts.list", {})
        return answer

    def show(self, **params: Unpack[ConflictsShowParams]) -> ConflictShown:
        """Give both sides of a conflict, what differs, and an address for the data of what lost. Scope: records:read."""
        answer: ConflictShown = self._call("conflicts.show", params)
        return answer

    def keep(self, **params: Unpack[ConflictsKeepParams]) -> Written:
        """Write what lost once more, as a new state of its record, signed by who keeps it. Scope: records:write."""
        answer: Written = self._call("conflicts.keep", params)
        return answer

    def remove(self, **params: Unpack[ConflictsRemoveParams]) -> ConflictRemoved:
        """Let go of what lost: what won stays. Scope: records:write."""
        answer: ConflictRemoved = self._call("conflicts.remove", params)
        return answer


class RgbGroup:
    """`rgb.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def assetExists(self, **params: Unpack[RgbAssetExistsParams]) -> RgbAssetExists:
        """Say whether an RGB asset is kept here. Scope: records:read."""
        answer: RgbAssetExists = self._call("rgb.assetExists", params)
        return answer

    def storeAsset(self, **params: Unpack[RgbStoreAssetParams]) -> RgbStored:
        """Store an RGB asset, with what else is known of it. One that is kept already is told again. Scope: records:write."""
        answer: RgbStored = self._call("rgb.storeAsset", params)
        return answer

    def queryAssets(self, **params: Unpack[RgbQueryAssetsParams]) -> RgbAssets:
        """Look for RGB assets, the newest first. Scope: records:read."""
        answer: RgbAssets = self._call("rgb.queryAssets", params)
        return answer

    def getAssetMetadata(self, **params: Unpack[RgbGetAssetMetadataParams]) -> RgbDescribedAsset:
        """Give an RGB asset with what else is known of it. Scope: records:read."""
        answer: RgbDescribedAsset = self._call("rgb.getAssetMetadata", params)
        return answer

    def storeTransfer(self, **params: Unpack[RgbStoreTransferParams]) -> RgbStored:
        """Store a transfer of an RGB asset, or a new state of one: of those that spend one coin, the first is taken. Scope: records:write."""
        answer: RgbStored = self._call("rgb.storeTransfer", params)
        return answer

    def getTransferStatus(self, **params: Unpack[RgbGetTransferStatusParams]) -> RgbTransferTold:
        """Say how a transfer stands, and with which one it is in conflict if it is. Scope: records:read."""
        answer: RgbTransferTold = self._call("rgb.getTransferStatus", params)
        return answer

    def validateTransfer(self, **params: Unpack[RgbValidateTransferParams]) -> RgbVerdict:
        """Ask the validator that is set (hooks.rgb_validator) whether the consignment of a transfer is good. Scope: records:read."""
        answer: RgbVerdict = self._call("rgb.validateTransfer", params)
        return answer

    def conflicts(self, **params: Unpack[RgbConflictsParams]) -> RgbConflictsResult:
        """List transfers that do not count, for another one that was begun before spends a coin of theirs. Scope: records:read."""
        answer: RgbConflictsResult = self._call("rgb.conflicts", params)
        return answer

    def getAssetBalance(self, **params: Unpack[RgbGetAssetBalanceParams]) -> RgbBalance:
        """Say what is held of an RGB asset, by its transfers as they are now. Scope: records:read."""
        answer: RgbBalance = self._call("rgb.getAssetBalance", params)
        return answer

    def updateBalance(self, **params: Unpack[RgbUpdateBalanceParams]) -> RgbStored:
        """Note what is held of an RGB asset, if its transfers say the same; else say by how much they differ. Scope: records:write."""
        answer: RgbStored = self._call("rgb.updateBalance", params)
        return answer

    def storeInvoice(self, **params: Unpack[RgbStoreInvoiceParams]) -> RgbStored:
        """Store an invoice for an RGB asset, or a new state of one. Scope: records:write."""
        answer: RgbStored = self._call("rgb.storeInvoice", params)
        return answer

    def getAssetHistory(self, **params: Unpack[RgbGetAssetHistoryParams]) -> RgbHistory:
        """List what happened to an RGB asset: its transfers as they stand, and what was noted; the newest first. Scope: records:read."""
        answer: RgbHistory = self._call("rgb.getAssetHistory", params)
        return answer

    def storeHistoryEntry(self, **params: Unpack[RgbStoreHistoryEntryParams]) -> RgbStored:
        """Note what happened to an RGB asset, beside what its transfers say. Scope: records:write."""
        answer: RgbStored = self._call("rgb.storeHistoryEntry", params)
        return answer


class BlocksGroup:
    """`blocks.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def add(self, **params: Unpack[BlocksAddParams]) -> ContentOutcome:
        """Keep data as a record of the node's own tenant, under its CID. Scope: blocks:write."""
        answer: ContentOutcome = self._call("blocks.add", params)
        return answer

    def get(self, **params: Unpack[BlocksGetParams]) -> FileContent:
        """Give the file under a CID, from here or from the network; a large one by a one-time address. Scope: blocks:read."""
        answer: FileContent = self._call("blocks.get", params)
        return answer

    def stat(self, **params: Unpack[BlocksStatParams]) -> Standing:
        """Say what of the data under a CID is here, and what holds it. Scope: blocks:read."""
        answer: Standing = self._call("blocks.stat", params)
        return answer


class PinsGroup:
    """`pins.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def list(self) -> PinsListResult:
        """List the pins, as CIDs. Scope: pins."""
        answer: PinsListResult = self._call("pins.list", {})
        return answer

    def add(self, **params: Unpack[PinsAddParams]) -> Pinned:
        """Keep the data under a CID, whatever becomes of its records. Scope: pins."""
        answer: Pinned = self._call("pins.add", params)
        return answer

    def remove(self, **params: Unpack[PinsRemoveParams]) -> Unpinned:
        """Keep the data under a CID only as long as a record holds it. Scope: pins."""
        answer: Unpinned = self._call("pins.remove", params)
        return answer


class SyncGroup:
    """`sync.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def peers(self) -> SyncPeersResult:
        """List the devices and friends' nodes and how they stand. Scope: sync."""
        answer: SyncPeersResult = self._call("sync.peers", {})
        return answer

    def status(self) -> SyncStatusResult:
        """Show how each device stands, protocol by protocol, and what was put aside. Scope: sync."""
        answer: SyncStatusResult = self._call("sync.status", {})
        return answer

    def why(self, **params: Unpack[SyncWhyParams]) -> SyncWhyResult:
        """Say of each device whether it has a record, and if not, why. Scope: sync."""
        answer: SyncWhyResult = self._call("sync.why", params)
        return answer

    def now(self) -> DevicesAsked:
        """Compare with all devices that are connected, and with all DWN servers, at once. Scope: sync."""
        answer: DevicesAsked = self._call("sync.now", {})
        return answer

    def pause(self) -> SyncPaused:
        """Send nothing to devices and DWN servers and take nothing from them, until sync.resume. Scope: sync."""
        answer: SyncPaused = self._call("sync.pause", {})
        return answer

    def resume(self) -> SyncPaused:
        """Keep in step with devices and DWN servers again. Scope: sync."""
        answer: SyncPaused = self._call("sync.resume", {})
        return answer

    def add(self, **params: Unpack[SyncAddParams]) -> Peer:
        """Keep in step with a device, or change what is shared with it. Scope: sync, over the socket alone."""
        answer: Peer = self._call("sync.add", params)
        return answer

    def remove(self, **params: Unpack[SyncRemoveParams]) -> PeerRemoved:
        """Forget a device. Scope: sync."""
        answer: PeerRemoved = self._call("sync.remove", params)
        return answer

    def remotes(self) -> SyncRemotesResult:
        """List the DWN servers that are kept in step with, and how they stand. Scope: sync."""
        answer: SyncRemotesResult = self._call("sync.remotes", {})
        return answer

    def attach(self, **params: Unpack[SyncAttachParams]) -> RemoteServer:
        """Keep in step with a DWN server, or change what is kept in step with it. Scope: sync, over the socket alone."""
        answer: RemoteServer = self._call("sync.attach", params)
        return answer

    def detach(self, **params: Unpack[SyncDetachParams]) -> RemoteServer:
        """Keep in step with a DWN server no more: what it has it keeps. Scope: sync."""
        answer: RemoteServer = self._call("sync.detach", params)
        return answer


class AnchorGroup:
    """`anchor.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def now(self) -> AnchorNow:
        """Anchor everything new, without waiting for its time. Scope: anchor."""
        answer: AnchorNow = self._call("anchor.now", {})
        return answer

    def status(self) -> AnchorStatus:
        """Say what is queued, on its way and confirmed. Scope: anchor."""
        answer: AnchorStatus = self._call("anchor.status", {})
        return answer

    def standing(self, **params: Unpack[AnchorStandingParams]) -> AnchorStanding:
        """Say how the proof of one record, message or data stands. Scope: anchor."""
        answer: AnchorStanding = self._call("anchor.standing", params)
        return answer

    def unsigned(self, **params: Unpack[AnchorUnsignedParams]) -> AnchorUnsigned:
        """Give the transaction of a batch that waits for a signature, in mode "psbt". Scope: anchor."""
        answer: AnchorUnsigned = self._call("anchor.unsigned", params)
        return answer

    def signed(self, **params: Unpack[AnchorSignedParams]) -> AnchorBatch:
        """Take back a transaction that was signed elsewhere, and send it. Scope: anchor."""
        answer: AnchorBatch = self._call("anchor.signed", params)
        return answer

    def proof(self, **params: Unpack[AnchorProofParams]) -> AnchorProof:
        """Make the OpenTimestamps proof of a record, a message or data. Scope: anchor."""
        answer: AnchorProof = self._call("anchor.proof", params)
        return answer

    def audit(self, **params: Unpack[AnchorAuditParams]) -> AnchorAudit:
        """Say of all messages, data and files how many are queued, pending, proven and broken, and which ones. Scope: anchor."""
        answer: AnchorAudit = self._call("anchor.audit", params)
        return answer

    def stamp(self, **params: Unpack[AnchorStampParams]) -> AnchorTaken:
        """Let the hash of a file that is not kept into the next batch; durable when this is answered. Scope: anchor."""
        answer: AnchorTaken = self._call("anchor.stamp", params)
        return answer

    def rebuild(self) -> AnchorRebuilt:
        """Find lost proofs again: in records, in the log and in the chain. What has none then waits for a batch. Scope: anchor."""
        answer: AnchorRebuilt = self._call("anchor.rebuild", {})
        return answer


class BackupGroup:
    """`backup.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def create(self, **params: Unpack[BackupCreateParams]) -> Snapshot:
        """Add a snapshot of the home to a backup. Scope: backup, over the socket alone."""
        answer: Snapshot = self._call("backup.create", params)
        return answer


class StorageGroup:
    """`storage.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def du(self) -> Footprint:
        """Say what takes how much. Scope: admin."""
        answer: Footprint = self._call("storage.du", {})
        return answer

    def gc(self) -> Collected:
        """Take away blocks that no record and no pin needs. Scope: admin."""
        answer: Collected = self._call("storage.gc", {})
        return answer

    def scrub(self, **params: Unpack[StorageScrubParams]) -> Scrubbed:
        """Read everything, check every hash, and fetch damaged blocks anew from peers. Scope: admin."""
        answer: Scrubbed = self._call("storage.scrub", params)
        return answer

    def compact(self, **params: Unpack[StorageCompactParams]) -> Compaction:
        """Take out of the log what it keeps of messages and data that are no more. Scope: admin."""
        answer: Compaction = self._call("storage.compact", params)
        return answer


class ConfigGroup:
    """`config.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def get(self) -> InForce:
        """Give the settings that the node runs with, without passwords. Scope: admin."""
        answer: InForce = self._call("config.get", {})
        return answer

    def schema(self) -> ConfigSchemaResult:
        """Give the JSON Schema of the settings, with what each is for and, as x-toft-effect, when it counts if it is changed. Scope: info."""
        answer: ConfigSchemaResult = self._call("config.schema", {})
        return answer

    def set(self, **params: Unpack[ConfigSetParams]) -> SettingChanged:
        """Change one setting in node.toml, if the file is right with it; the answer says whether it counts at once or from the next start on. Scope: admin, over the socket alone."""
        answer: SettingChanged = self._call("config.set", params)
        return answer


class TenantsGroup:
    """`tenants.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def list(self) -> TenantsListResult:
        """List who has records here, or may have. Scope: admin."""
        answer: TenantsListResult = self._call("tenants.list", {})
        return answer

    def remove(self, **params: Unpack[TenantsRemoveParams]) -> TenantRemoved:
        """Remove a tenant with its registration, its records and their data. Scope: admin."""
        answer: TenantRemoved = self._call("tenants.remove", params)
        return answer


class TokensGroup:
    """`tokens.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def create(self, **params: Unpack[TokensCreateParams]) -> Created:
        """Make a token: what is made with one is narrower than it, and ends with it. Scope: any token."""
        answer: Created = self._call("tokens.create", params)
        return answer

    def list(self) -> TokensListResult:
        """List tokens, and when each was used last. Scope: any token."""
        answer: TokensListResult = self._call("tokens.list", {})
        return answer

    def revoke(self, **params: Unpack[TokensRevokeParams]) -> Token:
        """Revoke a token and those made with it, at once: what they have open ends. Scope: any token."""
        answer: Token = self._call("tokens.revoke", params)
        return answer


class PairGroup:
    """`pair.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def request(self, **params: Unpack[PairRequestParams]) -> PairingAsked:
        """Ask the node's owner for a token: show the code, and fetch the token with pair.poll. Scope: no token."""
        answer: PairingAsked = self._call("pair.request", params)
        return answer

    def poll(self, **params: Unpack[PairPollParams]) -> Created:
        """Fetch the token that the owner has given; once. Until then, pending. Scope: no token."""
        answer: Created = self._call("pair.poll", params)
        return answer

    def list(self) -> PairListResult:
        """List the wallets that wait for the owner. Scope: admin."""
        answer: PairListResult = self._call("pair.list", {})
        return answer

    def approve(self, **params: Unpack[PairApproveParams]) -> Pairing:
        """Let in the wallet that shows this code. Scope: admin."""
        answer: Pairing = self._call("pair.approve", params)
        return answer

    def reject(self, **params: Unpack[PairRejectParams]) -> Pairing:
        """Do not let a wallet in that waits. Scope: admin."""
        answer: Pairing = self._call("pair.reject", params)
        return answer


class AuditGroup:
    """`audit.…`"""

    def __init__(self, call: Call) -> None:
        self._call = call

    def list(self, **params: Unpack[AuditListParams]) -> AuditListResult:
        """Show the newest entries of the audit log, the oldest of them first. Scope: admin."""
        answer: AuditListResult = self._call("audit.list", params)
        return answer

    def verify(self) -> Report:
        """Say whether the audit log is whole, and is the one whose heads the node has signed. Scope: admin."""
        answer: Report = self._call("audit.verify", {})
        return answer


class Groups:
    """Each method as a function of its group: `node.records.write(data=…)`."""

    def __init__(self, call: Call) -> None:
        self.rpc = RpcGroup(call)
        self.node = NodeGroup(call)
        self.identity = IdentityGroup(call)
        self.protocols = ProtocolsGroup(call)
        self.policies = PoliciesGroup(call)
        self.grants = GrantsGroup(call)
        self.devices = DevicesGroup(call)
        self.friends = FriendsGroup(call)
        self.records = RecordsGroup(call)
        self.conflicts = ConflictsGroup(call)
        self.rgb = RgbGroup(call)
        self.blocks = BlocksGroup(call)
        self.pins = PinsGroup(call)
        self.sync = SyncGroup(call)
        self.anchor = AnchorGroup(call)
        self.backup = BackupGroup(call)
        self.storage = StorageGroup(call)
        self.config = ConfigGroup(call)
        self.tenants = TenantsGroup(call)
        self.tokens = TokensGroup(call)
        self.pair = PairGroup(call)
        self.audit = AuditGroup(call)
