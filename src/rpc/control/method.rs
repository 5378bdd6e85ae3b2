//! A method: its whole contract in one declaration, and how calls reach it.

use super::{
    failure::{Failure, Kind},
    services::Services,
};
use futures::future::BoxFuture;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::IgnoredAny};
use serde_json::{Value, json};
use std::fmt;

/// One method. The server dispatches to it and the client calls it by this declaration, so they cannot disagree.
///
/// `On`: what it acts on.
pub trait Method<On = Services> {
    /// As it stands in calls: `group.verb`.
    const NAME: &'static str;
    /// What it does, in one sentence.
    const SUMMARY: &'static str;
    /// What its caller must be allowed.
    const SCOPE: Scope;
    /// How it can fail. Beside these, every method can with [`Kind::Usage`] (parameters) and [`Kind::Failed`] (a fault).
    const ERRORS: &'static [Kind];
    type Params: Serialize + DeserializeOwned + Send;
    type Result: Serialize + DeserializeOwned + Send;

    fn run(on: &On, params: Self::Params) -> impl Future<Output = Result<Self::Result, Failure>> + Send;
}

/// What a caller may be allowed. Whoever can open the control socket is the owner, who is allowed all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See who the node is and how it does.
    Info,
    ReadRecords,
    /// Devices in step.
    Sync,
    Anchor,
    Pins,
    Backup,
    /// What is left to the owner.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::ReadRecords => "records:read",
            Self::Sync => "sync",
            Self::Anchor => "anchor",
            Self::Pins => "pins",
            Self::Backup => "backup",
            Self::Admin => "admin",
        })
    }
}

/// The parameters of a method that has none. Whatever is given is passed over.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct NoParams {}

impl<'de> Deserialize<'de> for NoParams {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self {})
    }
}

/// A method in the table: its declaration as values.
pub struct Entry<On: 'static = Services> {
    pub name: &'static str,
    pub summary: &'static str,
    pub scope: Scope,
    pub errors: &'static [Kind],
    run: for<'a> fn(&'a On, Value) -> BoxFuture<'a, Result<Value, Failure>>,
}

impl<On> fmt::Debug for Entry<On> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.name)
    }
}

impl<On: Sync> Entry<On> {
    pub const fn of<M: Method<On>>() -> Self {
        Self { name: M::NAME, summary: M::SUMMARY, scope: M::SCOPE, errors: M::ERRORS, run: run::<M, On> }
    }

    /// Calls the method.
    pub async fn call(&self, on: &On, params: Value) -> Result<Value, Failure> {
        let outcome = (self.run)(on, params).await;
        if let Err(failure) = &outcome {
            let declared = matches!(failure.kind, Kind::Usage | Kind::Failed) || self.errors.contains(&failure.kind);
            debug_assert!(declared, "{} does not declare {:?}", self.name, failure.kind);
        }
        outcome
    }
}

/// From JSON to JSON.
fn run<M: Method<On>, On: Sync>(on: &On, params: Value) -> BoxFuture<'_, Result<Value, Failure>> {
    Box::pin(async move {
        let params = serde_json::from_value(params).map_err(|e| Failure::new(Kind::Usage, e.to_string()))?;
        let result = M::run(on, params).await?;
        serde_json::to_value(result).map_err(|e| Failure::new(Kind::Failed, e.to_string()))
    })
}

/// Answers one call of JSON-RPC 2.0, with the table's method.
pub async fn answer<On: Sync>(table: &[&[Entry<On>]], on: &On, call: &[u8]) -> Value {
    let Ok(mut call) = serde_json::from_slice::<Value>(call) else {
        return reply(&Value::Null, Err(Failure::new(Kind::Usage, "a call is JSON-RPC 2.0")));
    };
    let params = call.get_mut("params").map(Value::take).unwrap_or_else(|| json!({}));
    let name = call.get("method").and_then(Value::as_str).unwrap_or_default();
    let outcome = match table.iter().flat_map(|group| group.iter()).find(|method| method.name == name) {
        Some(method) => method.call(on, params).await,
        None => Err(Failure::new(Kind::Usage, format!("there is no call {name}"))),
    };
    reply(call.get("id").unwrap_or(&Value::Null), outcome)
}

/// The answer to the call `id`.
pub fn reply(id: &Value, outcome: Result<Value, Failure>) -> Value {
    match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(Failure { kind, message }) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32000, "message": message, "data": {"kind": kind}}})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Numbers {
        number: u64,
        by: u64,
    }

    struct Divide;

    impl Method<u64> for Divide {
        const NAME: &'static str = "number.divide";
        const SUMMARY: &'static str = "Divide, if it can be done.";
        const SCOPE: Scope = Scope::Info;
        const ERRORS: &'static [Kind] = &[Kind::Conflict];
        type Params = Numbers;
        type Result = u64;

        async fn run(more: &u64, Numbers { number, by }: Numbers) -> Result<u64, Failure> {
            let done = number.checked_div(by).ok_or_else(|| Failure::new(Kind::Conflict, "by nothing"))?;
            Ok(done + more)
        }
    }

    struct Broken;

    impl Method<u64> for Broken {
        const NAME: &'static str = "number.broken";
        const SUMMARY: &'static str = "Fail.";
        const SCOPE: Scope = Scope::Info;
        const ERRORS: &'static [Kind] = &[];
        type Params = NoParams;
        type Result = ();

        async fn run(_: &u64, NoParams {}: NoParams) -> Result<(), Failure> {
            Err(anyhow::anyhow!("a cause").context("it went wrong").into())
        }
    }

    const TABLE: [&[Entry<u64>]; 2] = [&[Entry::of::<Divide>()], &[Entry::of::<Broken>()]];

    fn ask(call: &str) -> Value {
        futures::executor::block_on(answer(&TABLE, &100, call.as_bytes()))
    }

    #[test]
    fn a_call_has_a_result_or_a_failure_of_a_kind() {
        let call = |method: &str, params: &str| {
            ask(&format!(r#"{{"jsonrpc":"2.0","id":"a","method":"{method}","params":{params}}}"#))
        };
        let answer = call("number.divide", r#"{"number":8,"by":2}"#);
        assert_eq!(answer, json!({"jsonrpc": "2.0", "id": "a", "result": 104}));
        let fails = |method: &str, params: &str| {
            let error = call(method, params)["error"].take();
            assert_eq!(error["code"], -32000, "{error}");
            (
                error["data"]["kind"].as_str().unwrap_or_default().to_owned(),
                error["message"].as_str().unwrap_or_default().to_owned(),
            )
        };
        let failed = |kind: &str, message: &str| (kind.to_owned(), message.to_owned());
        assert_eq!(fails("number.divide", r#"{"number":8,"by":0}"#), failed("conflict", "by nothing"));
        assert_eq!(fails("number.broken", "null"), failed("failed", "it went wrong: a cause"));
        assert_eq!(fails("number.broken", r#"{"what":"ever"}"#).0, "failed", "no parameters: none are wrong");
        assert_eq!(fails("number.add", "{}"), failed("usage", "there is no call number.add"));
        assert_eq!(fails("", "{}"), failed("usage", "there is no call "));
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (params, named) in [
            (r#"{"number":8}"#, "missing field `by`"),
            (r#"{"number":8,"by":2,"to":3}"#, "unknown field `to`"),
            (r#"{"number":"8","by":2}"#, "invalid type: string \"8\""),
            ("7", "invalid type"),
            ("null", "invalid type"),
        ] {
            let error = ask(&format!(r#"{{"id":1,"method":"number.divide","params":{params}}}"#))["error"].take();
            assert_eq!(error["data"]["kind"], "usage", "{params}");
            assert!(error["message"].as_str().is_some_and(|message| message.contains(named)), "{params}: {error}");
        }
    }

    #[test]
    fn what_is_no_call_is_answered() {
        let answer = ask("{oops");
        assert_eq!((&answer["id"], &answer["error"]["message"]), (&Value::Null, &json!("a call is JSON-RPC 2.0")));
        for call in ["[]", "7", "null", "{}", r#"{"method":{}}"#] {
            assert_eq!(ask(call)["error"]["message"], "there is no call ", "{call}");
        }
    }
}
