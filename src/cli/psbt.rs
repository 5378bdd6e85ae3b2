//! `toft anchor psbt export | import`: transactions that are signed with keys which the node does not have.

use super::{context::Context, file::Target, output::Output};
use crate::rpc::control::{
    Failure, Kind,
    anchor::{Batch, Psbt, Signed, Unsigned},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

/// What a PSBT file begins with (BIP 174).
const MAGIC: &[u8] = b"psbt\xff";
/// Bytes of one that is read: an anchor's has some hundreds.
const FILE_MAX: u64 = 4 << 20;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write the transaction that waits for your signature, as a PSBT file.
    Export {
        /// Number of the batch.
        batch: u64,
        /// Where to write it; -: to the terminal, in base64.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Replace a file that exists.
        #[arg(long)]
        force: bool,
    },
    /// Take it back signed, and send it.
    Import {
        /// The PSBT file that your signer wrote, binary or in base64.
        file: PathBuf,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Option<Output>, Failure> {
    let client = context.client()?;
    match command {
        Command::Export { batch, output, force } => {
            let target = Target::find(&output, force)?;
            let made = client.call::<Unsigned>(&Batch { batch }).await?;
            if output == Path::new("-") {
                target.put(format!("{}\n", made.psbt).as_bytes()).await?;
                return Ok(None);
            }
            let bytes = STANDARD.decode(&made.psbt).map_err(|e| Failure::new(Kind::Failed, e.to_string()))?;
            target.put(&bytes).await?;
            let json = json!({"file": output, "batch": batch, "fee": made.fee});
            let file = output.display();
            let text = format!(
                "✓ {file}   batch {batch}, fee {} sat\n→ Sign it, then: {}",
                made.fee,
                context.next("anchor psbt import FILE")
            );
            Ok(Some(Output::new(json, text)))
        }
        Command::Import { file } => {
            let psbt = read(&file)?;
            let batch = client.call::<Signed>(&Psbt { psbt }).await?;
            Output::of(&batch, |batch| batch.sentence()).map(Some)
        }
    }
}

/// A PSBT in base64, whichever way the file has it.
fn read(file: &Path) -> Result<String, Failure> {
    let unreadable = |e: std::io::Error| Failure::new(Kind::Usage, format!("cannot read {}: {e}", file.display()));
    let mut bytes = Vec::new();
    std::fs::File::open(file).map_err(unreadable)?.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.starts_with(MAGIC) && bytes.len() as u64 <= FILE_MAX {
        return Ok(STANDARD.encode(bytes));
    }
    let text = String::from_utf8(bytes).ok().map(|text| text.trim().to_owned());
    let is_psbt = |text: &String| STANDARD.decode(text).is_ok_and(|bytes| bytes.starts_with(MAGIC));
    text.filter(is_psbt).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("{} is no PSBT file (BIP 174), neither binary nor in base64", file.display()))
    })
}
