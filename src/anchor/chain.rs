//! The narrow client to bitcoind: what an anchor needs, and nothing else.
//!
//! `bitcoincore-rpc` reads the cookie once, blocks, and has reply structs of one version of bitcoind. So: own
//! structs with only the fields we read, a client that is made anew after a 401, and every call on a blocking
//! thread. Amounts go out as strings and nothing is sent here that the caller has not made durable first.

use super::{
    config::{Config, Path},
    fees::{Capped, Market},
    proof::{self, Inclusion},
    transport::{Failure, Transport},
};
use crate::foreign::{said, without_credentials};
use bitcoin::{OutPoint, Txid, block::Header, consensus::encode::deserialize_hex};
use bitcoincore_rpc::{Client, Error as RpcError, RpcApi, jsonrpc};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// bitcoind answers in milliseconds unless it loads a wallet or is busy with a block; then we rather wait than
/// ask twice.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Blocks within which an anchor should confirm when no fee is configured: a day. Nobody waits for it.
const FEE_TARGET: u32 = 144;
/// Blocks whose fees stand in for an estimate, the newest.
const RECENT: u32 = 3;

/// bitcoind's error codes that we act on.
pub(super) mod code {
    pub(in crate::anchor) const MISC: i32 = -1;
    pub(in crate::anchor) const INVALID_ADDRESS_OR_KEY: i32 = -5;
    pub(in crate::anchor) const INSUFFICIENT_FUNDS: i32 = -6;
    pub(in crate::anchor) const INVALID_PARAMETER: i32 = -8;
    pub(in crate::anchor) const WALLET_ERROR: i32 = -4;
    pub(in crate::anchor) const UNKNOWN_LABEL: i32 = -11;
    pub(in crate::anchor) const LOCKED: i32 = -13;
    pub(in crate::anchor) const WALLET_NOT_FOUND: i32 = -18;
    pub(in crate::anchor) const IN_WARMUP: i32 = -28;
    pub(in crate::anchor) const WALLET_ALREADY_LOADED: i32 = -35;
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
    #[error("bitcoind at {url} is still downloading the chain ({percent:.1} %): anchors wait until it has all blocks")]
    Syncing { url: String, percent: f64 },
    #[error("bitcoind at {url} is too busy (its queue of work is full): it is asked again")]
    Busy { url: String },
    #[error(
        "the wallet {0:?}, from which anchors were paid, is not in bitcoind any more: put it back into its wallets directory, \
         or set anchor.bitcoin.wallet to another one (no new one is made in its place)"
    )]
    WalletGone(String),
    #[error(
        "bitcoind has no wallet {0:?}, and only mode \"wallet\" makes one: in mode \"psbt\" make a watch-only wallet of your signer's descriptors \
         (bitcoin-cli createwallet {0:?} true true, then importdescriptors)"
    )]
    NoWallet(String),
    #[error("the wallet {0:?} cannot sign (it is watch-only): set anchor.mode = \"psbt\" to sign with your own signer")]
    WatchOnly(String),
    #[error(
        "bitcoind's own limit on fees is below what an anchor costs now ({0}): start it with a higher -maxtxfee, or wait \
         until fees fall"
    )]
    MaxTxFee(String),
    #[error(
        "bitcoind relays no data in transactions ({0}): start it without -datacarrier=0 and with -datacarriersize of at \
         least 43, or set anchor.mode = \"calendar\""
    )]
    DataCarrier(String),
    #[error("bitcoind would not take the anchor's transaction ({0})")]
    Refused(String),
    #[error("{0}")]
    Capped(Capped),
    #[error("the wallet {0:?} is encrypted and locked: unlock it (bitcoin-cli -rpcwallet={0} walletpassphrase …)")]
    Locked(String),
    #[error("bitcoind refused {method}: {message} ({code})")]
    Rpc { method: &'static str, code: i32, message: String },
    #[error("bitcoind's answer to {method} is not understood: {cause}")]
    Answer { method: &'static str, cause: String },
    #[error("the transaction is not the one that was asked for: {0}")]
    NotOurs(&'static str),
    #[error(transparent)]
    Proof(#[from] proof::Error),
    #[error("the task that talks to bitcoind failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Tip {
    pub chain: String,
    #[serde(rename = "blocks")]
    pub height: u32,
    #[serde(rename = "bestblockhash")]
    pub block: String,
    #[serde(default, rename = "initialblockdownload")]
    pub is_syncing: bool,
    #[serde(default, rename = "verificationprogress")]
    pub progress: f64,
}

/// Handle to one bitcoind; cheap to clone. Methods other than [`Chain::run`] block.
#[derive(Clone)]
pub struct Chain {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    clients: Mutex<Option<Arc<Clients>>>,
    /// The wallet was there before: a missing one is not made anew.
    had_wallet: AtomicBool,
    /// Of spends whose coins went into a block that is not found yet, by their first coin: the lowest and the highest block of those
    /// that were looked through.
    scanned: Mutex<HashMap<OutPoint, (u32, u32)>>,
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

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("rpc", &self.url()).finish_non_exhaustive()
    }
}

impl Chain {
    /// Talks to nobody yet.
    pub fn new(config: &Config) -> Self {
        let had_wallet = AtomicBool::new(false);
        Self {
            inner: Arc::new(Inner {
                config: config.clone(),
                clients: Mutex::default(),
                had_wallet,
                scanned: Mutex::default(),
            }),
        }
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

    /// The end of the chain, if the node knows all of it.
    pub(super) fn whole(&self) -> Result<Tip, Error> {
        let tip = self.tip()?;
        match tip.is_syncing {
            true => Err(Error::Syncing { url: self.url(), percent: tip.progress * 100.0 }),
            false => Ok(tip),
        }
    }

    /// The chain's first block, as people write it.
    pub fn genesis(&self) -> Result<String, Error> {
        self.call("getblockhash", &[json!(0)])
    }

    /// Is this block in the best chain? Its height then.
    pub fn stands(&self, height: u32, block: &str) -> Result<Option<u32>, Error> {
        // A node that reads its blocks anew does not say that they were reorganised away.
        let tip = self.whole()?.height;
        Ok((self.block_at(height)?.as_deref() == Some(block)).then_some(tip))
    }

    /// Sends signed bytes. The answer says little: see [`Chain::seen`].
    pub fn send(&self, tx: &[u8]) -> Result<(), Error> {
        let _txid: Value = self.call("sendrawtransaction", &[json!(hex::encode(tx))])?;
        Ok(())
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

    pub(super) fn block_at(&self, height: u32) -> Result<Option<String>, Error> {
        match self.call("getblockhash", &[json!(height)]) {
            Err(Error::Rpc { code: code::INVALID_PARAMETER, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    pub(super) fn header(&self, block: &str) -> Result<(u32, Header), Error> {
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

    /// What bitcoind says about fees now.
    pub(super) fn market(&self, height: u32) -> Result<Market, Error> {
        // BTC per 1000 vB → sat per vB
        let rate = |btc: Option<f64>| btc.map(|btc| btc * 100_000.0);
        let mempool: Mempool = self.call("getmempoolinfo", &[])?;
        // With -blocksonly bitcoind refuses to estimate.
        let estimate: Estimate = match self.call("estimatesmartfee", &[json!(FEE_TARGET), json!("economical")]) {
            Err(Error::Rpc { .. }) => Estimate { feerate: None },
            other => other?,
        };
        let floor = rate(mempool.mempoolminfee).unwrap_or(0.0).max(rate(mempool.minrelaytxfee).unwrap_or(0.0));
        let estimate = match rate(estimate.feerate) {
            Some(estimate) => Some(estimate),
            None => self.recent_fees(height),
        };
        // A node that does not say takes what all have long taken.
        Ok(Market { floor, incremental: rate(mempool.incrementalrelayfee).unwrap_or(1.0), estimate })
    }

    /// What the cheapest tenth of the newest blocks paid: with -blocksonly, and after a start, bitcoind has no estimate. None where
    /// blocks are pruned or empty.
    fn recent_fees(&self, height: u32) -> Option<f64> {
        #[derive(Deserialize)]
        struct Stats {
            feerate_percentiles: Vec<f64>,
        }
        let of = |height: u32| {
            let stats: Stats = self.call("getblockstats", &[json!(height), json!(["feerate_percentiles"])]).ok()?;
            stats.feerate_percentiles.first().copied().filter(|rate| *rate > 0.0)
        };
        (height.saturating_sub(RECENT - 1)..=height).filter_map(of).reduce(f64::max)
    }

    /// Has the wallet loaded, if there is one. Is there?
    pub(super) fn load_wallet(&self) -> Result<bool, Error> {
        let name = &self.inner.config.bitcoin.wallet;
        let loaded: Vec<String> = self.call("listwallets", &[])?;
        if loaded.contains(name) {
            return Ok(true);
        }
        match self.call::<Value>("loadwallet", &[json!(name), json!(true)]) {
            Ok(_) | Err(Error::Rpc { code: code::WALLET_ALREADY_LOADED, .. }) => Ok(true),
            Err(Error::Rpc { code: code::WALLET_NOT_FOUND, .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The wallet is loaded, and again after bitcoind restarts; created if there is none.
    pub(super) fn ensure_wallet(&self) -> Result<(), Error> {
        let name = &self.inner.config.bitcoin.wallet;
        if self.load_wallet()? {
            return Ok(());
        }
        if self.inner.config.path() != Some(Path::Wallet) {
            return Err(Error::NoWallet(name.clone()));
        }
        if self.inner.had_wallet.load(Ordering::Relaxed) {
            return Err(Error::WalletGone(name.clone()));
        }
        self.tip()?; // no wallet is left behind on another network
        let named = [json!(name), json!(false), json!(false), json!(""), json!(false), json!(true), json!(true)];
        self.call::<Value>("createwallet", &named)?;
        tracing::info!(wallet = name.as_str(), "created a wallet in bitcoind for anchors");
        Ok(())
    }

    /// The wallet was there before.
    pub(super) fn has_had_wallet(&self) {
        self.inner.had_wallet.store(true, Ordering::Relaxed);
    }

    /// The blocks that were looked through for the spender of a coin are forgotten.
    pub(super) fn take_scanned(&self, coin: &OutPoint) -> Option<(u32, u32)> {
        self.inner.scanned.lock().unwrap_or_else(PoisonError::into_inner).remove(coin)
    }

    /// From the one to the other block nothing spends this coin.
    pub(super) fn put_scanned(&self, coin: OutPoint, blocks: (u32, u32)) {
        self.inner.scanned.lock().unwrap_or_else(PoisonError::into_inner).insert(coin, blocks);
    }

    pub(super) fn config(&self) -> &Config {
        &self.inner.config
    }

    fn url(&self) -> String {
        without_credentials(&self.inner.config.bitcoin.rpc).into_owned()
    }

    pub(super) fn call<T: DeserializeOwned>(&self, method: &'static str, params: &[Value]) -> Result<T, Error> {
        self.ask(To::Node, method, params)
    }

    /// A call to the wallet; one that bitcoind does not have loaded is loaded first.
    pub(super) fn wallet<T: DeserializeOwned>(&self, method: &'static str, params: &[Value]) -> Result<T, Error> {
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
            RpcError::JsonRpc(jsonrpc::Error::Transport(cause))
                if matches!(cause.downcast_ref(), Some(Failure::Status(503))) =>
            {
                Error::Busy { url }
            }
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

pub(super) fn answer(method: &'static str, cause: impl std::fmt::Display) -> Error {
    Error::Answer { method, cause: said(cause) }
}

pub(super) fn decode<T: bitcoin::consensus::Decodable>(method: &'static str, hex: &str) -> Result<T, Error> {
    deserialize_hex(hex).map_err(|e| answer(method, e))
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
    minrelaytxfee: Option<f64>,
    incrementalrelayfee: Option<f64>,
}
