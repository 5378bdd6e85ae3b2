//! What the node takes on disk, and its care: `storage.…`.

use super::{
    failure::{Failure, Kind},
    method::{Entry, Method, NoParams, Scope},
    services::Services,
};
use crate::{
    blocks::{Collected, Scrubbed},
    content::{Care, Compaction, Footprint},
};
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Du>(), Entry::of::<Gc>(), Entry::of::<Scrub>(), Entry::of::<Compact>()];

#[derive(Debug)]
pub struct Du;

impl Method for Du {
    const NAME: &'static str = "storage.du";
    const SUMMARY: &'static str = "Say what takes how much.";
    const SCOPE: Scope = Scope::Admin;
    const ERRORS: &'static [Kind] = &[];
    type Params = NoParams;
    type Result = Footprint;

    async fn run(services: &Services, NoParams {}: NoParams) -> Result<Footprint, Failure> {
        let footprint = care(services).footprint().await?;
        Ok(Footprint { retention: Some(services.node.retained()), ..footprint })
    }
}

#[derive(Debug)]
pub struct Gc;

impl Method for Gc {
    const NAME: &'static str = "storage.gc";
    const SUMMARY: &'static str = "Take away blocks that no record and no pin needs.";
    const SCOPE: Scope = Scope::Admin;
    const ERRORS: &'static [Kind] = &[];
    type Params = NoParams;
    type Result = Collected;

    async fn run(services: &Services, NoParams {}: NoParams) -> Result<Collected, Failure> {
        Ok(care(services).collect().await?)
    }
}

#[derive(Debug)]
pub struct Scrub;

impl Method for Scrub {
    const NAME: &'static str = "storage.scrub";
    const SUMMARY: &'static str = "Read everything, check every hash, and fetch damaged blocks anew from peers.";
    const SCOPE: Scope = Scope::Admin;
    const ERRORS: &'static [Kind] = &[];
    type Params = Scrubbing;
    type Result = Scrubbed;

    async fn run(services: &Services, Scrubbing { rate }: Scrubbing) -> Result<Scrubbed, Failure> {
        Ok(care(services).scrub(rate).await?)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
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
    const SCOPE: Scope = Scope::Admin;
    const ERRORS: &'static [Kind] = &[];
    type Params = Compacting;
    type Result = Compaction;

    async fn run(services: &Services, Compacting { above, rate }: Compacting) -> Result<Compaction, Failure> {
        Ok(care(services).compact(above, rate).await?)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compacting {
    /// Share of a segment of the log, from 0 to 1, that must be able to go.
    pub above: f64,
    /// Bytes in a second; 0: as fast as the disk goes.
    pub rate: u64,
}

fn care(services: &Services) -> Care {
    services.content.care(services.stop.clone())
}
