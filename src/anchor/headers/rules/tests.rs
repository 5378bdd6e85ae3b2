//! The rules, with difficulties as bitcoind computes them (its pow_tests.cpp), and without the work.

use super::*;
use bitcoin::{TxMerkleNode, block::Version, hashes::Hash as _};

fn header(time: u32, bits: u32) -> Header {
    let (prev_blockhash, merkle_root) = (BlockHash::all_zeros(), TxMerkleNode::all_zeros());
    let bits = CompactTarget::from_consensus(bits);
    Header { version: Version::TWO, prev_blockhash, merkle_root, time, bits, nonce: 0 }
}

/// At `height`, with the first header of its period (or of the one that has just ended) and the last one.
fn at(network: Network, height: u32, first: Option<Header>, last: Header) -> Chain {
    let real = first.map(|first| first.bits).or(Some(last.bits));
    Chain { first, real, last: Some(last), ..Chain::new(network, height, u64::MAX / 2) }
}

fn bits(chain: &Chain, time: u32) -> Option<u32> {
    chain.expected(&header(time, 0)).map(CompactTarget::to_consensus)
}

#[test]
fn the_difficulty_changes_as_bitcoind_changes_it() {
    for (height, first, last, before, after) in [
        (32_255, 1_261_130_161, 1_262_152_739, 0x1d00_ffff, 0x1d00_d86a),
        (2_015, 1_231_006_505, 1_233_061_996, 0x1d00_ffff, 0x1d00_ffff), // not below the least
        (68_543, 1_279_008_237, 1_279_297_671, 0x1c05_a3f4, 0x1c01_68fd), // not more than four times
        (46_367, 1_263_163_443, 1_269_211_443, 0x1c38_7f6f, 0x1d00_e1fd), // not less than a quarter
    ] {
        let chain = at(Network::Mainnet, height + 1, Some(header(first, before)), header(last, before));
        assert_eq!(bits(&chain, last + 1), Some(after), "{height}");
        assert!(chain.difficulty(&header(last + 1, after)).is_ok());
        assert!(matches!(chain.difficulty(&header(last + 1, after + 1)), Err(Rule::Difficulty { .. })));
        let chain = at(Network::Mainnet, height, Some(header(first, before)), header(last, before));
        assert_eq!(bits(&chain, last + 1), Some(before), "within a period it stays");
    }
    // Clocks that go backwards count as the shortest time.
    let chain = at(Network::Mainnet, 4032, Some(header(2_000_000, 0x1c05_a3f4)), header(1_000_000, 0x1c05_a3f4));
    assert_eq!(bits(&chain, 9), Some(0x1c01_68fd));
}

#[test]
fn on_testnet4_a_late_block_may_be_easy_and_the_period_remembers_what_is_real() {
    let (real, easy) = (0x1c05_a3f4, 0x1d00_ffff);
    let first = header(1_279_008_237, real);
    let mut chain = at(Network::Testnet4, 70_000, Some(first), header(1_000_000, easy));
    assert_eq!(bits(&chain, 1_000_000 + IDLE), Some(real), "after an easy block the real difficulty comes back");
    assert_eq!(bits(&chain, 1_000_001 + IDLE), Some(easy));
    chain = Chain { height: 70_560, last: Some(header(1_279_297_671, easy)), ..chain };
    assert!(chain.height.is_multiple_of(PERIOD));
    // BIP 94: from the first block of the period, though the last one was easy; and no exception at its begin.
    assert_eq!(bits(&chain, 1_279_297_671 + 2 * IDLE), Some(0x1c01_68fd));
    let time = |time| chain.time(&header(time, 0x1c01_68fd));
    assert_eq!(time(1_279_297_671 - BACK), Ok(()));
    assert_eq!(time(1_279_297_671 - BACK - 1), Err(Rule::Back));
    let mainnet = at(Network::Mainnet, 70_560, Some(first), header(1_279_297_671, real));
    assert_eq!(mainnet.time(&header(1, real)), Ok(()), "only testnet4 has that rule");
}

#[test]
fn where_headers_begin_in_the_middle_of_a_period_bounds_hold() {
    let chain = at(Network::Mainnet, 4032, None, header(1_000_000, 0x1c05_a3f4));
    assert_eq!(bits(&chain, 1_000_001), None);
    assert!(chain.difficulty(&header(1_000_001, 0x1c05_a3f4)).is_ok());
    assert!(chain.difficulty(&header(1_000_001, 0x1c01_68fd)).is_ok());
    for far in [0x1c01_68fc, 0x1d00_ffff, 0x1d01_ffff, 0x1e00_ffff, 0x0000_0000, 0x1c85_a3f4] {
        assert_eq!(chain.difficulty(&header(1_000_001, far)), Err(Rule::Range(far)));
    }
    // Behind the block that toft knows, its next difficulty is known too.
    let chain = Chain { known: Some(MAINNET.height), ..at(Network::Mainnet, 911_232, None, header(1, 0x1702_2cb3)) };
    assert_eq!(bits(&chain, 2), Some(0x1702_2b91));
}

#[test]
fn the_first_blocks_of_every_network_are_known() {
    for (network, hash) in [
        (Network::Mainnet, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
        (Network::Testnet4, "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"),
        (Network::Signet, "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"),
        (Network::Regtest, "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"),
    ] {
        assert_eq!(Chain::new(network, 0, 0).genesis, hash.parse().expect("a hash"));
    }
    let mut chain = Chain::new(Network::Mainnet, 0, 1_800_000_000);
    chain.take(&genesis_block(bitcoin::Network::Bitcoin).header).expect("the first block");
    let root = "982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e";
    let one = Header {
        version: Version::ONE,
        prev_blockhash: chain.genesis,
        merkle_root: TxMerkleNode::from_byte_array(hex::decode(root).expect("hex").try_into().expect("32 bytes")),
        time: 1_231_469_665,
        bits: CompactTarget::from_consensus(0x1d00_ffff),
        nonce: 2_573_394_689,
    };
    chain.take(&one).expect("the second block");
    assert_eq!((chain.tip().map(|(height, _)| height), chain.known()), (Some(1), Some(0)));
    let mut other = Chain::new(Network::Mainnet, MAINNET.height, 1_800_000_000);
    assert!(matches!(other.take(&one), Err(Rule::Checkpoint(_))));
}
