//! What subscribers are told, by a node that carries events: of ends, of what leaves a filter, and nothing that is not
//! theirs to know.

use super::*;
use crate::{
    crypto::{self, Signer, jws::Jws},
    dwn::{
        create::{self, Write},
        testing::{data_cid, person, records_subscribe},
    },
    node::{Delivery, one_chunk, tests::door},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const WIKI: &str = "http://example.com/wiki";

/// A node of Alice's with a wiki that anybody writes to and readers read.
struct Stage {
    node: Node,
    alice: Signer,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stage {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (node, stop) = (door(dir.path()), CancellationToken::new());
        // Begun before anything is written.
        let mut carrying = Box::pin(node.clone().carry_events(Job::new("subscriptions", "", stop.clone())));
        assert!(futures::poll!(&mut carrying).is_pending());
        tokio::spawn(carrying);
        let stage = Self { node, alice: person(1), stop, _dir: dir };
        let definition = json!({"protocol": WIKI, "published": true, "types": {"reader": {}, "page": {}},
        "structure": {"reader": {"$role": true}, "page": {"$actions": [
            {"role": "reader", "can": ["read", "query", "subscribe"]},
            {"who": "anyone", "can": ["create", "update", "co-update", "delete", "co-delete"]},
        ]}}});
        let configure = create::protocols_configure(definition, &now(), &stage.alice).expect("made");
        assert_eq!(stage.send(configure, None).await, 202);
        stage
    }

    async fn send(&self, message: Value, data: Option<&str>) -> u16 {
        let data = data.map(|data| one_chunk(data.to_owned().into()));
        self.node.process(self.alice.did(), message, data).await.expect("answered").code
    }

    async fn write(&self, write: &Write<'_>, who: &Signer) -> Value {
        let message = create::records_write(write, (&data_cid(b"text"), 4), &now(), who).expect("made");
        assert_eq!(self.send(message.clone(), Some("text")).await, 202);
        message
    }

    async fn update(&self, record: &Value, changes: Value, who: &Signer) -> Value {
        let message = create::records_update(record, &changes, &now(), who).expect("made");
        assert_eq!(self.send(message.clone(), Some("text")).await, 202);
        message
    }

    async fn delete(&self, record: &Value, who: &Signer) -> u16 {
        let id = record["recordId"].as_str().expect("an id");
        self.send(create::records_delete(id, false, &now(), who).expect("made"), None).await
    }

    async fn make_reader(&self, who: &Signer) {
        let role = Write { protocol: Some((WIKI, "reader")), recipient: Some(who.did()), ..page() };
        self.write(&role, &self.alice).await;
    }

    async fn carry(&self, message: Value, resume: Option<Resume>) -> Events {
        let asker = Asker::Owner;
        let (reply, events) = self.node.subscribe(asker, self.alice.did(), message, resume).await.expect("answered");
        events.unwrap_or_else(|| panic!("{reply:?}"))
    }

    async fn follow(&self, filter: Value, who: Option<&Signer>, role: Option<&str>) -> Events {
        self.carry(records_subscribe(filter, &now(), who, role), None).await
    }

    /// What comes until a published page that all are told of.
    async fn told<const N: usize>(&self, all: [&mut Events; N]) -> [Vec<Told>; N] {
        let tags = json!({"status": "open"});
        let last = Write { published: true, tags: tags.as_object().cloned(), ..page() };
        let last = self.write(&last, &self.alice).await;
        let mut heard = std::array::from_fn(|_| Vec::new());
        for (events, heard) in all.into_iter().zip(&mut heard) {
            loop {
                let event = tokio::time::timeout(Duration::from_secs(60), events.next()).await;
                let event = event.expect("comes").expect("goes on");
                if **event.message == last {
                    break;
                }
                heard.push(Told::of(&event));
            }
        }
        heard
    }
}

/// An event, by the record it is about and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told(String, String);

impl Told {
    fn of(event: &Delivery) -> Self {
        let message: &Value = &event.message;
        let id = message.get("recordId").or_else(|| message.pointer("/descriptor/recordId"));
        let status = message.pointer("/descriptor/tags/status").or_else(|| message.pointer("/descriptor/method"));
        let text = |value: Option<&Value>| value.and_then(Value::as_str).expect("text").to_owned();
        Self(text(id), text(status))
    }

    fn new(record: &Value, what: &str) -> Self {
        Self(record["recordId"].as_str().expect("an id").to_owned(), what.to_owned())
    }
}

fn page<'a>() -> Write<'a> {
    Write { protocol: Some((WIKI, "page")), data_format: "text/plain", ..Write::default() }
}

fn tagged<'a>(status: &str, published: bool) -> Write<'a> {
    Write { tags: json!({"status": status}).as_object().cloned(), published, ..page() }
}

/// A subscription by whom the grantor lets act for them.
fn as_delegate(filter: Value, who: &Signer, grantor: &Signer) -> Value {
    let scope = json!({"interface": "Records", "method": "Subscribe", "protocol": WIKI});
    let data = json!({"dateExpires": "2099-01-01T00:00:00.000000Z", "delegated": true, "scope": scope}).to_string();
    let grant = Write {
        protocol: Some((dwn::PERMISSIONS, "grant")),
        recipient: Some(who.did()),
        data_format: "application/json",
        tags: json!({"protocol": WIKI}).as_object().cloned(),
        ..Write::default()
    };
    let named = (&data_cid(data.as_bytes()), data.len() as u64);
    let mut grant = create::records_write(&grant, named, &now(), grantor).expect("made");
    let id = cid::of_json(&grant).expect("encodes").0.to_string();
    grant["encodedData"] = crypto::encode(data.as_bytes()).into();
    let mut message = records_subscribe(filter, &now(), Some(who), None);
    let descriptor = cid::of_json(&message["descriptor"]).expect("encodes").0.to_string();
    let payload = json!({"descriptorCid": descriptor, "delegatedGrantId": id}).to_string();
    message["authorization"] =
        json!({"signature": Jws::sign(payload.as_bytes(), who).expect("signs"), "authorDelegatedGrant": grant});
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_record_reaches_whoever_saw_it_and_nobody_else() {
    let stage = Stage::new().await;
    let [bob, carol, dave, erin, frank] = [2, 3, 4, 5, 6].map(person);
    stage.make_reader(&bob).await;
    let pages = json!({"protocol": WIKI, "protocolPath": "page"});
    let texts = json!({"protocol": WIKI, "dataFormat": "text/plain", "protocolPath": "page"});
    let mut owner = stage.follow(texts.clone(), Some(&stage.alice), None).await;
    let mut role = stage.follow(pages.clone(), Some(&bob), Some("reader")).await;
    let mut recipient = stage.follow(texts.clone(), Some(&carol), None).await;
    let mut author = stage.follow(pages.clone(), Some(&dave), None).await;
    let mut delegate = stage.carry(as_delegate(texts.clone(), &erin, &stage.alice), None).await;
    let mut stranger = stage.follow(pages.clone(), Some(&frank), None).await;
    let mut anonymous = stage.follow(texts, None, None).await;

    let for_carol = stage.write(&Write { recipient: Some(carol.did()), ..tagged("open", false) }, &stage.alice).await;
    let by_dave = stage.write(&tagged("open", false), &dave).await;
    stage.update(&by_dave, json!({"tags": {"status": "edited"}}), &carol).await;
    let public = stage.write(&tagged("open", true), &stage.alice).await;
    assert_eq!(stage.delete(&for_carol, &stage.alice).await, 202);
    assert_eq!(stage.delete(&by_dave, &stage.alice).await, 202);
    assert_eq!(stage.delete(&public, &stage.alice).await, 202);
    let all = [&mut owner, &mut role, &mut recipient, &mut author, &mut delegate, &mut stranger, &mut anonymous];
    let told = stage.told(all).await;

    let (carols, daves, publics) = (
        [Told::new(&for_carol, "open"), Told::new(&for_carol, "Delete")],
        [Told::new(&by_dave, "open"), Told::new(&by_dave, "edited"), Told::new(&by_dave, "Delete")],
        [Told::new(&public, "open"), Told::new(&public, "Delete")],
    );
    let of = |told: &[Told], record: &Value| -> Vec<Told> {
        told.iter().filter(|told| Some(told.0.as_str()) == record["recordId"].as_str()).cloned().collect()
    };
    for (who, told, sees_carols, sees_daves) in [
        ("owner", &told[0], &carols[..], &daves[..]),
        ("role", &told[1], &carols, &daves),
        // Carol has written the state that ended.
        ("recipient", &told[2], &carols, &daves[1..]),
        ("author", &told[3], &[], &daves),
        ("delegate", &told[4], &carols, &daves),
        ("stranger", &told[5], &[], &[]),
        ("anonymous", &told[6], &[], &[]),
    ] {
        assert_eq!(of(told, &for_carol), sees_carols, "{who}");
        assert_eq!(of(told, &by_dave), sees_daves, "{who}");
        assert_eq!(of(told, &public), publics, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_a_filter_is_told_to_whoever_may_see_what_it_has_become() {
    let stage = Stage::new().await;
    let (bob, dave) = (person(2), person(4));
    stage.make_reader(&bob).await;
    let open = json!({"protocol": WIKI, "protocolPath": "page", "tags": {"status": "open"}});
    let mut owner = stage.follow(open.clone(), Some(&stage.alice), None).await;
    let mut role = stage.follow(open.clone(), Some(&bob), Some("reader")).await;
    let mut stranger = stage.follow(open.clone(), Some(&dave), None).await;
    let mut anonymous = stage.follow(open, None, None).await;

    let closed = json!({"tags": {"status": "closed"}});
    let public = stage.write(&tagged("open", true), &stage.alice).await;
    let after = stage.update(&public, closed.clone(), &stage.alice).await;
    // It has left before: no news.
    stage.update(&after, json!({"tags": {"status": "forgotten"}}), &stage.alice).await;
    let secret = stage.write(&tagged("open", false), &stage.alice).await;
    stage.update(&secret, closed.clone(), &stage.alice).await;
    let hidden = stage.write(&tagged("open", true), &stage.alice).await;
    let mut hide = closed.clone();
    hide["published"] = false.into();
    hide["datePublished"] = Value::Null;
    stage.update(&hidden, hide, &stage.alice).await;
    // Never in the filter.
    let other = stage.write(&tagged("closed", true), &stage.alice).await;
    stage.update(&other, closed, &stage.alice).await;

    let told = stage.told([&mut owner, &mut role, &mut stranger, &mut anonymous]).await;
    let both = |record: &Value| [Told::new(record, "open"), Told::new(record, "closed")];
    let all: Vec<_> = [&public, &secret, &hidden].into_iter().flat_map(both).collect();
    assert_eq!((&told[0], &told[1]), (&all, &all));
    let public = both(&public).into_iter().chain([Told::new(&hidden, "open")]).collect::<Vec<_>>();
    assert_eq!((&told[2], &told[3]), (&public, &public));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_is_told_what_has_left_their_filter_meanwhile() {
    let stage = Stage::new().await;
    let dave = person(4);
    let open = json!({"protocol": WIKI, "protocolPath": "page", "tags": {"status": "open"}});
    let mut events = stage.follow(open.clone(), Some(&dave), None).await;
    let [left, hidden, deleted] = [
        stage.write(&tagged("open", true), &stage.alice).await,
        stage.write(&tagged("open", true), &stage.alice).await,
        stage.write(&tagged("open", true), &stage.alice).await,
    ];
    let other = stage.write(&tagged("closed", true), &stage.alice).await;
    for _ in 0..2 {
        events.next().await.expect("goes on");
    }
    let last = events.next().await.expect("goes on");
    assert_eq!(Told::of(&last), Told::new(&deleted, "open"));
    drop(events);

    let edited = stage.update(&left, json!({"tags": {"status": "closing"}}), &stage.alice).await;
    stage.update(&edited, json!({"tags": {"status": "closed"}}), &stage.alice).await;
    let hide = json!({"tags": {"status": "closed"}, "published": false, "datePublished": null});
    stage.update(&hidden, hide, &stage.alice).await;
    assert_eq!(stage.delete(&deleted, &stage.alice).await, 202);
    stage.update(&other, json!({"tags": {"status": "closing"}}), &stage.alice).await;
    // Come and gone while nobody listened.
    let brief = stage.write(&tagged("open", true), &stage.alice).await;
    stage.update(&brief, json!({"tags": {"status": "closed"}}), &stage.alice).await;

    let resume = Resume::from_cursor(&last.cursor());
    let mut events = stage.carry(records_subscribe(open.clone(), &now(), Some(&dave), None), Some(resume)).await;
    let [told] = stage.told([&mut events]).await;
    assert_eq!(told, [Told::new(&left, "closed"), Told::new(&deleted, "Delete")]);
    // Who begins has nothing that could have left.
    let beginning = Some(Resume::from_cursor(&Value::Null));
    let mut events = stage.carry(records_subscribe(open, &now(), Some(&dave), None), beginning).await;
    let [told] = stage.told([&mut events]).await;
    assert_eq!(told.iter().filter(|told| told.1 != "open").count(), 0, "{told:?}");
}
