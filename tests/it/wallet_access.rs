//! Who may call, as a person and a wallet meet it: tokens and pairing by the command line and over TCP, and what the audit log has of it.

use crate::support::{
    root,
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

const WALLET: &str = "https://wallet.example";

fn node() -> Toft {
    Home::new().set("rpc.listen", "127.0.0.1:0").up()
}

/// A call over TCP: its result, or the code of its error.
fn call(
    node: &Toft,
    path: &str,
    (token, origin): (&str, Option<&str>),
    method: &str,
    params: Value,
) -> Result<Value, i64> {
    let mut request = ureq::post(format!("http://{}{path}", node.rpc()))
        .config()
        .http_status_as_error(false)
        .build()
        .header("content-type", "application/json");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut answer: Value = request.send_json(&call).expect("answers").body_mut().read_json().expect("JSON");
    match answer["error"]["code"].as_i64() {
        Some(code) => Err(code),
        None => Ok(answer["result"].take()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

#[test]
fn a_token_of_the_command_line_calls_until_it_is_revoked_also_after_kill_9() {
    let node = node();
    let made = node.json(&["token", "create", "a program", "--scope", "info", "--expires", "30d", "--rate", "100/min"]);
    let (token, id) = (text(&made["token"]), text(&made["id"]));
    let ask = |node: &Toft, method: &str| call(node, "/rpc", (&token, None), method, json!({}));
    assert!(ask(&node, "node.id").is_ok());
    assert_eq!(ask(&node, "pins.list"), Err(-32001));
    assert_eq!(ask(&node, "tokens.list").map(|listed| listed[0]["rate"].clone()), Ok(json!(100)));
    let child = json!({"name": "a part of it", "scopes": ["info"]});
    let child = call(&node, "/rpc", (&token, None), "tokens.create", child).expect("is made");
    let wider = json!({"name": "more", "scopes": ["pins"]});
    assert_eq!(call(&node, "/rpc", (&token, None), "tokens.create", wider), Err(-32602));
    let start = Instant::now();
    node.json(&["token", "revoke", &id]);
    assert_eq!(ask(&node, "node.id"), Err(-32002));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let node = node.kill().up();
    assert_eq!(ask(&node, "node.id"), Err(-32002), "it stays revoked");
    assert_eq!(call(&node, "/rpc", (&text(&child["token"]), None), "node.id", json!({})), Err(-32002));
    let listed = node.json(&["token", "ls"]);
    assert_eq!(listed[0]["state"], "revoked");
    // The secret stands nowhere.
    let (home, secret) = (node.stop(), token.split_once('.').expect("a secret").1.to_owned());
    let (mut folders, mut seen) = (vec![home.path().to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            seen += 1;
            let bytes = fs::read(&entry).unwrap_or_default();
            let is_in = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_in, "{} has the token", entry.display());
        }
    }
    assert!(seen > 5);
    assert!(!home.path().join("rpc.cookie").exists());
}

#[test]
fn a_wallet_page_is_paired_by_the_digits_that_it_shows() {
    let node = node();
    let page = ("", Some(WALLET));
    let wish = json!({"name": "Wallet", "origin": WALLET, "scopes": ["info", "records:read"]});
    let asked = call(&node, "/pair", page, "pair.request", wish.clone()).expect("waits");
    let fetch = json!({"id": asked["id"], "secret": asked["secret"]});
    assert_eq!(call(&node, "/pair", page, "pair.poll", fetch.clone()), Err(-32007));
    assert_eq!(call(&node, "/pair", ("", Some("https://evil.example")), "pair.request", wish), Err(-32602));
    let waiting = node.json(&["wallet", "ls"]);
    assert_eq!((&waiting[0]["origin"], &waiting[0]["words"][1]), (&json!(WALLET), &json!("read all records")));
    let said = String::from_utf8(node.home().run(&["wallet", "ls"]).stdout).expect("text");
    assert!(said.contains("the page https://wallet.example") && !said.contains(&text(&asked["code"])), "{said}");
    assert_eq!(node.home().run(&["wallet", "approve", "12345x"]).status.code(), Some(3));
    node.json(&["wallet", "approve", &text(&asked["code"])]);
    let token = text(&call(&node, "/pair", page, "pair.poll", fetch.clone()).expect("its token")["token"]);
    assert_eq!(call(&node, "/pair", page, "pair.poll", fetch), Err(-32004), "once");
    let ask = |origin| call(&node, "/rpc", (&token, origin), "node.id", json!({}));
    assert!(ask(Some(WALLET)).is_ok());
    assert_eq!(ask(None), Err(-32002), "no program uses it");
    assert!(ask(Some("https://evil.example")).is_err());
    let id = text(&node.json(&["token", "ls"])[0]["id"]);
    node.json(&["wallet", "rm", &id]);
    assert!(ask(Some(WALLET)).is_err());
    let entries = node.json(&["audit", "ls"]);
    let told: Vec<_> = entries.as_array().expect("entries").iter().map(|entry| text(&entry["what"])).collect();
    let told: Vec<_> = told.iter().filter(|what| what.starts_with('t') || what.starts_with('p')).collect();
    assert_eq!(told, ["pairing.approved", "token.made", "token.revoked"]);
    assert!(!entries.to_string().contains("127.0.0.1"), "no addresses");
}

#[test]
fn the_audit_log_is_checked_with_and_without_a_node() {
    let node = node();
    node.json(&["token", "create", "one", "--scope", "info"]);
    assert_eq!(node.json(&["audit", "verify"])["problems"], json!([]));
    let made = node.json(&["audit", "ls", "--what", "token"]);
    assert_eq!((made.as_array().map(Vec::len), &made[0]["about"]["name"]), (Some(1), &json!("one")));
    let home = node.stop();
    let out = home.path().join("export.jsonl");
    home.json(&["audit", "export", "-o", &out.display().to_string()]);
    let exported = fs::read_to_string(&out).expect("a file");
    assert!(exported.lines().last().is_some_and(|line| line.contains("node.stopped")), "{exported}");
    assert_eq!(home.json(&["audit", "verify"])["problems"], json!([]));
    let file = log_file(&home);
    fs::write(&file, exported.replace("\"one\"", "\"two\"")).expect("writes");
    let output = home.run(&["audit", "verify"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("line 4: the hash is not that of the line"), "{said}");
}

/// The only file of the audit log.
fn log_file(home: &Home) -> PathBuf {
    let found = fs::read_dir(home.path().join("audit")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files = found.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.next().expect("a file")
}

#[test]
fn a_tail_of_the_audit_log_that_is_cut_off_while_the_node_is_down_is_seen() {
    let node = node();
    let entries = node.json(&["audit", "ls"]);
    let told: Vec<_> = entries.as_array().expect("entries").iter().map(|entry| text(&entry["what"])).collect();
    assert_eq!(told, ["audit.file", "home.made", "node.started"]);
    assert_eq!(entries[1]["about"], json!({"did": node.did(), "method": "key"}));
    let node = node.stop().up();
    assert_eq!(node.json(&["audit", "verify"])["heads"], 0, "nothing has happened that matters");
    node.json(&["token", "create", "one", "--scope", "info"]);
    let node = node.stop().up();
    let whole = node.json(&["audit", "verify"]);
    assert_eq!((&whole["heads"], &whole["problems"]), (&json!(1), &json!([])));
    let home = node.stop();
    let file = log_file(&home);
    let log = fs::read_to_string(&file).expect("a file");
    let cut: String = log.split_inclusive('\n').take_while(|line| !line.contains("token.made")).collect();
    assert!(cut.len() < log.len());
    fs::write(&file, cut).expect("writes");
    // Also if the node is another identity since.
    let other = home.json(&["id", "new"]);
    home.json(&["id", "use", other["did"].as_str().expect("a DID")]);
    let node = home.up();
    assert_ne!(node.did(), entries[1]["about"]["did"]);
    let output = node.home().run(&["audit", "verify"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("that the node signed"), "{said}");
}

#[test]
fn settings_that_are_changed_beside_the_node_are_named_at_the_next_start() {
    let home = node().stop().set("log.repeats", "61");
    let node = home.up();
    let changed = |node: &Toft| node.json(&["audit", "ls", "--what", "settings"]);
    assert_eq!(changed(&node)[0]["about"]["keys"], json!(["log.repeats"]));
    node.json(&["config", "set", "log.format", "json"]);
    let node = node.stop().up();
    assert_eq!(
        changed(&node).as_array().map(Vec::len),
        Some(2),
        "what the node was told to change it has written down"
    );
}

/// Every scope against every method: what `docs/scopes.md` says is what the node does.
#[test]
fn every_scope_is_let_in_where_the_table_says_and_nowhere_else() {
    let node = node();
    let cookie = fs::read_to_string(node.home().path().join("rpc.cookie")).expect("a cookie");
    let page = fs::read_to_string(root().join("docs/scopes.md")).expect("the page");
    let rows: Vec<Vec<_>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect())
        .collect();
    let listed = node.json(&["token", "scopes"]).as_array().map(Vec::len);
    assert_eq!(listed, Some(rows.len()), "every method is in it");
    let scopes = [
        "info",
        "records:read",
        "records:read:http://a.example/p",
        "records:write",
        "records:write:http://a.example/p",
        "blocks:read",
        "blocks:write",
        "identity:sign:message",
        "identity:sign:credential",
        "identity:sign:login",
        "identity:sign:grant",
        "sync",
        "anchor",
        "pins",
        "backup",
        "admin",
    ];
    let mut pairs = 0;
    for scope in scopes {
        let wanted = json!({"name": scope, "scopes": [scope], "rate": 100_000});
        let made = call(&node, "/rpc", (&cookie, None), "tokens.create", wanted).expect("is made");
        let token = text(&made["token"]);
        for row in &rows {
            let [_, method, need, from, ..] = row.as_slice() else { panic!("{row:?}") };
            let of_it = scope == need || scope.starts_with(&format!("{need}:"));
            let lets_in = from == "anywhere" && (of_it || scope == "admin" || need.ends_with(" token"));
            // A parameter that no method has: who is let in hears of it, and nothing is done.
            let answer = call(&node, "/rpc", (&token, None), method, json!({"no such parameter": 1}));
            assert_eq!(answer, Err(if lets_in { -32602 } else { -32001 }), "{scope} × {method}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, scopes.len() * rows.len());
}

#[test]
fn the_table_of_scopes_needs_no_node() {
    let rows = Home::new().json(&["token", "scopes"]);
    let rows = rows.as_array().expect("rows");
    let scope = |name: &str| rows.iter().find(|row| row["method"] == name).map(|row| text(&row["scope"]));
    assert_eq!(scope("pair.request").as_deref(), Some("no token"));
    assert_eq!(scope("audit.list").as_deref(), Some("admin"));
    assert_eq!(scope("records.query").as_deref(), Some("records:read"));
}

#[test]
fn no_token_makes_changes_or_ends_a_signed_head_of_the_audit_log() {
    const HEAD: &str = "application/vnd.toft.audit-head+json";
    let node = node();
    let scopes = ["--scope", "records:read", "--scope", "records:write", "--scope", "blocks:write"];
    let made = node.json(&[["token", "create", "a program"].as_slice(), &scopes].concat());
    let token = text(&made["token"]);
    // Stopping in order signs the head: a token was made since.
    let node = node.stop().up();
    let ask = |method: &str, params: Value| call(&node, "/rpc", (&token, None), method, params);
    let heads = || ask("records.query", json!({"filter": {"dataFormat": HEAD}})).expect("answers")["entries"].take();
    let before = heads();
    let head = before[0]["recordId"].clone();
    assert!(head.is_string(), "{before}");
    let data = toft::crypto::encode(b"{}");
    let other = ask("records.write", json!({"data": data, "dataFormat": "text/plain"})).expect("any other is written");
    for (method, params) in [
        ("records.write", json!({"data": data, "dataFormat": HEAD})),
        ("records.write", json!({"dataSize": 3, "dataFormat": HEAD})),
        ("records.write", json!({"recordId": head, "data": data})),
        ("records.write", json!({"recordId": head, "published": true})),
        ("records.write", json!({"recordId": head, "dataFormat": "text/plain"})),
        ("records.write", json!({"recordId": other["recordId"], "dataFormat": HEAD})),
        ("records.delete", json!({"recordId": head})),
        ("blocks.add", json!({"data": data, "format": HEAD})),
        ("blocks.add", json!({"dataSize": 3, "format": HEAD})),
    ] {
        assert_eq!(ask(method, params.clone()), Err(-32001), "{method} {params}");
    }
    let file = node.home().path().join("head");
    fs::write(&file, "{}").expect("writes");
    let added = node.home().run(&["add", &file.display().to_string(), "--format", HEAD]);
    assert!(String::from_utf8_lossy(&added.stderr).contains("signed by the node itself"), "{added:?}");
    assert_eq!(heads(), before);
    assert_eq!(node.json(&["audit", "verify"])["problems"], json!([]));
}
