import { NoAnswer } from "./errors.js";
import { events } from "./events.js";
import { open } from "./line.js";
import type { Json } from "./methods.js";
import type { RecordEvent, RecordMessage, RecordState, Transport, WrittenRecord } from "./records.js";

/** What signs messages: a `Signer` of the DWN SDK. */
export interface DwnSigner {
  /** `did:example:alice#key`. */
  keyId: string;
  algorithm: string;
  sign(content: Uint8Array): Promise<Uint8Array>;
}

interface Maker {
  // The SDK's types of what it takes are not repeated here.
  create(options: any): Promise<{ message: unknown }>;
}

/** What is used of `@tbd54566975/dwn-sdk-js`: pass the module itself. So this client does not depend on it. */
export interface DwnSdk {
  RecordsWrite: Maker & {
    createFrom(options: any): Promise<{ message: unknown }>;
  };
  RecordsRead: Maker;
  RecordsQuery: Maker;
  RecordsDelete: Maker;
  RecordsSubscribe: Maker;
}

/** A DWN that refused a message. */
export class DwnError extends Error {
  override readonly name = "DwnError";
  /** As in HTTP: 401 is "not allowed", 400 "not as the protocol says", 404 "not there". */
  readonly code: number;

  constructor(code: number, detail: string) {
    super(detail);
    this.code = code;
  }
}

interface Reply {
  status: { code: number; detail: string };
  entries?: RecordMessage[];
  entry?: { recordsWrite?: RecordMessage; initialWrite?: RecordMessage };
  cursor?: Json;
}

interface Answer {
  id?: string;
  result?: { reply?: Reply; event?: RecordEvent };
  error?: { code: number; message: string };
}

/** Records by DWN messages over HTTP, which the app makes with the SDK and signs with its own key. The node needs to be no toft. */
export class DwnTransport implements Transport {
  readonly #sdk: DwnSdk;
  readonly #url: string;
  readonly #signer: DwnSigner;
  readonly #tenant: string;

  /** `url`: of the node's DWN endpoint. `tenant`: whose records they are; the signer's if none is named. */
  constructor({ sdk, url, signer, tenant }: { sdk: DwnSdk; url: string; signer: DwnSigner; tenant?: string }) {
    this.#sdk = sdk;
    this.#url = url;
    this.#signer = signer;
    this.#tenant = tenant ?? signer.keyId.split("#")[0] ?? "";
  }

  async write(state: RecordState, data: Uint8Array | undefined): Promise<WrittenRecord> {
    const message = (state.recordId === undefined ? await this.#first(state, data) : await this.#next(state, data)) as RecordMessage;
    this.#good(await this.#send(message, data));
    const { recordId = "", contextId = "", descriptor } = message;
    return { recordId, contextId, dateCreated: String(descriptor["dateCreated"]), messageTimestamp: String(descriptor["messageTimestamp"]) };
  }

  async #first(state: RecordState, data: Uint8Array | undefined): Promise<unknown> {
    return (await this.#sdk.RecordsWrite.create({ ...state, data, signer: this.#signer })).message;
  }

  /** What is not given stays: the SDK keeps all but the tags. */
  async #next({ recordId = "", protocolPath, protocolRole, dataFormat, tags, published }: RecordState, data: Uint8Array | undefined): Promise<unknown> {
    const read = await this.read(recordId, protocolRole);
    const before = read?.record;
    if (before?.descriptor["protocolPath"] !== protocolPath) throw new DwnError(404, `there is no record ${recordId} at ${protocolPath}`);
    const { initialWrite: _initial, ...recordsWriteMessage } = before ?? {};
    const changes = { recordsWriteMessage, data, dataFormat, published, protocolRole, tags: tags ?? before?.descriptor["tags"], signer: this.#signer };
    return (await this.#sdk.RecordsWrite.createFrom(changes)).message;
  }

  async read(recordId: string, role: string | undefined): Promise<{ record: RecordMessage; data: Uint8Array } | undefined> {
    const { message } = await this.#sdk.RecordsRead.create({ filter: { recordId }, protocolRole: role, signer: this.#signer });
    const answer = await this.#send(message, undefined);
    if (answer.reply.status.code === 404) return undefined;
    const { entry } = this.#good(answer);
    if (!entry?.recordsWrite) return undefined;
    const { recordsWrite: record, initialWrite } = entry;
    return { record: { ...record, ...(initialWrite ? { initialWrite } : {}) }, data: answer.data };
  }

  async query(question: Parameters<Transport["query"]>[0]): Promise<{ entries: RecordMessage[]; cursor?: Json }> {
    const { message } = await this.#sdk.RecordsQuery.create({ ...question, signer: this.#signer });
    const { entries = [], cursor } = this.#good(await this.#send(message, undefined));
    return { entries, ...(cursor === undefined ? {} : { cursor }) };
  }

  async delete(recordId: string, prune: boolean, role: string | undefined): Promise<void> {
    const { message } = await this.#sdk.RecordsDelete.create({ recordId, prune, protocolRole: role, signer: this.#signer });
    this.#good(await this.#send(message, undefined));
  }

  /** Each has a WebSocket of its own, which ends with it. */
  async subscribe(filter: { [name: string]: Json }, role: string | undefined): Promise<AsyncIterableIterator<RecordEvent>> {
    const { message } = await this.#sdk.RecordsSubscribe.create({ filter, protocolRole: role, signer: this.#signer });
    const heard = new Heard();
    const line = await open({ url: this.#url }, { message: (text) => heard.put(JSON.parse(text) as Answer), closed: (why) => heard.end(why) }, "");
    const params = { target: this.#tenant, message };
    line.send(JSON.stringify({ jsonrpc: "2.0", id: "begin", method: "rpc.subscribe.dwn.processMessage", params, subscription: { id: "records" } }));
    try {
      const { result, error } = await heard.next();
      if (error) throw new DwnError(400, error.message);
      this.#good({ reply: result?.reply ?? { status: { code: 500, detail: "the node gave no reply" } } });
    } catch (refused) {
      line.close();
      throw refused;
    }
    const next = async (): Promise<IteratorResult<RecordEvent, undefined>> => {
      for (;;) {
        const { result, error } = await heard.next();
        if (error) throw new DwnError(400, error.message);
        if (result?.event) return { done: false, value: result.event };
      }
    };
    return events(next, () => {
      line.close();
      heard.end(new NoAnswer("the subscription was ended here"));
    });
  }

  #good({ reply }: { reply: Reply }): Reply {
    const { code, detail } = reply.status;
    if (code >= 300) throw new DwnError(code, detail);
    return reply;
  }

  async #send(message: unknown, data: Uint8Array | undefined): Promise<{ reply: Reply; data: Uint8Array }> {
    const request = JSON.stringify({ jsonrpc: "2.0", id: "1", method: "dwn.processMessage", params: { target: this.#tenant, message } });
    // A header has ASCII alone.
    const header = request.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
    const body = data === undefined ? {} : { body: new Uint8Array(data) };
    let response: Response;
    try {
      response = await fetch(this.#url, { method: "POST", headers: { "dwn-request": header }, credentials: "omit", ...body });
    } catch (cause) {
      throw new NoAnswer(`the node at ${this.#url} gave no answer: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
    const said = response.headers.get("dwn-response");
    const bytes = new Uint8Array(await response.arrayBuffer());
    const answer = parsed(said ?? new TextDecoder().decode(bytes));
    if (answer?.error) throw new DwnError(400, answer.error.message);
    if (!answer?.result?.reply) throw new NoAnswer(`what answers at ${this.#url} is no DWN: it answered ${response.status}`, { status: response.status });
    return { reply: answer.result.reply, data: said === null ? new Uint8Array() : bytes };
  }
}

function parsed(text: string): Answer | undefined {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return undefined;
  }
}

/** What has come and waits to be read. */
class Heard {
  readonly #answers: Answer[] = [];
  #why: Error | undefined;
  #wake: (() => void) | undefined;

  put(answer: Answer): void {
    this.#answers.push(answer);
    this.#wake?.();
  }

  end(why: Error): void {
    this.#why ??= why;
    this.#wake?.();
  }

  async next(): Promise<Answer> {
    while (this.#answers.length === 0) {
      if (this.#why) throw this.#why;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#answers.shift()!;
  }
}
