//! The stock DWN server (npm `@web5/dwn-server`), with its data in a folder of its own.

use super::{eventually, fetched};
use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};
use tempfile::TempDir;

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Stock {
    dir: TempDir,
    port: u16,
    /// Where it looks up did:dht.
    gateway: Option<String>,
    child: Option<Child>,
}

impl Stock {
    pub fn start() -> Self {
        Self::with(None)
    }

    /// `gateway`: where it looks up did:dht.
    pub fn with(gateway: Option<&str>) -> Self {
        let dir = tempfile::tempdir().expect("a temp dir");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a free port").port();
        let mut this = Self { dir, port, gateway: gateway.map(str::to_owned), child: None };
        this.up();
        this
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it (again), on the same port and the data that is there.
    pub fn up(&mut self) {
        let folder = fetched("fetch-stock", &FOLDER);
        std::fs::create_dir_all(self.data()).expect("a folder");
        let mut command = Command::new("node");
        command.arg("--no-warnings");
        if let Some(gateway) = &self.gateway {
            command.arg("--import").arg(folder.join("gateway.mjs")).env("TOFT_TEST_GATEWAY", gateway);
        }
        let child = command
            .arg(folder.join("node_modules/@web5/dwn-server/dist/esm/src/main.js"))
            .current_dir(self.data())
            .env("DS_PORT", self.port.to_string())
            .env("DWN_BASE_URL", self.url())
            .env("DWN_SERVER_LOG_LEVEL", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs (install node 18 to 21)");
        self.child = Some(child);
        eventually("the stock server to answer", || ureq::get(format!("{}/health", self.url())).call().ok());
    }

    pub fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// It has nothing any more.
    pub fn wipe(&mut self) {
        self.down();
        std::fs::remove_dir_all(self.data()).expect("removes");
        self.up();
    }

    /// Its data, to be put elsewhere and back while it is down.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.down();
    }
}
