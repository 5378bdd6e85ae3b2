//! Whose right holds where: a role, and a grant of one context, count in their own context, whatever prefix of its name
//! somebody asks for.

use super::*;
use crate::crypto;

const CHAT: &str = "http://example.com/chat";

/// Threads with participants and messages, and rooms with members and messages in them.
fn definition() -> Value {
    let may = |role: &str| json!([{"role": role, "can": ["create", "read", "query", "subscribe"]}]);
    json!({"protocol": CHAT, "published": true,
    "types": {"thread": {}, "participant": {}, "message": {}, "room": {}, "member": {}},
    "structure": {"thread": {
        "participant": {"$role": true},
        "message": {"$actions": may("thread/participant")},
        "room": {"member": {"$role": true}, "message": {"$actions": may("thread/room/member")}},
    }}})
}

fn record<'a>(path: &'a str, context: Option<&'a str>) -> Write<'a> {
    Write { protocol: Some((CHAT, path)), parent_context: context, ..note() }
}

/// Alice's threads, in each a room, and in each of both a message; of one thread and its room Bob is part.
struct Threads {
    past: Past,
    alice: Signer,
    bob: Signer,
    threads: [String; 2],
    rooms: [String; 2],
    messages: [Value; 2],
}

fn context(message: &Value) -> String {
    message["contextId"].as_str().expect("a context").to_owned()
}

impl Threads {
    fn new() -> Self {
        let (alice, bob) = (person(1), person(2));
        let mut past = Past::of(&alice);
        assert_eq!(past.code(protocols_configure(definition(), &at(0), &alice), None), 202);
        let mut second = 0;
        let mut put = |path: &str, context: Option<&str>, recipient: Option<&str>| {
            second += 1;
            let message = write(&Write { recipient, ..record(path, context) }, b"x", second, &alice);
            assert_eq!(past.code(message.clone(), Some(b"x")), 202);
            message.expect("was made")
        };
        let threads = [(); 2].map(|()| context(&put("thread", None, None)));
        let rooms = [0, 1].map(|n: usize| context(&put("thread/room", Some(&threads[n]), None)));
        let messages = [0, 1].map(|n: usize| put("thread/message", Some(&threads[n]), None));
        rooms.iter().for_each(|room| drop(put("thread/room/message", Some(room), None)));
        put("thread/participant", Some(&threads[0]), Some(bob.did()));
        put("thread/room/member", Some(&rooms[0]), Some(bob.did()));
        // In a third thread there is a second room, of which Bob is no member.
        put("thread/room", Some(&threads[0]), None);
        Self { past, alice, bob, threads, rooms, messages }
    }

    /// Code, and how many are found, of a query by Bob in a role.
    fn query(&mut self, role: &str, path: &str, context: Option<&str>) -> (u64, usize) {
        let mut filter = json!({"protocol": CHAT, "protocolPath": path});
        context.into_iter().for_each(|context| filter["contextId"] = context.into());
        let filter = filter.as_object().expect("an object").clone();
        let query = records_query_as(filter, json!({}), &at(100), Some(&self.bob), Some(role));
        let reply = self.past.send(Ok(query), None);
        (reply["status"]["code"].as_u64().expect("a code"), reply["entries"].as_array().map_or(0, Vec::len))
    }
}

#[test]
fn a_role_counts_in_its_own_context_and_for_no_prefix_of_it() {
    let mut chat = Threads::new();
    let [first, second] = chat.threads.clone();
    let [room, other] = chat.rooms.clone();
    let (role, path) = ("thread/participant", "thread/message");
    assert_eq!(chat.query(role, path, Some(&first)), (200, 1));
    for context in [Some("b"), Some(&first[..8]), Some(&first[..58]), Some(&second), Some(""), Some("/"), None] {
        assert_eq!(chat.query(role, path, context), (401, 0), "{context:?}");
    }
    let (role, path) = ("thread/room/member", "thread/room/message");
    assert_eq!(chat.query(role, path, Some(&room)), (200, 1));
    let slash = format!("{first}/");
    let prefix = format!("{first}/b");
    for context in [&first, &slash, &prefix, &other, &second] {
        assert_eq!(chat.query(role, path, Some(context)), (401, 0), "{context}");
    }
}

#[test]
fn a_role_in_one_context_reads_writes_and_follows_nothing_in_another() {
    let Threads { mut past, alice, bob, threads, messages, .. } = Threads::new();
    let role = json!({"protocolRole": "thread/participant"});
    let as_participant = |message: Result<Value, Refusal>| Ok(with_payload(message, role.clone(), &bob));
    for (n, code) in [(0, 200), (1, 401)] {
        let read = as_participant(read(&Ok(messages[n].clone()), Some(&bob)));
        assert_eq!(past.code(read, None), code, "thread {n}");
    }
    for (n, code) in [(0, 202), (1, 401)] {
        let message = write(&record("thread/message", Some(&threads[n])), b"y", 50, &bob);
        assert_eq!(past.code(as_participant(message), Some(b"y")), code, "thread {n}");
    }
    let follow = |context: &str| {
        let filter = json!({"protocol": CHAT, "protocolPath": "thread/message", "contextId": context});
        let message = records_subscribe(filter, &at(60), Some(&bob), Some("thread/participant"));
        subscribe(&Message::parse(alice.did(), message).expect("parses"), &past, &at(60)).is_ok()
    };
    assert!(follow(&threads[0]) && !follow(&threads[1]) && !follow("b") && !follow(&threads[0][..20]));
}

#[test]
fn a_filter_of_a_context_finds_it_and_what_is_below_by_whole_segments() {
    let Threads { mut past, alice, threads, rooms, .. } = Threads::new();
    let mut finds = |context: &str| {
        let reply = past.send(records_query(json!({"contextId": context}), json!({}), &at(100), Some(&alice)), None);
        reply["entries"].as_array().map(Vec::len)
    };
    assert_eq!([&threads[0], &threads[1], &rooms[0], &rooms[1]].map(|context| finds(context)), [7, 4, 3, 2].map(Some));
    for context in ["b", &threads[0][..40], &rooms[0][..61], &rooms[0][..118]] {
        assert_eq!(finds(context), Some(0), "{context}");
    }
}

#[test]
fn a_grant_of_one_context_or_path_is_good_for_no_other() {
    let Threads { mut past, alice, bob, threads, messages, .. } = Threads::new();
    let granted = |method: &str, more: Value| {
        let mut scope = json!({"interface": "Records", "method": method, "protocol": CHAT});
        scope.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let data = json!({"dateExpires": at(3000), "delegated": true, "scope": scope}).to_string().into_bytes();
        let grant = Write {
            protocol: Some((PERMISSIONS, "grant")),
            recipient: Some(bob.did()),
            data_format: "application/json",
            tags: json!({"protocol": CHAT}).as_object().cloned(),
            ..Write::default()
        };
        let mut grant = write(&grant, &data, 1, &alice).expect("was made");
        let id = cid_of(&grant).expect("a CID");
        grant["encodedData"] = crypto::encode(&data).into();
        move |message: Result<Value, Refusal>| {
            let mut message = with_payload(message, json!({"delegatedGrantId": id}), &person(2));
            message["authorization"]["authorDelegatedGrant"] = grant.clone();
            Ok::<_, Refusal>(message)
        }
    };
    let query = |more: Value| {
        let mut filter = json!({"protocol": CHAT});
        filter.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        records_query(filter, json!({}), &at(100), Some(&bob))
    };
    let by_context = granted("Query", json!({"contextId": threads[0]}));
    for (asked, code) in [
        (json!({"contextId": threads[0]}), 200),
        (json!({"contextId": threads[1]}), 401),
        (json!({"contextId": "b"}), 401),
        (json!({}), 401),
    ] {
        assert_eq!(past.code(by_context(query(asked.clone())), None), code, "{asked}");
    }
    let by_path = granted("Query", json!({"protocolPath": "thread/message"}));
    for (path, code) in [("thread/message", 200), ("thread/participant", 401)] {
        assert_eq!(past.code(by_path(query(json!({"protocolPath": path}))), None), code, "{path}");
    }
    let delete = granted("Delete", json!({"contextId": threads[0]}));
    for (n, code) in [(1, 401), (0, 202)] {
        let id = messages[n]["recordId"].as_str().expect("an id");
        assert_eq!(past.code(delete(records_delete(id, false, &at(100), &bob)), None), code, "thread {n}");
    }
    let half = granted("Read", json!({"contextId": &threads[1][..20]}));
    let whole = granted("Read", json!({"contextId": threads[1]}));
    let read = || records_read(json!({"recordId": messages[1]["recordId"]}), &at(100), Some(&bob));
    assert_eq!((past.code(whole(read()), None), past.code(half(read()), None)), (200, 401));
}
