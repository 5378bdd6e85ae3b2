//! What is the owner's alone: the keys in memory, the files of the home, passwords in the settings.

use crate::support::{
    eventually,
    toft::{Home, Toft, random_file},
};
use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use toft::{
    crypto::Secret,
    vault::{Kdf, Passphrase, Vault},
};

/// How often a process has the secrets in its memory; `None`: it cannot be read.
fn counts(pid: u32, secrets: &[&Secret]) -> Option<Vec<usize>> {
    Some(found(pid, secrets)?.iter().map(Vec::len).collect())
}

/// Addresses at which a process has the secrets in its memory; `None`: it cannot be read.
fn found(pid: u32, secrets: &[&Secret]) -> Option<Vec<Vec<u64>>> {
    const PAGE: u64 = 4096;
    let open = |name: &str| File::open(format!("/proc/{pid}/{name}")).ok();
    let (mut memory, mut pages) = (open("mem")?, open("pagemap")?);
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut places = vec![vec![]; secrets.len()];
    for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[v")) {
        let range = line.split(' ').next()?.split_once('-')?;
        let number = |text: &str| u64::from_str_radix(text, 16).expect("an address");
        let (begin, end) = (number(range.0), number(range.1));
        // Most of what an allocator maps has never been touched.
        let mut entries = vec![0; ((end - begin) / PAGE * 8) as usize];
        pages.seek(SeekFrom::Start(begin / PAGE * 8)).and_then(|_| pages.read_exact(&mut entries)).ok()?;
        // A page's end is looked at again with the next one.
        let mut kept: Vec<u8> = vec![];
        for (n, entry) in entries.chunks_exact(8).enumerate() {
            // Present, or swapped out.
            if entry[7] & 0xc0 == 0 {
                kept.clear();
                continue;
            }
            let (from, mut page) = (kept.len(), [0; PAGE as usize]);
            let at = SeekFrom::Start(begin + n as u64 * PAGE);
            if memory.seek(at).and_then(|_| memory.read_exact(&mut page)).is_err() {
                continue;
            }
            kept.extend(page);
            for (places, secret) in places.iter_mut().zip(secrets) {
                let [first, second, ..] = secret.expose();
                let begins = (0..kept.len() - 1).filter(|&at| kept[at] == *first && kept[at + 1] == *second);
                let begins = begins.filter(|&at| kept[at..].starts_with(&secret.expose()[..]));
                places.extend(begins.map(|at| begin + n as u64 * PAGE + at as u64 - from as u64));
            }
            kept.drain(..from + page.len() - 31);
        }
    }
    Some(places)
}

/// What the system says of the mapping that an address lies in.
fn flags(pid: u32, address: u64) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).expect("root reads it");
    let mut inside = false;
    for line in maps.lines() {
        let range = line.split(' ').next().and_then(|word| word.split_once('-'));
        let number = |text| u64::from_str_radix(text, 16).ok();
        if let Some((from, to)) = range.and_then(|(from, to)| Some((number(from)?, number(to)?))) {
            inside = (from..to).contains(&address);
        }
        if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
            return flags.split_whitespace().map(str::to_owned).collect();
        }
    }
    panic!("nothing is mapped at {address:x}")
}

/// Locked against swapping, in no core file, and not given to children.
fn is_guarded(pid: u32, address: u64) -> bool {
    let flags = flags(pid, address);
    ["lo", "dd", "dc"].iter().all(|flag| flags.iter().any(|has| has == flag))
}

/// What a signature is computed with, besides the seed: its hash gives the scalar, modulo the group's order, and the prefix.
fn expanded(seed: &Secret) -> [Secret; 2] {
    use sha2::Digest as _;
    let hash = sha2::Sha512::digest(seed.expose());
    let (scalar, prefix) = hash.split_at(32);
    let mut clamped: [u8; 32] = scalar.try_into().expect("32 bytes");
    (clamped[0], clamped[31]) = (clamped[0] & 248, clamped[31] & 127 | 64);
    [Secret::from(clamped), Secret::from_slice(prefix).expect("32 bytes")]
}

/// The master key of a keystore with one slot, as `docs/formats.md` says where it lies.
fn master(keystore: &Path, key: &Secret) -> Secret {
    let text = fs::read_to_string(keystore).expect("reads");
    // The slot as it stands there, without what is wrapped.
    let (_, slot) = text.split_once(r#""slots":[{"#).expect("a slot");
    let (header, wrapped) = slot.split_once(r#","wrapped":""#).expect("it is wrapped");
    let (wrapped, _) = wrapped.split_once('"').expect("it ends");
    let context = format!("toft/keystore/v1/slot/{{{header}}}");
    let sealed = toft::crypto::decode(wrapped).expect("base64url");
    let opened = toft::crypto::seal::open(key.expose(), context.as_bytes(), &sealed).expect("opens");
    Secret::from_slice(&opened).expect("32 bytes")
}

/// How long after its use a key must not lie in memory at the latest.
fn soon() -> Duration {
    if std::env::var("TOFT_LONG").is_ok_and(|long| long == "1") {
        Duration::from_secs(60)
    } else {
        Duration::from_secs(2)
    }
}

#[test]
fn the_memory_of_a_node_holds_a_key_once_and_nobody_may_read_it() {
    let files = tempfile::tempdir().expect("a temp dir");
    let a = Home::new().up();
    let b = Home::new().up();
    // Work for the keys: records are signed, a peer is greeted, leaves get nonces.
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
    for n in 0..20 {
        let (path, _) = random_file(files.path(), &format!("{n}"), 1000);
        a.json(&["add", path.to_str().expect("UTF-8")]);
    }
    a.json(&["anchor", "status"]);
    eventually("both to be in step", || (b.json(&["peer", "ls"])[0]["in_sync"] == true).then_some(()));
    let keys = a.home().path().join("keys");
    let secrets = Vault::at(&keys).open(None).expect("opens");
    let seed = &secrets.own().seed;
    let [scalar, prefix] = expanded(seed);
    let file = Secret::from_slice(&fs::read(keys.join("master.key")).expect("reads")).expect("32 bytes");
    let master = master(&keys.join("keystore.json"), &file);
    let wanted = [seed, &secrets.anchor, &scalar, &prefix, &file, &master, &secrets.peer];
    match found(a.pid(), &wanted) {
        Some(places) => {
            let counts: Vec<_> = places.iter().map(Vec::len).collect();
            println!("seed, anchor, scalar, prefix, key file, master key, peer: {counts:?} times");
            assert_eq!(counts[..6], [1, 1, 0, 0, 0, 0], "seed, anchor, scalar, prefix, key file, master key");
            assert!(is_guarded(a.pid(), places[0][0]) && is_guarded(a.pid(), places[1][0]), "their pages are");
        }
        // As it should be for everybody but root.
        None => assert_ne!(own_uid(), 0, "root may read it"),
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", a.pid())).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    // Of a process that is not dumpable, the system gives everything to root.
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(fs::metadata(format!("/proc/{}/environ", a.pid())).expect("is there").uid(), 0);
    let status = fs::read_to_string(format!("/proc/{}/status", a.pid())).expect("a status");
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("a number").trim();
    assert_ne!(locked, "0 kB", "the keys' pages are locked");
}

/// A passphrase as long as a key, so that it is looked for in the same way.
const PASSPHRASE: &str = "thirty-two characters, no more..";

#[test]
fn the_memory_of_a_node_holds_no_passphrase_and_no_key_of_a_locked_one() {
    let files = tempfile::tempdir().expect("a temp dir");
    let file = files.path().join("toft-passphrase");
    fs::write(&file, PASSPHRASE).expect("writes");
    let home = Home::new();
    home.json(&["init", "--method", "dht", "--passphrase-file", file.to_str().expect("UTF-8")]);
    let node = home.env("CREDENTIALS_DIRECTORY", files.path().to_str().expect("UTF-8")).up();
    let words = || Passphrase::given(PASSPHRASE.as_bytes().to_vec().into()).expect("a passphrase");
    let keys = node.home().path().join("keys");
    let seed = || Vault::at(&keys).open(Some(&words())).expect("opens").identities.remove(0).seed;
    let keystore: serde_json::Value =
        serde_json::from_slice(&fs::read(keys.join("keystore.json")).expect("reads")).expect("JSON");
    let kdf: Kdf = serde_json::from_value(keystore["slots"][0]["kdf"].clone()).expect("a kdf");
    let (passphrase, key) =
        (Secret::from_slice(PASSPHRASE.as_bytes()).expect("32 bytes"), kdf.derive(&words()).expect("derives"));
    let master = master(&keys.join("keystore.json"), &key);
    let looked = |node: &Toft| {
        let seed = seed();
        let [scalar, prefix] = expanded(&seed);
        counts(node.pid(), &[&passphrase, &key, &master, &scalar, &prefix, &seed])
    };
    let add = |name: &str| {
        let (path, _) = random_file(files.path(), name, 1000);
        node.json(&["add", path.to_str().expect("UTF-8")]);
    };
    add("a");
    let Some(open) = looked(&node) else { return assert_ne!(own_uid(), 0, "root may read it") };
    println!("passphrase, the key of it, master key, scalar, prefix, seed: {open:?}");
    node.json(&["lock"]);
    let locked = looked(&node).expect("root reads it");
    println!("locked: {locked:?}");
    node.json(&["unlock"]);
    node.json(&["id", "rotate"]);
    add("b");
    let again = looked(&node).expect("root reads it");
    println!("unlocked and rotated: {again:?}");
    std::thread::sleep(soon());
    let later = looked(&node).expect("root reads it");
    println!("{:?} after: {later:?}", soon());
    let (signs, is_locked) = ([0, 0, 0, 0, 0, 1], [0; 6]);
    assert_eq!([&open[..], &locked, &again, &later], [&signs[..], &is_locked, &signs, &signs]);
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").expect("is there").uid()
}

/// Every file and folder below, with the rights that others than its owner have to it.
fn open_to_others(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let what = fs::symlink_metadata(&path).expect("is there");
        if what.permissions().mode() & 0o077 != 0 {
            found.push(path.clone());
        }
        if what.is_dir() {
            found.extend(open_to_others(&path));
        }
    }
    found
}

#[test]
fn the_files_of_a_home_and_of_its_copies_are_for_one_user_whatever_the_umask() {
    let (files, home) = (tempfile::tempdir().expect("a temp dir"), Home::new());
    // The umask is inherited; a shell sets it for the node alone.
    let quoted = |args: &[&str]| {
        let command = home.command(args);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| format!("'{}'", word.to_str().expect("UTF-8"))).collect::<Vec<_>>().join(" ")
    };
    let under_umask = |args: &[&str]| {
        let mut shell = std::process::Command::new("sh");
        let command = home.command(args);
        shell.args(["-c", &format!("umask 0; exec {}", quoted(args))]);
        shell.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        shell
    };
    let mut node = under_umask(&["up", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs");
    let mut line = String::new();
    let out = node.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("it is ready");
    let (small, _) = random_file(files.path(), "small", 40_000);
    let (large, _) = random_file(files.path(), "large", 3_000_000);
    for path in [&small, &large] {
        home.json(&["add", path.to_str().expect("UTF-8")]);
    }
    let (copy, twin) = (files.path().join("backup"), files.path().join("twin"));
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    home.json(&["backup", "create", &text(&copy)]);
    assert_eq!(open_to_others(&home.path()), Vec::<PathBuf>::new(), "while it runs");
    assert!(
        std::process::Command::new("kill").args(["-INT", &node.id().to_string()]).status().expect("runs").success()
    );
    node.wait().expect("ends");
    for args in [
        &["storage", "compact"][..],
        &["backup", "create", &text(&copy)],
        &["backup", "restore", &text(&copy), "--home", &text(&twin)],
    ] {
        let done = under_umask(args).output().expect("runs");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    for dir in [&home.path(), &copy, &twin] {
        assert_eq!(open_to_others(dir), Vec::<PathBuf>::new(), "{}", dir.display());
        assert_eq!(fs::metadata(dir).expect("is there").permissions().mode() & 0o077, 0);
    }
}
