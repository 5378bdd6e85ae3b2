import { NoAnswer, RpcError } from "./errors.js";
import { exchange, messages, post } from "./http.js";
import { Live } from "./live.js";
import { Groups, type MethodName, type Methods, type OneTimeAddress, type Written } from "./methods.js";
import { outcome, request, type Address } from "./wire.js";

/** A call of a batch. */
export type BatchCall = { [M in MethodName]: { method: M; params: Methods[M]["params"] } }[MethodName];

/** A node, by its wallet RPC: `new Toft({ url, token }).records.write({ … })`. */
export class Toft extends Groups {
  readonly #at: Address;

  constructor(at: Address) {
    super();
    this.#at = at;
  }

  override async call<M extends MethodName>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]> {
    const answer = await post(this.#at, "/rpc", request(method, params));
    if (answer === undefined || Array.isArray(answer)) throw new NoAnswer("what answers is no node: a call has one answer");
    return outcome(answer);
  }

  /** Several calls (at most 50) in one request; for each, in order, its result or the error. */
  async batch<const C extends readonly BatchCall[]>(calls: C): Promise<{ -readonly [I in keyof C]: Methods[C[I]["method"]]["result"] | RpcError }> {
    const requests = calls.map(({ method, params }) => request(method, params));
    const answers = await post(this.#at, "/rpc", requests);
    // What concerns the batch as a whole has one answer.
    if (answers !== undefined && !Array.isArray(answers)) outcome(answers);
    const byId = new Map((Array.isArray(answers) ? answers : []).map((answer) => [answer.id, answer]));
    const outcomes = requests.map(({ id }) => {
      const answer = byId.get(id);
      if (!answer) throw new NoAnswer("what answers is no node: a call of the batch has no answer");
      return answer.error ? new RpcError(answer.error) : outcome(answer);
    });
    return outcomes as { -readonly [I in keyof C]: Methods[C[I]["method"]]["result"] | RpcError };
  }

  /** Sends the data of `records.write` with a `dataSize` to the address that it gave; what is written then. */
  async upload(to: OneTimeAddress, data: Uint8Array | Blob): Promise<Written> {
    const body = data instanceof Uint8Array ? new Uint8Array(data) : new Uint8Array(await data.arrayBuffer());
    const answer = messages(await exchange(this.#at, "PUT", to.path, {}, body));
    if ("error" in answer && answer.error) throw new RpcError(answer.error);
    return answer as unknown as Written;
  }

  /** Fetches the data of a record from the address that `records.read` gave. */
  async download(from: OneTimeAddress): Promise<Uint8Array> {
    const answer = await exchange(this.#at, "GET", from.path, {});
    if (answer.status === 200) return answer.body;
    const refused = messages(answer);
    if ("error" in refused && refused.error) throw new RpcError(refused.error);
    throw new NoAnswer(`the node answered ${answer.status}`, { status: answer.status });
  }

  /** A connection for many calls and for subscriptions: a WebSocket, over TCP. */
  connect(): Promise<Live> {
    return Live.open(this.#at);
  }
}
