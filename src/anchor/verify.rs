//! What a proof shows, once its blocks are known. Who knows the blocks is asked in a few questions, the lowest first, and
//! only until one of them fits: the earliest good block counts, whatever else the file claims.

use super::ots::{Claim, Claims};
use bitcoin::{block::Header, hashes::Hash as _};
use serde::{Deserialize, Serialize};

/// Heights in one question.
const QUESTION: usize = 1000;

/// What a proof says about some data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// The data existed before this block was made. `time` is what its miner wrote (seconds since 1970; true to about two hours).
    Proven { height: u64, time: u32, block: String },
    /// The proof is of other data.
    OtherData,
    /// The block at this height has another Merkle root: a changed proof, a reorganised block or another network.
    NotInBlock { height: u64 },
    /// The chain asked does not reach this height.
    NoSuchBlock { height: u64 },
    /// Only calendars vouch for it so far.
    Pending { calendars: Vec<String> },
    /// Nobody we know how to ask vouches for it.
    Unattested,
}

/// How much stands behind a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Calendars have promised it; no block says it yet.
    Pending,
    /// A header with the right Merkle root has its proof of work, and nothing shows that it is in the chain of everybody.
    HeaderWorkOnly,
    /// The header is in a chain of headers that holds the newest block of the network that toft knows, and keeps the rules.
    Checkpointed,
    /// The own full node has the block in its chain.
    FullNode,
}

/// What the file alone says; nothing if its blocks must be known for that.
pub fn alone(claims: &Claims) -> Option<Verdict> {
    if !claims.blocks.is_empty() {
        return None;
    }
    let calendars: Vec<_> = claims.calendars.iter().cloned().collect();
    Some(if calendars.is_empty() { Verdict::Unattested } else { Verdict::Pending { calendars } })
}

/// The heights that a file names and a block can have, each once, the lowest first.
pub fn heights(claims: &Claims) -> Vec<u32> {
    let mut heights: Vec<u32> = claims.blocks.iter().filter_map(|claim| u32::try_from(claim.height).ok()).collect();
    heights.dedup();
    heights
}

/// The verdict on claims about the right data. `headers` knows the chain: for each height its header, or nothing beyond
/// the chain's end. It is asked once a height at most, for heights in order.
pub fn verdict<E>(
    claims: &Claims,
    mut headers: impl FnMut(&[u32]) -> Result<Vec<Option<Header>>, E>,
) -> Result<Verdict, E> {
    if let Some(said) = alone(claims) {
        return Ok(said);
    }
    let (mut lowest, mut missing) = (None, None);
    let mut rest = claims.blocks.as_slice();
    for question in heights(claims).chunks(QUESTION) {
        let known = headers(question)?;
        for (height, header) in question.iter().zip(known) {
            let end = rest.partition_point(|claim| claim.height <= u64::from(*height));
            let (here, after) = rest.split_at(end);
            rest = after;
            let Some(header) = header else {
                missing.get_or_insert(u64::from(*height));
                continue;
            };
            if here.iter().any(|claim| fits(claim, &header)) {
                let (time, block) = (header.time, header.block_hash().to_string());
                return Ok(Verdict::Proven { height: (*height).into(), time, block });
            }
            lowest.get_or_insert(u64::from(*height));
        }
    }
    // What may still come counts more than what does not fit.
    let beyond = || claims.blocks.last().map_or(0, |claim| claim.height);
    Ok(match (missing, lowest) {
        (Some(height), _) => Verdict::NoSuchBlock { height },
        (None, Some(height)) => Verdict::NotInBlock { height },
        (None, None) => Verdict::NoSuchBlock { height: beyond() },
    })
}

fn fits(claim: &Claim, header: &Header) -> bool {
    claim.root == Some(header.merkle_root.to_byte_array())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::ots::Op;
    use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, block::Version};
    use std::collections::BTreeSet;

    fn header(n: u8) -> Header {
        let (version, prev_blockhash, bits) = (Version::TWO, BlockHash::all_zeros(), CompactTarget::from_consensus(0));
        let merkle_root = TxMerkleNode::from_byte_array([n; 32]);
        Header { version, prev_blockhash, merkle_root, time: u32::from(n), bits, nonce: 0 }
    }

    fn claims(blocks: &[(u64, u8)]) -> Claims {
        let mut blocks: Vec<_> =
            blocks.iter().map(|(height, n)| Claim { height: *height, root: Some([*n; 32]) }).collect();
        blocks.sort_unstable();
        Claims { hash: Op::Sha256, digest: vec![7; 32], blocks, calendars: BTreeSet::new() }
    }

    /// A chain of `len` blocks, of which block n holds n.
    fn judged(claims: &Claims, len: u32) -> (Verdict, usize) {
        let mut asked = Vec::new();
        let verdict = verdict::<()>(claims, |heights| {
            asked.extend_from_slice(heights);
            Ok(heights.iter().map(|height| (*height < len).then(|| header(*height as u8))).collect())
        });
        assert!(asked.is_sorted_by(|a, b| a < b), "each height once");
        (verdict.expect("is judged"), asked.len())
    }

    #[test]
    fn the_earliest_good_block_counts_whatever_the_others_are() {
        let mut blocks = vec![(9, 9), (8, 8), (3, 1), (3, 2), (200, 1), (u64::MAX, 3)];
        assert!(matches!(judged(&claims(&blocks), 100).0, Verdict::Proven { height: 8, .. }));
        blocks.push((3, 3));
        assert!(matches!(judged(&claims(&blocks), 100).0, Verdict::Proven { height: 3, .. }));
        assert_eq!(judged(&claims(&[(3, 1), (4, 1)]), 100).0, Verdict::NotInBlock { height: 3 });
        assert_eq!(judged(&claims(&[(3, 1), (400, 1)]), 100).0, Verdict::NoSuchBlock { height: 400 });
        assert_eq!(judged(&claims(&[(u64::MAX, 1)]), 100), (Verdict::NoSuchBlock { height: u64::MAX }, 0));
        let short = Claims { blocks: vec![Claim { height: 3, root: None }], ..claims(&[]) };
        assert_eq!(judged(&short, 100).0, Verdict::NotInBlock { height: 3 });
    }

    #[test]
    fn each_height_is_asked_once_and_only_until_one_is_good() {
        let same: Vec<_> = (0..18_000_u64).map(|n| (5, if n == 900 { 5 } else { 200 })).collect();
        let (verdict, asked) = judged(&claims(&same), 100);
        assert!(matches!(verdict, Verdict::Proven { height: 5, .. }));
        assert_eq!(asked, 1);
        let different: Vec<_> = (0..18_000_u64).map(|n| (n, if n < 2_500 { 1 } else { n as u8 })).collect();
        let (verdict, asked) = judged(&claims(&different), 20_000);
        assert!(matches!(verdict, Verdict::Proven { height: 1, .. }), "{verdict:?}");
        assert_eq!(asked, QUESTION);
        let bad: Vec<_> = (0..18_000_u64).map(|n| (n, n as u8 ^ 1)).collect();
        assert_eq!(judged(&claims(&bad), 20_000), (Verdict::NotInBlock { height: 0 }, 18_000));
    }

    #[test]
    fn without_blocks_nobody_is_asked() {
        let mut none = claims(&[]);
        assert_eq!(judged(&none, 9), (Verdict::Unattested, 0));
        none.calendars.insert("https://a".into());
        assert_eq!(judged(&none, 9), (Verdict::Pending { calendars: vec!["https://a".into()] }, 0));
    }
}
