//! `toft get CID`: a file by CID, from here or from the network.

use super::{Context, Output, bytes};
use crate::rpc::control::{Failure, Kind};
use anyhow::{Context as _, Error};
use http_body_util::BodyExt as _;
use serde_json::json;
use std::path::PathBuf;
use tokio::{fs::File, io::AsyncWriteExt as _};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// CID of a file.
    cid: String,
    /// Where to write it (default: the terminal).
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Seconds to wait for a block that nobody sends.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
}

pub async fn run(context: &Context, args: &Args) -> Result<Option<Output>, Failure> {
    if args.cid.contains(['/', '?', '#', '%']) {
        return Err(Failure::new(Kind::Usage, format!("{} is not a CID", args.cid)));
    }
    let path = format!("/get/{}?timeout={}", args.cid, args.timeout);
    let mut body = context.client()?.get(&path).await?;
    let Some(target) = &args.output else {
        let mut out = tokio::io::stdout();
        while let Some(bytes) = next(&mut body, &args.cid).await? {
            out.write_all(&bytes).await.context("writing to the terminal").map_err(Failure::from)?;
        }
        out.flush().await.context("writing to the terminal").map_err(Failure::from)?;
        return Ok(None);
    };
    // Under its own name only when whole: half a file is worse than none.
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let part = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = async {
        let mut file = File::create_new(&part).await.with_context(|| format!("writing {}", part.display()))?;
        let mut size = 0;
        while let Some(bytes) = next(&mut body, &args.cid).await? {
            size += bytes.len() as u64;
            file.write_all(&bytes).await.with_context(|| format!("writing {}", part.display()))?;
        }
        file.sync_all().await.with_context(|| format!("writing {}", part.display()))?;
        tokio::fs::rename(&part, target).await.with_context(|| format!("writing {}", target.display()))?;
        Ok::<_, Failure>(size)
    }
    .await;
    if written.is_err() {
        let _ = tokio::fs::remove_file(&part).await; // the failure before is the one to tell
    }
    let size = written?;
    let text = format!("✓ {}   {}   {}", target.display(), bytes(size), args.cid);
    Ok(Some(Output::new(json!({"cid": args.cid, "size": size, "file": target}), text)))
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
