//! The `[resolve]` section of the configuration, and what follows from it.

use super::http::Target;
use crate::{
    bounds::{check, check_part},
    budget::{Budget, Rate},
    did::dht,
    dwn::Fault,
};
use anyhow::{Context as _, anyhow};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether did:web is resolved: over https, at public addresses.
    pub web: Web,
    /// Hosts (`host` or `host:port`) that did:web may ask with `web = "allow-list"`.
    pub web_hosts: Vec<String>,
    /// Hosts (`host` or `host:port`) asked over plain http, private addresses too. For tests.
    pub web_insecure_hosts: Vec<String>,
    /// Base URL of the pkarr gateway that did:dht packets are fetched from. Empty: only what is published here.
    pub dht_gateway: String,
    /// People may publish their did:dht here (`PUT /<key>` at the DWN endpoint).
    pub relay: bool,
    /// Lookups over the network a minute, all together.
    pub lookups_per_minute: u32,
    /// Of these, one address (of IPv6, one /64).
    pub lookups_per_address: u32,
    /// Of these, only for the owner, his devices and DIDs whose documents were good before.
    pub lookups_reserved: u32,
    /// DIDs whose documents are remembered, all together.
    pub remembered: u32,
    /// Of these, those that one address was the first to ask for.
    pub remembered_per_address: u32,
    /// Keys that may publish their did:dht here.
    pub relay_keys: u32,
    /// Of these, new ones a day, all together and from one address.
    pub relay_new_keys: u32,
    pub relay_new_keys_per_address: u32,
    /// Packets taken a minute, all together and from one address.
    pub relay_per_minute: u32,
    pub relay_per_address: u32,
}

impl Config {
    /// Is every bound in its range?
    pub fn check(&self) -> Result<(), Fault> {
        check("resolve.lookups_per_minute", self.lookups_per_minute, 8..=10_000)?;
        check_part(
            "resolve.lookups_per_address",
            self.lookups_per_address,
            1,
            ("lookups_per_minute", self.lookups_per_minute),
        )?;
        check_part(
            "resolve.lookups_reserved",
            self.lookups_reserved,
            1,
            ("lookups_per_minute", self.lookups_per_minute),
        )?;
        check("resolve.remembered", self.remembered, 64..=16_384)?;
        check_part("resolve.remembered_per_address", self.remembered_per_address, 1, ("remembered", self.remembered))?;
        check("resolve.relay_keys", self.relay_keys, 16..=1_000_000)?;
        check("resolve.relay_new_keys", self.relay_new_keys, 2..=self.relay_keys)?;
        check_part(
            "resolve.relay_new_keys_per_address",
            self.relay_new_keys_per_address,
            1,
            ("relay_new_keys", self.relay_new_keys),
        )?;
        check("resolve.relay_per_minute", self.relay_per_minute, 2..=10_000)?;
        check_part("resolve.relay_per_address", self.relay_per_address, 1, ("relay_per_minute", self.relay_per_minute))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            web: Web::On,
            web_hosts: vec![],
            web_insecure_hosts: vec![],
            dht_gateway: String::new(),
            relay: true,
            lookups_per_minute: 120,
            lookups_per_address: 30,
            lookups_reserved: 30,
            remembered: 1024,
            remembered_per_address: 256,
            relay_keys: 10_000,
            relay_new_keys: 2000,
            relay_new_keys_per_address: 100,
            relay_per_minute: 240,
            relay_per_address: 60,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Web {
    Off,
    /// Only the hosts in `web_hosts`.
    AllowList,
    #[default]
    On,
}

impl Config {
    /// Lookups at others.
    pub(super) fn asked(&self) -> Budget {
        Budget::new(Rate {
            most: self.lookups_per_minute,
            share: self.lookups_per_address,
            reserved: self.lookups_reserved,
            over: MINUTE,
        })
    }

    /// Packets that the relay takes: each costs a signature check, an fsync and 1 KiB of log.
    pub(super) fn taken(&self) -> Budget {
        let reserved = self.relay_per_minute / 8;
        Budget::new(Rate { most: self.relay_per_minute, share: self.relay_per_address, reserved, over: MINUTE })
    }

    /// New keys that the relay takes: each has a place here from then on.
    pub(super) fn new_keys(&self) -> Budget {
        let (most, share) = (self.relay_new_keys, self.relay_new_keys_per_address);
        Budget::new(Rate { most, share, reserved: most / 8, over: DAY })
    }

    /// The gateway, if there is one. The operator has named it, so it may be anywhere.
    pub(super) fn gateway(&self) -> Result<Option<Target>, Fault> {
        let text = self.dht_gateway.as_str();
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = || {
            anyhow!(
                "resolve.dht_gateway is \"{text}\"; it must be the base URL of a pkarr relay, such as https://pkarr.example"
            )
        };
        let url = url::Url::parse(text).with_context(wrong)?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong()),
        };
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        let (Some(host), Some(port), true) = (url.host_str(), url.port_or_known_default(), plain) else {
            return Err(wrong());
        };
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let path = format!("{}/", url.path().trim_end_matches('/'));
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Some(Target { tls, host, port, authority, path, trusted: true, body_max: dht::PACKET_MAX }))
    }
}
