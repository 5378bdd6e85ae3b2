//! The node's own secrets, kept sealed under `keys/` of the home.
//!
//! `keys/keystore.json` (0600, the folder 0700) holds them under a master key, which lies in it once for each slot, sealed under
//! what the owner brings: the key file (`keys/master.key`, or `identity.key_file` outside of the home and its copies), or a
//! passphrase. The file is replaced as a whole and durably, so a crash leaves the one before or the one after.
//!
//! With a key file in the home, who can read the whole folder has the keys: that is how a node starts by itself. With a
//! passphrase, or the key file elsewhere, a copy of the home is no use without it.

mod files;
mod passphrase;
mod kdf;
mod secrets;
mod keystore;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

pub use files::{make_private_dir, read_short, write_private};
pub use kdf::Kdf;
pub use keystore::{Known, Own};
pub use passphrase::{MAX as PASSPHRASE_MAX, Passphrase};
pub use secrets::{Account, IDENTITIES_MAX, Keys, Past, Secrets, to_text};

use crate::crypto::{Secret, seal};
use anyhow::{Context as _, Error, anyhow, bail};
use files::{remove, sync_dir};
use keystore::{Keystore, Master, Opening};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const KEYSTORE: &str = "keystore.json";
const MASTER: &str = "master.key";
/// Where the first toft had them, sealed with the master key itself.
const FIRST: &str = "secrets.sealed";
const FIRST_CONTEXT: &[u8] = b"toft/keys/v1";
/// Bytes of the largest keystore: 64 identities with a long history each take less.
const KEYSTORE_MAX: usize = 1 << 20;

/// Why the secrets stay closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    #[error(
        "the keys are locked with a passphrase, and none was given: answer on a terminal, or give --passphrase-file FILE, or the systemd credential toft-passphrase"
    )]
    Needed,
    #[error("the passphrase is not the right one")]
    Wrong,
}

/// Where the secrets of a home lie. Holds none.
#[derive(Debug, Clone)]
pub struct Vault {
    dir: PathBuf,
    key_file: PathBuf,
}

impl Vault {
    /// The secrets in `dir`, with the key file among them.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), key_file: dir.join(MASTER) }
    }

    /// The secrets in `dir`, with the key file elsewhere.
    pub fn with_key_file(dir: &Path, key_file: &Path) -> Result<Self, Error> {
        if !key_file.is_absolute() || key_file.starts_with(dir) {
            bail!(
                "identity.key_file is {}: name an absolute path outside of {}, or leave it empty for {MASTER} in there",
                key_file.display(),
                dir.display()
            );
        }
        Ok(Self { dir: dir.to_owned(), key_file: key_file.to_owned() })
    }

    /// Are there secrets?
    pub fn exists(&self) -> bool {
        self.dir.join(KEYSTORE).exists() || self.dir.join(FIRST).exists()
    }

    /// Keeps new secrets, where there are none yet. The caller holds the home, so nobody else does the same.
    pub fn create(&self, secrets: &Secrets, passphrase: Option<&Passphrase>) -> Result<(), Error> {
        if self.exists() {
            bail!("{} already holds keys; they are never overwritten", self.dir.display());
        }
        make_private_dir(&self.dir)?;
        self.replace(secrets, passphrase)
    }

    /// Does it take a passphrase to open them?
    pub fn needs_passphrase(&self) -> Result<bool, Error> {
        Ok(self.keystore()?.is_some_and(|keystore| !keystore.has_file() && keystore.has_passphrase()))
    }

    /// Who the node is, without a passphrase.
    pub fn own(&self) -> Result<Own, Error> {
        if let Some(keystore) = self.keystore()? {
            return Ok(keystore.own().clone());
        }
        let secrets = self.open_first()?;
        let keys = secrets.own();
        Ok(Own { did: keys.did.clone(), kid: keys.kid.clone(), identities: vec![] })
    }

    /// Opens the secrets. Blocking.
    pub fn open(&self, passphrase: Option<&Passphrase>) -> Result<Secrets, Error> {
        match self.keystore()? {
            Some(keystore) => Ok(self.unseal(&keystore, passphrase)?.0),
            None => self.open_first(),
        }
    }

    /// Changes the secrets; `change` is told of the whole, and what it leaves is kept before this returns. Blocking.
    pub fn change<T>(
        &self,
        passphrase: Option<&Passphrase>,
        change: impl FnOnce(&mut Secrets) -> Result<T, Error>,
    ) -> Result<(Secrets, T), Error> {
        let Some(mut keystore) = self.keystore()? else {
            let mut secrets = self.open_first()?;
            let changed = change(&mut secrets)?;
            self.replace(&secrets, None)?;
            return Ok((secrets, changed));
        };
        let (mut secrets, master) = self.unseal(&keystore, passphrase)?;
        let changed = change(&mut secrets)?;
        keystore.seal(&secrets, &master)?;
        self.write(&keystore)?;
        Ok((secrets, changed))
    }

    /// From now on the secrets open with `next`, or without it with the key file; and no longer with what opened them before.
    pub fn protect(&self, passphrase: Option<&Passphrase>, next: Option<&Passphrase>) -> Result<(), Error> {
        let secrets = self.open(passphrase)?;
        self.replace(&secrets, next)
    }

    /// Brings the files into today's form: what the first toft wrote becomes a keystore, the key file goes where the settings say,
    /// and what a passphrase opens says whose keys they are.
    pub fn settle(&self, secrets: &Secrets, passphrase: Option<&Passphrase>) -> Result<(), Error> {
        match self.keystore()? {
            Some(keystore) if !keystore.has_file() && keystore.own().identities.is_empty() => {
                self.change(passphrase, |_| Ok(()))?;
                self.tidy(false)
            }
            None => self.replace(secrets, None),
            Some(keystore) if keystore.has_file() && self.key_file != self.dir.join(MASTER) => {
                let key = read_key(&self.key_file)?;
                let opens = key.is_some_and(|key| matches!(keystore.open(&Opening::File(&key)), Ok(Some(_))));
                if opens { self.tidy(false) } else { self.replace(secrets, None) }
            }
            Some(keystore) => self.tidy(keystore.has_file()),
        }
    }

    /// Makes a keystore with one slot and, once it is durable, deletes what it replaces.
    fn replace(&self, secrets: &Secrets, passphrase: Option<&Passphrase>) -> Result<(), Error> {
        let keystore = match passphrase {
            Some(passphrase) => Keystore::new(secrets, &Opening::Passphrase(passphrase))?,
            None => Keystore::new(secrets, &Opening::File(&self.make_key()?))?,
        };
        self.write(&keystore)?;
        self.tidy(passphrase.is_none())
    }

    fn write(&self, keystore: &Keystore) -> Result<(), Error> {
        write_private(&self.dir.join(KEYSTORE), &keystore.to_bytes()?)?;
        sync_dir(&self.dir)
    }

    /// Deletes what today's keystore has no use for.
    fn tidy(&self, by_file: bool) -> Result<(), Error> {
        remove(&self.dir.join(FIRST))?;
        if !by_file || self.key_file != self.dir.join(MASTER) {
            remove(&self.dir.join(MASTER))?;
        }
        Ok(())
    }

    /// The key in the key file, which is made if it is not there. One that is there is never overwritten: it may open something.
    fn make_key(&self) -> Result<Secret, Error> {
        if let Some(key) = read_key(&self.key_file)? {
            return Ok(key);
        }
        let key = secrets::random()?;
        write_private(&self.key_file, key.expose())?;
        self.key_file.parent().map_or(Ok(()), sync_dir)?;
        Ok(key)
    }

    fn keystore(&self) -> Result<Option<Keystore>, Error> {
        let path = self.dir.join(KEYSTORE);
        let Some(bytes) = read_short(&path, KEYSTORE_MAX)? else { return Ok(None) };
        Keystore::parse(&bytes).with_context(|| format!("opening {}", path.display())).map(Some)
    }

    fn unseal(&self, keystore: &Keystore, passphrase: Option<&Passphrase>) -> Result<(Secrets, Master), Error> {
        let context = || format!("opening {}", self.dir.join(KEYSTORE).display());
        let mut files = vec![self.key_file.clone(), self.dir.join(MASTER)];
        files.dedup();
        for path in files.iter().filter(|_| keystore.has_file()) {
            if let Some(key) = read_key(path)?
                && let Some(opened) = keystore.open(&Opening::File(&key)).with_context(context)?
            {
                return Ok(opened);
            }
        }
        match passphrase {
            Some(passphrase) if keystore.has_passphrase() => {
                let opened = keystore.open(&Opening::Passphrase(passphrase)).with_context(context)?;
                opened.ok_or_else(|| Closed::Wrong.into())
            }
            None if keystore.has_passphrase() => Err(Closed::Needed.into()),
            _ => Err(anyhow!(
                "does not open with {}: the key file is missing, or that of another home",
                self.key_file.display()
            ))
            .with_context(context),
        }
    }

    fn open_first(&self) -> Result<Secrets, Error> {
        let (master, sealed) = (self.dir.join(MASTER), self.dir.join(FIRST));
        let key = read_key(&master)?.with_context(|| format!("{} is not there", master.display()))?;
        let bytes = read_short(&sealed, KEYSTORE_MAX)?.with_context(|| format!("{} is not there", sealed.display()))?;
        let text = seal::open(key.expose(), FIRST_CONTEXT, &bytes);
        let text = Zeroizing::new(text.with_context(|| format!("opening {}", sealed.display()))?);
        Secrets::from_first(&text).with_context(|| format!("opening {}", sealed.display()))
    }
}

/// The key in a file, if it is there.
fn read_key(path: &Path) -> Result<Option<Secret>, Error> {
    let Some(bytes) = read_short(path, 32)? else { return Ok(None) };
    let mode = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{} is open to others: make it yours alone with chmod 600", path.display());
    }
    let damaged = || anyhow!("{} has {} bytes instead of 32: it was damaged", path.display(), bytes.len());
    Secret::from_slice(&bytes).ok_or_else(damaged).map(Some)
}

#[cfg(test)]
mod tests;
