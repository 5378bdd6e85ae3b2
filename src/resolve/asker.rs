//! For whom this node asks or keeps something: so that one stranger cannot use up what all strangers share.

use super::{address, budget::Budget};
use std::{
    net::{IpAddr, Ipv6Addr},
    time::Instant,
};

/// The part of a budget that one place may take: with four strangers at work there is still something left for others
/// from time to time, and one alone is not slowed for long.
const SHARES: u32 = 4;

/// Who makes this node look something up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// This node itself, one of its peers, or somebody on this machine or network: there may be a proxy, behind which
    /// all strangers look the same.
    Known,
    /// A place on the internet.
    Stranger(IpAddr),
}

impl Asker {
    /// Who comes from this address.
    pub fn at(address: IpAddr) -> Self {
        let address = address.to_canonical();
        if !address::is_public(address) {
            return Self::Known;
        }
        Self::Stranger(match address {
            IpAddr::V4(_) => address,
            // One customer has at least a /64: all of it is one place.
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }

    /// Takes what one lookup costs: one of all, one of what its subject has a minute, one of what the asker has.
    pub(super) fn take(self, budget: &Budget, subject: (&str, u32)) -> bool {
        let now = Instant::now();
        match self {
            Self::Known => budget.take(&[subject], now),
            Self::Stranger(address) => {
                let share = (budget.all() / SHARES).max(1);
                // No host and no DID is called so.
                budget.take(&[(&format!("from {address}"), share), subject], now)
            }
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
    fn a_place_is_an_address_or_a_customer_and_neighbours_are_none() {
        for neighbour in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "fd00::1"] {
            assert_eq!(at(neighbour), Asker::Known, "{neighbour}");
        }
        assert_eq!(at("::ffff:9.9.9.9"), at("9.9.9.9"));
        assert_eq!(at("2620:fe::1"), at("2620:fe::ffff:1:2:3"));
        assert_ne!(at("2620:fe::1"), at("2620:fe:0:1::1"));
        assert_ne!(at("9.9.9.9"), at("9.9.9.8"));
    }

    #[test]
    fn one_stranger_leaves_something_for_the_others() {
        let budget = Budget::new(40);
        let takes = |asker: Asker, n: usize| (0..n).filter(|n| asker.take(&budget, (&n.to_string(), 10))).count();
        assert_eq!(takes(at("9.9.9.9"), 100), 10);
        assert_eq!(takes(at("9.9.9.8"), 100), 10);
        assert_eq!(takes(Asker::Known, 100), 20, "those we know are only bound by what all share");
    }
}
