//! Pins: the owner holds data that no record holds.

use super::{handle::Blocks, holds::Held};
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    store,
};
use anyhow::Context as _;

impl Blocks {
    /// Holds the data under `root` as a record would; `false`: it is not here, or not the root of any data here.
    pub async fn pin(&self, root: &Cid) -> Result<bool, Fault> {
        let digest = cid::sha256_of(root).with_context(|| format!("{root} is not sha2-256"))?;
        let blocks = self.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let mut held = Held::new(blocks.0.holds.clone());
            held.block(&digest);
            let is_root = blocks.0.store.block(&digest)?.is_some() && blocks.0.store.roots(&digest)?.contains(&digest);
            Ok::<_, Fault>(is_root.then_some(held))
        });
        // Held until the pin is durable.
        let Some(_held) = checked.await.context("looking for a root")?? else { return Ok(false) };
        self.0.store.put_state(vec![(pin_key(&digest), Some(root.to_bytes()))]).await?;
        Ok(true)
    }

    /// Takes a pin away; `false`: there was none.
    pub async fn unpin(&self, root: &Cid) -> Result<bool, Fault> {
        let digest = cid::sha256_of(root).with_context(|| format!("{root} is not sha2-256"))?;
        let pinned = self.0.store.state(&pin_key(&digest))?.is_some();
        if pinned {
            self.0.store.put_state(vec![(pin_key(&digest), None)]).await?;
        }
        Ok(pinned)
    }

    /// What is pinned.
    pub fn pins(&self) -> Result<Vec<Cid>, Fault> {
        let pins = self.0.store.states(store::PIN)?;
        pins.iter().map(|(_, root)| Cid::try_from(root.as_ref()).context("a pin's CID does not parse")).collect()
    }
}

/// Key of the state that is a pin.
pub(super) fn pin_key(root: &Digest) -> Vec<u8> {
    [store::PIN, root.as_slice()].concat()
}
