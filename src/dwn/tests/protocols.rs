//! The rules in stories: protocols.

use super::*;

const THREADS: &str = "http://example.com/threads";

fn thread<'a>(recipient: &'a str) -> Write<'a> {
    Write { protocol: Some((THREADS, "thread")), recipient: Some(recipient), ..note() }
}

fn reply_to<'a>(thread: &'a Result<Value, Refusal>) -> Write<'a> {
    let parent_context = thread.as_ref().expect("made")["contextId"].as_str();
    let schema = Some("http://example.com/reply");
    Write { protocol: Some((THREADS, "thread/reply")), parent_context, schema, ..note() }
}

fn with_protocol(alice: &Signer) -> Past {
    let mut past = Past::of(alice);
    assert_eq!(past.code(protocols_configure(threads(), &at(0), alice), None), 202);
    past
}

#[test]
fn the_newest_definition_of_a_protocol_is_the_one() {
    let (alice, bob) = (person(1), person(2));
    let mut past = with_protocol(&alice);
    assert_eq!(past.code(protocols_configure(threads(), &at(1), &bob), None), 401);
    let mut newer = threads();
    newer["published"] = false.into();
    assert_eq!(past.code(protocols_configure(newer.clone(), &at(2), &alice), None), 202);
    assert_eq!(past.code(protocols_configure(threads(), &at(1), &alice), None), 409);
    let reply = past.send(protocols_query(None, &at(9), Some(&alice)), None);
    assert_eq!(reply["entries"].as_array().map(Vec::len), Some(1));
    assert_eq!(reply["entries"][0]["descriptor"]["definition"], newer);
    let reply = past.send(protocols_query(Some(THREADS), &at(9), None), None);
    assert_eq!(reply["entries"], json!([]), "it is not published");
}

#[test]
fn rules_say_who_may_do_what() {
    let (alice, bob, carol) = (person(1), person(2), person(3));
    let mut past = with_protocol(&alice);
    let start = write(&thread(carol.did()), b"t", 1, &bob);
    assert_eq!(past.code(start.clone(), Some(b"t")), 202, "anyone may start a thread");

    let answer = reply_to(&start);
    let by_bob = past.send(write(&answer, b"r", 2, &bob), Some(b"r"));
    let text = format!(
        "ProtocolAuthorizationActionNotAllowed: Inbound message action RecordsWrite by author {} not allowed.",
        bob.did()
    );
    assert_eq!(detail(&by_bob), text);
    let by_carol = write(&answer, b"r", 2, &carol);
    assert_eq!(past.code(by_carol.clone(), Some(b"r")), 202, "its recipient may answer");

    assert_eq!(past.code(read(&by_carol, Some(&bob)), None), 200, "the author of the thread may read");
    assert_eq!(past.code(read(&by_carol, Some(&person(4))), None), 401);
    let changes = json!({"published": true, "datePublished": at(3)});
    let by_author = records_update(by_carol.as_ref().expect("made"), &changes, &at(3), &carol);
    assert_eq!(past.code(by_author, None), 401, "an answer may not be updated");
    assert_eq!(past.code(records_delete(record_id(&by_carol), false, &at(4), &carol), None), 401);
    assert_eq!(past.code(records_delete(record_id(&by_carol), false, &at(4), &bob), None), 202, "co-delete");
    let renamed = records_update(start.as_ref().expect("made"), &json!({}), &at(5), &bob);
    assert_eq!(past.code(renamed, None), 202, "one's own thread may be updated");
    assert_eq!(past.code(records_delete(record_id(&start), true, &at(6), &bob), None), 401, "delete is not prune");
    assert_eq!(past.code(records_delete(record_id(&start), false, &at(6), &bob), None), 202);
}

#[test]
fn structure_binds_the_tenant_too() {
    let alice = person(1);
    let mut past = with_protocol(&alice);
    let start = write(&thread(alice.did()), b"t", 1, &alice);
    assert_eq!(past.code(start.clone(), Some(b"t")), 202);
    let mut refused = |write: Write<'_>, data: &[u8]| {
        let message = super::write(&write, data, 2, &alice);
        detail(&past.send(message, Some(data))).to_owned()
    };
    let answer = reply_to(&start);
    assert_eq!(
        refused(Write { schema: Some("http://other.example"), ..answer.clone() }, b"r"),
        "ProtocolAuthorizationInvalidSchema: type 'reply' must have schema 'http://example.com/reply',         instead has 'http://other.example'"
    );
    assert_eq!(
        refused(Write { data_format: "text/html", ..thread(alice.did()) }, b"r"),
        "ProtocolAuthorizationIncorrectDataFormat: type 'thread' must have data format in (text/plain),         instead has 'text/html'"
    );
    assert_eq!(
        refused(answer.clone(), b"more than ten"),
        "ProtocolAuthorizationMaxSizeInvalid: data size 13 is more than allowed 10"
    );
    assert_eq!(refused(answer.clone(), b""), "ProtocolAuthorizationMinSizeInvalid: data size 0 is less than allowed 1");
    assert_eq!(
        refused(Write { parent_context: None, ..answer.clone() }, b"r"),
        "ProtocolAuthorizationParentlessIncorrectProtocolPath: Declared protocol path 'thread/reply' is not valid for records with no parent'."
    );
    assert_eq!(
        refused(Write { parent_context: Some("nobody"), ..answer.clone() }, b"r"),
        "ProtocolAuthorizationIncorrectProtocolPath: Could not find matching parent record to verify declared protocol path 'thread/reply'."
    );
    assert_eq!(
        refused(Write { protocol: Some((THREADS, "page")), parent_context: None, ..answer.clone() }, b"r"),
        "ProtocolAuthorizationInvalidType: record with type page not allowed in protocol"
    );
    assert_eq!(
        refused(Write { protocol: Some(("http://none.example", "thread")), ..thread(alice.did()) }, b"r"),
        "ProtocolAuthorizationProtocolNotFound: unable to find protocol definition for http://none.example"
    );
}

#[test]
fn prune_takes_the_descendants_with_it() {
    let alice = person(1);
    let mut past = with_protocol(&alice);
    let start = write(&thread(alice.did()), b"t", 1, &alice);
    assert_eq!(past.code(start.clone(), Some(b"t")), 202);
    let full = write(&reply_to(&start), b"r", 2, &alice);
    assert_eq!(past.code(full.clone(), Some(b"r")), 202);
    assert_eq!(past.code(records_update(full.as_ref().expect("made"), &json!({}), &at(3), &alice), None), 202);
    assert_eq!(past.code(write(&reply_to(&start), b"q", 3, &alice), None), 204);
    assert_eq!(past.code(records_delete(record_id(&start), true, &at(5), &alice), None), 202);
    let reply = past.send(messages_query(json!([]), None, &at(9), &alice), None);
    let kept = reply["entries"].as_array().map(Vec::len);
    assert_eq!(kept, Some(3), "the protocol, the initial write and the tombstone");
    assert_eq!(past.code(read(&full, Some(&alice)), None), 404);
    assert_eq!(past.code(records_delete(record_id(&start), true, &at(6), &alice), None), 404, "pruned already");
}
