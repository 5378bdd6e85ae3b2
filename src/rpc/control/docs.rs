//! `docs/openrpc.json` and `docs/rpc.md` say what the table says. `TOFT_WRITE_DOCS=1 cargo test control::docs` writes them anew, and
//! what the clients know of the methods.

use super::{DOCUMENT, Kind, failure::COMMON};
use serde_json::Value;
use std::{fmt::Write as _, fs, path::Path, process::Command};

/// Writes the file, or says that it is not what it must be.
fn holds(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("TOFT_WRITE_DOCS").is_some() {
        fs::write(&file, text).expect("writes");
    }
    let held = fs::read_to_string(&file).unwrap_or_default();
    assert!(held == text, "{path} is behind the table: TOFT_WRITE_DOCS=1 cargo test --lib control::docs");
}

#[test]
fn the_document_on_disk_is_what_a_node_serves() {
    let text = serde_json::to_string_pretty(&*DOCUMENT).expect("JSON");
    holds("docs/openrpc.json", &(text + "\n"));
    if std::env::var_os("TOFT_WRITE_DOCS").is_some() {
        let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/generate.mjs");
        assert!(Command::new("node").arg(generator).status().expect("node runs").success());
    }
}

#[test]
fn every_reference_leads_somewhere_and_no_two_types_share_a_name() {
    let text = DOCUMENT.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap_or_default();
        assert!(DOCUMENT.pointer(pointer).is_some(), "{pointer}");
    }
    for name in DOCUMENT["components"]["schemas"].as_object().expect("schemas").keys() {
        let numbered = name.ends_with(|c: char| c.is_ascii_digit()) && name != "Base64";
        assert!(!numbered, "{name}: another type has that name; give one of them #[schemars(rename)]");
    }
}

#[test]
fn the_table_of_scopes_is_that_of_the_methods() {
    let mut text = String::from(
        "# Scopes\n\nWritten from the table of methods; `toft token scopes` prints it. What is not in it, nobody may call. `admin` may call all. \
         Where a scope\nis `records:read` or `records:write`, one of a single protocol (`records:read:<protocol>`) is let in too, and the method \
         asks for that protocol.\n\n| method | scope | from |\n|---|---|---|\n",
    );
    for method in super::TABLE.iter().flat_map(|group| group.iter()) {
        let _ = writeln!(text, "| `{}` | {} | {} |", method.name, method.scope, method.from);
    }
    holds("docs/scopes.md", &text);
}

#[test]
fn the_manual_lists_every_method() {
    let mut text = String::from(
        "# RPC\n\nWritten from the table of methods (`src/rpc/control`); [`openrpc.json`](openrpc.json) is the same for machines, and \
         `rpc.discover` gives it.\nHow to call, who may, and the order of the guards: [operating](operating.md#wallet-rpc).\n\n\
         ## Errors\n\n| code | `data.kind` | meaning |\n|---|---|---|\n",
    );
    for (kind, code, about) in Kind::ALL {
        let _ = writeln!(text, "| {code} | `{}` | {about} |", kind.name());
    }
    let mut group = "";
    for method in DOCUMENT["methods"].as_array().expect("methods") {
        let name = string(&method["name"]);
        let its = name.split('.').next().unwrap_or_default();
        if its != group {
            group = its;
            let _ = writeln!(text, "\n## {group}");
        }
        describe(&mut text, method);
    }
    holds("docs/rpc.md", &text);
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn describe(text: &mut String, method: &Value) {
    let from = if method["x-from"] == "socket" { ", over the socket alone" } else { "" };
    let _ = writeln!(text, "\n### `{}`\n", string(&method["name"]));
    let _ = writeln!(text, "{} Scope: `{}`{from}.\n", string(&method["summary"]), string(&method["x-scope"]));
    let params = method["params"].as_array().expect("params");
    if !params.is_empty() {
        text.push_str("| parameter | type | |\n|---|---|---|\n");
    }
    for param in params {
        let optional = if param["required"] == true { "" } else { "optional. " };
        let about = string(&param["description"]).replace('\n', " ");
        let _ = writeln!(text, "| `{}` | {} | {optional}{about} |", string(&param["name"]), shape(&param["schema"]));
    }
    let kinds =
        method["errors"].as_array().into_iter().flatten().filter_map(|error| string(&error["$ref"]).rsplit('/').next());
    let kinds: Vec<_> = kinds
        .filter(|kind| !COMMON.iter().any(|common| common.name() == **kind))
        .map(|kind| format!("`{kind}`"))
        .collect();
    let _ = writeln!(text, "\nResult: {}.", shape(&method["result"]["schema"]));
    if !kinds.is_empty() {
        let _ = writeln!(text, "Errors: {}.", kinds.join(", "));
    }
    for example in method["examples"].as_array().into_iter().flatten() {
        let params: serde_json::Map<_, _> = example["params"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|param| (string(&param["name"]).to_owned(), param["value"].clone()))
            .collect();
        let call = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method["name"], "params": params});
        let _ = writeln!(text, "\n```json\n{call}\n{}\n```", example["result"]["value"]);
    }
}

/// A schema in a word or two.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|pointer| pointer.rsplit('/').next()) {
        return format!("`{name}`");
    }
    let any = || ["anyOf", "allOf", "oneOf"].iter().find_map(|key| schema[*key].as_array());
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", shape(&schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().map(string).collect::<Vec<_>>().join(" or "),
        _ => any().map_or("any JSON".to_owned(), |parts| parts.iter().map(shape).collect::<Vec<_>>().join(" or ")),
    }
}
