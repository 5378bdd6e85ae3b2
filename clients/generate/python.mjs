// methods.py: a TypedDict for each object, and each method as a function of its group's class.
import { HEAD, flattened, kindOf, literalsOf, methodsOf, pascal, refName, variants } from "./document.mjs";

const KEYWORDS = new Set(
  "False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield".split(" "),
);

export function python(document) {
  const { schemas, methods, groups } = methodsOf(document);
  const out = [
    `"""${HEAD}"""\n`,
    "from __future__ import annotations\n",
    "from typing import Any, Callable, Final, Literal, NotRequired, TypeAlias, TypedDict, Unpack\n",
    "#: Any JSON.",
    "Json: TypeAlias = Any\n",
    "#: Calls a method by its name, with its parameters.",
    "Call: TypeAlias = Callable[[str, Any], Any]\n",
  ];

  for (const [name, schema] of Object.entries(schemas)) declare(pascal(name), schema);
  for (const { params, result } of methods) {
    if (!params.none) declare(params.name, params.schema);
    if (kindOf(result.schema) !== "ref") declare(result.name, result.schema);
  }

  out.push("", "#: What a caller must be allowed, and from where: \"socket\" is for the node's Unix socket alone.");
  out.push("METHODS: Final[dict[str, tuple[str, Literal[\"anywhere\", \"socket\"]]]] = {");
  for (const { name, scope, from } of methods) out.push(`    ${str(name)}: (${str(scope)}, ${str(from)}),`);
  out.push("}\n");

  for (const group of groups) {
    out.push("", `class ${pascal(group.name)}Group:`, `    """\`${group.name}.…\`"""\n`);
    out.push("    def __init__(self, call: Call) -> None:", "        self._call = call");
    for (const method of group.methods) {
      const { params } = method;
      out.push("", `    def ${name(method.verb)}(self${params.none ? "" : `, **params: Unpack[${params.name}]`}) -> ${resultType(method)}:`);
      out.push(`        ${docstring(about(method))}`);
      out.push(`        answer: ${resultType(method)} = self._call(${str(method.name)}, ${params.none ? "{}" : "params"})`);
      out.push("        return answer");
    }
    out.push("");
  }

  out.push("", "class Groups:", '    """Each method as a function of its group: `node.records.write(data=…)`."""\n');
  out.push("    def __init__(self, call: Call) -> None:");
  for (const group of groups) out.push(`        self.${name(group.name)} = ${pascal(group.name)}Group(call)`);
  return out.join("\n").replace(/\n{4,}/g, "\n\n\n") + "\n";

  function declare(its, schema) {
    const kind = kindOf(schema);
    if (kind === "object") return declareObject(its, schema);
    const before = out.length;
    const text = type(schema, its);
    if (out.length > before) out.push("");
    if (schema.description) out.push(...schema.description.split("\n").map((line) => `#: ${line}`.trimEnd()));
    out.push(`${its}: TypeAlias = '${text}'\n`);
  }

  // A property whose type needs a name of its own is declared before the object it stands in.
  function declareObject(its, schema) {
    const fields = Object.entries(schema.properties).map(([field, property]) => {
      const text = type(property, its + pascal(field));
      const description = typeof property === "object" ? property.description : undefined;
      return { field, text: schema.required?.includes(field) ? text : `NotRequired[${text}]`, description };
    });
    if (fields.some(({ field }) => name(field) !== field)) {
      out.push("", `${its} = TypedDict(`, `    ${str(its)},`, "    {");
      for (const { field, text, description } of fields) out.push(...lines(description, "        "), `        ${str(field)}: ${str(text)},`);
      out.push("    },", ")", "", "");
      return;
    }
    out.push("", `class ${its}(TypedDict):`);
    if (schema.description) out.push(`    ${docstring(schema.description)}\n`);
    for (const { field, text, description } of fields) out.push(...lines(description, "    "), `    ${field}: ${text}`);
    if (!fields.length && !schema.description) out.push("    pass");
    out.push("", "");
  }

  function type(schema, its) {
    switch (kindOf(schema)) {
      case "ref": return refName(schema);
      case "wrapped": return type(schema.allOf[0], its);
      case "literals": return `Literal[${literalsOf(schema).map(literal).join(", ")}]`;
      case "union": return union(variants(schema), its);
      case "all": return union(flattened(schema, schemas), its);
      case "array": return arrayType(schema, its);
      case "map": return `dict[str, ${mapValue(schema, its)}]`;
      case "object": declareObject(its, schema); return its;
      case "string": return "str";
      case "number": return schema.type === "integer" ? "int" : "float";
      case "boolean": return "bool";
      case "null": return "None";
      default: return "Json";
    }
  }

  // Objects of a union are named after what tells them apart.
  function union(parts, its) {
    const texts = parts.map((part, number) => {
      const tag = Object.values(part?.properties ?? {}).map((property) => property?.const ?? property?.enum?.[0]).find((tag) => typeof tag === "string");
      return type(part, parts.length === 1 ? `${its}Object` : its + pascal(tag ?? String(number + 1)));
    });
    const literals = texts.filter((text) => text.startsWith("Literal[")).map((text) => text.slice(8, -1));
    const others = texts.filter((text) => !text.startsWith("Literal["));
    return [...new Set(literals.length ? [`Literal[${literals.join(", ")}]`, ...others] : others)].join(" | ");
  }

  function arrayType(schema, its) {
    const tuple = schema.prefixItems ?? (Array.isArray(schema.items) ? schema.items : undefined);
    // JSON has lists alone.
    if (tuple) return `list[${union(tuple, `${its}Item`)}]`;
    return `list[${type(schema.items, `${its}Item`)}]`;
  }

  function mapValue(schema, its) {
    const values = schema.additionalProperties;
    return values === undefined || values === true || values === false ? "Json" : type(values, `${its}Value`);
  }
}

const str = (text) => JSON.stringify(text);
const literal = (value) => ({ true: "True", false: "False", null: "None" })[String(value)] ?? JSON.stringify(value);
const name = (text) => {
  const plain = text.replaceAll("-", "_");
  return KEYWORDS.has(plain) ? `${plain}_` : plain;
};
const resultType = ({ result }) => (kindOf(result.schema) === "ref" ? refName(result.schema) : result.name);
const about = ({ summary, scope, from }) => `${summary} Scope: ${scope}${from === "socket" ? ", over the socket alone" : ""}.`;
const docstring = (text) => `"""${text.replaceAll("\\", "\\\\").replaceAll('"""', "'''").replaceAll("\n", "\n    ")}"""`;
const lines = (text, indent) => (text ? text.split("\n").map((line) => `${indent}#: ${line}`.trimEnd()) : []);
