//! The toft binary on a temporary home.

use super::bitcoind::Bitcoind;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};
use tempfile::TempDir;

/// A running node. Killed when dropped.
#[derive(Debug)]
pub struct Toft {
    home: Home,
    child: Child,
    /// The line `toft up --json` prints when it is ready.
    pub facts: Value,
}

/// A home, with or without a running node.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
    settings: Vec<(String, String)>,
    /// What `ulimit` is told before the node starts.
    limit: Option<String>,
    /// The network namespace it runs in.
    netns: Option<String>,
    binary: PathBuf,
}

impl Home {
    /// A fresh home: free ports, loopback only.
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// A fresh home on the file system of `dir`.
    pub fn within(dir: &Path) -> Self {
        let settings = [
            ("TOFT_DWN__LISTEN", "127.0.0.1:0"),
            ("TOFT_GATEWAY__LISTEN", "127.0.0.1:0"),
            ("TOFT_NET__LISTEN", "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1"),
        ];
        let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
        let dir = tempfile::tempdir_in(dir).expect("a temp dir");
        Self { dir, settings, limit: None, netns: None, binary: env!("CARGO_BIN_EXE_toft").into() }
    }

    /// Asks this bitcoind about the chain.
    pub fn asks(self, bitcoind: &Bitcoind) -> Self {
        self.set("anchor.bitcoin.network", "regtest")
            .set("anchor.bitcoin.rpc", &bitcoind.url())
            .set("anchor.bitcoin.cookie", &bitcoind.cookie().display().to_string())
            .set("anchor.bitcoin.poll", "200ms")
    }

    /// Pays for anchors from this bitcoind's wallet, when it is told to; two confirmations are final.
    pub fn pays(self, bitcoind: &Bitcoind) -> Self {
        self.asks(bitcoind)
            .set("anchor.mode", "wallet")
            .set("anchor.bitcoin.spend", "true")
            .set("anchor.every", "1h")
            .set("anchor.confirmations", "2")
    }

    /// The node gets less of something, e.g. `-n 1024`: of that many file descriptors no more, ever.
    pub fn limited(mut self, limit: &str) -> Self {
        self.limit = Some(limit.to_owned());
        self
    }

    /// Everything runs in this network namespace.
    pub fn netns(mut self, name: &str) -> Self {
        self.netns = Some(name.to_owned());
        self
    }

    /// Another binary than the one that the tests are built with.
    pub fn binary(mut self, binary: &Path) -> Self {
        self.binary = binary.to_owned();
        self
    }

    /// A variable of the environment that is no setting.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Overrides a setting, e.g. `dwn.tenants`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let name = format!("TOFT_{}", key.to_uppercase().replace('.', "__"));
        self.settings.retain(|(k, _)| *k != name);
        self.settings.push((name, value.to_owned()));
        self
    }

    /// What another home overrides, beside its own.
    pub fn with_settings_of(mut self, other: &Self) -> Self {
        self.settings.extend(other.settings.iter().cloned());
        self
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = match (&self.limit, &self.netns) {
            (None, None) => Command::new(&self.binary),
            (None, Some(netns)) => {
                let mut ip = super::netns::ip();
                ip.args(["netns", "exec", netns]).arg(&self.binary);
                ip
            }
            (Some(limit), _) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]).arg(&self.binary);
                shell
            }
        };
        command.args(args).env("TOFT_HOME", self.path()).envs(self.settings.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("toft runs")
    }

    /// Runs a command with `--json`; it must succeed.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "toft {args:?}: {err}{out}");
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("toft {args:?} printed {out:?}: {e}"))
    }

    /// Starts the node and waits until it is ready.
    #[track_caller]
    pub fn up(self) -> Toft {
        match self.try_up() {
            Ok(toft) => toft,
            Err(said) => panic!("toft up did not start: {said}"),
        }
    }

    /// Starts the node; what it said when it did not come up.
    pub fn try_up(self) -> Result<Toft, String> {
        let log = self.dir.path().join("log");
        let stderr = std::fs::File::options().create(true).append(true).open(&log).expect("a log file");
        let mut child =
            self.command(&["up", "--json"]).stdout(Stdio::piped()).stderr(stderr).spawn().expect("toft runs");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("toft prints");
        match serde_json::from_str(&line) {
            Ok(facts) => Ok(Toft { home: self, child, facts }),
            Err(_) => {
                let _ = out.read_to_string(&mut line);
                let _ = child.wait();
                Err(line + &std::fs::read_to_string(log).unwrap_or_default())
            }
        }
    }
}

impl Toft {
    pub fn home(&self) -> &Home {
        &self.home
    }

    pub fn url(&self) -> &str {
        self.facts["dwn"].as_str().expect("an address")
    }

    /// The address of the wallet RPC.
    pub fn rpc(&self) -> SocketAddr {
        let url = self.facts["rpc"].as_str().expect("rpc.listen is set");
        url.trim_start_matches("http://").trim_end_matches("/rpc").parse().expect("an address")
    }

    pub fn did(&self) -> &str {
        self.facts["did"].as_str().expect("a DID")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory the node takes now.
    pub fn memory(&self) -> u64 {
        self.process_status("VmRSS:")
    }

    fn process_status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is told");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// The most resident bytes that the process ever had.
    pub fn peak_memory(&self) -> u64 {
        self.process_status("VmHWM:")
    }

    /// The address of the DWN endpoint.
    pub fn socket(&self) -> SocketAddr {
        self.url().trim_start_matches("http://").parse().expect("an address")
    }

    /// The first TCP (or QUIC) multiaddr.
    pub fn address(&self, kind: &str) -> String {
        let list = self.facts["addresses"].as_array().expect("addresses");
        let found = list.iter().filter_map(Value::as_str).find(|a| a.contains(kind));
        found.unwrap_or_else(|| panic!("no {kind} in {list:?}")).to_owned()
    }

    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        self.home.json(args)
    }

    /// What the node has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.dir.path().join("log")).unwrap_or_default()
    }

    /// kill -9; the home stays.
    pub fn kill(mut self) -> Home {
        self.child.kill().expect("kills");
        self.child.wait().expect("is gone");
        self.into_home()
    }

    /// Ctrl-C, and waits for a clean end.
    #[track_caller]
    pub fn stop(mut self) -> Home {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
        let status = self.child.wait().expect("ends");
        assert!(status.success(), "toft ended with {status}: {}", self.log());
        self.into_home()
    }

    fn into_home(mut self) -> Home {
        // Drop would kill a process that is gone already, which does nothing.
        std::mem::replace(&mut self.home, Home::new())
    }
}

impl Drop for Toft {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the toft on {} ---\n{}", self.home.path().display(), self.log());
        }
    }
}

/// A file with `size` bytes that no other test has.
pub fn random_file(dir: &Path, name: &str, size: usize) -> (PathBuf, Vec<u8>) {
    let mut bytes = vec![0; size];
    std::fs::File::open("/dev/urandom").expect("randomness").read_exact(&mut bytes).expect("randomness");
    let path = dir.join(name);
    std::fs::write(&path, &bytes).expect("writes");
    (path, bytes)
}
