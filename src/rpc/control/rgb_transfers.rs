//! RGB transfers: `rgb.storeTransfer`, `rgb.getTransferStatus`, `rgb.validateTransfer`, `rgb.conflicts`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    records_write::decoded,
    rgb_acting::{PROBLEMS, reader, writer},
};
use crate::rgb::{DoubleSpend, Told, Transfer, Verdict, Written};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] =
    &[Entry::of::<Store>(), Entry::of::<Status>(), Entry::of::<Validate>(), Entry::of::<Conflicts>()];

#[derive(Debug)]
pub struct Store;

impl Method for Store {
    const NAME: &'static str = "rgb.storeTransfer";
    const SUMMARY: &'static str =
        "Store a transfer of an RGB asset, or a new state of one: of those that spend one coin, the first is taken.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "units that are issued",
        params: r#"{"transfer": {"assetId": "rgb:example", "kind": "issue", "amount": "1000", "status": "settled"}}"#,
        result: r#"{"recordId": "$record", "messageCid": "$record", "dataCid": "$data", "dateCreated": "2026-11-21T09:00:00.000000Z"}"#,
    }];
    type Params = NewTransfer;
    type Result = Written;

    async fn run(call: &Call, new: NewTransfer) -> Result<Written, Failure> {
        let hand = writer(call, (new.from.as_deref(), new.tenant.as_deref()), "transfer").await?;
        Ok(call.rgb.store_transfer(&hand, new.transfer, new.transfer_id.as_deref()).await?)
    }
}

#[derive(Debug)]
pub struct Status;

impl Method for Status {
    const NAME: &'static str = "rgb.getTransferStatus";
    const SUMMARY: &'static str = "Say how a transfer stands, and with which one it is in conflict if it is.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"transferId": "$record"}"#,
        result: r#"{"transferId": "$record", "status": "settled", "counts": true, "transfer": {"assetId": "rgb:example", "kind": "issue", "amount": "1000", "status": "settled"}, "dateCreated": "2026-11-21T09:00:00.000000Z"}"#,
    }];
    type Params = OneTransfer;
    type Result = Told;

    async fn run(call: &Call, one: OneTransfer) -> Result<Told, Failure> {
        let tenant = reader(call, (one.from.as_deref(), one.tenant.as_deref())).await?;
        Ok(call.rgb.get_transfer_status(&tenant, &one.transfer_id).await?)
    }
}

#[derive(Debug)]
pub struct Validate;

impl Method for Validate {
    const NAME: &'static str = "rgb.validateTransfer";
    const SUMMARY: &'static str =
        "Ask the validator that is set (hooks.rgb_validator) whether the consignment of a transfer is good.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[
        Example {
            name: "one that is kept",
            params: r#"{"transferId": "$record"}"#,
            result: r#"{"valid": true, "reason": null}"#,
        },
        Example {
            name: "before it is kept",
            params: r#"{"transfer": {"assetId": "rgb:example", "kind": "receive", "amount": "5", "status": "waitingCounterparty"}, "consignment": "aGVsbG8"}"#,
            result: r#"{"valid": false, "reason": "the seal is not closed"}"#,
        },
    ];
    type Params = Question;
    type Result = Verdict;

    async fn run(call: &Call, asked: Question) -> Result<Verdict, Failure> {
        let tenant = reader(call, (asked.from.as_deref(), asked.tenant.as_deref())).await?;
        match (asked.transfer_id, asked.transfer, asked.consignment) {
            (Some(id), None, None) => Ok(call.rgb.validate_transfer(&tenant, &id).await?),
            (None, Some(transfer), Some(consignment)) => {
                Ok(call.rgb.validate_consignment(&tenant, &transfer, decoded(&consignment)?.into()).await?)
            }
            _ => Err(Failure::new(
                Kind::Usage,
                "give transferId of a transfer that is kept, or transfer and consignment",
            )),
        }
    }
}

#[derive(Debug)]
pub struct Conflicts;

impl Method for Conflicts {
    const NAME: &'static str = "rgb.conflicts";
    const SUMMARY: &'static str =
        "List transfers that do not count, for another one that was begun before spends a coin of theirs.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = PROBLEMS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of an asset",
        params: r#"{"assetId": "rgb:example"}"#,
        result: r#"[{"assetId": "rgb:example", "transferId": "$record", "conflictsWith": "$record", "coins": ["cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd:0"], "amount": "5"}]"#,
    }];
    type Params = Which;
    type Result = Vec<DoubleSpend>;

    async fn run(call: &Call, which: Which) -> Result<Vec<DoubleSpend>, Failure> {
        let tenant = reader(call, (which.from.as_deref(), which.tenant.as_deref())).await?;
        Ok(call.rgb.conflicts(&tenant, which.asset_id.as_deref()).await?)
    }
}

/// A transfer to be stored.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbNewTransfer")]
pub struct NewTransfer {
    pub transfer: Transfer,
    /// Of the transfer that gets a new state. What it is about stays: asset, kind, amount, coins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_id: Option<String>,
    /// Which of the node's identities signs; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose transfer it becomes; the signer's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Which transfer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbOneTransfer")]
pub struct OneTransfer {
    pub transfer_id: String,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose transfer it is; the asker's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// What the validator is asked about: a transfer that is kept, or one with its consignment.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "RgbValidation")]
pub struct Question {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// base64url, without padding; at most 700 KiB of bytes. A larger one is written as a record first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consignment: Option<String>,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose transfer it is; the asker's if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Whose conflicts, and of what.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "RgbWhichConflicts")]
pub struct Which {
    /// All assets, if none is named: that reads every transfer once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<String>,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose transfers; the asker's if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}
