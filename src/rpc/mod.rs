//! Those who knock: the DWN wire protocol over HTTP, the node's own control socket, the gateway.
//!
//! Only this module (and `web`, later) knows HTTP. Handlers translate and call the door; they decide nothing.

mod serve;
mod http;
mod jsonrpc;
mod hosts;
mod part;
mod read;
mod registration;
mod connect;
mod ws;
pub mod pkarr;
pub mod dwn;
pub mod gateway;
pub mod control;
pub mod client;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

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
