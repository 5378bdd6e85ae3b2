//! Hooks: programs of the operator's that the node asks something, each in a cage of limits.
//!
//! A hook is asked once: a line of JSON and then bytes on its standard input, and one JSON object comes back on its standard output.
//! It runs in a process group and an empty folder of its own, with no environment but `PATH`, and with bounds on processor time,
//! memory, files, processes, what it says and how long it takes. Whoever goes beyond one is ended with all of its group, and what is
//! missing then is named: silence is never taken for an answer.
//!
//! Limits are set by this program itself: the node starts itself anew (`toft hook-exec`), which takes the limits upon itself
//! and becomes the hook. The network is not cut off, and a program that leaves its process group on purpose is not held: hooks are
//! the operator's own, what they are given to read is not.

mod config;
mod limits;
mod folder;
mod group;
mod error;
mod runner;

pub use config::Config;
pub use error::HookError;
pub use limits::{COMMAND, Limits, become_hook};
pub use runner::{Input, OUTPUT_MAX, Runner};
