//! On what terms the messages of a tenant are shared with a peer.
//!
//! | a device of the tenant's owner | both hold all of it, but what stays on one of them (`sync.local_only`) |
//! | a friend, of a tenant of this node | the friend gets what they may read, and brings what this end lacks of it |
//! | a friend, of their tenant | the same, the other way round |

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One tenant's terms, as one end sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Both ends are devices of its owner.
    Whole,
    /// The peer keeps a copy of what it may read.
    Shown,
    /// This end keeps a copy of what it may read.
    Copied,
}

/// The tenants that both ends share.
pub type Terms = BTreeMap<String, Term>;

/// What one end offers to the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offer {
    /// To another device of the same person: all of these tenants.
    Device { tenants: Vec<String> },
    /// To a friend: what they may read of these tenants; and to keep a copy of what this end may read of those.
    Friend { gives: Vec<String>, takes: Vec<String> },
}

impl Offer {
    /// What comes of what both ends offer. The error says what the peer takes this end for.
    pub fn agreed(&self, other: &Self) -> Result<Terms, &'static str> {
        let both = |mine: &[String], theirs: &[String], term| -> Vec<(String, Term)> {
            let theirs: BTreeSet<_> = theirs.iter().collect();
            mine.iter().filter(|tenant| theirs.contains(tenant)).map(|tenant| (tenant.clone(), term)).collect()
        };
        match (self, other) {
            (Self::Device { tenants }, Self::Device { tenants: theirs }) => {
                Ok(both(tenants, theirs, Term::Whole).into_iter().collect())
            }
            (Self::Friend { gives, takes }, Self::Friend { gives: given, takes: taken }) => {
                let mut terms: Terms = both(takes, given, Term::Copied).into_iter().collect();
                terms.extend(both(gives, taken, Term::Shown));
                Ok(terms)
            }
            (Self::Device { .. }, Self::Friend { .. }) => Err("a friend"),
            (Self::Friend { .. }, Self::Device { .. }) => Err("a device of its own"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_agree_or_say_why_not() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let friend = |gives: &[&str], takes: &[&str]| Offer::Friend { gives: names(gives), takes: names(takes) };
        let device = |tenants: &[&str]| Offer::Device { tenants: names(tenants) };
        let (alice, bob) = (friend(&["alice", "work"], &["bob"]), friend(&["bob"], &["alice"]));
        let terms = |of: [(&str, Term); 2]| of.map(|(tenant, term)| (tenant.to_owned(), term)).into_iter().collect();
        assert_eq!(alice.agreed(&bob), Ok(terms([("alice", Term::Shown), ("bob", Term::Copied)])));
        assert_eq!(bob.agreed(&alice), Ok(terms([("alice", Term::Copied), ("bob", Term::Shown)])));
        // Nobody gets a tenant that both want to give, or both to take.
        assert_eq!(friend(&["a"], &[]).agreed(&friend(&["a"], &[])), Ok(Terms::new()));
        assert_eq!(friend(&[], &["a"]).agreed(&friend(&[], &["a"])), Ok(Terms::new()));
        assert_eq!(
            device(&["a", "b"]).agreed(&device(&["b", "c"])),
            Ok([("b".to_owned(), Term::Whole)].into_iter().collect())
        );
        // Who takes the other for a device would give it all.
        assert_eq!(device(&["a"]).agreed(&alice), Err("a friend"));
        assert_eq!(alice.agreed(&device(&["alice"])), Err("a device of its own"));
    }
}
