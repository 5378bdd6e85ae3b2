// The OpenRPC document, read in the same way for each language.

export const HEAD = "Written by clients/generate.mjs from docs/openrpc.json: change the methods, not this file.";

// `records.write` → `RecordsWrite`
export const pascal = (text) =>
  text.split(/[^A-Za-z0-9]+/).filter(Boolean).map((word) => word[0].toUpperCase() + word.slice(1)).join("");

// What a schema is, by the first of these that it has.
export function kindOf(schema) {
  if (schema === true || schema === undefined) return "any";
  if (schema === false) return "never";
  if (schema.$ref) return "ref";
  if ("const" in schema || schema.enum) return "literals";
  if (schema.allOf?.length === 1 && !schema.properties) return kindOf(schema.allOf[0]) === "ref" ? "wrapped" : "all";
  if (schema.allOf) return "all";
  if (schema.oneOf || schema.anyOf) return schema.properties ? "all" : "union";
  if (Array.isArray(schema.type)) return "union";
  if (schema.type === "array") return "array";
  if (schema.type === "object" || schema.properties) return schema.properties ? "object" : "map";
  return { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" }[schema.type] ?? "any";
}

export const refName = (schema) => pascal(schema.$ref.split("/").pop());

// The parts of a union; one type at a time for `"type": ["string", "null"]`.
export const variants = (schema) =>
  schema.oneOf ?? schema.anyOf ?? schema.type.map((type) => ({ ...schema, type, description: undefined }));

// What all of its parts have is had by each variant: `properties` beside `oneOf`, and `allOf`. A list of plain object schemas.
export function flattened(schema, schemas) {
  if (schema?.$ref) return flattened(schemas[schema.$ref.split("/").pop()], schemas);
  const { allOf = [], oneOf, anyOf, ...own } = schema;
  const parts = [[own], ...allOf.map((part) => flattened(part, schemas))];
  const choice = oneOf ?? anyOf;
  if (choice) parts.push(choice.flatMap((part) => flattened(part, schemas)));
  return parts.reduce((sofar, part) => sofar.flatMap((a) => part.map((b) => merged(a, b))));
}

const merged = (a, b) => ({
  type: "object",
  description: a.description ?? b.description,
  properties: { ...a.properties, ...b.properties },
  required: [...(a.required ?? []), ...(b.required ?? [])],
});

export const literalsOf = (schema) => ("const" in schema ? [schema.const] : schema.enum);

// Methods with what the clients name them by, and their groups in the order of the document.
export function methodsOf(document) {
  const schemas = document.components?.schemas ?? {};
  const methods = document.methods.map((method) => {
    const [group, verb] = method.name.split(".");
    const base = pascal(method.name);
    const properties = Object.fromEntries(
      method.params.map(({ name, schema, description }) => [name, described(schema, description)]),
    );
    const required = method.params.filter((param) => param.required).map((param) => param.name);
    const params = { type: "object", properties, required };
    const errors = (method.errors ?? []).map((error) => error.$ref?.split("/").pop()).filter(Boolean);
    return {
      name: method.name, group, verb, errors,
      summary: method.summary, scope: method["x-scope"], from: method["x-from"],
      params: { name: `${base}Params`, schema: params, none: method.params.length === 0, optional: required.length === 0 },
      result: { name: `${base}Result`, schema: method.result.schema },
    };
  });
  const groups = [...new Set(methods.map((method) => method.group))].map((name) => ({
    name, methods: methods.filter((method) => method.group === name),
  }));
  const names = new Set(Object.keys(schemas).map(pascal));
  for (const { params, result } of methods) {
    for (const { name } of [params, result]) {
      if (names.has(name)) throw new Error(`a schema and a method's own type are both named ${name}`);
    }
  }
  return { schemas, methods, groups };
}

const described = (schema, description) => {
  if (!description || typeof schema !== "object") return schema;
  return schema.$ref ? { allOf: [schema], description } : { ...schema, description };
};
