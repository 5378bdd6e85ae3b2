// A client that costs little: one keep-alive socket, one request at a time, bytes prepared beforehand. With
// node's own client the load would measure the client long before a fast server is busy.
import net from 'node:net';

const END_OF_HEAD = Buffer.from('\r\n\r\n'), END_OF_CHUNKS = Buffer.from('0\r\n\r\n');

/** The bytes of a DWN request: JSON-RPC in the `dwn-request` header, data as body. */
export function request(host, tenant, message, data) {
  const rpc = JSON.stringify({ jsonrpc: '2.0', id: '1', method: 'dwn.processMessage', params: { target: tenant, message } });
  const head = `POST / HTTP/1.1\r\nhost: ${host}\r\ndwn-request: ${rpc}\r\ncontent-length: ${data?.length ?? 0}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), data ?? Buffer.alloc(0)]);
}

export class Connection {
  #socket; #waiting; #chunks = []; #length = 0; #head; #end;

  static open(host) {
    const connection = new Connection();
    const [name, port] = host.split(':');
    const socket = connection.#socket = net.connect({ host: name, port: Number(port), noDelay: true });
    socket.on('data', chunk => connection.#take(chunk));
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(connection));
      socket.on('error', error => { reject(error); connection.#waiting?.reject(error); });
      socket.on('close', () => connection.#waiting?.reject(new Error('the server hung up')));
    });
  }

  /** Sends prepared bytes; the answer's head and body as they came (a chunked body with its chunk lines). */
  send(bytes) {
    return new Promise((resolve, reject) => { this.#waiting = { resolve, reject }; this.#socket.write(bytes); });
  }

  close() { this.#waiting = undefined; this.#socket.destroy(); }

  #take(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#head === undefined) {
      const all = this.#all(), at = all.indexOf(END_OF_HEAD);
      if (at < 0) return;
      this.#head = all.toString('latin1', 0, at);
      const length = /^content-length: *(\d+)/im.exec(this.#head);
      this.#end = at + 4;
      this.#end = { body: this.#end, last: length ? this.#end + Number(length[1]) : undefined };
    }
    const { body, last } = this.#end;
    const isDone = last === undefined ? this.#all().subarray(-5).equals(END_OF_CHUNKS) : this.#length >= last;
    if (!isDone) return;
    const { resolve } = this.#waiting, head = this.#head, all = this.#all();
    this.#chunks = []; this.#length = 0; this.#head = this.#waiting = undefined;
    resolve({ head, body: all.subarray(body) });
  }

  #all() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }
}

/** A body without its chunk lines. */
function whole({ head, body }) {
  if (!/^transfer-encoding: *chunked/im.test(head)) return body;
  const parts = [];
  for (let at = 0; ;) {
    const line = body.indexOf('\r\n', at), size = parseInt(body.toString('latin1', at, line), 16);
    if (!size) return Buffer.concat(parts);
    parts.push(body.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

/** The DWN's reply inside an answer. */
export function reply(answer) {
  const rpc = JSON.parse(/^dwn-response: *(.*)$/im.exec(answer.head)?.[1] ?? whole(answer).toString());
  if (rpc.error) throw new Error(JSON.stringify(rpc.error));
  return rpc.result.reply;
}

const STATUS = Buffer.from('"code":');

/** The status inside an answer, without parsing it: an entry of a reply cannot come before its status. */
export function status({ head, body }) {
  const at = /^dwn-response:.*?"code":(\d+)/im.exec(head);
  if (at) return Number(at[1]);
  const found = body.indexOf(STATUS) + STATUS.length;
  return Number(body.toString('latin1', found, found + 3));
}
