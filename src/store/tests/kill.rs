//! A process that writes is killed, again and again; what it was told is durable must be there, and every message
//! is there whole or not at all.

use super::*;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    thread,
};

/// Tells the child where to write.
const DIR: &str = "TOFT_TEST_KILL_DIR";
const ROUND: &str = "TOFT_TEST_KILL_ROUND";
const ROUNDS: u64 = 6;
const WRITERS: u64 = 8;

/// Not a test of its own: the process that is killed. Without the variable it does nothing.
#[test]
fn child() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) else { return };
    runtime().block_on(async {
        let store = open(Path::new(&dir));
        let writers = (0..WRITERS).map(|writer| {
            let (store, round) = (store.clone(), round.clone());
            async move {
                for n in 0.. {
                    // Every third write is an update of a record written before.
                    let record = format!("r{round}-{writer}-{}", n - n % 3);
                    let data = format!("{record} {n}");
                    let written = write(&store, &record, n, json!({"schema": "s"}), Some(data.as_bytes())).await;
                    let cid = written.expect("written").cid;
                    // One write(2), so that a line is there whole or not at all.
                    std::io::stdout().write_all(format!("ack {record} {n} {cid}\n").as_bytes()).expect("is heard");
                }
            }
        });
        futures::future::join_all(writers).await;
    });
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut newest: std::collections::BTreeMap<String, (u64, String)> = Default::default();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "store::tests::kill::child", "--nocapture"])
            .env(DIR, dir.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let (started, begun) = std_mpsc::channel();
        let reader = thread::spawn(move || {
            let heard = |line: &String| {
                if line.starts_with("ack") {
                    let _ = started.send(());
                }
            };
            lines.map_while(Result::ok).inspect(heard).collect::<Vec<_>>()
        });
        begun.recv_timeout(Duration::from_secs(60)).expect("writes begin");
        thread::sleep(Duration::from_millis(20 + 130 * round));
        child.kill().expect("is killed");
        child.wait().expect("ends");
        let mut acknowledged = 0;
        for line in reader.join().expect("reads") {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["ack", record, n, cid] = words[..] {
                newest.insert(record.to_owned(), (n.parse().expect("a number"), cid.to_owned()));
                acknowledged += 1;
            }
        }
        assert!(acknowledged > 0, "round {round} wrote nothing");
        check(dir.path(), &newest, round);
    }
}

fn check(dir: &Path, acknowledged: &std::collections::BTreeMap<String, (u64, String)>, round: u64) {
    // Every other round rebuilds from the log alone.
    if round % 2 == 1 {
        fs::remove_dir_all(dir.join("index")).expect("removes");
    }
    let store = open(dir);
    assert_eq!(store.degraded(), Vec::<String>::new());
    let view = store.view(ALICE);
    for (record, (n, cid)) in acknowledged {
        let found = view.record(record).expect("reads").unwrap_or_else(|| panic!("{record} was acknowledged"));
        let timestamp = found.newest.message["descriptor"]["messageTimestamp"].as_str().expect("a time");
        // A later update may have become durable without its answer being heard.
        assert!(timestamp >= time(*n).as_str(), "{record} has lost its update {cid}");
    }
    let everything = view.select(&Select { any_of: vec![equal("schema", "s")], ..Select::default() }).expect("selects");
    let stats = store.stats();
    assert_eq!(everything.entries.len() as u64, stats.records);
    assert!(stats.records >= acknowledged.len() as u64);
    let mut messages = 0;
    for entry in &everything.entries {
        let id = entry.message["recordId"].as_str().expect("a recordId");
        let record = view.record(id).expect("reads").expect("is there");
        assert_eq!(record.newest.cid, entry.cid);
        assert!(view.message(&record.initial.cid).expect("reads").is_some());
        let data = view.inline_data(entry).expect("reads").expect("has its data");
        assert!(store.block(&cid::digest(&data)).expect("answers").is_some());
        messages += if record.initial.cid == record.newest.cid { 1 } else { 2 };
    }
    assert_eq!(stats.messages, messages);
    assert_eq!(view.events(&[], None, None).expect("reads").len() as u64, messages);
}
