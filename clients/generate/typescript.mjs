// methods.ts: a type for each schema, and each method as a function of its group.
import { HEAD, flattened, kindOf, literalsOf, methodsOf, pascal, refName, variants } from "./document.mjs";

export function typescript(document) {
  const { schemas, methods, groups } = methodsOf(document);
  const out = [`// ${HEAD}\n`, "/** Any JSON. */", "export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };\n"];

  for (const [name, schema] of Object.entries(schemas)) out.push(...comment(schema.description), declared(pascal(name), schema));
  for (const { params, result } of methods) {
    if (!params.none) out.push(declared(params.name, params.schema));
    if (kindOf(result.schema) !== "ref") out.push(declared(result.name, result.schema));
  }

  out.push("/** What each method takes and gives. */", "export interface Methods {");
  for (const method of methods) out.push(`  ${key(method.name)}: { params: ${paramsType(method)}; result: ${resultType(method)} };`);
  out.push("}\n", "export type MethodName = keyof Methods;\n");

  out.push("/** What a caller must be allowed, and from where: \"socket\" is for the node's Unix socket alone. */");
  out.push("export const METHODS: { readonly [name in MethodName]: { readonly scope: string; readonly from: \"anywhere\" | \"socket\" } } = {");
  for (const { name, scope, from } of methods) out.push(`  ${key(name)}: { scope: ${str(scope)}, from: ${str(from)} },`);
  out.push("};\n");

  out.push("/** Each method as a function of its group: `node.records.write({ … })`. */", "export abstract class Groups {");
  out.push("  /** Calls a method by its name. */");
  out.push('  abstract call<M extends MethodName>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]>;');
  for (const group of groups) {
    out.push("", `  readonly ${group.name} = {`);
    for (const method of group.methods) out.push(...comment(about(method), "    "), `    ${method.verb}: ${call(method)},`);
    out.push("  };");
  }
  out.push("}\n");
  return out.join("\n");

  function call(method) {
    const { params, name } = method;
    if (params.none) return `() => this.call(${str(name)}, {})`;
    return `(params: ${params.name}${params.optional ? " = {}" : ""}) => this.call(${str(name)}, params)`;
  }

  function declared(name, schema) {
    return kindOf(schema) === "object" ? `export interface ${name} ${type(schema, "")}\n` : `export type ${name} = ${type(schema, "")};\n`;
  }

  function type(schema, indent) {
    switch (kindOf(schema)) {
      case "ref": return refName(schema);
      case "wrapped": return type(schema.allOf[0], indent);
      case "literals": return literalsOf(schema).map((value) => JSON.stringify(value)).join(" | ");
      case "union": return [...new Set(variants(schema).map((part) => type(part, indent)))].join(" | ");
      case "all": return flattened(schema, schemas).map((part) => type(part, indent)).join(" | ");
      case "array": return arrayType(schema, indent);
      case "map": return `{ [name: string]: ${mapValue(schema, indent)} }`;
      case "object": return objectType(schema, indent);
      case "any": return "Json";
      default: return kindOf(schema);
    }
  }

  function arrayType(schema, indent) {
    const tuple = schema.prefixItems ?? (Array.isArray(schema.items) ? schema.items : undefined);
    if (tuple) return `[${tuple.map((item) => type(item, indent)).join(", ")}]`;
    const item = type(schema.items, indent);
    return /[ |]/.test(item) ? `Array<${item}>` : `${item}[]`;
  }

  function objectType(schema, indent) {
    const deeper = `${indent}  `;
    const lines = Object.entries(schema.properties).flatMap(([name, property]) => [
      ...comment(property.description, deeper),
      `${deeper}${key(name)}${schema.required?.includes(name) ? "" : "?"}: ${type(property, deeper)};`,
    ]);
    return lines.length ? `{\n${lines.join("\n")}\n${indent}}` : "Record<string, never>";
  }

  function mapValue(schema, indent) {
    const values = schema.additionalProperties;
    return values === undefined || values === true || values === false ? "Json" : type(values, indent);
  }
}

const str = (text) => JSON.stringify(text);
const key = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : str(name));
const paramsType = ({ params }) => (params.none ? "Record<string, never>" : params.name);
const resultType = ({ result }) => (kindOf(result.schema) === "ref" ? refName(result.schema) : result.name);
const about = ({ summary, scope, from }) => `${summary} Scope: ${scope}${from === "socket" ? ", over the socket alone" : ""}.`;

function comment(text, indent = "") {
  if (!text) return [];
  const lines = text.replaceAll("*/", "* /").split("\n");
  return lines.length === 1 ? [`${indent}/** ${lines[0]} */`] : [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}
