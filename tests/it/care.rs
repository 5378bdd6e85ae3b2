//! What an operator does and sees when something is wrong: scrub, numbers, a node whose index is gone.

use crate::support::{
    eventually,
    toft::{Home, Toft, random_file},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};
use toft::{
    blocks::{self, Blocks},
    cid,
    crypto::Signer,
    dwn::create,
    identity,
    metrics::Metrics,
    node::{self, Node, one_chunk},
    resolve::{self, Resolver},
    store::{self, Store},
    vault::Vault,
};

/// A number as `/metrics` has it.
fn number(node: &Toft, name: &str) -> f64 {
    let text = ureq::get(format!("{}/metrics", node.url())).call().expect("answers").body_mut().read_to_string();
    let text = text.expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("lists").map(|entry| entry.expect("lists").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// `GET /health`.
fn health(node: &Toft) -> Value {
    ureq::get(format!("{}/health", node.url())).call().expect("answers").body_mut().read_json().expect("JSON")
}

/// What a command printed that has found something wrong.
fn failed(home: &Home, args: &[&str]) -> Value {
    let output = home.run(&[args, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "toft {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn damage_is_told_until_it_is_healed_also_after_a_restart() {
    let node = Home::new().up();
    let dir = tempfile::tempdir().expect("a temp dir");
    let (file, _) = random_file(dir.path(), "file", 300_000);
    let added = node.json(&["add", file.to_str().expect("UTF-8"), "--publish"]);
    let (cid, record) = (added["cid"].as_str().expect("a CID"), added["record"].as_str().expect("an id"));
    let block = files(&node.home().path().join("blocks/sha256")).pop().expect("a block");
    let whole = fs::read(&block).expect("reads");
    let name = cid::of(cid::RAW, &whole);
    fs::write(&block, [&whole[..2000], b"damage"].concat()).expect("writes");

    // Who reads finds it first, and the node says so from then on.
    let out = dir.path().join("out");
    assert!(!node.home().run(&["get", cid, "-o", out.to_str().expect("UTF-8")]).status.success());
    let told = |node: &Toft| {
        let degraded = node.json(&["status"])["degraded"].clone();
        let lines = degraded.as_array().expect("a list").clone();
        assert!(matches!(&lines[..], [one] if one.as_str().is_some_and(|s| s.contains(record))), "{degraded}");
        assert_eq!((&health(node)["degraded"], &health(node)["damaged"]), (&json!(true), &json!(1)));
        assert!(!health(node).to_string().contains("did:"));
        let text = node.home().run(&["status"]).stdout;
        let text = String::from_utf8(text).expect("text");
        assert_eq!(
            text.lines().filter(|line| line.contains("1 object is damaged, of 1 record(s)")).count(),
            1,
            "{text}"
        );
        assert_eq!(number(node, "toft_store_damaged"), 1.0);
        let named = format!("toft_damaged_object{{object=\"block {name}\",record=\"{record}\"}}");
        assert_eq!(number(node, &named), 1.0);
    };
    told(&node);
    let found = failed(node.home(), &["storage", "scrub"]);
    assert_eq!(
        (&found["damaged"], &found["healed"], &found["records"][0]["record"]),
        (&json!(1), &json!(0), &json!(record))
    );
    assert!(node.log().contains(&format!("of record {record}")), "{}", node.log());

    let home = node.stop();
    // Whether or not the node runs.
    assert_eq!(failed(&home, &["storage", "scrub"])["damaged"], 1);
    let node = home.up();
    told(&node);
    fs::write(&block, &whole).expect("writes");
    assert_eq!(node.json(&["storage", "scrub"])["damaged"], 0);
    let node = node.stop().up();
    assert_eq!((node.json(&["status"])["degraded"].clone(), health(&node)["damaged"].clone()), (json!([]), json!(0)));
    assert!(
        !node.home().path().join("store/damaged").exists()
            || fs::read(node.home().path().join("store/damaged")).expect("reads").is_empty()
    );
    node.json(&["get", cid, "-o", out.to_str().expect("UTF-8")]);
}

/// By itself: the owner did nothing but to leave the node running.
#[test]
fn everything_is_checked_every_so_often_and_damage_is_told() {
    let node = Home::new().set("blocks.scrub_every", "1s").up();
    let dir = tempfile::tempdir().expect("a temp dir");
    let (file, _) = random_file(dir.path(), "file", 3 << 20);
    node.json(&["add", file.to_str().expect("UTF-8")]);
    eventually("a check", || (number(&node, "toft_blocks_scrubs_completed_total") >= 1.0).then_some(()));
    assert_eq!(health(&node)["degraded"], false);
    for path in files(&node.home().path().join("blocks/sha256")) {
        let mut bytes = fs::read(&path).expect("reads");
        bytes[2000] ^= 1;
        fs::write(path, bytes).expect("writes");
    }
    eventually("the damage to be told", || (health(&node)["degraded"] == true).then_some(()));
}

#[test]
fn a_scrub_names_what_is_damaged_and_a_device_brings_back_what_is_published() {
    let (a, b) = (Home::new().up(), Home::new().up());
    let dir = tempfile::tempdir().expect("a temp dir");
    let (public, bytes) = random_file(dir.path(), "public", 3 << 20);
    let (private, _) = random_file(dir.path(), "private", 70_000);
    let root =
        a.json(&["add", public.to_str().expect("UTF-8"), "--publish"])["cid"].as_str().expect("a CID").to_owned();
    let secret = a.json(&["add", private.to_str().expect("UTF-8")]);
    for (here, there) in [(&a, &b), (&b, &a)] {
        here.json(&["peer", "add", there.did(), &there.address("/tcp/")]);
    }
    let blocks = b.home().path().join("blocks/sha256");
    eventually("the files on the other device", || (blocks.is_dir() && files(&blocks).len() == 13).then_some(()));
    eventually("both records there", || (b.json(&["status"])["store"]["records"] == 2).then_some(()));
    assert_eq!(b.json(&["storage", "scrub"])["damaged"], 0);
    assert_eq!(number(&b, "toft_blocks_scrubs_completed_total"), 1.0);

    for path in files(&blocks) {
        let mut bytes = fs::read(&path).expect("reads");
        bytes[2000] ^= 1;
        fs::write(path, bytes).expect("writes");
    }
    let found = failed(b.home(), &["storage", "scrub"]);
    // Twelve pieces of the public file; nobody but this node gives out the private one.
    assert_eq!(
        (&found["damaged"], &found["healed"], &found["complete"]),
        (&json!(13), &json!(12), &json!(true)),
        "{found}"
    );
    let named: Vec<_> = found["named"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(named.len() == 13 && named.iter().all(|sentence| sentence.contains("bafkrei")), "{named:?}");
    assert_eq!(named.iter().filter(|sentence| sentence.contains("from a peer")).count(), 12, "{named:?}");
    let again = failed(b.home(), &["storage", "scrub"]);
    assert_eq!((&again["damaged"], &again["healed"]), (&json!(1), &json!(0)), "{again}");
    let records = again["records"].as_array().expect("a list");
    assert!(matches!(&records[..], [one] if one["record"] == secret["record"] && one["tenant"] == a.did()), "{again}");
    let out = dir.path().join("out");
    b.json(&["get", &root, "-o", out.to_str().expect("UTF-8")]);
    assert!(fs::read(out).expect("was written") == bytes);
    let health = health(&b);
    assert_eq!((&health["degraded"], &health["writable"]), (&json!(true), &json!(true)), "{health}");
    assert_eq!(health["damaged"], 1, "{health}");
    for (name, value) in [("damaged", 14.0), ("healed", 12.0)] {
        assert_eq!(number(&b, &format!("toft_blocks_scrub_{name}_total")), value, "{name}");
    }
    assert!(number(&b, "toft_store_degraded") > 0.0);
    assert!(number(&b, "toft_blocks_scrub_bytes") > 3e6);
}

#[test]
fn what_the_store_and_the_blocks_do_is_counted() {
    let node = Home::new().up();
    let dir = tempfile::tempdir().expect("a temp dir");
    let zero = ["blocks_collected_total", "store_backup_last_success_timestamp_seconds", "store_messages"];
    for name in zero {
        assert_eq!(number(&node, &format!("toft_{name}")), 0.0, "{name}");
    }
    let add = |name: &str, size: usize| {
        let (file, _) = random_file(dir.path(), name, size);
        node.json(&["add", file.to_str().expect("UTF-8")])
    };
    add("file", 300_000);
    add("inline", 100);
    let pinned = add("packed", 40_000)["cid"].as_str().expect("a CID").to_owned();
    node.json(&["pin", "add", &pinned]);
    node.json(&["storage", "gc"]);
    node.json(&["backup", "create", dir.path().join("backup").to_str().expect("UTF-8")]);
    let counts = [
        ("store_messages", 3.0),
        ("store_records", 3.0),
        ("store_data_bytes", 340_100.0),
        ("store_rebuild_left_bytes", 0.0),
        ("store_index_lag_bytes", 0.0),
        ("store_degraded", 0.0),
        ("blocks_files", 1.0),
        ("blocks_packs", 1.0),
        ("blocks_scrub_running", 0.0),
    ];
    for (name, value) in counts {
        assert_eq!(number(&node, &format!("toft_{name}")), value, "{name}");
    }
    let log = files(&node.home().path().join("store/log"));
    let log: u64 = log.iter().map(|path| fs::metadata(path).expect("is there").len()).sum();
    assert_eq!(number(&node, "toft_store_log_end_bytes"), log as f64);
    let packed = number(&node, "toft_blocks_pack_bytes");
    let live = number(&node, "toft_blocks_pack_live_bytes");
    assert!(live > 40_000.0 && live <= packed, "{live} of {packed}");
    let (groups, fsyncs) = ("toft_store_commit_group_writes", "toft_store_fsync_seconds_count");
    assert!(number(&node, &format!("{groups}_sum")) >= 4.0 && number(&node, &format!("{groups}_count")) >= 4.0);
    assert!(number(&node, fsyncs) >= 4.0);
    assert!(number(&node, "toft_store_backup_last_success_timestamp_seconds") > 1.7e9);
    node.stop();
}

/// Records that the home's own identity writes, without a node.
fn fill(home: &Home, count: usize) -> (Arc<Signer>, Vec<Value>) {
    let at = home.path();
    let signer = Arc::new(identity::signer(Vault::at(&at.join("keys")).open(None).expect("opens").own()));
    let store = Store::open(&at.join("store"), &store::Config::default()).expect("opens");
    let blocks = Blocks::open(&at.join("blocks"), &blocks::Config::default(), store.clone()).expect("opens");
    let metrics = Metrics::default();
    let resolver = Resolver::new(&resolve::Config::default(), store.clone(), &metrics).expect("a resolver");
    let who = (signer.did(), None, &node::RetentionConfig::default());
    let door = Node::new(&node::Config::default(), who, store, blocks, resolver, &metrics).expect("a door");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let write = |n: usize| {
        let data = [vec![b'x'; 9000], n.to_be_bytes().to_vec()].concat();
        let cid = cid::of(cid::RAW, &data);
        let write = create::Write { data_format: "text/plain", published: true, ..Default::default() };
        let message = create::records_write(&write, (&cid, data.len() as u64), &node::now(), &signer).expect("made");
        let (door, did, sent) = (door.clone(), signer.did().to_owned(), message.clone());
        let task = async move { door.process(&did, sent, Some(one_chunk(data.into()))).await.expect("answered").code };
        (message, runtime.spawn(task))
    };
    let mut messages = Vec::new();
    for first in (0..count).step_by(64) {
        let group: Vec<_> = (first..count.min(first + 64)).map(write).collect();
        for (message, task) in group {
            assert_eq!(runtime.block_on(task).expect("ends"), 202);
            messages.push(message);
        }
    }
    (signer, messages)
}

/// The code that a message is answered with; `None`: nobody answers.
fn ask(url: &str, tenant: &str, message: Value) -> Option<u64> {
    let params = json!({"target": tenant, "message": message});
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "dwn.processMessage", "params": params});
    let mut answer = ureq::post(url).send_json(request).ok()?;
    // With a record's data as body, the answer is in a header.
    let header = answer.headers().get("dwn-response").map(|header| header.to_str().expect("ASCII").to_owned());
    let text = header.unwrap_or_else(|| answer.body_mut().read_to_string().expect("text"));
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    Some(answer["result"]["reply"]["status"]["code"].as_u64().unwrap_or_else(|| panic!("{answer}")))
}

#[test]
fn a_node_without_its_index_answers_its_owner_while_it_is_built_again() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let mut home = Home::new().set("dwn.listen", &free.to_string()).up().stop();
    let (signer, messages) = fill(&home, 4000);
    // A machine that is busy with other things may let the node be ready before anybody could ask.
    for _ in 0..8 {
        fs::remove_dir_all(home.path().join("store/index")).expect("removes");
        let (node, seen) = start_and_ask(home, &format!("http://{free}"), &signer, &messages);
        home = node.stop();
        if seen > 0 {
            return interrupted(home, &format!("http://{free}"));
        }
    }
    panic!("the index was built eight times before anybody could ask");
}

/// Ctrl-C while the index is built: the node ends at once, and the next start has everything.
fn interrupted(home: Home, url: &str) {
    fs::remove_dir_all(home.path().join("store/index")).expect("removes");
    let mut child =
        home.command(&["up", "--json"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("toft runs");
    eventually("an answer", || ureq::get(format!("{url}/health")).call().ok());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs").success());
    let ended = eventually("the end", || child.try_wait().expect("asks"));
    assert!(ended.success(), "{ended}");
    let status = home.up().json(&["status"]);
    assert_eq!((&status["degraded"], &status["store"]["records"]), (&json!([]), &json!(4000)), "{status}");
}

/// Starts a node that has no index and asks it until it is ready; how often an answer came while the index was built.
fn start_and_ask(home: Home, url: &str, signer: &Signer, messages: &[Value]) -> (Toft, u32) {
    let did = signer.did();
    let read = |record: &Value, signer: Option<&Signer>| {
        create::records_read(json!({"recordId": record["recordId"]}), &node::now(), signer).expect("made")
    };
    // Of the second record: should it be taken, no other attempt minds.
    let delete = || {
        let id = messages[1]["recordId"].as_str().expect("an id");
        create::records_delete(id, false, &node::now(), signer).expect("made")
    };
    let health = || -> Option<Value> {
        ureq::get(format!("{url}/health")).call().ok().and_then(|mut answer| answer.body_mut().read_json().ok())
    };
    let being_built = |health: &Option<Value>| {
        let reason = health.as_ref().and_then(|health| health["reason"].as_str()).unwrap_or_default();
        reason.contains("being built again")
    };
    let started = thread::spawn(move || home.up());
    let mut seen = 0;
    while !started.is_finished() {
        let before = health();
        if !being_built(&before) {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let asked = (ask(url, did, read(&messages[0], Some(signer))), ask(url, did, read(&messages[0], None)));
        let after = health();
        // It was so before, and still is: these were answered in between.
        if being_built(&after) {
            let status = after.expect("an answer");
            assert_eq!((&status["degraded"], &status["writable"]), (&json!(true), &json!(false)), "{status}");
            // The first record is there after the first of the batches.
            assert!(matches!(asked, (Some(200 | 404), Some(503))), "{asked:?}");
            seen += u32::from(asked.0 == Some(200));
            let refused = ask(url, did, delete());
            // Perhaps the first that was taken: then the index was whole.
            assert!(refused == Some(503) || !being_built(&health()), "{refused:?}");
            if refused != Some(503) {
                break;
            }
        }
    }
    let node = started.join().expect("the node starts");
    let status = node.json(&["status"]);
    assert_eq!((&status["degraded"], &status["store"]["records"]), (&json!([]), &json!(4000)), "{status}");
    assert_eq!(ask(url, did, read(&messages[3999], None)), Some(200));
    assert_eq!(number(&node, "toft_store_rebuild_left_bytes"), 0.0);
    (node, seen)
}

#[test]
fn a_backup_that_fails_is_told_and_tried_again() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let target = dir.path().join("backup");
    fs::write(&target, "in the way").expect("writes");
    let target = target.to_str().expect("UTF-8");
    let node = Home::new().set("backup.target", target).set("backup.every", "1s").up();
    let job = |is: &dyn Fn(&Value) -> bool| {
        let jobs = node.json(&["status"])["jobs"].clone();
        let named = |name: &str| jobs.as_array().expect("a list").iter().find(|job| job["name"] == name).cloned();
        for name in ["subscriptions", "announce", "compact", "retention", "collect", "scrub", "memory", "anchor"] {
            assert!(named(name).is_some(), "{name}: {jobs}");
        }
        named("backup").filter(is)
    };
    let waits = |job: &Value| job["state"] == "waiting";
    let failed = eventually("a backup has failed", || job(&|job| waits(job) && job["failing"] == true));
    let message = failed["last_error"]["message"].as_str().expect("a text");
    assert!(message.starts_with(&format!("the backup into {target} failed: ")), "{failed}");
    assert!(failed["next_run"].is_string() && failed["last_run"].is_string(), "{failed}");
    eventually("it is told", || {
        let text = String::from_utf8(node.home().run(&["status"]).stdout).expect("text");
        text.lines().any(|line| line.starts_with("!         backup, ") && line.contains(target)).then_some(())
    });
    fs::remove_file(target).expect("removes");
    let done = eventually("a backup is taken", || job(&|job| waits(job) && job["failing"] == false));
    assert!(done["last_error"]["message"].is_string() && done["runs"].as_u64() > failed["runs"].as_u64(), "{done}");
}
