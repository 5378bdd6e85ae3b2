//! `toft status`: how the running node does.

use super::{
    conflict,
    context::Context,
    output::{Output, bytes},
    peer,
};
use crate::{
    job,
    node::Retained,
    rpc::control::{
        Descriptors, Failure, NoParams,
        node::{NodeStatus, Shortage, Status},
    },
};

pub async fn run(context: &Context) -> Result<Output, Failure> {
    let status = context.client()?.call::<Status>(&NoParams {}).await?;
    Output::of(&status, |status| describe(context, status))
}

fn describe(context: &Context, status: &NodeStatus) -> String {
    let mut lines = vec![
        format!(
            "Node      up {}   RSS {}   version {}",
            uptime(status.uptime_seconds),
            bytes(status.rss_bytes.unwrap_or_default()),
            status.version
        ),
        format!("Identity  {}", status.identity.did),
        format!("DWN       {}", status.dwn),
        format!(
            "Store     {} records, {} messages, {} log",
            status.store.records,
            status.store.messages,
            bytes(status.log_bytes)
        ),
        format!("Files     {}", files(&status.files)),
    ];
    let short = status.short.as_ref().map(scarcity);
    let troubles = [&status.files.fewer, &short, &status.read_only].into_iter().flatten().chain(&status.degraded);
    lines.extend(troubles.map(|trouble| format!("!         {trouble}")));
    if status.retention.rules > 0 {
        lines.push(format!("Retention {}", retention(&status.retention)));
    }
    lines.extend(conflict::hint(context, status.conflicts.conflicts).map(|hint| format!("Conflicts {hint}")));
    lines.extend(jobs(&status.jobs));
    if status.identity.locked {
        lines.push(format!("Keys      locked; to sign again: {}", context.next("unlock")));
    }
    lines.push(match &status.identity.peer {
        Some(peer) => format!("P2P       {peer}   {} connected", status.connections.len()),
        None => format!("P2P       locked: {}", context.next("unlock")),
    });
    lines.extend(status.identity.addresses.iter().map(|address| format!("          {address}")));
    if status.peers.is_empty() {
        lines.push(format!("Sync      no peers; add a device with: {}", context.next("peer add <did> <multiaddr>")));
    }
    lines.extend(status.peers.iter().map(|peer| format!("Sync      {}", peer::line(peer))));
    lines.push(format!("Anchor    {}", status.anchor.sentence));
    lines.join("\n")
}

/// How many jobs there are, and those whose last run failed. Sync, anchor and retention have lines of their own.
fn jobs(jobs: &[job::Status]) -> Vec<String> {
    let told = |job: &&job::Status| matches!(job.name.split(' ').next(), Some("sync" | "anchor" | "retention"));
    let failing: Vec<_> = jobs.iter().filter(|job| job.failing && !told(job)).collect();
    let first = match failing.len() {
        0 => format!("Jobs      {}", jobs.len()),
        some => format!("Jobs      {}, of which {some} failed the last time", jobs.len()),
    };
    let line = |job: &&job::Status| {
        let why = job.last_error.as_ref().map(|error| format!("{}: {}", error.at, error.message)).unwrap_or_default();
        let again = job.next_run.map(|next| format!(" at {next}")).unwrap_or_default();
        format!("!         {}, {why}; it runs again{again}", job.name)
    };
    std::iter::once(first).chain(failing.iter().map(line)).collect()
}

/// How many file descriptors the system gives, and what they are enough for.
fn files(files: &Descriptors) -> String {
    let Descriptors { most, before, dwn_connections, .. } = files;
    let raised = if most > before { format!(" (raised from {before})") } else { String::new() };
    format!("{most} descriptors{raised}, for up to {dwn_connections} connections at the DWN endpoint")
}

/// What the system was short of.
fn scarcity(short: &Shortage) -> String {
    format!(
        "the system was short of something {} times since the start, {} ago the last time ({}); nothing was lost, it was \
         tried again",
        short.times,
        uptime(short.seconds_ago),
        short.last
    )
}

/// What has ended since the node started.
pub(super) fn retention(retained: &Retained) -> String {
    let Retained { rules, deleted, purged, .. } = retained;
    let mut line = format!("{rules} rules; since the start {deleted} records deleted, {purged} of others purged");
    if retained.at_work {
        line += "; at work";
    }
    if let Some(problem) = &retained.problem {
        line += &format!("; ! {problem}");
    }
    line
}

fn uptime(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_jobs_that_failed_are_named_and_when_they_run_again() {
        let job = |name: &str, failing: bool| {
            let job = json!({"name": name, "work": "", "wait": null, "state": "waiting", "runs": 1, "failing": failing,
                "last_run": null, "next_run": "2026-11-29T16:00:00Z",
                "last_error": {"message": "the disk is away", "at": "2026-11-29T10:00:00Z"}});
            serde_json::from_value(job).expect("a job")
        };
        assert_eq!(jobs(&[job("backup", false), job("sync did:x:bob", true)]), ["Jobs      2"]);
        assert_eq!(
            jobs(&[job("backup", true), job("collect", false)]),
            [
                "Jobs      2, of which 1 failed the last time",
                "!         backup, 2026-11-29T10:00:00Z: the disk is away; it runs again at 2026-11-29T16:00:00Z"
            ]
        );
    }
}
