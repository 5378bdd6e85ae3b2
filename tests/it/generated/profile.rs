//! The records of https://toft.invalid/protocols/profile, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ContactDataContactType {
    #[serde(rename = "email")]
    Email,
    #[serde(rename = "telephone")]
    Telephone,
    #[serde(rename = "postal")]
    Postal,
}

/// ContactPoint of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContactData {
    #[serde(rename = "contactType")]
    pub contact_type: ContactDataContactType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ContactData {
    pub fn new(contact_type: ContactDataContactType) -> Self {
        Self { contact_type, address: None, email: None, telephone: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ContactTagsKind {
    #[serde(rename = "email")]
    Email,
    #[serde(rename = "telephone")]
    Telephone,
    #[serde(rename = "postal")]
    Postal,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContactTags {
    pub kind: ContactTagsKind,
}

impl ContactTags {
    pub fn new(kind: ContactTagsKind) -> Self {
        Self { kind }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContactTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ContactTagsKind>,
}

/// Records at contact
#[derive(Debug, Clone, Copy)]
pub struct Contact;

impl repo::Place for Contact {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/profile";
    const PATH: &'static str = "contact";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/profile/contact");
    type Data = ContactData;
    type Tags = ContactTags;
    type TagFilter = ContactTagFilter;
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
pub enum LinkDataKind {
    #[serde(rename = "wallet")]
    Wallet,
    #[serde(rename = "social")]
    Social,
    #[serde(rename = "website")]
    Website,
}

/// Fields of PropertyValue and url of schema.org. A wallet has an address, the others a URL.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct LinkData {
    pub kind: LinkDataKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl LinkData {
    pub fn new(kind: LinkDataKind) -> Self {
        Self { kind, address: None, name: None, network: None, proof: None, url: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum LinkTagsKind {
    #[serde(rename = "wallet")]
    Wallet,
    #[serde(rename = "social")]
    Social,
    #[serde(rename = "website")]
    Website,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct LinkTags {
    pub kind: LinkTagsKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

impl LinkTags {
    pub fn new(kind: LinkTagsKind) -> Self {
        Self { kind, address: None, network: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct LinkTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<LinkTagsKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<repo::TextFilter>,
}

/// Records at link
#[derive(Debug, Clone, Copy)]
pub struct Link;

impl repo::Place for Link {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/profile";
    const PATH: &'static str = "link";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/profile/link");
    type Data = LinkData;
    type Tags = LinkTags;
    type TagFilter = LinkTagFilter;
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
pub enum LinkVerificationDataStatus {
    #[serde(rename = "unverified")]
    Unverified,
    #[serde(rename = "pending")]
    Pending,
    #[serde(rename = "verified")]
    Verified,
    #[serde(rename = "rejected")]
    Rejected,
}

/// What a verifier says of a link
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct LinkVerificationData {
    pub date: String,
    pub status: LinkVerificationDataStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl LinkVerificationData {
    pub fn new(date: impl Into<String>, status: LinkVerificationDataStatus) -> Self {
        Self { date: date.into(), status, credential: None, method: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum LinkVerificationTagsStatus {
    #[serde(rename = "unverified")]
    Unverified,
    #[serde(rename = "pending")]
    Pending,
    #[serde(rename = "verified")]
    Verified,
    #[serde(rename = "rejected")]
    Rejected,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct LinkVerificationTags {
    pub status: LinkVerificationTagsStatus,
}

impl LinkVerificationTags {
    pub fn new(status: LinkVerificationTagsStatus) -> Self {
        Self { status }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct LinkVerificationTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<LinkVerificationTagsStatus>,
}

/// Records at link/verification
#[derive(Debug, Clone, Copy)]
pub struct LinkVerification;

impl repo::Place for LinkVerification {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/profile";
    const PATH: &'static str = "link/verification";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/profile/verification");
    type Data = LinkVerificationData;
    type Tags = LinkVerificationTags;
    type TagFilter = LinkVerificationTagFilter;
    type Parent = String;

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
pub struct ProfileData {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(rename = "knowsLanguage", default, skip_serializing_if = "Option::is_none")]
    pub knows_language: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ProfileData {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), description: None, knows_language: None, url: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ProfileTagsUserType {
    #[serde(rename = "creator")]
    Creator,
    #[serde(rename = "fan")]
    Fan,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProfileTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(rename = "userType", default, skip_serializing_if = "Option::is_none")]
    pub user_type: Option<ProfileTagsUserType>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ProfileTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(rename = "userType", skip_serializing_if = "Option::is_none")]
    pub user_type: Option<ProfileTagsUserType>,
}

/// Records at profile
#[derive(Debug, Clone, Copy)]
pub struct Profile;

impl repo::Place for Profile {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/profile";
    const PATH: &'static str = "profile";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/profile/profile");
    type Data = ProfileData;
    type Tags = ProfileTags;
    type TagFilter = ProfileTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type ProfileAvatarData = repo::Blob;

pub type ProfileAvatarTags = repo::Tags;

pub type ProfileAvatarTagFilter = repo::AnyTagFilter;

/// Records at profile/avatar
#[derive(Debug, Clone, Copy)]
pub struct ProfileAvatar;

impl repo::Place for ProfileAvatar {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/profile";
    const PATH: &'static str = "profile/avatar";
    const SCHEMA: Option<&'static str> = None;
    type Data = ProfileAvatarData;
    type Tags = ProfileAvatarTags;
    type TagFilter = ProfileAvatarTagFilter;
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
pub struct ProfileProtocol {
    access: repo::Access,
}

impl ProfileProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// contact
    pub fn contact(&self) -> repo::Records<Contact> {
        repo::Records::new(&self.access)
    }

    /// link
    pub fn link(&self) -> repo::Records<Link> {
        repo::Records::new(&self.access)
    }

    /// link/verification
    pub fn link_verification(&self) -> repo::Records<LinkVerification> {
        repo::Records::new(&self.access)
    }

    /// profile
    pub fn profile(&self) -> repo::Records<Profile> {
        repo::Records::new(&self.access)
    }

    /// profile/avatar
    pub fn profile_avatar(&self) -> repo::Records<ProfileAvatar> {
        repo::Records::new(&self.access)
    }
}
