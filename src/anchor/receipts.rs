//! What calendars were asked about one batch and what they said, as a pure state machine: answers in, questions out.
//!
//! ```text
//! waiting ──► pending ──► complete ──► found in the chain
//!    ▲           ▲            │
//!    └───────────┴────────────┘ what the chain contradicts is taken back
//! ```
//!
//! A calendar gets `sha256(root ‖ nonce)` and nothing else. What it answers are operations that lead on from there: first
//! to its promise to know more (a pending attestation), later to the Merkle root of a Bitcoin block. Operations cannot
//! lie about where they lead: we compute that. All that a calendar can do is to send nothing, nonsense, a promise of
//! somebody else's, or a block that the chain does not have; each is refused with a sentence and asked for again later.
//! What several calendars say is kept side by side.
//!
//! Nothing here reads a clock or is random: both come from outside.

use super::{
    ots::{Attestation, Op, Stamp},
    promise::{blocks, bounded, graft, keep, promises, transaction, without_kept_promises},
    tree::Nonce,
};
use crate::cid::{self, Digest};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// First byte of what is stored: raised when the encoding changes.
const VERSION: u8 = 1;
/// Bytes of an answer. The stock client (opentimestamps 0.4.5) takes as many.
pub(super) const ANSWER_MAX: usize = 10_000;
/// Bytes of all that one calendar said of one batch.
const SAID_MAX: usize = 64 << 10;
/// For how long a calendar that does not keep its promise is asked, if enough others have kept theirs.
pub(super) const PATIENCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What calendars have said of one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Receipts {
    #[serde(with = "serde_bytes")]
    root: Digest,
    #[serde(with = "serde_bytes")]
    nonce: Nonce,
    /// When the first was asked, milliseconds since 1970.
    since: u64,
    list: Vec<Receipt>,
}

/// What one of them has said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Receipt {
    /// The calendar's, as the settings have it.
    url: String,
    /// Its operations from our commitment on, as [`Stamp::bytes`] writes them; empty: it has none yet.
    #[serde(with = "serde_bytes")]
    said: Vec<u8>,
    /// Every Bitcoin block it names was found in the chain.
    found: bool,
    /// Questions in a row that brought nothing new.
    tries: u32,
    /// When it is asked again, milliseconds since 1970.
    next: u64,
    trouble: Option<Trouble>,
    #[serde(skip)]
    known: Known,
}

/// Where a calendar's operations lead, computed when they change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Known {
    /// It has taken the commitment.
    has_taken: bool,
    /// Height and Merkle root of blocks.
    blocks: Vec<(u64, Digest)>,
    /// Promises that are not kept yet: the commitment, and whom to ask about it.
    promises: Vec<(Vec<u8>, String)>,
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Trouble {
    /// It gives no answer.
    Away(String),
    /// It gives answers that are none.
    Refused(String),
}

/// How long to wait between questions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// After the first one that brought nothing; doubled each time.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

impl Pace {
    /// `jitter`, from 0 to 1, spreads those who were away together.
    fn wait(self, tries: u32, jitter: f64) -> u64 {
        let doubled = self.first.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX)).min(self.most);
        doubled.mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 2.0).as_millis() as u64
    }
}

/// A question to a calendar, or to the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// Take this digest.
    Submit { url: String, digest: Digest },
    /// What came of this commitment? Asked of `uri`, which vouched for it in what the calendar `url` said.
    Upgrade { url: String, uri: String, commitment: Vec<u8> },
    /// Does the chain have these blocks (height and Merkle root), which the calendar `url` names?
    Look { url: String, blocks: Vec<(u64, Digest)> },
}

impl Ask {
    /// Of which calendar of the settings it is.
    fn url(&self) -> &str {
        match self {
            Self::Submit { url, .. } | Self::Upgrade { url, .. } | Self::Look { url, .. } => url,
        }
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Operations that were read, and whether the chain has the blocks that they lead to.
    Took(Reading, Fit),
    /// The commitment is known, or will be, and there is nothing new.
    NotYet,
    /// No answer, and why.
    Away(String),
    /// An answer that is none, and why.
    Refused(String),
    /// Of the chain.
    Looked(Fit),
}

/// Does the chain have what a calendar says?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    /// The block at this height has another Merkle root, or there is none.
    No(u64),
    /// There is nobody to ask, or who was asked is not that far.
    Unknown,
}

/// A calendar's answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    stamp: Stamp,
    /// Height and Merkle root of the blocks it leads to.
    pub blocks: Vec<(u64, Digest)>,
}

/// How a batch stands with the calendars.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Calendars that have not taken the root yet.
    pub waiting: usize,
    /// Those that have taken it and promise more.
    pub pending: usize,
    /// Those that have brought it into a Bitcoin block.
    pub complete: usize,
    /// Of these, those whose blocks were found in the chain.
    pub found: usize,
    /// What stands in the way, for people: a sentence for each calendar.
    pub troubles: Vec<String>,
}

impl Standing {
    /// Calendars that have taken the root.
    pub fn taken(&self) -> usize {
        self.pending + self.complete
    }

    /// In words.
    pub fn sentence(&self) -> String {
        let all = self.waiting + self.taken();
        let mut text = match (self.taken(), self.complete) {
            (0, _) => format!("none of {all} calendars has taken it yet; they are asked again"),
            (taken, 0) => format!("{taken} of {all} calendars have taken it; each anchors within hours"),
            (_, complete) => format!("{complete} of {all} calendars have brought it into Bitcoin"),
        };
        for trouble in &self.troubles {
            text += &format!("; {trouble}");
        }
        text
    }
}

impl Receipts {
    pub fn new(root: Digest, nonce: Nonce, now: u64) -> Self {
        Self { root, nonce, since: now, list: Vec::new() }
    }

    pub fn root(&self) -> &Digest {
        &self.root
    }

    /// What calendars get to see.
    pub fn commitment(&self) -> Digest {
        cid::digest(&[self.root.as_slice(), &self.nonce].concat())
    }

    /// The calendars of the settings; those that are new are asked from now on. Was there a new one?
    pub fn know(&mut self, urls: &[String]) -> bool {
        let before = self.list.len();
        for url in urls {
            if !self.list.iter().any(|receipt| receipt.url == *url) {
                let (said, url) = (Vec::new(), url.clone());
                let (trouble, known) = (None, Known::default());
                self.list.push(Receipt { url, said, found: false, tries: 0, next: 0, trouble, known });
            }
        }
        self.list.len() > before
    }

    /// What is to be asked now. `known`: may this address be asked? `min` calendars that are done are enough.
    pub fn asks(&self, now: u64, min: u32, known: impl Fn(&str) -> bool) -> Vec<Ask> {
        self.open(now, min, &known).into_iter().filter(|(next, _)| *next <= now).map(|(_, ask)| ask).collect()
    }

    /// When something is to be asked next, milliseconds since 1970; nothing: never again.
    pub fn next(&self, now: u64, min: u32, known: impl Fn(&str) -> bool) -> Option<u64> {
        self.open(now, min, &known).into_iter().map(|(next, _)| next).min()
    }

    fn open(&self, now: u64, min: u32, known: &impl Fn(&str) -> bool) -> Vec<(u64, Ask)> {
        let commitment = self.commitment();
        let settled = self.list.iter().filter(|receipt| !receipt.known.blocks.is_empty()).count() >= min as usize;
        let late = settled && now.saturating_sub(self.since) > PATIENCE.as_millis() as u64;
        let mut open = Vec::new();
        for receipt in &self.list {
            let (url, next) = (receipt.url.clone(), receipt.next);
            if !receipt.known.has_taken {
                if !settled && known(&url) {
                    open.push((next, Ask::Submit { url, digest: commitment }));
                }
                continue;
            }
            for (commitment, uri) in &receipt.known.promises {
                if !late && known(uri) {
                    let (uri, commitment) = (uri.clone(), commitment.clone());
                    open.push((next, Ask::Upgrade { url: url.clone(), uri, commitment }));
                }
            }
            let blocks = receipt.known.blocks.clone();
            if !receipt.found && !blocks.is_empty() {
                open.push((next, Ask::Look { url, blocks }));
            }
        }
        open
    }

    /// Reads an answer: does it lead from what was asked about to anything, and only to whom we may ask? `known`: is
    /// this address one of the calendar's own, or of another calendar of the settings?
    pub fn read(ask: &Ask, bytes: &[u8], known: impl Fn(&str) -> bool) -> Result<Reading, String> {
        let message = match ask {
            Ask::Submit { digest, .. } => digest.as_slice(),
            Ask::Upgrade { commitment, .. } => commitment,
            Ask::Look { .. } => return Err("nothing was asked of it".into()),
        };
        if bytes.len() > ANSWER_MAX {
            return Err(format!("its answer is longer than {ANSWER_MAX} bytes"));
        }
        let stamp =
            Stamp::read(message, bytes).map_err(|error| format!("its answer is no OpenTimestamps proof: {error}"))?;
        bounded(&stamp, message.len())?;
        for (_, attestation) in stamp.attestations(message) {
            if let Attestation::Pending(uri) = attestation
                && !known(uri)
            {
                return Err(format!("it points to another calendar, {uri}, which is not in anchor.calendar.urls"));
            }
        }
        let blocks = blocks(&stamp, message);
        let promised = matches!(ask, Ask::Submit { .. }) && !promises(&stamp, message).is_empty();
        if blocks.is_empty() && !promised {
            return Err("its answer promises nothing: there is no attestation in it that anybody could check".into());
        }
        Ok(Reading { stamp, blocks })
    }

    /// What an answer changes. Was there something new in it?
    pub fn on(&mut self, ask: &Ask, answer: Answer, now: u64, pace: Pace, jitter: f64) -> bool {
        let commitment = self.commitment();
        let Some(receipt) = self.list.iter_mut().find(|receipt| receipt.url == ask.url()) else { return false };
        let before = receipt.clone();
        let wait = pace.wait(receipt.tries, jitter);
        match answer {
            Answer::Took(_, Fit::No(height)) => receipt.trouble = Some(Trouble::Refused(contradicted(height))),
            Answer::Took(reading, fit) => match receipt.with(ask, &commitment, &reading.stamp) {
                Ok(said) => {
                    let new = receipt.said != said;
                    receipt.trouble = None;
                    receipt.said = said;
                    receipt.know(&commitment);
                    // one look is for all blocks it names, so new ones are looked for unless they are all there are
                    if new && !reading.blocks.is_empty() {
                        let all = receipt.known.blocks.len();
                        receipt.found = fit == Fit::Yes && (receipt.found || all == reading.blocks.len());
                    }
                    if new {
                        receipt.tries = 0;
                        receipt.next = now.saturating_add(pace.wait(0, jitter));
                        return *receipt != before;
                    }
                }
                Err(why) => receipt.trouble = Some(Trouble::Refused(why)),
            },
            Answer::Looked(Fit::Yes) => {
                receipt.found = true;
                receipt.trouble = None;
            }
            Answer::Looked(Fit::No(height)) => {
                receipt.found = false;
                receipt.forget_blocks(&commitment);
                receipt.trouble = Some(Trouble::Refused(contradicted(height)));
            }
            Answer::Looked(Fit::Unknown) => {}
            Answer::NotYet => receipt.trouble = None,
            Answer::Away(why) => receipt.trouble = Some(Trouble::Away(why)),
            Answer::Refused(why) => receipt.trouble = Some(Trouble::Refused(why)),
        }
        receipt.tries = receipt.tries.saturating_add(1);
        receipt.next = now.saturating_add(wait);
        let said = |receipt: &Receipt| (receipt.said.clone(), receipt.found, receipt.trouble.clone());
        said(receipt) != said(&before)
    }

    /// Nothing is waited for any more: it is asked at once.
    pub fn hurry(&mut self) {
        self.list.iter_mut().for_each(|receipt| receipt.next = 0);
    }

    /// The blocks are looked for in the chain again: the tip has changed.
    pub fn doubt(&mut self, now: u64) {
        for receipt in &mut self.list {
            if receipt.found {
                (receipt.found, receipt.next) = (false, now);
            }
        }
    }

    /// The operations from the batch's root to every attestation that is worth something: a promise that was kept is left
    /// out, so that nobody who checks the proof asks a calendar. Nothing, as long as no calendar has answered.
    pub fn stamp(&self) -> Option<Stamp> {
        let mut all = Stamp::default();
        self.stamps().for_each(|(_, stamp)| all.join(stamp));
        (!all.0.is_empty()).then_some(all)
    }

    /// As [`Receipts::stamp`], of each calendar that has answered, with its address.
    pub fn stamps(&self) -> impl Iterator<Item = (&str, Stamp)> {
        let commitment = self.commitment();
        let to_commitment = [Op::Append(self.nonce.to_vec()), Op::Sha256];
        self.list.iter().filter_map(move |receipt| {
            let stamp = without_kept_promises(receipt.stamp(&commitment)?);
            let is_any = !stamp.0.is_empty();
            is_any.then(|| (receipt.url.as_str(), stamp.after(to_commitment.clone().into_iter())))
        })
    }

    /// Height and Merkle root of all blocks that calendars brought the root into.
    pub fn blocks(&self) -> Vec<(u64, Digest)> {
        let mut all: Vec<_> = self.list.iter().flat_map(|receipt| receipt.known.blocks.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The id of the first transaction on the way to a block, as people write it.
    pub fn transaction(&self) -> Option<String> {
        transaction(&self.stamp()?, &self.root)
    }

    pub fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        for receipt in &self.list {
            match (receipt.known.has_taken, receipt.known.blocks.as_slice()) {
                (false, _) => standing.waiting += 1,
                (true, []) => standing.pending += 1,
                (true, _) => standing.complete += 1,
            }
            standing.found += usize::from(receipt.found);
            standing.troubles.extend(receipt.trouble.as_ref().map(|trouble| match trouble {
                Trouble::Away(why) => format!("{} gives no answer ({why}); it is asked again", receipt.url),
                Trouble::Refused(why) => format!("{} is not believed: {why}", receipt.url),
            }));
        }
        standing
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        serde_ipld_dagcbor::to_writer(&mut bytes, self).expect("receipts hold only what DAG-CBOR can say");
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                let mut read: Self = serde_ipld_dagcbor::from_slice(rest).map_err(|e| e.to_string())?;
                let commitment = read.commitment();
                read.list.iter_mut().for_each(|receipt| receipt.know(&commitment));
                Ok(read)
            }
            Some((version, _)) => Err(format!("version {version} is not known to this toft")),
            None => Err("it is empty".into()),
        }
    }
}

impl Receipt {
    fn stamp(&self, commitment: &Digest) -> Option<Stamp> {
        Stamp::read(commitment, &self.said).ok()
    }

    /// Computes where it leads.
    fn know(&mut self, commitment: &Digest) {
        self.known = self.stamp(commitment).map_or_else(Known::default, |stamp| Known {
            has_taken: true,
            blocks: blocks(&stamp, commitment),
            promises: promises(&stamp, commitment),
        });
    }

    /// What it has said, with `more` about what was asked.
    fn with(&self, ask: &Ask, commitment: &Digest, more: &Stamp) -> Result<Vec<u8>, String> {
        let mut all = self.stamp(commitment).unwrap_or_default();
        let at = match ask {
            Ask::Upgrade { commitment, .. } => commitment.as_slice(),
            Ask::Submit { .. } | Ask::Look { .. } => commitment,
        };
        graft(&mut all, commitment, at, more);
        bounded(&all, commitment.len())?;
        let bytes = all.bytes();
        let fits = bytes.len() <= SAID_MAX && Stamp::read(commitment, &bytes).is_ok();
        if fits { Ok(bytes) } else { Err("all that it has said is longer than a proof may be".into()) }
    }

    fn forget_blocks(&mut self, commitment: &Digest) {
        let rest = self.stamp(commitment).map(|stamp| keep(stamp, |a| !matches!(a, Attestation::Bitcoin(_))));
        self.said = rest.filter(|stamp| !stamp.0.is_empty()).map(|stamp| stamp.bytes()).unwrap_or_default();
        self.know(commitment);
    }
}

fn contradicted(height: u64) -> String {
    format!(
        "it says that block {height} holds the batch; in your bitcoind's chain it does not, or there is no such block"
    )
}

#[cfg(test)]
mod tests;
