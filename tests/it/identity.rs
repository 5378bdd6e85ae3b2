//! The identities of a node, told as their owner lives with them: made, rotated, lost and brought back, locked.

use crate::support::{
    control::Control,
    eventually,
    toft::{Home, Toft, random_file},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};
use toft::{crypto::phrase::Phrase, identity, vault::Vault};

const PASSPHRASE: &str = "nine green bottles";

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).expect("writes");
    path.to_str().expect("UTF-8").to_owned()
}

const AUDIT_HEAD: &str = "application/vnd.toft.audit-head+json";

#[track_caller]
fn fails(output: &Output, code: i32, words: &str) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(words), "{words:?} is not in: {text}");
}

fn add(node: &Toft, dir: &Path, name: &str) -> Value {
    let (path, _) = random_file(dir, name, 500);
    node.json(&["add", path.to_str().expect("UTF-8")])
}

/// The records of the node itself, but for the signed heads of its audit log.
fn records(node: &Toft) -> Vec<Value> {
    let page = node.json(&["record", "query"]);
    let all = page["entries"].as_array().expect("entries").iter();
    all.filter(|entry| entry["descriptor"]["dataFormat"] != AUDIT_HEAD).cloned().collect()
}

/// Authors' signatures of these records, by key id.
fn kids(node: &Toft) -> Vec<String> {
    let kid = |entry: &Value| {
        let protected = entry["authorization"]["signature"]["signatures"][0]["protected"].as_str().expect("a header");
        let header: Value =
            serde_json::from_slice(&toft::crypto::decode(protected).expect("base64url")).expect("a header");
        header["kid"].as_str().expect("a kid").rsplit('#').next().expect("a fragment").to_owned()
    };
    let mut kids: Vec<_> = records(node).iter().map(kid).collect();
    kids.sort();
    kids
}

/// The messages of a node, as another door judges them: those that it takes.
fn replayed(from: &Toft, to: &Toft) -> usize {
    let entries = records(from);
    let answer = |entry: &Value| {
        let mut message = entry.clone();
        let data = message.as_object_mut().expect("a message").remove("encodedData").expect("small data");
        let data = toft::crypto::decode(data.as_str().expect("text")).expect("base64url");
        let call = json!({"jsonrpc": "2.0", "id": "1", "method": "dwn.processMessage", "params": {"target": from.did(), "message": message}});
        let mut reply = ureq::post(to.facts["dwn"].as_str().expect("a URL"))
            .header("dwn-request", call.to_string())
            .send(&data[..])
            .expect("answers");
        let reply: Value = reply.body_mut().read_json().expect("JSON");
        reply["result"]["reply"]["status"]["code"].as_u64()
    };
    entries.iter().filter(|entry| answer(entry) == Some(202)).count()
}

#[test]
fn a_year_with_a_did_dht() {
    let files = tempfile::tempdir().expect("a temp dir");
    let home = Home::new();
    let made = home.json(&["init", "--method", "dht"]);
    let did = made["did"].as_str().expect("a DID").to_owned();
    let words = made["recovery_phrase"].as_str().expect("words").to_owned();
    assert!(did.starts_with("did:dht:") && words.split(' ').count() == 12);
    let node = home.up();
    assert_eq!(node.did(), did, "it needs nobody else");
    add(&node, files.path(), "before");

    // The key is changed while the node runs, and once more while it does not.
    let rotated = node.json(&["id", "rotate"]);
    assert_eq!(rotated["kid"], format!("{did}#sig-2"));
    assert_eq!(rotated["past"][0]["kid"], format!("{did}#sig"));
    add(&node, files.path(), "after");
    let home = node.stop();
    home.json(&["id", "rotate"]);
    let node = home.up();
    add(&node, files.path(), "later");
    assert_eq!(kids(&node), ["sig", "sig-2", "sig-3"]);

    // Somebody else's node takes what all three keys have signed: it asks this one's relay.
    let gateway = node.facts["dwn"].as_str().expect("a URL").to_owned();
    let other = Home::new().set("dwn.tenants", "open").set("resolve.dht_gateway", &gateway).up();
    assert_eq!(replayed(&node, &other), 3, "old records verify elsewhere");
    // And a node of the same words that has lost everything finds the key that signs now.
    let phrase = file(files.path(), "phrase", &format!("  {}\n", words.to_uppercase()));
    let lost = Home::new().set("resolve.dht_gateway", &gateway).up();
    assert_eq!(node.json(&["id", "verify-phrase", "--phrase-file", &phrase])["did"], json!(did));
    fails(&lost.home().run(&["id", "verify-phrase", "--phrase-file", &phrase]), 3, &did);
    let back = lost.json(&["id", "recover", "--phrase-file", &phrase]);
    assert_eq!((&back["did"], &back["kid"]), (&json!(did), &json!(format!("{did}#sig-3"))));
    lost.json(&["id", "use", &did]);
    let lost = lost.stop().up();
    assert_eq!(lost.did(), did);
    assert_eq!(replayed(&node, &lost), 3, "old records verify where the identity came back");
    add(&lost, files.path(), "anew");
    assert_eq!(kids(&lost), ["sig", "sig-2", "sig-3", "sig-3"]);
}

#[test]
fn words_bring_an_identity_back_without_anybody_and_wrong_ones_do_not() {
    let files = tempfile::tempdir().expect("a temp dir");
    let (a, b) = (Home::new(), Home::new());
    let made = a.json(&["init", "--method", "dht"]);
    let words = made["recovery_phrase"].as_str().expect("words");
    b.json(&["init"]);
    let phrase = file(files.path(), "phrase", words);
    assert_eq!(b.json(&["id", "recover", "--phrase-file", &phrase])["did"], made["did"]);
    fails(&b.run(&["id", "recover", "--phrase-file", &phrase]), 1, "is an identity of this node already");
    let wrong = file(files.path(), "wrong", &words.replacen(' ', " hello", 1));
    fails(&b.run(&["id", "recover", "--phrase-file", &wrong]), 2, "word 2 is not one of");
    // The same words give the same keys: each signs what the other's document names.
    let kid = |home: &Home| home.json(&["id", "show", made["did"].as_str().expect("a DID")])["kid"].clone();
    assert_eq!(kid(&a), kid(&b));
    let keys = identity::of_phrase(&Phrase::parse(words).expect("a phrase"), "").expect("keys");
    let secrets = Vault::at(&b.path().join("keys")).open(None).expect("opens");
    assert_eq!(secrets.keys(&keys.did).expect("is there").seed.expose(), keys.seed.expose());
}

#[test]
fn a_did_key_stays_what_it_is_and_its_records_with_it() {
    let files = tempfile::tempdir().expect("a temp dir");
    let node = Home::new().up();
    let old = node.did().to_owned();
    add(&node, files.path(), "old");
    fails(&node.home().run(&["id", "rotate"]), 5, "toft id new --method dht");
    let new = node.json(&["id", "new"])["did"].as_str().expect("a DID").to_owned();
    let jwk = node.json(&["id", "new", "--method", "jwk"])["did"].as_str().expect("a DID").to_owned();
    let tenants = node.json(&["tenant", "ls"]);
    for did in [&old, &new, &jwk] {
        assert!(
            tenants
                .as_array()
                .expect("a list")
                .iter()
                .any(|tenant| tenant["did"] == **did && tenant["allowed"] == true)
        );
    }
    fails(&node.home().run(&["id", "use", "did:key:nobody"]), 3, "no identity of this node");
    node.json(&["id", "use", &new]);
    let node = node.stop().up();
    assert_eq!(node.did(), new);
    add(&node, files.path(), "new");
    let listed = node.json(&["id", "ls"]);
    let of = |did: &str| listed.as_array().expect("a list").iter().find(|shown| shown["did"] == did).cloned();
    assert_eq!(of(&new).expect("is there")["default"], true);
    assert_eq!(of(&old).expect("is there")["default"], false);
    // The old tenant is still here, with its record.
    let tenants = node.json(&["tenant", "ls"]);
    let messages = |did: &str| {
        let tenant = tenants.as_array().expect("a list").iter().find(|tenant| tenant["did"] == did).cloned();
        tenant.map(|tenant| (tenant["messages"].as_u64(), tenant["allowed"] == true))
    };
    assert_eq!(messages(&old), Some((Some(2), true)), "and the audit log's head, signed when it stopped");
    assert_eq!(messages(&new), Some((Some(1), true)));
    let shown = String::from_utf8(node.home().run(&["id", "show", "--qr"]).stdout).expect("UTF-8");
    assert!(shown.contains(&new) && shown.contains('█'), "{shown}");
}

#[test]
fn a_passphrase_opens_the_keys_and_nothing_else_does() {
    let files = tempfile::tempdir().expect("a temp dir");
    let right = file(files.path(), "right", &format!("{PASSPHRASE}\n"));
    let wrong = file(files.path(), "wrong", "nine green bottle");
    let short = file(files.path(), "short", "seven");
    let home = Home::new();
    fails(&home.run(&["init", "--passphrase-file", &short]), 1, "8 characters");
    let did = home.json(&["init", "--passphrase-file", &right])["did"].clone();
    assert!(!home.path().join("keys/master.key").exists());
    assert_eq!(home.json(&["id"])["did"], did, "who it is, is no secret");
    fails(&home.run(&["id", "ls"]), 2, "--passphrase-file");
    fails(&home.run(&["id", "ls", "--passphrase-file", &wrong]), 4, "not the right one");
    fails(&home.run(&["up", "--passphrase-file", &wrong]), 1, "not the right one");
    assert_eq!(home.json(&["id", "ls", "--passphrase-file", &right])[0]["did"], did);

    // As systemd brings it.
    fs::rename(&right, files.path().join("toft-passphrase")).expect("moves");
    let home = home.env("CREDENTIALS_DIRECTORY", files.path().to_str().expect("UTF-8"));
    let node = home.up();
    add(&node, files.path(), "a");
    // Backups of it open with the passphrase alone.
    let copy = files.path().join("copy");
    node.json(&["backup", "create", copy.to_str().expect("UTF-8")]);
    let home = node.stop();
    let twin = Home::new();
    twin.json(&["backup", "restore", copy.to_str().expect("UTF-8")]);
    fails(&twin.run(&["id", "ls"]), 2, "--passphrase-file");
    let twin = twin.env("CREDENTIALS_DIRECTORY", files.path().to_str().expect("UTF-8")).up();
    assert_eq!(json!(twin.did()), did);
    drop(twin);
    // Another passphrase, then none.
    let next = file(files.path(), "next", "ten green bottles");
    home.json(&["id", "passphrase", "--new-passphrase-file", &next]);
    fails(&home.run(&["id", "ls"]), 4, "not the right one");
    home.json(&["id", "passphrase", "--none", "--passphrase-file", &next]);
    assert_eq!(home.json(&["id", "ls"])[0]["did"], did);
    assert!(home.path().join("keys/master.key").exists());
}

#[test]
fn a_file_asks_for_no_more_than_its_bounds() {
    let files = tempfile::tempdir().expect("a temp dir");
    let right = file(files.path(), "right", PASSPHRASE);
    let home = Home::new();
    home.json(&["init", "--passphrase-file", &right]);
    let path = home.path().join("keys/keystore.json");
    let whole = fs::read_to_string(&path).expect("reads");
    for (from, to) in [(r#""m":65536"#, r#""m":4194304"#), (r#""t":3"#, r#""t":1000000"#), (r#""p":1"#, r#""p":1000"#)]
    {
        fs::write(&path, whole.replace(from, to)).expect("writes");
        let started = std::time::Instant::now();
        fails(&home.run(&["id", "ls", "--passphrase-file", &right]), 1, "not what toft wrote");
        assert!(started.elapsed().as_secs() < 5, "{to}");
    }
}

#[test]
fn an_identity_is_carried_over_in_a_file() {
    let files = tempfile::tempdir().expect("a temp dir");
    let right = file(files.path(), "right", PASSPHRASE);
    let wrong = file(files.path(), "wrong", "nine green bottle");
    let (a, b) = (Home::new().up(), Home::new().up());
    let did = a.json(&["id", "new"])["did"].as_str().expect("a DID").to_owned();
    a.json(&["id", "rotate", &did]);
    let to: PathBuf = files.path().join("identity");
    let to = to.to_str().expect("UTF-8");
    fails(&a.home().run(&["id", "export", &did, "-o", to]), 2, "--export-passphrase-file");
    a.json(&["id", "export", &did, "-o", to, "--export-passphrase-file", &right]);
    fails(&a.home().run(&["id", "export", &did, "-o", to, "--export-passphrase-file", &right]), 5, "exists");
    fails(&b.home().run(&["id", "import", to, "--export-passphrase-file", &wrong]), 4, "not that of this file");
    let imported = b.json(&["id", "import", to, "--export-passphrase-file", &right]);
    assert_eq!((&imported["did"], &imported["kid"]), (&json!(did), &json!(format!("{did}#sig-2"))));
    assert_eq!(b.json(&["id", "show", &did])["past"], a.json(&["id", "show", &did])["past"]);
    // A running node says how keys have come to it.
    let made = a.json(&["id", "new"]);
    let phrase = file(files.path(), "phrase", made["recovery_phrase"].as_str().expect("words"));
    b.json(&["id", "recover", "--phrase-file", &phrase]);
    let of = |did: &Value| json!({"did": did, "handedOver": true});
    let expected = [("identity.imported", of(&json!(did))), ("identity.recovered", of(&made["did"]))];
    let told: Vec<_> = noted(&b).into_iter().filter(|(what, _)| what != "refused").collect();
    assert_eq!(told, expected.map(|(what, about)| (what.to_owned(), about)));
}

/// The status that a node answers with when the data of an upload has not come.
fn answers_without_data(node: &Toft, path: &str) -> u16 {
    let mut stream = UnixStream::connect(node.home().path().join("rpc.sock")).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("sets");
    let head = format!("PUT {path} HTTP/1.0\r\nhost: toft\r\ncontent-length: 3000000\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sends");
    let mut status = [0; 12];
    stream.read_exact(&mut status).expect("it answers before the data comes");
    String::from_utf8_lossy(&status[9..]).parse().expect("a status")
}

#[test]
fn a_locked_node_reads_and_does_not_sign() {
    let files = tempfile::tempdir().expect("a temp dir");
    let right = file(files.path(), "toft-passphrase", PASSPHRASE);
    let wrong = file(files.path(), "wrong", "nine green bottle");
    let home = Home::new();
    home.json(&["init", "--method", "dht", "--passphrase-file", &right]);
    let node = home.env("CREDENTIALS_DIRECTORY", files.path().to_str().expect("UTF-8")).up();
    let kept = add(&node, files.path(), "kept");
    // Addresses that were given before, and that what they do would be signed.
    let rpc = Control::of(node.home());
    let upload = |method: &str, format: &str| {
        let asked = rpc.call(method, json!({"dataSize": 3_000_000, format: "image/png"}));
        asked["upload"]["path"].as_str().expect("a path").to_owned()
    };
    let uploads = [upload("records.write", "dataFormat"), upload("blocks.add", "format")];
    let read = rpc.call("records.read", json!({"recordId": kept["record"], "download": true}));
    assert_eq!(node.json(&["lock"])["locked"], true);
    for path in uploads {
        assert_eq!(answers_without_data(&node, &path), 423, "{path}");
    }
    let download = read["download"]["path"].as_str().expect("a path");
    assert_eq!(rpc.send("GET", download, &[]).0, 423);
    assert_eq!(rpc.fails("blocks.add", json!({"dataSize": 5})).kind, "locked");
    let (path, _) = random_file(files.path(), "refused", 500);
    let refused = node.home().run(&["add", path.to_str().expect("UTF-8")]);
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("toft unlock"),
        "{refused:?}"
    );
    let to = files.path().join("read");
    node.json(&["get", kept["cid"].as_str().expect("a CID"), "-o", to.to_str().expect("UTF-8")]);
    assert_eq!(node.json(&["id", "ls"])[0]["locked"], true);
    fails(&node.home().run(&["unlock", "--passphrase-file", &wrong]), 4, "not the right one");
    assert_eq!(node.json(&["id", "ls"])[0]["locked"], true);
    assert_eq!(node.json(&["unlock"])["locked"], false);
    add(&node, files.path(), "again");
    // A change asks for the passphrase anew, and a wrong one changes nothing.
    fails(&node.home().run(&["id", "rotate", "--passphrase-file", &wrong]), 4, "not the right one");
    assert_eq!(node.json(&["id", "rotate", "--passphrase-file", &right])["past"].as_array().expect("a list").len(), 1);
    add(&node, files.path(), "rotated");
    assert_eq!(kids(&node), ["sig", "sig", "sig-2"]);
}

/// What the audit log has of identities, without when and by whose hash.
fn noted(node: &Toft) -> Vec<(String, Value)> {
    let entries = node.json(&["audit", "ls"]);
    let entries = entries.as_array().expect("entries").iter();
    let entries = entries.map(|entry| (entry["what"].as_str().expect("text").to_owned(), entry["about"].clone()));
    entries.filter(|(what, _)| !["audit", "node", "home"].contains(&what.split('.').next().expect("a word"))).collect()
}

#[test]
fn the_audit_log_has_what_became_of_identities_and_no_secret() {
    let files = tempfile::tempdir().expect("a temp dir");
    let right = file(files.path(), "toft-passphrase", PASSPHRASE);
    let wrong = file(files.path(), "wrong", "nine green bottle");
    let of_file = file(files.path(), "of-file", "a dozen green bottles");
    let home = Home::new();
    let did = home.json(&["init", "--passphrase-file", &right])["did"].as_str().expect("a DID").to_owned();
    let node = home.env("CREDENTIALS_DIRECTORY", files.path().to_str().expect("UTF-8")).up();
    let made = node.json(&["id", "new"]);
    let (dht, words) = (made["did"].as_str().expect("a DID"), made["recovery_phrase"].as_str().expect("words"));
    node.json(&["id", "rotate", dht]);
    node.json(&["id", "use", dht]);
    let login = json!({"use": "login", "origin": "https://shop.example", "challenge": "the-challenge"});
    let rpc = Control::of(node.home());
    let signed = rpc.call("identity.sign", json!({"did": did, "wanted": login}));
    let credential = json!({"type": ["VerifiableCredential"], "issuer": did, "credentialSubject": {"id": "did:example:a", "age": 40}});
    rpc.call("identity.sign", json!({"did": did, "wanted": {"use": "credential", "credential": credential}}));
    node.json(&["lock"]);
    for _ in 0..2 {
        fails(&node.home().run(&["unlock", "--passphrase-file", &wrong]), 4, "not the right one");
    }
    node.json(&["unlock"]);
    let to = |name: &str| files.path().join(name).to_str().expect("UTF-8").to_owned();
    node.json(&["id", "export", &did, "-o", &to("own"), "--export-passphrase-file", &of_file]);
    let home = node.stop();

    // The same without a node: the command writes it down itself.
    home.json(&["id", "rotate", dht, "--compromised"]);
    home.json(&["id", "use", &did]);
    home.json(&["id", "export", dht, "-o", &to("other"), "--export-passphrase-file", &of_file]);
    let other = Home::new();
    other.json(&["init"]);
    other.json(&["id", "import", &to("other"), "--export-passphrase-file", &of_file]);
    let next = file(files.path(), "next", "ten green bottles");
    home.json(&["id", "passphrase", "--new-passphrase-file", &next]);
    fs::copy(&next, &right).expect("copies");

    let node = home.up();
    let kid = |n: u8| format!("{dht}#sig-{n}");
    let expected = [
        ("identity.made", json!({"did": dht, "handedOver": true})),
        ("identity.rotated", json!({"did": dht, "kid": kid(2), "compromised": false})),
        ("identity.used", json!({"did": dht})),
        ("login", json!({"did": did, "origin": "https://shop.example"})),
        ("credential.signed", json!({"did": did, "subject": "did:example:a"})),
        ("keys.locked", json!({})),
        ("keys.unlocked", json!({})),
        ("identity.exported", json!({"did": did})),
        ("identity.rotated", json!({"did": dht, "kid": kid(3), "compromised": true})),
        ("identity.used", json!({"did": did})),
        ("identity.exported", json!({"did": dht})),
        ("passphrase.changed", json!({"passphrase": true})),
    ];
    // When refusals are summed up, a clock says.
    let (refused, noted_here): (Vec<_>, Vec<_>) = noted(&node).into_iter().partition(|(what, _)| what == "refused");
    assert_eq!(noted_here, expected.map(|(what, about)| (what.to_owned(), about)));
    assert_eq!(refused.iter().filter_map(|(_, about)| about["wrong passphrase"].as_u64()).sum::<u64>(), 2);
    assert_eq!(node.json(&["audit", "verify"])["problems"], json!([]));
    assert_eq!(noted(&other.up()), [("identity.imported".to_owned(), json!({"did": dht}))]);
    let jwt = signed["jwt"].as_str().expect("a JWT");
    let log = node.json(&["audit", "ls"]).to_string();
    for secret in ["green bottle", words, jwt, "the-challenge"] {
        assert!(!log.contains(secret), "{secret} is in the audit log");
    }
}

#[test]
fn what_is_published_is_what_was_consented_to() {
    let relay = Home::new().up();
    let gateway = relay.facts["dwn"].as_str().expect("a URL").to_owned();
    let has = |did: &str| {
        let id = did.strip_prefix("did:dht:").expect("a did:dht");
        ureq::get(&format!("{gateway}/{id}")).call().is_ok()
    };
    // Without consent nobody is told.
    let quiet = Home::new().set("resolve.dht_gateway", &gateway);
    quiet.json(&["init", "--method", "dht"]);
    let quiet = quiet.up();
    // With it, the gateway has it, and what is new as well.
    let open = Home::new().set("resolve.dht_gateway", &gateway);
    let did = open.json(&["init", "--publish"])["did"].as_str().expect("a DID").to_owned();
    assert!(did.starts_with("did:dht:"));
    let open = open.up();
    eventually("the document to be published", || has(&did).then_some(()));
    let more = open.json(&["id", "new"])["did"].as_str().expect("a DID").to_owned();
    eventually("the new one to be published", || has(&more).then_some(()));
    assert!(!has(quiet.did()));
}

#[test]
fn killed_at_any_moment_the_keys_open() {
    let files = tempfile::tempdir().expect("a temp dir");
    let home = Home::new();
    let did = home.json(&["init"])["did"].clone();
    let words = [file(files.path(), "one", "one green bottle"), file(files.path(), "two", "two green bottles")];
    let opens = |home: &Home| {
        let by = |more: &[&str]| home.run(&[&["id", "ls", "--json"][..], more].concat()).status.success();
        let ways = [&[][..], &["--passphrase-file", &words[0]], &["--passphrase-file", &words[1]]];
        ways.into_iter().find(|more| by(more)).map(<[&str]>::to_vec)
    };
    let mut cut = 0;
    for round in 0..12 {
        let by = opens(&home).expect("the keys open in one way");
        let next = [["--none", "--none"], ["--new-passphrase-file", &words[0]], ["--new-passphrase-file", &words[1]]];
        let next = &next[round % 3];
        let next: &[&str] = if next[0] == "--none" { &next[..1] } else { &next[..] };
        let mut change = home.command(&[&["id", "passphrase"][..], next, &by].concat());
        let mut change =
            change.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("runs");
        std::thread::sleep(std::time::Duration::from_millis(40 * round as u64));
        let _ = change.kill();
        cut += usize::from(!change.wait().expect("ends").success());
    }
    println!("killed before the end: {cut} of 12");
    let by = opens(&home).expect("the keys open in one way");
    assert_eq!(home.json(&[&["id", "ls"][..], &by].concat())[0]["did"], did);
}

/// A query that nobody signed: for what is published.
fn published(node: &Toft, format: &str) -> usize {
    let message = json!({"descriptor": {
        "interface": "Records", "method": "Query", "messageTimestamp": format!("{:.6}", jiff::Timestamp::now()),
        "filter": {"dataFormat": format},
    }});
    let call = json!({"jsonrpc": "2.0", "id": "1", "method": "dwn.processMessage", "params": {"target": node.did(), "message": message}});
    let mut reply = ureq::post(node.url()).header("dwn-request", call.to_string()).send_empty().expect("answers");
    let reply: Value = serde_json::from_str(&reply.body_mut().read_to_string().expect("text")).expect("JSON");
    reply["result"]["reply"]["entries"].as_array().unwrap_or_else(|| panic!("{reply}")).len()
}

#[test]
fn a_node_that_is_started_without_its_passphrase_serves_and_begins_the_rest_when_it_is_unlocked() {
    let (files, nothing) = (tempfile::tempdir().expect("a temp dir"), tempfile::tempdir().expect("a temp dir"));
    let right = file(files.path(), "toft-passphrase", PASSPHRASE);
    let wrong = file(files.path(), "wrong", "nine green bottle");
    let home = Home::new().set("anchor.mode", "wallet").set("anchor.bitcoin.spend", "true");
    home.json(&["init", "--passphrase-file", &right]);
    let a = home.env("CREDENTIALS_DIRECTORY", files.path().to_str().expect("UTF-8")).up();
    let b = Home::new().up();
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
    let other = a.json(&["id", "new", "--method", "dht"])["did"].as_str().expect("a DID").to_owned();
    let (path, bytes) = random_file(files.path(), "public", 500);
    let path = path.to_str().expect("UTF-8").to_owned();
    let cid = a.json(&["add", &path, "--publish", "--format", "text/plain"])["cid"].as_str().expect("a CID").to_owned();
    a.json(&["id", "rotate", &other]);
    let known = a.json(&["id", "ls"]);
    eventually("both to be in step", || (b.json(&["peer", "ls"])[0]["in_sync"] == true).then_some(()));
    let (did, peer) = (a.did().to_owned(), a.facts["peer"].clone());

    // Nobody is there to type it.
    let a = a.stop().env("CREDENTIALS_DIRECTORY", nothing.path().to_str().expect("UTF-8")).up();
    assert_eq!((a.did(), &a.facts["locked"], &a.facts["peer"]), (&*did, &json!(true), &Value::Null));
    let status = a.json(&["status"]);
    assert_eq!((&status["identity"]["locked"], &status["identity"]["peer"]), (&json!(true), &Value::Null), "{status}");
    let is_told = |value: &Value| value.as_str().is_some_and(|text| text.contains("toft unlock"));
    eventually("sync to say why it waits", || is_told(&a.json(&["peer", "ls"])[0]["problem"]).then_some(()));
    assert!(is_told(&a.json(&["anchor", "status"])["problem"]));
    let mut locked = known.clone();
    locked.as_array_mut().expect("a list").iter_mut().for_each(|one| one["locked"] = true.into());
    assert_eq!(a.json(&["id", "ls"]), locked, "it knows whose keys it has, and those of before");
    assert_eq!(published(&a, "text/plain"), 1);
    let url = format!("{}{cid}", a.facts["gateway"].as_str().expect("a gateway"));
    assert_eq!(ureq::get(&url).call().expect("serves").body_mut().read_to_vec().expect("bytes"), bytes);
    fails(&a.home().run(&["add", &path]), 4, "toft unlock");
    fails(&a.home().run(&["get", "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"]), 4, "toft unlock");
    // The tenant that another of its identities is, is let in: it is asked for its signature, not turned away.
    assert!(a.json(&["tenant", "ls"]).to_string().contains(&other));
    fails(&a.home().run(&["unlock", "--passphrase-file", &wrong]), 4, "not the right one");
    b.json(&["add", &path]);

    assert_eq!(a.json(&["unlock", "--passphrase-file", &right])["locked"], false);
    let status = eventually("it to be reached", || {
        Some(a.json(&["status"])).filter(|status| status["identity"]["addresses"] != json!([]))
    });
    assert_eq!((&status["identity"]["peer"], &status["identity"]["locked"]), (&peer, &json!(false)));
    // B has an old address of it, and it has B's.
    eventually("both to be in step", || (a.json(&["peer", "ls"])[0]["in_sync"] == true).then_some(()));
    assert!(!is_told(&a.json(&["anchor", "status"])["problem"]));
    assert_eq!(a.json(&["id", "ls"]), known);
    add(&a, files.path(), "again");
    a.stop();
}
