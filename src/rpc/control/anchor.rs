//! Time proofs in Bitcoin: `anchor.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::{
    anchor::{self, ProofError, config::Network},
    crypto::Locked,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

pub const METHODS: &[Entry] =
    &[Entry::of::<Now>(), Entry::of::<Status>(), Entry::of::<Proof>(), Entry::of::<Rebuild>()];

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
        result: r#"{"mode": "wallet", "network": "regtest", "queued": 3, "next": "2026-11-21T09:00:00.5Z", "batches": [{"number": 1, "state": "awaiting_funds", "leaves": 2, "created": "2026-11-21T09:00:00Z", "root": "00", "txid": null, "fee": null, "height": null, "confirmations": 0, "send_to": ["bcrt1", 700], "note": null}], "tip": 7, "problem": null, "sentence": "3 messages wait for the next batch"}"#,
    }];
    type Params = NoParams;
    type Result = anchor::Status;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<anchor::Status, Failure> {
        Ok(call.anchor.status().await?)
    }
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

    async fn run(call: &Call, Proven { id }: Proven) -> Result<Made, Failure> {
        let proof = call.anchor.proof(&id).await.map_err(|why| {
            let kind = match &why {
                ProofError::Unknown(_) => Kind::NotFound,
                ProofError::Pending(_) => Kind::Pending,
                ProofError::Fault(_) => Kind::Failed,
            };
            Failure::new(kind, why.to_string())
        })?;
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
        // The owner's records: of this node's identities, and of those whose key is on another device of his.
        let peers = call.sync.peers().into_iter().map(|status| status.peer).filter(|peer| peer.friend.is_none());
        let believed = call.identities.dids().into_iter().chain(peers.flat_map(|peer| peer.tenants)).collect();
        Ok(call.anchor.rebuild(believed).await?)
    }
}

/// What the proof is to be about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    /// recordId, message CID or data CID.
    pub id: String,
}

/// A proof, and what it is about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AnchorProof")]
pub struct Made {
    /// The `.ots` file.
    pub ots: Base64,
    /// The file it stamps; nothing if this node does not have it any more.
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
