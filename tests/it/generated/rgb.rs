//! The records of https://toft.invalid/protocols/rgb, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AssetDataNetwork {
    #[serde(rename = "mainnet")]
    Mainnet,
    #[serde(rename = "testnet4")]
    Testnet4,
    #[serde(rename = "signet")]
    Signet,
    #[serde(rename = "regtest")]
    Regtest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AssetDataSchema {
    #[serde(rename = "NIA")]
    Nia,
    #[serde(rename = "UDA")]
    Uda,
    #[serde(rename = "CFA")]
    Cfa,
    #[serde(rename = "IFA")]
    Ifa,
}

/// An RGB asset
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AssetData {
    #[serde(rename = "assetId")]
    pub asset_id: String,
    #[serde(rename = "issuedSupply")]
    pub issued_supply: String,
    pub name: String,
    pub network: AssetDataNetwork,
    pub precision: i64,
    pub schema: AssetDataSchema,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticker: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl AssetData {
    pub fn new(asset_id: impl Into<String>, issued_supply: impl Into<String>, name: impl Into<String>, network: AssetDataNetwork, precision: i64, schema: AssetDataSchema) -> Self {
        Self { asset_id: asset_id.into(), issued_supply: issued_supply.into(), name: name.into(), network, precision, schema, contract: None, ticker: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AssetTagsNetwork {
    #[serde(rename = "mainnet")]
    Mainnet,
    #[serde(rename = "testnet4")]
    Testnet4,
    #[serde(rename = "signet")]
    Signet,
    #[serde(rename = "regtest")]
    Regtest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AssetTagsSchema {
    #[serde(rename = "NIA")]
    Nia,
    #[serde(rename = "UDA")]
    Uda,
    #[serde(rename = "CFA")]
    Cfa,
    #[serde(rename = "IFA")]
    Ifa,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AssetTags {
    #[serde(rename = "assetId")]
    pub asset_id: String,
    pub network: AssetTagsNetwork,
    pub schema: AssetTagsSchema,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticker: Option<String>,
}

impl AssetTags {
    pub fn new(asset_id: impl Into<String>, network: AssetTagsNetwork, schema: AssetTagsSchema) -> Self {
        Self { asset_id: asset_id.into(), network, schema, precision: None, ticker: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AssetTagFilter {
    #[serde(rename = "assetId", skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<AssetTagsNetwork>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<AssetTagsSchema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticker: Option<repo::TextFilter>,
}

/// Records at asset
#[derive(Debug, Clone, Copy)]
pub struct Asset;

impl repo::Place for Asset {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/rgb";
    const PATH: &'static str = "asset";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/rgb/asset");
    type Data = AssetData;
    type Tags = AssetTags;
    type TagFilter = AssetTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AssetMetadataDataMedia {
    pub cid: String,
    #[serde(rename = "type")]
    pub type_: String,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl AssetMetadataDataMedia {
    pub fn new(cid: impl Into<String>, type_: impl Into<String>) -> Self {
        Self { cid: cid.into(), type_: type_.into(), more: repo::Members::new() }
    }
}

/// What else is known of the asset
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AssetMetadataData {
    #[serde(rename = "assetId")]
    pub asset_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<AssetMetadataDataMedia>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl AssetMetadataData {
    pub fn new(asset_id: impl Into<String>) -> Self {
        Self { asset_id: asset_id.into(), details: None, media: None, terms: None, timestamp: None, more: repo::Members::new() }
    }
}

pub type AssetMetadataTags = repo::Tags;

pub type AssetMetadataTagFilter = repo::AnyTagFilter;

/// Records at asset/metadata
#[derive(Debug, Clone, Copy)]
pub struct AssetMetadata;

impl repo::Place for AssetMetadata {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/rgb";
    const PATH: &'static str = "asset/metadata";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/rgb/metadata");
    type Data = AssetMetadataData;
    type Tags = AssetMetadataTags;
    type TagFilter = AssetMetadataTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Derived from the transfers; the record is a copy of a moment.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct BalanceData {
    #[serde(rename = "asOf")]
    pub as_of: String,
    #[serde(rename = "assetId")]
    pub asset_id: String,
    pub future: String,
    pub settled: String,
    pub spendable: String,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl BalanceData {
    pub fn new(as_of: impl Into<String>, asset_id: impl Into<String>, future: impl Into<String>, settled: impl Into<String>, spendable: impl Into<String>) -> Self {
        Self { as_of: as_of.into(), asset_id: asset_id.into(), future: future.into(), settled: settled.into(), spendable: spendable.into(), more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct BalanceTags {
    #[serde(rename = "assetId")]
    pub asset_id: String,
}

impl BalanceTags {
    pub fn new(asset_id: impl Into<String>) -> Self {
        Self { asset_id: asset_id.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct BalanceTagFilter {
    #[serde(rename = "assetId", skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<repo::TextFilter>,
}

/// Records at balance
#[derive(Debug, Clone, Copy)]
pub struct Balance;

impl repo::Place for Balance {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/rgb";
    const PATH: &'static str = "balance";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/rgb/balance");
    type Data = BalanceData;
    type Tags = BalanceTags;
    type TagFilter = BalanceTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum HistoryDataKind {
    #[serde(rename = "issue")]
    Issue,
    #[serde(rename = "send")]
    Send,
    #[serde(rename = "receive")]
    Receive,
    #[serde(rename = "burn")]
    Burn,
    #[serde(rename = "invoice")]
    Invoice,
}

/// What happened to the asset
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct HistoryData {
    #[serde(rename = "assetId")]
    pub asset_id: String,
    pub date: String,
    pub kind: HistoryDataKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl HistoryData {
    pub fn new(asset_id: impl Into<String>, date: impl Into<String>, kind: HistoryDataKind) -> Self {
        Self { asset_id: asset_id.into(), date: date.into(), kind, amount: None, transfer: None, txid: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum HistoryTagsKind {
    #[serde(rename = "issue")]
    Issue,
    #[serde(rename = "send")]
    Send,
    #[serde(rename = "receive")]
    Receive,
    #[serde(rename = "burn")]
    Burn,
    #[serde(rename = "invoice")]
    Invoice,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct HistoryTags {
    #[serde(rename = "assetId")]
    pub asset_id: String,
    pub kind: HistoryTagsKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
}

impl HistoryTags {
    pub fn new(asset_id: impl Into<String>, kind: HistoryTagsKind) -> Self {
        Self { asset_id: asset_id.into(), kind, transfer: None, txid: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct HistoryTagFilter {
    #[serde(rename = "assetId", skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<HistoryTagsKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txid: Option<repo::TextFilter>,
}

/// Records at history
#[derive(Debug, Clone, Copy)]
pub struct History;

impl repo::Place for History {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/rgb";
    const PATH: &'static str = "history";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/rgb/history");
    type Data = HistoryData;
    type Tags = HistoryTags;
    type TagFilter = HistoryTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum InvoiceDataStatus {
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "paid")]
    Paid,
    #[serde(rename = "expired")]
    Expired,
    #[serde(rename = "cancelled")]
    Cancelled,
}

/// What is to be paid, and to what seal
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct InvoiceData {
    #[serde(rename = "assetId")]
    pub asset_id: String,
    pub invoice: String,
    pub status: InvoiceDataStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(rename = "dateExpires", default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<String>>,
    #[serde(rename = "recipientId", default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl InvoiceData {
    pub fn new(asset_id: impl Into<String>, invoice: impl Into<String>, status: InvoiceDataStatus) -> Self {
        Self { asset_id: asset_id.into(), invoice: invoice.into(), status, amount: None, date_expires: None, endpoints: None, recipient_id: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum InvoiceTagsStatus {
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "paid")]
    Paid,
    #[serde(rename = "expired")]
    Expired,
    #[serde(rename = "cancelled")]
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum InvoiceTagsNetwork {
    #[serde(rename = "mainnet")]
    Mainnet,
    #[serde(rename = "testnet4")]
    Testnet4,
    #[serde(rename = "signet")]
    Signet,
    #[serde(rename = "regtest")]
    Regtest,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct InvoiceTags {
    #[serde(rename = "assetId")]
    pub asset_id: String,
    pub status: InvoiceTagsStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(rename = "dateExpires", default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<InvoiceTagsNetwork>,
}

impl InvoiceTags {
    pub fn new(asset_id: impl Into<String>, status: InvoiceTagsStatus) -> Self {
        Self { asset_id: asset_id.into(), status, amount: None, date_expires: None, network: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct InvoiceTagFilter {
    #[serde(rename = "assetId", skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<InvoiceTagsStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<repo::TextFilter>,
    #[serde(rename = "dateExpires", skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<InvoiceTagsNetwork>,
}

/// Records at invoice
#[derive(Debug, Clone, Copy)]
pub struct Invoice;

impl repo::Place for Invoice {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/rgb";
    const PATH: &'static str = "invoice";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/rgb/invoice");
    type Data = InvoiceData;
    type Tags = InvoiceTags;
    type TagFilter = InvoiceTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum TransferDataKind {
    #[serde(rename = "send")]
    Send,
    #[serde(rename = "receive")]
    Receive,
    #[serde(rename = "issue")]
    Issue,
    #[serde(rename = "burn")]
    Burn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum TransferDataStatus {
    #[serde(rename = "waitingCounterparty")]
    WaitingCounterparty,
    #[serde(rename = "waitingConfirmations")]
    WaitingConfirmations,
    #[serde(rename = "settled")]
    Settled,
    #[serde(rename = "failed")]
    Failed,
}

/// Kind is told by who writes it. What somebody else wrote counts for a receiver who has written a state of it.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TransferData {
    pub amount: String,
    #[serde(rename = "assetId")]
    pub asset_id: String,
    pub kind: TransferDataKind,
    pub status: TransferDataStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consignment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    #[serde(rename = "recipientId", default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spends: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TransferData {
    pub fn new(amount: impl Into<String>, asset_id: impl Into<String>, kind: TransferDataKind, status: TransferDataStatus) -> Self {
        Self { amount: amount.into(), asset_id: asset_id.into(), kind, status, consignment: None, invoice: None, receiver: None, recipient_id: None, sender: None, spends: None, txid: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum TransferTagsKind {
    #[serde(rename = "send")]
    Send,
    #[serde(rename = "receive")]
    Receive,
    #[serde(rename = "issue")]
    Issue,
    #[serde(rename = "burn")]
    Burn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum TransferTagsStatus {
    #[serde(rename = "waitingCounterparty")]
    WaitingCounterparty,
    #[serde(rename = "waitingConfirmations")]
    WaitingConfirmations,
    #[serde(rename = "settled")]
    Settled,
    #[serde(rename = "failed")]
    Failed,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TransferTags {
    pub amount: String,
    #[serde(rename = "assetId")]
    pub asset_id: String,
    pub kind: TransferTagsKind,
    pub status: TransferTagsStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spends: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
}

impl TransferTags {
    pub fn new(amount: impl Into<String>, asset_id: impl Into<String>, kind: TransferTagsKind, status: TransferTagsStatus) -> Self {
        Self { amount: amount.into(), asset_id: asset_id.into(), kind, status, invoice: None, spends: None, txid: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TransferTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<repo::TextFilter>,
    #[serde(rename = "assetId", skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<TransferTagsKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<TransferTagsStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spends: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txid: Option<repo::TextFilter>,
}

/// Records at transfer
#[derive(Debug, Clone, Copy)]
pub struct Transfer;

impl repo::Place for Transfer {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/rgb";
    const PATH: &'static str = "transfer";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/rgb/transfer");
    type Data = TransferData;
    type Tags = TransferTags;
    type TagFilter = TransferTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Whether the receiver accepts the consignment
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TransferAcknowledgementData {
    pub accepted: bool,
    pub date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TransferAcknowledgementData {
    pub fn new(accepted: bool, date: impl Into<String>) -> Self {
        Self { accepted, date: date.into(), reason: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TransferAcknowledgementTags {
    pub accepted: bool,
}

impl TransferAcknowledgementTags {
    pub fn new(accepted: bool) -> Self {
        Self { accepted }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TransferAcknowledgementTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
}

/// Records at transfer/acknowledgement
#[derive(Debug, Clone, Copy)]
pub struct TransferAcknowledgement;

impl repo::Place for TransferAcknowledgement {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/rgb";
    const PATH: &'static str = "transfer/acknowledgement";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/rgb/acknowledgement");
    type Data = TransferAcknowledgementData;
    type Tags = TransferAcknowledgementTags;
    type TagFilter = TransferAcknowledgementTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type TransferConsignmentData = repo::Blob;

pub type TransferConsignmentTags = repo::Tags;

pub type TransferConsignmentTagFilter = repo::AnyTagFilter;

/// Records at transfer/consignment
#[derive(Debug, Clone, Copy)]
pub struct TransferConsignment;

impl repo::Place for TransferConsignment {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/rgb";
    const PATH: &'static str = "transfer/consignment";
    const SCHEMA: Option<&'static str> = None;
    type Data = TransferConsignmentData;
    type Tags = TransferConsignmentTags;
    type TagFilter = TransferConsignmentTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

/// All of its records.
#[derive(Debug, Clone)]
pub struct RgbProtocol {
    access: repo::Access,
}

impl RgbProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// asset
    pub fn asset(&self) -> repo::Records<Asset> {
        repo::Records::new(&self.access)
    }

    /// asset/metadata
    pub fn asset_metadata(&self) -> repo::Records<AssetMetadata> {
        repo::Records::new(&self.access)
    }

    /// balance
    pub fn balance(&self) -> repo::Records<Balance> {
        repo::Records::new(&self.access)
    }

    /// history
    pub fn history(&self) -> repo::Records<History> {
        repo::Records::new(&self.access)
    }

    /// invoice
    pub fn invoice(&self) -> repo::Records<Invoice> {
        repo::Records::new(&self.access)
    }

    /// transfer
    pub fn transfer(&self) -> repo::Records<Transfer> {
        repo::Records::new(&self.access)
    }

    /// transfer/acknowledgement
    pub fn transfer_acknowledgement(&self) -> repo::Records<TransferAcknowledgement> {
        repo::Records::new(&self.access)
    }

    /// transfer/consignment
    pub fn transfer_consignment(&self) -> repo::Records<TransferConsignment> {
        repo::Records::new(&self.access)
    }
}
