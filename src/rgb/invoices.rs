//! Invoices: what is to be paid, and to what seal.

use super::{
    hand::{Hand, New, Written},
    kept::{first, newest, tag},
    problem::Problem,
    storage::Rgb,
    things::Invoice,
};
use crate::{dwn::View, foreign::shown};
use serde_json::{Map, Value, json};

impl Rgb {
    /// Stores an invoice, or with `id` a new state of one. `payer`: the DID of who is asked to pay and may read it.
    pub async fn store_invoice(
        &self,
        hand: &Hand,
        invoice: Invoice,
        (id, payer): (Option<&str>, Option<&str>),
    ) -> Result<Written, Problem> {
        invoice.check()?;
        let _one = self.locks.of(&hand.tenant, &invoice.asset_id).await;
        let (asset, record) = (invoice.asset_id.clone(), id.map(str::to_owned));
        let found = self.look(&hand.tenant, move |view: &dyn View| {
            let stored = first(view, "asset", &asset)?.ok_or_else(|| Problem::no_asset(&asset))?;
            let network = tag(&stored.message, "network").cloned();
            let before = match record {
                None => None,
                Some(id) => {
                    let before = newest(view, "invoice", &id)?;
                    let before =
                        before.ok_or_else(|| Problem::NotFound(format!("there is no invoice {} here", shown(&id))))?;
                    if tag(&before.message, "assetId").and_then(Value::as_str) != Some(asset.as_str()) {
                        return Err(Problem::Conflict(
                            "assetId of an invoice does not change: store another one".into(),
                        ));
                    }
                    Some(before)
                }
            };
            Ok((network, before))
        });
        let (network, before) = found.await?;
        let tags = tags(&invoice, network);
        match before {
            Some(before) => hand.update(&self.node, &before, (tags, &json!(invoice))).await,
            None => {
                let new =
                    New { path: "invoice", recipient: payer, tags: Some(tags), data: json!(invoice), ..New::default() };
                hand.write(&self.node, new).await
            }
        }
    }
}

fn tags(invoice: &Invoice, network: Option<Value>) -> Map<String, Value> {
    let mut tags = Map::new();
    tags.insert("assetId".into(), json!(invoice.asset_id));
    tags.insert("status".into(), json!(invoice.status));
    tags.extend(network.map(|network| ("network".to_owned(), network)));
    tags.extend(invoice.amount.map(|amount| ("amount".to_owned(), amount.tag().into())));
    tags.extend(invoice.date_expires.clone().map(|date| ("dateExpires".to_owned(), date.into())));
    tags
}
