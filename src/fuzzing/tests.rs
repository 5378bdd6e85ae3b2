//! The targets on stable, without a fuzzer: on their seeds, on what was once found, and on a little damage.

use super::*;
use proptest::prelude::*;
use std::{fs, path::Path};

#[test]
fn every_target_reads_some_of_its_seeds() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(seeds.iter().filter(|seed| (target.run)(seed)).count() > 0, "{}", target.name);
    }
}

#[test]
fn what_fuzzing_has_found_stays_mended() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/regressions");
    let entries = |dir: &Path| -> Vec<_> {
        fs::read_dir(dir)
            .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
            .map(|e| e.expect("an entry").path())
            .collect()
    };
    for folder in entries(&dir).into_iter().filter(|path| path.is_dir()) {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let target = TARGETS.iter().find(|target| target.name == name);
        let target = target.unwrap_or_else(|| panic!("{name} is not a target: rename the folder with it"));
        for file in entries(&folder) {
            (target.run)(&fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_to_a_seed_panics(
        number in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<bool>(),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        for target in TARGETS.iter().filter(|target| target.name != "log_recovery") {
            let seeds = (target.seeds)();
            let mut bytes = number.get(&seeds).clone();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = with;
                if cut { bytes.truncate(at); }
            }
            (target.run)(&bytes);
            (target.run)(&noise);
        }
    }
}
