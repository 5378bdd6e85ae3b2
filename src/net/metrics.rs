//! What the network counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Cheap to clone; every clone counts into the same numbers.
#[derive(Debug, Default, Clone)]
pub struct Metrics {
    pub peers: Gauge,
    pub direct: Gauge,
    pub relayed: Gauge,
    pub punched: Counter,
    pub unpunched: Counter,
    pub relays: Gauge,
    pub carried: Gauge,
    pub blocks_sent: Counter,
    pub blocks_received: Counter,
    pub blocks_unwanted: Counter,
    pub dont_haves_sent: Counter,
    pub bytes_sent: Counter,
    pub bytes_received: Counter,
    pub wants: Gauge,
    pub peer_wants: Gauge,
    pub provided: Gauge,
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry) {
        let net = registry.sub_registry_with_prefix("net");
        net.register("peers", "Peers connected now", self.peers.clone());
        net.register("direct_connections", "Connections that go straight to their peer", self.direct.clone());
        net.register("relayed_connections", "Connections that go through a relay", self.relayed.clone());
        net.register("punched", "Relayed connections that became direct ones", self.punched.clone());
        net.register("unpunched", "Relayed connections that could not become direct ones", self.unpunched.clone());
        net.register("relays", "Relays that keep a place for this node", self.relays.clone());
        net.register("carried", "Connections of others that this node relays", self.carried.clone());
        net.register("blocks_sent", "Blocks sent to peers", self.blocks_sent.clone());
        net.register("blocks_received", "Blocks received from peers", self.blocks_received.clone());
        net.register("blocks_unwanted", "Blocks received that nobody had asked for", self.blocks_unwanted.clone());
        net.register("dont_haves_sent", "Times a peer was told a block is not here", self.dont_haves_sent.clone());
        net.register("bytes_sent", "Block bytes sent to peers", self.bytes_sent.clone());
        net.register("bytes_received", "Block bytes received from peers", self.bytes_received.clone());
        net.register("wants", "Blocks this node waits for", self.wants.clone());
        net.register("peer_wants", "Blocks peers wait for", self.peer_wants.clone());
        net.register("provided", "Roots whose provider record is published", self.provided.clone());
    }
}
