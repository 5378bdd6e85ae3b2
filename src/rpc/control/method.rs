//! A method: its whole contract in one declaration.

use super::{
    call::Call,
    examples::filled,
    failure::{COMMON, Failure, Kind},
};
pub use crate::access::Need;
use futures::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt;

/// One method. The dispatcher, the documents and all clients follow from this declaration, so they cannot disagree.
///
/// `On`: what it acts on.
pub trait Method<On = Call> {
    /// As it stands in calls: `group.verb`.
    const NAME: &'static str;
    /// What it does, in one sentence.
    const SUMMARY: &'static str;
    /// What its caller must be allowed.
    const SCOPE: Need;
    /// By which ways it may be called.
    const FROM: From = From::Anywhere;
    /// How it can fail, beside what is common to all (`failure.rs`).
    const ERRORS: &'static [Kind];
    /// At least one call, and an answer of the declared shape.
    const EXAMPLES: &'static [Example];
    type Params: Serialize + DeserializeOwned + JsonSchema + Send;
    type Result: Serialize + DeserializeOwned + JsonSchema + Send;

    fn run(on: &On, params: Self::Params) -> impl Future<Output = Result<Self::Result, Failure>> + Send;

    /// The result as JSON text. A method that has the text already gives it as it is.
    fn text(on: &On, params: Self::Params) -> impl Future<Output = Result<String, Failure>> + Send
    where
        On: Sync,
    {
        async move {
            let result = Self::run(on, params).await?;
            serde_json::to_string(&result).map_err(|e| Failure::new(Kind::Failed, e.to_string()))
        }
    }
}

/// By which ways a method may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The node's socket, and TCP.
    Anywhere,
    /// The node's socket alone: it spends, opens a listener, touches keys, or takes or gives a path of this machine.
    Socket,
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anywhere => "anywhere",
            Self::Socket => "socket",
        })
    }
}

/// A call and its answer, each as JSON. Identifiers in them are named as `examples` says.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    pub name: &'static str,
    pub params: &'static str,
    pub result: &'static str,
}

/// The parameters of a method that has none.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// A method in the table: its declaration as values.
pub struct Entry<On: 'static = Call> {
    pub name: &'static str,
    pub summary: &'static str,
    pub scope: Need,
    pub from: From,
    pub errors: &'static [Kind],
    pub examples: &'static [Example],
    pub params: fn(&mut SchemaGenerator) -> Schema,
    pub result: fn(&mut SchemaGenerator) -> Schema,
    /// Is an example of the declared shape? Says what is wrong with it.
    pub check: fn(&Example) -> Result<(), String>,
    /// Are these its parameters?
    #[cfg(any(test, fuzzing))]
    pub reads: fn(Value) -> bool,
    run: for<'a> fn(&'a On, Value) -> BoxFuture<'a, Result<String, Failure>>,
}

impl<On> fmt::Debug for Entry<On> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.name)
    }
}

impl<On: Sync> Entry<On> {
    pub const fn of<M: Method<On>>() -> Self {
        Self {
            name: M::NAME,
            summary: M::SUMMARY,
            scope: M::SCOPE,
            from: M::FROM,
            errors: M::ERRORS,
            examples: M::EXAMPLES,
            params: M::Params::json_schema,
            result: SchemaGenerator::subschema_for::<M::Result>,
            check: check::<M, On>,
            #[cfg(any(test, fuzzing))]
            reads: reads::<M, On>,
            run: run::<M, On>,
        }
    }

    /// Calls the method. `params`: an object; `null` is an empty one. The result is JSON text.
    pub async fn call(&self, on: &On, params: Value) -> Result<String, Failure> {
        let params = if params.is_null() { json!({}) } else { params };
        if !params.is_object() {
            return Err(Failure::new(Kind::Usage, "parameters are given by name: an object"));
        }
        let outcome = (self.run)(on, params).await;
        if let Err(failure) = &outcome {
            let declared = COMMON.contains(&failure.kind) || self.errors.contains(&failure.kind);
            debug_assert!(declared, "{} does not declare {:?}", self.name, failure.kind);
        }
        outcome
    }
}

/// From JSON to JSON text.
fn run<M: Method<On>, On: Sync>(on: &On, params: Value) -> BoxFuture<'_, Result<String, Failure>> {
    Box::pin(async move {
        let params = serde_json::from_value(params).map_err(|e| Failure::new(Kind::Usage, e.to_string()))?;
        M::text(on, params).await
    })
}

/// What was read is written and read again and is the same.
#[cfg(any(test, fuzzing))]
fn reads<M: Method<On>, On>(params: Value) -> bool {
    let Ok(read) = serde_json::from_value::<M::Params>(params) else { return false };
    let written = serde_json::to_value(read).expect("parameters are JSON");
    let again: M::Params = serde_json::from_value(written.clone()).expect("what was written is read");
    assert_eq!(serde_json::to_value(again).expect("parameters are JSON"), written);
    true
}

fn check<M: Method<On>, On>(example: &Example) -> Result<(), String> {
    let wrong = |part: &str, problem: String| format!("{} ({}), {part}: {problem}", M::NAME, example.name);
    serde_json::from_str::<M::Params>(&filled(example.params)).map_err(|e| wrong("params", e.to_string()))?;
    let written: Value = serde_json::from_str(&filled(example.result)).map_err(|e| wrong("result", e.to_string()))?;
    let read: M::Result = serde_json::from_value(written.clone()).map_err(|e| wrong("result", e.to_string()))?;
    let again = serde_json::to_value(read).map_err(|e| wrong("result", e.to_string()))?;
    if again == written { Ok(()) } else { Err(wrong("result", format!("it is read as {again}"))) }
}
