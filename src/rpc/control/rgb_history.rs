//! Invoices and the past of RGB assets: `rgb.storeInvoice`, `rgb.getAssetHistory`, `rgb.storeHistoryEntry`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    rgb_acting::{PROBLEMS, reader, writer},
};
use crate::rgb::{History, HistoryEntry, Invoice, Past, Place, Written};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Bill>(), Entry::of::<Get>(), Entry::of::<Note>()];

#[derive(Debug)]
pub struct Bill;

impl Method for Bill {
    const NAME: &'static str = "rgb.storeInvoice";
    const SUMMARY: &'static str = "Store an invoice for an RGB asset, or a new state of one.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of five units",
        params: r#"{"invoice": {"assetId": "rgb:example", "invoice": "rgb:example/~/utxob:example", "amount": "5", "status": "open", "dateExpires": "2030-01-01T00:00:00.000000Z"}}"#,
        result: r#"{"recordId": "$record", "messageCid": "$record", "dataCid": "$data", "dateCreated": "2026-11-21T09:00:00.000000Z"}"#,
    }];
    type Params = NewInvoice;
    type Result = Written;

    async fn run(call: &Call, new: NewInvoice) -> Result<Written, Failure> {
        let hand = writer(call, (new.from.as_deref(), new.tenant.as_deref()), "invoice").await?;
        let which = (new.invoice_id.as_deref(), new.payer.as_deref());
        Ok(call.rgb.store_invoice(&hand, new.invoice, which).await?)
    }
}

#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const NAME: &'static str = "rgb.getAssetHistory";
    const SUMMARY: &'static str =
        "List what happened to an RGB asset: its transfers as they stand, and what was noted; the newest first.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "the newest",
        params: r#"{"assetId": "rgb:example", "limit": 1}"#,
        result: r#"{"entries": [{"recordId": "$record", "source": "transfer", "kind": "issue", "amount": "1000", "status": "settled", "transfer": "$record", "date": "2026-11-21T09:00:00.000000Z"}], "cursor": null}"#,
    }];
    type Params = Wanted;
    type Result = History;

    async fn run(call: &Call, wanted: Wanted) -> Result<History, Failure> {
        let tenant = reader(call, (wanted.from.as_deref(), wanted.tenant.as_deref())).await?;
        let Wanted { asset_id, limit, cursor, ascending, .. } = wanted;
        Ok(call.rgb.get_asset_history(&tenant, &asset_id, Past { limit, cursor, ascending }).await?)
    }
}

#[derive(Debug)]
pub struct Note;

impl Method for Note {
    const NAME: &'static str = "rgb.storeHistoryEntry";
    const SUMMARY: &'static str = "Note what happened to an RGB asset, beside what its transfers say.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "that it was issued",
        params: r#"{"entry": {"assetId": "rgb:example", "kind": "issue", "amount": "1000"}}"#,
        result: r#"{"recordId": "$record", "messageCid": "$record", "dataCid": "$data", "dateCreated": "2026-11-21T09:00:00.000000Z"}"#,
    }];
    type Params = NewEntry;
    type Result = Written;

    async fn run(call: &Call, new: NewEntry) -> Result<Written, Failure> {
        let hand = writer(call, (new.from.as_deref(), new.tenant.as_deref()), "history").await?;
        Ok(call.rgb.store_history_entry(&hand, new.entry).await?)
    }
}

/// An invoice to be stored.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbNewInvoice")]
pub struct NewInvoice {
    pub invoice: Invoice,
    /// Of the invoice that gets a new state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<String>,
    /// Of a new one: DID of who is asked to pay, and may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Which of the node's identities signs; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose invoice it becomes; the signer's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Whose past is wanted, and how much of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbHistoryQuestion")]
pub struct Wanted {
    pub asset_id: String,
    /// At most so many entries: 100 if nothing is said, 1,000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Place>,
    /// The oldest first.
    #[serde(default)]
    pub ascending: bool,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose asset it is; the asker's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Something to be noted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RgbNewEntry")]
pub struct NewEntry {
    pub entry: HistoryEntry,
    /// Which of the node's identities signs; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose asset it is; the signer's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}
