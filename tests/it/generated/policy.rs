//! The records of https://toft.invalid/protocols/policy, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PolicyDataPathsValueData {
    Object(std::collections::BTreeMap<String, repo::Json>),
    Flag(bool),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyDataPathsValueExpiresObject {
    pub at: String,
}

impl PolicyDataPathsValueExpiresObject {
    pub fn new(at: impl Into<String>) -> Self {
        Self { at: at.into() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PolicyDataPathsValueExpiresObject2After {
    Text(String),
    Integer(i64),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyDataPathsValueExpiresObject2 {
    pub after: PolicyDataPathsValueExpiresObject2After,
}

impl PolicyDataPathsValueExpiresObject2 {
    pub fn new(after: PolicyDataPathsValueExpiresObject2After) -> Self {
        Self { after }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PolicyDataPathsValueExpires {
    Object(PolicyDataPathsValueExpiresObject),
    Object2(PolicyDataPathsValueExpiresObject2),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PolicyDataPathsValueTransitionsItemMovesItemFromItem {
    Text(String),
    Flag(bool),
    Number(f64),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PolicyDataPathsValueTransitionsItemMovesItemToItem {
    Text(String),
    Flag(bool),
    Number(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum PolicyDataPathsValueTransitionsItemMovesItemByItemWho {
    #[serde(rename = "anyone")]
    Anyone,
    #[serde(rename = "author")]
    Author,
    #[serde(rename = "recipient")]
    Recipient,
    #[serde(rename = "tenant")]
    Tenant,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyDataPathsValueTransitionsItemMovesItemByItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<PolicyDataPathsValueTransitionsItemMovesItemByItemWho>,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyDataPathsValueTransitionsItemMovesItem {
    pub from: Vec<PolicyDataPathsValueTransitionsItemMovesItemFromItem>,
    pub to: Vec<PolicyDataPathsValueTransitionsItemMovesItemToItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Vec<PolicyDataPathsValueTransitionsItemMovesItemByItem>>,
}

impl PolicyDataPathsValueTransitionsItemMovesItem {
    pub fn new(from: Vec<PolicyDataPathsValueTransitionsItemMovesItemFromItem>, to: Vec<PolicyDataPathsValueTransitionsItemMovesItemToItem>) -> Self {
        Self { from, to, by: None }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PolicyDataPathsValueTransitionsItemStartItem {
    Text(String),
    Flag(bool),
    Number(f64),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyDataPathsValueTransitionsItem {
    pub moves: Vec<PolicyDataPathsValueTransitionsItemMovesItem>,
    pub tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Vec<PolicyDataPathsValueTransitionsItemStartItem>>,
}

impl PolicyDataPathsValueTransitionsItem {
    pub fn new(moves: Vec<PolicyDataPathsValueTransitionsItemMovesItem>, tag: impl Into<String>) -> Self {
        Self { moves, tag: tag.into(), start: None }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PolicyDataPathsValueUniqueItemWhereValueItem {
    Text(String),
    Flag(bool),
    Number(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum PolicyDataPathsValueUniqueItemWithin {
    #[serde(rename = "protocol")]
    Protocol,
    #[serde(rename = "parent")]
    Parent,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyDataPathsValueUniqueItem {
    pub by: Vec<String>,
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub where_: Option<std::collections::BTreeMap<String, Vec<PolicyDataPathsValueUniqueItemWhereValueItem>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<PolicyDataPathsValueUniqueItemWithin>,
}

impl PolicyDataPathsValueUniqueItem {
    pub fn new(by: Vec<String>) -> Self {
        Self { by, where_: None, within: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyDataPathsValue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PolicyDataPathsValueData>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<PolicyDataPathsValueExpires>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transitions: Option<Vec<PolicyDataPathsValueTransitionsItem>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<Vec<PolicyDataPathsValueUniqueItem>>,
}

/// Beyond what its definition says. The tag protocol says which, too.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyData {
    pub paths: std::collections::BTreeMap<String, PolicyDataPathsValue>,
    pub protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl PolicyData {
    pub fn new(paths: std::collections::BTreeMap<String, PolicyDataPathsValue>, protocol: impl Into<String>) -> Self {
        Self { paths, protocol: protocol.into(), description: None }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyTags {
    pub protocol: String,
}

impl PolicyTags {
    pub fn new(protocol: impl Into<String>) -> Self {
        Self { protocol: protocol.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PolicyTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<repo::TextFilter>,
}

/// Records at policy
#[derive(Debug, Clone, Copy)]
pub struct Policy;

impl repo::Place for Policy {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/policy";
    const PATH: &'static str = "policy";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/protocols/policy/policy.json");
    type Data = PolicyData;
    type Tags = PolicyTags;
    type TagFilter = PolicyTagFilter;
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
pub struct PolicyProtocol {
    access: repo::Access,
}

impl PolicyProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// policy
    pub fn policy(&self) -> repo::Records<Policy> {
        repo::Records::new(&self.access)
    }
}
