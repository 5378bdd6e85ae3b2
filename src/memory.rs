//! Memory that goes back to the system when it is free.
//!
//! The allocator keeps pieces of up to half a MiB in pages of 4 MiB that other threads' pieces share: one that lives holds the
//! page, and a page whose thread is idle waits for it. Larger pieces have pages of their own, which are free with them, and
//! of which only what is written to takes memory. See decision 12.

use crate::job::{First, Job};
use anyhow::Error;
use std::time::Duration;

/// What has pages of its own.
const APART: usize = 520 << 10;
/// What lies among others and is never much.
const SMALL: usize = 64 << 10;
/// Bytes of stack that opening and changing the keys takes, for [`wipe_stack`].
pub const KEYS: usize = 256 << 10;
/// Bytes of stack that one signature takes, or one hash with a key.
pub const SIGNING: usize = 32 << 10;
/// How often what is free is given back.
const EVERY: Duration = Duration::from_secs(10);

/// An empty vector with room for `len` bytes, which go back to the system when it is dropped, whichever thread drops it.
pub fn room(len: usize) -> Vec<u8> {
    Vec::with_capacity(apart(len))
}

/// As [`room`], for text.
pub fn text(len: usize) -> String {
    String::with_capacity(apart(len))
}

fn apart(len: usize) -> usize {
    if len > SMALL { len.max(APART) } else { len }
}

/// Overwrites so much of the stack below the caller, where functions that have returned may have left keys: a thread that waits
/// keeps it.
#[inline(never)]
pub fn wipe_stack<const BYTES: usize>() {
    std::hint::black_box([0_u8; BYTES]);
}

/// Has what is free given back until it is to stop. The allocator gives back what has been free for a second whenever a piece of this
/// size is dropped, and never by itself: a node that is left alone after a busy hour would keep all of it.
pub async fn keep_giving_back(job: Job) -> Result<(), Error> {
    let give_back = || {
        drop(std::hint::black_box(room(APART)));
        std::future::ready(Ok(()))
    };
    job.rounds(EVERY, First::Later, give_back).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_lies_apart_and_what_is_small_takes_what_it_needs() {
        assert_eq!(room(100).capacity(), 100);
        assert!(room(SMALL + 1).capacity() >= APART);
        assert!(room(1 << 20).capacity() >= 1 << 20);
    }
}
