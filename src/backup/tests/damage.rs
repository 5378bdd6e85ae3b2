//! Damage in the home and in the backup, and who is stopped half-way.

use super::*;

/// The file of the block that is the last chunk of some data.
fn block_file(home: &Path, data: &[u8]) -> PathBuf {
    let name = cid::of(cid::RAW, data);
    let mut files =
        list(&home.join("blocks/sha256")).expect("lists").into_iter().flat_map(|dir| list(&dir).expect("lists"));
    let is_it = |path: &PathBuf| blocks::named(path) == cid::sha256_of(&name);
    files.find(is_it).expect("a block file")
}

fn damage(path: &Path) -> Vec<u8> {
    let whole = fs::read(path).expect("reads");
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("writes");
    whole
}

#[test]
fn what_is_damaged_in_the_home_is_not_taken_for_what_it_was() {
    let mut home = home();
    let data = bytes(1, 70_000);
    home.commit("r", Some(&data), Vec::new());
    let file = block_file(home.dir.path(), &data);
    for link in [false, true] {
        home.source.link = link;
        for gone in [false, true] {
            let target = tempfile::tempdir_in(home.dir.path().parent().expect("a parent")).expect("a directory");
            let whole = damage(&file);
            if gone {
                fs::remove_file(&file).expect("removes");
            }
            let taken = home.source.take(target.path(), Check::All).expect("taken");
            let [why] = &taken.damaged[..] else { panic!("{taken:?}") };
            assert!(why.contains("blocks/sha256") && why.contains("of record r of did:example:alice"), "{why}");
            assert_eq!(home.source.blocks.damage().count(), 1);
            // And the backup says so, however it is looked at.
            let found = seen(target.path(), None).expect("looks").damaged;
            assert!(matches!(&found[..], [one] if one.contains("blocks/sha256")), "{found:?}");
            assert!(drilled(target.path(), None).expect_err("it lacks one").to_string().contains("blocks/sha256"));
            // Whole again in the home, it comes into the backup.
            fs::write(&file, &whole).expect("writes");
            let taken = home.source.take(target.path(), Check::All).expect("taken");
            assert_eq!((taken.new_files, taken.damaged.len()), (1, 0), "{taken:?}");
            assert_eq!(seen(target.path(), None).expect("looks").damaged, Vec::<String>::new());
            // What the backup has is not lost by damage in the home.
            if !link {
                let whole = damage(&file);
                let taken = home.source.take(target.path(), Check::All).expect("taken");
                assert_eq!(taken.damaged, Vec::<String>::new());
                assert_eq!(seen(target.path(), None).expect("looks").damaged, Vec::<String>::new());
                fs::write(&file, &whole).expect("writes");
            }
        }
    }
}

#[test]
fn a_look_finds_what_a_drill_finds() {
    let home = home();
    home.commit("packed", Some(&bytes(1, 40_000)), Vec::new());
    home.commit("inline", Some(&bytes(2, 300)), Vec::new());
    for n in 0..20 {
        home.commit(&format!("more{n}"), Some(&bytes(n, 300)), Vec::new());
    }
    let (pack, log) = ("blocks/packs/00000000.pack", "store/log/00000000000000000000.log");
    for (part, record) in [(pack, "packed"), (log, "")] {
        let whole = damage(&home.dir.path().join(part));
        let target = tempfile::tempdir().expect("a directory");
        home.source.take(target.path(), Check::All).expect("taken");
        let found = seen(target.path(), None).expect("looks").damaged;
        let drilled = match drilled(target.path(), None) {
            Ok(drilled) => drilled.scrubbed.named,
            Err(error) => vec![format!("{error:#}")],
        };
        assert!(!found.is_empty() && found.len() == drilled.len(), "{part}: {found:?} {drilled:?}");
        assert!(found.iter().all(|sentence| sentence.contains(record)), "{found:?}");
        assert_eq!(list(target.path()).expect("lists").len(), 3, "nothing is left of looking");
        fs::write(home.dir.path().join(part), whole).expect("writes");
    }
}

#[test]
fn an_object_that_is_damaged_in_the_backup_is_copied_anew() {
    let mut home = home();
    home.commit("r", Some(&bytes(1, 70_000)), Vec::new());
    home.commit("small", Some(&bytes(1, 40_000)), Vec::new());
    for link in [false, true] {
        home.source.link = link;
        let target = tempfile::tempdir().expect("a directory");
        let taken = home.source.take(target.path(), Check::All).expect("taken");
        let files = manifest(target.path(), &taken.snapshot).expect("reads").files;
        for file in files.iter().filter(|file| file.path.starts_with("blocks/")) {
            let path = object(target.path(), &file.sha256);
            // Not the home's own file, where that is linked.
            let copy = fs::read(&path).expect("reads");
            fs::remove_file(&path).expect("removes");
            fs::write(&path, copy).expect("writes");
            damage(&path);
            // The schedule comes by it in its turn.
            let rounds = (0..PARTS).map(|round| home.source.take(target.path(), Check::Part(round)).expect("taken"));
            assert_eq!(rounds.map(|taken| taken.mended).sum::<u64>(), 1, "{}", file.path);
            if !link {
                damage(&path);
                let taken = home.source.take(target.path(), Check::All).expect("taken");
                assert_eq!((taken.mended, taken.new_files), (1, 1), "{taken:?}");
            }
            assert_eq!(seen(target.path(), None).expect("looks").damaged, Vec::<String>::new());
        }
    }
}

#[test]
fn who_is_stopped_leaves_nothing_behind() {
    let home = home();
    home.commit("r", Some(&bytes(1, 300_000)), Vec::new());
    let target = tempfile::tempdir().expect("a directory");
    home.source.take(target.path(), Check::All).expect("taken");
    let (stop, place) = (CancellationToken::new(), tempfile::tempdir().expect("a directory"));
    stop.cancel();
    let into = place.path().join("a/home");
    let wish = Wish::default();
    assert!(restore(target.path(), &into, &wish, &stop).expect_err("stopped").to_string().contains("interrupted"));
    assert!(!place.path().join("a").exists());
    assert!(restore(target.path(), place.path(), &wish, &stop).is_err());
    assert!(list(place.path()).expect("lists").is_empty());
    assert!(runtime().block_on(drill(target.path(), None, &stop)).is_err());
    assert!(runtime().block_on(verify(target.path(), None, &stop)).is_err());
    assert_eq!(list(target.path()).expect("lists").len(), 3);
    // One that was killed has left a stage, and a scratch home.
    for left in [place.path().join(".restoring"), target.path().join("toft-drill-0123")] {
        fs::create_dir(&left).expect("creates");
        fs::write(left.join("lock"), "").expect("writes");
        fs::write(left.join("half"), "of a file").expect("writes");
    }
    restored(target.path(), place.path(), None, None).expect("restores");
    drilled(target.path(), None).expect("drills");
    assert!(!place.path().join(".restoring").exists());
    assert_eq!((list(target.path()).expect("lists").len(), list(place.path()).expect("lists").len()), (3, 4));
}

#[test]
fn what_a_home_lacks_comes_back_into_it() {
    let home = home();
    let large = bytes(1, 600_000);
    home.commit("large", Some(&large), Vec::new());
    home.commit("file", Some(&bytes(2, 70_000)), Vec::new());
    for n in 0..6 {
        home.commit(&format!("packed{n}"), Some(&bytes(10 + n, 31_000)), Vec::new());
    }
    for n in 0..40 {
        home.commit(&format!("inline{n}"), Some(&bytes(n, 300)), Vec::new());
    }
    let target = tempfile::tempdir().expect("a directory");
    home.source.take(target.path(), Check::All).expect("taken");
    // The home goes on after it.
    let later = home.commit("later", Some(&bytes(3, 80_000)), Vec::new()).1.expect("data");
    let moment = home.source.store.moment().expect("a moment");
    let Home { dir, source } = home;
    drop(source);
    let at = dir.path();
    damage(&block_file(at, &bytes(2, 70_000)));
    fs::remove_file(block_file(at, &large[unixfs_chunk(2)..])).expect("removes");
    fs::remove_file(at.join("blocks/packs/00000000.pack")).expect("removes");
    damage(&at.join("blocks/packs/00000001.pack"));
    let mut segments = list(&at.join("store/log")).expect("lists");
    segments.sort();
    assert!(segments.len() > 3);
    fs::remove_file(&segments[1]).expect("removes");
    fs::remove_file(at.join("node.toml")).expect("removes");
    // As a start without that part of the log would leave it.
    fs::remove_dir_all(at.join("store/index")).expect("removes");
    drop(open(at));

    let stores = store::Config { segment_size: 4 << 10, ..store::Config::default() };
    let (settings, stop) = (blocks::Config::default(), CancellationToken::new());
    let put = mend(target.path(), at, (&stores, &settings), None, &stop);
    let done = runtime().block_on(put).expect("mends");
    assert_eq!((done.files, done.missing), (2, Vec::<String>::new()), "{done:?}", done = done.healed);
    assert!(done.healed >= 4, "{}", done.healed);
    let (store, blocks) = open(at);
    let Moment { stats, fingerprint, .. } = store.moment().expect("a moment");
    assert_eq!((stats, fingerprint), (moment.stats, moment.fingerprint));
    assert_eq!((blocks.damage().count(), store.degraded()), (0, Vec::new()));
    assert!(read(&blocks, &later) == bytes(3, 80_000));
    let found = runtime().block_on(blocks.scrub(0, None, &stop)).expect("scrubs");
    assert_eq!((found.damaged, found.complete), (0, true), "{found:?}");
    drop((store, blocks));
    // What the backup lacks as well is listed.
    let file = block_file(at, &bytes(3, 80_000));
    fs::remove_file(&file).expect("removes");
    let put = mend(target.path(), at, (&stores, &settings), None, &stop);
    let done = runtime().block_on(put).expect("mends");
    assert!(matches!(&done.missing[..], [one] if one.contains("of record later")), "{:?}", done.missing);
}

/// Where the last piece of data of 600,000 bytes begins.
fn unixfs_chunk(n: usize) -> usize {
    n * blocks::unixfs::CHUNK
}
