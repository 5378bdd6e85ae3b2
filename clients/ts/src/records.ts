import { fromBase64url } from "./base64url.js";
import { events } from "./events.js";
import type { Json } from "./methods.js";

/** What a tag can be. */
export type TagValue = string | number | boolean | string[] | number[];
/** Tags that have any names. */
export type Tags = { [name: string]: TagValue };
export type OtherTags = { [name: string]: TagValue | undefined };

/** Between these; at most one bound on each side. */
export interface Range<T> {
  gt?: T;
  gte?: T;
  lt?: T;
  lte?: T;
}
/** Of a tag that is a text, or a list of them. */
export type TextFilter = string | Range<string> | { startsWith: string };
/** Of a tag that is a number, or a list of them. */
export type NumberFilter = number | Range<number>;
/** Of a tag of which the protocol says no type. */
export type AnyFilter = TextFilter | NumberFilter | boolean;
export type AnyTagFilter = { [name: string]: AnyFilter | undefined };

/** contextId of the record that one stands below, or that record. */
export type Parent = string | { readonly contextId: string };
/** When: a text as `2026-11-21T09:00:00.000000Z`, or a date. */
export type Time = string | Date;
/** From the one on, and before the other. */
export interface Times {
  from?: Time;
  to?: Time;
}

/** What every new record may have beside its data. */
export interface NewRecord {
  /** DID of whom it is written to. */
  recipient?: string;
  /** May anyone read it? */
  published?: boolean;
  /** Path of a role that the writer invokes. */
  role?: string;
}
/** A record that stands below another. */
export interface Below {
  parent: Parent;
}
/** A record that gives its recipient a role. */
export interface ForSomebody {
  recipient: string;
}

/** Which records. Without anything: all there are. */
export interface Wanted<TagFilter> {
  tags?: TagFilter;
  /** Those that stand below this record. */
  parent?: Parent;
  author?: string | string[];
  recipient?: string | string[];
  published?: boolean;
  dataFormat?: string;
  created?: Times;
  updated?: Times;
  publication?: Times;
  /** Path of a role that the asker invokes. */
  role?: string;
}
/** Which records, in which order, and how many. */
export interface Query<TagFilter> extends Wanted<TagFilter> {
  sort?: "createdAscending" | "createdDescending" | "publishedAscending" | "publishedDescending";
  /** Records of a page. */
  limit?: number;
  /** Of the page before. */
  cursor?: Json;
}

/** What is to become of a record; what is not given stays. */
export interface Change<Data, Tags> {
  data?: Data;
  /** Media type of the data, if its type has several. */
  dataFormat?: string;
  /** In the place of all that it has. */
  tags?: Tags;
  published?: boolean;
  role?: string;
}

/** A RecordsWrite or a RecordsDelete, as a node tells of it. */
export interface RecordMessage {
  recordId?: string;
  contextId?: string;
  descriptor: { [name: string]: Json };
  authorization?: Json;
  encodedData?: string;
  encryption?: Json;
  initialWrite?: RecordMessage;
}

/** A message, and the first one of its record if that is another. */
export interface RecordEvent {
  message: RecordMessage;
  initialWrite?: RecordMessage;
}

/** What has been written. */
export interface WrittenRecord {
  recordId: string;
  contextId: string;
  dateCreated: string;
  messageTimestamp: string;
}

/** A record as it is to be. With `recordId`: what is not given stays. */
export interface RecordState {
  protocol: string;
  protocolPath: string;
  schema?: string;
  recordId?: string;
  dataFormat?: string;
  parentContextId?: string;
  recipient?: string;
  published?: boolean;
  tags?: Tags;
  protocolRole?: string;
}

/** How records come to a node and from it. `RpcTransport` and `DwnTransport` are two ways. */
export interface Transport {
  write(state: RecordState, data: Uint8Array | undefined): Promise<WrittenRecord>;
  /** Nothing: it is not there. */
  read(recordId: string, role: string | undefined): Promise<{ record: RecordMessage; data: Uint8Array } | undefined>;
  query(question: { filter: { [name: string]: Json }; dateSort?: string; pagination?: { limit?: number; cursor?: Json }; protocolRole?: string }): Promise<{
    entries: RecordMessage[];
    cursor?: Json;
  }>;
  delete(recordId: string, prune: boolean, role: string | undefined): Promise<void>;
  /** It has begun when this returns. */
  subscribe(filter: { [name: string]: Json }, role: string | undefined): Promise<AsyncIterableIterator<RecordEvent>>;
}

/** What the records at one path of a protocol are. */
export interface Place {
  readonly protocol: string;
  readonly path: string;
  readonly schema?: string;
  /** If its type has one. */
  readonly dataFormat?: string;
  readonly form: "json" | "bytes";
}

/** A record in its newest state. */
export class Stored<Data, Tags> {
  readonly recordId: string;
  /** Its place in the protocol: what records below it name as their parent. */
  readonly contextId: string;
  /** Who wrote this state. */
  readonly author: string;
  /** Who wrote the first one. */
  readonly creator: string;
  readonly recipient: string | undefined;
  readonly dateCreated: string;
  readonly dateUpdated: string;
  readonly published: boolean;
  readonly dataFormat: string;
  readonly dataCid: string;
  readonly dataSize: number;
  readonly tags: Tags;
  /** The newest RecordsWrite. */
  readonly message: RecordMessage;
  readonly #data: () => Promise<Data>;

  /** @internal */
  constructor(message: RecordMessage, initial: RecordMessage | undefined, data: () => Promise<Data>) {
    const { descriptor } = message;
    const text = (value: Json | undefined) => (typeof value === "string" ? value : "");
    this.recordId = text(message.recordId);
    this.contextId = text(message.contextId);
    this.author = author(message.authorization);
    this.creator = initial === undefined ? this.author : author(initial.authorization);
    this.recipient = typeof descriptor["recipient"] === "string" ? descriptor["recipient"] : undefined;
    this.dateCreated = text(descriptor["dateCreated"]);
    this.dateUpdated = text(descriptor["messageTimestamp"]);
    this.published = descriptor["published"] === true;
    this.dataFormat = text(descriptor["dataFormat"]);
    this.dataCid = text(descriptor["dataCid"]);
    this.dataSize = Number(descriptor["dataSize"] ?? 0);
    // The node has judged them by the protocol.
    this.tags = (descriptor["tags"] ?? {}) as Tags;
    this.message = message;
    this.#data = data;
  }

  /** Its data: small data is here, what is large is fetched. A node does not look at data: what others wrote may be anything. */
  data(): Promise<Data> {
    return this.#data();
  }
}

/** What has happened. */
export type RecordChange<Data, Tags> = { kind: "written"; record: Stored<Data, Tags> } | { kind: "deleted"; recordId: string };

/** The records at one path of a protocol. */
export class Records<Data, TagsOf, TagFilter, New> {
  readonly #transport: Transport;
  readonly #place: Place;

  constructor(transport: Transport, place: Place) {
    this.#transport = transport;
    this.#place = place;
  }

  create(data: Data, ...[more]: {} extends New ? [more?: New] : [more: New]): Promise<WrittenRecord> {
    const { recipient, published, role, parent, tags, dataFormat } = (more ?? {}) as NewRecord & Partial<Below> & { tags?: Tags; dataFormat?: string };
    const place = this.#place;
    const state: RecordState = { protocol: place.protocol, protocolPath: place.path, dataFormat: dataFormat ?? place.dataFormat ?? "application/octet-stream" };
    if (place.schema !== undefined) state.schema = place.schema;
    if (parent !== undefined) state.parentContextId = contextOf(parent);
    if (recipient !== undefined) state.recipient = recipient;
    if (published !== undefined) state.published = published;
    // A record has tags or none, and never no tags.
    if (tags !== undefined && Object.keys(tags).length > 0) state.tags = tags;
    if (role !== undefined) state.protocolRole = role;
    return this.#transport.write(state, this.#bytes(data));
  }

  /** Nothing: no such record is there, or it is at another place. */
  async get(recordId: string, { role }: { role?: string } = {}): Promise<Stored<Data, TagsOf> | undefined> {
    const read = await this.#transport.read(recordId, role);
    return read && this.#stored(read.record, read.record.initialWrite, role, read.data);
  }

  async query(wanted: Query<TagFilter> = {}): Promise<{ records: Stored<Data, TagsOf>[]; cursor: Json | undefined }> {
    const { sort, limit, cursor, role } = wanted;
    const page = await this.#transport.query({
      filter: this.#filter(wanted),
      ...(sort === undefined ? {} : { dateSort: sort }),
      ...(limit === undefined && cursor === undefined ? {} : { pagination: { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) } }),
      ...(role === undefined ? {} : { protocolRole: role }),
    });
    const records = page.entries.flatMap((entry) => this.#stored(entry, entry.initialWrite, role) ?? []);
    return { records, cursor: page.cursor ?? undefined };
  }

  update(record: string | { readonly recordId: string }, change: Change<Data, TagsOf>): Promise<WrittenRecord> {
    const { data, dataFormat, tags, published, role } = change;
    // It is refused if the record is at another place.
    const state: RecordState = { recordId: idOf(record), protocol: this.#place.protocol, protocolPath: this.#place.path };
    if (dataFormat !== undefined) state.dataFormat = dataFormat;
    if (tags !== undefined) state.tags = tags as Tags;
    if (published !== undefined) state.published = published;
    if (role !== undefined) state.protocolRole = role;
    return this.#transport.write(state, data === undefined ? undefined : this.#bytes(data));
  }

  /** `prune`: and all records below it. */
  delete(record: string | { readonly recordId: string }, { prune = false, role }: { prune?: boolean; role?: string } = {}): Promise<void> {
    return this.#transport.delete(idOf(record), prune, role);
  }

  /** What happens to them from now on, for `for await`. It has begun when this returns. */
  async subscribe(wanted: Wanted<TagFilter> = {}): Promise<AsyncIterableIterator<RecordChange<Data, TagsOf>, undefined>> {
    const heard = await this.#transport.subscribe(this.#filter(wanted), wanted.role);
    const next = async (): Promise<IteratorResult<RecordChange<Data, TagsOf>, undefined>> => {
      for (;;) {
        const event = await heard.next();
        if (event.done) return { done: true, value: undefined };
        const value = this.#told(event.value, wanted.role);
        if (value) return { done: false, value };
      }
    };
    return events(next, () => heard.return?.());
  }

  #told({ message, initialWrite }: RecordEvent, role: string | undefined): RecordChange<Data, TagsOf> | undefined {
    const { method, recordId } = message.descriptor;
    if (method === "Delete" && typeof recordId === "string") return { kind: "deleted", recordId };
    const record = this.#stored(message, initialWrite, role);
    return record && { kind: "written", record };
  }

  #stored(message: RecordMessage, initial: RecordMessage | undefined, role: string | undefined, read?: Uint8Array): Stored<Data, TagsOf> | undefined {
    const { protocol, protocolPath } = message.descriptor;
    if (protocol !== this.#place.protocol || protocolPath !== this.#place.path) return undefined;
    return new Stored(message, initial, async () => {
      if (read) return this.#data(read);
      // What is encrypted, a node decrypts when it is read.
      if (message.encodedData !== undefined && message.encryption === undefined) return this.#data(fromBase64url(message.encodedData));
      const fetched = await this.#transport.read(message.recordId ?? "", role);
      if (!fetched) throw new Error(`the record ${message.recordId} is no longer there`);
      return this.#data(fetched.data);
    });
  }

  #filter({ tags, parent, author, recipient, published, dataFormat, created, updated, publication }: Wanted<TagFilter>): { [name: string]: Json } {
    const filter = {
      protocol: this.#place.protocol,
      protocolPath: this.#place.path,
      tags: tags !== undefined && Object.keys(tags as object).length > 0 ? tags : undefined,
      contextId: parent === undefined ? undefined : contextOf(parent),
      author,
      recipient,
      published,
      dataFormat,
      dateCreated: times(created),
      dateUpdated: times(updated),
      datePublished: times(publication),
    };
    // Without what is not said.
    return JSON.parse(JSON.stringify(filter)) as { [name: string]: Json };
  }

  #bytes(data: Data): Uint8Array {
    return this.#place.form === "bytes" ? (data as Uint8Array) : new TextEncoder().encode(JSON.stringify(data));
  }

  #data(bytes: Uint8Array): Data {
    return (this.#place.form === "bytes" ? bytes : JSON.parse(new TextDecoder().decode(bytes))) as Data;
  }
}

const contextOf = (parent: Parent): string => (typeof parent === "string" ? parent : parent.contextId);
const idOf = (record: string | { readonly recordId: string }): string => (typeof record === "string" ? record : record.recordId);

function times(range: Times | undefined): { [bound: string]: string } | undefined {
  if (range === undefined) return undefined;
  // Dates know milliseconds, and times in messages microseconds.
  const text = (time: Time) => (typeof time === "string" ? time : time.toISOString().replace("Z", "000Z"));
  return Object.fromEntries(Object.entries(range).map(([bound, time]) => [bound, text(time as Time)]));
}

/** Who wrote a message: its signer, or who let the signer write in his name. */
function author(authorization: Json | undefined): string {
  const { authorDelegatedGrant, signature } = (authorization ?? {}) as { authorDelegatedGrant?: { authorization: Json }; signature?: { signatures: { protected: string }[] } };
  if (authorDelegatedGrant) return author(authorDelegatedGrant.authorization);
  const header = signature?.signatures[0]?.protected;
  if (header === undefined) return "";
  const { kid } = JSON.parse(new TextDecoder().decode(fromBase64url(header))) as { kid?: string };
  return kid?.split("#")[0] ?? "";
}
