//! Wiping a tenant: all its messages go, some at a time.
//!
//! A step is state in the log like any other (see [`Store::put_state`]), under keys that only this module makes:
//! the index takes such a key as the removal of the message it names. So a rebuild from the log ends where the
//! wipe did, and a step that is repeated, or was half done when the node stopped, does no harm. As with every
//! removal, what is gone is no longer found, served or public at once; the bytes go with collection.

use super::{Position, Store, pending, view};
use crate::{
    cid::{self, Digest},
    dwn::{Fault, View as _},
};
use anyhow::Context as _;

/// What such keys begin with; the tenant, a zero byte and the message's digest follow.
const WIPED: &[u8] = b"store/wiped/";
/// Messages of one step: their removal is one batch of the index, some dozen keys each.
const STEP_MAX: usize = 64;

impl Store {
    /// Tenants with messages here, and how many.
    pub fn tenants(&self) -> Result<Vec<(String, u64)>, Fault> {
        let _steady = self.0.index.steady();
        let all = super::keys::tenants();
        let mut found = Vec::new();
        for pair in self.0.index.scan(&all, &super::keys::after(all.clone()), false) {
            let (key, name) = pair?;
            let number = u32::from_be_bytes(*key.last_chunk().context("a tenant's key is too short")?);
            let from = super::keys::event(number, 0);
            let to = super::keys::after(super::keys::event(number, Position::MAX));
            let mut messages = 0;
            for pair in self.0.index.scan(&from, &to, false) {
                pair?;
                messages += 1;
            }
            if messages > 0 {
                found.push((String::from_utf8(name)?, messages));
            }
        }
        Ok(found)
    }

    /// Removes some messages of a tenant; how many. Nobody else may write for the tenant meanwhile, or it is not
    /// empty when none is left.
    pub async fn wipe_some(&self, tenant: &str) -> Result<usize, Fault> {
        let (store, owned) = (self.clone(), tenant.to_owned());
        let some = tokio::task::spawn_blocking(move || {
            view::Snapshot::new(store.0.index.clone(), store.0.log.clone(), &owned).events(&[], None, Some(STEP_MAX))
        });
        let digests: Vec<Digest> = some.await??.iter().filter_map(|event| cid::sha256_of(&event.cid)).collect();
        let changes = digests.iter().map(|digest| (key(tenant, digest), None)).collect::<Vec<_>>();
        if !changes.is_empty() {
            self.put_state(changes).await?;
        }
        Ok(digests.len())
    }
}

pub(super) fn key(tenant: &str, digest: &Digest) -> Vec<u8> {
    [WIPED, tenant.as_bytes(), &[0], digest].concat()
}

/// The message that a key of state says is removed.
pub(super) fn wiped(key: &[u8]) -> Option<(&str, &Digest)> {
    let (tenant, digest) = key.strip_prefix(WIPED)?.split_last_chunk::<32>()?;
    Some((std::str::from_utf8(tenant.strip_suffix(&[0])?).ok()?, digest))
}

impl pending::Pending<'_> {
    /// Removes the message if the key says so; does it?
    pub(super) fn add_wiped(&mut self, key: &[u8]) -> Result<bool, Fault> {
        let Some((tenant, digest)) = wiped(key) else { return Ok(false) };
        if let Some(tenant) = pending::number_of(self, tenant)? {
            self.remove(tenant, digest, None)?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_a_message_of_a_tenant() {
        let digest = [7; 32];
        assert_eq!(wiped(&key("did:x:y", &digest)), Some(("did:x:y", &digest)));
        for other in [&b"sync/peer"[..], b"store/wiped/", b"store/wiped/did:x:y"] {
            assert_eq!(wiped(other), None);
        }
    }
}
