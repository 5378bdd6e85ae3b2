//! Content by CID: staging data as UnixFS blocks, reading it back, verified.
//!
//! - [`Stage`] takes a stream and writes its blocks before anything refers to them: large ones as files, small ones
//!   into packs. Only `disk` knows where blocks lie. The commit that names them makes them part of a record and tells
//!   the index where they lie. Data of up to `dwn::INLINE_MAX` bytes becomes no block on disk: it lies in the log's
//!   frame.
//! - Whatever is read is hashed before it is given out. Wrong bytes are an error that names the block.
//! - Whoever wants a block says with what right ([`Right`]), and one rule says whether he may have it
//!   ([`Blocks::may`]).
//! - A crash between staging and commit leaves blocks that no record names, never a record without its blocks. The
//!   [`Collector`] takes such waste away, and the blocks of data that was superseded. Those are out of
//!   [`Blocks::get`]'s reach as soon as their last record, or pin, lets go of them.
//!
//! All calls may block on the disk. This module does not fetch what is not here (`net` does).

pub mod unixfs;
mod holds;
mod disk;
mod damage;
mod report;
mod metrics;
mod handle;
mod may;
mod get;
mod read;
mod stage;
mod pins;
mod health;
mod collect;
mod scrub;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;

pub use collect::Collector;
pub use damage::{Damage, is_damage};
pub use disk::{UNNAMED_MAX as OPEN_MAX, digest_of as named, entries};
pub use get::Located;
pub use handle::{Blocks, Config};
pub use health::Trouble;
pub use may::{Right, Source, Verdict};
pub use read::{Reader, Survey, Unread};
pub use report::{Collected, Scrubbed, Usage};
pub use scrub::Fetch;
pub use stage::Stage;
