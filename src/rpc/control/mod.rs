//! The node's own RPC: JSON-RPC 2.0 by one table of methods, for wallets, apps and the command line.
//!
//! A method is one declaration (`method.rs`): name, scope, parameters, result, errors, examples. The dispatcher, `rpc.discover`,
//! `docs/openrpc.json`, `docs/rpc.md`, the command line's calls and the clients follow from it. One file for each group of them.
//! On the Unix socket, which only the owner can open, there are also `POST /add` and `GET /get/{cid}` for content as streams.

mod failure;
mod refusals;
mod facts;
mod tickets;
mod pulse;
mod services;
mod subscriptions;
mod call;
mod actor;
mod upload;
mod sealing;
pub mod examples;
mod method;
mod openrpc;
mod dispatch;
mod admit;
pub mod discover;
pub mod node;
pub mod identity;
pub mod jobs;
pub mod peers;
pub mod remotes;
pub mod tenants;
pub mod records;
pub mod records_read;
pub mod records_write;
pub mod records_subscribe;
pub mod conflicts;
mod rgb_acting;
pub mod rgb_assets;
pub mod rgb_transfers;
pub mod rgb_balances;
pub mod rgb_history;
mod letter;
mod walk;
pub mod protocols;
pub mod protocols_diff;
pub mod shipped;
pub mod policies;
pub mod protocols_remove;
pub mod grants;
pub mod grants_device;
mod devices_roster;
pub mod devices;
pub mod friends;
pub mod grants_explain;
pub mod pins;
pub mod storage;
pub mod backup;
pub mod anchor;
pub mod anchor_records;
pub mod tokens;
pub mod pair;
pub mod audit;
pub mod blocks;
pub mod config;
pub mod content;
pub mod transfer;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod docs;

pub use call::Call;
pub use dispatch::{Answered, failed};
pub use failure::{Failure, Kind};
pub use method::{Entry, Example, From, Method, Need, NoParams};
pub use pulse::Pulse;
pub use services::{Descriptors, Services, Settings};
pub use subscriptions::{EVENT, Subscriptions};
pub use tickets::{Address, Tickets};
pub use transfer::router as transfers;

use super::http::json_text;
use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// A call or a batch of calls.
pub const CALL_MAX: usize = 1 << 20;

/// Every method there is, by group.
pub const TABLE: &[&[Entry]] = &[
    discover::METHODS,
    node::METHODS,
    identity::METHODS,
    jobs::METHODS,
    protocols::METHODS,
    protocols_diff::METHODS,
    shipped::METHODS,
    policies::METHODS,
    protocols_remove::METHODS,
    grants::METHODS,
    grants_device::METHODS,
    devices::METHODS,
    friends::METHODS,
    grants_explain::METHODS,
    records::METHODS,
    records_read::METHODS,
    records_write::METHODS,
    records_subscribe::METHODS,
    conflicts::METHODS,
    rgb_assets::METHODS,
    rgb_transfers::METHODS,
    rgb_balances::METHODS,
    rgb_history::METHODS,
    blocks::METHODS,
    pins::METHODS,
    peers::METHODS,
    remotes::METHODS,
    anchor::METHODS,
    backup::METHODS,
    storage::METHODS,
    config::METHODS,
    tenants::METHODS,
    tokens::METHODS,
    pair::METHODS,
    audit::METHODS,
];

/// The OpenRPC document of the table.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| openrpc::document(TABLE));

/// Answers a call or a batch of calls, for who calls. `None`: there was nothing to answer.
pub async fn answer(call: &Call, text: &[u8]) -> Option<Answered> {
    dispatch::answer(TABLE, call, text, &admit::Admission).await
}

/// The owner's calls; others' are made from them.
pub fn of_owner(services: Services) -> Call {
    Call::new(Arc::new(services), &DOCUMENT)
}

/// The routes of the control socket.
pub fn router(call: Call) -> Router {
    Router::new().route("/rpc", post(post_rpc)).merge(content::router()).merge(transfer::router()).with_state(call)
}

async fn post_rpc(State(call): State<Call>, request: Request) -> Response {
    let Ok(text) = axum::body::to_bytes(request.into_body(), CALL_MAX).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, json_text(too_large().text)).into_response();
    };
    match answer(&call, &text).await {
        Some(answered) => json_text(answered.text),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The answer to a body that is too large.
pub fn too_large() -> Answered {
    failed(&Value::Null, Failure::new(Kind::Usage, "a call or a batch has at most 1 MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_method_is_in_the_table_once_and_says_what_it_does() {
        let methods: Vec<_> = TABLE.iter().flat_map(|group| group.iter()).collect();
        let names: BTreeSet<_> = methods.iter().map(|method| method.name).collect();
        assert_eq!(names.len(), methods.len(), "{methods:?}");
        for method in methods {
            assert!(method.summary.ends_with('.') && !method.scope.to_string().is_empty(), "{method:?}");
            assert!(
                !method.errors.iter().any(|kind| failure::COMMON.contains(kind)),
                "{method:?} declares what all have"
            );
            assert!(!method.examples.is_empty(), "{method:?} has no example");
            for example in method.examples {
                assert_eq!((method.check)(example), Ok(()));
            }
        }
        let sources = [
            include_str!("discover.rs"),
            include_str!("node.rs"),
            include_str!("identity.rs"),
            include_str!("jobs.rs"),
            include_str!("protocols.rs"),
            include_str!("protocols_diff.rs"),
            include_str!("shipped.rs"),
            include_str!("policies.rs"),
            include_str!("protocols_remove.rs"),
            include_str!("grants.rs"),
            include_str!("grants_device.rs"),
            include_str!("devices.rs"),
            include_str!("friends.rs"),
            include_str!("grants_explain.rs"),
            include_str!("records.rs"),
            include_str!("records_read.rs"),
            include_str!("records_write.rs"),
            include_str!("records_subscribe.rs"),
            include_str!("conflicts.rs"),
            include_str!("rgb_assets.rs"),
            include_str!("rgb_transfers.rs"),
            include_str!("rgb_balances.rs"),
            include_str!("rgb_history.rs"),
            include_str!("blocks.rs"),
            include_str!("pins.rs"),
            include_str!("peers.rs"),
            include_str!("remotes.rs"),
            include_str!("anchor.rs"),
            include_str!("backup.rs"),
            include_str!("storage.rs"),
            include_str!("config.rs"),
            include_str!("tenants.rs"),
            include_str!("tokens.rs"),
            include_str!("pair.rs"),
            include_str!("audit.rs"),
        ];
        assert_eq!(TABLE.len(), sources.len(), "a file for each group");
        for (group, source) in TABLE.iter().zip(sources) {
            assert_eq!(group.len(), source.matches("\nimpl Method for ").count(), "{group:?}");
        }
    }
}
