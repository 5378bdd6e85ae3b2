//! Figures of the calendar endpoint: `cargo bench --bench calendar [-- --digests 20000]`.
//!
//! A hundred clients, each on one connection, hand in digests one after the other, as the stock client would; each answer comes
//! when the digest is durable. Beside it, in the same rounds, what bounds it: the same clients asking `GET /timestamp` for what is
//! unknown (all of HTTP, nothing durable), and how many fdatasyncs of a small write the disk does one after the other. The
//! reference calendar did 28 to 55 digests/s. It prints, and checks only that all was promised, and that all of it is
//! still there after kill -9.

use serde_json::Value;
use std::{
    error::Error,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use toft::cid;

const CLIENTS: usize = 100;
const ROUNDS: usize = 5;
const DIGESTS: usize = 20_000;
const SYNCS: u32 = 200;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let home = std::env::temp_dir().join(format!("toft-bench-calendar-{}", std::process::id()));
    let mut args = std::env::args().skip_while(|arg| arg != "--digests").skip(1);
    let digests = args.next().map_or(Ok(DIGESTS), |n| n.parse())?;
    let outcome = figures(&home, digests);
    std::fs::remove_dir_all(&home)?;
    outcome
}

fn figures(home: &Path, digests: usize) -> Outcome<()> {
    let node = Node::start(home)?;
    let mut rates = vec![];
    for round in 0..ROUNDS {
        let posts: Vec<_> =
            (0..digests).map(|n| post(node.dwn, &cid::digest(format!("{round} {n}").as_bytes()))).collect();
        let gets: Vec<_> = (0..digests).map(|n| get(node.dwn, &cid::digest(&n.to_be_bytes()))).collect();
        let (taken, mut times) = rate(node.dwn, &posts, 200)?;
        let (asked, _) = rate(node.dwn, &gets, 404)?;
        times.sort();
        let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1000.0;
        println!(
            "{taken:.0} durable digests/s (p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms); HTTP alone {asked:.0}/s; fdatasync {:.0}/s",
            at(50),
            at(99),
            at(100),
            syncs(home)?
        );
        rates.push(taken);
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{CLIENTS} clients: median of {ROUNDS} {:.0} durable digests/s ({:.0} to {:.0})",
        rates[ROUNDS / 2],
        rates[0],
        rates[ROUNDS - 1]
    );
    drop(node); // kill -9
    let node = Node::start(home)?;
    let status =
        Command::new(env!("CARGO_BIN_EXE_toft")).args(["anchor", "status", "--json", "--home"]).arg(home).output()?;
    let status: Value = serde_json::from_slice(&status.stdout)?;
    let queued = status["queued"].as_u64().ok_or("no count")?;
    println!("after kill -9: {queued} items wait, {} were promised", ROUNDS * digests);
    drop(node);
    if queued < (ROUNDS * digests) as u64 { Err("some are lost".into()) } else { Ok(()) }
}

/// How often a second a small write becomes durable, one after the other.
fn syncs(dir: &Path) -> Outcome<f64> {
    let path = dir.join("syncs");
    let mut file = std::fs::File::create(&path)?;
    let start = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[0; 64])?;
        file.sync_data()?;
    }
    let rate = f64::from(SYNCS) / start.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

fn post(to: SocketAddr, digest: &[u8]) -> Vec<u8> {
    let head = "accept: application/vnd.opentimestamps.v1\r\ncontent-length: 32";
    [format!("POST /digest HTTP/1.1\r\nhost: {to}\r\n{head}\r\n\r\n").as_bytes(), digest].concat()
}

fn get(to: SocketAddr, commitment: &[u8]) -> Vec<u8> {
    format!("GET /timestamp/{} HTTP/1.1\r\nhost: {to}\r\n\r\n", hex::encode(commitment)).into_bytes()
}

/// Requests a second over all clients, and how long each took.
fn rate(to: SocketAddr, requests: &[Vec<u8>], status: u16) -> Outcome<(f64, Vec<Duration>)> {
    let start = Instant::now();
    let mut times = vec![];
    std::thread::scope(|scope| {
        let clients: Vec<_> = requests
            .chunks(requests.len().div_ceil(CLIENTS))
            .map(|own| scope.spawn(move || client(to, own, status)))
            .collect();
        clients.into_iter().try_for_each(|client| {
            times.extend(client.join().map_err(|_| "a client has panicked")??);
            Outcome::Ok(())
        })
    })?;
    Ok((requests.len() as f64 / start.elapsed().as_secs_f64(), times))
}

/// Sends each request when the one before it is answered.
fn client(to: SocketAddr, requests: &[Vec<u8>], status: u16) -> Outcome<Vec<Duration>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut times = Vec::with_capacity(requests.len());
    for request in requests {
        let start = Instant::now();
        stream.write_all(request)?;
        let head = answer(&mut answers)?;
        times.push(start.elapsed());
        if !head.starts_with(&format!("HTTP/1.1 {status} ")) {
            return Err(format!("unexpected: {head}").into());
        }
    }
    Ok(times)
}

/// The head of one answer, whose body is read.
fn answer(from: &mut BufReader<TcpStream>) -> Outcome<String> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Err("the node has hung up".into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        head += &line;
        if line == "\r\n" {
            break;
        }
    }
    from.read_exact(&mut vec![0; length])?;
    Ok(head)
}

/// A node on a home of its own that is a calendar, and whose next batch is far.
struct Node {
    child: Child,
    dwn: SocketAddr,
}

impl Node {
    fn start(home: &Path) -> Outcome<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_toft"))
            .args(["up", "--json", "--home"])
            .arg(home)
            .args(["--set", &format!("dwn.listen={address}"), "--set", &format!("dwn.url=http://{address}")])
            .args(["--set", "gateway.listen=", "--set", "net.listen=/ip4/127.0.0.1/tcp/0"])
            .args([
                "--set",
                "anchor.calendar.serve=true",
                "--set",
                "anchor.mode=calendar",
                "--set",
                "anchor.calendar.urls=",
            ])
            .args(["--set", "anchor.calendar.min=1"])
            .args(["--set", "dwn.limits.digests=10000000", "--set", "dwn.limits.digests_per_address=5000000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("its output")?).read_line(&mut line)?;
        let facts: Value = serde_json::from_str(&line)?;
        let dwn = facts["dwn"].as_str().unwrap_or_default().trim_start_matches("http://").parse()?;
        Ok(Self { dwn, child })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
