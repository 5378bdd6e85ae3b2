//! Ending records by rule: a record goes with all its messages and data, unless a delete has ended it before.
//!
//! Which messages a record has is looked up under the one writer, so that nothing comes between; what the log keeps of
//! it is the removal of these messages, as of those of a wiped tenant (see `wipe`).

use super::{
    Job, Position, Store,
    frame::Frame,
    keys, pending,
    pending::{Pending, Source as _},
    rows::RecordRow,
    wipe, writer,
};
use crate::{
    cid::Digest,
    dwn::{Change, Fault, Stop, View},
};
use anyhow::{Context as _, anyhow};
use serde_bytes::ByteBuf;
use tokio::sync::oneshot;

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

/// Takes some records away; which messages went.
pub(super) fn end(
    tenant: &str,
    records: &[String],
    pending: &mut Pending<'_>,
    group: Position,
    bytes: &mut Vec<u8>,
) -> Result<Vec<Digest>, Fault> {
    let mut gone = Vec::new();
    if let Some(number) = pending::number_of(pending, tenant)? {
        for record in records {
            gone.extend(messages(pending, number, record)?);
        }
    }
    if !gone.is_empty() {
        let changes = gone.iter().map(|digest| (ByteBuf::from(wipe::key(tenant, digest)), None)).collect();
        writer::add(Frame::State(changes), pending, group, bytes)?;
    }
    Ok(gone)
}

/// The messages of a record, the newest first; none if a delete has ended it, or it is not here.
fn messages(pending: &Pending<'_>, tenant: u32, record: &str) -> Result<Vec<Digest>, Fault> {
    let Some(row) = pending.get(&keys::record(tenant, record))? else { return Ok(Vec::new()) };
    let RecordRow { initial, newest, .. } = RecordRow::decode(&row)?;
    let message = pending.frame(newest.0).context("the newest message of a record that ends")?;
    let kept = message.kept().with_context(|| format!("only a husk is left of {}", message.cid()))?;
    if kept.message["descriptor"]["method"] == "Delete" {
        return Ok(Vec::new());
    }
    let first = initial.map(|(_, digest)| digest).filter(|digest| *digest != newest.1);
    Ok([Some(newest.1), first].into_iter().flatten().collect())
}
