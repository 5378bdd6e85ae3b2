//! Figures of the store: `cargo bench --bench store [-- --records 61000]`.
//!
//! Durable commits at several numbers of writers, point reads, queries, memory, reopening, rebuilding. It prints, and
//! checks only that what it measures happened.

use std::{
    error::Error,
    fs,
    path::Path,
    time::{Duration, Instant},
};
use toft::{
    cid,
    dwn::{Change, Cond, Direction, Filter, IndexValue, Select, SortBy, Stop, Subject, View},
    store::{Config, Data, Hold, Store},
    sums::Prefix,
};

const ALICE: &str = "did:example:alice";
/// Tells the child which store to open.
const DIR: &str = "TOFT_BENCH_DIR";
const RECORDS: u64 = 61_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    if let Ok(dir) = std::env::var(DIR) {
        return opened(Path::new(&dir));
    }
    let mut args = std::env::args().skip_while(|arg| arg != "--records").skip(1);
    let records = args.next().map_or(Ok(RECORDS), |n| n.parse())?;
    let dir = std::env::temp_dir().join(format!("toft-bench-{}", std::process::id()));
    let outcome = figures(&dir, records);
    fs::remove_dir_all(&dir)?;
    outcome
}

fn figures(dir: &Path, records: u64) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let store = Store::open(dir, &Config::default())?;
    println!("empty: RSS {} MB", rss());
    let mut from = 0;
    for (writers, share) in [(1, 60), (16, 3), (32, 3), (64, 4)] {
        let count = (records / share).min(records - from);
        runtime.block_on(load(&store, writers, from, count))?;
        from += count;
    }
    let view = store.view(ALICE);
    let (start, asked) = (Instant::now(), 20_000);
    for n in 0..asked {
        let id = cid::of(cid::DAG_CBOR, &(n * 7919 % from).to_be_bytes()).to_string();
        assert!(view.record(&id)?.is_some());
    }
    println!("record(): {:.0}/s", asked as f64 / start.elapsed().as_secs_f64());
    let published = Filter::from([("published".into(), Cond::Equal(IndexValue::Bool(true)))]);
    let schema = equal("schema", "http://example.com/schema/message");
    for (what, filter) in [
        ("protocol", equal("protocol", "http://example.com/protocol/3")),
        ("recipient", equal("recipient", "did:example:42")),
        ("published", published.clone()),
        (
            "protocol × path × schema (all agree)",
            and(&[equal("protocol", "http://example.com/protocol/3"), equal("protocolPath", "thread/message"), schema]),
        ),
        (
            "protocol × recipient (1 of 100 of each 7th)",
            and(&[equal("protocol", "http://example.com/protocol/3"), equal("recipient", "did:example:42")]),
        ),
        ("recipient × published", and(&[equal("recipient", "did:example:42"), published])),
    ] {
        let select = Select {
            any_of: vec![filter],
            limit: Some(20),
            sort: SortBy::DateCreated,
            direction: Direction::Descending,
            after: None,
        };
        let (start, asked) = (Instant::now(), 2000);
        for _ in 0..asked {
            assert_eq!(view.select(&select)?.entries.len(), 20);
        }
        let rate = f64::from(asked) / start.elapsed().as_secs_f64();
        let it = store.explain(ALICE, &select)?;
        println!("select 20 by {what}: {rate:.0}/s; {} entries scanned, {} unused", it.scanned, it.unused);
    }
    drop(view);
    sums(&store)?;
    drop(store);
    let opened = std::process::Command::new(std::env::current_exe()?).env(DIR, dir).output()?;
    print!("{}", String::from_utf8_lossy(&opened.stdout));
    println!("log {} MB, index {} MB", size(&dir.join("log")) >> 20, size(&dir.join("index")) >> 20);
    let start = Instant::now();
    let store = Store::open(dir, &Config::default())?;
    println!("reopened {from} records in {:?}, RSS {} MB", start.elapsed(), rss());
    drop(store);
    fs::remove_dir_all(dir.join("index"))?;
    let start = Instant::now();
    drop(Store::open(dir, &Config::default())?);
    let rate = from as f64 / start.elapsed().as_secs_f64();
    println!("rebuilt {from} records in {:?}: {rate:.0}/s, RSS {} MB", start.elapsed(), rss());
    println!("index after the rebuild: {} MB", size(&dir.join("index")) >> 20);
    Ok(())
}

/// What comparing sets costs: of one protocol of the seven, in a store that has been written to until now.
fn sums(store: &Store) -> Outcome<()> {
    let scope = Some("http://example.com/protocol/3");
    let took = |what: &str, begun: Instant, times: u32| println!("{what}: {:?}", begun.elapsed() / times);
    let (begun, times) = (Instant::now(), 1000);
    for _ in 0..times {
        assert_eq!(store.sets(ALICE)?.scopes()?.len(), 7);
    }
    took("scopes of a tenant", begun, times);
    let (begun, times) = (Instant::now(), 100);
    let sets = store.sets(ALICE)?;
    for _ in 0..times {
        assert_eq!(sets.children(scope, Prefix::ALL)?.len(), 64);
    }
    took("children of all", begun, times);
    let begun = Instant::now();
    for group in Prefix::ALL.parts() {
        assert!(!sets.children(scope, group)?.is_empty());
    }
    took("children of a group", begun, 64);
    let group = Prefix::new(6, 33).ok_or("a group")?;
    let (begun, mut found) = (Instant::now(), 0);
    for bucket in group.parts() {
        found += sets.children(scope, bucket)?.len();
    }
    took("children of a bucket", begun, 64);
    let (begun, mut listed) = (Instant::now(), 0);
    for bucket in group.parts() {
        listed += sets.items(scope, bucket)?.len();
    }
    took("items of a bucket", begun, 64);
    println!("{listed} items in 64 buckets, in {found} parts of them");
    Ok(())
}

/// Processor time of this process so far, in seconds; the kernel counts it in hundredths.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Memory of a process that has only opened the store, and of one that has answered from it.
fn opened(dir: &Path) -> Outcome<()> {
    let start = Instant::now();
    let store = Store::open(dir, &Config::default())?;
    println!("opened by a fresh process in {:?}: RSS {} MB", start.elapsed(), rss());
    let view = store.view(ALICE);
    for n in 0..100_u64 {
        let recipient = equal("recipient", &format!("did:example:{n}"));
        view.select(&Select { any_of: vec![recipient], limit: Some(100), ..Select::default() })?;
    }
    println!("after 100 queries for 100 records: RSS {} MB", rss());
    Ok(())
}

async fn load(store: &Store, writers: u64, from: u64, count: u64) -> Outcome<()> {
    let (start, spent) = (Instant::now(), cpu());
    let tasks = (0..writers).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            for n in (from + writer..from + count).step_by(writers as usize) {
                let (new, data) = record(n)?;
                let begun = Instant::now();
                store.commit(ALICE, Some(data), move |_: &dyn View| Ok(new.clone())).await?;
                times.push(begun.elapsed());
            }
            Ok::<Vec<Duration>, Stop>(times)
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await??);
    }
    times.sort();
    let at = |q: usize| times.get(times.len().saturating_sub(1) * q / 100).copied().unwrap_or_default();
    let rate = count as f64 / start.elapsed().as_secs_f64();
    let each = (cpu() - spent) * 1e6 / count as f64;
    println!(
        "{writers:3} writers: {rate:7.0} commits/s, {each:.1} µs CPU each, p50 {:?}, p99 {:?}, RSS {} MB",
        at(50),
        at(99),
        rss()
    );
    Ok(())
}

/// A record of about 1.5 kB with 240 bytes of data, new to the store.
fn record(n: u64) -> Result<(Change, Data), Stop> {
    let id = cid::of(cid::DAG_CBOR, &n.to_be_bytes()).to_string();
    let bytes = n.to_be_bytes().repeat(30);
    let root = cid::of(cid::RAW, &bytes);
    let time = format!("2026-01-01T00:00:{:02}.{:06}Z", n / 1_000_000 % 60, n % 1_000_000);
    let mut message = serde_json::json!({
        "recordId": id, "contextId": id,
        "descriptor": {
            "interface": "Records", "method": "Write", "dataFormat": "application/json", "dataSize": bytes.len(),
            "dataCid": root.to_string(), "dateCreated": time, "messageTimestamp": time,
            "published": n.is_multiple_of(3),
            "protocol": format!("http://example.com/protocol/{}", n % 7), "protocolPath": "thread/message",
            "schema": "http://example.com/schema/message", "recipient": format!("did:example:{}", n % 100),
        },
        "authorization": {"signature": {"payload": "x".repeat(500), "signatures": [{"protected": "y".repeat(120),
            "signature": "z".repeat(86)}]}},
    });
    if n.is_multiple_of(3) {
        message["descriptor"]["datePublished"] = message["descriptor"]["dateCreated"].clone();
    }
    let change =
        Change { data: Some((root, bytes.len() as u64)), ..Change::initial(ALICE, Subject::Record(id), message)? };
    let size = bytes.len() as u64;
    Ok((change, Data { root, size, inline: Some(bytes.into()), blocks: Vec::new(), hold: Hold::default() }))
}

fn equal(property: &str, value: &str) -> Filter {
    Filter::from([(property.into(), Cond::Equal(IndexValue::String(value.into())))])
}

fn and(filters: &[Filter]) -> Filter {
    filters.iter().flat_map(Clone::clone).collect()
}

fn rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
}
