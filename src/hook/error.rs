//! Why a hook gave no answer.

use super::config::Config;
use crate::foreign::said;
use anyhow::Error;
use std::{io, os::unix::process::ExitStatusExt as _, process::ExitStatus};

#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("{0} hooks are running already (hooks.at_once): ask again in a moment")]
    Busy(u32),
    #[error("the hook could not be started: {0}")]
    NotStarted(#[source] io::Error),
    #[error("the hook took longer than {0} (hooks.timeout) and was ended")]
    TooLong(String),
    #[error("the hook said more than {0} bytes and was ended")]
    SaidTooMuch(usize),
    #[error("the hook had more than {0} processes (hooks.processes) and was ended")]
    TooManyProcesses(u32),
    #[error("the hook {0}")]
    Ended(String),
    #[error("the hook's answer is none: {0}")]
    NoAnswer(String),
    #[error("what the hook was to read could not be read: {0:#}")]
    Input(Error),
}

impl HookError {
    /// What a status other than success says. `errors`: what it wrote to its standard error.
    pub(super) fn ended(status: ExitStatus, errors: &[u8], config: &Config) -> Self {
        let text = String::from_utf8_lossy(errors);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        let told = last.map(|line| format!("; it said: {}", said(line.trim()))).unwrap_or_default();
        let how = match (status.code(), status.signal()) {
            (_, Some(24)) => {
                format!("took more than {} seconds of processor time (hooks.cpu) and was ended", config.cpu)
            }
            (_, Some(25)) => {
                format!("wrote a file of more than {} bytes (hooks.file_size) and was ended", config.file_size)
            }
            (Some(code), _) => format!("ended with status {code}"),
            (_, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended, and the system does not say how".to_owned(),
        };
        Self::Ended(how + &told)
    }
}
