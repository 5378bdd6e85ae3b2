import { NoAnswer } from "./errors.js";
import { address, type Address, type Message } from "./wire.js";

interface Answer {
  status: number;
  text: string;
}

/** Sends a call or a batch to an endpoint of the node; what it answered, which is nothing for notifications alone. */
export async function post(at: Address, path: string, body: object): Promise<Message | Message[] | undefined> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (at.token !== undefined) headers["authorization"] = `Bearer ${at.token}`;
  const text = JSON.stringify(body);
  let answer: Answer;
  try {
    answer = at.socketPath === undefined ? await overTcp(address(at, path, "http"), headers, text) : await overUnix(at.socketPath, path, headers, text);
  } catch (cause) {
    const where = at.socketPath ?? at.url;
    // A browser says no more than "Failed to fetch", whether there is no node or it does not know this origin.
    throw new NoAnswer(`the node at ${where} gave no answer: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  if (answer.status === 204) return undefined;
  try {
    const message: unknown = JSON.parse(answer.text);
    if (typeof message === "object" && message !== null) return message as Message | Message[];
  } catch {
    // Said below.
  }
  throw new NoAnswer(`the node answered ${answer.status}: ${answer.text.slice(0, 200)}`, { status: answer.status });
}

async function overTcp(url: URL, headers: Record<string, string>, body: string): Promise<Answer> {
  // The token is all that says who calls: no cookies.
  const response = await fetch(url, { method: "POST", headers, body, credentials: "omit", redirect: "error", cache: "no-store" });
  return { status: response.status, text: await response.text() };
}

async function overUnix(socketPath: string, path: string, headers: Record<string, string>, body: string): Promise<Answer> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const length = new TextEncoder().encode(body).length;
    const call = request({ socketPath, path, method: "POST", headers: { ...headers, host: "toft", "content-length": length } }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(body);
  });
}
