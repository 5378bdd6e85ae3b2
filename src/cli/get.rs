//! `toft get CID`: a file by CID, from here or from the network.

use super::{
    context::Context,
    file::Target,
    output::{Output, bytes},
};
use crate::rpc::control::{Failure, Kind};
use anyhow::Error;
use futures::stream::try_unfold;
use http_body_util::BodyExt as _;
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
    let path = format!("/get/{}?timeout={}", args.cid, args.timeout);
    let body = context.client()?.get(&path).await?;
    let pieces = try_unfold(body, async |mut body| Ok(next(&mut body, &args.cid).await?.map(|piece| (piece, body))));
    let size = target.save(pieces).await?;
    let Some(name) = target.name() else { return Ok(None) };
    let text = format!("✓ {}   {}   {}", name.display(), bytes(size), args.cid);
    Ok(Some(Output::new(json!({"cid": args.cid, "size": size, "file": name}), text)))
}

async fn next(body: &mut hyper::body::Incoming, cid: &str) -> Result<Option<bytes::Bytes>, Failure> {
    while let Some(frame) = body.frame().await {
        let broken = |e| Failure::new(Kind::Network, format!("{cid} broke off: {:#}", Error::new(e)));
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
