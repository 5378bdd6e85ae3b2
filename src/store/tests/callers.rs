//! RecordsQuery as those who may ask send it: through the rules, the indexes answer as a slow and obvious list
//! does, and everybody sees what the tenant sees of it, less what is not theirs to see.
//!
//! A case is (records, filter, sort, cursor, caller). `TOFT_LONG=1` asks 100,000 of them, the normal run some
//! hundreds. Cases that failed once are kept in `proptest-regressions/` and asked first.

use super::*;
use crate::{
    crypto::Signer,
    dwn::{self, Given, Message, Stop, create, testing},
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use std::collections::BTreeSet;

const PROTOCOL: &str = "http://example.com/rooms";
/// Who writes and asks: the tenant, two who write and are written to, one with a role, one with nothing.
const PEOPLE: usize = 5;
const FRIEND: usize = 3;
const QUERIES: usize = 100;
const SORTS: [&str; 4] = ["createdAscending", "createdDescending", "publishedAscending", "publishedDescending"];

fn definition() -> Value {
    let open = json!({"who": "anyone", "can": ["create", "update", "delete"]});
    let friends = json!({"role": "friend", "can": ["read", "query", "subscribe"]});
    json!({
        "protocol": PROTOCOL,
        "published": true,
        "types": {"friend": {}, "room": {}, "line": {}},
        "structure": {
            "friend": {"$role": true},
            "room": {"$actions": [open, friends], "line": {"$actions": [open, friends]}},
        },
    })
}

/// What is written, by whom; numbers are taken modulo what there is.
#[derive(Debug, Clone)]
struct Step {
    kind: Kind,
    by: usize,
    to: Option<usize>,
    on: usize,
    published: bool,
    second: u32,
    size: usize,
    tag: Option<Value>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Note,
    Room,
    Line,
    Update,
    Delete,
}

#[derive(Debug, Clone)]
struct Query {
    caller: Caller,
    /// Property and value of each condition, by number.
    terms: Vec<(usize, usize)>,
    sort: Option<&'static str>,
    limit: Option<usize>,
    /// A place to begin after: at a record, or at none.
    after: Option<(usize, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Caller {
    Person(usize),
    WithRole,
    Nobody,
}

fn tag() -> impl Strategy<Value = Value> {
    let texts = ["", "x", "xy", "x\u{0}", "x\u{FFFF}", "x\u{10000}", "y"];
    prop_oneof![
        proptest::sample::select(texts.to_vec()).prop_map(Value::from),
        // Whole numbers as JSON writes them: 2.0 comes back as 2.
        (-1_i64..6).prop_map(Value::from),
        (-1_i32..6).prop_map(|n| json!(f64::from(n) + 0.5)),
        any::<bool>().prop_map(Value::from),
        Just(json!(["x", "xy"])),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = [Kind::Note, Kind::Room, Kind::Room, Kind::Line, Kind::Line, Kind::Line, Kind::Update, Kind::Delete];
    let kind = proptest::sample::select(kinds.to_vec());
    let to = proptest::option::of(0..PEOPLE);
    (kind, 0..PEOPLE, to, 0..40_usize, any::<bool>(), 10..15_u32, 0..4_usize, proptest::option::of(tag())).prop_map(
        |(kind, by, to, on, published, second, size, tag)| Step { kind, by, to, on, published, second, size, tag },
    )
}

fn query() -> impl Strategy<Value = Query> {
    let caller = prop_oneof![
        4 => (0..PEOPLE).prop_map(Caller::Person),
        1 => Just(Caller::WithRole),
        1 => Just(Caller::Nobody),
    ];
    let terms = proptest::collection::vec((0..TERMS, 0..40_usize), 0..4);
    let sort = proptest::option::of(proptest::sample::select(SORTS.to_vec()));
    let after = proptest::option::of((0..40_usize, any::<bool>()));
    (caller, terms, sort, proptest::option::of(1..6_usize), after)
        .prop_map(|(caller, terms, sort, limit, after)| Query { caller, terms, sort, limit, after })
}

/// One tenant, twice: as a list and in a store.
struct World {
    people: Vec<Signer>,
    list: testing::Past,
    store: Store,
    /// Every RecordsWrite that was taken, newest of each record last.
    written: Vec<Value>,
    clock: u32,
}

impl World {
    fn new(dir: &Path) -> Self {
        let people: Vec<Signer> = (1..=PEOPLE as u8).map(testing::person).collect();
        let list = testing::Past::of(&people[0]);
        let mut world = Self { people, list, store: open(dir), written: Vec::new(), clock: 100 };
        let configure = create::protocols_configure(definition(), &testing::at(1), &world.people[0]);
        assert_eq!(world.send(configure.expect("was made"), None), 202);
        let friend = world.people[FRIEND].did().to_owned();
        let role = create::Write {
            protocol: Some((PROTOCOL, "friend")),
            recipient: Some(&friend),
            data_format: "text/plain",
            ..create::Write::default()
        };
        let data = b"friend";
        let role = create::records_write(
            &role,
            (&testing::data_cid(data), data.len() as u64),
            &testing::at(2),
            &world.people[0],
        );
        assert_eq!(world.send(role.expect("was made"), Some(data)), 202);
        world
    }

    fn did(&self, person: usize) -> &str {
        self.people[person % PEOPLE].did()
    }

    /// Sends a write to both; they must say the same.
    #[track_caller]
    fn send(&mut self, json: Value, data: Option<&[u8]>) -> u64 {
        let code = self.list.code(Ok(json.clone()), data);
        let tenant = self.did(0).to_owned();
        let staged = data.map(inline);
        let given = match &staged {
            Some(data) => Given::Staged { cid: data.root, size: data.size, inline: data.inline.clone() },
            None => Given::None,
        };
        let stored = match Message::parse(&tenant, json.clone()) {
            Err(refusal) => u64::from(refusal.code),
            Ok(message) => {
                let decide = move |view: &dyn View| dwn::decide(&message, &given, view, "");
                match runtime().block_on(self.store.commit(&tenant, staged, decide)) {
                    Ok(change) => u64::from(change.status),
                    Err(Stop::Refusal(refusal)) => u64::from(refusal.code),
                    Err(Stop::Fault(fault)) => panic!("{fault:#}"),
                }
            }
        };
        assert_eq!(stored, code, "{json}");
        if code == 202 && json["recordId"].is_string() {
            self.written.push(json);
        }
        code
    }

    fn take(&mut self, step: &Step) {
        self.clock += 1;
        let data = vec![b'.'; step.size];
        let (cid, size) = (testing::data_cid(&data), data.len() as u64);
        let to = step.to.map(|to| self.did(to).to_owned());
        let tags = step.tag.clone().map(|tag| [("t".to_owned(), tag)].into_iter().collect());
        let write = create::Write {
            recipient: to.as_deref(),
            data_format: ["text/plain", "image/png"][step.size % 2],
            schema: Some(["http://example.com/s", "http://example.com/t"][step.on % 2]),
            published: step.published,
            tags,
            ..create::Write::default()
        };
        let at = testing::at(step.second);
        let (by, owner) = (&self.people[step.by], &self.people[0]);
        let made = match step.kind {
            Kind::Note => create::records_write(&write, (&cid, size), &at, owner),
            Kind::Room => {
                let room = create::Write { protocol: Some((PROTOCOL, "room")), ..write };
                create::records_write(&room, (&cid, size), &at, by)
            }
            Kind::Line => {
                let Some(room) = self.some(step.on, |it| it["descriptor"]["protocolPath"] == "room") else { return };
                let context = room["contextId"].as_str().map(str::to_owned);
                let line = create::Write {
                    protocol: Some((PROTOCOL, "room/line")),
                    parent_context: context.as_deref(),
                    ..write
                };
                create::records_write(&line, (&cid, size), &at, by)
            }
            Kind::Update => {
                let Some(write) = self.some(step.on, |_| true) else { return };
                let dates = step.published.then(|| at.clone());
                let published = step.published.then_some(true);
                let changes = json!({
                    "published": published, "datePublished": dates, "dataCid": cid.to_string(), "dataSize": size,
                    "tags": step.tag.as_ref().map(|tag| json!({"t": tag})),
                });
                create::records_update(write, &changes, &testing::at(self.clock), self.author(write))
            }
            Kind::Delete => {
                let Some(write) = self.some(step.on, |_| true) else { return };
                let id = write["recordId"].as_str().expect("a recordId");
                let delete = create::records_delete(id, step.published, &testing::at(self.clock), owner);
                self.send(delete.expect("was made"), None);
                return;
            }
        };
        // `data` may be empty here, as in-process; only a wire cannot say so.
        self.send(made.expect("was made"), Some(&data));
    }

    fn some(&self, n: usize, fits: impl Fn(&Value) -> bool) -> Option<&Value> {
        let found: Vec<&Value> = self.written.iter().filter(|it| fits(it)).collect();
        found.get(n % found.len().max(1)).copied()
    }

    fn author(&self, write: &Value) -> &Signer {
        let message = Message::parse(self.did(0), write.clone()).expect("was taken before");
        let author = message.author().expect("is signed").to_owned();
        self.people.iter().find(|person| person.did() == author).expect("one of the people")
    }

    /// The query as its caller sends it, from the place `after`.
    fn message(&self, query: &Query, caller: Caller, after: Option<Value>, limit: Option<usize>) -> Value {
        let mut filter: serde_json::Map<String, Value> =
            query.terms.iter().map(|(kind, pick)| self.term(*kind, *pick)).collect();
        if query.sort.is_some_and(|sort| sort.starts_with("published"))
            && filter.get("published") == Some(&json!(false))
        {
            filter.remove("published");
        }
        if caller == Caller::WithRole {
            filter.insert("protocol".into(), PROTOCOL.into());
            filter.entry("protocolPath").or_insert_with(|| "room".into());
        }
        if filter.is_empty() {
            filter.insert("dateCreated".into(), json!({"from": testing::at(0)}));
        }
        let mut more = json!({});
        if let Some(sort) = query.sort {
            more["dateSort"] = sort.into();
        }
        if let Some(limit) = limit {
            more["pagination"]["limit"] = limit.into();
        }
        if let Some(after) = after {
            more["pagination"]["cursor"] = after;
        }
        let now = testing::at(3000);
        let signer = match caller {
            Caller::Person(person) => Some(&self.people[person]),
            Caller::WithRole => Some(&self.people[FRIEND]),
            Caller::Nobody => None,
        };
        let role = (caller == Caller::WithRole).then_some("friend");
        testing::records_query_as(filter, more, &now, signer, role)
    }

    fn term(&self, kind: usize, pick: usize) -> (String, Value) {
        let record =
            self.some(pick, |_| true).cloned().unwrap_or_else(|| json!({"recordId": "none", "contextId": "none"}));
        let of = |name: &str| record["descriptor"].get(name).cloned().unwrap_or_else(|| "none".into());
        let day = |n: usize| testing::at(9 + (n % 8) as u32);
        let span = || match pick % 3 {
            0 => json!({"from": day(pick)}),
            1 => json!({"to": day(pick)}),
            _ => json!({"from": day(pick), "to": day(pick + 3)}),
        };
        let dids =
            || if pick.is_multiple_of(3) { json!([self.did(pick), self.did(pick + 1)]) } else { json!(self.did(pick)) };
        let (name, value) = match kind {
            0 => ("protocol", if pick.is_multiple_of(5) { json!("http://example.com/other") } else { json!(PROTOCOL) }),
            1 => ("protocolPath", json!(["room", "room/line", "friend"][pick % 3])),
            2 => {
                let context = record["contextId"].as_str().unwrap_or("none");
                ("contextId", json!(context.get(..[1, 59, 60, 119][pick % 4]).unwrap_or(context)))
            }
            3 => ("parentId", of("parentId")),
            4 => ("recipient", dids()),
            5 => ("author", dids()),
            6 => ("schema", json!(["http://example.com/s", "http://example.com/t"][pick % 2])),
            7 => ("dataFormat", json!(["text/plain", "image/png"][pick % 2])),
            8 => ("dataSize", [json!({"gte": 1, "lt": 3}), json!({"gt": 1}), json!({"lte": 2})][pick % 3].clone()),
            9 => ("dateCreated", span()),
            10 => ("dateUpdated", span()),
            11 => ("datePublished", span()),
            12 => ("published", json!(pick.is_multiple_of(2))),
            13 => ("recordId", record["recordId"].clone()),
            14 => ("dataCid", of("dataCid")),
            _ => ("tags", json!({"t": self.tag_term(pick)})),
        };
        (name.to_owned(), value)
    }

    fn tag_term(&self, pick: usize) -> Value {
        let values = [json!("x"), json!("xy"), json!("x\u{10000}"), json!(""), json!(1.5), json!(0), json!(true)];
        let one = |texts: &[&str]| texts[pick / 4 % texts.len()].to_owned();
        match pick % 4 {
            0 => json!({"startsWith": one(&["x", "", "xy", "x\u{FFFF}"])}),
            1 => json!({"gte": pick / 4, "lt": pick / 2}),
            2 => json!({"gt": "x", "lte": one(&["x\u{FFFF}", "xy", "y"])}),
            _ => values[pick / 4 % values.len()].clone(),
        }
    }

    /// One page from both, which must be the same.
    #[track_caller]
    fn page(&self, message: Value) -> (u16, Vec<Value>, Option<Value>) {
        let answers = [&self.list as &dyn View, &*self.store.view(self.did(0))].map(|view| {
            let message = Message::parse(self.did(0), message.clone());
            let answered = message.map_err(Stop::from).and_then(|message| {
                let mut reply = dwn::answer(&message, view, "")?;
                // In pieces of a few entries, as clients take them.
                let mut most = 0;
                while reply.rest.is_some() {
                    most += 500;
                    reply.write(most, view)?;
                }
                Ok(reply)
            });
            match answered {
                Ok(reply) => (reply.code, serde_json::from_str::<Value>(&reply.text()).expect("JSON")),
                Err(Stop::Refusal(refusal)) => (refusal.code, refusal.detail.into()),
                Err(Stop::Fault(fault)) => panic!("{fault:#}"),
            }
        });
        let [(code, slow), (_, fast)] = answers;
        if let Some((fast, slow)) = first_difference(&fast, &slow) {
            panic!("{}\nthe store says {fast}\nthe list says  {slow}", message["descriptor"]);
        }
        let entries = slow.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        (code, entries, slow.get("cursor").cloned())
    }

    /// All pages of a query: what the tenant would find, less what this caller may not see.
    #[track_caller]
    fn ask(&self, query: &Query) {
        let first = query.after.map(|(pick, real)| self.place(pick, real, query.sort));
        let (mut after, mut found) = (first.clone(), Vec::new());
        let code = loop {
            let (code, entries, cursor) = self.page(self.message(query, query.caller, after, query.limit));
            found.extend(entries);
            match cursor {
                Some(cursor) => after = Some(cursor),
                None => break code,
            }
        };
        if code == 200 && query.caller != Caller::WithRole {
            let (_, all, _) = self.page(self.message(query, Caller::Person(0), first, None));
            let seen: Vec<Value> = all.into_iter().filter(|entry| self.sees(query.caller, entry)).collect();
            let ids = |entries: &[Value]| entries.iter().map(|it| it["recordId"].clone()).collect::<Vec<_>>();
            assert_eq!(ids(&found), ids(&seen), "{query:?}");
        }
    }

    fn sees(&self, caller: Caller, entry: &Value) -> bool {
        let published = entry["descriptor"]["published"] == true;
        let Caller::Person(person) = caller else { return published };
        let mut write = entry.clone();
        for name in ["encodedData", "initialWrite"] {
            write.as_object_mut().expect("an object").remove(name);
        }
        let did = self.did(person);
        person == 0 || published || entry["descriptor"]["recipient"] == did || self.author(&write).did() == did
    }

    /// A cursor at a record, or at none.
    fn place(&self, pick: usize, real: bool, sort: Option<&str>) -> Value {
        let by = if sort.is_some_and(|sort| sort.starts_with("published")) { "datePublished" } else { "dateCreated" };
        match self.some(pick, |it| it["descriptor"][by].is_string()).filter(|_| real) {
            Some(write) => {
                let (cid, _) = cid::of_json(write).expect("encodes");
                json!({"messageCid": cid.to_string(), "value": write["descriptor"][by]})
            }
            None => {
                json!({"messageCid": "bafyreie2wmgkuqe6avd5lbloemcnd3hsvqvxdj4rp3gkvx3snx75e7gqbu", "value": testing::at(9 + (pick % 8) as u32)})
            }
        }
    }
}

/// What the random cases below prove holds for every plan only if they come upon every plan.
#[test]
fn random_callers_come_upon_every_plan() {
    let (mut runner, mut seen) = (TestRunner::deterministic(), BTreeSet::new());
    for _ in 0..4 {
        let dir = tempfile::tempdir().expect("a directory");
        let mut world = World::new(dir.path());
        let steps = proptest::collection::vec(step(), 20..40).new_tree(&mut runner).expect("steps").current();
        steps.iter().for_each(|step| world.take(step));
        for _ in 0..100 {
            let query = query().new_tree(&mut runner).expect("a query").current();
            let message = Message::parse(world.did(0), world.message(&query, query.caller, None, query.limit));
            let Ok(select) = message.and_then(|message| dwn::selection(&message)) else { continue };
            let it = world.store.explain(world.did(0), &select).expect("explains");
            seen.extend(it.filters.iter().map(|filtered| filtered.plan.clone()));
            seen.extend(it.filters.iter().filter_map(|it| it.switched).map(|_| "switched".to_owned()));
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["gather and sort", "in order", "nothing", "switched", "zig-zag"]);
}

/// The first lines in which two answers differ; whole answers are long.
fn first_difference(a: &Value, b: &Value) -> Option<(String, String)> {
    let [a, b] = [a, b].map(|json| format!("{json:#}"));
    let pair = a.lines().chain([""]).zip(b.lines().chain([""])).find(|(a, b)| a != b)?;
    Some((pair.0.trim().to_owned(), pair.1.trim().to_owned()))
}

/// Kinds of conditions that [`World::term`] knows.
const TERMS: usize = 16;

fn worlds() -> u32 {
    if std::env::var_os("TOFT_LONG").is_some() { 1000 } else { 4 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: worlds(), ..ProptestConfig::default() })]

    #[test]
    fn everybody_is_answered_as_by_a_list(
        steps in proptest::collection::vec(step(), 1..30),
        queries in proptest::collection::vec(query(), QUERIES),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut world = World::new(dir.path());
        for step in &steps {
            world.take(step);
        }
        for query in &queries {
            world.ask(query);
        }
    }
}
