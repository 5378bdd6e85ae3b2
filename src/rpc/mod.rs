//! Those who knock: the DWN wire protocol over HTTP, the node's own control socket, the gateway.
//!
//! Only this module (and `web`, later) knows HTTP. Handlers translate and call the door; they decide nothing.

pub mod client;
mod connect;
pub mod control;
pub mod dwn;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod gateway;
mod hosts;
mod jsonrpc;
mod part;
mod read;
pub mod records;
mod registration;
pub mod pkarr;
mod serve;
mod ws;
pub mod storage;

use crate::dwn as dwn_rules;
use axum::http::HeaderValue;

pub use registration::{Config as RegistrationConfig, Registration};
pub use serve::{Guard, Listening, listen_tcp, listen_unix};

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Unix socket of the control RPC (only this user may open it), relative to the home.
    pub socket: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { socket: "rpc.sock".into() }
    }
}

/// JSON text as a header carries it to stock clients.
fn header_value(json: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&dwn_rules::in_header(json)).ok()
}
