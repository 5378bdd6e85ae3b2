//! The control RPC: JSON-RPC 2.0 on a Unix socket that only this user may open; what the command line speaks.
//!
//! `POST /rpc` for calls of the methods in [`TABLE`], one file for each group of them; `POST /add` and `GET /get/{cid}` for content as
//! streams. Whoever can open the socket is the owner.

mod failure;
mod services;
mod method;
pub mod node;
pub mod jobs;
pub mod peers;
pub mod tenants;
pub mod records;
pub mod pins;
pub mod storage;
pub mod backup;
pub mod anchor;
pub mod content;

pub use failure::{Failure, Kind};
pub use method::{Entry, Method, NoParams, Scope};
pub use services::{Descriptors, Services};

use axum::{
    Json, Router,
    extract::{Request, State},
    routing::post,
};
use serde_json::Value;

/// A call has few and short parameters.
const CALL_MAX: usize = 1 << 20;

/// Every method there is, by group.
pub const TABLE: &[&[Entry]] = &[
    node::METHODS,
    jobs::METHODS,
    peers::METHODS,
    tenants::METHODS,
    records::METHODS,
    pins::METHODS,
    storage::METHODS,
    backup::METHODS,
    anchor::METHODS,
];

/// The routes of the control socket.
pub fn router(services: Services) -> Router {
    Router::new().route("/rpc", post(call)).merge(content::router()).with_state(services)
}

async fn call(State(services): State<Services>, request: Request) -> Json<Value> {
    Json(match axum::body::to_bytes(request.into_body(), CALL_MAX).await {
        Ok(call) => method::answer(TABLE, &services, &call).await,
        Err(_) => method::reply(&Value::Null, Err(Failure::new(Kind::Usage, "a call has at most 1 MiB"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn every_method_is_in_the_table_once_and_says_what_it_does() {
        let methods: Vec<_> = TABLE.iter().flat_map(|group| group.iter()).collect();
        let names: BTreeSet<_> = methods.iter().map(|method| method.name).collect();
        assert_eq!(names.len(), methods.len(), "{methods:?}");
        for method in methods {
            assert!(method.summary.ends_with('.') && !method.scope.to_string().is_empty(), "{method:?}");
            let common = [Kind::Usage, Kind::Failed];
            assert!(!method.errors.iter().any(|kind| common.contains(kind)), "{method:?} declares what all have");
        }
        let sources = [
            include_str!("node.rs"),
            include_str!("jobs.rs"),
            include_str!("peers.rs"),
            include_str!("tenants.rs"),
            include_str!("records.rs"),
            include_str!("pins.rs"),
            include_str!("storage.rs"),
            include_str!("backup.rs"),
            include_str!("anchor.rs"),
        ];
        assert_eq!(TABLE.len(), sources.len(), "a file for each group");
        for (group, source) in TABLE.iter().zip(sources) {
            assert_eq!(group.len(), source.matches("\nimpl Method for ").count(), "{group:?}");
        }
    }

    /// The client reads what the server has written, and prints the same.
    fn is_read_as_written<M: Method>(written: &Value) {
        let read: M::Result = serde_json::from_value(written.clone()).expect("it is what the method declares");
        assert_eq!(serde_json::to_value(read).expect("JSON"), *written, "{}", M::NAME);
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let way = json!({"messages": 1, "bytes": 2, "of_messages": 3, "of_bytes": null});
        let peer = json!({
            "did": "did:key:a", "address": "/ip4/127.0.0.1/tcp/1/p2p/b", "tenants": ["did:key:a"], "connected": true,
            "in_sync": false, "sending": way, "receiving": null, "untold": false, "problem": null, "refused": 0,
            "last_refused": null,
        });
        let batch = json!({
            "number": 1, "state": "awaiting_funds", "leaves": 2, "created": "2026-11-21T09:00:00Z", "root": "00",
            "txid": null, "fee": null, "height": null, "confirmations": 0, "send_to": ["bcrt1", 700], "note": null,
        });
        let anchor = json!({
            "mode": "wallet", "network": "regtest", "queued": 3, "next": "2026-11-21T09:00:00.5Z", "batches": [batch],
            "tip": 7, "problem": null, "sentence": "a sentence",
        });
        let job = json!({
            "name": "backup", "work": "takes snapshots", "wait": "every 6h", "state": "waiting", "runs": 2,
            "last_run": "2026-11-21T09:00:00Z", "failing": true,
            "last_error": {"message": "away", "at": "2026-11-21T09:00:00Z"}, "next_run": "2026-11-21T15:00:00Z",
        });
        is_read_as_written::<jobs::Ls>(&json!([job]));
        is_read_as_written::<peers::Ls>(&json!([peer]));
        is_read_as_written::<anchor::Status>(&anchor);
        let stats = json!({"records": 1, "messages": 2, "blocks": 3, "bytes": 4});
        let retention =
            json!({"rules": 1, "deleted": 0, "purged": 0, "looked_at": 9, "at_work": false, "problem": null});
        is_read_as_written::<node::Status>(&json!({
            "version": "0.1.0", "identity": {"did": "did:key:a", "peer": "b", "addresses": []}, "uptime_seconds": 1,
            "rss_bytes": null, "home": "/home", "dwn": "http://127.0.0.1:3000", "gateway": null, "store": stats,
            "log_bytes": 1, "degraded": ["so"],
            "files": {"most": 1, "before": 1, "dwn_connections": 1, "gateway_connections": 1, "peer_connections": 1, "fewer": null},
            "short": {"times": 1, "last": "memory", "seconds_ago": 2}, "free_bytes": 5, "read_only": null,
            "retention": retention,
            "connections": [{"peer": "b", "addresses": [], "agent": null, "round_trip_seconds": 0.25}],
            "peers": [peer], "anchor": anchor, "jobs": [job],
        }));
        let footprint = |more: Value| {
            let mut footprint = json!({
                "store": {"log": 1, "segments": 1, "index": 1, "aside": 0},
                "blocks": {"files": 0, "file_bytes": 0, "packs": 1, "pack_bytes": 2, "pack_live": 1},
                "stats": stats, "pins": 0,
            });
            footprint.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            footprint
        };
        is_read_as_written::<storage::Du>(&footprint(json!({})));
        is_read_as_written::<storage::Du>(&footprint(json!({"retention": retention})));
        is_read_as_written::<tenants::Ls>(&json!([
            {"did": "did:key:a", "messages": 1, "allowed": true, "registered": null},
            {"did": "did:key:b", "messages": 1, "allowed": true, "registered": {"terms": null, "since": "2026"}},
        ]));
        is_read_as_written::<anchor::Proof>(&json!({
            "ots": "AAE=", "stamped": null, "cid": "c", "network": "mainnet", "txid": "t", "height": 1,
            "confirmations": 6, "final": true,
        }));
        is_read_as_written::<records::Query>(&json!({"entries": [{"a": [1.5, null]}], "cursor": null}));
    }
}
