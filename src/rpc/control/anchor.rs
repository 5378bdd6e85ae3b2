//! Time proofs in Bitcoin: `anchor.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::{
    anchor::{self, Origin, ProofError, Refused, config::Network},
    cid,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

pub const METHODS: &[Entry] = &[Entry::of::<Now>(), Entry::of::<Status>(), Entry::of::<Proof>(), Entry::of::<Stamp>()];

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
