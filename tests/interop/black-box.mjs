// Turns the SDK's in-process tests into black-box tests of a remote DWN, by replacing what they stand on:
//
// - `Dwn.processMessage` and the method handlers send the message over the wire;
// - personas get a DID the remote can resolve by itself (did:key on secp256k1) and resolver stubs do nothing;
// - tests that look into the event log or the message store see what the remote tells the tenant.
//
// With `compare`, each message also goes through the SDK in-process and both replies are handed over.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Dwn, Jws, Message, MessagesQuery, MessagesRead, PrivateKeySigner, TestDataGenerator } from '@tbd54566975/dwn-sdk-js';
import { DidKey } from '@web5/dids';
import { internal } from './sdk.mjs';
import { bytesOf, streamOf } from './remote.mjs';

const { TestStubGenerator } = await internal('tests/utils/test-stub-generator.js');
const { TestStores } = await internal('tests/test-stores.js');
const HANDLERS = ['MessagesQuery', 'MessagesRead', 'MessagesSubscribe', 'ProtocolsConfigure', 'ProtocolsQuery',
  'RecordsDelete', 'RecordsQuery', 'RecordsRead', 'RecordsSubscribe', 'RecordsWrite'];

/** Set while the SDK works in-process: what it calls then is not sent. */
const inProcess = new AsyncLocalStorage();
const personas = new Map();
/** Of the running test: messages sent, tenants that have some, DIDs whose keys the test has swapped. */
let sent = 0;
const tenants = new Set(), swapped = new Set();

/** A new test begins. */
export function begin() { sent = 0; tenants.clear(); swapped.clear(); }

/** Messages that the running test has sent. */
export const sentCount = () => sent;

/** Replaces it all. `compare(message, remoteReply, localReply)` is optional. */
export async function install(remote, compare) {
  replacePersonas();
  TestStubGenerator.stubDidResolver = () => {};
  const send = (tenant, message, options, again) => sendAndCompare(remote, compare, tenant, message, options, again);

  const process = Dwn.prototype.processMessage;
  Dwn.prototype.processMessage = function (tenant, message, options = {}) {
    if (inProcess.getStore()) return process.call(this, tenant, message, options);
    return send(tenant, message, options, (message, dataStream) => process.call(this, tenant, message, { ...options, dataStream }));
  };
  for (const name of HANDLERS) {
    const file = name.replace(/(?<=.)([A-Z])/g, '-$1').toLowerCase();
    const { prototype } = (await internal(`src/handlers/${file}.js`))[`${name}Handler`];
    const handle = prototype.handle;
    prototype.handle = function (input) {
      if (inProcess.getStore()) return handle.call(this, input);
      // A handler alone, often one with stubs: what it would say in-process says nothing.
      return send(input.tenant, input.message, input);
    };
  }
  replaceStores(remote);
}

async function sendAndCompare(remote, compare, tenant, message, options, again) {
  sent += 1;
  tenants.add(tenant);
  const data = await bytesOf(options.dataStream);
  if (swapped.has(signerOf(message))) message = withBrokenSignature(message);
  const { subscriptionHandler } = options;
  const reply = await remote.process(tenant, message, { subscriptionHandler, dataStream: streamOf(data) });
  if (!subscriptionHandler) await remote.settle();
  const { interface: kind, method, cursor } = message?.descriptor ?? {};
  // A log cursor of one node means nothing to another; a subscription is judged by its events.
  if (compare && again && method !== 'Subscribe' && !(kind === 'Messages' && cursor)) {
    await compare(message, reply, await inProcess.run(true, () => again(message, streamOf(data))));
  }
  return reply;
}

function signerOf(message) {
  try { return Message.getSigner(message); } catch { return undefined; } // tests send malformed messages too
}

function withBrokenSignature(message) {
  message = structuredClone(message);
  const [jws] = message.authorization.signature.signatures;
  jws.signature = (jws.signature[0] === 'A' ? 'B' : 'A') + jws.signature.slice(1);
  return message;
}

function replacePersonas() {
  const generate = TestDataGenerator.generatePersona, generateDidKey = TestDataGenerator.generateDidKeyPersona;
  const known = persona => { personas.set(persona.did, persona); return persona; };
  TestDataGenerator.generateDidKeyPersona = async () => known(await generateDidKey.call(TestDataGenerator));
  TestDataGenerator.generatePersona = async input => {
    if (!input?.did && !input?.keyPair) return known(await secp256k1Persona());
    // "The resolver has another key for this DID": over a wire that is a signature that does not verify.
    if (personas.has(input.did)) swapped.add(input.did);
    return generate.call(TestDataGenerator, input);
  };
}

async function secp256k1Persona() {
  const did = await DidKey.create({ options: { algorithm: 'secp256k1' } });
  const [{ id: keyId, publicKeyJwk }] = did.document.verificationMethod;
  const [privateKeyJwk] = (await did.export()).privateKeys;
  const publicJwk = { alg: 'ES256K', ...publicKeyJwk }, privateJwk = { alg: 'ES256K', ...privateKeyJwk };
  const signer = new PrivateKeySigner({ privateJwk, algorithm: privateJwk.alg, keyId });
  return { did: did.uri, keyId, keyPair: { publicJwk, privateJwk }, signer };
}

function replaceStores(remote) {
  const { eventLog, messageStore } = TestStores.get();
  const replace = (store, name, ask) => {
    const original = store[name];
    store[name] = function (tenant, ...rest) {
      const isRemote = !inProcess.getStore() && tenants.has(tenant) && personas.has(tenant);
      return isRemote ? ask(tenant, ...rest) : original.call(this, tenant, ...rest);
    };
  };
  replace(eventLog, 'getEvents', async tenant => {
    const { entries, cursor } = await logOf(remote, tenant);
    return { events: entries, cursor };
  });
  replace(eventLog, 'queryEvents', async (tenant, filters) => {
    const found = (await messagesOf(remote, tenant)).filter(it => !filters.length || fits(it.indexes, filters));
    return { events: found.map(it => it.messageCid) };
  });
  replace(messageStore, 'query', async (tenant, filters, sort) => {
    const found = (await messagesOf(remote, tenant)).filter(it => fits(it.indexes, filters));
    const sign = sort?.messageTimestamp ?? 1, key = it => `${it.message.descriptor.messageTimestamp} ${it.messageCid}`;
    found.sort((a, b) => key(a) < key(b) ? -sign : sign);
    return { messages: found.map(it => it.message) };
  });
}

async function logOf(remote, tenant) {
  const { message } = await MessagesQuery.create({ signer: Jws.createSigner(personas.get(tenant)), filters: [] });
  const reply = await remote.process(tenant, message);
  if (reply.status.code !== 200) throw new Error(`MessagesQuery: ${JSON.stringify(reply.status)}`);
  return { entries: reply.entries ?? [], cursor: reply.cursor };
}

/** Every message of a tenant, with what the SDK would have indexed of it. */
async function messagesOf(remote, tenant) {
  const found = [], writes = new Map();
  for (const messageCid of (await logOf(remote, tenant)).entries) {
    const read = await MessagesRead.create({ signer: Jws.createSigner(personas.get(tenant)), messageCid });
    const reply = await remote.process(tenant, read.message);
    if (reply.status.code !== 200) continue;
    const { message } = reply.entry;
    const indexes = { ...message.descriptor, recordId: message.recordId ?? message.descriptor.recordId, contextId: message.contextId };
    if (message.recordId && !writes.has(message.recordId)) writes.set(message.recordId, indexes);
    found.push({ messageCid, message, indexes });
  }
  // A RecordsDelete is found by the properties of what it deletes.
  for (const it of found) {
    if (it.message.descriptor.interface === 'Records' && it.message.descriptor.method === 'Delete') {
      const own = Object.entries(it.indexes).filter(([, value]) => value !== undefined);
      it.indexes = { ...writes.get(it.indexes.recordId), ...Object.fromEntries(own) };
    }
  }
  return found;
}

const ASKABLE = new Set(['interface', 'method', 'protocol', 'protocolPath', 'recordId', 'contextId', 'parentId',
  'schema', 'dataFormat', 'recipient', 'messageTimestamp']);

function fits(indexes, filters) {
  return filters.some(filter => Object.entries(filter).every(([name, value]) => {
    if (!ASKABLE.has(name)) throw new Error(`a store filter on '${name}' cannot be asked over a wire`);
    return indexes[name] === value;
  }));
}
