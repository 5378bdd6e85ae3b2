//! Whom the node speaks as.

use crate::{crypto::Signer, did, vault::Secrets};
use std::sync::Arc;

/// The identity behind some secrets.
#[derive(Debug, Clone)]
pub struct Identity {
    pub did: String,
    pub signer: Arc<Signer>,
}

impl Identity {
    /// A did:key of the Ed25519 identity key.
    pub fn of(secrets: &Secrets) -> Self {
        let signer = Signer::of(&secrets.identity, |public| did::key::kid(&did::key::from_ed25519(public)));
        Self { did: signer.did().to_owned(), signer: Arc::new(signer) }
    }
}
