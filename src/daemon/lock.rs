//! One process per home.

use anyhow::{Context as _, Error, bail};
use std::{
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

/// The home, held by this process.
#[derive(Debug)]
pub struct Lock {
    /// Dropping it lets the next process in.
    _file: File,
}

impl Lock {
    /// Takes the home for this process, or says who has it.
    pub fn take(home: &Path) -> Result<Self, Error> {
        let path = home.join("node.pid");
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).with_context(|| {
                format!("cannot write {}: choose another home with --home or TOFT_HOME", path.display())
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid); // without the pid the sentence is still true
                bail!(
                    "another toft (pid {}) runs on {}: stop it first (Ctrl-C there, or kill {}), or use another --home",
                    pid.trim(),
                    home.display(),
                    pid.trim()
                );
            }
            Err(TryLockError::Error(e)) => return Err(e).with_context(|| format!("locking {}", path.display())),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { _file: file })
    }
}
