//! Multikey: a multicodec public key in base58btc, as did:key and DID documents write keys.

use crate::crypto::PublicKey;

/// Multicodec varints of the key types.
const ED25519: [u8; 2] = [0xed, 0x01];
const X25519: [u8; 2] = [0xec, 0x01];
const SECP256K1: [u8; 2] = [0xe7, 0x01];
const P256: [u8; 2] = [0x80, 0x24];

/// Longer texts than any key we know are not even decoded: base58 costs quadratic time.
const MULTIBASE_MAX: usize = 128;

/// The text of a 32-byte Ed25519 public key.
pub(super) fn of_ed25519(public_key: &[u8; 32]) -> String {
    format!("z{}", bs58::encode([&ED25519[..], public_key].concat()).into_string())
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
