//! The `[dwn]` section of the configuration.

use super::{deny::Denied, gate::Tenants, limits::Limits, quota};
use crate::{asker::Network, bounds::check, dwn::Fault};
use anyhow::anyhow;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address the DWN protocol is served on.
    pub listen: String,
    /// Whose records are kept here.
    pub tenants: Tenants,
    /// DIDs that are let in by `tenants = "allow-list"` and `"registration"`.
    pub allow: Vec<String>,
    /// Where clients reach this endpoint from outside, if that is not `listen`.
    pub url: String,
    /// Names under which `/metrics` and `/health` may be asked for, beside loopback's and that of `url`.
    pub hosts: Vec<String>,
    /// Largest data of one record, in bytes.
    pub max_record: u64,
    /// Bytes of data that the records of one tenant may hold who is not the owner. 0, as older files have it: the default.
    pub quota: u64,
    /// Bytes of the disk above `store.min_free` that only the owner's own writes get.
    pub owner_reserve: u64,
    /// DIDs that this node has nothing to do with, as tenants or as authors, and addresses and networks that it does not
    /// talk to at the DWN endpoint and the gateway.
    pub deny: Vec<String>,
    /// Addresses and networks of proxies, whose word on where a request comes from counts.
    pub trusted_proxies: Vec<String>,
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:3000".into(),
            tenants: Tenants::Own,
            allow: Vec::new(),
            url: String::new(),
            hosts: Vec::new(),
            max_record: 1 << 30,
            quota: quota::DEFAULT,
            owner_reserve: 256 << 20,
            deny: Vec::new(),
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// What no single key can say.
    pub fn check(&self) -> Result<(), Fault> {
        self.proxies()?;
        self.denied()?;
        check("dwn.max_record", self.max_record, 1 << 20..=1 << 40)?;
        check("dwn.quota", self.quota(), 1..=1 << 50)?;
        check("dwn.owner_reserve", self.owner_reserve, 16 << 20..=1 << 40)?;
        self.limits.check()
    }

    /// Bytes of data that the records of one tenant may hold who is not the owner.
    pub fn quota(&self) -> u64 {
        if self.quota == 0 { quota::DEFAULT } else { self.quota }
    }

    /// Whom this node has nothing to do with.
    pub fn denied(&self) -> Result<Denied, Fault> {
        Denied::parse(&self.deny)
    }

    /// The proxies whose word on where a request comes from counts.
    pub fn proxies(&self) -> Result<Vec<Network>, Fault> {
        let network = |text: &String| text.parse().map_err(|e| anyhow!("dwn.trusted_proxies: {e}"));
        self.trusted_proxies.iter().map(network).collect()
    }
}
