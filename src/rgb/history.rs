//! The history of an asset: its transfers, and what was noted beside them.

use super::{
    amount::Amount,
    hand::{Hand, New, Written},
    kept::{data, first, is, text},
    problem::Problem,
    storage::{Place, Rgb},
    things::{Happening, HistoryEntry, Kind, PROTOCOL},
    transfers::{Standing, told},
};
use crate::{
    dwn::{Cond, Direction, IndexValue, Select, record_id},
    node,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Entries of one page.
const PAGE_MAX: usize = 1000;

/// Which part of an asset's history is wanted.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// At most so many entries: 100 if nothing is said, 1,000 at most.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<Place>,
    /// The oldest first.
    pub ascending: bool,
}

/// A page of an asset's history.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RgbHistory")]
pub struct History {
    pub entries: Vec<Event>,
    /// Where the next page goes on, if there is one.
    pub cursor: Option<Place>,
}

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbHistorySource")]
pub enum Source {
    /// A transfer, as it stands now.
    Transfer,
    /// What somebody noted.
    Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbEvent")]
pub struct Event {
    pub record_id: String,
    pub source: Source,
    pub kind: Happening,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// Of a transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Standing>,
    /// recordId of the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// Of a conflict: the transfer that counts instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts_with: Option<String>,
    pub date: String,
}

impl Rgb {
    /// The history of an asset, in the order in which its records were made.
    pub async fn get_asset_history(&self, tenant: &str, asset: &str, past: Past) -> Result<History, Problem> {
        let paths = ["transfer", "history"].map(|path| IndexValue::String(path.into()));
        let mut filter =
            crate::dwn::Filter::from([is("protocol", PROTOCOL), is("method", "Write"), is("tag.assetId", asset)]);
        filter.insert("protocolPath".into(), Cond::OneOf(paths.into()));
        let select = Select {
            any_of: vec![filter],
            direction: if past.ascending { Direction::Ascending } else { Direction::Descending },
            limit: Some(past.limit.unwrap_or(100).clamp(1, PAGE_MAX)),
            after: past.cursor.map(Into::into),
            ..Select::default()
        };
        let (id, of_tenant) = (asset.to_owned(), tenant.to_owned());
        self.read(tenant, asset, move |lost, view| {
            let page = view.select(&select)?;
            if page.entries.is_empty() && first(view, "asset", &id)?.is_none() {
                return Err(Problem::no_asset(&id));
            }
            let mut entries = Vec::with_capacity(page.entries.len());
            for stored in &page.entries {
                let record_id = record_id(&stored.message).unwrap_or_default().to_owned();
                if text(&stored.message, "protocolPath") == "transfer" {
                    // One that cannot be read counts nowhere.
                    let Ok(told) = told(lost, view, &of_tenant, stored) else { continue };
                    entries.push(Event {
                        source: Source::Transfer,
                        kind: told.transfer.kind.into(),
                        amount: Some(told.transfer.amount),
                        status: Some(told.status),
                        transfer: Some(record_id.clone()),
                        txid: told.transfer.txid,
                        conflicts_with: told.conflicts_with,
                        date: told.date_created,
                        record_id,
                    });
                } else if let Some(noted) = data::<HistoryEntry>(view, stored)? {
                    entries.push(Event {
                        record_id,
                        source: Source::Entry,
                        kind: noted.kind,
                        amount: noted.amount,
                        status: None,
                        transfer: noted.transfer,
                        txid: noted.txid,
                        conflicts_with: None,
                        date: noted.date.unwrap_or_else(|| text(&stored.message, "dateCreated").to_owned()),
                    });
                }
            }
            Ok(History { entries, cursor: page.cursor.map(Into::into) })
        })
        .await
    }

    /// Notes what happened to an asset.
    pub async fn store_history_entry(&self, hand: &Hand, entry: HistoryEntry) -> Result<Written, Problem> {
        entry.check()?;
        let asset = entry.asset_id.clone();
        self.look(&hand.tenant, move |view| {
            first(view, "asset", &asset)?.map(drop).ok_or_else(|| Problem::no_asset(&asset))
        })
        .await?;
        let entry = HistoryEntry { date: Some(entry.date.unwrap_or_else(node::now)), ..entry };
        let new = New { path: "history", tags: Some(tags(&entry)), data: json!(entry), ..New::default() };
        hand.write(&self.node, new).await
    }
}

impl From<Kind> for Happening {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Issue => Self::Issue,
            Kind::Send => Self::Send,
            Kind::Receive => Self::Receive,
            Kind::Burn => Self::Burn,
        }
    }
}

fn tags(entry: &HistoryEntry) -> Map<String, Value> {
    let mut tags = Map::new();
    tags.insert("assetId".into(), json!(entry.asset_id));
    tags.insert("kind".into(), json!(entry.kind));
    tags.extend(entry.transfer.clone().map(|id| ("transfer".to_owned(), id.into())));
    tags.extend(entry.txid.clone().map(|txid| ("txid".to_owned(), txid.into())));
    tags
}
