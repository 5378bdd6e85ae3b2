//! The mark that an index has failed: the next start builds it again instead of trusting it.

use crate::scarce;
use anyhow::Error as Fault;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file that tells the next start that the index in `dir` has failed.
pub fn suspect_marker(dir: &Path) -> PathBuf {
    dir.with_extension("suspect")
}

/// Marks one index.
#[derive(Debug)]
pub struct Suspect(PathBuf);

impl Suspect {
    /// For the index in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self(suspect_marker(dir))
    }

    /// Marks the index, unless nothing is wrong with it; the error as it is passed on.
    pub fn mark(&self, error: Fault) -> Fault {
        if scarce::is_scarcity(&error) {
            return error;
        }
        if fs::write(&self.0, error.to_string()).is_err() {
            tracing::error!("cannot mark the index as damaged in {}", self.0.display());
        }
        error.context("the index failed; restart the node and it will be rebuilt from the log")
    }
}
