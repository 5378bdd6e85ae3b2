//! Which edits of this device a message of another one takes away unseen.

use super::*;
use crate::cid::{self, Cid, Digest};

fn cid_of_message(message: &Value) -> Cid {
    cid_of(message).expect("has a CID").parse().expect("is a CID")
}

fn knowing(messages: &[&Value]) -> Knew {
    let digests: Vec<Digest> =
        messages.iter().map(|message| cid::sha256_of(&cid_of_message(message)).expect("SHA-256")).collect();
    Knew::of(&digests)
}

/// The states that would go, by their CIDs, if another device brought this now.
fn lost(past: &Past, tenant: &Signer, message: &Value, data: Option<&[u8]>, knew: &Knew) -> Vec<Cid> {
    let message = Message::parse(tenant.did(), message.clone()).expect("parses").replayed();
    let staged = |data: &[u8]| Given::Staged { cid: data_cid(data), size: data.len() as u64, inline: None };
    let change = decide(&message, &data.map_or(Given::None, staged), past, NOW).expect("is taken");
    unseen(&change, knew, past).expect("is said").into_iter().map(|lost| lost.state.cid).collect()
}

fn edit(before: &Value, data: &[u8], second: u32, by: &Signer) -> Value {
    let changes = json!({"dataCid": data_cid(data).to_string(), "dataSize": data.len()});
    records_update(before, &changes, &at(second), by).expect("made")
}

#[test]
fn an_edit_that_the_other_writer_did_not_know_is_lost() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice).expect("made");
    past.send(Ok(first.clone()), Some(b"one"));
    let (mine, theirs) = (edit(&first, b"mine", 2, &alice), edit(&first, b"theirs", 3, &alice));
    // The first state is known to all who write about the record.
    assert_eq!(lost(&past, &alice, &theirs, Some(b"theirs"), &Knew::default()), []);
    past.send(Ok(mine.clone()), Some(b"mine"));
    assert_eq!(lost(&past, &alice, &theirs, Some(b"theirs"), &Knew::default()), [cid_of_message(&mine)]);
    assert_eq!(lost(&past, &alice, &theirs, Some(b"theirs"), &knowing(&[&first])), [cid_of_message(&mine)]);
    assert_eq!(lost(&past, &alice, &theirs, Some(b"theirs"), &knowing(&[&first, &mine])), []);
    // Who says the same takes nothing away, whenever it was said.
    let same = edit(&first, b"mine", 4, &alice);
    assert_eq!(lost(&past, &alice, &same, Some(b"mine"), &Knew::default()), []);
    // The data is the same, and something else is not.
    let tagged = records_update(&mine, &json!({"tags": {"a": "b"}}), &at(4), &alice).expect("made");
    assert_eq!(lost(&past, &alice, &tagged, Some(b"mine"), &Knew::default()), [cid_of_message(&mine)]);
}

#[test]
fn a_delete_takes_an_unseen_edit_away_and_a_tombstone_loses_nothing() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice).expect("made");
    let mine = edit(&first, b"mine", 2, &alice);
    past.send(Ok(first.clone()), Some(b"one"));
    past.send(Ok(mine.clone()), Some(b"mine"));
    let id = first["recordId"].as_str().expect("a recordId");
    let delete = records_delete(id, false, &at(3), &alice).expect("made");
    assert_eq!(lost(&past, &alice, &delete, None, &Knew::default()), [cid_of_message(&mine)]);
    assert_eq!(lost(&past, &alice, &delete, None, &knowing(&[&mine])), []);
    past.send(Ok(delete), None);
    let prune = records_delete(id, true, &at(4), &alice).expect("made");
    assert_eq!(lost(&past, &alice, &prune, None, &Knew::default()), []);
}

#[test]
fn what_came_from_another_device_is_kept_where_it_was_written() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let first = write(&note(), b"one", 1, &alice).expect("made");
    past.send(Ok(first.clone()), Some(b"one"));
    past.replay(edit(&first, b"carol's", 2, &alice), Some(b"carol's"));
    let bobs = edit(&first, b"bob's", 3, &alice);
    assert_eq!(lost(&past, &alice, &bobs, Some(b"bob's"), &Knew::default()), []);
}

#[test]
fn a_prune_takes_unseen_records_away_that_stand_below() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let definition = json!({"protocol": "http://thread.example", "published": false,
        "types": {"post": {}, "reply": {}}, "structure": {"post": {"reply": {}}}});
    let installed = past.send(protocols_configure(definition, &at(1), &alice), None);
    assert_eq!(installed["status"]["code"], 202, "{installed}");
    let of = |path: &'static str, parent: Option<&str>, data: &[u8], second: u32| {
        let new = Write {
            protocol: Some(("http://thread.example", path)),
            parent_context: parent.map(|p| p.to_owned().leak() as &str),
            ..note()
        };
        write(&new, data, second, &alice).expect("made")
    };
    let post = of("post", None, b"post", 2);
    past.send(Ok(post.clone()), Some(b"post"));
    let context = post["contextId"].as_str();
    let (seen, unseen) = (of("post/reply", context, b"seen", 3), of("post/reply", context, b"unseen", 4));
    past.send(Ok(seen.clone()), Some(b"seen"));
    past.send(Ok(unseen.clone()), Some(b"unseen"));
    let prune = records_delete(post["recordId"].as_str().expect("an id"), true, &at(5), &alice).expect("made");
    assert_eq!(lost(&past, &alice, &prune, None, &knowing(&[&seen])), [cid_of_message(&unseen)]);
    assert_eq!(lost(&past, &alice, &prune, None, &knowing(&[&seen, &unseen])), []);
}
