//! The OpenRPC document is one: it is what the meta-schema says, and each example is what its method declares.

use crate::support::{root, sdk::program};
use serde_json::Value;
use std::path::Path;

#[test]
fn the_document_is_open_rpc_and_its_examples_are_what_it_declares() {
    let (path, vectors) = (root().join("docs/openrpc.json"), root().join("tests/vectors/openrpc"));
    let said = judge(&path, &vectors);
    let last = said.lines().last().unwrap_or_default();
    let counts: Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{said}: {e}"));
    assert_eq!(counts["wrong"], 0, "{said}");
    let text = std::fs::read_to_string(&path).expect("a document");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    let methods = document["methods"].as_array_mut().expect("methods");
    assert_eq!(counts["methods"], methods.len());

    // What is wrong is found: a word that OpenRPC does not know, a parameter of another type, an answer of another shape.
    let query = methods.iter_mut().find(|method| method["name"] == "records.query").expect("is there");
    query["paramStructure"] = "by-luck".into();
    query["examples"][0]["params"][0]["value"] = 7.into();
    query["examples"][0]["result"]["value"] = "none".into();
    let dir = tempfile::tempdir().expect("a temp dir");
    let broken = dir.path().join("openrpc.json");
    std::fs::write(&broken, document.to_string()).expect("writes");
    let said = judge(&broken, &vectors);
    for (place, why) in
        [("the document: ", "/paramStructure"), ("records.query", ", result: "), ("records.query", "must be object")]
    {
        assert!(said.lines().any(|line| line.starts_with(place) && line.contains(why)), "{place}{why}: {said}");
    }
}

fn judge(document: &Path, vectors: &Path) -> String {
    program("openrpc.mjs", &[&document.display().to_string(), &vectors.display().to_string()])
}
