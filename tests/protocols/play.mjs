// Who may do what, played in a DWN: what check.mjs (the SDK's own DWN) and wire.mjs (a server's) share.
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
export const protocols = join(here, '../../protocols');
const EVENT_MS = 30_000;

let sdk;
let TestDataGenerator;

/** Loads the SDK of this folder, which everything else here needs. */
export async function load(folder) {
  const require = createRequire(join(resolve(folder), 'x.js'));
  const entry = require.resolve('@tbd54566975/dwn-sdk-js');
  const internal = path => import(pathToFileURL(join(entry.slice(0, entry.indexOf('dist')), 'dist/esm', path)).href);
  sdk = await internal('src/index.js');
  ({ TestDataGenerator } = await internal('tests/utils/test-data-generator.js'));
  return { sdk, TestDataGenerator, internal, require: createRequire(entry) };
}

/** The names of the definitions, or of those of them that are wanted. */
export function names(wanted) {
  // `permissions` is the dialect's own: no client may configure it.
  const all = readdirSync(protocols).filter(file => file.endsWith('.json')).map(file => basename(file, '.json'));
  const unknown = wanted.find(name => !all.includes(name));
  if (unknown !== undefined) {
    console.error(`no such protocol: ${unknown}`);
    process.exit(64);
  }
  return all.filter(name => name !== 'permissions' && (wanted.length === 0 || wanted.includes(name)));
}

export const definitionOf = name => JSON.parse(readFileSync(join(protocols, `${name}.json`)));

/** The matrix of a protocol; undefined if it has none. */
export function matrixOf(name) {
  try {
    return parse(readFileSync(join(here, `${name}.toml`), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw new Error(`${name}.toml: ${error.message}`);
  }
}

/** What a cell says, on one line. */
export function said(name, cell) {
  const { action, actor, path, why, allowed, ...rest } = cell;
  const more = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : '';
  return `${name}: ${actor} ${action} ${path}${more} (${why})`;
}

/** The little of TOML that is used here: comments, `[[table]]` and `[[table.below]]`, and values on one line. */
export function parse(toml) {
  const root = {};
  let table = root;
  for (const [index, raw] of toml.split('\n').entries()) {
    const line = raw.trim();
    const head = /^\[\[(?:(\w+)\.)?(\w+)\]\]$/.exec(line);
    const pair = /^(\w+)\s*=\s*(.+)$/.exec(line);
    if (head) ((head[1] ? root[head[1]].at(-1) : root)[head[2]] ??= []).push((table = {}));
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
export function tagsFor(rules, over) {
  const tags = {};
  for (const name of rules.$tags?.$requiredTags ?? []) tags[name] = sample(rules.$tags[name]);
  return changed(tags, over);
}

/** Tags with others beside or instead of them; an empty string takes one away. */
export function changed(tags, over) {
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

let written = 0;
const POLICY = 'https://toft.invalid/protocols/policy';

const newcomer = () => TestDataGenerator.generateDidKeyPersona();
const signerOf = persona => sdk.Jws.createSigner(persona);

/** Somebody with a DWN in which the protocol is installed. All cells of the protocol are played there, each in records of its own. */
export class Tenant {
  #people = {};
  /** `dwn` has `process`, which is the SDK's `Dwn.processMessage`, and `settle`, which waits for the events of what is done. */
  static async open(dwn, definition) {
    const tenant = new Tenant();
    tenant.definition = definition;
    tenant.owner = await newcomer();
    const configure = await sdk.ProtocolsConfigure.create({ definition, signer: signerOf(tenant.owner) });
    const { status } = await dwn.process(tenant.owner.did, configure.message);
    if (status.code !== 202) throw new Error(`the definition: ${status.code} ${status.detail}`);
    return tenant;
  }
  /** Who is the same in all cells. Nobody gives them a role, so that nothing stays with them. */
  known(name) {
    return (this.#people[name] ??= newcomer());
  }
}

/** One cell on its way. */
class Stage {
  constructor(dwn, tenant) {
    Object.assign(this, { dwn, tenant, owner: tenant.owner, definition: tenant.definition });
  }
  async send(message, data, what) {
    const dataStream = data && sdk.DataStream.fromBytes(data);
    const reply = await this.dwn.process(this.owner.did, message, { dataStream });
    if (what && reply.status.code >= 300) throw new Error(`${what}: ${reply.status.code} ${reply.status.detail}`);
    return reply;
  }
  /** A record at the path, by the author. `kept`: the tenant takes it in whatever the rules say. */
  async write({ path, by, to, parent, tags, format, published, protocolRole, size, kept }) {
    const rules = place(this.definition, path);
    const type = this.definition.types[path.split('/').at(-1)];
    // No two records have the same data: those of one author and one moment would be the same record.
    const n = ++written;
    if (this.definition.protocol === POLICY) tags = { protocol: await this.installed(n), ...tags };
    const text = JSON.stringify(this.definition.protocol === POLICY ? { protocol: tags.protocol, paths: {} } : { n });
    const data = Buffer.alloc(size ?? text.length, text);
    if (rules.$role && !to) to = await newcomer();
    const write = await sdk.RecordsWrite.create({
      data, published, protocolRole, protocol: this.definition.protocol, protocolPath: path, schema: type.schema,
      dataFormat: format ?? type.dataFormats[0], recipient: to?.did, tags: tagsFor(rules, tags),
      parentContextId: parent?.contextId, signer: signerOf(by),
    });
    if (kept && by !== this.owner) await write.signAsOwner(signerOf(this.owner));
    const { status } = await this.send(write.message, data, kept && `a ${path} to begin with`);
    return { status, message: write.message, contextId: write.message.contextId };
  }
  /** A small protocol, for a policy: a protocol has one, and it has to be there. */
  async installed(n) {
    const protocol = `https://toft.invalid/tests/${n}`;
    const definition = { protocol, published: false, types: { note: {} }, structure: { note: {} } };
    const configure = await sdk.ProtocolsConfigure.create({ definition, signer: signerOf(this.owner) });
    await this.send(configure.message, undefined, 'a protocol');
    return protocol;
  }
  async update(before, by, protocolRole, what) {
    await sdk.Time.minimalSleep(); // The SDK's clock counts milliseconds; of two states of one, either may be the newer.
    const { tags } = before.message.descriptor;
    // A policy that says nothing, and is none the less one.
    const text = this.definition.protocol === POLICY ? JSON.stringify({ protocol: tags.protocol, paths: { } }, null, 1) : '{ }';
    const data = Buffer.from(text);
    const write = await sdk.RecordsWrite.createFrom({
      recordsWriteMessage: before.message, data, tags, protocolRole, signer: signerOf(by),
    });
    return this.send(write.message, data, what);
  }
  /** Subscribes; the reply, and whether the record was `seen` so far. `once` waits for that. */
  async subscribe(options, recordId) {
    let tell;
    const told = { seen: false, once: new Promise(resolve => { tell = resolve; }) };
    const subscriptionHandler = event => {
      if (event.message.recordId !== recordId) return;
      told.seen = true;
      tell();
    };
    const subscribe = await sdk.RecordsSubscribe.create(options);
    told.reply = await this.dwn.process(this.owner.did, subscribe.message, { subscriptionHandler });
    return told;
  }
}

/** What the answer to a cell must be: who may not act is refused with 401, what no record there may be with 400. */
export function expected({ action, allowed, tags, format, size }) {
  if (['query', 'count', 'subscribe'].includes(action)) return allowed;
  if (allowed) return action === 'read' ? 200 : 202;
  return tags || format || size ? 400 : 401;
}

/** Plays one cell: the status, and as `answer` its code; for a query or a subscription, whether the record came. */
export async function play(dwn, tenant, cell) {
  const stage = new Stage(dwn, tenant);
  const { definition, owner } = stage;
  const { path, action } = cell;
  if (place(definition, path) === undefined) throw new Error('no such path');
  const [kind, of] = cell.actor.split(':');
  const actor = kind === 'owner' ? owner : await (['role', 'recipient'].includes(kind) ? newcomer() : tenant.known(kind));
  const isOf = (which, at) => kind === which && of === at;
  const coded = ({ status }) => ({ status, answer: status.code });

  // What stands above the record, from the root; the role stands in the same context.
  const chain = {};
  const give = async at => {
    if (kind === 'role' && above(of) === at) {
      await stage.write({ path: of, by: owner, to: actor, parent: chain[at], kept: true });
    }
  };
  await give('');
  for (let names = path.split('/'), depth = 1; depth < names.length; depth++) {
    const at = names.slice(0, depth).join('/');
    const by = isOf('author', at) ? actor : owner;
    const to = isOf('recipient', at) ? actor : undefined;
    chain[at] = await stage.write({ path: at, by, to, parent: chain[above(at)], kept: true });
    await give(at);
  }
  const parent = chain[above(path)];
  const protocolRole = kind === 'role' ? of : undefined;
  const { tags, format, published, size } = cell;
  if (action === 'create') {
    return coded(await stage.write({ path, by: actor, parent, tags, format, published, size, protocolRole }));
  }

  // The record itself: the actor's own for update and delete, somebody else's otherwise.
  const isOwn = (kind === 'author' && !of) || isOf('author', path) || ['update', 'delete'].includes(action);
  const isTo = (kind === 'recipient' && !of) || isOf('recipient', path);
  const by = isOwn ? actor : kind === 'owner' ? await tenant.known('other') : owner;
  const record = await stage.write({ path, by, to: isTo ? actor : undefined, parent, published, kept: true });
  chain[path] = record;
  await give(path);
  const signer = signerOf(actor);
  const filter = { protocol: definition.protocol, protocolPath: path, contextId: (parent ?? record).contextId };
  const recordId = record.message.recordId;
  switch (action) {
    case 'read': {
      const read = await sdk.RecordsRead.create({ filter: { recordId }, protocolRole, signer });
      return coded(await stage.send(read.message));
    }
    case 'query': case 'count': {
      const query = await sdk.RecordsQuery.create({ filter, protocolRole, signer });
      const { status, entries } = await stage.send(query.message);
      return { status, answer: entries?.some(entry => entry.recordId === recordId) ?? false };
    }
    case 'subscribe': {
      const told = await stage.subscribe({ filter, protocolRole, signer }, recordId);
      const { status, subscription } = told.reply;
      if (status.code !== 200) return { status, answer: false };
      // The owner is told in any case: who has heard nothing by then is not told.
      const owners = await stage.subscribe({ filter, signer: signerOf(owner) }, recordId);
      if (owners.reply.status.code !== 200) throw new Error(`the owner's subscription: ${owners.reply.status.detail}`);
      await stage.update(record, owner, undefined, 'a change');
      const late = new Promise((_, reject) => setTimeout(reject, EVENT_MS, new Error('the owner was told nothing')).unref());
      await Promise.race([owners.once, late]);
      await dwn.settle();
      await subscription.close();
      await owners.reply.subscription.close();
      return { status, answer: told.seen };
    }
    case 'update': case 'co-update':
      return coded(await stage.update(record, actor, protocolRole));
    case 'delete': case 'co-delete': {
      await sdk.Time.minimalSleep();
      const gone = await sdk.RecordsDelete.create({ recordId, protocolRole, signer });
      return coded(await stage.send(gone.message));
    }
    default:
      throw new Error(`no such action: ${action}`);
  }
}
