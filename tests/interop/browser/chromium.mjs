// A Chromium that the tests drive line by line: a JSON command on stdin, its answer on stdout.
//
//   node chromium.mjs CHROMIUM
//
//   {op: "serve", files: {"/path": {text} | {file}}}   a web server on a free port of 127.0.0.1, for any host name → {port}
//   {op: "open", url, body?}       a page; with `body` it holds that, whoever answers at the url (a host that is rebound
//                                  after the page came from elsewhere) → {page}
//   {op: "eval", page, script}     runs an expression there, awaits it → {value} or {thrown}
//   {op: "answers", page}          what the page's requests came to: [{method, url, status | failed}] → {answers}
//   {op: "close", page}
//
// Every name below `.example` is 127.0.0.1. The protocol goes over a pipe, so no port is open to other pages.
import { spawn } from "node:child_process";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const TYPES = { html: "text/html", js: "text/javascript" };
const profile = mkdtempSync(join(tmpdir(), "toft-chromium-"));
const browser = spawn(
  process.argv[2],
  [
    "--headless",
    // As root, and in containers, its sandbox cannot be made; the pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    // What the node does is tested, not whether this version of the browser asks its user first.
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
    "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    `--user-data-dir=${profile}`,
    "--remote-debugging-pipe",
  ],
  { stdio: ["ignore", "ignore", process.env.CHROMIUM_SAYS ? "inherit" : "ignore", "pipe", "pipe"], env: { ...process.env, HOME: profile } },
);
let ending = false;
const end = () => {
  ending = true;
  void protocol("Browser.close");
  setTimeout(() => browser.kill("SIGKILL"), 5000).unref();
};
browser.on("exit", (code) => {
  if (!ending) console.log(JSON.stringify({ failed: `Chromium ended with ${code}` }));
  rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  process.exit();
});
process.on("SIGTERM", end);

// The DevTools protocol: calls have an id; what a page says has its session.
const calls = new Map();
const pages = new Map();
let last = 0;
const [output, input] = [browser.stdio[3], browser.stdio[4]];
function protocol(method, params = {}, sessionId) {
  last += 1;
  output.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
  return new Promise((resolve, reject) => calls.set(last, { resolve, reject, method }));
}
let text = "";
input.setEncoding("utf8");
input.on("data", (more) => {
  const messages = (text + more).split("\0");
  text = messages.pop();
  for (const message of messages) take(JSON.parse(message));
});
function take({ id, method, params, result, error, sessionId }) {
  if (id === undefined) return pages.get(sessionId)?.heard(method, params);
  const call = calls.get(id);
  calls.delete(id);
  if (error) call.reject(new Error(`${call.method}: ${error.message}`));
  else call.resolve(result);
}

class Page {
  requests = new Map();

  static async open(url, body) {
    const page = new Page();
    const { targetId } = await protocol("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await protocol("Target.attachToTarget", { targetId, flatten: true });
    Object.assign(page, { targetId, sessionId, url, body });
    pages.set(sessionId, page);
    await Promise.all(["Page.enable", "Network.enable", "Runtime.enable"].map((method) => page.call(method)));
    if (body !== undefined) await page.call("Fetch.enable", { patterns: [{ urlPattern: url, resourceType: "Document" }] });
    const loaded = page.next("Page.loadEventFired");
    const { errorText } = await page.call("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await loaded;
    return page;
  }

  call(method, params) {
    return protocol(method, params, this.sessionId);
  }

  next(method) {
    return new Promise((resolve) => (this.awaited = { method, resolve }));
  }

  heard(method, params) {
    if (this.awaited?.method === method) this.awaited.resolve();
    if (method === "Network.requestWillBeSent") {
      this.requests.set(params.requestId, { method: params.request.method, url: params.request.url });
    } else if (method === "Network.responseReceived") {
      const request = this.requests.get(params.requestId);
      // A preflight is a request of its own, which only its answer tells of.
      if (request) request.status = params.response.status;
    } else if (method === "Network.loadingFailed") {
      const request = this.requests.get(params.requestId);
      if (request && request.status === undefined) request.failed = params.corsErrorStatus?.corsError ?? params.errorText;
    } else if (method === "Network.webSocketCreated") {
      this.requests.set(params.requestId, { method: "WEBSOCKET", url: params.url });
    } else if (method === "Network.webSocketHandshakeResponseReceived") {
      const request = this.requests.get(params.requestId);
      if (request) request.status = params.response.status;
    } else if (method === "Fetch.requestPaused") {
      const responseHeaders = [{ name: "content-type", value: "text/html" }];
      const body = Buffer.from(this.body).toString("base64");
      void this.call("Fetch.fulfillRequest", { requestId: params.requestId, responseCode: 200, responseHeaders, body });
    }
  }

  async eval(script) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression: script, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) return { thrown: exceptionDetails.exception?.description ?? exceptionDetails.text };
    return { value: result.value ?? null };
  }
}

const opened = [];
const OPS = {
  serve({ files }) {
    const server = createServer((request, response) => {
      const { file, text } = files[request.url] ?? {};
      const type = TYPES[request.url.split(".").pop()] ?? "text/html";
      response.writeHead(file ?? text ? 200 : 404, { "content-type": type });
      if (file) createReadStream(file).pipe(response);
      else response.end(text ?? "");
    });
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve({ port: server.address().port })));
  },
  async open({ url, body }) {
    return { page: opened.push(await Page.open(url, body)) - 1 };
  },
  eval: ({ page, script }) => opened[page].eval(script),
  answers: ({ page }) => ({ answers: [...opened[page].requests.values()] }),
  async close({ page }) {
    await protocol("Target.closeTarget", { targetId: opened[page].targetId });
    return {};
  },
};

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const command = JSON.parse(line);
  try {
    console.log(JSON.stringify(await OPS[command.op](command)));
  } catch (problem) {
    console.log(JSON.stringify({ failed: problem.stack ?? String(problem) }));
  }
}
end();
