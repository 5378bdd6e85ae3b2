//! The node under attack, and what it must still do.

use crate::{
    stranger::{HONEST, Person},
    support::toft::{Home, Toft},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// What an honest client waits for an answer under any flood.
pub const SERVED_WITHIN: Duration = Duration::from_secs(1);
/// What a paired device waits for its connection.
pub const CONNECTED_WITHIN: Duration = Duration::from_secs(5);
/// What the node may hold in memory under a flood, in MiB.
pub const MEMORY_MAX: u64 = 250;
/// What it may hold a minute after it, as a multiple of before.
pub const MEMORY_AFTER: f64 = 1.5;

/// One flood at a time, with as many file descriptors as it takes: shells give fewer.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    toft::scarce::Files::raise().expect("file descriptors for the flood");
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Is the long version wanted?
pub fn is_long() -> bool {
    std::env::var_os("TOFT_LONG").is_some()
}

/// The release binary, built if need be.
pub fn release() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(named) = std::env::var_os("TOFT_ATTACKS_BIN") {
            return named.into();
        }
        let debug = Path::new(env!("CARGO_BIN_EXE_toft"));
        let target = debug.ancestors().nth(2).expect("target/debug/toft");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--quiet"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", target)
            .status();
        assert!(built.expect("cargo runs").success(), "the release build failed");
        target.join("release/toft")
    })
}

/// A node that keeps anybody's records: the release binary with these settings.
pub fn guarded(settings: &[(&str, &str)]) -> Home {
    let home = Home::new().binary(release()).set("dwn.tenants", "open");
    settings.iter().fold(home, |home, (key, value)| home.set(key, value))
}

/// The same as a debug build with bounds raised beyond their maxima.
pub fn unguarded(settings: &[(&str, &str)]) -> Home {
    let home = Home::new().env(toft::bounds::BEYOND, "1").set("dwn.tenants", "open");
    settings.iter().fold(home, |home, (key, value)| home.set(key, value))
}

/// What the attacked node is asked.
pub trait Attacked {
    /// Resident memory, in MiB.
    fn memory_mib(&self) -> u64;
    /// An honest client at another address is served, several times in a row.
    fn serves_others(&self) -> Result<(), String>;
}

impl Attacked for Toft {
    fn memory_mib(&self) -> u64 {
        self.memory() >> 20
    }

    fn serves_others(&self) -> Result<(), String> {
        let honest = Person::at(HONEST);
        for round in 0..5 {
            let took = honest.is_served(self.socket())?;
            if took > SERVED_WITHIN {
                return Err(format!("round {round} took {took:?}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

/// Holds `flood` against the node and looks whether it still does what it must. The flood returns what holds it up, or
/// what somebody else no longer got.
#[track_caller]
pub fn withstands<H>(node: &Toft, flood: impl FnOnce(&Toft) -> Result<H, String>) {
    if let Err(why) = is_withstood(node, flood) {
        panic!("{why}");
    }
}

/// Says what the node no longer did under `flood`.
fn is_withstood<H>(node: &Toft, flood: impl FnOnce(&Toft) -> Result<H, String>) -> Result<(), String> {
    node.serves_others().expect("it serves before the flood");
    let before = node.memory_mib();
    let held = flood(node)?;
    let served = node.serves_others().map_err(|why| format!("an honest client was not served under the flood: {why}"));
    let during = node.memory_mib();
    drop(held);
    served?;
    if during > MEMORY_MAX {
        return Err(format!("{during} MiB under the flood, {before} MiB before"));
    }
    println!("memory: {before} MiB before, {during} MiB under the flood");
    // What was held is free again: the node serves the attacker's address too.
    let after = Person::at(crate::stranger::ATTACKER);
    let end = Instant::now() + Duration::from_secs(45);
    while let Err(why) = after.is_served(node.socket()) {
        if Instant::now() > end {
            return Err(format!("after the flood the address is still shut out: {why}"));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    if is_long() {
        std::thread::sleep(Duration::from_secs(60));
        let later = node.memory_mib();
        println!("memory: {later} MiB a minute later");
        if later as f64 > before as f64 * MEMORY_AFTER {
            return Err(format!("{later} MiB a minute after the flood, {before} MiB before"));
        }
    }
    let log = node.log();
    if let Some(line) = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked")) {
        return Err(format!("the log has an error: {line}"));
    }
    if log.len() > 1 << 20 {
        return Err(format!("the flood wrote {} bytes of log", log.len()));
    }
    Ok(())
}

/// Shows that a guard matters: without it, the flood does its harm.
#[track_caller]
pub fn falls<H>(node: &Toft, flood: impl FnOnce(&Toft) -> Result<H, String>) {
    match is_withstood(node, flood) {
        Ok(()) => panic!("the flood did no harm without the guard: it tests nothing"),
        Err(harm) => println!("without the guard: {harm}"),
    }
}
