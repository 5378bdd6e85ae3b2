//! Directories: made durable, locked, measured.

use crate::{dwn::Fault, scarce};
use anyhow::{Context as _, bail};
use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Fault> {
    let opened = scarce::patiently(|| File::open(dir)).with_context(|| format!("opening {}", dir.display()))?;
    opened.sync_all().with_context(|| format!("making {} durable", dir.display()))
}

/// Files below a path and their bytes. What goes away while it looks counts nothing.
pub fn tree(path: &Path) -> Result<(u64, u64), Fault> {
    let Ok(found) = fs::metadata(path) else { return Ok((0, 0)) };
    if !found.is_dir() {
        return Ok((1, found.len()));
    }
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(path).with_context(|| format!("listing {}", path.display()))? {
        let (more, length) = tree(&entry?.path())?;
        files += more;
        bytes += length;
    }
    Ok((files, bytes))
}

/// Takes the lock that keeps a second process, or a second open in this one, away.
pub fn lock(path: &Path) -> Result<File, Fault> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another process has this store open ({} is locked); stop it first", path.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}
