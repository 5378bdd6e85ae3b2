//! What an anchor may cost, as pure rules: what the fee market asks, what the settings allow, and how much more a
//! replacement pays.
//!
//! Rates are sat/vB and may be below 1: what a node asks at least is read from it, not assumed.

use super::config::Bitcoin;
use serde::{Deserialize, Serialize};

/// A replacement pays this much more than what it replaces, if nothing asks for more.
const GROWTH: f64 = 1.25;
/// Decimals of a rate that bitcoind takes.
const DECIMALS: f64 = 1_000.0;
/// The day in `max_per_day`, in seconds.
pub(super) const DAY: u64 = 24 * 60 * 60;

/// What the node says about fees, sat/vB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Market {
    /// Less is not taken into the mempool now.
    pub floor: f64,
    /// A replacement pays for its own relay at this rate, above what it replaces (BIP 125, rule 4).
    pub incremental: f64,
    /// For confirmation within a day; none on a young or quiet chain, or with -blocksonly.
    pub estimate: Option<f64>,
}

/// What the settings allow now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caps {
    /// sat/vB
    pub rate: f64,
    /// sat a transaction
    pub fee: u64,
    /// sat that may still be paid within these 24 hours
    pub left: u64,
}

/// Which setting stands in the way, and by how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Capped {
    /// The market asks this much at least (sat/vB), and `max_fee_rate` allows that.
    Rate { asked: f64, allowed: f64 },
    /// The transaction costs this much at least (sat), and `max_fee` allows that.
    Fee { asked: u64, allowed: u64 },
    /// The transaction costs this much at least (sat), and of `max_per_day` that is left.
    Day { asked: u64, left: u64 },
}

impl std::fmt::Display for Capped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rate { asked, allowed } => write!(
                f,
                "it has to pay {asked} sat/vB now, which is {:.3} more than anchor.bitcoin.max_fee_rate = {allowed}: raise \
                 that, or wait until fees fall",
                asked - allowed
            ),
            Self::Fee { asked, allowed } => write!(
                f,
                "it has to pay {asked} sat now, which is {} more than anchor.bitcoin.max_fee = {allowed}: raise that, or wait \
                 until fees fall",
                asked.saturating_sub(*allowed)
            ),
            Self::Day { asked, left } => write!(
                f,
                "it has to pay {asked} sat more now, and anchor.bitcoin.max_per_day leaves {left}: raise that, or wait until \
                 the last 24 hours have cost less"
            ),
        }
    }
}

impl Caps {
    /// `spent`: sat paid within the last 24 hours.
    pub fn of(config: &Bitcoin, spent: u64) -> Self {
        Self { rate: config.max_fee_rate, fee: config.max_fee, left: config.max_per_day.saturating_sub(spent) }
    }

    /// May a transaction cost `fee` (sat), of which `paid` are allowed already?
    pub(super) fn allow(&self, fee: u64, paid: u64) -> Result<(), Capped> {
        let more = fee.saturating_sub(paid);
        if fee > self.fee {
            return Err(Capped::Fee { asked: fee, allowed: self.fee });
        }
        if more > self.left {
            return Err(Capped::Day { asked: more, left: self.left });
        }
        Ok(())
    }
}

/// The rate of a first transaction of `vsize` vB: `fixed`, or what the market says, within the caps.
pub(super) fn first(market: Market, fixed: Option<f64>, caps: Caps, vsize: u64) -> Result<f64, Capped> {
    let floor = up(market.floor);
    if floor > caps.rate {
        return Err(Capped::Rate { asked: floor, allowed: caps.rate });
    }
    // A fixed rate is the user's word, unless no node would take it.
    let wanted = fixed.or(market.estimate).unwrap_or(floor).max(floor).min(caps.rate);
    let affordable = caps.fee.min(caps.left) as f64 / vsize.max(1) as f64;
    let rate = down(wanted.min(affordable)).max(floor);
    caps.allow(cost(rate, vsize), 0)?;
    Ok(rate)
}

/// The rate of a transaction of `vsize` vB that replaces one which pays `paid` sat.
pub(super) fn bump(market: Market, caps: Caps, paid: u64, vsize: u64) -> Result<f64, Capped> {
    let size = vsize.max(1) as f64;
    let floor = up(market.floor);
    let least_fee = paid + (market.incremental * size).ceil() as u64;
    let least = up(least_fee as f64 / size).max(floor);
    if least > caps.rate {
        return Err(Capped::Rate { asked: least, allowed: caps.rate });
    }
    caps.allow(cost(least, vsize), paid)?;
    let wanted = (paid as f64 * GROWTH / size).max(market.estimate.unwrap_or(0.0)).max(least).min(caps.rate);
    let affordable = caps.fee.min(paid.saturating_add(caps.left)) as f64 / size;
    Ok(down(wanted.min(affordable)).max(least))
}

/// sat, as bitcoind counts it: from whole sat per 1000 vB, rounded up.
fn cost(rate: f64, vsize: u64) -> u64 {
    ((rate * DECIMALS).round() as u64 * vsize).div_ceil(DECIMALS as u64)
}

fn up(rate: f64) -> f64 {
    (rate * DECIMALS - 1e-6).ceil() / DECIMALS
}

fn down(rate: f64) -> f64 {
    (rate * DECIMALS + 1e-6).floor() / DECIMALS
}

/// What was paid within the last 24 hours, from (seconds since 1970, sat) in any order.
pub(super) fn spent(paid: impl IntoIterator<Item = (u64, u64)>, now: u64) -> u64 {
    paid.into_iter().filter(|(at, _)| at.saturating_add(DAY) > now).map(|(_, sat)| sat).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAPS: Caps = Caps { rate: 20.0, fee: 10_000, left: 20_000 };
    const QUIET: Market = Market { floor: 0.1, incremental: 0.1, estimate: None };

    #[test]
    fn the_first_pays_what_the_market_says_within_the_caps() {
        assert_eq!(first(QUIET, None, CAPS, 157), Ok(0.1), "below 1 sat/vB where nodes take that");
        assert_eq!(first(Market { estimate: Some(7.5), ..QUIET }, None, CAPS, 157), Ok(7.5));
        assert_eq!(first(Market { estimate: Some(75.0), ..QUIET }, None, CAPS, 157), Ok(20.0));
        assert_eq!(first(QUIET, Some(3.0), CAPS, 157), Ok(3.0));
        assert_eq!(first(Market { floor: 5.0, ..QUIET }, Some(3.0), CAPS, 157), Ok(5.0));
        let capped = first(Market { floor: 25.0, ..QUIET }, None, CAPS, 157);
        assert_eq!(capped, Err(Capped::Rate { asked: 25.0, allowed: 20.0 }));
        let small = Caps { fee: 100, ..CAPS };
        assert_eq!(
            first(Market { floor: 1.0, ..QUIET }, None, small, 157),
            Err(Capped::Fee { asked: 157, allowed: 100 })
        );
        let spent = Caps { left: 10, ..CAPS };
        assert_eq!(first(Market { floor: 1.0, ..QUIET }, None, spent, 157), Err(Capped::Day { asked: 157, left: 10 }));
        // what can be paid is paid, rather than nothing
        let half = Caps { fee: 1_570, ..CAPS };
        assert_eq!(first(Market { estimate: Some(15.0), ..QUIET }, None, half, 157), Ok(10.0));
    }

    #[test]
    fn what_stands_in_the_way_says_by_how_much() {
        let said = Capped::Rate { asked: 25.5, allowed: 20.0 }.to_string();
        assert!(said.contains("5.500 more than anchor.bitcoin.max_fee_rate = 20"), "{said}");
    }

    #[test]
    fn only_the_last_day_counts() {
        assert_eq!(spent([(0, 5), (10, 7), (DAY + 1, 11)], DAY + 2), 18);
        assert_eq!(spent([(0, 5)], DAY), 0);
    }

    proptest! {
        /// BIP 125's rules 3 and 4 and every cap hold, whatever the market does.
        #[test]
        fn a_bump_pays_enough_and_never_too_much(
            floor in 0.0..30.0_f64, incremental in 0.0..5.0_f64, estimate in prop::option::of(0.0..100.0_f64),
            paid in 1..9_000_u64, vsize in 100..400_u64, left in 0..20_000_u64,
        ) {
            let caps = Caps { left, ..CAPS };
            if let Ok(rate) = bump(Market { floor, incremental, estimate }, caps, paid, vsize) {
                let fee = cost(rate, vsize);
                prop_assert!(fee as f64 >= paid as f64 + incremental * vsize as f64);
                prop_assert!(rate >= floor && rate <= caps.rate);
                prop_assert!(fee <= caps.fee && fee - paid <= left);
            }
        }

        #[test]
        fn a_first_one_keeps_every_cap(
            floor in 0.0..30.0_f64, estimate in prop::option::of(0.0..100.0_f64), vsize in 100..400_u64,
            left in 0..20_000_u64, fee in 0..20_000_u64,
        ) {
            let caps = Caps { left, fee, ..CAPS };
            if let Ok(rate) = first(Market { floor, incremental: 1.0, estimate }, None, caps, vsize) {
                prop_assert!(rate >= floor && rate <= caps.rate);
                prop_assert!(cost(rate, vsize) <= left.min(fee));
            }
        }
    }
}
