//! Homes that an earlier toft has left: identity, settings, records, data, pins and peers, as they were written, under
//! `tests/vectors/homes`. [`homes_of_today`] writes the next ones.

use crate::support::{
    eventually,
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const FACTS: &str = "facts.json";

/// Data that depends on `seed` alone, so that what is fetched can be compared.
fn pattern(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Seeds and sizes of the files that both homes hold: one lies in the log, one in a pack or a file of its own, one in several blocks.
const FILES: [(u64, usize); 3] = [(1, 900), (2, 40_000), (3, 300_000)];

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("is ours");
    for entry in fs::read_dir(from).expect("lists") {
        let path = entry.expect("lists").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            // What is under version control has no modes of its own.
            fs::copy(&path, &to).expect("copies");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("is ours");
        }
    }
}

fn add(node: &Toft, dir: &Path, (seed, size): (u64, usize)) -> Value {
    let file = dir.join(format!("file-{seed}"));
    fs::write(&file, pattern(seed, size)).expect("writes");
    node.json(&["add", file.to_str().expect("UTF-8")])["cid"].clone()
}

fn in_step(a: &Toft, b: &Toft) -> bool {
    let told = |node: &Toft, other: &Toft| {
        let peers = node.json(&["peer", "ls"]);
        peers.as_array().is_some_and(|peers| peers.iter().any(|p| p["did"] == other.did() && p["in_sync"] == true))
    };
    told(a, b) && told(b, a)
}

fn pair(a: &Toft, b: &Toft) {
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
}

/// Holds of `node` what [`FACTS`] says of it.
#[track_caller]
fn holds(node: &Toft, facts: &Value, own: &str, other: &str, scratch: &Path) {
    assert_eq!(node.did(), facts[own]["did"].as_str().expect("a DID"));
    for (cid, (seed, size)) in facts["cids"].as_array().expect("CIDs").iter().zip(FILES) {
        let to = scratch.join(format!("{own}-{seed}"));
        node.json(&["get", cid.as_str().expect("a CID"), "-o", to.to_str().expect("UTF-8")]);
        assert!(fs::read(&to).expect("is there") == pattern(seed, size), "{cid} is not what it was");
    }
    let peers = node.json(&["peer", "ls"]);
    let dids: Vec<_> = peers.as_array().expect("a list").iter().map(|peer| &peer["did"]).collect();
    assert_eq!(dids, [&facts[other]["did"]]);
    assert_eq!(node.json(&["pin", "ls"]), facts[own]["pins"]);
    assert_eq!(node.json(&["status"])["store"]["records"], facts[own]["records"]);
    assert_eq!(node.json(&["storage", "scrub"])["damaged"], 0);
}

/// `TOFT_YESTERDAY` names a binary of an earlier toft, with which one of the two homes is run then.
#[test]
fn yesterdays_homes_open_and_their_peers_meet_again() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/homes");
    let mut names: Vec<_> = fs::read_dir(&vectors).expect("lists").map(|entry| entry.expect("lists").path()).collect();
    names.sort();
    assert!(!names.is_empty(), "there are homes to open");
    for from in names {
        let facts: Value = serde_json::from_slice(&fs::read(from.join(FACTS)).expect("reads")).expect("JSON");
        let (a, b) = (Home::new(), Home::new());
        copy(&from.join("a"), &a.path());
        copy(&from.join("b"), &b.path());
        let checked = a.run(&["config", "check"]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let b = match std::env::var_os("TOFT_YESTERDAY") {
            Some(binary) => b.binary(Path::new(&binary)),
            None => b,
        };
        let (a, b) = (a.up(), b.up());
        let scratch = tempfile::tempdir().expect("a temp dir");
        holds(&a, &facts, "a", "b", scratch.path());
        holds(&b, &facts, "b", "a", scratch.path());
        // The ports are others than they were.
        pair(&a, &b);
        let cid = add(&a, scratch.path(), (4, 70_000));
        eventually("both to be in step again", || in_step(&a, &b).then_some(()));
        let to = scratch.path().join("new");
        b.json(&["get", cid.as_str().expect("a CID"), "-o", to.to_str().expect("UTF-8")]);
        assert!(fs::read(to).expect("is there") == pattern(4, 70_000));
    }
}

/// Writes the fixture of today's homes to the folder `TOFT_FIXTURE_HOMES`, with the binary `TOFT_YESTERDAY` if that is set; else it
/// looks only whether homes that it writes open again.
#[test]
fn homes_of_today() {
    let scratch = tempfile::tempdir().expect("a temp dir");
    let dir: PathBuf = std::env::var_os("TOFT_FIXTURE_HOMES").map_or_else(|| scratch.path().join("homes"), Into::into);
    let home = || match std::env::var_os("TOFT_YESTERDAY") {
        Some(binary) => Home::new().binary(Path::new(&binary)),
        None => Home::new(),
    };
    let (a, b) = (home().up(), home().up());
    pair(&a, &b);
    let cids: Vec<_> = FILES.map(|file| add(&a, scratch.path(), file)).into();
    eventually("both to be in step", || in_step(&a, &b).then_some(()));
    b.json(&["pin", "add", cids[2].as_str().expect("a CID")]);
    // As it stops, each signs the head of its audit log, which tells of the pairing: a record more, which counts.
    let (a, b) = (a.stop().up(), b.stop().up());
    let facts = |node: &Toft| json!({"did": node.did(), "pins": node.json(&["pin", "ls"]), "records": node.json(&["status"])["store"]["records"]});
    let facts = json!({"a": facts(&a), "b": facts(&b), "cids": cids});
    let (a, b) = (a.stop(), b.stop());
    copy(&a.path(), &dir.join("a"));
    copy(&b.path(), &dir.join("b"));
    fs::write(dir.join(FACTS), serde_json::to_string_pretty(&facts).expect("JSON") + "\n").expect("writes");
    let (a, b) = (a.up(), b.up());
    holds(&a, &facts, "a", "b", scratch.path());
    holds(&b, &facts, "b", "a", scratch.path());
}
