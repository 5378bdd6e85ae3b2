//! Random stories, told to the JS SDK and then, over the wire, to a node: every step must end as it ended there.
//!
//! A story is some 130 messages of four people: records, updates, deletes, queries with cursors, protocols, grants,
//! delegates, owners who keep copies, roles (`tests/vectors/generate*.mjs`). Those kept as vectors never change; here
//! are others, told anew in each run by the SDK itself. A step that differs names its generator and seed.

use crate::support::{fetched, root, toft::Home};
use serde_json::{Value, json};
use std::{ops::Range, path::PathBuf, process::Command, sync::OnceLock};
use toft::{cid, crypto};

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Where `data` is a number: so many bytes.
const PATTERN: u64 = 251;

fn seeds() -> Range<u32> {
    if std::env::var_os("TOFT_LONG").is_some() { 100..160 } else { 100..102 }
}

#[test]
fn records_and_queries_go_as_they_go_in_the_sdk() {
    replay("generate.mjs", "stories.json");
}

#[test]
fn grants_and_roles_go_as_they_go_in_the_sdk() {
    replay("generate-permissions.mjs", "permissions.json");
}

#[track_caller]
fn replay(generator: &str, file: &str) {
    // Beside the SDK, where the generators find it.
    let folder = tempfile::tempdir_in(fetched("fetch-sdk", &FOLDER)).expect("a temp dir");
    for name in ["common.mjs", generator] {
        std::fs::copy(root().join("tests/vectors").join(name), folder.path().join(name)).expect("copies");
    }
    // A few at a time: a story takes seconds, and its messages some memory.
    let all: Vec<u32> = seeds().collect();
    let mut wrong = vec![];
    for seeds in all.chunks(4) {
        let mut told = Command::new("node");
        let start = jiff::Timestamp::now().as_second() - 300;
        told.env("TOFT_STORY_START", (start * 1000).to_string());
        told.args(["--no-warnings", generator, "."]).args(seeds.iter().map(u32::to_string)).current_dir(folder.path());
        let output = told.output().expect("node runs (install node 18 to 21)");
        assert!(output.status.success(), "{generator}: {}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(folder.path().join(file)).expect("it was written");
        let stories: Value = serde_json::from_str(&text).expect("JSON");
        for (seed, story) in seeds.iter().zip(stories["stories"].as_array().expect("a list")) {
            let steps = story["steps"].as_array().expect("a list");
            assert!(steps.len() > 100, "{generator} {seed} is short: {}", steps.len());
            // Everybody tells of the same tenant.
            let node = Home::new().set("dwn.tenants", "open").up();
            for (number, step) in steps.iter().enumerate() {
                let expected = outcome_there(step);
                let seen = outcome_here(node.url(), &story["tenant"], step);
                if seen != expected {
                    // What comes after it in this story may differ for this reason alone.
                    wrong.push(format!(
                        "{generator}, seed {seed}, step {number}: {step:#}\nthere: {expected}\nhere:  {seen}"
                    ));
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} stories differ\n{}", wrong.len(), wrong.join("\n"));
}

/// What the SDK said, as far as both must say the same: a cursor of MessagesQuery is private to a node.
fn outcome_there(step: &Value) -> Value {
    json!([step["code"], step["detail"], step["body"], step["data_cid"], step["cursor"]])
}

fn outcome_here(url: &str, tenant: &Value, step: &Value) -> Value {
    let data = match &step["data"] {
        Value::Null => None,
        Value::Number(size) => Some((0..size.as_u64().expect("a size")).map(|i| (i % PATTERN) as u8).collect()),
        text => Some(crypto::decode(text.as_str().expect("text")).expect("base64url")),
    };
    let (mut reply, body) = send(url, tenant, &step["message"], data);
    let interface = &step["message"]["descriptor"]["interface"];
    if interface == "Messages"
        && let Some(Value::Array(entries)) = reply.get_mut("entries")
    {
        // Told in an order of our own, see `src/dwn/order.rs`.
        entries.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    let part = |name: &str| reply.get(name).map(|value| json!({name: value}));
    let told =
        part("entries").or_else(|| part("entry")).map(|told| cid::of_json(&told).expect("encodes").0.to_string());
    let data = body.map(|bytes| cid::of(cid::RAW, &bytes).to_string());
    let cursor = if interface == "Records" { reply["cursor"].clone() } else { Value::Null };
    json!([reply["status"]["code"], reply["status"]["detail"], told, data, cursor])
}

/// The reply, and the data that came with it.
fn send(url: &str, tenant: &Value, message: &Value, data: Option<Vec<u8>>) -> (Value, Option<Vec<u8>>) {
    let params = json!({"target": tenant, "message": message});
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "dwn.processMessage", "params": params});
    let post = ureq::post(url).header("dwn-request", request.to_string());
    // Data of no bytes cannot be told from none on this wire.
    let answer = match data.filter(|data| !data.is_empty()) {
        Some(data) => post.send(&data[..]),
        None => post.send_empty(),
    };
    let mut answer = answer.expect("an answer");
    let head = answer.headers().get("dwn-response").map(|head| head.to_str().expect("ASCII").to_owned());
    let body = answer.body_mut().read_to_vec().expect("a body");
    let (text, data) = match head {
        Some(head) => (head, Some(body)),
        None => (String::from_utf8(body).expect("text"), None),
    };
    let mut answer: Value = serde_json::from_str(&text).expect("JSON");
    (answer["result"]["reply"].take(), data)
}
