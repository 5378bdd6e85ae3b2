//! The real web5 client, with did:dht identities that it publishes to the node itself.

use crate::support::{fetched, toft::Home};
use serde_json::Value;
use std::{path::PathBuf, process::Command, sync::OnceLock};

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
