//! `[anchor]` in `node.toml`.

use crate::{foreign::without_credentials, span::Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{path::PathBuf, time::Duration};

/// Bytes of magic at most: with the 32 bytes of the root the payload stays at 40, which every node relays.
const MAGIC_MAX: usize = 8;
/// Characters of a wallet's name at most; bitcoind makes a directory of it.
const WALLET_MAX: usize = 64;
/// No node relays a transaction that pays less (sat/vB).
pub(super) const FEE_RATE_MIN: f64 = 1.0;

/// How new records come into Bitcoin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// "off": new records are queued and nothing is spent. "wallet": toft pays from a wallet of your bitcoind.
    pub mode: Mode,
    /// How long records are collected before they are anchored together: "90s", "30m", "6h", "1d".
    pub every: Span,
    /// Confirmations after which an anchor is final.
    pub confirmations: u32,
    /// Up to 8 ASCII characters before the root in the transaction, by which anchors can be found again in the
    /// chain. Empty: toft's anchors look like any other OpenTimestamps anchor.
    pub magic: String,
    pub bitcoin: Bitcoin,
}

/// The bitcoind that toft asks and, in mode "wallet", pays with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bitcoin {
    /// Where bitcoind answers JSON-RPC.
    pub rpc: String,
    /// The cookie file bitcoind writes at start; "auto": where bitcoind puts it by default for `network`.
    pub cookie: String,
    /// Instead of the cookie: a user and password from bitcoind's `rpcauth`. Empty: the cookie.
    pub user: String,
    pub password: Password,
    /// toft signs nothing when bitcoind is on another network.
    pub network: Network,
    /// The wallet toft pays from. It is created if it is missing; use it for nothing else.
    pub wallet: String,
    /// Fee in sat/vB; 0: bitcoind's estimate for confirmation within a day.
    pub fee_rate: f64,
    /// toft never pays more than this (sat/vB). One anchor has about 160 vB.
    pub max_fee_rate: f64,
    /// How often bitcoind is asked about anchors that are not final.
    pub poll: Span,
}

/// A password in the settings: written with them, and never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "…" })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            every: Span(Duration::from_secs(6 * 60 * 60)),
            confirmations: 6,
            magic: "toft".into(),
            bitcoin: Bitcoin::default(),
        }
    }
}

impl Default for Bitcoin {
    fn default() -> Self {
        Self {
            rpc: "http://127.0.0.1:8332".into(),
            cookie: "auto".into(),
            user: String::new(),
            password: Password::default(),
            network: Network::Mainnet,
            wallet: "toft".into(),
            fee_rate: 0.0,
            max_fee_rate: 20.0,
            poll: Span(Duration::from_secs(30)),
        }
    }
}

impl Config {
    /// What cannot work, said before anything starts.
    pub fn check(&self) -> Result<(), String> {
        let wallet = &self.bitcoin.wallet;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if self.magic.len() > MAGIC_MAX || !self.magic.is_ascii() {
            return Err(format!("anchor.magic = {:?}: it has up to {MAGIC_MAX} ASCII characters", self.magic));
        }
        if self.confirmations == 0 {
            return Err("anchor.confirmations = 0: an anchor needs at least 1 confirmation to be final".into());
        }
        if wallet.is_empty() || wallet.len() > WALLET_MAX || !wallet.bytes().all(plain) || wallet.starts_with('.') {
            return Err(format!(
                "anchor.bitcoin.wallet = {wallet:?}: a name of letters, digits, '-', '_' and '.', at most {WALLET_MAX}"
            ));
        }
        if without_credentials(&self.bitcoin.rpc) != self.bitcoin.rpc {
            return Err(
                "anchor.bitcoin.rpc holds a user and password: put them into anchor.bitcoin.user and password".into()
            );
        }
        if !self.bitcoin.rpc.starts_with("http://") {
            return Err(format!(
                "anchor.bitcoin.rpc = {:?}: bitcoind speaks plain http:// (reach a remote one through a tunnel)",
                self.bitcoin.rpc
            ));
        }
        if self.bitcoin.user.is_empty() != self.bitcoin.password.expose().is_empty() {
            return Err("anchor.bitcoin.user and anchor.bitcoin.password go together".into());
        }
        let (rate, max) = (self.bitcoin.fixed_fee_rate().unwrap_or(FEE_RATE_MIN), self.bitcoin.max_fee_rate);
        if !(rate >= FEE_RATE_MIN && max >= rate && max.is_finite()) {
            return Err(format!(
                "anchor.bitcoin.fee_rate = {rate} with max_fee_rate = {max}: both are sat/vB, at least {FEE_RATE_MIN}, the maximum not below the rate"
            ));
        }
        Ok(())
    }

    /// What goes into the transaction for `root`.
    pub fn payload(&self, root: &[u8; 32]) -> Vec<u8> {
        [self.magic.as_bytes(), root].concat()
    }
}

impl Bitcoin {
    /// The fee rate, if it is not left to bitcoind.
    pub(super) fn fixed_fee_rate(&self) -> Option<f64> {
        (self.fee_rate != 0.0).then_some(self.fee_rate)
    }

    /// The file with bitcoind's credentials.
    pub(super) fn cookie_path(&self) -> PathBuf {
        if self.cookie != "auto" {
            return PathBuf::from(&self.cookie);
        }
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let dir = if cfg!(target_os = "macos") { "Library/Application Support/Bitcoin" } else { ".bitcoin" };
        home.join(dir).join(self.network.dir()).join(".cookie")
    }
}

/// Who pays for anchors. Spending is always opt-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Off,
    Wallet,
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "off" => Ok(Self::Off),
            "wallet" => Ok(Self::Wallet),
            later @ ("calendar" | "psbt") => Err(D::Error::custom(format!(
                "anchor.mode = \"{later}\" is not in this version; use \"wallet\" or \"off\""
            ))),
            other => Err(D::Error::custom(format!("anchor.mode = {other:?} is unknown; use \"wallet\" or \"off\""))),
        }
    }
}

/// A Bitcoin network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    Mainnet,
    Testnet4,
    Signet,
    Regtest,
}

impl Network {
    /// What `getblockchaininfo` calls it.
    pub(super) fn chain(self) -> &'static str {
        match self {
            Self::Mainnet => "main",
            Self::Testnet4 => "testnet4",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
        }
    }

    /// Its place below bitcoind's data directory.
    fn dir(self) -> &'static str {
        match self {
            Self::Mainnet => "",
            other => other.chain(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_spends_nothing_and_reads_back() {
        let config = Config::default();
        assert_eq!(config.mode, Mode::Off);
        assert_eq!(config.check(), Ok(()));
        let text = toml::to_string(&config).expect("serializes");
        assert!(text.contains("every = \"6h\""), "{text}");
        assert_eq!(toml::from_str::<Config>(&text).expect("parses"), config);
        assert_eq!(toml::from_str::<Config>("").expect("parses"), config);
    }

    #[test]
    fn modes_of_later_versions_are_refused_with_a_sentence() {
        let error = toml::from_str::<Config>("mode = 'calendar'").expect_err("not yet").to_string();
        assert!(error.contains("not in this version"), "{error}");
        assert!(toml::from_str::<Config>("mode = 'x'").is_err());
        assert!(toml::from_str::<Config>("modes = 'off'").is_err());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for toml in [
            "magic = 'ninebytes'",
            "confirmations = 0",
            "bitcoin.wallet = '../x'",
            "bitcoin.rpc = 'https://node'",
            "bitcoin.user = 'u'",
            "bitcoin.fee_rate = 30.0",
            "bitcoin.max_fee_rate = nan",
        ] {
            let config: Config = toml::from_str(toml).expect("parses");
            assert!(config.check().is_err(), "{toml}");
        }
    }
}
