//! `[dwn.limits]`: what strangers can push against at the DWN endpoint and the gateway, and how far they get.

use crate::{
    bounds::{check, check_part},
    pool::Size,
};
use anyhow::Error;

/// Every bound has a range; see [`crate::bounds`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at the same time, of each listener.
    pub connections: u32,
    /// Of these, one address (of IPv6, one /64).
    pub connections_per_address: u32,
    /// Seconds a client has for the headers of a request, from when the node begins to wait for them.
    pub header_seconds: u64,
    /// Seconds a client has for each piece of a body.
    pub piece_seconds: u64,
    /// Bytes a second that a body must come with, over time.
    pub least_rate: u32,
    /// Bytes of memory for all answers on their way out.
    pub answers_memory: u64,
    /// Of these, one address.
    pub answers_memory_per_address: u64,
    /// Seconds an answer waits for room in that memory before it is refused or cut off.
    pub answers_seconds: u64,
    /// Bodies above 30,000 bytes that are taken at the same time.
    pub uploads: u32,
    /// Of these, one address (of IPv6, one /64).
    pub uploads_per_address: u32,
    /// Of these, only what is signed by the owner, or by somebody whose records are shared with a paired device.
    pub uploads_reserved: u32,
    /// WebSockets at the same time.
    pub websockets: u32,
    /// Of these, one address.
    pub websockets_per_address: u32,
    /// Subscriptions at the same time: each is asked about every message of its tenant.
    pub subscriptions: u32,
    /// Of these, one address.
    pub subscriptions_per_address: u32,
    /// And one WebSocket: an agent has one per protocol and tenant, not hundreds.
    pub subscriptions_per_websocket: u32,
    /// Of all subscriptions, those that only the owner and his devices get.
    pub subscriptions_reserved: u32,
    /// Letters of Web5 Connect that wait to be fetched.
    pub letters: u32,
    /// Of these, those left by one address.
    pub letters_per_address: u32,
    /// Bytes of waiting letters.
    pub letters_bytes: u64,
    /// Of these, those left by one address.
    pub letters_bytes_per_address: u64,
    /// Registrations an hour.
    pub registrations: u32,
    /// Of these, from one address.
    pub registrations_per_address: u32,
    /// Digests a minute that are taken to be stamped (anchor.calendar.serve).
    pub digests: u32,
    /// Of these, from one address.
    pub digests_per_address: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 128,
            header_seconds: 10,
            piece_seconds: 30,
            least_rate: 1000,
            answers_memory: 64 << 20,
            answers_memory_per_address: 16 << 20,
            answers_seconds: 20,
            uploads: 256,
            uploads_per_address: 32,
            uploads_reserved: 32,
            websockets: 1024,
            websockets_per_address: 64,
            subscriptions: 8192,
            subscriptions_per_address: 256,
            subscriptions_per_websocket: 64,
            subscriptions_reserved: 256,
            letters: 4096,
            letters_per_address: 64,
            letters_bytes: 32 << 20,
            letters_bytes_per_address: 2 << 20,
            registrations: 1200,
            registrations_per_address: 60,
            digests: 6000,
            digests_per_address: 60,
        }
    }
}

impl Limits {
    /// Is every bound in its range?
    pub fn check(&self) -> Result<(), Error> {
        check("dwn.limits.connections", self.connections, 16..=65_536)?;
        let all = ("connections", self.connections);
        check_part("dwn.limits.connections_per_address", self.connections_per_address, 4, all)?;
        check("dwn.limits.header_seconds", self.header_seconds, 1..=60)?;
        check("dwn.limits.piece_seconds", self.piece_seconds, 1..=300)?;
        check("dwn.limits.least_rate", self.least_rate, 100..=1_000_000)?;
        check("dwn.limits.answers_memory", self.answers_memory, 16 << 20..=1 << 30)?;
        let all = ("answers_memory", self.answers_memory);
        check_part("dwn.limits.answers_memory_per_address", self.answers_memory_per_address, 4 << 20, all)?;
        check("dwn.limits.answers_seconds", self.answers_seconds, 1..=120)?;
        check("dwn.limits.uploads", self.uploads, 8..=2048)?;
        let all = ("uploads", self.uploads);
        check_part("dwn.limits.uploads_per_address", self.uploads_per_address, 1, all)?;
        check_part("dwn.limits.uploads_reserved", self.uploads_reserved, 1, all)?;
        check("dwn.limits.websockets", self.websockets, 16..=65_536)?;
        let all = ("websockets", self.websockets);
        check_part("dwn.limits.websockets_per_address", self.websockets_per_address, 1, all)?;
        check("dwn.limits.subscriptions", self.subscriptions, 64..=65_536)?;
        let all = ("subscriptions", self.subscriptions);
        check_part("dwn.limits.subscriptions_per_address", self.subscriptions_per_address, 1, all)?;
        check("dwn.limits.subscriptions_per_websocket", self.subscriptions_per_websocket, 1..=1024)?;
        check("dwn.limits.subscriptions_reserved", self.subscriptions_reserved, 1..=self.subscriptions / 4)?;
        check("dwn.limits.letters", self.letters, 16..=65_536)?;
        check_part("dwn.limits.letters_per_address", self.letters_per_address, 2, ("letters", self.letters))?;
        check("dwn.limits.letters_bytes", self.letters_bytes, 1 << 20..=256 << 20)?;
        let all = ("letters_bytes", self.letters_bytes);
        check_part("dwn.limits.letters_bytes_per_address", self.letters_bytes_per_address, 64 << 10, all)?;
        check("dwn.limits.registrations", self.registrations, 2..=100_000)?;
        let all = ("registrations", self.registrations);
        check_part("dwn.limits.registrations_per_address", self.registrations_per_address, 1, all)?;
        check("dwn.limits.digests", self.digests, 2..=10_000_000)?;
        check_part("dwn.limits.digests_per_address", self.digests_per_address, 1, ("digests", self.digests))
    }

    /// Places for uploads.
    pub fn uploads(&self) -> Size {
        let [most, share, reserved] =
            [self.uploads, self.uploads_per_address, self.uploads_reserved].map(|count| count as usize);
        Size { most, share, reserved }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_ranges_and_no_address_gets_more_than_half() {
        assert!(Limits::default().check().is_ok());
        let said = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            limits.check().expect_err("out of range").to_string()
        };
        assert!(said(|l| l.connections = 0).contains("dwn.limits.connections = 0"));
        assert!(said(|l| l.header_seconds = 3600).contains("a bound cannot be turned off"));
        assert!(said(|l| l.connections_per_address = 1000).contains("at most half of connections (1024)"));
    }
}
