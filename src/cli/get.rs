//! `toft get CID`: a file by CID, from here or from the network.

use super::{
    context::Context,
    file::Target,
    output::{Output, bytes},
};
use crate::rpc::control::{Failure, Kind};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// CID of a file.
    cid: String,
    /// Where to write it (default, and -: the terminal). A file that exists is not replaced; devices and pipes are written to.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
    /// Seconds to wait for a block that nobody sends.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
}

pub async fn run(context: &Context, args: &Args) -> Result<Option<Output>, Failure> {
    if args.cid.contains(['/', '?', '#', '%']) {
        return Err(Failure::new(Kind::Usage, format!("{} is not a CID", args.cid)));
    }
    // Before anybody is asked.
    let target = args.output.as_ref().map_or(Ok(Target::Terminal), |path| Target::find(path, args.force))?;
    let pieces = context.client()?.get(&args.cid, args.timeout).await?;
    let size = target.save(pieces).await?;
    let Some(name) = target.name() else { return Ok(None) };
    let text = format!("✓ {}   {}   {}", name.display(), bytes(size), args.cid);
    Ok(Some(Output::new(json!({"cid": args.cid, "size": size, "file": name}), text)))
}
