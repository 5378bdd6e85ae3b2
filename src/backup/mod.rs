//! Backups: what a home needs to live again, taken while the node runs.
//!
//! A backup directory holds `objects/<xx>/<sha-256>`, files by their hash, and `snapshots/<time>.json`, each a manifest
//! signed by the node's identity: which file of the home is which object. What an earlier snapshot has brought is not
//! copied again. No file is shared with the home, so that damage there stays there, unless `backup.link` says otherwise:
//! then files that never change are hard links where the file system allows it. A snapshot has the log up to one
//! position, all blocks that were there then, the settings and the keys: **whoever has the backup has the identity**,
//! as whoever has the home.
//!
//! It is consistent because of its order: first the log's end is noted, then everything before it is copied, then the
//! blocks, of which none goes meanwhile (`Blocks::still`); a message's blocks are durable before the message is. The
//! index is not copied: it is rebuilt from the log.
//!
//! What is damaged in the home, or missing there, is not what its name says: the snapshot names it all the same, so that
//! a look at the backup finds that it is missing, and a later snapshot that has it brings it for all. An object that is
//! damaged in the backup is copied anew.

mod manifest;
mod take;
mod restore;
mod verify;
mod schedule;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;

pub use manifest::{Manifest, Object};
pub use restore::{Drilled, Restored, Wish, drill, mend, restore};
pub use schedule::Config;
pub use take::{Check, Source, Taken};
pub use verify::{Verified, verify};
