//! Copies of the home: `backup.…`.

use super::{
    failure::{Failure, Kind},
    method::{Entry, Method, Scope},
    services::Services,
};
use crate::backup::{Check, Taken};
use anyhow::Error;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub const METHODS: &[Entry] = &[Entry::of::<Create>()];

#[derive(Debug)]
pub struct Create;

impl Method for Create {
    const NAME: &'static str = "backup.create";
    const SUMMARY: &'static str = "Add a snapshot of the home to a backup.";
    const SCOPE: Scope = Scope::Backup;
    const ERRORS: &'static [Kind] = &[];
    type Params = Target;
    type Result = Taken;

    async fn run(services: &Services, Target { dir }: Target) -> Result<Taken, Failure> {
        let source = services.backup.clone();
        Ok(tokio::task::spawn_blocking(move || source.take(&dir, Check::All)).await.map_err(Error::new)??)
    }
}

/// Where the backup is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Absolute.
    pub dir: PathBuf,
}
