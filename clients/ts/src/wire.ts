import { RpcError, type ErrorObject } from "./errors.js";
import type { Json } from "./methods.js";

/** A call of JSON-RPC 2.0. */
export interface Request {
  jsonrpc: "2.0";
  id: number;
  method: string;
  params: object;
}

/** An answer to a call, or a notification of the node's. */
export interface Message {
  id?: Json;
  result?: Json;
  error?: ErrorObject;
  method?: string;
  params?: { subscription?: Json; event?: Json; ended?: string };
}

let last = 0;

export function request(method: string, params: object): Request {
  last += 1;
  return { jsonrpc: "2.0", id: last, method, params };
}

/** What came of a call. The node answers what its document says. */
export function outcome<Result = Json>(message: Message): Result {
  if (message.error) throw new RpcError(message.error);
  return (message.result ?? null) as Result;
}

/** Where a node's wallet RPC is. */
export type Address =
  | {
      /** `http://127.0.0.1:3002`: what `rpc.listen` says. */
      url: string;
      /** A named token, as `toft token create` prints it or pairing gives it. */
      token?: string;
      socketPath?: undefined;
    }
  | {
      /** `rpc.sock` in the node's home. In node alone. */
      socketPath: string;
      token?: string;
      url?: undefined;
    };

/** The address of `path`, with another scheme for WebSockets. */
export function address(at: Address, path: string, scheme: "http" | "ws"): URL {
  // Over a Unix socket the name is never looked up.
  const url = new URL(path, at.url ?? "http://toft");
  url.protocol = url.protocol.replace("http", scheme);
  return url;
}
