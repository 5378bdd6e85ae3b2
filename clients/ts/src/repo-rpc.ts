import { fromBase64url, toBase64url } from "./base64url.js";
import { RpcError } from "./errors.js";
import { events } from "./events.js";
import type { Json, RecordsQueryParams, RecordsWriteParams } from "./methods.js";
import type { RecordEvent, RecordMessage, RecordState, Transport, WrittenRecord } from "./records.js";
import type { Toft } from "./toft.js";

/** Data that goes in a call; more goes to an address of its own. */
const CALL_MAX = 700 << 10;

/** As whom and in whose records a program works. */
export interface As {
  /** Which of the node's identities it is; the node's own if none is named. */
  from?: string;
  /** DID of whose records they are; its own if none is named. */
  tenant?: string;
}

/** Records by the node's own RPC: the node makes and signs the messages. */
export class RpcTransport implements Transport {
  readonly #node: Toft;
  readonly #as: As;

  constructor(node: Toft, as: As = {}) {
    this.#node = node;
    this.#as = as;
  }

  async write(state: RecordState, data: Uint8Array | undefined): Promise<WrittenRecord> {
    const params: RecordsWriteParams = { ...state, ...this.#as };
    if (data !== undefined) Object.assign(params, data.length > CALL_MAX ? { dataSize: data.length } : { data: toBase64url(data) });
    let written = await this.#node.records.write(params);
    if ("upload" in written) written = await this.#node.upload(written.upload, data ?? new Uint8Array());
    return { ...written, contextId: written.contextId ?? "" };
  }

  async read(recordId: string, role: string | undefined): Promise<{ record: RecordMessage; data: Uint8Array } | undefined> {
    try {
      const read = await this.#node.records.read({ recordId, ...this.#as, ...(role === undefined ? {} : { protocolRole: role }) });
      const record = read.record as unknown as RecordMessage;
      if (read.initialWrite) record.initialWrite = read.initialWrite as unknown as RecordMessage;
      return { record, data: read.download ? await this.#node.download(read.download) : fromBase64url(read.data ?? "") };
    } catch (error) {
      if (error instanceof RpcError && error.kind === "not-found") return undefined;
      throw error;
    }
  }

  async query(question: Parameters<Transport["query"]>[0]): Promise<{ entries: RecordMessage[]; cursor?: Json }> {
    const page = await this.#node.records.query({ ...question, ...this.#as } as RecordsQueryParams);
    return { entries: page.entries as unknown as RecordMessage[], ...(page.cursor ? { cursor: page.cursor } : {}) };
  }

  async delete(recordId: string, prune: boolean, role: string | undefined): Promise<void> {
    await this.#node.records.delete({ recordId, prune, ...this.#as, ...(role === undefined ? {} : { protocolRole: role }) });
  }

  /** Each has a connection of its own, which ends with it. */
  async subscribe(filter: { [name: string]: Json }, role: string | undefined): Promise<AsyncIterableIterator<RecordEvent>> {
    const live = await this.#node.connect();
    try {
      const heard = await live.subscribe("records.subscribe", { filter, ...this.#as, ...(role === undefined ? {} : { protocolRole: role }) });
      return events(() => heard.next() as Promise<IteratorResult<RecordEvent & Json, undefined>>, () => live.close());
    } catch (error) {
      live.close();
      throw error;
    }
  }
}
