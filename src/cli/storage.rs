//! `toft storage du | gc | scrub | compact`: what the node takes on disk, and its care. With the node, if it runs;
//! otherwise on the home itself, which is locked meanwhile.

use super::{
    context::Context,
    output::{Output, bytes},
    status,
    stop::interruptible,
};
use crate::{
    blocks::{Blocks, Collected, Scrubbed},
    content::{Care, Compaction, Footprint, Rebuilt},
    daemon::Lock,
    rpc::control::{
        Failure, Kind, Method, NoParams,
        storage::{self as control, Compacting, Scrubbing},
    },
    store::{self, Store},
};
use anyhow::Error;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

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
    match command {
        Command::Du => {
            let work = async |care: &Care| care.footprint().await;
            let (done, alone) = with_node_or_alone::<control::Du>(context, &NoParams {}, work).await?;
            output(context, &done, (alone, false), usage_text)
        }
        Command::Gc => {
            let work = async |care: &Care| care.collect().await;
            let (done, alone) = with_node_or_alone::<control::Gc>(context, &NoParams {}, work).await?;
            output(context, &done, (alone, false), collected_text)
        }
        Command::Scrub { rate } => {
            let asked = Scrubbing { rate: rate_of(rate) };
            let work = async |care: &Care| care.scrub(asked.rate).await;
            let (done, alone) = with_node_or_alone::<control::Scrub>(context, &asked, work).await?;
            let failed = done.damaged > done.healed || !done.complete;
            output(context, &done, (alone, failed), scrub_text)
        }
        Command::Compact { above, rate, index } => {
            let asked = Compacting { above: f64::from(above) / 100.0, rate: rate_of(rate) };
            let (done, alone) = if index {
                (compact_all(context, &asked).await?, true)
            } else {
                let work = async |care: &Care| care.compact(asked.above, asked.rate).await;
                with_node_or_alone::<control::Compact>(context, &asked, work).await?
            };
            output(context, &done, (alone, false), |done| compacted_text(context, done))
        }
    }
}

/// Bytes.
fn rate_of(megabytes: u64) -> u64 {
    megabytes.saturating_mul(1_000_000)
}

/// `alone`: it was done without the node.
fn output<T: Serialize + DeserializeOwned>(
    context: &Context,
    done: &T,
    (alone, failed): (bool, bool),
    describe: impl FnOnce(&T) -> String,
) -> Result<Output, Failure> {
    let mut output = Output::of(done, describe)?.failed_if(failed);
    if let Some(members) = output.json.as_object_mut() {
        members.insert("node".into(), Value::Bool(!alone));
    }
    if alone {
        let home = context.home.display();
        output.text = format!("· the node does not run: done on {home} itself\n{}", output.text);
    }
    Ok(output)
}

/// Has the node do it, or does it to the home if no node runs on it: then `true`.
async fn with_node_or_alone<M: Method>(
    context: &Context,
    params: &M::Params,
    work: impl AsyncFnOnce(&Care) -> Result<M::Result, Error>,
) -> Result<(M::Result, bool), Failure> {
    match context.client()?.call::<M>(params).await {
        // The lock tells whether it really does not run.
        Err(failure) if failure.kind == Kind::Network => {
            let home = ClosedHome::open(context, false).await?;
            let done = work(&home.care).await;
            home.close().await?;
            Ok((done?, true))
        }
        answer => Ok((answer?, false)),
    }
}

/// Compacts the log, and builds the index anew as well, which takes a home whose node does not run.
async fn compact_all(context: &Context, asked: &Compacting) -> Result<Compaction, Failure> {
    match context.client()?.call::<control::Compact>(asked).await {
        Err(failure) if failure.kind == Kind::Network => {}
        answer => {
            answer?;
            let message =
                "the log was compacted; the index is built anew only while the node does not run: stop it first";
            return Err(Failure::new(Kind::Usage, message));
        }
    }
    let home = ClosedHome::open(context, true).await?;
    let done = async {
        let compaction = home.care.compact(asked.above, asked.rate).await?;
        let after = home.care.store.usage()?.index;
        Ok::<_, Error>(Compaction { index: Some(Rebuilt { before: home.index, after }), ..compaction })
    };
    let done = done.await;
    home.close().await?;
    Ok(done?)
}

/// A home whose node does not run, opened for its care.
struct ClosedHome {
    care: Care,
    /// Bytes of the index before it was forgotten.
    index: u64,
    lock: Lock,
}

impl ClosedHome {
    /// `anew`: the index is forgotten before, so that opening builds it.
    async fn open(context: &Context, anew: bool) -> Result<Self, Failure> {
        let (home, config, stop) = (context.home.clone(), context.config(&[])?, interruptible()?);
        if !home.join("store").is_dir() {
            return Err(Failure::new(Kind::NotFound, format!("there is no store in {}", home.display())));
        }
        let open = move || {
            let lock = Lock::take(&home)?;
            let index = if anew { store::forget_index(&home.join("store"))? } else { 0 };
            let store = Store::open(&home.join("store"), &config.store)?;
            let blocks = Blocks::open(&home.join("blocks"), &config.blocks, store.clone())?;
            Ok::<_, Error>(Self { care: Care { store, blocks, fetch: None, stop }, index, lock })
        };
        Ok(tokio::task::spawn_blocking(open).await.map_err(Error::new)??)
    }

    /// Closes the store, and then frees the home.
    async fn close(self) -> Result<(), Failure> {
        let Self { care, lock, .. } = self;
        let close = move || {
            drop(care);
            drop(lock);
        };
        Ok(tokio::task::spawn_blocking(close).await.map_err(Error::new)?)
    }
}

fn collected_text(done: &Collected) -> String {
    let mut text = format!(
        "✓ {} given back: {} blocks nothing needed, {} files nothing named, {} packs rewritten",
        bytes(done.bytes),
        done.blocks,
        done.orphans,
        done.packs
    );
    if done.held > 0 {
        text += &format!("\n  {} blocks are being written or read and were left", done.held);
    }
    text
}

fn compacted_text(context: &Context, done: &Compaction) -> String {
    let Compaction { collected, compacted, index } = done;
    let mut text = format!(
        "✓ {} of the log given back: {} of {} sealed segments written anew, without {} messages and {} frames of state",
        bytes(compacted.bytes),
        compacted.rewritten,
        compacted.segments,
        compacted.messages,
        compacted.frames
    );
    let left = compacted.dead.saturating_sub(compacted.bytes);
    if left > 0 {
        text += &format!("\n  {} more can go, in segments where it is a small part", bytes(left));
    }
    if compacted.damaged > 0 {
        let scrub = context.next("storage scrub");
        text += &format!("\n! {} segments are damaged and were left: {scrub}", compacted.damaged);
    }
    if let Some(Rebuilt { before, after }) = *index {
        text += &format!("\n✓ the index was built anew: {} → {}", bytes(before), bytes(after));
    }
    text + "\n" + &collected_text(collected)
}

fn scrub_text(found: &Scrubbed) -> String {
    let Scrubbed { damaged, healed, .. } = found;
    let seen = format!("{} messages, {} blocks, {}", found.messages, found.blocks, bytes(found.bytes));
    let mut lines = vec![match damaged {
        _ if !found.complete => format!("… ended early, after {seen}"),
        0 => format!("✓ all is whole: {seen}"),
        _ if damaged == healed => format!("✓ {damaged} damaged, all of them healed: {seen}"),
        _ => format!(
            "✗ {damaged} damaged, {healed} of them healed; {} record(s) have lost something: {seen}",
            found.records.len()
        ),
    }];
    lines.extend(found.named.iter().map(|sentence| format!("  {sentence}")));
    lines.join("\n")
}

fn usage_text(footprint: &Footprint) -> String {
    let Footprint { store, blocks, stats, pins, retention, conflicts } = footprint;
    let waste = blocks.pack_bytes.saturating_sub(blocks.pack_live);
    let mut lines = vec![
        format!("Log       {:>9}  {} segments", bytes(store.log), store.segments),
        format!("Index     {:>9}", bytes(store.index)),
        format!("Files     {:>9}  {} blocks of 64 KiB and more", bytes(blocks.file_bytes), blocks.files),
        format!("Packs     {:>9}  {} packs, {} of it waste", bytes(blocks.pack_bytes), blocks.packs, bytes(waste)),
        format!("Data      {:>9}  what {} records hold; {pins} pins", bytes(stats.bytes), stats.records),
    ];
    if let Some(retained) = retention.as_ref().filter(|retained| retained.rules > 0) {
        lines.push(format!("Retention {}", status::retention(retained)));
    }
    if let Some(kept) = conflicts.filter(|kept| kept.conflicts > 0) {
        lines.push(format!("Conflicts {:>9}  data of {} edits that lost", bytes(kept.bytes), kept.conflicts));
    }
    if store.aside > 0 {
        lines.push(format!(
            "Aside     {:>9}  old indexes (store/index.damaged-…), which can be deleted",
            bytes(store.aside)
        ));
    }
    lines.join("\n")
}
