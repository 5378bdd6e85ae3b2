//! did:key: the identifier is the multicodec public key in base58btc.

use super::{
    document::{Document, VerificationMethod},
    multikey,
    name::{Did, Error},
};

/// The did:key of a 32-byte Ed25519 public key.
pub fn from_ed25519(public_key: &[u8; 32]) -> Did {
    Did(format!("did:key:{}", multikey::of_ed25519(public_key)))
}

/// The key id of a did:key: the identifier, repeated as fragment.
pub fn kid(did: &Did) -> String {
    format!("{did}#{}", did.identifier())
}

pub(super) fn document(did: &Did) -> Result<Document, Error> {
    let key = multikey::from_multibase(did.identifier()).map_err(|why| did.invalid(why))?;
    let signs = key.algorithm().is_some();
    Ok(Document {
        id: did.clone(),
        methods: vec![VerificationMethod { id: kid(did), key, signs }],
        services: vec![],
        past: vec![],
    })
}
