//! What the anchor says of itself, for programs and for people.

use super::{
    batch::{Batch, State},
    config::{Config, Mode, Network, Path},
};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::borrow::Cow;

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
    /// All of it, for people.
    pub sentence: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorBatch")]
pub struct BatchStatus {
    pub number: u64,
    /// batched, awaiting_funds, signed, broadcast, mined or final.
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
    pub(super) fn of(batch: &Batch, tip: Option<u32>) -> Self {
        let state = match &batch.state {
            State::Batched => "batched",
            State::AwaitingFunds(_) => "awaiting_funds",
            State::Signed(_) => "signed",
            State::Broadcast(_) => "broadcast",
            State::Mined(..) => "mined",
            State::Final(..) => "final",
        };
        let send_to = match &batch.state {
            State::AwaitingFunds(need) => Some((need.address.clone(), need.at_least)),
            _ => None,
        };
        Self {
            number: batch.number,
            state: state.into(),
            leaves: batch.leaves,
            created: at(batch.created),
            root: hex::encode(batch.root),
            txid: batch.attempt().map(|a| a.txid.clone()),
            fee: batch.attempt().map(|a| a.fee),
            height: batch.place().map(|p| p.height),
            confirmations: confirmations(batch, tip),
            send_to,
            note: batch.note.clone(),
        }
    }

    /// One batch in words.
    pub fn sentence(&self) -> String {
        let (number, leaves) = (self.number, self.leaves);
        let txid = self.txid.as_deref().unwrap_or_default();
        let mut text = match &*self.state {
            "batched" => format!("batch {number} ({leaves} items) is to be signed"),
            "awaiting_funds" => {
                let (address, sat) = self.send_to.clone().unwrap_or_default();
                format!("batch {number} ({leaves} items) awaits funds: send at least {sat} sat to {address}")
            }
            "signed" => format!("batch {number} ({leaves} items) is signed as {txid} and not yet with bitcoind"),
            "broadcast" => format!("batch {number} ({leaves} items) is in transaction {txid}, unconfirmed"),
            "mined" => format!(
                "batch {number} ({leaves} items) is in block {} with {} confirmation(s)",
                self.height.unwrap_or_default(),
                self.confirmations
            ),
            _ => format!("batch {number} ({leaves} items) is final in block {}", self.height.unwrap_or_default()),
        };
        if let Some(note) = &self.note {
            text.push_str(&format!(" ({note})"));
        }
        text
    }
}

/// Confirmations of a batch: as bitcoind said, and for a final one as the chain has grown since.
pub(super) fn confirmations(batch: &Batch, tip: Option<u32>) -> u32 {
    let grown = match (batch.place(), tip) {
        (Some(place), Some(tip)) => (tip + 1).saturating_sub(place.height),
        _ => 0,
    };
    grown.max(batch.confirmations)
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
