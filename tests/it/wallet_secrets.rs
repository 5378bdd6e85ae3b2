//! Where tokens and passphrases are looked for: the log, the disk, a backup, the settings as they are shown, the process's arguments and environment.

use crate::support::{
    clients::over_the_socket,
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::{fs, path::Path};

fn own(node: &Toft, method: &str, params: &Value) -> Value {
    let mut answer = over_the_socket(&node.home().path().join("rpc.sock"), method, params);
    assert!(answer["error"].is_null(), "{method}: {answer}");
    answer["result"].take()
}

/// A call over TCP with a token; its status.
fn call(node: &Toft, token: &str, method: &str) -> u16 {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}).to_string();
    let sent = ureq::post(format!("http://{}/rpc", node.rpc()))
        .config()
        .http_status_as_error(false)
        .build()
        .header("content-type", "application/json")
        .header("authorization", &format!("Bearer {token}"))
        .send(body);
    sent.expect("an answer").status().as_u16()
}

/// Files under `dir` that hold one of the secrets, as it is, in hex or as raw bytes.
fn holders(dir: &Path, secrets: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
        if kind.is_dir() {
            found.extend(holders(&path, secrets));
        } else if kind.is_file() {
            let bytes = fs::read(&path).expect("reads");
            if secrets.iter().any(|secret| holds(&bytes, secret)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    let raw = toft::crypto::decode(secret).expect("base64url");
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    [secret.as_bytes(), &raw, hex.as_bytes()].iter().any(|part| bytes.windows(part.len()).any(|window| window == *part))
}

/// Longer than anything that is there by chance, and base64url as the tokens' secrets are.
const PASSPHRASE: &str = "correcthorsebatterystaplecorrecthorsebattery";

#[test]
fn a_passphrase_is_found_nowhere() {
    let apart = tempfile::tempdir().expect("a temp dir");
    let file = apart.path().join("passphrase");
    fs::write(&file, PASSPHRASE).expect("writes");
    let by = ["--passphrase-file", file.to_str().expect("UTF-8")];
    let home = Home::new().set("log.level", "trace").env("CREDENTIALS_DIRECTORY", &apart.path().display().to_string());
    home.json(&[&["init", "--method", "dht"], &by[..]].concat());
    fs::copy(&file, apart.path().join("toft-passphrase")).expect("copies");
    let node = home.up();
    node.json(&["lock"]);
    node.json(&[&["unlock"], &by[..]].concat());
    node.json(&[&["id", "rotate"], &by[..]].concat());
    let all = node.home().path().parent().expect("a folder").to_owned();
    let (export, backup) = (all.join("export"), all.join("backup"));
    let did = node.did().to_owned();
    node.json(&["id", "export", &did, "-o", &export.display().to_string(), "--export-passphrase-file", by[1]]);
    node.json(&["backup", "create", &backup.display().to_string()]);
    let secrets = [PASSPHRASE.to_owned()];
    for args in [&["config", "show"][..], &["audit", "ls"], &["status"], &["id", "show"]] {
        assert!(!node.json(args).to_string().contains(PASSPHRASE), "{args:?}");
    }
    for name in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{name}", node.pid())).expect("reads");
        assert!(!holds(&bytes, PASSPHRASE), "{name}");
    }
    assert!(node.log().len() > 1000 && !node.log().contains(PASSPHRASE), "the log tells it");
    let home = node.stop();
    assert_eq!(holders(apart.path(), &secrets).len(), 2, "the search finds what is there");
    assert_eq!(holders(&all, &secrets), Vec::<String>::new());
    drop(home);
}

#[test]
fn tokens_are_found_nowhere() {
    let home = Home::new().set("rpc.listen", "127.0.0.1:0").set("log.level", "trace");
    let node = home.up();
    let made = node.json(&["token", "create", "app", "--scope", "info", "--scope", "admin"]);
    let token = made["token"].as_str().expect("a token").to_owned();
    let child = own(&node, "tokens.create", &json!({"name": "child", "scopes": ["info"]}));
    let child = child["token"].as_str().expect("a token").to_owned();
    let cookie = fs::read_to_string(node.home().path().join("rpc.cookie")).expect("a cookie");
    for text in [&token, &child, &cookie] {
        assert_eq!(call(&node, text, "node.status"), 200);
        assert_eq!(call(&node, &format!("{text}A"), "node.status"), 401);
    }
    let secret = |text: &str| text.split_once('.').expect("a dot").1.to_owned();
    let secrets = [secret(&token), secret(&child), secret(&cookie)];
    let backup = node.home().path().parent().expect("a folder").join("backup");
    node.json(&["backup", "create", &backup.display().to_string()]);
    own(&node, "tokens.revoke", &json!({"id": made["id"]}));
    for args in [&["config", "show"][..], &["token", "ls"], &["audit", "ls"], &["status"], &["wallet", "ls"]] {
        let shown = node.json(args).to_string();
        assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{args:?}: {shown}");
    }
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{file}", node.pid())).expect("reads");
        assert!(!secrets.iter().any(|secret| holds(&bytes, secret)), "{file}");
    }
    let log = node.log();
    assert!(log.len() > 1000 && !secrets.iter().any(|secret| log.contains(secret)), "the log tells a token");
    let all = node.home().path().parent().expect("a folder").to_owned();
    let home = node.stop();
    assert_eq!(holders(&all, &secrets), Vec::<String>::new(), "the cookie's file goes with the node");
    drop(home);
}
