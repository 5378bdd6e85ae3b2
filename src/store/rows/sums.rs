//! Sums of the messages kept, by tenant and scope: a total, and one of 4,096 by how the message's digest begins.
//!
//! Whatever puts, changes or deletes the row of a message goes through [`IndexBatch::set_message`], so that the sums are those
//! of the rows in every state of the index. A stub is not a message that is kept. A sum of nothing leaves no row.

use super::{batch::IndexBatch, keys, row::MessageRow, source::Source};
use crate::{
    cid::Digest,
    dwn::Fault,
    planted,
    sums::{Item, Prefix, Sum},
};
use anyhow::Context as _;

/// Bits of a digest that have a sum of their own.
pub const BUCKET_BITS: u8 = 2 * Prefix::STEP;

/// What a scope holds, and its URI, which is empty for scope 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    pub sum: Sum,
    pub protocol: String,
}

impl Total {
    pub fn encode(&self) -> Vec<u8> {
        [&self.sum.to_bytes()[..], self.protocol.as_bytes()].concat()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let (sum, protocol) = bytes.split_first_chunk().context("a sum in the index is too short")?;
        Ok(Self { sum: Sum::from_bytes(sum), protocol: String::from_utf8(protocol.to_vec())? })
    }
}

/// The sum of a bucket.
pub fn decode(bytes: &[u8]) -> Result<Sum, Fault> {
    Ok(Sum::from_bytes(bytes.try_into().context("a sum in the index is not 40 bytes")?))
}

/// A message as an item of its scope; none is a stub.
pub fn item(digest: &Digest, row: &MessageRow) -> Option<Item> {
    let has_data = row.data.is_some() && !planted::is("a sum does not know of data");
    (!row.stub).then_some(Item { digest: *digest, has_data })
}

impl IndexBatch<'_> {
    /// The row of a message comes, changes or goes, and with it what is counted and summed. `before`: the row as it is;
    /// `protocol`: the URI of the scope of `after`, if that may be a new one.
    pub(super) fn set_message(
        &mut self,
        tenant: u32,
        digest: &Digest,
        (before, after): (Option<&MessageRow>, Option<&MessageRow>),
        protocol: Option<&str>,
    ) -> Result<(), Fault> {
        self.change(keys::message(tenant, digest), after.map(MessageRow::encode));
        let messages = self.stats.messages + u64::from(after.is_some());
        self.stats.messages = messages.saturating_sub(before.is_some().into());
        let part = |row: Option<&MessageRow>| row.and_then(|row| Some((row.scope, item(digest, row)?)));
        let (before, after) = (part(before), part(after));
        let before = before.filter(|_| after.is_some() || !planted::is("what is removed stays in the sum"));
        if before == after {
            return Ok(());
        }
        let gone = before.map(|(scope, item)| (scope, Sum::one(&item.id())));
        let come = after.map(|(scope, item)| (scope, Sum::one(&item.id())));
        match (gone, come) {
            (Some((from, gone)), Some((to, come))) if from == to => self.sum_up(tenant, to, digest, (gone, come), None),
            _ => {
                let nothing = Sum::default();
                gone.map_or(Ok(()), |(scope, gone)| self.sum_up(tenant, scope, digest, (gone, nothing), None))?;
                come.map_or(Ok(()), |(scope, come)| self.sum_up(tenant, scope, digest, (nothing, come), protocol))
            }
        }
    }

    fn sum_up(
        &mut self,
        tenant: u32,
        scope: u32,
        digest: &Digest,
        (gone, come): (Sum, Sum),
        protocol: Option<&str>,
    ) -> Result<(), Fault> {
        let key = keys::total(tenant, scope);
        let total = match self.get(&key)? {
            Some(bytes) => Total::decode(&bytes)?,
            None => Total { sum: Sum::default(), protocol: protocol.unwrap_or_default().to_owned() },
        };
        let sum = total.sum.minus(gone).plus(come);
        self.change(key, (!sum.is_empty()).then(|| Total { sum, ..total }.encode()));
        let bucket = Prefix::of(digest, BUCKET_BITS).context("digests have buckets")?;
        let key = keys::bucket(tenant, scope, bucket);
        let sum = self.get(&key)?.map_or(Ok(Sum::default()), |bytes| decode(&bytes))?;
        let sum = sum.minus(gone).plus(come);
        self.change(key, (!sum.is_empty()).then(|| sum.to_bytes().to_vec()));
        Ok(())
    }
}

/// The scope that a key below [`keys::totals`] is of; `None`: that of what belongs to no protocol.
pub fn total(key: &[u8], value: &[u8]) -> Result<(Option<String>, Sum), Fault> {
    let scope = u32::from_be_bytes(*key.last_chunk().context("the key of a sum is too short")?);
    let Total { sum, protocol } = Total::decode(value)?;
    Ok(((scope > 0).then_some(protocol), sum))
}

/// The bucket that a key below [`keys::buckets`] is of, and its sum.
pub fn bucket(key: &[u8], value: &[u8]) -> Result<(Prefix, Sum), Fault> {
    let number = u16::from_be_bytes(*key.last_chunk().context("the key of a sum is too short")?);
    let bucket = Prefix::new(BUCKET_BITS, number.into()).context("a sum in the index is of no bucket")?;
    Ok((bucket, decode(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_comes_back() {
        let sum = Sum::one(&[9; 32]);
        for protocol in ["", "http://chat"] {
            let total = Total { sum, protocol: protocol.into() };
            assert_eq!(Total::decode(&total.encode()).expect("decodes"), total);
        }
        assert!(Total::decode(&[0; 39]).is_err() && decode(&[0; 41]).is_err());
    }
}
