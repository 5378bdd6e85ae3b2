//! Sealing at rest: XChaCha20-Poly1305 under a 32-byte key, a random 24-byte nonce in front.
//!
//! Shape of sealed bytes: version (1) ‖ nonce (24) ‖ ciphertext and tag. `context` is bound as associated
//! data, so bytes sealed for one purpose do not open for another.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

/// First byte of everything sealed.
const VERSION: u8 = 1;
const NONCE: usize = 24;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("sealed with format {0}; this toft knows format {VERSION}")]
    Version(u8),
    #[error("does not open: wrong key, or the bytes were changed")]
    Open,
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// Seals `plain` for `context`.
pub fn seal(key: &[u8; 32], context: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| Error::Randomness)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: context }).map_err(|_| Error::Open)?;
    Ok([&[VERSION][..], &nonce, &sealed].concat())
}

/// Opens what [`seal`] made with the same key and context.
pub fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let (&version, rest) = sealed.split_first().ok_or(Error::Open)?;
    if version != VERSION {
        return Err(Error::Version(version));
    }
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(Error::Open)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: context }).map_err(|_| Error::Open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_its_key_its_context_and_every_byte() {
        let key = [7; 32];
        let sealed = seal(&key, b"keys", b"secret").expect("seals");
        assert_eq!(open(&key, b"keys", &sealed).as_deref(), Ok(&b"secret"[..]));
        assert_eq!(open(&[8; 32], b"keys", &sealed), Err(Error::Open));
        assert_eq!(open(&key, b"other", &sealed), Err(Error::Open));
        for at in 1..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, b"keys", &changed), Err(Error::Open), "byte {at}");
        }
        assert_eq!(open(&key, b"keys", &[9, 0]), Err(Error::Version(9)));
    }
}
