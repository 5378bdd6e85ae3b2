//! The log on disk: segment files of checksummed frames, appended by one owner and read by anyone.
//!
//! [`Log`] reads and is cheap to clone; [`Appender`] writes and is owned by the writer's thread. [`SegmentWriter`] writes a
//! sealed segment anew beside the old one, which [`Log::swap`] replaces.
//!
//! This is the seam for another place of the log: nobody outside names a file of it but through [`Log::files`] and
//! [`Log::beside`]. Sealed segments never change but by a swap, so they may lie elsewhere than the young one, which only
//! the appender writes; a position is all that anybody keeps of a frame.

pub mod frame;
mod segment;
mod message_cache;
mod reader;
mod appender;

pub use appender::Appender;
pub use message_cache::CachedMessage;
pub use reader::{Damage, Log, Piece, Read, Tail, Whole};
pub use segment::SegmentWriter;
