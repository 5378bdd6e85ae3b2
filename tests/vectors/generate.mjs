// Makes the vectors in this folder with the JS implementations, so that ours can be held against them.
//
//   npm install @tbd54566975/dwn-sdk-js@0.5.2 @web5/dids@1.2.0     (anywhere above this file; node 20;
//                                                                 @web5/crypto comes with them)
//   node generate.mjs [OUT [SEED…]]
//
// Everything is derived from fixed seeds and fixed times: two runs write the same bytes. With seeds only stories are
// made, one of each (`tests/it/stories.rs` asks for those).
import * as sdk from '@tbd54566975/dwn-sdk-js';
import { Cid, Message, alice, at, b64, bob, carol, clone, dave, pat, pattern, random, resolver, save, seeds, sign, strip, withDwn } from './common.mjs';

// --- DIDs -----------------------------------------------------------------------------------------------
async function dids() {
  const list = [];
  for (const who of [alice, bob, carol, dave, pat]) {
    const { didDocument } = await resolver.resolve(who.did);
    const methods = didDocument.verificationMethod.map((m) => ({ id: m.id, publicKeyJwk: strip(m.publicKeyJwk) }));
    list.push({ did: who.did, crv: who.crv, methods });
  }
  save('dids.json', { dids: list });
}

// --- JWS ------------------------------------------------------------------------------------------------
async function jws() {
  const cases = [];
  const payload = Buffer.from('{"descriptorCid":"bafyreibgxbcgwjvrcxw4lzzxkfxtn4ljdxq5iycqyyjmq3i5hbwh2rlvzy"}');
  const make = async (who, header, protectedText) => {
    const parts = [b64(protectedText ?? JSON.stringify({ kid: who.keyId, alg: who.privateJwk.alg, ...header })), b64(payload)];
    const signature = await who.signer.sign(Buffer.from(parts.join('.')));
    return { payload: parts[1], signatures: [{ protected: parts[0], signature: b64(signature) }] };
  };
  const add = async (name, who, jws, expect) => {
    let accepted = false;
    try {
      await sdk.authenticate({ signature: jws }, resolver);
      accepted = true;
    } catch { /* refused */ }
    cases.push({ name, kid: who.keyId, publicKeyJwk: strip(who.publicJwk), jws, sdk: accepted, expect });
  };
  const change = async (who, f) => {
    const jws = await make(who);
    f(jws.signatures[0], jws);
    return jws;
  };
  for (const who of [alice, bob, carol, dave]) await add(`valid ${who.crv} ${who.method}`, who, await make(who), true);
  await add('alg of another curve', alice, await make(alice, { alg: 'ES256K' }), false);
  await add('alg none', alice, await make(alice, { alg: 'none' }), false);
  await add('alg missing', alice, await make(alice, { alg: undefined }), false);
  await add('crit', alice, await make(alice, { crit: ['x'], x: 1 }), false);
  await add('b64 false', alice, await make(alice, { b64: false }), false);
  await add('kid that only ends in the key id', alice, await make(alice, { kid: `did:example:x#${alice.keyId}` }), false);
  await add('kid without fragment', alice, await make(alice, { kid: alice.did }), false);
  await add('kid missing', alice, await make(alice, { kid: undefined }), false);
  await add('kid of somebody else', alice, await make(alice, { kid: carol.keyId }), false);
  await add('header is not JSON', alice, await make(alice, {}, 'notjson'), false);
  await add('no signatures', alice, { payload: b64(payload), signatures: [] }, false);
  await add('padded signature', alice, await change(alice, (s) => { s.signature += '=='; }), false);
  await add('truncated signature', alice, await change(alice, (s) => { s.signature = s.signature.slice(0, -2); }), false);
  await add('zero signature', alice, await change(alice, (s) => { s.signature = b64(Buffer.alloc(64)); }), false);
  await add('zero signature ES256K', bob, await change(bob, (s) => { s.signature = b64(Buffer.alloc(64)); }), false);
  await add('other payload', alice, await change(alice, (_, j) => { j.payload = b64('{}'); }), false);
  await add('unprotected header', alice, await change(alice, (s) => { s.header = { alg: 'none' }; }), false);
  const flip = (s, n) => {
    const bytes = Buffer.from(s.signature, 'base64url');
    const value = BigInt('0x' + bytes.subarray(32).toString('hex'));
    s.signature = b64(Buffer.concat([bytes.subarray(0, 32), Buffer.from((n - value).toString(16).padStart(64, '0'), 'hex')]));
  };
  const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  await add('ES256K with s flipped', bob, await change(bob, (s) => flip(s, N)), true);
  await add('ES256K in DER', bob, await change(bob, (s) => {
    const raw = Buffer.from(s.signature, 'base64url');
    const integer = (x) => Buffer.concat([Buffer.from([2, x[0] < 128 ? 32 : 33, ...(x[0] < 128 ? [] : [0])]), x]);
    const both = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
    s.signature = b64(Buffer.concat([Buffer.from([0x30, both.length]), both]));
  }), false);
  // The same signature to whoever does not ask whether s is below the order.
  await add('Ed25519 with the order added to s', alice, await change(alice, (s) => {
    const raw = Buffer.from(s.signature, 'base64url');
    const value = BigInt('0x' + Buffer.from(raw.subarray(32)).reverse().toString('hex')) + 2n ** 252n + 27742317777372353535851937790883648493n;
    s.signature = b64(Buffer.concat([raw.subarray(0, 32), Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()]));
  }), false);
  save('jws.json', { note: 'sdk: what the JS verifier said; expect: what ours must say', cases });
}

// --- CIDs -----------------------------------------------------------------------------------------------
async function cids() {
  const texts = [
    '{}', '[]', 'null', 'true', '"x"', '0', '-1', '1.0', '1e3', '-0', '0.1', '1.5', '-1.5e300', '23', '24', '255', '256', '65536',
    '4294967296', '-4294967297', '9007199254740992', '9007199254740991', '-9007199254740991', '9007199254740993', '1e21', '5e-324', '18446744073709551615',
    '{"bb":1,"a":2,"c":3,"aaa":4}', '{"a":{"b":[1,{"c":null}]}}', '{"ä":"ß","z":"\\u0000"}', '{"a":1,"a":2}', '"\\ud83d\\ude00"',
    '"e\\u0301"', '{"":1}', '{"__proto__":1,"a":2}', '{"b":1,"aa":2,"é":3,"z":4}', '{"ﬀ":1,"𐀀":2}',
    '{"a":{"/":"bafyreibgxbcgwjvrcxw4lzzxkfxtn4ljdxq5iycqyyjmq3i5hbwh2rlvzy"}}',
  ];
  const json = await Promise.all(texts.map(async (text) => ({ text, cid: await Cid.computeCid(JSON.parse(text)) })));
  const data = [];
  for (const size of [0, 1, 2, 17, 1000, 30000, 30001, 262143, 262144, 262145, 524288, 1048576, 1048577, 45613057]) {
    data.push({ size, cid: await Cid.computeDagPbCidFromBytes(pattern(size)) });
  }
  save('cids.json', { note: 'data: byte i is i mod 251', json, data });
}

const DEFINITION = {
  protocol: 'http://example.com/threads', published: true,
  types: { thread: { dataFormats: ['text/plain', 'text/html'] }, reply: { schema: 'http://example.com/reply' }, like: {} },
  structure: { thread: {
    $actions: [{ who: 'anyone', can: ['create', 'update', 'delete'] }],
    $size: { min: 1, max: 40000 },
    reply: {
      $size: { max: 20 },
      $actions: [
        { who: 'author', of: 'thread', can: ['read', 'co-delete', 'co-prune'] },
        { who: 'recipient', of: 'thread', can: ['create', 'update', 'prune', 'delete'] },
        { who: 'recipient', can: ['co-update'] },
      ],
      like: { $actions: [{ who: 'anyone', can: ['create', 'read'] }, { who: 'author', of: 'thread/reply', can: ['co-delete'] }] },
    },
  } },
};

// --- shapes: every message, changed in every place ------------------------------------------------------
async function shapes() {
  const jwk = strip(bob.publicJwk);
  const write = await sdk.RecordsWrite.create({
    protocol: DEFINITION.protocol, protocolPath: 'thread', schema: 'http://example.com/s', recipient: bob.did, dataFormat: 'text/plain',
    data: Buffer.from('hello'), dateCreated: at(1), messageTimestamp: at(1), published: true, datePublished: at(1),
    tags: { s: 'a', n: 1.5, b: true, l: ['x', 'y'], m: [1, 2] }, attestationSigners: [carol.signer], signer: alice.signer,
    encryptionInput: undefined,
  });
  const encrypted = clone(write.message);
  encrypted.encryption = { algorithm: 'A256CTR', initializationVector: 'AAAA', keyEncryption: [{
    rootKeyId: 'a', derivationScheme: 'schemas', derivedPublicKey: jwk, algorithm: 'ECIES-ES256K', encryptedKey: 'AAAA',
    initializationVector: 'AAAA', ephemeralPublicKey: jwk, messageAuthenticationCode: 'AAAA' }] };
  const signer = alice.signer;
  const messageTimestamp = at(2);
  const filter = {
    protocol: DEFINITION.protocol, protocolPath: 'thread', author: [alice.did], attester: carol.did, recipient: bob.did, contextId: 'abc',
    schema: 'http://example.com/s', tags: { s: 'a', n: { gt: 1, lte: 2 }, b: true, p: { startsWith: 'x' }, r: { gte: 'a', lt: 'b' } },
    recordId: 'x', parentId: 'y', published: true, dataFormat: 'text/plain', dataSize: { gte: 1 }, dataCid: 'z',
    dateCreated: { from: at(0), to: at(9) }, datePublished: { from: at(0) }, dateUpdated: { to: at(9) },
  };
  const definition = clone(DEFINITION);
  definition.structure.thread.reply.$tags = { $requiredTags: ['a'], $allowUndefinedTags: true, a: { type: 'string', enum: ['x'] } };
  definition.structure.thread.reply.$encryption = { rootKeyId: 'a', publicKeyJwk: jwk };
  definition.types.member = {};
  // names in alphabetical order: ours looks at them in that order, JS in the order written
  definition.structure = { member: { $role: true }, ...definition.structure };
  definition.structure.thread.reply.like.$actions.push({ role: 'member', can: ['read', 'query', 'subscribe'] });
  const bases = {
    RecordsWrite: encrypted,
    RecordsRead: (await sdk.RecordsRead.create({ filter, messageTimestamp, signer })).message,
    RecordsQuery: (await sdk.RecordsQuery.create({ filter, messageTimestamp, signer, dateSort: 'publishedAscending',
      pagination: { limit: 2, cursor: { messageCid: 'a', value: 'b' } } })).message,
    RecordsDelete: (await sdk.RecordsDelete.create({ recordId: 'x', messageTimestamp, signer, prune: true })).message,
    ProtocolsConfigure: (await sdk.ProtocolsConfigure.create({ definition, messageTimestamp, signer })).message,
    ProtocolsQuery: (await sdk.ProtocolsQuery.create({ filter: { protocol: DEFINITION.protocol }, messageTimestamp, signer })).message,
    MessagesQuery: (await sdk.MessagesQuery.create({ messageTimestamp, signer, cursor: { messageCid: 'a', value: 'b' },
      filters: [{ interface: 'Records', method: 'Write', protocol: DEFINITION.protocol, messageTimestamp: { from: at(0), to: at(9) } }] })).message,
    MessagesRead: (await sdk.MessagesRead.create({ messageCid: await Message.getCid(write.message), messageTimestamp, signer })).message,
    RecordsSubscribe: (await sdk.RecordsSubscribe.create({ filter, messageTimestamp, signer })).message,
    MessagesSubscribe: (await sdk.MessagesSubscribe.create({ messageTimestamp, signer, filters: [{ interface: 'Records', protocol: DEFINITION.protocol }] })).message,
  };
  const cases = [];
  const changes = (parent, name) => {
    const value = parent[name];
    const list = [['del'], ['set', null], ['set', 7], ['set', 'x y'], ['set', {}]];
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) list.push(['add', 'extra', 1]);
    if (typeof value === 'number') list.push(['set', -1]);
    if (name === 'messageTimestamp' || name === 'from') list.push(['set', '2026-13-01T00:00:00.000000Z'], ['set', '2026-02-30T24:00:00.000000Z']);
    if (name === 'tags') list.push(['set', Object.fromEntries([...'abcdefghijk'].map((k) => [k, 1]))]);
    if (name === 'protocol' || name === 'schema') list.push(['set', 'example.com/'], ['set', 'http://Example.com/a#b']);
    return list;
  };
  await withDwn(async (dwn) => {
    for (const [base, message] of Object.entries(bases)) {
      const places = [];
      const walk = (value, path) => {
        if (value === null || typeof value !== 'object') return;
        for (const name of Object.keys(value)) {
          // array members all look alike: the first stands for them
          if (Array.isArray(value) && name !== '0') continue;
          places.push([...path, name]);
          walk(value[name], [...path, name]);
        }
      };
      walk(message, []);
      const run = async (path, [op, a, b]) => {
        const changed = clone(message);
        const last = path.at(-1);
        const parent = path.slice(0, -1).reduce((v, k) => v[k], changed);
        if (op === 'del' && Array.isArray(parent)) parent.splice(Number(last), 1);
        else if (op === 'del') delete parent[last];
        else if (op === 'set') parent[last] = a;
        else parent[last][a] = b;
        let reply;
        try {
          reply = (await dwn.processMessage(alice.did, changed)).status;
        } catch (e) {
          reply = { code: 500, detail: e.message };
        }
        // what passes the shape is judged by what was signed, and that is another file's matter
        cases.push({ base, path: '/' + path.join('/'), op, value: op === 'add' ? { [a]: b } : a, code: reply.code, detail: reply.detail });
      };
      for (const path of places) {
        const parent = path.slice(0, -1).reduce((v, k) => v[k], message);
        for (const change of changes(parent, path.at(-1))) await run(path, change);
      }
    }
  });
  save('shapes.json', { tenant: alice.did, bases, cases });
}

// --- definitions that are shaped well and wrong all the same ----------------------------------------------
async function definitions() {
  const cases = [];
  await withDwn(async (dwn) => {
    const add = async (name, f) => {
      const definition = clone(DEFINITION);
      f(definition, definition.structure.thread);
      const descriptor = { interface: 'Protocols', method: 'Configure', messageTimestamp: at(1), definition };
      const message = { descriptor, authorization: await Message.createAuthorization({ descriptor, signer: alice.signer }) };
      const { status } = await dwn.processMessage(alice.did, message);
      cases.push({ name, message, code: status.code, detail: status.detail });
    };
    await add('protocol not normal', (d) => { d.protocol = 'example.com'; });
    await add('schema not normal', (d) => { d.types.reply.schema = 'example.com/a/'; });
    await add('type not declared', (d, t) => { t.page = {}; });
    await add('size range', (d, t) => { t.$size = { min: 5, max: 4 }; });
    await add('anyone of', (d, t) => { t.$actions = [{ who: 'anyone', of: 'thread', can: ['read'] }]; });
    await add('author without of', (d, t) => { t.$actions = [{ who: 'author', can: ['read'] }]; });
    await add('recipient without of', (d, t) => { t.$actions = [{ who: 'recipient', can: ['read'] }]; });
    await add('update without create', (d, t) => { t.$actions = [{ who: 'anyone', can: ['update'] }]; });
    await add('delete without create', (d, t) => { t.$actions = [{ who: 'anyone', can: ['delete'] }]; });
    await add('one actor twice', (d, t) => { t.$actions = [{ who: 'anyone', can: ['read'] }, { who: 'anyone', can: ['create'] }]; });
    await add('one actor of one path twice', (d, t) => {
      t.reply.$actions = [{ who: 'author', of: 'thread', can: ['read'] }, { who: 'author', of: 'thread', can: ['create'] }];
    });
    await add('role that is none', (d, t) => { t.$actions = [{ role: 'member', can: ['create'] }]; });
    await add('role without all reads', (d, t) => {
      d.structure.like = { $role: true };
      t.$actions = [{ role: 'like', can: ['read'] }];
    });
    await add('role twice', (d, t) => {
      d.structure.like = { $role: true };
      t.$actions = [{ role: 'like', can: ['create'] }, { role: 'like', can: ['create', 'update'] }];
    });
    await add('eleven levels', (d) => {
      let rules = d.structure.thread;
      for (let i = 0; i < 11; i++) rules = rules.like = {};
    });
    await add('ten levels', (d) => {
      let rules = d.structure;
      for (let i = 0; i < 10; i++) rules = rules.like = {};
    });
    await add('action unknown', (d, t) => { t.$actions = [{ who: 'anyone', can: ['query'] }]; });
    await add('no actions', (d, t) => { t.$actions = []; });
  });
  save('definitions.json', { tenant: alice.did, cases });
}

// --- messages that are signed well and wrong all the same -----------------------------------------------
async function integrity() {
  const cases = [];
  const base = {
    interface: 'Records', method: 'Write', dataFormat: 'text/plain', dataSize: 5, dateCreated: at(1), messageTimestamp: at(1),
    dataCid: await Cid.computeDagPbCidFromBytes(Buffer.from('hello')),
  };
  const attest = async (payload, ...people) => ({
    payload: b64(JSON.stringify(payload)),
    signatures: (await Promise.all(people.map((who) => sign(payload, who)))).map((jws) => jws.signatures[0]),
  });
  await withDwn(async (dwn) => {
    const add = async (name, message) => {
      const { status } = await dwn.processMessage(alice.did, clone(message));
      cases.push({ name, message: clone(message), code: status.code, detail: status.detail });
    };
    // changes: of the descriptor before, of the signed payload and of the message after the ids are computed
    const write = async (name, { descriptor = {}, payload = {}, message = {}, signers = [alice] }) => {
      const d = clone({ ...base, ...descriptor });
      const recordId = await Cid.computeCid({ ...d, author: alice.did });
      const m = { recordId, descriptor: d, ...(d.protocol && { contextId: recordId }), ...message };
      const signed = clone({ recordId, descriptorCid: await Cid.computeCid(d), contextId: m.contextId, ...payload });
      const jws = await Promise.all(signers.map((who) => sign(signed, who)));
      await add(name, { ...m, authorization: { signature: { payload: jws[0].payload, signatures: jws.map((j) => j.signatures[0]) } } });
    };
    const other = 'bafyreihltcnuuyqp2jm24aqydpnlj7b6w3ogwrplomrjtg5rifv44mmjey';
    await write('nothing wrong, no data', { descriptor: { dataFormat: 'text/other' } });
    await write('initial write with another time', { descriptor: { messageTimestamp: at(2) } });
    await write('recordId not the one signed', { payload: { recordId: other } });
    await write('recordId of nothing', { payload: { recordId: other }, message: { recordId: other } });
    await write('contextId signed and not there', { payload: { contextId: other } });
    const protocol = { protocol: 'http://example.com/threads', protocolPath: 'thread' };
    await write('contextId not the recordId', { descriptor: protocol, message: { contextId: other } });
    await write('contextId not signed', { descriptor: protocol, payload: { contextId: undefined } });
    await write('two signatures', { signers: [alice, bob] });
    await write('descriptorCid of another', { payload: { descriptorCid: other } });
    await write('descriptorCid not signed', { payload: { descriptorCid: undefined } });
    await write('recordId not signed', { payload: { recordId: undefined } });
    await write('more signed than known', { payload: { extra: 1 } });
    await write('protocol not normal', { descriptor: { ...protocol, protocol: 'example.com' } });
    await write('schema not normal', { descriptor: { schema: 'http://example.com/' } });
    await write('a day that is none', { descriptor: { dateCreated: '2026-02-30T00:00:00.000000Z', messageTimestamp: '2026-02-30T00:00:00.000000Z' } });
    await write('published on a day that is none', { descriptor: { published: true, datePublished: '2026-13-01T00:00:00.000000Z' } });
    const good = { descriptorCid: await Cid.computeCid(base) };
    const attestation = await attest(good, carol);
    const attested = { message: { attestation }, payload: { attestationCid: await Cid.computeCid(attestation) } };
    await write('attested', attested);
    await write('attestation of another descriptor', { message: { attestation: await attest({ descriptorCid: other }, carol) } });
    await write('attestation with more in it', { message: { attestation: await attest({ ...good, extra: 1 }, carol) } });
    await write('two attesters', { message: { attestation: await attest(good, carol, bob) } });
    await write('attestation of nothing', { message: { attestation: await attest([], carol) } });
    await write('attestationCid of another', { ...attested, payload: { attestationCid: other } });
    const encryption = { algorithm: 'A256CTR', initializationVector: 'AAAA', keyEncryption: [{
      rootKeyId: 'a', derivationScheme: 'schemas', algorithm: 'ECIES-ES256K', encryptedKey: 'AAAA', initializationVector: 'AAAA',
      ephemeralPublicKey: strip(bob.publicJwk), messageAuthenticationCode: 'AAAA' }] };
    await write('encryptionCid of another', { message: { encryption }, payload: { encryptionCid: other } });
    const ask = async (name, descriptor, payload = {}) => {
      const d = { messageTimestamp: at(1), ...descriptor };
      const signature = await sign({ descriptorCid: await Cid.computeCid(d), ...payload }, alice);
      await add(name, { descriptor: d, authorization: { signature } });
    };
    const query = { interface: 'Records', method: 'Query', filter: { dataFormat: 'text/plain' } };
    await ask('nothing wrong in a query', query);
    await ask('unpublished by date of publication', { ...query, filter: { published: false }, dateSort: 'publishedDescending' });
    await ask('filter by a protocol not normal', { ...query, filter: { protocol: 'example.com' } });
    await ask('filter by a schema not normal', { ...query, filter: { schema: 'example.com' } });
    await ask('asked on a day that is none', { ...query, messageTimestamp: '2026-02-30T00:00:00.000000Z' });
    await ask('query with more signed than known', query, { recordId: 'x' });
    await ask('read by a protocol not normal', { ...query, method: 'Read', filter: { protocol: 'example.com' } });
    await ask('protocols by recipient only', { interface: 'Protocols', method: 'Query', filter: { recipient: bob.did } });
    await ask('protocols by one not normal', { interface: 'Protocols', method: 'Query', filter: { protocol: 'example.com/' } });
    await ask('messages by a protocol not normal', { interface: 'Messages', method: 'Query', filters: [{ protocol: 'example.com' }] });
    await ask('message of no CID', { interface: 'Messages', method: 'Read', messageCid: 'x' });
    await ask('message of a raw CID', { interface: 'Messages', method: 'Read', messageCid: base.dataCid });
    await ask('message unnamed', { interface: 'Messages', method: 'Read' });
    await ask('message not here', { interface: 'Messages', method: 'Read', messageCid: other });
    await ask('delete of nothing', { interface: 'Records', method: 'Delete', recordId: other, prune: false });
  });
  save('integrity.json', { tenant: alice.did, cases });
}

// --- stories --------------------------------------------------------------------------------------------
async function stories() {
  const all = [];
  for (const seed of seeds([1, 2, 3, 4])) {
    await withDwn(async (dwn) => all.push({ tenant: alice.did, steps: await story(dwn, random(seed), 130) }));
  }
  save('stories.json', { note: 'body: CID of {entries} or {entry} of the reply, without data; data as a number: so many bytes, i mod 251 each', stories: all });
}

async function story(dwn, dice, length) {
  const people = [alice, bob, carol, dave];
  const steps = [];
  const writes = []; // every accepted RecordsWrite, newest last per record
  let now = 0;
  const send = async (message, data) => {
    message = clone(message);
    const dataStream = data && sdk.DataStream.fromBytes(data);
    const reply = await dwn.processMessage(alice.did, clone(message), { dataStream });
    const step = { message, data: data && (data.length < 1000 ? b64(data) : data.length), code: reply.status.code, detail: reply.status.detail };
    if (reply.entries) {
      step.count = reply.entries.length;
      // ours tells messages in an order of its own (`src/dwn/order.rs`)
      const entries = message.descriptor.interface === 'Messages' ? [...reply.entries].sort() : reply.entries;
      step.body = await Cid.computeCid({ entries: clone(entries) });
      if (message.descriptor.interface === 'Records' && reply.cursor) step.cursor = reply.cursor;
    }
    if (reply.entry) {
      const { data, ...entry } = reply.entry;
      step.body = await Cid.computeCid({ entry: clone(entry) });
      if (data) step.data_cid = await Cid.computeDagPbCidFromBytes(await sdk.DataStream.toBytes(data));
    }
    steps.push(clone(step));
    return reply;
  };
  await send((await sdk.ProtocolsConfigure.create({ definition: DEFINITION, messageTimestamp: at(now), signer: alice.signer })).message);
  const bytes = () => dice.chance(0.1) ? pattern(30000 + dice.int(2)) : Buffer.from('data '.repeat(dice.int(4)) + dice.int(1000));
  const tags = () => dice.chance(0.5) ? undefined : { color: dice.pick(['red', 'green', 'grey']), n: dice.int(5), list: [dice.pick(['a', 'b']), 'c'] };
  const publish = () => dice.chance(0.4) ? { published: true, datePublished: at(now - dice.int(3)) } : {};

  const create = async () => {
    const who = dice.pick(people);
    const options = { data: bytes(), dateCreated: at(now), messageTimestamp: at(now), signer: who.signer, tags: tags(), ...publish(),
      dataFormat: dice.pick(['text/plain', 'text/html', 'image/png']) };
    if (dice.chance(0.5)) options.recipient = dice.pick(people).did;
    if (dice.chance(0.2)) options.attestationSigners = [dice.pick(people).signer];
    if (dice.chance(0.2)) options.schema = 'http://example.com/reply';
    const parent = dice.pick(writes);
    if (dice.chance(0.7)) {
      options.protocol = dice.chance(0.97) ? DEFINITION.protocol : 'http://example.com/unknown';
      options.protocolPath = 'thread';
      if (parent?.descriptor.protocol && dice.chance(0.7)) {
        options.parentContextId = parent.contextId;
        const below = { thread: 'reply', 'thread/reply': 'like' }[parent.descriptor.protocolPath] ?? 'like';
        options.protocolPath = dice.chance(0.95) ? `${parent.descriptor.protocolPath}/${below}` : 'thread/like';
        if (below === 'reply' && dice.chance(0.9)) options.schema = 'http://example.com/reply';
        // mostly somebody whom the rules let through
        if (dice.chance(0.6)) options.signer = (people.find((p) => p.did === parent.descriptor.recipient) ?? alice).signer;
      }
    } else if (dice.chance(0.7)) {
      options.signer = alice.signer;
    }
    const message = (await sdk.RecordsWrite.create(options)).message;
    const { status } = await send(message, dice.chance(0.85) ? options.data : undefined);
    if (status.code < 300) writes.push(message);
  };
  const update = async () => {
    const before = dice.pick(writes);
    if (!before) return;
    const owner = people.find((p) => p.did === Message.getAuthor(before));
    const who = dice.chance(0.6) ? owner : dice.pick(people);
    const message = clone(before);
    const d = message.descriptor;
    d.messageTimestamp = at(now - (dice.chance(0.15) ? 30 : 0));
    let data;
    if (dice.chance(0.6)) {
      data = bytes();
      d.dataCid = await Cid.computeDagPbCidFromBytes(data);
      d.dataSize = data.length;
      if (dice.chance(0.05)) data = Buffer.from('other');
    }
    delete d.published;
    delete d.datePublished;
    Object.assign(d, publish());
    if (dice.chance(0.3)) d.tags = tags() ?? { one: 1 };
    if (dice.chance(0.05)) d.recipient = dice.pick(people).did;
    else if (dice.chance(0.03)) d.dateCreated = at(0);
    const payload = { recordId: message.recordId, contextId: message.contextId, descriptorCid: await Cid.computeCid(d) };
    const builder = await sign(clone(payload), who);
    message.authorization = { signature: builder };
    delete message.attestation;
    const { status } = await send(message, data);
    if (status.code < 300) writes.push(message);
  };
  const remove = async () => {
    const before = dice.pick(writes);
    const recordId = before && dice.chance(0.95) ? before.recordId : 'bafyreihltcnuuyqp2jm24aqydpnlj7b6w3ogwrplomrjtg5rifv44mmjey';
    const who = dice.chance(0.5) ? alice : dice.pick(people);
    await send((await sdk.RecordsDelete.create({ recordId, prune: dice.chance(0.4), signer: who.signer,
      messageTimestamp: at(now - (dice.chance(0.15) ? 30 : 0)) })).message);
  };
  const who = () => (dice.chance(0.2) ? undefined : dice.pick(people).signer);
  const filter = () => {
    const some = dice.pick(writes);
    const options = [
      { dataFormat: dice.pick(['text/plain', 'text/html']) }, { protocol: DEFINITION.protocol },
      { protocol: DEFINITION.protocol, protocolPath: dice.pick(['thread', 'thread/reply', 'thread/reply/like']) },
      { author: dice.pick(people).did }, { attester: dice.pick(people).did }, { author: [alice.did, bob.did] }, { author: [] , dataFormat: 'text/plain' },
      { recipient: dice.pick(people).did }, { recipient: [carol.did, dave.did] }, { published: dice.chance(0.5) },
      { tags: { color: dice.pick(['red', 'green']) } }, { tags: { color: { startsWith: 'gr' } } }, { tags: { n: { gte: 1, lt: 4 } } },
      { tags: { list: dice.pick(['a', 'b']) } }, { tags: { n: dice.int(5) } }, { dataSize: { gt: 5 } },
      { dateCreated: { from: at(dice.int(60)) } }, { datePublished: { from: at(dice.int(60)), to: at(dice.int(200)) } },
      { dateUpdated: { to: at(dice.int(130)) } }, { schema: 'http://example.com/reply' },
    ];
    if (some) options.push({ contextId: (some.contextId ?? 'x').slice(0, 70) }, { parentId: some.descriptor.parentId ?? 'x' }, { recordId: some.recordId }, { dataCid: some.descriptor.dataCid });
    const f = Object.assign({}, dice.pick(options), dice.chance(0.3) ? dice.pick(options) : {});
    if (f.published === false) delete f.datePublished;
    return Object.keys(f).length ? f : { dataFormat: 'text/plain' };
  };
  const query = async () => {
    const dateSort = dice.pick([undefined, 'createdAscending', 'createdDescending', 'publishedAscending', 'publishedDescending']);
    const signer = who();
    const f = filter();
    if (f.published === false && dateSort?.startsWith('published')) return;
    // Without this, one unpublished record of the asker's own makes their level index answer with nothing at all.
    if (dateSort?.startsWith('published') && signer !== alice.signer) f.published = true;
    let cursor;
    const limit = dice.chance(0.5) ? 1 + dice.int(4) : undefined;
    for (let page = 0; page < 3; page++) {
      const pagination = limit && { limit, ...(cursor && { cursor }) };
      const { message } = await sdk.RecordsQuery.create({ filter: f, dateSort, pagination, signer, messageTimestamp: at(now) });
      cursor = (await send(message)).cursor;
      if (!cursor) break;
    }
  };
  const read = async () => {
    const some = dice.pick(writes);
    const f = some && dice.chance(0.8) ? { recordId: some.recordId } : filter();
    await send((await sdk.RecordsRead.create({ filter: f, signer: who(), messageTimestamp: at(now) })).message);
  };
  const messages = async () => {
    const filters = dice.pick([[], [{ interface: 'Records' }], [{ method: 'Delete' }, { interface: 'Protocols' }], [{ protocol: DEFINITION.protocol }],
      [{ messageTimestamp: { from: at(dice.int(60)), to: at(dice.int(130)) } }]]);
    const { message } = await sdk.MessagesQuery.create({ filters, signer: dice.chance(0.9) ? alice.signer : bob.signer, messageTimestamp: at(now) });
    const { entries = [] } = await send(message);
    const messageCid = dice.pick(entries);
    if (messageCid) await send((await sdk.MessagesRead.create({ messageCid, signer: dice.chance(0.9) ? alice.signer : bob.signer, messageTimestamp: at(now) })).message);
  };
  const protocols = async () => {
    const f = dice.chance(0.5) ? { protocol: dice.pick([DEFINITION.protocol, 'http://example.com/other']) } : undefined;
    if (dice.chance(0.5)) return void await send((await sdk.ProtocolsQuery.create({ filter: f, signer: who(), messageTimestamp: at(now) })).message);
    const definition = { ...DEFINITION, protocol: 'http://example.com/other', published: dice.chance(0.5) };
    await send((await sdk.ProtocolsConfigure.create({ definition, signer: (dice.chance(0.8) ? alice : bob).signer, messageTimestamp: at(now - dice.int(40)) })).message);
  };
  const plays = [create, create, create, update, update, remove, query, query, read, messages, protocols];
  while (steps.length < length) {
    now += 1;
    await dice.pick(plays)();
  }
  return steps;
}

for (const make of seeds() ? [] : [dids, jws, cids, shapes, definitions, integrity]) await make();
await stories();
