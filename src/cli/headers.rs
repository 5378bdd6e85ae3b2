//! `toft anchor headers export | import`: chains of block headers as files. Needs no running node.

use super::{context::Context, file::Target, output::Output};
use crate::{
    anchor::{
        chain::{self, Chain},
        headers::{self, Error},
    },
    rpc::control::{Failure, Kind},
};
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde_json::json;
use std::{fs::File, path::PathBuf};

/// Headers in one question to bitcoind.
const QUESTION: u32 = 1000;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write the headers of the chain that your bitcoind follows, for a machine without one.
    Export {
        /// Where to write them; -: to the terminal.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Begin with the block of this height (default: the highest that toft knows). Headers that begin higher are not
        /// imported.
        #[arg(long, value_name = "HEIGHT")]
        from: Option<u32>,
        /// Replace a file that exists.
        #[arg(long)]
        force: bool,
    },
    /// Take headers in, by which toft verify judges when no bitcoind answers.
    Import {
        /// A file that "toft anchor headers export" wrote.
        file: PathBuf,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Option<Output>, Failure> {
    match command {
        Command::Export { output, from, force } => export(context, output, from, force).await,
        Command::Import { file } => import(context, &file).map(Some),
    }
}

async fn export(context: &Context, output: PathBuf, from: Option<u32>, force: bool) -> Result<Option<Output>, Failure> {
    let config = context.config(&[])?.anchor;
    let network = config.bitcoin.network;
    let first = from.unwrap_or_else(|| headers::Chain::start(network));
    let target = Target::find(&output, force)?;
    let chain = Chain::new(&config);
    let tip = chain.run(chain::Chain::tip).await.map_err(|e| asking(&e))?.height;
    if tip < first {
        let text =
            format!("your bitcoind has come to block {tip}: try again when it has block {first}, or give --from");
        return Err(Failure::new(Kind::Pending, text));
    }
    let begin = stream::once(std::future::ready(Ok(Bytes::from(headers::start(network, first)))));
    let checked = headers::Chain::new(network, first, now());
    let pieces = stream::try_unfold((checked, first), |(mut checked, at)| {
        let chain = chain.clone();
        async move {
            if at > tip {
                return Ok(None);
            }
            let last = at.saturating_add(QUESTION - 1).min(tip);
            let heights: Vec<u32> = (at..=last).collect();
            let (_, found) = chain.run(move |chain| chain.headers_at(&heights)).await.map_err(|e| asking(&e))?;
            let mut piece = Vec::new();
            for (height, header) in (at..).zip(found) {
                let header = header.ok_or_else(changed)?;
                checked.take(&header).map_err(|rule| match rule {
                    headers::Rule::Link => changed(),
                    rule => {
                        Failure::new(Kind::Failed, format!("what bitcoind says of block {height} is wrong: {rule}"))
                    }
                })?;
                piece.extend(headers::bytes(&header));
            }
            Ok(Some((Bytes::from(piece), (checked, last.saturating_add(1)))))
        }
    });
    let bytes = target.save(begin.chain(pieces)).await?;
    // Among what is written nothing is told.
    Ok(target.name().map(|name| {
        let json = json!({"file": name, "network": network, "first": first, "tip": tip, "bytes": bytes});
        let name = name.display();
        let text = format!(
            "✓ {name}   headers of {network:?}, blocks {first} to {tip}\n→ Take them in elsewhere: toft anchor headers import {name}"
        );
        Output::new(json, text)
    }))
}

fn import(context: &Context, path: &std::path::Path) -> Result<Output, Failure> {
    let network = context.config(&[])?.anchor.bitcoin.network;
    let file = File::open(path).map_err(|error| {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failed };
        Failure::new(kind, format!("cannot read {}: {error}", path.display()))
    })?;
    let taken = headers::import(&context.home, network, file).map_err(|error| {
        let kind = match &error {
            Error::Lighter(_) => Kind::Conflict,
            Error::Io(_) => Kind::Failed,
            _ => Kind::Usage,
        };
        Failure::new(kind, format!("{}: {error}", path.display()))
    })?;
    let time = Timestamp::from_second(i64::from(taken.time)).map(|time| time.to_string()).unwrap_or_default();
    let json = json!({
        "network": network, "first": taken.first, "tip": taken.tip, "time": time, "grade": taken.grade,
        "file": headers::place(&context.home, network),
    });
    let text = format!(
        "✓ headers of {network:?}, blocks {} to {} ({time}): they keep the rules and are linked to a block that toft knows",
        taken.first, taken.tip
    );
    Ok(Output::new(json, text))
}

fn asking(error: &chain::Error) -> Failure {
    Failure::new(Kind::Network, format!("the headers cannot be asked for: {error}"))
}

fn changed() -> Failure {
    Failure::new(Kind::Network, "the chain was reorganised while it was read: try again")
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}
