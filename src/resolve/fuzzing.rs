//! Seam for `crate::fuzzing`: packets that are kept.

use super::packets::{self, Kept, Origin};
use crate::did::{dht::Packet, fuzzing};

/// A value of the store; its packet is under a signature that holds.
pub(crate) fn kept(bytes: &[u8]) -> bool {
    let (did, _) = fuzzing::signed(&[]);
    let _ = packets::decode(did.identifier(), bytes);
    let Some((head, dns)) = bytes.split_at_checked(10) else { return false };
    let (did, payload) = fuzzing::signed(dns);
    let value = [head, &payload].concat();
    let Ok(Kept { packet, origin, arrived }) = packets::decode(did.identifier(), &value) else { return false };
    let once = packets::encode(&packet, origin, arrived);
    let again = packets::decode(did.identifier(), &once).expect("what was written is read");
    assert_eq!((again.origin, again.arrived, again.packet.payload()), (origin, arrived, packet.payload()));
    true
}

/// One that is kept.
pub(crate) fn values() -> Vec<Vec<u8>> {
    let of = |dns: &Vec<u8>| {
        let (did, payload) = fuzzing::signed(dns);
        let packet = Packet::parse(did.identifier(), &payload).expect("a packet");
        let value = packets::encode(&packet, Origin::Relay, 1_800_000_000);
        [&value[..10], dns].concat()
    };
    fuzzing::packets().iter().map(of).collect()
}
