//! `toft storage du | gc | scrub | compact`: what the node takes on disk, and its care. With the node, if it runs;
//! otherwise on the home itself, which is locked meanwhile.

use super::{
    context::Context,
    output::{Output, bytes},
    stop::interruptible,
};
use crate::{
    blocks::Blocks,
    daemon::Lock,
    foreign,
    rpc::{
        control::{Failure, Kind},
        storage::care,
    },
    store::{self, Store},
};
use anyhow::Error;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show what takes how much.
    Du,
    /// Take away, now, blocks that no record and no pin needs any more (the node does it by itself as well).
    Gc,
    /// Read everything again and check every hash; damaged blocks come anew from peers that have them. Fails (1) if
    /// something stays damaged, and names the records whose data it is.
    Scrub {
        /// Megabytes read in a second at most; 0: as fast as the disk goes.
        #[arg(long, value_name = "MB/s", default_value_t = 50)]
        rate: u64,
    },
    /// Take out of the log, now, what it keeps of messages and data that are no more. No earlier moment can be restored
    /// with it from a backup that is made afterwards.
    Compact {
        /// Segments of the log are written anew of which at least this part can go.
        #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=100))]
        above: u8,
        /// Megabytes of the log read in a second at most; 0: as fast as the disk goes.
        #[arg(long, value_name = "MB/s", default_value_t = 50)]
        rate: u64,
        /// Build the index anew as well, which takes its waste away. The node must not run.
        #[arg(long)]
        index: bool,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let rate_of = |megabytes: u64| megabytes.saturating_mul(1_000_000);
    let (method, params) = match &command {
        Command::Du => ("storage.du", json!({})),
        Command::Gc => ("storage.gc", json!({})),
        Command::Scrub { rate } => ("storage.scrub", json!({"rate": rate_of(*rate)})),
        Command::Compact { above, rate, .. } => {
            ("storage.compact", json!({"above": f64::from(*above) / 100.0, "rate": rate_of(*rate)}))
        }
    };
    let (index, is_scrub) =
        (matches!(command, Command::Compact { index: true, .. }), matches!(command, Command::Scrub { .. }));
    let (mut done, alone) = match context.client()?.call(method, params.clone()).await {
        // The lock tells whether it really does not run.
        Err(failure) if failure.kind == Kind::Network => (offline(context, (method, params), index).await?, true),
        Ok(_) if index => {
            let message =
                "the log was compacted; the index is built anew only while the node does not run: stop it first";
            return Err(Failure::new(Kind::Usage, message));
        }
        answer => (answer?, false),
    };
    let shown = foreign::value(&done);
    let text = match command {
        Command::Du => usage_text(&shown),
        Command::Gc => collected_text(&shown),
        Command::Scrub { .. } => scrub_text(&shown),
        Command::Compact { .. } => compacted_text(context, &shown),
    };
    let number = |key: &str| done[key].as_u64().unwrap_or(0);
    let failed = is_scrub && (number("damaged") > number("healed") || done["complete"] == false);
    if let Some(members) = done.as_object_mut() {
        members.insert("node".into(), Value::Bool(!alone));
    }
    let mode = if alone {
        format!("· the node does not run: done on {} itself\n", context.home.display())
    } else {
        String::new()
    };
    Ok(Output::new(done, mode + &text).failed_if(failed))
}

/// Does it to a home whose node does not run.
async fn offline(context: &Context, (method, params): (&str, Value), index: bool) -> Result<Value, Failure> {
    let (home, config) = (context.home.clone(), context.config(&[])?);
    if !home.join("store").is_dir() {
        return Err(Failure::new(Kind::NotFound, format!("there is no store in {}", home.display())));
    }
    let open = move || {
        let lock = Lock::take(&home)?;
        let before = if index { store::forget_index(&home.join("store"))? } else { 0 };
        let store = Store::open(&home.join("store"), &config.store)?;
        let blocks = Blocks::open(&home.join("blocks"), &config.blocks, store.clone())?;
        Ok::<_, Error>((lock, store, blocks, before))
    };
    let (lock, store, blocks, before) = tokio::task::spawn_blocking(open).await.map_err(Error::new)??;
    let mut done = care((&store, &blocks), (method, params), None, &interruptible()?).await;
    if let (true, Ok(Some(done))) = (index, done.as_mut().map(Value::as_object_mut)) {
        done.insert("index".into(), json!({"before": before, "after": store.usage()?.index}));
    }
    // The store is closed, and then the home is free.
    tokio::task::spawn_blocking(move || drop((blocks, store, lock))).await.map_err(Error::new)?;
    done
}

fn collected_text(done: &Value) -> String {
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
    text
}

fn compacted_text(context: &Context, done: &Value) -> String {
    let number = |key: &str| done["compacted"][key].as_u64().unwrap_or(0);
    let mut text = format!(
        "✓ {} of the log given back: {} of {} sealed segments written anew, without {} messages and {} frames of state",
        bytes(number("bytes")),
        number("rewritten"),
        number("segments"),
        number("messages"),
        number("frames")
    );
    let left = number("dead").saturating_sub(number("bytes"));
    if left > 0 {
        text += &format!("\n  {} more can go, in segments where it is a small part", bytes(left));
    }
    if number("damaged") > 0 {
        let scrub = context.next("storage scrub");
        text += &format!("\n! {} segments are damaged and were left: {scrub}", number("damaged"));
    }
    if let Some(index) = done.get("index") {
        let size = |key: &str| bytes(index[key].as_u64().unwrap_or(0));
        text += &format!("\n✓ the index was built anew: {} → {}", size("before"), size("after"));
    }
    text + "\n" + &collected_text(&done["collected"])
}

fn scrub_text(found: &Value) -> String {
    let number = |key: &str| found[key].as_u64().unwrap_or(0);
    let seen = format!("{} messages, {} blocks, {}", number("messages"), number("blocks"), bytes(number("bytes")));
    let mut lines = match (number("damaged"), found["complete"].as_bool()) {
        (_, Some(false)) => vec![format!("… ended early, after {seen}")],
        (0, _) => vec![format!("✓ all is whole: {seen}")],
        (damaged, _) if damaged == number("healed") => vec![format!("✓ {damaged} damaged, all of them healed: {seen}")],
        (damaged, _) => vec![format!(
            "✗ {damaged} damaged, {} of them healed; {} record(s) have lost something: {seen}",
            number("healed"),
            found["records"].as_array().map_or(0, Vec::len)
        )],
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
