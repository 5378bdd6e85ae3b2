//! Opening, changing and carrying over; what a crash leaves.

use super::*;
use std::collections::BTreeMap;

fn secrets() -> Secrets {
    Secrets::new(Keys::of_did_key(secrets::random().expect("randomness"), "2026-11-29T09:00:00.000000Z".into()))
        .expect("made")
}

fn home() -> (tempfile::TempDir, Vault, Secrets) {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (vault, secrets) = (Vault::at(&dir.path().join("keys")), secrets());
    (dir, vault, secrets)
}

/// As the first toft wrote them.
fn first(dir: &Path) -> [Secret; 3] {
    let all = [1_u8, 2, 3].map(|n| Secret::from([n; 32]));
    let bytes = |n: u8| vec![n; 32];
    let text = serde_json::to_vec(
        &serde_json::json!({"version": 1, "identity": bytes(1), "peer": bytes(2), "anchor": bytes(3)}),
    );
    let master = Secret::from([9; 32]);
    let sealed = seal::seal(master.expose(), FIRST_CONTEXT, &text.expect("JSON")).expect("seals");
    make_private_dir(dir).expect("made");
    write_private(&dir.join(MASTER), master.expose()).expect("written");
    write_private(&dir.join(FIRST), &sealed).expect("written");
    all
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).expect("lists").map(|entry| entry.expect("lists"));
    let named = entries.map(|entry| (entry.file_name().into_string().expect("UTF-8"), entry.path()));
    named.map(|(name, path)| (name, fs::read(path).expect("reads"))).collect()
}

fn put(dir: &Path, files: &BTreeMap<String, Vec<u8>>) {
    let _ = fs::remove_dir_all(dir);
    make_private_dir(dir).expect("made");
    for (name, bytes) in files {
        write_private(&dir.join(name), bytes).expect("written");
    }
}

fn closed(outcome: Result<Secrets, Error>) -> Option<Closed> {
    outcome.expect_err("is closed").downcast_ref().cloned()
}

#[test]
fn secrets_come_back_private_and_are_never_overwritten() {
    let (_dir, vault, made) = home();
    vault.create(&made, None).expect("creates");
    let opened = vault.open(None).expect("opens");
    assert_eq!(opened.own().seed.expose(), made.own().seed.expose());
    assert_eq!((opened.peer.expose(), opened.anchor.expose()), (made.peer.expose(), made.anchor.expose()));
    assert!(vault.create(&secrets(), None).is_err());
    for name in files(&vault.dir).keys() {
        let mode = fs::metadata(vault.dir.join(name)).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let shown = format!("{made:?}");
    assert!(shown.contains("seed: Secret(…)") && shown.contains("peer: Secret(…)"), "{shown}");
}

#[test]
fn damage_is_named_and_shows_nothing() {
    let (_dir, vault, made) = home();
    vault.create(&made, None).expect("creates");
    let path = vault.dir.join(KEYSTORE);
    let whole = fs::read(&path).expect("reads");
    for at in (0..whole.len()).step_by(17) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).expect("writes");
        let error = format!("{:#}", vault.open(None).expect_err("damaged"));
        assert!(error.contains(KEYSTORE), "byte {at}: {error}");
    }
}

#[test]
fn a_passphrase_opens_and_nothing_else_does() {
    let (_dir, vault, made) = home();
    vault.create(&made, Some(&"correct horse".into())).expect("creates");
    assert!(vault.needs_passphrase().expect("reads") && !vault.dir.join(MASTER).exists());
    assert_eq!(closed(vault.open(None)), Some(Closed::Needed));
    assert_eq!(closed(vault.open(Some(&"correct hors".into()))), Some(Closed::Wrong));
    let opened = vault.open(Some(&"correct horse".into())).expect("opens");
    assert_eq!(opened.own().seed.expose(), made.own().seed.expose());
    // Another passphrase, then none.
    vault.protect(Some(&"correct horse".into()), Some(&"battery staple".into())).expect("changes");
    assert_eq!(closed(vault.open(Some(&"correct horse".into()))), Some(Closed::Wrong));
    vault.protect(Some(&"battery staple".into()), None).expect("changes");
    assert_eq!(vault.open(None).expect("opens").default, made.default);
    assert!(!vault.needs_passphrase().expect("reads"));
}

#[test]
fn what_a_slot_says_of_itself_is_bound() {
    let (_dir, vault, made) = home();
    vault.create(&made, Some(&"correct horse".into())).expect("creates");
    let path = vault.dir.join(KEYSTORE);
    let whole = fs::read_to_string(&path).expect("reads");
    for (from, to, why) in [
        (r#""t":3"#, r#""t":2"#, "not the right one"),
        (r#""t":3"#, r#""t":17"#, "17 passes"),
        (r#""m":65536"#, r#""m":1048577"#, "1048577 KiB"),
        (r#""v":1"#, r#""v":2"#, "version 2"),
        (r#""did":"did:key:z6Mk"#, r#""did":"did:key:z6Mj"#, "does not open"),
        (r#""name":"argon2id""#, r#""name":"argon2i""#, "knows argon2id"),
    ] {
        assert!(whole.contains(from), "{whole}");
        fs::write(&path, whole.replace(from, to)).expect("writes");
        let error = format!("{:#}", vault.open(Some(&"correct horse".into())).expect_err("changed"));
        assert!(error.contains(why), "{from} to {to}: {error}");
    }
}

#[test]
fn a_change_is_kept_and_one_that_fails_changes_nothing() {
    let (_dir, vault, made) = home();
    vault.create(&made, None).expect("creates");
    let another = || Keys::of_did_key(Secret::from([5; 32]), String::new());
    let (changed, ()) = vault.change(None, |secrets| secrets.add(another())).expect("changes");
    assert_eq!(changed.identities.len(), 2);
    assert!(vault.change(None, |secrets| secrets.add(another())).is_err(), "it is there already");
    assert_eq!(vault.open(None).expect("opens").identities.len(), 2);
}

#[test]
fn a_home_of_the_first_toft_opens_and_is_carried_over() {
    let (_dir, vault, _) = home();
    let [identity, peer, anchor] = first(&vault.dir);
    assert!(vault.exists() && !vault.needs_passphrase().expect("reads"));
    let same = |secrets: &Secrets| {
        assert_eq!(secrets.own().seed.expose(), identity.expose());
        assert_eq!((secrets.peer.expose(), secrets.anchor.expose()), (peer.expose(), anchor.expose()));
    };
    let opened = vault.open(None).expect("opens");
    same(&opened);
    let before = files(&vault.dir);
    vault.settle(&opened, None).expect("settles");
    assert_eq!(files(&vault.dir).keys().collect::<Vec<_>>(), [KEYSTORE, MASTER]);
    same(&vault.open(None).expect("opens"));
    // Whatever a crash leaves on the way opens, and is put in order by the next start.
    let after = files(&vault.dir);
    let half = after[KEYSTORE][..after[KEYSTORE].len() / 2].to_vec();
    let new = "keystore.new".to_owned();
    for more in [BTreeMap::from([(new.clone(), half)]), BTreeMap::from([(new, vec![])]), after.clone()] {
        put(&vault.dir, &before.clone().into_iter().chain(more).collect());
        let opened = vault.open(None).expect("opens");
        same(&opened);
        vault.settle(&opened, None).expect("settles");
        same(&vault.open(None).expect("opens"));
        assert!(!vault.dir.join(FIRST).exists());
    }
}

#[test]
fn whatever_a_crash_leaves_of_a_change_of_slots_opens() {
    let (_dir, vault, made) = home();
    let words: Passphrase = "correct horse".into();
    vault.create(&made, None).expect("creates");
    let by_file = files(&vault.dir);
    vault.protect(None, Some(&words)).expect("changes");
    let by_words = files(&vault.dir);
    assert_eq!(by_words.keys().collect::<Vec<_>>(), [KEYSTORE]);
    // The keystore was replaced, the key file not yet deleted.
    let both: BTreeMap<_, _> = by_file.clone().into_iter().chain(by_words.clone()).collect();
    put(&vault.dir, &both);
    assert_eq!(closed(vault.open(None)), Some(Closed::Needed));
    let opened = vault.open(Some(&words)).expect("opens");
    vault.settle(&opened, None).expect("settles");
    assert_eq!(files(&vault.dir), by_words, "the key file went");
    // The way back: a key file was made, the keystore not yet replaced.
    let key = BTreeMap::from([(MASTER.to_owned(), vec![7; 32])]);
    put(&vault.dir, &by_words.clone().into_iter().chain(key).collect());
    assert_eq!(closed(vault.open(None)), Some(Closed::Needed));
    vault.protect(Some(&words), None).expect("changes");
    assert_eq!(vault.open(None).expect("opens").default, made.default);
}

#[test]
fn a_key_file_outside_is_made_moved_and_asked_for() {
    let (dir, vault, made) = home();
    let outside = dir.path().join("stick/key");
    make_private_dir(&dir.path().join("stick")).expect("made");
    vault.create(&made, None).expect("creates");
    let moved = Vault::with_key_file(&vault.dir, &outside).expect("a place");
    let opened = moved.open(None).expect("the key is where it was");
    moved.settle(&opened, None).expect("settles");
    assert_eq!(files(&vault.dir).keys().collect::<Vec<_>>(), [KEYSTORE]);
    moved.settle(&moved.open(None).expect("opens"), None).expect("settles");
    assert_eq!(moved.open(None).expect("opens").default, made.default);
    let error = format!("{:#}", vault.open(None).expect_err("the key is elsewhere"));
    assert!(error.contains("key file is missing"), "{error}");
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o640)).expect("is ours");
    assert!(format!("{:#}", moved.open(None).expect_err("open to others")).contains("chmod 600"));
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o600)).expect("is ours");
    fs::rename(&outside, dir.path().join("gone")).expect("moves");
    assert!(format!("{:#}", moved.open(None).expect_err("gone")).contains("stick/key"));
    for wrong in [&vault.dir.join("x"), Path::new("relative")] {
        assert!(Vault::with_key_file(&vault.dir, wrong).is_err(), "{}", wrong.display());
    }
}
