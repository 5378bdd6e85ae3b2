//! `toft anchor now | status | proof`: time proofs in Bitcoin.

use super::{
    context::Context,
    file::{Target, is_there},
    headers,
    output::Output,
    psbt,
};
use crate::{
    anchor::{
        Status,
        ots::{Claims, FILE_MAX},
    },
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
    /// Beside F.ots stands F, the bytes the proof is about (for a record: its signed message as DAG-CBOR, the
    /// bytes its CID names; for data of one chunk: the data). Any OpenTimestamps tool checks the pair.
    Proof {
        /// recordId, message CID or data CID.
        id: String,
        /// Where to write the proof; -: to the terminal, without the bytes it is about.
        #[arg(short, long, value_name = "FILE.ots")]
        output: PathBuf,
        /// Replace files that exist with other content. An older proof of the same is replaced without.
        #[arg(long)]
        force: bool,
    },
    /// Block headers, by which proofs are judged without a bitcoind.
    #[command(subcommand)]
    Headers(headers::Command),
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
            let standing = client.call::<control::Standing>(&Proven { id }).await?;
            Output::of(&standing, |standing| standing.sentence.clone()).map(Some)
        }
        Command::Status { id: None } => {
            let status = client.call::<control::Status>(&NoParams {}).await?;
            Output::of(&status, describe).map(Some)
        }
        Command::Proof { id, output, force } => {
            let to_terminal = output == Path::new("-");
            let beside = if to_terminal { None } else { Some(beside(&output)?) };
            let mut proof = client.call::<control::Proof>(&Proven { id }).await?;
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
        None => text += "\n  the bytes it is about are not on this node any more",
    }
    Output::new(json, text)
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
fn is_older(path: &Path, proof: &[u8]) -> bool {
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
