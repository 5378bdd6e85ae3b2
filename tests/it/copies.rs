//! A home that was copied and runs twice at the same time: a peer notices and names it, serves the older one, and the younger one
//! stops by itself. A node that starts anew, or sleeps, is none.

use crate::{
    homes::copy,
    support::{
        eventually,
        toft::{Home, Toft},
    },
    sync::{add, in_step, peer, records},
};
use serde_json::{Value, json};

fn pair(a: &Toft, b: &Toft) {
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
    in_step(a, b);
}

/// The copies that a node names of a DID, once it names some.
#[track_caller]
fn names(node: &Toft, other: &Toft, did: &str) -> Value {
    eventually("the copies to be named", || {
        let copies = peer(node, other)["copies"].clone();
        let copies = copies.as_array()?.iter().find(|copies| copies["did"] == did)?;
        Some(copies.clone())
    })
}

fn text(node: &Toft, args: &[&str]) -> String {
    String::from_utf8(node.home().run(args).stdout).expect("text")
}

#[test]
fn of_two_live_copies_the_younger_one_stops_until_the_older_one_is_gone() {
    let (original, other, third) = (Home::new().up(), Home::new().up(), Home::new().up());
    pair(&original, &other);
    pair(&original, &third);
    add(&original, "before");
    in_step(&original, &other);
    in_step(&original, &third);
    let home = original.stop();
    let copied = Home::new();
    copy(&home.path(), &copied.path());
    let original = home.up();
    in_step(&original, &other);
    in_step(&original, &third);
    let copied = copied.up();
    assert_eq!(copied.did(), original.did());

    // The peer names both; the younger one has stopped, for everybody; the older one knows.
    let problem = eventually("the younger one to stop", || {
        let stops = |other| {
            peer(&copied, other)["problem"]
                .as_str()
                .filter(|why| why.contains("the younger of two copies"))
                .map(str::to_owned)
        };
        stops(&other).and(stops(&third))
    });
    assert!(problem.contains("toft sync resume") && problem.contains("toft join"), "{problem}");
    let named = [&other, &third].into_iter().find_map(|by| {
        let says = problem.contains(by.did());
        says.then(|| (by, names(by, &original, original.did())))
    });
    let (by, named) = named.expect("one of the two has said so");
    let since = |copies: &Value, of: &str| copies[of].as_str().expect("a time").to_owned();
    // (Told in seconds: both may have begun in one.)
    assert!(since(&named, "older_since") <= since(&named, "younger_since"), "{named}");
    for node in [&original, &copied] {
        let told = names(node, by, original.did());
        assert_eq!(since(&told, "older_since"), since(&named, "older_since"), "{told}");
    }
    let sentence = format!("two copies of {} are running: one has shared since ", original.did());
    for node in [by, &original, &copied] {
        for args in [&["peer", "ls"][..], &["sync", "status"], &["status"]] {
            let said = text(node, args);
            assert!(said.contains(&sentence), "{args:?}: {said}");
        }
    }
    assert!(named["did"] == by.json(&["sync", "status"])[0]["copies"][0]["did"], "{named}");

    // The older one and its peers go on.
    let before = records(&copied);
    add(&copied, "on the younger one");
    add(&original, "meanwhile");
    add(&other, "meanwhile there");
    for peer in [&other, &third] {
        in_step(&original, peer);
    }
    let shared = records(&original);
    eventually("both on the other", || (records(&other) == shared).then_some(()));
    let on_third = records(&third);
    assert_eq!(records(&copied), before + 1, "nothing has come to the younger one");
    // Asked for too early, it stops again.
    assert_eq!(copied.json(&["sync", "resume"]), json!({"paused": false}));
    eventually("the younger one to stop again", || {
        let why = peer(&copied, by)["problem"].clone();
        why.as_str().filter(|why| why.contains("the younger of two copies")).map(drop)
    });
    in_step(&original, by);

    // Then the older one is stopped.
    drop(original.stop());
    eventually("its session to end", || (peer(by, &copied)["connected"] == false).then_some(()));
    copied.json(&["sync", "resume"]);
    for peer in [&other, &third] {
        in_step(&copied, peer);
    }
    // The third one shares nothing of the other's.
    let is_all = || records(&copied) > shared && records(&other) == records(&copied) && records(&third) > on_third;
    eventually("all to be everywhere", || is_all().then_some(()));
    assert_eq!((&peer(&copied, by)["copies"], &peer(by, &copied)["copies"]), (&json!([]), &json!([])));
}

#[test]
fn a_node_that_starts_anew_many_times_is_no_copy() {
    let (mut node, other) = (Home::new().up(), Home::new().up());
    pair(&node, &other);
    for start in 0..10 {
        // Without a word, or in order.
        let home = if start % 2 == 0 { node.kill() } else { node.stop() };
        node = home.up();
        add(&node, "news");
        let all = records(&node);
        eventually("the news there", || (records(&other) == all).then_some(()));
        in_step(&node, &other);
        assert_eq!((&peer(&node, &other)["copies"], &peer(&other, &node)["copies"]), (&json!([]), &json!([])));
    }
    let logs = other.log() + &node.log();
    assert!(!logs.contains("two copies"), "{logs}");
}
