//! What can be called: `rpc.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub const METHODS: &[Entry] = &[Entry::of::<Discover>(), Entry::of::<Authenticate>(), Entry::of::<Unsubscribe>()];

#[derive(Debug)]
pub struct Discover;

impl Method for Discover {
    const NAME: &'static str = "rpc.discover";
    const SUMMARY: &'static str = "Give the OpenRPC document of all methods.";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "discover", params: "{}", result: r#"{"openrpc": "1.3.2", "methods": []}"# }];
    type Params = NoParams;
    type Result = Value;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Value, Failure> {
        Ok(call.document().clone())
    }
}

#[derive(Debug)]
pub struct Authenticate;

impl Method for Authenticate {
    const NAME: &'static str = "rpc.authenticate";
    const SUMMARY: &'static str =
        "Show a token: the first call on a WebSocket. Over HTTP the token comes with each request.";
    const SCOPE: Need = Need::Any;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a token",
        params: r#"{"token": "toft_$token.c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U"}"#,
        result: r#"{"scopes": ["info", "records:read"], "tenant": null, "expires": "2026-11-22T09:00:00Z"}"#,
    }];
    type Params = Shown;
    type Result = Authenticated;

    /// The WebSocket itself answers the first one.
    async fn run(_: &Call, _: Shown) -> Result<Authenticated, Failure> {
        Err(Failure::new(
            Kind::Usage,
            "a token is shown once, first, on a WebSocket; over HTTP: Authorization: Bearer <token>",
        ))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// A token's text, or that of the cookie (`rpc.cookie` in the home).
    pub token: String,
}

/// What whoever has shown a token may do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Authenticated {
    pub scopes: Vec<String>,
    /// The only tenant it is for; nothing: every one of this node.
    pub tenant: Option<String>,
    /// Nothing: it does not expire.
    pub expires: Option<String>,
}

#[derive(Debug)]
pub struct Unsubscribe;

impl Method for Unsubscribe {
    const NAME: &'static str = "rpc.unsubscribe";
    const SUMMARY: &'static str = "End a subscription of this WebSocket.";
    const SCOPE: Need = Need::Any;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "the first", params: r#"{"subscription": "1"}"#, result: r#"{"ended": "1"}"# }];
    type Params = OneSubscription;
    type Result = Ended;

    async fn run(call: &Call, OneSubscription { subscription }: OneSubscription) -> Result<Ended, Failure> {
        match call.subscriptions().is_some_and(|all| all.end(&subscription)) {
            true => Ok(Ended { ended: subscription }),
            false => Err(Failure::new(Kind::NotFound, "this connection has no such subscription")),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneSubscription {
    /// Its id, as the call that began it has answered.
    pub subscription: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SubscriptionEnded")]
pub struct Ended {
    pub ended: String,
}
