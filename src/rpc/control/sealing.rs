//! Data that the node encrypts and decrypts by itself: for whom, and with whose keys. How it is done, and how it stands in messages, is the
//! SDK's ([`record`]).

use super::{
    actor::Actor,
    call::Call,
    failure::{Failure, Kind},
};
use crate::{
    crypto::{
        hd::Scheme,
        record::{self, DataKey, Recipient},
    },
    foreign::shown,
    identity::{Identities, root_key_id},
    node::Body,
};
use anyhow::Error;
use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::Value;
use std::collections::BTreeSet;

/// Readers of a context that data is encrypted for, and of whom an answer speaks.
const CONTEXT_MAX: usize = 8;
const NAMED_MAX: usize = 3;

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub protocol: Option<&'a str>,
    pub path: Option<&'a str>,
    /// contextId of the record, or of the one that it is to stand below.
    pub context: Option<&'a str>,
}

/// How the data of one write is encrypted: under a key of its own.
#[derive(Debug)]
pub(super) struct Sealing {
    key: DataKey,
    identities: Identities,
    /// Of the protocol, at the record's path.
    owner: Recipient,
    /// Who reads the context, as the record that began it has it.
    context: Vec<Recipient>,
    /// Who writes.
    author: String,
    /// Whose key is the context's, if nobody's is yet: whoever begins it, else the tenant.
    of_context: String,
}

impl Sealing {
    /// For new data at this place; nothing, if it is written as it is. `encrypt`: what the caller asks for. `was`: there is data that is
    /// encrypted, which new data does not take the place of in the open by mistake.
    pub async fn of(
        call: &Call,
        actor: &Actor,
        place: Place<'_>,
        (encrypt, was): (Option<bool>, bool),
    ) -> Result<Option<Self>, Failure> {
        if encrypt == Some(false) {
            return Ok(None);
        }
        let (Some(uri), Some(path)) = (place.protocol, place.path) else {
            return keyless("the record is under no protocol", encrypt, was);
        };
        let (store, tenant, protocol) = (call.node.store().clone(), actor.tenant.clone(), uri.to_owned());
        let root = place.context.and_then(|context| context.split('/').next()).map(str::to_owned);
        let begins = root.is_none();
        let looked = tokio::task::spawn_blocking(move || {
            let view = store.view(&tenant);
            let definition = view.protocol(&protocol)?;
            let root = root.map(|id| view.record(&id)).transpose()?.flatten();
            // What it began with: others may have written to it since.
            Ok::<_, Error>((definition, root.map(|root| root.initial)))
        });
        let (definition, root) = looked.await.map_err(Error::new)??;
        let definition = definition.and_then(|found| found.message.pointer("/descriptor/definition").cloned());
        let Some(definition) = definition.filter(|definition| record::protocol_key(definition, path).is_some()) else {
            return keyless(&format!("{} has no key at `{}`", shown(uri), shown(path)), encrypt, was);
        };
        let owner = Recipient::of_protocol(&definition, path).map_err(|why| {
            let text = format!(
                "the key ($encryption) at `{}` of {} is none that toft encrypts to ({why}): install the protocol again, or write the \
                 record as it is (encrypt: false; toft record write --plain)",
                shown(path),
                shown(uri)
            );
            Failure::new(Kind::Usage, text)
        })?;
        // Whoever began the context with something that is no key has nobody else read it.
        let context = root.and_then(|root| Recipient::of_context(&root.message).ok()).unwrap_or_default();
        let author = actor.signer.did().to_owned();
        let of_context = if begins { author.clone() } else { actor.tenant.clone() };
        Ok(Some(Self {
            key: DataKey::random().map_err(failed)?,
            identities: call.identities.clone(),
            owner,
            context: context.into_iter().take(CONTEXT_MAX).collect(),
            author,
            of_context,
        }))
    }

    /// The data as it is kept.
    pub fn whole(&self, mut data: Vec<u8>) -> Vec<u8> {
        self.key.apply(&mut data);
        data
    }

    /// The same of data that comes piece by piece.
    pub fn through(&self) -> impl FnOnce(Body) -> Body + Send + 'static {
        let key = self.key.clone();
        move |body| applied(&key, body)
    }

    /// What stands in the message. For the owner of the protocol, for the author, who shall be able to read it again, and for the readers
    /// of the context.
    pub fn encryption(&self, draft: &Value) -> Result<Value, Failure> {
        let mut all = vec![self.owner.clone()];
        let holder = |did: &str, scheme| {
            let found = self.identities.with_root(did, scheme, |root| Recipient::holder(root, draft))?;
            found.transpose().map_err(failed)
        };
        all.extend(
            holder(&self.author, Scheme::ProtocolPath)?.filter(|author| author.root_key_id != self.owner.root_key_id),
        );
        match self.context.is_empty() {
            true => all.extend(holder(&self.of_context, Scheme::ProtocolContext)?),
            false => all.extend(self.context.iter().cloned()),
        }
        record::encryption(&self.key, &all).map_err(failed)
    }
}

/// Where there is no key to encrypt to, data is written as it is, unless it is to be encrypted.
fn keyless(why: &str, encrypt: Option<bool>, was: bool) -> Result<Option<Sealing>, Failure> {
    let what = match (encrypt, was) {
        (Some(true), _) => "it is to be encrypted",
        (_, true) => "its data was encrypted, and new data is not written in the open by itself",
        _ => return Ok(None),
    };
    let text = format!(
        "{why}, and {what}: install the protocol with this type as private (toft protocol install --private TYPE), or write the data \
         as it is (encrypt: false; toft record write --plain)"
    );
    Err(Failure::new(Kind::Usage, text))
}

/// What becomes of a record's data for whoever reads it.
#[derive(Debug)]
pub(super) enum Opened {
    /// It is not encrypted.
    Plain,
    /// An identity of this node has a key to it.
    With(DataKey),
    /// It stays as it is, for this reason.
    Sealed(String),
}

impl Opened {
    /// Of a RecordsWrite, with the keys of the identities that the caller may act for, and of `own`, as which the call acts.
    pub fn of(call: &Call, own: &str, message: &Value) -> Result<Self, Failure> {
        if message.get("encryption").is_none() {
            return Ok(Self::Plain);
        }
        let holders: Vec<_> = record::holders(message).collect();
        let mine = |did: &String| did == own || call.caller().may_act_for(did).is_ok();
        let mut failure = None;
        for did in call.identities.dids().iter().filter(|did| mine(did)) {
            let id = root_key_id(did);
            for scheme in Scheme::ALL.into_iter().filter(|scheme| holders.contains(&(id.as_str(), *scheme))) {
                match call.identities.with_root(did, scheme, |root| record::open(message, root))? {
                    Some(Ok(key)) => return Ok(Self::With(key)),
                    Some(Err(why)) => {
                        failure = Some(format!("the data is encrypted for {did}, and does not open: {why}"))
                    }
                    None => {}
                }
            }
        }
        Ok(Self::Sealed(failure.unwrap_or_else(|| elsewhere(&holders))))
    }

    /// The data, as it is given.
    pub fn whole(&self, mut data: Vec<u8>) -> Vec<u8> {
        if let Self::With(key) = self {
            key.apply(&mut data);
        }
        data
    }

    /// The same of data that comes piece by piece.
    pub fn through(&self, data: Body) -> Body {
        match self {
            Self::With(key) => applied(key, data),
            _ => data,
        }
    }
}

/// Who could open it.
fn elsewhere(holders: &[(&str, Scheme)]) -> String {
    let dids: BTreeSet<&str> = holders.iter().filter_map(|(id, _)| id.split('#').next()).collect();
    let named: Vec<_> = dids.iter().take(NAMED_MAX).map(|did| shown(did).to_string()).collect();
    match named.is_empty() {
        true => "the data is encrypted, and its message does not say for whom".to_owned(),
        false => format!(
            "the data is encrypted, and no key of this node opens it: it opens on the device that holds the keys of {}",
            named.join(" or ")
        ),
    }
}

fn applied(key: &DataKey, body: Body) -> Body {
    let mut stream = key.stream();
    let apply = move |piece: Bytes| {
        let mut piece = Vec::from(piece);
        stream.apply(&mut piece);
        Bytes::from(piece)
    };
    Box::pin(body.map_ok(apply))
}

fn failed(why: record::Error) -> Failure {
    Failure::new(Kind::Failed, format!("the data cannot be encrypted: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_could_open_it_is_named_and_not_too_many() {
        let holders: Vec<_> = (0..9).map(|n| format!("did:example:{n}#a")).collect();
        let holders: Vec<_> = holders.iter().map(|id| (id.as_str(), Scheme::Schemas)).collect();
        let said = elsewhere(&holders);
        assert!(said.ends_with("did:example:0 or did:example:1 or did:example:2"), "{said}");
        assert!(elsewhere(&[]).contains("does not say for whom"));
    }

    #[test]
    fn data_is_written_in_the_open_only_where_nothing_asks_for_more() {
        assert!(keyless("x", None, false).expect("as it is").is_none());
        for (encrypt, was) in [(Some(true), false), (None, true)] {
            let failure = keyless("x", encrypt, was).expect_err("refused");
            assert!(failure.kind == Kind::Usage && failure.message.contains("--private"), "{failure}");
        }
    }

    #[tokio::test]
    async fn data_in_pieces_is_encrypted_as_the_whole() {
        let key = DataKey::random().expect("randomness");
        let data: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let pieces: Vec<_> = data.chunks(777).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let body = applied(&key, Box::pin(futures::stream::iter(pieces)));
        let pieces: Vec<Bytes> = body.try_collect().await.map_err(|_| json!("fails")).expect("all of it");
        let mut whole = data.clone();
        key.apply(&mut whole);
        assert_eq!(pieces.concat(), whole);
        assert_ne!(whole, data);
        assert_eq!(Opened::With(key).whole(whole), data);
        assert_eq!(Opened::Sealed(String::new()).whole(data.clone()), data);
    }
}
