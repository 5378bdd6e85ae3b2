//! Who asks, as far as bounds are concerned: the node's owner, a paired device, a friend's node, or a place on the network.
//!
//! Whatever strangers share is given out by shares, one per place (see [`crate::pool`]), so that one of them cannot use
//! up what all may have. A friend's node has a share of its own among them, wherever it comes from. It says nothing of
//! permissions: what somebody may read or write, signatures say.

use crate::foreign;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::{IpAddr, Ipv6Addr};

/// Who asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// This node itself, or its owner: the control socket, or a message that the owner has signed.
    Owner,
    /// A paired device that has proved its DID.
    Device,
    /// A friend's node that has proved its peer id or its DID: which one, as a number.
    Friend(u64),
    /// An address on the network; of IPv6 a /64.
    Place(IpAddr),
}

impl Asker {
    /// Who comes from this address. Loopback and private addresses are places like all others: behind a proxy that is
    /// not named as one (`dwn.trusted_proxies`) everybody has one share together.
    pub fn at(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::Place(match address {
            IpAddr::V4(_) => address,
            // One customer has at least a /64: all of it is one place.
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }

    /// A friend's node, by its peer id or by its DID. By each of the two it has a share; a bound counts by one of them.
    pub fn friend(who: &(impl Hash + ?Sized)) -> Self {
        let mut hasher = DefaultHasher::new();
        who.hash(&mut hasher);
        Self::Friend(hasher.finish())
    }

    /// Does who asks come from this machine?
    pub fn is_here(self) -> bool {
        match self {
            Self::Owner => true,
            Self::Device | Self::Friend(_) => false,
            Self::Place(IpAddr::V4(address)) => address.is_loopback(),
            // Of the /64 that `::1` is in, no other address is anybody's.
            Self::Place(IpAddr::V6(network)) => network.is_unspecified(),
        }
    }

    /// Whose share this takes, if not all that there is: the owner and his devices have no share that could be used up.
    pub fn share(self) -> Option<Self> {
        match self {
            Self::Owner | Self::Device => None,
            Self::Friend(_) | Self::Place(_) => Some(self),
        }
    }

    /// The place on the network that is all that is known of who asks.
    pub fn place(self) -> Option<IpAddr> {
        match self {
            Self::Owner | Self::Device | Self::Friend(_) => None,
            Self::Place(address) => Some(address),
        }
    }
}

/// Addresses that begin with the same bits; one address is a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (u32::from(first) ^ u32::from(address)).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (u128::from(first) ^ u128::from(address)).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    /// An address (`127.0.0.1`), or one and how many of its bits count (`10.0.0.0/8`).
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{} is neither an address (127.0.0.1) nor a network (10.0.0.0/8)", foreign::shown(text));
        let (first, bits) = match text.split_once('/') {
            Some((first, bits)) => (first, Some(bits.parse::<u32>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let first: IpAddr = first.parse().map_err(|_| wrong())?;
        let all = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        if bits > all {
            return Err(wrong());
        }
        Ok(Self { first, bits })
    }
}

impl std::fmt::Display for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Owner => f.write_str("this node's owner"),
            Self::Device => f.write_str("a paired device"),
            Self::Friend(_) => f.write_str("a friend's node"),
            Self::Place(address @ IpAddr::V6(_)) => write!(f, "{address}/64"),
            Self::Place(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Asker {
        Asker::at(address.parse().expect("an address"))
    }

    #[test]
    fn a_place_is_an_address_or_a_customer() {
        assert_eq!(at("::ffff:9.9.9.9"), at("9.9.9.9"));
        assert_eq!(at("2620:fe::1"), at("2620:fe::ffff:1:2:3"));
        assert_ne!(at("2620:fe::1"), at("2620:fe:0:1::1"));
        assert_ne!(at("127.0.0.1"), at("127.0.0.2"), "loopback is not everybody's");
        assert_eq!(at("2620:fe::1").to_string(), "2620:fe::/64");
        assert!(["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"].iter().all(|address| at(address).is_here()));
        assert!(!["10.0.0.1", "9.9.9.9", "fe80::1", "2620:fe::1"].iter().any(|address| at(address).is_here()));
    }

    #[test]
    fn a_network_holds_what_begins_as_it_does() {
        let holds = |network: &str, address: &str| {
            network.parse::<Network>().expect("a network").contains(address.parse().expect("an address"))
        };
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "9.9.9.9") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe80::1"));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "localhost", "10.0.0.0/8/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
