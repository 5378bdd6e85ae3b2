//! Data that stays even if no record holds it any more: `pin.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::cid::Cid;
use anyhow::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Ls>(), Entry::of::<Add>(), Entry::of::<Rm>()];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "pins.list";
    const SUMMARY: &'static str = "List the pins, as CIDs.";
    const SCOPE: Need = Need::Pins;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example { name: "all", params: "{}", result: r#"["$data"]"# }];
    type Params = NoParams;
    type Result = Vec<String>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<String>, Failure> {
        let blocks = call.node.blocks().clone();
        let pins = tokio::task::spawn_blocking(move || blocks.pins()).await.map_err(Error::new)??;
        Ok(pins.iter().map(Cid::to_string).collect())
    }
}

#[derive(Debug)]
pub struct Add;

impl Method for Add {
    const NAME: &'static str = "pins.add";
    const SUMMARY: &'static str = "Keep the data under a CID, whatever becomes of its records.";
    const SCOPE: Need = Need::Pins;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "data", params: r#"{"cid": "$data"}"#, result: r#"{"pinned": "$data"}"# }];
    type Params = OneRoot;
    type Result = Pinned;

    async fn run(call: &Call, root: OneRoot) -> Result<Pinned, Failure> {
        let cid = root.parse()?;
        match call.node.blocks().pin(&cid).await? {
            true => Ok(Pinned { pinned: cid.to_string() }),
            false => {
                let message = format!("{cid} is not the root of any data here: only what a record holds can be pinned");
                Err(Failure::new(Kind::NotFound, message))
            }
        }
    }
}

#[derive(Debug)]
pub struct Rm;

impl Method for Rm {
    const NAME: &'static str = "pins.remove";
    const SUMMARY: &'static str = "Keep the data under a CID only as long as a record holds it.";
    const SCOPE: Need = Need::Pins;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "data", params: r#"{"cid": "$data"}"#, result: r#"{"unpinned": "$data"}"# }];
    type Params = OneRoot;
    type Result = Unpinned;

    async fn run(call: &Call, root: OneRoot) -> Result<Unpinned, Failure> {
        let cid = root.parse()?;
        match call.node.blocks().unpin(&cid).await? {
            true => Ok(Unpinned { unpinned: cid.to_string() }),
            false => Err(Failure::new(Kind::NotFound, format!("{cid} is not pinned"))),
        }
    }
}

/// Data, by its root.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneRoot {
    pub cid: String,
}

impl OneRoot {
    fn parse(&self) -> Result<Cid, Failure> {
        let Self { cid } = self;
        Cid::try_from(cid.as_str()).map_err(|_| Failure::new(Kind::Usage, format!("{cid} is not a CID")))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Pinned {
    pub pinned: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Unpinned {
    pub unpinned: String,
}
