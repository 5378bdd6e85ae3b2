//! How far two devices are with each other, as far as they tell: what has gone, what has come, what is still to.

use serde::{Deserialize, Serialize};

/// So many messages with so many bytes of data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    pub messages: u64,
    pub bytes: u64,
}

impl Amount {
    pub fn plus(self, other: Self) -> Self {
        let Self { messages, bytes } = other;
        Self { messages: self.messages.saturating_add(messages), bytes: self.bytes.saturating_add(bytes) }
    }

    pub fn less(self, other: Self) -> Self {
        let Self { messages, bytes } = other;
        Self { messages: self.messages.saturating_sub(messages), bytes: self.bytes.saturating_sub(bytes) }
    }
}

/// One direction between two devices.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flow {
    /// Gone over since it was complete last.
    done: Amount,
    /// All that was, or is, to go over, as far as it is known.
    all: Option<Amount>,
    complete: bool,
}

/// How far one direction is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Way {
    pub messages: u64,
    pub bytes: u64,
    /// Of so many; `None`: that is not known yet.
    pub of_messages: Option<u64>,
    pub of_bytes: Option<u64>,
}

impl Flow {
    /// Nothing is ahead: all is over.
    pub fn complete(&mut self) {
        *self = Self { complete: true, ..Self::default() };
    }

    /// So much is ahead still.
    pub fn ahead(&mut self, left: Amount) {
        self.all = Some(self.done.plus(left));
        self.complete = false;
    }

    /// Something is ahead, and nobody knows how much.
    pub fn begun(&mut self) {
        self.complete = false;
    }

    /// So much has gone over.
    pub fn went(&mut self, more: Amount) {
        self.done = self.done.plus(more);
    }

    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// `None`: it is complete.
    pub fn way(&self) -> Option<Way> {
        let Amount { messages, bytes } = self.done;
        // Who told too little is not believed more than what was seen.
        let of = self.all.map(|all| (all.messages.max(messages), all.bytes.max(bytes)));
        let (of_messages, of_bytes) = (of.map(|(messages, _)| messages), of.map(|(_, bytes)| bytes));
        (!self.complete).then_some(Way { messages, bytes, of_messages, of_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(messages: u64, bytes: u64) -> Amount {
        Amount { messages, bytes }
    }

    #[test]
    fn a_way_has_a_length_once_it_is_told() {
        let mut flow = Flow::default();
        assert_eq!(flow.way().map(|way| (way.messages, way.of_messages)), Some((0, None)));
        flow.ahead(amount(15, 900));
        flow.went(amount(10, 310));
        let way = Way { messages: 10, bytes: 310, of_messages: Some(15), of_bytes: Some(900) };
        assert_eq!(flow.way(), Some(way));
        // Three of them were here already.
        flow.ahead(amount(2, 100));
        assert_eq!(flow.way().map(|way| (way.of_messages, way.of_bytes)), Some((Some(12), Some(410))));
        flow.complete();
        assert_eq!((flow.way(), flow.is_complete()), (None, true));
        flow.begun();
        flow.went(amount(1, 1));
        assert_eq!(flow.way().map(|way| (way.messages, way.of_messages)), Some((1, None)));
    }

    #[test]
    fn what_a_peer_tells_overflows_nothing() {
        let mut flow = Flow::default();
        flow.went(amount(5, u64::MAX));
        flow.ahead(amount(u64::MAX, u64::MAX));
        flow.went(amount(u64::MAX, u64::MAX));
        assert_eq!(flow.way().and_then(|way| way.of_bytes), Some(u64::MAX));
        assert_eq!(amount(1, 1).less(amount(2, 2)), Amount::default());
    }
}
