#!/usr/bin/env node
// The same load on several DWN servers, one after the other; scripts/bench-dwn starts them and this.
//
//   node dwn.mjs --server NAME,HOST:PORT,PID,FACTOR … [--records 3000] [--json FILE]
//
// Messages are made and signed before the clock starts (Ed25519, did:key). Writes are the same bytes for every
// server, each sent once; queries and reads may be sent again, so a fast server is given FACTOR times as many
// (a tenth of a second says little). Of each load: requests per second, latencies, and the CPU time the server
// used per request, from /proc/PID/stat; the latter also holds where the client or the machine is the limit.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Jws, Message, MessagesQuery, MessagesRead, ProtocolsConfigure, RecordsQuery, RecordsRead, RecordsWrite, TestDataGenerator } from '@tbd54566975/dwn-sdk-js';
import { Connection, reply, request, status } from './http.mjs';

const { values: options } = parseArgs({ options: {
  server: { type: 'string', multiple: true }, records: { type: 'string', default: '3000' }, json: { type: 'string' },
} });
const servers = options.server.map(text => {
  const [name, host, pid, factor] = text.split(',');
  return { name, host, pid, factor: Number(factor), results: {} };
});
const RECORDS = Number(options.records), ALONE = 150, BLOBS = 300, BLOBS_ALONE = 100, BLOB = 100 * 1024, BUCKETS = 100;
const TICKS_PER_SECOND = 100; // CLK_TCK of Linux
const protocol = 'http://bench.example/notes';
const definition = {
  protocol, published: true,
  types: { note: { schema: 'http://bench.example/note', dataFormats: ['application/json'] }, blob: { dataFormats: ['application/octet-stream'] } },
  structure: { note: { $tags: { bucket: { type: 'integer' } } }, blob: {} },
};
const tenant = await TestDataGenerator.generateDidKeyPersona();
const signer = Jws.createSigner(tenant);

const note = i => ({
  data: Buffer.from(JSON.stringify({ id: randomBytes(8).toString('hex'), text: 'x'.repeat(160) })),
  dataFormat: 'application/json', schema: 'http://bench.example/note', protocolPath: 'note', tags: { bucket: i % BUCKETS },
});
const blob = () => ({ data: randomBytes(BLOB), dataFormat: 'application/octet-stream', protocolPath: 'blob' });
const written = async (n, describe) => {
  const all = [];
  for (let i = 0; i < n; i += 1) {
    const write = describe(i), { message } = await RecordsWrite.create({ ...write, protocol, signer });
    all.push({ message, data: write.data });
  }
  return all;
};
const signed = async (n, make) => {
  const all = [];
  for (let i = 0; i < n; i += 1) all.push({ message: (await make(i)).message });
  return all;
};

console.error(`signing ${RECORDS} small and ${BLOBS + BLOBS_ALONE} large writes`);
const configure = await ProtocolsConfigure.create({ definition, signer });
const notes = await written(RECORDS, note), blobs = await written(BLOBS + BLOBS_ALONE, blob);
const noteIds = notes.map(it => it.message.recordId), blobIds = blobs.map(it => it.message.recordId);
const cids = await Promise.all(notes.slice(0, 300).map(it => Message.getCid(it.message)));
const pick = (list, i) => list[(i * 7919) % list.length];
const filter = { protocol, protocolPath: 'note' }, dateSort = 'createdDescending';

/** Name, clients, expected status, requests for the slowest server, and the messages (sent round and round). */
const loads = [
  ['RecordsWrite 200 B', 1, 202, ALONE, notes.slice(0, ALONE)],
  ['RecordsWrite 200 B', 16, 202, RECORDS - ALONE, notes.slice(ALONE)],
  ['RecordsWrite 100 KiB', 1, 202, BLOBS_ALONE, blobs.slice(0, BLOBS_ALONE)],
  ['RecordsWrite 100 KiB', 16, 202, BLOBS, blobs.slice(BLOBS_ALONE)],
];
const cursors = async server => {
  const all = await ask(server, await MessagesQuery.create({ filters: [], signer }));
  return signed(50, () => MessagesQuery.create({ filters: [], cursor: all.cursor, signer }));
};
const reads = [
  ['RecordsQuery newest 20', 40, 100, await signed(50, () => RecordsQuery.create({ filter, dateSort, pagination: { limit: 20 }, signer })), r => r.entries.length === 20],
  ['RecordsQuery tag 1 of 100', 40, 100, await signed(50, i => RecordsQuery.create({ filter: { ...filter, tags: { bucket: i } }, dateSort, signer })), r => r.entries.length === RECORDS / BUCKETS],
  ['RecordsRead 200 B', 100, 400, await signed(300, i => RecordsRead.create({ filter: { recordId: pick(noteIds, i) }, signer }))],
  ['RecordsRead 100 KiB', 60, 200, await signed(100, i => RecordsRead.create({ filter: { recordId: pick(blobIds, i) }, signer }))],
  ['MessagesQuery all', 15, 50, await signed(20, () => MessagesQuery.create({ filters: [], signer })), r => r.entries.length === RECORDS + blobs.length + 1],
  ['MessagesQuery nothing new', 40, 150, cursors, r => !r.entries?.length],
  ['MessagesRead', 100, 400, await signed(300, i => MessagesRead.create({ messageCid: pick(cids, i), signer }))],
];

for (const server of servers) {
  const first = await ask(server, configure);
  if (first.status.code !== 202) throw new Error(`ProtocolsConfigure: ${JSON.stringify(first.status)}`);
  for (const [name, clients, expected, n, messages] of loads) await run(server, name, clients, expected, n, messages);
  for (const [name, alone, many, messages, check] of reads) {
    const made = typeof messages === 'function' ? await messages(server) : messages;
    await run(server, name, 1, 200, alone * server.factor, made, check);
    await run(server, name, 16, 200, many * server.factor, made, check);
  }
}
print();
if (options.json) {
  const facts = { date: new Date().toISOString(), node: process.version, load_average: loadavg(), records: RECORDS };
  writeFileSync(options.json, JSON.stringify({ ...facts, servers: Object.fromEntries(servers.map(it => [it.name, it.results])) }, null, 1) + '\n');
}

async function ask({ host }, { message }) {
  const connection = await Connection.open(host);
  const answer = reply(await connection.send(request(host, tenant.did, message)));
  connection.close();
  return answer;
}

/** One load: as many connections as clients, each sends its next request when it has the answer to the last. */
async function run(server, name, clients, expected, n, messages, check) {
  const { host, pid } = server;
  const requests = messages.map(({ message, data }) => request(host, tenant.did, message, data));
  const connections = await Promise.all(Array.from({ length: clients }, () => Connection.open(host)));
  const times = [];
  let next = 0, failed = 0, last;
  const cpu = cpuSeconds(pid), ownCpu = process.cpuUsage(), start = performance.now();
  await Promise.all(connections.map(async connection => {
    while (next < n) {
      const bytes = requests[next++ % requests.length], sent = performance.now();
      last = await connection.send(bytes);
      times.push(performance.now() - sent);
      if (status(last) !== expected) failed += 1;
    }
  }));
  const seconds = (performance.now() - start) / 1000;
  const used = cpuSeconds(pid) - cpu, own = process.cpuUsage(ownCpu);
  connections.forEach(connection => connection.close());
  if (failed || (check && !check(reply(last)))) throw new Error(`${server.name}, ${name}: ${failed} of ${n} failed; the last answer: ${last.head} ${last.body.toString().slice(0, 500)}`);
  times.sort((a, b) => a - b);
  const at = share => Number(times[Math.floor(share * (times.length - 1))].toFixed(2));
  const result = {
    requests: n, per_second: round(n / seconds), p50_ms: at(0.5), p95_ms: at(0.95),
    server_cpu_ms: round(used * 1000 / n), client_cpu_ms: round((own.user + own.system) / 1000 / n),
  };
  server.results[`${name}, ${clients}`] = result;
  console.error(`${server.name.padEnd(6)} ${name}, ${clients}: ${JSON.stringify(result)}`);
}

/** CPU seconds of a process so far, all threads. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** A table: each operation on each server, and how many times the last server is faster than the first. */
function print() {
  const [first] = servers, lastServer = servers.at(-1);
  console.log(`\n${RECORDS} records; load average ${loadavg().map(n => n.toFixed(1)).join(' ')}`);
  console.log(`| operation, clients | ${servers.map(it => `${it.name} /s | ${it.name} p50 ms | ${it.name} CPU ms`).join(' | ')} | × rate | × CPU |`);
  console.log(`|---|${servers.map(() => '---|---|---').join('|')}|---|---|`);
  for (const name of Object.keys(first.results)) {
    const columns = servers.map(({ results }) => `${results[name].per_second} | ${results[name].p50_ms} | ${results[name].server_cpu_ms}`);
    const [a, b] = [first.results[name], lastServer.results[name]];
    console.log(`| ${name} | ${columns.join(' | ')} | ${round(b.per_second / a.per_second)} | ${round(a.server_cpu_ms / b.server_cpu_ms)} |`);
  }
}

/** Three digits that count. */
function round(n) { return Number(n.toPrecision(3)); }
