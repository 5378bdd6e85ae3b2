//! What operations of a calendar are: how much, where they lead, and what of them is worth keeping.

use super::ots::{Attestation, Branch, Op, Stamp};
use crate::cid::Digest;
use bitcoin::{Transaction, consensus::encode::deserialize};

/// Bytes that are hashed or copied to see where all that leads; what a real calendar says takes some 10 KiB.
const WORK_MAX: usize = 256 << 10;
/// Bitcoin blocks that it leads to; a real one names one.
const BLOCKS_MAX: usize = 8;
/// Steps in a row. A proof has 256 (`ots`), of which the way from a leaf to the batch's root takes up to 100.
pub(super) const DEPTH_MAX: usize = 128;

/// Is it no more than a calendar may say? To see it takes no hashing. `len`: of the message that it leads on from.
pub(super) fn bounded(stamp: &Stamp, len: usize) -> Result<(), String> {
    let mut size = Size::default();
    size.add(stamp, len, 0);
    if let Some(height) = size.height.filter(|height| *height > u64::from(u32::MAX)) {
        return Err(format!("it names block {height}, and no block can have that height"));
    }
    if size.depth > DEPTH_MAX {
        return Err(format!("it leads over more than {DEPTH_MAX} steps, and would leave others no room in a proof"));
    }
    if size.blocks > BLOCKS_MAX {
        return Err(format!("it names more than {BLOCKS_MAX} blocks"));
    }
    if size.work > WORK_MAX {
        return Err(format!("checking it takes more than {WORK_MAX} bytes of hashing"));
    }
    Ok(())
}

/// How much a stamp is.
#[derive(Debug, Default)]
struct Size {
    /// Steps of the longest way.
    depth: usize,
    /// Bytes that are hashed or copied on all ways.
    work: usize,
    /// Bitcoin blocks that it names, and the highest.
    blocks: usize,
    height: Option<u64>,
}

impl Size {
    fn add(&mut self, stamp: &Stamp, len: usize, depth: usize) {
        self.depth = self.depth.max(depth);
        for branch in &stamp.0 {
            match branch {
                Branch::Attest(Attestation::Bitcoin(height)) => {
                    self.blocks += 1;
                    self.height = self.height.max(Some(*height));
                }
                Branch::Attest(_) => {}
                Branch::Then(op, rest) => {
                    let result = op.result_len(len);
                    self.work = self.work.saturating_add(len.max(result));
                    self.add(rest, result, depth + 1);
                }
            }
        }
    }
}

/// Height and Merkle root of the Bitcoin blocks that `stamp` leads to from `message`.
pub(super) fn blocks(stamp: &Stamp, message: &[u8]) -> Vec<(u64, Digest)> {
    let all = stamp.attestations(message);
    let found = all.iter().filter_map(|(message, attestation)| match attestation {
        Attestation::Bitcoin(height) => Some((*height, Digest::try_from(message.as_ref()).ok()?)),
        _ => None,
    });
    let mut found: Vec<_> = found.collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Promises that are not kept yet: the commitment, and whom to ask about it.
pub(super) fn promises(stamp: &Stamp, message: &[u8]) -> Vec<(Vec<u8>, String)> {
    let (mut found, kept) = (Vec::new(), leads_to_a_block(stamp));
    for branch in &stamp.0 {
        match branch {
            Branch::Attest(Attestation::Pending(uri)) if !kept => found.push((message.to_vec(), uri.clone())),
            Branch::Attest(_) => {}
            Branch::Then(op, rest) => {
                found.extend(op.result(message).map(|message| promises(rest, &message)).unwrap_or_default());
            }
        }
    }
    found
}

/// A transaction without its witnesses is a message whose double hash leads on to a block.
pub(super) fn transaction(stamp: &Stamp, message: &[u8]) -> Option<String> {
    stamp.0.iter().find_map(|branch| match branch {
        Branch::Attest(_) => None,
        Branch::Then(op, rest) => {
            if *op == Op::Sha256
                && leads_to_a_block(rest)
                && let Ok(tx) = deserialize::<Transaction>(message)
            {
                return Some(tx.compute_txid().to_string());
            }
            transaction(rest, &op.result(message)?)
        }
    })
}

fn leads_to_a_block(stamp: &Stamp) -> bool {
    stamp.0.iter().any(|branch| match branch {
        Branch::Attest(attestation) => matches!(attestation, Attestation::Bitcoin(_)),
        Branch::Then(_, rest) => leads_to_a_block(rest),
    })
}

pub(super) fn without_kept_promises(stamp: Stamp) -> Stamp {
    let kept = leads_to_a_block(&stamp);
    let branches = stamp.0.into_iter().filter_map(|branch| match branch {
        Branch::Attest(Attestation::Pending(_)) if kept => None,
        Branch::Attest(_) => Some(branch),
        Branch::Then(op, rest) => Some(Branch::Then(op, without_kept_promises(rest))),
    });
    Stamp(branches.collect())
}

/// The part of a stamp that leads to attestations of one kind.
pub(super) fn keep(stamp: Stamp, wanted: fn(&Attestation) -> bool) -> Stamp {
    let branches = stamp.0.into_iter().filter_map(|branch| match branch {
        Branch::Attest(ref attestation) => wanted(attestation).then_some(branch),
        Branch::Then(op, rest) => {
            Some(keep(rest, wanted)).filter(|rest| !rest.0.is_empty()).map(|r| Branch::Then(op, r))
        }
    });
    Stamp(branches.collect())
}

/// Adds `more`, which leads on from `at`, wherever `stamp` (which leads on from `message`) comes by there.
pub(super) fn graft(stamp: &mut Stamp, message: &[u8], at: &[u8], more: &Stamp) {
    if message == at {
        return stamp.join(more.clone());
    }
    for branch in &mut stamp.0 {
        if let Branch::Then(op, rest) = branch
            && let Some(message) = op.result(message)
        {
            graft(rest, &message, at, more);
        }
    }
}
