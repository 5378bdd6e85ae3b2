//! The records of https://toft.invalid/protocols/anchor, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

pub type BatchData = repo::Blob;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum BatchTagsNetwork {
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
pub enum BatchTagsState {
    #[serde(rename = "pending")]
    Pending,
    #[serde(rename = "mined")]
    Mined,
    #[serde(rename = "final")]
    Final,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct BatchTags {
    pub network: BatchTagsNetwork,
    pub number: i64,
    pub root: String,
    pub state: BatchTagsState,
}

impl BatchTags {
    pub fn new(network: BatchTagsNetwork, number: i64, root: impl Into<String>, state: BatchTagsState) -> Self {
        Self { network, number, root: root.into(), state }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct BatchTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<BatchTagsNetwork>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<BatchTagsState>,
}

/// Records at batch
#[derive(Debug, Clone, Copy)]
pub struct Batch;

impl repo::Place for Batch {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/anchor";
    const PATH: &'static str = "batch";
    const SCHEMA: Option<&'static str> = None;
    type Data = BatchData;
    type Tags = BatchTags;
    type TagFilter = BatchTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

pub type BatchLeavesData = repo::Blob;

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct BatchLeavesTags {
    pub part: i64,
    pub root: String,
}

impl BatchLeavesTags {
    pub fn new(part: i64, root: impl Into<String>) -> Self {
        Self { part, root: root.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct BatchLeavesTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<repo::TextFilter>,
}

/// Records at batch/leaves
#[derive(Debug, Clone, Copy)]
pub struct BatchLeaves;

impl repo::Place for BatchLeaves {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/anchor";
    const PATH: &'static str = "batch/leaves";
    const SCHEMA: Option<&'static str> = None;
    type Data = BatchLeavesData;
    type Tags = BatchLeavesTags;
    type TagFilter = BatchLeavesTagFilter;
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
pub struct AnchorProtocol {
    access: repo::Access,
}

impl AnchorProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// batch
    pub fn batch(&self) -> repo::Records<Batch> {
        repo::Records::new(&self.access)
    }

    /// batch/leaves
    pub fn batch_leaves(&self) -> repo::Records<BatchLeaves> {
        repo::Records::new(&self.access)
    }
}
