//! Why a DID, or a key of it, was not found.

use super::http::Failure;
use crate::{
    did::{self, Did},
    foreign::shown,
};

/// Why a DID or a key of it was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Did(#[from] did::Error),
    #[error("{}: did:web is not resolved here (resolve.web and resolve.web_hosts in node.toml)", shown(.0.as_str()))]
    NotAllowed(Did),
    #[error("{} is not known: it is not published here{}", shown(.0.as_str()), .1)]
    Unknown(Did, &'static str),
    #[error("{} could not be resolved: {}", shown(.0.as_str()), .1)]
    Fetch(Did, Failure),
    #[error("{} could not be resolved: its packet is wrong: {}", shown(.0.as_str()), shown(.1))]
    Packet(Did, String),
    #[error("{} is not resolved now: too many lookups this minute", shown(.0.as_str()))]
    TooMany(Did),
    #[error("{} could not be resolved: {}", shown(.0.as_str()), .1)]
    Fault(Did, String),
}

impl Error {
    /// Says nothing about the DID, only that its place could not be asked.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Fetch(_, Failure::Unreachable(_)) | Self::TooMany(_) | Self::Fault(..))
            || matches!(self, Self::Fetch(_, Failure::Refused(status)) if status.is_server_error())
    }
}
