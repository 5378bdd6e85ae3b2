//! RecordsSubscribe and MessagesSubscribe: what happens from now on, as far as the asker may see it.
//!
//! Whoever carries the events (the door) asks [`Subscription::admits`] for each of them. The asker's right is
//! looked at again every time: a grant that is revoked or a role that is gone ends the subscription.

use super::{
    Cond, Filter, IndexValue, Refusal, Stop, View,
    filter::{self, fits, text},
    message::{Kind, Message},
    messages_query, records_query,
    visible::visible,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a subscriber may see of what happens from now on.
#[derive(Debug, Clone)]
pub struct Subscription {
    message: Message,
    /// Any of these; none: everything.
    any_of: Vec<Filter>,
}

/// One accepted change as subscribers see it.
#[derive(Debug, Clone, Copy)]
pub struct Happened<'a> {
    pub message: &'a Value,
    /// The logical author.
    pub author: &'a str,
    /// The record's initial write, if `message` is a later one.
    pub initial: Option<&'a Value>,
    /// What the message is indexed under ([`super::index_values`]).
    pub values: &'a BTreeMap<String, Vec<IndexValue>>,
    /// The message is the latest state of its subject: not an initial write without data.
    pub latest: bool,
}

pub(super) fn check_records(message: &Message) -> Result<(), Refusal> {
    message.check_delegations()?;
    if message.role().is_some() && message.filter().is_none_or(|filter| !filter.contains_key("protocolPath")) {
        let text = "Role-authorized subscriptions must include `protocolPath` in the filter";
        return Err(Refusal::bad("RecordsSubscribeFilterMissingRequiredProperties", text));
    }
    message.filter().map_or(Ok(()), super::text::check_uris)?;
    message.check_timestamp()
}

pub(super) fn check_messages(message: &Message) -> Result<(), Refusal> {
    message.filters().try_for_each(super::text::check_uris)?;
    message.check_timestamp()
}

/// Judges a verified RecordsSubscribe or MessagesSubscribe.
pub fn subscribe(message: &Message, view: &dyn View, _now: &str) -> Result<Subscription, Stop> {
    let any_of = match message.kind() {
        Kind::RecordsSubscribe => visible(message, methods(), false)?,
        Kind::MessagesSubscribe => message.filters().flat_map(messages_filters).collect(),
        other => return Err(anyhow::anyhow!("{} is no subscription", other.name()).into()),
    };
    let subscription = Subscription { message: message.clone(), any_of };
    subscription.authorize(message.timestamp(), view)?;
    Ok(subscription)
}

impl Subscription {
    /// Does this event belong to it? Looks again whether the subscriber may still see it; a refusal says that the
    /// subscription has ended.
    pub fn admits(&self, happened: &Happened<'_>, view: &dyn View, now: &str) -> Result<bool, Stop> {
        let belongs = self.any_of.is_empty() && self.message.kind() == Kind::MessagesSubscribe
            || self.any_of.iter().any(|filter| fits(filter, happened.values));
        if !happened.latest || !belongs {
            return Ok(false);
        }
        self.authorize(now, view)?;
        Ok(true)
    }

    /// `at`: the time at which a grant must be good.
    fn authorize(&self, at: &str, view: &dyn View) -> Result<(), Stop> {
        match self.message.kind() {
            Kind::MessagesSubscribe => messages_query::authorize(&self.message, at, view),
            _ => records_query::authorize(&self.message, at, view),
        }
    }
}

fn methods() -> Cond {
    Cond::OneOf(["Write", "Delete"].map(|method| IndexValue::String(method.into())).into())
}

/// A filter of messages as conditions: itself, and the permission records of the protocol it asks for.
fn messages_filters(asked: &Map<String, Value>) -> Vec<Filter> {
    let own = asked.iter().filter_map(|(name, value)| match name.as_str() {
        "messageTimestamp" => Some((name.clone(), filter::times(value))),
        _ => Some((name.clone(), text(value.as_str()?))),
    });
    let mut filters = vec![own.collect()];
    if let Some(protocol) = asked.get("protocol").and_then(Value::as_str) {
        let tagged = [("protocol", text(super::PERMISSIONS)), ("tag.protocol", text(protocol))];
        let mut tagged: Filter = tagged.map(|(name, cond)| (name.to_owned(), cond)).into();
        tagged.extend(asked.get("messageTimestamp").map(|value| ("messageTimestamp".to_owned(), filter::times(value))));
        filters.push(tagged);
    }
    filters
}
