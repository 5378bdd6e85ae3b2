// Plays the expected matrices in a running DWN server, over HTTP and, for subscriptions, a WebSocket.
//
//   node wire.mjs SDK URL [--answers] [NAME…]      SDK: the folder that scripts/fetch-sdk prints
//
// The server must take any DID as a tenant. The SDK makes and signs each message; check.mjs plays the same cells in the
// SDK's own DWN. Prints what differs from the matrices; exit code 1 if anything does. With `--answers`, also each cell
// with the status that it got, in the order of the matrices, so that two servers can be compared.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Tenant, definitionOf, expected, load, matrixOf, names as namesOf, play, said } from './play.mjs';

const WORKERS = 2;
// Cells at a time in each worker. A cell waits for each of its answers.
const PLAYERS = 12;

if (isMainThread) await main();
else await work(workerData);

async function main() {
  const args = process.argv.slice(2).filter(arg => arg !== '--answers');
  const [sdkFolder, url, ...wanted] = args;
  if (url === undefined) {
    console.error('usage: node wire.mjs SDK URL [--answers] [NAME…]');
    process.exit(64);
  }
  const names = namesOf(wanted);
  const results = (await Promise.all(split(names).map(names => run({ sdkFolder, url, names })))).flat();
  let wrong = 0;
  for (const name of names) {
    for (const result of results.filter(result => result.name === name).sort((a, b) => a.index - b.index)) {
      if (process.argv.includes('--answers')) console.log(`${result.said}: ${result.answer}, ${result.status}`);
      if (result.wrong) {
        wrong++;
        console.log(`WRONG ${result.said}: ${result.wrong}`);
      }
    }
  }
  const cells = results.filter(result => result.status !== undefined).length;
  // Not before all of it is written: who reads it may be slow.
  process.stdout.write(`${names.length} definitions, ${cells} cells, ${wrong} wrong\n`, () => process.exit(wrong === 0 ? 0 : 1));
}

/** A share of the protocols for each worker, with about as many cells. */
function split(names) {
  const shares = Array.from({ length: WORKERS }, () => ({ names: [], cells: 0 }));
  const sized = names.map(name => ({ name, cells: matrixOf(name)?.cell.length ?? 0 }));
  for (const { name, cells } of sized.sort((a, b) => b.cells - a.cells)) {
    const least = shares.reduce((a, b) => (b.cells < a.cells ? b : a));
    least.names.push(name);
    least.cells += cells;
  }
  return shares.map(share => share.names).filter(names => names.length > 0);
}

function run(workerData) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('a worker ended')));
  });
}

async function work({ sdkFolder, url, names }) {
  await load(sdkFolder);
  const { Remote } = await import(pathToFileURL(join(resolve(sdkFolder), 'remote.mjs')).href);
  const results = [];
  const parts = names.flatMap(name => {
    const definition = definitionOf(name);
    let tenant;
    const open = dwn => (tenant ??= Tenant.open(dwn, definition));
    return (matrixOf(name)?.cell ?? []).map((cell, index) => ({ name, open, cell, index }));
  }).values();
  await Promise.all(Array.from({ length: PLAYERS }, async () => {
    const dwn = new Remote(url);
    for (const { name, open, cell, index } of parts) {
      const result = { name, index, said: said(name, cell) };
      try {
        const { answer, status } = await play(dwn, await open(dwn), cell);
        // DIDs and CIDs are this run's own.
        result.status = `${status.code} ${status.detail}`.replace(/did:key:\w+/g, 'DID').replace(/\bbaf\w+/g, 'CID');
        result.answer = answer;
        if (answer !== expected(cell)) result.wrong = `${answer}, not ${expected(cell)}: ${result.status}`;
      } catch (error) {
        result.wrong = error.message;
      }
      results.push(result);
    }
    dwn.close();
  }));
  parentPort.postMessage(results);
}
