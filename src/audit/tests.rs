//! The log on a disk: chained, cut, changed, dropped.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("temp dir")
}

fn open(home: &tempfile::TempDir) -> Audit {
    Audit::open(home.path(), at("2026-11-21T09:00:00Z")).expect("opens")
}

fn report(audit: &Audit, heads: &[Signed]) -> Report {
    verify(audit.dir(), heads).expect("reads")
}

fn signed(audit: &Audit) -> Signed {
    let Head { n, hash } = audit.head();
    Signed { n, hash, at: "2026-11-21T09:00:00Z".to_owned() }
}

/// A log of one file with some entries in it.
fn some(home: &tempfile::TempDir) -> (Audit, PathBuf) {
    let audit = open(home);
    for n in 0..3 {
        let about = json!({"id": format!("{n}"), "name": "a\nwallet"});
        audit.write_at(What::TokenMade, "owner", about, at("2026-11-21T09:00:01Z")).expect("writes");
    }
    let path = list(audit.dir()).expect("lists").pop().expect("a file");
    (audit, path)
}

#[test]
fn entries_are_chained_over_restarts_and_months() {
    let home = home();
    let (audit, _) = some(&home);
    drop(audit);
    let audit = open(&home);
    audit.write_at(What::TokenRevoked, "token 1", json!({"id": "0"}), at("2026-12-01T00:00:00Z")).expect("writes");
    audit.write_at(What::Login, "owner", Value::Null, at("2026-11-30T23:00:00Z")).expect("a clock set back");
    let found = report(&audit, &[signed(&audit)]);
    assert_eq!((found.files, found.entries, found.n, found.problems), (2, 7, 7, vec![]));
    let entries = audit.newest(3, |entry| entry.what != "audit.file").expect("reads");
    let told: Vec<_> = entries.iter().map(|entry| (entry.n, entry.what.as_str(), entry.who.as_str())).collect();
    assert_eq!(told, [(4, "token.made", "owner"), (6, "token.revoked", "token 1"), (7, "login", "owner")]);
    assert_eq!(entries[0].about["name"], "a\\u{a}wallet");
}

#[test]
fn whatever_byte_is_changed_is_found_where_it_is() {
    let home = home();
    let (audit, path) = some(&home);
    let heads = [signed(&audit)];
    let whole = fs::read(&path).expect("a file");
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).expect("writes");
        let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let problems = report(&audit, &heads).problems;
        let names = |line| problems.iter().any(|problem| problem.starts_with(&format!("2026-11.jsonl, line {line}:")));
        // The last line's end: it looks cut short.
        let is_end = at + 1 == whole.len();
        assert!(names(line) || (is_end && !problems.is_empty()), "byte {at} of line {line}: {problems:?}");
    }
}

#[test]
fn a_line_that_is_taken_out_or_made_up_is_found() {
    let home = home();
    let (audit, path) = some(&home);
    let whole = fs::read_to_string(&path).expect("a file");
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    for out in 0..lines.len() - 1 {
        let without: String = lines.iter().enumerate().filter(|(n, _)| *n != out).map(|(_, line)| *line).collect();
        fs::write(&path, without).expect("writes");
        assert!(!report(&audit, &[]).problems.is_empty(), "line {out}");
    }
    // All written anew from the second entry on, with right hashes.
    let mut log = Log { file: File::create(&path).expect("a file"), path, bytes: 0, head: Head::default(), moved: 0 };
    log.append(What::FileBegun, "node", json!({"version": 1}), at("2026-11-21T09:00:00Z")).expect("writes");
    for _ in 0..3 {
        log.append(What::TokenMade, "nobody", Value::Null, at("2026-11-21T09:00:00Z")).expect("writes");
    }
    assert_eq!(report(&audit, &[]).problems, [""; 0], "the chain alone does not tell");
    let problems = report(&audit, &[signed(&audit)]).problems;
    assert!(
        problems.len() == 1 && problems[0].starts_with("entry 4 is not the one that the node signed"),
        "{problems:?}"
    );
}

#[test]
fn a_tail_that_is_cut_off_is_seen_by_the_signed_head() {
    let home = home();
    let (audit, path) = some(&home);
    let head = signed(&audit);
    let whole = fs::read(&path).expect("a file");
    let cut = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
    fs::write(&path, &whole[..cut]).expect("writes");
    assert_eq!(report(&audit, &[]).problems, [""; 0], "the chain alone does not tell");
    let problems = report(&audit, std::slice::from_ref(&head)).problems;
    assert!(problems.len() == 1 && problems[0].contains("it is not there: the log ends with entry 3"), "{problems:?}");
    fs::remove_file(&path).expect("removes");
    let problems = report(&audit, &[head]).problems;
    assert!(problems.len() == 1 && problems[0].contains("the log ends with entry 0"), "{problems:?}");
}

#[test]
fn what_a_crash_cut_short_is_cut_off_and_said_and_damage_stays_to_be_seen() {
    let home = home();
    let (audit, path) = some(&home);
    drop(audit);
    let whole = fs::read(&path).expect("a file");
    fs::write(&path, [whole.as_slice(), b"{\"n\":5"].concat()).expect("writes");
    let audit = open(&home);
    assert_eq!(report(&audit, &[]).problems, [""; 0]);
    let last = audit.newest(1, |_| true).expect("reads");
    assert_eq!((last[0].what.as_str(), &last[0].about["bytes"]), ("audit.mended", &json!(6)));
    drop(audit);
    // Damage, with a line behind it.
    let mut damaged = fs::read(&path).expect("a file");
    damaged[whole.len() / 2] ^= 1;
    fs::write(&path, &damaged).expect("writes");
    for files in [2, 2] {
        let audit = open(&home);
        audit.write_at(What::Login, "owner", Value::Null, at("2026-11-21T09:00:00Z")).expect("writes");
        let found = report(&audit, &[]);
        assert_eq!(found.files, files);
        assert!(found.problems.iter().all(|problem| problem.starts_with("2026-11.jsonl, line ")), "{found:?}");
        assert!(!found.problems.is_empty());
    }
    // Killed as a file was begun.
    fs::write(path.with_file_name("2026-12.jsonl"), b"{\"n\"").expect("writes");
    let audit = open(&home);
    assert_eq!(report(&audit, &[]).files, 2);
}

#[test]
fn files_of_two_years_ago_go_and_the_log_says_so() {
    let home = home();
    let (audit, path) = some(&home);
    let later = at("2028-12-31T00:00:00Z");
    audit.write_at(What::Login, "owner", Value::Null, later).expect("writes");
    assert!(!path.exists());
    let found = report(&audit, &[]);
    assert_eq!((found.files, found.problems), (1, vec![]));
    let dropped = audit.newest(1, |entry| entry.what == "audit.dropped").expect("reads");
    assert_eq!((&dropped[0].about["file"], &dropped[0].about["lastN"]), (&json!("2026-11.jsonl"), &json!(4)));
    // Without that entry, the front is missing.
    let only = list(audit.dir()).expect("lists").pop().expect("a file");
    let first = fs::read_to_string(&only).expect("a file");
    let first = first.split_inclusive('\n').next().expect("a line");
    fs::write(&only, first).expect("writes");
    assert!(report(&audit, &[]).problems[0].starts_with("the log begins with entry 5"));
}

#[test]
fn refusals_stand_in_it_in_sum() {
    let home = home();
    let audit = open(&home);
    (0..1000).for_each(|_| audit.refused("scope"));
    audit.refused("token-unknown");
    audit.close().expect("closes");
    let told = audit.newest(3, |_| true).expect("reads");
    assert_eq!(
        told.iter().map(|entry| entry.what.as_str()).collect::<Vec<_>>(),
        ["audit.file", "refused", "node.stopped"]
    );
    assert_eq!(Value::from(told[1].about.clone()), json!({"scope": 1000, "token-unknown": 1}));
}

#[test]
fn what_is_changed_beside_the_node_is_written_down_at_the_next_start() {
    let home = home();
    let open = || Audit::open(home.path(), Timestamp::now()).expect("opens");
    let limited = |level: &str, listen: &str, connections: u64| {
        let limits = json!({"connections": connections, "uploads": 8});
        json!({"log": {"level": level, "format": "text"}, "dwn": {"listen": listen, "limits": limits}})
    };
    let settings = |level: &str, listen: &str| limited(level, listen, 1024);
    let start = |settings: &Value| {
        let audit = open();
        let before = audit.head().n;
        audit.started("1", settings).expect("writes");
        let told = audit.newest(9, |entry| entry.n > before && entry.what == "settings.changed").expect("reads");
        told.iter().map(|entry| entry.about["keys"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(start(&settings("info", "a")), [] as [Value; 0], "there was no start before");
    assert_eq!(start(&settings("info", "a")), [] as [Value; 0]);
    assert_eq!(start(&settings("debug", "b")), [json!(["dwn.listen", "log.level"])]);
    assert_eq!(start(&settings("debug", "b")), [] as [Value; 0], "it is said once");
    // What the node was told to change is in the log already.
    open().write(What::SettingsChanged, "owner", json!({"key": "log.level"})).expect("writes");
    assert_eq!(start(&settings("warn", "b")), [] as [Value; 0]);
    open().write(What::SettingsChanged, "owner", json!({"key": "log.level"})).expect("writes");
    assert_eq!(start(&settings("info", "c")), [json!(["dwn.listen"])]);
    assert_eq!(start(&limited("info", "c", 512)), [json!(["dwn.limits.connections"])], "within a table");
    open().write(What::SettingsChanged, "owner", json!({"key": "dwn.limits.connections"})).expect("writes");
    assert_eq!(start(&limited("info", "c", 256)), [] as [Value; 0]);
    // Who changes the file beside the log, too, hides the names and not that there was a change.
    fs::write(home.path().join("audit/settings.json"), settings("info", "d").to_string()).expect("writes");
    assert_eq!(start(&settings("info", "d")), [json!(["unknown: settings.json is not of the last start"])]);
}
