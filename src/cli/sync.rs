//! `toft sync status | why | now | pause | resume`: how devices stand.

use super::{context::Context, output::Output, peer};
use crate::{
    rpc::control::{Failure, NoParams, peers},
    sync::DeviceStatus,
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show how each device stands, protocol by protocol, and what was put aside and why.
    Status,
    /// Say of each device whether it has a record, and if not, why.
    Why {
        /// The record's recordId.
        record: String,
        /// Whose record it is (default: this node's own).
        #[arg(long, value_name = "DID")]
        tenant: Option<String>,
    },
    /// Compare with all devices that are connected at once.
    Now,
    /// Send nothing to devices and take nothing from them until toft sync resume, also after a restart.
    Pause,
    /// Keep in step with devices again.
    Resume,
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Status => {
            let devices = client.call::<peers::Status>(&NoParams {}).await?;
            Output::of(&devices, |devices| match devices.is_empty() {
                true => format!("no devices; add one with: {}", context.next("peer add <did> <multiaddr>")),
                false => devices.iter().flat_map(lines).collect::<Vec<_>>().join("\n"),
            })
        }
        Command::Why { record, tenant } => {
            let params = peers::OneRecord { record_id: record, tenant };
            let all = client.call::<peers::WhyOf>(&params).await?;
            Output::of(&all, |all| match all.is_empty() {
                true => "no devices".to_owned(),
                false => all.iter().map(|why| format!("{}: {}", why.did, why.why)).collect::<Vec<_>>().join("\n"),
            })
        }
        Command::Pause => {
            let paused = client.call::<peers::Pause>(&NoParams {}).await?;
            Output::told(&paused, format!("✓ Sync is paused. It goes on with: {}", context.next("sync resume")))
        }
        Command::Resume => {
            let paused = client.call::<peers::Resume>(&NoParams {}).await?;
            Output::told(&paused, "✓ Sync goes on")
        }
        Command::Now => {
            let asked = client.call::<peers::Now>(&NoParams {}).await?;
            let text = match asked.devices {
                0 => "no device is connected: toft peer ls says why".to_owned(),
                n => format!("comparing with {n} device(s): toft sync status says what comes of it"),
            };
            Output::told(&asked, text)
        }
    }
}

/// A device, its scopes, and what was put aside.
fn lines(device: &DeviceStatus) -> Vec<String> {
    let mut lines = vec![peer::line(&device.peer)];
    if let Some(seconds) = device.peer.in_sync_seconds {
        lines.push(format!("  both said {seconds} s ago that they hold the same"));
    }
    for scope in &device.scopes {
        let name = scope.protocol.as_deref().unwrap_or("records of no protocol");
        let sign = if scope.equal { "=" } else { "≠" };
        lines.push(format!("  {sign} {name} of {}: {} here, {} there", scope.tenant, scope.here, scope.there));
    }
    for parked in &device.put_aside {
        let name = parked.protocol.as_deref().unwrap_or("no protocol");
        lines.push(format!("  put aside here, of {name}: {} {}", parked.code, parked.why));
    }
    for put in &device.put_aside_there {
        lines.push(format!("  put aside there: {}: {} {}", put.message, put.code, put.why));
    }
    lines
}
