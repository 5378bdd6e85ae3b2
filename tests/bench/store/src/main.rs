//! Figures of the store beside other stores. `scripts/bench-store` runs it; it prints, and judges nothing.
//!
//! `make DIR N` lets the real store take N records and writes down what each changes in its index. `load ENGINE DIR`
//! gives the same to an engine and dies without closing it; `reads ENGINE DIR` opens that and asks. `writes DIR`
//! measures durable writes of the store and of each engine in turn. Each prints lines of JSON.

mod engines;
mod records;

use anyhow::{Context as _, Result, ensure};
use engines::{Engine, Look, Pair};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use records::{ALICE, Piece, Sample};
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};
use toft::{
    dwn::{Change, Cond, Direction, Filter, IndexValue, Select, SortBy, Stop, View},
    store::{Config, Data, Store},
};

/// What toft's own binary has. The others have it as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SAMPLES: u64 = 50_000;
/// Records in one batch, as the store itself makes them at most.
const GROUP: usize = 64;
const CHECKPOINT: Duration = Duration::from_millis(500);
const READING: Duration = Duration::from_secs(3);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["make", dir, n] => make(Path::new(dir), n.parse()?),
        ["load", engine, dir] => load(engine, Path::new(dir)),
        ["reads", engine, dir] => reads(engine, Path::new(dir)),
        ["writes", dir, rounds, engines @ ..] => writes(Path::new(dir), rounds.parse()?, engines),
        ["soak", engine, dir, into] => soak(engine, Path::new(dir), Path::new(into)),
        ["rebuild", dir] => rebuild(Path::new(dir)),
        _ => anyhow::bail!("usage: see the head of main.rs"),
    }
}

fn cache() -> u64 {
    let said = std::env::var("TOFT_BENCH_CACHE").ok().and_then(|mb| mb.parse::<u64>().ok());
    said.map_or(Config::default().cache, |mb| mb << 20)
}

fn config() -> Config {
    Config { cache: cache(), ..Config::default() }
}

/// Engines whose name begins with `index-` hold what toft's index holds; the others hold the messages too.
fn parts(name: &str) -> (&str, bool) {
    name.strip_prefix("index-").map_or((name, true), |rest| (rest, false))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?)
}

fn make(dir: &Path, n: u64) -> Result<()> {
    fs::create_dir_all(dir)?;
    let step = (n / SAMPLES).max(1);
    let done = records::record_into(dir, (0..n).step_by(step as usize))?;
    let (start, scratch) = (Instant::now(), dir.join("scratch"));
    let record = |n| records::record(n).map_err(|stop| anyhow::anyhow!("{stop:?}"));
    toft::store::write_log(&dir.join("toft"), &scratch, n, record)?;
    done()?;
    fs::remove_dir_all(&scratch)?;
    report("toft", "made", &[("records", n as f64), ("rate", n as f64 / start.elapsed().as_secs_f64())]);
    Ok(())
}

/// Ends this process as `kill -9` does.
fn kill() -> i32 {
    let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    1
}

async fn commits(
    store: &Store,
    writers: u64,
    from: u64,
    count: u64,
    within: Option<(Duration, Arc<Vec<(Change, Data)>>)>,
) -> Result<(f64, Vec<Duration>)> {
    let start = Instant::now();
    let tasks = (0..writers).map(|writer| {
        let (store, within) = (store.clone(), within.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            for n in (from + writer..from + count).step_by(writers as usize) {
                let (new, data) = match &within {
                    Some((limit, _)) if start.elapsed() > *limit => break,
                    Some((_, made)) => made[n as usize].clone(),
                    None => records::record(n)?,
                };
                let begun = Instant::now();
                let mut new = Some(new);
                store.commit(ALICE, Some(data), move |_: &dyn View| Ok(new.take().expect("asked once"))).await?;
                times.push(begun.elapsed());
            }
            Ok::<_, Stop>(times)
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await?.map_err(|stop| anyhow::anyhow!("{stop:?}"))?);
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort();
    Ok((rate, times))
}

fn pairs(piece: Piece, bodies: bool) -> impl Iterator<Item = Pair> {
    let body = bodies.then(|| (records::body(piece.position), Some(piece.message)));
    piece.changes.into_iter().chain(body)
}

fn load(name: &str, dir: &Path) -> Result<()> {
    let (engine_name, bodies) = parts(name);
    let into = dir.join(name);
    let _ = fs::remove_dir_all(&into);
    let engine = engines::open(engine_name, &into, cache())?;
    // What only orders bytes on the way to a disk is not measured here: the larger the batch, the sooner it is done.
    let said = std::env::var("TOFT_BENCH_GROUP").ok().and_then(|group| group.parse().ok());
    let group = said.unwrap_or(if engine_name.starts_with("sled") { GROUP } else { 1000 });
    let (start, mut records, mut batch, mut flushed) = (Instant::now(), 0_u64, Vec::new(), Instant::now());
    for piece in records::pieces(dir)? {
        batch.extend(pairs(piece?, bodies));
        records += 1;
        if records.is_multiple_of(group as u64) {
            engine.apply(&batch, false)?;
            batch.clear();
        }
        if engine_name.starts_with("sled") && flushed.elapsed() > CHECKPOINT {
            engine.flush()?;
            flushed = Instant::now();
        }
    }
    engine.apply(&batch, false)?;
    engine.flush()?;
    let rate = records as f64 / start.elapsed().as_secs_f64();
    report(name, "load", &[("records", records as f64), ("rate", rate), ("rss", rss()), ("peak", peak()),
        ("disk MB", size(&into)), ("written MB", written())]);
    std::process::exit(kill())
}

fn rebuild(dir: &Path) -> Result<()> {
    let home = dir.join("toft");
    let _ = fs::remove_dir_all(home.join("index"));
    let start = Instant::now();
    let store = Store::open(&home, &config())?;
    let rate = store.stats().messages as f64 / start.elapsed().as_secs_f64();
    report("toft", "rebuild", &[("rate", rate), ("rss", rss()), ("peak", peak()), ("disk MB", size(&home.join("index"))),
        ("log MB", size(&home.join("log"))), ("written MB", written())]);
    std::process::exit(kill())
}

/// Opens an engine, compares everything it holds with what it says has been applied, and applies more until it is
/// killed. What is kept in the store's index: the number applied stands in every batch.
fn soak(name: &str, dir: &Path, into: &Path) -> Result<()> {
    const APPLIED: &[u8] = b"\0applied";
    let start = Instant::now();
    let engine = engines::open(name, into, cache())?;
    let opened = start.elapsed();
    let mut applied = 0;
    engine.look(&mut |look| {
        look.get(APPLIED, &mut |number| applied = number.try_into().map_or(0, u64::from_be_bytes)).map(drop)
    })?;
    let mut expected = std::collections::BTreeMap::new();
    let mut rest = records::pieces(dir)?;
    for piece in rest.by_ref().take(usize::try_from(applied)?) {
        for (key, value) in piece?.changes {
            match value {
                Some(value) => expected.insert(key, value),
                None => expected.remove(&key),
            };
        }
    }
    let mut wrong = 0_u64;
    engine.each(&mut |key, value| {
        if key != APPLIED && expected.remove(key).as_deref() != Some(value) {
            wrong += 1;
        }
    })?;
    report(name, "soak", &[("open s", opened.as_secs_f64()), ("applied", applied as f64), ("wrong", wrong as f64),
        ("missing", expected.len() as f64)]);
    drop(expected);
    ensure!(std::env::var_os("TOFT_BENCH_CHECK").is_none(), "only checked");
    let mut flush = engine.flusher().context("only the sleds are soaked")?;
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(CHECKPOINT / 5);
            if let Err(error) = flush() {
                println!("{{\"flush\":\"{error}\"}}");
            }
        }
    });
    let mut random = SmallRng::seed_from_u64(applied);
    loop {
        let mut batch = Vec::new();
        for piece in rest.by_ref().take(random.random_range(1..GROUP)) {
            batch.extend(piece?.changes);
            applied += 1;
        }
        if batch.is_empty() {
            std::thread::sleep(Duration::from_secs(60));
        }
        batch.push((APPLIED.to_vec(), Some(applied.to_be_bytes().to_vec())));
        engine.apply(&batch, false)?;
    }
}

fn drop_page_cache() -> bool {
    let _ = std::process::Command::new("sync").status();
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

/// Something that answers: the store, or an engine.
trait Asked {
    fn point(&self, sample: &Sample) -> Result<()>;
    fn query(&self, sample: &Sample) -> Result<()>;
}

struct Toft(Box<dyn View + Send>);

impl Asked for Toft {
    fn point(&self, sample: &Sample) -> Result<()> {
        ensure!(self.0.record(&records::id(sample.n))?.is_some(), "record {} is not there", sample.n);
        Ok(())
    }

    fn query(&self, sample: &Sample) -> Result<()> {
        let text = |s: String| IndexValue::String(s);
        let before = Cond::Range { gt: None, gte: None, lt: Some(text(records::time(sample.n))), lte: None };
        let select = Select {
            any_of: vec![Filter::from([
                ("protocol".into(), Cond::Equal(text(records::protocol(sample.n)))),
                ("dateCreated".into(), before),
            ])],
            limit: Some(20),
            sort: SortBy::DateCreated,
            direction: Direction::Descending,
            after: None,
        };
        let found = self.0.select(&select)?.entries.len();
        ensure!(found == 20 || sample.n < 150, "{found} rows before record {}", sample.n);
        Ok(())
    }
}

struct Peer {
    engine: Box<dyn Engine>,
    bodies: bool,
    decoded: bool,
}

impl Peer {
    fn body(&self, look: &dyn Look, position: u64) -> Result<()> {
        let mut sum = 0;
        let there = look.get(&records::body(position), &mut |bytes| {
            sum = if self.decoded {
                toft::cid::text(bytes).map_or(0, |json| json.len())
            } else {
                bytes.len()
            };
        })?;
        ensure!(there && sum > 0, "no message at {position}");
        Ok(())
    }
}

impl Asked for Peer {
    fn point(&self, sample: &Sample) -> Result<()> {
        self.engine.look(&mut |look| {
            let mut row = None;
            look.get(&sample.record, &mut |bytes| row = Some(records::newest(bytes)))?;
            let (position, message) = row.with_context(|| format!("record {} is not there", sample.n))??;
            if self.bodies {
                return self.body(look, position);
            }
            ensure!(look.get(&message, &mut |_| {})?, "message of {} is not there", sample.n);
            Ok(())
        })
    }

    fn query(&self, sample: &Sample) -> Result<()> {
        self.engine.look(&mut |look| {
            let mut found = Vec::with_capacity(20);
            let from = &sample.by[..11];
            look.last(from, &sample.by, 20, &mut |key| {
                found.extend(key.last_chunk().map(|position| u64::from_be_bytes(*position)));
            })?;
            ensure!(found.len() == 20 || sample.n < 150, "{} rows before record {}", found.len(), sample.n);
            for position in found {
                if self.bodies {
                    self.body(look, position)?;
                } else {
                    let key = [&[records::ROW, 0, 0, 0, 1], position.to_be_bytes().as_slice()].concat();
                    ensure!(look.get(&key, &mut |_| {})?, "no row at {position}");
                }
            }
            Ok(())
        })
    }
}

fn reads(name: &str, dir: &Path) -> Result<()> {
    let samples = records::samples(dir)?;
    let dropped = drop_page_cache();
    let mut open: Box<dyn FnMut() -> Result<Box<dyn Asked>>> = if name == "toft" {
        Box::new(|| Ok(Box::new(Toft(Store::open(&dir.join("toft"), &config())?.view(ALICE))) as Box<dyn Asked>))
    } else {
        let (engine, bodies) = parts(name);
        let decoded = std::env::var_os("TOFT_BENCH_DECODE").is_some();
        Box::new(move || {
            let engine = engines::open(engine, &dir.join(name), cache())?;
            Ok(Box::new(Peer { engine, bodies, decoded }) as Box<dyn Asked>)
        })
    };
    let before = rss();
    let start = Instant::now();
    let asked = open()?;
    report(name, "open", &[("s", start.elapsed().as_secs_f64()), ("cold", f64::from(u8::from(dropped))), ("rss", rss() - before)]);
    for (what, again) in [("cold", false), ("warm", true)] {
        if !again && !drop_page_cache() {
            continue;
        }
        let mut random = SmallRng::seed_from_u64(7);
        if again {
            // The page cache takes the files in; the engines' caches are smaller than that.
            warm(&dir.join(name));
        }
        let mut pick = || &samples[random.random_range(0..samples.len())];
        let points = times(&mut || asked.point(pick()))?;
        let queries = times(&mut || asked.query(pick()))?;
        report(name, what, &[("point/s", points.0), ("point p50 µs", points.1), ("point p99 µs", points.2),
            ("query/s", queries.0), ("query p50 µs", queries.1), ("query p99 µs", queries.2), ("rss", rss()), ("peak", peak())]);
    }
    std::process::exit(kill())
}

/// Reads all files once.
fn warm(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            warm(&entry.path());
        } else if let Ok(mut file) = fs::File::open(entry.path()) {
            let _ = std::io::copy(&mut file, &mut std::io::sink());
        }
    }
}

/// Rate, median and 99th percentile (µs) of asking for some seconds.
fn times(ask: &mut dyn FnMut() -> Result<()>) -> Result<(f64, f64, f64)> {
    let start = Instant::now();
    let mut took = Vec::new();
    while start.elapsed() < READING {
        let begun = Instant::now();
        ask()?;
        took.push(begun.elapsed());
    }
    let rate = took.len() as f64 / start.elapsed().as_secs_f64();
    took.sort();
    Ok((rate, at(&took, 50) * 1e3, at(&took, 99) * 1e3))
}

/// A percentile, in ms.
fn at(times: &[Duration], percent: usize) -> f64 {
    times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default().as_secs_f64() * 1e3
}

fn writes(dir: &Path, rounds: usize, names: &[&str]) -> Result<()> {
    const PREPARED: usize = 60_000;
    let made: Vec<_> = (0..PREPARED as u64).map(records::record).collect::<Result<_, _>>().map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let made = Arc::new(made);
    let prepared: Vec<Vec<Pair>> =
        records::pieces(dir)?.take(PREPARED).map(|piece| Ok(pairs(piece?, true).collect())).collect::<Result<_>>()?;
    let prepared = Arc::new(prepared);
    let runtime = runtime()?;
    for round in 0..rounds {
        for i in 0..names.len() {
            let name = names[(i + round) % names.len()];
            for (writers, limit) in [(1, Duration::from_secs(2)), (32, Duration::from_secs(4))] {
                let into = dir.join("writes");
                let _ = fs::remove_dir_all(&into);
                let before = written();
                let (rate, times) = if let Some(follower) = name.strip_prefix("toft") {
                    let store = Store::open(&into, &config())?;
                    let written = commits(&store, writers, 0, made.len() as u64, Some((limit, made.clone())));
                    runtime.block_on(async {
                        tokio::select! {
                            written = written => written,
                            kept = anchoring(&store), if follower == "+anchor" => kept,
                        }
                    })?
                } else {
                    let engine = engines::open(name, &into, cache())?;
                    runtime.block_on(puts(engine, writers, &prepared, limit))?
                };
                let bytes = (written() - before) * 1e6 / times.len() as f64;
                report(name, &format!("write{writers}"), &[("rate", rate), ("p50 ms", at(&times, 50)),
                    ("p99 ms", at(&times, 99)), ("bytes/record", bytes), ("rss", rss())]);
                let _ = fs::remove_dir_all(&into);
            }
        }
    }
    Ok(())
}

/// Keeps for each record what the anchor keeps, as it closes a batch: where its digest stands, and which of its messages is in it.
async fn anchoring(store: &Store) -> Result<(f64, Vec<Duration>)> {
    const BATCH: u64 = 2000;
    let mut done = 0;
    loop {
        let records = store.stats().records;
        if records < done + BATCH {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        for from in (done..records).step_by(1000) {
            let keys = (from..records.min(from + 1000)).flat_map(|n| {
                let digest = toft::cid::digest(&n.to_be_bytes());
                let key = |name: &str| [name.as_bytes(), &digest].concat();
                [(key("anchor/digest/"), Some(vec![1; 22])), (key("anchor/record/"), Some(vec![1; 33]))]
            });
            store.put_state(keys.collect()).await.map_err(|e| anyhow::anyhow!("{e:?}"))?;
        }
        done = records;
    }
}

/// Durable writes into an engine: one writer thread makes a transaction of what has queued, as the store does.
async fn puts(
    engine: Box<dyn Engine>,
    writers: u64,
    prepared: &Arc<Vec<Vec<Pair>>>,
    limit: Duration,
) -> Result<(f64, Vec<Duration>)> {
    let (jobs, mut queue) = mpsc::channel::<(usize, oneshot::Sender<()>)>(256);
    let source = prepared.clone();
    let writer = std::thread::spawn(move || -> Result<()> {
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = queue.try_recv()
            {
                group.push(next);
            }
            let batch: Vec<Pair> = group.iter().flat_map(|(n, _)| source[*n].iter().cloned()).collect();
            engine.apply(&batch, true)?;
            group.into_iter().for_each(|(_, reply)| { let _ = reply.send(()); });
        }
        Ok(())
    });
    let start = Instant::now();
    let count = prepared.len();
    let tasks = (0..writers as usize).map(|writer| {
        let jobs = jobs.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            for n in (writer..count).step_by(writers as usize) {
                if start.elapsed() > limit {
                    break;
                }
                let begun = Instant::now();
                let (reply, answer) = oneshot::channel();
                jobs.send((n, reply)).await.context("the writer has ended")?;
                answer.await.context("the writer has ended")?;
                times.push(begun.elapsed());
            }
            Ok::<_, anyhow::Error>(times)
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await??);
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    drop(jobs);
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    times.sort();
    Ok((rate, times))
}

fn report(engine: &str, what: &str, figures: &[(&str, f64)]) {
    let mut line = serde_json::Map::from_iter([("engine".into(), engine.into()), ("what".into(), what.into())]);
    line.extend(figures.iter().map(|(name, figure)| ((*name).into(), ((figure * 1e3).round() / 1e3).into())));
    println!("{}", serde_json::Value::Object(line));
}

fn status(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Memory that is not a mapped file, in MB: what LMDB maps is the page cache's.
fn rss() -> f64 {
    status("RssAnon")
}

fn peak() -> f64 {
    status("VmHWM")
}

/// Bytes this process has sent towards the disk, in MB.
fn written() -> f64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find(|line| line.starts_with("write_bytes")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

/// Bytes on the disk below a directory, in MB.
fn size(dir: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = entries.map(|e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().map_or(0.0, |m| m.blocks() as f64 * 512.0 / 1e6) });
    bytes.sum()
}
