//! The command line as a person meets it: README's first page, exit codes, `--json`, sentences instead of traces.

use crate::support::{
    eventually,
    toft::{Home, random_file},
};
use std::{
    io::{Read as _, Write as _},
    process::Output,
};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[track_caller]
fn ends(output: &Output, code: i32, words: &[&str]) {
    let text = said(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn the_first_minutes() {
    let home = Home::new();
    ends(&home.run(&["id"]), 3, &["toft init"]);
    ends(&home.run(&["init"]), 0, &["✓ Identity   did:key:z6Mk", "✓ Keys", "→ Next: toft up"]);
    ends(&home.run(&["init"]), 5, &["is a toft home already"]);
    let did = said(&home.run(&["id"])).trim().to_owned();
    assert!(did.starts_with("did:key:z6Mk"), "{did}");
    ends(&home.run(&["status"]), 6, &["needs a running node", "start it with: toft up"]);
    let keys = home.path().join("keys/master.key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(keys).expect("exists").permissions());
    assert_eq!(mode & 0o777, 0o600);

    let node = home.up();
    assert_eq!(node.did(), did, "the identity is kept");
    let home = node.home();
    ends(&home.run(&["status"]), 0, &["Node      up", &did, "Sync      no peers", "Anchor    off"]);
    let dir = tempfile::tempdir().expect("a temp dir");
    let (file, bytes) = random_file(dir.path(), "holiday.jpg", 700_000);
    let file = file.to_str().expect("UTF-8");
    let added = node.json(&["add", file]);
    let cid = added["cid"].as_str().expect("a CID");
    let target = dir.path().join("back.jpg");
    ends(&home.run(&["get", cid, "-o", target.to_str().expect("UTF-8")]), 0, &["✓", cid]);
    assert!(std::fs::read(&target).expect("was written") == bytes);
    for to_terminal in [&["get", cid][..], &["get", cid, "-o", "-"], &["get", cid, "-o", "/dev/stdout"]] {
        assert_eq!(home.run(to_terminal).stdout, bytes, "{to_terminal:?}: to the terminal");
    }
    assert!(!std::path::Path::new("-").exists());
    std::fs::write(&target, "mine").expect("writes");
    ends(&home.run(&["get", cid, "-o", target.to_str().expect("UTF-8")]), 5, &["exists", "--force"]);
    assert_eq!(std::fs::read(&target).expect("is there"), b"mine");
    ends(&home.run(&["get", cid, "--force", "-o", target.to_str().expect("UTF-8")]), 0, &["✓", cid]);
    assert!(std::fs::read(&target).expect("was written") == bytes);
    ends(&home.run(&["get", cid, "-o", "/dev/null"]), 0, &["✓", cid]);
    assert!(!std::fs::metadata("/dev/null").expect("is there").is_file(), "the device is one still");
    assert_eq!(std::fs::read_dir(dir.path()).expect("lists").count(), 2, "the two files, and nothing else");
    ends(&home.run(&["add", "/nowhere/at/all"]), 3, &["cannot open /nowhere/at/all"]);
    ends(&home.run(&["get", "nonsense"]), 2, &["nonsense is not a CID"]);
    let absent = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    ends(&home.run(&["get", absent, "--timeout", "1"]), 6, &[]);
    ends(&home.run(&["anchor", "now"]), 0, &["off"]);
    let record = added["record"].as_str().expect("a record");
    let proof = dir.path().join("p.ots");
    ends(
        &home.run(&["anchor", "proof", record, "-o", proof.to_str().expect("UTF-8")]),
        7,
        &["queued", "anchoring is off"],
    );
    ends(&home.run(&["anchor", "proof", absent, "-o", proof.to_str().expect("UTF-8")]), 3, &[absent]);
    ends(&home.run(&["peer", "add", &did, "/ip4/127.0.0.1/tcp/1"]), 2, &["is this node itself"]);
    ends(&home.run(&["peer", "rm", "did:key:z6Mkabc"]), 3, &["is not a peer"]);
    node.stop();
}

/// A node that sends a piece of a file, and then nothing.
fn half_a_node(home: &Home) -> std::thread::JoinHandle<()> {
    std::fs::create_dir_all(home.path()).expect("creates");
    let listener = std::os::unix::net::UnixListener::bind(home.path().join("rpc.sock")).expect("listens");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        let mut request = vec![];
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            request.extend(byte);
        }
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\npiece\r\n";
        stream.write_all(answer).expect("answers");
        let _ = stream.read_to_end(&mut Vec::new()); // until the other end is gone
    })
}

#[test]
fn a_get_that_is_stopped_leaves_nothing() {
    for (signal, number) in [("-INT", 2), ("-TERM", 15), ("-HUP", 1)] {
        let (home, dir) = (Home::new(), tempfile::tempdir().expect("a temp dir"));
        let node = half_a_node(&home);
        let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        let target = dir.path().join("file");
        let mut get = home.command(&["get", cid, "-o", target.to_str().expect("UTF-8")]);
        let mut get = get.stderr(std::process::Stdio::piped()).spawn().expect("toft runs");
        let count = || std::fs::read_dir(dir.path()).expect("lists").count();
        eventually("the file begun", || (count() == 1).then_some(()));
        // Its name is that of a part.
        assert!(!target.exists());
        eventually("it to listen for the signal", || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", get.id())).ok()?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
            (u64::from_str_radix(caught.trim(), 16).ok()? & 1 << (number - 1) != 0).then_some(())
        });
        let kill = std::process::Command::new("kill").args([signal, &get.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        assert_eq!(get.wait().expect("ends").code(), Some(1), "{signal}");
        assert_eq!(count(), 0, "{signal}");
        node.join().expect("ends");
    }
}

#[test]
fn the_next_step_is_for_the_same_home() {
    let home = Home::new();
    let at = home.path().display().to_string();
    ends(&home.run(&["id"]), 3, &[&format!("toft init --home {at}")]);
    ends(&home.run(&["init"]), 0, &[&format!("→ Next: toft up --home {at}")]);
    ends(&home.run(&["init"]), 5, &[&format!("Next: toft up --home {at}")]);
    ends(&home.run(&["init", "--home", "with a space"]), 0, &["toft up --home '", "with a space'"]);
    std::fs::remove_dir_all("with a space").expect("removes");
    let node = home.up();
    ends(&node.home().run(&["status"]), 0, &[&format!("toft peer add <did> <multiaddr> --home {at}")]);
    ends(&node.home().run(&["peer", "ls"]), 0, &[&format!("toft peer add <did> <multiaddr> --home {at}")]);
    let home = node.stop();
    let dir = tempfile::tempdir().expect("a temp dir");
    let (backup, other) = (dir.path().join("backup"), dir.path().join("other"));
    let (backup, other) = (backup.to_str().expect("UTF-8"), other.to_str().expect("UTF-8"));
    home.json(&["backup", "create", backup]);
    ends(&home.run(&["backup", "restore", backup, "--home", other]), 0, &[&format!("→ Next: toft up --home {other}")]);
    // The default home needs no word.
    let mut plain = std::process::Command::new(env!("CARGO_BIN_EXE_toft"));
    plain.arg("init").env("HOME", dir.path()).env_remove("TOFT_HOME");
    let said = said(&plain.output().expect("runs"));
    assert!(said.trim_end().ends_with("→ Next: toft up"), "{said}");
}

#[test]
fn a_proof_is_read_before_anybody_is_asked() {
    let home = Home::new();
    let dir = tempfile::tempdir().expect("a temp dir");
    let (file, ots) = (dir.path().join("file"), dir.path().join("file.ots"));
    let file = file.to_str().expect("UTF-8");
    std::fs::write(file, "hello").expect("writes");
    // No bitcoind is there to be asked.
    for junk in [&b"junk"[..], &[], &[0; 2 << 20]] {
        std::fs::write(&ots, junk).expect("writes");
        ends(&home.run(&["verify", file]), 2, &["file.ots is no proof that toft reads"]);
    }
    // Magic, version, sha256, a digest of something else, and a calendar that vouches for it.
    let magic = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08";
    let pending = b"\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e\x08\x07https:/";
    std::fs::write(&ots, [&magic[..], &[7; 32], &pending[..]].concat()).expect("writes");
    ends(&home.run(&["verify", file]), 1, &["is a proof of other bytes than"]);
    let digest = <sha2::Sha256 as sha2::Digest>::digest(b"hello");
    std::fs::write(&ots, [&magic[..], digest.as_slice(), &pending[..]].concat()).expect("writes");
    ends(&home.run(&["verify", file]), 7, &["only calendars vouch for it"]);
}

/// What the fetch scripts do once all is there, and so what every run of the tests does.
#[test]
fn the_scripts_that_fetch_touch_nothing_but_their_cache() {
    let home = tempfile::tempdir().expect("a temp dir");
    let real = std::env::var_os("HOME").map(std::path::PathBuf::from).expect("a home");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or(real.join(".cache"), Into::into).join("toft-tests");
    let cache = std::env::var_os("TOFT_TEST_CACHE").map_or(cache, Into::into);
    for script in ["fetch-bitcoind", "fetch-npm tests/interop sdk", "fetch-ots"] {
        // With the person's own settings where something is to be fetched first.
        let mut words = script.split(' ');
        let path = crate::support::root().join("scripts").join(words.next().expect("a name"));
        let run = |home: &std::path::Path| {
            let mut command = std::process::Command::new(&path);
            command.args(words.clone()).env("TOFT_TEST_CACHE", &cache).env("HOME", home).env_remove("XDG_CACHE_HOME");
            let output = command.output().expect("runs");
            assert!(output.status.success(), "{script}: {}", said(&output));
        };
        run(&real);
        run(home.path());
        let left: Vec<_> = std::fs::read_dir(home.path()).expect("lists").collect();
        assert!(left.is_empty(), "{script} made {left:?}");
    }
}

#[test]
fn settings_are_shown_checked_and_refused_by_line() {
    let home = Home::new();
    ends(&home.run(&["config", "show", "--default"]), 0, &["# Who this node is.", "[anchor.bitcoin]"]);
    ends(&home.run(&["config", "show", "--set", "dwn.tenants=open"]), 0, &["tenants = \"open\""]);
    ends(&home.run(&["config", "check", "--set", "dwn.tenant=open"]), 1, &["[dwn] has no key tenant", "its keys are"]);
    ends(&home.run(&["config", "check", "--set", "nonsense"]), 2, &["section.key=value"]);
    let schema = home.json(&["config", "schema"]);
    assert!(schema["properties"]["anchor"].is_object(), "{schema}");
    std::fs::create_dir_all(home.path()).expect("creates");
    std::fs::write(home.path().join("node.toml"), "[net]\nlisten = []\nlisen = 1\n").expect("writes");
    ends(&home.run(&["config", "check"]), 1, &["line 3", "lisen"]);
    let output = home.run(&["config", "check", "--json"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON on standard error");
    assert_eq!(error["error"]["kind"], "failed");
}

#[test]
fn a_peer_that_is_not_there_is_said_and_one_that_did_not_add_us_back_too() {
    let (alone, other) = (Home::new().up(), Home::new().up());
    let address = other.address("/tcp/");
    alone.json(&["peer", "add", other.did(), &address]);
    // The other side knows nothing of us: it closes, and says so on its side.
    eventually("a reason", || alone.json(&["peer", "ls"])[0]["problem"].as_str().map(str::to_owned));
    // A DID that does not live at the address is not believed.
    other.json(&["peer", "add", alone.did(), &alone.address("/tcp/")]);
    eventually("both to be in step", || (alone.json(&["peer", "ls"])[0]["in_sync"] == true).then_some(()));
    let third = Home::new().up();
    alone.json(&["peer", "add", third.did(), &address]);
    let reason = eventually("the mismatch", || {
        let peers = alone.json(&["peer", "ls"]);
        let peer = peers.as_array()?.iter().find(|p| p["did"] == third.did())?;
        peer["problem"].as_str().map(str::to_owned)
    });
    assert!(reason.contains("answers") || reason.contains(other.did()), "{reason}");
}

#[test]
fn records_are_found_page_by_page_and_the_way_is_explained() {
    let node = Home::new().up();
    let home = node.home();
    let dir = tempfile::tempdir().expect("a temp dir");
    let added: Vec<String> = (0..5)
        .map(|n| {
            let (file, _) = random_file(dir.path(), &format!("{n}.bin"), 100);
            let mut args = vec!["add", file.to_str().expect("UTF-8")];
            args.extend((n == 3).then_some("--publish"));
            node.json(&args)["record"].as_str().expect("a record").to_owned()
        })
        .collect();
    let query = |args: &[&str]| home.run(&[&["record", "query"], args].concat());
    let ids = |output: &Output| -> Vec<String> {
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON");
        lines.lines().map(|it| line(it)["recordId"].as_str().expect("a recordId").to_owned()).collect()
    };
    assert_eq!(ids(&query(&[])), added);
    // From page to page with the cursor that each prints.
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut args = vec!["--sort", "createdDescending", "--limit", "2"];
        args.extend(cursor.iter().flat_map(|at| ["--cursor", at]));
        let page = query(&args);
        found.extend(ids(&page));
        let said = String::from_utf8_lossy(&page.stderr).into_owned();
        match said.trim().strip_prefix("→ More: --cursor ") {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    found.reverse();
    assert_eq!(found, added);
    assert_eq!(ids(&query(&["--published"])), added[3..4]);
    assert_eq!(ids(&query(&["--published=false"])).len(), 4);
    assert_eq!(ids(&query(&["--record", &added[1]])), added[1..2]);
    assert!(ids(&query(&["--schema", "example.com/none"])).is_empty());
    assert!(ids(&query(&["--to", "2020-01-01"])).is_empty());

    ends(
        &query(&["--limit", "2", "--explain"]),
        0,
        &[
            "Order     dateCreated ascending",
            "✓ everything: not counted, in order",
            "Scanned   3 entries for 2 records",
        ],
    );
    ends(&query(&["--published", "--explain"]), 0, &["gather and sort everything", "1 entries, by datePublished"]);
    let explained = node.json(&["record", "query", "--record", &added[1], "--explain"]);
    assert_eq!((explained["scanned"].as_u64(), explained["returned"].as_u64()), (Some(1), Some(1)), "{explained}");
    assert_eq!(explained["filters"][0]["considered"][0]["index"], "recordId", "{explained}");

    ends(&query(&["--sort", "publishedAscending", "--published=false"]), 2, &["published:false"]);
    ends(&query(&["--from", "yesterday"]), 2, &["2026-11-21"]);
    ends(&query(&["--tag", "x"]), 2, &["name=value"]);
    let metrics = ureq::get(format!("{}/metrics", node.facts["dwn"].as_str().expect("an address")))
        .call()
        .expect("answers")
        .body_mut()
        .read_to_string()
        .expect("text");
    for name in ["scanned_total", "returned_total", "scanned_per_returned_bucket"] {
        assert!(metrics.contains(&format!("toft_store_query_rows_{name}")), "{metrics}");
    }
    node.stop();
}
