//! The codec against itself, its limits, and any bytes.

use super::{
    form::{ATTEST, BITCOIN, DEPTH_MAX, ETHEREUM, FORK, PENDING, TAG_LEN, URI_MAX, write_bytes, write_number},
    *,
};
use proptest::prelude::*;

fn file(rest: &[u8]) -> Vec<u8> {
    [MAGIC, &[MAJOR], &[0x08], &[7; 32], rest].concat()
}

fn attested(tag: [u8; TAG_LEN], payload: &[u8]) -> Vec<u8> {
    let mut out = [&[ATTEST][..], &tag].concat();
    write_bytes(payload, &mut out);
    out
}

fn pending(uri: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    write_bytes(uri, &mut payload);
    attested(PENDING, &payload)
}

#[test]
fn numbers_are_leb128() {
    for (value, bytes) in
        [(0, "00"), (127, "7f"), (128, "8001"), (358_391, "f7ef15"), (u64::MAX, "ffffffffffffffffff01")]
    {
        let mut out = Vec::new();
        write_number(value, &mut out);
        assert_eq!(hex::encode(&out), bytes);
        assert_eq!(Reader::new(&out).number(), Ok(Some(value)));
        // Written longer than it needs, by any length.
        *out.last_mut().expect("not empty") |= 0x80;
        out.extend([0x80; 40]);
        out.push(0);
        assert_eq!(Reader::new(&out).number(), Ok(Some(value)));
    }
    assert_eq!(Reader::new(&[0xff; 40]).number(), Err(Error::Truncated(40)));
    let two_to_the_64 = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02];
    assert_eq!(Reader::new(&two_to_the_64).number(), Ok(None));
    assert_eq!(Reader::new(&[[0xff; 40].as_slice(), &[0x7f]].concat()).number(), Ok(None));
}

#[test]
fn what_is_written_long_is_read_as_it_is_meant() {
    let long = |n: u8| [vec![n | 0x80], vec![0x80; 20], vec![0]].concat();
    // version, length of the payload, height
    let payload = long(5);
    let attestation = [&[ATTEST][..], &BITCOIN, &long(payload.len() as u8), &payload].concat();
    let bytes = [MAGIC, &long(MAJOR), &[0x08], &[7; 32], &attestation].concat();
    let read = Detached::read(&bytes).expect("the reference reads it");
    assert_eq!(read.stamp, Stamp(vec![Branch::Attest(Attestation::Bitcoin(5))]));
    assert_eq!(read.write(), file(&attested(BITCOIN, &[5])));
    let other = [MAGIC, &[2, 0x08], &[7; 32], &attestation].concat();
    assert_eq!(Detached::read(&other), Err(Error::Version));
    // A height that no block can have is carried, and claims no block.
    let height = [[0xff; 40].as_slice(), &[0x7f]].concat();
    let bytes = file(&attested(BITCOIN, &height));
    assert_eq!(Detached::read(&bytes).map(|read| read.write()), Ok(bytes.clone()));
    assert_eq!(Claims::read(&bytes).expect("reads").blocks, []);
}

#[test]
fn an_attestation_of_ethereum_is_a_height_and_nothing_more() {
    for (payload, is_one) in [(&[5][..], true), (&[], false), (&[5, 5], false), (&[0xff], false)] {
        let bytes = file(&attested(ETHEREUM, payload));
        assert_eq!(Detached::read(&bytes).map(|read| read.write() == bytes).ok(), is_one.then_some(true));
    }
    assert!(Detached::read(&file(&attested([9; 8], &[]))).is_ok(), "of an unknown kind nothing is known");
    assert!(Detached::read(&file(&pending(b""))).is_ok(), "a calendar without a name");
    assert!(Detached::read(&file(&attested(PENDING, &[]))).is_err());
}

#[test]
fn a_branch_that_doubles_forever_is_refused() {
    let mut bomb = vec![0xf3; 30];
    bomb.extend(pending(b"https://calendar"));
    assert!(matches!(Detached::read(&file(&bomb)), Err(Error::Limit { what: "a result", .. })));
}

#[test]
fn an_attestation_of_exabytes_is_refused() {
    let mut rest = vec![ATTEST, 1, 2, 3, 4, 5, 6, 7, 8];
    write_number(u64::MAX >> 8, &mut rest);
    assert!(matches!(Detached::read(&file(&rest)), Err(Error::Limit { what: "an attestation", .. })));
}

#[test]
fn an_attestation_with_bytes_left_over_is_refused() {
    let mut rest = [&[ATTEST][..], &BITCOIN].concat();
    write_bytes(&[1, 2], &mut rest);
    assert!(matches!(Detached::read(&file(&rest)), Err(Error::Payload(_))));
}

#[test]
fn depth_and_addresses_are_bounded() {
    let chain = |n: usize| [vec![0x08; n], pending(b"https://a")].concat();
    assert!(Detached::read(&file(&chain(DEPTH_MAX - 1))).is_ok());
    assert!(matches!(Detached::read(&file(&chain(DEPTH_MAX))), Err(Error::Depth(_))));
    assert!(Detached::read(&file(&pending(&[b'a'; URI_MAX]))).is_ok());
    assert!(matches!(Detached::read(&file(&pending(&[b'a'; URI_MAX + 1]))), Err(Error::Limit { .. })));
    assert!(matches!(Detached::read(&file(&pending(b"https://a?b"))), Err(Error::Uri(_))));
    assert!(matches!(Detached::read(&vec![0; FILE_MAX + 1]), Err(Error::TooLong(_))));
}

#[test]
fn keccak_is_computed_and_hashes_files() {
    // The digest of nothing, as Ethereum knows it.
    let empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    assert_eq!(Op::Keccak256.result(b"").map(hex::encode).as_deref(), Some(empty));
    let bytes = [MAGIC, &[MAJOR, 0x67], &[7; 32], &[0x67], &attested(BITCOIN, &[5])].concat();
    let read = Detached::read(&bytes).expect("the reference accepts Keccak-256");
    assert_eq!((read.hash.clone(), read.write()), (Op::Keccak256, bytes.clone()));
    let root = Op::Keccak256.result(&[7; 32]).expect("a digest");
    let claims = Claims::read(&bytes).expect("reads");
    assert_eq!(claims.blocks, [Claim { height: 5, root: root.as_slice().try_into().ok() }]);
}

#[test]
fn a_file_is_hashed_as_its_proof_says() {
    for (op, digest) in [
        (Op::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Op::Ripemd160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (Op::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Op::Keccak256, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ] {
        let mut hasher = Hasher::new(&op).expect("a hash");
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hex::encode(hasher.finish()), digest, "{op:?}");
    }
    assert!(Hasher::new(&Op::Reverse).is_none());
}

/// The three files of some hundred bytes that the reader of the `opentimestamps` crate cannot stand, and the worst that
/// fit into the longest file: of messages of 4 KiB, and of steps of one byte.
#[test]
fn bombs_are_refused_and_the_worst_files_are_read() {
    let bombs = [
        [vec![0xf3; 24], pending(b"https://a")].concat(),
        [vec![ATTEST, 1, 2, 3, 4, 5, 6, 7, 8], vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f]].concat(),
        [vec![ATTEST], BITCOIN.to_vec(), vec![0xff; 40]].concat(),
    ];
    for bomb in bombs {
        assert!(Detached::read(&file(&bomb)).is_err());
        assert!(Claims::read(&file(&bomb)).is_err());
    }
    assert!(size_of::<Branch>() <= 56, "a byte of a file can be a branch: the longest would take more than 64 MB");
    let room = FILE_MAX - file(&[]).len();
    let fill = |begin: Vec<u8>, unit: Vec<u8>, end: Vec<u8>| {
        let n = (room - begin.len() - end.len()) / unit.len();
        file(&[begin, unit.repeat(n), end].concat())
    };
    let mut wide = vec![0xf0];
    write_bytes(&[9; 4064], &mut wide);
    let twice = |ops: &[u8], end: Vec<u8>| [&[FORK], ops, &end].concat();
    // 4 KiB are hashed for each eleven bytes of it
    let hostile = fill(wide.clone(), twice(&[0x67], attested(BITCOIN, &[5])), attested(BITCOIN, &[5]));
    assert!(Detached::read(&hostile).is_ok(), "the reference reads it");
    assert!(matches!(Claims::read(&hostile), Err(Error::Work(_))));
    let worst = [
        fill(wide, twice(&[0xf2], attested(BITCOIN, &[5])), attested(BITCOIN, &[5])),
        fill(vec![], twice(&[0x08; 255], attested(BITCOIN, &[5])), attested(BITCOIN, &[5])),
        fill(vec![], [&[FORK][..], &attested(BITCOIN, &[5])].concat(), attested(BITCOIN, &[6])),
    ];
    for bytes in worst {
        assert_eq!(Detached::read(&bytes).expect("reads").write(), bytes);
        assert!(Claims::read(&bytes).expect("reads").blocks.len() <= 2);
    }
    assert!(matches!(Claims::read(&vec![0; FILE_MAX + 1]), Err(Error::TooLong(_))));
}

#[test]
fn every_cut_of_a_file_is_refused() {
    let whole = file(&[&[FORK][..], &pending(b"https://a"), &[0x08], &pending(b"https://b")].concat());
    assert!(Detached::read(&whole).is_ok());
    for n in 0..whole.len() {
        assert!(Detached::read(&whole[..n]).is_err(), "cut at {n}");
    }
    assert_eq!(Detached::read(&[&whole[..], &[0]].concat()), Err(Error::Trailing(1)));
}

fn op() -> impl Strategy<Value = Op> {
    let arg = prop::collection::vec(any::<u8>(), 1..40);
    prop_oneof![
        arg.clone().prop_map(Op::Append),
        arg.prop_map(Op::Prepend),
        Just(Op::Reverse),
        Just(Op::Sha1),
        Just(Op::Ripemd160),
        Just(Op::Sha256),
        Just(Op::Keccak256),
    ]
}

fn attestation() -> impl Strategy<Value = Attestation> {
    prop_oneof![
        any::<u64>().prop_map(Attestation::Bitcoin),
        any::<u64>().prop_map(Attestation::Litecoin),
        "[a-z0-9:/._-]{0,60}".prop_map(Attestation::Pending),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|payload| Attestation::Unknown { tag: [1, 2, 3, 4, 5, 6, 7, 8], payload }),
    ]
}

fn stamp() -> impl Strategy<Value = Stamp> {
    let leaf = attestation().prop_map(|a| Stamp(vec![Branch::Attest(a)]));
    leaf.prop_recursive(8, 40, 3, |inner| {
        let branch =
            prop_oneof![attestation().prop_map(Branch::Attest), (op(), inner).prop_map(|(o, s)| Branch::Then(o, s))];
        prop::collection::vec(branch, 1..4).prop_map(Stamp)
    })
}

/// Both ways of reading say the same.
fn agree(bytes: &[u8]) {
    let (Ok(read), Ok(claims)) = (Detached::read(bytes), Claims::read(bytes)) else {
        assert_eq!(Detached::read(bytes).map(drop), Claims::read(bytes).map(drop));
        return;
    };
    let mut blocks = Vec::new();
    read.stamp.each_attestation(&read.digest, &mut |message, attestation| {
        if let Attestation::Bitcoin(height) = attestation {
            blocks.push(Claim { height: *height, root: message.try_into().ok() });
        }
    });
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!((&read.hash, &read.digest, blocks), (&claims.hash, &claims.digest, claims.blocks));
    let _ = read.attestations();
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(digest in any::<[u8; 32]>(), stamp in stamp()) {
        let file = Detached { hash: Op::Sha256, digest: digest.to_vec(), stamp };
        let bytes = file.write();
        agree(&bytes);
        prop_assert_eq!(Detached::read(&bytes).map(|read| read.write()), Ok(bytes));
        prop_assert_eq!(Detached::read(&file.write()), Ok(file));
    }

    #[test]
    fn no_bytes_panic(rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Detached::read(&rest);
        agree(&file(&rest));
    }

    #[test]
    fn no_changed_file_panics(stamp in stamp(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = Detached { hash: Op::Sha256, digest: vec![7; 32], stamp }.write();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        agree(&bytes);
    }
}
