//! How the file descriptors of this process are shared out.
//!
//! Each connection takes one. What strangers can have of them is bounded so that the log, the index and the owner always find one
//! free: where the system gives fewer than the settings ask for, all pools become smaller together.

use crate::{
    blocks,
    config::Config,
    net,
    rpc::{self, control::Descriptors},
    scarce::Files,
};
use anyhow::Error;

/// What each pool gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    files: Files,
    /// What is wanted in all.
    wanted: u64,
    /// Connections of the DWN endpoint, and of the gateway.
    dwn: u32,
    gateway: u32,
    wallets: u32,
    /// Of libp2p: established, and being set up in each direction.
    peers: u32,
    pending: u32,
    /// Block files that are open until they are durable.
    blocks: u32,
    /// What the settings want, where that is more.
    less: Vec<String>,
}

impl Places {
    pub fn new(config: &Config, files: Files) -> Self {
        let (limits, peers) = (&config.dwn.limits, &config.net.limits);
        let gateway = if config.gateway.listen.is_empty() { 0 } else { limits.connections };
        let wallets = if config.rpc.listen.is_empty() { 0 } else { config.rpc.connections };
        let wants =
            [limits.connections, gateway, wallets, peers.connections, peers.pending, peers.pending, blocks::OPEN_MAX];
        let wanted = wants.into_iter().map(u64::from).sum();
        let part = |wanted_here: u32| if wanted_here == 0 { 0 } else { files.part(wanted_here, wanted) };
        let mut places = Self {
            files,
            wanted,
            dwn: part(limits.connections),
            gateway: part(gateway),
            wallets: part(wallets),
            peers: part(peers.connections),
            pending: part(peers.pending),
            blocks: part(blocks::OPEN_MAX),
            less: Vec::new(),
        };
        let named = [
            ("dwn.limits.connections", limits.connections, places.dwn),
            ("net.limits.connections", peers.connections, places.peers),
        ];
        let less = named.into_iter().filter(|(_, wanted, got)| got < wanted);
        places.less = less.map(|(key, wanted, got)| format!("{key} = {wanted} is {got}")).collect();
        places
    }

    /// What may be done at the DWN endpoint.
    pub fn dwn(&self, config: &Config) -> Result<rpc::Guard, Error> {
        rpc::Guard::new(&config.dwn, self.dwn)
    }

    /// The same at the gateway.
    pub fn gateway(&self, config: &Config) -> Result<rpc::Guard, Error> {
        rpc::Guard::new(&config.dwn, self.gateway)
    }

    /// And at the wallet RPC.
    pub fn wallets(&self, config: &Config) -> Result<rpc::Guard, Error> {
        rpc::Guard::of_wallets(&config.dwn, self.wallets)
    }

    /// The settings of libp2p with no more connections than there are places.
    pub fn net(&self, config: &net::Config) -> net::Config {
        let mut config = config.clone();
        let limits = &mut config.limits;
        limits.connections = limits.connections.min(self.peers);
        limits.pending = limits.pending.min(self.pending);
        // Shares stay what they are: a part.
        let half = |all: u32| (all / 2).max(1);
        limits.connections_per_address = limits.connections_per_address.min(half(limits.connections));
        limits.connections_reserved = limits.connections_reserved.min(half(limits.connections));
        limits.pending_per_address = limits.pending_per_address.min(half(limits.pending));
        config
    }

    /// Block files that may be open until they are durable.
    pub fn blocks(&self) -> u32 {
        self.blocks
    }

    /// What the operator should know: `None`, if everything is as set.
    pub fn sentence(&self) -> Option<String> {
        (!self.less.is_empty()).then(|| {
            format!(
                "this process may have {} file descriptors, fewer than the settings need ({}): {}; raise the limit \
                 (ulimit -n, or LimitNOFILE of its service)",
                self.files.most,
                self.files.most - self.files.given() + self.wanted,
                self.less.join(", ")
            )
        })
    }

    /// For the status.
    pub fn status(&self) -> Descriptors {
        Descriptors {
            most: self.files.most,
            before: self.files.before,
            dwn_connections: self.dwn,
            gateway_connections: self.gateway,
            peer_connections: self.peers,
            fewer: self.sentence(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_few_descriptors_all_pools_shrink_and_leave_the_nodes_own() {
        let config = Config::default();
        let many = Places::new(&config, Files { most: 1 << 20, before: 1024 });
        assert_eq!((many.dwn, many.gateway, many.peers, many.sentence()), (1024, 1024, 256, None));

        let few = Places::new(&config, Files { most: 1024, before: 1024 });
        let all = few.dwn + few.gateway + few.wallets + few.peers + 2 * few.pending + few.blocks;
        assert!(all <= 1024 - 256, "{few:?}");
        assert!(few.dwn >= 256 && few.peers >= 64, "{few:?}");
        let said = few.sentence().expect("said");
        assert!(said.contains("1024 file descriptors") && said.contains("dwn.limits.connections = 1024 is "), "{said}");
        assert_eq!(few.net(&config.net).limits.connections, few.peers);

        let mut alone = Config::default();
        alone.gateway.listen = String::new();
        assert!(Places::new(&alone, Files { most: 1024, before: 256 }).dwn > few.dwn);
    }
}
