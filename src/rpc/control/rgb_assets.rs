//! RGB assets: `rgb.assetExists`, `rgb.storeAsset`, `rgb.queryAssets`, `rgb.getAssetMetadata`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    rgb_acting::{PROBLEMS, reader, writer},
};
use crate::rgb::{Asset, AssetFilter, Assets, Described, Metadata, Place, Written};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] =
    &[Entry::of::<Exists>(), Entry::of::<Store>(), Entry::of::<Query>(), Entry::of::<Describe>()];

#[derive(Debug)]
pub struct Exists;

impl Method for Exists {
    const NAME: &'static str = "rgb.assetExists";
    const SUMMARY: &'static str = "Say whether an RGB asset is kept here.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] =
        &[Example { name: "one", params: r#"{"assetId": "rgb:example"}"#, result: r#"{"exists": true}"# }];
    type Params = OneAsset;
    type Result = Answer;

    async fn run(call: &Call, one: OneAsset) -> Result<Answer, Failure> {
        let tenant = reader(call, one.whose()).await?;
        Ok(Answer { exists: call.rgb.asset_exists(&tenant, &one.asset_id).await? })
    }
}

#[derive(Debug)]
pub struct Store;

impl Method for Store {
    const NAME: &'static str = "rgb.storeAsset";
    const SUMMARY: &'static str =
        "Store an RGB asset, with what else is known of it. One that is kept already is told again.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "an asset of ten coins",
        params: r#"{"asset": {"assetId": "rgb:example", "schema": "NIA", "network": "regtest", "ticker": "TIDE", "name": "Tide", "precision": 2, "issuedSupply": "1000"}, "metadata": {"details": "Coins of the harbour."}}"#,
        result: r#"{"recordId": "$record", "messageCid": "$record", "dataCid": "$data", "dateCreated": "2026-11-21T09:00:00.000000Z"}"#,
    }];
    type Params = NewAsset;
    type Result = Written;

    async fn run(call: &Call, new: NewAsset) -> Result<Written, Failure> {
        let hand = writer(call, (new.from.as_deref(), new.tenant.as_deref()), "asset").await?;
        Ok(call.rgb.store_asset(&hand, new.asset, new.metadata).await?)
    }
}

#[derive(Debug)]
pub struct Query;

impl Method for Query {
    const NAME: &'static str = "rgb.queryAssets";
    const SUMMARY: &'static str = "Look for RGB assets, the newest first.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of a network",
        params: r#"{"filter": {"network": "regtest"}, "limit": 1}"#,
        result: r#"{"assets": [{"recordId": "$record", "asset": {"assetId": "rgb:example", "schema": "NIA", "network": "regtest", "ticker": "TIDE", "name": "Tide", "precision": 2, "issuedSupply": "1000"}}], "cursor": null}"#,
    }];
    type Params = Question;
    type Result = Assets;

    async fn run(call: &Call, asked: Question) -> Result<Assets, Failure> {
        let tenant = reader(call, (asked.from.as_deref(), asked.tenant.as_deref())).await?;
        Ok(call.rgb.query_assets(&tenant, asked.filter, (asked.limit, asked.cursor)).await?)
    }
}

#[derive(Debug)]
pub struct Describe;

impl Method for Describe {
    const NAME: &'static str = "rgb.getAssetMetadata";
    const SUMMARY: &'static str = "Give an RGB asset with what else is known of it.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"assetId": "rgb:example"}"#,
        result: r#"{"recordId": "$record", "asset": {"assetId": "rgb:example", "schema": "NIA", "network": "regtest", "ticker": "TIDE", "name": "Tide", "precision": 2, "issuedSupply": "1000"}, "metadata": {"details": "Coins of the harbour."}}"#,
    }];
    type Params = OneAsset;
    type Result = Described;

    async fn run(call: &Call, one: OneAsset) -> Result<Described, Failure> {
        let tenant = reader(call, one.whose()).await?;
        Ok(call.rgb.get_asset_metadata(&tenant, &one.asset_id).await?)
    }
}

/// Which asset.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbOneAsset")]
pub struct OneAsset {
    pub asset_id: String,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose asset it is; the asker's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

impl OneAsset {
    pub(super) fn whose(&self) -> (Option<&str>, Option<&str>) {
        (self.from.as_deref(), self.tenant.as_deref())
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RgbAssetExists")]
pub struct Answer {
    pub exists: bool,
}

/// An asset to be stored.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RgbNewAsset")]
pub struct NewAsset {
    pub asset: Asset,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Which of the node's identities signs; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose asset it becomes; the signer's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Which assets.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RgbAssetQuestion")]
pub struct Question {
    /// Empty: all.
    pub filter: AssetFilter,
    /// At most so many: 100 if nothing is said, 1,000 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Place>,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose assets; the asker's if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}
