//! Transactions that are signed elsewhere: the node holds no key.

use super::{Driver, Trouble};
use crate::anchor::{
    batch::{Batch, BatchEvent},
    chain::Error,
    fees::Caps,
    spend::{self, Spend, Unsigned},
};

impl Driver {
    /// The unsigned transaction of a batch, for who has the keys.
    pub(in crate::anchor) fn unsigned(&self, number: u64) -> Option<&Unsigned> {
        self.open.get(&number)?.unsigned()
    }

    /// The batch whose unsigned transaction this is (a PSBT in base64), or why there is none.
    pub(in crate::anchor) fn waits_for(&self, psbt: &str) -> Result<u64, String> {
        let tx = spend::unsigned(psbt).ok_or("it is no PSBT (BIP 174)")?;
        let mut waiting = self.open.values().filter_map(|batch| Some((batch.number, batch.unsigned()?.tx()?)));
        let found = waiting.find(|(_, asked)| asked.output == tx.output).map(|(number, _)| number);
        found.ok_or_else(|| {
            "no batch waits for this transaction: it was made anew since, or is signed already (toft anchor status says which \
             batch waits; export that one again)"
                .into()
        })
    }

    /// A transaction that came back signed.
    pub(in crate::anchor) async fn import(&mut self, number: u64, psbt: String) -> Result<(), Trouble> {
        let Some(unsigned) = self.unsigned(number).cloned() else { return Ok(()) };
        let attempt = self.chain.run(move |chain| chain.imported(&unsigned, &psbt)).await?;
        let before = self.open.get(&number).and_then(Batch::spend);
        let (paid, replaces) = (before.map_or(0, Spend::fee), before.is_some_and(|spend| !spend.attempts.is_empty()));
        let allowed = Caps::of(&self.config.bitcoin, self.spent()).allow(attempt.fee, paid);
        allowed.map_err(|capped| Trouble::Chain(Error::Capped(capped)))?;
        self.note_signed(number, &attempt, attempt.fee.saturating_sub(paid), replaces).await?;
        self.step(number, BatchEvent::Replaced(attempt)).await
    }
}
