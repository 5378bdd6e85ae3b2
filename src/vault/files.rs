//! Files and folders for one user alone.

use anyhow::{Context as _, Error};
use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Creates `dir` (and its parents) for this user alone.
pub fn make_private_dir(dir: &Path) -> Result<(), Error> {
    let hint =
        || format!("cannot make {} a private folder: choose another home with --home or TOFT_HOME", dir.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(hint)?;
    // It may have been there, open to others.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).with_context(hint)
}

/// Writes a file that only this user may read, atomically and durably.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let tmp: PathBuf = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&tmp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&tmp, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Makes what was renamed, made or deleted in a folder durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    fs::File::open(dir).and_then(|d| d.sync_all()).with_context(|| format!("syncing {}", dir.display()))
}

/// Deletes a file, durably; it may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_dir),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e).with_context(|| format!("deleting {}", path.display())),
    }
}

/// What a file holds, if it is there. One that is longer than `most` is not read on. What was read is wiped when it is given up.
pub fn read_short(path: &Path, most: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
    };
    file.take(most as u64 + 1).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    anyhow::ensure!(bytes.len() <= most, "{} is longer than {most} bytes: it is not what toft wrote", path.display());
    Ok(Some(bytes))
}
