// The JS DWN SDK as a client: reads one JSON command a line, answers one JSON line each.
// Every message is made and signed by the SDK itself; this file only carries it over HTTP or a WebSocket.
import {
  Cid, DataStoreLevel, DataStream, Dwn, Encryption, EventLogLevel, Jws, MessageStoreLevel, MessagesQuery, MessagesRead, MessagesSubscribe,
  PermissionGrant, PermissionsProtocol, ProtocolsConfigure, ProtocolsQuery, Records, RecordsDelete, RecordsQuery, RecordsRead,
  RecordsSubscribe, RecordsWrite, ResumableTaskStoreLevel, TestDataGenerator, Message,
} from '@tbd54566975/dwn-sdk-js';
import { Secp256r1 } from '@web5/crypto';
import { DidJwk, DidKey, UniversalResolver } from '@web5/dids';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import readline from 'node:readline';
import WebSocket from 'ws';

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const personas = new Map();
const writes = new Map();
const sockets = new Map();
const crowd = [];

const headerJson = v => JSON.stringify(v).replace(/[\u007f-\uffff]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

function send(url, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent, headers: { ...headers, 'content-length': body?.length ?? 0 } }, response => {
      const chunks = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, head: response.headers['dwn-response'], body: Buffer.concat(chunks) }));
    });
    request.setTimeout(60000, () => request.destroy(new Error('no answer in 60 s')));
    request.on('error', reject);
    if (body?.length) request.write(body);
    request.end();
  });
}

async function post(url, target, message, data) {
  const request = headerJson({ jsonrpc: '2.0', id: '1', method: 'dwn.processMessage', params: { target, message } });
  const answer = await send(url, { 'dwn-request': request, ...(data?.length ? { 'content-type': 'application/octet-stream' } : {}) }, data);
  const rpc = JSON.parse(answer.head ?? answer.body.toString());
  if (rpc.error) return { http: answer.status, error: rpc.error };
  const reply = rpc.result.reply;
  if (answer.head) reply.data = { size: answer.body.length, sha256: createHash('sha256').update(answer.body).digest('hex') };
  return { http: answer.status, ...reply };
}

const stripped = ({ encodedData, ...message }) => message;
const bytes = c => c.text !== undefined ? Buffer.from(c.text) : randomBytes(c.size ?? 0);
const signer = name => Jws.createSigner(personas.get(name));

const commands = {
  // kind: ed25519 | secp256k1 | jwk | p256
  async persona({ name, kind }) {
    if (kind === 'ed25519' || kind === undefined) personas.set(name, await TestDataGenerator.generateDidKeyPersona());
    else if (kind === 'p256') {
      // DidJwk.create does not know the curve, though the SDK signs and verifies with it.
      const { kid, ...privateJwk } = await Secp256r1.generateKey();
      const { d, ...publicJwk } = privateJwk;
      const did = `did:jwk:${Buffer.from(JSON.stringify(publicJwk)).toString('base64url')}`;
      personas.set(name, { did, keyId: `${did}#0`, keyPair: { publicJwk: { ...publicJwk, alg: 'ES256' }, privateJwk: { ...privateJwk, alg: 'ES256' } } });
    } else {
      const did = kind === 'jwk' ? await DidJwk.create() : await DidKey.create({ options: { algorithm: 'secp256k1' } });
      const method = did.document.verificationMethod[0];
      const privateJwk = (await did.export()).privateKeys[0];
      const alg = kind === 'jwk' ? 'EdDSA' : 'ES256K';
      const keyId = method.id.startsWith('#') ? did.uri + method.id : method.id;
      personas.set(name, { did: did.uri, keyId, keyPair: { publicJwk: { ...method.publicKeyJwk, alg }, privateJwk: { ...privateJwk, alg } } });
    }
    return { did: personas.get(name).did };
  },
  async configure({ url, as, tenant, definition }) {
    const { message } = await ProtocolsConfigure.create({ definition, signer: signer(as) });
    return post(url, tenant, message);
  },
  async protocols({ url, as, tenant, filter }) {
    const { message } = await ProtocolsQuery.create({ filter, signer: as && signer(as) });
    return post(url, tenant, message);
  },
  // as, tenant, size | text, plus RecordsWrite options
  async write(c) {
    const data = bytes(c);
    const write = await RecordsWrite.create({ data, dataFormat: c.dataFormat ?? 'application/octet-stream', published: c.published, protocol: c.protocol, protocolPath: c.protocolPath, schema: c.schema, recipient: c.recipient, parentContextId: c.parentContextId, tags: c.tags, signer: signer(c.as) });
    writes.set(write.message.recordId, write.message);
    const reply = await post(c.url, c.tenant, write.message, c.withoutData ? undefined : data);
    return { ...reply, recordId: write.message.recordId, contextId: write.message.contextId, dataCid: write.message.descriptor.dataCid, messageCid: await Message.getCid(write.message), sha256: createHash('sha256').update(data).digest('hex'), data: c.keep ? data.toString('base64') : undefined };
  },
  async update(c) {
    const data = bytes(c);
    const write = await RecordsWrite.createFrom({ recordsWriteMessage: writes.get(c.recordId), data: c.withoutData ? undefined : data, published: c.published, signer: signer(c.as) });
    writes.set(write.message.recordId, write.message);
    const reply = await post(c.url, c.tenant, write.message, c.withoutData ? undefined : data);
    return { ...reply, recordId: write.message.recordId, dataCid: write.message.descriptor.dataCid, messageCid: await Message.getCid(write.message), sha256: createHash('sha256').update(data).digest('hex') };
  },
  async read({ url, as, tenant, recordId, filter }) {
    const { message } = await RecordsRead.create({ filter: filter ?? { recordId }, signer: as && signer(as) });
    return post(url, tenant, message);
  },
  async query({ url, as, tenant, filter, pagination, dateSort }) {
    const { message } = await RecordsQuery.create({ filter, pagination, dateSort, signer: as && signer(as) });
    return post(url, tenant, message);
  },
  async delete({ url, as, tenant, recordId, prune }) {
    const { message } = await RecordsDelete.create({ recordId, prune, signer: signer(as) });
    return post(url, tenant, message);
  },
  async messages({ url, as, tenant, filters, cursor }) {
    const { message } = await MessagesQuery.create({ filters: filters ?? [], cursor, signer: signer(as) });
    return post(url, tenant, message);
  },
  async message({ url, as, tenant, messageCid }) {
    const { message } = await MessagesRead.create({ messageCid, signer: signer(as) });
    return post(url, tenant, message);
  },
  // A message made elsewhere, as it is; data in base64url
  async send({ url, tenant, message, data }) {
    return post(url, tenant, message, data && Buffer.from(data, 'base64url'));
  },
  // What a node of the SDK's own says to messages made elsewhere, one after the other; and who it takes for author and signer
  async judge({ tenant, messages }) {
    const dir = mkdtempSync(join(tmpdir(), 'judge-'));
    const dwn = await Dwn.create({
      didResolver: new UniversalResolver({ didResolvers: [DidJwk, DidKey] }),
      messageStore: new MessageStoreLevel({ blockstoreLocation: `${dir}/b`, indexLocation: `${dir}/i` }),
      dataStore: new DataStoreLevel({ blockstoreLocation: `${dir}/d` }),
      eventLog: new EventLogLevel({ location: `${dir}/e` }),
      resumableTaskStore: new ResumableTaskStoreLevel({ location: `${dir}/r` }),
    });
    const said = [];
    for (const { message, data } of messages) {
      const dataStream = data && DataStream.fromBytes(Buffer.from(data, 'base64url'));
      const { status } = await dwn.processMessage(tenant, message, { dataStream });
      said.push({ ...status, author: Message.getAuthor(message), signer: Message.getSigner(message) });
    }
    await dwn.close();
    rmSync(dir, { recursive: true });
    return { said };
  },
  // A record that is encrypted to a path's $encryption, as the SDK does it; `also`: members put over its encryption, before it is signed
  async encrypted(c) {
    const [plain, key, iv] = [bytes(c), randomBytes(32), randomBytes(16)];
    const data = await DataStream.toBytes(await Encryption.aes256CtrEncrypt(key, iv, DataStream.fromBytes(plain)));
    const write = await RecordsWrite.create({ data, dataFormat: c.dataFormat ?? 'text/plain', protocol: c.protocol, protocolPath: c.protocolPath, parentContextId: c.parentContextId });
    await write.encryptSymmetricEncryptionKey({ key, initializationVector: iv, keyEncryptionInputs: [
      { derivationScheme: 'protocolPath', publicKeyId: c.to.rootKeyId, publicKey: c.to.publicKeyJwk },
    ] });
    const spoil = (into, from) => { for (const [k, v] of Object.entries(from)) if (v && typeof v === 'object' && into[k]) spoil(into[k], v); else into[k] = v; };
    spoil(write._message.encryption, c.also ?? {}); // `message` is there once it is signed
    await write.sign({ signer: signer(c.as) });
    return { ...await post(c.url, c.tenant, write.message, data), recordId: write.message.recordId, contextId: write.message.contextId, data: Buffer.from(data).toString('base64url') };
  },
  // What the SDK reads in an encrypted record with a key above it; data and answer in base64url
  async decrypt({ message, data, key }) {
    const stream = await Records.decrypt(message, key, DataStream.fromBytes(Buffer.from(data, 'base64url')));
    return { plain: Buffer.from(await DataStream.toBytes(stream)).toString('base64url') };
  },
  // A message tampered with after signing: path is a list of keys
  async forge(c) {
    const data = bytes(c);
    const write = await RecordsWrite.create({ data, dataFormat: 'text/plain', signer: signer(c.as) });
    const message = structuredClone(write.message);
    if (c.what === 'signature') { const s = message.authorization.signature.signatures[0]; s.signature = (s.signature[0] === 'A' ? 'B' : 'A') + s.signature.slice(1); }
    return post(c.url, c.tenant, message, c.what === 'data' ? randomBytes(data.length) : c.what === 'longer' ? Buffer.concat([data, data]) : c.what === 'shorter' ? data.subarray(1) : data);
  },
  // The dwn-request header of a RecordsWrite, not sent
  async request(c) {
    const write = await RecordsWrite.create({ data: bytes(c), dataFormat: 'text/plain', published: c.published, signer: signer(c.as) });
    return { request: headerJson({ jsonrpc: '2.0', id: '1', method: 'dwn.processMessage', params: { target: c.tenant, message: write.message } }) };
  },
  // Writes, updates and deletes from many clients until the node is gone; answers what was acknowledged.
  // Small and large data, so that both the log and block files are hit by the kill.
  async load({ url, as, tenant, clients }) {
    const done = [];
    const one = async k => {
      for (let n = 0; ; n++) {
        const data = randomBytes(n % 7 === 3 ? 90000 : n % 11 === 5 ? 40000 : 200);
        const write = await RecordsWrite.create({ data, dataFormat: 'application/octet-stream', signer: signer(as) });
        const id = write.message.recordId;
        const entry = { id, sha256: createHash('sha256').update(data).digest('hex') };
        if ((await post(url, tenant, write.message, data)).status?.code !== 202) throw new Error('not accepted');
        done.push(entry);
        if (n % 5 === 1) {
          const data = randomBytes(300);
          const update = await RecordsWrite.createFrom({ recordsWriteMessage: write.message, data, signer: signer(as) });
          entry.unsure = createHash('sha256').update(data).digest('hex'); // sent, not yet acknowledged
          if ((await post(url, tenant, update.message, data)).status?.code !== 202) throw new Error('not accepted');
          entry.sha256 = entry.unsure; delete entry.unsure;
        }
        if (n % 5 === 4) {
          const { message } = await RecordsDelete.create({ recordId: id, signer: signer(as) });
          entry.unsureDelete = true;
          if ((await post(url, tenant, message)).status?.code !== 202) throw new Error('not accepted');
          entry.deleted = true; delete entry.unsureDelete;
        }
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: clients }, (_, k) => one(k)));
    return { acknowledged: done, ends: [...new Set(ends.map(e => String(e.reason)))] };
  },
  // Reads every write back: lost = not there, torn = other bytes than written.
  async audit({ url, as, tenant, writes }) {
    const lost = [], torn = [];
    const cids = new Set((await commands.messages({ url, as, tenant })).entries);
    await Promise.all(Array.from({ length: 16 }, async (_, k) => {
      for (let i = k; i < writes.length; i += 16) {
        const w = writes[i];
        const { message } = await RecordsRead.create({ filter: { recordId: w.id }, signer: signer(as) });
        const reply = await post(url, tenant, message);
        if (reply.status?.code === 404 && (w.deleted || w.unsureDelete) && reply.entry?.recordsDelete) continue;
        if (reply.status?.code !== 200 || w.deleted) { lost.push({ ...w, reply }); continue; }
        if (reply.data?.sha256 !== w.sha256 && reply.data?.sha256 !== w.unsure) torn.push({ ...w, got: reply.data });
        // log and index agree: what the index serves stands in the event log too
        if (!cids.has(await Message.getCid(stripped(reply.entry.recordsWrite)))) lost.push({ ...w, missing: 'event' });
      }
    }));
    return { lost, torn, events: cids.size };
  },
  // A message, made and not sent: kind is its interface and method
  async make({ kind, as, ...options }) {
    const signing = { ...options, signer: as && signer(as) };
    if (kind === 'RecordsWrite') {
      const data = bytes(options);
      const { message } = await RecordsWrite.create({ dataFormat: 'text/plain', ...signing, data });
      return { message, encodedData: data.toString('base64url') };
    }
    const kinds = { MessagesSubscribe, ProtocolsConfigure, RecordsQuery, RecordsRead, RecordsSubscribe };
    const message = JSON.parse(JSON.stringify((await kinds[kind].create(signing)).message)); // without what is undefined
    return { message, cid: await Message.getCid(message) };
  },
  // Writes as the stock client does, by fetch and with the JSON in the header as it is, and reads it back
  async fetched({ url, as, tenant, tags }) {
    const data = Buffer.from('data');
    const go = async (message, body) => {
      const request = { jsonrpc: '2.0', id: randomUUID(), method: 'dwn.processMessage', params: { target: tenant, message } };
      const answer = await fetch(url, { method: 'POST', headers: { 'dwn-request': JSON.stringify(request) }, body });
      const text = await answer.text();
      const rpc = JSON.parse(answer.headers.get('dwn-response') ?? text);
      return { ...(rpc.result?.reply ?? rpc), header: answer.headers.get('dwn-response')?.length };
    };
    const write = await RecordsWrite.create({ data, dataFormat: 'text/plain', tags, signer: signer(as) });
    writes.set(write.message.recordId, write.message);
    const written = await go(write.message, data);
    const { message } = await RecordsRead.create({ filter: { recordId: write.message.recordId }, signer: signer(as) });
    const read = await go(message);
    return { written, read, tags: read.entry?.recordsWrite.descriptor.tags ?? null, recordId: write.message.recordId };
  },
  // So many sockets from one address with so many subscriptions on each: how many of both there are. They stay open.
  async crowd({ url, from, count, each, target, message }) {
    const sockets = await Promise.all(Array.from({ length: count }, () => new Promise(resolve => {
      const socket = new WebSocket(url.replace(/^http/, 'ws'), { localAddress: from });
      socket.on('open', () => resolve(socket));
      socket.on('error', () => resolve(undefined));
    })));
    crowd.push(...sockets.filter(Boolean));
    const codes = {};
    await Promise.all(sockets.filter(Boolean).map(async socket => {
      for (let n = 0; n < each; n++) {
        const answer = new Promise(resolve => socket.once('message', text => resolve(JSON.parse(text))));
        socket.send(JSON.stringify({ jsonrpc: '2.0', id: n, method: 'rpc.subscribe.dwn.processMessage', params: { target, message }, subscription: { id: n } }));
        const code = (await answer).result?.reply.status.code ?? 'error';
        codes[code] = (codes[code] ?? 0) + 1;
      }
    }));
    return { open: sockets.filter(Boolean).length, codes };
  },
  // Permission from one to another (a persona, or a DID), and its end
  async grant({ url, as, to, scope }) {
    const tenant = personas.get(as).did;
    const grant = await PermissionsProtocol.createGrant({ signer: signer(as), grantedTo: personas.get(to)?.did ?? to, dateExpires: '2099-01-01T00:00:00.000000Z', scope });
    writes.set(grant.recordsWrite.message.recordId, grant.dataEncodedMessage);
    return { ...await post(url, tenant, grant.recordsWrite.message, Buffer.from(grant.permissionGrantBytes)), grantId: grant.recordsWrite.message.recordId };
  },
  async revoke({ url, as, grantId }) {
    const grant = await PermissionGrant.parse(writes.get(grantId));
    const revocation = await PermissionsProtocol.createRevocation({ signer: signer(as), grant });
    return post(url, personas.get(as).did, revocation.recordsWrite.message, Buffer.from(revocation.permissionRevocationBytes));
  },
  // WebSockets by name: what arrives is kept in order until it is asked for
  async open({ url, name, from }) {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), { localAddress: from });
    const came = [], waiting = [];
    const arrive = thing => waiting.length ? waiting.shift()(thing) : came.push(thing);
    socket.on('message', text => arrive({ frame: JSON.parse(text) }));
    socket.on('close', (code, reason) => arrive({ closed: code, reason: reason.toString() }));
    await new Promise((resolve, reject) => { socket.once('open', resolve); socket.once('error', reject); });
    socket.on('error', () => {});
    sockets.set(name, { socket, came, waiting });
    return {};
  },
  // The client's own end; bytes past the client's own frames; text that is none
  async bye({ name, code, reason }) { sockets.get(name).socket.close(code, reason); return {}; },
  async bytes({ name, hex }) { sockets.get(name).socket._socket.write(Buffer.from(hex, 'hex')); return {}; },
  async text({ name, hex }) { sockets.get(name).socket.send(Buffer.from(hex, 'hex'), { binary: false }); return {}; },
  async say({ name, frame, text, size }) {
    sockets.get(name).socket.send(text ?? (size ? ' '.repeat(size) : JSON.stringify(frame)));
    return {};
  },
  // The next frame, or {nothing} after `ms`
  async hear({ name, ms }) {
    const { came, waiting } = sockets.get(name);
    if (came.length) return came.shift();
    return new Promise(resolve => {
      const take = thing => { clearTimeout(timer); resolve(thing); };
      const timer = setTimeout(() => { waiting.splice(waiting.indexOf(take), 1); resolve({ nothing: true }); }, ms ?? 10000);
      waiting.push(take);
    });
  },
  // Stops or goes on reading from the network
  async deaf({ name, on }) { sockets.get(name).socket[on ? 'pause' : 'resume'](); return {}; },
  // How many frames came, and the last of them that is an error
  async heard({ name, ms }) {
    await new Promise(resolve => setTimeout(resolve, ms));
    const { came } = sockets.get(name);
    return { count: came.length, error: came.filter(c => c.frame?.error).at(-1)?.frame };
  },
  // Installs protocols with definitions of `size` bytes
  async flood({ url, as, tenant, count, size }) {
    const definition = n => ({ protocol: `http://flood.example/${n}`, published: false, types: { t: { dataFormats: ['x'.repeat(size)] } }, structure: { t: {} } });
    const codes = new Set();
    let next = 0;
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (next < count) {
        const { message } = await ProtocolsConfigure.create({ definition: definition(next++), signer: signer(as) });
        const request = JSON.stringify({ jsonrpc: '2.0', id: '1', method: 'dwn.processMessage', params: { target: tenant, message } });
        const answer = await send(url, { 'content-type': 'application/json' }, Buffer.from(request));
        codes.add(JSON.parse(answer.body.toString()).result?.reply.status.code ?? answer.body.toString());
      }
    }));
    return { codes: [...codes] };
  },
  async get({ url, path, method, headers, body }) {
    const response = await fetch(url + path, { method, headers, body, signal: AbortSignal.timeout(20000) });
    const text = Buffer.from(await response.arrayBuffer());
    let json; try { json = JSON.parse(text.toString()); } catch {}
    return { http: response.status, headers: Object.fromEntries(response.headers), text: text.toString(), json, sha256: createHash('sha256').update(text).digest('hex') };
  },
  // Finds a nonce that meets a challenge, as web5-js does
  async work({ challengeNonce, maximumAllowedHashValue, registrationData }) {
    const max = BigInt('0x' + maximumAllowedHashValue), data = JSON.stringify(registrationData);
    for (;;) {
      const responseNonce = randomBytes(32).toString('hex').toUpperCase();
      const hash = createHash('sha256').update(challengeNonce).update(responseNonce).update(data).digest('hex');
      if (BigInt('0x' + hash) <= max) return { responseNonce };
    }
  },
  async dataCid(c) { return { cid: await Cid.computeDagPbCidFromBytes(bytes(c)) }; },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  let answer;
  try {
    const { op, ...rest } = JSON.parse(line);
    answer = await commands[op](rest);
  } catch (e) {
    answer = { failed: e.stack ?? String(e) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
process.exit(0);
