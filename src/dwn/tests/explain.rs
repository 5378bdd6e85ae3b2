//! Who may do what, and why: what is explained is what happens.

use super::*;
use proptest::prelude::*;

const PROTOCOL: &str = "http://explained.example/p";
/// When it is asked.
const ASKED: u32 = 3000;

/// What is sent, what it is, and its data.
type Sent = (Value, Vec<u8>);

/// A tenant's records, the grants in them, and the people around.
struct Story {
    past: Past,
    people: Vec<Signer>,
    records: Vec<Value>,
    grants: Vec<Sent>,
    second: u32,
}

/// What happens next in a random story. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Act {
    Thread { author: usize, recipient: Option<usize>, published: bool },
    Reply { thread: usize, author: usize, recipient: Option<usize>, published: bool },
    Plain { recipient: Option<usize>, published: bool },
    Friend { holder: usize },
    Member { thread: usize, holder: usize },
    Grant { to: usize, method: usize, place: usize, delegated: bool, expires: bool },
    Revoke { grant: usize },
    Update { record: usize },
    Delete { record: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let someone = || prop::option::of(0..4usize);
    prop_oneof![
        3 => (0..4usize, someone(), any::<bool>())
            .prop_map(|(author, recipient, published)| Act::Thread { author, recipient, published }),
        4 => (any::<usize>(), 0..4usize, someone(), any::<bool>())
            .prop_map(|(thread, author, recipient, published)| Act::Reply { thread, author, recipient, published }),
        1 => (someone(), any::<bool>()).prop_map(|(recipient, published)| Act::Plain { recipient, published }),
        1 => (0..4usize).prop_map(|holder| Act::Friend { holder }),
        2 => (any::<usize>(), 0..4usize).prop_map(|(thread, holder)| Act::Member { thread, holder }),
        4 => (0..4usize, 0..4usize, any::<usize>(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(to, method, place, delegated, expires)| Act::Grant { to, method, place, delegated, expires }),
        1 => any::<usize>().prop_map(|grant| Act::Revoke { grant }),
        1 => any::<usize>().prop_map(|record| Act::Update { record }),
        1 => any::<usize>().prop_map(|record| Act::Delete { record }),
    ]
}

/// Rules for threads and replies, of which any may be there.
fn rules() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    let reads = json!(["read", "query", "subscribe"]);
    let of_threads = vec![
        json!({"role": "friend", "can": reads}),
        json!({"role": "thread/member", "can": reads}),
        json!({"role": "friend2", "can": ["co-update", "co-delete"]}),
        json!({"who": "recipient", "can": ["co-update", "co-prune"]}),
    ];
    let of_replies = vec![
        json!({"role": "friend", "can": ["co-update"]}),
        json!({"role": "thread/member", "can": reads}),
        json!({"who": "author", "of": "thread", "can": ["read", "co-delete"]}),
        json!({"who": "recipient", "of": "thread", "can": ["read"]}),
        json!({"who": "author", "of": "thread/reply", "can": ["create", "delete", "prune"]}),
        json!({"who": "recipient", "can": ["co-update", "co-delete"]}),
    ];
    let some = |rules: Vec<Value>| {
        let most = rules.len();
        (prop::sample::subsequence(rules, 0..=most), 0..4usize).prop_map(|(mut rules, can)| {
            let more = ["create", "read", "update", "delete"];
            let can = [&more[..1], &more[..2], &more[..], &["create", "co-update", "co-delete"]][can];
            rules.push(json!({"who": "anyone", "can": can}));
            rules
        })
    };
    (some(of_threads), some(of_replies))
}

fn definition((threads, replies): &(Vec<Value>, Vec<Value>)) -> Value {
    let place = |rules: &[Value]| if rules.is_empty() { json!({}) } else { json!({"$actions": rules}) };
    let (mut thread, reply) = (place(threads), place(replies));
    thread["member"] = json!({"$role": true});
    thread["reply"] = reply;
    json!({
        "protocol": PROTOCOL, "published": true,
        "types": {"thread": {}, "reply": {}, "member": {}, "friend": {}, "friend2": {}},
        "structure": {
            "friend": {"$role": true},
            "friend2": {"$role": true},
            "thread": thread,
        },
    })
}

fn chosen<T>(from: &[T], n: usize) -> Option<&T> {
    from.get(n.checked_rem(from.len())?)
}

impl Story {
    fn new(rules: &(Vec<Value>, Vec<Value>)) -> Self {
        let people: Vec<_> = (1..=5).map(person).collect();
        let mut past = Past::of(&people[0]);
        let configure = protocols_configure(definition(rules), &at(0), &people[0]);
        assert_eq!(past.code(configure, None), 202);
        Self { past, people, records: vec![], grants: vec![], second: 1 }
    }

    fn of_path(&self, path: &str, n: usize) -> Option<&Value> {
        let fits: Vec<_> = self.records.iter().filter(|it| it["descriptor"]["protocolPath"] == path).collect();
        chosen(&fits, n).copied()
    }

    /// Writes what the rules let in.
    fn write(&mut self, of: &Write<'_>, author: usize) -> Option<Sent> {
        self.second += 1;
        let data = format!("{}", self.second).into_bytes();
        let message = write(of, &data, self.second, &self.people[author]).expect("made");
        (self.past.code(Ok(message.clone()), Some(&data)) == 202).then_some((message, data))
    }

    fn act(&mut self, act: &Act) {
        let did = |who: usize| person(who as u8 + 1).did().to_owned();
        match act {
            Act::Thread { author, recipient, published } => {
                let recipient = recipient.map(did);
                let of =
                    Write { recipient: recipient.as_deref(), published: *published, ..of_protocol("thread", None) };
                let written = self.write(&of, *author);
                self.records.extend(written.map(|(message, _)| message));
            }
            Act::Reply { thread, author, recipient, published } => {
                let Some(thread) = self.of_path("thread", *thread) else { return };
                let (context, recipient) = (context(thread), recipient.map(did));
                let of = of_protocol("thread/reply", Some(&context));
                let of = Write { recipient: recipient.as_deref(), published: *published, ..of };
                let written = self.write(&of, *author);
                self.records.extend(written.map(|(message, _)| message));
            }
            Act::Plain { recipient, published } => {
                let recipient = recipient.map(did);
                let of = Write { recipient: recipient.as_deref(), published: *published, ..note() };
                let written = self.write(&of, 0);
                self.records.extend(written.map(|(message, _)| message));
            }
            Act::Friend { holder } => {
                let holder = did(*holder);
                for role in ["friend", "friend2"] {
                    self.write(&Write { recipient: Some(&holder), ..of_protocol(role, None) }, 0);
                }
            }
            Act::Member { thread, holder } => {
                let Some(thread) = self.of_path("thread", *thread) else { return };
                let (context, holder) = (context(thread), did(*holder));
                self.write(&Write { recipient: Some(&holder), ..of_protocol("thread/member", Some(&context)) }, 0);
            }
            Act::Grant { to, method, place, delegated, expires } => {
                let method = ["Read", "Write", "Query", "Delete"][*method];
                self.grant(&did(*to), method, *place, *delegated, *expires);
            }
            Act::Revoke { grant } => {
                let Some((grant, _)) = chosen(&self.grants, *grant).cloned() else { return };
                let context = context(&grant);
                let revocation = Write {
                    protocol: Some((PERMISSIONS, "grant/revocation")),
                    parent_context: Some(&context),
                    data_format: "application/json",
                    tags: grant["descriptor"]["tags"].as_object().cloned(),
                    ..Write::default()
                };
                self.second += 1;
                let message = write(&revocation, b"{}", self.second, &self.people[0]);
                assert_eq!(self.past.code(message, Some(b"{}")), 202);
            }
            Act::Update { record } => {
                let Some(record) = chosen(&self.records, *record).cloned() else { return };
                self.second += 1;
                let data = format!("{}", self.second).into_bytes();
                let changes = json!({"dataCid": data_cid(&data).to_string(), "dataSize": data.len()});
                let update = records_update(&record, &changes, &at(self.second), &self.people[0]);
                self.past.send(update, Some(&data));
            }
            Act::Delete { record } => {
                let Some(record) = chosen(&self.records, *record).cloned() else { return };
                self.second += 1;
                let id = record["recordId"].as_str().expect("an id");
                self.past.send(records_delete(id, false, &at(self.second), &self.people[0]), None);
            }
        }
    }

    fn grant(&mut self, to: &str, method: &str, place: usize, delegated: bool, expires: bool) {
        let context = chosen(&self.records, place).and_then(|record| record["contextId"].as_str());
        let mut scope = json!({"interface": "Records", "method": method, "protocol": PROTOCOL});
        match (place % 5, context) {
            (0, _) => scope["protocolPath"] = "thread/reply".into(),
            (1, Some(context)) => scope["contextId"] = context.into(),
            (2, _) => drop(scope.as_object_mut().expect("an object").remove("protocol")),
            _ => {}
        }
        let until = if expires { ASKED - 1 } else { ASKED + 500 };
        let data = json!({"dateExpires": at(until), "delegated": delegated, "scope": scope}).to_string().into_bytes();
        let grant = Write {
            protocol: Some((PERMISSIONS, "grant")),
            recipient: Some(to),
            data_format: "application/json",
            tags: scope.get("protocol").map(|uri| json!({"protocol": uri}).as_object().expect("an object").clone()),
            ..Write::default()
        };
        self.second += 1;
        let message = write(&grant, &data, self.second, &self.people[0]).expect("made");
        let reply = self.past.send(Ok(message.clone()), Some(&data));
        assert_eq!(reply["status"]["code"], 202, "{reply}");
        self.grants.push((message, data));
    }

    /// The message as somebody would sign it, by each right that there may be.
    fn ways(&self, message: &Value, who: &Signer) -> Vec<Value> {
        let bare = || Ok::<_, Refusal>(message.clone());
        let mut ways = vec![message.clone()];
        for role in ["friend", "friend2", "thread/member"] {
            ways.push(with_payload(bare(), json!({"protocolRole": role}), who));
        }
        for (grant, data) in &self.grants {
            ways.push(with_payload(bare(), json!({"permissionGrantId": grant["recordId"]}), who));
            let cid = cid_of(grant).expect("a CID");
            let mut delegated = with_payload(bare(), json!({"delegatedGrantId": cid}), who);
            delegated["authorization"]["authorDelegatedGrant"] = grant.clone();
            delegated["authorization"]["authorDelegatedGrant"]["encodedData"] = crate::crypto::encode(data).into();
            ways.push(delegated);
        }
        ways
    }

    fn is_accepted(&mut self, message: &Value, who: &Signer, accepts: impl Fn(&Value) -> bool) -> bool {
        let ways = self.ways(message, who);
        ways.into_iter().any(|way| accepts(&self.past.send(Ok(way), None)))
    }

    /// Would the rules take this write?
    fn is_decided(&self, message: &Value, who: &Signer) -> bool {
        self.ways(message, who).into_iter().any(|way| {
            let message = Message::parse(self.people[0].did(), way);
            message.is_ok_and(|message| {
                message.verify(&key_of).expect("is signed");
                decide(&message, &Given::None, &self.past, &at(ASKED)).is_ok()
            })
        })
    }

    fn explained(&self, id: &str, did: Option<&str>) -> Result<Explained, Stop> {
        explain(id, did, self.people[0].did(), &self.past, &at(ASKED))
    }
}

fn of_protocol<'a>(path: &'a str, parent_context: Option<&'a str>) -> Write<'a> {
    Write { protocol: Some((PROTOCOL, path)), parent_context, ..note() }
}

fn context(record: &Value) -> String {
    record["contextId"].as_str().expect("a context").to_owned()
}

fn may(explained: &Explained, action: &str) -> bool {
    explained.access.iter().any(|access| access.may.contains(&action))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn what_is_explained_is_what_happens(rules in rules(), acts in prop::collection::vec(act(), 1..24)) {
        let mut story = Story::new(&rules);
        acts.iter().for_each(|act| story.act(act));
        for record in story.records.clone() {
            let id = record["recordId"].as_str().expect("an id");
            let alice = person(1);
            let is_here = story.past.code(records_read(json!({"recordId": id}), &at(ASKED), Some(&alice)), None) == 200;
            let all = match story.explained(id, None) {
                Ok(all) => all,
                Err(stop) => {
                    prop_assert!(!is_here && matches!(&stop, Stop::Refusal(refusal) if refusal.code == 404), "{stop}");
                    continue;
                }
            };
            prop_assert!(is_here && all.complete);
            for n in 1..=5 {
                let who = person(n);
                let one = story.explained(id, Some(who.did())).expect("explains");
                let read = records_read(json!({"recordId": id}), &at(ASKED), Some(&who)).expect("made");
                let reads = story.is_accepted(&read, &who, |reply| reply["status"]["code"] == 200);
                prop_assert_eq!(may(&one, "read"), reads, "{} {:?}", who.did(), &one);
                // What a friend's device is sent: what everybody reads only where the friend has a part, in a protocol or outside of all.
                let reader = Reader::of(who.did(), alice.did(), &story.past, &at(ASKED)).expect("reads");
                let record_here = story.past.record(id).expect("reads").expect("is here");
                let everybody = one.access.iter().filter(|access| access.may.contains(&"read")).all(|access| access.by == "published" || access.because.contains("anyone can"));
                let has_part = match record["descriptor"]["protocol"].as_str() {
                    Some(uri) => reader.protocols().any(|it| it == uri),
                    None => reader.reads_outside_protocols(),
                };
                let expected = reads && (!everybody || has_part);
                prop_assert!(n == 1 || reader.reads_record(&record_here, &story.past).expect("reads") == expected, "{} {:?} {:?}", who.did(), &one, &reader);
                let mut filter = json!({"recordId": id});
                for name in ["protocol", "protocolPath"] {
                    if let Some(text) = record["descriptor"].get(name) { filter[name] = text.clone(); }
                }
                if let Some(context) = record.get("contextId") { filter["contextId"] = context.clone(); }
                let query = records_query(filter, json!({}), &at(ASKED), Some(&who)).expect("made");
                let finds = story.is_accepted(&query, &who, |reply| reply["entries"].as_array().is_some_and(|them| !them.is_empty()));
                prop_assert_eq!(may(&one, "query"), finds, "{} {:?}", who.did(), &one);
                for (action, prune) in [("delete", false), ("prune", true)] {
                    let delete = records_delete(id, prune, &at(ASKED), &who).expect("made");
                    prop_assert_eq!(may(&one, action), story.is_decided(&delete, &who), "{} {} {:?}", action, who.did(), &one);
                }
                let newest = story.past.record(id).expect("reads").expect("is here").newest;
                let update = records_update(&newest.message, &json!({}), &at(ASKED), &who).expect("made");
                prop_assert_eq!(may(&one, "update"), story.is_decided(&update, &who), "{} {:?}", who.did(), &one);
                for action in ["read", "query", "update", "delete", "prune"] {
                    let listed = all.access.iter().any(|access| {
                        [who.did(), ANYONE].contains(&&*access.who) && access.may.contains(&action)
                    });
                    prop_assert_eq!(may(&one, action), listed, "{} {} {:?} {:?}", action, who.did(), &one, &all);
                }
            }
            let anonymous = records_read(json!({"recordId": id}), &at(ASKED), None).expect("made");
            let anyone = all.access.iter().any(|access| access.who == ANYONE && access.may.contains(&"read"));
            prop_assert_eq!(anyone, story.past.code(Ok(anonymous), None) == 200);
        }
    }
}

#[test]
fn a_grant_is_named_while_it_is_good_and_after() {
    let mut story = Story::new(&(vec![json!({"who": "anyone", "can": ["create"]})], vec![]));
    let bob = person(2);
    story.act(&Act::Thread { author: 0, recipient: None, published: false });
    let id = story.records[0]["recordId"].as_str().expect("an id").to_owned();
    let before = story.explained(&id, Some(bob.did())).expect("explains");
    assert_eq!((before.access.len(), before.access[0].by), (1, "nothing"), "{before:?}");
    story.grant(bob.did(), "Read", 3, false, false);
    let grant = story.grants[0].0["recordId"].as_str().expect("an id").to_owned();
    let granted = story.explained(&id, Some(bob.did())).expect("explains").access;
    assert_eq!((granted.len(), granted[0].by, &granted[0].may), (1, "grant", &vec!["read"]), "{granted:?}");
    assert_eq!(granted[0].because, format!("grant {grant} allows it until {}", at(ASKED + 500)));
    let all = story.explained(&id, None).expect("explains").access;
    assert_eq!(all.iter().map(|access| access.by).collect::<Vec<_>>(), ["owner", "grant"], "{all:?}");
    story.act(&Act::Revoke { grant: 0 });
    let revoked = story.explained(&id, Some(bob.did())).expect("explains").access;
    assert_eq!(revoked[0].because, format!("grant {grant} of Records.Read is revoked since {}", at(story.second)));
    assert!(revoked.iter().all(|access| access.may.is_empty()), "{revoked:?}");
}

#[test]
fn a_path_is_explained_by_its_rules_and_the_grants_for_it() {
    let reads = json!({"role": "friend", "can": ["read", "query", "subscribe"]});
    let mut story = Story::new(&(vec![reads, json!({"who": "anyone", "can": ["create"]})], vec![]));
    let (alice, bob, carol) = (person(1), person(2), person(3));
    story.act(&Act::Friend { holder: 1 });
    story.grant(carol.did(), "Read", 3, false, false);
    let at_path =
        |did| explain_path((PROTOCOL, "thread"), did, alice.did(), &story.past, &at(ASKED)).map(|it| it.access);
    let by = |did| at_path(did).expect("explains").iter().map(|access| access.by).collect::<Vec<_>>();
    assert_eq!(by(None), ["owner", "role", "rule", "grant"]);
    assert_eq!(by(Some(bob.did())), ["role", "rule"]);
    assert_eq!(by(Some(carol.did())), ["rule", "grant"]);
    let missing = explain_path((PROTOCOL, "other"), None, alice.did(), &story.past, &at(ASKED));
    assert!(matches!(missing, Err(Stop::Refusal(refusal)) if refusal.code == 404));
}

#[test]
fn more_parties_than_are_looked_at_are_said_to_be_more() {
    let reads = json!({"role": "friend", "can": ["read", "query", "subscribe"]});
    let mut story = Story::new(&(vec![reads], vec![]));
    for n in 0..201 {
        let holder = format!("did:example:{n}");
        story.write(&Write { recipient: Some(&holder), ..of_protocol("friend", None) }, 0).expect("is written");
    }
    story.act(&Act::Thread { author: 0, recipient: None, published: false });
    let id = story.records[0]["recordId"].as_str().expect("an id").to_owned();
    let all = story.explained(&id, None).expect("explains");
    assert_eq!((all.complete, all.access.len()), (false, 200));
    assert!(all.access[1..].iter().all(|access| access.by == "role" && access.may == ["read", "query"]), "{all:?}");
    let last = story.explained(&id, Some("did:example:200")).expect("explains");
    assert!(last.complete && may(&last, "read"), "{last:?}");
}
