//! Who holds a block: the way from a block over its roots to the records and pins that need it.

use super::{PIN, Place, keys, pending::Source, rows};
use crate::{cid::Digest, dwn::Fault};
use anyhow::Context as _;

/// Where a block lies, whether or not anything holds it.
pub(super) fn place(source: &dyn Source, block: &Digest) -> Result<Option<Place>, Fault> {
    source.get(&keys::block(block))?.map(|bytes| rows::decode_place(&bytes)).transpose()
}

/// The roots that a block belongs to.
pub(super) fn roots(source: &dyn Source, block: &Digest) -> Result<Vec<Digest>, Fault> {
    let prefix = keys::roots(block);
    source.scan(&prefix, &keys::after(prefix.clone()), false).map(|pair| root(&pair?.0)).collect()
}

/// Does a record, or a pin, hold the block?
pub(super) fn is_held(source: &dyn Source, block: &Digest) -> Result<bool, Fault> {
    let mut held = false;
    holders(source, block, |_, _| {
        held = true;
        false
    })?;
    Ok(held || pinned(source, block)?)
}

fn pinned(source: &dyn Source, block: &Digest) -> Result<bool, Fault> {
    let prefix = keys::roots(block);
    for pair in source.scan(&prefix, &keys::after(prefix.clone()), false) {
        let pin = [PIN, root(&pair?.0)?.as_slice()].concat();
        if source.get(&keys::state(&pin))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Calls `each` with every reference (tenant and record, published) to a root that holds the block, until it
/// says no.
pub(super) fn holders(
    source: &dyn Source,
    block: &Digest,
    mut each: impl FnMut(&[u8], bool) -> bool,
) -> Result<(), Fault> {
    let prefix = keys::roots(block);
    for pair in source.scan(&prefix, &keys::after(prefix.clone()), false) {
        let references = keys::references(&root(&pair?.0)?);
        for pair in source.scan(&references, &keys::after(references.clone()), false) {
            let (key, published) = pair?;
            if !each(key.get(references.len()..).unwrap_or_default(), published == [1]) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Bytes of the blocks that lie in a pack.
pub(super) fn pack(source: &dyn Source, segment: u32) -> Result<u64, Fault> {
    let Some(live) = source.get(&keys::pack(segment))? else { return Ok(0) };
    Ok(u64::from_be_bytes(live.as_slice().try_into().context("a number in the index is not 8 bytes")?))
}

fn root(key: &[u8]) -> Result<Digest, Fault> {
    key.last_chunk().copied().context("an index key of a block is too short")
}
