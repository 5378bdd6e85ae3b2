//! did:key: the identifier is the multicodec public key in base58btc.

use super::{Did, Error, VerificationMethod};
use crate::crypto::PublicKey;

/// Multicodec varints of the key types.
const ED25519: [u8; 2] = [0xed, 0x01];
const SECP256K1: [u8; 2] = [0xe7, 0x01];

/// Longer identifiers than any key we know are not even decoded: base58 costs quadratic time.
const IDENTIFIER_MAX: usize = 128;

/// The did:key of a 32-byte Ed25519 public key.
pub fn from_ed25519(public_key: &[u8; 32]) -> Did {
    let bytes = [&ED25519[..], public_key].concat();
    Did(format!("did:key:z{}", bs58::encode(bytes).into_string()))
}

/// The key id of a did:key: the identifier, repeated as fragment.
pub fn kid(did: &Did) -> String {
    format!("{did}#{}", did.identifier())
}

pub(super) fn verification_methods(did: &Did) -> Result<Vec<VerificationMethod>, Error> {
    let id = did.identifier();
    let base58 = id.strip_prefix('z').ok_or_else(|| did.invalid("a did:key begins with z (base58btc)"))?;
    if id.len() > IDENTIFIER_MAX {
        return Err(did.invalid("longer than any key"));
    }
    let bytes = bs58::decode(base58).into_vec().map_err(|e| did.invalid(e))?;
    let key = match bytes.split_first_chunk() {
        Some((&ED25519, key)) => PublicKey::ed25519(key),
        Some((&SECP256K1, key)) if key.len() == 33 => PublicKey::secp256k1(key),
        _ => return Err(did.invalid("the key type is not supported: this version reads Ed25519 and secp256k1")),
    };
    Ok(vec![VerificationMethod { id: kid(did), key: key.map_err(|e| did.invalid(e))? }])
}
