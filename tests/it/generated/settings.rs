//! The records of https://toft.invalid/protocols/settings, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

/// A setting that the devices of the tenant share
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ConfigData {
    pub key: String,
    pub value: repo::Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl ConfigData {
    pub fn new(key: impl Into<String>, value: repo::Json) -> Self {
        Self { key: key.into(), value, description: None }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ConfigTags {
    pub app: String,
    pub key: String,
}

impl ConfigTags {
    pub fn new(app: impl Into<String>, key: impl Into<String>) -> Self {
        Self { app: app.into(), key: key.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ConfigTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<repo::TextFilter>,
}

/// Records at config
#[derive(Debug, Clone, Copy)]
pub struct Config;

impl repo::Place for Config {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/settings";
    const PATH: &'static str = "config";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/settings/config");
    type Data = ConfigData;
    type Tags = ConfigTags;
    type TagFilter = ConfigTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// A preference of the tenant
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SettingData {
    pub key: String,
    pub value: repo::Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl SettingData {
    pub fn new(key: impl Into<String>, value: repo::Json) -> Self {
        Self { key: key.into(), value, description: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum SettingTagsCategory {
    #[serde(rename = "preference")]
    Preference,
    #[serde(rename = "dashboard")]
    Dashboard,
    #[serde(rename = "privacy")]
    Privacy,
    #[serde(rename = "notification")]
    Notification,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SettingTags {
    pub app: String,
    pub category: SettingTagsCategory,
    pub key: String,
}

impl SettingTags {
    pub fn new(app: impl Into<String>, category: SettingTagsCategory, key: impl Into<String>) -> Self {
        Self { app: app.into(), category, key: key.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SettingTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<SettingTagsCategory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<repo::TextFilter>,
}

/// Records at setting
#[derive(Debug, Clone, Copy)]
pub struct Setting;

impl repo::Place for Setting {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/settings";
    const PATH: &'static str = "setting";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/settings/setting");
    type Data = SettingData;
    type Tags = SettingTags;
    type TagFilter = SettingTagFilter;
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
pub struct SettingsProtocol {
    access: repo::Access,
}

impl SettingsProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// config
    pub fn config(&self) -> repo::Records<Config> {
        repo::Records::new(&self.access)
    }

    /// setting
    pub fn setting(&self) -> repo::Records<Setting> {
        repo::Records::new(&self.access)
    }
}
