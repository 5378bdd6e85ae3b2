//! Who holds a block: the way from a block over its roots to the records and pins that need it.
//!
//! What a root is said to hold are the blocks of the tree that was built here over a record's data, and no others: a link
//! that data contains is data.

use super::{
    keys::{self, Grip},
    row,
    source::Source,
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    store::place::Place,
};
use anyhow::Context as _;

/// State under `PIN` and the digest of a root holds the root's blocks as a record does.
pub const PIN: &[u8] = b"blocks/pin/";

/// So does state whose key begins with `KEPT` and the digest of a root, whatever follows.
pub const KEPT: &[u8] = b"conflicts/data/";

/// Where a block lies, whether or not anything holds it.
pub fn place(source: &dyn Source, block: &Digest) -> Result<Option<Place>, Fault> {
    source.get(&keys::block(block))?.map(|bytes| row::decode_place(&bytes)).transpose()
}

/// The roots that a block belongs to.
pub fn roots(source: &dyn Source, block: &Digest) -> Result<Vec<Digest>, Fault> {
    let prefix = keys::roots(block);
    source.scan(&prefix, &keys::after(prefix.clone()), false).map(|pair| root(&pair?.0)).collect()
}

/// Whose holding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// Records that are published.
    Published,
    /// Any record, pins, and conflicts.
    Any,
    /// It need not be held (any more): somebody was given it and reads on.
    Nobody,
}

/// Of what a block must be a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Of whatever is here.
    All,
    /// Of the tree under this root.
    Tree(Digest),
    /// Of nothing: it is the block itself.
    Block(Digest),
}

/// Does somebody of `keeper` hold the block as a part of `scope`? Then also: is it the root of a tree (for [`Scope::All`],
/// of one that is held; else of the one that was named, or a part of that)?
pub fn part(source: &dyn Source, block: &Digest, keeper: Keeper, scope: Scope) -> Result<Option<bool>, Fault> {
    match scope {
        Scope::All if has(source, block, keeper, true)? => Ok(Some(true)),
        Scope::All if has(source, block, keeper, false)? => Ok(Some(false)),
        Scope::All => {
            for root in roots(source, block)?.iter().filter(|root| *root != block) {
                if has(source, root, keeper, true)? {
                    return Ok(Some(false));
                }
            }
            Ok(None)
        }
        Scope::Tree(root) => {
            let is_part = root == *block || source.get(&keys::root(block, &root))?.is_some();
            Ok((is_part && has(source, &root, keeper, true)?).then_some(true))
        }
        Scope::Block(root) => Ok((root == *block && has(source, &root, keeper, false)?).then_some(false)),
    }
}

/// Does somebody hold the tree under this root, or the root as data? A pin and a conflict hold both.
fn has(source: &dyn Source, root: &Digest, keeper: Keeper, tree: bool) -> Result<bool, Fault> {
    if keeper == Keeper::Nobody {
        return Ok(true);
    }
    for grip in Grip::EACH.iter().filter(|grip| grip.tree == tree && (grip.public || keeper == Keeper::Any)) {
        let held = keys::references(root, *grip);
        if source.scan(&held, &keys::after(held.clone()), false).next().transpose()?.is_some() {
            return Ok(true);
        }
    }
    if keeper != Keeper::Any {
        return Ok(false);
    }
    if source.get(&keys::state(&[PIN, root.as_slice()].concat()))?.is_some() {
        return Ok(true);
    }
    let kept = keys::state(&[KEPT, root.as_slice()].concat());
    Ok(source.scan(&kept, &keys::after(kept.clone()), false).next().transpose()?.is_some())
}

/// Does a record, or a pin, hold the block?
pub fn is_held(source: &dyn Source, block: &Digest) -> Result<bool, Fault> {
    Ok(part(source, block, Keeper::Any, Scope::All)?.is_some())
}

/// Calls `each` with every reference (tenant and record) to a root that holds the block, until it says no.
pub fn holders(source: &dyn Source, block: &Digest, mut each: impl FnMut(&[u8]) -> bool) -> Result<(), Fault> {
    for root in roots(source, block)? {
        for grip in Grip::EACH.iter().filter(|grip| grip.tree || root == *block) {
            let references = keys::references(&root, *grip);
            for pair in source.scan(&references, &keys::after(references.clone()), false) {
                if !each(pair?.0.get(references.len()..).unwrap_or_default()) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Bytes of the blocks that lie in a pack.
pub fn pack(source: &dyn Source, segment: u32) -> Result<u64, Fault> {
    counter(source, &keys::pack(segment))
}

/// A number that is 0 where the index has none.
pub fn counter(source: &dyn Source, key: &[u8]) -> Result<u64, Fault> {
    let Some(number) = source.get(key)? else { return Ok(0) };
    Ok(u64::from_be_bytes(number.as_slice().try_into().context("a number in the index is not 8 bytes")?))
}

fn root(key: &[u8]) -> Result<Digest, Fault> {
    key.last_chunk().copied().context("an index key of a block is too short")
}

/// The digest in a data CID.
pub fn root_digest(root: &Cid) -> Result<Digest, Fault> {
    cid::sha256_of(root).with_context(|| format!("data CID {root} is not sha2-256"))
}
