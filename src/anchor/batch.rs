//! A batch from its root to a buried block, as a pure state machine: events in, actions out.
//!
//! ```text
//! batched ──► signed ──► broadcast ──► mined ──► final
//!    │  ▲        └──────────┴───────────┘ │
//!    ▼  │                 ▲───────────────┘ reorganised
//! awaiting_funds          │
//!       ▲─────────────────┘ another spend of the same coins is buried
//! ```
//!
//! The one rule that keeps a crash from paying twice: `Signed` is answered with [`Action::Persist`] before
//! [`Action::Send`], and a batch that has a signed transaction is never signed again while that transaction
//! can still confirm. Whether it was sent or not, the same bytes are sent again. What became of it is read
//! from the wallet, never from the answer to the sending: a mined and a double-spent transaction are refused
//! with the same error.

use super::proof::Inclusion;
use crate::cid::Digest;
use serde::{Deserialize, Serialize};

/// First byte of a stored batch: raised when the encoding changes.
const VERSION: u8 = 1;

/// The leaves under one root, and how far the root has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub number: u64,
    #[serde(with = "serde_bytes")]
    pub root: Digest,
    pub leaves: u32,
    /// Seconds since 1970.
    pub created: u64,
    pub state: State,
    /// As bitcoind last said; not stored, it grows with every block.
    #[serde(skip)]
    pub confirmations: u32,
    /// What stands in the way, for people.
    #[serde(skip)]
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Batched,
    AwaitingFunds(Need),
    /// Signed and stored, perhaps sent.
    Signed(Attempt),
    /// bitcoind has it.
    Broadcast(Attempt),
    Mined(Attempt, Inclusion),
    Final(Attempt, Inclusion),
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    #[serde(with = "serde_bytes")]
    pub tx: Vec<u8>,
    /// As people write it (reversed hex).
    pub txid: String,
    /// sat
    pub fee: u64,
}

/// What the wallet lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// An address of the wallet to send coins to.
    pub address: String,
    /// sat
    pub at_least: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum BatchEvent {
    /// The node has started: what was under way may be lost.
    Started,
    /// Time to look again.
    Woke,
    Signed(Attempt),
    NoFunds(Need),
    /// bitcoind's answer to the sending.
    Sent(Result<(), String>),
    Seen(Seen),
    /// Where the transaction lies; `confirmations` at that moment.
    Located(Inclusion, u32),
}

/// What the wallet knows of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Unknown,
    Unconfirmed,
    Mined {
        height: u32,
        block: String,
        confirmations: u32,
    },
    /// Another spend of its coins has this many confirmations.
    Conflicted {
        depth: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a transaction that carries the root.
    Sign,
    /// Make the batch durable before the next action.
    Persist,
    /// Send the signed bytes.
    Send,
    /// Ask the wallet about the transaction.
    Look,
    /// Read the block the transaction is said to be in.
    Locate { block: String },
}

impl Batch {
    pub fn new(number: u64, root: Digest, leaves: u32, created: u64) -> Self {
        Self { number, root, leaves, created, state: State::Batched, confirmations: 0, note: None }
    }

    /// What `event` changes and what is to be done, in order. `last` confirmations make it final.
    pub fn on(&mut self, event: BatchEvent, last: u32) -> Vec<Action> {
        use Action::{Look, Persist, Send, Sign};
        match (&self.state, event) {
            (State::Final(..), _) => vec![],

            (State::Batched | State::AwaitingFunds(_), BatchEvent::Started | BatchEvent::Woke) => vec![Sign],
            (State::Batched | State::AwaitingFunds(_), BatchEvent::Signed(attempt)) => {
                self.note = None;
                self.state = State::Signed(attempt);
                vec![Persist, Send, Look]
            }
            (State::Batched | State::AwaitingFunds(_), BatchEvent::NoFunds(need)) => {
                let new = State::AwaitingFunds(need);
                if self.state == new {
                    return vec![];
                }
                self.state = new;
                vec![Persist]
            }
            // an answer to a question that is no longer open
            (State::Batched | State::AwaitingFunds(_), _) | (_, BatchEvent::Signed(_) | BatchEvent::NoFunds(_)) => {
                vec![]
            }

            (State::Signed(_), BatchEvent::Started | BatchEvent::Woke) | (State::Broadcast(_), BatchEvent::Started) => {
                vec![Send, Look]
            }
            (State::Broadcast(_) | State::Mined(..), BatchEvent::Woke) | (State::Mined(..), BatchEvent::Started) => {
                vec![Look]
            }

            (State::Signed(attempt), BatchEvent::Sent(Ok(()))) => {
                self.note = None;
                self.state = State::Broadcast(attempt.clone());
                vec![Persist]
            }
            (_, BatchEvent::Sent(answer)) => {
                self.note = answer.err();
                vec![]
            }

            (
                State::Signed(attempt) | State::Broadcast(attempt) | State::Mined(attempt, _),
                BatchEvent::Located(place, n),
            ) => {
                let attempt = attempt.clone();
                (self.note, self.confirmations) = (None, n);
                self.state = if n >= last { State::Final(attempt, place) } else { State::Mined(attempt, place) };
                vec![Persist]
            }
            (_, BatchEvent::Seen(seen)) => self.seen(seen, last),
        }
    }

    fn seen(&mut self, seen: Seen, last: u32) -> Vec<Action> {
        use Action::{Locate, Persist, Send, Sign};
        match (&self.state, seen) {
            (State::Mined(attempt, place), Seen::Mined { block, confirmations, .. }) => {
                if place.block() != block {
                    return vec![Locate { block }];
                }
                self.confirmations = confirmations;
                if confirmations < last {
                    return vec![];
                }
                self.state = State::Final(attempt.clone(), place.clone());
                vec![Persist]
            }
            (_, Seen::Mined { block, .. }) => vec![Locate { block }],

            (_, Seen::Conflicted { depth }) if depth >= last => {
                self.confirmations = 0;
                self.state = State::Batched;
                self.note = Some("other transactions spent its coins; it is signed again with new ones".into());
                vec![Persist, Sign]
            }
            (State::Mined(attempt, _), Seen::Unconfirmed | Seen::Unknown | Seen::Conflicted { .. }) => {
                self.confirmations = 0;
                self.state = State::Broadcast(attempt.clone());
                self.note = Some("its block was reorganised away; waiting for another".into());
                vec![Persist, Send]
            }
            (State::Signed(attempt), Seen::Unconfirmed) => {
                self.state = State::Broadcast(attempt.clone());
                vec![Persist]
            }
            (State::Broadcast(_), Seen::Unknown) => vec![Send],
            (_, Seen::Conflicted { depth }) => {
                self.note = Some(format!(
                    "another transaction spent its coins ({depth} confirmations); at {last} it is signed again"
                ));
                vec![]
            }
            (_, Seen::Unknown | Seen::Unconfirmed) => vec![],
        }
    }

    /// The signed transaction, if there is one.
    pub fn attempt(&self) -> Option<&Attempt> {
        match &self.state {
            State::Batched | State::AwaitingFunds(_) => None,
            State::Signed(a) | State::Broadcast(a) | State::Mined(a, _) | State::Final(a, _) => Some(a),
        }
    }

    /// Where the transaction lies in the chain, if it does.
    pub fn place(&self) -> Option<&Inclusion> {
        match &self.state {
            State::Mined(_, place) | State::Final(_, place) => Some(place),
            _ => None,
        }
    }

    pub fn is_final(&self) -> bool {
        matches!(self.state, State::Final(..))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        serde_ipld_dagcbor::to_writer(&mut bytes, self).expect("a batch holds only what DAG-CBOR can say");
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => serde_ipld_dagcbor::from_slice(rest).map_err(|e| e.to_string()),
            Some((version, _)) => Err(format!("version {version} is not known to this toft")),
            None => Err("it is empty".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAST: u32 = 6;

    fn attempt(n: u8) -> Attempt {
        Attempt { tx: vec![n], txid: format!("{n:02x}"), fee: 157 }
    }

    fn place(n: u8) -> Inclusion {
        Inclusion::fake(n)
    }

    fn mined(n: u8, confirmations: u32) -> BatchEvent {
        BatchEvent::Seen(Seen::Mined { height: 7, block: place(n).block(), confirmations })
    }

    fn batch(state: State) -> Batch {
        Batch { state, ..Batch::new(1, [0; 32], 3, 0) }
    }

    #[test]
    fn the_good_road() {
        use Action::{Locate, Look, Persist, Send, Sign};
        let mut b = Batch::new(1, [0; 32], 3, 0);
        assert_eq!(b.on(BatchEvent::Woke, LAST), [Sign]);
        assert_eq!(b.on(BatchEvent::Signed(attempt(1)), LAST), [Persist, Send, Look]);
        assert_eq!(b.on(BatchEvent::Sent(Ok(())), LAST), [Persist]);
        assert_eq!(b.on(BatchEvent::Seen(Seen::Unconfirmed), LAST), []);
        assert_eq!(b.on(BatchEvent::Woke, LAST), [Look]);
        assert_eq!(b.on(mined(1, 1), LAST), [Locate { block: place(1).block() }]);
        assert_eq!(b.on(BatchEvent::Located(place(1), 1), LAST), [Persist]);
        assert_eq!(b.on(mined(1, 5), LAST), []);
        assert_eq!(b.confirmations, 5);
        assert_eq!(b.on(mined(1, 6), LAST), [Persist]);
        assert!(b.is_final());
        assert_eq!(b.on(BatchEvent::Woke, LAST), []);
        assert_eq!(Batch::decode(&b.encode()).expect("decodes").state, b.state);
    }

    #[test]
    fn without_coins_it_waits_and_says_so_once() {
        let need = Need { address: "bc1q".into(), at_least: 2_000 };
        let mut b = Batch::new(1, [0; 32], 3, 0);
        assert_eq!(b.on(BatchEvent::NoFunds(need.clone()), LAST), [Action::Persist]);
        assert_eq!(b.on(BatchEvent::NoFunds(need), LAST), []);
        assert_eq!(b.on(BatchEvent::Woke, LAST), [Action::Sign]);
        assert_eq!(b.on(BatchEvent::Signed(attempt(1)), LAST)[0], Action::Persist);
    }

    #[test]
    fn after_a_start_the_same_bytes_are_sent_again() {
        for state in [State::Signed(attempt(1)), State::Broadcast(attempt(1))] {
            let mut b = batch(state);
            assert_eq!(b.on(BatchEvent::Started, LAST), [Action::Send, Action::Look]);
            // refused, because it is mined already: the wallet decides
            assert_eq!(b.on(BatchEvent::Sent(Err("bad-txns-inputs-missingorspent".into())), LAST), []);
            assert_eq!(b.on(mined(1, 2), LAST), [Action::Locate { block: place(1).block() }]);
        }
    }

    #[test]
    fn a_reorganised_block_is_left_and_the_new_one_taken() {
        let mut b = batch(State::Mined(attempt(1), place(1)));
        assert_eq!(b.on(BatchEvent::Seen(Seen::Unconfirmed), LAST), [Action::Persist, Action::Send]);
        assert_eq!(b.state, State::Broadcast(attempt(1)));
        let mut b = batch(State::Mined(attempt(1), place(1)));
        assert_eq!(b.on(mined(2, 1), LAST), [Action::Locate { block: place(2).block() }]);
        b.on(BatchEvent::Located(place(2), 1), LAST);
        assert_eq!(b.state, State::Mined(attempt(1), place(2)));
    }

    #[test]
    fn a_double_spend_is_believed_only_when_it_is_buried() {
        let mut b = batch(State::Broadcast(attempt(1)));
        assert_eq!(b.on(BatchEvent::Seen(Seen::Conflicted { depth: LAST - 1 }), LAST), []);
        assert_eq!(b.state, State::Broadcast(attempt(1)));
        assert_eq!(b.on(BatchEvent::Seen(Seen::Conflicted { depth: LAST }), LAST), [Action::Persist, Action::Sign]);
        assert_eq!(b.state, State::Batched);
    }

    fn event() -> impl Strategy<Value = BatchEvent> {
        prop_oneof![
            Just(BatchEvent::Started),
            Just(BatchEvent::Woke),
            any::<u8>().prop_map(|n| BatchEvent::Signed(attempt(n))),
            Just(BatchEvent::NoFunds(Need { address: "a".into(), at_least: 1 })),
            any::<bool>().prop_map(|ok| BatchEvent::Sent(if ok { Ok(()) } else { Err("no".into()) })),
            Just(BatchEvent::Seen(Seen::Unknown)),
            Just(BatchEvent::Seen(Seen::Unconfirmed)),
            (0..3_u8, 1..9_u32).prop_map(|(n, c)| mined(n, c)),
            (1..9_u32).prop_map(|depth| BatchEvent::Seen(Seen::Conflicted { depth })),
            (0..3_u8, 1..9_u32).prop_map(|(n, c)| BatchEvent::Located(place(n), c)),
        ]
    }

    proptest! {
        /// Whatever bitcoind says in whatever order: nothing is sent that is not stored, every change is
        /// stored, and a signed transaction is given up only for a buried double spend.
        #[test]
        fn no_order_of_events_pays_twice(events in prop::collection::vec(event(), 1..60)) {
            let mut b = Batch::new(1, [0; 32], 3, 0);
            let mut stored = b.clone();
            for event in events {
                let before = b.clone();
                let buried = matches!(event, BatchEvent::Seen(Seen::Conflicted { depth }) if depth >= LAST);
                for action in b.on(event, LAST) {
                    match action {
                        Action::Persist => stored = b.clone(),
                        Action::Send => prop_assert_eq!(stored.attempt(), b.attempt()),
                        Action::Sign => prop_assert!(b.attempt().is_none()),
                        Action::Look | Action::Locate { .. } => prop_assert!(b.attempt().is_some()),
                    }
                }
                prop_assert_eq!(&stored.state, &b.state);
                prop_assert!(before.attempt().is_none() || before.attempt() == b.attempt() || buried);
                prop_assert!(!before.is_final() || b.is_final());
            }
        }
    }
}
