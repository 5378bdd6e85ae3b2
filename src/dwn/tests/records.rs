//! The rules in stories: records.

use super::*;

#[test]
fn a_record_is_written_read_updated_and_deleted() {
    let (alice, bob) = (person(1), person(2));
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice);
    assert_eq!(past.code(first.clone(), Some(b"one")), 202);
    assert_eq!(past.code(first.clone(), Some(b"one")), 409, "twice the same");

    let reply = past.send(read(&first, Some(&alice)), None);
    assert_eq!(reply["status"]["code"], 200);
    assert_eq!(reply["entry"]["recordsWrite"], *first.as_ref().expect("made"));
    assert_eq!(past.code(read(&first, Some(&bob)), None), 401);
    assert_eq!(past.code(read(&first, None), None), 401);

    let changes = json!({"dataCid": data_cid(b"two!").to_string(), "dataSize": 4});
    let second = records_update(first.as_ref().expect("made"), &changes, &at(2), &alice);
    assert_eq!(past.code(second.clone(), Some(b"two!")), 202);
    let reply = past.send(read(&first, Some(&alice)), None);
    assert_eq!(reply["entry"]["recordsWrite"], *second.as_ref().expect("made"));
    assert_eq!(reply["entry"]["initialWrite"], *first.as_ref().expect("made"));

    let delete = records_delete(record_id(&first), false, &at(3), &alice);
    assert_eq!(past.code(records_delete(record_id(&first), false, &at(1), &alice), None), 409, "older");
    assert_eq!(past.code(records_delete(record_id(&first), false, &at(3), &bob), None), 401);
    assert_eq!(past.code(delete.clone(), None), 202);
    assert_eq!(past.code(delete.clone(), None), 404, "it is gone");
    let reply = past.send(read(&first, Some(&alice)), None);
    assert_eq!(reply["status"], json!({"code": 404, "detail": "Not Found"}));
    assert_eq!(reply["entry"]["recordsDelete"], *delete.as_ref().expect("made"));
    assert_eq!(reply["entry"]["initialWrite"], *first.as_ref().expect("made"));

    let third = records_update(second.as_ref().expect("made"), &json!({}), &at(4), &alice);
    let reply = past.send(third, None);
    assert_eq!(detail(&reply), "RecordsWriteNotAllowedAfterDelete: RecordsWrite is not allowed after a RecordsDelete.");
}

#[test]
fn an_initial_write_without_data_is_kept_but_not_found() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice);
    assert_eq!(past.code(first.clone(), None), 204);
    assert_eq!(past.code(read(&first, Some(&alice)), None), 404);

    let bare = records_update(first.as_ref().expect("made"), &json!({}), &at(2), &alice);
    let reply = past.send(bare, None);
    assert!(detail(&reply).starts_with("RecordsWriteMissingEncodedDataInPrevious: No dataStream"), "{reply}");

    let full = records_update(first.as_ref().expect("made"), &json!({}), &at(2), &alice);
    assert_eq!(past.code(full, Some(b"one")), 202);
    assert_eq!(past.code(read(&first, Some(&alice)), None), 200);
}

#[test]
fn an_update_without_data_keeps_only_the_data_that_is_there() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice);
    assert_eq!(past.code(first.clone(), Some(b"one")), 202);
    let publish = json!({"published": true, "datePublished": at(2)});
    assert_eq!(past.code(records_update(first.as_ref().expect("made"), &publish, &at(2), &alice), None), 202);
    let reply = past.send(records_query(json!({"published": true}), json!({}), &at(9), None), None);
    assert_eq!(reply["entries"][0]["encodedData"], "b25l");
    assert_eq!(reply["entries"][0]["initialWrite"], *first.as_ref().expect("made"));

    let other = json!({"dataCid": data_cid(b"two").to_string()});
    let reply = past.send(records_update(first.as_ref().expect("made"), &other, &at(3), &alice), None);
    assert!(detail(&reply).starts_with("RecordsWriteDataCidMismatch: actual data CID "), "{reply}");
}

#[test]
fn data_must_be_what_was_declared() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice);
    let reply = past.send(first, Some(b"two"));
    assert!(detail(&reply).starts_with("RecordsWriteDataCidMismatch: actual data CID "), "{reply}");
    let short = records_write(&note(), (&data_cid(b"one"), 2), &at(1), &alice);
    let reply = past.send(short, Some(b"one"));
    let text = "RecordsWriteDataSizeMismatch: actual data size 3 bytes does not match dataSize in descriptor: 2";
    assert_eq!(detail(&reply), text);
}

#[test]
fn what_an_update_may_not_change() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice);
    assert_eq!(past.code(first.clone(), Some(b"one")), 202);
    let changes = json!({"recipient": "did:key:z6Mk"});
    let reply = past.send(records_update(first.as_ref().expect("made"), &changes, &at(2), &alice), None);
    let text = "RecordsWriteImmutablePropertyChanged: recipient is an immutable property: cannot change 'undefined' to 'did:key:z6Mk'";
    assert_eq!(detail(&reply), text);
    let unknown = write(&note(), b"two", 3, &alice);
    let reply = past.send(records_update(unknown.as_ref().expect("made"), &json!({}), &at(4), &alice), None);
    assert_eq!(detail(&reply), "RecordsWriteGetInitialWriteNotFound: Initial write is not found.");
}

#[test]
fn strangers_write_only_where_a_protocol_lets_them() {
    let (alice, bob) = (person(1), person(2));
    let mut past = Past::of(&alice);
    let reply = past.send(write(&note(), b"one", 1, &bob), Some(b"one"));
    assert_eq!(detail(&reply), "RecordsWriteAuthorizationFailed: message failed authorization");
    assert_eq!(reply["status"]["code"], 401);
}

#[test]
fn what_no_stock_client_could_read_back_is_refused() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let tagged = |text: &str, n: usize| Write { tags: json!({"a": text.repeat(n)}).as_object().cloned(), ..note() };
    // Latin-1 stands in a header as it is, other characters are six bytes there.
    for (text, fits, too_many) in
        [("x", 13_000, 16_000), ("é", 13_000, 16_000), ("ő", 2_200, 2_700), ("\u{1}", 2_200, 2_700)]
    {
        let write = write(&tagged(text, fits), b"one", 1, &alice);
        let reply = past.send(write.clone(), Some(b"one"));
        assert_eq!(reply["status"]["code"], 202, "{text}: {reply}");
        let reply = past.send(read(&write, Some(&alice)), None);
        let carried = in_header(&reply.to_string()).len();
        assert!(carried < 15_700, "{text}: {carried}");
        let long = super::write(&tagged(text, too_many), b"one", 1, &alice);
        assert!(
            detail(&past.send(long.clone(), Some(b"one"))).starts_with("RecordsWriteTooLongToRead: this message has ")
        );
        // Another device has it already.
        assert_eq!(past.replay(long.expect("made"), Some(b"one"))["status"]["code"], 202);
        // A later state is read together with the first.
        let update = records_update(write.as_ref().expect("made"), &json!({"dataFormat": "text/html"}), &at(2), &alice);
        let said = past.send(update, None);
        assert!(detail(&said).contains("and its record's initial write have "), "{said}");
        let short = json!({"tags": {"a": "b"}});
        let update = records_update(write.as_ref().expect("made"), &short, &at(2), &alice);
        assert_eq!(past.code(update, None), 202);
    }
}
