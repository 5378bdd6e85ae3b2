//! Copies of the home: `backup.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, From, Method, Need},
};
use crate::{
    audit::What,
    backup::{Check, Taken},
};
use anyhow::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::PathBuf;

pub const METHODS: &[Entry] = &[Entry::of::<Create>()];

#[derive(Debug)]
pub struct Create;

impl Method for Create {
    const NAME: &'static str = "backup.create";
    const SUMMARY: &'static str = "Add a snapshot of the home to a backup.";
    const SCOPE: Need = Need::Backup;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "to a disk",
        params: r#"{"dir": "/mnt/usb/toft"}"#,
        result: r#"{"snapshot": "2026-11-21T09:00:00Z", "files": 7, "bytes": 4096, "new_files": 1, "new_bytes": 512, "linked": 0, "mended": 0, "damaged": []}"#,
    }];
    type Params = Target;
    type Result = Taken;

    async fn run(call: &Call, Target { dir }: Target) -> Result<Taken, Failure> {
        let source = call.backup.clone();
        let taken = tokio::task::spawn_blocking(move || source.take(&dir, Check::All)).await.map_err(Error::new)??;
        // It has the keys.
        call.audit.note(What::BackupMade, call.caller(), json!({"snapshot": taken.snapshot})).await?;
        Ok(taken)
    }
}

/// Where the backup is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Absolute.
    pub dir: PathBuf,
}
