//! `toft peer add | ls | rm`: devices this node keeps in step with.

use super::{Context, Output};
use crate::rpc::control::Failure;
use serde_json::{Value, json};

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
            let params = json!({"did": did, "address": address, "tenants": tenants});
            let peer = client.call("peer.add", params).await?;
            Ok(Output::of(peer, |peer| {
                format!(
                    "✓ Peer {did}\n  shares {}\n→ On the other device: toft peer add <this DID> <this address>   (both in: toft status)",
                    strings(&peer["tenants"]).join(", ")
                )
            }))
        }
        Command::Ls => {
            let peers = client.call("peer.ls", json!({})).await?;
            Ok(Output::of(peers, |peers| {
                let lines: Vec<_> = peers.as_array().into_iter().flatten().map(line).collect();
                match lines.is_empty() {
                    true => "no peers; add a device with: toft peer add <did> <multiaddr>".to_owned(),
                    false => lines.join("\n"),
                }
            }))
        }
        Command::Rm { did } => {
            let removed = client.call("peer.rm", json!({"did": did})).await?;
            Ok(Output::new(
                removed,
                format!(
                    "✓ {did} is no peer any more. What it has it keeps; its records here stay, and are served again when it is added again"
                ),
            ))
        }
    }
}

/// One peer in one line.
pub fn line(peer: &Value) -> String {
    let text = |key: &str| peer[key].as_str().unwrap_or_default().to_owned();
    let state = match (peer["connected"].as_bool(), peer["in_sync"].as_bool()) {
        (Some(true), Some(true)) => "✓ in sync".to_owned(),
        (Some(true), _) => "… syncing".to_owned(),
        _ if peer["problem"].is_string() => format!("not connected: {}", text("problem")),
        _ => "not connected".to_owned(),
    };
    let refused = match peer["refused"].as_u64() {
        Some(n) if n > 0 => format!("   refused {n}, last: {}", text("last_refused")),
        _ => String::new(),
    };
    format!("{} {} {state}{refused}", text("did"), text("address"))
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
