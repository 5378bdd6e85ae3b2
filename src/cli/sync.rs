//! `toft sync add | rm | status | why | now | pause | resume`: how devices and DWN servers stand.

use super::{
    conflict,
    context::Context,
    output::{Output, bytes},
    peer,
};
use crate::{
    remote::RemoteStatus,
    rpc::control::{Failure, NoParams, conflicts, peers, remotes},
    sync::{DeviceStatus, Parked},
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep in step with a DWN server, both ways and from now on; named again, it is kept in step with as this says.
    Add {
        /// The server: https://… or http://…
        url: String,
        /// Whose messages go there and come from there, several times for several (default: this node's own).
        #[arg(long, value_name = "DID")]
        tenant: Vec<String>,
        /// Only this protocol; several times for several (default: everything).
        #[arg(long, value_name = "URI")]
        protocol: Vec<String>,
    },
    /// Keep in step with a DWN server no more. What it has it keeps.
    Rm {
        /// The server, as toft sync status shows it.
        url: String,
    },
    /// Show how each device stands, protocol by protocol, and each DWN server, and what was put aside and why.
    Status,
    /// Say of each device whether it has a record, and if not, why.
    Why {
        /// The record's recordId.
        record: String,
        /// Whose record it is (default: this node's own).
        #[arg(long, value_name = "DID")]
        tenant: Option<String>,
    },
    /// Compare with all devices that are connected, and with all DWN servers, at once.
    Now,
    /// Send nothing to devices and DWN servers and take nothing from them until toft sync resume, also after a restart.
    Pause,
    /// Keep in step with devices and DWN servers again.
    Resume,
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Status => {
            let devices = client.call::<peers::Status>(&NoParams {}).await?.into_iter().map(Stands::Device);
            let remotes = client.call::<remotes::Ls>(&NoParams {}).await?.into_iter().map(Stands::Remote);
            let conflicts = client.call::<conflicts::List>(&NoParams {}).await?.len() as u64;
            let all: Vec<_> = devices.chain(remotes).collect();
            Output::of(&all, |all| match all.is_empty() {
                true => format!(
                    "no devices and no DWN servers; add one with: {} or {}",
                    context.next("peer add <did> <multiaddr>"),
                    context.next("sync add <url>")
                ),
                false => {
                    let lines = all.iter().flat_map(Stands::lines).chain(conflict::hint(context, conflicts));
                    lines.collect::<Vec<_>>().join("\n")
                }
            })
        }
        Command::Add { url, tenant, protocol } => {
            let new = remotes::NewRemote { url, tenants: tenant, protocols: protocol };
            let remote = client.call::<remotes::Attach>(&new).await?;
            let (url, tenants) = (&remote.url, remote.tenants.join(", "));
            let text =
                format!("✓ {tenants} is kept in step with {url}\n  how it stands: {}", context.next("sync status"));
            Output::told(&remote, text)
        }
        Command::Rm { url } => {
            let remote = client.call::<remotes::Detach>(&remotes::OneRemote { url }).await?;
            let text = format!("✓ {} is not kept in step with any more; what it has it keeps", remote.url);
            Output::told(&remote, text)
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
            let text = match (asked.devices, asked.remotes) {
                (0, 0) => "no device is connected: toft peer ls says why".to_owned(),
                (devices, 0) => format!("comparing with {devices} device(s): toft sync status says what comes of it"),
                (devices, remotes) => format!(
                    "comparing with {devices} device(s) and {remotes} DWN server(s): toft sync status says what comes of it"
                ),
            };
            Output::told(&asked, text)
        }
    }
}

/// One entry of the status: a device has a `did`, a DWN server a `url`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Stands {
    Device(DeviceStatus),
    Remote(RemoteStatus),
}

impl Stands {
    fn lines(&self) -> Vec<String> {
        match self {
            Self::Device(device) => lines(device),
            Self::Remote(remote) => remote_lines(remote),
        }
    }
}

/// A DWN server, what is under way, and what was put aside.
fn remote_lines(remote: &RemoteStatus) -> Vec<String> {
    let about = match remote.remote.protocols.as_slice() {
        [] => String::new(),
        protocols => format!(", only {}", protocols.join(", ")),
    };
    let mut lines = vec![format!("{} (DWN server of {}{about})", remote.remote.url, remote.remote.tenants.join(", "))];
    let last = remote.last_in_step.map_or("not since this node started".to_owned(), |at| at.to_string());
    lines.push(match (&remote.problem, remote.in_step) {
        (Some(problem), _) => format!("  ✗ {problem} (in step last: {last})"),
        (None, true) => format!("  ✓ in step at {last}"),
        (None, false) => format!("  … not in step yet (in step last: {last})"),
    });
    lines.push(format!("  {} sent, {} received since this node started", remote.pushed, remote.pulled));
    if remote.waiting_there + remote.waiting_here > 0 {
        lines.push(format!("  {} to be sent, {} to be fetched", remote.waiting_there, remote.waiting_here));
    }
    let aside = |place: &'static str| {
        move |parked: &Parked| {
            let (cid, tries) = (parked.cid(), parked.tries);
            format!("  put aside {place}: {cid}: {} {} (tried {tries} times)", parked.code, parked.why)
        }
    };
    lines.extend(remote.put_aside.iter().map(aside("here")));
    lines.extend(remote.put_aside_there.iter().map(aside("there")));
    lines
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
    if device.elsewhere > 0 {
        let (count, size) = (device.elsewhere, bytes(device.elsewhere_bytes));
        lines.push(format!("  data of {count} records ({size}) is not here: it comes when it is read"));
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
