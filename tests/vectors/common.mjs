// What the generators of vectors share: people with fixed keys, a node of the JS SDK, fixed dice.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as sdk from '@tbd54566975/dwn-sdk-js';
import { DidJwk, DidKey, DidKeyUtils, UniversalResolver } from '@web5/dids';
import { Ed25519, Secp256k1, Secp256r1 } from '@web5/crypto';

const OUT = process.argv[2] ?? new URL('.', import.meta.url).pathname;
const SEEDS = process.argv.slice(3).map(Number);
const GENERATOR = 'dwn-sdk-js 0.5.2, @web5/dids 1.2.0';
export const { Cid, Message } = sdk;
export const b64 = (x) => Buffer.from(x).toString('base64url');
export const sha = (x) => createHash('sha256').update(x).digest();
// Told over the wire, a story is of these minutes: by a node's clock nothing in it comes too late, or from the future.
const start = Number(process.env.TOFT_STORY_START ?? Date.UTC(2026, 0, 1));
export const at = (n) => new Date(start + n * 1000).toISOString().replace(/Z$/, '000Z');
export const pattern = (size) => Uint8Array.from({ length: size }, (_, i) => i % 251);
export const clone = (x) => JSON.parse(JSON.stringify(x));
/** The seeds that were asked for; else these. */
export const seeds = (usual) => (SEEDS.length ? SEEDS : usual);
export const strip = ({ kid, alg, ...jwk }) => jwk;

export function save(name, value) {
  const text = JSON.stringify({ generator: GENERATOR, ...value }, null, 1)
    // one case a line keeps the files readable in a diff
    .replace(/\n {3,}/g, '');
  writeFileSync(join(OUT, name), text + '\n');
}

// --- people ---------------------------------------------------------------------------------------------
const CURVES = { Ed25519, secp256k1: Secp256k1, 'P-256': Secp256r1 };

async function person(name, crv, method) {
  const privateJwk = await CURVES[crv].bytesToPrivateKey({ privateKeyBytes: sha(`toft vectors/${name}/${crv}`) });
  const publicJwk = await CURVES[crv].getPublicKey({ key: privateJwk });
  let did, keyId;
  if (method === 'key') {
    const id = await DidKeyUtils.publicKeyToMultibaseId({ publicKey: publicJwk });
    did = `did:key:${id}`;
    keyId = `${did}#${id}`;
  } else {
    did = `did:jwk:${b64(JSON.stringify(strip(publicJwk)))}`;
    keyId = `${did}#0`;
  }
  const alg = { Ed25519: 'EdDSA', secp256k1: 'ES256K', 'P-256': 'ES256' }[crv];
  const keys = { privateJwk: { ...strip(privateJwk), alg }, publicJwk: { ...strip(publicJwk), alg } };
  return { name, did, keyId, crv, method, ...keys, signer: new sdk.PrivateKeySigner({ privateJwk: keys.privateJwk, keyId }) };
}

export const resolver = new UniversalResolver({ didResolvers: [DidJwk, DidKey] });
export const [alice, bob, carol, dave] = await Promise.all([
  person('alice', 'Ed25519', 'key'), person('bob', 'secp256k1', 'key'),
  person('carol', 'Ed25519', 'jwk'), person('dave', 'secp256k1', 'jwk'),
]);
export const pat = await person('pat', 'P-256', 'jwk');

// --- a node of theirs -----------------------------------------------------------------------------------
export async function withDwn(use) {
  const dir = mkdtempSync(join(tmpdir(), 'vectors-'));
  const dwn = await sdk.Dwn.create({
    didResolver: resolver,
    messageStore: new sdk.MessageStoreLevel({ blockstoreLocation: `${dir}/b`, indexLocation: `${dir}/i` }),
    dataStore: new sdk.DataStoreLevel({ blockstoreLocation: `${dir}/d` }),
    eventLog: new sdk.EventLogLevel({ location: `${dir}/e` }),
    resumableTaskStore: new sdk.ResumableTaskStoreLevel({ location: `${dir}/r` }),
  });
  await use(dwn);
  await dwn.close();
  rmSync(dir, { recursive: true });
}

export function random(seed) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return { chance: (p) => next() < p, pick: (list) => list[Math.floor(next() * list.length)], int: (n) => Math.floor(next() * n) };
}

export async function sign(payload, who) {
  const parts = [b64(JSON.stringify({ kid: who.keyId, alg: who.privateJwk.alg })), b64(JSON.stringify(payload))];
  return { payload: parts[1], signatures: [{ protected: parts[0], signature: b64(await who.signer.sign(Buffer.from(parts.join('.')))) }] };
}
