//! Transfers: stored so that a coin is spent once, and how one stands.

use super::{
    amount::Amount,
    balance::Balance,
    book::Book,
    hand::{Hand, New, Written},
    kept::{coin, first, id_of, is, key, newest, row, tag, text, transfer},
    problem::Problem,
    storage::{Lost, Rgb, to_the_end},
    things::{Kind, PROTOCOL, Status, Transfer},
};
use crate::{
    dwn::{Select, Stored, View, record_id},
    foreign::shown,
    node,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Assets that are looked at in one go.
const PAGE: usize = 1000;

/// How a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbTransferStatus")]
pub enum Standing {
    WaitingCounterparty,
    WaitingConfirmations,
    Settled,
    Failed,
    /// Another transfer that was begun before spends one of its coins.
    Conflict,
}

/// A transfer, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbTransferTold")]
pub struct Told {
    pub transfer_id: String,
    pub status: Standing,
    /// It counts in balances. What somebody else wrote does only when it is accepted (rgb.storeTransfer with its transferId).
    pub counts: bool,
    /// Of a conflict: the transfer that took the coin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts_with: Option<String>,
    /// As its record says it.
    pub transfer: Transfer,
    pub date_created: String,
}

/// A transfer that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbConflict")]
pub struct DoubleSpend {
    pub asset_id: String,
    pub transfer_id: String,
    /// What counts instead.
    pub conflicts_with: String,
    /// Coins that both spend.
    pub coins: Vec<String>,
    pub amount: Amount,
}

impl From<Status> for Standing {
    fn from(status: Status) -> Self {
        match status {
            Status::WaitingCounterparty => Self::WaitingCounterparty,
            Status::WaitingConfirmations => Self::WaitingConfirmations,
            Status::Settled => Self::Settled,
            Status::Failed => Self::Failed,
        }
    }
}

impl Rgb {
    /// Stores a transfer, or with `id` a new state of one. Of those that spend one coin, the first to come is taken.
    pub async fn store_transfer(&self, hand: &Hand, transfer: Transfer, id: Option<&str>) -> Result<Written, Problem> {
        transfer.check()?;
        let (this, hand, id) = (self.clone(), hand.clone(), id.map(str::to_owned));
        to_the_end(async move {
            // From here on nobody else decides about this asset.
            let _one = this.locks.of(&hand.tenant, &transfer.asset_id).await;
            match id {
                None => this.begin_transfer(&hand, transfer).await,
                Some(id) => this.change_transfer(&hand, transfer, &id).await,
            }
        })
        .await
    }

    async fn begin_transfer(&self, hand: &Hand, transfer: Transfer) -> Result<Written, Problem> {
        let wanted = transfer.clone();
        let is_to_oneself = transfer.receiver.as_ref() == Some(&hand.tenant);
        let check = move |book: &Book, view: &dyn View| {
            first(view, "asset", &wanted.asset_id)?.ok_or_else(|| Problem::no_asset(&wanted.asset_id))?;
            if wanted.status == Status::Failed {
                return Ok(());
            }
            free(book, &wanted, None)?;
            let balance = balance(book, &wanted.asset_id)?;
            match wanted.kind {
                Kind::Send if is_to_oneself => Ok(()),
                Kind::Send | Kind::Burn => affords(&balance, &wanted),
                Kind::Issue | Kind::Receive => holds(book, &wanted),
            }
        };
        self.derive(&hand.tenant, &transfer.asset_id, check).await?;
        let recipient = match transfer.kind {
            Kind::Issue | Kind::Receive => Some(hand.tenant.as_str()),
            Kind::Send => transfer.receiver.as_deref(),
            Kind::Burn => None,
        };
        let new =
            New { path: "transfer", recipient, tags: Some(tags(&transfer)), data: json!(transfer), ..New::default() };
        hand.write(&self.node, new).await
    }

    async fn change_transfer(&self, hand: &Hand, transfer: Transfer, id: &str) -> Result<Written, Problem> {
        let (wanted, record, tenant) = (transfer.clone(), id.to_owned(), hand.tenant.clone());
        let check = move |book: &Book, view: &dyn View| {
            let before = newest(view, "transfer", &record)?.ok_or_else(|| missing(&record))?;
            let (key, is) = (key(&record).ok_or_else(|| missing(&record))?, of(view, &before)?);
            if !is.status.may_become(wanted.status) {
                let text = format!(
                    "the transfer {record} is {} and does not become {} any more",
                    name(is.status),
                    name(wanted.status)
                );
                return Err(Problem::Conflict(text));
            }
            stays(&is, &wanted)?;
            if let Some(first) = book.lost_to(&key).filter(|_| wanted.status != Status::Failed) {
                return Err(taken(&wanted.asset_id, &id_of(first), "one of its coins"));
            }
            // What somebody else wrote begins to count with this.
            if !book.has(&key) && wanted.status != Status::Failed {
                free(book, &wanted, Some(&record))?;
                if text(&before.message, "recipient") == tenant {
                    holds(book, &wanted)?;
                }
            }
            Ok(before)
        };
        let before = self.derive(&hand.tenant, &transfer.asset_id, check).await?;
        hand.update(&self.node, &before, (tags(&transfer), &json!(transfer))).await
    }

    /// How a transfer stands.
    pub async fn get_transfer_status(&self, tenant: &str, id: &str) -> Result<Told, Problem> {
        let record = id.to_owned();
        let asset = self.look(tenant, move |view| {
            let stored = newest(view, "transfer", &record)?.ok_or_else(|| missing(&record))?;
            Ok(of(view, &stored)?.asset_id)
        });
        let (asset, record, of_tenant) = (asset.await?, id.to_owned(), tenant.to_owned());
        self.read(tenant, &asset, move |lost, view| {
            let stored = newest(view, "transfer", &record)?.ok_or_else(|| missing(&record))?;
            told(lost, view, &of_tenant, &stored)
        })
        .await
    }

    /// Transfers that do not count, for another one spends one of their coins; of one asset, or of all. That reads all transfers that
    /// are not in a book yet.
    pub async fn conflicts(&self, tenant: &str, asset: Option<&str>) -> Result<Vec<DoubleSpend>, Problem> {
        let mut found = Vec::new();
        if let Some(asset) = asset {
            self.conflicts_of(tenant, asset, &mut found).await?;
            return Ok(found);
        }
        let filter = [is("protocol", PROTOCOL), is("protocolPath", "asset"), is("method", "Write")];
        let mut select = Select { any_of: vec![filter.into()], limit: Some(PAGE), ..Select::default() };
        // The names alone: of an asset that two devices stored there are two records.
        let mut seen = BTreeSet::new();
        loop {
            let asked = select.clone();
            let page = self.look(tenant, move |view| Ok(view.select(&asked)?)).await?;
            for stored in &page.entries {
                if let Some(asset) = tag(&stored.message, "assetId").and_then(Value::as_str)
                    && seen.insert(asset.to_owned())
                {
                    self.conflicts_of(tenant, asset, &mut found).await?;
                }
            }
            select.after = page.cursor;
            if select.after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn conflicts_of(&self, tenant: &str, asset: &str, found: &mut Vec<DoubleSpend>) -> Result<(), Problem> {
        let conflicts = self.read(tenant, asset, |lost, view| {
            let mut found = Vec::new();
            for (one, other) in lost {
                let (id, first) = (id_of(one), id_of(other));
                let transfers = (newest(view, "transfer", &id)?, newest(view, "transfer", &first)?);
                let (Some(one), Some(other)) = transfers else { continue };
                let (one, other) = (of(view, &one)?, of(view, &other)?);
                found.push(DoubleSpend {
                    asset_id: one.asset_id,
                    transfer_id: id,
                    conflicts_with: first,
                    coins: one.spends.into_iter().filter(|coin| other.spends.contains(coin)).collect(),
                    amount: one.amount,
                });
            }
            found.sort_by(|a, b| a.transfer_id.cmp(&b.transfer_id));
            Ok(found)
        });
        found.extend(conflicts.await?);
        Ok(())
    }
}

/// How the transfer of this state stands.
pub(super) fn told(lost: &Lost, view: &dyn View, tenant: &str, stored: &Stored) -> Result<Told, Problem> {
    let id = record_id(&stored.message).unwrap_or_default().to_owned();
    let transfer = of(view, stored)?;
    let first = key(&id).and_then(|key| lost.get(&key)).map(id_of);
    let counts = first.is_none() && row(view, tenant, stored)?.is_some();
    Ok(Told {
        transfer_id: id,
        status: if first.is_some() { Standing::Conflict } else { transfer.status.into() },
        counts,
        conflicts_with: first,
        transfer,
        date_created: text(&stored.message, "dateCreated").to_owned(),
    })
}

pub(super) fn missing(id: &str) -> Problem {
    Problem::NotFound(format!("there is no transfer {} here", shown(id)))
}

/// The transfer that a record is.
pub(super) fn of(view: &dyn View, stored: &Stored) -> Result<Transfer, Problem> {
    transfer(view, stored)?.ok_or_else(|| {
        let id = record_id(&stored.message).unwrap_or_default();
        Problem::NotFound(format!("the record {id} is no transfer that toft can read: its tags do not say what it is"))
    })
}

fn balance(book: &Book, asset: &str) -> Result<Balance, Problem> {
    Balance::of(asset, book.sums(), (book.len(), 0), node::now())
}

/// Fails if another transfer spends one of the coins.
fn free(book: &Book, transfer: &Transfer, but: Option<&str>) -> Result<(), Problem> {
    let but = but.and_then(key);
    let mut all =
        transfer.spends.iter().filter_map(|outpoint| Some((outpoint, book.spender(&coin(outpoint), but.as_ref())?)));
    match all.next() {
        Some((outpoint, first)) => Err(taken(&transfer.asset_id, &id_of(first), &format!("the coin {outpoint}"))),
        None => Ok(()),
    }
}

fn taken(asset: &str, by: &str, what: &str) -> Problem {
    let text = format!(
        "the transfer {by} of {} already spends {what}: a coin is spent once; if that transfer is given up, let it fail first",
        shown(asset)
    );
    Problem::Conflict(text)
}

/// Fails if more is sent than there is.
fn affords(balance: &Balance, transfer: &Transfer) -> Result<(), Problem> {
    match transfer.amount.0.checked_sub(balance.spendable.0) {
        None | Some(0) => Ok(()),
        Some(short) => {
            let text = format!(
                "{} units of {} can be spent, {short} fewer than the {} that are to go: store first what was issued or received",
                balance.spendable,
                shown(&transfer.asset_id),
                transfer.amount
            );
            Err(Problem::Conflict(text))
        }
    }
}

/// Fails if no balance could hold what comes in.
fn holds(book: &Book, transfer: &Transfer) -> Result<(), Problem> {
    let sums = book.sums();
    let all = sums.settled_in + sums.pending_in + u128::from(transfer.amount.0);
    match u64::try_from(all) {
        Ok(_) => Ok(()),
        Err(_) => {
            let text = format!(
                "with {} more, more units of {} would have come in than a balance holds ({})",
                transfer.amount,
                shown(&transfer.asset_id),
                u64::MAX
            );
            Err(Problem::Conflict(text))
        }
    }
}

/// What a transfer is about stays; how it stands and what becomes known of it changes.
fn stays(is: &Transfer, wanted: &Transfer) -> Result<(), Problem> {
    let coins = |transfer: &Transfer| transfer.spends.iter().cloned().collect::<BTreeSet<_>>();
    let same = [
        ("assetId", is.asset_id == wanted.asset_id),
        ("kind", is.kind == wanted.kind),
        ("amount", is.amount == wanted.amount),
        ("spends", coins(is) == coins(wanted)),
    ];
    match same.iter().find(|(_, same)| !same) {
        Some((name, _)) => Err(Problem::Conflict(format!(
            "{name} of a transfer does not change: let this one fail and store another one"
        ))),
        None => Ok(()),
    }
}

fn name(status: Status) -> String {
    json!(status).as_str().unwrap_or_default().to_owned()
}

/// What a transfer is found by, and all that counts of it.
fn tags(transfer: &Transfer) -> Map<String, Value> {
    let mut tags = Map::new();
    tags.insert("assetId".into(), json!(transfer.asset_id));
    tags.insert("kind".into(), json!(transfer.kind));
    tags.insert("status".into(), json!(transfer.status));
    tags.insert("amount".into(), transfer.amount.tag().into());
    if !transfer.spends.is_empty() {
        tags.insert("spends".into(), json!(transfer.spends));
    }
    tags.extend(transfer.txid.clone().map(|txid| ("txid".to_owned(), txid.into())));
    tags.extend(transfer.invoice.clone().map(|invoice| ("invoice".to_owned(), invoice.into())));
    tags
}
