//! RecordsSubscribe and MessagesSubscribe: what happens from now on, as far as the asker may see it.
//!
//! Whoever carries the events (the door) asks [`Subscription::admits`] for each of them. The asker's right is
//! looked at again every time: a grant that is revoked or a role that is gone ends the subscription.

use super::{
    fields::PERMISSIONS,
    filter::{self, all, fits, text},
    kind::Kind,
    message::Message,
    messages_query, records_query,
    refusal::{Refusal, Stop},
    text::check_uris,
    view::{Filter, IndexValue, View},
    visible::{rights, visible},
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a subscriber may see of what happens from now on.
#[derive(Debug, Clone)]
pub struct Subscription {
    message: Message,
    /// Any of these; none: everything.
    asked: Vec<Filter>,
    /// Of records: a state that fits any of these may be seen.
    rights: Vec<Filter>,
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
    /// What the state of the record that it supersedes was indexed under, if there was one and it is known.
    pub before: Option<&'a BTreeMap<String, Vec<IndexValue>>>,
    /// The message is the latest state of its subject: not an initial write without data.
    pub latest: bool,
}

pub(super) fn check_records(message: &Message) -> Result<(), Refusal> {
    message.check_delegations()?;
    if message.role().is_some() && message.filter().is_none_or(|filter| !filter.contains_key("protocolPath")) {
        let text = "Role-authorized subscriptions must include `protocolPath` in the filter";
        return Err(Refusal::bad("RecordsSubscribeFilterMissingRequiredProperties", text));
    }
    message.filter().map_or(Ok(()), check_uris)?;
    message.check_timestamp()
}

pub(super) fn check_messages(message: &Message) -> Result<(), Refusal> {
    message.filters().try_for_each(check_uris)?;
    message.check_timestamp()
}

/// Judges a verified RecordsSubscribe or MessagesSubscribe.
pub fn subscribe(message: &Message, view: &dyn View, now: &str) -> Result<Subscription, Stop> {
    let (asked, rights) = match message.kind() {
        Kind::RecordsSubscribe => {
            // Who may see nothing of it is told so.
            visible(message, text("Write"), false)?;
            (message.filter().map(|filter| filter::conditions(filter, false)).into_iter().collect(), rights(message))
        }
        Kind::MessagesSubscribe => (message.filters().flat_map(messages_filters).collect(), Vec::new()),
        other => return Err(anyhow::anyhow!("{} is no subscription", other.name()).into()),
    };
    let subscription = Subscription { message: message.clone(), asked, rights };
    subscription.authorize(message.timestamp(), view, now)?;
    Ok(subscription)
}

impl Subscription {
    /// Does this event belong to it? Looks again whether the subscriber may still see it; a refusal says that the
    /// subscription has ended.
    pub fn admits(&self, happened: &Happened<'_>, view: &dyn View, now: &str) -> Result<bool, Stop> {
        let belongs = match self.message.kind() {
            Kind::MessagesSubscribe => self.asked.is_empty() || self.asks_for(happened.values),
            _ => self.tells(happened),
        };
        if !happened.latest || !belongs {
            return Ok(false);
        }
        self.authorize(now, view, now)?;
        Ok(true)
    }

    /// Is the message, of whatever kind, one of those asked for?
    fn asks_for(&self, values: &BTreeMap<String, Vec<IndexValue>>) -> bool {
        self.asked.iter().any(|filter| fits(filter, values))
    }

    /// Is the subscriber told this event of a record?
    ///
    /// | the new state | told if |
    /// |---|---|
    /// | fits their filter | they may see it |
    /// | does not fit, but the state before did | they may see both: else they would go on believing the old one |
    /// | is a delete | they could see the state before, and either fits their filter |
    ///
    /// Whoever may not see a new state is told nothing, not even that there is one.
    fn tells(&self, happened: &Happened<'_>) -> bool {
        let is = |name: &str, wanted: &str| {
            happened.values.get(name).is_some_and(|values| values.contains(&IndexValue::String(wanted.into())))
        };
        if !is("interface", "Records") {
            return false;
        }
        let may_see = |values| self.rights.iter().any(|right| fits(right, values));
        let (new, seen) = (happened.values, happened.before.filter(|before| may_see(before)));
        let may_know = may_see(new) || is("method", "Delete") && seen.is_some();
        may_know && (self.asks_for(new) || seen.is_some_and(|before| self.asks_for(before)))
    }

    /// `at`: the time at which a grant must be good; `now`: the node's clock.
    fn authorize(&self, at: &str, view: &dyn View, now: &str) -> Result<(), Stop> {
        match self.message.kind() {
            Kind::MessagesSubscribe => messages_query::authorize(&self.message, at, view, now),
            _ => records_query::authorize(&self.message, at, view, now),
        }
    }
}

/// A filter of messages as conditions: itself, and the permission records of the protocol it asks for.
fn messages_filters(asked: &Map<String, Value>) -> Vec<Filter> {
    let own = asked.iter().filter_map(|(name, value)| match name.as_str() {
        "messageTimestamp" => Some((name.clone(), filter::times(value))),
        _ => Some((name.clone(), text(value.as_str()?))),
    });
    let mut filters = vec![own.collect()];
    if let Some(protocol) = asked.get("protocol").and_then(Value::as_str) {
        let mut tagged = all([("protocol", text(PERMISSIONS)), ("tag.protocol", text(protocol))]);
        tagged.extend(asked.get("messageTimestamp").map(|value| ("messageTimestamp".to_owned(), filter::times(value))));
        filters.push(tagged);
    }
    filters
}
