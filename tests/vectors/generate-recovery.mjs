// Recovery phrases, the keys that @web5/agent derives from them, and the did:dht it makes of these.
// npm i ed25519-keygen@0.4.11 @scure/bip39@1.2.2 @web5/dids@1.2.0 @web5/crypto@1.0.6; node generate-recovery.mjs > recovery_phrases.json
import { HDKey } from 'ed25519-keygen/hdkey';
import { mnemonicToSeed } from '@scure/bip39';
import { Ed25519, LocalKeyManager } from '@web5/crypto';
import { DidDht } from '@web5/dids';
const hex = b => Buffer.from(b).toString('hex');
const out = { generator: 'ed25519-keygen 0.4.11, @scure/bip39 1.2.2, @web5/dids 1.2.0, in the steps of @web5/agent 0.8.1 HdIdentityVault', phrases: [] };
for (const phrase of [
  'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about',
  'legal winner thank year wave sausage worth useful legal winner thank yellow',
  'zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote',
]) {
  const root = HDKey.fromMasterSeed(await mnemonicToSeed(phrase));
  const keys = {};
  for (const path of ["m/44'/0'/0'/0'/0'", "m/44'/0'/1708523827'/0'/0'", "m/44'/0'/1708523827'/0'/1'"]) keys[path] = hex(root.derive(path).privateKey);
  const km = new LocalKeyManager();
  const gen = [];
  for (const i of [0, 1]) gen.push(await Ed25519.bytesToPrivateKey({ privateKeyBytes: root.derive(`m/44'/0'/1708523827'/0'/${i}'`).privateKey }));
  const orig = km.generateKey.bind(km);
  km.generateKey = async () => km.importKey({ key: gen.shift() });
  const did = await DidDht.create({ keyManager: km, options: { publish: false, verificationMethods: [{ algorithm: 'Ed25519', id: 'sig', purposes: ['assertionMethod', 'authentication'] }] } });
  out.phrases.push({ phrase, keys, did: did.uri, verificationMethod: did.document.verificationMethod });
}
console.log(JSON.stringify(out, null, 2));
