//! Proofs as records hold them: what is read back, what is refused, and that nothing changed is believed.

use super::*;
use crate::anchor::{
    ots::{Detached, Op},
    proof::Verdict,
};
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Witness,
    absolute::LockTime,
    block::{Header, Version},
    consensus::encode::serialize,
    script::PushBytesBuf,
    transaction,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn leaf(index: u32) -> Leaf {
    let digest = cid::digest(&index.to_be_bytes());
    Leaf {
        index,
        digest,
        nonce: tree::nonce(&[7; 32], 1, &digest),
        codec: if index.is_multiple_of(2) { 0x71 } else { 0x55 },
    }
}

fn tree_of(n: u32) -> (Tree, Vec<Leaf>) {
    let leaves: Vec<Leaf> = (0..n).map(leaf).collect();
    (Tree::of(leaves.iter().map(Leaf::hash).collect()).expect("not empty"), leaves)
}

/// A transaction that carries the root, in a block of three at a height; `n` tells one from another.
fn mined(root: &Digest, height: u32, n: u8) -> (Attestation, Header) {
    let payload = PushBytesBuf::try_from([b"toft".as_slice(), root].concat()).expect("short");
    let input = TxIn {
        previous_output: OutPoint { txid: Txid::from_byte_array([n; 32]), vout: 0 },
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let output = vec![TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(payload) }];
    let tx = Transaction { version: transaction::Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output };
    let (other, third) = (Txid::from_byte_array([1; 32]), Txid::from_byte_array([height as u8; 32]));
    let txids = [other, tx.compute_txid(), third];
    let merkle_root =
        bitcoin::merkle_tree::calculate_root(txids.iter().map(|t| t.to_raw_hash())).expect("three").into();
    let (version, prev_blockhash, bits) = (Version::TWO, BlockHash::all_zeros(), CompactTarget::from_consensus(0));
    let header = Header { version, prev_blockhash, merkle_root, time: 1_790_000_000, bits, nonce: 0 };
    let inclusion = Inclusion::new(&header, height, &txids, tx.compute_txid()).expect("it lies there");
    (Attestation::bitcoin(serialize(&tx), inclusion, &[]), header)
}

fn calendar(url: &str, attested: Attested) -> Attestation {
    let stamp = Stamp::line([Op::Append(vec![1]), Op::Sha256].into_iter(), attested).bytes();
    Attestation::Calendar { url: url.into(), stamp }
}

fn head(root: Digest, attestations: Vec<Attestation>) -> Head {
    let batch = Anchored {
        number: 3,
        root,
        size: 9,
        network: Network::Regtest,
        genesis: genesis(Network::Regtest),
        made: 1_790_000_000,
        is_final: false,
        attestations,
    };
    Head::new(batch, maker(&[7; 32]), 1)
}

#[test]
fn a_leaf_leads_to_every_block_and_calendar_that_is_known() {
    let (tree, leaves) = tree_of(9);
    let root = tree.root();
    let (first, header) = mined(&root, 77, 1);
    let (second, other) = mined(&root, 80, 2);
    let pending = calendar("https://one.example", Attested::Pending("https://one.example".into()));
    let head = head(root, vec![second, first, pending]);
    assert_eq!(Head::read(&head.write()).expect("reads"), head);
    assert_eq!((head.blocks(), head.standing()), (vec![77, 80], Standing::Mined));
    assert_eq!(head.transaction().expect("it is there").inclusion.height, 77);
    let parts = Part::of(&tree, &leaves[2..5]);
    let [part] = parts.as_slice() else { panic!("three leaves fit in one") };
    let part = Part::read(part).expect("reads");
    assert_eq!(part.leaves(), &leaves[2..5]);
    for leaf in part.leaves() {
        let stamp = head.stamp_of(&part, leaf).expect("it is whole").expect("of one root");
        let ots = Detached { hash: Op::Sha256, digest: leaf.digest.to_vec(), stamp }.write();
        for (height, header) in [(77, header), (80, other)] {
            let verdict = proof::verify::<proof::Error>(&ots, &leaf.digest, |h| Ok((h == height).then_some(header)));
            assert!(matches!(verdict, Ok(Verdict::Proven { height: h, .. }) if h == height), "{verdict:?}");
        }
    }
    assert_eq!(part.leaf(&leaves[5].digest), None, "another's");
    let foreign = Head { root: [1; 32], attestations: vec![], ..head };
    assert_eq!(foreign.stamp_of(&part, &leaves[2]), Ok(None));
}

#[test]
fn a_root_that_shares_a_transaction_leads_over_the_others() {
    let (tree, leaves) = tree_of(9);
    let root = tree.root();
    for n in 2..6 {
        let roots =
            Tree::new(&(0..n).map(|i| if i == 1 { root } else { [i; 32] }).collect::<Vec<_>>()).expect("not empty");
        let over = roots.path(1).expect("it is there");
        let (Attestation::Bitcoin { tx, inclusion, .. }, header) = mined(&roots.root(), 77, 1) else {
            panic!("a block")
        };
        let head = head(root, vec![Attestation::bitcoin(tx.clone(), inclusion.clone(), &over)]);
        assert_eq!(Head::read(&head.write()).expect("reads"), head);
        let part = Part::read(&Part::of(&tree, &leaves[4..5])[0]).expect("reads");
        let stamp = head.stamp_of(&part, &leaves[4]).expect("it is whole").expect("of one root");
        let ots = Detached { hash: Op::Sha256, digest: leaves[4].digest.to_vec(), stamp }.write();
        let verdict = proof::verify::<proof::Error>(&ots, &leaves[4].digest, |h| Ok((h == 77).then_some(header)));
        assert!(matches!(verdict, Ok(Verdict::Proven { height: 77, .. })), "{verdict:?}");

        let refused = |over: Vec<u8>| {
            let attestation = Attestation::Bitcoin { tx: tx.clone(), inclusion: inclusion.clone(), over };
            Head::read(&super::Head { attestations: vec![attestation], ..head.clone() }.write()).expect_err("refused")
        };
        let Attestation::Bitcoin { over, .. } = &head.attestations[0] else { panic!("a transaction") };
        assert_eq!(refused(vec![]), Error::Proof(proof::Error::NoRoot));
        assert!(matches!(refused(over[1..].to_vec()), Error::Form(_)));
        assert!(matches!(refused([&[2], &over[1..]].concat()), Error::Form(_)));
        assert_eq!(refused([&[over[0] ^ 1], &over[1..]].concat()), Error::Proof(proof::Error::NoRoot));
        assert!(matches!(refused(over.repeat(OVER_MAX + 1)), Error::Limit { .. }));
    }
}

#[test]
fn what_is_known_is_kept_and_what_is_newer_counts() {
    let root = [5; 32];
    let pending = |url: &str| calendar(url, Attested::Pending(url.into()));
    let kept = |url: &str| calendar(url, Attested::Bitcoin(70));
    let (reorganised, _) = mined(&root, 77, 1);
    let (again, _) = mined(&root, 79, 1);
    let (replaced, _) = mined(&root, 80, 2);
    let earlier = head(root, vec![reorganised, kept("a"), pending("b"), replaced.clone()]);
    let later = head(root, vec![again.clone(), pending("a"), kept("b"), pending("c")]);
    let both = later.upgrading(earlier.clone());
    assert_eq!(both.attestations, [again, kept("a"), kept("b"), pending("c")]);
    let silent = head(root, vec![]).upgrading(head(root, vec![replaced.clone()]));
    assert_eq!(silent.attestations, [replaced], "its maker may have lost it");
    let foreign = head([6; 32], vec![]);
    assert_eq!(foreign.clone().upgrading(earlier), foreign, "another root's word is not taken over");
}

#[test]
fn a_large_batch_is_cut_into_records_that_lie_beside_their_messages() {
    let (tree, leaves) = tree_of(5_000);
    for (every, most) in [(1, 11), (3, 7), (100, 3), (4_999, 1)] {
        let some: Vec<Leaf> = leaves.iter().step_by(every).copied().collect();
        let parts = Part::of(&tree, &some);
        assert!(parts.len() <= most, "{} parts of {}", parts.len(), some.len());
        assert!(parts.iter().all(|part| part.len() <= RECORD_MAX));
        let read: Vec<Part> = parts.iter().map(|part| Part::read(part).expect("reads")).collect();
        assert!((0_u32..).zip(&read).all(|(number, part)| part.number == number));
        let all: Vec<Leaf> = read.iter().flat_map(|part| part.leaves().to_vec()).collect();
        assert_eq!(all, some);
        assert_eq!(Part::of(&tree, &some), parts, "the same again");
    }
}

#[test]
fn what_is_too_large_or_said_falsely_is_not_read() {
    let root = [5; 32];
    assert_eq!(Head::read(&vec![0; RECORD_MAX + 1]), Err(Error::TooLong(RECORD_MAX + 1)));
    assert!(matches!(Part::read(&[]), Err(Error::Form(_))));
    let refused = |attestation: Attestation| Head::read(&head(root, vec![attestation]).write()).expect_err("refused");
    let (elsewhere, _) = mined(&[6; 32], 77, 1);
    assert_eq!(refused(elsewhere), Error::Proof(proof::Error::NoRoot));
    let (real, _) = mined(&root, 77, 1);
    let (_, Attestation::Bitcoin { inclusion, .. }) = (&real, mined(&root, 77, 2).0) else { panic!("a block") };
    let Attestation::Bitcoin { tx, .. } = real else { panic!("a transaction") };
    assert_eq!(refused(Attestation::bitcoin(tx, inclusion.clone(), &[])), Error::NotInBlock);
    let bomb = Attestation::bitcoin(vec![0xff; 200], inclusion, &[]);
    assert!(matches!(refused(bomb), Error::Proof(proof::Error::Transaction(_))));
    let long = Attestation::Calendar { url: "u".repeat(URL_MAX + 1), stamp: vec![] };
    assert!(matches!(refused(long), Error::Limit { .. }));
    assert!(matches!(refused(Attestation::Calendar { url: "u".into(), stamp: vec![0xf0] }), Error::Ots(_)));
    let attestations = vec![calendar("a", Attested::Bitcoin(1)); ATTESTATIONS_MAX + 1];
    assert_eq!(head(root, attestations.clone()).attestations.len(), ATTESTATIONS_MAX);
    let many = Head { attestations, ..head(root, vec![]) };
    assert_eq!(Head::read(&many.write()), Err(Error::Attestations(ATTESTATIONS_MAX + 1)));
    let newer = Head { version: VERSION + 1, ..head(root, vec![]) };
    assert_eq!(Head::read(&newer.write()), Err(Error::Version(VERSION + 1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A changed byte anywhere is noticed, or changes nothing that is proven.
    #[test]
    fn no_changed_part_proves_another_thing(
        n in 1_u32..40, some in prop::collection::btree_set(0_u32..40, 1..8), at in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let (tree, leaves) = tree_of(n);
        let some: BTreeSet<u32> = some.into_iter().map(|index| index % n).collect();
        let some: Vec<Leaf> = some.into_iter().map(|index| leaves[index as usize]).collect();
        let part = Part::of(&tree, &some).remove(0);
        let whole = Part::read(&part).expect("reads");
        prop_assert_eq!(whole.leaves(), &some[..]);
        let mut changed = part.clone();
        let at = at.index(changed.len());
        changed[at] ^= 1_u8 << bit;
        if let Ok(read) = Part::read(&changed) {
            prop_assert_eq!(read.root, whole.root);
            for leaf in read.leaves() {
                prop_assert!(some.iter().any(|was| (was.digest, was.nonce) == (leaf.digest, leaf.nonce)));
                prop_assert_eq!(tree::climb(leaf.hash(), &read.path(leaf)), whole.root);
            }
        }
    }

    #[test]
    fn bytes_that_are_none_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Part::read(&bytes).is_err() && Head::read(&bytes).is_err());
    }

    /// What stands in a head is checked whatever bit of it was changed.
    #[test]
    fn no_changed_head_names_a_block_that_does_not_hold_the_root(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let (attestation, header) = mined(&[5; 32], 77, 1);
        let mut bytes = head([5; 32], vec![attestation, calendar("a", Attested::Bitcoin(70))]).write();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        if let Ok(head) = Head::read(&bytes) {
            for attestation in &head.attestations {
                if let Attestation::Bitcoin { inclusion, .. } = attestation {
                    prop_assert_eq!(inclusion.header().merkle_root, header.merkle_root);
                }
            }
        }
    }
}
