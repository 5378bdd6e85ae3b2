//! The device that joins: it was given a code.

use super::{
    code::Code,
    line::Line,
    talk::{self, Asking, Device, Myself},
};
use crate::sync::Link;
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::timeout;

/// Both say who they are in a few short frames.
const ASKED: Duration = Duration::from_secs(20);

/// How joining stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "JoiningState")]
pub enum State {
    /// No code was given since the node started.
    None,
    /// The owner of the other device decides.
    Waits,
    /// The two are in step from now on.
    Joined,
    /// It is over.
    Failed,
}

/// How joining stands, as the owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JoiningStatus")]
pub struct Standing {
    pub state: State,
    /// The device that made the offer.
    pub device: Option<Device>,
    /// Six digits that the other device shows too.
    pub digits: Option<String>,
    /// DIDs whose records both keep.
    pub tenants: Vec<String>,
    /// Why it failed.
    pub why: Option<String>,
}

impl Standing {
    pub const NONE: Self = Self { state: State::None, device: None, digits: None, tenants: Vec::new(), why: None };

    pub fn failed(why: &Error) -> Self {
        Self { state: State::Failed, why: Some(format!("{why:#}")), ..Self::NONE }
    }

    pub fn waits(asked: &Asking) -> Self {
        let (device, digits) = (Some(asked.device.clone()), Some(asked.digits.clone()));
        Self { state: State::Waits, device, digits, ..Self::NONE }
    }

    pub fn joined(device: Device, tenants: Vec<String>) -> Self {
        Self { state: State::Joined, device: Some(device), tenants, ..Self::NONE }
    }
}

/// Goes to the device that made the offer, and proves to know its code.
pub async fn ask(line: &dyn Line, own: &Myself, code: &Code) -> Result<(Asking, Link), Error> {
    let (mut link, reached) = line
        .dial(code.addresses.clone())
        .await
        .context("the other device is not reached; is its toft running, and are both in one network?")?;
    let asked =
        timeout(ASKED, talk::ask(&mut link, own, (code, &reached))).await.context("the other device is silent")??;
    Ok((asked, link))
}
