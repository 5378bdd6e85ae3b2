// Writes what the clients know of the methods, from the OpenRPC document that a node serves as rpc.discover:
//
//   node clients/generate.mjs             docs/openrpc.json → ts/src/methods.ts, python/toft/methods.py
//   node clients/generate.mjs --check     says which of the two is behind, and fails
//
// JSON Schema as the node writes it (draft 07; what is not named in `kindOf` is any JSON).
import { readFileSync, writeFileSync } from "node:fs";
import { python } from "./generate/python.mjs";
import { typescript } from "./generate/typescript.mjs";

const at = (path) => new URL(path, import.meta.url);
const document = JSON.parse(readFileSync(at("../docs/openrpc.json"), "utf8"));
const check = process.argv.includes("--check");

for (const [path, text] of [
  ["ts/src/methods.ts", typescript(document)],
  ["python/toft/methods.py", python(document)],
]) {
  const read = () => {
    try {
      return readFileSync(at(path), "utf8");
    } catch {
      return "";
    }
  };
  if (!check) {
    writeFileSync(at(path), text);
  } else if (read() !== text) {
    console.error(`clients/${path} is behind docs/openrpc.json: node clients/generate.mjs`);
    process.exitCode = 1;
  }
}
