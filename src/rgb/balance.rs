//! What is held of an asset, as its transfers say.

use super::{amount::Amount, book::Sums, problem::Problem};
use crate::foreign::shown;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Derived from the transfers that count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbBalance")]
pub struct Balance {
    pub asset_id: String,
    /// By settled transfers.
    pub settled: Amount,
    /// When those under way are settled.
    pub future: Amount,
    /// Settled, without what is being sent.
    pub spendable: Amount,
    /// More went out than ever came in, by so much: transfers that brought it are missing here.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub overdrawn: Amount,
    /// Transfers that count, or would.
    pub transfers: u64,
    /// Of these, those that do not, for another one spent a coin of theirs before (rgb.conflicts).
    pub conflicts: u64,
    /// Now.
    pub as_of: String,
}

/// What somebody says is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbDeclared")]
pub struct Declared {
    pub asset_id: String,
    pub settled: Amount,
    pub future: Amount,
    pub spendable: Amount,
}

fn is_nothing(amount: &Amount) -> bool {
    *amount == Amount(0)
}

/// Of two sums of amounts, the difference: what is left, and what is short.
fn less(of: u128, out: u128) -> (u128, u128) {
    (of.saturating_sub(out), out.saturating_sub(of))
}

impl Balance {
    pub(super) fn of(
        asset: &str,
        sums: Sums,
        (transfers, conflicts): (usize, usize),
        now: String,
    ) -> Result<Self, Problem> {
        let (settled, short) = less(sums.settled_in, sums.settled_out);
        let (spendable, _) = less(sums.settled_in, sums.settled_out + sums.pending_out);
        let (future, later) = less(sums.settled_in + sums.pending_in, sums.settled_out + sums.pending_out);
        let amount = |sum: u128| {
            u64::try_from(sum).map(Amount).map_err(|_| {
                let text = format!(
                    "the transfers of {} add up to more than {} units, which no balance holds: one of them is wrong",
                    shown(asset),
                    u64::MAX
                );
                Problem::Conflict(text)
            })
        };
        Ok(Self {
            asset_id: asset.to_owned(),
            settled: amount(settled)?,
            future: amount(future)?,
            spendable: amount(spendable)?,
            overdrawn: amount(short.max(later))?,
            transfers: transfers as u64,
            conflicts: conflicts as u64,
            as_of: now,
        })
    }

    /// By how much what is declared differs, in words; nothing if it is the same.
    pub(super) fn differs(&self, declared: &Declared) -> Option<String> {
        let each = [
            ("settled", declared.settled, self.settled),
            ("future", declared.future, self.future),
            ("spendable", declared.spendable, self.spendable),
        ];
        let differ = each.iter().filter(|(_, said, is)| said != is);
        let words = differ.map(|(name, said, is)| {
            let (by, how) = (said.0.abs_diff(is.0), if said > is { "too much" } else { "too little" });
            format!("{name} is {is} by the transfers, and {said} was declared: {by} {how}")
        });
        let words: Vec<_> = words.collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sums: [u128; 4]) -> Result<Balance, Problem> {
        let [settled_in, settled_out, pending_in, pending_out] = sums;
        Balance::of("a", Sums { settled_in, settled_out, pending_in, pending_out }, (4, 0), "now".into())
    }

    #[test]
    fn it_is_the_difference_and_never_wraps() {
        let told =
            |sums| of(sums).map(|b| [b.settled.0, b.future.0, b.spendable.0, b.overdrawn.0]).map_err(|e| e.to_string());
        assert_eq!(told([10, 3, 5, 2]), Ok([7, 10, 5, 0]));
        assert_eq!(told([3, 10, 0, 0]), Ok([0, 0, 0, 7]));
        let max = u128::from(u64::MAX);
        assert_eq!(told([3 * max, 2 * max, 0, 0]), Ok([u64::MAX, u64::MAX, u64::MAX, 0]));
        assert!(told([max + 1, 0, 0, 0]).expect_err("too much").contains("add up to more than"));
    }

    #[test]
    fn a_difference_is_told_with_its_size() {
        let balance = of([10, 3, 5, 2]).expect("a balance");
        let declared = |settled, future, spendable| Declared {
            asset_id: "a".into(),
            settled: Amount(settled),
            future: Amount(future),
            spendable: Amount(spendable),
        };
        assert_eq!(balance.differs(&declared(7, 10, 5)), None);
        let words = balance.differs(&declared(9, 10, 4)).expect("words");
        assert_eq!(
            words,
            "settled is 7 by the transfers, and 9 was declared: 2 too much; spendable is 5 by the transfers, and 4 was declared: 1 too little"
        );
    }
}
