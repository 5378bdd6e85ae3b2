import { NoAnswer } from "./errors.js";
import { address, type Address } from "./wire.js";

/** A WebSocket, whoever made it. */
export interface Line {
  send(text: string): void;
  close(): void;
}

/** What comes from one. `closed` is told once. */
export interface Listener {
  message(text: string): void;
  closed(why: Error): void;
}

/** Opens a WebSocket: to the node's RPC, if no other path is named. */
export async function open(at: Address, listener: Listener, path = "/rpc"): Promise<Line> {
  if (at.socketPath === undefined && typeof WebSocket === "function") return overTheOwn(address(at, path, "ws"), listener);
  const { openInNode } = await import("./node-line.js");
  return openInNode(at, path, listener);
}

/** A browser's, or that of node 22 and later. */
function overTheOwn(url: URL, listener: Listener): Promise<Line> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    let opened = false;
    socket.onopen = () => {
      opened = true;
      resolve({ send: (text) => socket.send(text), close: () => socket.close(1000) });
    };
    socket.onmessage = (event) => listener.message(String(event.data));
    socket.onclose = ({ code, reason }) => {
      const why = new NoAnswer(opened ? `the node closed the connection: ${code} ${reason}`.trimEnd() : `the node at ${url} opened no WebSocket`);
      if (opened) listener.closed(why);
      else reject(why);
    };
  });
}
