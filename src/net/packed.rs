//! Addresses in few bytes, for what people type.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// A multiaddr that ends in a peer id: the bytes of the id, and of what stands before it.
pub fn packed(address: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut address: Multiaddr = address.parse().ok()?;
    let Some(Protocol::P2p(peer)) = address.pop() else { return None };
    Some((peer.to_bytes(), address.to_vec()))
}

/// The address that [`packed`] was made of.
pub fn unpacked(peer: &[u8], place: Vec<u8>) -> Option<String> {
    let peer = PeerId::from_bytes(peer).ok()?;
    let place = Multiaddr::try_from(place).ok()?;
    Some(place.with(Protocol::P2p(peer)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_after_it_and_nothing_else_is_one() {
        let (peer, relay) = (PeerId::random(), PeerId::random());
        for place in ["", "/ip4/192.0.2.7/tcp/4001", "/ip6/2620:fe::1/udp/4001/quic-v1", "/dns4/a.example/tcp/1"] {
            let circuit = format!("{place}/p2p/{relay}/p2p-circuit/p2p/{peer}");
            for address in [format!("{place}/p2p/{peer}"), circuit] {
                let (id, place) = packed(&address).expect("an address");
                assert_eq!(unpacked(&id, place).as_deref(), Some(address.as_str()));
            }
        }
        for not in ["", "/ip4/192.0.2.7/tcp/4001", "192.0.2.7"] {
            assert_eq!(packed(not), None, "{not}");
        }
        assert_eq!(unpacked(&[1, 2], vec![]), None);
        assert_eq!(unpacked(&peer.to_bytes(), vec![255]), None);
    }
}
