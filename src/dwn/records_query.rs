//! RecordsQuery: the latest states of records that match a filter and that the asker may see.

use super::{
    entries::Entries,
    filter::{self, sort},
    grant::Claim,
    json::js_string,
    message::Message,
    policy::At,
    protocol,
    refusal::{Refusal, Stop},
    reply::MessageReply,
    text,
    view::{PaginationCursor, Select, SortBy, View},
    visible::visible,
};
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

/// May somebody ask for many records, now or from now on (RecordsQuery, RecordsSubscribe)? Anybody may: what they may not
/// see is left out. Only a delegate's grant must be good, and a role that is invoked must be held. `at`: the time at which a
/// grant must be good; `now`: the node's clock.
pub(super) fn authorize(message: &Message, at: &str, view: &dyn View, now: &str) -> Result<(), Stop> {
    if let Some((grant, claim)) = message.delegation(now)? {
        let code = "RecordsGrantAuthorizationQueryOrSubscribeProtocolScopeMismatch";
        grant.authorize_protocol(Claim { at, ..claim }, message.asked("protocol"), (code, "message"), view)?;
        // (The reference looks at the protocol only.)
        grant.scope.allows(message.asked("contextId"), message.asked("protocolPath"))?;
    }
    if message.role().is_some() {
        protocol::authorize_query(message, At { tenant: message.tenant(), now }, view)?;
    }
    Ok(())
}

pub(super) fn answer(message: &Message, view: &dyn View, now: &str) -> Result<MessageReply, Stop> {
    authorize(message, message.timestamp(), view, now)?;
    let hits = view.hits(&selection(message)?)?;
    let reply = MessageReply::ok().listing(Entries::records(hits.positions));
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

fn cursor(json: &Value) -> PaginationCursor {
    PaginationCursor { message_cid: js_string(json.get("messageCid")), value: js_string(json.get("value")) }
}
