// The TypeScript client, driven line by line: `node typescript.mjs FOLDER`, FOLDER with the built client.
//
//   first line: where the node is, {socket} or {url, token}
//   {op: "methods"}                          the functions there are → {methods: ["group.verb", …]}
//   {op: "call", method, params}             → {result} or {error: {code, kind, message, retryAfter}}
//   {op: "batch", calls: [{method, params}]} → {answers: [{result} | {error}]}
//   {op: "large", data}                      writes it (base64url) by a one-time address and reads it back → {data}
//   {op: "pair", url, name, scopes}          asks to be paired → {code}, then as call
//   {op: "follow", method, params, then: {method, params}, count}
//                                            subscribes, makes a call, waits for events → {events}
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { RpcError, Toft, pair } = await import(pathToFileURL(`${process.argv[2]}/index.js`));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { socket, ...tcp } = JSON.parse((await lines.next()).value);
const node = new Toft(socket === undefined ? tcp : { socketPath: socket });

const said = (error) => ({ error: { code: error.code, kind: error.kind, message: error.message, retryAfter: error.retryAfter } });
const isOf = (value) => typeof value === "object" && value !== null && Object.values(value).some((verb) => typeof verb === "function");

const OPS = {
  methods() {
    const groups = Object.entries(node).filter(([, group]) => isOf(group));
    return { methods: groups.flatMap(([group, verbs]) => Object.keys(verbs).map((verb) => `${group}.${verb}`)) };
  },
  async call({ method, params }) {
    const [group, verb] = method.split(".");
    return { result: await node[group][verb](params) };
  },
  async batch({ calls }) {
    const answers = await node.batch(calls);
    return { answers: answers.map((answer) => (answer instanceof RpcError ? said(answer) : { result: answer })) };
  },
  async large({ data }) {
    const bytes = Buffer.from(data, "base64url");
    const { upload } = await node.records.write({ dataSize: bytes.length, dataFormat: "application/octet-stream" });
    const { recordId } = await node.upload(upload, bytes);
    const { download } = await node.records.read({ recordId, download: true });
    return { data: Buffer.from(await node.download(download)).toString("base64url") };
  },
  async pair({ url, ...wish }) {
    return { result: await pair(url, wish, (code) => console.log(JSON.stringify({ code }))) };
  },
  async follow({ method, params, then, count }) {
    const live = await node.connect();
    const subscription = await live.subscribe(method, params);
    await live.call(then.method, then.params);
    const events = [];
    for await (const event of subscription) if (events.push(event) >= count) break;
    live.close();
    return { events };
  },
};

for await (const line of lines) {
  const { op, ...command } = JSON.parse(line);
  let answer;
  try {
    answer = await OPS[op](command);
  } catch (error) {
    answer = said(error);
  }
  console.log(JSON.stringify(answer));
}
