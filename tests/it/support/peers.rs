//! Real kubo and helia as child processes that obey lines on stdin (see `tests/peers/`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// How long a peer may take to start on a busy machine.
const START: Duration = Duration::from_secs(120);
/// How long a command may take beyond the time it was given.
const ANSWER: Duration = Duration::from_secs(120);

/// A running peer; it is killed when dropped.
pub struct Peer {
    name: &'static str,
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    pub addresses: Vec<String>,
    pub id: String,
    pub dir: TempDir,
}

impl Peer {
    /// kubo, on TCP and QUIC.
    #[track_caller]
    pub fn kubo() -> Peer {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(part("venv/bin/python"));
        command.arg(part("kubo.py")).arg(dir.path().join("repo")).arg(free_port().to_string());
        // Its home, so that it reads no configuration of the person who runs the tests.
        command.env("HOME", dir.path());
        Peer::start("kubo", command, dir)
    }

    /// helia, on TCP.
    #[track_caller]
    pub fn helia() -> Peer {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(part("node"));
        command.arg(part("helia.mjs")).env("HOME", dir.path());
        Peer::start("helia", command, dir)
    }

    #[track_caller]
    fn start(name: &'static str, mut command: Command, dir: TempDir) -> Peer {
        let log = std::fs::File::create(dir.path().join("stderr")).expect("a log file");
        let mut child = command
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} does not start: {e}"));
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (tx, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| tx.send(line)));
        let mut peer = Peer { name, child, stdin, lines, addresses: Vec::new(), id: String::new(), dir };
        while peer.id.is_empty() {
            let line = peer.line(START);
            if let Some(address) = line.strip_prefix("ADDR ") {
                peer.addresses.push(address.to_owned());
            } else if let Some(id) = line.strip_prefix("READY ") {
                peer.id = id.to_owned();
            }
        }
        peer
    }

    /// Runs a command; the result, or the peer's reason.
    #[track_caller]
    pub fn run(&mut self, command: &str) -> Result<String, String> {
        tokio::task::block_in_place(|| {
            self.begin(command);
            loop {
                let line = self.line(ANSWER);
                let rest = |text: &str| text.split_once(' ').map_or(String::new(), |(_, rest)| rest.to_owned());
                if let Some(text) = line.strip_prefix("OK ") {
                    return Ok(rest(text));
                }
                if let Some(text) = line.strip_prefix("ERR ") {
                    return Err(rest(text));
                }
            }
        })
    }

    /// Gives a command whose answer nobody will wait for.
    #[track_caller]
    pub fn begin(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").unwrap_or_else(|e| panic!("{} is gone: {e}", self.name));
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> String {
        match self.run(command) {
            Ok(result) => result,
            Err(reason) => panic!("{}: `{command}` failed: {reason}\n{}", self.name, self.stderr()),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The address with this part (`/tcp/`, `/quic-v1`).
    #[track_caller]
    pub fn address(&self, part: &str) -> &str {
        let found = self.addresses.iter().find(|a| a.contains(part));
        found.unwrap_or_else(|| panic!("{} has no {part} address: {:?}", self.name, self.addresses))
    }

    #[track_caller]
    fn line(&mut self, within: Duration) -> String {
        match self.lines.recv_timeout(within) {
            Ok(line) => line,
            Err(error) => panic!("{} says nothing ({error}); its errors:\n{}", self.name, self.stderr()),
        }
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that scripts/fetch-peers brings.
#[track_caller]
fn part(name: &str) -> PathBuf {
    super::fetched("fetch-peers", &FOLDER).join(name)
}

/// A port free for TCP and UDP. kubo cannot be asked which port it got, so one is chosen for it.
fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = tcp.local_addr().expect("a bound socket has an address").port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
