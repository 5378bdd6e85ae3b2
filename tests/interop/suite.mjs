#!/usr/bin/env node
// Runs the test suite that ships inside the DWN SDK (npm, export `./tests`) against a node, over the wire.
//
//   node --no-warnings suite.mjs --url http://127.0.0.1:3000 [--diff] [--grep RE] [--report FILE] [--all]
//
// --diff       each message also goes through the SDK in-process, and the two replies are compared
// --grep RE    only the tests whose full title matches
// --report F   writes failures, differences and the reason of each test left out, as JSON
// --all        also the tests that are known not to work over a wire
// --baseline   writes suite-baseline.json: run it (without --diff, in which spies on the SDK see it work) against
//              the stock server, whose failures are the suite's own
//
// Prints failures and, as its last line, a summary in JSON. Ends with 1 if a test failed or a reply differed.
// The node must take any tenant (`dwn.tenants = "open"`); it needs no reset, each test makes its own DIDs.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';

const major = Number(process.versions.node.split('.')[0]);
if (major < 18 || major > 21) {
  console.error(`suite: node ${process.versions.node} cannot load the SDK's tests, which use import assertions (removed in node 22): use node 18 to 21`);
  process.exit(64);
}
const { values: options } = parseArgs({ options: {
  url: { type: 'string' }, diff: { type: 'boolean' }, grep: { type: 'string' }, report: { type: 'string' },
  all: { type: 'boolean' }, baseline: { type: 'boolean' },
} });
if (!options.url || (options.baseline && options.diff)) {
  console.error('usage: suite.mjs --url http://127.0.0.1:PORT [--diff] [--grep RE] [--report FILE] [--all | --baseline]');
  process.exit(64);
}
const TEST_MS = 60_000;
const baselineFile = new URL('suite-baseline.json', import.meta.url);
const reportFile = options.report && resolve(options.report);

// The suite makes level stores in the current folder.
const scratch = mkdtempSync(join(tmpdir(), 'dwn-suite-'));
process.chdir(scratch);
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
process.on('unhandledRejection', error => console.log(`unhandled: ${error?.message}`));

const { default: Mocha } = await import('mocha');
const { version } = await import('./sdk.mjs');
const { Remote, bytesOf, streamOf } = await import('./remote.mjs');
const { begin, install, sentCount } = await import('./black-box.mjs');
const remote = new Remote(options.url);
const summary = { sdk: version, diff: !!options.diff, tests: 0, passed: 0, failed: 0, left_out: 0, sent: 0, compared: 0, replies_differ: 0, texts_differ: 0 };
const failures = [], differences = [], leftOut = {};
let running;
await install(remote, options.diff && compare);

const mocha = new Mocha({ ui: 'bdd', timeout: TEST_MS, reporter: class {} });
mocha.suite.emit('pre-require', globalThis, null, mocha); // defines `describe` and `it` for the suite
const { TestSuite } = await import('@tbd54566975/dwn-sdk-js/tests');
const { TestStores } = await (await import('./sdk.mjs')).internal('tests/test-stores.js');
TestSuite.runInjectableDependentTests(TestStores.get());

const tests = named(mocha.suite);
summary.tests = tests.size;
const known = options.all || options.baseline || !existsSync(baselineFile) ? {} : JSON.parse(readFileSync(baselineFile)).left_out;
const wanted = options.grep ? new RegExp(options.grep) : /(?:)/;
for (const [test, name] of tests) test.pending ||= !wanted.test(name) || name in known;

const runner = mocha.run(finish);
runner.on('test', test => { running = tests.get(test); begin(); });
runner.on('pass', test => {
  summary.sent += sentCount();
  if (sentCount() || options.all) summary.passed += 1;
  else leave(tests.get(test), 'sends no message');
});
runner.on('fail', (test, error) => {
  summary.failed += 1;
  const name = tests.get(test) ?? test.fullTitle(); // a hook has no number
  failures.push({ test: name, error: String(error.message), at: error.stack?.split('\n').find(line => line.includes('/tests/'))?.trim() });
  if (!options.baseline) console.log(`FAILED ${name}\n       ${String(error.message).split('\n')[0]}`);
});
runner.on('pending', test => leave(tests.get(test), known[tests.get(test)] ?? (wanted.test(tests.get(test)) ? 'left out by the SDK' : 'not asked for')));

function leave(name, why) { summary.left_out += 1; leftOut[name] = why; }

/** Tests by a name that is unique: the suite repeats some titles. */
function named(suite) {
  const names = new Map(), seen = new Map();
  suite.eachTest(test => {
    const title = test.fullTitle(), n = (seen.get(title) ?? 0) + 1;
    seen.set(title, n);
    names.set(test, n === 1 ? title : `${title} #${n}`);
  });
  return names;
}

async function compare(message, ours, theirs) {
  const { interface: kind, method } = message?.descriptor ?? {};
  const [a, b] = [await plain(ours, kind), await plain(theirs, kind)];
  summary.compared += 1;
  const told = { test: running, method: `${kind}${method}`, remote: a, sdk: b };
  if (a.status.code !== b.status.code || !isDeepStrictEqual({ ...a, status: 0 }, { ...b, status: 0 })) {
    summary.replies_differ += 1;
    differences.push(told);
  } else if (a.status.detail !== b.status.detail) {
    summary.texts_differ += 1;
    differences.push({ ...told, remote: a.status, sdk: b.status });
  }
}

/** A reply as plain JSON with its data; the reply itself keeps an unread stream. */
async function plain(reply, kind) {
  const copy = { ...reply };
  if (kind === 'Messages') delete copy.cursor; // positions in a log are private to a node
  if (reply.entry?.data) {
    const bytes = await bytesOf(reply.entry.data);
    reply.entry.data = streamOf(bytes);
    copy.entry = { ...reply.entry, data: bytes.toString('base64') };
  }
  return JSON.parse(JSON.stringify(copy));
}

function finish() {
  if (options.baseline) writeBaseline();
  for (const it of differences) console.log(`DIFFERS ${it.test} (${it.method})\n  remote ${text(it.remote)}\n  sdk    ${text(it.sdk)}`);
  if (reportFile) writeFileSync(reportFile, JSON.stringify({ summary, failures, differences, leftOut }, null, 1));
  console.log(JSON.stringify(summary));
  remote.close();
  process.stdout.write('', () => process.exit(summary.failed || summary.replies_differ || summary.texts_differ ? 1 : 0));
}

const text = reply => JSON.stringify(reply.status ?? reply).slice(0, 600);

/** Against the reference a failure says that the test needs more than a wire. */
function writeBaseline() {
  const left_out = { ...leftOut };
  for (const { test, error } of failures) left_out[test] = `needs to be in-process; over the wire: ${error.split('\n')[0].slice(0, 160)}`;
  const sorted = Object.fromEntries(Object.entries(left_out).sort(([a], [b]) => a < b ? -1 : 1));
  writeFileSync(baselineFile, JSON.stringify({ sdk: version, tests: summary.tests, passed: summary.passed, left_out: sorted }, null, 1) + '\n');
}
