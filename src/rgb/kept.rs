//! What is kept, as records say it: found by tags, and what of a transfer counts.

use super::{
    amount::Amount,
    book::{Effect, Key, Row},
    problem::Problem,
    things::{Kind, PROTOCOL, Status, Transfer},
};
use crate::{
    cid::{self, Cid},
    dwn::{Cond, Fault, Filter, IndexValue, Select, Stored, View, is_method, record_id},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A text of the descriptor.
pub(super) fn text<'a>(message: &'a Value, name: &str) -> &'a str {
    message.get("descriptor").and_then(|descriptor| descriptor.get(name)).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn tag<'a>(message: &'a Value, name: &str) -> Option<&'a Value> {
    message.get("descriptor")?.get("tags")?.get(name)
}

fn tag_text<'a>(message: &'a Value, name: &str) -> Option<&'a str> {
    tag(message, name)?.as_str()
}

/// The digest in a recordId.
pub(super) fn key(record: &str) -> Option<Key> {
    cid::sha256_of(&record.parse::<Cid>().ok()?)
}

/// The recordId with this digest.
pub(super) fn id_of(key: &Key) -> String {
    cid::from_digest(cid::DAG_CBOR, key).to_string()
}

pub(super) fn coin(outpoint: &str) -> Key {
    cid::sha256_of(&cid::of(cid::RAW, outpoint.as_bytes())).unwrap_or_default()
}

pub(super) fn is(name: &str, value: &str) -> (String, Cond) {
    (name.to_owned(), Cond::Equal(IndexValue::String(value.to_owned())))
}

/// Records at a path of the protocol, of one asset.
pub(super) fn of_asset(path: &str, asset: &str) -> Filter {
    [is("protocol", PROTOCOL), is("protocolPath", path), is("method", "Write"), is("tag.assetId", asset)].into()
}

/// Fails unless the tenant has the protocol.
pub(super) fn installed(view: &dyn View, tenant: &str) -> Result<(), Problem> {
    match view.protocol(PROTOCOL)? {
        Some(_) => Ok(()),
        None => Err(Problem::NotInstalled(tenant.to_owned())),
    }
}

/// The first record of an asset at a path: of two that devices wrote while they were apart, on all of them the same.
pub(super) fn first(view: &dyn View, path: &str, asset: &str) -> Result<Option<Stored>, Problem> {
    let select = Select { any_of: vec![of_asset(path, asset)], limit: Some(1), ..Select::default() };
    Ok(view.select(&select)?.entries.into_iter().next())
}

/// What the data of a record says, if it is JSON of this kind.
pub(super) fn data<T: DeserializeOwned>(view: &dyn View, stored: &Stored) -> Result<Option<T>, Problem> {
    Ok(view.inline_data(stored)?.and_then(|data| serde_json::from_slice(&data).ok()))
}

/// The newest state of a record of the protocol at a path.
pub(super) fn newest(view: &dyn View, path: &str, id: &str) -> Result<Option<Stored>, Fault> {
    let record = view.record(id)?.map(|record| record.newest);
    let is_one = |message: &Value| {
        is_method(message, "Write") && text(message, "protocol") == PROTOCOL && text(message, "protocolPath") == path
    };
    Ok(record.filter(|newest| is_one(&newest.message)))
}

/// Who began the record that this is a state of.
fn creator(view: &dyn View, stored: &Stored) -> Result<String, Fault> {
    let is_first = text(&stored.message, "dateCreated") == text(&stored.message, "messageTimestamp");
    let id = record_id(&stored.message).filter(|_| !is_first);
    let initial = id.map(|id| view.initial_before(id, &stored.cid)).transpose()?.flatten();
    Ok(initial.map_or_else(|| stored.author.to_string(), |initial| initial.author.to_string()))
}

/// What counts of a transfer, and of which asset, for the tenant; none if it does not count.
///
/// What others wrote counts when the tenant has written a state of it (accepted it), and not before: else anybody could write units
/// into being. By the protocol they write no later state; where another definition lets them, that does not count until it is accepted.
pub(super) fn row(view: &dyn View, tenant: &str, stored: &Stored) -> Result<Option<(String, Row)>, Fault> {
    let message = &stored.message;
    if *stored.author != *tenant {
        return Ok(None);
    }
    let (Some(asset), Some(amount)) =
        (tag_text(message, "assetId"), tag_text(message, "amount").and_then(Amount::of_tag))
    else {
        return Ok(None);
    };
    let (Some(kind), Some(status)) = (tagged::<Kind>(message, "kind"), tagged::<Status>(message, "status")) else {
        return Ok(None);
    };
    let is_own = creator(view, stored)? == tenant;
    let is_to_tenant = text(message, "recipient") == tenant;
    let effect = match (kind, is_own) {
        (Kind::Issue | Kind::Receive, true) => Effect::In,
        (Kind::Burn, true) => Effect::Out,
        (Kind::Send, true) if is_to_tenant => Effect::None,
        (Kind::Send, true) => Effect::Out,
        (Kind::Send, false) if is_to_tenant => Effect::In,
        (_, false) => return Ok(None),
    };
    if status == Status::Failed {
        return Ok(None);
    }
    let begun = text(message, "dateCreated").parse::<jiff::Timestamp>().map_or(i64::MAX, |at| at.as_microsecond());
    let spends = tag(message, "spends").and_then(Value::as_array);
    let mut coins: Vec<_> = spends.into_iter().flatten().filter_map(Value::as_str).map(coin).collect();
    coins.sort_unstable();
    coins.dedup();
    let is_settled = status == Status::Settled;
    Ok(Some((asset.to_owned(), Row { begun, effect, amount: amount.0, is_settled, coins: coins.into() })))
}

fn tagged<T: DeserializeOwned>(message: &Value, name: &str) -> Option<T> {
    serde_json::from_value(tag(message, name)?.clone()).ok()
}

/// A transfer as its record says it: what its tags say counts, whatever its data says.
pub(super) fn transfer(view: &dyn View, stored: &Stored) -> Result<Option<Transfer>, Problem> {
    let message = &stored.message;
    let tags = (
        tag_text(message, "assetId"),
        tagged::<Kind>(message, "kind"),
        tag_text(message, "amount").and_then(Amount::of_tag),
        tagged::<Status>(message, "status"),
    );
    let (Some(asset), Some(kind), Some(amount), Some(status)) = tags else { return Ok(None) };
    let spends = tag(message, "spends").and_then(Value::as_array).into_iter().flatten();
    let spends = spends.filter_map(|coin| coin.as_str().map(str::to_owned)).collect();
    let said: Option<Transfer> = data(view, stored)?;
    let blank = Transfer {
        asset_id: String::new(),
        kind,
        amount,
        status,
        sender: None,
        receiver: None,
        invoice: None,
        recipient_id: None,
        spends: Vec::new(),
        txid: None,
        consignment: None,
    };
    Ok(Some(Transfer {
        asset_id: asset.to_owned(),
        kind,
        amount,
        status,
        spends,
        txid: tag_text(message, "txid").map(str::to_owned),
        ..said.unwrap_or(blank)
    }))
}
