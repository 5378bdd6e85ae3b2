//! `toft anchor now | status | proof | audit | rebuild`: time proofs in Bitcoin.

use super::{
    context::Context,
    file::{Target, is_there},
    headers,
    output::Output,
    psbt,
};
use crate::{
    anchor::{
        Audited, Status, Unproven,
        ots::{Claims, FILE_MAX},
    },
    cid::{self, Cid},
    rpc::control::{
        Failure, Kind, NoParams,
        anchor::{self as control, Base64, Made, Proven},
    },
};
use serde_json::json;
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Anchor everything new now, without waiting for its time.
    Now,
    /// Show what is queued, on its way and confirmed; with an ID, how the proof of one record stands.
    Status {
        /// recordId, message CID or data CID.
        id: Option<String>,
    },
    /// Sign anchors with keys which the node does not have.
    #[command(subcommand)]
    Psbt(psbt::Command),
    /// Write the OpenTimestamps proof of a record, a message or data.
    ///
    /// Of a record or a message the proof is of its signed message as DAG-CBOR, the bytes its CID names; of a data CID it is of
    /// the data as a file, whatever its size: "ots verify F.ots" checks the F that you added. Beside F.ots stands F, the
    /// bytes the proof is about, unless that is a large file, which you have. Any OpenTimestamps tool checks the pair.
    Proof {
        /// recordId, message CID or data CID; "audit-head": the newest anchored entry of the audit log.
        id: String,
        /// Of a record the first message that has a proof, not the newest.
        #[arg(long)]
        first: bool,
        /// Where to write the proof; -: to the terminal, without the bytes it is about.
        #[arg(short, long, value_name = "FILE.ots")]
        output: PathBuf,
        /// Replace files that exist with other content. An older proof of the same is replaced without.
        #[arg(long)]
        force: bool,
    },
    /// Find proofs again that were lost, as after a backup was restored.
    ///
    /// Looks in the records of proofs, in the log, and in your wallet's own transactions. What has no proof then waits
    /// for the next batch; what cannot be found is said.
    Rebuild,
    /// Block headers, by which proofs are judged without a bitcoind.
    #[command(subcommand)]
    Headers(headers::Command),
    /// Say of everything that can have a proof whether it has one, and name what has none.
    ///
    /// Every batch's root is computed again from its leaves. Exit code 1: something is broken.
    Audit {
        /// So many names at most, of what is broken and of what waits.
        #[arg(long, value_name = "N", default_value_t = 20)]
        names: u32,
        /// From this position of the log on: what an audit before has said as "more".
        #[arg(long, value_name = "POSITION")]
        from: Option<u64>,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Option<Output>, Failure> {
    let client = context.client()?;
    match command {
        Command::Headers(command) => headers::run(context, command).await,
        Command::Now => {
            let now = client.call::<control::Now>(&NoParams {}).await?;
            Output::of(&now, |now| now.sentence.clone()).map(Some)
        }
        Command::Psbt(command) => psbt::run(context, command).await,
        Command::Status { id: Some(id) } => {
            let standing = client.call::<control::Standing>(&control::Asked { id }).await?;
            Output::of(&standing, |standing| standing.sentence.clone()).map(Some)
        }
        Command::Status { id: None } => {
            let status = client.call::<control::Status>(&NoParams {}).await?;
            Output::of(&status, describe).map(Some)
        }
        Command::Rebuild => {
            let rebuilt = client.call::<control::Rebuild>(&NoParams {}).await?;
            Output::of(&rebuilt, |rebuilt| rebuilt.sentence.clone()).map(Some)
        }
        Command::Audit { names, from } => {
            let wanted = control::Audited { from, names: Some(names) };
            let found = client.call::<control::Audit>(&wanted).await?;
            let is_broken = !found.broken.is_empty() || !found.broken_batches.is_empty();
            Output::of(&found, audited).map(|output| Some(output.failed_if(is_broken)))
        }
        Command::Proof { id, first, output, force } => {
            let to_terminal = output == Path::new("-");
            let beside = if to_terminal { None } else { Some(beside(&output)?) };
            let mut proof = client.call::<control::Proof>(&Proven { id, first }).await?;
            let Base64(ots) = std::mem::replace(&mut proof.ots, Base64(vec![]));
            let stamped = beside.zip(proof.stamped.take().map(|Base64(bytes)| bytes));
            let stamped_in = stamped.as_ref().map(|(path, _)| path.clone());
            // Both are looked at before the first is written.
            let mut missing = Vec::new();
            for (path, bytes) in [(output.clone(), ots)].into_iter().chain(stamped) {
                if !is_there(&path, &bytes) {
                    missing.push((Target::find(&path, force || is_older(&path, &bytes))?, bytes));
                }
            }
            for (target, bytes) in missing {
                target.put(&bytes).await?;
            }
            Ok((!to_terminal).then(|| told(&output, stamped_in.as_deref(), &proof)))
        }
    }
}

fn told(output: &Path, stamped: Option<&Path>, proof: &Made) -> Output {
    let settled = if proof.is_final { "" } else { "   (not final yet: the block may still be reorganised away)" };
    let json = json!({
        "proof": output,
        "stamped": stamped,
        "cid": proof.cid,
        "network": proof.network,
        "txid": proof.txid,
        "height": proof.height,
        "confirmations": proof.confirmations,
        "final": proof.is_final,
    });
    let network = json["network"].as_str().unwrap_or_default();
    let mut text = format!(
        "✓ {}   block {} ({network}), {} confirmations{settled}",
        output.display(),
        proof.height,
        proof.confirmations
    );
    match stamped {
        Some(file) => {
            text += &format!("\n✓ {}   the bytes it is about ({})", file.display(), proof.cid);
            text += &format!(
                "\n→ Check it: toft verify {} {}   or: ots verify {}",
                file.display(),
                output.display(),
                output.display()
            );
        }
        None => match plain(&proof.cid) {
            Some(sha256) => {
                text += &format!("\n  it is about the file whose sha256 is {sha256}");
                text += &format!("\n→ Check it: ots verify -f FILE {}", output.display());
            }
            None => text += "\n  the bytes it is about are not on this node any more",
        },
    }
    Output::new(json, text)
}

/// The hash that a raw CID is of.
fn plain(cid: &str) -> Option<String> {
    let cid = Cid::try_from(cid).ok().filter(|cid| cid.codec() == cid::RAW)?;
    cid::sha256_of(&cid).map(hex::encode)
}

fn audited(found: &Audited) -> String {
    let mut lines = vec![found.sentence.clone()];
    for Unproven { cid, kind, state, why, .. } in found.broken.iter().chain(&found.waiting) {
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        lines.push(format!("{state}  {kind} {cid}{why}"));
    }
    if let Some(more) = found.more {
        lines.push(format!("→ There are more: toft anchor audit --from {more}"));
    }
    lines.join("\n")
}

fn describe(status: &Status) -> String {
    let mut lines = vec![status.sentence.clone()];
    for batch in &status.batches {
        let mut line = format!("batch {}  {}  {} items", batch.number, batch.state, batch.leaves);
        if let Some(txid) = &batch.txid {
            line += &format!("  tx {txid}");
        }
        if let Some(height) = batch.height {
            line += &format!("  block {height}  {} confirmations", batch.confirmations);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Is there a proof of the same digest, such as we wrote when less was known?
pub fn is_older(path: &Path, proof: &[u8]) -> bool {
    let about = |bytes: &[u8]| Claims::read(bytes).ok().map(|claims| (claims.hash, claims.digest));
    let mut there = vec![];
    let read = File::open(path).and_then(|file| file.take(FILE_MAX as u64 + 1).read_to_end(&mut there));
    read.is_ok() && about(proof).is_some_and(|of| about(&there) == Some(of))
}

/// `F.ots` → `F`, as stock tools look for it.
fn beside(output: &Path) -> Result<PathBuf, Failure> {
    match output.extension() {
        Some(end) if end == "ots" => Ok(output.with_extension("")),
        _ => Err(Failure::new(Kind::Usage, format!("-o {}: the proof's name must end in .ots", output.display()))),
    }
}
