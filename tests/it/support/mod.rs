//! Real parts for the tests: the toft binary, the npm SDK, kubo, helia, bitcoind, `ots`, Chromium, the clients.

pub mod bitcoind;
pub mod chromium;
pub mod clients;
pub mod control;
pub mod dag;
pub mod disk;
pub mod hostile;
pub mod netns;
pub mod ots;
pub mod random;
pub mod calendar;
pub mod peers;
pub mod proxy;
pub mod relay;
pub mod between;
pub mod sdk;
pub mod stock;
pub mod toft;

use socket2::{Domain, Socket, Type};
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The clone.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs one of the project's fetch scripts (idempotent, locked) and returns the last line it prints.
/// What cannot be fetched fails the test: a missing part is never skipped over.
pub fn fetched(script: &'static str, once: &'static OnceLock<PathBuf>) -> &'static Path {
    once.get_or_init(|| fetch(script))
}

fn fetch(script: &str) -> PathBuf {
    let path = root().join("scripts").join(script);
    let output = Command::new(&path).output().unwrap_or_else(|e| panic!("running {}: {e}", path.display()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/{script} failed; run it by hand to see more:\n{errors}");
    let text = String::from_utf8(output.stdout).expect("a path");
    PathBuf::from(text.lines().last().unwrap_or_else(|| panic!("scripts/{script} printed no path")).trim())
}

/// A connection from an address of this machine, made in two seconds or not at all.
pub fn connect_from(from: impl Into<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    // A node dials from the port it listens on: a flood that has the same port must not be in its way on this one machine.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::new(from.into(), 0).into())?;
    socket.connect_timeout(&to.into(), Duration::from_secs(2))?;
    Ok(socket.into())
}

/// Asks `f` until it says yes; panics with `what` after a minute.
#[track_caller]
pub fn eventually<T>(what: &str, f: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(60), what, f)
}

/// Asks `f` until it says yes, at most `limit`.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut f: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = f() {
            return found;
        }
        assert!(Instant::now() < end, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
