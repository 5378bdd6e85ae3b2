//! Which records somebody may see who asks for many.
//!
//! | who | sees |
//! |---|---|
//! | the owner | every record |
//! | anybody | published records |
//! | whoever signs | also the records that they began, whose newest state they wrote, or that are addressed to them |
//! | whoever invokes a role | also what the role opens |

use super::{
    filter::{self, all, flag},
    index::CREATOR,
    message::Message,
    refusal::Refusal,
    view::{Cond, Filter},
};
use serde_json::{Map, Value};

/// The filters whose union the asker may see. `method`: of which messages. `by_publication`: what is asked for is
/// sorted by date of publication, which unpublished records do not have.
pub(super) fn visible(message: &Message, method: Cond, by_publication: bool) -> Result<Vec<Filter>, Refusal> {
    let empty = Map::new();
    let asked = message.filter().unwrap_or(&empty);
    let mut base = filter::conditions(asked, by_publication);
    base.insert("interface".into(), filter::text("Records"));
    base.insert("method".into(), method);
    let with = |more: &[(&str, Cond)]| {
        let mut filter = base.clone();
        filter.extend(more.iter().map(|(name, cond)| ((*name).to_owned(), cond.clone())));
        filter
    };
    let Some(author) = message.author() else {
        // Who does not say who they are sees what everybody sees.
        let missing = || Refusal::denied("AuthenticateJwsMissing", "Missing JWS.");
        return if asks_published(asked) { Ok(vec![with(&[("published", flag(true))])]) } else { Err(missing()) };
    };
    if author == message.tenant() {
        return Ok(vec![base]);
    }
    let mut filters = Vec::new();
    if asks_published(asked) {
        filters.push(with(&[("published", flag(true))]));
    }
    if asks_unpublished(asked) && !by_publication {
        for party in ["author", "recipient"] {
            if may_be(asked.get(party), author) {
                filters.push(with(&[("published", flag(false)), (party, filter::text(author))]));
            }
        }
        // Whoever has written to a record since, it is its author's to see.
        filters.push(with(&[("published", flag(false)), (CREATOR, filter::text(author))]));
        if message.role().is_some() {
            filters.push(with(&[("published", flag(false))]));
        }
    }
    Ok(filters)
}

/// As [`visible`], whatever is asked for: a state of a record that fits any of these may be seen by who asks.
pub(super) fn rights(message: &Message) -> Vec<Filter> {
    let published = all([("published", flag(true))]);
    let Some(author) = message.author() else { return vec![published] };
    if author == message.tenant() {
        return vec![Filter::new()];
    }
    let theirs =
        ["author", CREATOR, "recipient"].map(|party| all([("published", flag(false)), (party, filter::text(author))]));
    let mut rights = vec![published];
    rights.extend(theirs);
    if message.role().is_some() {
        // A role opens what its holder has shown to hold it for.
        let empty = Map::new();
        let asked = filter::conditions(message.filter().unwrap_or(&empty), false);
        let held =
            asked.into_iter().filter(|(name, _)| matches!(name.as_str(), "protocol" | "protocolPath" | "contextId"));
        rights.push(held.chain([("published".to_owned(), flag(false))]).collect());
    }
    rights
}

fn asks_published(asked: &Map<String, Value>) -> bool {
    asked.contains_key("datePublished") || asked.get("published") != Some(&Value::Bool(false))
}

fn asks_unpublished(asked: &Map<String, Value>) -> bool {
    match asked.get("published") {
        None => !asked.contains_key("datePublished"),
        Some(flag) => *flag == Value::Bool(false),
    }
}

/// Does a filter of one DID, of several or of none let this DID through?
fn may_be(asked: Option<&Value>, did: &str) -> bool {
    match asked {
        None => true,
        Some(Value::Array(dids)) => dids.is_empty() || dids.iter().any(|asked| asked.as_str() == Some(did)),
        Some(asked) => asked.as_str() == Some(did),
    }
}
