//! Sums of what is kept: always those of the messages, whatever came before and in whatever order.

use super::*;
use crate::{
    crypto::Signer,
    dwn::{
        self, Given, Message,
        create::{Invoked, Write, invoking, protocols_configure, records_delete, records_update, records_write},
        testing::{NOW, at, data_cid, person},
    },
    sums::{Item, Prefix, Sum},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The items of each scope, found by going through all messages.
type Kept = BTreeMap<Option<String>, Vec<Item>>;

/// What a tenant keeps, told by the messages themselves.
fn kept(store: &Store, tenant: &str) -> Kept {
    let view = store.view(tenant);
    let mut found = Kept::new();
    for event in view.events(&[], None, None).expect("reads") {
        let stored = view.message(&event.cid).expect("reads").expect("an event has its message");
        let record = stored.record_id.as_deref().and_then(|id| view.record(id).expect("reads"));
        let scope = dwn::scope(&stored.message, record.as_ref().map(|record| &**record.initial.message));
        let digest = cid::sha256_of(&event.cid).expect("a message's CID");
        let item = Item { digest, has_data: view.has_data(&stored).expect("reads") };
        found.entry(scope.map(str::to_owned)).or_default().push(item);
    }
    found.values_mut().for_each(|items| items.sort());
    found
}

/// Asserts that every sum a tenant's sets give is that of `kept`.
fn agree(store: &Store, tenant: &str, kept: &Kept) {
    let sets = store.sets(tenant).expect("answers");
    let mut scopes = sets.scopes().expect("answers");
    scopes.sort_by(|(a, _), (b, _)| a.cmp(b));
    let all: Vec<_> = kept.iter().map(|(scope, items)| (scope.clone(), items.iter().collect::<Sum>())).collect();
    assert_eq!(scopes, all);
    for (scope, items) in kept {
        let scope = scope.as_deref();
        let mut open = vec![Prefix::ALL];
        while let Some(of) = open.pop() {
            let within: Vec<Item> = items.iter().copied().filter(|item| of.has(&item.digest)).collect();
            assert_eq!(sets.sum(scope, of).expect("answers"), within.iter().collect(), "{of:?}");
            let listed = sets.items(scope, of).expect("answers");
            assert_eq!(listed.iter().map(|(item, _)| *item).collect::<Vec<_>>(), within, "{of:?}");
            for (item, at) in listed.iter().filter(|_| of == Prefix::ALL) {
                let entries = store.entries(*at, 1).expect("reads");
                let [Entry::Message { cid, .. }] = &entries[..] else { panic!("{entries:?}") };
                assert_eq!(cid::sha256_of(cid), Some(item.digest));
            }
            // Below the buckets, and down one way to the end.
            if of.bits() > 18 && of.bits() < Prefix::BITS_MAX {
                open.extend(items.first().and_then(|item| of.part(&item.digest)));
                continue;
            }
            if of.bits() == Prefix::BITS_MAX {
                assert!(sets.children(scope, of).is_err());
                continue;
            }
            let parts = sets.children(scope, of).expect("answers");
            let expected =
                of.parts().map(|part| (part, within.iter().filter(|item| part.has(&item.digest)).collect::<Sum>()));
            assert_eq!(parts, expected.filter(|(_, sum)| !sum.is_empty()).collect::<Vec<_>>(), "{of:?}");
            open.extend(parts.into_iter().map(|(part, _)| part));
        }
    }
}

/// Asserts that all sums of a tenant are those of his messages.
pub(super) fn hold(store: &Store, tenant: &str) {
    agree(store, tenant, &kept(store, tenant));
}

/// All that the index has of sums, but for the numbers of tenants and scopes.
pub(super) fn told(store: &Store) -> Vec<String> {
    let mut found = Vec::new();
    for tenant in [ALICE, BOB] {
        let sets = store.sets(tenant).expect("answers");
        for (scope, sum) in sets.scopes().expect("answers") {
            let parts = sets.children(scope.as_deref(), Prefix::ALL).expect("answers");
            found.push(format!("{tenant} {scope:?} {sum:?} {parts:?}"));
        }
    }
    found.sort();
    found
}

/// Rows of sums in the index, of whatever tenant.
fn rows(store: &Store) -> usize {
    let all = [[0x07], [0x55]].map(|space| store.0.index.scan(&space, &[space[0] + 1], false).count());
    all.into_iter().sum()
}

#[test]
fn a_message_counts_where_it_belongs_and_with_its_data() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        assert_eq!(store.sets(ALICE).expect("answers").scopes().expect("answers"), vec![]);
        write(&store, "r1", 1, json!({}), Some(b"1")).await.expect("written");
        write(&store, "r2", 2, json!({"protocol": null}), None).await.expect("written");
        hold(&store, ALICE);
        let kept = kept(&store, ALICE);
        assert_eq!(
            kept.iter().map(|(scope, items)| (scope.as_deref(), items[0].has_data)).collect::<Vec<_>>(),
            [(None, false), (Some("http://chat"), true)]
        );
        // An update takes the data from the initial write, which stays.
        write(&store, "r1", 3, json!({}), Some(b"3")).await.expect("written");
        hold(&store, ALICE);
        let delete = json!({"descriptor": {"interface": "Records", "method": "Delete", "recordId": "r1",
            "messageTimestamp": time(4)}});
        let delete = Change { initial: false, ..change(ALICE, "r1", delete) };
        let decide = move |view: &dyn View| decide_write(view, delete.clone(), "r1");
        store.commit(ALICE, None, decide).await.expect("deleted");
        hold(&store, ALICE);
        let sets = store.sets(ALICE).expect("answers");
        assert_eq!(sets.sum(Some("http://chat"), Prefix::ALL).expect("answers").count(), 2, "the tombstone is one");
        assert_eq!(sets.sum(Some("http://other"), Prefix::ALL).expect("answers"), Sum::default());
        assert!(store.sets(BOB).expect("answers").items(None, Prefix::ALL).expect("answers").is_empty());
        while store.wipe_some(ALICE).await.expect("wipes") > 0 {}
        assert_eq!((rows(&store), store.stats().messages), (0, 0), "nothing is left of a scope that is empty");
        assert!(sets.sum(None, Prefix::ALL).expect("answers").count() == 1, "a view stays what it was");
    });
}

const NOTES: &str = "http://notes.example/p";

/// Something that was said, with its data.
type Said = (Value, Option<Vec<u8>>);

#[derive(Debug, Clone)]
enum Act {
    Configure,
    Topic,
    Note(usize),
    Flat,
    /// A record's initial write, without its data.
    Bare(usize),
    Update(usize),
    Delete(usize, bool),
    Grant,
    Granted(usize),
    Revoke(usize),
}

fn said() -> impl Strategy<Value = Act> {
    let n = any::<usize>();
    prop_oneof![
        1 => Just(Act::Configure),
        3 => Just(Act::Topic),
        3 => n.prop_map(Act::Note),
        1 => Just(Act::Flat),
        1 => n.prop_map(Act::Bare),
        3 => n.prop_map(Act::Update),
        3 => (n, any::<bool>()).prop_map(|(of, prune)| Act::Delete(of, prune)),
        1 => Just(Act::Grant),
        2 => n.prop_map(Act::Granted),
        1 => n.prop_map(Act::Revoke),
    ]
}

/// What a person and a friend say, in the order in which they say it.
fn history(acts: &[Act], (alice, bob): (&Signer, &Signer)) -> Vec<Said> {
    let configure = |n: u32| {
        let definition = json!({
            "protocol": NOTES, "published": n.is_multiple_of(2), "types": {"topic": {}, "note": {}},
            "structure": {"topic": {"note": {"note": {}}}},
        });
        (protocols_configure(definition, &at(n), alice).expect("made"), None)
    };
    let mut all: Vec<Said> = vec![configure(0)];
    let (mut records, mut grants): (Vec<Said>, Vec<Value>) = (Vec::new(), Vec::new());
    for (n, act) in acts.iter().enumerate() {
        let (n, data) = (n as u32 + 1, format!("data {n}").into_bytes());
        let text = |write: Write<'_>, signer: &Signer| {
            let write = Write { data_format: "text/plain", ..write };
            records_write(&write, (&data_cid(&data), data.len() as u64), &at(n), signer).expect("made")
        };
        let permission = |path: &str, parent: Option<&str>, data: &Value| {
            let (data, tags) = (data.to_string().into_bytes(), json!({"protocol": NOTES}));
            let write = Write {
                protocol: Some((dwn::PERMISSIONS, path)),
                parent_context: parent,
                recipient: parent.is_none().then(|| bob.did()),
                data_format: "application/json",
                tags: tags.as_object().cloned(),
                ..Write::default()
            };
            let made = records_write(&write, (&data_cid(&data), data.len() as u64), &at(n), alice).expect("made");
            (made, Some(data))
        };
        let topic = || Write { protocol: Some((NOTES, "topic")), ..Write::default() };
        let of = |n: &usize| records.get(n.checked_rem(records.len()).unwrap_or_default()).cloned();
        let grant = |n: &usize| grants.get(n.checked_rem(grants.len()).unwrap_or_default()).cloned();
        let new = match act {
            Act::Configure => Some(configure(n)),
            Act::Topic => Some((text(topic(), alice), Some(data.clone()))),
            Act::Flat => Some((text(Write::default(), alice), Some(data.clone()))),
            Act::Note(parent) => of(parent).and_then(|(parent, _)| {
                let path = parent["descriptor"]["protocolPath"].as_str().filter(|path| path.split('/').count() < 3)?;
                let path = format!("{path}/note");
                let note = Write {
                    protocol: Some((NOTES, &path)),
                    parent_context: parent["contextId"].as_str(),
                    ..Write::default()
                };
                Some((text(note, alice), Some(data.clone())))
            }),
            Act::Bare(record) => of(record).map(|(record, _)| (record, None)),
            Act::Update(record) => of(record).map(|(record, _)| {
                let changes = json!({"dataCid": data_cid(&data).to_string(), "dataSize": data.len()});
                (records_update(&record, &changes, &at(n), alice).expect("made"), Some(data.clone()))
            }),
            Act::Delete(record, prune) => of(record).map(|(record, _)| {
                let id = record["recordId"].as_str().expect("an id");
                (records_delete(id, *prune, &at(n), alice).expect("made"), None)
            }),
            Act::Grant => {
                let scope = json!({"interface": "Records", "method": "Write", "protocol": NOTES});
                Some(permission("grant", None, &json!({"dateExpires": at(3000), "scope": scope})))
            }
            Act::Granted(by) => grant(by).map(|grant| {
                let invoked = Invoked { grant: grant["recordId"].as_str(), ..Invoked::default() };
                (invoking(text(topic(), bob), invoked, bob).expect("made"), Some(data.clone()))
            }),
            Act::Revoke(which) => {
                grant(which).map(|grant| permission("grant/revocation", grant["contextId"].as_str(), &json!({})))
            }
        };
        let Some(new) = new else { continue };
        match act {
            Act::Topic | Act::Note(_) | Act::Flat | Act::Granted(_) => records.push(new.clone()),
            Act::Grant => grants.push(new.0.clone()),
            _ => {}
        }
        all.push(new);
    }
    all
}

/// Tells a store something as another device of the tenant does; did it take it?
fn tell(store: &Store, tenant: &str, (json, data): &Said) -> bool {
    let message = Message::parse(tenant, json.clone()).expect("well formed").replayed();
    let staged = data.as_deref().map(inline);
    let given = staged.as_ref().map_or(Given::None, |data| Given::Staged {
        cid: data.root,
        size: data.size,
        inline: data.inline.clone(),
    });
    let decide = move |view: &dyn View| dwn::decide(&message, &given, view, NOW);
    match runtime().block_on(store.commit(tenant, staged, decide)) {
        Ok(_) => true,
        Err(Stop::Refusal(_)) => false,
        Err(Stop::Fault(fault)) => panic!("{fault:#}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("TOFT_LONG").is_some() { 300 } else { 24 }))]

    /// Two devices hear the same in different orders, each until it takes no more of it.
    #[test]
    fn who_keeps_the_same_has_the_same_sums(acts in prop::collection::vec(said(), 1..24), seed: u64) {
        let (alice, bob) = (person(1), person(2));
        let all = history(&acts, (&alice, &bob));
        let mut devices = Vec::new();
        for device in 0..2_u64 {
            let dir = tempfile::tempdir().expect("a directory");
            let mut store = open(dir.path());
            let mut order: Vec<_> = all.iter().enumerate().collect();
            order.sort_by_key(|(n, _)| cid::digest(&[seed * device, *n as u64].map(u64::to_be_bytes).concat()));
            let mut left: Vec<_> = order.into_iter().map(|(_, said)| said).collect();
            loop {
                let before = left.len();
                left.retain(|said| !tell(&store, alice.did(), said));
                hold(&store, alice.did());
                if left.len() == before {
                    break;
                }
            }
            if device == 1 {
                // On the other the index is built anew.
                drop(store);
                forget_index(dir.path()).expect("deletes");
                store = open(dir.path());
                hold(&store, alice.did());
            }
            devices.push((kept(&store, alice.did()), store, dir));
        }
        let [(one, here, _), (two, there, _)] = &devices[..] else { panic!("two devices") };
        let scopes = |store: &Store| {
            let mut scopes = store.sets(alice.did()).expect("answers").scopes().expect("answers");
            scopes.sort_by(|(a, _), (b, _)| a.cmp(b));
            scopes
        };
        prop_assert_eq!(one == two, scopes(here) == scopes(there));
    }
}

/// The log of a store, byte for byte, with the frame of one message spoiled, and no index.
fn spoil(dir: &Path, cid: &Cid) {
    let store = open(dir);
    let view = store.view(ALICE);
    let record = view.record("r1").expect("reads").expect("is there");
    assert_eq!(record.initial.cid, *cid);
    drop((view, record, store));
    let needle = cid::sha256_of(cid).expect("a message's CID");
    for segment in fs::read_dir(dir.join("log")).expect("lists") {
        let path = segment.expect("lists").path();
        let mut bytes = fs::read(&path).expect("reads");
        if let Some(at) = bytes.windows(32).position(|window| window == needle) {
            bytes[at] ^= 1;
            fs::write(&path, bytes).expect("writes");
            break;
        }
    }
    forget_index(dir).expect("deletes");
}

#[test]
fn a_delete_joins_its_protocol_when_its_initial_write_comes_back() {
    let (dir, whole) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let initial = change(ALICE, "r1", message("r1", 1, &json!({})));
    let delete = json!({"descriptor": {"interface": "Records", "method": "Delete", "recordId": "r1",
        "messageTimestamp": time(2)}});
    let delete = Change { initial: false, ..change(ALICE, "r1", delete) };
    let take = |store: &Store, change: &Change| {
        let change = change.clone();
        let decide = move |view: &dyn View| decide_write(view, change.clone(), "r1");
        runtime().block_on(store.commit(ALICE, None, decide)).expect("taken");
    };
    for dir in [dir.path(), whole.path()] {
        let store = open(dir);
        take(&store, &initial);
        take(&store, &delete);
    }
    spoil(dir.path(), &initial.cid);
    let (store, whole) = (open(dir.path()), open(whole.path()));
    let scopes = |store: &Store| store.sets(ALICE).expect("answers").scopes().expect("answers");
    let counts = |store: &Store| scopes(store).into_iter().map(|(scope, sum)| (scope, sum.count())).collect::<Vec<_>>();
    assert_eq!(counts(&store), [(None, 1)], "what it deleted is not known");
    take(&store, &initial);
    assert_eq!(counts(&store), [(Some("http://chat".into()), 2)]);
    assert_eq!(scopes(&store), scopes(&whole));
    hold(&store, ALICE);
    drop(store);
    forget_index(dir.path()).expect("deletes");
    assert_eq!(scopes(&open(dir.path())), scopes(&whole));
}
