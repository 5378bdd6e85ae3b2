//! RecordsRead: one record with its data.

use super::{
    fields::{self, descriptor_text},
    filter,
    json::Object,
    message::Message,
    policy::At,
    protocol,
    reason::Reason,
    refusal::{Refusal, Stop},
    reply::MessageReply,
    view::{Select, SortBy, Stored, View},
};

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    message.check_delegations()?;
    message.check_timestamp()
}

pub(super) fn answer(message: &Message, view: &dyn View, now: &str) -> Result<MessageReply, Stop> {
    let found = find(message, view)?;
    let initial = found.record_id.as_deref().map(|id| view.initial_before(id, &found.cid)).transpose()?.flatten();
    if fields::is_method(&found.message, "Delete") {
        let initial = initial.ok_or_else(|| {
            let message = "Initial write for deleted record not found";
            Refusal::bad("RecordsReadInitialWriteNotFound", message)
        })?;
        authorize(message, &initial, &initial.author, view, now)?;
        let entry =
            Object::default().with("recordsDelete", found.message.text()).with("initialWrite", initial.message.text());
        return Ok(MessageReply::not_found().with("entry", entry.text()));
    }
    let creator = initial.as_ref().map_or(&found.author, |initial| &initial.author);
    authorize(message, &found, creator, view, now)?;
    let data = if view.has_data(&found)? { fields::declared_data(&found.message) } else { None };
    let (cid, size) = data.ok_or_else(Refusal::not_found)?;
    let mut entry = Object::default().with("recordsWrite", found.message.text());
    if let Some(initial) = initial {
        entry = entry.with("initialWrite", initial.message.text());
    }
    Ok(MessageReply { data: Some((found, cid, size)), ..MessageReply::ok().with("entry", entry.text()) })
}

/// The one latest state (a write or a delete) that the filter finds. Beyond the dialect: with a `dateSort`, the
/// first of all writes in that order, so that "the newest at this path" has an answer.
fn find(message: &Message, view: &dyn View) -> Result<Stored, Stop> {
    let date_sort = message.text("dateSort");
    let (sort, direction) = filter::sort(date_sort);
    let by_publication = sort == SortBy::DatePublished;
    let mut filter = message.filter().map(|filter| filter::conditions(filter, by_publication)).unwrap_or_default();
    if date_sort.is_some() {
        filter.insert("method".into(), filter::text("Write"));
    }
    // Two suffice to know that there is more than one.
    let select = Select { any_of: vec![filter], sort, direction, limit: Some(2), after: None };
    let entries = view.select(&select)?.entries;
    if entries.len() > 1 && date_sort.is_none() {
        let text = "Multiple records exist for the RecordsRead filter";
        return Err(Refusal::bad("RecordsReadReturnedMultiple", text).into());
    }
    Ok(entries.into_iter().next().ok_or_else(Refusal::not_found)?)
}

/// `creator`: who began the record; whoever has written to it since, it is theirs to read.
pub(super) fn authorize(
    message: &Message,
    write: &Stored,
    creator: &str,
    view: &dyn View,
    now: &str,
) -> Result<Reason, Stop> {
    if let Some((grant, claim)) = message.delegation(now)? {
        grant.authorize_read(claim, &write.message, view)?;
    }
    if let Some(reason) = as_party(message, write, creator) {
        return Ok(reason);
    }
    if fields::is_published(&write.message) {
        return Ok(Reason::Published);
    }
    if let Some((grant, claim)) = message.grant(view, now)? {
        grant.authorize_read(claim, &write.message, view)?;
        return Ok(Reason::Grant(grant.id, grant.expires));
    }
    if descriptor_text(&write.message, "protocol").is_some() {
        return protocol::authorize_read(message, write, At { tenant: message.tenant(), now }, view).map(Reason::Rule);
    }
    Err(Refusal::denied("RecordsReadAuthorizationFailed", "message failed authorization").into())
}

/// What the author of the message is to the record.
fn as_party(message: &Message, write: &Stored, creator: &str) -> Option<Reason> {
    let author = message.author()?;
    if author == message.tenant() {
        Some(Reason::Owner)
    } else if author == creator {
        Some(Reason::Creator)
    } else if *author == *write.author {
        Some(Reason::Author)
    } else {
        (descriptor_text(&write.message, "recipient") == Some(author)).then_some(Reason::Recipient)
    }
}
