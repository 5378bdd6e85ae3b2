// Writes with a body that the node refuses before the body has come: does the client see the answer, and does what it asks
// next succeed? Prints {"answered", "lost", "why"}.
//
//   node refused.mjs ENDPOINT CLIENT BYTES COUNT
//
// CLIENT: http (node:http with an agent that keeps connections), fetch, web5 (the RPC client of @web5/agent).
import http from 'node:http';
import { HttpWeb5RpcClient } from '@web5/agent';

const [endpoint, client, bytes, count] = process.argv.slice(2);
const AT_ONCE = 16;
const body = new Uint8Array(Number(bytes)).fill(120);
const target = 'did:example:nobody';
const message = { descriptor: { interface: 'Records', method: 'Write' } };
const header = JSON.stringify({ jsonrpc: '2.0', id: '1', method: 'dwn.processMessage', params: { target, message } });
const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
const rpc = new HttpWeb5RpcClient();

const request = (path, options, body) => new Promise((resolve, reject) => {
  const request = http.request(new URL(path, endpoint), { agent, ...options }, (response) => {
    const chunks = [];
    response.on('data', (chunk) => chunks.push(chunk));
    response.on('end', () => resolve(Buffer.concat(chunks).toString()));
    response.on('error', reject);
  });
  request.on('error', reject);
  request.end(body);
});

const write = {
  http: async () => {
    const headers = { 'dwn-request': header, 'content-length': body.length };
    return JSON.parse(await request('/', { method: 'POST', headers }, body)).result.reply;
  },
  fetch: async () => {
    const response = await fetch(endpoint, { method: 'POST', headers: { 'dwn-request': header }, body });
    return (await response.json()).result.reply;
  },
  web5: () => rpc.sendDwnRequest({ dwnUrl: endpoint, targetDid: target, message, data: new Blob([body]) }),
}[client];
const next = client === 'http' ? () => request('/info', {}) : async () => (await fetch(new URL('/info', endpoint))).text();

let [answered, lost, why, left] = [0, 0, {}, Number(count)];
async function work() {
  while (left-- > 0) {
    try {
      const { status } = await write();
      if (status.code !== 401) throw new Error(`status ${status.code}`);
      if (!(await next()).includes('"toft"')) throw new Error('no answer to what was asked next');
      answered += 1;
    } catch (error) {
      lost += 1;
      const text = `${error.message} ${error.code ?? error.cause?.code ?? ''}`.trim();
      why[text] = (why[text] ?? 0) + 1;
    }
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
console.log(JSON.stringify({ answered, lost, why }));
process.exit(0);
