//! RecordsQuery: the latest states of records that match a filter and that the asker may see.

use super::{
    Cursor, Direction, Entries, Fault, INLINE_MAX, Refusal, Reply, Select, SortBy, Stop, Stored, View, filter,
    grant::Claim,
    json::{Object, quoted},
    message::{self, Message},
    protocol, text,
    visible::visible,
};
use crate::crypto;
use serde_json::{Map, Value};

/// What can be said before the signature is looked at.
pub(super) fn check_unsigned(descriptor: &Map<String, Value>) -> Result<(), Refusal> {
    let sort = descriptor.get("dateSort").and_then(Value::as_str).unwrap_or_default();
    let unpublished = descriptor.get("filter").and_then(|filter| filter.get("published")) == Some(&Value::Bool(false));
    if unpublished && sort.starts_with("published") {
        let message = format_args!("queries must not filter for `published:false` and sort by {sort}");
        return Err(Refusal::bad("RecordsQueryParseFilterPublishedSortInvalid", message));
    }
    Ok(())
}

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    message.check_delegations()?;
    if message.role().is_some() && message.filter().is_none_or(|filter| !filter.contains_key("protocolPath")) {
        let message = "Role-authorized queries must include `protocolPath` in the filter";
        return Err(Refusal::bad("RecordsQueryFilterMissingRequiredProperties", message));
    }
    message.filter().map_or(Ok(()), text::check_uris)?;
    message.check_timestamp()
}

/// May somebody ask for many records, now or from now on (RecordsQuery, RecordsSubscribe)? What they may not see
/// is left out; only a delegate must have a good grant, and a role that is invoked must be held. `at`: the time at
/// which a grant must be good; `now`: the node's clock.
pub(super) fn authorize(message: &Message, at: &str, view: &dyn View, now: &str) -> Result<(), Stop> {
    if let Some((grant, claim)) = message.delegation(now)? {
        let asked = |name| message.filter().and_then(|filter| filter.get(name)).and_then(Value::as_str);
        let code = "RecordsGrantAuthorizationQueryOrSubscribeProtocolScopeMismatch";
        grant.authorize_protocol(Claim { at, ..claim }, asked("protocol"), (code, "message"), view)?;
        // (The reference looks at the protocol only.)
        grant.scope.allows(asked("contextId"), asked("protocolPath"))?;
    }
    if message.role().is_some() { protocol::authorize_query(message, view) } else { Ok(()) }
}

pub(super) fn answer(message: &Message, view: &dyn View, now: &str) -> Result<Reply, Stop> {
    authorize(message, message.timestamp(), view, now)?;
    let hits = view.hits(&selection(message)?)?;
    let reply = Reply::ok().listing(Entries::records(hits.positions));
    Ok(match hits.cursor {
        Some(cursor) => reply.with("cursor", cursor.text()),
        None => reply,
    })
}

/// What a query asks of the store: the records that its asker may see, in order.
pub fn selection(message: &Message) -> Result<Select, Refusal> {
    let (sort, direction) = sort(message.text("dateSort"));
    let pagination = message.descriptor().get("pagination");
    Ok(Select {
        any_of: visible(message, filter::text("Write"), sort == SortBy::DatePublished)?,
        sort,
        direction,
        limit: pagination.and_then(|p| p.get("limit")).and_then(Value::as_f64).map(|limit| limit as usize),
        after: pagination.and_then(|p| p.get("cursor")).map(cursor),
    })
}

pub(super) fn sort(date_sort: Option<&str>) -> (SortBy, Direction) {
    match date_sort {
        Some("createdDescending") => (SortBy::DateCreated, Direction::Descending),
        Some("publishedAscending") => (SortBy::DatePublished, Direction::Ascending),
        Some("publishedDescending") => (SortBy::DatePublished, Direction::Descending),
        _ => (SortBy::DateCreated, Direction::Ascending),
    }
}

fn cursor(json: &Value) -> Cursor {
    Cursor { message_cid: message::shown(json.get("messageCid")), value: message::shown(json.get("value")) }
}

/// One line of the answer: the write, small data with it, and the initial write if this is an update. None: the record
/// was deleted since the answer began.
pub(super) fn entry(stored: &Stored, view: &dyn View) -> Result<Option<String>, Fault> {
    let mut data = view.inline_data(stored)?;
    if data.is_none() && !view.has_data(stored)? {
        // It is no latest state any more.
        if is_deleted(stored, view)? {
            return Ok(None);
        }
        data.clone_from(&stored.beside);
    }
    let mut entry = Object::extending(stored.message.text());
    if let Some(data) = data.filter(|data| data.len() as u64 <= INLINE_MAX) {
        entry = entry.with("encodedData", &quoted(&crypto::encode(&data)));
    }
    if let Some(id) = stored.record_id.as_deref()
        && let Some(initial) = view.initial_before(id, &stored.cid)?
    {
        entry = entry.with("initialWrite", initial.message.text());
    }
    Ok(Some(entry.text()))
}

fn is_deleted(stored: &Stored, view: &dyn View) -> Result<bool, Fault> {
    let Some(id) = stored.record_id.as_deref() else { return Ok(false) };
    let Some(record) = view.record(id)? else { return Ok(true) };
    Ok(message::descriptor_of(&record.newest.message).get("method").and_then(Value::as_str) == Some("Delete"))
}
