//! A home comes back whole from its backup: by the node's own fingerprint and by one that is taken here, from all that
//! can be read. `TOFT_LONG=1` does it with a home of 1 GiB and prints seconds:
//! `TOFT_LONG=1 cargo test --release --test it restore:: -- --nocapture`

use crate::support::{
    sdk::{Sdk, code},
    toft::{Home, random_file},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use toft::{
    blocks::{self, Blocks, Right},
    store::{self, Moment, Store},
};

/// How much to put into the home.
struct Amount {
    files: usize,
    file_bytes: usize,
    records: usize,
}

const SHORT: Amount = Amount { files: 3, file_bytes: 3 << 20, records: 40 };
/// 15 × 64 MiB in files, and 70 MB in small records.
const LONG: Amount = Amount { files: 15, file_bytes: 64 << 20, records: 2_000 };

#[test]
fn a_home_comes_back_the_same() {
    let long = std::env::var_os("TOFT_LONG").is_some();
    let Amount { files, file_bytes, records } = if long { LONG } else { SHORT };
    let node = Home::new().set("dwn.tenants", "open").up();
    let dir = tempfile::tempdir().expect("a temp dir");
    for n in 0..files {
        let (file, _) = random_file(dir.path(), "file", file_bytes + n);
        node.json(&["add", file.to_str().expect("UTF-8")]);
    }
    let mut sdk = Sdk::start();
    let bob = sdk.persona("bob", "ed25519");
    let at = |fields: serde_json::Value| {
        let mut all = json!({"url": node.url(), "as": "bob", "tenant": bob});
        all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        all
    };
    for n in 0..records {
        // In the log's frames, in packs and in files of their own.
        let size = [20_000, 40_000, 70_000, 10][n % 4];
        let record = sdk.call("write", at(json!({"size": size, "published": n % 3 == 0})));
        assert_eq!(code(&record), 202, "{record}");
        let id = record["recordId"].clone();
        match n % 10 {
            3 => assert_eq!(code(&sdk.call("update", at(json!({"recordId": id, "size": 30_000})))), 202),
            7 => assert_eq!(code(&sdk.call("delete", at(json!({"recordId": id})))), 202),
            _ => {}
        }
    }

    let backup = dir.path().join("backup");
    let backup = backup.to_str().expect("UTF-8");
    let mut times = vec![];
    let mut timed = |what: &str, f: &mut dyn FnMut() -> serde_json::Value| {
        let begun = Instant::now();
        let answer = f();
        times.push(format!("{what} {:.1} s", begun.elapsed().as_secs_f64()));
        answer
    };
    let taken = timed("backup create", &mut || node.json(&["backup", "create", backup]));
    let again = timed("once more", &mut || node.json(&["backup", "create", backup]));
    assert!(again["new_bytes"].as_u64() < Some(10 << 20), "{again}");
    let verified = timed("verify", &mut || node.json(&["backup", "verify", backup]));
    assert_eq!((&verified["snapshots"], &verified["did"]), (&json!(2), &json!(node.did())));
    let drilled = timed("drill", &mut || node.json(&["backup", "drill", backup]));
    assert_eq!((&drilled["compared"], &drilled["scrubbed"]["damaged"]), (&json!(true), &json!(0)), "{drilled}");
    // One that stops in order signs the head of its audit log, and would have a record more.
    let home = node.kill();
    let other = Home::new();
    let restored = timed("restore", &mut || other.json(&["backup", "restore", backup]));
    let before = contents(&home.path());
    let mut after = None;
    timed("its first open, which builds the index, and reading everything", &mut || {
        after = Some(contents(&other.path()));
        json!(null)
    });
    let after = after.expect("was opened");
    assert_eq!(before.0.fingerprint, after.0.fingerprint);
    assert_eq!(before.1, after.1);
    assert_eq!(
        (drilled["fingerprint"].as_str(), before.0.stats.messages > 40),
        (Some(before.0.fingerprint.as_str()), true)
    );
    if long {
        let gib = taken["bytes"].as_u64().unwrap_or_default() as f64 / f64::from(1 << 30);
        let stats = before.0.stats;
        println!(
            "{gib:.2} GiB in {} files, {} messages, {} blocks: {}",
            restored["files"],
            stats.messages,
            stats.blocks,
            times.join(", ")
        );
        println!("fingerprint {}, digest of all that is read {}", before.0.fingerprint, before.1);
    }
}

/// What lies below a directory.
fn below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return vec![] };
    let paths = entries.map(|entry| entry.expect("lists").path());
    paths
        .flat_map(|path| if path.is_dir() { [vec![path.clone()], below(&path)].concat() } else { vec![path] })
        .collect()
}

#[test]
fn a_backup_is_private_whatever_the_umask_and_who_is_interrupted_leaves_nothing() {
    let home = Home::new();
    let dir = tempfile::tempdir().expect("a temp dir");
    let node = home.up();
    for n in 0..24 {
        let (file, _) = random_file(dir.path(), "file", (4 << 20) + n);
        node.json(&["add", file.to_str().expect("UTF-8")]);
    }
    let home = node.stop();
    let backup = dir.path().join("backup");
    let target = backup.to_str().expect("UTF-8");
    let under = |umask: &str, args: &[&str]| {
        let toft = env!("CARGO_BIN_EXE_toft");
        let mut command = Command::new("sh");
        let script = format!("umask {umask}; exec {toft} \"$@\"");
        command.args(["-c", &script, "sh"]).args(args).env("TOFT_HOME", home.path());
        command
    };
    assert!(under("000", &["backup", "create", target]).output().expect("runs").status.success());
    for path in below(&backup).into_iter().chain([backup.clone()]) {
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    let whole = below(&backup).len();
    let into = dir.path().join("into/home");
    let (restore, drill, verify) =
        (["backup", "restore", target], ["backup", "drill", target], ["backup", "verify", target]);
    for (signal, args, begun) in [
        ("-INT", &restore, into.join(".restoring")),
        ("-TERM", &restore, into.join(".restoring/blocks")),
        ("-INT", &drill, backup.join("toft-drill")),
        ("-TERM", &drill, backup.join("toft-drill")),
        ("-INT", &verify, backup.join("toft-drill")),
    ] {
        // Now and then one comes to its end before the signal does.
        let interrupted = (0..10).any(|_| {
            let mut child = under("022", args).env("TOFT_HOME", &into).stdout(Stdio::null()).spawn().expect("runs");
            let name = begun.to_str().expect("UTF-8");
            let has_begun =
                || below(&backup).iter().chain(&below(&into)).any(|path| path.to_string_lossy().starts_with(name));
            while !has_begun() && child.try_wait().expect("asks").is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().is_ok());
            let ended = child.wait().expect("ends");
            assert_eq!(below(&backup).len(), whole, "{args:?} left something in the backup");
            if ended.success() {
                let _ = std::fs::remove_dir_all(dir.path().join("into"));
                return false;
            }
            assert_eq!(ended.code(), Some(1), "{args:?}");
            assert!(!dir.path().join("into").exists(), "{args:?} left {:?}", below(&dir.path().join("into")));
            true
        });
        assert!(interrupted, "{args:?} could not be interrupted in ten attempts");
    }
}

#[test]
fn a_damaged_backup_gives_back_the_rest_and_another_one_what_is_missing() {
    let node = Home::new().up();
    let dir = tempfile::tempdir().expect("a temp dir");
    let (file, bytes) = random_file(dir.path(), "file", 3 << 20);
    let added = node.json(&["add", file.to_str().expect("UTF-8")]);
    let (cid, record) = (added["cid"].as_str().expect("a CID"), added["record"].as_str().expect("an id"));
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    for target in [&one, &two] {
        node.json(&["backup", "create", &text(target)]);
    }
    drop(node.stop());
    let objects: Vec<_> = below(&one.join("objects")).into_iter().filter(|path| path.is_file()).collect();
    let chunks = objects.iter().filter(|path| std::fs::metadata(path).expect("is there").len() == 256 << 10);
    for (n, path) in chunks.take(2).enumerate() {
        if n == 0 {
            std::fs::remove_file(path).expect("removes")
        } else {
            std::fs::write(path, "damage").expect("writes")
        }
    }
    let home = Home::new();
    let restored = home.run(&["backup", "restore", &text(&one), "--json"]);
    assert_eq!(restored.status.code(), Some(1), "{}", String::from_utf8_lossy(&restored.stderr));
    let restored: serde_json::Value = serde_json::from_slice(&restored.stdout).expect("JSON");
    assert_eq!(restored["missing"].as_array().map(Vec::len), Some(2), "{restored}");
    let node = home.up();
    let degraded = node.json(&["status"])["degraded"].clone();
    assert!(degraded[0].as_str().is_some_and(|line| line.starts_with("2 objects are damaged")), "{degraded}");
    let scrubbed = node.home().run(&["storage", "scrub", "--json"]);
    let scrubbed: serde_json::Value = serde_json::from_slice(&scrubbed.stdout).expect("JSON");
    assert_eq!((&scrubbed["damaged"], &scrubbed["records"][0]["record"]), (&json!(2), &json!(record)), "{scrubbed}");
    let home = node.home();
    let said = home.run(&["backup", "restore", &text(&two), "--only-missing"]);
    assert!(!said.status.success(), "not while the node runs");
    let home = node.stop();
    let mended = home.json(&["backup", "restore", &text(&two), "--only-missing"]);
    assert_eq!((&mended["healed"], &mended["missing"]), (&json!(2), &json!([])), "{mended}");
    let node = home.up();
    assert_eq!(node.json(&["status"])["degraded"], json!([]));
    let out = dir.path().join("out");
    node.json(&["get", cid, "-o", &text(&out)]);
    assert!(std::fs::read(out).expect("was written") == bytes);
}

/// What a home holds: by the store's fingerprint, and as a digest of every message and every piece of data that can be
/// read, in order.
fn contents(home: &Path) -> (Moment, String) {
    let store = Store::open(&home.join("store"), &store::Config::default()).expect("opens");
    let blocks = Blocks::open(&home.join("blocks"), &blocks::Config::default(), store.clone()).expect("opens");
    let mut sum = Sha256::new();
    let mut tenants = store.tenants().expect("lists");
    tenants.sort();
    for (tenant, _) in tenants {
        sum.update(&tenant);
        let view = store.view(&tenant);
        for event in view.events(&[], None, None).expect("events") {
            let stored = view.message(&event.cid).expect("looks").expect("an event has its message");
            sum.update(toft::cid::encode(&stored.message).expect("encodes"));
            if !view.has_data(&stored).expect("looks") {
                continue;
            }
            match view.inline_data(&stored).expect("reads") {
                Some(inline) => sum.update(inline),
                None => {
                    let root = stored.message["descriptor"]["dataCid"].as_str().expect("a CID");
                    let data = blocks.read(Right::OWNER, &root.try_into().expect("a CID")).expect("is here");
                    data.for_each(|piece| sum.update(piece.expect("reads")));
                }
            }
        }
    }
    (store.moment().expect("a moment"), hex::encode(sum.finalize()))
}
