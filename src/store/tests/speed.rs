//! Figures, not checks: `cargo test --release --lib store::tests::speed -- --ignored --nocapture`.

use super::*;
use crate::dwn::{Direction, SortBy};
use std::time::Instant;

fn rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
}

fn record(n: u64) -> Change {
    let id = cid::of(cid::DAG_CBOR, &n.to_be_bytes()).to_string();
    let message = json!({
        "recordId": id, "contextId": id,
        "descriptor": {
            "interface": "Records", "method": "Write", "dataFormat": "application/json", "dataSize": 300,
            "dataCid": cid::of(cid::RAW, &n.to_be_bytes()).to_string(),
            "dateCreated": time(n), "messageTimestamp": time(n), "published": n.is_multiple_of(3),
            "protocol": format!("http://example.com/protocol/{}", n % 7), "protocolPath": "thread/message",
            "schema": "http://example.com/schema/message", "recipient": format!("did:example:{}", n % 100),
        },
        "authorization": {"signature": {"payload": "x".repeat(500), "signatures": [{"protected": "y".repeat(120),
            "signature": "z".repeat(86)}]}},
    });
    change(ALICE, &id, message)
}

async fn load(store: &Store, writers: u64, from: u64, count: u64) {
    let start = Instant::now();
    let tasks = (0..writers).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            for n in (from + writer..from + count).step_by(writers as usize) {
                let mut new = record(n);
                let data = inline(&n.to_be_bytes().repeat(30));
                new.data = Some((data.root, data.size));
                let id = new.message["recordId"].as_str().expect("an id").to_owned();
                let begun = Instant::now();
                let decide = move |view: &dyn View| decide_write(view, new.clone(), &id);
                store.commit(ALICE, Some(data), decide).await.expect("written");
                times.push(begun.elapsed());
            }
            times
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await.expect("ends"));
    }
    times.sort();
    let at = |q: usize| times[(times.len() - 1) * q / 100];
    println!(
        "{writers:3} writers: {:7.0} commits/s, p50 {:?}, p99 {:?}, RSS {} MB",
        count as f64 / start.elapsed().as_secs_f64(),
        at(50),
        at(99),
        rss()
    );
}

/// Tells the child which store to open.
const DIR: &str = "TOFT_TEST_SPEED_DIR";

/// Memory of a process that has only opened the store, and of one that has answered from it.
#[test]
#[ignore = "a part of `figures`"]
fn opened() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let start = Instant::now();
    let store = Store::open(Path::new(&dir), &Config::default()).expect("opens");
    println!("opened by a fresh process in {:?}: RSS {} MB", start.elapsed(), rss());
    let view = store.view(ALICE);
    for n in 0..100_u64 {
        let recipient = equal("recipient", &format!("did:example:{n}"));
        let select = Select { any_of: vec![recipient], limit: Some(100), ..Select::default() };
        view.select(&select).expect("selects");
    }
    println!("after 100 queries for 100 records: RSS {} MB", rss());
}

#[test]
#[ignore = "takes minutes, checks nothing"]
fn figures() {
    let dir = tempfile::tempdir_in(".").expect("a directory");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let store = Store::open(dir.path(), &Config::default()).expect("opens");
    println!("empty: RSS {} MB", rss());
    let mut from = 0;
    for (writers, count) in [(1, 1000), (16, 20_000), (32, 20_000), (64, 20_000)] {
        runtime.block_on(load(&store, writers, from, count));
        from += count;
    }
    let view = store.view(ALICE);
    let start = Instant::now();
    let asked = 20_000;
    for n in 0..asked {
        let id = cid::of(cid::DAG_CBOR, &(n * 7919 % from).to_be_bytes()).to_string();
        assert!(view.record(&id).expect("reads").is_some());
    }
    println!("record(): {:.0}/s", f64::from(asked as u32) / start.elapsed().as_secs_f64());
    for (what, filter) in [
        ("protocol", equal("protocol", "http://example.com/protocol/3")),
        ("recipient", equal("recipient", "did:example:42")),
        ("published", Filter::from([("published".into(), Cond::Equal(IndexValue::Bool(true)))])),
    ] {
        let select = Select {
            any_of: vec![filter],
            limit: Some(20),
            sort: SortBy::DateCreated,
            direction: Direction::Descending,
            after: None,
        };
        let start = Instant::now();
        let asked = 2000;
        for _ in 0..asked {
            assert_eq!(view.select(&select).expect("selects").entries.len(), 20);
        }
        println!("select 20 by {what}: {:.0}/s", f64::from(asked) / start.elapsed().as_secs_f64());
    }
    drop((view, store));
    let opened = std::process::Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "store::tests::speed::opened", "--ignored", "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .expect("runs");
    print!("{}", String::from_utf8_lossy(&opened.stdout));
    println!("log {} MB, index {} MB", size(&dir.path().join("log")) >> 20, size(&dir.path().join("index")) >> 20);
    let start = Instant::now();
    let store = Store::open(dir.path(), &Config::default()).expect("opens");
    println!("reopened {from} records in {:?}, RSS {} MB", start.elapsed(), rss());
    drop(store);
    fs::remove_dir_all(dir.path().join("index")).expect("removes");
    let start = Instant::now();
    let store = Store::open(dir.path(), &Config::default()).expect("opens");
    let rate = from as f64 / start.elapsed().as_secs_f64();
    println!("rebuilt {from} records in {:?}: {rate:.0}/s, RSS {} MB", start.elapsed(), rss());
    println!("index after the rebuild: {} MB", size(&dir.path().join("index")) >> 20);
    drop(store);
}
