//! `toft anchor now | status | proof`: time proofs in Bitcoin.

use super::{
    context::Context,
    file::{Target, is_there},
    output::Output,
};
use crate::rpc::control::{Failure, Kind};
use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Anchor everything new now, without waiting for its time.
    Now,
    /// Show what is queued, on its way and confirmed.
    Status,
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
        /// Replace files that exist with other content.
        #[arg(long)]
        force: bool,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Option<Output>, Failure> {
    let client = context.client()?;
    match command {
        Command::Now => {
            let now = client.call("anchor.now", json!({})).await?;
            Ok(Some(Output::of(now, |now| now["sentence"].as_str().unwrap_or_default().to_owned())))
        }
        Command::Status => {
            let status = client.call("anchor.status", json!({})).await?;
            Ok(Some(Output::of(status, describe)))
        }
        Command::Proof { id, output, force } => {
            let to_terminal = output == Path::new("-");
            let beside = if to_terminal { None } else { Some(beside(&output)?) };
            let proof = client.call("anchor.proof", json!({"id": id})).await?;
            let ots = bytes(&proof["ots"])?.unwrap_or_default();
            let stamped = beside.zip(bytes(&proof["stamped"])?);
            let stamped_in = stamped.as_ref().map(|(path, _)| path.clone());
            // Both are looked at before the first is written.
            let mut missing = Vec::new();
            for (path, bytes) in [(output.clone(), ots)].into_iter().chain(stamped) {
                if !is_there(&path, &bytes) {
                    missing.push((Target::find(&path, force)?, bytes));
                }
            }
            for (target, bytes) in missing {
                target.put(&bytes).await?;
            }
            Ok((!to_terminal).then(|| told(&output, stamped_in.as_deref(), &proof)))
        }
    }
}

fn told(output: &Path, stamped: Option<&Path>, proof: &Value) -> Output {
    let confirmations = proof["confirmations"].as_u64().unwrap_or(0);
    let settled =
        if proof["final"] == true { "" } else { "   (not final yet: the block may still be reorganised away)" };
    let network = proof["network"].as_str().unwrap_or_default();
    let mut text = format!(
        "✓ {}   block {} ({network}), {confirmations} confirmations{settled}",
        output.display(),
        proof["height"]
    );
    match stamped {
        Some(file) => {
            text +=
                &format!("\n✓ {}   the bytes it is about ({})", file.display(), proof["cid"].as_str().unwrap_or("?"));
            text += &format!(
                "\n→ Check it: toft verify {} {}   or: ots verify {}",
                file.display(),
                output.display(),
                output.display()
            );
        }
        None => text += "\n  the bytes it is about are not on this node any more",
    }
    let json = json!({
        "proof": output,
        "stamped": stamped,
        "cid": proof["cid"],
        "network": proof["network"],
        "txid": proof["txid"],
        "height": proof["height"],
        "confirmations": proof["confirmations"],
        "final": proof["final"],
    });
    Output::new(json, text)
}

fn describe(status: &Value) -> String {
    let mut lines = vec![status["sentence"].as_str().unwrap_or_default().to_owned()];
    for batch in status["batches"].as_array().into_iter().flatten() {
        let mut line =
            format!("batch {}  {}  {} items", batch["number"], batch["state"].as_str().unwrap_or("?"), batch["leaves"]);
        if let Some(txid) = batch["txid"].as_str() {
            line += &format!("  tx {txid}");
        }
        if let Some(height) = batch["height"].as_u64() {
            line += &format!("  block {height}  {} confirmations", batch["confirmations"]);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// `F.ots` → `F`, as stock tools look for it.
fn beside(output: &Path) -> Result<PathBuf, Failure> {
    match output.extension() {
        Some(end) if end == "ots" => Ok(output.with_extension("")),
        _ => Err(Failure::new(Kind::Usage, format!("-o {}: the proof's name must end in .ots", output.display()))),
    }
}

fn bytes(base64: &Value) -> Result<Option<Vec<u8>>, Failure> {
    let Some(text) = base64.as_str() else { return Ok(None) };
    Ok(Some(STANDARD.decode(text).context("the node's answer is not base64").map_err(Failure::from)?))
}
