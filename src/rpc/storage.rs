//! The part of the control RPC that is about what the node keeps: `storage.…`, `pin.…`, `backup.…`.

use super::control::{Control, Failure, Kind, parse, unknown, value};
use crate::{
    backup::Check,
    blocks::{Blocks, Fetch},
    cid::Cid,
    store::Store,
};
use anyhow::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    dir: PathBuf,
}

/// How long a peer may take to bring a block that is damaged here.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scrub {
    /// Bytes in a second; 0: as fast as the disk goes.
    rate: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compact {
    /// Share of a segment of the log, from 0 to 1, that must be able to go.
    above: f64,
    /// Bytes in a second; 0: as fast as the disk goes.
    rate: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneCid {
    cid: String,
}

impl OneCid {
    fn read(params: Value) -> Result<Cid, Failure> {
        let Self { cid } = parse(params)?;
        Cid::try_from(cid.as_str()).map_err(|_| Failure::new(Kind::Usage, format!("{cid} is not a CID")))
    }
}

/// The care of a store and its blocks, whoever has them open: `storage.…`.
pub async fn care(
    (store, blocks): (&Store, &Blocks),
    (method, params): (&str, Value),
    fetch: Option<Fetch>,
    stop: &CancellationToken,
) -> Result<Value, Failure> {
    match method {
        "storage.du" => {
            let (store, blocks) = (store.clone(), blocks.clone());
            let walk = move || Ok::<_, Error>((store.usage()?, blocks.usage()?, store.stats(), blocks.pins()?.len()));
            let (store, blocks, stats, pins) = tokio::task::spawn_blocking(walk).await.map_err(Error::new)??;
            Ok(json!({"store": store, "blocks": blocks, "stats": stats, "pins": pins}))
        }
        "storage.gc" => value(&blocks.collect_gently(stop).await?),
        "storage.scrub" => {
            let Scrub { rate } = parse(params)?;
            value(&blocks.scrub(rate, fetch, stop).await?)
        }
        "storage.compact" => {
            let Compact { above, rate } = parse(params)?;
            // Data in the log goes only when no block is said to lie there any more.
            let collected = blocks.collect_gently(stop).await?;
            let compacted = store.compact_gently(above, rate, stop).await?;
            Ok(json!({"collected": collected, "compacted": compacted}))
        }
        other => Err(unknown(other)),
    }
}

impl Control {
    /// Brings blocks from peers.
    fn fetcher(&self) -> Fetch {
        let session = self.net.session();
        Arc::new(move |cid| {
            let session = session.clone();
            Box::pin(async move { session.fetch(cid, FETCH_TIMEOUT).await.ok() })
        })
    }

    pub(super) async fn storage(&self, method: &str, params: Value) -> Result<Value, Failure> {
        let blocks = self.node.blocks().clone();
        match method {
            "pin.ls" => {
                let pins = tokio::task::spawn_blocking(move || blocks.pins()).await.map_err(Error::new)??;
                Ok(pins.iter().map(Cid::to_string).collect())
            }
            "pin.add" => {
                let cid = OneCid::read(params)?;
                match blocks.pin(&cid).await? {
                    true => Ok(json!({"pinned": cid.to_string()})),
                    false => {
                        let message =
                            format!("{cid} is not the root of any data here: only what a record holds can be pinned");
                        Err(Failure::new(Kind::NotFound, message))
                    }
                }
            }
            "pin.rm" => {
                let cid = OneCid::read(params)?;
                match blocks.unpin(&cid).await? {
                    true => Ok(json!({"unpinned": cid.to_string()})),
                    false => Err(Failure::new(Kind::NotFound, format!("{cid} is not pinned"))),
                }
            }
            "backup.create" => {
                let Target { dir } = parse(params)?;
                let source = self.backup.clone();
                value(&tokio::task::spawn_blocking(move || source.take(&dir, Check::All)).await.map_err(Error::new)??)
            }
            method => {
                let kept = (self.node.store(), &blocks);
                let mut done = care(kept, (method, params), Some(self.fetcher()), &self.stop).await?;
                if method == "storage.du" {
                    done["retention"] = value(&self.node.retained())?;
                }
                Ok(done)
            }
        }
    }
}
