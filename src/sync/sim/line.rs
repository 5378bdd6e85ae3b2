//! A line between two devices: bytes arrive in order, or not at all.

use super::super::frame::Frame;
use std::collections::VecDeque;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Up,
    /// Nothing passes, and nobody notices.
    Silent,
    /// The stream ends, and none can be opened.
    Cut,
}

/// A stream: what is on its way to the one and to the other, with the time at which it arrives.
#[derive(Debug, Default)]
pub struct Stream {
    ways: [VecDeque<(u64, Vec<u8>)>; 2],
    /// Nothing will ever pass, and the ends do not know.
    dead: bool,
}

impl Stream {
    /// `to`: 0 or 1.
    pub fn send(&mut self, to: usize, at: u64, frame: &Frame) {
        if self.dead {
            return;
        }
        let bytes = serde_ipld_dagcbor::to_vec(frame).expect("a frame is encoded");
        // In order, whatever the delays.
        let at = self.ways[to].back().map_or(at, |(last, _)| at.max(*last));
        self.ways[to].push_back((at, bytes));
    }

    /// When the next thing arrives, and where.
    pub fn next(&self) -> Option<(u64, usize)> {
        (0..2).filter_map(|to| self.ways[to].front().map(|(at, _)| (*at, to))).min()
    }

    pub fn take(&mut self, to: usize) -> Option<Frame> {
        let (_, bytes) = self.ways[to].pop_front()?;
        Some(serde_ipld_dagcbor::from_slice(&bytes).expect("what was sent is read"))
    }

    pub fn die(&mut self) {
        *self = Self { dead: true, ..Self::default() };
    }
}
