// The installed SDK: its version, and those of its modules that it does not export.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const entry = createRequire(import.meta.url).resolve('@tbd54566975/dwn-sdk-js');
const root = entry.slice(0, entry.indexOf('dist'));

export const version = JSON.parse(readFileSync(join(root, 'package.json'))).version;

/** A module by its path in the ESM build: the same instance that the SDK and its tests use. */
export const internal = path => import(pathToFileURL(join(root, 'dist/esm', path)).href);
