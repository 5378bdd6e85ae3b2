//! The own bitcoind as a witness to the blocks that calendars name. Where there is none, or it does not answer, that is no
//! trouble: what calendars say is then taken as it is.

use super::{
    chain::{Chain, Error, Tip},
    receipts::Fit,
};
use crate::cid::Digest;
use bitcoin::hashes::Hash as _;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long an answer is waited for: calendars, and whoever wants to anchor now, wait meanwhile.
const DEADLINE: Duration = Duration::from_secs(5);
/// Blocks above the end of a whole chain that may still be on their way to it.
const AHEAD: u64 = 6;

/// What a bitcoind knows, if there is one.
#[derive(Debug)]
pub(super) struct Witness {
    chain: Chain,
    /// Between two looks at the end of its chain.
    every: Duration,
    next: Instant,
    /// It answered when it was last asked.
    answers: bool,
    /// The end of its chain when it last answered.
    tip: Option<Tip>,
}

impl Witness {
    pub fn new(chain: Chain, every: Duration) -> Self {
        Self { chain, every, next: Instant::now(), answers: false, tip: None }
    }

    /// Looks at the end of the chain, if it did not a moment ago. Is it another than before?
    pub async fn look(&mut self) -> bool {
        if Instant::now() < self.next {
            return false;
        }
        let tip = self.ask(Chain::tip).await;
        self.next = Instant::now() + self.every;
        let Some(tip) = tip else { return false };
        let is_new = self.tip.as_ref().is_none_or(|before| before.block != tip.block);
        self.tip = Some(tip);
        is_new
    }

    /// Is anybody there?
    pub fn answers(&self) -> bool {
        self.answers
    }

    /// Height of the chain, if all of it is known.
    pub fn height(&self) -> Option<u32> {
        self.tip.as_ref().filter(|tip| !tip.is_syncing).map(|tip| tip.height)
    }

    /// Does the chain have these blocks (height and Merkle root)? Who did not answer a moment ago is not asked.
    pub async fn fit(&mut self, blocks: &[(u64, Digest)]) -> Fit {
        if blocks.is_empty() {
            return Fit::Yes;
        }
        if !self.answers {
            return Fit::Unknown;
        }
        let heights: Vec<u32> = blocks.iter().map(|(height, _)| u32::try_from(*height).unwrap_or(u32::MAX)).collect();
        let asked = self.ask(move |chain| {
            let is_whole = !chain.tip()?.is_syncing;
            Ok((is_whole, chain.headers_at(&heights)?))
        });
        let Some((is_whole, (end, headers))) = asked.await else { return Fit::Unknown };
        let mut all = Fit::Yes;
        for ((height, root), header) in blocks.iter().zip(headers) {
            match header {
                Some(header) if header.merkle_root.to_byte_array() == *root => {}
                Some(_) => return Fit::No(*height),
                None if is_whole && *height > u64::from(end) + AHEAD => return Fit::No(*height),
                None => all = Fit::Unknown,
            }
        }
        all
    }

    async fn ask<T, F>(&mut self, question: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce(&Chain) -> Result<T, Error> + Send + 'static,
    {
        let answer = timeout(DEADLINE, self.chain.run(question)).await.ok().and_then(Result::ok);
        self.answers = answer.is_some();
        answer
    }
}
