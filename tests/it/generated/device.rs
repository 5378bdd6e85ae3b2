//! The records of https://toft.invalid/protocols/device, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

/// A device of the tenant
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DeviceData {
    pub address: String,
    pub did: String,
    pub name: String,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl DeviceData {
    pub fn new(address: impl Into<String>, did: impl Into<String>, name: impl Into<String>) -> Self {
        Self { address: address.into(), did: did.into(), name: name.into(), more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DeviceTags {
    pub did: String,
}

impl DeviceTags {
    pub fn new(did: impl Into<String>) -> Self {
        Self { did: did.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct DeviceTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did: Option<repo::TextFilter>,
}

/// Records at device
#[derive(Debug, Clone, Copy)]
pub struct Device;

impl repo::Place for Device {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/device";
    const PATH: &'static str = "device";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/protocols/device/device.json");
    type Data = DeviceData;
    type Tags = DeviceTags;
    type TagFilter = DeviceTagFilter;
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
pub struct DeviceProtocol {
    access: repo::Access,
}

impl DeviceProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// device
    pub fn device(&self) -> repo::Records<Device> {
        repo::Records::new(&self.access)
    }
}
