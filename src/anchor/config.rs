//! `[anchor]` in `node.toml`.

use crate::{foreign::without_credentials, span::Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};
use url::Url;

/// Bytes of magic at most: with the 32 bytes of the root the payload stays at 40, which every node relays.
const MAGIC_MAX: usize = 8;
/// Characters of a wallet's name at most; bitcoind makes a directory of it.
const WALLET_MAX: usize = 64;
/// Calendars at most: each one costs a request a batch, and later many.
const CALENDARS_MAX: usize = 16;
/// The calendars that the stock client asks (opentimestamps-client 0.7.2).
const CALENDARS: [&str; 4] = [
    "https://a.pool.opentimestamps.org",
    "https://b.pool.opentimestamps.org",
    "https://a.pool.eternitywall.com",
    "https://ots.btc.catallaxy.com",
];

/// How new records come into Bitcoin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// "auto": by the calendars if you agreed to them, else new records are only queued. "calendar": by OpenTimestamps
    /// calendars, which get one root and nothing else. "wallet": toft pays from a wallet of your bitcoind. "psbt": your
    /// own signer pays. "off": new records are queued and nothing is sent.
    pub mode: Mode,
    /// How long records are collected before they are anchored together: "90s", "30m", "6h", "1d".
    pub every: Span,
    /// Confirmations after which an anchor is final.
    pub confirmations: u32,
    /// Up to 8 ASCII characters before the root in the transaction, by which anchors can be found again in the
    /// chain. Empty: toft's anchors look like any other OpenTimestamps anchor.
    pub magic: String,
    pub calendar: Calendar,
    pub bitcoin: Bitcoin,
}

/// OpenTimestamps calendars: those that toft asks, and the one it can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Calendar {
    /// In mode "auto": may the calendars be asked? `toft init` asks once.
    pub consent: bool,
    /// Where roots are sent.
    pub urls: Vec<String>,
    /// A batch counts as handed in when this many of them have taken its root.
    pub min: u32,
    /// Be a calendar for others, at `dwn.listen`, under the name in `dwn.url`.
    pub serve: bool,
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
    /// The wallet toft pays from. It is created if there never was one; use it for nothing else. In mode "psbt": your
    /// watch-only wallet, which is never created.
    pub wallet: String,
    /// Mode "wallet" pays only with this.
    pub spend: bool,
    /// Fee in sat/vB; 0: bitcoind's estimate for confirmation within a day.
    pub fee_rate: f64,
    /// toft never pays more than this (sat/vB). One anchor has about 160 vB.
    pub max_fee_rate: f64,
    /// toft never pays more than this for one transaction (sat).
    pub max_fee: u64,
    /// toft never pays more than this within 24 hours (sat).
    pub max_per_day: u64,
    /// Blocks after which a transaction that is in none pays more.
    pub bump_after: u32,
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
            mode: Mode::Auto,
            every: Span(Duration::from_secs(6 * 60 * 60)),
            confirmations: 6,
            magic: "toft".into(),
            calendar: Calendar::default(),
            bitcoin: Bitcoin::default(),
        }
    }
}

impl Default for Calendar {
    fn default() -> Self {
        Self { consent: false, urls: CALENDARS.map(Into::into).into(), min: 2, serve: false }
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
            spend: false,
            fee_rate: 0.0,
            max_fee_rate: 20.0,
            max_fee: 10_000,
            max_per_day: 20_000,
            bump_after: 6,
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
        let (rate, max) = (self.bitcoin.fee_rate, self.bitcoin.max_fee_rate);
        if !(rate >= 0.0 && max >= rate && max > 0.0 && max.is_finite()) {
            return Err(format!(
                "anchor.bitcoin.fee_rate = {rate} with max_fee_rate = {max}: both are sat/vB above 0, the maximum not below the rate"
            ));
        }
        if self.bitcoin.bump_after == 0 {
            return Err("anchor.bitcoin.bump_after = 0: a transaction needs at least 1 block's time".into());
        }
        self.calendar.check()
    }

    /// What goes on although the settings ask for it in words that changed; a person should know.
    pub fn warning(&self) -> Option<String> {
        (self.mode == Mode::Wallet && !self.bitcoin.spend).then(|| {
            "anchor.mode = \"wallet\" pays nothing without anchor.bitcoin.spend = true: new records are only queued"
                .into()
        })
    }

    /// Who brings roots into the chain under these settings; nobody: they are queued.
    pub fn path(&self) -> Option<Path> {
        match self.mode {
            Mode::Auto if self.calendar.consent => Some(Path::Calendars),
            Mode::Calendar => Some(Path::Calendars),
            Mode::Wallet if self.bitcoin.spend => Some(Path::Wallet),
            Mode::Psbt => Some(Path::Psbt),
            Mode::Auto | Mode::Wallet | Mode::Off => None,
        }
    }

    /// What goes into the transaction for `root`.
    pub fn payload(&self, root: &[u8; 32]) -> Vec<u8> {
        [self.magic.as_bytes(), root].concat()
    }
}

impl Calendar {
    fn check(&self) -> Result<(), String> {
        let min = self.min as usize;
        if self.urls.len() > CALENDARS_MAX || !(1..=self.urls.len().max(1)).contains(&min) {
            return Err(format!(
                "anchor.calendar.min = {min} of {} urls: at least 1 and at most as many as there are, which are at most \
                 {CALENDARS_MAX}",
                self.urls.len()
            ));
        }
        for url in &self.urls {
            let parsed = Url::parse(url).map_err(|e| format!("anchor.calendar.urls: {url:?} is no URL: {e}"))?;
            if without_credentials(url) != *url {
                return Err(
                    "anchor.calendar.urls: a URL holds a user or password, which calendars do not ask for".into()
                );
            }
            let near = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            if !(parsed.scheme() == "https" || (parsed.scheme() == "http" && near)) || parsed.query().is_some() {
                return Err(format!(
                    "anchor.calendar.urls: {url:?}: an https:// URL without a query (http:// only on this machine)"
                ));
            }
        }
        Ok(())
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

/// How roots come into the chain. Sending anything and spending anything is always opt-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Auto,
    Calendar,
    Wallet,
    Psbt,
    Off,
}

/// Who brings roots into the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    Calendars,
    Wallet,
    Psbt,
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
        assert_eq!((config.mode, config.path()), (Mode::Auto, None));
        assert_eq!(config.check(), Ok(()));
        let text = toml::to_string(&config).expect("serializes");
        assert!(text.contains("every = \"6h\""), "{text}");
        assert_eq!(toml::from_str::<Config>(&text).expect("parses"), config);
        assert_eq!(toml::from_str::<Config>("").expect("parses"), config);
    }

    #[test]
    fn nothing_is_sent_and_nothing_spent_without_a_yes() {
        let path = |toml: &str| toml::from_str::<Config>(toml).expect("parses").path();
        assert_eq!(path(""), None);
        assert_eq!(path("calendar.consent = true"), Some(Path::Calendars));
        assert_eq!(path("mode = 'calendar'"), Some(Path::Calendars));
        assert_eq!(path("mode = 'wallet'"), None);
        assert_eq!(path("mode = 'wallet'\nbitcoin.spend = true"), Some(Path::Wallet));
        assert_eq!(path("mode = 'psbt'"), Some(Path::Psbt));
        assert_eq!(path("mode = 'off'\ncalendar.consent = true"), None);
        assert!(toml::from_str::<Config>("mode = 'wallet'").expect("parses").warning().is_some());
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
            "bitcoin.max_fee_rate = 0.0",
            "bitcoin.bump_after = 0",
            "calendar.min = 0",
            "calendar.min = 5",
            "calendar.urls = ['http://calendar.example']",
            "calendar.urls = ['https://u:p@calendar.example']\ncalendar.min = 1",
        ] {
            let config: Config = toml::from_str(toml).expect("parses");
            assert!(config.check().is_err(), "{toml}");
        }
    }
}
