//! What the anchor says of itself, for programs and for people.

use super::{
    batch::{Batch, State, depth},
    config::{Config, Mode, Network, Path},
};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::borrow::Cow;

/// Bitcoin's blocks come this often in the long run.
const MINUTES_A_BLOCK: u32 = 10;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorStatus")]
pub struct Status {
    pub mode: Mode,
    pub network: Network,
    /// Messages and data that wait for the next batch.
    pub queued: usize,
    /// When the next batch is made of what waits.
    #[serde(serialize_with = "optional_text", deserialize_with = "optional_time")]
    #[schemars(with = "Option<String>")]
    pub next: Option<Timestamp>,
    /// The newest batches and all that are not final, oldest first.
    pub batches: Vec<BatchStatus>,
    /// Height of the chain when bitcoind was last asked.
    pub tip: Option<u32>,
    /// Why nothing moves, with what to do.
    pub problem: Option<String>,
    /// In the modes that pay: what was paid, and what is left.
    pub funds: Option<Funds>,
    /// All of it, for people.
    pub sentence: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorBatch")]
pub struct BatchStatus {
    pub number: u64,
    /// batched, submitted, awaiting_funds, awaiting_signature, fee_capped, signed, broadcast, conflicted, mined or final.
    pub state: Cow<'static, str>,
    pub leaves: u32,
    #[serde(serialize_with = "text", deserialize_with = "time")]
    #[schemars(with = "String")]
    pub created: Timestamp,
    pub root: String,
    pub txid: Option<String>,
    /// sat
    pub fee: Option<u64>,
    pub height: Option<u32>,
    pub confirmations: u32,
    /// Where to send how many sat, in state awaiting_funds.
    pub send_to: Option<(String, u64)>,
    pub note: Option<String>,
    /// The chain it is in, once there is a transaction.
    pub network: Option<Network>,
    /// The batch whose transaction carries it, if it is another.
    pub with: Option<u64>,
    /// The transaction that waits for a signature (base64, BIP 174).
    pub psbt: Option<String>,
}

/// What anchoring costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorFunds")]
pub struct Funds {
    /// sat of all anchors that are final.
    pub paid: u64,
    /// sat that were agreed to within the last 24 hours.
    pub paid_today: u64,
    /// sat in the wallet's confirmed coins, when it was last asked.
    pub balance: Option<u64>,
    /// How long they last at what the last 24 hours cost.
    pub days_left: Option<u64>,
}

impl Funds {
    pub(super) fn of(paid: u64, paid_today: u64, balance: Option<u64>) -> Self {
        let days_left = balance.and_then(|balance| balance.checked_div(paid_today));
        Self { paid, paid_today, balance, days_left }
    }

    pub(super) fn sentence(&self) -> String {
        let mut text = format!("cost so far {} sat", self.paid);
        if let Some(balance) = self.balance {
            text.push_str(&format!(", {balance} sat left"));
        }
        if let Some(days) = self.days_left {
            text.push_str(&format!(" (about {days} days)"));
        }
        text
    }
}

/// A transaction that waits for a signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorUnsigned")]
pub struct Waiting {
    pub batch: u64,
    /// Base64, as wallets exchange it (BIP 174).
    pub psbt: String,
    /// sat
    pub fee: u64,
}

/// How the proof of one record, message or data stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorStanding")]
pub struct Standing {
    /// queued, or the state of its batch.
    pub state: Cow<'static, str>,
    pub batch: Option<BatchStatus>,
    /// Until it is final, if blocks come every ten minutes.
    pub minutes: Option<u32>,
    /// It existed before this time, which the block's miner wrote; true to about two hours.
    #[serde(serialize_with = "optional_text", deserialize_with = "optional_time")]
    #[schemars(with = "Option<String>")]
    pub existed_before: Option<Timestamp>,
    /// For people.
    pub sentence: String,
}

impl Standing {
    pub(super) fn queued(sentence: String) -> Self {
        Self { state: "queued".into(), batch: None, minutes: None, existed_before: None, sentence }
    }

    /// A record proves it, whoever has anchored it. `time`: as below.
    pub(super) fn recorded(is_final: bool, time: Option<u32>, height: u32) -> Self {
        let existed_before = time.map(|time| at(time.into()));
        let before = existed_before.map(|time| format!("; existed before {time:.0} (true to about two hours)"));
        let before = before.unwrap_or_default();
        let (state, sentence) = match is_final {
            true => ("final", format!("final: a record proves it by block {height}{before}")),
            false => ("mined", format!("a record proves it by block {height}, which is not final{before}")),
        };
        Self { state: state.into(), batch: None, minutes: None, existed_before, sentence }
    }

    /// `time`: what its block's miner wrote, seconds since 1970; `last`: confirmations after which it is final.
    pub(super) fn of(batch: BatchStatus, time: Option<u32>, last: u32) -> Self {
        let existed_before = time.map(|time| at(time.into()));
        let before = existed_before.map(|time| format!("existed before {time:.0} (true to about two hours)"));
        let missing = last.saturating_sub(batch.confirmations);
        let minutes = (batch.state == "mined").then_some(missing * MINUTES_A_BLOCK);
        let sentence = match (&*batch.state, before, minutes) {
            ("mined", Some(before), Some(minutes)) => format!(
                "in batch {}, {} of {last} confirmations, about {minutes} minutes; {before}",
                batch.number, batch.confirmations
            ),
            ("final", Some(before), _) => {
                format!("final: in batch {}, {} confirmations; {before}", batch.number, batch.confirmations)
            }
            _ => batch.sentence(),
        };
        Self { state: batch.state.clone(), batch: Some(batch), minutes, existed_before, sentence }
    }
}

/// What "anchor now" came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorNow")]
pub struct Now {
    pub outcome: Outcome,
    pub batch: Option<u64>,
    pub txid: Option<String>,
    /// For people.
    pub sentence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorOutcome")]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Mode "off".
    Off,
    /// Everything is in a batch that is mined.
    Nothing,
    /// The transaction is with bitcoind.
    Sent,
    AwaitingFunds,
    /// The batch waits for something else: the sentence says for what.
    Waiting,
}

impl BatchStatus {
    /// `carrier`: the batch whose transaction carries it, if that is another.
    pub(super) fn of(batch: &Batch, carrier: Option<&Batch>, tip: Option<u32>) -> Self {
        let by = batch.told_by(carrier);
        let left_behind = carrier.filter(|carrier| by.number == batch.number && carrier.number != batch.number).map(|carrier| {
            format!("the transaction of batch {} came into a block without it: it gets one of its own when that is buried", carrier.number)
        });
        let state = match &by.state {
            State::Batched if by.handed => "submitted",
            State::Batched | State::Riding(_) => "batched",
            State::AwaitingFunds(_) => "awaiting_funds",
            State::FeeCapped(_) => "fee_capped",
            State::Open(spend) if spend.attempts.is_empty() => "awaiting_signature",
            State::Open(_) if by.capped.is_some() => "fee_capped",
            State::Open(spend) if !spend.sent => "signed",
            State::Open(_) => "broadcast",
            State::Conflicted(..) => "conflicted",
            State::Mined(..) => "mined",
            State::Final(..) | State::Attested(_) => "final",
        };
        let attested = match by.state {
            State::Attested(height) => Some(height),
            _ => None,
        };
        let send_to = match &batch.state {
            State::AwaitingFunds(need) => Some((need.address.clone(), need.at_least)),
            _ => None,
        };
        let capped = match &by.state {
            State::FeeCapped(capped) => Some(capped),
            _ => by.capped.as_ref(),
        };
        let note = left_behind
            .or_else(|| by.note.clone())
            .or_else(|| batch.note.clone())
            .or_else(|| capped.map(ToString::to_string));
        Self {
            number: batch.number,
            state: state.into(),
            leaves: batch.leaves,
            created: at(batch.created),
            root: hex::encode(batch.root),
            txid: by.attempt().map(|a| a.txid.clone()),
            fee: by.attempt().map(|a| a.fee).or_else(|| by.unsigned().map(|unsigned| unsigned.fee)),
            height: by.place().map(|p| p.height).or(attested),
            confirmations: confirmations(by, tip),
            send_to,
            note,
            network: by.spend().map(|spend| spend.network),
            with: carrier.map(|carrier| carrier.number),
            psbt: by.unsigned().map(|unsigned| unsigned.psbt.clone()),
        }
    }

    /// One batch in words.
    pub fn sentence(&self) -> String {
        let (number, leaves) = (self.number, self.leaves);
        let txid = self.txid.as_deref().unwrap_or_default();
        let mut text = match &*self.state {
            "batched" => format!("batch {number} ({leaves} items) is made and not on its way yet"),
            "submitted" => format!("batch {number} ({leaves} items) is with calendars"),
            "awaiting_funds" => {
                let (address, sat) = self.send_to.clone().unwrap_or_default();
                format!("batch {number} ({leaves} items) awaits funds: send at least {sat} sat to {address}")
            }
            "signed" => format!("batch {number} ({leaves} items) is signed as {txid} and not yet with bitcoind"),
            "awaiting_signature" => format!(
                "batch {number} ({leaves} items) waits for your signature (toft anchor psbt export {} -o FILE, sign it, toft \
                 anchor psbt import FILE)",
                self.with.unwrap_or(number)
            ),
            "fee_capped" if txid.is_empty() => format!("batch {number} ({leaves} items) is not signed"),
            "conflicted" => format!("batch {number} ({leaves} items) lost its coins to another transaction"),
            "broadcast" | "fee_capped" => {
                format!("batch {number} ({leaves} items) is in transaction {txid}, unconfirmed")
            }
            "mined" => format!(
                "batch {number} ({leaves} items) is in block {} with {} confirmation(s)",
                self.height.unwrap_or_default(),
                self.confirmations
            ),
            _ => format!("batch {number} ({leaves} items) is final in block {}", self.height.unwrap_or_default()),
        };
        if self.psbt.is_some() && self.state != "awaiting_signature" {
            text.push_str("; one that pays more waits for your signature");
        }
        if let Some(note) = &self.note {
            text.push_str(&format!(" ({note})"));
        }
        text
    }
}

/// Confirmations of a block at this height: one at least, whoever has said that it is there.
pub(super) fn on_top(height: u32, tip: Option<u32>) -> u32 {
    tip.map_or(1, |tip| tip.saturating_add(1).saturating_sub(height).max(1))
}

/// Confirmations of a batch: as bitcoind said, and for a final one as the chain has grown since.
pub(super) fn confirmations(batch: &Batch, tip: Option<u32>) -> u32 {
    if let State::Attested(height) = batch.state {
        return on_top(height, tip);
    }
    let grown = match (batch.place(), tip) {
        (Some(place), Some(tip)) => depth(tip, place.height),
        _ => 0,
    };
    if batch.place().is_some() { grown.max(batch.depth) } else { 0 }
}

/// The whole in one sentence.
pub(super) fn sentence(
    config: &Config,
    queued: usize,
    next: Option<Timestamp>,
    batches: &[BatchStatus],
    problem: Option<&str>,
) -> String {
    let waiting = match queued {
        0 => String::new(),
        n => format!(", {n} items wait"),
    };
    let when = next.filter(|_| queued > 0).map(|t| format!(", anchored at {t:.0}")).unwrap_or_default();
    let bitcoin = &config.bitcoin;
    let (every, wallet, chain) = (config.every, &bitcoin.wallet, bitcoin.network.chain());
    let mut parts = vec![match (config.path(), config.mode) {
        (Some(Path::Calendars), _) => format!("every {every} by OpenTimestamps calendars{waiting}{when}"),
        (Some(Path::Wallet), _) => format!("every {every} from wallet \"{wallet}\" ({chain}){waiting}{when}"),
        (Some(Path::Psbt), _) => {
            format!("every {every} from wallet \"{wallet}\" ({chain}), signed by you{waiting}{when}")
        }
        (None, Mode::Wallet) => format!("off{waiting}: {}", config.warning().unwrap_or_default()),
        (None, Mode::Auto) => {
            format!("off{waiting} (anchor.calendar.consent = true has OpenTimestamps calendars asked, for nothing)")
        }
        (None, _) => format!("off{waiting} (anchor.mode)"),
    }];
    parts.extend(batches.iter().filter(|b| b.state != "final").map(BatchStatus::sentence));
    parts.extend(problem.map(str::to_owned));
    parts.join("; ")
}

pub(super) fn at(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::MAX)
}

fn text<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

fn optional_text<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(time),
        None => to.serialize_none(),
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn optional_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Option::<String>::deserialize(from)?.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}
