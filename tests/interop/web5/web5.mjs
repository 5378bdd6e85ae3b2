// The real web5 client (@web5/api, @web5/agent) against a toft node that is both its DWN endpoint and its did:dht
// gateway: what an app does, step by step, with what each step found as one JSON line.
//
//   node web5.mjs ENDPOINT FOLDER
//
// The client knows one public gateway by heart. It is told of ours instead where it allows that, which is in the
// functions of DidDht; nothing else of it is changed.
import { Web5 } from '@web5/api';
import { DidDht } from '@web5/dids';
import { Web5UserAgent } from '@web5/user-agent';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';

const [endpoint, folder] = process.argv.slice(2);
const PROTOCOL = 'https://toft.example/threads';
const PATIENCE_MS = 20_000;

const { publish, resolve } = DidDht;
DidDht.publish = ({ did }) => publish.call(DidDht, { did, gatewayUri: endpoint });
DidDht.resolve = (did, options) => resolve.call(DidDht, did, { ...options, gatewayUri: endpoint });

const say = (step, facts = {}) => process.stdout.write(JSON.stringify({ step, ...facts }) + '\n');
const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');
function must(what, ok, seen) {
  if (!ok) throw new Error(`${what}: ${JSON.stringify(seen)}`);
}
const is = (what, status, ...codes) => must(what, codes.includes(status.code), status);

async function until(what, f) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await f())) {
    must(`waited for ${what}`, Date.now() < end);
    await new Promise((done) => setTimeout(done, 50));
  }
}

// An app on a device of its own.
async function device(name) {
  const agent = await Web5UserAgent.create({ dataPath: join(folder, name) });
  await agent.initialize({ password: 'test', dwnEndpoints: [endpoint] });
  await agent.start({ password: 'test' });
  return agent;
}

// A new identity as Web5.connect() makes it. DidDht.create changes the list of services it is given: each gets its own.
const identity = (agent, name) => agent.identity.create({
  didMethod: 'dht',
  metadata: { name },
  didOptions: {
    services: [{ id: 'dwn', type: 'DecentralizedWebNode', serviceEndpoint: [endpoint], enc: '#enc', sig: '#sig' }],
    verificationMethods: [
      { algorithm: 'Ed25519', id: 'sig', purposes: ['assertionMethod', 'authentication'] },
      { algorithm: 'secp256k1', id: 'enc', purposes: ['keyAgreement'] },
    ],
  },
});

async function app(agent, did) {
  const { web5 } = await Web5.connect({ agent, connectedDid: did, sync: 'off' });
  return web5;
}

const definition = {
  protocol: PROTOCOL,
  published: true,
  types: {
    thread: { schema: `${PROTOCOL}/thread`, dataFormats: ['text/plain', 'application/octet-stream'] },
    reply: { schema: `${PROTOCOL}/reply`, dataFormats: ['text/plain'] },
  },
  structure: {
    thread: {
      $actions: [{ who: 'anyone', can: ['read'] }],
      reply: { $actions: [{ who: 'anyone', can: ['create', 'read'] }] },
    },
  },
};
const thread = { protocol: PROTOCOL, protocolPath: 'thread', schema: `${PROTOCOL}/thread`, dataFormat: 'text/plain', published: true };
const reply = { protocol: PROTOCOL, protocolPath: 'thread/reply', schema: `${PROTOCOL}/reply`, dataFormat: 'text/plain' };

const info = await (await fetch(`${endpoint}/info`)).json();
say('info', { sdkVersion: info.sdkVersion, webSocketSupport: info.webSocketSupport });

const laptop = await device('laptop');
const phone = await device('phone');
const aliceIdentity = await identity(laptop, 'alice');
const alice = aliceIdentity.did.uri;
const bob = (await identity(laptop, 'bob')).did.uri;
const [aliceApp, bobApp] = [await app(laptop, alice), await app(laptop, bob)];
for (const did of [alice, bob]) {
  const { didDocument } = await DidDht.resolve(did);
  must('the gateway has the document', didDocument?.service?.[0]?.id === `${did}#dwn`, didDocument);
}
say('identities', { alice, bob });

// --- protocol, records -----------------------------------------------------------------------------------
{
  const { status, protocol } = await aliceApp.dwn.protocols.configure({ message: { definition } });
  is('protocol here', status, 202);
  is('protocol sent', (await protocol.send(alice)).status, 202);
  const found = await bobApp.dwn.protocols.query({ from: alice, message: { filter: { protocol: PROTOCOL } } });
  must('the protocol is found by another', found.protocols?.length === 1, found.status);
  say('protocol');
}

const write = await aliceApp.dwn.records.create({ data: 'first', message: thread });
is('record here', write.status, 202);
const first = write.record;
is('record sent', (await first.send(alice)).status, 202);
say('record');

const big = randomBytes(100_000);
{
  const { status, record } = await aliceApp.dwn.records.create({ data: big, message: { ...thread, dataFormat: 'application/octet-stream' } });
  is('100 kB here', status, 202);
  is('100 kB sent', (await record.send(alice)).status, 202);
  const read = await aliceApp.dwn.records.read({ from: alice, message: { filter: { recordId: record.id } } });
  is('100 kB read', read.status, 200);
  must('100 kB come back', sha(Buffer.from(await (await read.record.data.blob()).arrayBuffer())) === sha(big));
  say('100 kB');
}

{
  const found = await aliceApp.dwn.records.query({ from: alice, message: { filter: { protocol: PROTOCOL, protocolPath: 'thread' } } });
  must('remote query', found.records?.length === 2, found.status);
  const read = await bobApp.dwn.records.read({ from: alice, message: { filter: { recordId: first.id } } });
  is('read by another', read.status, 200);
  must('what was written', (await read.record.data.text()) === 'first');
  say('query and read');
}

// --- live subscription -----------------------------------------------------------------------------------
const live = [];
let subscription;
if (info.webSocketSupport) {
  const answer = await aliceApp.dwn.records.subscribe({
    from: alice,
    message: { filter: { protocol: PROTOCOL, protocolPath: 'thread/reply' } },
    subscriptionHandler: (record) => live.push(record.id),
  });
  is('subscribe', answer.status, 200);
  subscription = answer.subscription;
}

// --- another identity, update, delete --------------------------------------------------------------------
const answer = await bobApp.dwn.records.create({
  store: false,
  data: 'an answer',
  message: { ...reply, parentContextId: first.contextId },
});
is('reply made', answer.status, 202);
is('reply by another', (await answer.record.send(alice)).status, 202);
{
  const found = await aliceApp.dwn.records.query({ from: alice, message: { filter: { protocol: PROTOCOL, protocolPath: 'thread/reply' } } });
  must('the reply is there', found.records?.length === 1 && found.records[0].author === bob, found.status);
  const refused = await bobApp.dwn.records.create({ store: false, data: 'x', message: thread });
  is('a thread by another is refused', (await refused.record.send(alice)).status, 401);
  say('reply');
}
if (subscription) {
  await until('the live event', () => live.includes(answer.record.id));
  await subscription.close();
  say('live subscription', { events: live.length });
}

is('update here', (await first.update({ data: 'second' })).status, 202);
is('update sent', (await first.send(alice)).status, 202);
{
  const read = await bobApp.dwn.records.read({ from: alice, message: { filter: { recordId: first.id } } });
  must('the update is read', (await read.record.data.text()) === 'second');
  say('update');
}
{
  const { record } = await aliceApp.dwn.records.create({ data: 'mistake', message: thread });
  is('sent', (await record.send(alice)).status, 202);
  is('delete', (await aliceApp.dwn.records.delete({ from: alice, message: { recordId: record.id } })).status, 202);
  const read = await bobApp.dwn.records.read({ from: alice, message: { filter: { recordId: record.id } } });
  is('it is gone', read.status, 404);
  is('delete here', (await record.delete()).status, 202);
  say('delete');
}

// --- sync ------------------------------------------------------------------------------------------------
const count = async (web5, protocolPath, from) => {
  const { status, records } = await web5.dwn.records.query({ from, message: { filter: { protocol: PROTOCOL, protocolPath } } });
  is('count', status, 200);
  return records.length;
};
await laptop.sync.registerIdentity({ did: alice });
for (let n = 0; n < 20; n++) {
  is('local write', (await aliceApp.dwn.records.create({ data: `local ${n}`, message: thread })).status, 202);
}
await laptop.sync.sync('push');
must('all are pushed', (await count(aliceApp, 'thread', alice)) === 22, await count(aliceApp, 'thread', alice));
say('push', { threads: 22 });

const portable = await aliceIdentity.export();
await phone.identity.import({ portableIdentity: { ...portable, metadata: { ...portable.metadata, tenant: phone.agentDid.uri } } });
const phoneApp = await app(phone, alice);
await phone.sync.registerIdentity({ did: alice });
await phone.sync.sync('pull');
const pulled = { threads: await count(phoneApp, 'thread'), replies: await count(phoneApp, 'thread/reply') };
must('the child of an updated parent comes in the first pull', pulled.threads === 22 && pulled.replies === 1, pulled);
const copy = await phoneApp.dwn.records.read({ message: { filter: { recordId: first.id } } });
must('with the newest data', (await copy.record.data.text()) === 'second');
say('second device', pulled);

// Nothing new: the cursor holds. Then news in both directions, an updated parent with a new child among them.
await phone.sync.sync('pull');
const onPhone = await phoneApp.dwn.records.create({ data: 'from the phone', message: thread });
is('on the phone', onPhone.status, 202);
await phone.sync.sync('push');
await laptop.sync.sync('pull');
must('from the phone to the laptop', (await count(aliceApp, 'thread')) === 23, await count(aliceApp, 'thread'));
const parent = await aliceApp.dwn.records.create({ data: 'parent', message: thread });
is('parent', parent.status, 202);
is('child', (await aliceApp.dwn.records.create({ data: 'child', message: { ...reply, parentContextId: parent.record.contextId } })).status, 202);
await laptop.sync.sync('push');
is('parent changed', (await parent.record.update({ data: 'changed' })).status, 202);
await laptop.sync.sync('push');
await phone.sync.sync('pull');
const after = { threads: await count(phoneApp, 'thread'), replies: await count(phoneApp, 'thread/reply') };
must('an update and its child in one pull', after.threads === 24 && after.replies === 2, after);
say('both ways', after);
process.exit(0);
