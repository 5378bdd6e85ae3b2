//! Seam for `crate::fuzzing`: calls and batches, and the parameters of every method.

use super::{
    TABLE,
    dispatch::{Gatekeeper, answer},
    examples::filled,
    failure::Failure,
    method::{Entry, Example, Method, Need, NoParams},
};
use serde_json::{Value, json};

struct Nothing;

impl Method<()> for Nothing {
    const NAME: &'static str = "node.id";
    const SUMMARY: &'static str = "Do nothing.";
    const SCOPE: Need = Need::Any;
    const ERRORS: &'static [super::Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example { name: "nothing", params: "{}", result: "null" }];
    type Params = NoParams;
    type Result = ();

    async fn run(_: &(), NoParams {}: NoParams) -> Result<(), Failure> {
        Ok(())
    }
}

struct All;

impl Gatekeeper<()> for All {
    fn allow(&self, _: &(), _: &Entry<()>) -> Result<(), Failure> {
        Ok(())
    }

    fn shown(&self, _: &(), _: &Entry<()>, outcome: Result<String, Failure>) -> Result<String, Failure> {
        outcome
    }
}

/// A call or a batch: it is answered as JSON-RPC wants it, and its parameters are read as its method has them.
pub(crate) fn call(bytes: &[u8]) -> bool {
    const ONE: [&[Entry<()>]; 1] = [&[Entry::of::<Nothing>()]];
    let answered = futures::executor::block_on(answer(&ONE, &(), bytes, &All));
    let answers = answered.map(|answered| serde_json::from_str::<Value>(&answered.text).expect("an answer is JSON"));
    for answer in answers.iter().flat_map(|answer| answer.as_array().map_or(std::slice::from_ref(answer), |all| all)) {
        assert!(answer["jsonrpc"] == "2.0" && answer.get("id").is_some(), "{answer}");
        assert!(answer.get("result").is_some() != answer.get("error").is_some(), "{answer}");
    }
    let Ok(text) = serde_json::from_slice::<Value>(bytes) else { return false };
    let calls = text.as_array().map_or(std::slice::from_ref(&text), |calls| calls);
    let reads = |call: &Value| {
        let method = TABLE.iter().flat_map(|group| group.iter()).find(|method| call["method"] == method.name);
        method.is_some_and(|method| (method.reads)(call["params"].clone()))
    };
    calls.iter().filter(|call| reads(call)).count() > 0
}

/// Every example, and a batch.
pub(crate) fn calls() -> Vec<Vec<u8>> {
    let examples = TABLE.iter().flat_map(|group| group.iter()).flat_map(|method| {
        method.examples.iter().map(|example| {
            let params: Value = serde_json::from_str(&filled(example.params)).expect("JSON");
            json!({"jsonrpc": "2.0", "id": "1", "method": method.name, "params": params})
        })
    });
    let batch = json!([{"jsonrpc": "2.0", "id": 1, "method": "node.id"}, {"jsonrpc": "2.0", "method": "node.id", "params": {}}, 7]);
    examples.chain([batch]).map(|call| call.to_string().into_bytes()).collect()
}
