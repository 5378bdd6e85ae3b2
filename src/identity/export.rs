//! One identity as a file, under a passphrase of its own: to carry to another node, or to put away.

use super::make::signer;
use crate::{
    crypto::{decode, encode, seal},
    vault::{Kdf, Keys, Passphrase, to_text},
};
use anyhow::{Context as _, Error, bail};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Version of the file.
const VERSION: u8 = 1;
/// Bytes of the largest file: an identity with a thousand past keys takes less.
pub const FILE_MAX: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct File {
    #[serde(flatten)]
    pub header: Header,
    /// The keys, sealed; base64url.
    sealed: String,
}

/// What the file says of itself: bound into the seal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    #[serde(rename = "toft-identity")]
    version: u8,
    pub did: String,
    kdf: Kdf,
}

impl Header {
    fn context(&self) -> Result<Vec<u8>, Error> {
        Ok(["toft/identity/v1/", &serde_json::to_string(self)?].concat().into_bytes())
    }
}

/// The file. Blocking: the passphrase costs what it is meant to.
pub fn export(keys: &Keys, passphrase: &Passphrase) -> Result<String, Error> {
    let header = Header { version: VERSION, did: keys.did.clone(), kdf: Kdf::new()? };
    let key = header.kdf.derive(passphrase)?;
    let sealed = encode(&seal::seal(key.expose(), &header.context()?, &to_text(keys)?)?);
    serde_json::to_string_pretty(&File { header, sealed }).context("the file as JSON")
}

/// The keys in a file. Blocking.
pub fn import(file: &str, passphrase: &Passphrase) -> Result<Keys, Error> {
    let File { header, sealed } = parse(file)?;
    let key = header.kdf.derive(passphrase)?;
    let sealed = decode(&sealed).context("what is sealed is not base64url: the file was damaged")?;
    let text = seal::open(key.expose(), &header.context()?, &sealed);
    let text = Zeroizing::new(text.context("the passphrase is not that of this file, or the file was changed")?);
    keys_in(&text, &header.did)
}

pub(super) fn parse(file: &str) -> Result<File, Error> {
    if file.len() > FILE_MAX {
        bail!("longer than {FILE_MAX} bytes: it is no exported identity");
    }
    let file: File = serde_json::from_str(file).context("not an exported identity")?;
    match file.header.version {
        VERSION => Ok(file),
        version => bail!("exported in version {version}; this toft knows version {VERSION}"),
    }
}

/// What was sealed: the keys of this DID.
pub(super) fn keys_in(text: &[u8], did: &str) -> Result<Keys, Error> {
    let keys: Keys = serde_json::from_slice(text).map_err(|_| anyhow::anyhow!("what is sealed are no keys of ours"))?;
    if keys.did != did || signer(&keys).did() != keys.did {
        bail!("what is sealed are the keys of another DID");
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::super::{
        Method,
        make::{new, rotate},
    };
    use super::*;

    #[test]
    fn an_identity_comes_back_with_its_past_and_only_with_the_passphrase() {
        let mut keys = new(Method::Dht, "2026-11-29T09:00:00.000000Z").expect("made").keys;
        rotate(&mut keys, false, "2026-11-30T09:00:00.000000Z").expect("rotates");
        let file = export(&keys, &"correct horse".into()).expect("exports");
        assert!(file.contains(&keys.did) && !file.contains(&keys.public()));
        let back = import(&file, &"correct horse".into()).expect("imports");
        assert_eq!((&back.kid, back.seed.expose(), &back.past), (&keys.kid, keys.seed.expose(), &keys.past));
        for (file, passphrase, why) in [
            (file.clone(), "correct hors", "not that of this file"),
            (file.replace("did:dht:", "did:dhd:"), "correct horse", "not that of this file"),
            (file.replace(r#""m": 65536"#, r#""m": 4294967295"#), "correct horse", "KiB"),
            (file.replace(r#"identity": 1"#, r#"identity": 2"#), "correct horse", "version 2"),
            ("{}".into(), "correct horse", "not an exported identity"),
        ] {
            let error = format!("{:#}", import(&file, &passphrase.into()).expect_err("refused"));
            assert!(error.contains(why), "{why}: {error}");
        }
    }
}
