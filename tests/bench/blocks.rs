//! Figures of the blocks: `cargo bench --bench blocks [-- --gib 4] [--dir DIR] [--kib 256]`.
//!
//! Incompressible data goes in (staged, made durable, committed) and comes out again (every block hashed), beside a plain
//! copy of the same files with an fsync each, in the same run on the same disk: one large file, and as many bytes in
//! files of 1 MiB and of 256 KiB. What is read was dropped from the page cache before. It prints, and checks only that
//! what came out is what went in. `--kib` looks at files of one size only, in a process that has had no others: what it says
//! of memory is of these alone.

use std::{
    error::Error,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use toft::{
    blocks::{self, Blocks, Right},
    cid::Cid,
    dwn::{Change, Stop, Subject},
    store::{self, Data, Store},
};

const ALICE: &str = "did:example:alice";
/// What a client's body is handed on in.
const PIECE: usize = 1 << 20;
/// Files that are on their way in at once.
const CLIENTS: u64 = 4;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let gib = option("--gib").map_or(Ok(4.0), |n| n.parse::<f64>())?;
    let bytes = (gib * f64::from(1 << 30)) as u64;
    let parent = option("--dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("toft-bench-blocks-{}", std::process::id()));
    println!("{gib} GiB each; a plain copy is read from the page cache and fsynced, file by file");
    let sizes = match option("--kib") {
        Some(kib) => vec![kib.parse::<u64>()? << 10],
        None => vec![bytes, 1 << 20, 256 << 10],
    };
    for size in sizes {
        let outcome = shape(&dir, size, bytes / size);
        fs::remove_dir_all(&dir)?;
        outcome?;
    }
    println!("most memory of the process: {} MB", memory());
    Ok(())
}

fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}

/// `count` files of `size` bytes: copied plainly, and through the blocks.
fn shape(dir: &Path, size: u64, count: u64) -> Outcome<()> {
    let bytes = size * count;
    for sub in ["from", "to"] {
        fs::create_dir_all(dir.join(sub))?;
    }
    println!("{count} × {} KiB", size >> 10);
    for n in 0..count {
        let mut source = Source::new(n, size);
        let mut file = File::create(dir.join("from").join(n.to_string()))?;
        while let Some(piece) = source.next() {
            file.write_all(piece)?;
        }
    }
    let copied = timed(|| parallel(count, &|n| copy(&dir.join("from"), &dir.join("to"), n)))?;
    drop_cache(&dir.join("to"))?;
    let read = timed(|| parallel(count, &|n| plain(&dir.join("to").join(n.to_string()))))?;
    let plain = disk(&dir.join("to"))?;
    // Both stay until the end: ext4 looks long for a place for new files where many have just been deleted.

    let store = Store::open(&dir.join("store"), &store::Config::default())?;
    let blocks = Blocks::open(&dir.join("blocks"), &blocks::Config::default(), store.clone())?;
    let began = memory();
    let roots: Vec<std::sync::Mutex<Option<Cid>>> = (0..count).map(|_| std::sync::Mutex::default()).collect();
    let ingested = timed(|| {
        parallel(count, &|n| {
            let root = ingest(&store, &blocks, n, size)?;
            *roots[n as usize].lock().map_err(|_| "a panic elsewhere")? = Some(root);
            Ok(())
        })
    })?;
    let kept = disk(&dir.join("blocks"))? + disk(&dir.join("store/log"))?;
    let index = disk(&dir.join("store/index"))?;
    drop_cache(&dir.join("blocks"))?;
    let verified = timed(|| {
        parallel(count, &|n| {
            let root = roots[n as usize].lock().map_err(|_| "a panic elsewhere")?.ok_or("no root")?;
            let mut expected = Source::new(n, size);
            let (mut rest, mut left) = (Vec::new(), size);
            for chunk in blocks.read(Right::OWNER, &root)? {
                let chunk = chunk?;
                left -= chunk.len() as u64;
                // A piece of every chunk: comparing all would be timed too.
                while rest.len() < chunk.len() {
                    rest.extend_from_slice(expected.next().ok_or("more came out than went in")?);
                }
                assert!(rest[..64] == chunk[..64], "what came out is not what went in");
                rest.drain(..chunk.len());
            }
            assert_eq!(left, 0, "less came out than went in");
            Ok(())
        })
    })?;
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let line = |what: &str, ours: Duration, plain: Duration| {
        let ratio = plain.as_secs_f64() / ours.as_secs_f64();
        println!("  {what}: {:.0} MB/s, plain {:.0} MB/s: {ratio:.2}×", rate(ours), rate(plain));
    };
    line("in ", ingested, copied);
    line("out", verified, read);
    println!("  out beside the plain copy: {:.2}×", copied.as_secs_f64() / verified.as_secs_f64());
    println!(
        "  disk: {:.3}× the data (blocks and log; plain {:.3}×), index {} MB; memory {began} → {} MB",
        kept as f64 / bytes as f64,
        plain as f64 / bytes as f64,
        index >> 20,
        memory()
    );
    Ok(())
}

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

/// Does it for every number below `count`, a few at a time.
fn parallel(count: u64, each: &(impl Fn(u64) -> Outcome<()> + Sync)) -> Outcome<()> {
    std::thread::scope(|scope| {
        let client = |first| move || (first..count).step_by(CLIENTS as usize).try_for_each(each);
        let clients: Vec<_> = (0..CLIENTS.min(count)).map(|first| scope.spawn(client(first))).collect();
        clients.into_iter().try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
    })
}

fn copy(from: &Path, to: &Path, n: u64) -> Outcome<()> {
    let mut from = File::open(from.join(n.to_string()))?;
    let mut to = File::create(to.join(n.to_string()))?;
    // With read and write, as toft does: copy_file_range would copy nothing on some file systems.
    let mut piece = vec![0; PIECE];
    loop {
        let got = from.read(&mut piece)?;
        if got == 0 {
            break;
        }
        to.write_all(&piece[..got])?;
    }
    Ok(to.sync_all()?)
}

fn plain(path: &Path) -> Outcome<()> {
    let (mut file, mut piece) = (File::open(path)?, vec![0; PIECE]);
    while file.read(&mut piece)? > 0 {}
    Ok(())
}

/// Stages data, makes it durable and part of a record.
fn ingest(store: &Store, blocks: &Blocks, n: u64, size: u64) -> Outcome<Cid> {
    let (mut stage, mut source) = (blocks.stage(), Source::new(n, size));
    while let Some(piece) = source.next() {
        stage.push(piece)?;
    }
    let data = stage.finish()?;
    let root = data.root;
    let change = record(n, &data)?;
    futures::executor::block_on(store.commit(ALICE, Some(data), move |_| Ok(change.clone())))?;
    Ok(root)
}

fn record(n: u64, data: &Data) -> Result<Change, Stop> {
    let id = format!("record-{n}");
    let message = serde_json::json!({
        "recordId": id, "contextId": id,
        "descriptor": {
            "interface": "Records", "method": "Write", "dataFormat": "application/octet-stream", "dataSize": data.size,
            "dataCid": data.root.to_string(), "dateCreated": "2026-01-01T00:00:00.000000Z",
            "messageTimestamp": "2026-01-01T00:00:00.000000Z",
        },
    });
    Ok(Change { data: Some((data.root, data.size)), ..Change::initial(ALICE, Subject::Record(id), message)? })
}

/// Bytes that do not compress and do not repeat, made faster than a disk takes them (xorshift64*).
struct Source {
    state: u64,
    left: u64,
    piece: Vec<u8>,
}

impl Source {
    fn new(seed: u64, size: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { state, left: size, piece: vec![0; PIECE] }
    }

    fn next(&mut self) -> Option<&[u8]> {
        let length = self.left.min(PIECE as u64) as usize;
        self.left -= length as u64;
        for word in self.piece[..length].chunks_exact_mut(8) {
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            word.copy_from_slice(&self.state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        (length > 0).then(|| &self.piece[..length])
    }
}

fn files(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = vec![dir.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        at += 1;
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                found.push(entry?.path());
            }
        }
    }
    Ok(found)
}

/// Bytes of the disk that a directory takes, with its directories.
fn disk(dir: &Path) -> Outcome<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut sum = 0;
    for path in files(dir)? {
        sum += fs::metadata(path)?.blocks() * 512;
    }
    Ok(sum)
}

fn drop_cache(dir: &Path) -> Outcome<()> {
    for path in files(dir)? {
        let file = File::open(&path)?;
        if path.is_file() {
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// The most memory the process has had, in MB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}
