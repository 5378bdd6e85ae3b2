//! What the owner may set of the store.

use crate::span::Span;
use std::time::Duration;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes after which a log segment is sealed and the next begun.
    pub segment_size: u64,
    /// Bytes of memory the index may use as cache.
    pub cache: u64,
    /// Bytes of the disk that stay free: below, nothing new is taken.
    pub min_free: u64,
    /// How often the node looks whether the log is worth compacting.
    pub compact_every: Span,
    /// Part of a sealed segment that must be able to go before it is written anew; 1: never.
    pub compact_above: f64,
}

impl Default for Config {
    fn default() -> Self {
        let compact_every = Span(Duration::from_secs(24 * 60 * 60));
        Self { segment_size: 64 << 20, cache: 32 << 20, min_free: 256 << 20, compact_every, compact_above: 0.5 }
    }
}
