//! What is kept: assets, transfers, invoices, history entries; and what is wrong with one that was given.

use super::{amount::Amount, problem::Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// URI of the protocol (`protocols/rgb.json`).
pub const PROTOCOL: &str = "https://toft.invalid/protocols/rgb";
/// Coins that one transfer may spend.
pub const SPENDS_MAX: usize = 100;

const NAME_MAX: usize = 128;
const TEXT_MAX: usize = 5000;

/// Which rules the contract follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(rename = "RgbSchema")]
pub enum Schema {
    Nia,
    Uda,
    Cfa,
    Ifa,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "RgbNetwork")]
pub enum Network {
    Mainnet,
    Testnet4,
    Signet,
    Regtest,
}

/// An RGB asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbAsset")]
pub struct Asset {
    pub asset_id: String,
    pub schema: Schema,
    pub network: Network,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticker: Option<String>,
    pub name: String,
    /// Digits after the point, for people.
    pub precision: u8,
    pub issued_supply: Amount,
    /// CID of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
}

/// What else is known of an asset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbMetadata")]
pub struct Metadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// When the asset was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RgbMedia")]
pub struct Media {
    pub cid: String,
    /// Media type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What a transfer is, as seen by who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbTransferKind")]
pub enum Kind {
    /// Units that come into being with their owner.
    Issue,
    Send,
    /// Units that somebody sent who did not write to this node.
    Receive,
    Burn,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbTransferState")]
pub enum Status {
    #[default]
    WaitingCounterparty,
    WaitingConfirmations,
    Settled,
    Failed,
}

impl Status {
    /// May this follow it? What is settled stays so, and what has failed too: its coins are free for others.
    pub fn may_become(self, next: Self) -> bool {
        use Status::{Failed, Settled, WaitingConfirmations, WaitingCounterparty};
        match self {
            WaitingCounterparty => true,
            WaitingConfirmations => next != WaitingCounterparty,
            Settled => next == Settled,
            Failed => next == Failed,
        }
    }
}

/// Units that change hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbTransfer")]
pub struct Transfer {
    pub asset_id: String,
    pub kind: Kind,
    pub amount: Amount,
    #[serde(default)]
    pub status: Status,
    /// DID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// DID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// recordId of the invoice that it pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// Blinded seal or address of who gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<String>,
    /// Coins whose seals it closes, each as `txid:vout`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spends: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// CID of the consignment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consignment: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbInvoiceStatus")]
pub enum InvoiceStatus {
    #[default]
    Open,
    Paid,
    Expired,
    Cancelled,
}

/// What is to be paid, and to what seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbInvoice")]
pub struct Invoice {
    pub asset_id: String,
    /// The invoice's text, as wallets read it.
    pub invoice: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    #[serde(default)]
    pub status: InvoiceStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbHistoryKind")]
pub enum Happening {
    Issue,
    Send,
    Receive,
    Burn,
    Invoice,
}

/// What happened to an asset, as somebody noted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbHistoryEntry")]
pub struct HistoryEntry {
    pub asset_id: String,
    pub kind: Happening,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// recordId of the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// When it happened; now if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

impl Asset {
    pub fn check(&self) -> Result<(), Problem> {
        length("assetId", &self.asset_id, NAME_MAX)?;
        length("name", &self.name, 256)?;
        optional("ticker", self.ticker.as_deref(), 8)?;
        optional("contract", self.contract.as_deref(), 64)?;
        match self.precision {
            0..=18 => Ok(()),
            more => Err(Problem::usage(format!("precision is {more}, and at most 18"))),
        }
    }
}

impl Metadata {
    pub fn check(&self) -> Result<(), Problem> {
        for (name, text) in [("details", &self.details), ("terms", &self.terms)] {
            if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_MAX) {
                return Err(Problem::usage(format!("{name} has at most {TEXT_MAX} characters")));
            }
        }
        if let Some(media) = &self.media {
            length("media.cid", &media.cid, 64)?;
            length("media.type", &media.kind, 255)?;
        }
        date("timestamp", self.timestamp.as_deref())
    }
}

impl Transfer {
    pub fn check(&self) -> Result<(), Problem> {
        length("assetId", &self.asset_id, NAME_MAX)?;
        optional("invoice", self.invoice.as_deref(), NAME_MAX)?;
        optional("recipientId", self.recipient_id.as_deref(), 256)?;
        optional("consignment", self.consignment.as_deref(), 64)?;
        if self.amount == Amount(0) {
            return Err(Problem::usage("a transfer of nothing is none: give an amount above 0"));
        }
        for (name, did) in [("sender", &self.sender), ("receiver", &self.receiver)] {
            if did.as_ref().is_some_and(|did| !is_did(did)) {
                return Err(Problem::usage(format!("{name} is a DID, such as did:key:z6Mk…")));
            }
        }
        if self.spends.len() > SPENDS_MAX {
            return Err(Problem::usage(format!("one transfer spends at most {SPENDS_MAX} coins")));
        }
        if self.spends.iter().any(|coin| !is_outpoint(coin)) {
            return Err(Problem::usage("a coin is the txid (64 hexadecimal digits), a colon and a number: txid:vout"));
        }
        if self.spends.iter().collect::<BTreeSet<_>>().len() < self.spends.len() {
            return Err(Problem::usage("a transfer spends each of its coins once"));
        }
        txid(self.txid.as_deref())
    }
}

impl Invoice {
    pub fn check(&self) -> Result<(), Problem> {
        length("assetId", &self.asset_id, NAME_MAX)?;
        length("invoice", &self.invoice, TEXT_MAX)?;
        optional("recipientId", self.recipient_id.as_deref(), 256)?;
        if self.endpoints.len() > 20 || self.endpoints.iter().any(|it| it.is_empty() || it.len() > 2048) {
            return Err(Problem::usage("endpoints are at most 20 texts of at most 2048 bytes"));
        }
        if self.endpoints.iter().collect::<BTreeSet<_>>().len() < self.endpoints.len() {
            return Err(Problem::usage("each endpoint is named once"));
        }
        date("dateExpires", self.date_expires.as_deref())
    }
}

impl HistoryEntry {
    pub fn check(&self) -> Result<(), Problem> {
        length("assetId", &self.asset_id, NAME_MAX)?;
        optional("transfer", self.transfer.as_deref(), NAME_MAX)?;
        date("date", self.date.as_deref())?;
        txid(self.txid.as_deref())
    }
}

fn length(name: &str, text: &str, most: usize) -> Result<(), Problem> {
    match text.chars().count() {
        0 => Err(Problem::usage(format!("{name} is empty"))),
        length if length > most => Err(Problem::usage(format!("{name} has {length} characters, and at most {most}"))),
        _ => Ok(()),
    }
}

fn optional(name: &str, text: Option<&str>, most: usize) -> Result<(), Problem> {
    text.map_or(Ok(()), |text| length(name, text, most))
}

fn txid(text: Option<&str>) -> Result<(), Problem> {
    match text {
        Some(text) if !is_txid(text) => Err(Problem::usage("txid is 64 hexadecimal digits, in small letters")),
        _ => Ok(()),
    }
}

fn date(name: &str, text: Option<&str>) -> Result<(), Problem> {
    let is_good =
        |text: &str| (20..=27).contains(&text.len()) && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok();
    match text {
        Some(text) if !is_good(text) => {
            Err(Problem::usage(format!("{name} is a time in UTC, such as 2026-01-01T00:00:00.000000Z")))
        }
        _ => Ok(()),
    }
}

fn is_txid(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

fn is_outpoint(text: &str) -> bool {
    text.split_once(':').is_some_and(|(id, at)| {
        // As the output of a transaction is counted, and in one spelling.
        is_txid(id) && at.parse::<u32>().is_ok_and(|number| number.to_string() == at)
    })
}

fn is_did(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (scheme, method, rest) = (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    scheme == Some("did") && is_method && !rest.is_empty() && text.len() <= 2048
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What is read of the schema's own example is written as it stands there.
    #[test]
    fn the_examples_of_the_schemas_are_what_is_read_and_written() {
        fn same<T: Serialize + serde::de::DeserializeOwned>(schema: &str, check: fn(&T) -> Result<(), Problem>) {
            let schema: Value = serde_json::from_str(schema).expect("JSON");
            for example in schema["examples"].as_array().expect("examples") {
                let read: T = serde_json::from_value(example.clone()).expect("is read");
                check(&read).expect("is good");
                assert_eq!(serde_json::to_value(read).expect("JSON"), *example);
            }
        }
        same(include_str!("../../protocols/schemas/rgb/asset.json"), Asset::check);
        same(include_str!("../../protocols/schemas/rgb/transfer.json"), Transfer::check);
        same(include_str!("../../protocols/schemas/rgb/invoice.json"), Invoice::check);
        same(include_str!("../../protocols/schemas/rgb/history.json"), HistoryEntry::check);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let coin = "cd".repeat(32);
        let good = json!({"assetId": "a", "kind": "send", "amount": 1, "spends": [format!("{coin}:0")]});
        let with = |name: &str, value: Value| {
            let mut json = good.clone();
            json[name] = value;
            let read: Result<Transfer, _> = serde_json::from_value(json);
            read.map_err(|e| e.to_string()).and_then(|transfer| transfer.check().map_err(|e| e.to_string()))
        };
        assert_eq!(with("amount", json!("5")), Ok(()));
        for (name, value, said) in [
            ("amount", json!(0), "nothing"),
            ("amount", json!(1.5), "minor units"),
            ("spends", json!([format!("{coin}:01")]), "txid:vout"),
            ("spends", json!([format!("{coin}:4294967296")]), "txid:vout"),
            ("spends", json!([coin]), "txid:vout"),
            ("spends", json!([format!("{coin}:1"), format!("{coin}:1")]), "once"),
            ("spends", json!((0..101).map(|n| format!("{coin}:{n}")).collect::<Vec<_>>()), "at most 100"),
            ("txid", json!("abc"), "64"),
            ("sender", json!("alice"), "a DID"),
            ("assetId", json!(""), "empty"),
            ("assetId", json!("a".repeat(129)), "at most 128"),
            ("colour", json!("red"), "unknown field"),
        ] {
            let told = with(name, value).expect_err("wrong");
            assert!(told.contains(said), "{name}: {told}");
        }
    }

    #[test]
    fn what_is_over_does_not_begin_again() {
        use Status::{Failed, Settled, WaitingConfirmations, WaitingCounterparty};
        let all = [WaitingCounterparty, WaitingConfirmations, Settled, Failed];
        let may = all.map(|from| all.map(|to| from.may_become(to)));
        assert_eq!(
            may,
            [[true; 4], [false, true, true, true], [false, false, true, false], [false, false, false, true]]
        );
    }
}
