//! What a friend's device is sent, held against what the friend is answered.

use super::{permissions::revocation, *};

const FORUM: &str = "http://example.com/threads";

fn granted(scope: Value, to: &Signer, second: u32, by: &Signer) -> (Value, Vec<u8>) {
    let tags = json!({"protocol": scope["protocol"]});
    let data = json!({"dateExpires": at(3000), "delegated": false, "scope": scope}).to_string().into_bytes();
    let grant = Write {
        protocol: Some((PERMISSIONS, "grant")),
        recipient: Some(to.did()),
        data_format: "application/json",
        tags: tags.as_object().cloned(),
        ..Write::default()
    };
    (write(&grant, &data, second, by).expect("was made"), data)
}

fn reader(of: &Signer, tenant: &Signer, past: &Past) -> Reader {
    Reader::of(of.did(), tenant.did(), past, &at(100)).expect("no fault")
}

fn stored(message: &Value, past: &Past) -> Stored {
    let cid = cid_of(message).expect("has a CID").parse().expect("a CID");
    past.message(&cid).expect("reads").expect("is here")
}

#[test]
fn who_reads_all_of_a_protocol_is_sent_what_messages_read_answers() {
    let (alice, bob, carol) = (person(1), person(2), person(3));
    let mut past = Past::of(&alice);
    let configure = protocols_configure(threads(), &at(0), &alice).expect("was made");
    assert_eq!(past.code(Ok(configure.clone()), None), 202);
    let scope = |method: &str| json!({"interface": "Messages", "method": method, "protocol": FORUM});
    let (to_bob, data) = granted(scope("Read"), &bob, 1, &alice);
    assert_eq!(past.code(Ok(to_bob.clone()), Some(&data)), 202);
    let (to_carol, data) = granted(scope("Query"), &carol, 2, &alice);
    assert_eq!(past.code(Ok(to_carol.clone()), Some(&data)), 202);
    let ended = revocation(&to_carol, 3, &alice).expect("was made");
    assert_eq!(past.code(Ok(ended.clone()), Some(b"{}")), 202);
    let thread = Write { protocol: Some((FORUM, "thread")), data_format: "text/plain", ..Write::default() };
    let thread = write(&thread, b"hello", 4, &alice).expect("was made");
    assert_eq!(past.code(Ok(thread.clone()), Some(b"hello")), 202);
    let own = write(&note(), b"mine", 5, &alice).expect("was made");
    assert_eq!(past.code(Ok(own.clone()), Some(b"mine")), 202);

    let sent = reader(&bob, &alice, &past);
    for (message, is_theirs) in
        [(&configure, true), (&to_bob, true), (&to_carol, true), (&ended, true), (&thread, true), (&own, false)]
    {
        let cid = cid_of(message).expect("has a CID");
        let asks = messages_read(&cid, &at(50), &bob).expect("was made");
        let grant = Invoked { grant: to_bob["recordId"].as_str(), ..Invoked::default() };
        let answer = past.send(invoking(asks, grant, &bob), None);
        assert_eq!(answer["status"]["code"] == 200, is_theirs, "{message}: {answer}");
        let stored = stored(message, &past);
        assert_eq!(sent.reads(&stored, &past).expect("no fault"), is_theirs, "{message}");
    }
    // A grant to ask what there is opens nothing, and this one has ended.
    let ended = stored(&ended, &past);
    let thread = stored(&thread, &past);
    let sent = reader(&carol, &alice, &past);
    assert!(sent.reads(&ended, &past).expect("no fault"));
    assert!(!sent.reads(&thread, &past).expect("no fault"));
}

#[test]
fn a_definition_that_is_not_published_goes_to_who_has_a_grant_in_it() {
    let (alice, bob, carol) = (person(1), person(2), person(3));
    for is_published in [true, false] {
        let mut past = Past::of(&alice);
        let mut definition = threads();
        definition["published"] = is_published.into();
        let configure = protocols_configure(definition, &at(0), &alice).expect("was made");
        assert_eq!(past.code(Ok(configure.clone()), None), 202);
        let scope = json!({"interface": "Records", "method": "Read", "protocol": FORUM});
        let (grant, data) = granted(scope, &bob, 1, &alice);
        assert_eq!(past.code(Ok(grant), Some(&data)), 202);
        let thread = Write {
            protocol: Some((FORUM, "thread")),
            recipient: Some(carol.did()),
            data_format: "text/plain",
            ..Write::default()
        };
        assert_eq!(past.code(write(&thread, b"hello", 2, &alice), Some(b"hello")), 202);
        let stored = stored(&configure, &past);
        let is_sent = |to: &Signer| reader(to, &alice, &past).reads(&stored, &past).expect("no fault");
        assert!(is_sent(&bob));
        // A record that is addressed to somebody is a part in the protocol, and no right to its definition.
        assert_eq!(is_sent(&carol), is_published);
        // Who has no part in it is sent nothing, also of what everybody may read.
        assert!(!is_sent(&person(4)));
    }
}
