//! Sums of what is kept: always those of the messages, whatever came before and in whatever order.

use super::*;
use crate::{
    dwn,
    sums::{Item, Prefix, Sum},
};
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
