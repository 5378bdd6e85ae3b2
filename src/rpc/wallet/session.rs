//! Calls over a WebSocket. The first one shows a token; when that ends, so does the connection.

use super::super::{
    control::{
        self, Call, Failure, Kind, Method, Subscriptions,
        discover::{Authenticate, Authenticated, Shown},
        failed,
    },
    hosts::Page,
    jsonrpc,
    websocket::{self, Outlet, Talk, WebSocket},
};
use crate::{
    access::{Caller, Way},
    asker::Asker,
};
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Calls of one connection that are worked on at the same time; the next are read when one is done.
const CALLS_MAX: usize = 16;
/// How long a connection may take to show its token.
const TOKEN_DEADLINE: Duration = Duration::from_secs(10);

/// Speaks with one client until it goes, its token ends, or the node stops.
pub(super) async fn converse(socket: WebSocket, call: Call, (asker, page): (Asker, Page), stop: CancellationToken) {
    let begin = |outlet: Outlet| {
        let late = outlet.clone();
        let watch = tokio::spawn(async move {
            tokio::time::sleep(TOKEN_DEADLINE).await;
            late.hang_up("no token was shown");
        });
        let subscribed = call.node.limits().subscriptions_per_websocket as usize;
        let subscriptions = Subscriptions::new(outlet.clone(), call.node.answers().clone(), asker, subscribed);
        Session {
            call,
            asker,
            page,
            outlet,
            subscriptions,
            caller: None,
            running: JoinSet::new(),
            watch: watch.abort_handle(),
        }
    };
    websocket::converse(socket, stop, begin).await;
}

struct Session {
    call: Call,
    asker: Asker,
    page: Page,
    outlet: Outlet,
    subscriptions: Subscriptions,
    /// Once the token is shown.
    caller: Option<Caller>,
    running: JoinSet<()>,
    /// Ends the connection: when no token is shown in time, then when it ends.
    watch: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Talk for Session {
    async fn hear(&mut self, text: &[u8]) {
        let Some(caller) = self.caller.clone() else { return self.begin(text).await };
        while self.running.len() >= CALLS_MAX {
            self.running.join_next().await;
        }
        while self.running.try_join_next().is_some() {}
        let (subscriptions, text) = (self.subscriptions.for_call(), text.to_vec());
        let call = self.call.by(caller, Some(subscriptions.clone()));
        let (outlet, asker) = (self.outlet.clone(), self.asker);
        self.running.spawn(async move {
            if let Some(answered) = control::answer(&call, &text).await {
                tell(&outlet, &call, asker, answered.text).await;
            }
            subscriptions.begin();
        });
    }
}

impl Session {
    /// The first message: `rpc.authenticate`. After a wrong one the connection ends.
    async fn begin(&mut self, text: &[u8]) {
        let (id, outcome) = match first(text) {
            Ok((id, shown)) => (id, self.authenticate(&shown)),
            Err((id, failure)) => (id, Err(failure)),
        };
        let text = match outcome {
            Ok(authenticated) => jsonrpc::success(&id, &serde_json::to_string(&authenticated).unwrap_or_default()),
            Err(failure) => {
                let text = failed(&id, failure).text;
                tell(&self.outlet, &self.call, self.asker, text).await;
                return self.outlet.end("a WebSocket begins with rpc.authenticate and a valid token").await;
            }
        };
        tell(&self.outlet, &self.call, self.asker, text).await;
    }

    fn authenticate(&mut self, shown: &Shown) -> Result<Authenticated, Failure> {
        let way = Way::Tcp(self.asker);
        let caller = self.call.access.authenticate(&shown.token, way, self.page.0.as_ref(), Timestamp::now())?;
        self.watch.abort();
        let (ended, outlet) = (caller.clone(), self.outlet.clone());
        let watch = tokio::spawn(async move {
            ended.ended().await;
            outlet.hang_up("the token was revoked or has expired");
        });
        self.watch = watch.abort_handle();
        let token = caller.token();
        let authenticated = Authenticated {
            scopes: token
                .map_or_else(|| vec!["admin".into()], |token| token.scopes.iter().map(ToString::to_string).collect()),
            tenant: token.and_then(|token| token.tenant.clone()),
            expires: token.and_then(|token| token.expires).map(|at| at.to_string()),
        };
        self.caller = Some(caller);
        Ok(authenticated)
    }
}

/// The id of a call of `rpc.authenticate`, and what it shows.
fn first(text: &[u8]) -> Result<(Value, Shown), (Value, Failure)> {
    let mut call: Value = serde_json::from_slice(text)
        .map_err(|problem| (Value::Null, Failure::new(Kind::Parse, format!("a call is JSON: {problem}"))))?;
    let id = call.get_mut("id").map(Value::take).filter(|id| id.is_string() || id.is_number()).unwrap_or_default();
    if call.get("method").and_then(Value::as_str) != Some(Authenticate::NAME) {
        let message = format!("a WebSocket begins with {}", Authenticate::NAME);
        return Err((id, Failure::new(Kind::Unauthorized, message)));
    }
    let params = call.get_mut("params").map(Value::take).unwrap_or_default();
    match serde_json::from_value(params) {
        Ok(shown) => Ok((id, shown)),
        Err(problem) => Err((id, Failure::new(Kind::Usage, problem.to_string()))),
    }
}

async fn tell(outlet: &Outlet, call: &Call, asker: Asker, text: String) {
    match call.node.answers().text(asker, text).await {
        Ok(text) => outlet.send(text).await,
        // The client's address reads too little of what it has asked for.
        Err(_) => outlet.hang_up("what was sent was not taken"),
    }
}
