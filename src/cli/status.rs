//! `toft status`: how the running node does.

use super::{
    context::Context,
    output::{Output, bytes},
};
use crate::rpc::control::Failure;
use serde_json::{Value, json};

pub async fn run(context: &Context) -> Result<Output, Failure> {
    let status = context.client()?.call("status", json!({})).await?;
    Ok(Output::of(status, |status| describe(context, status)))
}

fn describe(context: &Context, status: &Value) -> String {
    let number = |path: &str| status.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let string = |path: &str| status.pointer(path).and_then(Value::as_str).unwrap_or("–").to_owned();
    let list = |path: &str| status.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = vec![
        format!(
            "Node      up {}   RSS {}   version {}",
            uptime(number("/uptime_seconds")),
            bytes(number("/rss_bytes")),
            string("/version")
        ),
        format!("Identity  {}", string("/identity/did")),
        format!("DWN       {}", string("/dwn")),
        format!(
            "Store     {} records, {} messages, {} log",
            number("/store/records"),
            number("/store/messages"),
            bytes(number("/log_bytes"))
        ),
    ];
    lines.push(format!("Files     {}", files(status)));
    if let Some(fewer) = status.pointer("/files/fewer").and_then(Value::as_str) {
        lines.push(format!("!         {fewer}"));
    }
    if let Some(short) = status["short"].as_object() {
        lines.push(format!("!         {}", scarcity(&Value::Object(short.clone()))));
    }
    if let Some(why) = status["read_only"].as_str() {
        lines.push(format!("!         {why}"));
    }
    for reason in list("/degraded") {
        lines.push(format!("!         {}", reason.as_str().unwrap_or_default()));
    }
    if number("/retention/rules") > 0 {
        lines.push(format!("Retention {}", retention(&status["retention"])));
    }
    lines.push(format!("P2P       {}   {} connected", string("/identity/peer"), list("/connections").len()));
    for address in list("/identity/addresses") {
        lines.push(format!("          {}", address.as_str().unwrap_or_default()));
    }
    let peers = list("/peers");
    if peers.is_empty() {
        let add = context.next("peer add <did> <multiaddr>");
        lines.push(format!("Sync      no peers; add a device with: {add}"));
    }
    for peer in peers {
        lines.push(format!("Sync      {}", super::peer::line(&peer)));
    }
    lines.push(format!("Anchor    {}", string("/anchor/sentence")));
    lines.join("\n")
}

/// How many file descriptors the system gives, and what they are enough for.
fn files(status: &Value) -> String {
    let number = |key: &str| status["files"][key].as_u64().unwrap_or(0);
    let (most, before) = (number("most"), number("before"));
    let raised = if most > before { format!(" (raised from {before})") } else { String::new() };
    format!("{most} descriptors{raised}, for up to {} connections at the DWN endpoint", number("dwn_connections"))
}

/// What the system was short of.
fn scarcity(short: &Value) -> String {
    format!(
        "the system was short of something {} times since the start, {} ago the last time ({}); nothing was lost, it was \
         tried again",
        short["times"].as_u64().unwrap_or(0),
        uptime(short["seconds_ago"].as_u64().unwrap_or(0)),
        short["last"].as_str().unwrap_or_default()
    )
}

/// What has ended since the node started.
pub(super) fn retention(retained: &Value) -> String {
    let number = |key: &str| retained[key].as_u64().unwrap_or(0);
    let mut line = format!(
        "{} rules; since the start {} records deleted, {} of others purged",
        number("rules"),
        number("deleted"),
        number("purged")
    );
    if retained["at_work"] == true {
        line += "; at work";
    }
    if let Some(problem) = retained["problem"].as_str() {
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
