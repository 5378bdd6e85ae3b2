//! Floods and tricks of strangers against the release binary, at the size at which they stopped earlier versions, from one
//! address (127.0.0.1), while an honest client at another (127.0.0.2) and a paired device (127.0.0.3) want to be served.
//!
//! Each guard is shown to matter: with its bound raised beyond its maximum, which only a debug build does
//! (`toft::bounds::BEYOND`), the same flood does its harm. One flood at a time: they share the machine's two cores.
//! `TOFT_LONG=1` also waits until a minute after each flood. `TOFT_ATTACKS_BIN` names a binary that is built already.

mod floods;
mod guards;
mod node;
mod stranger;
mod width;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod support;
