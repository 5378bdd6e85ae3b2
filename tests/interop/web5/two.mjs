// Two web5 agents of one person, on devices of their own, whose endpoint is a DWN server. Nodes that keep in step with that server, and
// with each other, are theirs too. All write, each where it is; in the end all five have the same messages.
//
//   node two.mjs SERVER GATEWAY FOLDER "DID URL" "DID URL"
//
// One line of JSON a step. After "ready" it waits for a line: by then the nodes are in step with the server.
import { Web5 } from '@web5/api';
import { DwnInterface } from '@web5/agent';
import { DidDht } from '@web5/dids';
import { Web5UserAgent } from '@web5/user-agent';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import readline from 'node:readline';

const [server, gateway, folder, ...nodes] = process.argv.slice(2);
const NODES = nodes.map((node) => node.split(' ')).map(([did, url]) => ({ did, url }));
const PROTOCOL = 'https://toft.example/notes';
const PATIENCE_MS = 180_000;

const { publish, resolve } = DidDht;
DidDht.publish = ({ did }) => publish.call(DidDht, { did, gatewayUri: gateway });
DidDht.resolve = (did, options) => resolve.call(DidDht, did, { ...options, gatewayUri: gateway });

const say = (step, facts = {}) => process.stdout.write(JSON.stringify({ step, ...facts }) + '\n');
function must(what, ok, seen) {
  if (!ok) throw new Error(`${what}: ${JSON.stringify(seen)}`);
}
const is = (what, status, ...codes) => must(what, codes.includes(status.code), status);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// A message as it is, to any server.
async function post(url, tenant, message, data) {
  const request = JSON.stringify({ jsonrpc: '2.0', id: '1', method: 'dwn.processMessage', params: { target: tenant, message } })
    .replace(/[\u007f-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
  const answer = await fetch(url, { method: 'POST', headers: { 'dwn-request': request, 'content-type': 'application/octet-stream' }, body: data });
  const { result, error } = await answer.json();
  must('an answer', result, error);
  return result.reply;
}

async function device(name) {
  const agent = await Web5UserAgent.create({ dataPath: join(folder, name) });
  await agent.initialize({ password: 'test', dwnEndpoints: [server] });
  await agent.start({ password: 'test' });
  return agent;
}

const laptop = await device('laptop');
const phone = await device('phone');
const identity = await laptop.identity.create({
  didMethod: 'dht',
  metadata: { name: 'alice' },
  didOptions: {
    services: [{ id: 'dwn', type: 'DecentralizedWebNode', serviceEndpoint: [server], enc: '#enc', sig: '#sig' }],
    verificationMethods: [
      { algorithm: 'Ed25519', id: 'sig', purposes: ['assertionMethod', 'authentication'] },
      { algorithm: 'secp256k1', id: 'enc', purposes: ['keyAgreement'] },
    ],
  },
});
const alice = identity.did.uri;
const portable = await identity.export();
await phone.identity.import({ portableIdentity: { ...portable, metadata: { ...portable.metadata, tenant: phone.agentDid.uri } } });
const apps = [];
for (const agent of [laptop, phone]) {
  apps.push((await Web5.connect({ agent, connectedDid: alice, sync: 'off' })).web5);
  await agent.sync.registerIdentity({ did: alice });
}
const [aliceOnLaptop, aliceOnPhone] = apps;

// The nodes may ask for her messages: each hears so, and the server by the agent.
for (const node of NODES) {
  for (const method of ['Query', 'Read']) {
    const { message } = await laptop.permissions.createGrant({
      author: alice, store: true, grantedTo: node.did, dateExpires: '2099-01-01T00:00:00.000000Z', scope: { interface: 'Messages', method },
    });
    const { encodedData, ...bare } = message;
    is('the grant at the node', (await post(node.url, alice, bare, Buffer.from(encodedData, 'base64url'))).status, 202);
  }
}
const definition = {
  protocol: PROTOCOL,
  published: true,
  types: { note: { dataFormats: ['text/plain', 'application/octet-stream'] }, reply: { dataFormats: ['text/plain'] } },
  structure: { note: { $actions: [{ who: 'anyone', can: ['create', 'read'] }], reply: { $actions: [{ who: 'anyone', can: ['create', 'read'] }] } } },
};
is('the protocol', (await aliceOnLaptop.dwn.protocols.configure({ message: { definition } })).status, 202);
const note = { protocol: PROTOCOL, protocolPath: 'note', dataFormat: 'text/plain', published: true };
const write = async (app, data, message = note) => {
  const { status, record } = await app.dwn.records.create({ data, message });
  is('a note', status, 202);
  return record;
};
const shared = await write(aliceOnLaptop, 'shared');
const parent = await write(aliceOnLaptop, 'parent');
const doomed = await write(aliceOnLaptop, 'doomed');
await laptop.sync.sync();
await phone.sync.sync();
say('ready', { alice });
await new Promise((go) => readline.createInterface({ input: process.stdin }).once('line', go));

// Everybody writes, and agents are in step when they like. Both devices change and end the same records without knowing of each other.
const onPhone = async (record) => {
  const read = await aliceOnPhone.dwn.records.read({ message: { filter: { recordId: record.id } } });
  is('on the phone', read.status, 200);
  return read.record;
};
for (let round = 0; round < 3; round++) {
  for (let n = 0; n < 3; n++) await write(aliceOnLaptop, `laptop ${round} ${n}`);
  for (let n = 0; n < 3; n++) await write(aliceOnPhone, `phone ${round} ${n}`);
  is('changed on the laptop', (await shared.update({ data: `laptop ${round}` })).status, 202);
  is('changed on the phone', (await (await onPhone(shared)).update({ data: `phone ${round}` })).status, 202);
  if (round === 1) {
    await write(aliceOnPhone, randomBytes(300_000), { ...note, dataFormat: 'application/octet-stream' });
    // In this order: by the SDK's rules an update that is newer than an end it meets later never comes together with that end, with
    // two of its own stores alone (the one refuses the end as older, 409, the other the update after an end, 400).
    is('changed on the laptop', (await doomed.update({ data: 'still here' })).status, 202);
    is('ended on the phone', (await aliceOnPhone.dwn.records.delete({ message: { recordId: doomed.id } })).status, 202);
  }
  if (round === 2) {
    is('the parent changed', (await parent.update({ data: 'parent again' })).status, 202);
    await write(aliceOnLaptop, 'a reply', { ...note, protocolPath: 'note/reply', parentContextId: parent.contextId });
  }
  await (round === 0 ? phone : laptop).sync.sync();
}
// Somebody else writes to her, at each node.
const bob = (await phone.identity.create({ didMethod: 'jwk', metadata: { name: 'bob' } })).did.uri;
for (const node of NODES) {
  const { message } = await phone.processDwnRequest({
    author: bob, target: alice, messageType: DwnInterface.RecordsWrite, store: false,
    dataStream: new Blob([`to ${node.url}`]),
    messageParams: { protocol: PROTOCOL, protocolPath: 'note', dataFormat: 'text/plain', published: true },
  });
  is('a note at a node', (await post(node.url, alice, message, Buffer.from(`to ${node.url}`))).status, 202);
}
say('written');

// What each has of alice: her own question, to each.
const ask = async (agent) => agent.processDwnRequest({ author: alice, target: alice, messageType: DwnInterface.MessagesQuery, messageParams: { filters: [] } });
const sorted = (reply, whose) => {
  is(`the list of ${whose}`, reply.status, 200);
  return [...reply.entries].sort();
};
async function everywhere() {
  const [onLaptop, onPhone] = [await ask(laptop), await ask(phone)];
  const all = { laptop: sorted(onLaptop.reply, 'the laptop'), phone: sorted(onPhone.reply, 'the phone') };
  all.server = sorted(await post(server, alice, onLaptop.message), 'the server');
  for (const [n, node] of NODES.entries()) all[`node ${n}`] = sorted(await post(node.url, alice, onLaptop.message), node.url);
  return all;
}
const end = Date.now() + PATIENCE_MS;
for (;;) {
  await laptop.sync.sync();
  await phone.sync.sync();
  const all = await everywhere();
  const texts = Object.values(all).map((list) => list.join());
  if (texts.every((text) => text === texts[0])) {
    say('equal', { messages: all.server.length, places: texts.length });
    break;
  }
  const lacks = Object.fromEntries(Object.entries(all).map(([name, list]) => {
    const others = new Set(Object.values(all).flat());
    return [name, [...others].filter((cid) => !list.includes(cid))];
  }));
  must('all the same', Date.now() < end, lacks);
  await pause(500);
}
process.exit(0);
