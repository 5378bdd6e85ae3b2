//! Friends: another person's node gets what its owner may read, and learns nothing of the rest.

use crate::{
    support::{
        control::Control,
        eventually,
        toft::{Home, Toft},
    },
    sync::in_step,
    sync_attacks::Liar,
};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;
use toft::{
    crypto,
    sync::spoken::{Bytes32, Carried, Frame, Offer, Reader, Writer},
};
use tokio::io::split;

const NOTES: &str = "http://notes.example/p";
const DIARY: &str = "http://diary.example/p";

fn install(node: &Toft, dir: &TempDir, definition: &Value) {
    let file = dir.path().join("definition.json");
    fs::write(&file, definition.to_string()).expect("writes");
    node.json(&["protocol", "install", file.to_str().expect("UTF-8")]);
}

fn plain(protocol: &str, kind: &str) -> Value {
    json!({"protocol": protocol, "published": false, "types": {kind: {}}, "structure": {kind: {}}})
}

fn notes() -> Value {
    json!({
        "protocol": NOTES, "published": false, "types": {"note": {}, "comment": {}, "secret": {}},
        "structure": {
            "note": {"comment": {"$actions": [{"who": "anyone", "can": ["create", "update", "read", "delete"]}]}},
            "secret": {},
        },
    })
}

/// A new record of the node's own; its recordId.
fn write(node: &Toft, protocol: Option<(&str, &str)>, text: &str) -> String {
    let mut params = json!({"dataFormat": "text/plain", "data": crypto::encode(text.as_bytes())});
    if let Some((protocol, path)) = protocol {
        params["protocol"] = protocol.into();
        params["protocolPath"] = path.into();
    }
    let written = Control::of(node.home()).call("records.write", params);
    written["recordId"].as_str().expect("an id").to_owned()
}

/// What the node's owner reads of a record in somebody's tenant; nothing if they do not.
fn read(node: &Toft, tenant: &str, record: &str) -> Option<String> {
    let params = json!({"tenant": tenant, "recordId": record});
    let read = Control::of(node.home()).ask("records.read", params).ok()?;
    let data = crypto::decode(read["data"].as_str()?)?;
    Some(String::from_utf8(data).expect("text"))
}

fn befriend(a: &Toft, b: &Toft, grants: &[&str]) {
    let grants: Vec<_> = grants.iter().flat_map(|grant| ["--grant", grant]).collect();
    let address = b.address("/tcp/");
    a.json(&[&["friend", "add", b.did(), "--at", &address], &grants[..]].concat());
    b.json(&["friend", "add", a.did(), "--at", &a.address("/tcp/")]);
}

/// Where in a folder one of these stands.
fn found(dir: &Path, words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(self::found(&path, words));
        } else if let Ok(bytes) = fs::read(&path) {
            let has = |word: &&String| bytes.windows(word.len()).any(|part| part == word.as_bytes());
            found.extend(words.iter().filter(has).map(|word| format!("{word} in {}", path.display())));
        }
    }
    found
}

#[test]
fn a_friend_gets_what_they_may_read_while_they_may() {
    let (a, b) = (Home::new().up(), Home::new().up());
    let dir = tempfile::tempdir().expect("a temp dir");
    for definition in [notes(), plain(DIARY, "day")] {
        install(&a, &dir, &definition);
    }
    let shared = write(&a, Some((NOTES, "note")), "shared with bob");
    let large = write(&a, Some((NOTES, "note")), &"large ".repeat(60_000));
    let secrets = ["a secret note", "a day in the diary", "of no protocol"];
    let hidden = [
        write(&a, Some((NOTES, "secret")), secrets[0]),
        write(&a, Some((DIARY, "day")), secrets[1]),
        write(&a, None, secrets[2]),
    ];
    befriend(&a, &b, &[&format!("{NOTES}#note")]);
    eventually("the notes on B", || (read(&b, a.did(), &shared)? == "shared with bob").then_some(()));
    eventually("the large one too", || (read(&b, a.did(), &large)?.len() == 360_000).then_some(()));
    in_step(&a, &b);
    // Live: what is new, what is changed, what is deleted.
    let later = write(&a, Some((NOTES, "note")), "later");
    let diary = write(&a, Some((DIARY, "day")), "the next day");
    eventually("the later one", || read(&b, a.did(), &later));
    let changed = json!({"recordId": later, "data": crypto::encode(b"changed")});
    Control::of(a.home()).call("records.write", changed);
    eventually("the change", || (read(&b, a.did(), &later)? == "changed").then_some(()));
    Control::of(a.home()).call("records.delete", json!({"recordId": large}));
    eventually("the deletion", || read(&b, a.did(), &large).is_none().then_some(()));
    in_step(&a, &b);
    // What the friend writes under the rules comes back, and what the rules do not allow does not.
    let comment = json!({"tenant": a.did(), "protocol": NOTES, "protocolPath": "note/comment", "parentContextId": shared,
        "dataFormat": "text/plain", "data": crypto::encode(b"well said")});
    let comment = Control::of(b.home()).call("records.write", comment)["recordId"].as_str().expect("an id").to_owned();
    eventually("the comment on A", || (read(&a, a.did(), &comment)? == "well said").then_some(()));
    in_step(&a, &b);

    // Nothing of the rest is in B's home, not even that it exists.
    let mut words: Vec<_> = secrets.iter().map(|&word| word.to_owned()).collect();
    words.extend(hidden.iter().cloned());
    words.extend([DIARY.to_owned(), "the next day".into(), diary]);
    let home = b.home().path().to_owned();
    assert_eq!(found(&home, &words), Vec::<String>::new());
    assert!(!found(&home, &["shared with bob".to_owned()]).is_empty(), "the search finds what is there");
    // Nor does B's node serve the copy to anybody else, or take anything into it.
    let stranger = asked_by_a_stranger(&b, a.did(), &shared);
    assert!(stranger.contains("is not an active tenant"), "{stranger}");

    // A revocation stops the next message; what is there stays.
    let listed = a.json(&["friend", "ls"]);
    assert_eq!(listed[0]["grants"].as_array().map(Vec::len), Some(3), "{listed}");
    for grant in listed[0]["grants"].as_array().expect("a list") {
        a.json(&["grant", "revoke", grant["grantId"].as_str().expect("an id")]);
    }
    let after = write(&a, Some((NOTES, "note")), "after the revocation");
    in_step(&a, &b);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(found(&home, &[after, "after the revocation".into()]), Vec::<String>::new());
    in_step(&a, &b);
    // It holds after a restart.
    let b = b.stop().up();
    in_step(&a, &b);
    let removed = a.json(&["friend", "rm", b.did()]);
    assert_eq!(removed["revoked"], json!([]), "{removed}");
    assert_eq!(a.json(&["friend", "ls"]), json!([]));
}

/// What a stranger hears who asks a node for a record.
fn asked_by_a_stranger(node: &Toft, tenant: &str, record: &str) -> String {
    let params = json!({"jsonrpc": "2.0", "id": "1", "method": "dwn.processMessage", "params": {"target": tenant, "message": {
        "descriptor": {"interface": "Records", "method": "Read", "messageTimestamp": "2026-11-30T00:00:00.000000Z",
            "filter": {"recordId": record}}}}});
    let reply = ureq::post(node.url()).header("dwn-request", params.to_string()).send_empty();
    let reply = reply.expect("a reply");
    let header = reply.headers().get("dwn-response").map(|text| text.to_str().expect("text").to_owned());
    header.unwrap_or_else(|| reply.into_body().read_to_string().expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_friends_node_is_offered_sync_and_nothing_that_is_for_devices() {
    let a = Home::new().set("net.relay_server", "true").up();
    let (friend, device) = (Liar::new(78).await, Liar::new(79).await);
    a.json(&["friend", "add", friend.did(), "--at", &friend.address()]);
    device.is_added_by(&a);
    let offer = Offer::Friend { gives: vec![friend.did().to_owned()], takes: vec![a.did().to_owned()] };
    let _session = friend.open_with(&a, offer).await;
    let names = ["/toft/sync/4.0.0", "/libp2p/circuit/relay/0.2.0/hop", "/libp2p/autonat/2/dial-request"];
    for (liar, offered) in [(&friend, [true, false, false]), (&device, [true; 3])] {
        let protocols = liar.offered_by(&a).await;
        assert_eq!(names.map(|name| protocols.iter().any(|one| one == name)), offered, "{protocols:?}");
    }
}

/// All that a friend's node is sent, in the clear, whatever it asks for.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_friend_is_sent_tells_of_the_rest() {
    let a = Home::new().up();
    let dir = tempfile::tempdir().expect("a temp dir");
    for definition in [notes(), plain(DIARY, "day")] {
        install(&a, &dir, &definition);
    }
    let secret = write(&a, Some((DIARY, "day")), "a day in the diary");
    write(&a, Some((NOTES, "note")), "shared");
    let spy = Liar::new(77).await;
    let grant = ["friend", "add", spy.did(), "--at", &spy.address(), "--grant", NOTES];
    a.json(&grant);
    let offer = Offer::Friend { gives: vec![spy.did().to_owned()], takes: vec![a.did().to_owned()] };
    let (hears, says) = split(spy.open_with(&a, offer).await);
    let (mut says, mut hears) = (Writer::new(says), Reader::new(hears));
    let mut tenants = [spy.did(), a.did()];
    tenants.sort_unstable();
    let place = tenants.iter().position(|did| *did == a.did()).expect("it is one") as u16;
    let hidden = Control::of(a.home()).call("records.history", json!({"recordId": secret}));
    let cid = hidden["versions"][0]["messageCid"].as_str().expect("a CID").to_owned();
    let digest = toft::cid::sha256_of(&cid.parse().expect("a CID")).expect("a digest");
    // It asks for what it was not told of: by scope, by digest, for the message and for its data. And for what is nowhere.
    let nowhere = [7; 32];
    for frame in [
        Frame::Name(place, Some(DIARY.into())),
        Frame::Name(place, Some("http://nowhere.example/p".into())),
        Frame::State { scopes: vec![], last: true, ask: true },
        Frame::Again(0, vec![Bytes32(digest)]),
        Frame::Again(1, vec![Bytes32(nowhere)]),
        Frame::DataWanted(0, Bytes32(digest), 0),
        Frame::DataWanted(1, Bytes32(nowhere), 0),
    ] {
        says.write(&frame, false).await.expect("is heard");
    }
    let mut frames = Vec::new();
    loop {
        let frame =
            tokio::time::timeout(Duration::from_secs(30), hears.read()).await.expect("a beat").expect("a frame").frame;
        if let Frame::Message(_, message, carried) = &frame {
            says.write(&Frame::Took(1, (message.len() + carried.size()) as u64), false).await.expect("is heard");
        }
        let is_beat = matches!(frame, Frame::Beat { .. });
        frames.push(frame);
        if is_beat {
            break;
        }
    }
    // All is quiet, and something happens that is none of the friend's: not even that is told.
    write(&a, Some((DIARY, "day")), "the next day");
    let more = tokio::time::timeout(Duration::from_secs(5), hears.read()).await;
    assert!(more.is_err(), "{more:?}");
    // Of what is hidden it hears what it hears of what is nowhere.
    let about = |of: &[u8; 32]| -> Vec<String> {
        let is_about = |frame: &&Frame| match frame {
            Frame::Gone(_, about) | Frame::Data(about, _, _) => about.0 == *of,
            _ => false,
        };
        frames.iter().filter(is_about).map(std::mem::discriminant).map(|kind| format!("{kind:?}")).collect()
    };
    assert_eq!(about(&digest), about(&nowhere));
    // It named the protocol itself, and hears it again.
    let told = |frame: &&Frame| !matches!(frame, Frame::Name(_, Some(uri)) if uri == DIARY);
    let bytes: Vec<u8> = frames.iter().filter(told).flat_map(text_of).collect();
    for word in [DIARY, "a day in the diary", "the next day", &secret, &cid] {
        assert!(!bytes.windows(word.len()).any(|part| part == word.as_bytes()), "{word} was told: {frames:?}");
    }
    assert!(bytes.windows(6).any(|part| part == b"shared"), "the search finds what is there: {frames:?}");
}

/// All bytes of a frame.
fn text_of(frame: &Frame) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(frame).expect("is JSON");
    match frame {
        Frame::Message(_, message, Carried::With(data)) => bytes.extend([message.as_slice(), data].concat()),
        Frame::Message(_, message, _) => bytes.extend(message),
        Frame::Data(_, _, piece) => bytes.extend(piece),
        _ => {}
    }
    bytes
}

#[test]
fn what_is_local_only_stays_on_its_device() {
    let a = Home::new().set("sync.local_only", &format!("[\"{DIARY}\"]")).up();
    let b = Home::new().up();
    let dir = tempfile::tempdir().expect("a temp dir");
    for definition in [notes(), plain(DIARY, "day")] {
        install(&a, &dir, &definition);
    }
    let day = write(&a, Some((DIARY, "day")), "a day in the diary");
    let grant = ["grant", "create", b.did(), "--for", "Records.Read", "--protocol", DIARY, "--expires", "30d"];
    a.json(&grant);
    write(&a, Some((NOTES, "note")), "for all devices");
    for (here, there) in [(&a, &b), (&b, &a)] {
        here.json(&["peer", "add", there.did(), &there.address("/tcp/"), "--tenant", a.did()]);
    }
    let has = |node: &Toft, text: &str| !found(&node.home().path(), &[text.to_owned()]).is_empty();
    eventually("the note on B", || has(&b, "for all devices").then_some(()));
    in_step(&a, &b);
    let diary = [DIARY.to_owned(), day, "a day in the diary".into()];
    assert_eq!(found(&b.home().path(), &diary), Vec::<String>::new());
    // Nor does the other device's diary come here, and both know that they have the rest.
    let definition = plain(DIARY, "day");
    let c = Home::new().up();
    install(&c, &dir, &definition);
    let there = write(&c, Some((DIARY, "day")), "another diary");
    c.json(&["grant", "create", b.did(), "--for", "Records.Read", "--protocol", DIARY, "--expires", "30d"]);
    write(&c, None, "of no protocol");
    for (here, there) in [(&a, &c), (&c, &a)] {
        here.json(&["peer", "add", there.did(), &there.address("/tcp/"), "--tenant", c.did()]);
    }
    eventually("C's record on A", || has(&a, "of no protocol").then_some(()));
    in_step(&a, &c);
    assert_eq!(found(&a.home().path(), &[there, "another diary".into()]), Vec::<String>::new());
}
