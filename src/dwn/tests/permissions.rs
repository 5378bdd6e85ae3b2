//! Grants, delegates, owners who keep copies, subscriptions: what is stricter here than in the reference, or beyond
//! it. What is the same is held by the vectors.

use super::*;
use crate::crypto::{self, jws::Jws};

const FORUM: &str = "http://example.com/threads";

/// A grant of everything in the forum, with its data.
fn grant(method: &str, delegated: bool, grantee: &Signer, signer: &Signer) -> (Value, Vec<u8>) {
    let interface = if method == "Subscribe" { "Messages" } else { "Records" };
    let data = json!({"dateExpires": at(3000), "delegated": delegated,
        "scope": {"interface": interface, "method": method, "protocol": FORUM}});
    let data = data.to_string().into_bytes();
    let grant = Write {
        protocol: Some((PERMISSIONS, "grant")),
        recipient: Some(grantee.did()),
        data_format: "application/json",
        tags: json!({"protocol": FORUM}).as_object().cloned(),
        ..Write::default()
    };
    (write(&grant, &data, 1, signer).expect("was made"), data)
}

pub(super) fn revocation(grant: &Value, second: u32, signer: &Signer) -> Result<Value, Refusal> {
    let revocation = Write {
        protocol: Some((PERMISSIONS, "grant/revocation")),
        parent_context: grant["contextId"].as_str(),
        data_format: "application/json",
        tags: json!({"protocol": FORUM}).as_object().cloned(),
        ..Write::default()
    };
    write(&revocation, b"{}", second, signer)
}

fn thread<'a>() -> Write<'a> {
    Write { protocol: Some((FORUM, "thread")), data_format: "text/plain", ..Write::default() }
}

fn forum(tenant: &Signer) -> Past {
    let mut past = Past::of(tenant);
    assert_eq!(past.code(protocols_configure(threads(), &at(0), tenant), None), 202);
    past
}

#[test]
fn a_revocation_ends_what_is_dated_after_it() {
    let (alice, bob, carol) = (person(1), person(2), person(3));
    let mut past = forum(&alice);
    let (grant, data) = grant("Write", false, &bob, &alice);
    assert_eq!(past.code(Ok(grant.clone()), Some(&data)), 202);
    let granted = |write| Ok(with_payload(write, json!({"permissionGrantId": grant["recordId"]}), &bob));
    let before = granted(write(&thread(), b"before", 10, &bob));
    let after = granted(write(&Write { recipient: Some(carol.did()), ..thread() }, b"after", 20, &bob));
    let context = after.as_ref().expect("made")["contextId"].as_str().map(str::to_owned);
    let schema = Some("http://example.com/reply");
    let path = Some((FORUM, "thread/reply"));
    let reply = Write { protocol: path, schema, parent_context: context.as_deref(), ..thread() };
    let reply = write(&reply, b"reply", 21, &carol);
    for (message, data) in [(&before, &b"before"[..]), (&after, b"after"), (&reply, b"reply")] {
        assert_eq!(past.code(message.clone(), Some(data)), 202);
    }
    assert_eq!(past.code(revocation(&grant, 15, &alice), Some(b"{}")), 202);
    assert_eq!(past.code(read(&before, Some(&alice)), None), 200);
    assert_eq!(past.code(read(&after, Some(&alice)), None), 404);
    assert_eq!(past.code(read(&reply, Some(&alice)), None), 404);
    let again = past.send(after, Some(b"after"));
    assert!(detail(&again).starts_with("GrantAuthorizationGrantRevoked"), "{again}");
}

#[test]
fn a_grantee_cannot_write_themselves_another_scope() {
    let (alice, bob) = (person(1), person(2));
    let mut past = forum(&alice);
    let (mut grant, data) = grant("Read", true, &bob, &alice);
    let id = cid_of(&grant).expect("a CID");
    let delegated = |grant: &Value| {
        let write = write(&thread(), b"x", 10, &alice);
        let mut write = with_payload(write, json!({"delegatedGrantId": id}), &bob);
        write["authorization"]["authorDelegatedGrant"] = grant.clone();
        Ok(write)
    };
    grant["encodedData"] = crypto::encode(&data).into();
    let refused = past.send(delegated(&grant), Some(b"x"));
    assert!(detail(&refused).starts_with("GrantAuthorizationMethodMismatch"), "{refused}");
    let wider = String::from_utf8(data).expect("text").replace("\"Read\"", "\"Write\"");
    grant["encodedData"] = crypto::encode(wider.as_bytes()).into();
    let refused = past.send(delegated(&grant), Some(b"x"));
    assert!(detail(&refused).starts_with("RecordsWriteDataCidMismatch"), "{refused}");
}

#[test]
fn of_two_forms_of_a_first_write_one_stays_whatever_came_first() {
    let (alice, bob) = (person(1), person(2));
    let plain = write(&thread(), b"x", 10, &bob).expect("made");
    let mut kept = plain.clone();
    let payload = json!({"descriptorCid": cid_of(&kept["descriptor"]).expect("a CID")});
    kept["authorization"]["ownerSignature"] = Jws::sign(payload.to_string().as_bytes(), &alice).expect("signs");
    let mut ends = Vec::new();
    for forms in [[&plain, &kept], [&kept, &plain]] {
        let mut past = forum(&alice);
        let codes = forms.map(|form| past.code(Ok(form.clone()), Some(b"x")));
        assert!(codes == [202, 202] || codes == [202, 409], "{codes:?}");
        let reply = past.send(read(&Ok(plain.clone()), Some(&alice)), None);
        let told = past.send(messages_query(json!([{"interface": "Records"}]), None, &at(50), &alice), None);
        assert_eq!(told["entries"].as_array().map(Vec::len), Some(1));
        ends.push(reply["entry"].clone());
    }
    assert_eq!(ends[0], ends[1]);
}

#[test]
fn a_subscription_ends_with_the_grant_it_stands_on() {
    let (alice, bob) = (person(1), person(2));
    let mut past = forum(&alice);
    let (grant, data) = grant("Subscribe", false, &bob, &alice);
    assert_eq!(past.code(Ok(grant.clone()), Some(&data)), 202);
    let asked = |filters: Value| {
        let query = messages_query(filters, None, &at(5), &bob).expect("made");
        let mut descriptor = query["descriptor"].clone();
        descriptor["method"] = "Subscribe".into();
        let payload = json!({"descriptorCid": cid_of(&descriptor)?, "permissionGrantId": grant["recordId"]});
        let signature = Jws::sign(payload.to_string().as_bytes(), &bob).expect("signs");
        Message::parse(alice.did(), json!({"descriptor": descriptor, "authorization": {"signature": signature}}))
    };
    let everything = asked(json!([])).expect("parses");
    assert!(matches!(subscribe(&everything, &past, &at(5)), Err(Stop::Refusal(_))));
    let message = asked(json!([{"protocol": FORUM}])).expect("parses");
    let subscription = subscribe(&message, &past, &at(5)).expect("allowed");
    let thread = write(&thread(), b"x", 10, &alice).expect("made");
    let note = write(&note(), b"x", 10, &alice).expect("made");
    let admits_at = |past: &Past, message: &Value, second| {
        let values = index_values(message, alice.did(), First::default(), true);
        let event =
            Happened { message, author: alice.did(), initial: None, values: &values, before: None, latest: true };
        subscription.admits(&event, past, &at(second))
    };
    let admits = |past: &Past, message: &Value| admits_at(past, message, 20);
    assert!(admits(&past, &thread).expect("allowed"));
    assert!(admits_at(&past, &thread, 2999).expect("allowed"));
    let expired = admits_at(&past, &thread, 3000);
    let starts = |refusal: &Refusal| refusal.detail.starts_with("GrantAuthorizationGrantExpired");
    assert!(matches!(&expired, Err(Stop::Refusal(refusal)) if starts(refusal)), "{expired:?}");
    assert!(admits(&past, &grant).expect("allowed"));
    assert!(!admits(&past, &note).expect("allowed"));
    assert_eq!(past.code(revocation(&grant, 15, &alice), Some(b"{}")), 202);
    assert!(matches!(admits(&past, &thread), Err(Stop::Refusal(refusal)) if refusal.code == 401));
}

#[test]
fn a_subscription_ends_with_the_role_or_the_delegation_it_stands_on() {
    let (alice, bob) = (person(1), person(2));
    let mut past = Past::of(&alice);
    let readers = json!({"role": "reader", "can": ["read", "query", "subscribe"]});
    let definition = json!({"protocol": FORUM, "published": true, "types": {"reader": {}, "thread": {}},
        "structure": {"reader": {"$role": true}, "thread": {"$actions": [readers]}}});
    assert_eq!(past.code(protocols_configure(definition, &at(0), &alice), None), 202);
    let role = Write { protocol: Some((FORUM, "reader")), recipient: Some(bob.did()), ..thread() };
    let role = write(&role, b"r", 1, &alice);
    assert_eq!(past.code(role.clone(), Some(b"r")), 202);
    let grant = Write {
        protocol: Some((PERMISSIONS, "grant")),
        recipient: Some(bob.did()),
        data_format: "application/json",
        tags: json!({"protocol": FORUM}).as_object().cloned(),
        ..Write::default()
    };
    let scope = json!({"interface": "Records", "method": "Subscribe", "protocol": FORUM});
    let data = json!({"dateExpires": at(3000), "delegated": true, "scope": scope}).to_string().into_bytes();
    let grant = write(&grant, &data, 1, &alice).expect("was made");
    assert_eq!(past.code(Ok(grant.clone()), Some(&data)), 202);
    let mut whole = grant.clone();
    whole["encodedData"] = crypto::encode(&data).into();

    let filter = json!({"protocol": FORUM, "protocolPath": "thread"});
    let asked = |more: Value, delegation: Option<&Value>| {
        let query = records_query(filter.clone(), json!({}), &at(5), Some(&bob)).expect("made");
        let mut descriptor = query["descriptor"].clone();
        descriptor["method"] = "Subscribe".into();
        let message = json!({"descriptor": descriptor, "authorization": query["authorization"]});
        let mut payload = json!({"descriptorCid": cid_of(&descriptor).expect("a CID")});
        payload.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let mut message = with_payload(Ok(message), payload, &bob);
        if let Some(grant) = delegation {
            message["authorization"]["authorDelegatedGrant"] = grant.clone();
        }
        let message = Message::parse(alice.did(), message).expect("parses");
        subscribe(&message, &past, &at(5)).expect("allowed")
    };
    let by_role = asked(json!({"protocolRole": "reader"}), None);
    let by_grant = asked(json!({"delegatedGrantId": cid_of(&grant).expect("a CID")}), Some(&whole));
    let thread = write(&thread(), b"x", 10, &alice).expect("made");
    let admits = |past: &Past, subscription: &Subscription, second| {
        let values = index_values(&thread, alice.did(), First::default(), true);
        let (message, author) = (&thread, alice.did());
        let event = Happened { message, author, initial: None, values: &values, before: None, latest: true };
        subscription.admits(&event, past, &at(second)).map_err(|stop| match stop {
            Stop::Refusal(refusal) => refusal.detail.split(':').next().unwrap_or_default().to_owned(),
            Stop::Fault(fault) => panic!("{fault:#}"),
        })
    };
    assert_eq!((admits(&past, &by_role, 20), admits(&past, &by_grant, 20)), (Ok(true), Ok(true)));
    assert_eq!(admits(&past, &by_grant, 3000), Err("GrantAuthorizationGrantExpired".into()));
    assert_eq!(past.code(records_delete(record_id(&role), false, &at(15), &alice), None), 202);
    assert_eq!(admits(&past, &by_role, 20), Err("ProtocolAuthorizationMatchingRoleRecordNotFound".into()));
    assert_eq!(past.code(revocation(&grant, 16, &alice), Some(b"{}")), 202);
    assert_eq!(admits(&past, &by_grant, 20), Err("GrantAuthorizationGrantRevoked".into()));
}

/// Ten minutes after `at(3000)`, and a moment later.
const IN_TIME: &str = "2026-11-21T01:00:00.000000Z";
const TOO_LATE: &str = "2026-11-21T01:00:00.000001Z";

#[test]
fn what_is_signed_with_a_grant_comes_in_time() {
    let (alice, bob) = (person(1), person(2));
    let mut past = forum(&alice);
    let (grant, data) = grant("Write", false, &bob, &alice);
    assert_eq!(past.code(Ok(grant.clone()), Some(&data)), 202);
    let granted = |data: &[u8], second| {
        let message = write(&thread(), data, second, &bob);
        Ok(with_payload(message, json!({"permissionGrantId": grant["recordId"]}), &bob))
    };
    past.clock = Some(IN_TIME.into());
    assert_eq!(past.code(granted(b"1", 2999), Some(b"1")), 202);
    past.clock = Some(TOO_LATE.into());
    let late = past.send(granted(b"2", 2999), Some(b"2"));
    assert_eq!(late["status"]["code"], 401);
    assert!(detail(&late).starts_with("GrantAuthorizationGrantExpired: Permission grant with CID "), "{late}");
    // Another device of the tenant has judged it when it came.
    let told: Result<Value, Refusal> = granted(b"2", 2999);
    assert_eq!(past.replay(told.clone().expect("made"), Some(b"2"))["status"]["code"], 202);

    past.clock = Some(at(20));
    assert_eq!(past.code(revocation(&grant, 20, &alice), Some(b"{}")), 202);
    past.clock = Some(at(620));
    assert_eq!(past.code(granted(b"4", 19), Some(b"4")), 202);
    past.clock = Some(at(621));
    let late = past.send(granted(b"5", 19), Some(b"5"));
    assert!(detail(&late).starts_with("GrantAuthorizationGrantRevoked: Permission grant with CID "), "{late}");
    assert_eq!(past.replay(granted(b"5", 19).expect("made"), Some(b"5"))["status"]["code"], 202);
    // What the revocation removed elsewhere, and would have removed here, does not come back.
    let dated_later = past.replay(granted(b"6", 20).expect("made"), Some(b"6"));
    assert!(detail(&dated_later).starts_with("ReplayedGrantRevoked"), "{dated_later}");
}

#[test]
fn a_delegate_reads_nothing_with_an_old_date_and_the_owner_vouches_for_what_came_late() {
    let (alice, bob, carol) = (person(1), person(2), person(3));
    let mut past = forum(&alice);
    let delegated = |method: &str, grantor: &Signer, message: Result<Value, Refusal>| {
        let (mut grant, data) = grant(method, true, &carol, grantor);
        let id = cid_of(&grant).expect("a CID");
        grant["encodedData"] = crypto::encode(&data).into();
        let mut message = with_payload(message, json!({"delegatedGrantId": id}), &carol);
        message["authorization"]["authorDelegatedGrant"] = grant;
        message
    };
    let start = write(&thread(), b"x", 10, &alice);
    assert_eq!(past.code(start.clone(), Some(b"x")), 202);
    let query = |signer| records_query(json!({"protocol": FORUM}), json!({}), &at(2999), signer);
    let read = records_read(json!({"recordId": record_id(&start)}), &at(2999), Some(&carol));
    for message in [delegated("Read", &alice, read), delegated("Query", &alice, query(Some(&carol)))] {
        past.clock = Some(IN_TIME.into());
        assert_eq!(past.code(Ok(message.clone()), None), 200);
        past.clock = Some(TOO_LATE.into());
        let late = past.send(Ok(message), None);
        assert!(detail(&late).starts_with("GrantAuthorizationGrantExpired"), "{late}");
    }
    // Bob's delegate signs a thread on Alice's node.
    let message = delegated("Write", &bob, write(&thread(), b"y", 20, &bob));
    assert_eq!(past.code(Ok(message.clone()), Some(b"y")), 401);
    let mut kept = message;
    let payload = json!({"descriptorCid": cid_of(&kept["descriptor"]).expect("a CID")});
    kept["authorization"]["ownerSignature"] = Jws::sign(payload.to_string().as_bytes(), &alice).expect("signs");
    assert_eq!(past.code(Ok(kept), Some(b"y")), 202);
}

#[test]
fn the_newest_at_a_path_is_read_if_one_asks_for_it() {
    let alice = person(1);
    let mut past = forum(&alice);
    let second = write(&thread(), b"2", 2, &alice);
    assert_eq!(past.code(write(&thread(), b"1", 1, &alice), Some(b"1")), 202);
    assert_eq!(past.code(second.clone(), Some(b"2")), 202);
    let ask = |sort: Option<&str>| {
        let mut descriptor = json!({"interface": "Records", "method": "Read", "messageTimestamp": at(9),
            "filter": {"protocol": FORUM, "protocolPath": "thread"}});
        if let Some(sort) = sort {
            descriptor["dateSort"] = sort.into();
        }
        let payload = json!({"descriptorCid": cid_of(&descriptor).expect("a CID")});
        let signature = Jws::sign(payload.to_string().as_bytes(), &alice).expect("signs");
        Ok(json!({"descriptor": descriptor, "authorization": {"signature": signature}}))
    };
    assert!(detail(&past.send(ask(None), None)).starts_with("RecordsReadReturnedMultiple"));
    let reply = past.send(ask(Some("createdDescending")), None);
    assert_eq!(reply["entry"]["recordsWrite"], second.expect("made"));
}

#[test]
fn sync_may_ask_for_a_few_messages_at_a_time() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    for second in 1..=5 {
        assert_eq!(past.code(write(&note(), b"x", second, &alice), Some(b"x")), 202);
    }
    let ask = |cursor: Option<Value>| {
        let mut descriptor = messages_query(json!([]), cursor, &at(9), &alice)?["descriptor"].clone();
        descriptor["limit"] = 2.into();
        let payload = json!({"descriptorCid": cid_of(&descriptor)?});
        let signature = Jws::sign(payload.to_string().as_bytes(), &alice).expect("signs");
        Ok(json!({"descriptor": descriptor, "authorization": {"signature": signature}}))
    };
    let (mut cursor, mut pages) = (None, Vec::new());
    loop {
        let reply = past.send(ask(cursor.take()), None);
        pages.push(reply["entries"].as_array().expect("a list").len());
        cursor = reply.get("cursor").cloned();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, [2, 2, 1, 0]);
}

#[test]
fn what_is_dated_in_the_future_is_refused() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    past.clock = Some(NOW.into());
    let message = records_write(&note(), (&data_cid(b"x"), 1), "2999-01-01T00:00:00.000000Z", &alice);
    let reply = past.send(message, Some(b"x"));
    assert!(detail(&reply).starts_with("MessageTimestampAhead: "), "{reply}");
}
