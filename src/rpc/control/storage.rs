//! What the node takes on disk, and its care: `storage.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
    node,
};
use crate::{
    blocks::{Collected, Scrubbed},
    content::{Care, Compaction, Footprint},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Du>(), Entry::of::<Gc>(), Entry::of::<Scrub>(), Entry::of::<Compact>()];

#[derive(Debug)]
pub struct Du;

impl Method for Du {
    const NAME: &'static str = "storage.du";
    const SUMMARY: &'static str = "Say what takes how much.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"{"store": {"log": 1, "segments": 1, "index": 1, "aside": 0}, "blocks": {"files": 0, "file_bytes": 0, "packs": 1, "pack_bytes": 2, "pack_live": 1}, "stats": {"records": 1, "messages": 2, "blocks": 3, "bytes": 4}, "pins": 0, "retention": {"rules": 1, "deleted": 0, "purged": 0, "looked_at": 9, "at_work": false, "problem": null}, "conflicts": {"conflicts": 0, "bytes": 0}}"#,
    }];
    type Params = NoParams;
    type Result = Footprint;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Footprint, Failure> {
        let footprint = care(call).footprint().await?;
        let conflicts = Some(node::kept(call).await?);
        Ok(Footprint { retention: Some(call.node.retained()), conflicts, ..footprint })
    }
}

#[derive(Debug)]
pub struct Gc;

impl Method for Gc {
    const NAME: &'static str = "storage.gc";
    const SUMMARY: &'static str = "Take away blocks that no record and no pin needs.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a round",
        params: "{}",
        result: r#"{"blocks": 1, "orphans": 0, "packs": 0, "bytes": 4096, "held": 0}"#,
    }];
    type Params = NoParams;
    type Result = Collected;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Collected, Failure> {
        Ok(care(call).collect().await?)
    }
}

#[derive(Debug)]
pub struct Scrub;

impl Method for Scrub {
    const NAME: &'static str = "storage.scrub";
    const SUMMARY: &'static str = "Read everything, check every hash, and fetch damaged blocks anew from peers.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "as fast as it goes",
        params: r#"{"rate": 0}"#,
        result: r#"{"messages": 2, "blocks": 3, "bytes": 4096, "damaged": 0, "healed": 0, "named": [], "records": [], "complete": true}"#,
    }];
    type Params = Scrubbing;
    type Result = Scrubbed;

    async fn run(call: &Call, Scrubbing { rate }: Scrubbing) -> Result<Scrubbed, Failure> {
        Ok(care(call).scrub(rate).await?)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scrubbing {
    /// Bytes in a second; 0: as fast as the disk goes.
    pub rate: u64,
}

#[derive(Debug)]
pub struct Compact;

impl Method for Compact {
    const NAME: &'static str = "storage.compact";
    const SUMMARY: &'static str = "Take out of the log what it keeps of messages and data that are no more.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "what is half empty",
        params: r#"{"above": 0.5, "rate": 0}"#,
        result: r#"{"collected": {"blocks": 1, "orphans": 0, "packs": 0, "bytes": 4096, "held": 0}, "compacted": {"segments": 2, "log": 1000, "dead": 600, "rewritten": 1, "messages": 3, "frames": 4, "bytes": 600, "damaged": 0}}"#,
    }];
    type Params = Compacting;
    type Result = Compaction;

    async fn run(call: &Call, Compacting { above, rate }: Compacting) -> Result<Compaction, Failure> {
        Ok(care(call).compact(above, rate).await?)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compacting {
    /// Share of a segment of the log, from 0 to 1, that must be able to go.
    pub above: f64,
    /// Bytes in a second; 0: as fast as the disk goes.
    pub rate: u64,
}

fn care(call: &Call) -> Care {
    call.content.care(call.stop.clone())
}
