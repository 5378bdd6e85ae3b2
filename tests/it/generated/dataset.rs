//! The records of https://toft.invalid/protocols/dataset, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

/// Role of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CuratorData {
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

impl CuratorData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type CuratorTags = repo::Tags;

pub type CuratorTagFilter = repo::AnyTagFilter;

/// Records at curator
#[derive(Debug, Clone, Copy)]
pub struct Curator;

impl repo::Place for Curator {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "curator";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/curator");
    type Data = CuratorData;
    type Tags = CuratorTags;
    type TagFilter = CuratorTagFilter;
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
pub enum DatasetDataAccessRights {
    #[serde(rename = "PUBLIC")]
    Public,
    #[serde(rename = "RESTRICTED")]
    Restricted,
    #[serde(rename = "NON_PUBLIC")]
    NonPublic,
}

/// Dataset of DCAT 3.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetData {
    #[serde(rename = "accessRights")]
    pub access_rights: DatasetDataAccessRights,
    pub description: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spatial: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporal: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theme: Option<Vec<String>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetData {
    pub fn new(access_rights: DatasetDataAccessRights, description: impl Into<String>, title: impl Into<String>) -> Self {
        Self { access_rights, description: description.into(), title: title.into(), issued: None, keyword: None, language: None, license: None, modified: None, publisher: None, spatial: None, temporal: None, theme: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum DatasetTagsAccessRights {
    #[serde(rename = "PUBLIC")]
    Public,
    #[serde(rename = "RESTRICTED")]
    Restricted,
    #[serde(rename = "NON_PUBLIC")]
    NonPublic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum DatasetTagsStatus {
    #[serde(rename = "draft")]
    Draft,
    #[serde(rename = "published")]
    Published,
    #[serde(rename = "deprecated")]
    Deprecated,
    #[serde(rename = "withdrawn")]
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetTags {
    #[serde(rename = "accessRights")]
    pub access_rights: DatasetTagsAccessRights,
    pub status: DatasetTagsStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theme: Option<Vec<String>>,
}

impl DatasetTags {
    pub fn new(access_rights: DatasetTagsAccessRights, status: DatasetTagsStatus) -> Self {
        Self { access_rights, status, keyword: None, license: None, theme: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetTagFilter {
    #[serde(rename = "accessRights", skip_serializing_if = "Option::is_none")]
    pub access_rights: Option<DatasetTagsAccessRights>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DatasetTagsStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyword: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<repo::TextFilter>,
}

/// Records at dataset
#[derive(Debug, Clone, Copy)]
pub struct Dataset;

impl repo::Place for Dataset {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/dataset");
    type Data = DatasetData;
    type Tags = DatasetTags;
    type TagFilter = DatasetTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Agreement of ODRL.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAccessGrantData {
    #[serde(rename = "startDate")]
    pub start_date: String,
    #[serde(rename = "dateExpires", default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Vec<std::collections::BTreeMap<String, repo::Json>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetAccessGrantData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), date_expires: None, permission: None, request: None, uid: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAccessGrantTags {
    #[serde(rename = "dateExpires", default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAccessGrantTagFilter {
    #[serde(rename = "dateExpires", skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<repo::TextFilter>,
}

/// Records at dataset/accessGrant
#[derive(Debug, Clone, Copy)]
pub struct DatasetAccessGrant;

impl repo::Place for DatasetAccessGrant {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset/accessGrant";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/accessGrant");
    type Data = DatasetAccessGrantData;
    type Tags = DatasetAccessGrantTags;
    type TagFilter = DatasetAccessGrantTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Why somebody asks for access
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAccessRequestData {
    pub purpose: String,
    #[serde(rename = "agreesTo", default, skip_serializing_if = "Option::is_none")]
    pub agrees_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetAccessRequestData {
    pub fn new(purpose: impl Into<String>) -> Self {
        Self { purpose: purpose.into(), agrees_to: None, organization: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum DatasetAccessRequestTagsStatus {
    #[serde(rename = "requested")]
    Requested,
    #[serde(rename = "approved")]
    Approved,
    #[serde(rename = "denied")]
    Denied,
    #[serde(rename = "withdrawn")]
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAccessRequestTags {
    pub status: DatasetAccessRequestTagsStatus,
}

impl DatasetAccessRequestTags {
    pub fn new(status: DatasetAccessRequestTagsStatus) -> Self {
        Self { status }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAccessRequestTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DatasetAccessRequestTagsStatus>,
}

/// Records at dataset/accessRequest
#[derive(Debug, Clone, Copy)]
pub struct DatasetAccessRequest;

impl repo::Place for DatasetAccessRequest {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset/accessRequest";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/accessRequest");
    type Data = DatasetAccessRequestData;
    type Tags = DatasetAccessRequestTags;
    type TagFilter = DatasetAccessRequestTagFilter;
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
pub enum DatasetAttestationDataClaim {
    #[serde(rename = "provenance")]
    Provenance,
    #[serde(rename = "quality")]
    Quality,
    #[serde(rename = "compliance")]
    Compliance,
    #[serde(rename = "reproducibility")]
    Reproducibility,
}

/// Annotation of data quality, as DQV of W3C has it.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAttestationData {
    pub claim: DatasetAttestationDataClaim,
    pub date: String,
    pub description: String,
    pub passed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetAttestationData {
    pub fn new(claim: DatasetAttestationDataClaim, date: impl Into<String>, description: impl Into<String>, passed: bool) -> Self {
        Self { claim, date: date.into(), description: description.into(), passed, evidence: None, version: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum DatasetAttestationTagsClaim {
    #[serde(rename = "provenance")]
    Provenance,
    #[serde(rename = "quality")]
    Quality,
    #[serde(rename = "compliance")]
    Compliance,
    #[serde(rename = "reproducibility")]
    Reproducibility,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAttestationTags {
    pub claim: DatasetAttestationTagsClaim,
    pub passed: bool,
}

impl DatasetAttestationTags {
    pub fn new(claim: DatasetAttestationTagsClaim, passed: bool) -> Self {
        Self { claim, passed }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetAttestationTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<DatasetAttestationTagsClaim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
}

/// Records at dataset/attestation
#[derive(Debug, Clone, Copy)]
pub struct DatasetAttestation;

impl repo::Place for DatasetAttestation {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset/attestation";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/attestation");
    type Data = DatasetAttestationData;
    type Tags = DatasetAttestationTags;
    type TagFilter = DatasetAttestationTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// citation of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetCitationData {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Vec<String>>,
    #[serde(rename = "datePublished", default, skip_serializing_if = "Option::is_none")]
    pub date_published: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetCitationData {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), author: None, date_published: None, identifier: None, url: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetCitationTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doi: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetCitationTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doi: Option<repo::TextFilter>,
}

/// Records at dataset/citation
#[derive(Debug, Clone, Copy)]
pub struct DatasetCitation;

impl repo::Place for DatasetCitation {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset/citation";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/citation");
    type Data = DatasetCitationData;
    type Tags = DatasetCitationTags;
    type TagFilter = DatasetCitationTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Offer of ODRL.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetLicenseData {
    pub permission: Vec<std::collections::BTreeMap<String, repo::Json>>,
    pub uid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obligation: Option<Vec<std::collections::BTreeMap<String, repo::Json>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prohibition: Option<Vec<std::collections::BTreeMap<String, repo::Json>>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetLicenseData {
    pub fn new(permission: Vec<std::collections::BTreeMap<String, repo::Json>>, uid: impl Into<String>) -> Self {
        Self { permission, uid: uid.into(), name: None, obligation: None, prohibition: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetLicenseTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spdx: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetLicenseTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spdx: Option<repo::TextFilter>,
}

/// Records at dataset/license
#[derive(Debug, Clone, Copy)]
pub struct DatasetLicense;

impl repo::Place for DatasetLicense {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset/license";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/license");
    type Data = DatasetLicenseData;
    type Tags = DatasetLicenseTags;
    type TagFilter = DatasetLicenseTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetVersionDataDistributionItem {
    #[serde(rename = "downloadURL")]
    pub download_url: String,
    #[serde(rename = "mediaType")]
    pub media_type: String,
    #[serde(rename = "byteSize", default, skip_serializing_if = "Option::is_none")]
    pub byte_size: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetVersionDataDistributionItem {
    pub fn new(download_url: impl Into<String>, media_type: impl Into<String>) -> Self {
        Self { download_url: download_url.into(), media_type: media_type.into(), byte_size: None, checksum: None, more: repo::Members::new() }
    }
}

/// Dataset of DCAT 3, as one version of it.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetVersionData {
    pub issued: String,
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Vec<DatasetVersionDataDistributionItem>>,
    #[serde(rename = "previousVersion", default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<String>,
    #[serde(rename = "versionNotes", default, skip_serializing_if = "Option::is_none")]
    pub version_notes: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetVersionData {
    pub fn new(issued: impl Into<String>, version: impl Into<String>) -> Self {
        Self { issued: issued.into(), version: version.into(), distribution: None, previous_version: None, version_notes: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetVersionTags {
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
}

impl DatasetVersionTags {
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into(), issued: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetVersionTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<repo::TextFilter>,
}

/// Records at dataset/version
#[derive(Debug, Clone, Copy)]
pub struct DatasetVersion;

impl repo::Place for DatasetVersion {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset/version";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/version");
    type Data = DatasetVersionData;
    type Tags = DatasetVersionTags;
    type TagFilter = DatasetVersionTagFilter;
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
pub enum DatasetVersionColumnsDataColumnsItemDatatype {
    #[serde(rename = "string")]
    String,
    #[serde(rename = "boolean")]
    Boolean,
    #[serde(rename = "integer")]
    Integer,
    #[serde(rename = "decimal")]
    Decimal,
    #[serde(rename = "double")]
    Double,
    #[serde(rename = "date")]
    Date,
    #[serde(rename = "dateTime")]
    DateTime,
    #[serde(rename = "time")]
    Time,
    #[serde(rename = "duration")]
    Duration,
    #[serde(rename = "anyURI")]
    AnyUri,
    #[serde(rename = "binary")]
    Binary,
    #[serde(rename = "json")]
    Json,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetVersionColumnsDataColumnsItem {
    pub datatype: DatasetVersionColumnsDataColumnsItemDatatype,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub titles: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetVersionColumnsDataColumnsItem {
    pub fn new(datatype: DatasetVersionColumnsDataColumnsItemDatatype, name: impl Into<String>) -> Self {
        Self { datatype, name: name.into(), description: None, required: None, titles: None, unit: None, more: repo::Members::new() }
    }
}

/// tableSchema of CSV on the Web.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetVersionColumnsData {
    pub columns: Vec<DatasetVersionColumnsDataColumnsItem>,
    #[serde(rename = "primaryKey", default, skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<Vec<String>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DatasetVersionColumnsData {
    pub fn new(columns: Vec<DatasetVersionColumnsDataColumnsItem>) -> Self {
        Self { columns, primary_key: None, more: repo::Members::new() }
    }
}

pub type DatasetVersionColumnsTags = repo::Tags;

pub type DatasetVersionColumnsTagFilter = repo::AnyTagFilter;

/// Records at dataset/version/columns
#[derive(Debug, Clone, Copy)]
pub struct DatasetVersionColumns;

impl repo::Place for DatasetVersionColumns {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset/version/columns";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/dataset/columns");
    type Data = DatasetVersionColumnsData;
    type Tags = DatasetVersionColumnsTags;
    type TagFilter = DatasetVersionColumnsTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type DatasetVersionDistributionData = repo::Blob;

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetVersionDistributionTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DatasetVersionDistributionTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<repo::TextFilter>,
}

/// Records at dataset/version/distribution
#[derive(Debug, Clone, Copy)]
pub struct DatasetVersionDistribution;

impl repo::Place for DatasetVersionDistribution {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/dataset";
    const PATH: &'static str = "dataset/version/distribution";
    const SCHEMA: Option<&'static str> = None;
    type Data = DatasetVersionDistributionData;
    type Tags = DatasetVersionDistributionTags;
    type TagFilter = DatasetVersionDistributionTagFilter;
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
pub struct DatasetProtocol {
    access: repo::Access,
}

impl DatasetProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// curator
    pub fn curator(&self) -> repo::Records<Curator> {
        repo::Records::new(&self.access)
    }

    /// dataset
    pub fn dataset(&self) -> repo::Records<Dataset> {
        repo::Records::new(&self.access)
    }

    /// dataset/accessGrant
    pub fn dataset_access_grant(&self) -> repo::Records<DatasetAccessGrant> {
        repo::Records::new(&self.access)
    }

    /// dataset/accessRequest
    pub fn dataset_access_request(&self) -> repo::Records<DatasetAccessRequest> {
        repo::Records::new(&self.access)
    }

    /// dataset/attestation
    pub fn dataset_attestation(&self) -> repo::Records<DatasetAttestation> {
        repo::Records::new(&self.access)
    }

    /// dataset/citation
    pub fn dataset_citation(&self) -> repo::Records<DatasetCitation> {
        repo::Records::new(&self.access)
    }

    /// dataset/license
    pub fn dataset_license(&self) -> repo::Records<DatasetLicense> {
        repo::Records::new(&self.access)
    }

    /// dataset/version
    pub fn dataset_version(&self) -> repo::Records<DatasetVersion> {
        repo::Records::new(&self.access)
    }

    /// dataset/version/columns
    pub fn dataset_version_columns(&self) -> repo::Records<DatasetVersionColumns> {
        repo::Records::new(&self.access)
    }

    /// dataset/version/distribution
    pub fn dataset_version_distribution(&self) -> repo::Records<DatasetVersionDistribution> {
        repo::Records::new(&self.access)
    }
}
