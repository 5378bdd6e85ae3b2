//! Assets: is it here, store it, look for some, what is known of one.

use super::{
    hand::{Hand, New, Written},
    kept::{data, first, is, text as text_of},
    problem::Problem,
    storage::{Place, Rgb, to_the_end},
    things::{Asset, Metadata, Network, PROTOCOL, Schema},
};
use crate::{
    dwn::{Cond, Direction, Filter, IndexValue, Select, Stored, View, record_id},
    foreign::shown,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Assets of one page.
const PAGE_MAX: usize = 1000;

/// Which assets are wanted: those that fit all that is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "RgbAssetFilter")]
pub struct AssetFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<String>,
}

/// Assets in the order in which they were stored, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RgbAssets")]
pub struct Assets {
    pub assets: Vec<Found>,
    /// Where the next page goes on, if there is one.
    pub cursor: Option<Place>,
}

/// An asset that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbFoundAsset")]
pub struct Found {
    pub record_id: String,
    pub asset: Asset,
}

/// An asset with what else is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbDescribedAsset")]
pub struct Described {
    pub record_id: String,
    pub asset: Asset,
    pub metadata: Option<Metadata>,
}

impl Rgb {
    /// Is the asset kept here?
    pub async fn asset_exists(&self, tenant: &str, asset: &str) -> Result<bool, Problem> {
        let asset = asset.to_owned();
        self.look(tenant, move |view| Ok(first(view, "asset", &asset)?.is_some())).await
    }

    /// Stores an asset and, if it is given, what else is known of it. One that is kept already is told again if it is the same.
    pub async fn store_asset(&self, hand: &Hand, asset: Asset, metadata: Option<Metadata>) -> Result<Written, Problem> {
        asset.check()?;
        metadata.as_ref().map_or(Ok(()), Metadata::check)?;
        let (this, hand) = (self.clone(), hand.clone());
        to_the_end(async move { this.put_asset(&hand, asset, metadata).await }).await
    }

    async fn put_asset(&self, hand: &Hand, asset: Asset, metadata: Option<Metadata>) -> Result<Written, Problem> {
        let _one = self.locks.of(&hand.tenant, &asset.asset_id).await;
        let id = asset.asset_id.clone();
        let kept = self.look(&hand.tenant, move |view| {
            let Some(stored) = first(view, "asset", &id)? else { return Ok(None) };
            let (kept, more) = (data::<Asset>(view, &stored)?, described(view, &stored)?);
            Ok(Some((stored, kept, more.map(|(_, metadata)| metadata))))
        });
        let (written, context, is_described) = match kept.await? {
            Some((stored, kept, more)) => {
                if kept.as_ref() != Some(&asset) {
                    let text = format!(
                        "another asset is kept under the name {}: what an asset is does not change; its record is {}",
                        shown(&asset.asset_id),
                        record_id(&stored.message).unwrap_or_default()
                    );
                    return Err(Problem::Conflict(text));
                }
                (of(&stored), context(&stored), more.is_some())
            }
            None => {
                let written = hand.write(
                    &self.node,
                    New { path: "asset", tags: Some(tags(&asset)), data: json!(asset), ..New::default() },
                );
                let written = written.await?;
                let context = written.record_id.clone();
                (written, context, false)
            }
        };
        // The second of two records: who is cut short between them calls again.
        if let Some(metadata) = metadata.filter(|_| !is_described) {
            let mut data = json!(metadata);
            data["assetId"] = asset.asset_id.into();
            let new = New { path: "asset/metadata", parent_context: Some(&context), data, ..New::default() };
            hand.write(&self.node, new).await?;
        }
        Ok(written)
    }

    /// Looks for assets.
    pub async fn query_assets(
        &self,
        tenant: &str,
        filter: AssetFilter,
        (limit, after): (Option<usize>, Option<Place>),
    ) -> Result<Assets, Problem> {
        let select = Select {
            any_of: vec![filter.conditions()],
            direction: Direction::Descending,
            limit: Some(limit.unwrap_or(100).clamp(1, PAGE_MAX)),
            after: after.map(Into::into),
            ..Select::default()
        };
        self.look(tenant, move |view| {
            let page = view.select(&select)?;
            let mut assets = Vec::with_capacity(page.entries.len());
            for stored in page.entries {
                // What is none by its data is none.
                let Some(asset) = data(view, &stored)? else { continue };
                assets.push(Found { record_id: record_id(&stored.message).unwrap_or_default().to_owned(), asset });
            }
            Ok(Assets { assets, cursor: page.cursor.map(Into::into) })
        })
        .await
    }

    /// An asset with what else is known of it.
    pub async fn get_asset_metadata(&self, tenant: &str, asset: &str) -> Result<Described, Problem> {
        let id = asset.to_owned();
        self.look(tenant, move |view| {
            let stored = first(view, "asset", &id)?.ok_or_else(|| Problem::no_asset(&id))?;
            let asset = data(view, &stored)?.ok_or_else(|| {
                Problem::NotFound(format!("the data of the asset {} is not as its schema says", shown(&id)))
            })?;
            let metadata = described(view, &stored)?.map(|(_, metadata)| metadata);
            Ok(Described { record_id: record_id(&stored.message).unwrap_or_default().to_owned(), asset, metadata })
        })
        .await
    }
}

impl AssetFilter {
    fn conditions(self) -> Filter {
        let mut filter: Filter = [is("protocol", PROTOCOL), is("protocolPath", "asset"), is("method", "Write")].into();
        let name = |value: Value| value.as_str().map(str::to_owned);
        let texts = [
            ("tag.assetId", self.asset_id),
            ("tag.ticker", self.ticker),
            ("tag.schema", self.schema.and_then(|schema| name(json!(schema)))),
            ("tag.network", self.network.and_then(|network| name(json!(network)))),
        ];
        for (tag, value) in texts {
            filter.extend(value.map(|value| is(tag, &value)));
        }
        let precision = self.precision.map(|digits| Cond::Equal(IndexValue::Number(digits.into())));
        filter.extend(precision.map(|cond| ("tag.precision".to_owned(), cond)));
        filter
    }
}

/// What an asset is found by.
fn tags(asset: &Asset) -> Map<String, Value> {
    let mut tags = Map::new();
    tags.insert("assetId".into(), json!(asset.asset_id));
    tags.insert("schema".into(), json!(asset.schema));
    tags.insert("network".into(), json!(asset.network));
    tags.insert("precision".into(), json!(asset.precision));
    tags.extend(asset.ticker.clone().map(|ticker| ("ticker".to_owned(), ticker.into())));
    tags
}

/// What else is known of the asset of this record: the newest that says so.
fn described(view: &dyn View, asset: &Stored) -> Result<Option<(Stored, Metadata)>, Problem> {
    let parent = record_id(&asset.message).unwrap_or_default();
    let filter =
        [is("protocol", PROTOCOL), is("protocolPath", "asset/metadata"), is("parentId", parent), is("method", "Write")];
    let select =
        Select { any_of: vec![filter.into()], direction: Direction::Descending, limit: Some(1), ..Select::default() };
    let Some(stored) = view.select(&select)?.entries.into_iter().next() else { return Ok(None) };
    // It names the asset too, which is said already.
    let said: Option<Map<String, Value>> = data(view, &stored)?;
    let metadata = said.and_then(|mut said| {
        said.remove("assetId");
        serde_json::from_value(said.into()).ok()
    });
    Ok(metadata.map(|metadata| (stored, metadata)))
}

fn context(stored: &Stored) -> String {
    stored.message.get("contextId").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The record of this state, as it was written.
fn of(stored: &Stored) -> Written {
    let text = |name| text_of(&stored.message, name).to_owned();
    Written {
        record_id: record_id(&stored.message).unwrap_or_default().to_owned(),
        message_cid: stored.cid.to_string(),
        data_cid: text("dataCid"),
        date_created: text("dateCreated"),
    }
}
