//! Why the rules let somebody do what they ask.

use super::definition::Rule;

/// The rule that lets somebody do what they ask.
#[derive(Debug, Clone)]
pub(super) enum Reason {
    /// The records are theirs.
    Owner,
    /// They began the record.
    Creator,
    /// They wrote its newest state.
    Author,
    /// It is addressed to them.
    Recipient,
    /// It is published.
    Published,
    /// A grant that they invoke: recordId, and when it expires.
    Grant(String, String),
    /// One of the protocol's.
    Rule(Rule),
}
