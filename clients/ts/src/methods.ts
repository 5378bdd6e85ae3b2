// Written by clients/generate.mjs from docs/openrpc.json: change the methods, not this file.

/** Any JSON. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** What somebody may do, and why. */
export interface Access {
  /** The same in a sentence. */
  because: string;
  /** `owner`, `creator`, `author`, `recipient`, `published`, `rule`, `role`, `grant` or `nothing`. */
  by: string;
  /** When that grant expires. */
  dateExpires?: string | null;
  /** recordId of the grant, if one lets them. */
  grantId?: string | null;
  /** In the words of `$actions`. Empty: nothing, and `because` says why not. */
  may: string[];
  /** A DID, `anyone`, or whom a rule speaks of. */
  who: string;
}

/** Who may do what. */
export interface AccessExplained {
  access: Access[];
  /** False: there are more parties than were looked at. */
  complete: boolean;
}

/** What the audit has found. */
export interface AnchorAudit {
  batches: number;
  /** The first of what is broken, in the order of the log. */
  broken: AnchorUnproven[];
  /** Batches whose leaves do not give their root, or whose transaction or block does not hold it, in sentences. */
  broken_batches: string[];
  /** Data, by its root. */
  data: AnchorCounts;
  /** Data of many blocks as one file, by its plain sha256. */
  files: AnchorCounts;
  /** Data that is anchored and not on this node any more: its proof holds for who has it. */
  gone: number;
  /** Signed messages: each state of each record is one. */
  messages: AnchorCounts;
  /** There are more names: from this position of the log on. (What is broken there may be among those already.) */
  more?: number | null;
  /** Were the roots computed again? Not while the node is locked: a leaf needs its secret. */
  roots_checked: boolean;
  /** All of it, for people. */
  sentence: string;
  /** Files of which not all bytes are here, and which were never hashed: their roots alone are anchored. */
  unhashed: number;
  /** The first of what waits, in the order of the log. */
  waiting: AnchorUnproven[];
}

export interface AnchorBatch {
  confirmations: number;
  created: string;
  /** sat */
  fee?: number | null;
  height?: number | null;
  leaves: number;
  /** The chain it is in, once there is a transaction. */
  network?: Network | null;
  note?: string | null;
  number: number;
  /** The transaction that waits for a signature (base64, BIP 174). */
  psbt?: string | null;
  root: string;
  /** Where to send how many sat, in state awaiting_funds. */
  send_to?: [string, number] | null;
  /** batched, submitted, awaiting_funds, awaiting_signature, fee_capped, signed, broadcast, conflicted, mined or final. */
  state: string;
  txid?: string | null;
  /** The batch whose transaction carries it, if it is another. */
  with?: number | null;
}

/** How many of one kind stand where. */
export interface AnchorCounts {
  /** Without a proof that would hold. */
  broken: number;
  /** All that can have a proof. */
  eligible: number;
  /** In a block for good. */
  final: number;
  /** In a block, which is not deep enough to be final. */
  mined: number;
  /** In a batch that is in no block yet. */
  pending: number;
  /** In no batch yet. */
  queued: number;
}

/** What anchoring costs. */
export interface AnchorFunds {
  /** sat in the wallet's confirmed coins, when it was last asked. */
  balance?: number | null;
  /** How long they last at what the last 24 hours cost. */
  days_left?: number | null;
  /** sat of all anchors that are final. */
  paid: number;
  /** sat that were agreed to within the last 24 hours. */
  paid_today: number;
}

/** What "anchor now" came to. */
export interface AnchorNow {
  batch?: number | null;
  outcome: AnchorOutcome;
  /** For people. */
  sentence: string;
  txid?: string | null;
}

export type AnchorOutcome = "awaiting_funds" | "off" | "nothing" | "sent" | "waiting";

/** A proof, and what it is about. */
export interface AnchorProof {
  /** Of the stamped file. */
  cid: string;
  confirmations: number;
  /** Enough confirmations. Before, the block may still be reorganised away. */
  final: boolean;
  height: number;
  network: Network;
  /** The `.ots` file. */
  ots: Base64;
  /** The file it stamps; nothing if this node does not have it any more, or if it is a whole file of many blocks. */
  stamped?: Base64 | null;
  txid: string;
}

/** What came of it. */
export interface AnchorRebuilt {
  /** Batches that were computed again from the log, and are in the chain. */
  from_chain: number;
  /** Batches that stood in records and are in the ledger again. */
  from_records: number;
  /** Messages and data whose proof is in a record alone: of other devices' batches, or of those that are not here as a whole. */
  in_records: number;
  /** Why the chain was not asked. */
  problem?: string | null;
  /** Messages and data that wait for a batch again: no proof of them is known. */
  queued: number;
  /** All of it, for people. */
  sentence: string;
  /** Transactions of this wallet with a root that nothing here explains: whatever they prove is proven anew. */
  unexplained: string[];
}

/** How the proof of one record, message or data stands. */
export interface AnchorStanding {
  batch?: AnchorBatch | null;
  /** It existed before this time, which the block's miner wrote; true to about two hours. */
  existed_before?: string | null;
  /** Until it is final, if blocks come every ten minutes. */
  minutes?: number | null;
  /** For people. */
  sentence: string;
  /** queued, or the state of its batch. */
  state: string;
}

/** How things stand. */
export interface AnchorStatus {
  /** The newest batches and all that are not final, oldest first. */
  batches: AnchorBatch[];
  /** In the modes that pay: what was paid, and what is left. */
  funds?: AnchorFunds | null;
  mode: Mode;
  network: Network;
  /** When the next batch is made of what waits. */
  next?: string | null;
  /** Why nothing moves, with what to do. */
  problem?: string | null;
  /** Messages and data that wait for the next batch. */
  queued: number;
  /** All of it, for people. */
  sentence: string;
  /** Height of the chain when bitcoind was last asked. */
  tip?: number | null;
}

/** What was taken. */
export interface AnchorTaken {
  /** Does anybody bring it into the chain under the settings (anchor.mode)? Otherwise it waits for that. */
  anchored: boolean;
  /** By which its proof is asked for (anchor.proof). */
  cid: string;
}

/** Something that has no proof, or none yet. */
export interface AnchorUnproven {
  batch?: number | null;
  /** Of a message or data; of a file of many blocks as a whole, its data CID. */
  cid: string;
  /** message, data or file. */
  kind: string;
  /** queued, pending or broken. */
  state: string;
  /** What is broken. */
  why?: string | null;
}

/** A transaction that waits for a signature. */
export interface AnchorUnsigned {
  batch: number;
  /** sat */
  fee: number;
  /** Base64, as wallets exchange it (BIP 174). */
  psbt: string;
}

/** What whoever has shown a token may do. */
export interface Authenticated {
  /** Nothing: it does not expire. */
  expires?: string | null;
  scopes: string[];
  /** The only tenant it is for; nothing: every one of this node. */
  tenant?: string | null;
}

/** Bytes in JSON, with padding. */
export type Base64 = string;

/** What the blocks take on disk. */
export interface BlocksUsage {
  file_bytes: number;
  files: number;
  pack_bytes: number;
  /** Of the packs' bytes, those of blocks that are in the index. */
  pack_live: number;
  packs: number;
}

/** What a round has done. */
export interface Collected {
  /** Blocks that nothing needed. */
  blocks: number;
  /** Bytes given back to the file system. */
  bytes: number;
  /** Blocks left alone because a stage or a reader had them. */
  held: number;
  /** Files that no record has ever named. */
  orphans: number;
  /** Packs rewritten and deleted. */
  packs: number;
}

/** What a round of compaction has done. */
export interface Compacted {
  /** Bytes given back to the file system. */
  bytes: number;
  /** Segments left as they are because something in them is damaged. */
  damaged: number;
  /** Of these bytes, those that could go. */
  dead: number;
  /** Frames left out altogether. */
  frames: number;
  log: number;
  /** Messages of which only a stub is left. */
  messages: number;
  /** Segments written anew. */
  rewritten: number;
  /** Sealed segments looked at, and their bytes before. */
  segments: number;
}

/** What a compaction has done. */
export interface Compaction {
  collected: Collected;
  compacted: Compacted;
  /** Of the index, when it was built anew as well. */
  index?: Rebuilt | null;
}

/** Further conditions of a grant. */
export interface Conditions {
  /** `Required` or `Prohibited`: must what is written be published? */
  publication: string;
}

/** An edit that lost. */
export interface Conflict {
  /** When it came. */
  at: string;
  /** DID of the device that brought what won. */
  by?: string | null;
  /** Of what lost. */
  dataCid?: string | null;
  dataSize?: number | null;
  /** What won ended the record: nothing can be written to it any more. */
  deleted: boolean;
  /** The CID of the message that lost. */
  id: string;
  /** What was written here. */
  lost: ConflictSide;
  protocol?: string | null;
  recordId: string;
  /** Whose record it is. */
  tenant: string;
  /** Until when what lost is kept. */
  until: string;
  /** What took its place. */
  won: ConflictSide;
}

export interface ConflictDifference {
  /** Null: it is not there. */
  lost: Json;
  property: string;
  won: Json;
}

export interface ConflictRemoved {
  removed: string;
}

/** Both sides of a conflict. */
export interface ConflictShown {
  /** When it came. */
  at: string;
  /** DID of the device that brought what won. */
  by?: string | null;
  /** Of what lost. */
  dataCid?: string | null;
  dataSize?: number | null;
  /** What won ended the record: nothing can be written to it any more. */
  deleted: boolean;
  /** Properties of the descriptor that differ. Nothing if what won is a delete. */
  differs: ConflictDifference[];
  /** Where the data of what lost is fetched. */
  download?: OneTimeAddress | null;
  /** The CID of the message that lost. */
  id: string;
  /** What was written here. */
  lost: ConflictSide;
  lostMessage: Json;
  protocol?: string | null;
  recordId: string;
  /** Whose record it is. */
  tenant: string;
  /** Until when what lost is kept. */
  until: string;
  /** What took its place. */
  won: ConflictSide;
  wonMessage: Json;
}

/** A message of one side. */
export interface ConflictSide {
  author: string;
  messageCid: string;
  messageTimestamp: string;
  /** `Write` or `Delete`. */
  method: string;
}

/** How many conflicts there are, and what their data takes. */
export interface ConflictsKept {
  /** Bytes of data that they hold. */
  bytes: number;
  conflicts: number;
}

/** A libp2p peer that is connected. */
export interface Connection {
  /** The remote address of each connection. */
  addresses: string[];
  /** What the peer calls its program, once it has said so. */
  agent?: string | null;
  /** libp2p peer id. */
  peer: string;
  /** Of the last ping. */
  round_trip_seconds?: number | null;
}

/** An index that could serve a filter. */
export interface Considered {
  /**
   * Do its entries alone say whether a row meets the filter, so that no row is fetched where it is read in order?
   * A node of before does not say.
   */
  covers?: boolean;
  /** By what its entries are found. */
  index: string;
  /** Property by which they are sorted under one value. */
  order: string;
  /** Are they in the order that is asked for? */
  ordered: boolean;
  /** Ranges of it that are read: one for each value. */
  ranges: number;
  /** Entries counted. */
  rows: number;
  /** Were these all? Otherwise there are more than `rows`, or it was not worth counting. */
  whole: boolean;
}

/** What has become of data. */
export type ContentOutcome = Kept | {
  upload: OneTimeAddress;
};

export interface Counted {
  count: number;
}

/** A new token. Its text is shown this once. */
export interface Created {
  created: string;
  /** Not given: never. */
  expires?: string | null;
  id: string;
  name: string;
  /** Used by pages of this origin alone; without one, by no page. */
  origin?: Origin | null;
  /** The token that made it; it ends with that one. */
  parent?: string | null;
  /** Records of these protocols alone; empty: of all that the scopes name. */
  protocols?: string[];
  /** Calls a minute. */
  rate: number;
  scopes: Scopes;
  /** Records and signatures of this tenant alone. */
  tenant?: string | null;
  /** What its holder shows: `toft_<id>.<secret>`. */
  token: string;
}

/** A record that holds data. */
export interface DataHolder {
  recordId: string;
  tenant: string;
}

export interface Deleted {
  /** Of the message that ended it. */
  messageCid: string;
  recordId: string;
}

/** File descriptors, and how many connections they are enough for. */
export interface Descriptors {
  /** What it was given at first. */
  before: number;
  dwn_connections: number;
  /** Where there are fewer connections than the settings ask for: a sentence. */
  fewer?: string | null;
  gateway_connections: number;
  /** What the process may have. */
  most: number;
  peer_connections: number;
}

/** A device of this node's owner. */
export interface Device {
  /** Since when it is one. None: nobody has given it a name. */
  added?: Moment | null;
  address?: string | null;
  connected: boolean;
  did: string;
  in_sync: boolean;
  /** It came in by a code of this node: it acts in the name of its identities whose records both keep. */
  let_in: boolean;
  name: string;
  /** It is this one. */
  this: boolean;
}

/** A device, protocol by protocol. */
export interface DeviceStatus {
  /** Multiaddr with the peer id at its end. */
  address: string;
  /** Nothing is on its way, and they do not hold the same. */
  apart: boolean;
  connected: boolean;
  /** Copies that run at the same time: of it, as seen here, and of this node, as it said. */
  copies: TwoCopies[];
  did: string;
  /**
   * Records shared with it of which the data is not here (`sync.data = "on-demand"`), and bytes of that. It comes when it is
   * read.
   */
  elsewhere: number;
  elsewhere_bytes: number;
  /** Somebody else's node. */
  friend?: Friend | null;
  /** Both hold the same messages of what they share: both have said so lately, and nothing has changed here since. */
  in_sync: boolean;
  /** Seconds since both said so last. */
  in_sync_seconds?: number | null;
  /**
   * Messages of the other device that this node could not take, and of this node that the other could not: they are asked
   * for again when the reason may be gone (toft sync status).
   */
  parked: number;
  parked_there: number;
  /** Why it is not connected, as far as known. */
  problem?: string | null;
  /** What this device could not take of what the other sent. */
  put_aside: Parked[];
  /** What the other could not take, as far as it told why. */
  put_aside_there: Put[];
  receiving?: Way | null;
  /** As both told when they compared last; empty while it is not connected. */
  scopes: ScopeStatus[];
  /** How far what this node has is on its way there, and what the other has here. `None`: nothing is under way. */
  sending?: Way | null;
  /** DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read. */
  tenants: string[];
}

/** So many devices and DWN servers are compared with. */
export interface DevicesAsked {
  devices: number;
  remotes: number;
}

/** One entry. */
export interface Entry {
  /** To what, and how. */
  about: { [name: string]: Json };
  at: string;
  /** The hash of this one. */
  hash?: string;
  /** Its number; the first has 1. */
  n: number;
  /** The hash of the entry before. */
  prev: string;
  /** What happened: `token.made`. */
  what: string;
  /** Who did it: `owner`, `cookie`, `token <id>`, `node`. */
  who: string;
}

/** How a question was answered. */
export interface Explanation {
  /**
   * One for each filter of which the answer is the union: what the asker may see is one filter for the owner and up
   * to four for others.
   */
  filters: Filtered[];
  /** What finding the rows took; reading the messages is not part of it. */
  microseconds: number;
  /** Do more records follow? */
  more: boolean;
  /** Property and direction that were asked for. */
  order: string;
  returned: number;
  /** Index entries that the plans went through. */
  scanned: number;
  /** Index entries that were read to choose, or ahead, and not used. */
  unused: number;
}

/** A file, or where it is to be had. */
export interface FileContent {
  cid: string;
  /** base64url, without padding. */
  data?: string | null;
  /** Where it is fetched, if it is not in the answer. */
  download?: OneTimeAddress | null;
  size?: number | null;
}

/** How one filter was answered. */
export interface Filtered {
  /** Which of `considered` are read, the leading one first. */
  chosen: number[];
  considered: Considered[];
  /** `nothing`, `in order`, `zig-zag` or `gather and sort`. */
  plan: string;
  /** Which of `considered` took over when the way became long. */
  switched?: number | null;
}

/** What a home takes on disk, and what it holds. */
export interface Footprint {
  blocks: BlocksUsage;
  /** Edits that lost to others and are kept for a while; nothing if the node does not run. */
  conflicts?: ConflictsKept | null;
  /** How many pins there are. */
  pins: number;
  /** What retention has done since the node started; nothing if it does not run. */
  retention?: Retained | null;
  stats: Stats;
  store: StoreUsage;
}

/** What is shared with a friend. */
export interface Friend {
  /** DIDs of this node: the friend gets what grants and protocol rules let them read. */
  gives: string[];
  /** DIDs of the friend: this node keeps a copy of what it may read. */
  takes: string[];
}

/** A friend that was added. */
export interface FriendAdded {
  address: string;
  did: string;
  /** DIDs of this node of whose records they get what they may read. */
  gives: string[];
  /** Grants made just now. */
  granted: Grant[];
  /** Their DIDs, of whose records this node keeps a copy of what it may read. */
  takes: string[];
}

/** A friend and how they stand. */
export interface FriendListed {
  /** Multiaddr with the peer id at its end. */
  address: string;
  /** Nothing is on its way, and they do not hold the same. */
  apart: boolean;
  connected: boolean;
  /** Copies that run at the same time: of it, as seen here, and of this node, as it said. */
  copies: TwoCopies[];
  did: string;
  /** Somebody else's node. */
  friend?: Friend | null;
  /** Those in force. */
  grants: Grant[];
  /** Both hold the same messages of what they share: both have said so lately, and nothing has changed here since. */
  in_sync: boolean;
  /** Seconds since both said so last. */
  in_sync_seconds?: number | null;
  /**
   * Messages of the other device that this node could not take, and of this node that the other could not: they are asked
   * for again when the reason may be gone (toft sync status).
   */
  parked: number;
  parked_there: number;
  /** Why it is not connected, as far as known. */
  problem?: string | null;
  receiving?: Way | null;
  /** How far what this node has is on its way there, and what the other has here. `None`: nothing is under way. */
  sending?: Way | null;
  /** DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read. */
  tenants: string[];
}

/** Who is no friend any more. */
export interface FriendRemoved {
  removed: string;
  revoked: Grant[];
}

/** A grant and how it stands. */
export interface Grant {
  dateExpires: string;
  dateGranted: string;
  /** Since when it is revoked. */
  dateRevoked?: string | null;
  /** The grantee acts in the owner's name. */
  delegated: boolean;
  /** recordId of the grant. */
  grantId: string;
  grantedTo?: string | null;
  scope: GrantScope;
  /** `active`, `expired` or `revoked`. */
  state: string;
}

/** A grant that was made. */
export interface GrantCreated {
  dateExpires: string;
  dateGranted: string;
  /** Since when it is revoked. */
  dateRevoked?: string | null;
  /** The grantee acts in the owner's name. */
  delegated: boolean;
  /** recordId of the grant. */
  grantId: string;
  grantedTo?: string | null;
  /** The RecordsWrite with its data as `encodedData`. */
  message: Json;
  scope: GrantScope;
  /** `active`, `expired` or `revoked`. */
  state: string;
}

/** Where a page ended. */
export interface GrantCursor {
  messageCid: string;
  value: string;
}

/** Grants in their order. */
export interface GrantPage {
  /** Where the next page goes on, if more follow: what `pagination.cursor` takes. There may be more behind a page that is not full. */
  cursor?: GrantCursor | null;
  grants: Grant[];
}

/** Which page of them. */
export interface GrantPagination {
  /** What the page before gave. */
  cursor?: GrantCursor | null;
  /** Grants of one page, 1000 at most. */
  limit?: number;
}

/** A request for a grant. */
export interface GrantRequested {
  /** It lies with the one asked, whose records are kept here too. Otherwise `message` is to be sent to their node. */
  delivered: boolean;
  /** The RecordsWrite with its data as `encodedData`. */
  message: Json;
  /** recordId of the request. */
  requestId: string;
}

/** What a grant is about. */
export interface GrantScope {
  /** Of `Records`: this context and what is below it. Not together with `protocolPath`. */
  contextId?: string | null;
  /** `Records`, `Protocols` or `Messages`. */
  interface: string;
  /** Of `Records`: `Read`, `Write`, `Query`, `Subscribe`, `Delete`. */
  method: string;
  /** URI of the protocol. None: records that belong to no protocol, or (of `Messages` and `Protocols`) all. */
  protocol?: string | null;
  protocolPath?: string | null;
}

/** What a device has been given. */
export interface GrantsGiven {
  /** Those that it had and that are good for a while yet. */
  kept: number;
  /** Made just now. */
  made: Grant[];
}

/** A message to the node that gave the key. */
export interface Handed {
  /** Of the key that it is sealed to. */
  number: string;
  /** base64url. */
  sealed: string;
}

/** Whether all is well with what the node keeps; `/health` says the same. */
export interface Health {
  healthy: boolean;
  /** Sentences; none if all is well. */
  problems: string[];
  /** Writes are taken. */
  writable: boolean;
}

/** A record whose data, or message, is damaged. */
export interface Holder {
  record: string;
  tenant: string;
}

/** Settings, as node.toml has them. */
export interface InForce {
  /** Where they are written. Told over the node's socket alone. */
  file?: string | null;
  /** By section. */
  settings: Json;
}

/** Why a run failed. */
export interface JobFailed {
  at: Moment;
  message: string;
}

export type JobState = "working" | "waiting" | "off";

/** How a job stands. */
export interface JobStatus {
  /** The last run failed: [`Status::last_error`] says why. Otherwise that is of an earlier one. */
  failing: boolean;
  last_error?: JobFailed | null;
  /** When the last run ended. */
  last_run?: Moment | null;
  name: string;
  /** When it runs next, as far as time decides; `None` while it works, and where only the log decides. */
  next_run?: Moment | null;
  /** Runs that have ended since the node started. */
  runs: number;
  state: JobState;
  /** What it waits for between two runs, as [`Wait`] says it. */
  wait?: string | null;
  /** What it does, in a few words. */
  work: string;
}

/** Did it wait to be let in? */
export interface JoiningLeft {
  left: boolean;
}

/** How joining stands. */
export type JoiningState = "none" | "waits" | "joined" | "failed";

/** How joining stands, as the owner sees it. */
export interface JoiningStatus {
  /** The device that made the offer. */
  device?: PairedDevice | null;
  /** Six digits that the other device shows too. */
  digits?: string | null;
  state: JoiningState;
  /** DIDs whose records both keep. */
  tenants: string[];
  /** Why it failed. */
  why?: string | null;
}

/** Data that is kept. */
export interface Kept {
  cid: string;
  published: boolean;
  recordId: string;
  size: number;
}

/** A policy that is followed. */
export interface KeptPolicy {
  messageCid: string;
  policy: { [name: string]: Json };
  /** Why it cannot be followed, so that nothing of the protocol is written here. */
  problem?: string | null;
  /** URI of the protocol that it is for. */
  protocol: string;
  recordId: string;
}

/** How keys have come to be handed over. */
export type KeysCome = "made" | "imported" | "recovered";

export interface KeysLocked {
  locked: boolean;
}

/** A token, and how it stands. */
export interface Listed {
  created: string;
  /** Not given: never. */
  expires?: string | null;
  id: string;
  /** When it was used last; within a minute if the node was killed. */
  lastUsed?: string | null;
  name: string;
  /** Used by pages of this origin alone; without one, by no page. */
  origin?: Origin | null;
  /** The token that made it; it ends with that one. */
  parent?: string | null;
  /** Records of these protocols alone; empty: of all that the scopes name. */
  protocols?: string[];
  /** Calls a minute. */
  rate: number;
  scopes: Scopes;
  state: State;
  /** Records and signatures of this tenant alone. */
  tenant?: string | null;
}

export type Method = "key" | "jwk" | "dht";

/** How roots come into the chain. Sending anything and spending anything is always opt-in. */
export type Mode = "auto" | "calendar" | "wallet" | "psbt" | "off";

/** A moment, as RFC 3339 spells it, to the second. */
export type Moment = string;

/** A Bitcoin network. */
export type Network = "mainnet" | "testnet4" | "signet" | "regtest";

/** Who a node is and where it is reached. */
export interface NodeIdentity {
  /** Multiaddrs with the peer id at the end. */
  addresses: string[];
  did: string;
  /** Its keys are locked: it signs nothing. */
  locked: boolean;
  /** libp2p peer id. Nothing until the keys of a node that was started without them are unlocked: it reaches no peers before. */
  peer?: string | null;
}

/** How a node does. */
export interface NodeStatus {
  anchor: AnchorStatus;
  /** Edits made here that other devices' took the place of without knowing them. */
  conflicts: ConflictsKept;
  connections: Connection[];
  /** What is wrong with the store, in sentences; empty when all is well. */
  degraded: string[];
  /** URL of the DWN endpoint. */
  dwn: string;
  files: Descriptors;
  /** Bytes free on the disk. */
  free_bytes: number;
  /** URL of the gateway, if there is one. */
  gateway?: string | null;
  /** Told over the node's socket alone. */
  home?: string | null;
  identity: NodeIdentity;
  /** What the node does by itself. */
  jobs: JobStatus[];
  log_bytes: number;
  peers: PeerStatus[];
  /** Why nothing is written, if nothing is. */
  read_only?: string | null;
  retention: Retained;
  /** Resident memory, where the system tells. */
  rss_bytes?: number | null;
  short?: Shortage | null;
  store: Stats;
  uptime_seconds: number;
  version: string;
}

/** How the offer stands. */
export type OfferState = "none" | "open" | "asks" | "paired" | "over";

/** The offer, as the owner sees it. */
export interface OfferStatus {
  /** Who asks, or was let in. */
  device?: PairedDevice | null;
  /** Six digits that the other device shows too. */
  digits?: string | null;
  /** Until when it stands. */
  expires?: Moment | null;
  state: OfferState;
  /** Why it is over. */
  why?: string | null;
}

/** Was there an offer? */
export interface OfferWithdrawn {
  withdrawn: boolean;
}

/** An offer that was made. */
export interface Offered {
  /** What the other device is given: `toft join CODE`. */
  code: string;
  expires?: Moment | null;
}

/** A record, with its data or where that is to be had. */
export interface OneRecord {
  /** Of a record of a protocol: its place in it. */
  contextId?: string | null;
  /** base64url, without padding. */
  data?: string | null;
  /** Of the data as it is kept: of private data, encrypted. */
  dataCid: string;
  dataFormat: string;
  dataSize: number;
  /** Where the data is fetched, if it is not in the answer. */
  download?: OneTimeAddress | null;
  /** The data is kept encrypted; what is given is decrypted, here and at the address. */
  encrypted?: boolean;
  /** The first one, if that is another. */
  initialWrite?: Json;
  /** The newest RecordsWrite. */
  record: Json;
  recordId: string;
  /** The data is encrypted and given as it is: why. */
  sealed?: string | null;
}

/** Where data is sent or fetched, once. */
export interface OneTimeAddress {
  /** Until when. */
  expires: string;
  /** Of the same host: `PUT` the bytes to an upload, `GET` them from a download. */
  path: string;
}

/**
 * `https://wallet.example`, `http://127.0.0.1:5173`, `chrome-extension://…`: scheme, host and port, spelled in the one way in which a
 * browser does.
 */
export type Origin = string;

/** What has become of a write. */
export type Outcome = Written | {
  upload: OneTimeAddress;
};

/** Records in the order that was asked for. */
export interface Page {
  /** Where the next page goes on, if there is one: what `pagination.cursor` takes. */
  cursor?: Json;
  /** RecordsWrite messages, with small data as `encodedData`. They go out as the text that they are. */
  entries: Json[];
}

/** A device as it says it is. */
export interface PairedDevice {
  /** Where it is reached: a multiaddr that ends in its peer id. */
  address: string;
  did: string;
  /** What it calls itself. */
  name: string;
}

/** What the owner sees of it. */
export interface Pairing {
  /** The code was typed, and the token not fetched yet. */
  approved: boolean;
  expires: string;
  /** A browser says so; otherwise a program does, which may say what it likes. */
  fromPage: boolean;
  id: string;
  name: string;
  origin?: Origin | null;
  scopes: Scopes;
  /** What the scopes mean. */
  words: string[];
}

/** What it is told. It shows the code, and keeps the secret. */
export interface PairingAsked {
  /** Six digits that the owner types. */
  code: string;
  expires: string;
  id: string;
  /** The token is fetched with it: pair.poll. */
  secret: string;
}

/** A message that was put aside. */
export interface Parked {
  /** What the door said. */
  code: number;
  digest: string;
  has_data: boolean;
  protocol?: string | null;
  /** Put aside first, in milliseconds since 1970. */
  since: number;
  tenant: string;
  /** Asked for last, in milliseconds since 1970. */
  tried: number;
  /** Asked for so many times. */
  tries: number;
  why: string;
}

/** A device this one keeps in step with. */
export interface Peer {
  /** Multiaddr with the peer id at its end. */
  address: string;
  did: string;
  /** Somebody else's node. */
  friend?: Friend | null;
  /** DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read. */
  tenants: string[];
}

/** The DID of the device that is no peer any more. */
export interface PeerRemoved {
  removed: string;
}

/** A peer and how it stands. */
export interface PeerStatus {
  /** Multiaddr with the peer id at its end. */
  address: string;
  /** Nothing is on its way, and they do not hold the same. */
  apart: boolean;
  connected: boolean;
  /** Copies that run at the same time: of it, as seen here, and of this node, as it said. */
  copies: TwoCopies[];
  did: string;
  /** Somebody else's node. */
  friend?: Friend | null;
  /** Both hold the same messages of what they share: both have said so lately, and nothing has changed here since. */
  in_sync: boolean;
  /** Seconds since both said so last. */
  in_sync_seconds?: number | null;
  /**
   * Messages of the other device that this node could not take, and of this node that the other could not: they are asked
   * for again when the reason may be gone (toft sync status).
   */
  parked: number;
  parked_there: number;
  /** Why it is not connected, as far as known. */
  problem?: string | null;
  receiving?: Way | null;
  /** How far what this node has is on its way there, and what the other has here. `None`: nothing is under way. */
  sending?: Way | null;
  /** DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read. */
  tenants: string[];
}

export interface Pinned {
  pinned: string;
}

/** The records that held the policy. */
export interface PolicyRemoved {
  recordIds: string[];
}

/** A policy that was set, and which records that are here it would not take. They stay as they are. */
export interface PolicySet {
  messageCid?: string | null;
  /** URI of the protocol that it is for. */
  protocol: string;
  /** Of the policy; nothing if none was set. */
  recordId?: string | null;
  /** Records of the protocol that are here. */
  records: number;
  /** As many of them the policy would not take. */
  unfit: number;
  /** The first of those. */
  unfitRecords: Unfit[];
}

/** A protocol that is installed. */
export interface Protocol {
  dateConfigured: string;
  /** CID of the ProtocolsConfigure. */
  messageCid: string;
  /** Its URI. */
  protocol: string;
  /** May anybody see its definition? */
  published: boolean;
  /** The names of its types. */
  types: string[];
}

/** What a protocol is. */
export interface ProtocolDefinition {
  dateConfigured: string;
  /** As ProtocolsConfigure carries it. */
  definition: { [name: string]: Json };
  /** CID of the ProtocolsConfigure. */
  messageCid: string;
}

/** What a newer definition changes, in sentences. Records keep what they were: they are only not taken again. */
export interface ProtocolDifferences {
  /** What could not be done before. */
  allows: string[];
  /** What cannot be done any more. */
  forbids: string[];
  /** Records of the protocol that are here. */
  records: number;
  /** As many of them the newer definition would not take. */
  refused: number;
  /** The first of those. */
  refusedRecords: RefusedRecord[];
}

/** A protocol and what installed it. */
export interface ProtocolInstalled {
  /** CID of the ProtocolsConfigure. */
  messageCid: string;
  /** URI of the protocol. */
  protocol: string;
}

/** A protocol that is out of use. */
export interface ProtocolRemoved {
  /** As many of them were deleted. */
  deleted: number;
  /** Its URI. */
  protocol: string;
  /** Records of it that were there. */
  records: number;
}

/** What stands against a definition, in sentences. */
export interface ProtocolVerdict {
  /** Why it would be refused. Empty: it can be installed. */
  problems: string[];
  /** What it says in vain: rules that nobody can use, types without a place. */
  warnings: string[];
}

/** A message that the other device put aside. */
export interface Put {
  code: number;
  /** CID of the message. */
  message: string;
  why: string;
}

/** Records that a friend is let read. */
export interface ReadableByFriend {
  protocol: string;
  /** Those at one path of it; all if none is named. */
  protocolPath?: string | null;
}

/** Bytes of the index. */
export interface Rebuilt {
  after: number;
  before: number;
}

/** A record that a definition would not take. */
export interface RefusedRecord {
  recordId: string;
  why: string;
}

/** What a registered tenant has agreed to. */
export interface Registered {
  /** When, as DWN writes times. */
  since: string;
  /** SHA-256 of the terms of service, in hex; nothing if there were none. */
  terms?: string | null;
}

/** A DWN server that this node keeps in step with. */
export interface RemoteServer {
  /** URIs of the protocols that count. Empty: all, and what belongs to none. */
  protocols: string[];
  /** DIDs whose messages go there and come from there. */
  tenants: string[];
  url: string;
}

/** A remote and how it stands. */
export interface RemoteServerStatus {
  /** After the last round both had the same, as far as this node knows, nothing was put aside, and nothing has been written here since. */
  in_step: boolean;
  /** When that was so last, since this node started. */
  last_in_step?: Moment | null;
  /** Why the last round could not be ended. */
  problem?: string | null;
  /** URIs of the protocols that count. Empty: all, and what belongs to none. */
  protocols: string[];
  pulled: number;
  /** Messages that went there and came from there, since this node started. */
  pushed: number;
  /** What could not be fetched or taken here, and what the server refused: it is tried again. */
  put_aside: Parked[];
  put_aside_there: Parked[];
  /** DIDs whose messages go there and come from there. */
  tenants: string[];
  url: string;
  waiting_here: number;
  /** Messages that are known to lack there, and here, in the round that is under way. */
  waiting_there: number;
}

/** What looking at the whole log has found. */
export interface Report {
  entries: number;
  files: number;
  hash: string;
  /** Signed heads that were looked at. */
  heads: number;
  /** The last entry. */
  n: number;
  /** What is wrong, in sentences; empty: nothing is. */
  problems: string[];
}

/** What retention has done since the node started. */
export interface Retained {
  /** A round is under way. */
  at_work: boolean;
  /** Records of this node's own tenant that were deleted. */
  deleted: number;
  /** Rows of the index that were looked at. */
  looked_at: number;
  /** Why the last round left something for the next one. */
  problem?: string | null;
  /** Records of others that left this node. */
  purged: number;
  rules: number;
}

/** Minor units: decimal digits, at most 18446744073709551615. A whole number is read too. */
export type RgbAmount = string;

/** An RGB asset. */
export interface RgbAsset {
  assetId: string;
  /** CID of the contract. */
  contract?: string | null;
  issuedSupply: RgbAmount;
  name: string;
  network: RgbNetwork;
  /** Digits after the point, for people. */
  precision: number;
  schema: RgbSchema;
  ticker?: string | null;
}

export interface RgbAssetExists {
  exists: boolean;
}

/** Which assets are wanted: those that fit all that is given. */
export interface RgbAssetFilter {
  assetId?: string | null;
  network?: RgbNetwork | null;
  precision?: number | null;
  schema?: RgbSchema | null;
  ticker?: string | null;
}

/** Assets in the order in which they were stored, the newest first. */
export interface RgbAssets {
  assets: RgbFoundAsset[];
  /** Where the next page goes on, if there is one. */
  cursor?: RgbPlace | null;
}

/** Derived from the transfers that count. */
export interface RgbBalance {
  /** Now. */
  asOf: string;
  assetId: string;
  /** Of these, those that do not, for another one spent a coin of theirs before (rgb.conflicts). */
  conflicts: number;
  /** When those under way are settled. */
  future: RgbAmount;
  /** More went out than ever came in, by so much: transfers that brought it are missing here. */
  overdrawn?: RgbAmount;
  /** By settled transfers. */
  settled: RgbAmount;
  /** Settled, without what is being sent. */
  spendable: RgbAmount;
  /** Transfers that count, or would. */
  transfers: number;
}

/** A transfer that does not count. */
export interface RgbConflict {
  amount: RgbAmount;
  assetId: string;
  /** Coins that both spend. */
  coins: string[];
  /** What counts instead. */
  conflictsWith: string;
  transferId: string;
}

/** What somebody says is held. */
export interface RgbDeclared {
  assetId: string;
  future: RgbAmount;
  settled: RgbAmount;
  spendable: RgbAmount;
}

/** An asset with what else is known of it. */
export interface RgbDescribedAsset {
  asset: RgbAsset;
  metadata?: RgbMetadata | null;
  recordId: string;
}

/** What happened. */
export interface RgbEvent {
  amount?: RgbAmount | null;
  /** Of a conflict: the transfer that counts instead. */
  conflictsWith?: string | null;
  date: string;
  kind: RgbHistoryKind;
  recordId: string;
  source: RgbHistorySource;
  /** Of a transfer. */
  status?: RgbTransferStatus | null;
  /** recordId of the transfer. */
  transfer?: string | null;
  txid?: string | null;
}

/** An asset that is kept. */
export interface RgbFoundAsset {
  asset: RgbAsset;
  recordId: string;
}

/** A page of an asset's history. */
export interface RgbHistory {
  /** Where the next page goes on, if there is one. */
  cursor?: RgbPlace | null;
  entries: RgbEvent[];
}

/** What happened to an asset, as somebody noted it. */
export interface RgbHistoryEntry {
  amount?: RgbAmount | null;
  assetId: string;
  /** When it happened; now if it is not said. */
  date?: string | null;
  kind: RgbHistoryKind;
  /** recordId of the transfer. */
  transfer?: string | null;
  txid?: string | null;
}

export type RgbHistoryKind = "issue" | "send" | "receive" | "burn" | "invoice";

/** Where an entry comes from. */
export type RgbHistorySource = "transfer" | "entry";

/** What is to be paid, and to what seal. */
export interface RgbInvoice {
  amount?: RgbAmount | null;
  assetId: string;
  dateExpires?: string | null;
  endpoints?: string[];
  /** The invoice's text, as wallets read it. */
  invoice: string;
  recipientId?: string | null;
  status?: RgbInvoiceStatus;
}

export type RgbInvoiceStatus = "open" | "paid" | "expired" | "cancelled";

export interface RgbMedia {
  cid: string;
  /** Media type. */
  type: string;
}

/** What else is known of an asset. */
export interface RgbMetadata {
  details?: string | null;
  media?: RgbMedia | null;
  terms?: string | null;
  /** When the asset was issued. */
  timestamp?: string | null;
}

export type RgbNetwork = "mainnet" | "testnet4" | "signet" | "regtest";

/** The end of a page: where the next one goes on. */
export interface RgbPlace {
  messageCid: string;
  value: string;
}

/** Which rules the contract follows. */
export type RgbSchema = "NIA" | "UDA" | "CFA" | "IFA";

/** A record that was written. */
export interface RgbStored {
  dataCid: string;
  dateCreated: string;
  /** Of the message: what time proofs are about (anchor.proof). */
  messageCid: string;
  recordId: string;
}

/** Units that change hands. */
export interface RgbTransfer {
  amount: RgbAmount;
  assetId: string;
  /** CID of the consignment. */
  consignment?: string | null;
  /** recordId of the invoice that it pays. */
  invoice?: string | null;
  kind: RgbTransferKind;
  /** DID. */
  receiver?: string | null;
  /** Blinded seal or address of who gets it. */
  recipientId?: string | null;
  /** DID. */
  sender?: string | null;
  /** Coins whose seals it closes, each as `txid:vout`. */
  spends?: string[];
  status?: RgbTransferState;
  txid?: string | null;
}

/** What a transfer is, as seen by who wrote it. */
export type RgbTransferKind = "send" | "burn" | "issue" | "receive";

export type RgbTransferState = "waitingCounterparty" | "waitingConfirmations" | "settled" | "failed";

/** How a transfer stands. */
export type RgbTransferStatus = "waitingCounterparty" | "waitingConfirmations" | "settled" | "failed" | "conflict";

/** A transfer, and how it stands. */
export interface RgbTransferTold {
  /** Of a conflict: the transfer that took the coin. */
  conflictsWith?: string | null;
  /** It counts in balances. What somebody else wrote does only when it is accepted (rgb.storeTransfer with its transferId). */
  counts: boolean;
  dateCreated: string;
  status: RgbTransferStatus;
  /** As its record says it. */
  transfer: RgbTransfer;
  transferId: string;
}

/** What the validator says. */
export interface RgbVerdict {
  reason?: string | null;
  valid: boolean;
}

export type Scope = string;

/** A tenant's messages of one protocol, or of none. */
export interface ScopeStatus {
  /** The fingerprints of both are equal. */
  equal: boolean;
  /** Messages kept here, and there when it told last. */
  here: number;
  protocol?: string | null;
  tenant: string;
  there: number;
}

/** What a token may do, in all. */
export type Scopes = Scope[];

/** What a scrub has found. */
export interface Scrubbed {
  blocks: number;
  bytes: number;
  /** It came to the end of everything. */
  complete: boolean;
  /** Objects that are not what they should be, healed ones included. */
  damaged: number;
  healed: number;
  messages: number;
  /** One sentence for each damaged object. */
  named: string[];
  /** Records whose data, or message, is damaged still. */
  records?: Holder[];
}

/** A key to seal to, and its number. */
export interface SealingKey {
  /** secp256k1, as a JWK. */
  key: Json;
  number: string;
}

/** A setting that was changed. */
export interface SettingChanged {
  /** When it counts: `at once`, or `at the next start`. What the environment or an option of `toft up` says goes on counting. */
  effect: string;
  file: string;
  key: string;
  /** An environment variable that the node was started with, and that counts more than the file. */
  overriddenBy?: string | null;
}

/** A protocol that comes with toft. */
export interface ShippedProtocol {
  /** As ProtocolsConfigure carries it. */
  definition: { [name: string]: Json };
  name: string;
  /** Its types whose data is nobody's business but that of those it is for: what `private` of protocols.install takes. */
  private: string[];
}

/** What the system has been short of since the node started. */
export interface Shortage {
  /** What the last time was about. */
  last: string;
  seconds_ago: number;
  times: number;
}

/** An identity, as its owner is shown it. */
export interface Shown {
  /** Empty: by a toft that did not note it. */
  created: string;
  /** The node itself is this one. */
  default: boolean;
  did: string;
  /** DID URL of the key that signs. */
  kid: string;
  /** It signs nothing now. */
  locked: boolean;
  method: Method;
  /** Keys that signed before, oldest first. */
  past: ShownPast[];
}

/** A key that signed before. */
export interface ShownPast {
  /** Given up because somebody else may have it. */
  compromised: boolean;
  kid: string;
  /** What it signed before this time verifies. */
  until: string;
}

/** What was signed. */
export type Signed = {
  message: Json;
} | {
  jwt: string;
};

/** What taking a snapshot has done. */
export interface Snapshot {
  bytes: number;
  /** One sentence for each file that is missing or damaged in the home, and so in the snapshot. */
  damaged?: string[];
  files: number;
  /** Of the new ones, those that are links to the home's. */
  linked?: number;
  /** Of the new ones, those whose objects were damaged in the backup. */
  mended?: number;
  new_bytes: number;
  /** Of these, those that no earlier snapshot had brought. */
  new_files: number;
  snapshot: string;
}

/** How data stands here. */
export interface Standing {
  /** Its blocks that are here, up to the first that is not. */
  blocks: number;
  cid: string;
  /** All of them are here. */
  complete: boolean;
  /** The first that is not. */
  missing?: string | null;
  /** It stays whatever becomes of its records. */
  pinned: boolean;
  /** Records that hold it; at most 16. */
  records: DataHolder[];
  /** Bytes of the file, if its root is here. */
  size?: number | null;
}

export type State = "live" | "expired" | "revoked";

/** Counters, kept with every batch. */
export interface Stats {
  /** Blocks that have a place. */
  blocks: number;
  /** Bytes of data that records hold; data held by two records counts twice. */
  bytes: number;
  /** Messages kept. */
  messages: number;
  /** Latest states of records. */
  records: number;
}

/** Bytes on disk. */
export interface StoreUsage {
  /** Indexes that were set aside; they can be deleted. */
  aside: number;
  index: number;
  log: number;
  segments: number;
}

/** Which subscription began. Its events come as `rpc.event`; `rpc.unsubscribe` ends it. */
export interface Subscribed {
  subscription: string;
}

export interface SubscriptionEnded {
  ended: string;
}

/** Is sync paused? */
export interface SyncPaused {
  paused: boolean;
}

/** Somebody who is or may be a tenant. */
export interface Tenant {
  /** May write and be written to now. */
  allowed: boolean;
  did: string;
  messages: number;
  registered?: Registered | null;
}

/** What was removed of a tenant. */
export interface TenantRemoved {
  messages: number;
  registration: boolean;
}

/** A token, without its secret. */
export interface Token {
  created: string;
  /** Not given: never. */
  expires?: string | null;
  id: string;
  name: string;
  /** Used by pages of this origin alone; without one, by no page. */
  origin?: Origin | null;
  /** The token that made it; it ends with that one. */
  parent?: string | null;
  /** Records of these protocols alone; empty: of all that the scopes name. */
  protocols?: string[];
  /** Calls a minute. */
  rate: number;
  scopes: Scopes;
  /** Records and signatures of this tenant alone. */
  tenant?: string | null;
}

/** Two copies of a node that run at the same time. The older one is served. */
export interface TwoCopies {
  did: string;
  /** Since when each has shared without a break, by its own clock: since its start, or since it was let in again. */
  older_since: Moment;
  younger_since: Moment;
}

/** A record that a policy would not take. */
export interface Unfit {
  recordId: string;
  why: string;
}

export interface Unpinned {
  unpinned: string;
}

/** One state of a record. */
export interface Version {
  author: string;
  /** The record began with it. */
  initial: boolean;
  /**
   * It stays, with its data: the newest one, and those that its policy keeps; and without it the first. The others are what the log
   * still holds of states that were superseded: compaction takes them away.
   */
  kept: boolean;
  messageCid: string;
  messageTimestamp: string;
  /** `Write`, or the `Delete` that ended it. */
  method: string;
  /** The message. */
  record: Json;
}

/** A record's past. */
export interface Versions {
  /** There are older ones. */
  more: boolean;
  versions: Version[];
}

/** What is to be signed. */
export type Wanted = {
  message: Json;
  use: "message";
} | {
  credential: Json;
  use: "credential";
} | {
  challenge: string;
  /** Who asks: scheme and host, as a browser says it. */
  origin: string;
  use: "login";
};

/** How far one direction is. */
export interface Way {
  messages: number;
  of_messages: number;
}

/** A record and a device. */
export interface Why {
  did: string;
  /** Both hold the same of it: known only while both are in sync. */
  same: boolean;
  /** A sentence. */
  why: string;
}

/** A state of a record that was written. */
export interface Written {
  /** Of a record of a protocol: its place in it. */
  contextId?: string | null;
  /** Of the data as it is kept: of private data, encrypted. */
  dataCid: string;
  dataSize: number;
  dateCreated: string;
  /** Its data is encrypted. */
  encrypted?: boolean;
  /** Of this state. */
  messageCid: string;
  messageTimestamp: string;
  recordId: string;
}

export type RpcDiscoverResult = Json;

export interface RpcAuthenticateParams {
  /** A token's text, or that of the cookie (`rpc.cookie` in the home). */
  token: string;
}

export interface RpcUnsubscribeParams {
  /** Its id, as the call that began it has answered. */
  subscription: string;
}

export type IdentityListResult = Shown[];

export interface IdentityShowParams {
  did?: string | null;
}

export interface IdentityCreateParams {
  /** Where keys that are handed over come from. */
  come?: KeysCome | null;
  /** Keys, and the passphrase if it takes one. */
  handed?: Handed | null;
  method?: Method | null;
}

export interface IdentityUseParams {
  did: string;
  /** The passphrase, if it takes one. */
  handed?: Handed | null;
}

export interface IdentityRotateParams {
  did: string;
  /** Somebody else may have the key: it is no longer published. */
  compromised?: boolean;
  /** The passphrase, if it takes one. */
  handed?: Handed | null;
}

export interface IdentitySignParams {
  wanted: Wanted;
  /** Who signs; the node itself, if nothing is said. */
  did?: string | null;
}

export interface IdentityExportedParams {
  did?: string | null;
}

export interface IdentityUnlockParams {
  /** The passphrase, if it takes one. */
  handed?: Handed | null;
}

export type NodeJobsResult = JobStatus[];

export interface ProtocolsInstallParams {
  /** As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`. */
  definition: { [name: string]: Json };
  /** Which of the node's identities installs it; its own if none is named. */
  from?: string | null;
  /**
   * Names of types whose data is private: the node adds the identity's keys (`$encryption`) at their paths, and takes away what stands
   * at others. Their data is encrypted from then on, by records.write too. Not given: the definition is installed as it is.
   */
  private?: string[] | null;
}

export interface ProtocolsListParams {
  /** One of the node's identities; its own if none is named. */
  from?: string | null;
}

export type ProtocolsListResult = Protocol[];

export interface ProtocolsShowParams {
  /** URI of the protocol. */
  protocol: string;
  /** Whose: one of the node's identities; its own if none is named. */
  from?: string | null;
}

export interface ProtocolsCheckParams {
  /** As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`. */
  definition: { [name: string]: Json };
}

export interface ProtocolsDiffParams {
  /** As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`. */
  definition: { [name: string]: Json };
  /** Whose protocol: one of the node's identities; its own if none is named. */
  from?: string | null;
}

export type ProtocolsShippedResult = ShippedProtocol[];

export interface PoliciesSetParams {
  /** `protocol`, and by path what is asked of the records there (docs/dwn.md, "Policies"). */
  policy: { [name: string]: Json };
  /** Set nothing. */
  dryRun?: boolean;
  /** Which of the node's identities sets it; its own if none is named. */
  from?: string | null;
}

export interface PoliciesListParams {
  /** One of the node's identities; its own if none is named. */
  from?: string | null;
}

export type PoliciesListResult = KeptPolicy[];

export interface PoliciesRemoveParams {
  /** URI of the protocol that it is for. */
  protocol: string;
  /** Whose: one of the node's identities; its own if none is named. */
  from?: string | null;
}

export interface ProtocolsRemoveParams {
  /** Its URI. */
  protocol: string;
  /** Whose: one of the node's identities; its own if none is named. */
  from?: string | null;
  /** Delete its records too. */
  records?: boolean;
}

export interface GrantsRequestParams {
  /** The DID of who is asked. */
  from: string;
  scope: GrantScope;
  /** Which of the node's identities asks; its own if none is named. */
  asker?: string | null;
  conditions?: Conditions | null;
  /** To act in their name. */
  delegated?: boolean;
  /** What it is for, as the one asked reads it. */
  description?: string | null;
}

export interface GrantsCreateParams {
  /** Until when, as `2026-11-21T00:00:00Z`. */
  dateExpires: string;
  /** The DID that is let do it. */
  grantedTo: string;
  scope: GrantScope;
  conditions?: Conditions | null;
  /** To act in the owner's name: the grantee sends `message` along with what they sign. */
  delegated?: boolean;
  description?: string | null;
  /** Which of the node's identities grants it; its own if none is named. */
  from?: string | null;
  /** recordId of the request that this answers. */
  requestId?: string | null;
}

export interface GrantsListParams {
  /** Those in force, or with `false` the others. */
  active?: boolean | null;
  /** Which of the node's identities gave them; its own if none is named. */
  from?: string | null;
  grantedTo?: string | null;
  pagination?: GrantPagination;
  /** URI of the protocol that they are about. */
  protocol?: string | null;
}

export interface GrantsRevokeParams {
  /** recordId of the grant. */
  grantId: string;
  /** Which of the node's identities gave it; its own if none is named. */
  from?: string | null;
}

export interface GrantsGiveParams {
  /** The device's own DID. */
  device: string;
  /** Until when, as `2026-11-21T00:00:00Z`; a year from now if nothing is said. */
  dateExpires?: string | null;
  /** Which of the node's identities gives them; its own if none is named. */
  from?: string | null;
}

export interface GrantsWithdrawParams {
  /** The device's own DID. */
  device: string;
  /** Which of the node's identities gave them; its own if none is named. */
  from?: string | null;
}

export type GrantsWithdrawResult = Grant[];

export type DevicesListResult = Device[];

export interface DevicesOfferParams {
  /** DIDs whose records both will keep. Empty: this node's own and the other's. */
  tenants?: string[];
}

export interface DevicesOfferedParams {
  /** The state that the caller knows already: another is waited for. */
  after?: OfferState | null;
  /** Seconds, 60 at most. */
  wait?: number;
}

export interface DevicesDecideParams {
  /** As both devices show them. */
  digits?: string | null;
}

export interface DevicesJoinParams {
  /** As toft pair, on the other device, prints it. */
  code: string;
  /** Where that device is, if not where its code says: a multiaddr. */
  at?: string | null;
  /** The other device may keep the records of this node's own identities too. */
  share?: boolean;
}

export interface DevicesJoiningParams {
  /** The state that the caller knows already: another is waited for. */
  after?: JoiningState | null;
  /** Seconds, 60 at most. */
  wait?: number;
}

export interface DevicesRenameParams {
  /** Its DID, or what it is called. */
  device: string;
  /** 1 to 64 letters. */
  name: string;
}

export interface DevicesRemoveParams {
  /** Its DID, or what it is called. */
  device: string;
}

export interface FriendsAddParams {
  /** Where their node is reached: a multiaddr with the peer id at its end. */
  address: string;
  /** Their DID, which is also what their node proves to be. */
  did: string;
  /** Until when these are good, as `2026-11-21T00:00:00Z`; a year from now if nothing is said. */
  dateExpires?: string | null;
  /** The identity of this node that they are a friend of; its own if none is named. */
  from?: string | null;
  /** Keep no copy here of what this node may read there. */
  giveOnly?: boolean;
  /** What they are let read. What other grants and protocol rules let them read goes to them too. */
  grants?: ReadableByFriend[];
}

export type FriendsListResult = FriendListed[];

export interface FriendsRemoveParams {
  did: string;
  /** Leave the grants that they have. */
  keepGrants?: boolean;
}

export interface GrantsExplainParams {
  /** What this one may, and if they may not read, why not. None: everybody. */
  did?: string | null;
  /** Whose records: one of the node's identities; its own if none is named. */
  from?: string | null;
  /** URI, together with `protocolPath`. */
  protocol?: string | null;
  protocolPath?: string | null;
  recordId?: string | null;
}

export interface RecordsQueryParams {
  /** `createdAscending`, `createdDescending`, `publishedAscending`, `publishedDescending`. */
  dateSort?: string | null;
  /** RecordsFilter. Empty: every record. */
  filter?: { [name: string]: Json };
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** `limit`, `cursor`. */
  pagination?: { [name: string]: Json };
  /** Path of a role that the asker invokes. */
  protocolRole?: string | null;
  /** DID of whose records it is about; the asker's if none is named. */
  tenant?: string | null;
}

export interface RecordsCountParams {
  /** RecordsFilter. Empty: every record. */
  filter?: { [name: string]: Json };
  /** Whose records: one of the node's identities; its own if none is named. */
  from?: string | null;
}

export interface RecordsExplainParams {
  /** `createdAscending`, `createdDescending`, `publishedAscending`, `publishedDescending`. */
  dateSort?: string | null;
  /** RecordsFilter. Empty: every record. */
  filter?: { [name: string]: Json };
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** `limit`, `cursor`. */
  pagination?: { [name: string]: Json };
  /** Path of a role that the asker invokes. */
  protocolRole?: string | null;
  /** DID of whose records it is about; the asker's if none is named. */
  tenant?: string | null;
}

export interface RecordsReadParams {
  recordId: string;
  /** Give an address for the data even if it is small. */
  download?: boolean;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** CID of the message of an earlier state, if its policy keeps those; the newest if none is named. */
  messageCid?: string | null;
  /** recordId of a grant that the asker invokes. */
  permissionGrantId?: string | null;
  /** Path of a role that the asker invokes. */
  protocolRole?: string | null;
  /** Give encrypted data as it is. */
  raw?: boolean;
  /** DID of whose record it is; the asker's if none is named. */
  tenant?: string | null;
}

export interface RecordsHistoryParams {
  recordId: string;
  /** Whose record it is: one of the node's identities; its own if none is named. */
  from?: string | null;
}

export interface RecordsWriteParams {
  /** base64url, without padding; at most 700 KiB of bytes. */
  data?: string | null;
  /** Media type. A new record needs one. */
  dataFormat?: string | null;
  /** Instead of `data`: so many bytes are to come to a one-time address. */
  dataSize?: number | null;
  /** When it was made, if not now: UTC with six digits of a second. */
  dateCreated?: string | null;
  /**
   * Is the data encrypted before it is kept? If it is not said, it is where the protocol has a key for it (`$encryption`): for the
   * protocol's owner, for who writes, and for the readers of the context. True: it is, or nothing is written. False: it is kept as it is.
   */
  encrypt?: boolean | null;
  /** Which of the node's identities signs; its own if none is named. */
  from?: string | null;
  /** contextId of the record that this one stands below. */
  parentContextId?: string | null;
  /** recordId of a grant that the signer invokes. */
  permissionGrantId?: string | null;
  /** URI of the protocol. */
  protocol?: string | null;
  /** Path within the protocol, such as `thread/reply`. */
  protocolPath?: string | null;
  /** Path of a role that the signer invokes. */
  protocolRole?: string | null;
  /** May anyone read it? */
  published?: boolean | null;
  /** DID of whom it is written to. */
  recipient?: string | null;
  /** Of the record that gets a new state. */
  recordId?: string | null;
  /** URI of the schema. */
  schema?: string | null;
  /** Names with texts, numbers, flags, or lists of one of them. */
  tags?: { [name: string]: Json } | null;
  /** DID of whose records it becomes one; the signer's if none is named. */
  tenant?: string | null;
}

export interface RecordsDeleteParams {
  recordId: string;
  /** Which of the node's identities signs; its own if none is named. */
  from?: string | null;
  /** recordId of a grant that the signer invokes. */
  permissionGrantId?: string | null;
  /** Path of a role that the signer invokes. */
  protocolRole?: string | null;
  /** And all records below it. */
  prune?: boolean;
  /** DID of whose record it is; the signer's if none is named. */
  tenant?: string | null;
}

export interface RecordsSubscribeParams {
  /** That of the last event that was seen: what came since then is told first. */
  cursor?: Json;
  /** RecordsFilter. Empty: every record. */
  filter?: { [name: string]: Json };
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** Path of a role that the asker invokes. */
  protocolRole?: string | null;
  /** DID of whose records they are; the asker's if none is named. */
  tenant?: string | null;
}

export type ConflictsListResult = Conflict[];

export interface ConflictsShowParams {
  /** The CID of the message that lost, or how it begins. */
  id: string;
  /** Give an address for the data of what lost. */
  download?: boolean;
  /** DID of whose record it is, if messages of several are alike. */
  tenant?: string | null;
}

export interface ConflictsKeepParams {
  /** The CID of the message that lost, or how it begins. */
  id: string;
  /** Which of the node's identities signs; its own if none is named. */
  from?: string | null;
  /** DID of whose record it is, if messages of several are alike. */
  tenant?: string | null;
}

export interface ConflictsRemoveParams {
  /** The CID of the message that lost, or how it begins. */
  id: string;
  /** Give an address for the data of what lost. */
  download?: boolean;
  /** DID of whose record it is, if messages of several are alike. */
  tenant?: string | null;
}

export interface RgbAssetExistsParams {
  assetId: string;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** DID of whose asset it is; the asker's if none is named. */
  tenant?: string | null;
}

export interface RgbStoreAssetParams {
  asset: RgbAsset;
  /** Which of the node's identities signs; its own if none is named. */
  from?: string | null;
  metadata?: RgbMetadata | null;
  /** DID of whose asset it becomes; the signer's if none is named. */
  tenant?: string | null;
}

export interface RgbQueryAssetsParams {
  /** Where the page before ended. */
  cursor?: RgbPlace | null;
  /** Empty: all. */
  filter?: RgbAssetFilter;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** At most so many: 100 if nothing is said, 1,000 at most. */
  limit?: number | null;
  /** DID of whose assets; the asker's if none is named. */
  tenant?: string | null;
}

export interface RgbGetAssetMetadataParams {
  assetId: string;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** DID of whose asset it is; the asker's if none is named. */
  tenant?: string | null;
}

export interface RgbStoreTransferParams {
  transfer: RgbTransfer;
  /** Which of the node's identities signs; its own if none is named. */
  from?: string | null;
  /** DID of whose transfer it becomes; the signer's if none is named. */
  tenant?: string | null;
  /** Of the transfer that gets a new state. What it is about stays: asset, kind, amount, coins. */
  transferId?: string | null;
}

export interface RgbGetTransferStatusParams {
  transferId: string;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** DID of whose transfer it is; the asker's if none is named. */
  tenant?: string | null;
}

export interface RgbValidateTransferParams {
  /** base64url, without padding; at most 700 KiB of bytes. A larger one is written as a record first. */
  consignment?: string | null;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** DID of whose transfer it is; the asker's if none is named. */
  tenant?: string | null;
  transfer?: RgbTransfer | null;
  transferId?: string | null;
}

export interface RgbConflictsParams {
  /** All assets, if none is named: that reads every transfer once. */
  assetId?: string | null;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** DID of whose transfers; the asker's if none is named. */
  tenant?: string | null;
}

export type RgbConflictsResult = RgbConflict[];

export interface RgbGetAssetBalanceParams {
  assetId: string;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** DID of whose asset it is; the asker's if none is named. */
  tenant?: string | null;
}

export interface RgbUpdateBalanceParams {
  balance: RgbDeclared;
  /** Which of the node's identities signs; its own if none is named. */
  from?: string | null;
  /** DID of whose balance it is; the signer's if none is named. */
  tenant?: string | null;
}

export interface RgbStoreInvoiceParams {
  invoice: RgbInvoice;
  /** Which of the node's identities signs; its own if none is named. */
  from?: string | null;
  /** Of the invoice that gets a new state. */
  invoiceId?: string | null;
  /** Of a new one: DID of who is asked to pay, and may read it. */
  payer?: string | null;
  /** DID of whose invoice it becomes; the signer's if none is named. */
  tenant?: string | null;
}

export interface RgbGetAssetHistoryParams {
  assetId: string;
  /** The oldest first. */
  ascending?: boolean;
  /** Where the page before ended. */
  cursor?: RgbPlace | null;
  /** Which of the node's identities asks; its own if none is named. */
  from?: string | null;
  /** At most so many entries: 100 if nothing is said, 1,000 at most. */
  limit?: number | null;
  /** DID of whose asset it is; the asker's if none is named. */
  tenant?: string | null;
}

export interface RgbStoreHistoryEntryParams {
  entry: RgbHistoryEntry;
  /** Which of the node's identities signs; its own if none is named. */
  from?: string | null;
  /** DID of whose asset it is; the signer's if none is named. */
  tenant?: string | null;
}

export interface BlocksAddParams {
  /** base64url, without padding; at most 700 KiB of bytes. */
  data?: string | null;
  /** Instead of `data`: so many bytes are to come to a one-time address. */
  dataSize?: number | null;
  /** Media type. */
  format?: string | null;
  /** May anyone have it? */
  published?: boolean;
}

export interface BlocksGetParams {
  /** Of a file: UnixFS, or raw bytes. */
  cid: string;
  /** Seconds for a block that nobody sends; at most 600. */
  timeout?: number;
}

export interface BlocksStatParams {
  cid: string;
}

export type PinsListResult = string[];

export interface PinsAddParams {
  cid: string;
}

export interface PinsRemoveParams {
  cid: string;
}

export type SyncPeersResult = PeerStatus[];

export type SyncStatusResult = DeviceStatus[];

export interface SyncWhyParams {
  recordId: string;
  /** Whose record it is. None: this node's own. */
  tenant?: string | null;
}

export type SyncWhyResult = Why[];

export interface SyncAddParams {
  /** Multiaddr with the peer id at its end. */
  address: string;
  did: string;
  /** DIDs whose records both keep. Empty: this node's own and the other's. */
  tenants?: string[];
}

export interface SyncRemoveParams {
  did: string;
}

export type SyncRemotesResult = RemoteServerStatus[];

export interface SyncAttachParams {
  /** `https://…` or `http://…`. */
  url: string;
  /** URIs of the protocols that count. Empty: all, and what belongs to none. */
  protocols?: string[];
  /** DIDs whose messages go there and come from there. Empty: this node's own. */
  tenants?: string[];
}

export interface SyncDetachParams {
  url: string;
}

export interface AnchorStandingParams {
  /** recordId, message CID or data CID. */
  id: string;
}

export interface AnchorUnsignedParams {
  batch: number;
}

export interface AnchorSignedParams {
  /** Base64, as wallets exchange it (BIP 174). */
  psbt: string;
}

export interface AnchorProofParams {
  /**
   * recordId (its newest signed message with a proof), message CID, data CID (the data as a file: of data of many blocks the
   * proof is of the plain sha256 of the whole), raw CID of the sha256 of some bytes, or `audit-head`.
   */
  id: string;
  /** Of a record the first message with a proof, not the newest. */
  first?: boolean;
}

export interface AnchorAuditParams {
  /** From this position of the log on: `more` of an answer before. All of it, if not given. */
  from?: number | null;
  /** How many names are given, of what is broken and of what waits: 100 if not given, 10,000 at most. */
  names?: number | null;
}

export interface AnchorStampParams {
  /** Of the file, in hex. */
  sha256: string;
}

export interface BackupCreateParams {
  /** Absolute. */
  dir: string;
}

export interface StorageScrubParams {
  /** Bytes in a second; 0: as fast as the disk goes. */
  rate: number;
}

export interface StorageCompactParams {
  /** Share of a segment of the log, from 0 to 1, that must be able to go. */
  above: number;
  /** Bytes in a second; 0: as fast as the disk goes. */
  rate: number;
}

export type ConfigSchemaResult = Json;

export interface ConfigSetParams {
  /** `section.key`, such as `log.level`. */
  key: string;
  /** A text, number, flag or list; or text that means one. */
  value: Json;
}

export type TenantsListResult = Tenant[];

export interface TenantsRemoveParams {
  did: string;
}

export interface TokensCreateParams {
  /** Seconds that it is good for: a day if not given. */
  expiresIn?: number | null;
  /** What it is for, as its owner will know it again. */
  name?: string;
  /** It is good until it is revoked. On the control socket only. */
  neverExpires?: boolean;
  /** Used by pages of this origin alone. */
  origin?: Origin | null;
  /** Records of these protocols alone. */
  protocols?: string[];
  /** Calls a minute: 600 if not given. */
  rate?: number | null;
  scopes?: Scopes;
  /** Records and signatures of this tenant alone. */
  tenant?: string | null;
}

export type TokensListResult = Listed[];

export interface TokensRevokeParams {
  /** As tokens.list shows it. */
  id: string;
}

export interface PairRequestParams {
  /** What the wallet is called. */
  name: string;
  scopes: Scopes;
  /** Its page's origin; without one, it is no page. */
  origin?: Origin | null;
}

export interface PairPollParams {
  id: string;
  /** As pair.request gave it. */
  secret: string;
}

export type PairListResult = Pairing[];

export interface PairApproveParams {
  /** Six digits, as the wallet shows them. */
  code: string;
  /** Seconds that its token is good for: a day if not given. */
  expiresIn?: number | null;
  /** Which one it is, where several wait. */
  id?: string | null;
}

export interface PairRejectParams {
  id: string;
}

export interface AuditListParams {
  /** 100 if not given, 1000 at most. */
  limit?: number | null;
  /** From this moment on (RFC 3339). */
  since?: string | null;
  /** What happened: `token.made`, or all of `token`. */
  what?: string | null;
}

export type AuditListResult = Entry[];

/** What each method takes and gives. */
export interface Methods {
  "rpc.discover": { params: Record<string, never>; result: RpcDiscoverResult };
  "rpc.authenticate": { params: RpcAuthenticateParams; result: Authenticated };
  "rpc.unsubscribe": { params: RpcUnsubscribeParams; result: SubscriptionEnded };
  "node.id": { params: Record<string, never>; result: NodeIdentity };
  "node.status": { params: Record<string, never>; result: NodeStatus };
  "node.health": { params: Record<string, never>; result: Health };
  "node.events": { params: Record<string, never>; result: Subscribed };
  "identity.list": { params: Record<string, never>; result: IdentityListResult };
  "identity.show": { params: IdentityShowParams; result: Shown };
  "identity.create": { params: IdentityCreateParams; result: Shown };
  "identity.use": { params: IdentityUseParams; result: Shown };
  "identity.rotate": { params: IdentityRotateParams; result: Shown };
  "identity.sign": { params: IdentitySignParams; result: Signed };
  "identity.exported": { params: IdentityExportedParams; result: Shown };
  "identity.sealing": { params: Record<string, never>; result: SealingKey };
  "identity.lock": { params: Record<string, never>; result: KeysLocked };
  "identity.unlock": { params: IdentityUnlockParams; result: KeysLocked };
  "node.jobs": { params: Record<string, never>; result: NodeJobsResult };
  "protocols.install": { params: ProtocolsInstallParams; result: ProtocolInstalled };
  "protocols.list": { params: ProtocolsListParams; result: ProtocolsListResult };
  "protocols.show": { params: ProtocolsShowParams; result: ProtocolDefinition };
  "protocols.check": { params: ProtocolsCheckParams; result: ProtocolVerdict };
  "protocols.diff": { params: ProtocolsDiffParams; result: ProtocolDifferences };
  "protocols.shipped": { params: Record<string, never>; result: ProtocolsShippedResult };
  "policies.set": { params: PoliciesSetParams; result: PolicySet };
  "policies.list": { params: PoliciesListParams; result: PoliciesListResult };
  "policies.remove": { params: PoliciesRemoveParams; result: PolicyRemoved };
  "protocols.remove": { params: ProtocolsRemoveParams; result: ProtocolRemoved };
  "grants.request": { params: GrantsRequestParams; result: GrantRequested };
  "grants.create": { params: GrantsCreateParams; result: GrantCreated };
  "grants.list": { params: GrantsListParams; result: GrantPage };
  "grants.revoke": { params: GrantsRevokeParams; result: Grant };
  "grants.give": { params: GrantsGiveParams; result: GrantsGiven };
  "grants.withdraw": { params: GrantsWithdrawParams; result: GrantsWithdrawResult };
  "devices.list": { params: Record<string, never>; result: DevicesListResult };
  "devices.offer": { params: DevicesOfferParams; result: Offered };
  "devices.offered": { params: DevicesOfferedParams; result: OfferStatus };
  "devices.decide": { params: DevicesDecideParams; result: OfferStatus };
  "devices.withdraw": { params: Record<string, never>; result: OfferWithdrawn };
  "devices.join": { params: DevicesJoinParams; result: JoiningStatus };
  "devices.joining": { params: DevicesJoiningParams; result: JoiningStatus };
  "devices.leave": { params: Record<string, never>; result: JoiningLeft };
  "devices.rename": { params: DevicesRenameParams; result: Device };
  "devices.remove": { params: DevicesRemoveParams; result: Device };
  "friends.add": { params: FriendsAddParams; result: FriendAdded };
  "friends.list": { params: Record<string, never>; result: FriendsListResult };
  "friends.remove": { params: FriendsRemoveParams; result: FriendRemoved };
  "grants.explain": { params: GrantsExplainParams; result: AccessExplained };
  "records.query": { params: RecordsQueryParams; result: Page };
  "records.count": { params: RecordsCountParams; result: Counted };
  "records.explain": { params: RecordsExplainParams; result: Explanation };
  "records.read": { params: RecordsReadParams; result: OneRecord };
  "records.history": { params: RecordsHistoryParams; result: Versions };
  "records.write": { params: RecordsWriteParams; result: Outcome };
  "records.delete": { params: RecordsDeleteParams; result: Deleted };
  "records.subscribe": { params: RecordsSubscribeParams; result: Subscribed };
  "conflicts.list": { params: Record<string, never>; result: ConflictsListResult };
  "conflicts.show": { params: ConflictsShowParams; result: ConflictShown };
  "conflicts.keep": { params: ConflictsKeepParams; result: Written };
  "conflicts.remove": { params: ConflictsRemoveParams; result: ConflictRemoved };
  "rgb.assetExists": { params: RgbAssetExistsParams; result: RgbAssetExists };
  "rgb.storeAsset": { params: RgbStoreAssetParams; result: RgbStored };
  "rgb.queryAssets": { params: RgbQueryAssetsParams; result: RgbAssets };
  "rgb.getAssetMetadata": { params: RgbGetAssetMetadataParams; result: RgbDescribedAsset };
  "rgb.storeTransfer": { params: RgbStoreTransferParams; result: RgbStored };
  "rgb.getTransferStatus": { params: RgbGetTransferStatusParams; result: RgbTransferTold };
  "rgb.validateTransfer": { params: RgbValidateTransferParams; result: RgbVerdict };
  "rgb.conflicts": { params: RgbConflictsParams; result: RgbConflictsResult };
  "rgb.getAssetBalance": { params: RgbGetAssetBalanceParams; result: RgbBalance };
  "rgb.updateBalance": { params: RgbUpdateBalanceParams; result: RgbStored };
  "rgb.storeInvoice": { params: RgbStoreInvoiceParams; result: RgbStored };
  "rgb.getAssetHistory": { params: RgbGetAssetHistoryParams; result: RgbHistory };
  "rgb.storeHistoryEntry": { params: RgbStoreHistoryEntryParams; result: RgbStored };
  "blocks.add": { params: BlocksAddParams; result: ContentOutcome };
  "blocks.get": { params: BlocksGetParams; result: FileContent };
  "blocks.stat": { params: BlocksStatParams; result: Standing };
  "pins.list": { params: Record<string, never>; result: PinsListResult };
  "pins.add": { params: PinsAddParams; result: Pinned };
  "pins.remove": { params: PinsRemoveParams; result: Unpinned };
  "sync.peers": { params: Record<string, never>; result: SyncPeersResult };
  "sync.status": { params: Record<string, never>; result: SyncStatusResult };
  "sync.why": { params: SyncWhyParams; result: SyncWhyResult };
  "sync.now": { params: Record<string, never>; result: DevicesAsked };
  "sync.pause": { params: Record<string, never>; result: SyncPaused };
  "sync.resume": { params: Record<string, never>; result: SyncPaused };
  "sync.add": { params: SyncAddParams; result: Peer };
  "sync.remove": { params: SyncRemoveParams; result: PeerRemoved };
  "sync.remotes": { params: Record<string, never>; result: SyncRemotesResult };
  "sync.attach": { params: SyncAttachParams; result: RemoteServer };
  "sync.detach": { params: SyncDetachParams; result: RemoteServer };
  "anchor.now": { params: Record<string, never>; result: AnchorNow };
  "anchor.status": { params: Record<string, never>; result: AnchorStatus };
  "anchor.standing": { params: AnchorStandingParams; result: AnchorStanding };
  "anchor.unsigned": { params: AnchorUnsignedParams; result: AnchorUnsigned };
  "anchor.signed": { params: AnchorSignedParams; result: AnchorBatch };
  "anchor.proof": { params: AnchorProofParams; result: AnchorProof };
  "anchor.audit": { params: AnchorAuditParams; result: AnchorAudit };
  "anchor.stamp": { params: AnchorStampParams; result: AnchorTaken };
  "anchor.rebuild": { params: Record<string, never>; result: AnchorRebuilt };
  "backup.create": { params: BackupCreateParams; result: Snapshot };
  "storage.du": { params: Record<string, never>; result: Footprint };
  "storage.gc": { params: Record<string, never>; result: Collected };
  "storage.scrub": { params: StorageScrubParams; result: Scrubbed };
  "storage.compact": { params: StorageCompactParams; result: Compaction };
  "config.get": { params: Record<string, never>; result: InForce };
  "config.schema": { params: Record<string, never>; result: ConfigSchemaResult };
  "config.set": { params: ConfigSetParams; result: SettingChanged };
  "tenants.list": { params: Record<string, never>; result: TenantsListResult };
  "tenants.remove": { params: TenantsRemoveParams; result: TenantRemoved };
  "tokens.create": { params: TokensCreateParams; result: Created };
  "tokens.list": { params: Record<string, never>; result: TokensListResult };
  "tokens.revoke": { params: TokensRevokeParams; result: Token };
  "pair.request": { params: PairRequestParams; result: PairingAsked };
  "pair.poll": { params: PairPollParams; result: Created };
  "pair.list": { params: Record<string, never>; result: PairListResult };
  "pair.approve": { params: PairApproveParams; result: Pairing };
  "pair.reject": { params: PairRejectParams; result: Pairing };
  "audit.list": { params: AuditListParams; result: AuditListResult };
  "audit.verify": { params: Record<string, never>; result: Report };
}

export type MethodName = keyof Methods;

/** What a caller must be allowed, and from where: "socket" is for the node's Unix socket alone. */
export const METHODS: { readonly [name in MethodName]: { readonly scope: string; readonly from: "anywhere" | "socket" } } = {
  "rpc.discover": { scope: "info", from: "anywhere" },
  "rpc.authenticate": { scope: "any token", from: "anywhere" },
  "rpc.unsubscribe": { scope: "any token", from: "anywhere" },
  "node.id": { scope: "info", from: "anywhere" },
  "node.status": { scope: "info", from: "anywhere" },
  "node.health": { scope: "info", from: "anywhere" },
  "node.events": { scope: "info", from: "anywhere" },
  "identity.list": { scope: "info", from: "anywhere" },
  "identity.show": { scope: "info", from: "anywhere" },
  "identity.create": { scope: "admin", from: "socket" },
  "identity.use": { scope: "admin", from: "socket" },
  "identity.rotate": { scope: "admin", from: "socket" },
  "identity.sign": { scope: "any token", from: "anywhere" },
  "identity.exported": { scope: "admin", from: "socket" },
  "identity.sealing": { scope: "admin", from: "socket" },
  "identity.lock": { scope: "admin", from: "socket" },
  "identity.unlock": { scope: "admin", from: "socket" },
  "node.jobs": { scope: "info", from: "anywhere" },
  "protocols.install": { scope: "records:write", from: "anywhere" },
  "protocols.list": { scope: "records:read", from: "anywhere" },
  "protocols.show": { scope: "records:read", from: "anywhere" },
  "protocols.check": { scope: "records:read", from: "anywhere" },
  "protocols.diff": { scope: "records:read", from: "anywhere" },
  "protocols.shipped": { scope: "records:read", from: "anywhere" },
  "policies.set": { scope: "records:write", from: "anywhere" },
  "policies.list": { scope: "records:read", from: "anywhere" },
  "policies.remove": { scope: "records:write", from: "anywhere" },
  "protocols.remove": { scope: "records:write", from: "anywhere" },
  "grants.request": { scope: "records:write", from: "anywhere" },
  "grants.create": { scope: "identity:sign:grant", from: "anywhere" },
  "grants.list": { scope: "records:read", from: "anywhere" },
  "grants.revoke": { scope: "identity:sign:grant", from: "anywhere" },
  "grants.give": { scope: "identity:sign:grant", from: "anywhere" },
  "grants.withdraw": { scope: "identity:sign:grant", from: "anywhere" },
  "devices.list": { scope: "sync", from: "anywhere" },
  "devices.offer": { scope: "sync", from: "socket" },
  "devices.offered": { scope: "sync", from: "socket" },
  "devices.decide": { scope: "sync", from: "socket" },
  "devices.withdraw": { scope: "sync", from: "socket" },
  "devices.join": { scope: "sync", from: "socket" },
  "devices.joining": { scope: "sync", from: "socket" },
  "devices.leave": { scope: "sync", from: "socket" },
  "devices.rename": { scope: "sync", from: "socket" },
  "devices.remove": { scope: "sync", from: "socket" },
  "friends.add": { scope: "sync", from: "socket" },
  "friends.list": { scope: "sync", from: "anywhere" },
  "friends.remove": { scope: "sync", from: "socket" },
  "grants.explain": { scope: "records:read", from: "anywhere" },
  "records.query": { scope: "records:read", from: "anywhere" },
  "records.count": { scope: "records:read", from: "anywhere" },
  "records.explain": { scope: "records:read", from: "anywhere" },
  "records.read": { scope: "records:read", from: "anywhere" },
  "records.history": { scope: "records:read", from: "anywhere" },
  "records.write": { scope: "records:write", from: "anywhere" },
  "records.delete": { scope: "records:write", from: "anywhere" },
  "records.subscribe": { scope: "records:read", from: "anywhere" },
  "conflicts.list": { scope: "records:read", from: "anywhere" },
  "conflicts.show": { scope: "records:read", from: "anywhere" },
  "conflicts.keep": { scope: "records:write", from: "anywhere" },
  "conflicts.remove": { scope: "records:write", from: "anywhere" },
  "rgb.assetExists": { scope: "records:read", from: "anywhere" },
  "rgb.storeAsset": { scope: "records:write", from: "anywhere" },
  "rgb.queryAssets": { scope: "records:read", from: "anywhere" },
  "rgb.getAssetMetadata": { scope: "records:read", from: "anywhere" },
  "rgb.storeTransfer": { scope: "records:write", from: "anywhere" },
  "rgb.getTransferStatus": { scope: "records:read", from: "anywhere" },
  "rgb.validateTransfer": { scope: "records:read", from: "anywhere" },
  "rgb.conflicts": { scope: "records:read", from: "anywhere" },
  "rgb.getAssetBalance": { scope: "records:read", from: "anywhere" },
  "rgb.updateBalance": { scope: "records:write", from: "anywhere" },
  "rgb.storeInvoice": { scope: "records:write", from: "anywhere" },
  "rgb.getAssetHistory": { scope: "records:read", from: "anywhere" },
  "rgb.storeHistoryEntry": { scope: "records:write", from: "anywhere" },
  "blocks.add": { scope: "blocks:write", from: "anywhere" },
  "blocks.get": { scope: "blocks:read", from: "anywhere" },
  "blocks.stat": { scope: "blocks:read", from: "anywhere" },
  "pins.list": { scope: "pins", from: "anywhere" },
  "pins.add": { scope: "pins", from: "anywhere" },
  "pins.remove": { scope: "pins", from: "anywhere" },
  "sync.peers": { scope: "sync", from: "anywhere" },
  "sync.status": { scope: "sync", from: "anywhere" },
  "sync.why": { scope: "sync", from: "anywhere" },
  "sync.now": { scope: "sync", from: "anywhere" },
  "sync.pause": { scope: "sync", from: "anywhere" },
  "sync.resume": { scope: "sync", from: "anywhere" },
  "sync.add": { scope: "sync", from: "socket" },
  "sync.remove": { scope: "sync", from: "anywhere" },
  "sync.remotes": { scope: "sync", from: "anywhere" },
  "sync.attach": { scope: "sync", from: "socket" },
  "sync.detach": { scope: "sync", from: "anywhere" },
  "anchor.now": { scope: "anchor", from: "anywhere" },
  "anchor.status": { scope: "anchor", from: "anywhere" },
  "anchor.standing": { scope: "anchor", from: "anywhere" },
  "anchor.unsigned": { scope: "anchor", from: "anywhere" },
  "anchor.signed": { scope: "anchor", from: "anywhere" },
  "anchor.proof": { scope: "anchor", from: "anywhere" },
  "anchor.audit": { scope: "anchor", from: "anywhere" },
  "anchor.stamp": { scope: "anchor", from: "anywhere" },
  "anchor.rebuild": { scope: "anchor", from: "anywhere" },
  "backup.create": { scope: "backup", from: "socket" },
  "storage.du": { scope: "admin", from: "anywhere" },
  "storage.gc": { scope: "admin", from: "anywhere" },
  "storage.scrub": { scope: "admin", from: "anywhere" },
  "storage.compact": { scope: "admin", from: "anywhere" },
  "config.get": { scope: "admin", from: "anywhere" },
  "config.schema": { scope: "info", from: "anywhere" },
  "config.set": { scope: "admin", from: "socket" },
  "tenants.list": { scope: "admin", from: "anywhere" },
  "tenants.remove": { scope: "admin", from: "anywhere" },
  "tokens.create": { scope: "any token", from: "anywhere" },
  "tokens.list": { scope: "any token", from: "anywhere" },
  "tokens.revoke": { scope: "any token", from: "anywhere" },
  "pair.request": { scope: "no token", from: "anywhere" },
  "pair.poll": { scope: "no token", from: "anywhere" },
  "pair.list": { scope: "admin", from: "anywhere" },
  "pair.approve": { scope: "admin", from: "anywhere" },
  "pair.reject": { scope: "admin", from: "anywhere" },
  "audit.list": { scope: "admin", from: "anywhere" },
  "audit.verify": { scope: "admin", from: "anywhere" },
};

/** Each method as a function of its group: `node.records.write({ … })`. */
export abstract class Groups {
  /** Calls a method by its name. */
  abstract call<M extends MethodName>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]>;

  readonly rpc = {
    /** Give the OpenRPC document of all methods. Scope: info. */
    discover: () => this.call("rpc.discover", {}),
    /** Show a token: the first call on a WebSocket. Over HTTP the token comes with each request. Scope: any token. */
    authenticate: (params: RpcAuthenticateParams) => this.call("rpc.authenticate", params),
    /** End a subscription of this WebSocket. Scope: any token. */
    unsubscribe: (params: RpcUnsubscribeParams) => this.call("rpc.unsubscribe", params),
  };

  readonly node = {
    /** Say who this node is and where it is reached. Scope: info. */
    id: () => this.call("node.id", {}),
    /** Say how this node does. Scope: info. */
    status: () => this.call("node.status", {}),
    /** Say whether all is well, and if not, what is wrong. Scope: info. */
    health: () => this.call("node.health", {}),
    /** Be told how the node does, now and whenever that changes, by notifications (over a WebSocket alone). Scope: info. */
    events: () => this.call("node.events", {}),
    /** List the jobs: what each waits for, its last error and when it runs next. Scope: info. */
    jobs: () => this.call("node.jobs", {}),
  };

  readonly identity = {
    /** List the identities of this node. Scope: info. */
    list: () => this.call("identity.list", {}),
    /** Show one identity of this node: without a DID, the one that the node itself is. Scope: info. */
    show: (params: IdentityShowParams = {}) => this.call("identity.show", params),
    /** Add an identity: a new did:key or did:jwk, or one whose keys are handed over sealed. Scope: admin, over the socket alone. */
    create: (params: IdentityCreateParams = {}) => this.call("identity.create", params),
    /** Let the node itself be this identity, from its next start on. Scope: admin, over the socket alone. */
    use: (params: IdentityUseParams) => this.call("identity.use", params),
    /** Let a next key sign for a did:dht; what the one before has signed still verifies. Scope: admin, over the socket alone. */
    rotate: (params: IdentityRotateParams) => this.call("identity.rotate", params),
    /** Sign a DWN message, a credential or a login with an identity of this node. Scope: any token. */
    sign: (params: IdentitySignParams) => this.call("identity.sign", params),
    /** Write down in the audit log that the owner takes an identity out; gives no key. Scope: admin, over the socket alone. */
    exported: (params: IdentityExportedParams = {}) => this.call("identity.exported", params),
    /** Give a key, good for one use within a minute, to seal to what is handed over. Scope: admin, over the socket alone. */
    sealing: () => this.call("identity.sealing", {}),
    /** Wipe the keys that sign from memory; reading goes on. Scope: admin, over the socket alone. */
    lock: () => this.call("identity.lock", {}),
    /** Bring the keys that sign back into memory. Scope: admin, over the socket alone. */
    unlock: (params: IdentityUnlockParams = {}) => this.call("identity.unlock", params),
  };

  readonly protocols = {
    /** Install a protocol, or a newer definition of it. Scope: records:write. */
    install: (params: ProtocolsInstallParams) => this.call("protocols.install", params),
    /** List the protocols that are installed, of those that the caller may read. Scope: records:read. */
    list: (params: ProtocolsListParams = {}) => this.call("protocols.list", params),
    /** Show the definition of a protocol that is installed. Scope: records:read. */
    show: (params: ProtocolsShowParams) => this.call("protocols.show", params),
    /** Say what stands against a definition, without installing it. Scope: records:read. */
    check: (params: ProtocolsCheckParams) => this.call("protocols.check", params),
    /** Say what a newer definition allows and forbids, and which records that are here it would refuse. Scope: records:read. */
    diff: (params: ProtocolsDiffParams) => this.call("protocols.diff", params),
    /** List the protocols that come with toft, with their definitions, to be installed or read. Scope: records:read. */
    shipped: () => this.call("protocols.shipped", {}),
    /** Take a protocol out of use: a definition that allows nothing takes its place. Its records stay, or are deleted. Scope: records:write. */
    remove: (params: ProtocolsRemoveParams) => this.call("protocols.remove", params),
  };

  readonly policies = {
    /** Set the policy of a protocol, or only say which records that are here it would not take. Scope: records:write. */
    set: (params: PoliciesSetParams) => this.call("policies.set", params),
    /** List the policies that the node follows, of the protocols that the caller may read. Scope: records:read. */
    list: (params: PoliciesListParams = {}) => this.call("policies.list", params),
    /** Ask no more of the records of a protocol than the protocol does. Scope: records:write. */
    remove: (params: PoliciesRemoveParams) => this.call("policies.remove", params),
  };

  readonly grants = {
    /** Ask somebody for a grant, in a record that is signed by an identity of this node. Scope: records:write. */
    request: (params: GrantsRequestParams) => this.call("grants.request", params),
    /** Let somebody do something with the records of an identity of this node, until a date. Scope: identity:sign:grant. */
    create: (params: GrantsCreateParams) => this.call("grants.create", params),
    /** List the grants that an identity of this node has given, the newest first. Scope: records:read. */
    list: (params: GrantsListParams = {}) => this.call("grants.list", params),
    /** End a grant from now on. One that is revoked already stays as it is. Scope: identity:sign:grant. */
    revoke: (params: GrantsRevokeParams) => this.call("grants.revoke", params),
    /** Give a device of an identity the grants that it lacks, so that it reads and writes in the identity's name under each protocol that is installed. Scope: identity:sign:grant. */
    give: (params: GrantsGiveParams) => this.call("grants.give", params),
    /** Revoke all grants in force that an identity of this node has given a device. Scope: identity:sign:grant. */
    withdraw: (params: GrantsWithdrawParams) => this.call("grants.withdraw", params),
    /** Say who may read and write a record, or the records at a path of a protocol, and why. Scope: records:read. */
    explain: (params: GrantsExplainParams = {}) => this.call("grants.explain", params),
  };

  readonly devices = {
    /** List the owner's devices, this one first. Scope: sync. */
    list: () => this.call("devices.list", {}),
    /** Offer one device to come in: a code for ten minutes, in place of the one before. Scope: sync, over the socket alone. */
    offer: (params: DevicesOfferParams = {}) => this.call("devices.offer", params),
    /** Say how the offer stands, or how it does as soon as that is something else. Scope: sync, over the socket alone. */
    offered: (params: DevicesOfferedParams = {}) => this.call("devices.offered", params),
    /** Let in the device that shows these six digits; without digits, turn it away. Scope: sync, over the socket alone. */
    decide: (params: DevicesDecideParams = {}) => this.call("devices.decide", params),
    /** End the offer. Scope: sync, over the socket alone. */
    withdraw: () => this.call("devices.withdraw", {}),
    /** Go to the device that made an offer: its owner compares six digits and lets this one in. Scope: sync, over the socket alone. */
    join: (params: DevicesJoinParams) => this.call("devices.join", params),
    /** Say how joining stands, or how it does as soon as that is something else. Scope: sync, over the socket alone. */
    joining: (params: DevicesJoiningParams = {}) => this.call("devices.joining", params),
    /** Give up joining: this device waits to be let in no more. Scope: sync, over the socket alone. */
    leave: () => this.call("devices.leave", {}),
    /** Call a device something else. Scope: sync, over the socket alone. */
    rename: (params: DevicesRenameParams) => this.call("devices.rename", params),
    /** A device is none any more: what it has it keeps, and nothing more goes there. Scope: sync, over the socket alone. */
    remove: (params: DevicesRemoveParams) => this.call("devices.remove", params),
  };

  readonly friends = {
    /** Share with a friend's node: it gets what grants and protocol rules let the friend read, and this node keeps a copy of what it may read there. Scope: sync, over the socket alone. */
    add: (params: FriendsAddParams) => this.call("friends.add", params),
    /** List the friends, how their nodes stand, and what grants they have. Scope: sync. */
    list: () => this.call("friends.list", {}),
    /** Share nothing with a friend's node any more, and revoke their grants. What it has it keeps. Scope: sync, over the socket alone. */
    remove: (params: FriendsRemoveParams) => this.call("friends.remove", params),
  };

  readonly records = {
    /** Look for records: the newest state of each that meets a filter. Scope: records:read. */
    query: (params: RecordsQueryParams = {}) => this.call("records.query", params),
    /** Count the records that meet a filter. Scope: records:read. */
    count: (params: RecordsCountParams = {}) => this.call("records.count", params),
    /** Say how the store would answer a query: what it would look at, and did. Scope: records:read. */
    explain: (params: RecordsExplainParams = {}) => this.call("records.explain", params),
    /** Give a record with its data; large data by a one-time address. Scope: records:read. */
    read: (params: RecordsReadParams) => this.call("records.read", params),
    /** List the states of a record that are still known, the newest first. Scope: records:read. */
    history: (params: RecordsHistoryParams) => this.call("records.history", params),
    /** Write a record, or a new state of one: the node makes the message, signs and judges it. Scope: records:write. */
    write: (params: RecordsWriteParams = {}) => this.call("records.write", params),
    /** End a record: its data goes, and that it was here stays. Scope: records:write. */
    delete: (params: RecordsDeleteParams) => this.call("records.delete", params),
    /** Be told of each change of records that meet a filter, by notifications (over a WebSocket alone). Scope: records:read. */
    subscribe: (params: RecordsSubscribeParams = {}) => this.call("records.subscribe", params),
  };

  readonly conflicts = {
    /** List the edits made here that another device's took the place of without knowing them, the oldest first. Scope: records:read. */
    list: () => this.call("conflicts.list", {}),
    /** Give both sides of a conflict, what differs, and an address for the data of what lost. Scope: records:read. */
    show: (params: ConflictsShowParams) => this.call("conflicts.show", params),
    /** Write what lost once more, as a new state of its record, signed by who keeps it. Scope: records:write. */
    keep: (params: ConflictsKeepParams) => this.call("conflicts.keep", params),
    /** Let go of what lost: what won stays. Scope: records:write. */
    remove: (params: ConflictsRemoveParams) => this.call("conflicts.remove", params),
  };

  readonly rgb = {
    /** Say whether an RGB asset is kept here. Scope: records:read. */
    assetExists: (params: RgbAssetExistsParams) => this.call("rgb.assetExists", params),
    /** Store an RGB asset, with what else is known of it. One that is kept already is told again. Scope: records:write. */
    storeAsset: (params: RgbStoreAssetParams) => this.call("rgb.storeAsset", params),
    /** Look for RGB assets, the newest first. Scope: records:read. */
    queryAssets: (params: RgbQueryAssetsParams = {}) => this.call("rgb.queryAssets", params),
    /** Give an RGB asset with what else is known of it. Scope: records:read. */
    getAssetMetadata: (params: RgbGetAssetMetadataParams) => this.call("rgb.getAssetMetadata", params),
    /** Store a transfer of an RGB asset, or a new state of one: of those that spend one coin, the first is taken. Scope: records:write. */
    storeTransfer: (params: RgbStoreTransferParams) => this.call("rgb.storeTransfer", params),
    /** Say how a transfer stands, and with which one it is in conflict if it is. Scope: records:read. */
    getTransferStatus: (params: RgbGetTransferStatusParams) => this.call("rgb.getTransferStatus", params),
    /** Ask the validator that is set (hooks.rgb_validator) whether the consignment of a transfer is good. Scope: records:read. */
    validateTransfer: (params: RgbValidateTransferParams = {}) => this.call("rgb.validateTransfer", params),
    /** List transfers that do not count, for another one that was begun before spends a coin of theirs. Scope: records:read. */
    conflicts: (params: RgbConflictsParams = {}) => this.call("rgb.conflicts", params),
    /** Say what is held of an RGB asset, by its transfers as they are now. Scope: records:read. */
    getAssetBalance: (params: RgbGetAssetBalanceParams) => this.call("rgb.getAssetBalance", params),
    /** Note what is held of an RGB asset, if its transfers say the same; else say by how much they differ. Scope: records:write. */
    updateBalance: (params: RgbUpdateBalanceParams) => this.call("rgb.updateBalance", params),
    /** Store an invoice for an RGB asset, or a new state of one. Scope: records:write. */
    storeInvoice: (params: RgbStoreInvoiceParams) => this.call("rgb.storeInvoice", params),
    /** List what happened to an RGB asset: its transfers as they stand, and what was noted; the newest first. Scope: records:read. */
    getAssetHistory: (params: RgbGetAssetHistoryParams) => this.call("rgb.getAssetHistory", params),
    /** Note what happened to an RGB asset, beside what its transfers say. Scope: records:write. */
    storeHistoryEntry: (params: RgbStoreHistoryEntryParams) => this.call("rgb.storeHistoryEntry", params),
  };

  readonly blocks = {
    /** Keep data as a record of the node's own tenant, under its CID. Scope: blocks:write. */
    add: (params: BlocksAddParams = {}) => this.call("blocks.add", params),
    /** Give the file under a CID, from here or from the network; a large one by a one-time address. Scope: blocks:read. */
    get: (params: BlocksGetParams) => this.call("blocks.get", params),
    /** Say what of the data under a CID is here, and what holds it. Scope: blocks:read. */
    stat: (params: BlocksStatParams) => this.call("blocks.stat", params),
  };

  readonly pins = {
    /** List the pins, as CIDs. Scope: pins. */
    list: () => this.call("pins.list", {}),
    /** Keep the data under a CID, whatever becomes of its records. Scope: pins. */
    add: (params: PinsAddParams) => this.call("pins.add", params),
    /** Keep the data under a CID only as long as a record holds it. Scope: pins. */
    remove: (params: PinsRemoveParams) => this.call("pins.remove", params),
  };

  readonly sync = {
    /** List the devices and friends' nodes and how they stand. Scope: sync. */
    peers: () => this.call("sync.peers", {}),
    /** Show how each device stands, protocol by protocol, and what was put aside. Scope: sync. */
    status: () => this.call("sync.status", {}),
    /** Say of each device whether it has a record, and if not, why. Scope: sync. */
    why: (params: SyncWhyParams) => this.call("sync.why", params),
    /** Compare with all devices that are connected, and with all DWN servers, at once. Scope: sync. */
    now: () => this.call("sync.now", {}),
    /** Send nothing to devices and DWN servers and take nothing from them, until sync.resume. Scope: sync. */
    pause: () => this.call("sync.pause", {}),
    /** Keep in step with devices and DWN servers again. Scope: sync. */
    resume: () => this.call("sync.resume", {}),
    /** Keep in step with a device, or change what is shared with it. Scope: sync, over the socket alone. */
    add: (params: SyncAddParams) => this.call("sync.add", params),
    /** Forget a device. Scope: sync. */
    remove: (params: SyncRemoveParams) => this.call("sync.remove", params),
    /** List the DWN servers that are kept in step with, and how they stand. Scope: sync. */
    remotes: () => this.call("sync.remotes", {}),
    /** Keep in step with a DWN server, or change what is kept in step with it. Scope: sync, over the socket alone. */
    attach: (params: SyncAttachParams) => this.call("sync.attach", params),
    /** Keep in step with a DWN server no more: what it has it keeps. Scope: sync. */
    detach: (params: SyncDetachParams) => this.call("sync.detach", params),
  };

  readonly anchor = {
    /** Anchor everything new, without waiting for its time. Scope: anchor. */
    now: () => this.call("anchor.now", {}),
    /** Say what is queued, on its way and confirmed. Scope: anchor. */
    status: () => this.call("anchor.status", {}),
    /** Say how the proof of one record, message or data stands. Scope: anchor. */
    standing: (params: AnchorStandingParams) => this.call("anchor.standing", params),
    /** Give the transaction of a batch that waits for a signature, in mode "psbt". Scope: anchor. */
    unsigned: (params: AnchorUnsignedParams) => this.call("anchor.unsigned", params),
    /** Take back a transaction that was signed elsewhere, and send it. Scope: anchor. */
    signed: (params: AnchorSignedParams) => this.call("anchor.signed", params),
    /** Make the OpenTimestamps proof of a record, a message or data. Scope: anchor. */
    proof: (params: AnchorProofParams) => this.call("anchor.proof", params),
    /** Say of all messages, data and files how many are queued, pending, proven and broken, and which ones. Scope: anchor. */
    audit: (params: AnchorAuditParams = {}) => this.call("anchor.audit", params),
    /** Let the hash of a file that is not kept into the next batch; durable when this is answered. Scope: anchor. */
    stamp: (params: AnchorStampParams) => this.call("anchor.stamp", params),
    /** Find lost proofs again: in records, in the log and in the chain. What has none then waits for a batch. Scope: anchor. */
    rebuild: () => this.call("anchor.rebuild", {}),
  };

  readonly backup = {
    /** Add a snapshot of the home to a backup. Scope: backup, over the socket alone. */
    create: (params: BackupCreateParams) => this.call("backup.create", params),
  };

  readonly storage = {
    /** Say what takes how much. Scope: admin. */
    du: () => this.call("storage.du", {}),
    /** Take away blocks that no record and no pin needs. Scope: admin. */
    gc: () => this.call("storage.gc", {}),
    /** Read everything, check every hash, and fetch damaged blocks anew from peers. Scope: admin. */
    scrub: (params: StorageScrubParams) => this.call("storage.scrub", params),
    /** Take out of the log what it keeps of messages and data that are no more. Scope: admin. */
    compact: (params: StorageCompactParams) => this.call("storage.compact", params),
  };

  readonly config = {
    /** Give the settings that the node runs with, without passwords. Scope: admin. */
    get: () => this.call("config.get", {}),
    /** Give the JSON Schema of the settings, with what each is for and, as x-toft-effect, when it counts if it is changed. Scope: info. */
    schema: () => this.call("config.schema", {}),
    /** Change one setting in node.toml, if the file is right with it; the answer says whether it counts at once or from the next start on. Scope: admin, over the socket alone. */
    set: (params: ConfigSetParams) => this.call("config.set", params),
  };

  readonly tenants = {
    /** List who has records here, or may have. Scope: admin. */
    list: () => this.call("tenants.list", {}),
    /** Remove a tenant with its registration, its records and their data. Scope: admin. */
    remove: (params: TenantsRemoveParams) => this.call("tenants.remove", params),
  };

  readonly tokens = {
    /** Make a token: what is made with one is narrower than it, and ends with it. Scope: any token. */
    create: (params: TokensCreateParams = {}) => this.call("tokens.create", params),
    /** List tokens, and when each was used last. Scope: any token. */
    list: () => this.call("tokens.list", {}),
    /** Revoke a token and those made with it, at once: what they have open ends. Scope: any token. */
    revoke: (params: TokensRevokeParams) => this.call("tokens.revoke", params),
  };

  readonly pair = {
    /** Ask the node's owner for a token: show the code, and fetch the token with pair.poll. Scope: no token. */
    request: (params: PairRequestParams) => this.call("pair.request", params),
    /** Fetch the token that the owner has given; once. Until then, pending. Scope: no token. */
    poll: (params: PairPollParams) => this.call("pair.poll", params),
    /** List the wallets that wait for the owner. Scope: admin. */
    list: () => this.call("pair.list", {}),
    /** Let in the wallet that shows this code. Scope: admin. */
    approve: (params: PairApproveParams) => this.call("pair.approve", params),
    /** Do not let a wallet in that waits. Scope: admin. */
    reject: (params: PairRejectParams) => this.call("pair.reject", params),
  };

  readonly audit = {
    /** Show the newest entries of the audit log, the oldest of them first. Scope: admin. */
    list: (params: AuditListParams = {}) => this.call("audit.list", params),
    /** Say whether the audit log is whole, and is the one whose heads the node has signed. Scope: admin. */
    verify: () => this.call("audit.verify", {}),
  };
}
