//! Seam for `crate::fuzzing`: frames between devices.

use super::{Frame, Hello, Proof, VERSION, Welcome};
use futures::executor::block_on;
use serde::{Serialize, de::DeserializeOwned};

/// A frame with its length. The first byte says which of the protocol's four values is expected.
pub(crate) fn frame(bytes: &[u8]) -> bool {
    let Some((kind, bytes)) = bytes.split_first() else { return false };
    match kind % 4 {
        0 => through::<Frame>(bytes),
        1 => through::<Hello>(bytes),
        2 => through::<Proof>(bytes),
        _ => through::<Welcome>(bytes),
    }
}

fn through<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) -> bool {
    let Ok(value) = block_on(super::read::<T>(&mut bytes)) else { return false };
    let once = written(&value);
    let again: T = block_on(super::read(&mut once.as_slice())).expect("what was written is read");
    assert_eq!(written(&again), once);
    true
}

fn written(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    block_on(super::write(&mut out, value)).expect("a vector takes all");
    out
}

/// One frame of each kind.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let texts = || vec!["did:example:a".to_owned()];
    let frames = [
        Frame::Offer(vec![("did:example:a".into(), "bafy".into())]),
        Frame::Want(vec![0, 3]),
        Frame::Item { tenant: "did:example:a".into(), cid: "bafy".into(), message: vec![1], data: Some(9) },
        Frame::Data(vec![1, 2]),
        Frame::Ack { cid: "bafy".into(), code: 202, detail: "Accepted".into() },
        Frame::Ahead { messages: 15, bytes: 900 },
    ];
    let hello = Hello { version: VERSION, did: "did:example:a".into(), nonce: vec![7; 32], understands: texts() };
    let proof = Proof { kid: "did:example:a#0".into(), signature: vec![7; 64] };
    let of = |kind: u8, bytes: Vec<u8>| [&[kind][..], &bytes].concat();
    let mut found: Vec<_> = frames.iter().map(|frame| of(0, written(frame))).collect();
    found.extend([of(1, written(&hello)), of(2, written(&proof))]);
    found.extend([Welcome::Tenants(texts()), Welcome::No("no".into())].iter().map(|w| of(3, written(w))));
    found
}
