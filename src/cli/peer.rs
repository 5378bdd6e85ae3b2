//! `toft peer add | ls | rm`: devices this node keeps in step with.

use super::{
    context::Context,
    output::{Output, bytes},
};
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
                    true => {
                        format!("no peers; add a device with: {}", context.next("peer add <did> <multiaddr>"))
                    }
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

/// What is under way: `receiving 10 of 15, 310 of 900 MB`.
fn ways(peer: &Value) -> Vec<String> {
    let of = |name: &str| {
        let way = peer[name].as_object()?;
        let number = |key: &str| way.get(key).and_then(Value::as_u64);
        let (messages, size) = (number("messages")?, number("bytes")?);
        let text = match (number("of_messages"), number("of_bytes")) {
            (Some(of), Some(of_bytes)) => format!("{name} {messages} of {of}, {}", part_of(size, of_bytes)),
            _ if messages == 0 => return None,
            _ => format!("{name} {messages}, {}", bytes(size)),
        };
        Some(text)
    };
    ["receiving", "sending"].into_iter().filter_map(of).collect()
}

/// `310.0 of 900.0 MB`: the unit once, where it is the same.
fn part_of(part: u64, whole: u64) -> String {
    let (part, whole) = (bytes(part), bytes(whole));
    match (part.split_once(' '), whole.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} of {whole}"),
        _ => format!("{part} of {whole}"),
    }
}

/// One peer in one line.
pub fn line(peer: &Value) -> String {
    let text = |key: &str| peer[key].as_str().unwrap_or_default().to_owned();
    let state = match (peer["connected"].as_bool(), peer["in_sync"].as_bool()) {
        (Some(true), Some(true)) => "✓ in sync".to_owned(),
        (Some(true), _) => match ways(peer) {
            ways if !ways.is_empty() => format!("… {}", ways.join("; ")),
            _ if peer["untold"] == true => {
                "all is sent; whether all has come is not known: the other device's toft is older".to_owned()
            }
            _ => "… syncing".to_owned(),
        },
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
