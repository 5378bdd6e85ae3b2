//! Real programs for the tests, started and ended by the test that needs them.

pub mod bitcoind;
pub mod ots;

use std::path::PathBuf;

/// A program that a script has put into the test cache, or that an environment variable names.
#[track_caller]
pub fn program(name: &str, variable: &str, script: &str) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        return PathBuf::from(named);
    }
    let cache = match (std::env::var_os("TOFT_TEST_CACHE"), std::env::var_os("XDG_CACHE_HOME")) {
        (Some(dir), _) => PathBuf::from(dir),
        (None, Some(dir)) => PathBuf::from(dir).join("toft-tests"),
        (None, None) => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/toft-tests"),
    };
    let path = cache.join(name).join("bin").join(name);
    assert!(path.exists(), "this test needs a real {name}, and {} is not there: run {script}", path.display());
    path
}
