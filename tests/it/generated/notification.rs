//! The records of https://toft.invalid/protocols/notification, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ChannelDataKind {
    #[serde(rename = "webhook")]
    Webhook,
    #[serde(rename = "ntfy")]
    Ntfy,
    #[serde(rename = "email")]
    Email,
}

/// The secret signs what is sent to a webhook.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ChannelData {
    pub address: String,
    pub enabled: bool,
    pub kind: ChannelDataKind,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl ChannelData {
    pub fn new(address: impl Into<String>, enabled: bool, kind: ChannelDataKind, name: impl Into<String>) -> Self {
        Self { address: address.into(), enabled, kind, name: name.into(), secret: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ChannelTagsKind {
    #[serde(rename = "webhook")]
    Webhook,
    #[serde(rename = "ntfy")]
    Ntfy,
    #[serde(rename = "email")]
    Email,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ChannelTags {
    pub enabled: bool,
    pub kind: ChannelTagsKind,
    pub name: String,
}

impl ChannelTags {
    pub fn new(enabled: bool, kind: ChannelTagsKind, name: impl Into<String>) -> Self {
        Self { enabled, kind, name: name.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ChannelTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChannelTagsKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<repo::TextFilter>,
}

/// Records at channel
#[derive(Debug, Clone, Copy)]
pub struct Channel;

impl repo::Place for Channel {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/notification";
    const PATH: &'static str = "channel";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/notification/channel");
    type Data = ChannelData;
    type Tags = ChannelTags;
    type TagFilter = ChannelTagFilter;
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
pub enum HistoryDataStatus {
    #[serde(rename = "queued")]
    Queued,
    #[serde(rename = "sent")]
    Sent,
    #[serde(rename = "delivered")]
    Delivered,
    #[serde(rename = "failed")]
    Failed,
    #[serde(rename = "dead")]
    Dead,
}

/// Note of ActivityStreams 2.0, with how its delivery went.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct HistoryData {
    pub content: String,
    #[serde(rename = "dateExpires")]
    pub date_expires: String,
    pub published: String,
    pub status: HistoryDataStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl HistoryData {
    pub fn new(content: impl Into<String>, date_expires: impl Into<String>, published: impl Into<String>, status: HistoryDataStatus) -> Self {
        Self { content: content.into(), date_expires: date_expires.into(), published: published.into(), status, attempts: None, channel: None, error: None, summary: None, template: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum HistoryTagsStatus {
    #[serde(rename = "queued")]
    Queued,
    #[serde(rename = "sent")]
    Sent,
    #[serde(rename = "delivered")]
    Delivered,
    #[serde(rename = "failed")]
    Failed,
    #[serde(rename = "dead")]
    Dead,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct HistoryTags {
    #[serde(rename = "dateExpires")]
    pub date_expires: String,
    pub status: HistoryTagsStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
}

impl HistoryTags {
    pub fn new(date_expires: impl Into<String>, status: HistoryTagsStatus) -> Self {
        Self { date_expires: date_expires.into(), status, attempts: None, channel: None, event: None, subscription: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct HistoryTagFilter {
    #[serde(rename = "dateExpires", skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<HistoryTagsStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<repo::TextFilter>,
}

/// Records at history
#[derive(Debug, Clone, Copy)]
pub struct History;

impl repo::Place for History {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/notification";
    const PATH: &'static str = "history";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/notification/history");
    type Data = HistoryData;
    type Tags = HistoryTags;
    type TagFilter = HistoryTagFilter;
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
pub struct SenderData {
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

impl SenderData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type SenderTags = repo::Tags;

pub type SenderTagFilter = repo::AnyTagFilter;

/// Records at sender
#[derive(Debug, Clone, Copy)]
pub struct Sender;

impl repo::Place for Sender {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/notification";
    const PATH: &'static str = "sender";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/notification/sender");
    type Data = SenderData;
    type Tags = SenderTags;
    type TagFilter = SenderTagFilter;
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
pub struct SubscriberData {
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

impl SubscriberData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type SubscriberTags = repo::Tags;

pub type SubscriberTagFilter = repo::AnyTagFilter;

/// Records at subscriber
#[derive(Debug, Clone, Copy)]
pub struct Subscriber;

impl repo::Place for Subscriber {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/notification";
    const PATH: &'static str = "subscriber";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/notification/subscriber");
    type Data = SubscriberData;
    type Tags = SubscriberTags;
    type TagFilter = SubscriberTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// The event is a protocol path or the name of an alert.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SubscriptionData {
    pub active: bool,
    pub event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl SubscriptionData {
    pub fn new(active: bool, event: impl Into<String>) -> Self {
        Self { active, event: event.into(), channel: None, filter: None, template: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SubscriptionTags {
    pub active: bool,
    pub event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

impl SubscriptionTags {
    pub fn new(active: bool, event: impl Into<String>) -> Self {
        Self { active, event: event.into(), channel: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct SubscriptionTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<repo::TextFilter>,
}

/// Records at subscription
#[derive(Debug, Clone, Copy)]
pub struct Subscription;

impl repo::Place for Subscription {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/notification";
    const PATH: &'static str = "subscription";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/notification/subscription");
    type Data = SubscriptionData;
    type Tags = SubscriptionTags;
    type TagFilter = SubscriptionTagFilter;
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
pub enum TemplateDataFormat {
    #[serde(rename = "text")]
    Text,
    #[serde(rename = "markdown")]
    Markdown,
    #[serde(rename = "html")]
    Html,
    #[serde(rename = "json")]
    Json,
}

/// Fields of the event stand in braces.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TemplateData {
    pub body: String,
    pub format: TemplateDataFormat,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl TemplateData {
    pub fn new(body: impl Into<String>, format: TemplateDataFormat, name: impl Into<String>) -> Self {
        Self { body: body.into(), format, name: name.into(), locale: None, subject: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum TemplateTagsFormat {
    #[serde(rename = "text")]
    Text,
    #[serde(rename = "markdown")]
    Markdown,
    #[serde(rename = "html")]
    Html,
    #[serde(rename = "json")]
    Json,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TemplateTags {
    pub format: TemplateTagsFormat,
    pub locale: String,
    pub name: String,
}

impl TemplateTags {
    pub fn new(format: TemplateTagsFormat, locale: impl Into<String>, name: impl Into<String>) -> Self {
        Self { format, locale: locale.into(), name: name.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct TemplateTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<TemplateTagsFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<repo::TextFilter>,
}

/// Records at template
#[derive(Debug, Clone, Copy)]
pub struct Template;

impl repo::Place for Template {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/notification";
    const PATH: &'static str = "template";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/notification/template");
    type Data = TemplateData;
    type Tags = TemplateTags;
    type TagFilter = TemplateTagFilter;
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
pub struct NotificationProtocol {
    access: repo::Access,
}

impl NotificationProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// channel
    pub fn channel(&self) -> repo::Records<Channel> {
        repo::Records::new(&self.access)
    }

    /// history
    pub fn history(&self) -> repo::Records<History> {
        repo::Records::new(&self.access)
    }

    /// sender
    pub fn sender(&self) -> repo::Records<Sender> {
        repo::Records::new(&self.access)
    }

    /// subscriber
    pub fn subscriber(&self) -> repo::Records<Subscriber> {
        repo::Records::new(&self.access)
    }

    /// subscription
    pub fn subscription(&self) -> repo::Records<Subscription> {
        repo::Records::new(&self.access)
    }

    /// template
    pub fn template(&self) -> repo::Records<Template> {
        repo::Records::new(&self.access)
    }
}
