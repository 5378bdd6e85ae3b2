// A WebSocket (RFC 6455) for node 20, which has none, and for Unix sockets.
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import type { Duplex } from "node:stream";
import { NoAnswer } from "./errors.js";
import type { Line, Listener } from "./line.js";
import { address, type Address } from "./wire.js";

/** Largest message that is taken. */
const MESSAGE_MAX = 16 << 20;
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const [CONTINUED, TEXT, CLOSE, PING, PONG] = [0, 1, 8, 9, 10];

export function openInNode(at: Address, path: string, listener: Listener): Promise<Line> {
  const key = randomBytes(16).toString("base64");
  const url = address(at, path, "http");
  const where = at.socketPath ?? url.href;
  return new Promise((resolve, reject) => {
    const call = request({
      ...(at.socketPath === undefined ? { host: url.hostname, port: url.port } : { socketPath: at.socketPath }),
      path: url.pathname,
      headers: { host: url.host, connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": key },
    });
    call.on("error", (cause) => reject(new NoAnswer(`the node at ${where} opened no WebSocket: ${cause.message}`, { cause })));
    call.on("response", (response) => {
      response.resume();
      reject(new NoAnswer(`the node at ${where} opened no WebSocket: it answered ${response.statusCode}`, { status: response.statusCode ?? 0 }));
    });
    call.on("upgrade", (response, stream, head) => {
      const accept = createHash("sha1").update(key + MAGIC).digest("base64");
      if (response.headers["sec-websocket-accept"] !== accept) {
        stream.destroy();
        reject(new NoAnswer(`what answers at ${where} speaks no WebSocket`));
        return;
      }
      resolve(new NodeLine(stream, head, listener));
    });
    call.end();
  });
}

class NodeLine implements Line {
  readonly #stream: Duplex;
  readonly #listener: Listener;
  #buffer: Buffer;
  #parts: Buffer[] = [];
  #over = false;

  constructor(stream: Duplex, head: Buffer, listener: Listener) {
    this.#stream = stream;
    this.#listener = listener;
    this.#buffer = head;
    stream.on("data", (bytes: Buffer) => this.#take(bytes));
    stream.on("close", () => this.#end("the node closed the connection"));
    stream.on("error", (error: Error) => this.#end(error.message));
    // Whoever opened it first gets the line, then what came with the answer.
    queueMicrotask(() => this.#take(Buffer.alloc(0)));
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text));
  }

  close(): void {
    this.#write(CLOSE, Buffer.from([0x03, 0xe8]));
    this.#stream.end();
  }

  #end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.destroy();
    this.#listener.closed(new NoAnswer(why));
  }

  /** One frame, masked as a client's are. */
  #write(opcode: number, payload: Buffer): void {
    const length = payload.length;
    let head: Buffer;
    if (length < 126) {
      head = Buffer.from([0x80 | opcode, 0x80 | length]);
    } else if (length < 65536) {
      head = Buffer.from([0x80 | opcode, 0x80 | 126, length >> 8, length & 255]);
    } else {
      head = Buffer.alloc(10);
      head[0] = 0x80 | opcode;
      head[1] = 0x80 | 127;
      head.writeBigUInt64BE(BigInt(length), 2);
    }
    const mask = randomBytes(4);
    const masked = payload.map((byte, at) => byte ^ mask[at & 3]!);
    this.#stream.write(Buffer.concat([head, mask, masked]));
  }

  #take(bytes: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (let frame = this.#frame(); frame && !this.#over; frame = this.#frame()) this.#handle(frame);
  }

  /** The next whole frame, taken off the buffer. */
  #frame(): { opcode: number; last: boolean; payload: Buffer } | undefined {
    const buffer = this.#buffer;
    if (buffer.length < 2) return undefined;
    let [at, length] = [2, buffer[1]! & 127];
    if (length === 126) {
      if (buffer.length < 4) return undefined;
      [at, length] = [4, buffer.readUInt16BE(2)];
    } else if (length === 127) {
      if (buffer.length < 10) return undefined;
      [at, length] = [10, Number(buffer.readBigUInt64BE(2))];
    }
    if (length > MESSAGE_MAX || buffer[1]! & 128) {
      this.#end("the node sent a frame that a client does not take");
      return undefined;
    }
    if (buffer.length < at + length) return undefined;
    this.#buffer = buffer.subarray(at + length);
    return { opcode: buffer[0]! & 15, last: (buffer[0]! & 128) !== 0, payload: buffer.subarray(at, at + length) };
  }

  #handle({ opcode, last, payload }: { opcode: number; last: boolean; payload: Buffer }): void {
    if (opcode === PING) {
      this.#write(PONG, payload);
    } else if (opcode === CLOSE) {
      const reason = payload.length < 2 ? "" : `: ${payload.readUInt16BE(0)} ${payload.subarray(2).toString()}`.trimEnd();
      this.#end(`the node closed the connection${reason}`);
    } else if (opcode === TEXT || opcode === CONTINUED) {
      this.#parts.push(payload);
      if (this.#parts.reduce((sum, part) => sum + part.length, 0) > MESSAGE_MAX) return this.#end("the node sent too large a message");
      if (!last) return;
      const text = Buffer.concat(this.#parts).toString();
      this.#parts = [];
      this.#listener.message(text);
    }
  }
}
