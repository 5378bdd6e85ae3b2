import { NoAnswer } from "./errors.js";
import { address, type Address, type Message } from "./wire.js";

/** What HTTP answered. */
export interface Answer {
  status: number;
  body: Uint8Array<ArrayBuffer>;
}

/** Sends a call or a batch to an endpoint of the node; what it answered, which is nothing for notifications alone. */
export async function post(at: Address, path: string, body: object): Promise<Message | Message[] | undefined> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (at.token !== undefined) headers["authorization"] = `Bearer ${at.token}`;
  const answer = await exchange(at, "POST", path, headers, new TextEncoder().encode(JSON.stringify(body)));
  if (answer.status === 204) return undefined;
  return messages(answer);
}

/** What an answer says, if it is JSON-RPC. */
export function messages({ status, body }: Answer): Message | Message[] {
  const text = new TextDecoder().decode(body);
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message === "object" && message !== null) return message as Message | Message[];
  } catch {
    // Said below.
  }
  throw new NoAnswer(`the node answered ${status}: ${text.slice(0, 200)}`, { status });
}

/** One request, and the whole answer. */
export async function exchange(at: Address, method: string, path: string, headers: Record<string, string>, body?: Uint8Array<ArrayBuffer>): Promise<Answer> {
  try {
    if (at.socketPath !== undefined) return await overUnix(at.socketPath, method, path, headers, body);
    return await overTcp(address(at, path, "http"), method, headers, body);
  } catch (cause) {
    const where = at.socketPath ?? at.url;
    // A browser says no more than "Failed to fetch", whether there is no node or it does not know this origin.
    throw new NoAnswer(`the node at ${where} gave no answer: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

async function overTcp(url: URL, method: string, headers: Record<string, string>, body: Uint8Array<ArrayBuffer> | undefined): Promise<Answer> {
  // The token is all that says who calls: no cookies.
  const more: RequestInit = { credentials: "omit", redirect: "error", cache: "no-store" };
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }), ...more });
  return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) };
}

async function overUnix(socketPath: string, method: string, path: string, headers: Record<string, string>, body: Uint8Array = new Uint8Array()): Promise<Answer> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method, headers: { ...headers, host: "toft", "content-length": body.length } }, (response) => {
      const parts: Uint8Array[] = [];
      response.on("data", (part: Uint8Array) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: joined(parts) }));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(body);
  });
}

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
