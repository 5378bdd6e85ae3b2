import type { Json } from "./methods.js";

/** A call that the node answered with an error. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  /** Of JSON-RPC: −32001 is "not allowed", −32002 "no valid token", and so on; `docs/rpc.md` lists all. */
  readonly code: number;
  /** The same as a word: `denied`, `not-found`, `too-many`, … */
  readonly kind: string;
  /** Seconds until the call may do better, where the node knows. */
  readonly retryAfter: number | undefined;
  readonly data: Json | undefined;

  constructor({ code, message, data }: ErrorObject) {
    super(message);
    this.code = code;
    this.data = data;
    const { kind, retryAfter } = (typeof data === "object" && data !== null && !Array.isArray(data) ? data : {}) as { [name: string]: Json };
    this.kind = typeof kind === "string" ? kind : "failed";
    this.retryAfter = typeof retryAfter === "number" ? retryAfter : undefined;
  }
}

/** No answer of the node came: it is not there, the connection broke off, or something else answered. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  /** Of HTTP, if there was one. */
  readonly status: number | undefined;

  constructor(message: string, options: { cause?: unknown; status?: number } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.status = options.status;
  }
}

/** The node has ended a subscription, and says why. */
export class SubscriptionEnded extends Error {
  override readonly name = "SubscriptionEnded";
}

/** As JSON-RPC writes it. */
export interface ErrorObject {
  code: number;
  message: string;
  data?: Json;
}
