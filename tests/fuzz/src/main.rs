//! One fuzz target of toft, named by `TOFT_FUZZ_TARGET`, under libFuzzer. Built and run by `scripts/fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::{env, fs, path::Path, sync::OnceLock};
use toft::fuzzing::{TARGETS, Target};

static TARGET: OnceLock<&Target> = OnceLock::new();

fn named() -> &'static Target {
    let name = env::var("TOFT_FUZZ_TARGET").unwrap_or_default();
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        panic!("TOFT_FUZZ_TARGET names none of: {}", names.join(" "))
    })
}

/// Writes the target's seeds into `TOFT_FUZZ_SEEDS`, if that is set.
fn begin() {
    let target = TARGET.get_or_init(named);
    if let Some(dir) = env::var_os("TOFT_FUZZ_SEEDS") {
        fs::create_dir_all(&dir).expect("the folder of the seeds can be made");
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(Path::new(&dir).join(format!("seed-{number}")), seed).expect("a seed can be written");
        }
    }
}

fuzz_target!(init: begin(), |bytes: &[u8]| {
    (TARGET.get_or_init(named).run)(bytes);
});
