//! How much others may store here: a quota for each tenant that is not the owner, and room on the disk that only the owner gets.
//!
//! A write reserves what it will take when it is admitted, and gives it back when it is committed or refused. So writes under way
//! keep to the quota together, not only each alone.

use super::{conflict, history};
use crate::{
    dwn::{Refusal, Stop},
    store::Store,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a quota is where none is set.
pub(super) const DEFAULT: u64 = 10 << 30;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Quotas(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Bytes for each tenant that is not the owner.
    each: u64,
    /// Bytes of the disk that only the owner gets, above what stays free in any case.
    reserve: u64,
    under_way: Mutex<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    /// Bytes that writes under way will add to a tenant's.
    tenants: HashMap<String, u64>,
    /// Bytes that others' writes under way have not written to the disk yet.
    unwritten: u64,
}

/// What a write under way has reserved; dropped, it is given back.
#[derive(Debug)]
pub(super) struct Reserved {
    quotas: Quotas,
    tenant: String,
    bytes: u64,
    unwritten: u64,
}

impl Quotas {
    pub fn new(each: u64, reserve: u64) -> Self {
        Self(Arc::new(Inner { each, reserve, under_way: Mutex::default() }))
    }

    /// Room for `bytes` more in a tenant's records. `own`: the tenant is the owner. `by_owner`: so is who writes.
    pub fn reserve(
        &self,
        store: &Store,
        tenant: &str,
        (own, by_owner): (bool, bool),
        bytes: u64,
    ) -> Result<Reserved, Stop> {
        // Before the data comes, so that nobody sends what there is no room for. The commit asks again, when it is there.
        store.room()?;
        // Held while the store is asked: what is committed meanwhile is given back only afterwards.
        let mut under_way = self.lock();
        if !own && bytes > 0 {
            let held = store
                .tenant_bytes(tenant)?
                .saturating_add(conflict::bytes(store, tenant)?)
                .saturating_add(history::bytes(store, tenant)?);
            let quota = self.0.each;
            let coming = under_way.tenants.get(tenant).copied().unwrap_or_default();
            if held.saturating_add(coming).saturating_add(bytes) > quota {
                let coming = if coming > 0 { format!(" and {coming} are on their way") } else { String::new() };
                let why = format!(
                    "QuotaExceeded: {tenant} holds {held} bytes here{coming}, {bytes} more would be above its {quota}"
                );
                return Err(Refusal::new(507, why).into());
            }
        }
        let unwritten = if by_owner { 0 } else { bytes };
        if !by_owner && self.0.reserve > 0 {
            store.room_beyond(self.0.reserve.saturating_add(under_way.unwritten).saturating_add(bytes))?;
        }
        under_way.unwritten += unwritten;
        if bytes > 0 {
            *under_way.tenants.entry(tenant.to_owned()).or_default() += bytes;
        }
        drop(under_way);
        Ok(Reserved { quotas: self.clone(), tenant: tenant.to_owned(), bytes, unwritten })
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserved {
    /// So many bytes of it are on the disk.
    pub fn written(&mut self, bytes: u64) {
        let less = bytes.min(self.unwritten);
        if less > 0 {
            self.unwritten -= less;
            self.quotas.lock().unwritten -= less;
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut under_way = self.quotas.lock();
        under_way.unwritten -= self.unwritten;
        if let Some(bytes) = under_way.tenants.get_mut(&self.tenant) {
            *bytes -= self.bytes;
            if *bytes == 0 {
                under_way.tenants.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_counts_and_what_is_given_back_does_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), &crate::store::Config::default()).expect("opens");
        let quotas = Quotas::new(4 << 20, 0);
        let take = |tenant: &str, own| quotas.reserve(&store, tenant, (own, false), 1 << 20);
        let mut held: Vec<_> = (0..16).filter_map(|_| take("did:x:bob", false).ok()).collect();
        assert_eq!(held.len(), 4, "of 16 at once");
        assert!((0..16).all(|_| take("did:x:own", true).is_ok()), "the owner has none");
        assert!(take("did:x:carol", false).is_ok());
        held[0].written(1 << 20);
        held.pop();
        assert!(take("did:x:bob", false).is_ok());
        drop(held);
        let left = quotas.lock();
        assert!(left.tenants.is_empty() && left.unwritten == 0, "{left:?}");
        drop(left);

        let Err(Stop::Refusal(refusal)) = Quotas::new(1, u64::MAX / 2).reserve(&store, "did:x:own", (true, false), 0)
        else {
            panic!("others do not get what is the owner's")
        };
        assert!(refusal.code == 507 && refusal.detail.contains("owner"), "{refusal:?}");
        assert!(Quotas::new(1, u64::MAX / 2).reserve(&store, "did:x:own", (true, true), 0).is_ok());
    }
}
