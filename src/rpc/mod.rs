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
mod websocket;
mod ws;
pub mod pkarr;
pub mod calendar;
pub mod dwn;
pub mod gateway;
pub mod control;
pub mod wallet;
pub mod client;
pub mod live;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

use crate::bounds;
use anyhow::{Error, anyhow, bail};
use std::net::SocketAddr;

pub use calendar::check as check_calendar;
pub use hosts::check as check_hosts;
pub use registration::{Config as RegistrationConfig, Registration};
pub use serve::{Guard, Listening, listen_tcp, listen_unix};

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Unix socket of the RPC (only this user may open it), relative to the home.
    pub socket: String,
    /// Loopback address at which programs and pages that hold a token reach it; empty: none.
    pub listen: String,
    /// More names under which that may be reached; one with a port fits that port alone.
    pub hosts: Vec<String>,
    /// Connections there at the same time.
    pub connections: u32,
}

impl Config {
    /// What no single key can say.
    pub fn check(&self) -> Result<(), Error> {
        bounds::check("rpc.connections", self.connections, 16..=65_536)?;
        hosts::check(&self.hosts, "rpc.hosts")?;
        if self.listen.is_empty() {
            return Ok(());
        }
        let address: SocketAddr = self.listen.parse().map_err(|_| {
            anyhow!("rpc.listen = {}: write it as an address with a port, such as 127.0.0.1:3002", self.listen)
        })?;
        if !address.ip().is_loopback() {
            bail!("rpc.listen = {address}: the wallet RPC is for programs of this machine; use a loopback address");
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { socket: "rpc.sock".into(), listen: String::new(), hosts: Vec::new(), connections: 1100 }
    }
}
