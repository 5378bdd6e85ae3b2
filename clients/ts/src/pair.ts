import { NoAnswer, RpcError } from "./errors.js";
import { post } from "./http.js";
import type { Methods } from "./methods.js";
import { outcome, request, type Address } from "./wire.js";

/** Milliseconds between two looks whether the owner has typed the code. */
const EVERY = 1000;

export interface Wish {
  /** What the wallet is called; the node's owner sees it. */
  name: string;
  /** What it is to be allowed: `records:read`, `records:write:<protocol>`, … */
  scopes: string[];
  /** Of the wallet's page; in a browser the page's own. A program has none. */
  origin?: string;
  /** Ends the wait. */
  signal?: AbortSignal;
}

/**
 * Asks the node's owner for a token. `show` gets six digits, which the owner types at the node (`toft wallet approve`).
 *
 * The token is given once: keep it as a password.
 */
export async function pair(at: string | Address, wish: Wish, show: (code: string) => void): Promise<Methods["pair.poll"]["result"]> {
  const { name, scopes, signal } = wish;
  const address = typeof at === "string" ? { url: at } : at;
  const origin = wish.origin ?? ownOrigin();
  const { id, secret, code } = await ask(address, "pair.request", { name, scopes, ...(origin === undefined ? {} : { origin }) });
  show(code);
  for (;;) {
    try {
      return await ask(address, "pair.poll", { id, secret });
    } catch (error) {
      if (!(error instanceof RpcError && (error.kind === "pending" || error.kind === "too-many"))) throw error;
      await pause(Math.max(EVERY, (error.retryAfter ?? 0) * 1000), signal);
    }
  }
}

async function ask<M extends "pair.request" | "pair.poll">(at: Address, method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]> {
  // Over TCP these two have an endpoint of their own, which answers pages that hold no token.
  const answer = await post(at, at.socketPath === undefined ? "/pair" : "/rpc", request(method, params));
  if (answer === undefined || Array.isArray(answer)) throw new NoAnswer("what answers is no node: a call has one answer");
  return outcome(answer);
}

function ownOrigin(): string | undefined {
  return typeof location === "object" && typeof document === "object" ? location.origin : undefined;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) return stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}
