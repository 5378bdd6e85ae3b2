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
    assert_eq!(past.code(first, Some(b"one")), 409, "there is a newer state");
}

#[test]
fn an_initial_write_without_data_is_completed_by_the_same_with_data() {
    let (alice, bob) = (person(1), person(2));
    let first = write(&note(), b"one", 1, &alice);
    let mut kept = first.clone().expect("made");
    let payload = json!({"descriptorCid": cid_of(&kept["descriptor"]).expect("a CID")});
    kept["authorization"]["ownerSignature"] = Jws::sign(payload.to_string().as_bytes(), &alice).expect("signs");
    // The same again, or another form of it, whichever has the greater CID.
    for (bare, full) in [(first.clone(), first.clone()), (first.clone(), Ok(kept.clone())), (Ok(kept), first.clone())] {
        let mut past = Past::of(&alice);
        assert_eq!(past.code(bare.clone(), None), 204);
        assert_eq!(past.code(bare.clone(), None), 409, "nothing new");
        let wrong = past.send(full.clone(), Some(b"two"));
        assert!(detail(&wrong).starts_with("RecordsWriteDataCidMismatch"), "{wrong}");
        assert_eq!(past.code(full.clone(), Some(b"one")), 202);
        let reply = past.send(read(&first, Some(&alice)), None);
        assert_eq!(
            (&reply["status"]["code"], &reply["entry"]["recordsWrite"]),
            (&json!(200), full.as_ref().expect("made"))
        );
        assert_eq!(past.code(read(&first, Some(&bob)), None), 401);
        assert_eq!(past.code(full.clone(), Some(b"one")), 409, "twice the same");
        assert_eq!(past.code(bare, None), 409, "it has its data");
        let told = past.send(messages_query(json!([]), None, &at(9), &alice), None);
        assert_eq!(told["entries"].as_array().map(Vec::len), Some(1), "{told}");
        assert_eq!(past.code(records_delete(record_id(&first), false, &at(3), &alice), None), 202);
        assert_eq!(past.code(full, Some(b"one")), 409, "it was deleted");
    }
}

#[test]
fn a_record_stays_its_authors_whoever_writes_to_it() {
    let (alice, bob, carol, dave) = (person(1), person(2), person(3), person(4));
    let mut past = Past::of(&alice);
    let definition = json!({"protocol": "http://example.com/wiki", "published": true, "types": {"page": {}},
        "structure": {"page": {"$actions": [{"who": "anyone", "can": ["create", "update", "co-update"]}]}}});
    assert_eq!(past.code(protocols_configure(definition, &at(0), &alice), None), 202);
    let page = write(&Write { protocol: Some(("http://example.com/wiki", "page")), ..note() }, b"b", 1, &bob);
    assert_eq!(past.code(page.clone(), Some(b"b")), 202);
    let changes = json!({"dataCid": data_cid(b"c").to_string(), "dataSize": 1});
    let update = records_update(page.as_ref().expect("made"), &changes, &at(2), &carol);
    assert_eq!(past.code(update.clone(), Some(b"c")), 202);
    let mut finds = |who: Option<&Signer>, filter: &Value| {
        let reply = past.send(records_query(filter.clone(), json!({}), &at(9), who), None);
        reply["entries"].as_array().map_or(0, Vec::len)
    };
    let all = json!({"protocol": "http://example.com/wiki"});
    // Who began it, who wrote its state, and whose node it is; nobody else.
    let seen = [Some(&alice), Some(&bob), Some(&carol), Some(&dave), None].map(|who| finds(who, &all));
    assert_eq!(seen, [1, 1, 1, 0, 0]);
    // A filter still asks for who wrote the state, as in the dialect.
    assert_eq!(finds(Some(&alice), &json!({"author": bob.did()})), 0);
    assert_eq!(finds(Some(&bob), &json!({"author": carol.did()})), 1);
    let reads = [&alice, &bob, &carol, &dave].map(|who| past.code(read(&page, Some(who)), None));
    assert_eq!(reads, [200, 200, 200, 401]);
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
