//! The rules in stories: queries.

use super::*;

fn query(filter: Value, more: Value, signer: Option<&Signer>) -> Result<Value, Refusal> {
    records_query(filter, more, &at(3000), signer)
}

fn ids(reply: &Value) -> Vec<&str> {
    let entries = reply["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["recordId"].as_str().expect("an id")).collect()
}

#[test]
fn who_sees_what() {
    let (alice, bob, carol) = (person(1), person(2), person(3));
    let mut past = Past::of(&alice);
    let secret = write(&note(), b"s", 1, &alice);
    let public = write(&Write { published: true, ..note() }, b"p", 2, &alice);
    let for_bob = write(&Write { recipient: Some(bob.did()), ..note() }, b"b", 3, &alice);
    for (message, data) in [(&secret, b"s"), (&public, b"p"), (&for_bob, b"b")] {
        assert_eq!(past.code(message.clone(), Some(data)), 202);
    }
    let all = json!({"dataFormat": "text/plain"});
    let (secret, public, for_bob) = (record_id(&secret), record_id(&public), record_id(&for_bob));
    let mut sees = |signer: Option<&Signer>, filter: &Value| {
        let reply = past.send(query(filter.clone(), json!({}), signer), None);
        ids(&reply).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sees(Some(&alice), &all), [secret, public, for_bob]);
    assert_eq!(sees(Some(&bob), &all), [public, for_bob]);
    assert_eq!(sees(Some(&carol), &all), [public]);
    assert_eq!(sees(None, &all), [public]);
    let unpublished = json!({"published": false});
    assert_eq!(sees(Some(&bob), &unpublished), [for_bob]);
    assert_eq!(past.code(query(unpublished, json!({}), None), None), 401);
}

#[test]
fn pages_follow_one_another_in_both_directions() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let mut written = Vec::new();
    for second in 1..=5 {
        let message = write(&note(), &[second], u32::from(second), &alice);
        assert_eq!(past.code(message.clone(), Some(&[second])), 202);
        written.push(record_id(&message).to_owned());
    }
    for sort in ["createdAscending", "createdDescending"] {
        let mut seen = Vec::new();
        let mut pagination = json!({"limit": 2});
        loop {
            let more = json!({"dateSort": sort, "pagination": pagination});
            let reply = past.send(query(json!({"dataFormat": "text/plain"}), more, Some(&alice)), None);
            seen.extend(ids(&reply).into_iter().map(str::to_owned));
            match reply.get("cursor") {
                Some(cursor) => pagination["cursor"] = cursor.clone(),
                None => break,
            }
        }
        assert_eq!(seen, written);
        written.reverse();
    }
}

#[test]
fn tags_are_found_by_value_range_prefix_and_element() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let tags = json!({"title": "moby dick", "year": 1851, "read": true, "people": ["ishmael", "ahab"]});
    let book = Write { tags: tags.as_object().cloned(), ..note() };
    assert_eq!(past.code(write(&book, b"b", 1, &alice), Some(b"b")), 202);
    let mut finds = |tags: Value| {
        let reply = past.send(query(json!({"tags": tags}), json!({}), Some(&alice)), None);
        reply["entries"].as_array().expect("entries").len() == 1
    };
    assert!(finds(json!({"title": "moby dick", "read": true})));
    assert!(finds(json!({"title": {"startsWith": "moby"}})));
    assert!(finds(json!({"year": {"gt": 1850, "lte": 1851}})));
    assert!(finds(json!({"people": "ahab"})));
    assert!(!finds(json!({"people": "queequeg"})));
    assert!(!finds(json!({"year": {"lt": 1851}})));
    assert!(!finds(json!({"year": "1851"})));
}

#[test]
fn sync_asks_for_what_is_new() {
    let (alice, bob) = (person(1), person(2));
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice);
    assert_eq!(past.code(first.clone(), Some(b"one")), 202);
    let reply = past.send(messages_query(json!([]), None, &at(9), &alice), None);
    let cid = reply["entries"][0].as_str().expect("a cid").to_owned();
    let cursor = reply["cursor"].clone();
    assert_eq!(cursor["messageCid"], json!(cid));

    let reply = past.send(messages_query(json!([]), Some(cursor.clone()), &at(9), &alice), None);
    assert_eq!(reply["entries"], json!([]));
    assert_eq!(reply.get("cursor"), None);
    assert_eq!(past.code(messages_query(json!([]), None, &at(9), &bob), None), 401);

    let reply = past.send(messages_read(&cid, &at(9), &alice), None);
    assert_eq!(reply["entry"], json!({"message": first.expect("made"), "messageCid": cid}));
    assert_eq!(past.code(messages_read(&cid, &at(9), &bob), None), 401);
    let unknown = data_cid(b"x").to_string();
    let reply = past.send(messages_read(&unknown, &at(9), &alice), None);
    assert_eq!(detail(&reply), format!("MessagesReadInvalidCid: {unknown} is not a valid CID"));

    assert_eq!(past.code(protocols_configure(threads(), &at(2), &alice), None), 202);
    let filters = json!([{"interface": "Protocols"}]);
    let reply = past.send(messages_query(filters, Some(cursor), &at(9), &alice), None);
    assert_eq!(reply["entries"].as_array().map(Vec::len), Some(1));
}
