//! did:key: the identifier is the multicodec public key in base58btc.

use super::{Did, Document, Error, VerificationMethod};
use crate::crypto::PublicKey;

/// Multicodec varints of the key types.
const ED25519: [u8; 2] = [0xed, 0x01];
const X25519: [u8; 2] = [0xec, 0x01];
const SECP256K1: [u8; 2] = [0xe7, 0x01];
const P256: [u8; 2] = [0x80, 0x24];

/// Longer texts than any key we know are not even decoded: base58 costs quadratic time.
const MULTIBASE_MAX: usize = 128;

/// The did:key of a 32-byte Ed25519 public key.
pub fn from_ed25519(public_key: &[u8; 32]) -> Did {
    let bytes = [&ED25519[..], public_key].concat();
    Did(format!("did:key:z{}", bs58::encode(bytes).into_string()))
}

/// The key id of a did:key: the identifier, repeated as fragment.
pub fn kid(did: &Did) -> String {
    format!("{did}#{}", did.identifier())
}

pub(super) fn document(did: &Did) -> Result<Document, Error> {
    let key = from_multibase(did.identifier()).map_err(|why| did.invalid(why))?;
    let signs = key.algorithm().is_some();
    Ok(Document { id: did.clone(), methods: vec![VerificationMethod { id: kid(did), key, signs }], services: vec![] })
}

/// The key of a multicodec public key in base58btc (`z…`), as did:key and Multikey write it. Points on elliptic
/// curves come compressed only, so that a key has one spelling.
pub(super) fn from_multibase(text: &str) -> Result<PublicKey, String> {
    let base58 = text.strip_prefix('z').ok_or("a multibase key begins with z (base58btc)")?;
    if text.len() > MULTIBASE_MAX {
        return Err("longer than any key".into());
    }
    let bytes = bs58::decode(base58).into_vec().map_err(|e| e.to_string())?;
    let key = match bytes.split_first_chunk() {
        Some((&ED25519, key)) => PublicKey::ed25519(key),
        Some((&X25519, key)) => PublicKey::x25519(key),
        Some((&SECP256K1, key)) if key.len() == 33 => PublicKey::secp256k1(key),
        Some((&P256, key)) if key.len() == 33 => PublicKey::p256(key),
        _ => return Err("the key type is not supported: toft knows Ed25519, secp256k1, P-256 and X25519".into()),
    };
    key.map_err(|e| e.to_string())
}
