//! `toft peer add | ls | rm`: devices this node keeps in step with.

use super::{context::Context, output::Output};
use crate::{
    rpc::control::{
        Failure, NoParams,
        peers::{self, NewPeer, OnePeer},
    },
    sync::PeerStatus,
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep in step with a device (do the same there with this node's DID and address: toft status shows them).
    Add {
        /// The other device's DID.
        did: String,
        /// Where it is reached: a multiaddr that ends in `/p2p/<peer id>`.
        address: String,
        /// Share the records of this DID (may be repeated; default: this node's own and the other's).
        #[arg(long = "tenant", value_name = "DID")]
        tenants: Vec<String>,
    },
    /// List the devices.
    Ls,
    /// Forget a device. What it has it keeps; its records here are served again when it is added again.
    Rm { did: String },
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Add { did, address, tenants } => {
            let peer = client.call::<peers::Add>(&NewPeer { did: did.clone(), address, tenants }).await?;
            Output::of(&peer, |peer| {
                format!(
                    "✓ Peer {did}\n  shares {}\n→ On the other device: toft peer add <this DID> <this address>   (both in: toft status)",
                    peer.tenants.join(", ")
                )
            })
        }
        Command::Ls => {
            let peers = client.call::<peers::Ls>(&NoParams {}).await?;
            Output::of(&peers, |peers| match peers.is_empty() {
                true => format!("no peers; add a device with: {}", context.next("peer add <did> <multiaddr>")),
                false => peers.iter().map(line).collect::<Vec<_>>().join("\n"),
            })
        }
        Command::Rm { did } => {
            let removed = client.call::<peers::Rm>(&OnePeer { did: did.clone() }).await?;
            let text = format!(
                "✓ {did} is no peer any more. What it has it keeps; its records here stay, and are served again when it is added again"
            );
            Output::told(&removed, text)
        }
    }
}

/// What is under way: `receiving 10 of 15`.
fn under_way(peer: &PeerStatus) -> Vec<String> {
    let ways = [("receiving", &peer.receiving), ("sending", &peer.sending)];
    let told = ways
        .into_iter()
        .filter_map(|(name, way)| way.as_ref().map(|way| format!("{name} {} of {}", way.messages, way.of_messages)));
    told.collect()
}

/// One peer in one line.
pub fn line(status: &PeerStatus) -> String {
    let state = match (status.connected, status.in_sync) {
        (true, true) => "✓ in sync".to_owned(),
        (true, false) => match under_way(status) {
            ways if !ways.is_empty() => format!("… {}", ways.join("; ")),
            _ if status.apart => "✗ not the same on both".to_owned(),
            _ => "… syncing".to_owned(),
        },
        (false, _) => match &status.problem {
            Some(problem) => format!("not connected: {problem}"),
            None => "not connected".to_owned(),
        },
    };
    let aside = match (status.parked, status.parked_there) {
        (0, 0) => String::new(),
        (here, there) => format!("   put aside {here} here, {there} there: toft sync status"),
    };
    let copies: String =
        status.copies.iter().map(|copies| format!("\n          ! {copies}: stop one of the two")).collect();
    let whose = if status.peer.friend.is_some() { " (a friend's)" } else { "" };
    format!("{}{whose} {} {state}{aside}{copies}", status.peer.did, status.peer.address)
}
