//! Time proofs in Bitcoin: `anchor.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::{
    anchor::{self, Origin, ProofError, Refused, config::Network},
    cid,
    crypto::Locked,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::collections::BTreeSet;

/// Names in an answer, if nobody says how many.
const NAMES: usize = 100;

pub const METHODS: &[Entry] = &[
    Entry::of::<Now>(),
    Entry::of::<Status>(),
    Entry::of::<Standing>(),
    Entry::of::<Unsigned>(),
    Entry::of::<Signed>(),
    Entry::of::<Proof>(),
    Entry::of::<Audit>(),
    Entry::of::<Stamp>(),
    Entry::of::<Rebuild>(),
];

#[derive(Debug)]
pub struct Now;

impl Method for Now {
    const NAME: &'static str = "anchor.now";
    const SUMMARY: &'static str = "Anchor everything new, without waiting for its time.";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "now",
        params: "{}",
        result: r#"{"outcome": "off", "batch": null, "txid": null, "sentence": "anchoring is off"}"#,
    }];
    type Params = NoParams;
    type Result = anchor::Now;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<anchor::Now, Failure> {
        Ok(call.anchor.now().await?)
    }
}

#[derive(Debug)]
pub struct Status;

impl Method for Status {
    const NAME: &'static str = "anchor.status";
    const SUMMARY: &'static str = "Say what is queued, on its way and confirmed.";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "how it stands",
        params: "{}",
        result: r#"{"mode": "wallet", "network": "regtest", "queued": 3, "next": "2026-11-21T09:00:00.5Z", "batches": [{"number": 1, "state": "awaiting_funds", "leaves": 2, "created": "2026-11-21T09:00:00Z", "root": "00", "txid": null, "fee": null, "height": null, "confirmations": 0, "send_to": ["bcrt1", 700], "note": null, "network": null, "with": null, "psbt": null}], "tip": 7, "problem": null, "funds": {"paid": 314, "paid_today": 157, "balance": 100000, "days_left": 636}, "sentence": "3 messages wait for the next batch"}"#,
    }];
    type Params = NoParams;
    type Result = anchor::Status;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<anchor::Status, Failure> {
        Ok(call.anchor.status().await?)
    }
}

#[derive(Debug)]
pub struct Standing;

impl Method for Standing {
    const NAME: &'static str = "anchor.standing";
    const SUMMARY: &'static str = "Say how the proof of one record, message or data stands.";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of a record",
        params: r#"{"id": "$record"}"#,
        result: r#"{"state": "queued", "batch": null, "minutes": null, "existed_before": null, "sentence": "it is queued"}"#,
    }];
    type Params = Asked;
    type Result = anchor::Standing;

    async fn run(call: &Call, Asked { id }: Asked) -> Result<anchor::Standing, Failure> {
        call.anchor.believe(owners(call));
        call.anchor.standing(&id).await.map_err(refused)
    }
}

#[derive(Debug)]
pub struct Unsigned;

impl Method for Unsigned {
    const NAME: &'static str = "anchor.unsigned";
    const SUMMARY: &'static str = "Give the transaction of a batch that waits for a signature, in mode \"psbt\".";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of batch 1",
        params: r#"{"batch": 1}"#,
        result: r#"{"batch": 1, "psbt": "cHNidP8=", "fee": 157}"#,
    }];
    type Params = Batch;
    type Result = anchor::Waiting;

    async fn run(call: &Call, Batch { batch }: Batch) -> Result<anchor::Waiting, Failure> {
        call.anchor.export(batch).await?.map_err(|why| Failure::new(Kind::NotFound, why))
    }
}

#[derive(Debug)]
pub struct Signed;

impl Method for Signed {
    const NAME: &'static str = "anchor.signed";
    const SUMMARY: &'static str = "Take back a transaction that was signed elsewhere, and send it.";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of batch 1",
        params: r#"{"psbt": "cHNidP8="}"#,
        result: r#"{"number": 1, "state": "broadcast", "leaves": 2, "created": "2026-11-21T09:00:00Z", "root": "00", "txid": "00", "fee": 157, "height": null, "confirmations": 0, "send_to": null, "note": null, "network": "regtest", "with": null, "psbt": null}"#,
    }];
    type Params = Psbt;
    type Result = anchor::BatchStatus;

    async fn run(call: &Call, Psbt { psbt }: Psbt) -> Result<anchor::BatchStatus, Failure> {
        call.anchor.import(psbt).await?.map_err(|why| Failure::new(Kind::Failed, why))
    }
}

/// Whose proof is meant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AnchorAsked")]
pub struct Asked {
    /// recordId, message CID or data CID.
    pub id: String,
}

/// Which batch is meant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    pub batch: u64,
}

/// A partially signed transaction.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Psbt {
    /// Base64, as wallets exchange it (BIP 174).
    pub psbt: String,
}

#[derive(Debug)]
pub struct Proof;

impl Method for Proof {
    const NAME: &'static str = "anchor.proof";
    const SUMMARY: &'static str = "Make the OpenTimestamps proof of a record, a message or data.";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[Kind::NotFound, Kind::Pending];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of a record",
        params: r#"{"id": "$record"}"#,
        result: r#"{"ots": "AAE=", "stamped": null, "cid": "$data", "network": "mainnet", "txid": "00", "height": 1, "confirmations": 6, "final": true}"#,
    }];
    type Params = Proven;
    type Result = Made;

    async fn run(call: &Call, Proven { id, first }: Proven) -> Result<Made, Failure> {
        call.anchor.believe(owners(call));
        let proof = if first { call.anchor.first_proof(&id).await } else { call.anchor.proof(&id).await };
        let proof = proof.map_err(refused)?;
        Ok(Made {
            ots: Base64(proof.ots),
            stamped: proof.stamped.map(|bytes| Base64(bytes.into())),
            cid: proof.cid.to_string(),
            network: proof.network,
            txid: proof.txid,
            height: proof.height,
            confirmations: proof.confirmations,
            is_final: proof.finished,
        })
    }
}

#[derive(Debug)]
pub struct Rebuild;

impl Method for Rebuild {
    const NAME: &'static str = "anchor.rebuild";
    const SUMMARY: &'static str =
        "Find lost proofs again: in records, in the log and in the chain. What has none then waits for a batch.";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[Kind::Locked];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "after a restored backup",
        params: "{}",
        result: r#"{"from_records": 12, "from_chain": 1, "in_records": 40, "queued": 3, "unexplained": [], "problem": null, "sentence": "13 batches found again"}"#,
    }];
    type Params = NoParams;
    type Result = anchor::Rebuilt;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<anchor::Rebuilt, Failure> {
        if call.anchor.is_locked() {
            return Err(Failure::new(Kind::Locked, Locked.to_string()));
        }
        call.anchor.believe(owners(call));
        Ok(call.anchor.rebuild().await?)
    }
}

/// Tenants whose records are the owner's: of this node's identities, and of those whose key is on another device of his.
pub(super) fn owners(call: &Call) -> BTreeSet<String> {
    let peers = call.sync.peers().into_iter().map(|status| status.peer).filter(|peer| peer.friend.is_none());
    call.identities.dids().into_iter().chain(peers.flat_map(|peer| peer.tenants)).collect()
}

fn refused(why: ProofError) -> Failure {
    let kind = match &why {
        ProofError::Unknown(_) => Kind::NotFound,
        ProofError::Pending(_) => Kind::Pending,
        ProofError::Fault(_) => Kind::Failed,
    };
    Failure::new(kind, why.to_string())
}

#[derive(Debug)]
pub struct Audit;

impl Method for Audit {
    const NAME: &'static str = "anchor.audit";
    const SUMMARY: &'static str =
        "Say of all messages, data and files how many are queued, pending, proven and broken, and which ones.";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all of it",
        params: r#"{"names": 10}"#,
        result: r#"{"messages": {"eligible": 2, "queued": 1, "pending": 0, "mined": 0, "final": 1, "broken": 0}, "data": {"eligible": 0, "queued": 0, "pending": 0, "mined": 0, "final": 0, "broken": 0}, "files": {"eligible": 0, "queued": 0, "pending": 0, "mined": 0, "final": 0, "broken": 0}, "unhashed": 0, "gone": 0, "batches": 1, "roots_checked": true, "broken_batches": [], "broken": [], "waiting": [{"cid": "$record", "kind": "message", "state": "queued", "batch": null, "why": null}], "more": null, "sentence": "50.0 %: 1 of 2 messages, data and files have a proof in a block; 1 wait for a batch"}"#,
    }];
    type Params = Audited;
    type Result = anchor::Audited;

    async fn run(call: &Call, Audited { from, names }: Audited) -> Result<anchor::Audited, Failure> {
        let names = names.map_or(NAMES, |names| names as usize);
        if names > anchor::NAMES_MAX {
            return Err(Failure::new(Kind::Usage, format!("names is {} at most", anchor::NAMES_MAX)));
        }
        Ok(call.anchor.audit(anchor::Scan { from: from.unwrap_or_default(), names }).await?)
    }
}

/// What is to be looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AnchorAudited")]
pub struct Audited {
    /// From this position of the log on: `more` of an answer before. All of it, if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// How many names are given, of what is broken and of what waits: 100 if not given, 10,000 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<u32>,
}

/// What the proof is to be about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    /// recordId (its newest signed message with a proof), message CID, data CID (the data as a file: of data of many blocks the
    /// proof is of the plain sha256 of the whole), raw CID of the sha256 of some bytes, or `audit-head`.
    pub id: String,
    /// Of a record the first message with a proof, not the newest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first: bool,
}

/// A proof, and what it is about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AnchorProof")]
pub struct Made {
    /// The `.ots` file.
    pub ots: Base64,
    /// The file it stamps; nothing if this node does not have it any more, or if it is a whole file of many blocks.
    pub stamped: Option<Base64>,
    /// Of the stamped file.
    pub cid: String,
    pub network: Network,
    pub txid: String,
    pub height: u32,
    pub confirmations: u32,
    /// Enough confirmations. Before, the block may still be reorganised away.
    #[serde(rename = "final")]
    pub is_final: bool,
}

#[derive(Debug)]
pub struct Stamp;

impl Method for Stamp {
    const NAME: &'static str = "anchor.stamp";
    const SUMMARY: &'static str =
        "Let the hash of a file that is not kept into the next batch; durable when this is answered.";
    const SCOPE: Need = Need::Anchor;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of a file",
        params: r#"{"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
        result: r#"{"cid": "$data", "anchored": true}"#,
    }];
    type Params = Stamped;
    type Result = Taken;

    async fn run(call: &Call, Stamped { sha256 }: Stamped) -> Result<Taken, Failure> {
        let mut digest = [0; 32];
        hex::decode_to_slice(&sha256, &mut digest)
            .map_err(|_| Failure::new(Kind::Usage, "sha256: the hash of a file has 64 hex digits"))?;
        call.anchor.take(digest, Origin::Owner).await.map_err(|why| match why {
            full @ Refused::Full => Failure::new(Kind::TooMany, full.to_string()),
            Refused::Fault(fault) => fault.into(),
        })?;
        Ok(Taken { cid: cid::from_digest(cid::RAW, &digest).to_string(), anchored: call.anchor.anchors() })
    }
}

/// What is to be stamped.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stamped {
    /// Of the file, in hex.
    pub sha256: String,
}

/// What was taken.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AnchorTaken")]
pub struct Taken {
    /// By which its proof is asked for (anchor.proof).
    pub cid: String,
    /// Does anybody bring it into the chain under the settings (anchor.mode)? Otherwise it waits for that.
    pub anchored: bool,
}

/// Bytes in JSON, with padding.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub struct Base64(#[schemars(with = "String")] pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map(Self).map_err(D::Error::custom)
    }
}
