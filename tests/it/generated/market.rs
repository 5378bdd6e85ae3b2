//! The records of https://toft.invalid/protocols/market, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingDataCredentialType {
    #[serde(rename = "education")]
    Education,
    #[serde(rename = "employment")]
    Employment,
    #[serde(rename = "financial")]
    Financial,
    #[serde(rename = "identity")]
    Identity,
    #[serde(rename = "health")]
    Health,
}

/// Offer of schema.org. The price is in the smallest unit.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingData {
    #[serde(rename = "credentialHash")]
    pub credential_hash: String,
    #[serde(rename = "credentialType")]
    pub credential_type: ListingDataCredentialType,
    pub decimals: i64,
    pub name: String,
    pub price: String,
    #[serde(rename = "priceCurrency")]
    pub price_currency: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingData {
    pub fn new(credential_hash: impl Into<String>, credential_type: ListingDataCredentialType, decimals: i64, name: impl Into<String>, price: impl Into<String>, price_currency: impl Into<String>) -> Self {
        Self { credential_hash: credential_hash.into(), credential_type, decimals, name: name.into(), price: price.into(), price_currency: price_currency.into(), category: None, cid: None, description: None, keywords: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingTagsCredentialType {
    #[serde(rename = "education")]
    Education,
    #[serde(rename = "employment")]
    Employment,
    #[serde(rename = "financial")]
    Financial,
    #[serde(rename = "identity")]
    Identity,
    #[serde(rename = "health")]
    Health,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingTagsStatus {
    #[serde(rename = "active")]
    Active,
    #[serde(rename = "sold")]
    Sold,
    #[serde(rename = "removed")]
    Removed,
    #[serde(rename = "disputed")]
    Disputed,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingTags {
    #[serde(rename = "credentialHash")]
    pub credential_hash: String,
    #[serde(rename = "credentialType")]
    pub credential_type: ListingTagsCredentialType,
    pub currency: String,
    pub price: String,
    pub status: ListingTagsStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
}

impl ListingTags {
    pub fn new(credential_hash: impl Into<String>, credential_type: ListingTagsCredentialType, currency: impl Into<String>, price: impl Into<String>, status: ListingTagsStatus) -> Self {
        Self { credential_hash: credential_hash.into(), credential_type, currency: currency.into(), price: price.into(), status, category: None, keywords: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingTagFilter {
    #[serde(rename = "credentialHash", skip_serializing_if = "Option::is_none")]
    pub credential_hash: Option<repo::TextFilter>,
    #[serde(rename = "credentialType", skip_serializing_if = "Option::is_none")]
    pub credential_type: Option<ListingTagsCredentialType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ListingTagsStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keywords: Option<repo::TextFilter>,
}

/// Records at listing
#[derive(Debug, Clone, Copy)]
pub struct Listing;

impl repo::Place for Listing {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/listing");
    type Data = ListingData;
    type Tags = ListingTags;
    type TagFilter = ListingTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Role of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingArbiterData {
    #[serde(rename = "startDate")]
    pub start_date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(rename = "roleName", default, skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingArbiterData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type ListingArbiterTags = repo::Tags;

pub type ListingArbiterTagFilter = repo::AnyTagFilter;

/// Records at listing/arbiter
#[derive(Debug, Clone, Copy)]
pub struct ListingArbiter;

impl repo::Place for ListingArbiter {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/arbiter";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/arbiter");
    type Data = ListingArbiterData;
    type Tags = ListingArbiterTags;
    type TagFilter = ListingArbiterTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingOfferDataStatus {
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "accepted")]
    Accepted,
    #[serde(rename = "rejected")]
    Rejected,
    #[serde(rename = "withdrawn")]
    Withdrawn,
}

/// Offer of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingOfferData {
    pub decimals: i64,
    pub price: String,
    #[serde(rename = "priceCurrency")]
    pub price_currency: String,
    pub status: ListingOfferDataStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(rename = "validThrough", default, skip_serializing_if = "Option::is_none")]
    pub valid_through: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingOfferData {
    pub fn new(decimals: i64, price: impl Into<String>, price_currency: impl Into<String>, status: ListingOfferDataStatus) -> Self {
        Self { decimals, price: price.into(), price_currency: price_currency.into(), status, description: None, valid_through: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingOfferTagsStatus {
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "accepted")]
    Accepted,
    #[serde(rename = "rejected")]
    Rejected,
    #[serde(rename = "withdrawn")]
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingOfferTags {
    pub currency: String,
    pub price: String,
    pub status: ListingOfferTagsStatus,
}

impl ListingOfferTags {
    pub fn new(currency: impl Into<String>, price: impl Into<String>, status: ListingOfferTagsStatus) -> Self {
        Self { currency: currency.into(), price: price.into(), status }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingOfferTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ListingOfferTagsStatus>,
}

/// Records at listing/offer
#[derive(Debug, Clone, Copy)]
pub struct ListingOffer;

impl repo::Place for ListingOffer {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/offer";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/offer");
    type Data = ListingOfferData;
    type Tags = ListingOfferTags;
    type TagFilter = ListingOfferTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Order of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseData {
    #[serde(rename = "credentialHash")]
    pub credential_hash: String,
    pub date: String,
    pub decimals: i64,
    pub price: String,
    #[serde(rename = "priceCurrency")]
    pub price_currency: String,
    pub seller: String,
    #[serde(rename = "transactionHash")]
    pub transaction_hash: String,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingPurchaseData {
    pub fn new(credential_hash: impl Into<String>, date: impl Into<String>, decimals: i64, price: impl Into<String>, price_currency: impl Into<String>, seller: impl Into<String>, transaction_hash: impl Into<String>) -> Self {
        Self { credential_hash: credential_hash.into(), date: date.into(), decimals, price: price.into(), price_currency: price_currency.into(), seller: seller.into(), transaction_hash: transaction_hash.into(), more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingPurchaseTagsStatus {
    #[serde(rename = "completed")]
    Completed,
    #[serde(rename = "disputed")]
    Disputed,
    #[serde(rename = "refunded")]
    Refunded,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseTags {
    #[serde(rename = "credentialHash")]
    pub credential_hash: String,
    pub currency: String,
    pub price: String,
    pub status: ListingPurchaseTagsStatus,
    #[serde(rename = "transactionHash")]
    pub transaction_hash: String,
}

impl ListingPurchaseTags {
    pub fn new(credential_hash: impl Into<String>, currency: impl Into<String>, price: impl Into<String>, status: ListingPurchaseTagsStatus, transaction_hash: impl Into<String>) -> Self {
        Self { credential_hash: credential_hash.into(), currency: currency.into(), price: price.into(), status, transaction_hash: transaction_hash.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseTagFilter {
    #[serde(rename = "credentialHash", skip_serializing_if = "Option::is_none")]
    pub credential_hash: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ListingPurchaseTagsStatus>,
    #[serde(rename = "transactionHash", skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<repo::TextFilter>,
}

/// Records at listing/purchase
#[derive(Debug, Clone, Copy)]
pub struct ListingPurchase;

impl repo::Place for ListingPurchase {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/purchase";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/purchase");
    type Data = ListingPurchaseData;
    type Tags = ListingPurchaseTags;
    type TagFilter = ListingPurchaseTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingPurchaseDeliveryDataKeyKty {
    #[serde(rename = "oct")]
    Oct,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDeliveryDataKey {
    pub k: String,
    pub kty: ListingPurchaseDeliveryDataKeyKty,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingPurchaseDeliveryDataKey {
    pub fn new(k: impl Into<String>, kty: ListingPurchaseDeliveryDataKeyKty) -> Self {
        Self { k: k.into(), kty, alg: None, more: repo::Members::new() }
    }
}

/// A JSON Web Key and what it opens.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDeliveryData {
    pub cid: String,
    pub key: ListingPurchaseDeliveryDataKey,
    #[serde(rename = "credentialHash", default, skip_serializing_if = "Option::is_none")]
    pub credential_hash: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingPurchaseDeliveryData {
    pub fn new(cid: impl Into<String>, key: ListingPurchaseDeliveryDataKey) -> Self {
        Self { cid: cid.into(), key, credential_hash: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDeliveryTags {
    #[serde(rename = "credentialHash")]
    pub credential_hash: String,
}

impl ListingPurchaseDeliveryTags {
    pub fn new(credential_hash: impl Into<String>) -> Self {
        Self { credential_hash: credential_hash.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDeliveryTagFilter {
    #[serde(rename = "credentialHash", skip_serializing_if = "Option::is_none")]
    pub credential_hash: Option<repo::TextFilter>,
}

/// Records at listing/purchase/delivery
#[derive(Debug, Clone, Copy)]
pub struct ListingPurchaseDelivery;

impl repo::Place for ListingPurchaseDelivery {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/purchase/delivery";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/delivery");
    type Data = ListingPurchaseDeliveryData;
    type Tags = ListingPurchaseDeliveryTags;
    type TagFilter = ListingPurchaseDeliveryTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingPurchaseDisputeDataReason {
    #[serde(rename = "undelivered")]
    Undelivered,
    #[serde(rename = "invalid")]
    Invalid,
    #[serde(rename = "misdescribed")]
    Misdescribed,
    #[serde(rename = "other")]
    Other,
}

/// Why the buyer disagrees
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeData {
    pub description: String,
    pub reason: ListingPurchaseDisputeDataReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingPurchaseDisputeData {
    pub fn new(description: impl Into<String>, reason: ListingPurchaseDisputeDataReason) -> Self {
        Self { description: description.into(), reason, claim: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingPurchaseDisputeTagsReason {
    #[serde(rename = "undelivered")]
    Undelivered,
    #[serde(rename = "invalid")]
    Invalid,
    #[serde(rename = "misdescribed")]
    Misdescribed,
    #[serde(rename = "other")]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingPurchaseDisputeTagsStatus {
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "reviewing")]
    Reviewing,
    #[serde(rename = "resolved")]
    Resolved,
    #[serde(rename = "withdrawn")]
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeTags {
    pub reason: ListingPurchaseDisputeTagsReason,
    pub status: ListingPurchaseDisputeTagsStatus,
}

impl ListingPurchaseDisputeTags {
    pub fn new(reason: ListingPurchaseDisputeTagsReason, status: ListingPurchaseDisputeTagsStatus) -> Self {
        Self { reason, status }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ListingPurchaseDisputeTagsReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ListingPurchaseDisputeTagsStatus>,
}

/// Records at listing/purchase/dispute
#[derive(Debug, Clone, Copy)]
pub struct ListingPurchaseDispute;

impl repo::Place for ListingPurchaseDispute {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/purchase/dispute";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/dispute");
    type Data = ListingPurchaseDisputeData;
    type Tags = ListingPurchaseDisputeTags;
    type TagFilter = ListingPurchaseDisputeTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type ListingPurchaseDisputeEvidenceData = repo::Blob;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingPurchaseDisputeEvidenceTagsKind {
    #[serde(rename = "screenshot")]
    Screenshot,
    #[serde(rename = "document")]
    Document,
    #[serde(rename = "receipt")]
    Receipt,
    #[serde(rename = "proof")]
    Proof,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeEvidenceTags {
    pub kind: ListingPurchaseDisputeEvidenceTagsKind,
}

impl ListingPurchaseDisputeEvidenceTags {
    pub fn new(kind: ListingPurchaseDisputeEvidenceTagsKind) -> Self {
        Self { kind }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeEvidenceTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ListingPurchaseDisputeEvidenceTagsKind>,
}

/// Records at listing/purchase/dispute/evidence
#[derive(Debug, Clone, Copy)]
pub struct ListingPurchaseDisputeEvidence;

impl repo::Place for ListingPurchaseDisputeEvidence {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/purchase/dispute/evidence";
    const SCHEMA: Option<&'static str> = None;
    type Data = ListingPurchaseDisputeEvidenceData;
    type Tags = ListingPurchaseDisputeEvidenceTags;
    type TagFilter = ListingPurchaseDisputeEvidenceTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingPurchaseDisputeRulingDataOutcome {
    #[serde(rename = "refund")]
    Refund,
    #[serde(rename = "release")]
    Release,
    #[serde(rename = "split")]
    Split,
    #[serde(rename = "dismissed")]
    Dismissed,
}

/// How the dispute was decided
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeRulingData {
    pub date: String,
    pub description: String,
    pub outcome: ListingPurchaseDisputeRulingDataOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingPurchaseDisputeRulingData {
    pub fn new(date: impl Into<String>, description: impl Into<String>, outcome: ListingPurchaseDisputeRulingDataOutcome) -> Self {
        Self { date: date.into(), description: description.into(), outcome, amount: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ListingPurchaseDisputeRulingTagsOutcome {
    #[serde(rename = "refund")]
    Refund,
    #[serde(rename = "release")]
    Release,
    #[serde(rename = "split")]
    Split,
    #[serde(rename = "dismissed")]
    Dismissed,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeRulingTags {
    pub outcome: ListingPurchaseDisputeRulingTagsOutcome,
}

impl ListingPurchaseDisputeRulingTags {
    pub fn new(outcome: ListingPurchaseDisputeRulingTagsOutcome) -> Self {
        Self { outcome }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeRulingTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ListingPurchaseDisputeRulingTagsOutcome>,
}

/// Records at listing/purchase/dispute/ruling
#[derive(Debug, Clone, Copy)]
pub struct ListingPurchaseDisputeRuling;

impl repo::Place for ListingPurchaseDisputeRuling {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/purchase/dispute/ruling";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/ruling");
    type Data = ListingPurchaseDisputeRulingData;
    type Tags = ListingPurchaseDisputeRulingTags;
    type TagFilter = ListingPurchaseDisputeRulingTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Note of ActivityStreams 2.0.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseDisputeStatementData {
    pub content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingPurchaseDisputeStatementData {
    pub fn new(content: impl Into<String>) -> Self {
        Self { content: content.into(), published: None, more: repo::Members::new() }
    }
}

pub type ListingPurchaseDisputeStatementTags = repo::Tags;

pub type ListingPurchaseDisputeStatementTagFilter = repo::AnyTagFilter;

/// Records at listing/purchase/dispute/statement
#[derive(Debug, Clone, Copy)]
pub struct ListingPurchaseDisputeStatement;

impl repo::Place for ListingPurchaseDisputeStatement {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/purchase/dispute/statement";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/statement");
    type Data = ListingPurchaseDisputeStatementData;
    type Tags = ListingPurchaseDisputeStatementTags;
    type TagFilter = ListingPurchaseDisputeStatementTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Review of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseReviewData {
    #[serde(rename = "reviewRating")]
    pub review_rating: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "reviewBody", default, skip_serializing_if = "Option::is_none")]
    pub review_body: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingPurchaseReviewData {
    pub fn new(review_rating: i64) -> Self {
        Self { review_rating, name: None, review_body: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseReviewTags {
    pub rating: i64,
}

impl ListingPurchaseReviewTags {
    pub fn new(rating: i64) -> Self {
        Self { rating }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseReviewTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<repo::NumberFilter<i64>>,
}

/// Records at listing/purchase/review
#[derive(Debug, Clone, Copy)]
pub struct ListingPurchaseReview;

impl repo::Place for ListingPurchaseReview {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/purchase/review";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/review");
    type Data = ListingPurchaseReviewData;
    type Tags = ListingPurchaseReviewTags;
    type TagFilter = ListingPurchaseReviewTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// That a royalty was paid
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseRoyaltyData {
    pub amount: String,
    pub currency: String,
    pub date: String,
    pub decimals: i64,
    pub payee: String,
    pub reference: String,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingPurchaseRoyaltyData {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, date: impl Into<String>, decimals: i64, payee: impl Into<String>, reference: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), date: date.into(), decimals, payee: payee.into(), reference: reference.into(), more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseRoyaltyTags {
    pub amount: String,
    pub currency: String,
    pub reference: String,
}

impl ListingPurchaseRoyaltyTags {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, reference: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), reference: reference.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingPurchaseRoyaltyTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<repo::TextFilter>,
}

/// Records at listing/purchase/royalty
#[derive(Debug, Clone, Copy)]
pub struct ListingPurchaseRoyalty;

impl repo::Place for ListingPurchaseRoyalty {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/purchase/royalty";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/royalty");
    type Data = ListingPurchaseRoyaltyData;
    type Tags = ListingPurchaseRoyaltyTags;
    type TagFilter = ListingPurchaseRoyaltyTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Duty of ODRL, with action compensate.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingRoyaltyTermsData {
    #[serde(rename = "basisPoints")]
    pub basis_points: i64,
    pub payee: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ListingRoyaltyTermsData {
    pub fn new(basis_points: i64, payee: impl Into<String>) -> Self {
        Self { basis_points, payee: payee.into(), description: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingRoyaltyTermsTags {
    #[serde(rename = "basisPoints")]
    pub basis_points: i64,
}

impl ListingRoyaltyTermsTags {
    pub fn new(basis_points: i64) -> Self {
        Self { basis_points }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ListingRoyaltyTermsTagFilter {
    #[serde(rename = "basisPoints", skip_serializing_if = "Option::is_none")]
    pub basis_points: Option<repo::NumberFilter<i64>>,
}

/// Records at listing/royaltyTerms
#[derive(Debug, Clone, Copy)]
pub struct ListingRoyaltyTerms;

impl repo::Place for ListingRoyaltyTerms {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "listing/royaltyTerms";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/royaltyTerms");
    type Data = ListingRoyaltyTermsData;
    type Tags = ListingRoyaltyTermsTags;
    type TagFilter = ListingRoyaltyTermsTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Concept of SKOS.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TaxonomyData {
    #[serde(rename = "inScheme")]
    pub in_scheme: String,
    pub notation: String,
    #[serde(rename = "prefLabel")]
    pub pref_label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broader: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TaxonomyData {
    pub fn new(in_scheme: impl Into<String>, notation: impl Into<String>, pref_label: impl Into<String>) -> Self {
        Self { in_scheme: in_scheme.into(), notation: notation.into(), pref_label: pref_label.into(), broader: None, definition: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TaxonomyTags {
    pub scheme: String,
    pub term: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broader: Option<String>,
}

impl TaxonomyTags {
    pub fn new(scheme: impl Into<String>, term: impl Into<String>) -> Self {
        Self { scheme: scheme.into(), term: term.into(), broader: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TaxonomyTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broader: Option<repo::TextFilter>,
}

/// Records at taxonomy
#[derive(Debug, Clone, Copy)]
pub struct Taxonomy;

impl repo::Place for Taxonomy {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/market";
    const PATH: &'static str = "taxonomy";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/market/taxonomy");
    type Data = TaxonomyData;
    type Tags = TaxonomyTags;
    type TagFilter = TaxonomyTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// All of its records.
#[derive(Debug, Clone)]
pub struct MarketProtocol {
    access: repo::Access,
}

impl MarketProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// listing
    pub fn listing(&self) -> repo::Records<Listing> {
        repo::Records::new(&self.access)
    }

    /// listing/arbiter
    pub fn listing_arbiter(&self) -> repo::Records<ListingArbiter> {
        repo::Records::new(&self.access)
    }

    /// listing/offer
    pub fn listing_offer(&self) -> repo::Records<ListingOffer> {
        repo::Records::new(&self.access)
    }

    /// listing/purchase
    pub fn listing_purchase(&self) -> repo::Records<ListingPurchase> {
        repo::Records::new(&self.access)
    }

    /// listing/purchase/delivery
    pub fn listing_purchase_delivery(&self) -> repo::Records<ListingPurchaseDelivery> {
        repo::Records::new(&self.access)
    }

    /// listing/purchase/dispute
    pub fn listing_purchase_dispute(&self) -> repo::Records<ListingPurchaseDispute> {
        repo::Records::new(&self.access)
    }

    /// listing/purchase/dispute/evidence
    pub fn listing_purchase_dispute_evidence(&self) -> repo::Records<ListingPurchaseDisputeEvidence> {
        repo::Records::new(&self.access)
    }

    /// listing/purchase/dispute/ruling
    pub fn listing_purchase_dispute_ruling(&self) -> repo::Records<ListingPurchaseDisputeRuling> {
        repo::Records::new(&self.access)
    }

    /// listing/purchase/dispute/statement
    pub fn listing_purchase_dispute_statement(&self) -> repo::Records<ListingPurchaseDisputeStatement> {
        repo::Records::new(&self.access)
    }

    /// listing/purchase/review
    pub fn listing_purchase_review(&self) -> repo::Records<ListingPurchaseReview> {
        repo::Records::new(&self.access)
    }

    /// listing/purchase/royalty
    pub fn listing_purchase_royalty(&self) -> repo::Records<ListingPurchaseRoyalty> {
        repo::Records::new(&self.access)
    }

    /// listing/royaltyTerms
    pub fn listing_royalty_terms(&self) -> repo::Records<ListingRoyaltyTerms> {
        repo::Records::new(&self.access)
    }

    /// taxonomy
    pub fn taxonomy(&self) -> repo::Records<Taxonomy> {
        repo::Records::new(&self.access)
    }
}
