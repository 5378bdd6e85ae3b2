//! Chance that is the same in every run.

/// Numbers that look like chance (xorshift); not from 0.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// From 0 on, below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}
