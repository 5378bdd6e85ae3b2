//! The paired devices and the friends' nodes, as far as the network knows them.
//!
//! A device is known by the peer id at the end of its address, which nobody else can have. It is also known by its
//! place, which others may share. A friend's node is somebody else's:
//!
//! | what | a device | a friend's node |
//! |---|---|---|
//! | streams of sync | offered | offered |
//! | places for connections and dials | its own | its own |
//! | circuits of others' relays | met there | met there |
//! | memory, wants of Bitswap | what is reserved, too | a share, as one place has |
//! | this node's relay, AutoNAT, DCUtR, places at relays told | served, told | as a stranger |
//! | its offer to relay, what it says of where it is, whom it names (private Kademlia) | heard | not heard |

use super::circuit::is_circuit;
use crate::asker::Asker;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug, Default)]
pub struct Known(RwLock<Devices>);

#[derive(Debug, Default)]
struct Devices {
    /// How often they have changed.
    version: u64,
    /// The addresses each was given with.
    told: HashMap<PeerId, Vec<Multiaddr>>,
    /// Those of friends' nodes; none of them is a device.
    friends: HashMap<PeerId, Vec<Multiaddr>>,
    /// Where each was when it came last, directly.
    seen: HashMap<PeerId, IpAddr>,
    /// The relays of the settings: they have places as devices have, and nothing else.
    relays: HashSet<PeerId>,
    /// Whom the owner is being connected to, and how often that was asked for.
    asked: HashMap<PeerId, usize>,
    /// How many wait for a device that is not known yet.
    pairing: usize,
}

/// Whose a peer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    #[default]
    Stranger,
    Friend,
    Device,
}

impl Known {
    /// These addresses, each ending in a peer id, are the paired devices from now on, and these the friends' nodes. Who is
    /// both is a device.
    pub fn set<'a>(&self, devices: impl Iterator<Item = &'a str>, friends: impl Iterator<Item = &'a str>) {
        let told = by_peer(devices);
        let mut friends = by_peer(friends);
        friends.retain(|peer, _| !told.contains_key(peer));
        let mut devices = self.write();
        devices.version += 1;
        devices.seen.retain(|peer, _| told.contains_key(peer));
        (devices.told, devices.friends) = (told, friends);
    }

    /// How often the paired devices or the friends have changed.
    pub fn version(&self) -> u64 {
        self.read().version
    }

    /// Is it a paired device?
    pub fn is(&self, peer: &PeerId) -> bool {
        self.standing(peer) == Standing::Device
    }

    /// Is it a paired device or a friend's node?
    pub fn is_near(&self, peer: &PeerId) -> bool {
        self.standing(peer) != Standing::Stranger
    }

    pub fn standing(&self, peer: &PeerId) -> Standing {
        self.read().standing(peer)
    }

    /// The addresses a device, or a friend's node, was given with.
    pub fn told(&self, peer: &PeerId) -> Vec<Multiaddr> {
        let devices = self.read();
        devices.told.get(peer).or_else(|| devices.friends.get(peer)).cloned().unwrap_or_default()
    }

    /// These relays are in the settings.
    pub fn set_relays(&self, relays: impl Iterator<Item = PeerId>) {
        self.write().relays = relays.collect();
    }

    /// Have its connections and dials places of their own?
    pub fn has_place(&self, peer: &PeerId) -> bool {
        let devices = self.read();
        devices.standing(peer) != Standing::Stranger || devices.relays.contains(peer)
    }

    /// Is it one whose offers to serve this node are heard?
    pub fn is_heard(&self, peer: &PeerId) -> bool {
        let devices = self.read();
        devices.standing(peer) == Standing::Device || devices.relays.contains(peer)
    }

    /// Somebody begins or ends to wait for a device that is not known yet.
    pub fn pairing(&self, begins: bool) {
        let count = &mut self.write().pairing;
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
    }

    /// Does anybody?
    pub fn is_pairing(&self) -> bool {
        self.read().pairing > 0
    }

    /// The owner is being connected to this peer, or that is over.
    pub fn ask(&self, peer: PeerId, begins: bool) {
        let mut devices = self.write();
        let count = devices.asked.entry(peer).or_default();
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            devices.asked.remove(&peer);
        }
    }

    /// May this peer be met through a relay?
    pub fn may_meet(&self, peer: &PeerId) -> bool {
        let devices = self.read();
        devices.pairing > 0 || devices.standing(peer) != Standing::Stranger || devices.asked.contains_key(peer)
    }

    /// Who is at the other end of a connection that has proved to be this peer's.
    pub fn asker(&self, peer: &PeerId, address: &Multiaddr) -> Asker {
        if self.is_heard(peer) {
            return Asker::Device;
        }
        match self.standing(peer) {
            Standing::Stranger => at(address),
            _ => Asker::friend(peer),
        }
    }

    /// Is this address where the device was when it came last?
    pub fn is_at(&self, peer: &PeerId, address: &Multiaddr) -> bool {
        place(address).is_some_and(|place| self.read().seen.get(peer) == Some(&place))
    }

    /// A paired device has come from here.
    pub fn seen(&self, peer: &PeerId, address: &Multiaddr) {
        if let Some(place) = place(address)
            && self.is(peer)
        {
            self.write().seen.insert(*peer, place);
        }
    }

    /// May who comes from here be a paired device?
    pub fn live_at(&self, asker: Asker) -> bool {
        let Some(place) = asker.place() else { return true };
        let devices = self.read();
        let told = || devices.told.values().flatten().filter_map(self::place);
        devices.seen.values().any(|at| *at == place) || told().any(|at| at == place)
    }

    fn read(&self) -> RwLockReadGuard<'_, Devices> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Devices> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Devices {
    fn standing(&self, peer: &PeerId) -> Standing {
        match self.told.contains_key(peer) {
            true => Standing::Device,
            false if self.friends.contains_key(peer) => Standing::Friend,
            false => Standing::Stranger,
        }
    }
}

/// Those of the addresses that end in a peer id, by that.
fn by_peer<'a>(addresses: impl Iterator<Item = &'a str>) -> HashMap<PeerId, Vec<Multiaddr>> {
    let mut peers: HashMap<_, Vec<_>> = HashMap::new();
    let parsed = addresses.filter_map(|address| address.parse::<Multiaddr>().ok());
    for (peer, address) in parsed.filter_map(|address| Some((peer_of(&address)?, address))) {
        peers.entry(peer).or_default().push(address);
    }
    peers
}

/// The place an address is at. Those that only have a name are one place together.
pub fn at(address: &Multiaddr) -> Asker {
    place(address).map_or(Asker::Place(Ipv4Addr::UNSPECIFIED.into()), Asker::Place)
}

/// Of a circuit only the relay's place is known.
fn place(address: &Multiaddr) -> Option<IpAddr> {
    if is_circuit(address) {
        return None;
    }
    let ip: IpAddr = match address.iter().next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    Asker::at(ip).place()
}

/// Who must answer at the end of an address: with a relay in between, there are others before.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    let peers = address.iter().filter_map(|part| match part {
        Protocol::P2p(id) => Some(id),
        _ => None,
    });
    peers.last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter::empty;

    #[test]
    fn devices_are_known_by_the_id_at_the_end_of_their_address_and_by_where_they_are() {
        let (known, device, relay) = (Known::default(), PeerId::random(), PeerId::random());
        let address = |text: &str| text.parse::<Multiaddr>().expect("an address");
        let told = format!("/ip6/2620:fe::1/tcp/4001/p2p/{device}");
        let circuit = format!("/ip4/8.8.4.4/tcp/4001/p2p/{relay}/p2p-circuit/p2p/{device}");
        known.set([told.as_str(), &circuit, "no address"].into_iter(), empty());
        assert_eq!(known.told(&device).len(), 2);
        assert!(!known.live_at(at(&address("/ip4/8.8.4.4/tcp/1"))), "that is where the relay is");
        let elsewhere = address("/ip4/9.9.9.9/udp/7/quic-v1");
        assert!(known.is(&device) && !known.is(&relay));
        assert_eq!(known.asker(&device, &elsewhere), Asker::Device);
        assert_eq!(known.asker(&relay, &elsewhere), Asker::at([9, 9, 9, 9].into()));
        assert!(known.live_at(at(&address("/ip6/2620:fe::7/tcp/1"))), "the /64 it was said to be in");
        assert!(!known.live_at(at(&elsewhere)));
        known.seen(&relay, &elsewhere);
        assert!(!known.live_at(at(&elsewhere)), "a stranger's place is none of theirs");
        known.seen(&device, &elsewhere);
        assert!(known.live_at(at(&elsewhere)));
        assert!(known.is_at(&device, &address("/ip4/9.9.9.9/tcp/9")) && !known.is_at(&relay, &elsewhere));
        known.set(empty(), empty());
        assert!(!known.is(&device) && !known.live_at(at(&elsewhere)));
    }

    #[test]
    fn a_friend_has_places_and_a_share_and_is_no_device() {
        let (known, device, friends) = (Known::default(), PeerId::random(), [PeerId::random(), PeerId::random()]);
        let address = |peer: &PeerId| format!("/ip4/9.9.9.9/tcp/1/p2p/{peer}");
        let both = [address(&device), address(&friends[0]), address(&friends[1])];
        known.set(std::iter::once(both[0].as_str()), both.iter().map(String::as_str));
        assert_eq!(known.standing(&device), Standing::Device, "though it is told as a friend, too");
        let here: Multiaddr = both[1].parse().expect("an address");
        let askers = friends.map(|friend| known.asker(&friend, &here));
        for (friend, asker) in friends.iter().zip(askers) {
            assert!(known.is_near(friend) && known.has_place(friend) && !known.is(friend) && !known.is_heard(friend));
            assert_eq!((known.told(friend).len(), asker.share(), asker.place()), (1, Some(asker), None));
        }
        assert_ne!(askers[0], askers[1], "each has its own share");
        known.seen(&friends[0], &here);
        assert!(!known.is_at(&friends[0], &here));
        known.set(empty(), std::iter::once(both[2].as_str()));
        assert_eq!(friends.map(|friend| known.standing(&friend)), [Standing::Stranger, Standing::Friend]);
        assert!(!known.live_at(at(&here)), "what is reserved at the door is for where devices live");
    }

    #[test]
    fn who_may_be_met_through_a_relay() {
        let (known, device, stranger) = (Known::default(), PeerId::random(), PeerId::random());
        let (friend, at_one) = (PeerId::random(), |peer| format!("/ip4/9.9.9.9/tcp/1/p2p/{peer}"));
        known.set([at_one(device).as_str()].into_iter(), [at_one(friend).as_str()].into_iter());
        assert!(known.may_meet(&device) && known.may_meet(&friend) && !known.may_meet(&stranger));
        known.ask(stranger, true);
        known.ask(stranger, true);
        known.ask(stranger, false);
        assert!(known.may_meet(&stranger), "asked for twice");
        known.ask(stranger, false);
        assert!(!known.may_meet(&stranger));
        known.pairing(true);
        known.pairing(true);
        known.pairing(false);
        assert!(known.may_meet(&stranger));
        known.set_relays([stranger].into_iter());
        known.pairing(false);
        assert!(
            known.has_place(&stranger)
                && known.is_heard(&stranger)
                && !known.is(&stranger)
                && !known.may_meet(&stranger)
        );
    }
}
