//! `toft storage du | gc | scrub`: what the node takes on disk, and its care.

use super::{Context, Output, bytes};
use crate::rpc::control::Failure;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what takes how much.
    Du,
    /// Take away, now, blocks that no record and no pin needs any more (the node does it by itself as well).
    Gc,
    /// Read everything again and check every hash; damaged blocks come anew from peers that have them.
    Scrub {
        /// Megabytes read in a second at most; 0: as fast as the disk goes.
        #[arg(long, value_name = "MB/s", default_value_t = 50)]
        rate: u64,
    },
}

pub async fn run(context: &Context, args: Args) -> Result<Output, Failure> {
    let client = context.client()?;
    match args.command {
        Command::Du => {
            let usage = client.call("storage.du", json!({})).await?;
            let text = usage_text(&usage);
            Ok(Output::new(usage, text))
        }
        Command::Gc => {
            let done = client.call("storage.gc", json!({})).await?;
            let number = |key: &str| done[key].as_u64().unwrap_or(0);
            let mut text = format!(
                "✓ {} given back: {} blocks nothing needed, {} files nothing named, {} packs rewritten",
                bytes(number("bytes")),
                number("blocks"),
                number("orphans"),
                number("packs")
            );
            if number("held") > 0 {
                text += &format!("\n  {} blocks are being written or read and were left", number("held"));
            }
            Ok(Output::new(done, text))
        }
        Command::Scrub { rate } => {
            let found = client.call("storage.scrub", json!({"rate": rate.saturating_mul(1_000_000)})).await?;
            let text = scrub_text(&found);
            Ok(Output::new(found, text))
        }
    }
}

fn scrub_text(found: &Value) -> String {
    let number = |key: &str| found[key].as_u64().unwrap_or(0);
    let seen = format!("{} messages, {} blocks, {}", number("messages"), number("blocks"), bytes(number("bytes")));
    let mut lines = match (number("damaged"), found["complete"].as_bool()) {
        (_, Some(false)) => vec![format!("… ended early, after {seen}")],
        (0, _) => vec![format!("✓ all is whole: {seen}")],
        (damaged, _) => vec![format!("! {damaged} damaged, {} of them healed: {seen}", number("healed"))],
    };
    let named = found["named"].as_array().into_iter().flatten().filter_map(Value::as_str);
    lines.extend(named.map(|sentence| format!("  {sentence}")));
    lines.join("\n")
}

fn usage_text(usage: &Value) -> String {
    let number = |path: &str| usage.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let waste = number("/blocks/pack_bytes").saturating_sub(number("/blocks/pack_live"));
    let mut lines = vec![
        format!("Log       {:>9}  {} segments", bytes(number("/store/log")), number("/store/segments")),
        format!("Index     {:>9}", bytes(number("/store/index"))),
        format!(
            "Files     {:>9}  {} blocks of 64 KiB and more",
            bytes(number("/blocks/file_bytes")),
            number("/blocks/files")
        ),
        format!(
            "Packs     {:>9}  {} packs, {} of it waste",
            bytes(number("/blocks/pack_bytes")),
            number("/blocks/packs"),
            bytes(waste)
        ),
        format!(
            "Data      {:>9}  what {} records hold; {} pins",
            bytes(number("/stats/bytes")),
            number("/stats/records"),
            number("/pins")
        ),
    ];
    if number("/retention/rules") > 0 {
        lines.push(format!("Retention {}", super::status::retention(&usage["retention"])));
    }
    if number("/store/aside") > 0 {
        lines.push(format!(
            "Aside     {:>9}  old indexes (store/index.damaged-…), which can be deleted",
            bytes(number("/store/aside"))
        ));
    }
    lines.join("\n")
}
