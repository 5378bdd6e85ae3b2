//! The records of https://toft.invalid/protocols/creator, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ContentDataContentType {
    #[serde(rename = "video")]
    Video,
    #[serde(rename = "audio")]
    Audio,
    #[serde(rename = "podcast")]
    Podcast,
    #[serde(rename = "image")]
    Image,
    #[serde(rename = "document")]
    Document,
    #[serde(rename = "nft")]
    Nft,
}

/// CreativeWork of schema.org. Size and CID of the bytes are in the record that holds them.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentData {
    #[serde(rename = "contentType")]
    pub content_type: ContentDataContentType,
    pub name: String,
    #[serde(rename = "allowedCountries", default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    #[serde(rename = "restrictedCountries", default, skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ContentData {
    pub fn new(content_type: ContentDataContentType, name: impl Into<String>) -> Self {
        Self { content_type, name: name.into(), allowed_countries: None, content: None, description: None, duration: None, keywords: None, restricted_countries: None, thumbnail: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ContentTagsContentType {
    #[serde(rename = "video")]
    Video,
    #[serde(rename = "audio")]
    Audio,
    #[serde(rename = "podcast")]
    Podcast,
    #[serde(rename = "image")]
    Image,
    #[serde(rename = "document")]
    Document,
    #[serde(rename = "nft")]
    Nft,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentTags {
    #[serde(rename = "contentType")]
    pub content_type: ContentTagsContentType,
    #[serde(rename = "allowedCountries", default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    #[serde(rename = "restrictedCountries", default, skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<Vec<String>>,
}

impl ContentTags {
    pub fn new(content_type: ContentTagsContentType) -> Self {
        Self { content_type, allowed_countries: None, duration: None, encrypted: None, keywords: None, restricted_countries: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentTagFilter {
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<ContentTagsContentType>,
    #[serde(rename = "allowedCountries", skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keywords: Option<repo::TextFilter>,
    #[serde(rename = "restrictedCountries", skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<repo::TextFilter>,
}

/// Records at content
#[derive(Debug, Clone, Copy)]
pub struct Content;

impl repo::Place for Content {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "content";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/content");
    type Data = ContentData;
    type Tags = ContentTags;
    type TagFilter = ContentTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Policy of ODRL, in short. Advisory: who has bytes and key can read.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentContentPolicyData {
    #[serde(rename = "ageRestricted")]
    pub age_restricted: bool,
    #[serde(rename = "locationRestricted")]
    pub location_restricted: bool,
    #[serde(rename = "allowedCountries", default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<String>>,
    #[serde(rename = "minAge", default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<i64>,
    #[serde(rename = "requiredCredentials", default, skip_serializing_if = "Option::is_none")]
    pub required_credentials: Option<Vec<String>>,
    #[serde(rename = "requiredTiers", default, skip_serializing_if = "Option::is_none")]
    pub required_tiers: Option<Vec<i64>>,
    #[serde(rename = "restrictedCountries", default, skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<Vec<String>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ContentContentPolicyData {
    pub fn new(age_restricted: bool, location_restricted: bool) -> Self {
        Self { age_restricted, location_restricted, allowed_countries: None, min_age: None, required_credentials: None, required_tiers: None, restricted_countries: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentContentPolicyTags {
    #[serde(rename = "ageRestricted", default, skip_serializing_if = "Option::is_none")]
    pub age_restricted: Option<bool>,
    #[serde(rename = "allowedCountries", default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<String>>,
    #[serde(rename = "locationRestricted", default, skip_serializing_if = "Option::is_none")]
    pub location_restricted: Option<bool>,
    #[serde(rename = "minAge", default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<i64>,
    #[serde(rename = "requiredCredentials", default, skip_serializing_if = "Option::is_none")]
    pub required_credentials: Option<Vec<String>>,
    #[serde(rename = "requiredTiers", default, skip_serializing_if = "Option::is_none")]
    pub required_tiers: Option<Vec<i64>>,
    #[serde(rename = "restrictedCountries", default, skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentContentPolicyTagFilter {
    #[serde(rename = "ageRestricted", skip_serializing_if = "Option::is_none")]
    pub age_restricted: Option<bool>,
    #[serde(rename = "allowedCountries", skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<repo::TextFilter>,
    #[serde(rename = "locationRestricted", skip_serializing_if = "Option::is_none")]
    pub location_restricted: Option<bool>,
    #[serde(rename = "minAge", skip_serializing_if = "Option::is_none")]
    pub min_age: Option<repo::NumberFilter<i64>>,
    #[serde(rename = "requiredCredentials", skip_serializing_if = "Option::is_none")]
    pub required_credentials: Option<repo::TextFilter>,
    #[serde(rename = "requiredTiers", skip_serializing_if = "Option::is_none")]
    pub required_tiers: Option<repo::NumberFilter<i64>>,
    #[serde(rename = "restrictedCountries", skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<repo::TextFilter>,
}

/// Records at content/contentPolicy
#[derive(Debug, Clone, Copy)]
pub struct ContentContentPolicy;

impl repo::Place for ContentContentPolicy {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "content/contentPolicy";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/contentPolicy");
    type Data = ContentContentPolicyData;
    type Tags = ContentContentPolicyTags;
    type TagFilter = ContentContentPolicyTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type ContentMediaData = repo::Blob;

pub type ContentMediaTags = repo::Tags;

pub type ContentMediaTagFilter = repo::AnyTagFilter;

/// Records at content/media
#[derive(Debug, Clone, Copy)]
pub struct ContentMedia;

impl repo::Place for ContentMedia {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "content/media";
    const SCHEMA: Option<&'static str> = None;
    type Data = ContentMediaData;
    type Tags = ContentMediaTags;
    type TagFilter = ContentMediaTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentNftDataAttributesItem {
    pub value: repo::Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trait_type: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ContentNftDataAttributesItem {
    pub fn new(value: repo::Json) -> Self {
        Self { value, trait_type: None, more: repo::Members::new() }
    }
}

/// The metadata of ERC-721: name, description, image, attributes.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentNftData {
    pub description: String,
    pub image: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub animation_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<ContentNftDataAttributesItem>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_url: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ContentNftData {
    pub fn new(description: impl Into<String>, image: impl Into<String>, name: impl Into<String>) -> Self {
        Self { description: description.into(), image: image.into(), name: name.into(), animation_url: None, attributes: None, external_url: None, more: repo::Members::new() }
    }
}

pub type ContentNftTags = repo::Tags;

pub type ContentNftTagFilter = repo::AnyTagFilter;

/// Records at content/nft
#[derive(Debug, Clone, Copy)]
pub struct ContentNft;

impl repo::Place for ContentNft {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "content/nft";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/nft");
    type Data = ContentNftData;
    type Tags = ContentNftTags;
    type TagFilter = ContentNftTagFilter;
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
pub enum ContentReceiptDataType {
    #[serde(rename = "View")]
    View,
    #[serde(rename = "Listen")]
    Listen,
    #[serde(rename = "Read")]
    Read,
    #[serde(rename = "Download")]
    Download,
}

/// Activity of ActivityStreams 2.0.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentReceiptData {
    pub object: String,
    pub published: String,
    #[serde(rename = "type")]
    pub type_: ContentReceiptDataType,
}

impl ContentReceiptData {
    pub fn new(object: impl Into<String>, published: impl Into<String>, type_: ContentReceiptDataType) -> Self {
        Self { object: object.into(), published: published.into(), type_ }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ContentReceiptTagsAction {
    #[serde(rename = "view")]
    View,
    #[serde(rename = "listen")]
    Listen,
    #[serde(rename = "read")]
    Read,
    #[serde(rename = "download")]
    Download,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentReceiptTags {
    pub action: ContentReceiptTagsAction,
}

impl ContentReceiptTags {
    pub fn new(action: ContentReceiptTagsAction) -> Self {
        Self { action }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContentReceiptTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ContentReceiptTagsAction>,
}

/// Records at content/receipt
#[derive(Debug, Clone, Copy)]
pub struct ContentReceipt;

impl repo::Place for ContentReceipt {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "content/receipt";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/receipt");
    type Data = ContentReceiptData;
    type Tags = ContentReceiptTags;
    type TagFilter = ContentReceiptTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type ContentThumbnailData = repo::Blob;

pub type ContentThumbnailTags = repo::Tags;

pub type ContentThumbnailTagFilter = repo::AnyTagFilter;

/// Records at content/thumbnail
#[derive(Debug, Clone, Copy)]
pub struct ContentThumbnail;

impl repo::Place for ContentThumbnail {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "content/thumbnail";
    const SCHEMA: Option<&'static str> = None;
    type Data = ContentThumbnailData;
    type Tags = ContentThumbnailTags;
    type TagFilter = ContentThumbnailTagFilter;
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
pub enum CreatorDataContentType {
    #[serde(rename = "video")]
    Video,
    #[serde(rename = "audio")]
    Audio,
    #[serde(rename = "image")]
    Image,
    #[serde(rename = "mixed")]
    Mixed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CreatorDataSupportedAgesItem {
    #[serde(rename = "18+")]
    Is18,
    #[serde(rename = "21+")]
    Is21,
    #[serde(rename = "all-ages")]
    AllAges,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CreatorDataVerificationStatus {
    #[serde(rename = "unverified")]
    Unverified,
    #[serde(rename = "pending")]
    Pending,
    #[serde(rename = "verified")]
    Verified,
}

/// Person of schema.org, with what the creator makes and for whom.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CreatorData {
    #[serde(rename = "contentType")]
    pub content_type: CreatorDataContentType,
    pub name: String,
    #[serde(rename = "supportedAges")]
    pub supported_ages: Vec<CreatorDataSupportedAgesItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(rename = "sameAs", default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<Vec<String>>,
    #[serde(rename = "verificationStatus", default, skip_serializing_if = "Option::is_none")]
    pub verification_status: Option<CreatorDataVerificationStatus>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl CreatorData {
    pub fn new(content_type: CreatorDataContentType, name: impl Into<String>, supported_ages: Vec<CreatorDataSupportedAgesItem>) -> Self {
        Self { content_type, name: name.into(), supported_ages, about: None, credential: None, image: None, same_as: None, verification_status: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CreatorTagsContentType {
    #[serde(rename = "video")]
    Video,
    #[serde(rename = "audio")]
    Audio,
    #[serde(rename = "image")]
    Image,
    #[serde(rename = "mixed")]
    Mixed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CreatorTagsSupportedAges {
    #[serde(rename = "18+")]
    Is18,
    #[serde(rename = "21+")]
    Is21,
    #[serde(rename = "all-ages")]
    AllAges,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CreatorTagsVerificationStatus {
    #[serde(rename = "unverified")]
    Unverified,
    #[serde(rename = "pending")]
    Pending,
    #[serde(rename = "verified")]
    Verified,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CreatorTags {
    #[serde(rename = "contentType")]
    pub content_type: CreatorTagsContentType,
    #[serde(rename = "supportedAges")]
    pub supported_ages: Vec<CreatorTagsSupportedAges>,
    #[serde(rename = "verificationStatus", default, skip_serializing_if = "Option::is_none")]
    pub verification_status: Option<CreatorTagsVerificationStatus>,
}

impl CreatorTags {
    pub fn new(content_type: CreatorTagsContentType, supported_ages: Vec<CreatorTagsSupportedAges>) -> Self {
        Self { content_type, supported_ages, verification_status: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CreatorTagFilter {
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<CreatorTagsContentType>,
    #[serde(rename = "supportedAges", skip_serializing_if = "Option::is_none")]
    pub supported_ages: Option<CreatorTagsSupportedAges>,
    #[serde(rename = "verificationStatus", skip_serializing_if = "Option::is_none")]
    pub verification_status: Option<CreatorTagsVerificationStatus>,
}

/// Records at creator
#[derive(Debug, Clone, Copy)]
pub struct Creator;

impl repo::Place for Creator {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "creator";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/creator");
    type Data = CreatorData;
    type Tags = CreatorTags;
    type TagFilter = CreatorTagFilter;
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
pub struct FanData {
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

impl FanData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct FanTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct FanTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<repo::TextFilter>,
}

/// Records at fan
#[derive(Debug, Clone, Copy)]
pub struct Fan;

impl repo::Place for Fan {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "fan";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/fan");
    type Data = FanData;
    type Tags = FanTags;
    type TagFilter = FanTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Person of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct FanFanProfileData {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interests: Option<Vec<String>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl FanFanProfileData {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), description: None, interests: None, more: repo::Members::new() }
    }
}

pub type FanFanProfileTags = repo::Tags;

pub type FanFanProfileTagFilter = repo::AnyTagFilter;

/// Records at fan/fanProfile
#[derive(Debug, Clone, Copy)]
pub struct FanFanProfile;

impl repo::Place for FanFanProfile {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "fan/fanProfile";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/fanProfile");
    type Data = FanFanProfileData;
    type Tags = FanFanProfileTags;
    type TagFilter = FanFanProfileTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Offer of schema.org. The price is in the smallest unit.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierData {
    pub decimals: i64,
    pub name: String,
    pub price: String,
    #[serde(rename = "priceCurrency")]
    pub price_currency: String,
    #[serde(rename = "tierLevel")]
    pub tier_level: i64,
    #[serde(rename = "accessRules", default, skip_serializing_if = "Option::is_none")]
    pub access_rules: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TierData {
    pub fn new(decimals: i64, name: impl Into<String>, price: impl Into<String>, price_currency: impl Into<String>, tier_level: i64) -> Self {
        Self { decimals, name: name.into(), price: price.into(), price_currency: price_currency.into(), tier_level, access_rules: None, active: None, description: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierTags {
    pub active: bool,
    pub currency: String,
    pub price: String,
    #[serde(rename = "tierLevel")]
    pub tier_level: i64,
}

impl TierTags {
    pub fn new(active: bool, currency: impl Into<String>, price: impl Into<String>, tier_level: i64) -> Self {
        Self { active, currency: currency.into(), price: price.into(), tier_level }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<repo::TextFilter>,
    #[serde(rename = "tierLevel", skip_serializing_if = "Option::is_none")]
    pub tier_level: Option<repo::NumberFilter<i64>>,
}

/// Records at tier
#[derive(Debug, Clone, Copy)]
pub struct Tier;

impl repo::Place for Tier {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "tier";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/tier");
    type Data = TierData;
    type Tags = TierTags;
    type TagFilter = TierTagFilter;
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
pub enum TierContentDataContentType {
    #[serde(rename = "video")]
    Video,
    #[serde(rename = "audio")]
    Audio,
    #[serde(rename = "podcast")]
    Podcast,
    #[serde(rename = "image")]
    Image,
    #[serde(rename = "document")]
    Document,
    #[serde(rename = "nft")]
    Nft,
}

/// CreativeWork of schema.org. Size and CID of the bytes are in the record that holds them.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentData {
    #[serde(rename = "contentType")]
    pub content_type: TierContentDataContentType,
    pub name: String,
    #[serde(rename = "allowedCountries", default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    #[serde(rename = "restrictedCountries", default, skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TierContentData {
    pub fn new(content_type: TierContentDataContentType, name: impl Into<String>) -> Self {
        Self { content_type, name: name.into(), allowed_countries: None, content: None, description: None, duration: None, keywords: None, restricted_countries: None, thumbnail: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum TierContentTagsContentType {
    #[serde(rename = "video")]
    Video,
    #[serde(rename = "audio")]
    Audio,
    #[serde(rename = "podcast")]
    Podcast,
    #[serde(rename = "image")]
    Image,
    #[serde(rename = "document")]
    Document,
    #[serde(rename = "nft")]
    Nft,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentTags {
    #[serde(rename = "contentType")]
    pub content_type: TierContentTagsContentType,
    #[serde(rename = "allowedCountries", default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    #[serde(rename = "restrictedCountries", default, skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<Vec<String>>,
}

impl TierContentTags {
    pub fn new(content_type: TierContentTagsContentType) -> Self {
        Self { content_type, allowed_countries: None, duration: None, encrypted: None, keywords: None, restricted_countries: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentTagFilter {
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<TierContentTagsContentType>,
    #[serde(rename = "allowedCountries", skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keywords: Option<repo::TextFilter>,
    #[serde(rename = "restrictedCountries", skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<repo::TextFilter>,
}

/// Records at tier/content
#[derive(Debug, Clone, Copy)]
pub struct TierContent;

impl repo::Place for TierContent {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "tier/content";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/content");
    type Data = TierContentData;
    type Tags = TierContentTags;
    type TagFilter = TierContentTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// Policy of ODRL, in short. Advisory: who has bytes and key can read.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentContentPolicyData {
    #[serde(rename = "ageRestricted")]
    pub age_restricted: bool,
    #[serde(rename = "locationRestricted")]
    pub location_restricted: bool,
    #[serde(rename = "allowedCountries", default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<String>>,
    #[serde(rename = "minAge", default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<i64>,
    #[serde(rename = "requiredCredentials", default, skip_serializing_if = "Option::is_none")]
    pub required_credentials: Option<Vec<String>>,
    #[serde(rename = "requiredTiers", default, skip_serializing_if = "Option::is_none")]
    pub required_tiers: Option<Vec<i64>>,
    #[serde(rename = "restrictedCountries", default, skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<Vec<String>>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TierContentContentPolicyData {
    pub fn new(age_restricted: bool, location_restricted: bool) -> Self {
        Self { age_restricted, location_restricted, allowed_countries: None, min_age: None, required_credentials: None, required_tiers: None, restricted_countries: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentContentPolicyTags {
    #[serde(rename = "ageRestricted", default, skip_serializing_if = "Option::is_none")]
    pub age_restricted: Option<bool>,
    #[serde(rename = "allowedCountries", default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<String>>,
    #[serde(rename = "locationRestricted", default, skip_serializing_if = "Option::is_none")]
    pub location_restricted: Option<bool>,
    #[serde(rename = "minAge", default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<i64>,
    #[serde(rename = "requiredCredentials", default, skip_serializing_if = "Option::is_none")]
    pub required_credentials: Option<Vec<String>>,
    #[serde(rename = "requiredTiers", default, skip_serializing_if = "Option::is_none")]
    pub required_tiers: Option<Vec<i64>>,
    #[serde(rename = "restrictedCountries", default, skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentContentPolicyTagFilter {
    #[serde(rename = "ageRestricted", skip_serializing_if = "Option::is_none")]
    pub age_restricted: Option<bool>,
    #[serde(rename = "allowedCountries", skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<repo::TextFilter>,
    #[serde(rename = "locationRestricted", skip_serializing_if = "Option::is_none")]
    pub location_restricted: Option<bool>,
    #[serde(rename = "minAge", skip_serializing_if = "Option::is_none")]
    pub min_age: Option<repo::NumberFilter<i64>>,
    #[serde(rename = "requiredCredentials", skip_serializing_if = "Option::is_none")]
    pub required_credentials: Option<repo::TextFilter>,
    #[serde(rename = "requiredTiers", skip_serializing_if = "Option::is_none")]
    pub required_tiers: Option<repo::NumberFilter<i64>>,
    #[serde(rename = "restrictedCountries", skip_serializing_if = "Option::is_none")]
    pub restricted_countries: Option<repo::TextFilter>,
}

/// Records at tier/content/contentPolicy
#[derive(Debug, Clone, Copy)]
pub struct TierContentContentPolicy;

impl repo::Place for TierContentContentPolicy {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "tier/content/contentPolicy";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/contentPolicy");
    type Data = TierContentContentPolicyData;
    type Tags = TierContentContentPolicyTags;
    type TagFilter = TierContentContentPolicyTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type TierContentMediaData = repo::Blob;

pub type TierContentMediaTags = repo::Tags;

pub type TierContentMediaTagFilter = repo::AnyTagFilter;

/// Records at tier/content/media
#[derive(Debug, Clone, Copy)]
pub struct TierContentMedia;

impl repo::Place for TierContentMedia {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "tier/content/media";
    const SCHEMA: Option<&'static str> = None;
    type Data = TierContentMediaData;
    type Tags = TierContentMediaTags;
    type TagFilter = TierContentMediaTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentNftDataAttributesItem {
    pub value: repo::Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trait_type: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TierContentNftDataAttributesItem {
    pub fn new(value: repo::Json) -> Self {
        Self { value, trait_type: None, more: repo::Members::new() }
    }
}

/// The metadata of ERC-721: name, description, image, attributes.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentNftData {
    pub description: String,
    pub image: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub animation_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<TierContentNftDataAttributesItem>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_url: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TierContentNftData {
    pub fn new(description: impl Into<String>, image: impl Into<String>, name: impl Into<String>) -> Self {
        Self { description: description.into(), image: image.into(), name: name.into(), animation_url: None, attributes: None, external_url: None, more: repo::Members::new() }
    }
}

pub type TierContentNftTags = repo::Tags;

pub type TierContentNftTagFilter = repo::AnyTagFilter;

/// Records at tier/content/nft
#[derive(Debug, Clone, Copy)]
pub struct TierContentNft;

impl repo::Place for TierContentNft {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "tier/content/nft";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/nft");
    type Data = TierContentNftData;
    type Tags = TierContentNftTags;
    type TagFilter = TierContentNftTagFilter;
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
pub enum TierContentReceiptDataType {
    #[serde(rename = "View")]
    View,
    #[serde(rename = "Listen")]
    Listen,
    #[serde(rename = "Read")]
    Read,
    #[serde(rename = "Download")]
    Download,
}

/// Activity of ActivityStreams 2.0.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentReceiptData {
    pub object: String,
    pub published: String,
    #[serde(rename = "type")]
    pub type_: TierContentReceiptDataType,
}

impl TierContentReceiptData {
    pub fn new(object: impl Into<String>, published: impl Into<String>, type_: TierContentReceiptDataType) -> Self {
        Self { object: object.into(), published: published.into(), type_ }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum TierContentReceiptTagsAction {
    #[serde(rename = "view")]
    View,
    #[serde(rename = "listen")]
    Listen,
    #[serde(rename = "read")]
    Read,
    #[serde(rename = "download")]
    Download,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentReceiptTags {
    pub action: TierContentReceiptTagsAction,
}

impl TierContentReceiptTags {
    pub fn new(action: TierContentReceiptTagsAction) -> Self {
        Self { action }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierContentReceiptTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<TierContentReceiptTagsAction>,
}

/// Records at tier/content/receipt
#[derive(Debug, Clone, Copy)]
pub struct TierContentReceipt;

impl repo::Place for TierContentReceipt {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "tier/content/receipt";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/receipt");
    type Data = TierContentReceiptData;
    type Tags = TierContentReceiptTags;
    type TagFilter = TierContentReceiptTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type TierContentThumbnailData = repo::Blob;

pub type TierContentThumbnailTags = repo::Tags;

pub type TierContentThumbnailTagFilter = repo::AnyTagFilter;

/// Records at tier/content/thumbnail
#[derive(Debug, Clone, Copy)]
pub struct TierContentThumbnail;

impl repo::Place for TierContentThumbnail {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "tier/content/thumbnail";
    const SCHEMA: Option<&'static str> = None;
    type Data = TierContentThumbnailData;
    type Tags = TierContentThumbnailTags;
    type TagFilter = TierContentThumbnailTagFilter;
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
pub enum TierSubscriptionDataStatus {
    #[serde(rename = "active")]
    Active,
    #[serde(rename = "expired")]
    Expired,
    #[serde(rename = "cancelled")]
    Cancelled,
}

/// The recipient of the record is who has subscribed.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierSubscriptionData {
    #[serde(rename = "dateExpires")]
    pub date_expires: String,
    #[serde(rename = "dateStarted")]
    pub date_started: String,
    pub status: TierSubscriptionDataStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    #[serde(rename = "transactionHash", default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TierSubscriptionData {
    pub fn new(date_expires: impl Into<String>, date_started: impl Into<String>, status: TierSubscriptionDataStatus) -> Self {
        Self { date_expires: date_expires.into(), date_started: date_started.into(), status, payment: None, transaction_hash: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum TierSubscriptionTagsStatus {
    #[serde(rename = "active")]
    Active,
    #[serde(rename = "expired")]
    Expired,
    #[serde(rename = "cancelled")]
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierSubscriptionTags {
    #[serde(rename = "dateExpires")]
    pub date_expires: String,
    pub status: TierSubscriptionTagsStatus,
    #[serde(rename = "dateStarted", default, skip_serializing_if = "Option::is_none")]
    pub date_started: Option<String>,
    #[serde(rename = "transactionHash", default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
}

impl TierSubscriptionTags {
    pub fn new(date_expires: impl Into<String>, status: TierSubscriptionTagsStatus) -> Self {
        Self { date_expires: date_expires.into(), status, date_started: None, transaction_hash: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TierSubscriptionTagFilter {
    #[serde(rename = "dateExpires", skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<TierSubscriptionTagsStatus>,
    #[serde(rename = "dateStarted", skip_serializing_if = "Option::is_none")]
    pub date_started: Option<repo::TextFilter>,
    #[serde(rename = "transactionHash", skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<repo::TextFilter>,
}

/// Records at tier/subscription
#[derive(Debug, Clone, Copy)]
pub struct TierSubscription;

impl repo::Place for TierSubscription {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/creator";
    const PATH: &'static str = "tier/subscription";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/creator/subscription");
    type Data = TierSubscriptionData;
    type Tags = TierSubscriptionTags;
    type TagFilter = TierSubscriptionTagFilter;
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
pub struct CreatorProtocol {
    access: repo::Access,
}

impl CreatorProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// content
    pub fn content(&self) -> repo::Records<Content> {
        repo::Records::new(&self.access)
    }

    /// content/contentPolicy
    pub fn content_content_policy(&self) -> repo::Records<ContentContentPolicy> {
        repo::Records::new(&self.access)
    }

    /// content/media
    pub fn content_media(&self) -> repo::Records<ContentMedia> {
        repo::Records::new(&self.access)
    }

    /// content/nft
    pub fn content_nft(&self) -> repo::Records<ContentNft> {
        repo::Records::new(&self.access)
    }

    /// content/receipt
    pub fn content_receipt(&self) -> repo::Records<ContentReceipt> {
        repo::Records::new(&self.access)
    }

    /// content/thumbnail
    pub fn content_thumbnail(&self) -> repo::Records<ContentThumbnail> {
        repo::Records::new(&self.access)
    }

    /// creator
    pub fn creator(&self) -> repo::Records<Creator> {
        repo::Records::new(&self.access)
    }

    /// fan
    pub fn fan(&self) -> repo::Records<Fan> {
        repo::Records::new(&self.access)
    }

    /// fan/fanProfile
    pub fn fan_fan_profile(&self) -> repo::Records<FanFanProfile> {
        repo::Records::new(&self.access)
    }

    /// tier
    pub fn tier(&self) -> repo::Records<Tier> {
        repo::Records::new(&self.access)
    }

    /// tier/content
    pub fn tier_content(&self) -> repo::Records<TierContent> {
        repo::Records::new(&self.access)
    }

    /// tier/content/contentPolicy
    pub fn tier_content_content_policy(&self) -> repo::Records<TierContentContentPolicy> {
        repo::Records::new(&self.access)
    }

    /// tier/content/media
    pub fn tier_content_media(&self) -> repo::Records<TierContentMedia> {
        repo::Records::new(&self.access)
    }

    /// tier/content/nft
    pub fn tier_content_nft(&self) -> repo::Records<TierContentNft> {
        repo::Records::new(&self.access)
    }

    /// tier/content/receipt
    pub fn tier_content_receipt(&self) -> repo::Records<TierContentReceipt> {
        repo::Records::new(&self.access)
    }

    /// tier/content/thumbnail
    pub fn tier_content_thumbnail(&self) -> repo::Records<TierContentThumbnail> {
        repo::Records::new(&self.access)
    }

    /// tier/subscription
    pub fn tier_subscription(&self) -> repo::Records<TierSubscription> {
        repo::Records::new(&self.access)
    }
}
