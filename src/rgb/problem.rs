//! Why something could not be done with assets.

use crate::{
    dwn::{Fault, Refusal, Stop},
    foreign::shown,
    hook::HookError,
};

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(
        "the protocol rgb is not installed for {0}, so no assets are kept there: toft protocol install rgb (or protocols.configure) \
         installs it"
    )]
    NotInstalled(String),
    /// What was asked for cannot be meant.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    NotFound(String),
    /// What is there already stands against it.
    #[error("{0}")]
    Conflict(String),
    #[error("no validator is set, so nothing is said about the transfer: name one in hooks.rgb_validator of node.toml")]
    NoValidator,
    #[error(transparent)]
    Hook(#[from] HookError),
    /// What the door answered.
    #[error("{0}")]
    Refused(Refusal),
    #[error("{0:#}")]
    Fault(Fault),
}

impl Problem {
    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self::Usage(what.into())
    }

    pub(super) fn no_asset(asset: &str) -> Self {
        Self::NotFound(format!("the asset {} is not here: store it first (rgb.storeAsset)", shown(asset)))
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        // What has no room or is being built says so by a refusal.
        match fault.downcast::<Refusal>() {
            Ok(refusal) => Self::Refused(refusal),
            Err(fault) => Self::Fault(fault),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Stop> for Problem {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refusal(refusal) => Self::Refused(refusal),
            Stop::Fault(fault) => fault.into(),
        }
    }
}
