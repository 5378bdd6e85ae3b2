//! The records of https://toft.invalid/protocols/governance, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

/// Role of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct MemberData {
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

impl MemberData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct MemberTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct MemberTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<repo::NumberFilter<i64>>,
}

/// Records at member
#[derive(Debug, Clone, Copy)]
pub struct Member;

impl repo::Place for Member {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/governance";
    const PATH: &'static str = "member";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/governance/member");
    type Data = MemberData;
    type Tags = MemberTags;
    type TagFilter = MemberTagFilter;
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
pub struct OfficerData {
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

impl OfficerData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type OfficerTags = repo::Tags;

pub type OfficerTagFilter = repo::AnyTagFilter;

/// Records at officer
#[derive(Debug, Clone, Copy)]
pub struct Officer;

impl repo::Place for Officer {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/governance";
    const PATH: &'static str = "officer";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/governance/officer");
    type Data = OfficerData;
    type Tags = OfficerTags;
    type TagFilter = OfficerTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// A value that votes decide
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ParameterData {
    pub key: String,
    pub value: repo::Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
}

impl ParameterData {
    pub fn new(key: impl Into<String>, value: repo::Json) -> Self {
        Self { key: key.into(), value, description: None, proposal: None }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ParameterTags {
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
}

impl ParameterTags {
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), proposal: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ParameterTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<repo::TextFilter>,
}

/// Records at parameter
#[derive(Debug, Clone, Copy)]
pub struct Parameter;

impl repo::Place for Parameter {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/governance";
    const PATH: &'static str = "parameter";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/governance/parameter");
    type Data = ParameterData;
    type Tags = ParameterTags;
    type TagFilter = ParameterTagFilter;
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
pub enum ProposalDataKind {
    #[serde(rename = "parameter")]
    Parameter,
    #[serde(rename = "stake")]
    Stake,
    #[serde(rename = "slash")]
    Slash,
    #[serde(rename = "upgrade")]
    Upgrade,
    #[serde(rename = "text")]
    Text,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalDataChange {
    pub key: String,
    pub value: repo::Json,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ProposalDataChange {
    pub fn new(key: impl Into<String>, value: repo::Json) -> Self {
        Self { key: key.into(), value, more: repo::Members::new() }
    }
}

/// What is to be decided
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalData {
    #[serde(rename = "dateCloses")]
    pub date_closes: String,
    #[serde(rename = "dateOpens")]
    pub date_opens: String,
    pub kind: ProposalDataKind,
    pub name: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ProposalDataChange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<i64>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ProposalData {
    pub fn new(date_closes: impl Into<String>, date_opens: impl Into<String>, kind: ProposalDataKind, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { date_closes: date_closes.into(), date_opens: date_opens.into(), kind, name: name.into(), text: text.into(), change: None, quorum: None, threshold: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ProposalTagsKind {
    #[serde(rename = "parameter")]
    Parameter,
    #[serde(rename = "stake")]
    Stake,
    #[serde(rename = "slash")]
    Slash,
    #[serde(rename = "upgrade")]
    Upgrade,
    #[serde(rename = "text")]
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ProposalTagsStatus {
    #[serde(rename = "draft")]
    Draft,
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "passed")]
    Passed,
    #[serde(rename = "rejected")]
    Rejected,
    #[serde(rename = "executed")]
    Executed,
    #[serde(rename = "cancelled")]
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalTags {
    pub kind: ProposalTagsKind,
    pub status: ProposalTagsStatus,
    #[serde(rename = "dateCloses", default, skip_serializing_if = "Option::is_none")]
    pub date_closes: Option<String>,
    #[serde(rename = "dateOpens", default, skip_serializing_if = "Option::is_none")]
    pub date_opens: Option<String>,
}

impl ProposalTags {
    pub fn new(kind: ProposalTagsKind, status: ProposalTagsStatus) -> Self {
        Self { kind, status, date_closes: None, date_opens: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProposalTagsKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProposalTagsStatus>,
    #[serde(rename = "dateCloses", skip_serializing_if = "Option::is_none")]
    pub date_closes: Option<repo::TextFilter>,
    #[serde(rename = "dateOpens", skip_serializing_if = "Option::is_none")]
    pub date_opens: Option<repo::TextFilter>,
}

/// Records at proposal
#[derive(Debug, Clone, Copy)]
pub struct Proposal;

impl repo::Place for Proposal {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/governance";
    const PATH: &'static str = "proposal";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/governance/proposal");
    type Data = ProposalData;
    type Tags = ProposalTags;
    type TagFilter = ProposalTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type ProposalAttachmentData = repo::Blob;

pub type ProposalAttachmentTags = repo::Tags;

pub type ProposalAttachmentTagFilter = repo::AnyTagFilter;

/// Records at proposal/attachment
#[derive(Debug, Clone, Copy)]
pub struct ProposalAttachment;

impl repo::Place for ProposalAttachment {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/governance";
    const PATH: &'static str = "proposal/attachment";
    const SCHEMA: Option<&'static str> = None;
    type Data = ProposalAttachmentData;
    type Tags = ProposalAttachmentTags;
    type TagFilter = ProposalAttachmentTagFilter;
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
pub enum ProposalBallotDataChoice {
    #[serde(rename = "for")]
    For,
    #[serde(rename = "against")]
    Against,
    #[serde(rename = "abstain")]
    Abstain,
}

/// VoteAction of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalBallotData {
    pub choice: ProposalBallotDataChoice,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ProposalBallotData {
    pub fn new(choice: ProposalBallotDataChoice) -> Self {
        Self { choice, reason: None, weight: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ProposalBallotTagsChoice {
    #[serde(rename = "for")]
    For,
    #[serde(rename = "against")]
    Against,
    #[serde(rename = "abstain")]
    Abstain,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalBallotTags {
    pub choice: ProposalBallotTagsChoice,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
}

impl ProposalBallotTags {
    pub fn new(choice: ProposalBallotTagsChoice) -> Self {
        Self { choice, weight: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalBallotTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<ProposalBallotTagsChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<repo::NumberFilter<i64>>,
}

/// Records at proposal/ballot
#[derive(Debug, Clone, Copy)]
pub struct ProposalBallot;

impl repo::Place for ProposalBallot {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/governance";
    const PATH: &'static str = "proposal/ballot";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/governance/ballot");
    type Data = ProposalBallotData;
    type Tags = ProposalBallotTags;
    type TagFilter = ProposalBallotTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// That the decision was carried out
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalExecutionData {
    pub date: String,
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    #[serde(rename = "transactionHash", default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ProposalExecutionData {
    pub fn new(date: impl Into<String>, description: impl Into<String>) -> Self {
        Self { date: date.into(), description: description.into(), parameter: None, transaction_hash: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalExecutionTags {
    #[serde(rename = "transactionHash", default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalExecutionTagFilter {
    #[serde(rename = "transactionHash", skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<repo::TextFilter>,
}

/// Records at proposal/execution
#[derive(Debug, Clone, Copy)]
pub struct ProposalExecution;

impl repo::Place for ProposalExecution {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/governance";
    const PATH: &'static str = "proposal/execution";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/governance/execution");
    type Data = ProposalExecutionData;
    type Tags = ProposalExecutionTags;
    type TagFilter = ProposalExecutionTagFilter;
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
pub enum ProposalResultDataOutcome {
    #[serde(rename = "passed")]
    Passed,
    #[serde(rename = "rejected")]
    Rejected,
    #[serde(rename = "noQuorum")]
    NoQuorum,
}

/// How the vote ended
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalResultData {
    pub abstain: i64,
    pub against: i64,
    pub ballots: Vec<String>,
    pub date: String,
    #[serde(rename = "for")]
    pub for_: i64,
    pub outcome: ProposalResultDataOutcome,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ProposalResultData {
    pub fn new(abstain: i64, against: i64, ballots: Vec<String>, date: impl Into<String>, for_: i64, outcome: ProposalResultDataOutcome) -> Self {
        Self { abstain, against, ballots, date: date.into(), for_, outcome, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ProposalResultTagsOutcome {
    #[serde(rename = "passed")]
    Passed,
    #[serde(rename = "rejected")]
    Rejected,
    #[serde(rename = "noQuorum")]
    NoQuorum,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalResultTags {
    pub abstain: i64,
    pub against: i64,
    #[serde(rename = "for")]
    pub for_: i64,
    pub outcome: ProposalResultTagsOutcome,
}

impl ProposalResultTags {
    pub fn new(abstain: i64, against: i64, for_: i64, outcome: ProposalResultTagsOutcome) -> Self {
        Self { abstain, against, for_, outcome }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProposalResultTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abstain: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<repo::NumberFilter<i64>>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ProposalResultTagsOutcome>,
}

/// Records at proposal/result
#[derive(Debug, Clone, Copy)]
pub struct ProposalResult;

impl repo::Place for ProposalResult {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/governance";
    const PATH: &'static str = "proposal/result";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/governance/result");
    type Data = ProposalResultData;
    type Tags = ProposalResultTags;
    type TagFilter = ProposalResultTagFilter;
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
pub struct GovernanceProtocol {
    access: repo::Access,
}

impl GovernanceProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// member
    pub fn member(&self) -> repo::Records<Member> {
        repo::Records::new(&self.access)
    }

    /// officer
    pub fn officer(&self) -> repo::Records<Officer> {
        repo::Records::new(&self.access)
    }

    /// parameter
    pub fn parameter(&self) -> repo::Records<Parameter> {
        repo::Records::new(&self.access)
    }

    /// proposal
    pub fn proposal(&self) -> repo::Records<Proposal> {
        repo::Records::new(&self.access)
    }

    /// proposal/attachment
    pub fn proposal_attachment(&self) -> repo::Records<ProposalAttachment> {
        repo::Records::new(&self.access)
    }

    /// proposal/ballot
    pub fn proposal_ballot(&self) -> repo::Records<ProposalBallot> {
        repo::Records::new(&self.access)
    }

    /// proposal/execution
    pub fn proposal_execution(&self) -> repo::Records<ProposalExecution> {
        repo::Records::new(&self.access)
    }

    /// proposal/result
    pub fn proposal_result(&self) -> repo::Records<ProposalResult> {
        repo::Records::new(&self.access)
    }
}
