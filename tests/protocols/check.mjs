// Checks the protocol definitions, the schemas of their data, the policies and the expected matrices against the npm DWN SDK.
//
//   node check.mjs SDK [--no-cells] [NAME…]      SDK: a folder with node_modules (scripts/fetch-sdk prints one)
//
// Each definition goes through `ProtocolsConfigure.create`. Each cell of tests/protocols/NAME.toml is played in the SDK's
// own DWN: the records that the cell speaks of are written first, then the actor acts. `--no-cells` leaves that out.
// Prints what differs; exit code 1 if anything does.
import { readFileSync, readdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tenant, definitionOf, expected, load, matrixOf, names as namesOf, play, protocols, said } from './play.mjs';

const [sdkFolder, ...wanted] = process.argv.slice(2).filter(arg => arg !== '--no-cells');
const plays = !process.argv.includes('--no-cells');
if (sdkFolder === undefined) {
  console.error('usage: node check.mjs SDK [--no-cells] [NAME…]');
  process.exit(64);
}
const { sdk, internal, require } = await load(sdkFolder);
const { ResumableTaskStoreLevel } = await internal('src/store/resumable-task-store-level.js');
const { DidKey, UniversalResolver } = require('@web5/dids');
const Ajv = require('ajv/dist/2020.js').default;

const ajv = () => new Ajv({ strict: true, strictTypes: false, strictTuples: false, validateFormats: false });

let wrong = 0;
const complain = text => { wrong++; console.log(text); };

const folder = mkdtempSync(join(tmpdir(), 'protocols-'));
const inner = await sdk.Dwn.create({
  didResolver: new UniversalResolver({ didResolvers: [DidKey] }),
  messageStore: new sdk.MessageStoreLevel({ blockstoreLocation: join(folder, 'm'), indexLocation: join(folder, 'i') }),
  dataStore: new sdk.DataStoreLevel({ blockstoreLocation: join(folder, 'd') }),
  eventLog: new sdk.EventLogLevel({ location: join(folder, 'e') }),
  eventStream: new sdk.EventEmitterStream(),
  resumableTaskStore: new ResumableTaskStoreLevel({ location: join(folder, 'r') }),
});
const dwn = {
  process: (...args) => inner.processMessage(...args),
  settle: () => new Promise(done => setTimeout(done, 5)),
};

const names = namesOf(wanted);
const policies = readdirSync(join(protocols, 'policies'));
const isPolicy = ajv().compile(JSON.parse(readFileSync(join(protocols, 'schemas/policy/policy.json'))));
let cells = 0;
let schemas = 0;
for (const name of names) {
  const definition = definitionOf(name);
  let tenant;
  try {
    tenant = await Tenant.open(dwn, definition);
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
      const check = ajv().compile(data);
      if ((data.examples ?? []).length === 0) complain(`${name}/${type}: no example`);
      for (const example of data.examples ?? []) {
        if (!check(example)) complain(`${name}/${type}: the example is not valid: ${ajv().errorsText(check.errors)}`);
      }
      if (check({})) complain(`${name}/${type}: an empty object is valid`);
    } catch (error) {
      complain(`${name}/${type}: ${error.message}`);
    }
  }
  if (policies.includes(`${name}.json`)) {
    const policy = JSON.parse(readFileSync(join(protocols, 'policies', `${name}.json`)));
    if (!isPolicy(policy)) complain(`${name}: the policy is not valid: ${ajv().errorsText(isPolicy.errors)}`);
    if (policy.protocol !== definition.protocol) complain(`${name}: the policy is for ${policy.protocol}`);
  }
  let matrix;
  try {
    matrix = matrixOf(name);
  } catch (error) {
    complain(error.message);
  }
  for (const type of matrix?.private ?? []) {
    if (!(type in definition.types)) complain(`${name}.toml: private: no type ${type}`);
  }
  for (const cell of plays ? matrix?.cell ?? [] : []) {
    try {
      const { answer, status } = await play(dwn, tenant, cell);
      if (answer !== expected(cell)) complain(`${said(name, cell)}: ${answer}, not ${expected(cell)}: ${status.detail}`);
      cells++;
    } catch (error) {
      complain(`${said(name, cell)}: ${error.message}`);
    }
  }
}
await inner.close();
rmSync(folder, { recursive: true });
// Not before all of it is written: who reads it may be slow.
process.stdout.write(`${names.length} definitions, ${schemas} schemas, ${cells} cells, ${wrong} wrong\n`, () => process.exit(wrong === 0 ? 0 : 1));
