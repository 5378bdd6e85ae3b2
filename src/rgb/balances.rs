//! What is held of an asset: asked for, and noted.

use super::{
    balance::{Balance, Declared},
    hand::{Hand, New, Written},
    kept::first,
    problem::Problem,
    storage::{Rgb, to_the_end},
};
use crate::{dwn::View, foreign::shown, node};
use serde_json::{Map, json};

impl Rgb {
    /// What is held of an asset, by the transfers as they are now.
    pub async fn get_asset_balance(&self, tenant: &str, asset: &str) -> Result<Balance, Problem> {
        let id = asset.to_owned();
        self.derive(tenant, asset, move |book, view| {
            if book.len() == 0 && first(view, "asset", &id)?.is_none() {
                return Err(Problem::no_asset(&id));
            }
            Balance::of(&id, book.sums(), (book.len(), book.conflicts().len()), node::now())
        })
        .await
    }

    /// Notes what is held, if the transfers say the same.
    pub async fn update_balance(&self, hand: &Hand, declared: Declared) -> Result<Written, Problem> {
        let (this, hand) = (self.clone(), hand.clone());
        to_the_end(async move { this.note_balance(&hand, declared).await }).await
    }

    async fn note_balance(&self, hand: &Hand, declared: Declared) -> Result<Written, Problem> {
        let _one = self.locks.of(&hand.tenant, &declared.asset_id).await;
        let asset = declared.asset_id.clone();
        let balance = self.get_asset_balance(&hand.tenant, &asset).await?;
        if let Some(words) = balance.differs(&declared) {
            return Err(Problem::Conflict(format!("the balance of {} is not noted: {words}", shown(&asset))));
        }
        let data = json!({
            "assetId": asset, "settled": declared.settled, "future": declared.future,
            "spendable": declared.spendable, "asOf": balance.as_of,
        });
        let tags = Map::from_iter([("assetId".to_owned(), asset.clone().into())]);
        let before = self.look(&hand.tenant, move |view: &dyn View| first(view, "balance", &asset)).await?;
        match before {
            Some(before) => hand.update(&self.node, &before, (tags, &data)).await,
            None => hand.write(&self.node, New { path: "balance", tags: Some(tags), data, ..New::default() }).await,
        }
    }
}
