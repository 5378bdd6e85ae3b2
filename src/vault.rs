//! The node's own secrets: made once by `toft init`, kept sealed under `keys/`.
//!
//! `keys/master.key` (32 random bytes, 0600) seals `keys/secrets.sealed` (0600); the folder is 0700. This
//! keeps a copied `secrets.sealed` useless without the master key. It does not protect against somebody
//! who can read the whole folder: a passphrase over the master key comes with the vault's own issue.

use crate::crypto::{Secret, seal};
use anyhow::{Context as _, Error, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const MASTER: &str = "master.key";
const SECRETS: &str = "secrets.sealed";
/// Bound into the seal, so that nothing else sealed with the master key opens as secrets.
const CONTEXT: &[u8] = b"toft/keys/v1";

/// Bytes that the secrets take as JSON, and more: text that grows leaves copies behind.
const TEXT_MAX: usize = 4 << 10;

/// The secrets themselves: each lies at one place and is never printed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    version: u8,
    /// Ed25519 seed of the node's DID.
    pub identity: Secret,
    /// Ed25519 seed of the libp2p peer id: separate, so that a peer id can change while the DID stays.
    pub peer: Secret,
    /// Keys the nonces of anchored leaves.
    pub anchor: Secret,
}

/// Are there secrets, or a part of them, in `dir`?
pub fn exists(dir: &Path) -> bool {
    dir.join(SECRETS).exists() || dir.join(MASTER).exists()
}

/// Makes new secrets in `dir`, which must hold none. The caller holds the home, so nobody else does the same.
pub fn create(dir: &Path) -> Result<Secrets, Error> {
    if exists(dir) {
        bail!("{} already holds keys; they are never overwritten", dir.display());
    }
    make_private_dir(dir)?;
    let secrets = Secrets { version: 1, identity: random()?, peer: random()?, anchor: random()? };
    let master = random()?;
    let mut plain = Zeroizing::new(Vec::with_capacity(TEXT_MAX));
    serde_json::to_writer(&mut *plain, &secrets).context("encoding the secrets")?;
    let sealed = seal::seal(master.expose(), CONTEXT, &plain)?;
    write_private(&dir.join(MASTER), master.expose())?;
    write_private(&dir.join(SECRETS), &sealed)?;
    sync_dir(dir)?;
    Ok(secrets)
}

/// Opens the secrets in `dir`.
pub fn open(dir: &Path) -> Result<Secrets, Error> {
    let master_file = dir.join(MASTER);
    let master = fs::read(&master_file).with_context(|| format!("reading {}", master_file.display()))?;
    let master = Zeroizing::new(master);
    let key = Secret::from_slice(&master)
        .ok_or_else(|| anyhow!("{} has {} bytes instead of 32: it was damaged", master_file.display(), master.len()))?;
    let secrets_file = dir.join(SECRETS);
    let sealed = fs::read(&secrets_file).with_context(|| format!("reading {}", secrets_file.display()))?;
    let plain = seal::open(key.expose(), CONTEXT, &sealed);
    let plain = Zeroizing::new(plain.with_context(|| format!("opening {}", secrets_file.display()))?);
    let secrets: Secrets = serde_json::from_slice(&plain)
        .with_context(|| format!("{} is sealed but not readable", secrets_file.display()))?;
    if secrets.version != 1 {
        bail!("{} has version {}; this toft knows version 1", secrets_file.display(), secrets.version);
    }
    Ok(secrets)
}

fn random() -> Result<Secret, Error> {
    Secret::random().map_err(|e| anyhow!("the operating system gave no randomness: {e}"))
}

/// Creates `dir` (and its parents) for this user alone.
pub fn make_private_dir(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let hint =
        || format!("cannot make {} a private folder: choose another home with --home or TOFT_HOME", dir.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(hint)?;
    // It may have been there, open to others.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).with_context(hint)
}

/// Writes a file that only this user may read, atomically and durably.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let tmp: PathBuf = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&tmp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&tmp, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

fn sync_dir(dir: &Path) -> Result<(), Error> {
    fs::File::open(dir).and_then(|d| d.sync_all()).with_context(|| format!("syncing {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn secrets_come_back_private_and_are_never_overwritten() {
        let home = tempfile::tempdir().expect("temp dir");
        let dir = home.path().join("keys");
        let made = create(&dir).expect("creates");
        assert_eq!(open(&dir).expect("opens").identity.expose(), made.identity.expose());
        assert!(create(&dir).is_err());
        for file in [MASTER, SECRETS] {
            let mode = fs::metadata(dir.join(file)).expect("exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let shown = "Secrets { version: 1, identity: Secret(…), peer: Secret(…), anchor: Secret(…) }";
        assert_eq!(format!("{made:?}"), shown);
    }

    #[test]
    fn damage_is_named() {
        let home = tempfile::tempdir().expect("temp dir");
        create(home.path()).expect("creates");
        let path = home.path().join(SECRETS);
        let mut bytes = fs::read(&path).expect("reads");
        bytes[40] ^= 1;
        fs::write(&path, bytes).expect("writes");
        let error = format!("{:#}", open(home.path()).expect_err("damaged"));
        assert!(error.contains("secrets.sealed") && error.contains("does not open"), "{error}");
    }
}
