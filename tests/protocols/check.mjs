// Checks the protocol definitions, the schemas of their data and the expected matrices against the npm DWN SDK.
//
//   node check.mjs SDK [NAME…]      SDK: a folder with node_modules (scripts/fetch-sdk prints one)
//
// Each definition goes through `ProtocolsConfigure.create`. Each cell of tests/protocols/NAME.toml is played in the SDK's
// own DWN, for a tenant of its own: the records that the cell speaks of are written first, then the actor acts.
// Prints what differs; exit code 1 if anything does.
import { readFileSync, readdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [sdkFolder, ...wanted] = process.argv.slice(2);
if (sdkFolder === undefined) {
  console.error('usage: node check.mjs SDK [NAME…]');
  process.exit(64);
}
const here = dirname(fileURLToPath(import.meta.url));
const protocols = join(here, '../../protocols');
const require = createRequire(join(resolve(sdkFolder), 'x.js'));
const entry = require.resolve('@tbd54566975/dwn-sdk-js');
const internal = path => import(pathToFileURL(join(entry.slice(0, entry.indexOf('dist')), 'dist/esm', path)).href);
const sdk = await internal('src/index.js');
const { TestDataGenerator } = await internal('tests/utils/test-data-generator.js');
const { ResumableTaskStoreLevel } = await internal('src/store/resumable-task-store-level.js');
const { DidKey, UniversalResolver } = createRequire(entry)('@web5/dids');
const Ajv = createRequire(entry)('ajv/dist/2020.js').default;

/** The little of TOML that the matrices use: comments, `[[table]]`, and values on one line. */
export function parse(toml) {
  const root = {};
  let table = root;
  for (const [index, raw] of toml.split('\n').entries()) {
    const line = raw.trim();
    const head = /^\[\[(\w+)\]\]$/.exec(line);
    const pair = /^(\w+)\s*=\s*(.+)$/.exec(line);
    if (head) (root[head[1]] ??= []).push((table = {}));
    else if (pair) table[pair[1]] = value(pair[2], index + 1);
    else if (line !== '' && !line.startsWith('#')) throw new Error(`line ${index + 1}: ${line}`);
  }
  return root;
}

function value(text, line) {
  // Outside of strings, an inline table's `name =` is JSON's `"name":`.
  const json = text.replace(/("(?:[^"\\]|\\.)*")|([\w-]+)\s*=/g, (_, string, name) => string ?? `"${name}":`);
  // A quoted name before `=`.
  const keyed = json.replace(/("(?:[^"\\]|\\.)*")\s*=/g, '$1:');
  try {
    return JSON.parse(keyed);
  } catch {
    throw new Error(`line ${line}: cannot read ${text}`);
  }
}

const place = (definition, path) => path.split('/').reduce((rules, name) => rules?.[name], definition.structure);
const above = path => path.split('/').slice(0, -1).join('/');

/** Tags that meet the definition: the required ones, each with the first value that it allows. */
function tagsFor(rules, over) {
  const tags = {};
  for (const name of rules.$tags?.$requiredTags ?? []) tags[name] = sample(rules.$tags[name]);
  const all = { ...tags, ...over };
  for (const [name, value] of Object.entries(all)) if (value === '') delete all[name];
  return Object.keys(all).length > 0 ? all : undefined;
}

function sample(schema) {
  if (schema.enum) return schema.enum[0];
  if (schema.type === 'string') return '1'.repeat(Math.max(schema.minLength ?? 1, 1));
  if (schema.type === 'boolean') return true;
  if (schema.type === 'array') return Array.from({ length: schema.minItems ?? 1 }, () => sample(schema.items));
  return schema.minimum ?? 0;
}

class Stage {
  people = {};
  roles = {};
  constructor(dwn, definition) {
    Object.assign(this, { dwn, definition });
  }
  async person(name) {
    return (this.people[name] ??= await TestDataGenerator.generateDidKeyPersona());
  }
  async open() {
    this.owner = await this.person('owner');
    const configure = await sdk.ProtocolsConfigure.create({ definition: this.definition, signer: this.signer(this.owner) });
    await this.send(configure.message, undefined, 'the definition');
  }
  signer(persona) {
    return sdk.Jws.createSigner(persona);
  }
  async send(message, data, what) {
    const dataStream = data && sdk.DataStream.fromBytes(data);
    const reply = await this.dwn.processMessage(this.owner.did, message, { dataStream });
    if (what && reply.status.code >= 300) throw new Error(`${what}: ${reply.status.code} ${reply.status.detail}`);
    return reply;
  }
  /** A record at the path, by the author. `kept`: the tenant takes it in whatever the rules say. */
  async write({ path, by, to, parent, tags, format, published, protocolRole, size = 2, kept }) {
    const rules = place(this.definition, path);
    const type = this.definition.types[path.split('/').at(-1)];
    const data = Buffer.alloc(size, '{}');
    if (rules.$role && !to) to = await this.person('somebody');
    const write = await sdk.RecordsWrite.create({
      data, published, protocolRole, protocol: this.definition.protocol, protocolPath: path, schema: type.schema,
      dataFormat: format ?? type.dataFormats[0], recipient: to?.did, tags: tagsFor(rules, tags),
      parentContextId: parent?.contextId, signer: this.signer(by),
    });
    if (kept && by !== this.owner) await write.signAsOwner(this.signer(this.owner));
    const reply = await this.send(write.message, data, kept && `a ${path} to begin with`);
    return { code: reply.status.code, message: write.message, contextId: write.message.contextId };
  }
  async update(before, by, protocolRole) {
    const write = await sdk.RecordsWrite.createFrom({
      recordsWriteMessage: before.message, data: Buffer.from('{ }'), tags: before.message.descriptor.tags, protocolRole,
      signer: this.signer(by),
    });
    return this.send(write.message, Buffer.from('{ }'));
  }
}

/** What the answer to a cell must be: who may not act is refused with 401, what no record there may be with 400. */
function expected({ action, allowed, tags, format, size }) {
  if (['query', 'count', 'subscribe'].includes(action)) return allowed;
  if (allowed) return action === 'read' ? 200 : 202;
  return tags || format || size ? 400 : 401;
}

/** Plays one cell: the code of the answer; for a query or a subscription, whether the record came. */
async function play(dwn, definition, cell) {
  const stage = new Stage(dwn, definition);
  await stage.open();
  const { path, action } = cell;
  const [kind, of] = cell.actor.split(':');
  const actor = kind === 'owner' ? stage.owner : await stage.person('actor');
  const other = await stage.person('other');
  const isOf = (which, at) => kind === which && of === at;

  // What stands above the record, from the root; the role stands in the same context.
  const chain = {};
  const give = async at => {
    if (kind === 'role' && above(of) === at) {
      await stage.write({ path: of, by: stage.owner, to: actor, parent: chain[at], kept: true });
    }
  };
  await give('');
  for (let names = path.split('/'), depth = 1; depth < names.length; depth++) {
    const at = names.slice(0, depth).join('/');
    const by = isOf('author', at) ? actor : stage.owner;
    const to = isOf('recipient', at) ? actor : undefined;
    chain[at] = await stage.write({ path: at, by, to, parent: chain[above(at)], kept: true });
    await give(at);
  }
  const parent = chain[above(path)];
  const protocolRole = kind === 'role' ? of : undefined;
  const { tags, format, published, size } = cell;
  if (action === 'create') {
    return (await stage.write({ path, by: actor, parent, tags, format, published, size, protocolRole })).code;
  }

  // The record itself: the actor's own for update and delete, somebody else's otherwise.
  const isOwn = (kind === 'author' && !of) || isOf('author', path) || ['update', 'delete'].includes(action);
  const isTo = (kind === 'recipient' && !of) || isOf('recipient', path);
  const by = isOwn ? actor : kind === 'owner' ? other : stage.owner;
  const record = await stage.write({ path, by, to: isTo ? actor : undefined, parent, published, kept: true });
  chain[path] = record;
  await give(path);
  const signer = stage.signer(actor);
  const filter = { protocol: definition.protocol, protocolPath: path, contextId: (parent ?? record).contextId };
  const recordId = record.message.recordId;
  switch (action) {
    case 'read': {
      const read = await sdk.RecordsRead.create({ filter: { recordId }, protocolRole, signer });
      return (await stage.send(read.message)).status.code;
    }
    case 'query': case 'count': {
      const query = await sdk.RecordsQuery.create({ filter, protocolRole, signer });
      const reply = await stage.send(query.message);
      return reply.entries?.some(entry => entry.recordId === recordId) ?? false;
    }
    case 'subscribe': {
      let seen = false;
      const subscriptionHandler = event => { seen ||= event.message.recordId === recordId; };
      const subscribe = await sdk.RecordsSubscribe.create({ filter, protocolRole, signer });
      const reply = await stage.dwn.processMessage(stage.owner.did, subscribe.message, { subscriptionHandler });
      if (reply.status.code !== 200) return false;
      await stage.update(record, stage.owner);
      await new Promise(done => setTimeout(done, 5));
      await reply.subscription.close();
      return seen;
    }
    case 'update': case 'co-update':
      return (await stage.update(record, actor, protocolRole)).status.code;
    case 'delete': case 'co-delete': {
      const gone = await sdk.RecordsDelete.create({ recordId, protocolRole, signer });
      return (await stage.send(gone.message)).status.code;
    }
    default:
      throw new Error(`no such action: ${action}`);
  }
}

let wrong = 0;
const complain = text => { wrong++; console.log(text); };

const folder = mkdtempSync(join(tmpdir(), 'protocols-'));
const dwn = await sdk.Dwn.create({
  didResolver: new UniversalResolver({ didResolvers: [DidKey] }),
  messageStore: new sdk.MessageStoreLevel({ blockstoreLocation: join(folder, 'm'), indexLocation: join(folder, 'i') }),
  dataStore: new sdk.DataStoreLevel({ blockstoreLocation: join(folder, 'd') }),
  eventLog: new sdk.EventLogLevel({ location: join(folder, 'e') }),
  eventStream: new sdk.EventEmitterStream(),
  resumableTaskStore: new ResumableTaskStoreLevel({ location: join(folder, 'r') }),
});

// `permissions` is the dialect's own: no client may configure it.
const names = readdirSync(protocols).filter(file => file.endsWith('.json')).map(file => basename(file, '.json'))
  .filter(name => name !== 'permissions' && (wanted.length === 0 || wanted.includes(name)));
let cells = 0;
let schemas = 0;
for (const name of names) {
  const definition = JSON.parse(readFileSync(join(protocols, `${name}.json`)));
  try {
    const signer = sdk.Jws.createSigner(await TestDataGenerator.generateDidKeyPersona());
    await sdk.ProtocolsConfigure.create({ definition: structuredClone(definition), signer });
  } catch (error) {
    complain(`${name}: ${error.message}`);
    continue;
  }
  for (const [type, { schema }] of Object.entries(definition.types)) {
    if (schema === undefined) continue;
    try {
      const data = JSON.parse(readFileSync(join(protocols, 'schemas', name, `${type}.json`)));
      schemas++;
      if (data.$id !== schema) complain(`${name}/${type}: the schema is named ${data.$id}`);
      const ajv = new Ajv({ strict: true, strictTypes: false, strictTuples: false, validateFormats: false });
      const check = ajv.compile(data);
      if ((data.examples ?? []).length === 0) complain(`${name}/${type}: no example`);
      for (const example of data.examples ?? []) {
        if (!check(example)) complain(`${name}/${type}: the example is not valid: ${ajv.errorsText(check.errors)}`);
      }
      if (check({})) complain(`${name}/${type}: an empty object is valid`);
    } catch (error) {
      complain(`${name}/${type}: ${error.message}`);
    }
  }
  let matrix;
  try {
    matrix = parse(readFileSync(join(here, `${name}.toml`), 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') complain(`${name}.toml: ${error.message}`);
    continue;
  }
  for (const type of matrix.private ?? []) {
    if (!(type in definition.types)) complain(`${name}.toml: private: no type ${type}`);
  }
  for (const cell of matrix.cell) {
    const said = `${name}: ${cell.actor} ${cell.action} ${cell.path} ${cell.tags ? JSON.stringify(cell.tags) : ''}(${cell.why})`;
    try {
      if (place(definition, cell.path) === undefined) throw new Error('no such path');
      const answer = await play(dwn, definition, cell);
      if (answer !== expected(cell)) complain(`${said}: ${answer}, not ${expected(cell)}`);
      cells++;
    } catch (error) {
      complain(`${said}: ${error.message}`);
    }
  }
}
await dwn.close();
rmSync(folder, { recursive: true });
console.log(`${names.length} definitions, ${schemas} schemas, ${cells} cells, ${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
