//! A batch from its root to a buried block, as a pure state machine: events in, actions out.
//!
//! ```text
//!            ┌► awaiting_funds ┐     ┌──── replaced: pays more, or takes other batches along
//! batched ───┼► fee_capped     ┼──► open ──► mined ──► final
//!    ▲       └► riding (in     ┘   │  ▲ ▲───────┴────────┘ its block was reorganised away
//!    │          another's)         ▼  │ reorganised
//!    └──────────────────────── conflicted   (another transaction spent the coins and is buried)
//! ```
//!
//! What keeps a batch from being paid twice, whatever crashes, reorganises or pays more by hand:
//! - [`Action::Persist`] comes before [`Action::Send`]: nothing is sent that is not stored.
//! - All attempts of a batch spend the same coins ([`Spend`]), so one of them at most is in the chain.
//! - It is signed with new coins only when another transaction that spent the old ones lies [`BURIED`] blocks deep.
//!
//! What became of an attempt is read from the mempool, from its coins and from the blocks, in this order. The answer
//! to the sending says little (a mined and a double-spent transaction are refused with the same words), and the wallet
//! is asked last.

use super::{
    fees::Capped,
    proof::Inclusion,
    spend::{Attempt, Spend, Unsigned},
};
use crate::cid::Digest;
use serde::{Deserialize, Serialize};

/// First byte of a stored batch: raised when the encoding changes.
const VERSION: u8 = 2;
/// Confirmations of another spend of the coins after which the old attempts count as dead, whatever
/// `anchor.confirmations` says.
pub const BURIED: u32 = 6;

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
    /// Blocks on its own and on top of it; of a conflict: on the other transaction's. Not stored, it grows with every block.
    #[serde(skip)]
    pub depth: u32,
    /// Why its transaction does not pay more although it is time.
    #[serde(skip)]
    pub capped: Option<Capped>,
    /// Enough calendars have taken its root.
    #[serde(skip)]
    pub handed: bool,
    /// What stands in the way, for people.
    #[serde(skip)]
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Batched,
    AwaitingFunds(Need),
    /// It would cost more than the settings allow; nothing is signed.
    FeeCapped(Capped),
    /// The transaction of that batch carries it too.
    Riding(u64),
    /// Waits for a signature, or for a block.
    Open(Spend),
    /// Another transaction that does not carry it spent the coins, in this block.
    Conflicted(Spend, Elsewhere),
    Mined(Spend, Mined),
    Final(Spend, Mined),
    /// Calendars brought it into the block at this height.
    Attested(u32),
}

/// What the wallet lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// An address of the wallet to send coins to.
    pub address: String,
    /// sat
    pub at_least: u64,
}

/// An attempt that is in a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mined {
    pub txid: String,
    pub place: Inclusion,
}

/// Where the coins went instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    pub txid: String,
    pub height: u32,
    pub block: String,
}

/// What rules there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Confirmations after which an anchor is final.
    pub last: u32,
    /// Blocks after which a transaction pays more.
    pub bump_after: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum BatchEvent {
    /// Time to look again.
    Woke,
    Signed(Spend),
    /// One more attempt of the same coins.
    Replaced(Attempt),
    Unsigned(Spend),
    NoFunds(Need),
    Capped(Capped),
    /// bitcoind's answer to the sending.
    Sent(Result<(), String>),
    /// What became of the coins; `tip`: the chain's height then.
    Seen {
        seen: Seen,
        tip: u32,
    },
    /// The block it was last in is still in the best chain, which has this height; none: it is not.
    Stands(Option<u32>),
}

/// What became of the coins of a spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// This attempt is in the mempool.
    Waiting(String),
    /// Nobody spends them.
    Unspent,
    /// A transaction that was not made here carries what one of ours does: it was made to pay more by hand.
    Adopted(Attempt),
    /// In the mempool, another transaction spends them.
    Rival(String),
    Mined(Mined),
    Elsewhere(Elsewhere),
    /// They are spent, and where cannot be read yet.
    Unreadable(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a transaction that carries the root.
    Sign,
    /// Make one that spends the same coins and pays more.
    Replace,
    /// Make the batch durable before the next action.
    Persist,
    /// Let the wallet spend the coins for nothing else.
    Lock,
    /// Give them back.
    Unlock(Spend),
    /// Send the newest signed bytes.
    Send,
    /// Find out what became of the coins.
    Look,
    /// Is this block in the best chain?
    Check { height: u32, block: String },
}

impl Batch {
    pub fn new(number: u64, root: Digest, leaves: u32, created: u64) -> Self {
        Self { number, root, leaves, created, state: State::Batched, depth: 0, capped: None, handed: false, note: None }
    }

    /// What `event` changes and what is to be done, in order.
    pub fn on(&mut self, event: BatchEvent, rules: Rules) -> Vec<Action> {
        use Action::{Check, Lock, Look, Persist, Send, Sign};
        match (&mut self.state, event) {
            (State::Batched | State::AwaitingFunds(_) | State::FeeCapped(_), event) => match event {
                BatchEvent::Woke => vec![Sign],
                BatchEvent::Signed(spend) => {
                    self.enter(State::Open(spend));
                    vec![Persist, Lock, Send, Look]
                }
                BatchEvent::Unsigned(spend) => {
                    self.enter(State::Open(spend));
                    vec![Persist, Lock]
                }
                BatchEvent::NoFunds(need) => self.become_if_new(State::AwaitingFunds(need)),
                BatchEvent::Capped(capped) => self.become_if_new(State::FeeCapped(capped)),
                // an answer to a question that is no longer open
                _ => vec![],
            },
            (State::Riding(_) | State::Attested(_), _) => vec![],

            (State::Open(_), BatchEvent::Woke) => vec![Look],
            (State::Open(spend), BatchEvent::Replaced(attempt)) => {
                if !shares(spend, &attempt) {
                    return vec![];
                }
                spend.attempts.push(attempt);
                if let Some(unsigned) = spend.unsigned.take() {
                    spend.former.push(unsigned.roots);
                }
                spend.sent = false;
                (self.note, self.capped) = (None, None);
                vec![Persist, Send, Look]
            }
            // Of other coins it is not one more attempt of the same.
            (State::Open(spend), BatchEvent::Unsigned(new)) if new.inputs() != spend.inputs() => vec![],
            (State::Open(spend), BatchEvent::Unsigned(new)) => {
                if let Some(unsigned) = new.unsigned {
                    spend.wait_for(unsigned);
                }
                (self.note, self.capped) = (None, None);
                vec![Persist]
            }
            (State::Open(_), BatchEvent::Capped(capped)) => {
                self.capped = Some(capped);
                vec![]
            }
            (State::Open(_), BatchEvent::NoFunds(_)) => {
                self.note = Some("its coins are worth too little to pay more".into());
                vec![]
            }
            (State::Open(spend), BatchEvent::Sent(Ok(()))) => {
                let first = !spend.sent;
                spend.sent = true;
                self.note = None;
                if first { vec![Persist] } else { vec![] }
            }
            (State::Open(_), BatchEvent::Sent(Err(why))) => {
                self.note = Some(why);
                vec![]
            }
            (State::Open(_), BatchEvent::Seen { seen, tip }) => self.seen(seen, tip, rules),

            (State::Conflicted(_, Elsewhere { height, block, .. }), BatchEvent::Woke) => {
                vec![Check { height: *height, block: block.clone() }]
            }
            (State::Mined(_, mined) | State::Final(_, mined), BatchEvent::Woke) => {
                vec![Check { height: mined.place.height, block: mined.place.block() }]
            }
            (State::Conflicted(spend, elsewhere), BatchEvent::Stands(Some(tip))) => {
                self.depth = depth(tip, elsewhere.height);
                let needed = rules.last.max(BURIED);
                if self.depth < needed {
                    self.note = Some(format!(
                        "transaction {} spent its coins ({} confirmations); at {needed} it is signed again with other coins",
                        elsewhere.txid, self.depth
                    ));
                    return vec![];
                }
                let spend = spend.clone();
                self.enter(State::Batched);
                self.note = Some("another transaction spent its coins; it is signed again with others".into());
                vec![Persist, Action::Unlock(spend), Sign]
            }
            (State::Mined(spend, mined), BatchEvent::Stands(Some(tip))) => {
                self.depth = depth(tip, mined.place.height);
                if self.depth < rules.last {
                    return vec![];
                }
                self.state = State::Final(spend.clone(), mined.clone());
                vec![Persist]
            }
            (State::Final(_, mined), BatchEvent::Stands(Some(tip))) => {
                self.depth = depth(tip, mined.place.height);
                vec![]
            }
            (
                State::Conflicted(spend, _) | State::Mined(spend, _) | State::Final(spend, _),
                BatchEvent::Stands(None),
            ) => {
                let spend = spend.clone();
                self.enter(State::Open(spend));
                self.note = Some("the block was reorganised away; waiting for another".into());
                vec![Persist, Look]
            }
            _ => vec![],
        }
    }

    fn seen(&mut self, seen: Seen, tip: u32, rules: Rules) -> Vec<Action> {
        use Action::{Check, Look, Persist, Replace, Send};
        let State::Open(spend) = &mut self.state else { return vec![] };
        let is_due = tip >= spend.height().saturating_add(rules.bump_after);
        match seen {
            Seen::Waiting(txid) => {
                let newest = spend.newest().is_some_and(|attempt| attempt.txid == txid);
                let mut actions = Vec::new();
                if newest && !spend.sent {
                    spend.sent = true;
                    actions.push(Persist);
                }
                if newest {
                    self.note = None;
                } else {
                    actions.push(Send); // the one before it is there, and it is not
                }
                if is_due {
                    actions.push(Replace);
                }
                actions
            }
            Seen::Unspent if spend.attempts.is_empty() => {
                if is_due {
                    vec![Replace]
                } else {
                    vec![]
                }
            }
            Seen::Unspent if is_due => vec![Send, Replace],
            Seen::Unspent => vec![Send],
            Seen::Adopted(attempt) => {
                if spend.attempt(&attempt.txid).is_some() || !touches(spend, &attempt) {
                    return vec![];
                }
                spend.attempts.push(attempt);
                if let Some(unsigned) = spend.unsigned.take() {
                    spend.former.push(unsigned.roots);
                }
                spend.sent = true;
                vec![Persist, Look]
            }
            Seen::Rival(txid) => {
                self.note = Some(format!("transaction {txid} is to spend its coins; waiting for what becomes of that"));
                vec![]
            }
            Seen::Mined(mined) => {
                self.depth = depth(tip, mined.place.height);
                let (spend, is_final) = (spend.clone(), self.depth >= rules.last);
                (self.note, self.capped) = (None, None);
                self.state = if is_final { State::Final(spend, mined) } else { State::Mined(spend, mined) };
                vec![Persist]
            }
            Seen::Elsewhere(elsewhere) => {
                let check = Check { height: elsewhere.height, block: elsewhere.block.clone() };
                self.state = State::Conflicted(spend.clone(), elsewhere);
                vec![Persist, check]
            }
            Seen::Unreadable(why) => {
                self.note = Some(why);
                vec![]
            }
        }
    }

    fn enter(&mut self, state: State) {
        (self.depth, self.note, self.capped) = (0, None, None);
        self.state = state;
    }

    fn become_if_new(&mut self, state: State) -> Vec<Action> {
        if self.state == state {
            return vec![];
        }
        self.enter(state);
        vec![Action::Persist]
    }

    /// The coins it spends and all attempts to, if there are any.
    pub fn spend(&self) -> Option<&Spend> {
        match &self.state {
            State::Batched | State::AwaitingFunds(_) | State::FeeCapped(_) | State::Riding(_) | State::Attested(_) => {
                None
            }
            State::Open(spend) | State::Conflicted(spend, _) | State::Mined(spend, _) | State::Final(spend, _) => {
                Some(spend)
            }
        }
    }

    pub(super) fn spend_mut(&mut self) -> Option<&mut Spend> {
        match &mut self.state {
            State::Batched | State::AwaitingFunds(_) | State::FeeCapped(_) | State::Riding(_) | State::Attested(_) => {
                None
            }
            State::Open(spend) | State::Conflicted(spend, _) | State::Mined(spend, _) | State::Final(spend, _) => {
                Some(spend)
            }
        }
    }

    /// The batch whose state tells how this one stands: `carrier`, unless its transaction came into a block without this one.
    pub fn told_by<'a>(&'a self, carrier: Option<&'a Self>) -> &'a Self {
        let bears = |carrier: &&Self| {
            let has = carrier.attempt().is_some_and(|attempt| attempt.roots.has(self.number));
            carrier.mined().is_none() || has
        };
        carrier.filter(bears).unwrap_or(self)
    }

    /// Is `batch` in the attempt that is in the chain, and as deep as it has to be before others are signed anew?
    /// None: that is not settled.
    pub fn carried(&self, batch: u64, rules: Rules) -> Option<bool> {
        let Some(spend) = self.spend() else { return Some(false) };
        match self.mined() {
            Some(mined) => {
                let has = spend.attempt(&mined.txid).is_some_and(|attempt| attempt.roots.has(batch));
                (has || self.depth >= rules.last.max(BURIED)).then_some(has)
            }
            None if spend.carried().any(|roots| roots.has(batch)) => None,
            None => Some(false),
        }
    }

    /// The attempt that counts: the one in the chain, else the newest.
    pub fn attempt(&self) -> Option<&Attempt> {
        match (self.spend()?, self.mined()) {
            (spend, Some(mined)) => spend.attempt(&mined.txid),
            (spend, None) => spend.newest(),
        }
    }

    pub fn mined(&self) -> Option<&Mined> {
        match &self.state {
            State::Mined(_, mined) | State::Final(_, mined) => Some(mined),
            _ => None,
        }
    }

    /// Where the transaction lies in the chain, if it does.
    pub fn place(&self) -> Option<&Inclusion> {
        self.mined().map(|mined| &mined.place)
    }

    pub fn unsigned(&self) -> Option<&Unsigned> {
        self.spend()?.unsigned.as_ref()
    }

    pub fn is_final(&self) -> bool {
        matches!(self.state, State::Final(..))
    }

    /// Is its root in no transaction, and wants one?
    pub fn wants_one(&self) -> bool {
        matches!(self.state, State::Batched | State::AwaitingFunds(_) | State::FeeCapped(_))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        serde_ipld_dagcbor::to_writer(&mut bytes, self).expect("a batch holds only what DAG-CBOR can say");
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => serde_ipld_dagcbor::from_slice(rest).map_err(|e| e.to_string()),
            Some((&before::VERSION, rest)) => before::decode(rest),
            Some((version, _)) => Err(format!("version {version} is not known to this toft")),
            None => Err("it is empty".into()),
        }
    }
}

/// Blocks from this height to the tip, both counted.
pub(super) fn depth(tip: u32, height: u32) -> u32 {
    tip.saturating_add(1).saturating_sub(height)
}

/// Does it spend a coin of the spend? What was made by hand need not take all of them: beside those that do, one is enough.
fn touches(spend: &Spend, attempt: &Attempt) -> bool {
    let spent = attempt.inputs();
    spend.inputs().iter().any(|coin| spent.contains(coin))
}

/// Does it spend all coins of the spend? Only then never both are in the chain.
fn shares(spend: &Spend, attempt: &Attempt) -> bool {
    let (coins, spent) = (spend.inputs(), attempt.inputs());
    !coins.is_empty() && coins.iter().all(|coin| spent.contains(coin))
}

/// Batches as version 1 stored them: one attempt, of a network that was not noted.
mod before {
    use crate::{
        anchor::{
            batch::{Batch, Mined, Need, State},
            config::Network,
            proof::Inclusion,
            spend::{Attempt, Roots, Spend},
        },
        cid::Digest,
    };
    use serde::Deserialize;

    pub(super) const VERSION: u8 = 1;

    #[derive(Deserialize)]
    struct First {
        number: u64,
        #[serde(with = "serde_bytes")]
        root: Digest,
        leaves: u32,
        created: u64,
        state: FirstState,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum FirstState {
        Batched,
        AwaitingFunds(Need),
        Signed(FirstAttempt),
        Broadcast(FirstAttempt),
        Mined(FirstAttempt, Inclusion),
        Final(FirstAttempt, Inclusion),
    }

    #[derive(Deserialize)]
    struct FirstAttempt {
        #[serde(with = "serde_bytes")]
        tx: Vec<u8>,
        txid: String,
        fee: u64,
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Batch, String> {
        let First { number, root, leaves, created, state } =
            serde_ipld_dagcbor::from_slice(bytes).map_err(|e| e.to_string())?;
        let spend = |FirstAttempt { tx, txid, fee }: FirstAttempt, height: u32, sent: bool| {
            let roots = Roots::of([(number, root)]);
            let attempts = vec![Attempt { tx, txid, fee, roots, signed: created, height }];
            // The network was not kept: it is that of the settings, which the ledger puts in.
            Spend {
                network: Network::Mainnet,
                genesis: String::new(),
                sum: 0,
                attempts,
                unsigned: None,
                former: vec![],
                sent,
            }
        };
        let mined = |attempt: FirstAttempt, place: Inclusion| {
            let mined = Mined { txid: attempt.txid.clone(), place };
            (spend(attempt, mined.place.height, true), mined)
        };
        let state = match state {
            FirstState::Batched => State::Batched,
            FirstState::AwaitingFunds(need) => State::AwaitingFunds(need),
            FirstState::Signed(attempt) => State::Open(spend(attempt, 0, false)),
            FirstState::Broadcast(attempt) => State::Open(spend(attempt, 0, true)),
            FirstState::Mined(attempt, place) => {
                let (spend, mined) = mined(attempt, place);
                State::Mined(spend, mined)
            }
            FirstState::Final(attempt, place) => {
                let (spend, mined) = mined(attempt, place);
                State::Final(spend, mined)
            }
        };
        Ok(Batch { state, ..Batch::new(number, root, leaves, created) })
    }
}

#[cfg(test)]
mod tests;
