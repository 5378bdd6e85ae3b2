// Figures of sync between two nodes of one machine: scripts/bench-sync [records].
//
// One node takes records of 200 bytes over its wallet RPC; then another one is paired with it and gets them all. After that: how long
// after an answer a record is on the other node, what a comparison costs when ten records differ on each side, what a pair costs that
// has nothing to do, and how 200 MB go over: with a small record behind them, and with a kill -9 of the receiver. It prints, and checks only that all came. Bytes are those of frames; CPU is of the processes.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [program, count = '100000', live = '300'] = process.argv.slice(2);
const RECORDS = Number(count);
const LIVE = Number(live);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Node {
  static async start(name, home = mkdtempSync(join(tmpdir(), `toft-bench-sync-${name}-`))) {
    const node = new Node();
    node.home = home;
    const settings = ['dwn.listen=127.0.0.1:0', 'gateway.listen=', 'rpc.listen=127.0.0.1:0', 'net.listen=/ip4/127.0.0.1/tcp/0'];
    const args = ['up', '--json', '--home', node.home, ...settings.flatMap((setting) => ['--set', setting])];
    node.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise((resolve, reject) => {
      let text = '';
      node.child.stdout.on('data', (bytes) => {
        text += bytes;
        if (text.includes('\n')) resolve(text);
      });
      node.child.on('exit', () => reject(new Error('the node ended')));
    });
    node.facts = JSON.parse(line);
    node.cookie = readFileSync(join(node.home, 'rpc.cookie'), 'utf8').trim();
    node.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    return node;
  }

  request(url, options, body) {
    return new Promise((resolve, reject) => {
      const request = http.request(url, { agent: this.agent, ...options }, (response) => {
        let text = '';
        response.on('data', (bytes) => (text += bytes));
        response.on('end', () => resolve(text));
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  async call(method, params = {}) {
    const url = this.facts.rpc.endsWith('/rpc') ? this.facts.rpc : `${this.facts.rpc}/rpc`;
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const headers = { authorization: `Bearer ${this.cookie}`, 'content-type': 'application/json' };
    const answer = JSON.parse(await this.request(url, { method: 'POST', headers }, body));
    if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
    return answer.result;
  }

  cli(...args) {
    return new Promise((resolve, reject) => {
      const child = spawn(program, ['--home', this.home, '--json', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (bytes) => (text += bytes));
      child.on('exit', (code) => (code === 0 ? resolve(JSON.parse(text)) : reject(new Error(text))));
    });
  }

  write() {
    return this.call('records.write', { data: randomBytes(200).toString('base64url'), dataFormat: 'application/octet-stream' });
  }

  async records() {
    return (await this.call('node.status')).store.records;
  }

  // Seconds of CPU so far, and MiB of memory.
  cpu() {
    const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  memory() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))[1]) / 1024;
  }

  // Bytes of sync frames, both ways.
  async bytes() {
    const text = await this.request(`${this.facts.dwn}/metrics`, { method: 'GET' });
    const of = (name) => Number(new RegExp(`^toft_${name}(?:_total)? (\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return of('sync_sent_bytes') + of('sync_received_bytes');
  }

  address() {
    const [address] = this.facts.addresses ?? this.facts.identity.addresses;
    return address;
  }

  stop() {
    this.child.kill('SIGTERM');
  }

  // Dies at once and begins anew.
  async again() {
    this.child.kill('SIGKILL');
    await new Promise((resolve) => this.child.on('exit', resolve));
    return Node.start('', this.home);
  }
}

async function inSync(...nodes) {
  for (;;) {
    const all = await Promise.all(nodes.map((node) => node.call('sync.peers')));
    if (all.every((peers) => peers.length > 0 && peers.every((peer) => peer.in_sync))) return;
    await sleep(20);
  }
}

async function pair(one, two) {
  await one.cli('peer', 'add', two.facts.did, two.address());
  await two.cli('peer', 'add', one.facts.did, one.address());
}

async function part(one, two) {
  await one.cli('peer', 'rm', two.facts.did);
  await two.cli('peer', 'rm', one.facts.did);
}

// A file of so many MB, of which no part is like another.
function file(home, megabytes) {
  const path = join(home, 'large');
  rmSync(path, { force: true });
  for (let n = 0; n < megabytes; n += 1) appendFileSync(path, randomBytes(1_000_000));
  return path;
}

const LARGE = 200;
let [a, b] = [await Node.start('a'), await Node.start('b')];
try {
  const alone = Math.min(2000, RECORDS / 2);
  let begun = performance.now();
  for (let n = 0; n < alone; n += 1) await a.write();
  const rate = alone / ((performance.now() - begun) / 1000);
  console.log(`one client writes ${rate.toFixed(0)} records/s over HTTP`);
  let left = RECORDS - alone;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left > 0) {
      left -= 1;
      await a.write();
    }
  }));

  const before = { a: a.cpu(), b: b.cpu(), memory: b.memory() };
  begun = performance.now();
  await pair(a, b);
  await inSync(a, b);
  const seconds = (performance.now() - begun) / 1000;
  const all = await b.records();
  if (all < RECORDS) throw new Error(`${all} of ${RECORDS} records came`);
  const ms = (node, from) => (((node.cpu() - from) / RECORDS) * 1000).toFixed(3);
  const bytes = await b.bytes();
  console.log(`first sync of ${RECORDS}: ${(RECORDS / seconds).toFixed(0)} records/s, ${(RECORDS / seconds / rate).toFixed(2)} of the rate of one client; `
    + `CPU ${ms(b, before.b)} ms a record at the receiver, ${ms(a, before.a)} at the sender; ${(bytes / RECORDS).toFixed(0)} bytes a record; `
    + `memory ${before.memory.toFixed(0)} -> ${b.memory().toFixed(0)} MiB`);

  const times = [];
  for (let n = 1; n <= LIVE; n += 1) {
    await a.write();
    const answered = performance.now();
    while ((await b.records()) < RECORDS + n) await sleep(1);
    times.push(performance.now() - answered);
  }
  times.sort((x, y) => x - y);
  const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))].toFixed(1);
  console.log(`from the answer to being there: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms (${LIVE} records, asked every ms)`);

  await inSync(a, b);
  await part(a, b);
  for (let n = 0; n < 10; n += 1) {
    await a.write();
    await b.write();
  }
  const [memory, frames] = [a.memory(), await a.bytes()];
  begun = performance.now();
  await pair(a, b);
  await inSync(a, b);
  console.log(`10 and 10 different among ${RECORDS}: ${((performance.now() - begun) / 1000).toFixed(2)} s with pairing, `
    + `${(await a.bytes()) - frames} bytes, memory ${memory.toFixed(0)} -> ${a.memory().toFixed(0)} MiB`);

  const same = await a.bytes();
  await part(a, b);
  begun = performance.now();
  await pair(a, b);
  await inSync(a, b);
  console.log(`0 different: ${((performance.now() - begun) / 1000).toFixed(2)} s with pairing, ${(await a.bytes()) - same} bytes`);

  const idle = { bytes: await a.bytes(), a: a.cpu(), b: b.cpu() };
  await sleep(60_000);
  const idleBytes = (await a.bytes()) - idle.bytes;
  console.log(`a minute with nothing to do: ${idleBytes} bytes; CPU ${(a.cpu() - idle.a).toFixed(2)} and ${(b.cpu() - idle.b).toFixed(2)} s`);

  const there = await b.records();
  await a.cli('add', file(a.home, LARGE));
  begun = performance.now();
  await a.write();
  const small = performance.now();
  while ((await b.records()) <= there) await sleep(5);
  const behind = performance.now() - small;
  while ((await b.records()) < there + 2) await sleep(20);
  console.log(`${LARGE} MB: there after ${((performance.now() - begun) / 1000).toFixed(1)} s; a small record written behind it after ${behind.toFixed(0)} ms`);

  await inSync(a, b);
  const sent = await a.bytes();
  await a.cli('add', file(a.home, LARGE));
  while ((await a.bytes()) - sent < (LARGE / 2) * 1e6) await sleep(20);
  b = await b.again();
  while ((await b.records()) < there + 3) await sleep(100);
  await inSync(a, b);
  console.log(`${LARGE} MB with a kill -9 of the receiver after half of it: ${(((await a.bytes()) - sent) / (LARGE * 1e6)).toFixed(2)} of its bytes`);
} finally {
  for (const node of [a, b]) {
    node.stop();
    await sleep(1000);
    rmSync(node.home, { recursive: true, force: true });
  }
}
