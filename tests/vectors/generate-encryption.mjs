// Makes hd_keys.json and encryption.json with the JS SDK, so that ours can be held against them.
//
//   npm install @tbd54566975/dwn-sdk-js@0.5.2 @web5/dids@1.2.0     (anywhere above this file; node 20)
//   node generate-encryption.mjs [OUT]
//
// Everything is derived from fixed seeds and fixed times, and the dice of the libraries are loaded: two runs write
// the same bytes.
import { createHash, webcrypto } from 'node:crypto';
import { createRequire } from 'node:module';
import * as sdk from '@tbd54566975/dwn-sdk-js';
import { Readable } from 'node:stream';
import { Message, alice, at, b64, bob, clone, pattern, save, sha, withDwn } from './common.mjs';

const eciesjs = createRequire(createRequire(import.meta.url).resolve('@tbd54566975/dwn-sdk-js'))('eciesjs');
const SCHEMES = ['dataFormats', 'protocolPath', 'protocolContext', 'schemas'];

let rolls = 0;
const roll = (size) => {
  const blocks = [];
  for (let i = 0; i * 32 < size; i += 1) blocks.push(createHash('sha256').update(`toft vectors/dice/${rolls}/${i}`).digest());
  rolls += 1;
  return Buffer.concat(blocks).subarray(0, size);
};
Object.defineProperty(webcrypto, 'getRandomValues', { value: (array) => { array.set(roll(array.length)); return array; } });

const ROOT = sha('toft vectors/alice/root');
const rootKeyId = `${alice.did}#enc`;
const rootJwk = await sdk.Secp256k1.privateKeyToJwk(ROOT);
const root = (derivationScheme) => ({ rootKeyId, derivationScheme, derivedPrivateKey: rootJwk });
const hex = (x) => Buffer.from(x).toString('hex');

// --- derivation -----------------------------------------------------------------------------------------
async function hdKeys() {
  const paths = [[], ['a'], ['a', 'b'], ['a', 'b', 'c'], ['protocolPath'], ['protocolPath', 'http://example.com/p', 'thread', 'reply'],
    ['protocolContext', 'bafyreigc5fsmmgmfz2jggeqwnqhyn6chtvwcdd7cvvyokpwpthsj3vp3ay'], ['dataFormats', 'http://example.com/s', 'text/plain'],
    ['dataFormats', 'text/plain'], ['schemas', 'http://example.com/s'], ['héllo/世界', '😀'], [' '], ['\u0000'], ['x'.repeat(1000)]];
  const keys = [];
  for (const path of paths) {
    const key = await sdk.HdKey.derivePrivateKey(root('schemas'), path);
    const { d, ...publicKeyJwk } = key.derivedPrivateKey;
    keys.push({ path, privateKeyHex: hex(Buffer.from(d, 'base64url')), publicKeyJwk });
  }
  const refused = [];
  for (const path of [[''], ['a', ''], ['', 'a']]) {
    const error = await sdk.HdKey.derivePrivateKey(root('schemas'), path).then(() => undefined, (e) => e.code);
    refused.push({ path, error });
  }
  save('hd_keys.json', { rootPrivateKeyHex: hex(ROOT), keys, refused });
}

// --- keys in a protocol ---------------------------------------------------------------------------------
const PROTOCOL = {
  protocol: 'http://example.com/secret-threads', published: true,
  types: { thread: { schema: 'http://example.com/thread', dataFormats: ['text/plain'] }, reply: { dataFormats: ['text/plain'] }, note: {} },
  structure: {
    thread: { $actions: [{ who: 'anyone', can: ['create', 'read'] }], reply: { $actions: [{ who: 'anyone', can: ['create', 'read'] }] } },
    note: { $size: { max: 100000 } },
  },
};
const definition = await sdk.Protocols.deriveAndInjectPublicEncryptionKeys(PROTOCOL, rootKeyId, rootJwk);

// --- records --------------------------------------------------------------------------------------------
const bytesOf = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
};

/** The path of a record under a scheme, from the record as it will be. */
const pathOf = (scheme, message) => sdk.Records.constructKeyDerivationPath(scheme, message);

async function records() {
  const cases = [];
  await withDwn(async (dwn) => {
    const configure = await sdk.ProtocolsConfigure.create({ definition, messageTimestamp: at(1), signer: alice.signer });
    const { status } = await dwn.processMessage(alice.did, configure.message);
    if (status.code !== 202) throw new Error(JSON.stringify(status));
    let second = 1;
    const write = async (name, schemes, plain, options) => {
      second += 1;
      const [key, iv] = [roll(32), options.iv ?? roll(16)];
      delete options.iv;
      const cipher = await bytesOf(await sdk.Encryption.aes256CtrEncrypt(key, iv, Readable.from([plain])));
      const times = { dateCreated: at(second), messageTimestamp: at(second), ...(options.published && { datePublished: at(second) }) };
      const record = await sdk.RecordsWrite.create({ ...times, data: cipher, signer: alice.signer, ...options });
      const inputs = await Promise.all(schemes.map(async (derivationScheme) => ({
        derivationScheme, publicKeyId: rootKeyId,
        publicKey: await sdk.HdKey.derivePublicKey(root(derivationScheme), pathOf(derivationScheme, record.message)),
      })));
      await record.encryptSymmetricEncryptionKey({ key, initializationVector: iv, keyEncryptionInputs: inputs });
      await record.sign({ signer: options.signer ?? alice.signer });
      const message = clone(record.message);
      const { status } = await dwn.processMessage(alice.did, message, { dataStream: Readable.from([cipher]) });
      if (status.code !== 202) throw new Error(`${name}: ${JSON.stringify(status)}`);
      // Every ancestor of the leaf must do, and no other: that is what ours is asked too.
      for (const scheme of schemes) {
        const path = pathOf(scheme, message);
        for (let depth = 0; depth <= path.length; depth += 1) {
          const ancestor = await sdk.HdKey.derivePrivateKey(root(scheme), path.slice(0, depth));
          const opened = await bytesOf(await sdk.Records.decrypt(message, ancestor, Readable.from([cipher])));
          if (!opened.equals(plain)) throw new Error(`${name}: ${scheme} at depth ${depth}`);
        }
      }
      cases.push({ name, schemes, paths: schemes.map((scheme) => pathOf(scheme, message)), key: b64(key), iv: b64(iv), messageCid: await Message.getCid(message),
        message, ...(plain.length < 3000 ? { plain: b64(plain), cipher: b64(cipher) } : { plainPattern: plain.length, cipherSha256: hex(sha(cipher)) }) });
      return message;
    };
    const flat = { schema: 'example.com/s', dataFormat: 'text/plain' };
    for (const size of [1, 16, 33, 1000]) await write(`dataFormats, ${size} bytes`, ['dataFormats'], Buffer.from(pattern(size)), { ...flat });
    await write('dataFormats without a schema', ['dataFormats'], Buffer.from('no schema'), { dataFormat: 'application/json' });
    await write('schemas', ['schemas'], Buffer.from('by schema'), { ...flat });
    await write('two schemes', ['schemas', 'dataFormats'], Buffer.from('two ways in'), { ...flat, published: true });
    await write('the counter runs over', ['schemas'], Buffer.from(pattern(100)), { ...flat, iv: Buffer.alloc(16, 0xff) });
    await write('the low half of the counter runs over', ['schemas'], Buffer.from(pattern(100)), { ...flat, iv: Buffer.concat([Buffer.alloc(8, 7), Buffer.alloc(8, 0xff)]) });
    await write('data that travels beside the message', ['dataFormats'], Buffer.from(pattern(70001)), { ...flat });
    const inProtocol = (protocolPath, more) => ({ protocol: PROTOCOL.protocol, protocolPath, dataFormat: 'text/plain', ...more });
    await write('protocolPath', ['protocolPath'], Buffer.from('a note'), inProtocol('note', {}));
    const thread = await write('protocolPath and protocolContext', ['protocolPath', 'protocolContext'], Buffer.from('a thread'), inProtocol('thread', { schema: 'http://example.com/thread' }));
    await write('a reply, by context', ['protocolContext'], Buffer.from('a reply'), inProtocol('thread/reply', { parentContextId: thread.contextId, signer: bob.signer }));
    await write('a reply, by path', ['protocolPath'], Buffer.from('another'), inProtocol('thread/reply', { parentContextId: thread.contextId, signer: bob.signer }));
  });
  const ecies = [];
  for (const size of [0, 1, 32, 100]) {
    const plain = roll(size);
    const key = sha(`toft vectors/ecies/${size}`);
    const out = await sdk.Encryption.eciesSecp256k1Encrypt(await sdk.Secp256k1.getPublicKey(key), plain);
    const again = await sdk.Encryption.eciesSecp256k1Decrypt({ ...out, privateKey: key });
    if (!Buffer.from(again).equals(plain)) throw new Error('ecies');
    ecies.push({ privateKeyHex: hex(key), plainHex: hex(plain), ephemeralKeyHex: hex(out.ephemeralPublicKey), ivHex: hex(out.initializationVector),
      tagHex: hex(out.messageAuthenticationCode), cipherHex: hex(out.ciphertext) });
  }
  save('encryption.json', { tenant: alice.did, rootKeyId, rootPrivateKeyHex: hex(ROOT), protocol: PROTOCOL, definition, cases, ecies });
}

await hdKeys();
await records();
