// What an app does with the code of `toft protocol gen --lang ts`, by both ways to a node: `node typed.js WHERE`, WHERE as JSON:
//
//   {url, token}         the wallet RPC
//   {dwn, definitions}   DWN messages of the stock SDK, signed by a key of its own; the definitions are installed first
//
// The compiler holds what stands behind @ts-expect-error.
import { strictEqual as is, deepStrictEqual as same } from "node:assert/strict";
import * as sdk from "@tbd54566975/dwn-sdk-js";
import { Toft, repo } from "@toft/client";
import { GovernanceProtocol } from "./governance.js";
import { MessageProtocol } from "./message.js";
import { ProfileProtocol, type LinkTags } from "./profile.js";

const where = JSON.parse(process.argv[2] ?? "{}") as { url?: string; token: string; dwn: string; definitions: object[] };
const transport = where.url === undefined ? await withOwnKey() : new repo.RpcTransport(new Toft({ url: where.url, token: where.token }));
await profile();
await message();
await governance();
console.log("done");
process.exit();

async function withOwnKey(): Promise<repo.Transport> {
  const persona = await sdk.TestDataGenerator.generateDidKeyPersona();
  const signer = sdk.Jws.createSigner(persona);
  for (const definition of where.definitions) {
    const { message } = await sdk.ProtocolsConfigure.create({ definition: definition as sdk.ProtocolDefinition, signer });
    const params = { target: persona.did, message };
    const body = JSON.stringify({ jsonrpc: "2.0", id: "1", method: "dwn.processMessage", params });
    const answer = await (await fetch(where.dwn, { method: "POST", headers: { "dwn-request": body } })).json();
    is((answer as { result: { reply: { status: { code: number } } } }).result.reply.status.code, 202);
  }
  return new repo.DwnTransport({ sdk, url: where.dwn, signer });
}

/** Each kind of call, on one type. */
async function profile(): Promise<void> {
  const { link, profileAvatar, profile } = new ProfileProtocol(transport);
  const changes = await link.subscribe({ tags: { kind: "website" } });
  const made = await link.create({ kind: "website", name: "Home — ✓", url: "https://a.example/" }, { tags: { kind: "website" } });
  await link.create({ kind: "social", url: "https://b.example/" }, { tags: { kind: "social", network: "fediverse" }, published: true });

  const got = await link.get(made.recordId);
  same([got?.tags.kind, got?.contextId, got?.published], ["website", made.contextId, false]);
  is((await got?.data())?.name, "Home — ✓");
  is(await link.get("bafyreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), undefined);
  is(await profile.get(made.recordId), undefined, "a link is no profile");

  const websites = await link.query({ tags: { kind: "website" } });
  same(websites.records.map((record) => record.recordId), [made.recordId]);
  is((await link.query({ tags: { network: { startsWith: "fedi" } } })).records.length, 1);
  is((await link.query({ created: { to: new Date(0) } })).records.length, 0);
  const first = await link.query({ sort: "createdAscending", limit: 1 });
  const second = await link.query({ sort: "createdAscending", limit: 1, cursor: first.cursor ?? null });
  same([...first.records, ...second.records].map((record) => record.tags.kind), ["website", "social"]);

  const tags: LinkTags = { kind: "website", network: "web" };
  await link.update(made, { tags });
  await link.update(made, { data: { kind: "website", url: "https://c.example/" } });
  const now = await link.get(made.recordId);
  same([now?.tags, now?.creator, await now?.data()], [tags, got?.author, { kind: "website", url: "https://c.example/" }]);
  await link.delete(made);
  is(await link.get(made.recordId), undefined);
  const kinds = [];
  for await (const change of changes) {
    kinds.push(change.kind === "written" ? change.record.recordId === made.recordId : change.recordId);
    if (kinds.length === 4) break;
  }
  same(kinds, [true, true, true, made.recordId]);

  // Bytes, of one of several formats, and more than a call carries.
  const owner = await profile.create({ name: "Alice" });
  const photo = new Uint8Array(900_000).fill(7);
  const avatar = await profileAvatar.create(photo, { parent: owner, dataFormat: "image/png" });
  const [kept] = (await profileAvatar.query({ parent: owner })).records;
  same([kept?.recordId, kept?.dataFormat, kept?.dataSize], [avatar.recordId, "image/png", photo.length]);
  same(await kept?.data(), photo);
}

/** Records below others. */
async function message(): Promise<void> {
  const chat = new MessageProtocol(transport);
  const [one, other] = [await chat.thread.create({ name: "A" }, { tags: { kind: "direct" } }), await chat.thread.create({ name: "B" }, { tags: { kind: "group" } })];
  const said = await chat.threadMessage.create({ content: "Good morning." }, { parent: one });
  await chat.threadMessage.create({ content: "Elsewhere" }, { parent: other });
  await chat.threadMessageReaction.create({ content: "+1" }, { parent: said });
  const { records } = await chat.threadMessage.query({ parent: one });
  same(await Promise.all(records.map((record) => record.data())), [{ content: "Good morning." }]);
  is((await chat.threadMessageReaction.query({ parent: said })).records.length, 1);
  await chat.thread.delete(one, { prune: true });
  is((await chat.threadMessage.query({ parent: one })).records.length, 0);
}

/** Tags that are numbers. */
async function governance(): Promise<void> {
  const { proposal, proposalBallot } = new GovernanceProtocol(transport);
  const what = { dateOpens: "2026-01-01T00:00:00.000000Z", dateCloses: "2026-02-01T00:00:00.000000Z", kind: "text" as const, name: "A", text: "B" };
  const made = await proposal.create(what, { tags: { kind: "text", status: "open" } });
  for (const weight of [1, 5, 9]) await proposalBallot.create({ choice: "for" }, { parent: made, tags: { choice: "for", weight } });
  const heavy = await proposalBallot.query({ tags: { weight: { gte: 5 } } });
  same(heavy.records.map((record) => record.tags.weight).sort(), [5, 9]);
  is((await proposalBallot.query({ tags: { choice: "against" } })).records.length, 0);
}

export async function neverCompiles(): Promise<void> {
  const { link, profile } = new ProfileProtocol(transport);
  const chat = new MessageProtocol(transport);
  // @ts-expect-error: its tags are required
  await chat.thread.create({ name: "a" });
  // @ts-expect-error: no such kind
  await chat.thread.create({ name: "a" }, { tags: { kind: "other" } });
  // @ts-expect-error: a message stands below a thread
  await chat.threadMessage.create({ content: "a" });
  // @ts-expect-error: a message has content
  await chat.threadMessage.create({}, { parent: "a" });
  // @ts-expect-error: no such tag
  await link.query({ tags: { color: "red" } });
  // @ts-expect-error: a flag
  await profile.query({ tags: { active: "yes" } });
  // @ts-expect-error: who becomes a contact is named
  await chat.contact.create({ startDate: "2026-01-01T00:00:00.000000Z" }, {});
}
