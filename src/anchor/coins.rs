//! What became of the coins of a spend: read from the mempool, then from the coins themselves, then from the blocks, and
//! from the wallet last.

use super::{
    batch::{Elsewhere, Mined, Seen},
    chain::{Chain, Error, answer, code, decode},
    clock,
    config::Network,
    proof::Inclusion,
    spend::{Attempt, Roots, Spend},
};
use crate::cid::Digest;
use bitcoin::{Block, OutPoint, Transaction, Txid, consensus::encode::serialize};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A reorganisation may put a transaction into a block below the height at which it was signed.
const BACK: u32 = 12;
/// Blocks looked through in one go, the newest first: a week.
const BLOCKS_MAX: u32 = 1_008;
/// Transactions of the wallet that are asked for at once, and how often at most: hundreds of years of anchors.
const LISTED: usize = 1_000;
const LISTED_PAGES: usize = 200;
/// The operation that a script with a root begins with.
const OP_RETURN: u8 = 0x6a;

/// A transaction of the wallet that carries a root.
#[derive(Debug, Clone)]
pub(super) struct OnChain {
    pub txid: String,
    pub tx: Vec<u8>,
    pub root: Digest,
    /// When the wallet first had it, seconds since 1970.
    pub time: u64,
    pub inclusion: Inclusion,
    pub network: Network,
    /// The chain's first block, as people write it.
    pub genesis: String,
    pub confirmations: u32,
}

/// Where coins are.
enum Coin {
    /// In no block they are spent; this transaction of the mempool spends them.
    Unspent(Option<Txid>),
    /// In a block.
    Spent,
}

impl Chain {
    /// What became of the coins, and the chain's height when it was asked.
    pub fn seen(&self, spend: &Spend) -> Result<(Seen, u32), Error> {
        let tip = self.whole()?.height;
        for attempt in spend.attempts.iter().rev() {
            if self.is_waiting(&attempt.txid)? {
                return Ok((Seen::Waiting(attempt.txid.clone()), tip));
            }
        }
        let coins = spend.inputs();
        let mut rival = None;
        for coin in &coins {
            match self.coin(coin)? {
                Coin::Spent => return Ok((self.in_blocks(spend, &coins, tip)?, tip)),
                Coin::Unspent(by) => rival = rival.or(by),
            }
        }
        let Some(rival) = rival else { return Ok((Seen::Unspent, tip)) };
        // Gone again since: the next look says where.
        let Some(tx) = self.in_mempool(&rival)? else { return Ok((Seen::Rival(rival.to_string()), tip)) };
        Ok(match self.adopted(spend, &tx, tip) {
            Some(attempt) => (Seen::Adopted(attempt), tip),
            None => (Seen::Rival(rival.to_string()), tip),
        })
    }

    fn is_waiting(&self, txid: &str) -> Result<bool, Error> {
        match self.call::<Value>("getmempoolentry", &[json!(txid)]) {
            Ok(_) => Ok(true),
            Err(Error::Rpc { code: code::INVALID_ADDRESS_OR_KEY, .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn coin(&self, coin: &OutPoint) -> Result<Coin, Error> {
        #[derive(Deserialize)]
        struct Spender {
            spendingtxid: Option<String>,
        }
        let (txid, vout) = (coin.txid.to_string(), coin.vout);
        let on_chain: Option<Value> = self.call("gettxout", &[json!(txid), json!(vout), json!(false)])?;
        if on_chain.is_none() {
            return Ok(Coin::Spent);
        }
        let spenders: Vec<Spender> = self.call("gettxspendingprevout", &[json!([{ "txid": txid, "vout": vout }])])?;
        let by = spenders.into_iter().next().and_then(|spender| spender.spendingtxid);
        Ok(Coin::Unspent(by.map(|by| by.parse().map_err(|e| answer("gettxspendingprevout", e))).transpose()?))
    }

    fn in_mempool(&self, txid: &Txid) -> Result<Option<Transaction>, Error> {
        match self.call::<String>("getrawtransaction", &[json!(txid.to_string())]) {
            Ok(hex) => decode("getrawtransaction", &hex).map(Some),
            Err(Error::Rpc { code: code::INVALID_ADDRESS_OR_KEY, .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The block in which the coins are spent, looked for from the tip down: a week of blocks at a look, and the next one goes on below.
    fn in_blocks(&self, spend: &Spend, coins: &[OutPoint], tip: u32) -> Result<Seen, Error> {
        let Some(first) = coins.first().copied() else { return Ok(Seen::Unreadable("it has no coins".into())) };
        let oldest = spend.since().saturating_sub(BACK);
        let (newest, older) = match self.take_scanned(&first) {
            None => (tip.saturating_sub(BLOCKS_MAX).max(oldest)..=tip, None),
            // What came since the look before, and what lies below what that one saw.
            Some((low, high)) => {
                let next = low.saturating_sub(BLOCKS_MAX).max(oldest);
                (high.saturating_sub(BACK).max(oldest)..=tip, Some((low, next..=low.saturating_sub(1))))
            }
        };
        let low = older.as_ref().map_or(*newest.start(), |(low, older)| (*low).min(*older.start()));
        let mut pruned = None;
        for height in newest.rev().chain(older.into_iter().flat_map(|(_, older)| older.rev())) {
            if let Some(seen) = self.in_block(spend, coins, (height, tip), &mut pruned)? {
                return Ok(seen);
            }
        }
        if (low > oldest || pruned.is_some())
            && let Some(mined) = self.as_the_wallet_has_it(spend)?
        {
            return Ok(mined);
        }
        // A block that could not be read is read again when it has come.
        self.put_scanned(first, (pruned.as_ref().map_or(low, |(height, _)| height + 1), tip));
        match pruned {
            Some((height, hash)) => self.in_pruned(spend, height, &hash),
            None if low > oldest => Ok(Seen::Unreadable(format!(
                "its coins are spent; the blocks down to {low} do not say by whom, and older ones are looked through next"
            ))),
            None => Ok(Seen::Unreadable("its coins are spent, and no block since it was made says by whom".into())),
        }
    }

    /// What became of the coins in the block at this height, if anything did.
    fn in_block(
        &self,
        spend: &Spend,
        coins: &[OutPoint],
        (height, tip): (u32, u32),
        pruned: &mut Option<(u32, String)>,
    ) -> Result<Option<Seen>, Error> {
        let Some(hash) = self.block_at(height)? else { return Ok(None) };
        let block = match self.call::<String>("getblock", &[json!(hash), json!(0)]) {
            Ok(hex) => decode::<Block>("getblock", &hex)?,
            Err(Error::Rpc { code: code::MISC, .. }) => {
                pruned.get_or_insert((height, hash));
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        let takes = |tx: &&Transaction| tx.input.iter().any(|input| coins.contains(&input.previous_output));
        let Some(tx) = block.txdata.iter().find(takes) else { return Ok(None) };
        let txid = tx.compute_txid();
        if spend.attempt(&txid.to_string()).is_some() {
            let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
            let place = Inclusion::new(&block.header, height, &txids, txid)?;
            return Ok(Some(Seen::Mined(Mined { txid: txid.to_string(), place })));
        }
        Ok(Some(match self.adopted(spend, tx, tip) {
            Some(attempt) => Seen::Adopted(attempt),
            None => Seen::Elsewhere(Elsewhere { txid: txid.to_string(), height, block: hash }),
        }))
    }

    /// An attempt that the wallet knows in a block, in which it is.
    fn as_the_wallet_has_it(&self, spend: &Spend) -> Result<Option<Seen>, Error> {
        for attempt in &spend.attempts {
            let Some((block, _)) = self.block_of(&attempt.txid) else { continue };
            let Ok(place) = self.locate(&block, &attempt.txid) else { continue };
            if self.stands(place.height, &block)?.is_some() {
                return Ok(Some(Seen::Mined(Mined { txid: attempt.txid.clone(), place })));
            }
        }
        Ok(None)
    }

    /// The block in which the wallet has a transaction, and its height.
    fn block_of(&self, txid: &str) -> Option<(String, Option<u32>)> {
        #[derive(Deserialize)]
        struct WalletTx {
            blockhash: Option<String>,
            blockheight: Option<u32>,
        }
        let found: WalletTx = self.wallet("gettransaction", &[json!(txid)]).ok()?;
        Some((found.blockhash?, found.blockheight))
    }

    /// Some blocks are not on this node's disk any more: the wallet says which one holds an attempt, and peers have it.
    fn in_pruned(&self, spend: &Spend, newest: u32, hash: &str) -> Result<Seen, Error> {
        let known = spend.attempts.iter().find_map(|attempt| self.block_of(&attempt.txid));
        let (wanted, height) =
            known.map_or_else(|| (hash.to_owned(), newest), |(hash, at)| (hash, at.unwrap_or(newest)));
        let asked = self.fetch_block(&wanted)?;
        let how = match asked {
            0 => "and bitcoind has no peer to bring it from: connect it",
            _ => "and a peer of bitcoind was asked for it",
        };
        Ok(Seen::Unreadable(format!("its coins are spent; block {height} is pruned, {how}")))
    }

    /// Has bitcoind bring a block from its peers; how many were asked.
    fn fetch_block(&self, hash: &str) -> Result<usize, Error> {
        #[derive(Deserialize)]
        struct Peer {
            id: u64,
        }
        let peers: Vec<Peer> = self.call("getpeerinfo", &[])?;
        let ask = |peer: &&Peer| self.call::<Value>("getblockfrompeer", &[json!(hash), json!(peer.id)]).is_ok();
        Ok(peers.iter().filter(ask).count())
    }

    /// A transaction that carries the same root as one of ours, as an attempt of the spend.
    fn adopted(&self, spend: &Spend, tx: &Transaction, height: u32) -> Option<Attempt> {
        let carries = |roots: &&Roots| {
            let root = roots.root();
            tx.output.iter().any(|output| {
                let mut pushes = output.script_pubkey.instructions().skip(1);
                output.script_pubkey.is_op_return()
                    && pushes.any(|push| {
                        push.is_ok_and(|push| push.push_bytes().is_some_and(|b| b.as_bytes().ends_with(&root)))
                    })
            })
        };
        let roots = spend.carried().find(carries)?.clone();
        let out: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        // With other coins beside ours nobody says what it pays; then it is known to be more.
        let same = tx.input.len() == spend.inputs().len();
        let fee = if same { spend.sum.saturating_sub(out) } else { spend.fee() };
        let signed = clock::seconds();
        Some(Attempt { tx: serialize(tx), txid: tx.compute_txid().to_string(), fee, roots, signed, height })
    }

    /// The wallet's own transactions in blocks that carry `magic` and a root, the oldest first. A missing wallet is not made.
    pub(super) fn anchors(&self, magic: &[u8]) -> Result<Vec<OnChain>, Error> {
        let tip = self.whole()?;
        if !self.load_wallet()? {
            return Err(Error::WalletGone(self.config().bitcoin.wallet.clone()));
        }
        let genesis = self.genesis()?;
        let mut found = BTreeMap::new();
        for page in 0..LISTED_PAGES {
            let (most, skip) = (json!(LISTED), json!(page * LISTED));
            let listed: Vec<Listed> = self.wallet("listtransactions", &[json!("*"), most, skip])?;
            let is_last = listed.len() < LISTED;
            for Listed { txid, category, blockhash, blockheight, time } in listed {
                if let ("send", Some(block), Some(height)) = (&*category, blockhash, blockheight) {
                    found.entry((height, txid)).or_insert((block, time));
                }
            }
            if is_last {
                break;
            }
        }
        let mut anchors = Vec::new();
        for ((height, txid), (block, time)) in found {
            let bytes: WalletBytes = self.wallet("gettransaction", &[json!(txid)])?;
            let tx: Transaction = decode("gettransaction", &bytes.hex)?;
            let Some(root) = tx.output.iter().find_map(|output| root_of(output.script_pubkey.as_bytes(), magic)) else {
                continue;
            };
            let inclusion = self.locate(&block, &txid)?;
            let network = self.config().bitcoin.network;
            let confirmations = (tip.height + 1).saturating_sub(height);
            let (tx, genesis) = (serialize(&tx), genesis.clone());
            anchors.push(OnChain { txid, tx, root, time, inclusion, network, genesis, confirmations });
        }
        Ok(anchors)
    }
}

/// The root behind `magic` in a script that is an OP_RETURN of one push.
fn root_of(script: &[u8], magic: &[u8]) -> Option<Digest> {
    let (op_return, rest) = script.split_first()?;
    let (length, pushed) = rest.split_first()?;
    let is_one = *op_return == OP_RETURN && usize::from(*length) == pushed.len();
    pushed.strip_prefix(magic).filter(|_| is_one)?.try_into().ok()
}

#[derive(Deserialize)]
struct Listed {
    txid: String,
    category: String,
    blockhash: Option<String>,
    blockheight: Option<u32>,
    time: u64,
}

#[derive(Deserialize)]
struct WalletBytes {
    hex: String,
}
