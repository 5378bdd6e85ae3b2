//! What the control RPC's methods act on.

use super::{pulse::Pulse, tickets::Tickets};
use crate::{
    access::Access,
    anchor::Anchor,
    audit::Audit,
    backup::Source,
    content::{Content, Heads},
    crypto::Signer,
    devices::Devices,
    identity::Identities,
    job::Jobs,
    net::Net,
    node::Node,
    remote::Remotes,
    rgb::Rgb,
    sync::Peers,
};
use anyhow::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A running node, as its owner has it. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    pub access: Access,
    pub audit: Audit,
    /// Of the audit log, signed.
    pub heads: Heads,
    pub node: Node,
    pub rgb: Rgb,
    pub content: Content,
    pub net: Net,
    pub sync: Peers,
    pub remotes: Remotes,
    pub devices: Devices,
    pub anchor: Anchor,
    pub backup: Source,
    pub jobs: Jobs,
    /// One-time addresses for large data.
    pub tickets: Tickets,
    /// How the node does, for all who follow it.
    pub pulse: Pulse,
    pub settings: Arc<Settings>,
    /// Cancelled when the node stops: long calls end early.
    pub stop: CancellationToken,
    /// The node's own tenant.
    pub signer: Arc<Signer>,
    pub identities: Identities,
    pub home: PathBuf,
    /// URL of the DWN endpoint.
    pub dwn: String,
    /// URL of the gateway, if there is one.
    pub gateway: Option<String>,
    pub files: Descriptors,
    pub started: Instant,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Services({})", self.signer.did())
    }
}

/// The node's settings, by whom they are read.
#[derive(Debug)]
pub struct Settings {
    /// Those that it runs with, without passwords.
    pub shown: RwLock<Value>,
    /// Where they are written.
    pub file: PathBuf,
    /// What is written there if nothing is.
    pub default: &'static str,
    /// JSON Schema of the file.
    pub schema: fn() -> Value,
    /// The file's text with one setting changed, if that is right: text, `section.key`, value.
    pub edited: fn(&str, &str, &str) -> Result<String, Error>,
    /// What a file's text says of one setting.
    pub read: fn(&str, &str) -> Result<Value, Error>,
    /// Lets what a file's text says of one setting count at once; `false`: it counts from the next start on.
    pub apply: fn(&str, &str) -> Result<bool, Error>,
    /// The environment variable that overrides a setting.
    pub variable: fn(&str) -> String,
}

/// File descriptors, and how many connections they are enough for.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Descriptors {
    /// What the process may have.
    pub most: u64,
    /// What it was given at first.
    pub before: u64,
    pub dwn_connections: u32,
    pub gateway_connections: u32,
    pub peer_connections: u32,
    /// Where there are fewer connections than the settings ask for: a sentence.
    pub fewer: Option<String>,
}
