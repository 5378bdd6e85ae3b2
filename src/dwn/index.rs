//! What a message is found by.

use super::{
    fields::{attesters, context_id, descriptor_of, descriptor_text, is_method, is_published},
    filter::index_value,
    view::{IndexValue, Kept},
};
use crate::crypto::jws;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a RecordsDelete is found by although only the record's initial write says it.
const INHERITED: &[&str] = &["protocolPath", "recipient", "schema", "parentId", "dateCreated"];

/// Under which grants a write was signed. No filter of a client can ask for it; a revocation does.
pub(super) const GRANTED_BY: &str = "permissionGrantId";

/// Who began the record, where that is not who wrote its state. No filter of a client can ask for it; what somebody may see
/// depends on it.
pub(super) const CREATOR: &str = "creator";

/// What a later message of a record is found by although only the record's initial write says it.
#[derive(Debug, Clone, Copy, Default)]
pub struct First<'a> {
    /// Who began the record.
    pub author: Option<&'a str>,
    /// The initial write itself; only a RecordsDelete needs it.
    pub message: Option<&'a Value>,
}

impl<'a> First<'a> {
    pub fn of(initial: &'a Kept) -> Self {
        Self { author: Some(&initial.author), message: Some(&initial.message) }
    }
}

/// The properties a message is indexed under. `first`: of the record's initial write, if this is a later message.
/// Tags are indexed only for a `latest` state, the only one they are asked of. Whether a state is the latest
/// is no property here: it is [`super::Stored::latest`].
pub fn index_values(
    message: &Value,
    author: &str,
    first: First<'_>,
    latest: bool,
) -> BTreeMap<String, Vec<IndexValue>> {
    let mut values = BTreeMap::new();
    let mut put = |name: &str, value: Option<IndexValue>| {
        if let Some(value) = value {
            values.insert(name.to_owned(), vec![value]);
        }
    };
    let text = |text: &str| Some(IndexValue::String(text.into()));
    for (name, value) in descriptor_of(message) {
        put(name, index_value(value));
    }
    put("author", text(author));
    match descriptor_text(message, "interface") {
        Some("Protocols") => {
            let definition = descriptor_of(message).get("definition");
            put("published", definition.and_then(|definition| definition.get("published")).and_then(index_value));
            put("protocol", scope(message, None).and_then(text));
        }
        Some("Records") if is_method(message, "Delete") => {
            for name in INHERITED {
                put(name, first.message.and_then(|initial| descriptor_of(initial).get(*name)).and_then(index_value));
            }
            put("protocol", scope(message, first.message).and_then(text));
            put("contextId", first.message.and_then(context_id).and_then(text));
            put(CREATOR, first.author.filter(|first| *first != author).and_then(text));
        }
        Some("Records") => {
            let published = is_published(message);
            put("published", Some(IndexValue::Bool(published)));
            put("recordId", message.get("recordId").and_then(index_value));
            put("contextId", context_id(message).and_then(text));
            put(CREATOR, first.author.filter(|first| *first != author).and_then(text));
            put("attester", attesters(message).into_iter().next().map(IndexValue::String));
            let grants: Vec<_> = grants(message).into_iter().map(IndexValue::String).collect();
            if !grants.is_empty() {
                values.insert(GRANTED_BY.to_owned(), grants);
            }
            if latest {
                values.extend(tags(message));
            }
        }
        _ => {}
    }
    values
}

/// The scope of a message: URI of the protocol that it belongs to, which is what devices choose by and what sums of messages
/// are kept for. `None`: it belongs to none. `initial`: its record's initial write, of which only a RecordsDelete is in need;
/// without that, a delete says nothing of a protocol.
///
/// It depends on messages alone, so that all who keep the same ones find the same.
pub fn scope<'a>(message: &'a Value, initial: Option<&'a Value>) -> Option<&'a str> {
    match descriptor_text(message, "interface") {
        Some("Protocols") => descriptor_of(message).get("definition")?.get("protocol")?.as_str(),
        Some("Records") if is_method(message, "Delete") => initial.and_then(|write| descriptor_text(write, "protocol")),
        _ => descriptor_text(message, "protocol"),
    }
}

/// recordIds of the grants that a write was signed under: the one its author invokes, those that came with it.
pub(super) fn grants(message: &Value) -> Vec<String> {
    let authorization = message.get("authorization");
    let part = |name| authorization.and_then(|authorization| authorization.get(name));
    let invoked = part("signature").and_then(jws::payload).and_then(|payload| payload.get(GRANTED_BY).cloned());
    let delegated = ["authorDelegatedGrant", "ownerDelegatedGrant"].into_iter().filter_map(part);
    let delegated = delegated.filter_map(|grant| grant.get("recordId").cloned());
    invoked.into_iter().chain(delegated).filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// `tag.<name>`, once per element of a list.
fn tags(message: &Value) -> impl Iterator<Item = (String, Vec<IndexValue>)> {
    let tags = descriptor_of(message).get("tags").and_then(Value::as_object);
    tags.into_iter().flatten().map(|(name, value)| {
        let values = match value {
            Value::Array(items) => items.iter().filter_map(index_value).collect(),
            value => index_value(value).into_iter().collect(),
        };
        (format!("tag.{name}"), values)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dwn::{create, testing::*};
    use serde_json::json;

    fn text(text: &str) -> Option<Vec<IndexValue>> {
        Some(vec![IndexValue::String(text.into())])
    }

    #[test]
    fn a_write_is_found_by_its_descriptor_its_ids_and_if_it_is_the_latest_its_tags() {
        let alice = person(1);
        let tags = json!({"n": 1.5, "list": ["a", "b"]});
        let write = create::Write { data_format: "text/plain", tags: tags.as_object().cloned(), ..Default::default() };
        let write = create::records_write(&write, (&data_cid(b"x"), 1), &at(1), &alice).expect("made");
        let values = index_values(&write, alice.did(), First::default(), true);
        assert_eq!(values.get("dataFormat").cloned(), text("text/plain"));
        assert_eq!(values.get("author").cloned(), text(alice.did()));
        assert_eq!(values.get("published"), Some(&vec![IndexValue::Bool(false)]));
        assert_eq!(values.get("dataSize"), Some(&vec![IndexValue::Number(1.0)]));
        assert_eq!(values.get("tag.n"), Some(&vec![IndexValue::Number(1.5)]));
        assert_eq!(values.get("tag.list").map(Vec::len), Some(2));
        assert_eq!(values.get("tags"), None);
        assert_eq!(index_values(&write, alice.did(), First::default(), false).get("tag.n"), None);
    }

    #[test]
    fn a_delete_inherits_what_only_the_initial_write_says() {
        let alice = person(1);
        let write = create::Write {
            protocol: Some(("http://example.com", "a/b")),
            parent_context: Some("parent"),
            recipient: Some("did:example:r"),
            schema: Some("http://example.com/s"),
            data_format: "text/plain",
            ..Default::default()
        };
        let write = create::records_write(&write, (&data_cid(b"x"), 1), &at(1), &alice).expect("made");
        let id = write["recordId"].as_str().expect("an id");
        let delete = create::records_delete(id, false, &at(2), &alice).expect("made");
        let bob = person(2);
        let first = First { author: Some(bob.did()), message: Some(&write) };
        let values = index_values(&delete, alice.did(), first, true);
        for (name, value) in [
            ("protocol", "http://example.com"),
            ("protocolPath", "a/b"),
            ("parentId", "parent"),
            ("recipient", "did:example:r"),
            ("schema", "http://example.com/s"),
            ("dateCreated", &at(1)),
            ("messageTimestamp", &at(2)),
            ("recordId", id),
            ("contextId", &format!("parent/{id}")),
            ("method", "Delete"),
            ("author", alice.did()),
            ("creator", bob.did()),
        ] {
            assert_eq!(values.get(name).cloned(), text(value), "{name}");
        }
        assert!(["published", "dataFormat"].iter().all(|name| !values.contains_key(*name)));
    }

    #[test]
    fn a_message_belongs_to_the_protocol_that_it_or_its_initial_write_names() {
        let (alice, uri) = (person(1), "http://example.com/threads");
        let write = |protocol: Option<&str>| {
            let protocol = protocol.map(|uri| (uri, "thread"));
            let write = create::Write { protocol, data_format: "text/plain", ..Default::default() };
            create::records_write(&write, (&data_cid(b"x"), 1), &at(1), &alice).expect("made")
        };
        let (in_protocol, flat, permission) = (write(Some(uri)), write(None), write(Some(crate::dwn::PERMISSIONS)));
        let delete = create::records_delete("a", false, &at(2), &alice).expect("made");
        let configure = create::protocols_configure(threads(), &at(1), &alice).expect("made");
        for (message, initial, belongs) in [
            (&in_protocol, None, Some(uri)),
            (&in_protocol, Some(&in_protocol), Some(uri)),
            (&flat, None, None),
            (&permission, None, Some(crate::dwn::PERMISSIONS)),
            (&delete, Some(&in_protocol), Some(uri)),
            (&delete, Some(&flat), None),
            (&delete, None, None),
            (&configure, None, Some(uri)),
        ] {
            assert_eq!(scope(message, initial), belongs, "{message}");
            let values = index_values(message, alice.did(), First { author: None, message: initial }, true);
            assert_eq!(values.get("protocol").cloned(), belongs.and_then(text), "what it is found by says the same");
        }
    }

    #[test]
    fn a_protocol_is_found_by_its_uri() {
        let alice = person(1);
        let configure = create::protocols_configure(threads(), &at(1), &alice).expect("made");
        let values = index_values(&configure, alice.did(), First::default(), true);
        assert_eq!(values.get("protocol").cloned(), text("http://example.com/threads"));
        assert_eq!(values.get("published"), Some(&vec![IndexValue::Bool(true)]));
        assert_eq!(values.get("definition"), None);
    }
}
