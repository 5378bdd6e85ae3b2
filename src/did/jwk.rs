//! did:jwk: the identifier is a public JWK in base64url.

use super::{
    document::{Document, VerificationMethod},
    name::{Did, Error},
};
use crate::crypto::{PublicKey, decode, encode};
use serde_json::Value;

/// Far above any JWK of one public key.
const IDENTIFIER_MAX: usize = 4096;

/// The did:jwk of a key.
pub fn of(key: &PublicKey) -> Did {
    Did(format!("did:jwk:{}", encode(key.to_jwk().to_string().as_bytes())))
}

pub(super) fn document(did: &Did) -> Result<Document, Error> {
    let id = did.identifier();
    if id.len() > IDENTIFIER_MAX {
        return Err(did.invalid("longer than any key"));
    }
    let bytes = decode(id).ok_or_else(|| did.invalid("not base64url"))?;
    let jwk: Value = serde_json::from_slice(&bytes).map_err(|e| did.invalid(format_args!("not a JWK: {e}")))?;
    let key = PublicKey::from_jwk(&jwk).map_err(|e| did.invalid(e))?;
    // A key that says it is for encryption stands under keyAgreement alone.
    let signs = key.algorithm().is_some() && jwk.get("use").and_then(Value::as_str) != Some("enc");
    let method = VerificationMethod { id: format!("{did}#0"), key, signs };
    Ok(Document { id: did.clone(), methods: vec![method], services: vec![], past: vec![] })
}
