//! Files of headers: a chain of regtest that is mined here, and what may be wrong with one.

use super::*;
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, block::Version, constants::genesis_block, hashes::Hash as _};

/// A chain of regtest: its first block and `n` more, 10 s apart; `branch` makes it another one.
pub(super) fn mined(n: u32, branch: u8) -> Vec<Header> {
    let mut chain = vec![genesis_block(bitcoin::Network::Regtest).header];
    for height in 1..=n {
        chain.push(next(chain.last().expect("not empty"), height, branch));
    }
    chain
}

fn next(last: &Header, height: u32, branch: u8) -> Header {
    let mut root = [branch; 32];
    root[..4].copy_from_slice(&height.to_be_bytes());
    let mut header = Header {
        version: Version::TWO,
        prev_blockhash: last.block_hash(),
        merkle_root: TxMerkleNode::from_byte_array(root),
        time: last.time + 10,
        bits: last.bits,
        nonce: 0,
    };
    work(&mut header);
    header
}

fn work(header: &mut Header) {
    while !header.target().is_met_by(header.block_hash()) {
        header.nonce += 1;
    }
}

fn written(first: u32, headers: &[Header]) -> Vec<u8> {
    headers.iter().fold(start(Network::Regtest, first), |file, header| [file, bytes(header)].concat())
}

fn wanted(heights: &[u32]) -> BTreeSet<u32> {
    heights.iter().copied().collect()
}

fn broken(file: &[u8]) -> String {
    read(file, &BTreeSet::new()).expect_err("is refused").to_string()
}

#[test]
fn a_file_is_read_and_gives_the_headers_that_are_wanted() {
    let chain = mined(40, 0);
    let found = read(&*written(0, &chain), &wanted(&[0, 7, 40, 41])).expect("reads");
    assert_eq!((found.network, found.first, found.tip), (Network::Regtest, 0, 40));
    assert_eq!((found.grade, found.time), (Grade::Checkpointed, chain[40].time));
    assert_eq!(found.wanted.keys().copied().collect::<Vec<_>>(), [0, 7, 40]);
    assert_eq!(found.wanted[&7], chain[7]);
    let later = read(&*written(5, &chain[5..]), &wanted(&[4, 5])).expect("reads");
    assert_eq!((later.grade, later.first, later.wanted.len()), (Grade::HeaderWorkOnly, 5, 1));
    assert!(found.work > later.work);
}

#[test]
fn a_cheap_chain_from_the_first_block_of_mainnet_proves_nothing() {
    let first = genesis_block(bitcoin::Network::Bitcoin).header;
    let file = [start(Network::Mainnet, 0), bytes(&first)].concat();
    assert_eq!(read(&*file, &BTreeSet::new()).expect("reads").grade, Grade::HeaderWorkOnly);
    let home = tempfile::tempdir().expect("a directory");
    let refused = import(home.path(), Network::Mainnet, &*file).expect_err("is refused");
    assert!(matches!(refused, Error::Unknown { start: 0, tip: 0, known: 910_000 }), "{refused}");
    assert!(!place(home.path(), Network::Mainnet).exists());
}

#[test]
fn what_is_wrong_is_said_with_its_height_and_rule() {
    let chain = mined(40, 0);
    let file = written(0, &chain);
    assert!(broken(b"").contains("other bytes"));
    assert!(broken(&file[..START_LEN]).contains("holds no header"));
    assert!(broken(&file[1..]).contains("other bytes"));
    assert!(broken(&[MAGIC.as_slice(), &[9], &file[9..]].concat()).contains("version 9"));
    assert!(broken(&[MAGIC.as_slice(), &[1, 9], &file[10..]].concat()).contains("number 9"));
    for cut in 1..HEADER_LEN {
        assert!(broken(&file[..file.len() - cut]).contains("in the middle of the header of block 40"));
    }
    let changed = |at: usize, change: &dyn Fn(&mut Header)| {
        let mut chain = chain.clone();
        change(&mut chain[at]);
        for at in at.max(1)..chain.len() {
            chain[at].prev_blockhash = chain[at - 1].block_hash();
            if at > 1 {
                work(&mut chain[at]);
            }
        }
        broken(&written(0, &chain))
    };
    let mut swapped = chain.clone();
    swapped.swap(8, 9);
    assert!(broken(&written(0, &swapped)).contains("block 8: it does not follow"));
    let text = changed(20, &|header| header.time = header.time.saturating_sub(60));
    assert!(text.contains("block 20: its time is not after the median"), "{text}");
    let text = changed(20, &|header| header.time = u32::MAX);
    assert!(text.contains("block 20: its time is more than two hours ahead"), "{text}");
    let text = changed(20, &|header| header.bits = CompactTarget::from_consensus(0x207f_fffe));
    assert!(
        text.contains("block 20: its difficulty is 0x207ffffe; by the rules of Regtest it is 0x207fffff"),
        "{text}"
    );
    let text = changed(0, &|header| header.nonce += 1);
    assert!(text.contains("block 0: it is another block than the one that everybody has"), "{text}");
    let mut lazy = chain.clone();
    while lazy[40].target().is_met_by(lazy[40].block_hash()) {
        lazy[40].nonce += 1;
    }
    assert!(broken(&written(0, &lazy)).contains("block 40: its hash is above its target"));
    assert!(broken(&written(u32::MAX, &chain[3..5])).contains("no such heights"));
}

#[test]
fn every_cut_and_changed_byte_is_refused_or_another_shorter_chain() {
    let chain = mined(12, 0);
    let file = written(0, &chain);
    for n in 0..file.len() {
        let found = read(&file[..n], &BTreeSet::new());
        let whole = n > START_LEN && (n - START_LEN).is_multiple_of(HEADER_LEN);
        assert_eq!(found.is_ok(), whole, "cut at {n}: {found:?}");
    }
    for at in 0..file.len() - HEADER_LEN {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            let found = read(&*changed, &wanted(&[11]));
            // Of the first height and the network it hangs only what the headers are called.
            assert!(found.is_err() || found.is_ok_and(|found| found.grade == Grade::HeaderWorkOnly && at < START_LEN));
        }
    }
}

#[test]
fn the_home_keeps_the_chain_with_the_most_work() {
    let home = tempfile::tempdir().expect("a directory");
    let take = |file: &[u8]| import(home.path(), Network::Regtest, file);
    let (short, long, other) = (mined(5, 0), mined(9, 0), mined(12, 1));
    assert_eq!(take(&written(0, &long)).expect("is taken").tip, 9);
    let place = place(home.path(), Network::Regtest);
    let tip = || open(&place, &BTreeSet::new()).expect("is there").tip;
    for lighter in [&short, &long] {
        assert!(matches!(take(&written(0, lighter)), Err(Error::Lighter(9))));
    }
    assert!(matches!(take(&written(3, &mined(30, 0)[3..])), Err(Error::Unknown { start: 3, tip: 30, known: 0 })));
    let testnet = [MAGIC.as_slice(), &[VERSION, 1], &0_u32.to_be_bytes()].concat();
    assert!(take(&[testnet, bytes(&genesis_block(bitcoin::Network::Testnet4).header)].concat()).is_err());
    assert!(take(b"junk").is_err());
    assert_eq!(tip(), 9, "what was refused has changed nothing");
    assert_eq!(take(&written(0, &other)).expect("has more work").tip, 12);
    fs::write(&place, "damaged").expect("writes");
    assert_eq!(take(&written(0, &short)).expect("better than damage").tip, 5);
    let names = fs::read_dir(place.parent().expect("a folder")).expect("lists").count();
    assert_eq!((names, tip()), (1, 5), "nothing half is left");
}

#[test]
fn a_header_of_mainnet_alone_has_its_work_and_no_more() {
    // Block 911,248.
    let header = "0040f126d89a17247474af1f222a8e3f1706edfd1ad6d4634a78010000000000000000004310c7c1a13ca067502e8d90bac6b7e191\
                  cb065e1cd1bee37fa9b88c8811aec8a215a968912b0217745f731e";
    let header = hex::decode(header).expect("hex");
    let mut file = [start(Network::Mainnet, 911_248), header].concat();
    let found = read(&*file, &wanted(&[911_248])).expect("reads");
    assert_eq!(found.grade, Grade::HeaderWorkOnly);
    let hash = "00000000000000000001ced364d101a671454761ea9f61656049b04dd92f5221";
    assert_eq!(found.wanted[&911_248].block_hash(), hash.parse::<BlockHash>().expect("a hash"));
    file[START_LEN + 79] ^= 1;
    assert!(broken(&file).contains("block 911248: its hash is above its target"));
}
