//! did:jwk: the identifier is a public JWK in base64url.

use super::{Did, Error, VerificationMethod};
use crate::crypto::{PublicKey, decode};

/// Far above any JWK of one public key.
const IDENTIFIER_MAX: usize = 4096;

pub(super) fn verification_methods(did: &Did) -> Result<Vec<VerificationMethod>, Error> {
    let id = did.identifier();
    if id.len() > IDENTIFIER_MAX {
        return Err(did.invalid("longer than any key"));
    }
    let bytes = decode(id).ok_or_else(|| did.invalid("not base64url"))?;
    let jwk = serde_json::from_slice(&bytes).map_err(|e| did.invalid(format_args!("not a JWK: {e}")))?;
    let key = PublicKey::from_jwk(&jwk).map_err(|e| did.invalid(e))?;
    Ok(vec![VerificationMethod { id: format!("{did}#0"), key }])
}
