//! What is held of RGB assets: `rgb.getAssetBalance`, `rgb.updateBalance`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    rgb_acting::{PROBLEMS, reader, writer},
    rgb_assets::OneAsset,
};
use crate::rgb::{Balance, Declared, Written};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Get>(), Entry::of::<Update>()];

#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const NAME: &'static str = "rgb.getAssetBalance";
    const SUMMARY: &'static str = "Say what is held of an RGB asset, by its transfers as they are now.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"assetId": "rgb:example"}"#,
        result: r#"{"assetId": "rgb:example", "settled": "1000", "future": "1000", "spendable": "1000", "transfers": 1, "conflicts": 0, "asOf": "2026-11-21T09:00:00.000000Z"}"#,
    }];
    type Params = OneAsset;
    type Result = Balance;

    async fn run(call: &Call, one: OneAsset) -> Result<Balance, Failure> {
        let tenant = reader(call, one.whose()).await?;
        Ok(call.rgb.get_asset_balance(&tenant, &one.asset_id).await?)
    }
}

#[derive(Debug)]
pub struct Update;

impl Method for Update {
    const NAME: &'static str = "rgb.updateBalance";
    const SUMMARY: &'static str =
        "Note what is held of an RGB asset, if its transfers say the same; else say by how much they differ.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"balance": {"assetId": "rgb:example", "settled": "1000", "future": "1000", "spendable": "1000"}}"#,
        result: r#"{"recordId": "$record", "messageCid": "$record", "dataCid": "$data", "dateCreated": "2026-11-21T09:00:00.000000Z"}"#,
    }];
    type Params = NewBalance;
    type Result = Written;

    async fn run(call: &Call, new: NewBalance) -> Result<Written, Failure> {
        let hand = writer(call, (new.from.as_deref(), new.tenant.as_deref()), "balance").await?;
        Ok(call.rgb.update_balance(&hand, new.balance).await?)
    }
}

/// A balance to be noted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RgbNewBalance")]
pub struct NewBalance {
    pub balance: Declared,
    /// Which of the node's identities signs; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose balance it is; the signer's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}
