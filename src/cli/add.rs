//! `toft add FILE`: keep a file as a record of this node.

use super::{
    context::Context,
    output::{Output, bytes},
};
use crate::rpc::{
    client::Out,
    control::{Added, Failure, Kind},
};
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use std::{io, path::PathBuf};
use tokio::{fs::File, io::AsyncReadExt as _};

/// Bytes read at a time.
const PIECE: usize = 256 << 10;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file.
    file: PathBuf,
    /// Let anyone have it: without this only this node and its peers do.
    #[arg(long)]
    publish: bool,
    /// Its media type.
    #[arg(long, default_value = "application/octet-stream", value_name = "TYPE")]
    format: String,
}

pub async fn run(context: &Context, args: &Args) -> Result<Output, Failure> {
    let name = args.file.display();
    let file = File::open(&args.file).await.map_err(|e| {
        let kind = if e.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failed };
        Failure::new(kind, format!("cannot open {name}: {e}"))
    })?;
    if file.metadata().await.is_ok_and(|m| !m.is_file()) {
        return Err(Failure::new(Kind::Usage, format!("{name} is not a file")));
    }
    let query = format!("/add?format={}&published={}", escape(&args.format), args.publish);
    let json = context.client()?.post(&query, body(file)).await?;
    let added: Added = serde_json::from_value(json.clone())
        .map_err(|e| Failure::new(Kind::Failed, format!("the node's answer is not understood: {e}")))?;
    let who = if added.published { "published" } else { "private" };
    let text = format!(
        "✓ {}   {}   {who}\n  record {}\n→ Its time proof, once anchored: {}",
        added.cid,
        bytes(added.size),
        added.record,
        context.next(&format!("anchor proof {} -o proof.ots", added.record))
    );
    Ok(Output::new(json, text))
}

fn body(file: File) -> Out {
    let pieces = futures::stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let n = file.read(&mut piece).await?;
        piece.truncate(n);
        Ok::<_, io::Error>((n > 0).then(|| (Bytes::from(piece), file)))
    });
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}

/// A media type in a query.
fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    text.bytes().map(|b| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}
