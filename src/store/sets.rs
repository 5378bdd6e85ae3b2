//! What a tenant keeps, as sets that devices compare: sums of scopes and of parts of them, and the messages in a part.

use super::{
    handle::Store,
    place::Position,
    rows::{
        keys,
        row::MessageRow,
        source::{Snapshot, Source as _, number_of},
        sums::{self, BUCKET_BITS, Total},
    },
};
use crate::{
    cid::Digest,
    dwn::Fault,
    sums::{Item, Prefix, Sum},
};
use anyhow::{Context as _, bail};

/// The sets of a tenant at one moment (reading blocks). What is written meanwhile waits for nothing, but as long as this
/// lives, what it needs is kept: make one, ask, and let it go.
///
/// A scope is a protocol's URI, or `None` for messages that belong to no protocol (`dwn::scope`). One of which nothing is
/// kept is the empty set.
#[derive(Debug)]
pub struct SetView {
    source: Snapshot,
    tenant: Option<u32>,
}

impl Store {
    /// What a tenant keeps, as of now.
    pub fn sets(&self, tenant: &str) -> Result<SetView, Fault> {
        let source = self.source();
        let tenant = number_of(&source, tenant)?;
        Ok(SetView { source, tenant })
    }
}

impl SetView {
    /// The scopes of which something is kept, in no order that means anything.
    pub fn scopes(&self) -> Result<Vec<(Option<String>, Sum)>, Fault> {
        let Some(tenant) = self.tenant else { return Ok(Vec::new()) };
        let all = keys::totals(tenant);
        let totals = self.source.scan(&all, &keys::after(all.clone()), false);
        let each = |pair: Result<(Vec<u8>, Vec<u8>), Fault>| pair.and_then(|(key, value)| sums::total(&key, &value));
        totals.map(each).collect()
    }

    /// The sum of the messages whose digests begin so.
    pub fn sum(&self, scope: Option<&str>, of: Prefix) -> Result<Sum, Fault> {
        let Some((tenant, scope)) = self.numbers(scope)? else { return Ok(Sum::default()) };
        if of == Prefix::ALL {
            let total = self.source.get(&keys::total(tenant, scope))?;
            return total.map_or(Ok(Sum::default()), |bytes| Ok(Total::decode(&bytes)?.sum));
        }
        let mut sum = Sum::default();
        self.each((tenant, scope), of, |_, part| sum = sum.plus(part))?;
        Ok(sum)
    }

    /// The sums of the parts of `of`, in order, without the empty ones. A prefix of [`Prefix::BITS_MAX`] bits has no parts: that is
    /// an error.
    pub fn children(&self, scope: Option<&str>, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
        let Some(first) = of.parts().next() else {
            bail!("digests that agree in {} bits are not split further", of.bits())
        };
        let Some(numbers) = self.numbers(scope)? else { return Ok(Vec::new()) };
        let mut sums = [Sum::default(); 1 << Prefix::STEP];
        self.each(numbers, of, |at, part| {
            // Of what begins with `of`, the next bits.
            let below = at.value() >> (at.bits() - first.bits());
            if let Some(sum) =
                below.checked_sub(first.value()).and_then(|part| sums.get_mut(usize::try_from(part).ok()?))
            {
                *sum = sum.plus(part);
            }
        })?;
        Ok(of.parts().zip(sums).filter(|(_, sum)| !sum.is_empty()).collect())
    }

    /// The messages whose digests begin so, by digest, and where they lie in the log. As many as the sum says: who asks has
    /// looked.
    pub fn items(&self, scope: Option<&str>, of: Prefix) -> Result<Vec<(Item, Position)>, Fault> {
        let mut found = Vec::new();
        let Some((tenant, scope)) = self.numbers(scope)? else { return Ok(found) };
        if of.bits() >= BUCKET_BITS {
            self.rows((tenant, scope), of, |item, at| found.push((item, at)))?;
            return Ok(found);
        }
        // Of few messages among many, most buckets are empty.
        for bucket in self.buckets((tenant, scope), of) {
            self.rows((tenant, scope), bucket?.0, |item, at| found.push((item, at)))?;
        }
        Ok(found)
    }

    /// A message that is kept: the protocol of its scope, the item, and where it lies in the log.
    pub fn find(&self, digest: &Digest) -> Result<Option<(Option<String>, Item, Position)>, Fault> {
        let Some(tenant) = self.tenant else { return Ok(None) };
        let Some(row) = self.source.get(&keys::message(tenant, digest))? else { return Ok(None) };
        let row = MessageRow::decode(&row)?;
        let Some(item) = sums::item(digest, &row) else { return Ok(None) };
        if row.scope == 0 {
            return Ok(Some((None, item, row.position)));
        }
        let key = keys::total(tenant, row.scope);
        let total = self.source.get(&key)?.context("a scope with a message has no sum")?;
        Ok(Some((sums::total(&key, &total)?.0, item, row.position)))
    }

    fn numbers(&self, scope: Option<&str>) -> Result<Option<(u32, u32)>, Fault> {
        let scope = scope.map_or(Ok(Some(0)), |uri| number_of(&self.source, uri))?;
        Ok(self.tenant.zip(scope))
    }

    /// The sums that make up `of`: of buckets, or of single messages of one.
    fn each(&self, numbers: (u32, u32), of: Prefix, mut take: impl FnMut(Prefix, Sum)) -> Result<(), Fault> {
        if of.bits() < BUCKET_BITS {
            return self.buckets(numbers, of).try_for_each(|bucket| bucket.map(|(bucket, sum)| take(bucket, sum)));
        }
        self.rows(numbers, of, |item, _| {
            if let Some(at) = Prefix::of(&item.digest, Prefix::BITS_MAX) {
                take(at, Sum::one(&item.id()));
            }
        })
    }

    /// The buckets below a prefix that is shorter than theirs.
    fn buckets(&self, (tenant, scope): (u32, u32), of: Prefix) -> impl Iterator<Item = Result<(Prefix, Sum), Fault>> {
        let bound = |digest: [u8; 8]| {
            let number = (u64::from_be_bytes(digest) >> (64 - BUCKET_BITS)) as u16;
            [keys::buckets(tenant, scope).as_slice(), &number.to_be_bytes()].concat()
        };
        let to = of.end().map_or_else(|| keys::after(keys::buckets(tenant, scope)), bound);
        self.source.scan(&bound(of.first()), &to, false).map(|pair| {
            let (key, value) = pair?;
            sums::bucket(&key, &value)
        })
    }

    /// The messages of a scope below a prefix.
    fn rows(&self, (tenant, scope): (u32, u32), of: Prefix, mut take: impl FnMut(Item, Position)) -> Result<(), Fault> {
        let (from, to) = keys::messages_in(tenant, of);
        for pair in self.source.scan(&from, &to, false) {
            let (key, value) = pair?;
            let row = MessageRow::decode(&value)?;
            let digest = key.last_chunk().context("the key of a message is too short")?;
            if row.scope == scope
                && let Some(item) = sums::item(digest, &row)
            {
                take(item, row.position);
            }
        }
        Ok(())
    }
}
