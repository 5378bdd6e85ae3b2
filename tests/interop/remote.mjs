// A DWN at the other end of a wire: HTTP for messages, a WebSocket for subscriptions. `process` has the shape of
// the SDK's own `Dwn.processMessage`, so a test written for the one can be given the other.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { Readable } from 'node:stream';
import WebSocket from 'ws';

const ANSWER_MS = 30_000;
// Events and replies travel on different sockets: what was sent before a ping is here after its pong and a moment.
const SETTLE_MS = 15;

/** JSON for an HTTP header: nothing outside printable ASCII. */
export function headerJson(value) {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
}

/** Streams are read once, but a test may hand one over twice (a refusal in-process has not touched it). */
const alreadyRead = new WeakMap();

/** All bytes of a stream; undefined stays undefined. */
export async function bytesOf(stream) {
  if (stream === undefined || stream === null) return undefined;
  if (stream instanceof Uint8Array) return Buffer.from(stream);
  if (!alreadyRead.has(stream)) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
    alreadyRead.set(stream, Buffer.concat(chunks));
  }
  return alreadyRead.get(stream);
}

/** The opposite: a stream of these bytes, empty for none of them. */
export const streamOf = bytes => bytes && Readable.from(bytes.length ? [bytes] : []);

export class Remote {
  #url; #agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  #socket; #waiting = new Map(); #handlers = new Map();

  constructor(url) { this.#url = new URL(url); }

  /** Sends a message for a tenant and returns the DWN's reply; an error of the transport is thrown. */
  async process(tenant, message, { dataStream, subscriptionHandler } = {}) {
    // The stock server refuses a Subscribe over HTTP without looking at it.
    if (subscriptionHandler || message?.descriptor?.method === 'Subscribe') {
      return this.#subscribe(tenant, message, subscriptionHandler ?? (() => {}));
    }
    const request = { jsonrpc: '2.0', id: randomUUID(), method: 'dwn.processMessage', params: { target: tenant, message } };
    const answer = await this.#post(headerJson(request), await bytesOf(dataStream));
    const rpc = JSON.parse(answer.header ?? answer.body.toString());
    const reply = resultOf(rpc);
    if (answer.header && reply.entry) reply.entry.data = streamOf(answer.body);
    return reply;
  }

  #post(header, body, again = false) {
    return new Promise((resolve, reject) => {
      const headers = { 'dwn-request': header, 'content-length': body?.length ?? 0 };
      if (body?.length) headers['content-type'] = 'application/octet-stream';
      const request = http.request(this.#url, { method: 'POST', agent: this.#agent, headers }, response => {
        const chunks = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ header: response.headers['dwn-response'], body: Buffer.concat(chunks) }));
      });
      request.setTimeout(ANSWER_MS, () => request.destroy(new Error(`no answer in ${ANSWER_MS} ms`)));
      // A connection that was idle may be closed by the server in the very moment in which it is used again.
      const isStale = error => request.reusedSocket && error.code === 'ECONNRESET' && !again;
      request.on('error', error => (isStale(error) ? resolve(this.#post(header, body, true)) : reject(error)));
      request.end(body);
    });
  }

  async #subscribe(tenant, message, handler) {
    const id = randomUUID();
    this.#handlers.set(id, handler);
    try {
      const reply = resultOf(await this.#ask('rpc.subscribe.dwn.processMessage', { target: tenant, message }, id));
      if (!reply.subscription) this.#handlers.delete(id);
      else reply.subscription.close = async () => {
        this.#handlers.delete(id);
        await this.#ask('rpc.subscribe.close', {}, id);
      };
      return reply;
    } catch (error) {
      this.#handlers.delete(id);
      throw error;
    }
  }

  async #ask(method, params, subscription) {
    const socket = await this.#connected();
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.#waiting.delete(id); reject(new Error(`${method}: no answer in ${ANSWER_MS} ms`)); }, ANSWER_MS);
      this.#waiting.set(id, answer => { clearTimeout(timer); resolve(answer); });
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params, subscription: { id: subscription } }));
    });
  }

  async #connected() {
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket;
    const url = new URL(this.#url);
    url.protocol = 'ws:';
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => { socket.once('open', resolve); socket.once('error', reject); });
    socket.on('error', () => {}); // whoever waits for an answer gives up by its timer
    socket.on('message', text => {
      const message = JSON.parse(text.toString());
      const waiting = this.#waiting.get(message.id);
      if (waiting) { this.#waiting.delete(message.id); waiting(message); }
      else if (message.result?.event) this.#handlers.get(message.id)?.(message.result.event);
    });
    return this.#socket = socket;
  }

  /** Waits until events that were sent by now have been handled. */
  async settle() {
    const socket = this.#socket;
    if (!this.#handlers.size || socket?.readyState !== WebSocket.OPEN) return;
    await new Promise(resolve => { const timer = setTimeout(resolve, 1000); socket.once('pong', () => { clearTimeout(timer); resolve(); }); socket.ping(); });
    await new Promise(resolve => setTimeout(resolve, SETTLE_MS));
  }

  close() { this.#socket?.terminate(); this.#agent.destroy(); }
}

function resultOf(rpc) {
  if (rpc.error) throw new Error(`JSON-RPC ${rpc.error.code}: ${rpc.error.message}`);
  return rpc.result.reply;
}
