//! The integration tests: one binary, a module per story.

mod net;
mod net_peers;
mod support;
