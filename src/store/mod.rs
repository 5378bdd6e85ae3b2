//! The store: an append-only log that is the truth and an index that is rebuilt from it.
//!
//! [`Store::commit`] makes a change. The one writer runs the decision, appends the message to the log with what the
//! index must know of it, makes it durable with one fdatasync for all that were waiting, applies it to the index as
//! one batch, and then answers. The log is at once the write-ahead log, the event log, the feed that followers
//! read ([`Store::entries`]) and the backup that the index is rebuilt from.
//!
//! Files stand bottom-up. `log` and `lsm` know nothing of each other: the one keeps frames, the other a sorted map of
//! bytes. `rows` says what the index holds as a function of the log, `query` answers from it; above them are the one
//! writer, the pasts that are read, and what is done to a store as a whole.
//!
//! Who owns what: `writer` is a thread and owns the end of the log; `lsm` has two, that write what it holds in
//! memory to the disk and merge what is there. Reading is done on the
//! caller's thread and may block on the disk. A directory is held by one process: a second open is refused.
//!
//! What may be lost: nothing that was acknowledged, by a crash or by damage to the index. Damage to the log
//! itself is found by checksums, named in [`Store::degraded`], and never passed over in silence.
//!
//! What it does not do: judge messages (`dwn` does) or hold blocks (`blocks` does). A message that is removed and
//! data that is superseded leave the index in the same batch, so they are no longer readable through their record,
//! served or public; their bytes stay in the block files until `blocks` collects them, and in the log.

mod place;
mod config;
mod files;
mod space;
mod damaged;
mod health;
mod metrics;
mod asked;
#[cfg(feature = "bench")]
mod tap;
mod log;
mod lsm;
mod rows;
mod query;
mod view;
mod writer;
mod recover;
mod rebuild;
#[cfg(feature = "bench")]
mod write_log;
mod handle;
mod read;
mod lineage;
mod sets;
mod status;
mod fingerprint;
mod for_blocks;
mod compact;
mod purge;
mod truncate;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;

pub use compact::Compactor;
pub use config::Config;
pub use damaged::{Damaged, Damages, Holder, Object, of_records};
pub(crate) use files::sync_dir;
pub use fingerprint::Moment;
pub(crate) use for_blocks::Checked;
pub use handle::Store;
pub use metrics::Compacted;
pub use place::{Data, Hold, Place, Position};
pub use query::{Considered, Explained, Filtered};
pub use read::{Entry, Former};
#[cfg(test)]
pub(crate) use rebuild::hindrance::Hindrance;
pub use rows::{
    refs::{KEPT, Keeper, PIN, Scope},
    row::Stats,
};
pub use sets::SetView;
pub use space::lacks_room;
pub use space::stop;
pub use status::{Usage, forget_index};
#[cfg(feature = "bench")]
#[doc(hidden)]
pub use tap::tap;
pub use truncate::{Truncated, truncate};
#[cfg(feature = "bench")]
#[doc(hidden)]
pub use write_log::write_log;
