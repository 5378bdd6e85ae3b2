//! The real web5 client, with did:dht identities that it publishes to the node itself.

use crate::support::{eventually, fetched, stock::Stock, toft::Home};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// `tests/interop/web5/web5.mjs` says what each step is and stops where one fails.
#[test]
fn a_web5_app_lives_on_toft_alone() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let data = tempfile::tempdir().expect("a temp dir");
    let output = Command::new("node")
        .args(["--no-warnings", "web5.mjs", node.url()])
        .arg(data.path())
        .current_dir(fetched("fetch-web5", &FOLDER))
        .output()
        .expect("node runs (install node 18 or later)");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "after these steps:\n{out}it failed:\n{err}");
    let steps: Vec<Value> = out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let names: Vec<_> = steps.iter().filter_map(|step| step["step"].as_str()).collect();
    for expected in [
        "protocol",
        "record",
        "100 kB",
        "query and read",
        "reply",
        "live subscription",
        "update",
        "delete",
        "push",
        "second device",
        "both ways",
    ] {
        assert!(names.contains(&expected), "{expected} is missing in {names:?}");
    }
}

/// `tests/interop/web5/two.mjs` says who writes what, and waits until all have the same.
#[test]
fn two_agents_a_stock_server_and_two_nodes_end_with_the_same() {
    let a = Home::new().set("dwn.tenants", "open").set("remote.every", "1s").up();
    let b = Home::new().set("dwn.tenants", "open").set("remote.every", "1s").set("resolve.dht_gateway", a.url()).up();
    let stock = Stock::with(Some(a.url()));
    let data = tempfile::tempdir().expect("a temp dir");
    let mut agents = Command::new("node")
        .args(["--no-warnings", "two.mjs", &stock.url(), a.url()])
        .arg(data.path())
        .args([&a, &b].map(|node| format!("{} {}", node.did(), node.url())))
        .current_dir(fetched("fetch-web5", &FOLDER))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs (install node 18 or later)");
    let mut steps = BufReader::new(agents.stdout.take().expect("piped"))
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.expect("text")).expect("JSON"));
    let ready = steps.next().expect("it says above why it failed");
    assert_eq!(ready["step"], "ready");
    let alice = ready["alice"].as_str().expect("a DID");
    // The nodes are devices of hers, and both know the server.
    for (here, there) in [(&a, &b), (&b, &a)] {
        here.json(&["peer", "add", there.did(), &there.address("/tcp/"), "--tenant", alice]);
        here.json(&["sync", "add", &stock.url(), "--tenant", alice]);
    }
    writeln!(agents.stdin.take().expect("piped"), "go").expect("it reads");
    let steps: Vec<Value> = steps.collect();
    assert!(agents.wait().expect("it ends").success(), "after these steps it failed: {steps:?}");
    let last = steps.last().expect("the last step");
    assert_eq!((&last["step"], &last["places"]), (&"equal".into(), &5.into()), "{steps:?}");
    eventually("nothing to be put aside", || {
        [&a, &b]
            .into_iter()
            .all(|node| {
                let status = node.json(&["sync", "status"]);
                let server = status.as_array().expect("a list").iter().find(|one| one["url"] == stock.url()).cloned();
                server.is_some_and(|server| server["in_step"] == true)
            })
            .then_some(())
    });
}
