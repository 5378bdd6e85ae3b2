//! What can be called: `rpc.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, NoParams, Scope},
};
use serde_json::Value;

pub const METHODS: &[Entry] = &[Entry::of::<Discover>()];

#[derive(Debug)]
pub struct Discover;

impl Method for Discover {
    const NAME: &'static str = "rpc.discover";
    const SUMMARY: &'static str = "Give the OpenRPC document of all methods.";
    const SCOPE: Scope = Scope::Info;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "discover", params: "{}", result: r#"{"openrpc": "1.3.2", "methods": []}"# }];
    type Params = NoParams;
    type Result = Value;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Value, Failure> {
        Ok(call.document().clone())
    }
}
