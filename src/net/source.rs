//! What this node gives to strangers, as the network sees it.

use crate::cid::Cid;
use bytes::Bytes;

/// The blocks that strangers may have. Everything else must look absent, also to [`BlockSource::size`].
///
/// Called on the blocking pool, a bounded number of times at once.
pub trait BlockSource: Send + Sync {
    fn get(&self, cid: &Cid) -> Option<Bytes>;
    fn size(&self, cid: &Cid) -> Option<usize>;
}
