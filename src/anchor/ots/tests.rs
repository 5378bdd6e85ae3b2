//! The codec against itself, its limits, and any bytes.

use super::*;
use proptest::prelude::*;

fn file(rest: &[u8]) -> Vec<u8> {
    [MAGIC, &[0x08], &[7; 32], rest].concat()
}

fn pending(uri: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    write_bytes(uri, &mut payload);
    let mut out = [&[ATTEST][..], &PENDING].concat();
    write_bytes(&payload, &mut out);
    out
}

#[test]
fn numbers_are_leb128() {
    for (value, bytes) in
        [(0, "00"), (127, "7f"), (128, "8001"), (358_391, "f7ef15"), (u64::MAX, "ffffffffffffffffff01")]
    {
        let mut out = Vec::new();
        write_number(value, &mut out);
        assert_eq!(hex::encode(&out), bytes);
        assert_eq!(Reader { rest: &out, len: out.len() }.number(), Ok(value));
    }
    let forty = [0xff; 40];
    assert_eq!(Reader { rest: &forty, len: 40 }.number(), Err(Error::Number(0)));
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
fn what_keccak_gives_is_carried_but_not_claimed() {
    let rest = [&[0x67][..], &pending(b"https://a")].concat();
    let read = Detached::read(&file(&rest)).expect("the reference accepts Keccak-256");
    assert_eq!(read.attestations(), []);
    assert_eq!(read.write(), file(&rest));
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

proptest! {
    #[test]
    fn what_is_written_is_read_back(digest in any::<[u8; 32]>(), stamp in stamp()) {
        let file = Detached { hash: Op::Sha256, digest: digest.to_vec(), stamp };
        let bytes = file.write();
        prop_assert_eq!(Detached::read(&bytes).map(|read| read.write()), Ok(bytes));
        prop_assert_eq!(Detached::read(&file.write()), Ok(file));
    }

    #[test]
    fn no_bytes_panic(rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Detached::read(&rest);
        if let Ok(read) = Detached::read(&file(&rest)) {
            let _ = read.attestations();
        }
    }

    #[test]
    fn no_changed_file_panics(stamp in stamp(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = Detached { hash: Op::Sha256, digest: vec![7; 32], stamp }.write();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Detached::read(&bytes) {
            let _ = read.attestations();
        }
    }
}
