//! The records of https://toft.invalid/protocols/schema-registry, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

/// Role of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct MaintainerData {
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

impl MaintainerData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type MaintainerTags = repo::Tags;

pub type MaintainerTagFilter = repo::AnyTagFilter;

/// Records at maintainer
#[derive(Debug, Clone, Copy)]
pub struct Maintainer;

impl repo::Place for Maintainer {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/schema-registry";
    const PATH: &'static str = "maintainer";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/schema-registry/maintainer");
    type Data = MaintainerData;
    type Tags = MaintainerTags;
    type TagFilter = MaintainerTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// A kind of credential and what it is for
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaData {
    pub active: bool,
    pub description: String,
    #[serde(rename = "typeName")]
    pub type_name: String,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl SchemaData {
    pub fn new(active: bool, description: impl Into<String>, type_name: impl Into<String>) -> Self {
        Self { active, description: description.into(), type_name: type_name.into(), more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum SchemaTagsCategory {
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

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaTags {
    pub active: bool,
    #[serde(rename = "typeName")]
    pub type_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<SchemaTagsCategory>,
}

impl SchemaTags {
    pub fn new(active: bool, type_name: impl Into<String>) -> Self {
        Self { active, type_name: type_name.into(), category: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(rename = "typeName", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<SchemaTagsCategory>,
}

/// Records at schema
#[derive(Debug, Clone, Copy)]
pub struct Schema;

impl repo::Place for Schema {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/schema-registry";
    const PATH: &'static str = "schema";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/schema-registry/schema");
    type Data = SchemaData;
    type Tags = SchemaTags;
    type TagFilter = SchemaTagFilter;
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
pub enum SchemaVersionDataSchema {
    #[serde(rename = "https://json-schema.org/draft/2020-12/schema")]
    HttpsJsonSchemaOrgDraft202012Schema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum SchemaVersionDataType {
    #[serde(rename = "object")]
    Object,
}

/// A JSON Schema of draft 2020-12 that names itself.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaVersionData {
    #[serde(rename = "$id")]
    pub id: String,
    #[serde(rename = "$schema")]
    pub schema: SchemaVersionDataSchema,
    #[serde(rename = "type")]
    pub type_: SchemaVersionDataType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl SchemaVersionData {
    pub fn new(id: impl Into<String>, schema: SchemaVersionDataSchema, type_: SchemaVersionDataType) -> Self {
        Self { id: id.into(), schema, type_, properties: None, required: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaVersionTags {
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<String>,
}

impl SchemaVersionTags {
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into(), circuit: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaVersionTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<repo::TextFilter>,
}

/// Records at schema/version
#[derive(Debug, Clone, Copy)]
pub struct SchemaVersion;

impl repo::Place for SchemaVersion {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/schema-registry";
    const PATH: &'static str = "schema/version";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/schema-registry/version");
    type Data = SchemaVersionData;
    type Tags = SchemaVersionTags;
    type TagFilter = SchemaVersionTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/schema+json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type SchemaVersionCircuitData = repo::Blob;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum SchemaVersionCircuitTagsSystem {
    #[serde(rename = "groth16")]
    Groth16,
    #[serde(rename = "plonk")]
    Plonk,
    #[serde(rename = "halo2")]
    Halo2,
    #[serde(rename = "stark")]
    Stark,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaVersionCircuitTags {
    pub cid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SchemaVersionCircuitTagsSystem>,
}

impl SchemaVersionCircuitTags {
    pub fn new(cid: impl Into<String>) -> Self {
        Self { cid: cid.into(), system: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaVersionCircuitTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cid: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<SchemaVersionCircuitTagsSystem>,
}

/// Records at schema/version/circuit
#[derive(Debug, Clone, Copy)]
pub struct SchemaVersionCircuit;

impl repo::Place for SchemaVersionCircuit {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/schema-registry";
    const PATH: &'static str = "schema/version/circuit";
    const SCHEMA: Option<&'static str> = None;
    type Data = SchemaVersionCircuitData;
    type Tags = SchemaVersionCircuitTags;
    type TagFilter = SchemaVersionCircuitTagFilter;
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
pub enum SchemaVersionDeprecationDataReason {
    #[serde(rename = "superseded")]
    Superseded,
    #[serde(rename = "insecure")]
    Insecure,
    #[serde(rename = "unused")]
    Unused,
}

/// That the version should no longer be used
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaVersionDeprecationData {
    pub date: String,
    pub reason: SchemaVersionDeprecationDataReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(rename = "replacedBy", default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl SchemaVersionDeprecationData {
    pub fn new(date: impl Into<String>, reason: SchemaVersionDeprecationDataReason) -> Self {
        Self { date: date.into(), reason, description: None, replaced_by: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum SchemaVersionDeprecationTagsReason {
    #[serde(rename = "superseded")]
    Superseded,
    #[serde(rename = "insecure")]
    Insecure,
    #[serde(rename = "unused")]
    Unused,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaVersionDeprecationTags {
    pub reason: SchemaVersionDeprecationTagsReason,
    #[serde(rename = "replacedBy", default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

impl SchemaVersionDeprecationTags {
    pub fn new(reason: SchemaVersionDeprecationTagsReason) -> Self {
        Self { reason, replaced_by: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SchemaVersionDeprecationTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<SchemaVersionDeprecationTagsReason>,
    #[serde(rename = "replacedBy", skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<repo::TextFilter>,
}

/// Records at schema/version/deprecation
#[derive(Debug, Clone, Copy)]
pub struct SchemaVersionDeprecation;

impl repo::Place for SchemaVersionDeprecation {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/schema-registry";
    const PATH: &'static str = "schema/version/deprecation";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/schema-registry/deprecation");
    type Data = SchemaVersionDeprecationData;
    type Tags = SchemaVersionDeprecationTags;
    type TagFilter = SchemaVersionDeprecationTagFilter;
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
pub struct SchemaRegistryProtocol {
    access: repo::Access,
}

impl SchemaRegistryProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// maintainer
    pub fn maintainer(&self) -> repo::Records<Maintainer> {
        repo::Records::new(&self.access)
    }

    /// schema
    pub fn schema(&self) -> repo::Records<Schema> {
        repo::Records::new(&self.access)
    }

    /// schema/version
    pub fn schema_version(&self) -> repo::Records<SchemaVersion> {
        repo::Records::new(&self.access)
    }

    /// schema/version/circuit
    pub fn schema_version_circuit(&self) -> repo::Records<SchemaVersionCircuit> {
        repo::Records::new(&self.access)
    }

    /// schema/version/deprecation
    pub fn schema_version_deprecation(&self) -> repo::Records<SchemaVersionDeprecation> {
        repo::Records::new(&self.access)
    }
}
