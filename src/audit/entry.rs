//! An entry of the audit log, as a line, and what chains it to the one before.
//!
//! The hash is SHA-256 of the line up to where the hash stands, so nothing depends on how JSON may be spelled; the hash before is part of
//! the line.

use crate::{cid, foreign, job::Moment};
use anyhow::{Context as _, Error, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// What stands before the hash, which ends the line.
const HASH: &str = ",\"hash\":\"";
/// Hex digits of a hash.
const HEX: usize = 64;
/// Bytes of the longest line.
pub const LINE_MAX: usize = 64 << 10;
/// What has no hash before it.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The home, with its first identity.
    HomeMade,
    NodeStarted,
    NodeStopped,
    TokenMade,
    TokenRevoked,
    PairingApproved,
    PairingRejected,
    /// Calls that were refused, in sum.
    Refused,
    GrantMade,
    GrantRevoked,
    /// A login in an identity's name.
    Login,
    CredentialSigned,
    IdentityMade,
    /// The node itself is this one, from its next start on.
    IdentityUsed,
    IdentityRotated,
    IdentityExported,
    IdentityImported,
    IdentityRecovered,
    KeysLocked,
    KeysUnlocked,
    /// Something else opens the keys.
    PassphraseChanged,
    SettingsChanged,
    PeerAdded,
    PeerRemoved,
    /// A DWN server is kept in step with from now on.
    RemoteAdded,
    RemoteRemoved,
    TenantRemoved,
    BackupMade,
    /// A snapshot of the schedule.
    BackedUp,
    /// Money of the anchor's wallet.
    Spent,
    /// Begins a file.
    FileBegun,
    /// A line was cut short by a crash, and cut off.
    Mended,
    /// A file is so old that it goes.
    FileDropped,
    /// Entries that a signed head names are not there, or others are in their place.
    Missing,
}

impl What {
    pub const fn name(self) -> &'static str {
        match self {
            Self::HomeMade => "home.made",
            Self::NodeStarted => "node.started",
            Self::NodeStopped => "node.stopped",
            Self::TokenMade => "token.made",
            Self::TokenRevoked => "token.revoked",
            Self::PairingApproved => "pairing.approved",
            Self::PairingRejected => "pairing.rejected",
            Self::Refused => "refused",
            Self::GrantMade => "grant.made",
            Self::GrantRevoked => "grant.revoked",
            Self::Login => "login",
            Self::CredentialSigned => "credential.signed",
            Self::IdentityMade => "identity.made",
            Self::IdentityUsed => "identity.used",
            Self::IdentityRotated => "identity.rotated",
            Self::IdentityExported => "identity.exported",
            Self::IdentityImported => "identity.imported",
            Self::IdentityRecovered => "identity.recovered",
            Self::KeysLocked => "keys.locked",
            Self::KeysUnlocked => "keys.unlocked",
            Self::PassphraseChanged => "passphrase.changed",
            Self::SettingsChanged => "settings.changed",
            Self::PeerAdded => "peer.added",
            Self::PeerRemoved => "peer.removed",
            Self::RemoteAdded => "remote.added",
            Self::RemoteRemoved => "remote.removed",
            Self::TenantRemoved => "tenant.removed",
            Self::BackupMade => "backup.made",
            Self::BackedUp => "backup.scheduled",
            Self::Spent => "anchor.spent",
            Self::FileBegun => "audit.file",
            Self::Mended => "audit.mended",
            Self::FileDropped => "audit.dropped",
            Self::Missing => "audit.missing",
        }
    }
}

impl What {
    /// Does an entry of this name say more than that there is a node and that it ran?
    pub fn matters(name: &str) -> bool {
        // What was spent stands in the chain. If it mattered, each anchor would be the reason for the next: the head is signed
        // when something matters, and anchored.
        let little = [
            Self::HomeMade,
            Self::NodeStarted,
            Self::NodeStopped,
            Self::Refused,
            Self::FileBegun,
            Self::BackedUp,
            Self::Spent,
        ];
        !little.iter().any(|what| what.name() == name)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its number; the first has 1.
    pub n: u64,
    #[schemars(with = "String")]
    pub at: Moment,
    /// What happened: `token.made`.
    pub what: String,
    /// Who did it: `owner`, `cookie`, `token <id>`, `node`.
    pub who: String,
    /// To what, and how.
    pub about: Map<String, Value>,
    /// The hash of the entry before.
    pub prev: String,
    /// The hash of this one.
    #[serde(default, skip_serializing)]
    pub hash: String,
}

impl Entry {
    /// Its line, and its hash set.
    pub fn line(&mut self) -> Result<String, Error> {
        let mut json = serde_json::to_string(self).context("an audit entry as JSON")?;
        ensure!(json.pop() == Some('}'), "an audit entry is an object");
        self.hash = hex::encode(cid::digest(json.as_bytes()));
        let line = format!("{json}{HASH}{}\"}}\n", self.hash);
        ensure!(line.len() <= LINE_MAX, "an audit entry is longer than {LINE_MAX} bytes");
        Ok(line)
    }

    /// The entry that a line (without its end) is, if its hash is right.
    pub fn read(line: &[u8]) -> Result<Self, Error> {
        let tail = HASH.len() + HEX + 2;
        let (before, rest) = line.split_at_checked(line.len().saturating_sub(tail)).context("the line is too short")?;
        let hash = rest.strip_prefix(HASH.as_bytes()).and_then(|rest| rest.strip_suffix(b"\"}"));
        let hash = hash.context("the line does not end with its hash")?;
        if hash != hex::encode(cid::digest(before)).as_bytes() {
            bail!("the hash is not that of the line");
        }
        serde_json::from_slice(line).context("the line is no entry")
    }
}

/// What an event was about, as it may be kept: texts are bounded, and nothing in them means anything to a terminal.
pub fn fit(about: Value) -> Map<String, Value> {
    match about {
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, short(value))).collect(),
        Value::Null => Map::new(),
        other => Map::from_iter([("what".to_owned(), short(other))]),
    }
}

/// Lists of a bounded length, texts of a bounded length.
fn short(value: Value) -> Value {
    /// Of one list or object; a line stays short.
    const MANY: usize = 64;
    match value {
        Value::String(text) => foreign::shown(&text).to_string().into(),
        Value::Array(list) => list.into_iter().take(MANY).map(short).collect(),
        Value::Object(map) => {
            map.into_iter().take(MANY).map(|(key, value)| (foreign::shown(&key).to_string(), short(value))).collect()
        }
        other => other,
    }
}
