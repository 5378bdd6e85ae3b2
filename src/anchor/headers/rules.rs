//! The rules that a chain of headers keeps, checked one header after the other with no more in memory than they need:
//! links, proof of work, difficulty (2016 blocks; testnet4 with BIP 94), times. Not seen from headers: what is in the
//! blocks, and on signet its blocks' signatures.

use crate::anchor::config::Network;
use bitcoin::{BlockHash, CompactTarget, Target, Work, block::Header, consensus::Params, constants::genesis_block};
use std::collections::VecDeque;

/// Blocks of one difficulty.
const PERIOD: u32 = 2016;
/// A block is later than the median of so many before it.
const MEDIAN: usize = 11;
/// Seconds after which testnet4 lets a block have the least difficulty.
const IDLE: u32 = 20 * 60;
/// Seconds that the first block of a period may lie before the last of the one before it (BIP 94).
const BACK: u32 = 600;
/// Seconds that a block may be ahead of the clock.
const AHEAD: u64 = 2 * 60 * 60;
/// The one difficulty of regtest.
const REGTEST: u32 = 0x207f_ffff;

/// A block of mainnet that toft knows, so that headers need not begin with the first block. Its hash stands in Bitcoin
/// Core (`m_assumeutxo_data` of chainparams.cpp, from version 30), and the difficulty from block 911,232 on in Electrum's
/// checkpoints.json and in bitcoind's own answers of that time (0x17022b91, difficulty 129,699,156,960,680.9).
const MAINNET: Checkpoint = Checkpoint {
    height: 910_000,
    hash: "0000000000000000000108970acb9522ffd516eae17acddcb1bd16469194a821",
    next: 0x1702_2b91,
};

struct Checkpoint {
    height: u32,
    hash: &'static str,
    /// The difficulty of the period that begins after it: headers that begin here do not show when this one began.
    next: u32,
}

/// Which rule a header breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    #[error("it does not follow on the block before it (the link is another hash)")]
    Link,
    #[error("its hash is above its target: it has no proof of work")]
    Work,
    #[error("its difficulty is 0x{is:08x}; by the rules of {network:?} it is 0x{should:08x}")]
    Difficulty { network: Network, is: u32, should: u32 },
    #[error(
        "its difficulty 0x{0:08x} is less than the network allows, or more than four times another than the one before"
    )]
    Range(u32),
    #[error("its time is not after the median of the {MEDIAN} blocks before it")]
    Median,
    #[error("its time lies more than {BACK} seconds before the block before it (BIP 94)")]
    Back,
    #[error("its time is more than two hours ahead of this machine's clock")]
    Ahead,
    #[error("it is another block than the one that everybody has at this height ({0})")]
    Checkpoint(BlockHash),
    #[error("there are no such heights")]
    Height,
}

/// A chain of headers as far as it was checked.
#[derive(Debug)]
pub struct Chain {
    network: Network,
    params: Params,
    genesis: BlockHash,
    /// The clock, seconds since 1970.
    now: u64,
    /// Height of the next header.
    height: u32,
    last: Option<Header>,
    /// First header of the running period, if it was seen.
    first: Option<Header>,
    /// Difficulty of the running period without the exceptions of testnet4, if a header showed it.
    real: Option<CompactTarget>,
    times: VecDeque<u32>,
    /// The highest block that toft knows among them.
    known: Option<u32>,
    work: Work,
    /// Work from that block on.
    since: Work,
}

impl Chain {
    /// For headers from `height` on.
    pub fn new(network: Network, height: u32, now: u64) -> Self {
        let of = match network {
            Network::Mainnet => bitcoin::Network::Bitcoin,
            Network::Testnet4 => bitcoin::Network::Testnet4,
            Network::Signet => bitcoin::Network::Signet,
            Network::Regtest => bitcoin::Network::Regtest,
        };
        let none = Work::from_be_bytes([0; 32]);
        Self {
            network,
            params: Params::new(of),
            genesis: genesis_block(of).block_hash(),
            now,
            height,
            last: None,
            first: None,
            real: None,
            times: VecDeque::with_capacity(MEDIAN + 1),
            known: None,
            work: none,
            since: none,
        }
    }

    /// Where headers best begin: the highest block of the network that toft knows.
    pub fn start(network: Network) -> u32 {
        if network == Network::Mainnet { MAINNET.height } else { 0 }
    }

    /// Takes the next header, if it keeps the rules; its hash.
    pub fn take(&mut self, header: &Header) -> Result<BlockHash, Rule> {
        let (hash, height) = (header.block_hash(), self.height);
        if self.last.is_some_and(|last| last.block_hash() != header.prev_blockhash) {
            return Err(Rule::Link);
        }
        let checkpoint = self.checkpoint(height);
        if let Some(known) = checkpoint
            && known != hash
        {
            return Err(Rule::Checkpoint(known));
        }
        self.difficulty(header)?;
        if !header.target().is_met_by(hash) {
            return Err(Rule::Work);
        }
        self.time(header)?;

        self.height = height.checked_add(1).ok_or(Rule::Height)?;
        if height.is_multiple_of(PERIOD) {
            (self.first, self.real) = (Some(*header), Some(header.bits));
        } else if header.bits != self.limit() {
            self.real = Some(header.bits);
        }
        self.times.push_back(header.time);
        if self.times.len() > MEDIAN {
            self.times.pop_front();
        }
        if checkpoint.is_some() {
            (self.known, self.since) = (Some(height), Work::from_be_bytes([0; 32]));
        }
        self.work = self.work + header.work();
        self.since = self.since + header.work();
        self.last = Some(*header);
        Ok(hash)
    }

    /// Height and header of the last one taken.
    pub fn tip(&self) -> Option<(u32, Header)> {
        self.last.map(|last| (self.height - 1, last))
    }

    /// The highest block that toft knows among them: all of them are linked to it.
    pub fn known(&self) -> Option<u32> {
        self.known
    }

    /// Work of all of them.
    pub fn work(&self) -> Work {
        self.work
    }

    /// What decides between two chains: the highest block that toft knows, and the work from there on.
    pub fn weight(&self) -> (Option<u32>, Work) {
        (self.known, self.since)
    }

    fn checkpoint(&self, height: u32) -> Option<BlockHash> {
        match height {
            0 => Some(self.genesis),
            _ if self.network == Network::Mainnet && height == MAINNET.height => {
                Some(MAINNET.hash.parse().expect("a hash"))
            }
            _ => None,
        }
    }

    /// The least difficulty.
    fn limit(&self) -> CompactTarget {
        self.params.max_attainable_target.to_compact_lossy()
    }

    fn difficulty(&self, header: &Header) -> Result<(), Rule> {
        let bits = header.bits;
        let differs = |should: CompactTarget| {
            let (is, should) = (bits.to_consensus(), should.to_consensus());
            Err(Rule::Difficulty { network: self.network, is, should })
        };
        if self.network == Network::Regtest {
            let only = CompactTarget::from_consensus(REGTEST);
            return if bits == only { Ok(()) } else { differs(only) };
        }
        match self.expected(header) {
            Some(should) if should == bits => return Ok(()),
            Some(should) => return differs(should),
            None => {}
        }
        // Where the headers begin in the middle of a period, its rules bound what is not known.
        let target = header.target();
        let near = |before: CompactTarget| {
            let before = Target::from_compact(before);
            target >= before.min_transition_threshold() && target <= before.max_transition_threshold(&self.params)
        };
        let is_near = !self.height.is_multiple_of(PERIOD) || self.real.is_none_or(near);
        let in_range = target <= self.params.max_attainable_target && target > Target::ZERO;
        if in_range && is_near { Ok(()) } else { Err(Rule::Range(bits.to_consensus())) }
    }

    /// The difficulty of the next header; nothing if the headers that were seen do not show it.
    fn expected(&self, header: &Header) -> Option<CompactTarget> {
        let last = self.last?;
        if self.height.is_multiple_of(PERIOD) {
            let Some(first) = self.first else {
                let is_after = self.known == Some(MAINNET.height) && self.network == Network::Mainnet;
                return is_after.then(|| CompactTarget::from_consensus(MAINNET.next));
            };
            // BIP 94: the first block of a period has no exception.
            let before = if self.network == Network::Testnet4 { first.bits } else { last.bits };
            let took = last.time.saturating_sub(first.time);
            return Some(CompactTarget::from_next_work_required(before, took.into(), &self.params));
        }
        if self.network != Network::Testnet4 {
            return Some(last.bits);
        }
        if header.time > last.time.saturating_add(IDLE) { Some(self.limit()) } else { self.real }
    }

    fn time(&self, header: &Header) -> Result<(), Rule> {
        let mut times: Vec<u32> = self.times.iter().copied().collect();
        times.sort_unstable();
        // Short of eleven only the first blocks of a chain are.
        let is_whole = times.len() == MEDIAN || self.height as usize == times.len();
        if is_whole && times.get(times.len() / 2).is_some_and(|median| header.time <= *median) {
            return Err(Rule::Median);
        }
        if self.network == Network::Testnet4
            && self.height.is_multiple_of(PERIOD)
            && self.last.is_some_and(|last| header.time < last.time.saturating_sub(BACK))
        {
            return Err(Rule::Back);
        }
        if u64::from(header.time) > self.now.saturating_add(AHEAD) { Err(Rule::Ahead) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
