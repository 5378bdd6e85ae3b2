// A real helia for the tests of toft.
//
//     helia.mjs
//
// Listens on a free loopback port over TCP and obeys commands on stdin, one line each:
//
//     connect ADDR | add FILE | get CID FILE SECONDS | provide CID | findprovs CID | peers | quit
//
// It prints `ADDR <multiaddr>` lines and `READY <peer id>`, then for each command `OK <seconds> <result>`
// or `ERR <seconds> <reason>`. End of input ends it, so it does not outlive the test that started it.

import fs from 'node:fs'
import { once } from 'node:events'
import readline from 'node:readline'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'

const SEARCH_MS = 15_000

const helia = withBitswap(withLibp2pLight(createHeliaLight({ blockstore: new MemoryBlockstore() }), {
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  // Loopback addresses are all a test has: nothing is filtered out, nothing is refused.
  connectionGater: { denyDialMultiaddr: () => false },
  services: {
    identify: identify(),
    ping: ping(),
    dht: kadDHT({ protocol: '/ipfs/kad/1.0.0', clientMode: false, peerInfoMapper: passthroughMapper, allowQueryWithZeroPeers: true })
  }
}))
await helia.start()
const files = unixfs(helia)

const commands = {
  connect: async (address) => { await helia.libp2p.dial(multiaddr(address)); return 'ok' },
  add: async (path) => String(await files.addByteStream(fs.createReadStream(path, { highWaterMark: 1 << 20 }))),
  get: async (cid, path, seconds) => {
    const out = fs.createWriteStream(path)
    let bytes = 0
    for await (const chunk of files.cat(CID.parse(cid), { signal: AbortSignal.timeout(Number(seconds) * 1000) })) {
      bytes += chunk.length
      if (!out.write(chunk)) await once(out, 'drain')
    }
    await new Promise(resolve => out.end(resolve))
    return bytes
  },
  provide: async (cid) => { await helia.routing.provide(CID.parse(cid), { signal: AbortSignal.timeout(SEARCH_MS) }); return 'ok' },
  findprovs: async (cid) => {
    const found = []
    const options = { signal: AbortSignal.timeout(SEARCH_MS) }
    try {
      for await (const provider of helia.routing.findProviders(CID.parse(cid), options)) {
        // Peer ids come as CIDs under the codec libp2p-key; their multihash in base58 is the usual form.
        const id = provider.id.multihash != null ? provider.id : CID.parse(String(provider.id))
        found.push(String(provider.id), (await import('multiformats/bases/base58')).base58btc.baseEncode(id.multihash.bytes))
        break
      }
    } catch (error) { found.push(`error: ${error.message}`) }
    return JSON.stringify(found)
  },
  peers: async () => JSON.stringify(helia.libp2p.getPeers().map(String))
}

for (const address of helia.libp2p.getMultiaddrs()) console.log(`ADDR ${address}`)
console.log(`READY ${helia.libp2p.peerId}`)
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [name, ...args] = line.trim().split(/\s+/)
  if (name === '') continue
  if (name === 'quit') break
  const start = performance.now()
  const seconds = () => ((performance.now() - start) / 1000).toFixed(3)
  try {
    if (commands[name] == null) throw new Error(`no such command: ${name}`)
    const result = await commands[name](...args)
    console.log(`OK ${seconds()} ${result}`)
  } catch (error) {
    console.log(`ERR ${seconds()} ${error.name} ${error.message}`.replace(/\n/g, ' '))
  }
}
process.exit(0)
