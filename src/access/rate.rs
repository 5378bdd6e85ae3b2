//! How often one token may call: a bucket that fills evenly.

use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Bucket {
    a_minute: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A full one: a minute's calls may come at once.
    pub fn new(a_minute: u32, now: Instant) -> Self {
        Self { a_minute: a_minute.into(), left: a_minute.into(), at: now }
    }

    /// How long it takes until there is one to take; zero: now.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() / MINUTE.as_secs_f64() * self.a_minute;
        (self.left, self.at) = ((self.left + gained).min(self.a_minute), now);
        MINUTE.mul_f64((1.0 - self.left).max(0.0) / self.a_minute)
    }

    /// Takes one.
    pub fn take(&mut self) {
        self.left -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_calls_may_come_at_once_and_then_evenly() {
        let now = Instant::now();
        let mut bucket = Bucket::new(6, now);
        for _ in 0..6 {
            assert_eq!(bucket.wait(now), Duration::ZERO);
            bucket.take();
        }
        assert_eq!(bucket.wait(now), Duration::from_secs(10));
        assert_eq!(bucket.wait(now + Duration::from_secs(4)).as_millis(), 6000);
        assert_eq!(bucket.wait(now + Duration::from_secs(11)), Duration::ZERO);
        bucket.take();
        assert!(bucket.wait(now + Duration::from_secs(11)) > Duration::from_secs(8));
        assert_eq!(bucket.wait(now + Duration::from_secs(1000)), Duration::ZERO);
    }
}
