// Loaded before the stock DWN server (node --import): it knows one public did:dht gateway by heart, and is told of another one.
import { DidDht } from '@web5/dids';

const { resolve } = DidDht;
DidDht.resolve = (did, options) => resolve.call(DidDht, did, { ...options, gatewayUri: process.env.TOFT_TEST_GATEWAY });
