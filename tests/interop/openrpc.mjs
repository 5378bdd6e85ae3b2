// openrpc.mjs DOCUMENT FOLDER: is an OpenRPC document what the meta-schema in FOLDER says, and is each example what its method
// declares? Prints what is wrong, and at the end how much was looked at.
import Ajv from 'ajv';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [path, folder] = process.argv.slice(2);
const read = file => JSON.parse(readFileSync(file));
const document = read(path);
const wrong = [];

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
const check = (what, validate, value) => {
  if (!validate(value)) wrong.push(...validate.errors.map(error => `${what}: ${error.instancePath || '/'} ${error.message}`));
};

// One of the two names the other with a slash at its end, and without.
const named = file => {
  const text = readFileSync(join(folder, file), 'utf8').replaceAll(/https:\/\/meta\.json-schema\.tools\/?/g, 'toft:json-schema');
  const { $schema, ...schema } = JSON.parse(text);
  return schema;
};
ajv.addSchema(named('json-schema.json'));
check('the document', ajv.compile(named('openrpc.json')), document);

// The schemas of methods refer to the document's components.
ajv.addSchema({ $id: 'toft:document', components: document.components });
const compiled = schema => ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"toft:document#/')));
let examples = 0;
for (const method of document.methods) {
  const result = compiled(method.result.schema);
  const params = new Map(method.params.map(param => [param.name, { ...param, validate: compiled(param.schema) }]));
  for (const example of method.examples) {
    const what = `${method.name} (${example.name})`;
    examples += 1;
    const given = new Set(example.params.map(param => param.name));
    for (const [name, { required }] of params) {
      if (required && !given.has(name)) wrong.push(`${what}: ${name} is missing`);
    }
    for (const { name, value } of example.params) {
      const param = params.get(name);
      if (param) check(`${what}, ${name}`, param.validate, value);
      else wrong.push(`${what}: there is no parameter ${name}`);
    }
    check(`${what}, result`, result, example.result.value);
  }
}
wrong.forEach(line => console.log(line));
console.log(JSON.stringify({ methods: document.methods.length, examples, wrong: wrong.length }));
