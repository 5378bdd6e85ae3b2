//! The narrow client to bitcoind: what an anchor needs, and nothing else.
//!
//! `bitcoincore-rpc` reads the cookie once, blocks, and has reply structs of one version of bitcoind. So: own
//! structs with only the fields we read, a client that is made anew after a 401, and every call on a blocking
//! thread. Amounts go out as strings and nothing is sent here that the caller has not made durable first.

use super::{
    batch::{Attempt, Need, Seen},
    config::Config,
    proof::{self, Inclusion},
    transport::{Failure, Transport},
};
use crate::foreign::{said, without_credentials};
use bitcoin::{
    Amount, Denomination, Transaction, Txid,
    block::Header,
    consensus::encode::{deserialize_hex, serialize},
    script::{PushBytesBuf, ScriptBuf},
};
use bitcoincore_rpc::{Client, Error as RpcError, RpcApi, jsonrpc};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// bitcoind answers in milliseconds unless it loads a wallet or is busy with a block; then we rather wait than
/// ask twice.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Blocks within which an anchor should confirm when no fee is configured: a day. Nobody waits for it.
const FEE_TARGET: u32 = 144;
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

/// bitcoind's error codes that we act on.
mod code {
    pub(super) const INVALID_ADDRESS_OR_KEY: i32 = -5;
    pub(super) const INSUFFICIENT_FUNDS: i32 = -6;
    pub(super) const INVALID_PARAMETER: i32 = -8;
    pub(super) const WALLET_ERROR: i32 = -4;
    pub(super) const UNKNOWN_LABEL: i32 = -11;
    pub(super) const LOCKED: i32 = -13;
    pub(super) const WALLET_NOT_FOUND: i32 = -18;
    pub(super) const IN_WARMUP: i32 = -28;
    pub(super) const WALLET_ALREADY_LOADED: i32 = -35;
}

/// What went wrong, as a sentence with what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("bitcoind does not answer at {url} ({cause}): start it, or set anchor.bitcoin.rpc")]
    Unreachable { url: String, cause: String },
    #[error("bitcoind at {url} refuses our credentials ({from}): set anchor.bitcoin.cookie, or user and password")]
    Denied { url: String, from: String },
    #[error(
        "cannot read bitcoind's cookie {} ({cause}): start bitcoind, or set anchor.bitcoin.cookie, or user and password",
        path.display()
    )]
    Cookie { path: PathBuf, cause: std::io::Error },
    #[error("bitcoind at {url} is still starting ({message})")]
    Starting { url: String, message: String },
    #[error(
        "bitcoind at {url} is on network {theirs:?} and anchor.bitcoin.network says {ours:?}: nothing is signed until they agree"
    )]
    Network { url: String, theirs: String, ours: String },
    #[error("the wallet {0:?} is encrypted and locked: unlock it (bitcoin-cli -rpcwallet={0} walletpassphrase …)")]
    Locked(String),
    #[error("bitcoind refused {method}: {message} ({code})")]
    Rpc { method: &'static str, code: i32, message: String },
    #[error("bitcoind's answer to {method} is not understood: {cause}")]
    Answer { method: &'static str, cause: String },
    #[error("the transaction bitcoind made is not the one asked for: {0}")]
    NotOurs(&'static str),
    #[error(transparent)]
    Proof(#[from] proof::Error),
    #[error("the task that talks to bitcoind failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tip {
    pub chain: String,
    #[serde(rename = "blocks")]
    pub height: u32,
    #[serde(rename = "bestblockhash")]
    pub block: String,
}

/// What came of asking the wallet for a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    Signed(Attempt),
    NoFunds(Need),
}

/// Handle to one bitcoind; cheap to clone. Methods other than [`Chain::run`] block.
#[derive(Clone)]
pub struct Chain {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    clients: Mutex<Option<Arc<Clients>>>,
}

/// Made with the credentials that last worked.
struct Clients {
    node: Client,
    wallet: Client,
}

/// Whom a call is for.
#[derive(Clone, Copy)]
enum To {
    Node,
    Wallet,
}

/// Coins to spend, or what is lacking.
enum Coins {
    Enough { inputs: Vec<Value>, sum: Amount },
    Lacking(Need),
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("rpc", &self.url()).finish_non_exhaustive()
    }
}

impl Chain {
    /// Talks to nobody yet.
    pub fn new(config: &Config) -> Self {
        Self { inner: Arc::new(Inner { config: config.clone(), clients: Mutex::default() }) }
    }

    /// Runs `f` where it may block.
    pub async fn run<T, F>(&self, f: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    {
        let chain = self.clone();
        tokio::task::spawn_blocking(move || f(&chain)).await?
    }

    /// The end of the chain, if it is the configured one.
    pub fn tip(&self) -> Result<Tip, Error> {
        let tip: Tip = self.call("getblockchaininfo", &[])?;
        let ours = self.inner.config.bitcoin.network.chain();
        if tip.chain != ours {
            let theirs = said(&tip.chain);
            return Err(Error::Network { url: self.url(), theirs, ours: ours.into() });
        }
        Ok(tip)
    }

    /// A signed transaction that carries `payload` and brings the rest of its coins back to the wallet. Not sent.
    pub fn sign(&self, payload: &[u8]) -> Result<Signing, Error> {
        self.tip()?; // the network is checked before every signature
        let rate = self.fee_rate()?;
        let (inputs, sum) = match self.coins(rate)? {
            Coins::Enough { inputs, sum } => (inputs, sum),
            Coins::Lacking(need) => return Ok(Signing::NoFunds(need)),
        };
        let ours: String = self.wallet("getrawchangeaddress", &[json!("bech32")])?;
        // The one change output is explicit and pays the fee: bitcoind then adds none, and one with only an
        // OP_RETURN, which some nodes do not relay, cannot come about.
        let funded = self.wallet::<Psbt>(
            "walletcreatefundedpsbt",
            &[
                json!(inputs),
                json!([{ "data": hex::encode(payload) }, { &ours: sum.to_string_in(Denomination::Bitcoin) }]),
                json!(0),
                json!({ "add_inputs": false, "fee_rate": rate, "replaceable": true, "subtractFeeFromOutputs": [1] }),
            ],
        );
        let funded = match funded {
            Err(Error::Rpc { code: code::INSUFFICIENT_FUNDS | code::WALLET_ERROR, .. }) => {
                return Ok(Signing::NoFunds(self.need(rate)?));
            }
            other => other?,
        };
        let signed: Psbt = self.wallet("walletprocesspsbt", &[json!(funded.psbt)])?;
        let last: Finalized = self.wallet("finalizepsbt", &[json!(signed.psbt)])?;
        let tx: Transaction = match last.hex {
            Some(hex) => decode("finalizepsbt", &hex)?,
            None => return Err(Error::NotOurs("the wallet cannot sign it alone (is it watch-only?)")),
        };
        let fee = self.check(&tx, payload, sum)?;
        Ok(Signing::Signed(Attempt { txid: tx.compute_txid().to_string(), tx: serialize(&tx), fee }))
    }

    /// Sends signed bytes. The answer says little: see [`Chain::seen`].
    pub fn send(&self, tx: &[u8]) -> Result<(), Error> {
        self.ensure_wallet()?; // so that the wallet sees it
        let _txid: Value = self.call("sendrawtransaction", &[json!(hex::encode(tx))])?;
        Ok(())
    }

    /// What the wallet knows of a transaction. `place`: the block it was last in, if any.
    pub fn seen(&self, txid: &str, place: Option<(u32, &str)>) -> Result<Seen, Error> {
        let found: WalletTx = match self.wallet("gettransaction", &[json!(txid)]) {
            Err(Error::Rpc { code: code::INVALID_ADDRESS_OR_KEY, .. }) => return Ok(Seen::Unknown),
            other => other?,
        };
        let seen = match (found.confirmations, found.blockhash) {
            (n @ 1.., Some(block)) => {
                let height = found.blockheight.map_or_else(|| self.header(&block).map(|(height, _)| height), Ok)?;
                Seen::Mined { height, block, confirmations: clamp(n) }
            }
            (n, _) if n < 0 => Seen::Conflicted { depth: clamp(n.saturating_neg()) },
            _ => Seen::Unconfirmed,
        };
        // The wallet may lag behind the chain for a moment: the chain itself has the last word on the old block.
        if let (Some((height, old)), Seen::Mined { block, .. }) = (place, &seen)
            && block == old
            && self.block_at(height)?.as_deref() != Some(old)
        {
            return Ok(Seen::Unconfirmed);
        }
        Ok(seen)
    }

    /// The place of the transaction in a block.
    pub fn locate(&self, block: &str, txid: &str) -> Result<Inclusion, Error> {
        let (height, header) = self.header(block)?;
        let found: Block = self.call("getblock", &[json!(block), json!(1)])?;
        let parse = |t: &String| t.parse::<Txid>().map_err(|e| answer("getblock", e));
        let txids = found.tx.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(Inclusion::new(&header, height, &txids, parse(&txid.to_owned())?)?)
    }

    /// The header at a height of the best chain; none above its end.
    pub fn header_at(&self, height: u64) -> Result<Option<Header>, Error> {
        match u32::try_from(height).map(|height| self.block_at(height)) {
            Ok(found) => Ok(found?.map(|block| self.header(&block)).transpose()?.map(|(_, header)| header)),
            Err(_) => Ok(None),
        }
    }

    fn block_at(&self, height: u32) -> Result<Option<String>, Error> {
        match self.call("getblockhash", &[json!(height)]) {
            Err(Error::Rpc { code: code::INVALID_PARAMETER, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    fn header(&self, block: &str) -> Result<(u32, Header), Error> {
        #[derive(Deserialize)]
        struct Info {
            height: u32,
        }
        let info: Info = self.call("getblockheader", &[json!(block), json!(true)])?;
        let hex: String = self.call("getblockheader", &[json!(block), json!(false)])?;
        let header: Header = decode("getblockheader", &hex)?;
        if header.block_hash().to_string() != block {
            return Err(answer("getblockheader", "a header with another hash"));
        }
        Ok((info.height, header))
    }

    /// sat/vB: the configured fee, or bitcoind's estimate, within what the mempool wants and the configured maximum.
    fn fee_rate(&self) -> Result<f64, Error> {
        let config = &self.inner.config.bitcoin;
        if let Some(rate) = config.fixed_fee_rate() {
            return Ok(rate);
        }
        let estimate: Estimate = self.call("estimatesmartfee", &[json!(FEE_TARGET), json!("economical")])?;
        let mempool: Mempool = self.call("getmempoolinfo", &[])?;
        // BTC per 1000 vB → sat per vB; no estimate (a young or quiet chain): the least the mempool takes
        let rates = [estimate.feerate, mempool.mempoolminfee].into_iter().flatten().map(|btc| btc * 100_000.0);
        let rate = rates.fold(0.0, f64::max).min(config.max_fee_rate);
        Ok((rate * 1_000.0).round() / 1_000.0) // bitcoind takes three decimals
    }

    /// Confirmed coins worth enough, the largest first.
    fn coins(&self, rate: f64) -> Result<Coins, Error> {
        let mut unspent: Vec<Unspent> = self.wallet("listunspent", &[json!(1)])?;
        unspent.retain(|u| u.spendable && u.safe);
        unspent.sort_by(|a, b| b.amount.total_cmp(&a.amount));
        let (mut inputs, mut sum) = (Vec::new(), Amount::ZERO);
        for coin in unspent.into_iter().take(INPUTS_MAX) {
            let amount = Amount::from_btc(coin.amount).map_err(|e| answer("listunspent", e))?;
            sum = sum.checked_add(amount).ok_or_else(|| answer("listunspent", "amounts beyond all coins"))?;
            inputs.push(json!({ "txid": coin.txid, "vout": coin.vout }));
            if sum.to_sat() >= enough(rate, inputs.len() as u64) {
                return Ok(Coins::Enough { inputs, sum });
            }
        }
        Ok(Coins::Lacking(self.need(rate)?))
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
        Ok(Need { address, at_least: enough(rate, 1) })
    }

    /// The fee of a transaction that is exactly what we asked for.
    fn check(&self, tx: &Transaction, payload: &[u8], sum: Amount) -> Result<u64, Error> {
        let push = PushBytesBuf::try_from(payload.to_vec()).map_err(|_| Error::NotOurs("the payload is too long"))?;
        let [data, change] = tx.output.as_slice() else { return Err(Error::NotOurs("it has not two outputs")) };
        if data.script_pubkey != ScriptBuf::new_op_return(push) || data.value != Amount::ZERO {
            return Err(Error::NotOurs("its first output is not our root"));
        }
        let fee = sum.checked_sub(change.value).ok_or(Error::NotOurs("it spends more than its coins"))?;
        let most = self.inner.config.bitcoin.max_fee_rate * (tx.vsize() as f64 + 1.0);
        if fee.to_sat() as f64 > most.ceil() {
            return Err(Error::NotOurs("its fee is above anchor.bitcoin.max_fee_rate"));
        }
        Ok(fee.to_sat())
    }

    /// The wallet is loaded, and again after bitcoind restarts; created if there is none.
    fn ensure_wallet(&self) -> Result<(), Error> {
        let name = &self.inner.config.bitcoin.wallet;
        let loaded: Vec<String> = self.call("listwallets", &[])?;
        if loaded.contains(name) {
            return Ok(());
        }
        match self.call::<Value>("loadwallet", &[json!(name), json!(true)]) {
            Ok(_) | Err(Error::Rpc { code: code::WALLET_ALREADY_LOADED, .. }) => Ok(()),
            Err(Error::Rpc { code: code::WALLET_NOT_FOUND, .. }) => {
                self.tip()?; // no wallet is left behind on another network
                let named =
                    [json!(name), json!(false), json!(false), json!(""), json!(false), json!(true), json!(true)];
                self.call::<Value>("createwallet", &named)?;
                tracing::info!(wallet = name.as_str(), "created a wallet in bitcoind for anchors");
                Ok(())
            }
            Err(other) => Err(other),
        }
    }

    fn url(&self) -> String {
        without_credentials(&self.inner.config.bitcoin.rpc).into_owned()
    }

    fn call<T: DeserializeOwned>(&self, method: &'static str, params: &[Value]) -> Result<T, Error> {
        self.ask(To::Node, method, params)
    }

    /// A call to the wallet; one that bitcoind does not have loaded is loaded first.
    fn wallet<T: DeserializeOwned>(&self, method: &'static str, params: &[Value]) -> Result<T, Error> {
        match self.ask(To::Wallet, method, params) {
            Err(Error::Rpc { code: code::WALLET_NOT_FOUND, .. }) => {
                self.ensure_wallet()?;
                self.ask(To::Wallet, method, params)
            }
            Err(Error::Rpc { code: code::LOCKED, .. }) => Err(Error::Locked(self.inner.config.bitcoin.wallet.clone())),
            other => other,
        }
    }

    fn ask<T: DeserializeOwned>(&self, to: To, method: &'static str, params: &[Value]) -> Result<T, Error> {
        let mut answer = self.clients()?.of(to).call(method, params);
        if answer.as_ref().is_err_and(denied) {
            // bitcoind writes a new cookie whenever it starts
            *self.inner.clients.lock().unwrap_or_else(PoisonError::into_inner) = None;
            answer = self.clients()?.of(to).call(method, params);
        }
        let value: Value = answer.map_err(|error| self.explain(method, error))?;
        serde_json::from_value(value).map_err(|e| self::answer(method, e))
    }

    fn clients(&self) -> Result<Arc<Clients>, Error> {
        let mut clients = self.inner.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*clients {
            return Ok(made.clone());
        }
        let config = &self.inner.config.bitcoin;
        let (user, password) = self.credentials()?;
        let client = |url: &str| {
            let transport = Transport::new(url, (&user, &password), TIMEOUT)
                .map_err(|e| Error::Unreachable { url: url.to_owned(), cause: e.to_string() })?;
            Ok::<_, Error>(Client::from_jsonrpc(jsonrpc::Client::with_transport(transport)))
        };
        let rpc = config.rpc.trim_end_matches('/');
        let wallet = client(&format!("{rpc}/wallet/{}", config.wallet))?;
        let made = Arc::new(Clients { node: client(rpc)?, wallet });
        *clients = Some(made.clone());
        Ok(made)
    }

    fn credentials(&self) -> Result<(String, String), Error> {
        let config = &self.inner.config.bitcoin;
        if !config.user.is_empty() {
            return Ok((config.user.clone(), config.password.expose().to_owned()));
        }
        let path = config.cookie_path();
        let cookie = std::fs::read_to_string(&path).map_err(|cause| Error::Cookie { path, cause })?;
        let (user, password) = cookie.trim().split_once(':').unwrap_or((cookie.trim(), ""));
        Ok((user.to_owned(), password.to_owned()))
    }

    fn explain(&self, method: &'static str, error: RpcError) -> Error {
        let url = self.url();
        if denied(&error) {
            let config = &self.inner.config.bitcoin;
            let from = match config.user.is_empty() {
                false => "anchor.bitcoin.user and password".to_owned(),
                true => format!("from {}", config.cookie_path().display()),
            };
            return Error::Denied { url, from };
        }
        match error {
            RpcError::JsonRpc(jsonrpc::Error::Rpc(e)) if e.code == code::IN_WARMUP => {
                Error::Starting { url, message: said(&e.message) }
            }
            RpcError::JsonRpc(jsonrpc::Error::Rpc(e)) => Error::Rpc { method, code: e.code, message: said(&e.message) },
            RpcError::JsonRpc(jsonrpc::Error::Transport(cause)) => Error::Unreachable { url, cause: cause.to_string() },
            other => answer(method, other),
        }
    }

    /// Height of the end of the configured chain, and the headers at these heights of it; none above its end. Two questions,
    /// however many heights: no more than some thousands.
    pub fn headers_at(&self, heights: &[u32]) -> Result<(u32, Vec<Option<Header>>), Error> {
        let end = self.tip()?.height; // a header of another network proves nothing here
        let there: Vec<u32> = heights.iter().copied().filter(|height| *height <= end).collect();
        let blocks: Vec<Option<String>> = self.batch("getblockhash", there.iter().map(|height| json!([height])))?;
        let named = blocks.iter().flatten().map(|block| json!([block, false]));
        let mut headers = self.batch::<String>("getblockheader", named)?.into_iter();
        let mut found = std::collections::HashMap::new();
        for (height, block) in there.iter().zip(&blocks) {
            let Some(block) = block else { continue };
            let Some(hex) = headers.next().flatten() else { continue };
            let header: Header = decode("getblockheader", &hex)?;
            if header.block_hash().to_string() != *block {
                return Err(answer("getblockheader", "a header with another hash"));
            }
            found.insert(*height, header);
        }
        Ok((end, heights.iter().map(|height| found.get(height).copied()).collect()))
    }

    /// One method many times in one request: the answers in order, none where there is no such height or block.
    fn batch<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl Iterator<Item = Value>,
    ) -> Result<Vec<Option<T>>, Error> {
        let raw = params.map(|params| serde_json::value::to_raw_value(&params));
        let raw = raw.collect::<Result<Vec<_>, _>>().map_err(|e| answer(method, e))?;
        if raw.is_empty() {
            return Ok(vec![]);
        }
        let send = || {
            let clients = self.clients()?;
            let client = clients.of(To::Node).get_jsonrpc_client();
            let requests: Vec<_> = raw.iter().map(|params| client.build_request(method, Some(params))).collect();
            Ok::<_, Error>(client.send_batch(&requests).map_err(RpcError::JsonRpc))
        };
        let mut answers = send()?;
        if answers.as_ref().is_err_and(denied) {
            *self.inner.clients.lock().unwrap_or_else(PoisonError::into_inner) = None;
            answers = send()?;
        }
        let answers = answers.map_err(|error| self.explain(method, error))?;
        let read = |response: Option<jsonrpc::Response>| {
            let response = response.ok_or_else(|| answer(method, "an answer is missing"))?;
            match response.result::<T>() {
                Ok(result) => Ok(Some(result)),
                Err(jsonrpc::Error::Rpc(e))
                    if [code::INVALID_PARAMETER, code::INVALID_ADDRESS_OR_KEY].contains(&e.code) =>
                {
                    Ok(None)
                }
                Err(error) => Err(self.explain(method, RpcError::JsonRpc(error))),
            }
        };
        answers.into_iter().map(read).collect()
    }
}

impl Clients {
    fn of(&self, to: To) -> &Client {
        match to {
            To::Node => &self.node,
            To::Wallet => &self.wallet,
        }
    }
}

/// Was the answer 401 Unauthorized?
fn denied(error: &RpcError) -> bool {
    let RpcError::JsonRpc(jsonrpc::Error::Transport(cause)) = error else { return false };
    matches!(cause.downcast_ref(), Some(Failure::Status(401)))
}

fn answer(method: &'static str, cause: impl std::fmt::Display) -> Error {
    Error::Answer { method, cause: said(cause) }
}

fn decode<T: bitcoin::consensus::Decodable>(method: &'static str, hex: &str) -> Result<T, Error> {
    deserialize_hex(hex).map_err(|e| answer(method, e))
}

fn clamp(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// sat that `inputs` coins must be worth together.
fn enough(rate: f64, inputs: u64) -> u64 {
    let vbytes = VBYTES_BASE + VBYTES_INPUT * inputs;
    (rate * vbytes as f64).ceil() as u64 + CHANGE_MIN
}

#[derive(Deserialize)]
struct Psbt {
    psbt: String,
}

#[derive(Deserialize)]
struct Finalized {
    hex: Option<String>,
}

#[derive(Deserialize)]
struct WalletTx {
    confirmations: i64,
    blockhash: Option<String>,
    blockheight: Option<u32>,
}

#[derive(Deserialize)]
struct Block {
    tx: Vec<String>,
}

#[derive(Deserialize)]
struct Estimate {
    feerate: Option<f64>,
}

#[derive(Deserialize)]
struct Mempool {
    mempoolminfee: Option<f64>,
}

#[derive(Deserialize)]
struct Unspent {
    txid: String,
    vout: u32,
    amount: f64,
    #[serde(default = "yes")]
    spendable: bool,
    #[serde(default = "yes")]
    safe: bool,
}

fn yes() -> bool {
    true
}
