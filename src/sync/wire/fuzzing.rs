//! Seam for `crate::fuzzing`: frames between devices.

use super::{FRAME_MAX, Hello, Proof, VERSION, Welcome};
use crate::sync::{
    frame::{Bytes32, Carried, Frame, ScopeState},
    reconcile::{Range, Short},
    runs::{Copies, Run},
    squeeze::Reader,
    term::Offer,
};
use futures::executor::block_on;
use serde::{Serialize, de::DeserializeOwned};

/// A frame with its length. The first byte says which of the protocol's four values is expected, or chunks of frames.
pub(crate) fn frame(bytes: &[u8]) -> bool {
    let Some((kind, bytes)) = bytes.split_first() else { return false };
    match kind % 5 {
        0 => through::<Frame>(bytes),
        1 => through::<Hello>(bytes),
        2 => through::<Proof>(bytes),
        3 => through::<Welcome>(bytes),
        _ => unpacked(bytes),
    }
}

fn through<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) -> bool {
    let Ok(value) = block_on(super::read_up_to::<T>(FRAME_MAX, &mut bytes)) else { return false };
    let once = written(&value);
    let again: T = block_on(super::read_up_to(FRAME_MAX, &mut once.as_slice())).expect("what was written is read");
    assert_eq!(written(&again), once);
    true
}

/// All frames of some chunks.
fn unpacked(mut bytes: &[u8]) -> bool {
    let mut reader = Reader::new(&mut bytes);
    let mut count = 0;
    while block_on(reader.read()).is_ok() {
        count += 1;
    }
    count > 0
}

fn written(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    block_on(super::write(&mut out, value)).expect("a vector takes all");
    out
}

/// One frame of each kind.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let texts = || vec!["did:example:a".to_owned()];
    let (digest, short) = (Bytes32([7; 32]), Short([1; 8]));
    let frames = [
        Frame::Name(0, Some("http://notes.example".into())),
        Frame::State { scopes: vec![ScopeState(0, [1; 16], [2; 16], 3)], last: true, ask: false },
        Frame::Ranges(0, vec![Range::Parts(6, 5, vec![(1, short)]), Range::Items(12, 9, vec![short])]),
        Frame::Want(0, 12, 9, vec![short]),
        Frame::Again(0, vec![digest]),
        Frame::Message(0, vec![1], Carried::With(vec![2])),
        Frame::Message(0, vec![1], Carried::Apart(1 << 20)),
        Frame::Message(0, vec![1], Carried::None),
        Frame::Gone(0, digest),
        Frame::Knew(vec![7; 16]),
        Frame::Took(3, 900),
        Frame::DataWanted(0, digest, 65_536),
        Frame::Data(digest, 65_536, vec![1, 2]),
        Frame::DataTook(digest, 65_538),
        Frame::Ahead(15),
        Frame::Beat { held: [1; 16], covered: [2; 16], parked: 1 },
        Frame::Parked(0, digest, 400, "its parent is not here".into()),
    ];
    let (older, younger) = (Run { id: 1, since: 100 }, Run { id: u64::MAX, since: 200 });
    let copies = Copies { older, younger };
    let hello = Hello { version: VERSION, did: "did:example:a".into(), nonce: vec![7; 32], run: younger };
    let proof = Proof { kid: "did:example:a#0".into(), signature: vec![7; 64] };
    let of = |kind: u8, bytes: Vec<u8>| [&[kind][..], &bytes].concat();
    let mut found: Vec<_> = frames.iter().map(|frame| of(0, written(frame))).collect();
    // One that is not packed, and the same packed.
    let ahead = written(&Frame::Ahead(15));
    let chunk = |mark: u32, bytes: &[u8]| [&(mark | bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    found.push(of(4, chunk(0, &ahead)));
    found.push(of(4, chunk(1 << 31, &[&[1, ahead.len() as u8, 0, !(ahead.len() as u8), 0xFF][..], &ahead].concat())));
    found.extend([of(1, written(&hello)), of(2, written(&proof))]);
    found.extend(
        [
            Welcome::Share(Offer::Device { tenants: texts() }),
            Welcome::Share(Offer::Friend { gives: texts(), takes: texts() }),
            Welcome::No("no".into()),
            Welcome::Beside(Offer::Device { tenants: texts() }, copies),
            Welcome::Younger(copies),
        ]
        .iter()
        .map(|w| of(3, written(w))),
    );
    found
}
