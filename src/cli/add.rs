//! `toft add FILE`: keep a file as a record of this node.

use super::{
    context::Context,
    output::{Output, bytes},
};
use crate::rpc::control::{Failure, Kind, content::AddQuery};
use bytes::Bytes;
use futures::Stream;
use std::{
    io,
    path::{Path, PathBuf},
};
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
    let (file, _) = open(&args.file).await?;
    let query = AddQuery { format: args.format.clone(), published: args.publish };
    let added = context.client()?.add(&query, pieces(file)).await?;
    let who = if added.published { "published" } else { "private" };
    let text = format!(
        "✓ {}   {}   {who}\n  record {}\n→ Its time proof, once anchored: {}",
        added.cid,
        bytes(added.size),
        added.record,
        context.next(&format!("anchor proof {} -o proof.ots", added.record))
    );
    Output::told(&added, text)
}

/// A file, and how many bytes it has.
pub(super) async fn open(path: &Path) -> Result<(File, u64), Failure> {
    let name = path.display();
    let cannot = |e: io::Error| {
        let kind = if e.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failed };
        Failure::new(kind, format!("cannot open {name}: {e}"))
    };
    let file = File::open(path).await.map_err(cannot)?;
    let found = file.metadata().await.map_err(cannot)?;
    if !found.is_file() {
        return Err(Failure::new(Kind::Usage, format!("{name} is not a file")));
    }
    Ok((file, found.len()))
}

pub(super) fn pieces(file: File) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    futures::stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let n = file.read(&mut piece).await?;
        piece.truncate(n);
        Ok((n > 0).then(|| (Bytes::from(piece), file)))
    })
}
