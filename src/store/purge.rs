//! Purging: records that end by rule, and tenants that are wiped, go with all their messages and data.
//!
//! A record goes unless a delete has ended it before. Which messages it has is looked up under the one writer, so that
//! nothing comes between. A tenant goes some messages at a time.
//!
//! What the log keeps of either is state like any other (see [`Store::put_state`]), under keys that the index takes as the
//! removal of the message they name ([`keys::removal`]). So a rebuild from the log ends where the purge did, and a step
//! that is repeated, or was half done when the node stopped, does no harm. As with every removal, what is gone is no
//! longer found, served or public at once; the bytes go with collection.

use super::{
    handle::Store,
    place::Position,
    rows::{
        keys,
        source::{Source as _, number_of},
    },
    view::TenantView,
    writer::Job,
};
use crate::{
    cid::{self, Digest},
    dwn::{Change, Fault, Stop, View},
};
use anyhow::{Context as _, anyhow};
use tokio::sync::oneshot;

/// Messages of one step: their removal is one batch of the index, some dozen keys each.
const STEP_MAX: usize = 64;

impl Store {
    /// Removes these records of a tenant with their messages and data, and leaves no trace but in the log. Deleted
    /// records stay deleted.
    pub async fn end_records(&self, tenant: &str, records: Vec<String>) -> Result<(), Fault> {
        if records.is_empty() {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Job::End { tenant: tenant.to_owned(), records, reply }).await?;
        answer.await.context("the writer has ended")?.map(drop)
    }

    /// Like [`Store::commit`], also below the reserve: for what gives space back.
    pub async fn commit_in_reserve<F>(&self, tenant: &str, decide: F) -> Result<Change, Stop>
    where
        F: FnMut(&dyn View) -> Result<Change, Stop> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let (tenant, decide) = (tenant.to_owned(), Box::new(decide));
        self.ask(Job::Commit { tenant, data: None, decide, reply }).await?;
        answer.await.map_err(|_| Stop::Fault(anyhow!("the writer has ended")))?
    }

    /// Tenants with messages here, and how many.
    pub fn tenants(&self) -> Result<Vec<(String, u64)>, Fault> {
        let all = keys::tenants();
        let (source, mut found) = (self.source(), Vec::new());
        for pair in source.scan(&all, &keys::after(all.clone()), false) {
            let (key, name) = pair?;
            let number = u32::from_be_bytes(*key.last_chunk().context("a tenant's key is too short")?);
            let from = keys::event(number, 0);
            let to = keys::after(keys::event(number, Position::MAX));
            let mut messages = 0;
            for pair in source.scan(&from, &to, false) {
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
            TenantView::new(store.source(), &owned).events(&[], None, Some(STEP_MAX))
        });
        let digests: Vec<Digest> = some.await??.iter().filter_map(|event| cid::sha256_of(&event.cid)).collect();
        let changes = digests.iter().map(|digest| (keys::removal(tenant, digest), None)).collect::<Vec<_>>();
        if !changes.is_empty() {
            self.put_state(changes).await?;
        }
        Ok(digests.len())
    }

    /// The tenants that have ever had messages here, at most `max`, after a name of the list before.
    pub fn tenant_names(&self, after: Option<&str>, max: usize) -> Result<Vec<String>, Fault> {
        let all = keys::tenants();
        let number = after.map(|name| number_of(&self.source(), name)).transpose()?.flatten();
        let from = number.map_or_else(|| all.clone(), |number| keys::after(keys::tenant(number)));
        let pairs = self.0.index.scan(&from, &keys::after(all.clone()), false).take(max);
        pairs.map(|pair| Ok(String::from_utf8(pair?.1)?)).collect()
    }
}
