//! Admission: tenant, shape, integrity and signatures; everything that needs no past.

use super::{
    deny::Denied,
    gate::{self, Gate},
};
use crate::{
    asker::Asker,
    crypto::PublicKey,
    did,
    dwn::{Message, Refusal, Stop},
    resolve::Resolver,
    store::Store,
};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// The keys of who signed a message, by key id.
pub(super) type Keys = HashMap<String, PublicKey>;

/// A tenant that is let in.
pub(super) struct Admission {
    tenant: String,
    denied: Arc<Denied>,
    /// A copy of somebody else's records: this DID alone is answered.
    copy_for: Option<String>,
    /// Is the index whole? Asked once for each message.
    whole: Result<(), Refusal>,
}

/// A message whose shape is right.
pub(super) enum Admitted {
    Verified(Arc<Message>),
    Unverified(Unverified),
}

/// A message with a signer whose key does not stand in his DID.
pub(super) struct Unverified {
    message: Box<Message>,
    whole: Result<(), Refusal>,
}

impl Admission {
    pub fn new(tenant: &str, store: &Store, gate: &Gate, denied: &Arc<Denied>) -> Result<Self, Refusal> {
        let whole = store.whole();
        denied.check(tenant)?;
        // Registrations may not have been read yet.
        gate.check(tenant).or_else(|refusal| whole.clone().and(Err(refusal)))?;
        Ok(Self { tenant: tenant.to_owned(), denied: denied.clone(), copy_for: None, whole })
    }

    /// The tenant's records are a copy, which this DID alone may ask for or write to.
    pub fn of_copy(self, did: &str) -> Self {
        Self { copy_for: Some(did.to_owned()), ..self }
    }

    /// Reads a message and, if the signers' keys stand in their DIDs, checks its signatures.
    pub fn open(self, message: Value) -> Result<Admitted, Stop> {
        let message = Message::parse(&self.tenant, message)?;
        self.denied.check_message(&message)?;
        if let Some(did) = &self.copy_for
            && message.signer() != Some(did)
        {
            return Err(gate::not_a_tenant(&self.tenant).into());
        }
        if !is_own_read(&message) {
            self.whole.clone()?;
        }
        let keys: Option<Keys> =
            message.signers().into_iter().map(|kid| did::key_of(&kid).ok().map(|key| (kid, key))).collect();
        match keys {
            Some(keys) => Ok(Admitted::Verified(verified(message, &keys)?)),
            None => Ok(Admitted::Unverified(Unverified { message: Box::new(message), whole: self.whole })),
        }
    }
}

impl Unverified {
    /// The signers' keys, from wherever their documents are.
    pub async fn keys(&self, resolver: &Resolver, asker: Asker) -> Result<Keys, Refusal> {
        // Which of the documents that were seen is the newest is not known before the index is whole.
        self.whole.clone()?;
        let mut keys = Keys::new();
        for kid in self.message.signers() {
            let key = resolver.key_at(&kid, self.message.timestamp(), asker).await;
            let key = key.map_err(|e| Refusal::denied("GeneralJwsVerifierGetPublicKeyNotFound", e))?;
            keys.insert(kid, key);
        }
        Ok(keys)
    }

    pub fn verify(self, keys: &Keys) -> Result<Arc<Message>, Refusal> {
        verified(*self.message, keys)
    }
}

fn verified(message: Message, keys: &Keys) -> Result<Arc<Message>, Refusal> {
    message.verify(&|kid: &str| keys.get(kid).cloned())?;
    Ok(Arc::new(message))
}

/// Can an earlier state answer this while the index is built again? Only what a tenant asks about its own records: for others,
/// a permission may have been revoked, or a record deleted, that the index does not know of yet.
fn is_own_read(message: &Message) -> bool {
    let signers = message.signers();
    let own = |kid: &String| kid.split('#').next() == Some(message.tenant());
    !message.is_write() && !signers.is_empty() && signers.iter().all(own)
}
