//! Ending records by rule: a record goes with all its messages and data, unless a delete has ended it before.
//!
//! As with a wiped tenant (see `wipe`), it is state in the log under keys that only this module makes: the index takes
//! such a key as the removal of the record it names, whatever its messages are by then. So it needs no decision, and
//! nothing comes between; a repetition does no harm.

use super::{Store, keys, pending, rows::RecordRow};
use crate::dwn::{Change, Fault, Stop, View};
use anyhow::Context as _;
use tokio::sync::oneshot;

/// What such keys begin with; the tenant, a zero byte and the recordId follow.
const ENDED: &[u8] = b"store/ended/";

impl Store {
    /// Removes these records of a tenant with their messages and data, and leaves no trace but in the log. Deleted
    /// records stay deleted.
    pub async fn end_records(&self, tenant: &str, records: &[String]) -> Result<(), Fault> {
        if records.is_empty() {
            return Ok(());
        }
        self.put_state(records.iter().map(|record| (key(tenant, record), None)).collect()).await
    }

    /// Like [`Store::commit`], also below the reserve: for what gives space back.
    pub async fn commit_in_reserve<F>(&self, tenant: &str, decide: F) -> Result<Change, Stop>
    where
        F: FnMut(&dyn View) -> Result<Change, Stop> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let (tenant, decide) = (tenant.to_owned(), Box::new(decide));
        self.ask(super::Job::Commit { tenant, data: None, decide, reply }).await?;
        answer.await.map_err(|_| Stop::Fault(anyhow::anyhow!("the writer has ended")))?
    }

    /// The tenants that have ever had messages here, at most `max`, after a name of the list before.
    pub fn tenant_names(&self, after: Option<&str>, max: usize) -> Result<Vec<String>, Fault> {
        let _steady = self.0.index.steady();
        let all = keys::tenants();
        let number = after.map(|name| pending::number_of(&self.source(), name)).transpose()?.flatten();
        let from = number.map_or_else(|| all.clone(), |number| keys::after(keys::tenant(number)));
        let pairs = self.0.index.scan(&from, &keys::after(all.clone()), false).take(max);
        pairs.map(|pair| Ok(String::from_utf8(pair?.1)?)).collect()
    }
}

fn key(tenant: &str, record: &str) -> Vec<u8> {
    [ENDED, tenant.as_bytes(), &[0], record.as_bytes()].concat()
}

/// The tenant and the record that a key of state says is ended.
fn ended(key: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(key.strip_prefix(ENDED)?).ok()?.split_once('\0')
}

impl pending::Pending<'_> {
    /// Removes the record if the key says so; does it?
    pub(super) fn add_ended(&mut self, key: &[u8]) -> Result<bool, Fault> {
        let Some((tenant, record)) = ended(key) else { return Ok(false) };
        let Some(tenant) = pending::number_of(self, tenant)? else { return Ok(true) };
        let Some(row) = pending::Source::get(self, &keys::record(tenant, record))? else { return Ok(true) };
        let RecordRow { initial, newest, .. } = RecordRow::decode(&row)?;
        let message = pending::Source::frame(self, newest.0).context("the newest message of a record that ends")?;
        if message.json()?["descriptor"]["method"] == "Delete" {
            return Ok(true);
        }
        self.remove(tenant, &newest.1, None)?;
        if let Some((_, initial)) = initial.filter(|(_, initial)| *initial != newest.1) {
            self.remove(tenant, &initial, None)?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_a_record_of_a_tenant() {
        assert_eq!(ended(&key("did:x:y", "bafy")), Some(("did:x:y", "bafy")));
        for other in [&b"sync/peer"[..], b"store/ended/", b"store/ended/did:x:y", b"store/ended/\xff\0x"] {
            assert_eq!(ended(other), None);
        }
    }
}
