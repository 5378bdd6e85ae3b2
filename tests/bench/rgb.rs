//! Figures of the RGB storage over the RPC, beside the targets that it was asked to meet: `cargo bench --bench rgb [-- RECORDS [CLIENTS]]`.
//!
//! The records (1 % assets, 80 % transfers, 19 % history entries; a tenth of the transfers are of one asset) are put into the store of a
//! stopped node, unsigned, which is quick; then a node is started on it and asked over TCP. It prints, and checks only that all was answered
//! and that one large balance is what was put in.

use serde_json::{Map, Value, json};
use std::{
    error::Error,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use toft::{
    cid,
    dwn::{Change, Subject, View, create},
    rgb::{Amount, PROTOCOL},
    store::{Config, Data, Hold, Store},
};

const RECORDS: u64 = 5_000;
const CLIENTS: usize = 16;
const WRITERS: u64 = 64;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let records = numbers.next().unwrap_or(RECORDS);
    let clients = numbers.next().map_or(CLIENTS, |n| n as usize);
    let home = std::env::temp_dir().join(format!("toft-bench-rgb-{}", std::process::id()));
    let outcome = figures(&home, records, clients);
    std::fs::remove_dir_all(&home)?;
    outcome
}

/// How many of what there are.
#[derive(Clone, Copy)]
struct Amounts {
    assets: u64,
    transfers: u64,
    entries: u64,
}

fn figures(home: &Path, records: u64, clients: usize) -> Outcome<()> {
    let amounts = Amounts { assets: (records / 100).max(2), transfers: records * 8 / 10, entries: records * 19 / 100 };
    let did = {
        let node = Node::start(home)?;
        node.toft(home, &["protocol", "install", "rgb"])?;
        node.did.clone()
    };
    let begun = Instant::now();
    fill(&home.join("store"), &did, amounts)?;
    let all = amounts.assets + amounts.transfers + amounts.entries;
    println!("{all} records put in: {:.0}/s", all as f64 / begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let node = Node::start(home)?;
    println!("started in {:?}, RSS {} MB, {clients} clients", begun.elapsed(), node.memory());

    let large = json!({"assetId": name(0)});
    let begun = Instant::now();
    let balance = node.result("rgb.getAssetBalance", &large)?;
    let sum = (0..amounts.transfers).filter(|n| of_transfer(*n, amounts) == 0).map(|n| n % 50 + 1).sum::<u64>();
    assert_eq!(balance["settled"], json!(sum.to_string()), "{balance}");
    println!("first balance of the asset with {} transfers: {:?}", balance["transfers"], begun.elapsed());

    println!("{:34} {:>9} {:>9} {:>9}  hits  asked for", "", "p50", "p95", "a second");
    let scale = |calls: usize| calls.min(200 + records as usize / 10);
    let asset = |n: usize| json!({"asset": {"assetId": format!("rgb:new-{n}"), "schema": "NIA", "network": "regtest", "ticker": "NEW", "name": "New", "precision": 2, "issuedSupply": "1000"}});
    node.ask("store an asset", "rgb.storeAsset", clients, scale(4000), "< 2 s, 100/min; 5 ms, 2,000/s", &asset)?;
    let query = |n: usize| json!({"filter": {"ticker": format!("T{}", n % 50)}, "limit": 20});
    node.ask(
        "query 20 assets",
        "rgb.queryAssets",
        clients,
        scale(8000),
        "< 100 ms, 1,000/s, 90 %; 5 ms, 5,000/s",
        &query,
    )?;
    let any = |n: usize| json!({"assetId": name((n as u64).wrapping_mul(2_654_435_761) % amounts.assets)});
    node.ask(
        "balance, of any asset",
        "rgb.getAssetBalance",
        clients,
        scale(20_000),
        "< 50 ms, 2,000/s, 95 %; 1 ms, 20,000/s",
        &any,
    )?;
    let some = |n: usize| json!({"assetId": name(n as u64 % amounts.assets.min(100))});
    node.ask("balance, of 100 assets", "rgb.getAssetBalance", clients, scale(40_000), "the same", &some)?;
    node.ask("balance, one client", "rgb.getAssetBalance", 1, scale(10_000), "the same", &some)?;
    let spends = |n: usize, of: u64| json!({"transfer": {"assetId": name(of), "kind": "receive", "amount": "1", "status": "settled", "spends": [format!("{:064x}:7", n + 1)]}});
    let transfer = |n: usize| spends(n, (n as u64).wrapping_mul(2_654_435_761) % amounts.assets);
    node.ask(
        "store a transfer, of any asset",
        "rgb.storeTransfer",
        clients,
        scale(4000),
        "< 1 s, 200/min; 10 ms",
        &transfer,
    )?;
    let transfer = |n: usize| spends(n + 1_000_000, 0);
    node.ask("store a transfer, of the large one", "rgb.storeTransfer", clients, scale(2000), "the same", &transfer)?;
    let past = |n: usize| json!({"assetId": name(n as u64 % amounts.assets), "limit": 50});
    node.ask("history, 50 entries", "rgb.getAssetHistory", clients, scale(4000), "< 200 ms, 500/s, 85 %", &past)?;
    let past = |_: usize| json!({"assetId": name(0), "limit": 1000});
    node.ask("history, 1,000 entries", "rgb.getAssetHistory", clients, scale(500), "10 ms", &past)?;
    node.ask("history, 1,000 entries, one client", "rgb.getAssetHistory", 1, scale(200), "10 ms", &past)?;
    println!("RSS {} MB", node.memory());
    Ok(())
}

fn name(asset: u64) -> String {
    format!("rgb:asset-{asset:08}")
}

/// The asset of a transfer: each tenth is of the first one.
fn of_transfer(n: u64, amounts: Amounts) -> u64 {
    if n.is_multiple_of(10) { 0 } else { 1 + n % (amounts.assets - 1) }
}

/// Puts records into the store of a node that does not run.
fn fill(dir: &Path, did: &str, amounts: Amounts) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let store = Store::open(dir, &Config::default())?;
    let all = amounts.assets + amounts.transfers + amounts.entries;
    runtime.block_on(async {
        let tasks = (0..WRITERS).map(|writer| {
            let (store, did) = (store.clone(), did.to_owned());
            tokio::spawn(async move {
                for n in (writer..all).step_by(WRITERS as usize) {
                    let (change, data) = record(n, &did, amounts)?;
                    let commit = store.commit(&did, Some(data), move |_: &dyn View| Ok(change.clone()));
                    commit.await.map_err(|stop| stop.to_string())?;
                }
                Outcome::Ok(())
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await??;
        }
        Outcome::Ok(())
    })
}

fn record(n: u64, did: &str, amounts: Amounts) -> Outcome<(Change, Data)> {
    let (path, tags, said) = match n {
        n if n < amounts.assets => {
            let tags = json!({"assetId": name(n), "schema": "NIA", "network": "regtest", "ticker": format!("T{}", n % 50), "precision": 2});
            let mut said = tags.clone();
            said["name"] = json!("Tide");
            said["issuedSupply"] = json!("1000");
            ("asset", tags, said)
        }
        n if n < amounts.assets + amounts.transfers => {
            let n = n - amounts.assets;
            let (asset, amount) = (name(of_transfer(n, amounts)), n % 50 + 1);
            let spends = [format!("{n:064x}:0")];
            let tags = json!({"assetId": asset, "kind": "receive", "status": "settled", "amount": Amount(amount).tag(), "spends": spends});
            let mut said = tags.clone();
            said["amount"] = json!(amount.to_string());
            ("transfer", tags, said)
        }
        n => {
            let asset = name(n % amounts.assets);
            let said =
                json!({"assetId": asset, "kind": "invoice", "amount": "5", "date": "2026-01-01T00:00:00.000000Z"});
            ("history", json!({"assetId": asset, "kind": "invoice"}), said)
        }
    };
    let bytes = said.to_string().into_bytes();
    let (root, size) = (cid::of(cid::RAW, &bytes), bytes.len() as u64);
    let schema = format!("https://toft.invalid/schemas/rgb/{path}");
    let tags: Map<String, Value> = tags.as_object().cloned().unwrap_or_default();
    let write = create::Write {
        protocol: Some((PROTOCOL, path)),
        recipient: (path == "transfer").then_some(did),
        schema: Some(&schema),
        data_format: "application/json",
        tags: Some(tags),
        ..create::Write::default()
    };
    let time = format!("2026-01-01T00:{:02}:{:02}.{:06}Z", n / 60_000_000, n / 1_000_000 % 60, n % 1_000_000);
    let mut message = create::draft(&write, (&root, size), &time, did)?;
    message["authorization"] = json!({"signature": {"payload": "x".repeat(300), "signatures": [{"protected": "y".repeat(120), "signature": "z".repeat(86)}]}});
    let id = message["recordId"].as_str().ok_or("a recordId")?.to_owned();
    let change = Change { data: Some((root, size)), ..Change::initial(did, Subject::Record(id), message)? };
    Ok((change, Data { root, size, inline: Some(bytes.into()), blocks: Vec::new(), hold: Hold::default() }))
}

/// A node on a home of its own.
struct Node {
    child: Child,
    did: String,
    rpc: SocketAddr,
    dwn: SocketAddr,
    cookie: String,
}

impl Node {
    fn start(home: &Path) -> Outcome<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_toft"))
            .args(["up", "--json", "--home"])
            .arg(home)
            .args(["--set", "dwn.listen=127.0.0.1:0", "--set", "gateway.listen=", "--set", "anchor.mode=off"])
            .args(["--set", "rpc.listen=127.0.0.1:0", "--set", "net.listen=/ip4/127.0.0.1/tcp/0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("its output")?).read_line(&mut line)?;
        let facts: Value = serde_json::from_str(&line)?;
        let text = |name: &str| facts[name].as_str().unwrap_or_default();
        let address = |name: &str| text(name).trim_start_matches("http://").trim_end_matches("/rpc").parse();
        let cookie = std::fs::read_to_string(home.join("rpc.cookie"))?;
        Ok(Self { rpc: address("rpc")?, dwn: address("dwn")?, did: text("did").to_owned(), cookie, child })
    }

    fn toft(&self, home: &Path, args: &[&str]) -> Outcome<()> {
        let output = Command::new(env!("CARGO_BIN_EXE_toft")).args(args).arg("--home").arg(home).output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into()),
        }
    }

    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or_default() >> 10
    }

    fn call(&self, method: &str, params: &Value) -> Vec<u8> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let head = format!(
            "POST /rpc HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.rpc,
            self.cookie,
            body.len()
        );
        [head.as_bytes(), body.as_bytes()].concat()
    }

    fn result(&self, method: &str, params: &Value) -> Outcome<Value> {
        let mut stream = TcpStream::connect(self.rpc)?;
        stream.write_all(&self.call(method, params))?;
        let body = answer(&mut BufReader::new(stream))?;
        let mut answer: Value = serde_json::from_slice(&body)?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}").into()),
            None => Ok(answer["result"].take()),
        }
    }

    /// Books that were asked for: kept ones, and others.
    fn books(&self) -> Outcome<[u64; 2]> {
        let mut stream = TcpStream::connect(self.dwn)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", self.dwn)?;
        let text = String::from_utf8(answer(&mut BufReader::new(stream))?)?;
        Ok(["kept", "records"].map(|from| {
            let name = format!("toft_rgb_books_total{{from=\"{from}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or_default()
        }))
    }

    /// All calls, each client's one after the other, and how long they took.
    fn ask(
        &self,
        what: &str,
        method: &str,
        clients: usize,
        calls: usize,
        wanted: &str,
        params: &(dyn Fn(usize) -> Value + Sync),
    ) -> Outcome<()> {
        let requests: Vec<_> = (0..calls).map(|n| self.call(method, &params(n))).collect();
        let before = self.books()?;
        let begun = Instant::now();
        let mut times: Vec<Duration> = std::thread::scope(|scope| {
            let each = requests.len().div_ceil(clients);
            let all: Vec<_> = requests.chunks(each).map(|own| scope.spawn(move || client(self.rpc, own))).collect();
            let times = all.into_iter().map(|one| one.join().map_err(|_| "a client has panicked")?);
            times.collect::<Outcome<Vec<_>>>().map(|times| times.concat())
        })?;
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        times.sort();
        let at = |q: usize| times[(times.len() - 1) * q / 100].as_secs_f64() * 1e3;
        let after = self.books()?;
        let [kept, read] = [after[0] - before[0], after[1] - before[1]];
        let hits = if kept + read == 0 {
            "   –".to_owned()
        } else {
            format!("{:3.0} %", kept as f64 * 100.0 / (kept + read) as f64)
        };
        println!("{what:34} {:6.2} ms {:6.2} ms {rate:9.0} {hits:>5}  {wanted}", at(50), at(95));
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A clean end: the store is opened next.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn client(to: SocketAddr, requests: &[Vec<u8>]) -> Outcome<Vec<Duration>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut times = Vec::with_capacity(requests.len());
    for request in requests {
        let begun = Instant::now();
        stream.write_all(request)?;
        let body = answer(&mut answers)?;
        times.push(begun.elapsed());
        if !body.windows(9).any(|part| part == b"\"result\":") {
            return Err(format!("unexpected: {}", String::from_utf8_lossy(&body)).into());
        }
    }
    Ok(times)
}

/// The body of one answer.
fn answer(from: &mut impl std::io::BufRead) -> Outcome<Vec<u8>> {
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Err("the node has hung up".into());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        chunked |= lower.starts_with("transfer-encoding:");
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    while chunked {
        let mut size = String::new();
        from.read_line(&mut size)?;
        let mut piece = vec![0; usize::from_str_radix(size.trim(), 16)? + 2];
        from.read_exact(&mut piece)?;
        chunked = piece.len() > 2;
        body.extend(&piece[..piece.len() - 2]);
    }
    Ok(body)
}
