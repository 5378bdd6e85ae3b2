//! The records of https://toft.invalid/protocols/message, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

/// Role of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ContactData {
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

impl ContactData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type ContactTags = repo::Tags;

pub type ContactTagFilter = repo::AnyTagFilter;

/// Records at contact
#[derive(Debug, Clone, Copy)]
pub struct Contact;

impl repo::Place for Contact {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/message";
    const PATH: &'static str = "contact";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/message/contact");
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

/// Collection of ActivityStreams 2.0.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ThreadData {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ThreadData {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), published: None, summary: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ThreadTagsKind {
    #[serde(rename = "direct")]
    Direct,
    #[serde(rename = "group")]
    Group,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ThreadTags {
    pub kind: ThreadTagsKind,
}

impl ThreadTags {
    pub fn new(kind: ThreadTagsKind) -> Self {
        Self { kind }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ThreadTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ThreadTagsKind>,
}

/// Records at thread
#[derive(Debug, Clone, Copy)]
pub struct Thread;

impl repo::Place for Thread {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/message";
    const PATH: &'static str = "thread";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/message/thread");
    type Data = ThreadData;
    type Tags = ThreadTags;
    type TagFilter = ThreadTagFilter;
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
pub enum ThreadMessageDataMediaType {
    #[serde(rename = "text/plain")]
    TextPlain,
    #[serde(rename = "text/markdown")]
    TextMarkdown,
}

/// Note of ActivityStreams 2.0.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ThreadMessageData {
    pub content: String,
    #[serde(rename = "inReplyTo", default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    #[serde(rename = "mediaType", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<ThreadMessageDataMediaType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ThreadMessageData {
    pub fn new(content: impl Into<String>) -> Self {
        Self { content: content.into(), in_reply_to: None, media_type: None, published: None, more: repo::Members::new() }
    }
}

pub type ThreadMessageTags = repo::Tags;

pub type ThreadMessageTagFilter = repo::AnyTagFilter;

/// Records at thread/message
#[derive(Debug, Clone, Copy)]
pub struct ThreadMessage;

impl repo::Place for ThreadMessage {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/message";
    const PATH: &'static str = "thread/message";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/message/message");
    type Data = ThreadMessageData;
    type Tags = ThreadMessageTags;
    type TagFilter = ThreadMessageTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type ThreadMessageAttachmentData = repo::Blob;

pub type ThreadMessageAttachmentTags = repo::Tags;

pub type ThreadMessageAttachmentTagFilter = repo::AnyTagFilter;

/// Records at thread/message/attachment
#[derive(Debug, Clone, Copy)]
pub struct ThreadMessageAttachment;

impl repo::Place for ThreadMessageAttachment {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/message";
    const PATH: &'static str = "thread/message/attachment";
    const SCHEMA: Option<&'static str> = None;
    type Data = ThreadMessageAttachmentData;
    type Tags = ThreadMessageAttachmentTags;
    type TagFilter = ThreadMessageAttachmentTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

/// Like of ActivityStreams 2.0.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ThreadMessageReactionData {
    pub content: String,
}

impl ThreadMessageReactionData {
    pub fn new(content: impl Into<String>) -> Self {
        Self { content: content.into() }
    }
}

pub type ThreadMessageReactionTags = repo::Tags;

pub type ThreadMessageReactionTagFilter = repo::AnyTagFilter;

/// Records at thread/message/reaction
#[derive(Debug, Clone, Copy)]
pub struct ThreadMessageReaction;

impl repo::Place for ThreadMessageReaction {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/message";
    const PATH: &'static str = "thread/message/reaction";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/message/reaction");
    type Data = ThreadMessageReactionData;
    type Tags = ThreadMessageReactionTags;
    type TagFilter = ThreadMessageReactionTagFilter;
    type Parent = String;

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
pub struct ThreadModeratorData {
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

impl ThreadModeratorData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type ThreadModeratorTags = repo::Tags;

pub type ThreadModeratorTagFilter = repo::AnyTagFilter;

/// Records at thread/moderator
#[derive(Debug, Clone, Copy)]
pub struct ThreadModerator;

impl repo::Place for ThreadModerator {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/message";
    const PATH: &'static str = "thread/moderator";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/message/moderator");
    type Data = ThreadModeratorData;
    type Tags = ThreadModeratorTags;
    type TagFilter = ThreadModeratorTagFilter;
    type Parent = String;

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
pub struct ThreadParticipantData {
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

impl ThreadParticipantData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type ThreadParticipantTags = repo::Tags;

pub type ThreadParticipantTagFilter = repo::AnyTagFilter;

/// Records at thread/participant
#[derive(Debug, Clone, Copy)]
pub struct ThreadParticipant;

impl repo::Place for ThreadParticipant {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/message";
    const PATH: &'static str = "thread/participant";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/message/participant");
    type Data = ThreadParticipantData;
    type Tags = ThreadParticipantTags;
    type TagFilter = ThreadParticipantTagFilter;
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
pub struct MessageProtocol {
    access: repo::Access,
}

impl MessageProtocol {
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

    /// thread
    pub fn thread(&self) -> repo::Records<Thread> {
        repo::Records::new(&self.access)
    }

    /// thread/message
    pub fn thread_message(&self) -> repo::Records<ThreadMessage> {
        repo::Records::new(&self.access)
    }

    /// thread/message/attachment
    pub fn thread_message_attachment(&self) -> repo::Records<ThreadMessageAttachment> {
        repo::Records::new(&self.access)
    }

    /// thread/message/reaction
    pub fn thread_message_reaction(&self) -> repo::Records<ThreadMessageReaction> {
        repo::Records::new(&self.access)
    }

    /// thread/moderator
    pub fn thread_moderator(&self) -> repo::Records<ThreadModerator> {
        repo::Records::new(&self.access)
    }

    /// thread/participant
    pub fn thread_participant(&self) -> repo::Records<ThreadParticipant> {
        repo::Records::new(&self.access)
    }
}
