// Makes did_keys.json, did_dht.json and es256.json with JS implementations, so that ours can be held against them.
//
//   npm install @web5/dids@1.2.0     (anywhere above this file; node 20; @web5/crypto comes with it)
//   node generate-dids.mjs [OUT]
//
// Keys come from fixed seeds; sequence numbers are the time of the run, and ECDSA nonces are random: did_dht.json and
// es256.json change with every run.
import { createHash, createPrivateKey, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { DidDht, DidJwk, DidKey, DidKeyUtils, UniversalResolver } from '@web5/dids';
import { Ed25519, LocalKeyManager, Secp256k1, Secp256r1, X25519 } from '@web5/crypto';

const OUT = process.argv[2] ?? new URL('.', import.meta.url).pathname;
const GENERATOR = '@web5/dids 1.2.0';
const CURVES = { Ed25519, secp256k1: Secp256k1, 'P-256': Secp256r1, X25519 };
const sha = (x) => createHash('sha256').update(x).digest();
const b64 = (x) => Buffer.from(x).toString('base64url');
const strip = ({ kid, alg, ...jwk }) => jwk;
const plain = (jwk) => Object.fromEntries(Object.entries(strip(jwk)).sort());

function save(name, value) {
  const text = JSON.stringify({ generator: GENERATOR, ...value }, null, 1).replace(/\n {3,}/g, '');
  writeFileSync(join(OUT, name), text + '\n');
}

const publicJwk = async (name, crv) => {
  const key = await CURVES[crv].bytesToPrivateKey({ privateKeyBytes: sha(`toft vectors/${name}/${crv}`) });
  return strip(await CURVES[crv].getPublicKey({ key }));
};

// --- keys that are their own document -------------------------------------------------------------------
// @web5/dids does not read P-256 did:key: that document is written out by hand from the did:key rules.
async function didKeys() {
  const resolver = new UniversalResolver({ didResolvers: [DidJwk, DidKey] });
  const dids = [];
  const add = async (did, crv, signs) => {
    const { didDocument } = await resolver.resolve(did);
    const methods = didDocument.verificationMethod.map((m) => {
      const id = m.id.startsWith('#') ? did + m.id : m.id;
      return { id, publicKeyJwk: strip(m.publicKeyJwk) };
    });
    for (const m of methods) { delete m.publicKeyJwk.use; }
    dids.push({ did, crv, signs, methods });
  };
  const x = await publicJwk('xavier', 'X25519');
  await add(`did:key:${await DidKeyUtils.publicKeyToMultibaseId({ publicKey: x })}`, 'X25519', false);
  await add(`did:jwk:${b64(JSON.stringify(x))}`, 'X25519', false);
  const enc = { ...(await publicJwk('enno', 'P-256')), use: 'enc' };
  await add(`did:jwk:${b64(JSON.stringify(enc))}`, 'P-256', false);
  const p = await publicJwk('pia', 'P-256');
  const bytes = Buffer.concat([Buffer.from([0x80, 0x24]), await Secp256r1.compressPublicKey({ publicKeyBytes: await Secp256r1.publicKeyToBytes({ publicKey: p }) })]);
  const id = 'z' + base58(bytes);
  dids.push({ did: `did:key:${id}`, crv: 'P-256', signs: true, methods: [{ id: `did:key:${id}#${id}`, publicKeyJwk: p }] });
  save('did_keys.json', { dids });
}

function base58(bytes) {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  let n = BigInt('0x' + bytes.toString('hex')), out = '';
  for (; n > 0n; n /= 58n) out = alphabet[Number(n % 58n)] + out;
  return out;
}

// --- did:dht --------------------------------------------------------------------------------------------
async function didDht() {
  const packets = new Map();
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (c) => chunks.push(c));
    request.on('end', () => {
      if (request.method === 'PUT') packets.set(request.url.slice(1), Buffer.concat(chunks));
      const found = packets.get(request.url.slice(1));
      response.writeHead(found ? 200 : 404).end(request.method === 'PUT' ? undefined : found);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const gatewayUri = `http://127.0.0.1:${server.address().port}`;
  const dwn = (endpoints) => ({ id: 'dwn', type: 'DecentralizedWebNode', serviceEndpoint: endpoints, enc: '#enc', sig: '#sig' });
  const make = {
    minimal: {},
    'as web5.connect makes it': {
      services: [dwn(['https://dwn.example/a', 'https://dwn.example/b'])],
      verificationMethods: [
        { algorithm: 'Ed25519', id: 'sig', purposes: ['assertionMethod', 'authentication'] },
        { algorithm: 'secp256k1', id: 'enc', purposes: ['keyAgreement'] },
      ],
    },
    'keys by thumbprint': {
      verificationMethods: [
        { algorithm: 'secp256k1', purposes: ['authentication'] },
        { algorithm: 'Ed25519', purposes: ['assertionMethod'] },
      ],
    },
    'of a controller, under other names': {
      controllers: ['did:example:controller'], alsoKnownAs: ['did:example:other', 'did:example:another'],
    },
    'a text of several strings': { services: [dwn(Array.from({ length: 8 }, (_, i) => `https://node-${i}.dwn.example/some/longer/path`))] },
  };
  const out = [];
  let n = 0;
  for (const [name, options] of Object.entries(make)) {
    const keyManager = new LocalKeyManager();
    // Seeds instead of randomness: the key manager is asked for as many keys as there are methods.
    keyManager.generateKey = async ({ algorithm }) => {
      const crv = algorithm === 'secp256k1' ? 'secp256k1' : 'Ed25519';
      const key = await CURVES[crv].bytesToPrivateKey({ privateKeyBytes: sha(`toft vectors/dht/${n++}`) });
      return keyManager.importKey({ key: { ...key, kid: undefined } });
    };
    const did = await DidDht.create({ keyManager, options: { ...options, gatewayUri } });
    const id = did.uri.slice('did:dht:'.length);
    const payload = packets.get(id);
    const { didDocument } = await DidDht.resolve(did.uri, { gatewayUri });
    const may = new Set([...(didDocument.authentication ?? []), ...(didDocument.assertionMethod ?? [])]);
    out.push({
      name, did: did.uri, seq: Number(payload.readBigUInt64BE(64)), payload: payload.toString('hex'),
      methods: didDocument.verificationMethod.map((m) => ({ id: m.id, publicKeyJwk: plain(m.publicKeyJwk), signs: may.has(m.id) })),
      services: (didDocument.service ?? []).map((s) => ({ id: s.id, type: s.type, endpoints: [s.serviceEndpoint].flat() })),
    });
  }
  server.close();
  save('did_dht.json', { note: 'payload: signature, sequence number, DNS packet', packets: out });
}

// --- ES256 -----------------------------------------------------------------------------------------------
// Signatures are made by node:crypto, whose nonces are random: this file changes with every run.
async function es256() {
  const jwk = await Secp256r1.bytesToPrivateKey({ privateKeyBytes: sha('toft vectors/pia/P-256') });
  const { kid: _, ...key } = jwk;
  const publicKeyJwk = await publicJwk('pia', 'P-256');
  const kid = `did:jwk:${b64(JSON.stringify(publicKeyJwk))}#0`;
  const payload = b64('{"descriptorCid":"bafyreibgxbcgwjvrcxw4lzzxkfxtn4ljdxq5iycqyyjmq3i5hbwh2rlvzy"}');
  const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const cases = [];
  const add = (name, expect, { alg = 'ES256', dsaEncoding = 'ieee-p1363', change = (x) => x } = {}) => {
    const head = b64(JSON.stringify({ kid, alg }));
    const signature = sign('sha256', Buffer.from(`${head}.${payload}`), { key: createPrivateKey({ key, format: 'jwk' }), dsaEncoding });
    cases.push({ name, kid, publicKeyJwk, jws: { payload, signatures: [{ protected: head, signature: b64(change(signature)) }] }, expect });
  };
  const flip = (x) => Buffer.concat([x.subarray(0, 32), Buffer.from((N - BigInt('0x' + x.subarray(32).toString('hex'))).toString(16).padStart(64, '0'), 'hex')]);
  add('valid', true);
  add('s flipped', true, { change: flip });
  add('DER', false, { dsaEncoding: 'der' });
  add('alg of another curve', false, { alg: 'ES256K' });
  add('zero', false, { change: (x) => Buffer.alloc(x.length) });
  add('s is the order', false, { change: (x) => Buffer.concat([x.subarray(0, 32), Buffer.from(N.toString(16), 'hex')]) });
  add('cut', false, { change: (x) => x.subarray(1) });
  save('es256.json', { note: 'made with node:crypto', cases });
}

await didKeys();
await didDht();
await es256();
