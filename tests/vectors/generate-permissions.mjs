// Vectors of who may do what: tags under a protocol's rules, and random stories of grants, delegates, owners who
// keep copies, and roles. Set up and run as `generate.mjs`:
//
//   node generate-permissions.mjs [OUT [SEED…]]
import * as sdk from '@tbd54566975/dwn-sdk-js';
import Ajv from 'ajv/dist/2020.js';
import { Cid, Message, alice, at, b64, bob, carol, clone, dave, random, save, seeds, sign, withDwn } from './common.mjs';

const PERMISSIONS = 'https://tbd.website/dwn/permissions';

// --- tags -----------------------------------------------------------------------------------------------
// As `core/protocol-authorization.js` and `interfaces/protocols-configure.js` ask AJV.
function judge(rules, tags) {
  const { $allowUndefinedTags, $requiredTags, ...properties } = rules;
  for (const tag in properties) {
    const ajv = new Ajv.default({ logger: false });
    if (!ajv.validateSchema(properties[tag])) return { schema: ajv.errorsText(ajv.errors, { dataVar: `p/$tags/${tag}` }) };
  }
  const ajv = new Ajv.default({ logger: false });
  try {
    const fits = ajv.compile({ type: 'object', properties, required: $requiredTags || [], additionalProperties: $allowUndefinedTags || false });
    return fits(tags) ? {} : { record: ajv.errorsText(fits.errors, { dataVar: 'p/$tags' }) };
  } catch (error) {
    return { refused: error.message };
  }
}

function tags() {
  const dice = random(7);
  const scalar = () => dice.pick([() => dice.pick(['', 'a', 'ab', 'äöü', '😀😀']), () => dice.int(6), () => dice.int(12) / 2, () => dice.chance(0.5)])();
  const value = () => (dice.chance(0.5) ? scalar() : Array.from({ length: dice.int(5) }, dice.chance(0.5) ? () => dice.int(4) : () => dice.pick(['a', 'b', 'abc'])));
  const limit = () => (dice.chance(0.03) ? dice.pick(['x', -1, 1.5, null]) : dice.int(4));
  const keywords = (list, inner) => {
    const schema = {};
    if (dice.chance(0.8)) schema.type = dice.pick(inner ? ['string', 'number', 'integer'] : ['string', 'number', 'integer', 'boolean', 'array']);
    for (const name of list) if (dice.chance(0.15)) schema[name] = limit();
    if (dice.chance(0.2)) schema.enum = dice.chance(0.05) ? [] : Array.from({ length: 1 + dice.int(3) }, scalar);
    if (!inner && dice.chance(0.2)) schema.uniqueItems = dice.chance(0.9) ? dice.chance(0.8) : 'x';
    return schema;
  };
  const one = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength'];
  const rule = () => {
    const schema = keywords([...one, 'minItems', 'maxItems', ...(dice.chance(0.3) ? ['minContains', 'maxContains'] : [])]);
    if (dice.chance(0.3)) schema.items = keywords(one, true);
    if (dice.chance(0.3)) schema.contains = keywords(one, true);
    return schema;
  };
  const cases = [];
  for (let i = 0; i < 1000; i++) {
    // one letter each, in alphabetical order: the order in which both sides look at them
    const rules = {};
    if (dice.chance(0.3)) rules.$requiredTags = dice.pick([['a'], ['b', 'a'], ['c']]);
    if (dice.chance(0.5)) rules.$allowUndefinedTags = dice.chance(0.8);
    rules.a = rule();
    if (dice.chance(0.4)) rules.b = rule();
    const tags = {};
    for (const tag of 'abc') if (dice.chance(tag === 'a' ? 0.9 : 0.4)) tags[tag] = value();
    cases.push({ rules, tags, ...judge(rules, tags) });
  }
  save('tags.json', { note: 'schema: what is said of the protocol; record: of the record; refused: of a schema that AJV does not compile', cases });
}

// --- stories --------------------------------------------------------------------------------------------
const rules = (more) => ({ $actions: [{ who: 'anyone', can: ['create', 'update', 'delete'] }], ...more });
const FORUM = {
  protocol: 'http://example.com/forum', published: false,
  types: { admin: {}, thread: {}, member: {}, post: {}, note: {} },
  structure: {
    admin: { $role: true },
    note: { $tags: { $requiredTags: ['kind'], kind: { type: 'string', enum: ['a', 'b'] }, rank: { type: 'integer', minimum: 1, maximum: 3 } }, ...rules() },
    thread: {
      ...rules(),
      member: { $role: true, $actions: [{ who: 'author', of: 'thread', can: ['create', 'delete'] }] },
      post: {
        $size: { max: 12 },
        $actions: [
          { role: 'thread/member', can: ['create', 'update', 'read', 'query', 'subscribe', 'co-delete'] },
          { role: 'admin', can: ['co-update', 'co-delete', 'read', 'query', 'subscribe'] },
          { who: 'author', of: 'thread', can: ['co-prune', 'co-update'] },
        ],
      },
    },
  },
};
const OTHER = { protocol: 'http://example.com/other', published: true, types: { post: {} }, structure: { post: { $actions: [{ who: 'anyone', can: ['create'] }] } } };

async function stories() {
  const all = [];
  for (const seed of seeds([11, 12, 13, 14])) {
    await withDwn(async (dwn) => all.push({ tenant: alice.did, steps: await story(dwn, random(seed), 140) }));
  }
  save('permissions.json', { note: 'as stories.json', stories: all });
}

async function story(dwn, dice, length) {
  const people = [alice, bob, carol, dave];
  const [steps, records, grants, threads] = [[], [], [], []];
  let now = 0;
  const send = async (message, data) => {
    message = clone(message);
    const reply = await dwn.processMessage(alice.did, clone(message), { dataStream: data && sdk.DataStream.fromBytes(data) })
      // what the reference throws about is no verdict
      .catch(() => undefined);
    if (!reply) return { status: { code: 500 } };
    const step = { message, data: data && b64(data), code: reply.status.code, detail: reply.status.detail };
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
  const time = { get messageTimestamp() { return at(now); } };
  for (const definition of [FORUM, OTHER]) {
    await send((await sdk.ProtocolsConfigure.create({ definition, messageTimestamp: at(now), signer: alice.signer })).message);
  }

  const scope = () => {
    const protocol = dice.pick([FORUM.protocol, FORUM.protocol, OTHER.protocol]);
    const records = { interface: 'Records', method: dice.pick(['Write', 'Write', 'Read', 'Query', 'Delete']), protocol };
    const protocolPath = dice.chance(0.15) ? dice.pick(['thread', 'thread/post']) : undefined;
    // The first of two that are one too many is told: in alphabetical order here, as written there.
    if (dice.chance(0.15)) records.contextId = dice.pick(threads)?.contextId ?? 'x';
    if (protocolPath) records.protocolPath = protocolPath;
    const unscoped = (s) => (dice.chance(0.5) ? s : { ...s, protocol });
    return dice.pick([records, records, records, unscoped({ interface: 'Messages', method: dice.pick(['Read', 'Query']) }),
      unscoped({ interface: 'Protocols', method: dice.pick(['Configure', 'Query']) })]);
  };
  const permission = async (protocolPath, data, { signer, recipient, parent, protocol }) => {
    const bytes = Buffer.from(JSON.stringify(data));
    const { message } = await sdk.RecordsWrite.create({ protocol: PERMISSIONS, protocolPath, recipient, parentContextId: parent, signer,
      dateCreated: at(now), messageTimestamp: at(now), data: bytes, dataFormat: 'application/json', ...(protocol && { tags: { protocol } }) });
    return { message, bytes, code: (await send(message, bytes)).status.code };
  };
  const grant = async () => {
    const [grantee, s] = [dice.pick([bob, carol, dave]), scope()];
    const data = { dateExpires: at(now + dice.pick([5, 500])), scope: s };
    if (dice.chance(0.85)) data.delegated = dice.chance(0.9);
    if (s.method === 'Write' && dice.chance(0.3)) data.conditions = { publication: dice.pick(['Required', 'Prohibited']) };
    if (dice.chance(0.05)) data.scope = { ...s, method: 'Dance' };
    const grantor = dice.chance(0.85) ? alice : dice.pick([bob, carol]);
    const protocol = dice.chance(0.95) ? s.protocol : 'http://example.com/else';
    const { message, bytes, code } = await permission('grant', data, { signer: grantor.signer, recipient: grantee.did, protocol });
    // a grant that nobody keeps can still come with a message
    if (data.scope === s) grants.push({ id: message.recordId, contextId: message.contextId, grantee, grantor, scope: s, kept: code === 202, whole: { ...message, encodedData: b64(bytes) } });
  };
  const request = async () => {
    const s = scope();
    const data = { delegated: dice.chance(0.5), scope: s, ...(dice.chance(0.1) && { extra: 1 }) };
    await permission('request', data, { signer: dice.pick(people).signer, protocol: dice.chance(0.9) ? s.protocol : undefined });
  };
  const revoke = async () => {
    const g = dice.pick(grants.filter((g) => g.kept));
    if (!g) return;
    const signer = (dice.chance(0.8) ? alice : g.grantee).signer;
    await permission('grant/revocation', dice.chance(0.95) ? { description: 'no more' } : { x: 1 }, { signer, parent: g.contextId, protocol: dice.chance(0.9) ? g.scope.protocol : 'http://example.com/else' });
  };
  // who acts, and in what right
  const right = (interfaceName, method) => {
    const fitting = grants.filter((g) => g.scope.interface === interfaceName && g.scope.method === method);
    const g = dice.chance(0.85) ? dice.pick(fitting.length ? fitting : grants) : dice.pick(grants);
    const choices = [() => ({ signer: dice.pick(people).signer }), () => ({ signer: dice.pick(people).signer, protocolRole: dice.pick(['admin', 'thread/member', 'thread/member', 'thread']) })];
    if (g) {
      const signer = (dice.chance(0.95) ? g.grantee : dice.pick(people)).signer;
      choices.push(() => ({ signer, permissionGrantId: g.id }), () => ({ signer, permissionGrantId: g.id }), () => ({ signer, delegatedGrant: g.whole }), () => ({ signer, delegatedGrant: g.whole }));
    }
    return dice.pick(choices)();
  };
  const asOwner = async (write) => {
    const g = dice.pick(grants.filter((g) => g.scope.method === 'Write'));
    if (g && dice.chance(0.6)) await write.signAsOwnerDelegate((dice.chance(0.9) ? g.grantee : bob).signer, g.whole);
    else await write.signAsOwner((dice.chance(0.85) ? alice : bob).signer);
  };
  const published = () => (dice.chance(0.3) ? { published: true, datePublished: at(now) } : {});
  const create = async () => {
    const parent = dice.pick(threads);
    const [protocolPath, parentContextId] = parent && dice.chance(0.65) ? [dice.pick(['thread/post', 'thread/post', 'thread/member']), parent.contextId] : [dice.pick(['thread', 'thread', 'note', 'admin']), undefined];
    const data = Buffer.from('x'.repeat(1 + dice.int(14)));
    const options = { protocol: FORUM.protocol, protocolPath, parentContextId, data, dataFormat: 'text/plain', dateCreated: at(now), messageTimestamp: at(now), ...published(), ...right('Records', 'Write') };
    if (protocolPath === 'admin' && dice.chance(0.8)) options.signer = alice.signer;
    if (protocolPath === 'thread/member' && dice.chance(0.7)) Object.assign(options, { signer: people.find((p) => p.did === Message.getAuthor(parent)).signer, protocolRole: undefined, permissionGrantId: undefined, delegatedGrant: undefined });
    if (protocolPath.match(/admin|member/) ? dice.chance(0.9) : dice.chance(0.3)) options.recipient = dice.pick(people).did;
    if (protocolPath === 'note' ? dice.chance(0.9) : dice.chance(0.1)) options.tags = { kind: dice.pick(['a', 'b', 'c']), ...(dice.chance(0.5) && { rank: dice.int(5) }) };
    const write = await sdk.RecordsWrite.create(options);
    if (dice.chance(0.12)) await asOwner(write);
    const { status } = await send(write.message, dice.chance(0.95) ? data : undefined);
    if (status.code === 202) {
      records.push(write.message);
      if (protocolPath === 'thread') threads.push(write.message);
    }
  };
  const update = async () => {
    const before = dice.pick(records);
    if (!before) return;
    const { signer, protocolRole, permissionGrantId, delegatedGrant } = right('Records', 'Write');
    const message = clone(before);
    const data = Buffer.from('y'.repeat(1 + dice.int(12)));
    Object.assign(message.descriptor, { messageTimestamp: at(now), dataCid: await Cid.computeDagPbCidFromBytes(data), dataSize: data.length });
    delete message.descriptor.published;
    delete message.descriptor.datePublished;
    Object.assign(message.descriptor, published());
    const who = people.find((p) => p.signer === signer);
    const payload = { recordId: message.recordId, contextId: message.contextId, descriptorCid: await Cid.computeCid(message.descriptor), protocolRole, permissionGrantId,
      ...(delegatedGrant && { delegatedGrantId: await Message.getCid(delegatedGrant) }) };
    message.authorization = { signature: await sign(clone(payload), who), ...(delegatedGrant && { authorDelegatedGrant: delegatedGrant }) };
    const { status } = await send(message, data);
    if (status.code === 202) records.push(message);
  };
  const remove = async () => {
    const before = dice.pick(records);
    if (!before) return;
    const { permissionGrantId, ...options } = right('Records', 'Delete');
    await send((await sdk.RecordsDelete.create({ recordId: before.recordId, prune: dice.chance(0.2), ...time, ...options })).message);
  };
  const filter = () => {
    const some = dice.pick(threads);
    return dice.pick([{ protocol: FORUM.protocol }, { protocol: FORUM.protocol, protocolPath: 'thread/post', ...(some && { contextId: some.contextId }) },
      { protocol: FORUM.protocol, protocolPath: 'thread/post' }, { protocol: PERMISSIONS }, { protocol: OTHER.protocol }]);
  };
  const query = async () => {
    const { permissionGrantId, ...options } = right('Records', 'Query');
    await send((await sdk.RecordsQuery.create({ filter: filter(), ...time, ...options })).message);
  };
  const read = async () => {
    const recordId = dice.pick(dice.chance(0.8) ? records.map((r) => r.recordId) : grants.map((g) => g.id));
    if (recordId) await send((await sdk.RecordsRead.create({ filter: { recordId }, ...time, ...right('Records', 'Read') })).message);
  };
  const messages = async () => {
    const { delegatedGrant, protocolRole, ...options } = right('Messages', 'Query');
    const filters = dice.pick([[{ interface: 'Records' }], [{ protocol: FORUM.protocol }], [{ protocol: OTHER.protocol }, { protocol: FORUM.protocol }]]);
    await send((await sdk.MessagesQuery.create({ filters, ...time, ...options })).message);
  };
  const message = async () => {
    const { delegatedGrant, protocolRole, ...options } = right('Messages', 'Read');
    const some = dice.pick([...records, ...grants.map(({ whole: { encodedData, ...message } }) => message)]);
    if (some) await send((await sdk.MessagesRead.create({ messageCid: await Message.getCid(some), ...time, ...options })).message);
  };
  const protocols = async () => {
    if (dice.chance(0.5)) {
      const { delegatedGrant, protocolRole, ...options } = right('Protocols', 'Query');
      const filter = dice.pick([undefined, { protocol: FORUM.protocol }, { protocol: OTHER.protocol }]);
      return void await send((await sdk.ProtocolsQuery.create({ filter, ...time, ...options })).message);
    }
    const { protocolRole, ...options } = right('Protocols', 'Configure');
    // The reference takes a grant that is not delegated for one that is, here and nowhere else; ours does not.
    const { delegatedGrant: g } = options;
    if (g && !JSON.parse(Buffer.from(g.encodedData, 'base64url')).delegated) delete options.delegatedGrant;
    await send((await sdk.ProtocolsConfigure.create({ definition: clone(dice.pick([OTHER, OTHER, FORUM])), ...time, ...options })).message);
  };
  const plays = [grant, grant, create, create, create, create, update, update, remove, query, read, read, messages, message, protocols, request, revoke];
  while (steps.length < length) {
    now += 1;
    await dice.pick(plays)();
  }
  return steps;
}

if (!seeds()) tags();
await stories();
