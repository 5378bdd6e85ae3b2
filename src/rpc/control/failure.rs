//! Why a call failed, as it travels to whoever called.

use super::super::jsonrpc;
use crate::{access::Denial, crypto::Locked};
use serde::{Deserialize, Serialize};

/// What scripts tell apart. The command line's exit codes follow from it, and so do the codes of JSON-RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A fault: the log says more.
    Failed,
    /// The call is not as its method wants it.
    Usage,
    NotFound,
    /// The caller may not.
    Denied,
    Conflict,
    Network,
    /// Not yet.
    Pending,
    /// The text is no JSON.
    Parse,
    /// The JSON is no request of JSON-RPC 2.0.
    InvalidRequest,
    UnknownMethod,
    /// No token, or one that is not valid.
    Unauthorized,
    /// Too many calls: later.
    TooMany,
    /// The keys are locked.
    Locked,
}

/// How every method can fail: by its parameters, by a fault, and because the caller may not.
pub const COMMON: &[Kind] = &[Kind::Usage, Kind::Failed, Kind::Unauthorized, Kind::Denied, Kind::TooMany];

impl Kind {
    /// All of them, with the code of JSON-RPC and what it means.
    pub const ALL: &[(Self, i64, &str)] = &[
        (Self::Parse, jsonrpc::PARSE_ERROR, "the text is not JSON"),
        (Self::InvalidRequest, jsonrpc::INVALID_REQUEST, "this is no request of JSON-RPC 2.0"),
        (Self::UnknownMethod, jsonrpc::METHOD_NOT_FOUND, "there is no such method"),
        (Self::Usage, jsonrpc::INVALID_PARAMS, "the parameters are not what the method wants"),
        (Self::Failed, -32000, "the node could not do it; its log says why"),
        (Self::Denied, -32001, "the caller is not allowed to do this"),
        (Self::Unauthorized, -32002, "there is no token, or it is not valid"),
        (Self::NotFound, -32004, "it is not here"),
        (Self::TooMany, -32005, "too many calls; data.retryAfter says in how many seconds there is room"),
        (Self::Network, -32006, "others could not be reached"),
        (Self::Pending, -32007, "not yet; try again later"),
        (Self::Locked, -32008, "the keys are locked: toft unlock"),
        (Self::Conflict, -32009, "what is there already stands against it"),
    ];

    /// Of JSON-RPC.
    pub fn code(self) -> i64 {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or(-32000, |(_, code, _)| *code)
    }

    /// As it stands in `error.data.kind`.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    /// Seconds until the call may do better, where that is known.
    pub retry_after: Option<u64>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// Too many calls.
    pub fn too_many(message: impl Into<String>, retry_after: u64) -> Self {
        Self { kind: Kind::TooMany, message: message.into(), retry_after: Some(retry_after) }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Kind::Failed, format!("{error:#}"))
    }
}

impl From<Locked> for Failure {
    fn from(locked: Locked) -> Self {
        Self::new(Kind::Locked, locked.to_string())
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        match denial.retry_after() {
            Some(seconds) => Self::too_many(denial.to_string(), seconds),
            None if denial.is_of_the_token() => Self::new(Kind::Unauthorized, denial.to_string()),
            None => Self::new(Kind::Denied, denial.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_kind_has_a_code_of_its_own() {
        let codes: BTreeSet<_> = Kind::ALL.iter().map(|(_, code, _)| code).collect();
        assert_eq!(codes.len(), Kind::ALL.len());
        for (kind, code, _) in Kind::ALL {
            assert_eq!(kind.code(), *code);
            assert_eq!(serde_json::from_value::<Kind>(kind.name().into()).ok(), Some(*kind));
        }
        assert_eq!(Kind::TooMany.name(), "too-many");
    }
}
