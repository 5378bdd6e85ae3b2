//! The records of https://toft.invalid/protocols/metrics, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AggregateDataMetric {
    #[serde(rename = "listing_created")]
    ListingCreated,
    #[serde(rename = "purchase")]
    Purchase,
    #[serde(rename = "vouch")]
    Vouch,
    #[serde(rename = "slash")]
    Slash,
    #[serde(rename = "subscription")]
    Subscription,
    #[serde(rename = "content_view")]
    ContentView,
    #[serde(rename = "credential_issued")]
    CredentialIssued,
    #[serde(rename = "revenue")]
    Revenue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AggregateDataPeriod {
    #[serde(rename = "hour")]
    Hour,
    #[serde(rename = "day")]
    Day,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AggregateDataCredentialType {
    #[serde(rename = "all")]
    All,
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

/// No field names a person.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AggregateData {
    pub count: i64,
    pub date: String,
    pub metric: AggregateDataMetric,
    pub period: AggregateDataPeriod,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(rename = "credentialType", default, skip_serializing_if = "Option::is_none")]
    pub credential_type: Option<AggregateDataCredentialType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<i64>,
}

impl AggregateData {
    pub fn new(count: i64, date: impl Into<String>, metric: AggregateDataMetric, period: AggregateDataPeriod) -> Self {
        Self { count, date: date.into(), metric, period, amount: None, credential_type: None, currency: None, decimals: None, hour: None, unique: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AggregateTagsCredentialType {
    #[serde(rename = "all")]
    All,
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
pub enum AggregateTagsMetric {
    #[serde(rename = "listing_created")]
    ListingCreated,
    #[serde(rename = "purchase")]
    Purchase,
    #[serde(rename = "vouch")]
    Vouch,
    #[serde(rename = "slash")]
    Slash,
    #[serde(rename = "subscription")]
    Subscription,
    #[serde(rename = "content_view")]
    ContentView,
    #[serde(rename = "credential_issued")]
    CredentialIssued,
    #[serde(rename = "revenue")]
    Revenue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AggregateTagsPeriod {
    #[serde(rename = "hour")]
    Hour,
    #[serde(rename = "day")]
    Day,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AggregateTags {
    #[serde(rename = "credentialType")]
    pub credential_type: AggregateTagsCredentialType,
    pub date: String,
    pub metric: AggregateTagsMetric,
    pub period: AggregateTagsPeriod,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<i64>,
}

impl AggregateTags {
    pub fn new(credential_type: AggregateTagsCredentialType, date: impl Into<String>, metric: AggregateTagsMetric, period: AggregateTagsPeriod) -> Self {
        Self { credential_type, date: date.into(), metric, period, hour: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AggregateTagFilter {
    #[serde(rename = "credentialType", skip_serializing_if = "Option::is_none")]
    pub credential_type: Option<AggregateTagsCredentialType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<AggregateTagsMetric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<AggregateTagsPeriod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<repo::NumberFilter<i64>>,
}

/// Records at aggregate
#[derive(Debug, Clone, Copy)]
pub struct Aggregate;

impl repo::Place for Aggregate {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/metrics";
    const PATH: &'static str = "aggregate";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/metrics/aggregate");
    type Data = AggregateData;
    type Tags = AggregateTags;
    type TagFilter = AggregateTagFilter;
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
pub enum AlertDataSeverity {
    #[serde(rename = "info")]
    Info,
    #[serde(rename = "warning")]
    Warning,
    #[serde(rename = "critical")]
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AlertDataState {
    #[serde(rename = "active")]
    Active,
    #[serde(rename = "resolved")]
    Resolved,
}

/// Something that needs care
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AlertData {
    #[serde(rename = "dateRaised")]
    pub date_raised: String,
    pub description: String,
    pub rule: String,
    pub severity: AlertDataSeverity,
    pub state: AlertDataState,
    #[serde(rename = "dateResolved", default, skip_serializing_if = "Option::is_none")]
    pub date_resolved: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl AlertData {
    pub fn new(date_raised: impl Into<String>, description: impl Into<String>, rule: impl Into<String>, severity: AlertDataSeverity, state: AlertDataState) -> Self {
        Self { date_raised: date_raised.into(), description: description.into(), rule: rule.into(), severity, state, date_resolved: None, service: None, value: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AlertTagsSeverity {
    #[serde(rename = "info")]
    Info,
    #[serde(rename = "warning")]
    Warning,
    #[serde(rename = "critical")]
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum AlertTagsState {
    #[serde(rename = "active")]
    Active,
    #[serde(rename = "resolved")]
    Resolved,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AlertTags {
    pub rule: String,
    pub severity: AlertTagsSeverity,
    pub state: AlertTagsState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl AlertTags {
    pub fn new(rule: impl Into<String>, severity: AlertTagsSeverity, state: AlertTagsState) -> Self {
        Self { rule: rule.into(), severity, state, service: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AlertTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<AlertTagsSeverity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<AlertTagsState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<repo::TextFilter>,
}

/// Records at alert
#[derive(Debug, Clone, Copy)]
pub struct Alert;

impl repo::Place for Alert {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/metrics";
    const PATH: &'static str = "alert";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/metrics/alert");
    type Data = AlertData;
    type Tags = AlertTags;
    type TagFilter = AlertTagFilter;
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
pub struct OperatorData {
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

impl OperatorData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type OperatorTags = repo::Tags;

pub type OperatorTagFilter = repo::AnyTagFilter;

/// Records at operator
#[derive(Debug, Clone, Copy)]
pub struct Operator;

impl repo::Place for Operator {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/metrics";
    const PATH: &'static str = "operator";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/metrics/operator");
    type Data = OperatorData;
    type Tags = OperatorTags;
    type TagFilter = OperatorTagFilter;
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
pub struct MetricsProtocol {
    access: repo::Access,
}

impl MetricsProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// aggregate
    pub fn aggregate(&self) -> repo::Records<Aggregate> {
        repo::Records::new(&self.access)
    }

    /// alert
    pub fn alert(&self) -> repo::Records<Alert> {
        repo::Records::new(&self.access)
    }

    /// operator
    pub fn operator(&self) -> repo::Records<Operator> {
        repo::Records::new(&self.access)
    }
}
