//! The code of `toft protocol gen --lang rust` for each protocol that comes with toft, so that it is compiled. `typed.rs` holds it to what is
//! made, and `TOFT_WRITE_DOCS=1` has it written anew.
#![allow(dead_code)] // what no test uses is compiled too

pub mod anchor;
pub mod commerce;
pub mod creator;
pub mod credential;
pub mod dataset;
pub mod device;
pub mod governance;
pub mod market;
pub mod message;
pub mod metrics;
pub mod notification;
pub mod profile;
pub mod rgb;
pub mod schema_registry;
pub mod settings;
pub mod trust;
pub mod hostile;
