//! One fuzz target of toft, named by `TOFT_FUZZ_TARGET`, under libFuzzer. Built and run by `scripts/fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fn named() -> fn(&[u8]) {
    let name = std::env::var("TOFT_FUZZ_TARGET").expect("TOFT_FUZZ_TARGET names a target");
    let found = toft::fuzzing::TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("there is no fuzz target {name}")).run
}

fuzz_target!(|bytes: &[u8]| TARGET.get_or_init(named)(bytes));
