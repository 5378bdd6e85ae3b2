//! Many who connect, few file descriptors, and answers that come before a body has: the built binary and stock clients.

use crate::support::{
    connect_from, fetched,
    sdk::{Sdk, code},
    toft::Home,
    within,
};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Command,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

fn ask(from: Ipv4Addr, to: SocketAddr, path: &str) -> String {
    let mut stream = connect_from(from, to).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a deadline");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n").expect("sends");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answers");
    text
}

fn long() -> bool {
    std::env::var_os("TOFT_LONG").is_some()
}

#[test]
fn with_few_file_descriptors_a_crowd_stops_no_writing() {
    toft::scarce::Files::raise().expect("file descriptors for the crowd");
    let node = Home::new().set("dwn.tenants", "open").limited("-n 1024").up();
    let address: SocketAddr = node.url().strip_prefix("http://").expect("a URL").parse().expect("an address");
    let status = node.json(&["status"]);
    assert_eq!(status["files"]["most"], 1024, "{}", status["files"]);
    let places = status["files"]["dwn_connections"].as_u64().expect("a number");
    assert!((200..700).contains(&places), "{}", status["files"]);
    assert!(status["files"]["fewer"].as_str().is_some_and(|said| said.contains("dwn.limits.connections = 1024 is")));

    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let crowd = Crowd::gather(address);
    let begun = Instant::now();
    assert!(ask(Ipv4Addr::new(127, 0, 0, 2), address, "/health").contains("\"writable\":true"));
    assert!(begun.elapsed() < Duration::from_secs(2), "served after {:?}", begun.elapsed());

    let until = Instant::now() + Duration::from_secs(if long() { 120 } else { 15 });
    let mut written = 0;
    while Instant::now() < until {
        // Some large enough to be files of their own.
        let size = if written % 10 == 0 { 300_000 } else { 20_000 };
        let fields = json!({"url": node.url(), "as": "alice", "tenant": alice, "size": size});
        let reply = sdk.call("write", fields);
        assert_eq!(code(&reply), 202, "{reply}");
        written += 1;
    }
    assert!(written > 20, "{written} records were written");
    let status = node.json(&["status"]);
    assert!(status["read_only"].is_null() && status["degraded"] == json!([]), "{status}");
    drop(crowd);
    within(Duration::from_secs(20), "the places to be free again", || {
        let metrics = ask(Ipv4Addr::LOCALHOST, address, "/metrics");
        let used = metrics.lines().find_map(|line| line.strip_prefix("toft_dwn_connections_used "))?;
        (used.parse::<u64>().ok()? < 20).then_some(())
    });
    node.stop();
}

/// Silent connections: of one address more than there are descriptors, and as many of 200 others; again and again.
struct Crowd {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    fn gather(to: SocketAddr) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (gathered, wait) = mpsc::channel();
        let ends = stop.clone();
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let one = (0..1130).map(|_| connect_from(Ipv4Addr::new(127, 0, 0, 3), to).expect("connects"));
                let many =
                    (0..1130).map(|n| connect_from(Ipv4Addr::new(127, 0, 1, (n % 200) as u8), to).expect("connects"));
                let held: Vec<_> = one.chain(many).collect();
                let _ = gathered.send(()); // who waited has gone on
                thread::sleep(Duration::from_secs(3));
                drop(held);
            }
        });
        wait.recv().expect("gathers");
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// 16 at once, with what stock clients use; 1,000 of each with TOFT_LONG.
#[test]
fn no_client_loses_the_answer_to_a_write_that_is_refused_before_its_body_has_come() {
    let node = Home::new().up();
    let folder = fetched("fetch-web5", &FOLDER);
    for client in ["http", "fetch", "web5"] {
        for (bytes, count) in [(40_000, 200), (300_000, 200), (10 << 20, 48)] {
            let count = if long() { 1000 } else { count };
            let args = ["--no-warnings", "refused.mjs", node.url(), client, &bytes.to_string(), &count.to_string()];
            let output = Command::new("node").args(args).current_dir(folder).output();
            let output = output.expect("node runs (install node 18 or later)");
            let said = String::from_utf8_lossy(&output.stdout);
            let found: Value = serde_json::from_str(&said)
                .unwrap_or_else(|e| panic!("{said}{}: {e}", String::from_utf8_lossy(&output.stderr)));
            println!("{client}, {bytes} bytes: {found}");
            assert_eq!((&found["answered"], &found["lost"]), (&json!(count), &json!(0)), "{client}, {bytes}: {found}");
        }
    }
}
