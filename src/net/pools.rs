//! All that strangers share here, and how it is given out.

use super::config::Limits;
use crate::pool::{Pool, Size};
use prometheus_client::registry::Registry;

/// Cheap to clone; clones share what there is.
#[derive(Debug, Clone)]
pub struct Pools {
    pub connections: Pool,
    /// Connections that others are setting up.
    pub pending: Pool,
    /// Connections that this node is setting up.
    pub dials: Pool,
    /// Bytes.
    pub memory: Pool,
    /// Blocks that peers wait for.
    pub wants: Pool,
    /// What other peers announced.
    pub records: Pool,
}

impl Pools {
    pub fn new(limits: &Limits) -> Self {
        let pending = limits.pending as usize;
        let pool = |what, most, share, reserved| Pool::new(what, Size { most, share, reserved });
        Self {
            connections: pool(
                "libp2p connections",
                limits.connections as usize,
                limits.connections_per_address as usize,
                // With few file descriptors there are fewer than was set: half are still for everybody.
                (limits.connections_reserved as usize).min(limits.connections as usize / 2),
            ),
            pending: pool("libp2p connections being set up", pending, limits.pending_per_address as usize, pending / 8),
            dials: pool("libp2p connections being set up by this node", pending, pending, pending / 4),
            memory: pool(
                "bytes of memory for libp2p peers",
                limits.memory,
                limits.memory_per_address,
                limits.memory / 8,
            ),
            wants: pool("blocks that libp2p peers wait for", limits.wants, limits.wants_per_address, limits.wants / 8),
            records: pool(
                "provider records of libp2p peers",
                limits.provider_records,
                limits.provider_records_per_address,
                0,
            ),
        }
    }

    pub fn register(&self, registry: &mut Registry) {
        let net = registry.sub_registry_with_prefix("net");
        self.connections.register("connections", net);
        self.pending.register("pending", net);
        self.dials.register("dials", net);
        self.memory.register("memory", net);
        self.wants.register("wantlists", net);
        self.records.register("provider_records", net);
    }
}
