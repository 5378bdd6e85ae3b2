//! The records of https://toft.invalid/protocols/trust, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

/// Rating of schema.org. A claim, no truth: the method says how to compute it again.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ClaimData {
    #[serde(rename = "asOf")]
    pub as_of: String,
    pub method: String,
    #[serde(rename = "ratingValue")]
    pub rating_value: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Vec<String>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ClaimData {
    pub fn new(as_of: impl Into<String>, method: impl Into<String>, rating_value: i64) -> Self {
        Self { as_of: as_of.into(), method: method.into(), rating_value, inputs: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ClaimTags {
    pub method: String,
    pub score: i64,
}

impl ClaimTags {
    pub fn new(method: impl Into<String>, score: i64) -> Self {
        Self { method: method.into(), score }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ClaimTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<repo::NumberFilter<i64>>,
}

/// Records at claim
#[derive(Debug, Clone, Copy)]
pub struct Claim;

impl repo::Place for Claim {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/trust";
    const PATH: &'static str = "claim";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/trust/claim");
    type Data = ClaimData;
    type Tags = ClaimTags;
    type TagFilter = ClaimTagFilter;
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
pub struct GovernorData {
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

impl GovernorData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type GovernorTags = repo::Tags;

pub type GovernorTagFilter = repo::AnyTagFilter;

/// Records at governor
#[derive(Debug, Clone, Copy)]
pub struct Governor;

impl repo::Place for Governor {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/trust";
    const PATH: &'static str = "governor";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/trust/governor");
    type Data = GovernorData;
    type Tags = GovernorTags;
    type TagFilter = GovernorTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Flag of ActivityStreams 2.0.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ReportData {
    pub content: String,
    pub object: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ReportData {
    pub fn new(content: impl Into<String>, object: impl Into<String>) -> Self {
        Self { content: content.into(), object: object.into(), published: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ReportTagsStatus {
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "dismissed")]
    Dismissed,
    #[serde(rename = "upheld")]
    Upheld,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ReportTags {
    pub status: ReportTagsStatus,
}

impl ReportTags {
    pub fn new(status: ReportTagsStatus) -> Self {
        Self { status }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ReportTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ReportTagsStatus>,
}

/// Records at report
#[derive(Debug, Clone, Copy)]
pub struct Report;

impl repo::Place for Report {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/trust";
    const PATH: &'static str = "report";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/trust/report");
    type Data = ReportData;
    type Tags = ReportTags;
    type TagFilter = ReportTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type ReportEvidenceData = repo::Blob;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ReportEvidenceTagsKind {
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
pub struct ReportEvidenceTags {
    pub kind: ReportEvidenceTagsKind,
}

impl ReportEvidenceTags {
    pub fn new(kind: ReportEvidenceTagsKind) -> Self {
        Self { kind }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ReportEvidenceTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ReportEvidenceTagsKind>,
}

/// Records at report/evidence
#[derive(Debug, Clone, Copy)]
pub struct ReportEvidence;

impl repo::Place for ReportEvidence {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/trust";
    const PATH: &'static str = "report/evidence";
    const SCHEMA: Option<&'static str> = None;
    type Data = ReportEvidenceData;
    type Tags = ReportEvidenceTags;
    type TagFilter = ReportEvidenceTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

/// That the author stands for the recipient
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchData {
    pub currency: String,
    pub decimals: i64,
    pub stake: String,
    #[serde(rename = "transactionHash")]
    pub transaction_hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl VouchData {
    pub fn new(currency: impl Into<String>, decimals: i64, stake: impl Into<String>, transaction_hash: impl Into<String>) -> Self {
        Self { currency: currency.into(), decimals, stake: stake.into(), transaction_hash: transaction_hash.into(), description: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum VouchTagsStatus {
    #[serde(rename = "active")]
    Active,
    #[serde(rename = "slashed")]
    Slashed,
    #[serde(rename = "withdrawn")]
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchTags {
    pub currency: String,
    pub stake: String,
    pub status: VouchTagsStatus,
    #[serde(rename = "transactionHash")]
    pub transaction_hash: String,
}

impl VouchTags {
    pub fn new(currency: impl Into<String>, stake: impl Into<String>, status: VouchTagsStatus, transaction_hash: impl Into<String>) -> Self {
        Self { currency: currency.into(), stake: stake.into(), status, transaction_hash: transaction_hash.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stake: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<VouchTagsStatus>,
    #[serde(rename = "transactionHash", skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<repo::TextFilter>,
}

/// Records at vouch
#[derive(Debug, Clone, Copy)]
pub struct Vouch;

impl repo::Place for Vouch {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/trust";
    const PATH: &'static str = "vouch";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/trust/vouch");
    type Data = VouchData;
    type Tags = VouchTags;
    type TagFilter = VouchTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// That a stake was taken
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchSlashData {
    pub amount: String,
    pub currency: String,
    pub date: String,
    pub decimals: i64,
    pub proposal: String,
    pub reason: String,
    #[serde(rename = "transactionHash")]
    pub transaction_hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl VouchSlashData {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, date: impl Into<String>, decimals: i64, proposal: impl Into<String>, reason: impl Into<String>, transaction_hash: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), date: date.into(), decimals, proposal: proposal.into(), reason: reason.into(), transaction_hash: transaction_hash.into(), evidence: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchSlashTags {
    pub amount: String,
    pub currency: String,
    pub proposal: String,
    #[serde(rename = "transactionHash")]
    pub transaction_hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl VouchSlashTags {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, proposal: impl Into<String>, transaction_hash: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), proposal: proposal.into(), transaction_hash: transaction_hash.into(), evidence: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchSlashTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<repo::TextFilter>,
    #[serde(rename = "transactionHash", skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<repo::TextFilter>,
}

/// Records at vouch/slash
#[derive(Debug, Clone, Copy)]
pub struct VouchSlash;

impl repo::Place for VouchSlash {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/trust";
    const PATH: &'static str = "vouch/slash";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/trust/slash");
    type Data = VouchSlashData;
    type Tags = VouchSlashTags;
    type TagFilter = VouchSlashTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// That the author no longer vouches
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchWithdrawData {
    pub date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(rename = "transactionHash", default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl VouchWithdrawData {
    pub fn new(date: impl Into<String>) -> Self {
        Self { date: date.into(), reason: None, transaction_hash: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchWithdrawTags {
    #[serde(rename = "transactionHash", default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct VouchWithdrawTagFilter {
    #[serde(rename = "transactionHash", skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<repo::TextFilter>,
}

/// Records at vouch/withdraw
#[derive(Debug, Clone, Copy)]
pub struct VouchWithdraw;

impl repo::Place for VouchWithdraw {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/trust";
    const PATH: &'static str = "vouch/withdraw";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/trust/withdraw");
    type Data = VouchWithdrawData;
    type Tags = VouchWithdrawTags;
    type TagFilter = VouchWithdrawTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// All of its records.
#[derive(Debug, Clone)]
pub struct TrustProtocol {
    access: repo::Access,
}

impl TrustProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// claim
    pub fn claim(&self) -> repo::Records<Claim> {
        repo::Records::new(&self.access)
    }

    /// governor
    pub fn governor(&self) -> repo::Records<Governor> {
        repo::Records::new(&self.access)
    }

    /// report
    pub fn report(&self) -> repo::Records<Report> {
        repo::Records::new(&self.access)
    }

    /// report/evidence
    pub fn report_evidence(&self) -> repo::Records<ReportEvidence> {
        repo::Records::new(&self.access)
    }

    /// vouch
    pub fn vouch(&self) -> repo::Records<Vouch> {
        repo::Records::new(&self.access)
    }

    /// vouch/slash
    pub fn vouch_slash(&self) -> repo::Records<VouchSlash> {
        repo::Records::new(&self.access)
    }

    /// vouch/withdraw
    pub fn vouch_withdraw(&self) -> repo::Records<VouchWithdraw> {
        repo::Records::new(&self.access)
    }
}
