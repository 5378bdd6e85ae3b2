//! What files and packs both ask of the file system.

use crate::dwn::Fault;
use anyhow::{Context as _, ensure};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Changes to the disk, of which a test lets one fail, and all after it: a simulated crash. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Changes until the crash. `None`: it never comes.
    #[cfg(test)]
    left: std::sync::Arc<std::sync::Mutex<Option<u64>>>,
}

impl Changes {
    /// Stands before every change.
    pub fn next(&self) -> Result<(), Fault> {
        #[cfg(test)]
        if let Some(left) = &mut *self.left.lock().expect("no test panics while it holds this") {
            ensure!(*left > 0, "the disk has crashed");
            *left -= 1;
        }
        Ok(())
    }

    /// So many changes are made yet.
    #[cfg(test)]
    pub fn crash_in(&self, changes: Option<u64>) {
        *self.left.lock().expect("no test panics while it holds this") = changes;
    }
}

/// What a directory holds; nothing if there is none.
pub fn list(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("listing {}", dir.display())),
    };
    entries.map(|entry| Ok(entry.with_context(|| format!("listing {}", dir.display()))?.path())).collect()
}

/// Deletes a file, if it is there; says how many bytes it had.
pub fn delete(path: &Path) -> Result<u64, Fault> {
    let length = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).with_context(|| format!("looking at {}", path.display())),
    };
    fs::remove_file(path).with_context(|| format!("deleting {}", path.display()))?;
    Ok(length)
}

/// Bytes of a file.
pub fn length(path: &Path) -> Result<u64, Fault> {
    Ok(fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?.len())
}

/// An error unless a file of `length` bytes has `len` of them at `at`.
pub fn ensure_there(path: &Path, length: u64, at: u64, len: u32) -> Result<(), Fault> {
    let is_there = at.checked_add(len.into()).is_some_and(|end| end <= length);
    ensure!(is_there, "{} ends before the {len} bytes at {at} that are said to be a block", path.display());
    Ok(())
}
