//! `toft stamp FILE`: a time proof of a file that is not kept. The file stays where it is; the node gets its hash.

use super::{
    add,
    anchor::is_older,
    context::Context,
    file::{Target, is_there},
    output::Output,
};
use crate::{
    anchor::config::Mode,
    cid,
    rpc::control::{
        Failure, Kind,
        anchor::{self as control, Base64, Proven, Stamped, Taken},
    },
};
use anyhow::Context as _;
use futures::TryStreamExt as _;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file. Its bytes are hashed here and go nowhere.
    file: PathBuf,
    /// Where to write the proof (default: FILE.ots).
    #[arg(short, long, value_name = "FILE.ots")]
    output: Option<PathBuf>,
    /// Replace a file that exists with other content. An older proof of the same is replaced without.
    #[arg(long)]
    force: bool,
}

/// The first time it hands the hash in; run again later, it writes the proof.
pub async fn run(context: &Context, args: &Args) -> Result<Output, Failure> {
    let client = context.client()?;
    let output = args.output.clone().unwrap_or_else(|| beside(&args.file));
    let digest = digest(&args.file).await?;
    let taken = client.call::<control::Stamp>(&Stamped { sha256: hex::encode(digest) }).await?;
    match client.call::<control::Proof>(&Proven { id: taken.cid.clone(), first: false }).await {
        Ok(proof) => {
            let Base64(ots) = proof.ots;
            if !is_there(&output, &ots) {
                Target::find(&output, args.force || is_older(&output, &ots))?.put(&ots).await?;
            }
            let json = json!({"cid": taken.cid, "proof": output, "height": proof.height, "final": proof.is_final});
            let (file, proof_file) = (args.file.display(), output.display());
            Ok(Output::new(
                json,
                format!(
                    "✓ {proof_file}   block {}\n→ Check it: toft verify {file} {proof_file}   or: ots verify {proof_file}",
                    proof.height
                ),
            ))
        }
        Err(failure) if failure.kind == Kind::Pending => waits(context, args, &taken, &failure.message),
        Err(failure) => Err(failure),
    }
}

fn waits(context: &Context, args: &Args, taken: &Taken, why: &str) -> Result<Output, Failure> {
    let json = json!({"cid": taken.cid, "proof": null, "pending": why});
    let file = args.file.display();
    let next = if taken.anchored {
        format!("→ Later, for its proof: {}", context.next(&format!("stamp {file}")))
    } else {
        let settings = context.config(&[])?.anchor;
        let by_calendars = context.next("config set anchor.calendar.consent true");
        let what = match settings.mode {
            Mode::Wallet => format!(
                "the wallet may pay nothing. To let it: {}",
                context.next("config set anchor.bitcoin.spend true")
            ),
            Mode::Off => format!(
                "anchor.mode is \"off\". To have OpenTimestamps calendars do it: {} and {by_calendars}",
                context.next("config set anchor.mode auto")
            ),
            _ => format!("nobody was agreed to. To have OpenTimestamps calendars do it: {by_calendars}"),
        };
        format!("! Nobody brings it into Bitcoin as the settings are: {what}")
    };
    Ok(Output::new(json, format!("✓ The hash of {file} is kept; the file is not\n  {why}\n{next}"))
        .failed_as(Kind::Pending))
}

async fn digest(path: &Path) -> Result<cid::Digest, Failure> {
    let (file, _) = add::open(path).await?;
    let mut hasher = cid::Hasher::default();
    let hashed = add::pieces(file).try_for_each(|piece| {
        hasher.update(&piece);
        std::future::ready(Ok(()))
    });
    hashed.await.with_context(|| format!("reading {}", path.display()))?;
    Ok(hasher.finish())
}

/// `F` → `F.ots`, as stock tools look for it.
fn beside(file: &Path) -> PathBuf {
    let mut path = file.to_owned().into_os_string();
    path.push(".ots");
    path.into()
}
