// Plays stories of what the policies in protocols/policies ask, in a running node.
//
//   node policies.mjs SDK URL [NAME…]      SDK: the folder that scripts/fetch-sdk prints
//
// The node must take any DID as a tenant: each story has one of its own, with the protocol and its policy. Prints what
// differs from tests/protocols/policies/NAME.toml, and each rule that has no step; exit code 1 if there is anything.
import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { changed, definitionOf, load, parse, protocols, tagsFor } from './play.mjs';

const PLAYERS = 12;
const POLICY = 'https://toft.invalid/protocols/policy';
const UNITS = { s: 1, m: 60, h: 3600, d: 86400 };
const folder = join(dirname(fileURLToPath(import.meta.url)), 'policies');

const [sdkFolder, url, ...wanted] = process.argv.slice(2);
if (url === undefined) {
  console.error('usage: node policies.mjs SDK URL [NAME…]');
  process.exit(64);
}
const { sdk, TestDataGenerator } = await load(sdkFolder);
const { Remote } = await import(pathToFileURL(join(resolve(sdkFolder), 'remote.mjs')).href);
const dwn = new Remote(url);

const signerOf = persona => sdk.Jws.createSigner(persona);
const policyOf = name => JSON.parse(readFileSync(join(protocols, 'policies', `${name}.json`)));

/** A time like `-31d` or `+3s` from now, as messages write it. */
function time(text) {
  const [, sign, number, unit] = /^([+-])(\d+)([smhd])$/.exec(text) ?? [];
  if (unit === undefined) throw new Error(`no time: ${text}`);
  const milliseconds = Date.now() + (sign === '-' ? -1 : 1) * number * UNITS[unit] * 1000;
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}

/** Tags as a step says them: `@+3s` is a time. */
function timed(tags = {}) {
  const isTime = value => typeof value === 'string' && value.startsWith('@');
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, isTime(value) ? time(value.slice(1)) : value]));
}

/** One story on its way. */
class Stage {
  #people = {};
  #records = {};
  constructor(name) {
    this.name = name;
    this.definition = definitionOf(name);
  }
  person(name) {
    return (this.#people[name] ??= TestDataGenerator.generateDidKeyPersona());
  }
  record(label) {
    if (this.#records[label] === undefined) throw new Error(`no record ${label}`);
    return this.#records[label];
  }
  async send(message, data) {
    const dataStream = data && sdk.DataStream.fromBytes(data);
    return this.dwn.process(this.owner.did, message, { dataStream });
  }
  /** The tenant, with the protocol and its policy. Both were there long before the story. */
  async open(dwn) {
    this.dwn = dwn;
    this.owner = await this.person('owner');
    const signer = signerOf(this.owner);
    const must = (what, { status }) => {
      if (status.code !== 202) throw new Error(`${what}: ${status.code} ${status.detail}`);
    };
    for (const definition of [definitionOf('policy'), this.definition]) {
      const configure = await sdk.ProtocolsConfigure.create({ definition, messageTimestamp: time('-3650d'), signer });
      must('the protocol', await this.send(configure.message));
    }
    const data = Buffer.from(JSON.stringify(policyOf(this.name)));
    const write = await sdk.RecordsWrite.create({
      data, protocol: POLICY, protocolPath: 'policy', schema: `${POLICY}/policy.json`, dataFormat: 'application/json',
      tags: { protocol: this.definition.protocol }, signer,
    });
    must('the policy', await this.send(write.message, data));
  }
  /** Data of this type: the example of its schema. */
  example(path) {
    const type = path.split('/').at(-1);
    if (this.definition.types[type].schema === undefined) return {};
    return JSON.parse(readFileSync(join(protocols, 'schemas', this.name, `${type}.json`))).examples[0];
  }
  async create({ path, record, in: parent, to, tags, data, format, created, protocolRole, signer }) {
    const rules = path.split('/').reduce((rules, name) => rules?.[name], this.definition.structure);
    if (rules === undefined) throw new Error(`no path ${path}`);
    const type = this.definition.types[path.split('/').at(-1)];
    const bytes = Buffer.from(JSON.stringify(data ?? this.example(path)));
    const write = await sdk.RecordsWrite.create({
      data: bytes, protocol: this.definition.protocol, protocolPath: path, schema: type.schema,
      dataFormat: format ?? type.dataFormats[0], recipient: to && (await this.person(to)).did,
      tags: tagsFor(rules, timed(tags)), parentContextId: parent && this.record(parent).contextId, protocolRole, signer,
      ...(created && { dateCreated: time(created), messageTimestamp: time(created) }),
    });
    const reply = await this.send(write.message, bytes);
    if (reply.status.code === 202) {
      if (this.#records[record]) throw new Error(`a second record ${record}`);
      this.#records[record ?? write.message.recordId] = write.message;
    }
    return reply;
  }
  async update({ record, tags, data, protocolRole, signer }) {
    const before = this.record(record);
    const bytes = data && Buffer.from(JSON.stringify(data));
    const { recordId, contextId, descriptor } = before;
    const { recipient, dateCreated, protocol, protocolPath, schema, dataFormat, dataCid, dataSize } = descriptor;
    // `createFrom` would invoke the role again by which somebody else wrote the state before.
    const write = await sdk.RecordsWrite.create({
      recordId, recipient, dateCreated, protocol, protocolPath, schema, dataFormat,
      parentContextId: contextId.split('/').slice(0, -1).join('/') || undefined,
      tags: changed(descriptor.tags, timed(tags)), ...(bytes ? { data: bytes } : { dataCid, dataSize }), protocolRole, signer,
    });
    const reply = await this.send(write.message, bytes);
    if (reply.status.code === 202) this.#records[record] = write.message;
    return reply;
  }
  async remove({ record, protocolRole, signer }, prune) {
    const { recordId } = this.record(record);
    const gone = await sdk.RecordsDelete.create({ recordId, prune, protocolRole, signer });
    return this.send(gone.message);
  }
  async read({ record, protocolRole, signer }) {
    const read = await sdk.RecordsRead.create({ filter: { recordId: this.record(record).recordId }, protocolRole, signer });
    return this.send(read.message);
  }
  async play(step) {
    const { action, by, role, wait } = step;
    if (wait) await this.until(wait);
    await sdk.Time.minimalSleep(); // The SDK's clock counts milliseconds; of two states of one, either may be the newer.
    const act = { ...step, protocolRole: role, signer: signerOf(await this.person(by)) };
    switch (action) {
      case 'create': return this.create(act);
      case 'update': return this.update(act);
      case 'delete': return this.remove(act, false);
      case 'prune': return this.remove(act, true);
      case 'read': return this.read(act);
      default: throw new Error(`no such action: ${action}`);
    }
  }
  /** Waits for a time that a tag says, written `record.tag`. */
  async until(place) {
    const [label, tag] = place.split('.');
    const milliseconds = Date.parse(this.record(label).descriptor.tags[tag]) - Date.now();
    await new Promise(done => setTimeout(done, Math.max(milliseconds, 0) + 100));
  }
  pathOf({ path, record }) {
    return path ?? this.record(record).descriptor.protocolPath;
  }
}

/** The code of a refusal: what stands before its colon. */
const codeOf = ({ code, detail }) => (code < 300 ? `${code}` : `${code} ${detail.split(':')[0]}`);

/** The rules of a policy: what each is, and whether a step has run into it. At each path something is taken, too. */
function* rulesOf(policy) {
  for (const [path, rules] of Object.entries(policy.paths)) {
    const rule = (name, code, text = '') => {
      const isMet = step => step.path === path && step.answer.includes(code) && step.detail.includes(text);
      return { said: `${path}: ${name}`, isMet };
    };
    yield rule('what is taken', '202');
    if (rules.immutable) yield rule('immutable', 'PolicyImmutable');
    for (const { by } of rules.unique ?? []) {
      yield rule(`unique ${by.join(', ')}`, 'PolicyNotUnique', `the same ${by.join(', ')}`);
    }
    for (const { tag } of rules.transitions ?? []) yield rule(`transitions of ${tag}`, 'PolicyTransition', `\`${tag}\``);
    if (rules.expires) yield rule('expires', 'PolicyExpired');
  }
}

let wrong = 0;
let steps = 0;
const complain = text => { wrong++; console.log(text); };

/** Plays a story to its end, or to the first step that is answered otherwise than it says. */
async function tell(name, story, seen) {
  const stage = new Stage(name);
  let at = 'the beginning';
  try {
    await stage.open(dwn);
    for (const [index, step] of story.step.entries()) {
      at = `step ${index + 1} (${step.by}: ${step.action} ${step.record ?? step.path})`;
      const { status } = await stage.play(step);
      steps++;
      const answer = codeOf(status);
      seen.push({ path: stage.pathOf(step), answer, detail: status.detail });
      if (answer !== step.answer) throw new Error(`${status.code} ${status.detail}, not ${step.answer}`);
    }
  } catch (error) {
    complain(`WRONG ${name}: ${story.name}: ${at}: ${error.message}`);
  }
}

const all = readdirSync(join(protocols, 'policies')).map(file => basename(file, '.json'));
const unknown = wanted.find(name => !all.includes(name));
if (unknown !== undefined) {
  console.error(`no such policy: ${unknown}`);
  process.exit(64);
}
const names = all.filter(name => wanted.length === 0 || wanted.includes(name));
const seen = Object.fromEntries(names.map(name => [name, []]));
const stories = names.flatMap(name => {
  try {
    return parse(readFileSync(join(folder, `${name}.toml`), 'utf8')).story.map(story => ({ name, story }));
  } catch (error) {
    complain(`${name}.toml: ${error.message}`);
    return [];
  }
});
const waiting = stories.values();
await Promise.all(Array.from({ length: PLAYERS }, async () => {
  for (const { name, story } of waiting) await tell(name, story, seen[name]);
}));
dwn.close();
for (const name of names) {
  for (const rule of rulesOf(policyOf(name))) {
    if (!seen[name].some(rule.isMet)) complain(`WRONG ${name}: no step for ${rule.said}`);
  }
}
// Not before all of it is written: who reads it may be slow.
process.stdout.write(`${stories.length} stories, ${steps} steps, ${wrong} wrong\n`, () => process.exit(wrong === 0 ? 0 : 1));
