//! What this device put aside of what a peer sent: messages that the door refused, each with its reason. They are kept in the
//! store until they are taken, or until the peer has them no more, and asked for again when the reason may be gone.
//! Beside them lies which messages a friend withdrew: they are kept here, and told the friend no more.

use super::local::Scope;
use crate::{
    cid::{self, Digest},
    store::Store,
    sums::Item,
};
use anyhow::{Context as _, Error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of one peer: who sends more that cannot be taken is not listened to further.
pub const PARKED_MAX: usize = 100_000;
/// How soon a message is asked for again, at the soonest and at the latest (milliseconds).
const AGAIN: (u64, u64) = (2_000, 3_600_000);

/// A message that was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parked {
    pub tenant: String,
    pub protocol: Option<String>,
    #[serde(serialize_with = "digest::write", deserialize_with = "digest::read")]
    #[schemars(with = "String")]
    pub digest: Digest,
    pub has_data: bool,
    /// What the door said.
    pub code: u16,
    pub why: String,
    /// Put aside first, in milliseconds since 1970.
    pub since: u64,
    /// Asked for so many times.
    pub tries: u32,
    /// Asked for last, in milliseconds since 1970.
    pub tried: u64,
}

impl Parked {
    pub fn scope(&self) -> Scope {
        Scope { tenant: self.tenant.clone(), protocol: self.protocol.clone() }
    }

    pub fn item(&self) -> Item {
        Item { digest: self.digest, has_data: self.has_data }
    }

    /// CID of the message.
    pub fn cid(&self) -> String {
        cid::from_digest(cid::DAG_CBOR, &self.digest).to_string()
    }

    /// When to ask again, if nothing happens before.
    pub fn due(&self) -> u64 {
        let wait = AGAIN.0.saturating_mul(1 << self.tries.min(20)).min(AGAIN.1);
        self.tried.saturating_add(wait)
    }

    /// Can what is written here take the reason away? (A parent, a grant, a protocol that comes.)
    pub fn waits_for_others(&self) -> bool {
        matches!(self.code, 400 | 401 | 404 | 409)
    }
}

fn prefix(peer: &str) -> Vec<u8> {
    format!("sync/parked/{peer}/").into_bytes()
}

fn key(peer: &str, tenant: &str, digest: &Digest) -> Vec<u8> {
    [&prefix(peer), tenant.as_bytes(), b"/", hex::encode(digest).as_bytes()].concat()
}

fn withdrawn_prefix(peer: &str) -> Vec<u8> {
    format!("sync/withdrawn/{peer}/").into_bytes()
}

fn withdrawn_key(peer: &str, tenant: &str, digest: &Digest) -> Vec<u8> {
    [&withdrawn_prefix(peer), tenant.as_bytes(), b"/", hex::encode(digest).as_bytes()].concat()
}

/// What is to be written and removed.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub put: Vec<Parked>,
    pub drop: Vec<(String, Digest)>,
    /// Tenant, message, and whether the tenant's end has it no more for this one.
    pub withdrawn: Vec<(String, Digest, bool)>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.drop.is_empty() && self.withdrawn.is_empty()
    }
}

/// All that was put aside of a peer.
pub fn load(store: &Store, peer: &str) -> Result<Vec<Parked>, Error> {
    let all = store.states(&prefix(peer))?.into_iter();
    all.map(|(key, value)| {
        let key = String::from_utf8_lossy(&key);
        serde_json::from_slice(&value).with_context(|| format!("the stored state {key} is not readable"))
    })
    .collect()
}

/// Writes changes down, one after the other; durable when this returns.
pub async fn save(store: &Store, peer: &str, changes: Vec<Changes>) -> Result<(), Error> {
    let mut last = BTreeMap::new();
    for Changes { put, drop, withdrawn } in changes {
        for parked in put {
            let value = serde_json::to_vec(&parked).context("encoding what was put aside")?;
            last.insert(key(peer, &parked.tenant, &parked.digest), Some(value));
        }
        let gone =
            withdrawn.iter().map(|(tenant, digest, is)| (withdrawn_key(peer, tenant, digest), is.then(Vec::new)));
        last.extend(gone);
        last.extend(drop.iter().map(|(tenant, digest)| (key(peer, tenant, digest), None)));
    }
    store.put_state(last.into_iter().collect()).await
}

/// What was withdrawn from this end, by tenant.
pub fn load_withdrawn(store: &Store, peer: &str) -> Result<BTreeMap<String, Vec<Digest>>, Error> {
    let mut withdrawn = BTreeMap::<String, Vec<Digest>>::new();
    for (key, _) in store.states(&withdrawn_prefix(peer))? {
        let text = String::from_utf8_lossy(&key);
        let rest = text.get(withdrawn_prefix(peer).len()..).unwrap_or_default();
        let (tenant, digest) =
            rest.rsplit_once('/').with_context(|| format!("the stored state {text} names nothing"))?;
        let mut bytes = Digest::default();
        hex::decode_to_slice(digest, &mut bytes).with_context(|| format!("the stored state {text}"))?;
        withdrawn.entry(tenant.to_owned()).or_default().push(bytes);
    }
    Ok(withdrawn)
}

/// A key of the store's state, and what it becomes; nothing: it goes.
type StateChange = (Vec<u8>, Option<Vec<u8>>);

/// What makes the store forget what was put aside of a peer that is no more, and what earlier versions noted of it: how far it had
/// been served.
pub fn forget(store: &Store, peer: &str) -> Result<Vec<StateChange>, Error> {
    let aside = store.states(&prefix(peer))?.into_iter().map(|(key, _)| (key.to_vec(), None));
    let served = format!("sync/sent/{peer}").into_bytes();
    let served = store.state(&served)?.map(|_| (served, None));
    let withdrawn = store.states(&withdrawn_prefix(peer))?.into_iter().map(|(key, _)| (key.to_vec(), None));
    Ok(aside.chain(served).chain(withdrawn).collect())
}

/// A digest in JSON: the CID of its message.
mod digest {
    use crate::cid::{self, Cid, Digest};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn write<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&cid::from_digest(cid::DAG_CBOR, digest))
    }

    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        let cid = Cid::try_from(text.as_str()).map_err(D::Error::custom)?;
        cid::sha256_of(&cid).ok_or_else(|| D::Error::custom("not the CID of a message"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Config;

    #[tokio::test]
    async fn nothing_is_remembered_of_a_peer_that_is_no_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), &Config { min_free: 0, ..Config::default() }).expect("opens");
        let parked = Parked {
            tenant: "did:x:alice".into(),
            protocol: None,
            digest: [7; 32],
            has_data: false,
            code: 401,
            why: "no".into(),
            since: 0,
            tries: 0,
            tried: 0,
        };
        for peer in ["did:x:bob", "did:x:bobby"] {
            let (again, other) = (Parked { tries: 3, ..parked.clone() }, Parked { digest: [8; 32], ..parked.clone() });
            let drop = vec![(other.tenant.clone(), other.digest)];
            let changes = vec![
                Changes { put: vec![parked.clone(), other], ..Changes::default() },
                Changes { put: vec![again], drop, ..Changes::default() },
            ];
            save(&store, peer, changes).await.expect("is written");
            // As earlier versions wrote it.
            store.put_state(vec![(format!("sync/sent/{peer}").into_bytes(), Some(b"1".to_vec()))]).await.expect("kept");
            let loaded = load(&store, peer).expect("is read");
            assert!(matches!(&loaded[..], [one] if one.tries == 3 && one.digest == [7; 32]), "{loaded:?}");
        }
        store.put_state(forget(&store, "did:x:bob").expect("is read")).await.expect("kept");
        let left: Vec<_> = store.states(b"sync/").expect("is read").into_iter().map(|(key, _)| key).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.iter().all(|key| String::from_utf8_lossy(key).contains("did:x:bobby")), "{left:?}");
    }
}
