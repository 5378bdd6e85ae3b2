//! Figures of the wallet RPC beside the DWN endpoint of the same node: `cargo bench --bench rpc [-- --calls 4000]`; of its tokens:
//! `cargo bench --bench rpc -- --tokens`.
//!
//! Sixteen clients, each on one connection, write records of 200 bytes and ask for the newest twenty, in turns at both doors. A DWN
//! client signs for itself, which is done before the clock runs; at the wallet RPC the node signs. It prints, and checks only that all
//! was answered.

mod tokens;

use serde_json::{Value, json};
use std::{
    error::Error,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};
use toft::{
    cid,
    crypto::{Secret, Signer, encode},
    did,
    dwn::create,
    node::now,
};

const CLIENTS: usize = 16;
const ROUNDS: usize = 7;
const CALLS: usize = 4000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let home = std::env::temp_dir().join(format!("toft-bench-rpc-{}", std::process::id()));
    if std::env::args().any(|arg| arg == "--tokens") {
        let outcome = tokens::figures(&home);
        std::fs::remove_dir_all(&home)?;
        return outcome;
    }
    let mut args = std::env::args().skip_while(|arg| arg != "--calls").skip(1);
    let calls = args.next().map_or(Ok(CALLS), |n| n.parse())?;
    let outcome = Node::start(&home).and_then(|node| figures(&node, calls));
    std::fs::remove_dir_all(&home)?;
    outcome
}

fn figures(node: &Node, calls: usize) -> Outcome<()> {
    let signer = Signer::of(&Secret::random()?, |public| did::key::kid(&did::key::from_ed25519(public)));
    let call = |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        request(
            node.rpc,
            "/rpc",
            &format!("authorization: Bearer {}\r\ncontent-type: application/json\r\n", node.cookie),
            body.as_bytes(),
        )
    };
    let mut ratios = [vec![], vec![]];
    for round in 0..ROUNDS {
        let noise = |n: usize| {
            (0..200)
                .map(|at| (at * 31 + n * 7919 + round * 104_729) as u8 ^ (n >> (at % 13)) as u8)
                .collect::<Vec<u8>>()
        };
        let dwn: Vec<_> = (0..calls).map(|n| dwn_write(node, &signer, &noise(n))).collect::<Outcome<_>>()?;
        let rpc: Vec<_> = (0..calls)
            .map(|n| {
                call(
                    "records.write",
                    json!({"data": encode(&noise(n + calls)), "dataFormat": "application/octet-stream"}),
                )
            })
            .collect();
        let writes = (rate(node.dwn, &dwn)?, rate(node.rpc, &rpc)?);
        let filter = json!({"dataFormat": "application/octet-stream"});
        let more = json!({"dateSort": "createdDescending", "pagination": {"limit": 20}});
        let query = create::records_query(filter.clone(), more.clone(), &now(), Some(&signer))?;
        let dwn = dwn_request(node, signer.did(), &query, &[]);
        let rpc = call(
            "records.query",
            json!({"filter": filter, "dateSort": more["dateSort"], "pagination": more["pagination"]}),
        );
        let queries = (rate(node.dwn, &vec![dwn; calls])?, rate(node.rpc, &vec![rpc; calls])?);
        for ((what, (dwn, rpc)), ratios) in
            [("write 200 B", writes), ("query newest 20", queries)].into_iter().zip(&mut ratios)
        {
            println!("{what}: DWN {dwn:.0}/s, RPC {rpc:.0}/s, {:.2}", rpc / dwn);
            ratios.push(rpc / dwn);
        }
    }
    for (what, ratios) in ["write 200 B", "query newest 20"].iter().zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        println!(
            "{what}, {CLIENTS} clients: median of {ROUNDS} {:.2} ({:.2} to {:.2})",
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[ROUNDS - 1]
        );
    }
    Ok(())
}

fn dwn_write(node: &Node, signer: &Signer, data: &[u8]) -> Outcome<Vec<u8>> {
    let write = create::Write { data_format: "application/octet-stream", ..create::Write::default() };
    let size = data.len() as u64;
    let message = create::records_write(&write, (&cid::of(cid::RAW, data), size), &now(), signer)?;
    Ok(dwn_request(node, signer.did(), &message, data))
}

/// As the stock client sends a message: in a header, with its data as the body.
fn dwn_request(node: &Node, tenant: &str, message: &Value, data: &[u8]) -> Vec<u8> {
    let params = json!({"target": tenant, "message": message});
    let header = json!({"jsonrpc": "2.0", "id": "1", "method": "dwn.processMessage", "params": params});
    request(node.dwn, "/", &format!("dwn-request: {header}\r\n"), data)
}

fn request(to: SocketAddr, path: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: {to}\r\n{head}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Requests a second, over all clients.
fn rate(to: SocketAddr, requests: &[Vec<u8>]) -> Outcome<f64> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            requests.chunks(requests.len().div_ceil(CLIENTS)).map(|own| scope.spawn(move || client(to, own))).collect();
        clients.into_iter().try_for_each(|client| client.join().map_err(|_| "a client has panicked")?)
    })?;
    Ok(requests.len() as f64 / start.elapsed().as_secs_f64())
}

/// Sends each request when the one before it is answered.
fn client(to: SocketAddr, requests: &[Vec<u8>]) -> Outcome<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for request in requests {
        stream.write_all(request)?;
        let answer = answer(&mut answers)?;
        let is_good =
            answer.contains("\"code\":202") || answer.contains("\"code\":200") || answer.contains("\"result\":{\"");
        if !is_good || answer.contains("\"error\"") {
            return Err(format!("unexpected: {answer}").into());
        }
    }
    Ok(())
}

/// Head and body of one answer.
fn answer(from: &mut BufReader<TcpStream>) -> Outcome<String> {
    let (mut all, mut length, mut chunked) = (String::new(), 0, false);
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
        all += &line;
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
    Ok(all + &String::from_utf8_lossy(&body))
}

/// A node on a home of its own.
struct Node {
    child: Child,
    dwn: SocketAddr,
    rpc: SocketAddr,
    cookie: String,
}

impl Node {
    fn start(home: &Path) -> Outcome<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_toft"))
            .args(["up", "--json", "--home"])
            .arg(home)
            .args(["--set", "dwn.listen=127.0.0.1:0", "--set", "dwn.tenants=open", "--set", "gateway.listen="])
            .args(["--set", "rpc.listen=127.0.0.1:0", "--set", "net.listen=/ip4/127.0.0.1/tcp/0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("its output")?).read_line(&mut line)?;
        let facts: Value = serde_json::from_str(&line)?;
        let address = |name: &str| {
            facts[name].as_str().unwrap_or_default().trim_start_matches("http://").trim_end_matches("/rpc").parse()
        };
        let cookie = std::fs::read_to_string(home.join("rpc.cookie"))?;
        Ok(Self { dwn: address("dwn")?, rpc: address("rpc")?, cookie, child })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
