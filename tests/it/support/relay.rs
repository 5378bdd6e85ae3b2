//! A relay as anybody runs one: libp2p's own, with its own limits.

use futures::StreamExt as _;
use libp2p::{
    Multiaddr, SwarmBuilder, identify, noise,
    relay::{Behaviour, Config},
    swarm::{NetworkBehaviour, SwarmEvent},
    yamux,
};

pub struct Relay {
    address: String,
    task: tokio::task::JoinHandle<()>,
}

#[derive(NetworkBehaviour)]
struct Both {
    relay: Behaviour,
    identify: identify::Behaviour,
}

impl Relay {
    pub async fn with_stock_limits() -> Self {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(Default::default(), noise::Config::new, yamux::Config::default)
            .expect("TCP")
            .with_behaviour(|key| Both {
                relay: Behaviour::new(key.public().to_peer_id(), Config::default()),
                identify: identify::Behaviour::new(identify::Config::new("ipfs/0.1.0".into(), key.public())),
            })
            .expect("a behaviour")
            .with_swarm_config(|c| c.with_idle_connection_timeout(std::time::Duration::from_secs(60)))
            .build();
        let any: Multiaddr = "/ip4/127.0.0.1/tcp/0".parse().expect("an address");
        swarm.listen_on(any).expect("listens");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        swarm.add_external_address(address.clone());
        let address = address.with_p2p(*swarm.local_peer_id()).expect("its own").to_string();
        let task = tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Self { address, task }
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
