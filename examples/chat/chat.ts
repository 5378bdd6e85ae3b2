// A chat of two: each has a node and this page, and nothing else runs. A thread lies in the records of who begins it; the other's node
// has a copy of it, because the two nodes are friends and the other holds the role of a participant in it.
import { Toft, pair, repo } from "@toft/client";
import { MessageProtocol, type ThreadMessageRecords } from "./message.js";

const PROTOCOL = "https://toft.invalid/protocols/message";
const PARTICIPANT = "thread/participant";
/** Where the thread is: whose, and its contextId. The one who is invited gets it. */
interface Invitation {
  tenant: string;
  parent: string;
}

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const value = (id: string): string => element<HTMLInputElement>(id).value.trim();
const say = (text: string): void => void (element("status").textContent = text);

/** The page's node. It asks once to be let in; the node's owner types the code: `toft wallet approve CODE`. */
async function enter(): Promise<Toft> {
  const url = value("node");
  const key = `token of ${url}`;
  let token = localStorage.getItem(key);
  if (token === null) {
    const scopes = ["info", `records:read:${PROTOCOL}`, `records:write:${PROTOCOL}`];
    ({ token } = await pair(url, { name: "Chat", scopes }, (code) => say(`Type this at your node: toft wallet approve ${code}`)));
    localStorage.setItem(key, token);
  }
  return new Toft({ url, token });
}

/** A new thread with somebody. */
async function begin(node: Toft, friend: string): Promise<Invitation> {
  const chat = new MessageProtocol(new repo.RpcTransport(node));
  const thread = await chat.thread.create({ name: "Chat" }, { tags: { kind: "direct" } });
  const startDate = new Date().toISOString();
  await chat.threadParticipant.create({ startDate }, { parent: thread, recipient: friend });
  return { tenant: (await node.node.id()).did, parent: thread.contextId };
}

/** Shows what is said in a thread, and what is going to be. */
async function enterThread(node: Toft, { tenant, parent }: Invitation): Promise<void> {
  const own = (await node.node.id()).did;
  const messages = new MessageProtocol(new repo.RpcTransport(node, { tenant })).threadMessage;
  // The owner of the records needs no role in them.
  const by = tenant === own ? {} : { role: PARTICIPANT };
  const shown = new Set<string>();
  const show = async (record: Awaited<ReturnType<ThreadMessageRecords["query"]>>["records"][number]): Promise<void> => {
    if (shown.has(record.recordId)) return;
    shown.add(record.recordId);
    const line = document.createElement("li");
    line.className = record.creator === own ? "own" : "other";
    // As text: what others write is no HTML.
    line.textContent = (await record.data()).content;
    element("said").append(line);
  };
  const changes = await messages.subscribe({ parent, ...by });
  for (const record of (await messages.query({ parent, sort: "createdAscending", ...by })).records) await show(record);
  element<HTMLFormElement>("say").onsubmit = (event) => {
    event.preventDefault();
    const content = value("text");
    element<HTMLInputElement>("text").value = "";
    if (content !== "") messages.create({ content }, { parent, ...by }).catch(failed);
  };
  element("talk").hidden = false;
  say("");
  for await (const change of changes) if (change.kind === "written") await show(change.record);
}

/** The other's node has the thread a moment after it is invited. */
async function arrived(node: Toft, { tenant, parent }: Invitation): Promise<void> {
  const { threadMessage } = new MessageProtocol(new repo.RpcTransport(node, { tenant }));
  for (let tries = 0; ; tries += 1) {
    try {
      await threadMessage.query({ parent, role: PARTICIPANT, limit: 1 });
      return;
    } catch (error) {
      if (tries === 30) throw error;
      say("Waiting for the thread to come from the other's node");
      await new Promise((wake) => setTimeout(wake, 1000));
    }
  }
}

const failed = (error: unknown): void => say(error instanceof Error ? error.message : String(error));

element("begin").onclick = async () => {
  try {
    const node = await enter();
    const invitation = await begin(node, value("friend"));
    element("invitation").textContent = `${invitation.tenant} ${invitation.parent}`;
    await enterThread(node, invitation);
  } catch (error) {
    failed(error);
  }
};

element("join").onclick = async () => {
  try {
    const node = await enter();
    const [tenant = "", parent = ""] = value("invited").split(" ");
    await arrived(node, { tenant, parent });
    await enterThread(node, { tenant, parent });
  } catch (error) {
    failed(error);
  }
};
