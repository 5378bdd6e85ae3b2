//! The wallet's side of bitcoind: coins, and transactions of them that carry a root.
//!
//! A first transaction and one that replaces it are made by the same call: fixed coins in, the root and one change
//! output out, the fee taken from the change. `psbtbumpfee` would replace what the wallet has as unconfirmed: it depends on
//! the wallet's view, and may add coins and put the outputs in another order.

use super::{
    batch::Need,
    chain::{Chain, Error, answer, code, decode},
    clock,
    fees::{self, Capped, Caps},
    spend::{Attempt, Roots, Spend, Unsigned},
};
use bitcoin::{
    Amount, Denomination, OutPoint, Transaction,
    consensus::encode::serialize,
    script::{PushBytesBuf, ScriptBuf},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// sat that come back to the wallet at least: bitcoind relays no transaction without an output that is worth
/// more than its own spending.
const CHANGE_MIN: u64 = 1_000;
/// vB of an anchor without its inputs, and of its largest usual input (legacy): to ask for enough coins.
const VBYTES_BASE: u64 = 100;
const VBYTES_INPUT: u64 = 150;
/// Inputs at most: more make the proof longer than some verifiers read.
const INPUTS_MAX: usize = 5;
/// The label of the address we name when coins are wanted.
const FUNDING: &str = "toft: coins for anchors";

/// What came of asking the wallet for a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Signing {
    Signed(Spend),
    /// For another attempt of the same coins.
    Replaced(Attempt),
    /// To be signed by who holds the keys.
    Unsigned(Spend),
    NoFunds(Need),
    Capped(Capped),
}

/// What a transaction is to be.
#[derive(Debug, Clone)]
pub struct Order {
    pub roots: Roots,
    /// The address the change goes to.
    pub change: String,
    pub caps: Caps,
    /// Sign it with the wallet's keys, or leave that to who has them.
    pub signs: bool,
}

/// Coins to spend.
struct Coins {
    inputs: Vec<OutPoint>,
    sum: u64,
}

impl Chain {
    /// The first transaction of new coins that carries a root. Nothing is sent.
    pub fn spend(&self, order: &Order) -> Result<Signing, Error> {
        let tip = self.whole()?; // the network is checked before every signature
        let market = self.market(tip.height)?;
        let vsize = VBYTES_BASE + VBYTES_INPUT / 2; // of one input of today's kind
        let rate = match fees::first(market, self.config().bitcoin.fixed_fee_rate(), order.caps, vsize) {
            Ok(rate) => rate,
            Err(capped) => return Ok(Signing::Capped(capped)),
        };
        // Coins that are too few for a day's estimate may do for what is taken at all; it can pay more later.
        let (coins, rate) = match self.coins(rate)? {
            Some(coins) => (coins, rate),
            None => match self.coins(market.floor)? {
                Some(coins) => {
                    let affordable = affordable(&coins);
                    (coins, affordable.min(rate).max(market.floor))
                }
                None => return Ok(Signing::NoFunds(self.need(rate)?)),
            },
        };
        let (psbt, fee) = match self.fund(order, &coins, rate)? {
            Some(funded) => funded,
            None => return Ok(Signing::NoFunds(self.need(rate)?)),
        };
        if let Err(capped) = order.caps.allow(fee, 0) {
            return Ok(Signing::Capped(capped));
        }
        let mut spend = Spend {
            network: self.config().bitcoin.network,
            genesis: self.genesis()?,
            sum: coins.sum,
            attempts: Vec::new(),
            unsigned: None,
            former: Vec::new(),
            sent: false,
        };
        let roots = order.roots.clone();
        if !order.signs {
            spend.unsigned = Some(self.described(psbt, fee, coins.sum, roots, tip.height)?);
            return Ok(Signing::Unsigned(spend));
        }
        let attempt = self.signed(&psbt, roots, coins.sum, tip.height)?;
        spend.attempts.push(attempt);
        Ok(Signing::Signed(spend))
    }

    /// Another transaction of the same coins that pays more, and may carry more roots.
    pub fn replace(&self, spend: &Spend, order: &Order) -> Result<Signing, Error> {
        let tip = self.whole()?;
        let market = self.market(tip.height)?;
        let coins = Coins { inputs: spend.inputs(), sum: spend.sum };
        let rate = match spend.newest() {
            Some(newest) => fees::bump(market, order.caps, spend.fee(), newest.vsize()),
            // Nothing of it was sent: it is a first one, of the same coins.
            None => {
                let fixed = self.config().bitcoin.fixed_fee_rate();
                fees::first(market, fixed, order.caps, VBYTES_BASE + VBYTES_INPUT / 2)
            }
        };
        let rate = match rate {
            Ok(rate) => rate,
            Err(capped) => return Ok(Signing::Capped(capped)),
        };
        let Some((psbt, fee)) = self.fund(order, &coins, rate)? else {
            return Ok(Signing::NoFunds(self.need(rate)?));
        };
        if let Err(capped) = order.caps.allow(fee, spend.fee()) {
            return Ok(Signing::Capped(capped));
        }
        let roots = order.roots.clone();
        if !order.signs {
            let unsigned = Some(self.described(psbt, fee, coins.sum, roots, tip.height)?);
            return Ok(Signing::Unsigned(Spend { unsigned, ..spend.clone() }));
        }
        self.signed(&psbt, roots, coins.sum, tip.height).map(Signing::Replaced)
    }

    /// The attempt that a signed PSBT makes of an unsigned one.
    pub(super) fn imported(&self, unsigned: &Unsigned, psbt: &str) -> Result<Attempt, Error> {
        let height = self.whole()?.height;
        let asked = unsigned.tx().ok_or(Error::NotOurs("the stored transaction is not readable"))?;
        let last: Finalized = self.call("finalizepsbt", &[json!(psbt)])?;
        let Some(hex) = last.hex else { return Err(Error::NotOurs("it is not wholly signed")) };
        let tx: Transaction = decode("finalizepsbt", &hex)?;
        let coins = |tx: &Transaction| tx.input.iter().map(|input| input.previous_output).collect::<Vec<_>>();
        if tx.output != asked.output || coins(&tx) != coins(&asked) {
            return Err(Error::NotOurs("it is another transaction than the one that was exported"));
        }
        self.would_go(&hex)?;
        let (txid, tx) = (tx.compute_txid().to_string(), serialize(&tx));
        Ok(Attempt { tx, txid, fee: unsigned.fee, roots: unsigned.roots.clone(), signed: clock::seconds(), height })
    }

    /// An address of the wallet for change.
    pub fn draw_change(&self) -> Result<String, Error> {
        self.wallet("getrawchangeaddress", &[json!("bech32")])
    }

    /// The address an output pays to; none for one without.
    pub(super) fn address_of(&self, script: &ScriptBuf) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Script {
            address: Option<String>,
        }
        let script: Script = self.call("decodescript", &[json!(script.to_hex_string())])?;
        Ok(script.address)
    }

    /// Has the wallet keep coins for us, or gives them back. bitcoind forgets it at its end.
    pub(super) fn lock(&self, coins: &[OutPoint], locked: bool) -> Result<(), Error> {
        for coin in coins {
            let coin = json!([{ "txid": coin.txid.to_string(), "vout": coin.vout }]);
            match self.wallet::<Value>("lockunspent", &[json!(!locked), coin]) {
                // locked already, or spent: nothing to keep
                Ok(_) | Err(Error::Rpc { code: code::INVALID_PARAMETER, .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// sat in confirmed coins.
    pub(super) fn balance(&self) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Balances {
            mine: Mine,
        }
        #[derive(Deserialize)]
        struct Mine {
            trusted: f64,
        }
        let found: Balances = self.wallet("getbalances", &[])?;
        Amount::from_btc(found.mine.trusted).map(Amount::to_sat).map_err(|e| answer("getbalances", e))
    }

    /// Confirmed coins worth enough, the largest first.
    fn coins(&self, rate: f64) -> Result<Option<Coins>, Error> {
        let mut unspent: Vec<Unspent> = self.wallet("listunspent", &[json!(1)])?;
        unspent.retain(|u| (u.spendable || u.solvable) && u.safe);
        unspent.sort_by(|a, b| b.amount.total_cmp(&a.amount));
        let mut coins = Coins { inputs: Vec::new(), sum: 0 };
        for coin in unspent.into_iter().take(INPUTS_MAX) {
            let amount = Amount::from_btc(coin.amount).map_err(|e| answer("listunspent", e))?;
            coins.sum = coins.sum.saturating_add(amount.to_sat());
            let txid = coin.txid.parse().map_err(|e| answer("listunspent", e))?;
            coins.inputs.push(OutPoint::new(txid, coin.vout));
            if coins.sum >= enough(rate, coins.inputs.len() as u64) {
                return Ok(Some(coins));
            }
        }
        Ok(None)
    }

    fn need(&self, rate: f64) -> Result<Need, Error> {
        let known: Result<serde_json::Map<String, Value>, _> = self.wallet("getaddressesbylabel", &[json!(FUNDING)]);
        let address = match known {
            Ok(map) => map.into_iter().next().map(|(address, _)| address),
            Err(Error::Rpc { code: code::UNKNOWN_LABEL, .. }) => None,
            Err(other) => return Err(other),
        };
        let address = match address {
            Some(address) => address,
            None => self.wallet("getnewaddress", &[json!(FUNDING), json!("bech32")])?,
        };
        // Fees move until the coins are there: who was told an amount is not to be told a higher one then.
        let later = (rate * 2.0).min(self.config().bitcoin.max_fee_rate).max(rate);
        Ok(Need { address, at_least: enough(later, 1) })
    }

    /// A transaction of these coins, unsigned, and its fee (sat); none if the change would be worth too little.
    fn fund(&self, order: &Order, coins: &Coins, rate: f64) -> Result<Option<(String, u64)>, Error> {
        let inputs: Vec<Value> =
            coins.inputs.iter().map(|coin| json!({ "txid": coin.txid.to_string(), "vout": coin.vout })).collect();
        let payload = self.config().payload(&order.roots.root());
        // The one change output is explicit and pays the fee: bitcoind then adds none, and one with only an
        // OP_RETURN, which some nodes do not relay, cannot come about.
        let sum = Amount::from_sat(coins.sum).to_string_in(Denomination::Bitcoin);
        let funded = self.wallet::<Funded>(
            "walletcreatefundedpsbt",
            &[
                json!(inputs),
                json!([{ "data": hex::encode(payload) }, { &order.change: sum }]),
                json!(0),
                json!({ "add_inputs": false, "fee_rate": rate, "replaceable": true, "subtractFeeFromOutputs": [1] }),
            ],
        );
        match funded {
            Ok(funded) => {
                let fee = Amount::from_btc(funded.fee).map_err(|e| answer("walletcreatefundedpsbt", e))?.to_sat();
                Ok((coins.sum.saturating_sub(fee) >= CHANGE_MIN).then_some((funded.psbt, fee)))
            }
            Err(Error::Rpc { message, .. }) if message.contains("maxtxfee") => Err(Error::MaxTxFee(message)),
            Err(Error::Rpc { code: code::INSUFFICIENT_FUNDS, .. }) => Ok(None),
            Err(Error::Rpc { code: code::WALLET_ERROR, message, .. }) if message.contains("too small") => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn signed(&self, psbt: &str, roots: Roots, sum: u64, height: u32) -> Result<Attempt, Error> {
        let signed: Psbt = self.wallet("walletprocesspsbt", &[json!(psbt)])?;
        let last: Finalized = self.wallet("finalizepsbt", &[json!(signed.psbt)])?;
        let Some(hex) = last.hex else { return Err(Error::WatchOnly(self.config().bitcoin.wallet.clone())) };
        let tx: Transaction = decode("finalizepsbt", &hex)?;
        let fee = self.check(&tx, &roots, sum)?;
        self.would_go(&hex)?;
        let (txid, tx) = (tx.compute_txid().to_string(), serialize(&tx));
        Ok(Attempt { tx, txid, fee, roots, signed: clock::seconds(), height })
    }

    /// What who signs needs to know is put into it.
    fn described(&self, psbt: String, fee: u64, sum: u64, roots: Roots, height: u32) -> Result<Unsigned, Error> {
        let described: Psbt =
            self.wallet("walletprocesspsbt", &[json!(psbt), json!(false), json!("ALL"), json!(true)])?;
        let unsigned = Unsigned { psbt: described.psbt, fee, roots, height };
        let tx = unsigned.tx().ok_or_else(|| answer("walletprocesspsbt", "no PSBT"))?;
        self.check(&tx, &unsigned.roots, sum)?;
        Ok(unsigned)
    }

    /// Would bitcoind take it? Asked before it is stored: what no node relays is not signed for good.
    fn would_go(&self, hex: &str) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Accepted {
            allowed: Option<bool>,
            #[serde(rename = "reject-reason")]
            reason: Option<String>,
        }
        let answers: Vec<Accepted> = self.call("testmempoolaccept", &[json!([hex])])?;
        match answers.into_iter().next() {
            Some(Accepted { allowed: Some(false), reason }) => {
                let reason = crate::foreign::said(reason.unwrap_or_default());
                let is_about_data = ["datacarrier", "scriptpubkey"].iter().any(|word| reason.contains(word));
                Err(if is_about_data { Error::DataCarrier(reason) } else { Error::Refused(reason) })
            }
            _ => Ok(()),
        }
    }

    /// The fee of a transaction that is exactly what we asked for.
    fn check(&self, tx: &Transaction, roots: &Roots, sum: u64) -> Result<u64, Error> {
        let payload = self.config().payload(&roots.root());
        let push = PushBytesBuf::try_from(payload).map_err(|_| Error::NotOurs("the payload is too long"))?;
        let [data, change] = tx.output.as_slice() else { return Err(Error::NotOurs("it has not two outputs")) };
        if data.script_pubkey != ScriptBuf::new_op_return(push) || data.value != Amount::ZERO {
            return Err(Error::NotOurs("its first output is not our root"));
        }
        let fee = sum.checked_sub(change.value.to_sat()).ok_or(Error::NotOurs("it spends more than its coins"))?;
        let most = self.config().bitcoin.max_fee_rate * (tx.vsize() as f64 + 1.0);
        let is_signed = tx.input.iter().all(|input| !input.witness.is_empty() || !input.script_sig.is_empty());
        if is_signed && fee as f64 > most.ceil() {
            return Err(Error::NotOurs("its fee is above anchor.bitcoin.max_fee_rate"));
        }
        if fee > self.config().bitcoin.max_fee {
            return Err(Error::NotOurs("its fee is above anchor.bitcoin.max_fee"));
        }
        Ok(fee)
    }
}

/// sat that `inputs` coins must be worth together.
fn enough(rate: f64, inputs: u64) -> u64 {
    let vbytes = VBYTES_BASE + VBYTES_INPUT * inputs;
    (rate * vbytes as f64).ceil() as u64 + CHANGE_MIN
}

/// The rate that `coins` can pay (sat/vB, as bitcoind takes it).
fn affordable(coins: &Coins) -> f64 {
    let vbytes = VBYTES_BASE + VBYTES_INPUT * coins.inputs.len() as u64;
    (coins.sum.saturating_sub(CHANGE_MIN) as f64 / vbytes as f64 * 1_000.0).floor() / 1_000.0
}

#[derive(Deserialize)]
struct Psbt {
    psbt: String,
}

#[derive(Deserialize)]
struct Funded {
    psbt: String,
    fee: f64,
}

#[derive(Deserialize)]
struct Finalized {
    hex: Option<String>,
}

#[derive(Deserialize)]
struct Unspent {
    txid: String,
    vout: u32,
    amount: f64,
    #[serde(default = "yes")]
    spendable: bool,
    #[serde(default = "yes")]
    solvable: bool,
    #[serde(default = "yes")]
    safe: bool,
}

fn yes() -> bool {
    true
}
