//! Transactions that spend the same coins: a first one, and those that replace it because they pay more.
//!
//! All attempts of a spend share their coins, so at most one of them can ever be in the chain. A replacement may
//! carry the roots of more batches than the one before: then one output holds the root of a small tree over them.

use super::{
    config::Network,
    tree::{Sibling, Tree},
};
use crate::cid::Digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bitcoin::{OutPoint, Psbt, ScriptBuf, Transaction, consensus::encode::deserialize};
use serde::{Deserialize, Serialize};

/// The roots of some batches under one: RFC 6962's tree over them, in order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roots(Vec<Under>);

/// A batch and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Under {
    batch: u64,
    #[serde(with = "serde_bytes")]
    root: Digest,
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
    /// What it carries.
    pub roots: Roots,
    /// Seconds since 1970.
    pub signed: u64,
    /// The chain's height when it was signed.
    pub height: u32,
}

/// A transaction that its owner has not signed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsigned {
    /// Base64, as wallets exchange it (BIP 174).
    pub psbt: String,
    /// sat
    pub fee: u64,
    pub roots: Roots,
    /// The chain's height when it was made.
    pub height: u32,
}

/// Coins that are spent for an anchor, and all transactions that spend them for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// An `.ots` file does not say in which chain it is.
    pub network: Network,
    /// The chain's first block, as people write it. Empty: made before that was kept.
    pub genesis: String,
    /// sat; what the coins are worth together. 0: made before that was kept.
    pub sum: u64,
    /// Oldest first; none before the first signature.
    pub attempts: Vec<Attempt>,
    pub unsigned: Option<Unsigned>,
    /// What earlier unsigned transactions carried: who signs may have sent one of them.
    #[serde(default)]
    pub former: Vec<Roots>,
    /// bitcoind has taken the newest attempt.
    pub sent: bool,
}

impl Roots {
    /// At least one batch.
    pub fn of(roots: impl IntoIterator<Item = (u64, Digest)>) -> Self {
        let mut all: Vec<Under> = roots.into_iter().map(|(batch, root)| Under { batch, root }).collect();
        all.sort_unstable_by_key(|under| under.batch);
        all.dedup_by_key(|under| under.batch);
        Self(all)
    }

    /// What goes into the transaction.
    pub fn root(&self) -> Digest {
        match self.0.as_slice() {
            [one] => one.root,
            _ => self.tree().map_or([0; 32], |tree| tree.root()),
        }
    }

    /// From the root of a batch to [`Roots::root`].
    pub fn path(&self, batch: u64) -> Option<Vec<Sibling>> {
        let index = self.0.iter().position(|under| under.batch == batch)?;
        if self.0.len() == 1 {
            return Some(Vec::new());
        }
        self.tree()?.path(index)
    }

    pub fn has(&self, batch: u64) -> bool {
        self.0.iter().any(|under| under.batch == batch)
    }

    pub fn batches(&self) -> impl Iterator<Item = (u64, Digest)> {
        self.0.iter().map(|under| (under.batch, under.root))
    }

    fn tree(&self) -> Option<Tree> {
        Tree::new(&self.0.iter().map(|under| under.root).collect::<Vec<_>>())
    }
}

impl Attempt {
    /// The coins it spends; none if the bytes are no transaction.
    pub fn inputs(&self) -> Vec<OutPoint> {
        let tx: Result<Transaction, _> = deserialize(&self.tx);
        tx.map(|tx| tx.input.iter().map(|input| input.previous_output).collect()).unwrap_or_default()
    }

    /// Virtual bytes.
    pub fn vsize(&self) -> u64 {
        deserialize::<Transaction>(&self.tx).map_or(0, |tx| tx.vsize() as u64)
    }
}

impl Unsigned {
    /// The transaction without its signatures.
    pub fn tx(&self) -> Option<Transaction> {
        unsigned(&self.psbt)
    }
}

/// The transaction of a PSBT (base64) without its signatures.
pub(super) fn unsigned(psbt: &str) -> Option<Transaction> {
    let bytes = STANDARD.decode(psbt.trim()).ok()?;
    Some(Psbt::deserialize(&bytes).ok()?.unsigned_tx)
}

impl Spend {
    pub fn newest(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    pub fn attempt(&self, txid: &str) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.txid == txid)
    }

    /// The coins, which all attempts share.
    pub fn inputs(&self) -> Vec<OutPoint> {
        match (self.attempts.first(), &self.unsigned) {
            (Some(first), _) => first.inputs(),
            (None, Some(unsigned)) => {
                unsigned.tx().map(|tx| tx.input.iter().map(|input| input.previous_output).collect()).unwrap_or_default()
            }
            (None, None) => Vec::new(),
        }
    }

    /// The script its change goes to: the output that is not the root's.
    pub fn change(&self) -> Option<ScriptBuf> {
        let signed = self.newest().and_then(|newest| deserialize::<Transaction>(&newest.tx).ok());
        let tx = signed.or_else(|| self.unsigned.as_ref()?.tx())?;
        tx.output.into_iter().map(|output| output.script_pubkey).find(|script| !script.is_op_return())
    }

    /// The most that may have to be paid: only one attempt can be in the chain.
    pub fn fee(&self) -> u64 {
        self.attempts.iter().map(|attempt| attempt.fee).max().unwrap_or(0)
    }

    /// What was agreed to when: (seconds since 1970, sat).
    pub fn paid(&self) -> Vec<(u64, u64)> {
        let mut before = 0;
        let mut paid = Vec::new();
        for attempt in &self.attempts {
            paid.push((attempt.signed, attempt.fee.saturating_sub(before)));
            before = before.max(attempt.fee);
        }
        paid
    }

    /// All sets of roots that an attempt may carry into the chain.
    pub fn carried(&self) -> impl Iterator<Item = &Roots> {
        let attempts = self.attempts.iter().map(|attempt| &attempt.roots);
        attempts.chain(self.unsigned.as_ref().map(|unsigned| &unsigned.roots)).chain(&self.former)
    }

    /// The newest unsigned transaction; what the one before carried is kept in mind.
    pub fn wait_for(&mut self, unsigned: Unsigned) {
        if let Some(before) = self.unsigned.replace(unsigned)
            && !self.former.contains(&before.roots)
        {
            self.former.push(before.roots);
        }
    }

    /// The chain's height when it began.
    pub fn since(&self) -> u32 {
        let first = self.attempts.first().map(|attempt| attempt.height);
        first.or(self.unsigned.as_ref().map(|unsigned| unsigned.height)).unwrap_or(0)
    }

    /// When what is under way was made; a replacement is due some blocks later.
    pub fn height(&self) -> u32 {
        let waiting = self.unsigned.as_ref().map(|unsigned| unsigned.height);
        waiting.or(self.newest().map(|attempt| attempt.height)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::tree::climb;

    #[test]
    fn every_root_leads_to_the_one_that_goes_into_the_transaction() {
        for n in 1..9_u64 {
            let roots = Roots::of((0..n).rev().map(|i| (i, [i as u8; 32])));
            for i in 0..n {
                let path = roots.path(i).expect("it is under it");
                assert_eq!(climb([i as u8; 32], &path), roots.root(), "{i} of {n}");
            }
            assert_eq!(roots.path(n), None);
        }
        assert_eq!(Roots::of([(3, [7; 32])]).root(), [7; 32], "one root stands for itself");
    }

    #[test]
    fn of_replacements_only_the_difference_counts() {
        let roots = Roots::of([(1, [0; 32])]);
        let attempt = |fee: u64, signed| Attempt {
            tx: vec![],
            txid: fee.to_string(),
            fee,
            roots: roots.clone(),
            signed,
            height: 0,
        };
        let spend = Spend {
            network: Network::Regtest,
            genesis: String::new(),
            sum: 0,
            attempts: vec![attempt(100, 1), attempt(150, 2), attempt(140, 3)],
            unsigned: None,
            former: vec![],
            sent: false,
        };
        assert_eq!(spend.paid(), [(1, 100), (2, 50), (3, 0)]);
        assert_eq!(spend.fee(), 150);
    }
}
