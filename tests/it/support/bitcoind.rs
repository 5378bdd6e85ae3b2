//! A bitcoind of the test's own, on regtest.

use base64::Engine as _;
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tempfile::TempDir;

static BITCOIND: OnceLock<PathBuf> = OnceLock::new();

/// Blocks until the first coins can be spent, and one more.
const MATURE: u32 = 101;
/// How long bitcoind may take to start or to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running bitcoind with a wallet "miner" that has coins. Killed when dropped.
pub struct Bitcoind {
    dir: TempDir,
    port: u16,
    child: Mutex<Child>,
    flags: Mutex<Vec<String>>,
    /// Where mined coins go.
    miner: Value,
}

impl Bitcoind {
    /// Starts one and mines the first coins.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more flags.
    #[track_caller]
    pub fn start_with(more: &[&str]) -> Self {
        let mut node = Self::bare(more);
        node.rpc("createwallet", json!(["miner"]));
        node.miner = node.wallet("miner", "getnewaddress", json!([]));
        node.mine(MATURE);
        node
    }

    /// One that has nothing yet.
    #[track_caller]
    pub fn bare(more: &[&str]) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let flags: Vec<String> = [&["-fallbackfee=0.0001"], more].concat().into_iter().map(Into::into).collect();
        let child = Mutex::new(launch(&dir, port, &flags));
        let node = Self { dir, port, child, flags: Mutex::new(flags), miner: Value::Null };
        node.wait();
        let version = node.rpc("getnetworkinfo", json!([]))["version"].as_u64().unwrap_or_default();
        assert!(
            version >= 290_000,
            "bitcoind of version {version} is older than what users run: scripts/fetch-bitcoind"
        );
        node
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn cookie(&self) -> PathBuf {
        self.dir.path().join("regtest/.cookie")
    }

    /// The address with the credentials in it, as `ots --bitcoin-node` wants it.
    pub fn url_with_credentials(&self) -> String {
        format!("http://{}@127.0.0.1:{}", std::fs::read_to_string(self.cookie()).expect("a cookie"), self.port)
    }

    #[track_caller]
    pub fn rpc(&self, method: &str, params: Value) -> Value {
        self.try_rpc("", method, &params).unwrap_or_else(|e| panic!("{method} {params}: {e}"))
    }

    /// A call to one wallet.
    #[track_caller]
    pub fn wallet(&self, wallet: &str, method: &str, params: Value) -> Value {
        self.try_rpc(&format!("/wallet/{wallet}"), method, &params).unwrap_or_else(|e| panic!("{method} {params}: {e}"))
    }

    pub fn try_rpc(&self, path: &str, method: &str, params: &Value) -> Result<Value, String> {
        let cookie = std::fs::read_to_string(self.cookie()).map_err(|e| e.to_string())?;
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent
            .post(format!("{}{path}", self.url()))
            .header("Authorization", format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(cookie)))
            .send_json(json!({ "method": method, "params": params, "id": 0 }))
            .map_err(|e| e.to_string())?;
        let mut answer: Value = answer.body_mut().read_json().map_err(|e| e.to_string())?;
        if answer["error"].is_null() { Ok(answer["result"].take()) } else { Err(answer["error"].to_string()) }
    }

    /// Mines `n` blocks with what is in the mempool; their hashes.
    #[track_caller]
    pub fn mine(&self, n: u32) -> Vec<String> {
        serde_json::from_value(self.rpc("generatetoaddress", json!([n, self.miner]))).expect("hashes")
    }

    /// Mines one block with just these transactions (hex), whatever is in the mempool.
    #[track_caller]
    pub fn mine_only(&self, transactions: &[String]) {
        self.rpc("generateblock", json!([self.miner, transactions]));
    }

    /// Pays from the miner, in BTC, and confirms it.
    #[track_caller]
    pub fn fund(&self, address: &str, btc: &str) {
        self.wallet("miner", "sendtoaddress", json!([address, btc]));
        self.mine(1);
    }

    /// Makes the wallet "toft" with one coin in it.
    #[track_caller]
    pub fn funded_wallet(&self) {
        self.rpc("createwallet", json!(["toft"]));
        let address = self.wallet("toft", "getnewaddress", json!(["", "bech32"]));
        self.fund(address.as_str().expect("an address"), "0.01");
    }

    /// [`Self::funded_wallet`] where wallets send nothing: the coins are mined to it.
    #[track_caller]
    pub fn funded_wallet_mined(&self) {
        self.rpc("createwallet", json!(["toft"]));
        let address = self.wallet("toft", "getnewaddress", json!(["", "bech32"]));
        self.rpc("generatetoaddress", json!([1, address]));
        self.mine(MATURE);
    }

    /// Payloads that begin with `magic` in any OP_RETURN of the best chain, in order.
    #[track_caller]
    pub fn op_returns(&self, magic: &[u8]) -> Vec<Vec<u8>> {
        let height = self.rpc("getblockcount", json!([])).as_u64().expect("a height");
        let mut found = Vec::new();
        for height in 0..=height {
            let hash = self.rpc("getblockhash", json!([height]));
            let block = self.rpc("getblock", json!([hash, 2]));
            for output in block["tx"].as_array().into_iter().flatten().flat_map(|tx| tx["vout"].as_array()).flatten() {
                let script = hex::decode(output["scriptPubKey"]["hex"].as_str().expect("a script")).expect("hex");
                if let [0x6a, len, payload @ ..] = script.as_slice()
                    && usize::from(*len) == payload.len()
                    && payload.starts_with(magic)
                {
                    found.push(payload.to_vec());
                }
            }
        }
        found
    }

    /// Ends it and starts it again: a new cookie, and no wallet that was not marked to be loaded at start.
    #[track_caller]
    pub fn restart(&self) {
        self.stop();
        self.resume();
    }

    /// Ends it in good order.
    #[track_caller]
    pub fn stop(&self) {
        self.rpc("stop", json!([]));
        let mut child = self.child();
        let start = Instant::now();
        while child.try_wait().expect("it was started here").is_none() {
            assert!(start.elapsed() < PATIENCE, "bitcoind does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it again after [`Self::stop`].
    #[track_caller]
    pub fn resume(&self) {
        let flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *self.child() = launch(&self.dir, self.port, &flags);
        self.wait();
    }

    /// From the next start on, with one more flag.
    pub fn flag(&self, flag: &str) {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner).push(flag.into());
    }

    /// What it keeps on disk.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().join("regtest")
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    fn wait(&self) {
        let start = Instant::now();
        while let Err(e) = self.try_rpc("", "getblockcount", &json!([])) {
            if let Ok(Some(status)) = self.child().try_wait() {
                panic!("bitcoind ended by itself ({status}): {e}");
            }
            assert!(start.elapsed() < PATIENCE, "bitcoind does not start: {e}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Bitcoind {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[track_caller]
fn launch(dir: &TempDir, port: u16, flags: &[String]) -> Child {
    Command::new(super::fetched("fetch-bitcoind", &BITCOIND))
        .args(["-regtest", "-server", "-listen=0", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", "-dbcache=32"])
        .arg("-printtoconsole=0")
        .env("HOME", dir.path())
        .arg(format!("-datadir={}", dir.path().display()))
        .arg(format!("-rpcport={port}"))
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bitcoind starts")
}
