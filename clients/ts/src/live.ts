import { NoAnswer, SubscriptionEnded } from "./errors.js";
import { open, type Line } from "./line.js";
import { Groups, type Json, type MethodName, type Methods } from "./methods.js";
import { outcome, request, type Address, type Message } from "./wire.js";

/** The methods that are answered by a subscription, whose events follow. */
export type Subscribing = { [M in MethodName]: Methods[M]["result"] extends { subscription: Json } ? M : never }[MethodName];

/** Events that wait for whoever reads them; with more, the subscription ends. */
const WAITING_MAX = 10_000;

interface Waiting {
  resolve(result: Json): void;
  reject(why: unknown): void;
  /** Told at once, so that no event comes before it. */
  answered?: ((result: Json) => void) | undefined;
}

/** An open connection (WebSocket): every method, and subscriptions. */
export class Live extends Groups {
  #line: Line | undefined;
  #over: Error | undefined;
  readonly #calls = new Map<Json, Waiting>();
  readonly #subscriptions = new Map<Json, Subscription>();

  /** Opens one, and says who calls if there is a token. */
  static async open(at: Address): Promise<Live> {
    const live = new Live();
    live.#line = await open(at, {
      message: (text) => live.#message(text),
      closed: (why) => live.#closed(why),
    });
    try {
      if (at.token !== undefined) await live.#send("rpc.authenticate", { token: at.token });
    } catch (denied) {
      live.close();
      throw denied;
    }
    return live;
  }

  override call<M extends MethodName>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]> {
    return this.#send(method, params);
  }

  /** Calls a method that subscribes; its events, in order, for `for await`. */
  async subscribe<M extends Subscribing>(method: M, params: Methods[M]["params"]): Promise<Subscription> {
    let made: Subscription | undefined;
    await this.#send(method, params, (result) => {
      const id = (result as { subscription: Json }).subscription;
      made = new Subscription(result, async () => {
        if (this.#subscriptions.delete(id) && !this.#over) await this.#send("rpc.unsubscribe", { subscription: id });
      });
      this.#subscriptions.set(id, made);
    });
    return made!;
  }

  /** Ends the connection and its subscriptions. */
  close(): void {
    this.#line?.close();
    this.#closed(new NoAnswer("the connection was closed here"));
  }

  #send<Result = Json>(method: string, params: object, answered?: (result: Json) => void): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(this.#over);
      const call = request(method, params);
      this.#calls.set(call.id, { resolve: (result) => resolve(result as Result), reject, answered });
      this.#line!.send(JSON.stringify(call));
    });
  }

  #message(text: string): void {
    const message = JSON.parse(text) as Message;
    if (message.method !== undefined) {
      if (message.method === "rpc.event") this.#event(message.params ?? {});
      return;
    }
    const call = this.#calls.get(message.id ?? null);
    if (!call) return;
    this.#calls.delete(message.id ?? null);
    try {
      const result = outcome(message);
      call.answered?.(result);
      call.resolve(result);
    } catch (failed) {
      call.reject(failed);
    }
  }

  #event({ subscription = null, event = null, ended }: NonNullable<Message["params"]>): void {
    const its = this.#subscriptions.get(subscription);
    if (ended === undefined) return its?.put(event);
    this.#subscriptions.delete(subscription);
    its?.end(new SubscriptionEnded(ended));
  }

  #closed(why: Error): void {
    if (this.#over) return;
    this.#over = why;
    for (const call of this.#calls.values()) call.reject(why);
    for (const subscription of this.#subscriptions.values()) subscription.end(why);
    this.#calls.clear();
    this.#subscriptions.clear();
  }
}

/** Events as they come. Ends with an error when the node ends it, or the connection. */
export class Subscription implements AsyncIterableIterator<Json> {
  /** What the method answered. */
  readonly answer: Json;
  readonly #unsubscribe: () => Promise<void>;
  readonly #events: Json[] = [];
  #wake: (() => void) | undefined;
  #end: { why?: Error } | undefined;

  constructor(answer: Json, unsubscribe: () => Promise<void>) {
    this.answer = answer;
    this.#unsubscribe = unsubscribe;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Json, undefined>> {
    while (this.#events.length === 0) {
      if (this.#end?.why) throw this.#end.why;
      if (this.#end) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return { done: false, value: this.#events.shift()! };
  }

  /** What `break` in a `for await` calls too. */
  async return(): Promise<IteratorResult<Json, undefined>> {
    this.#finish({});
    this.#events.length = 0;
    await this.#unsubscribe();
    return { done: true, value: undefined };
  }

  /** @internal */
  put(event: Json): void {
    if (this.#end) return;
    if (this.#events.length >= WAITING_MAX) {
      void this.#unsubscribe().catch(() => undefined);
      return this.end(new NoAnswer(`${WAITING_MAX} events wait and nobody reads them: the subscription has ended`));
    }
    this.#events.push(event);
    this.#wake?.();
  }

  /** @internal */
  end(why: Error): void {
    this.#finish({ why });
  }

  #finish(end: { why?: Error }): void {
    this.#end ??= end;
    this.#wake?.();
  }
}
