// Makes delegated.json with the JS SDK: messages of Records that a delegate signs in the name of who let them. Set up and run as
// `generate.mjs`:
//
//   node generate-delegated.mjs [OUT]
import * as sdk from '@tbd54566975/dwn-sdk-js';
import { alice, at, b64, carol, clone, save, sha, withDwn } from './common.mjs';

const uri = 'http://example.com/delegated';
const definition = { protocol: uri, published: false, types: { thread: {}, post: {} }, structure: { thread: { post: {} } } };
const scoped = (method, more) => ({ interface: 'Records', method, protocol: uri, ...more });
const person = ({ keyId, name }) => ({ kid: keyId, secret: b64(sha(`toft vectors/${name}/Ed25519`)) });

await withDwn(async (dwn) => {
  const steps = [];
  const send = async (message, data, ours) => {
    // without what is undefined
    message = clone(message);
    const stream = data && sdk.DataStream.fromBytes(data);
    const reply = await dwn.processMessage(alice.did, clone(message), { dataStream: stream });
    steps.push({ message, data: data && b64(data), code: reply.status.code, count: reply.entries?.length, ...ours });
    return message;
  };
  await send((await sdk.ProtocolsConfigure.create({ definition, messageTimestamp: at(0), signer: alice.signer })).message);
  const grants = {};
  for (const method of ['Write', 'Delete', 'Read', 'Query', 'Subscribe']) {
    const grant = await sdk.PermissionsProtocol.createGrant({
      signer: alice.signer, grantedTo: carol.did, dateGranted: at(1), dateExpires: at(3000), delegated: true, scope: scoped(method),
    });
    await send(grant.recordsWrite.message, Buffer.from(grant.permissionGrantBytes));
    grants[method] = clone(grant.dataEncodedMessage);
  }
  const by = (method) => ({ signer: carol.signer, delegatedGrant: grants[method] });
  const say = async (ours, made, data) => send(made.message, data, { ours });
  const write = (n, text, more) => sdk.RecordsWrite.create({
    ...by('Write'), data: Buffer.from(text), dataFormat: 'text/plain', protocol: uri, messageTimestamp: at(n), dateCreated: at(n), ...more,
  });
  const thread = await say('write', await write(10, 'thread', { protocolPath: 'thread', tags: { n: 1 } }), Buffer.from('thread'));
  const post = await say('write', await write(11, 'post', {
    protocolPath: 'thread/post', parentContextId: thread.contextId, recipient: carol.did, schema: 'http://example.com/post', published: true,
    datePublished: at(11),
  }), Buffer.from('post'));
  await say('update', await sdk.RecordsWrite.createFrom({
    ...by('Write'), recordsWriteMessage: post, data: Buffer.from('other'), messageTimestamp: at(12),
  }), Buffer.from('other'));
  const time = (n) => ({ messageTimestamp: at(n) });
  await say('read', await sdk.RecordsRead.create({ ...by('Read'), filter: { recordId: thread.recordId }, ...time(13) }));
  const filter = { protocol: uri, protocolPath: 'thread' };
  await say('query', await sdk.RecordsQuery.create({ ...by('Query'), filter, dateSort: 'createdDescending', pagination: { limit: 1 }, ...time(14) }));
  await say('subscribe', await sdk.RecordsSubscribe.create({ ...by('Subscribe'), filter, ...time(15) }));
  await say('delete', await sdk.RecordsDelete.create({ ...by('Delete'), recordId: thread.recordId, prune: true, ...time(16) }));
  save('delegated.json', { note: 'ours: what is to be made here as it was there', grantor: person(alice), grantee: person(carol), steps });
});
