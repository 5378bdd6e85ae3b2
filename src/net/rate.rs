//! How fast devices' streams may go (`net.upload_limit`, `net.download_limit`): all together, each way.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What goes at once; then others get their turn.
const PIECE: usize = 16 << 10;
/// Who was silent may send so much of a second's worth at once.
const BURST: Duration = Duration::from_millis(100);

/// Bytes a second, shared by all clones.
#[derive(Debug, Clone)]
pub struct Rate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: u64,
    /// When all that was let through has had its time.
    paid: Mutex<Option<Instant>>,
}

/// Both ways. `None`: as fast as it goes.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    pub up: Option<Rate>,
    pub down: Option<Rate>,
}

impl Rate {
    /// `bytes`: 0 means no bound.
    pub fn new(bytes: u64) -> Option<Self> {
        (bytes > 0).then(|| Self(Arc::new(Inner { bytes, paid: Mutex::new(None) })))
    }

    /// So much has gone; the next may go then.
    fn take(&self, bytes: usize, now: Instant) -> Instant {
        let time = Duration::from_secs_f64(bytes as f64 / self.0.bytes as f64);
        let mut paid = self.0.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let from = paid.map_or(now, |paid| paid.max(now.checked_sub(BURST).unwrap_or(now)));
        *paid = Some(from + time);
        from + time
    }
}

/// A stream that goes no faster than it may.
#[derive(Debug)]
pub struct Slowed<S> {
    inner: S,
    rates: Rates,
    reads: Option<Pin<Box<Sleep>>>,
    writes: Option<Pin<Box<Sleep>>>,
}

impl<S> Slowed<S> {
    pub fn new(inner: S, rates: Rates) -> Self {
        Self { inner, rates, reads: None, writes: None }
    }
}

/// Is there still something to wait for?
fn waits(sleep: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> bool {
    let waits = sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_pending());
    if !waits {
        *sleep = None;
    }
    waits
}

fn pay(rate: &Rate, bytes: usize) -> Option<Pin<Box<Sleep>>> {
    let now = Instant::now();
    let next = rate.take(bytes, now);
    (next > now).then(|| Box::pin(tokio::time::sleep_until(next)))
}

impl<S: AsyncRead + Unpin> AsyncRead for Slowed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(rate) = &this.rates.down else { return Pin::new(&mut this.inner).poll_read(cx, buf) };
        if waits(&mut this.reads, cx) {
            return Poll::Pending;
        }
        let most = buf.remaining().min(PIECE);
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(most));
        let read = Pin::new(&mut this.inner).poll_read(cx, &mut piece);
        let bytes = piece.filled().len();
        buf.advance(bytes);
        if bytes > 0 {
            this.reads = pay(rate, bytes);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Slowed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some(rate) = &this.rates.up else { return Pin::new(&mut this.inner).poll_write(cx, bytes) };
        if waits(&mut this.writes, cx) {
            return Poll::Pending;
        }
        let written = Pin::new(&mut this.inner).poll_write(cx, &bytes[..bytes.len().min(PIECE)]);
        if let Poll::Ready(Ok(written)) = written {
            this.writes = pay(rate, written);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_together_go_no_faster_than_they_may() {
        let begun = Instant::now();
        let rate = Rate::new(1 << 20).expect("a bound");
        // Two that go whenever they may.
        let (mut streams, mut bytes) = ([(begun, rate.clone()), (begun, rate)], 0);
        while bytes < 10 << 20 {
            let (next, rate) = streams.iter_mut().min_by_key(|(next, _)| *next).expect("two");
            *next = rate.take(PIECE, *next);
            bytes += PIECE;
        }
        let took = streams.iter().map(|(next, _)| *next - begun).max().expect("two");
        assert!((Duration::from_millis(9_800)..Duration::from_millis(10_200)).contains(&took), "{took:?}");
    }

    #[test]
    fn silence_is_not_saved_up() {
        let (rate, begun) = (Rate::new(1000).expect("a bound"), Instant::now());
        rate.take(100, begun);
        let later = begun + Duration::from_secs(60);
        assert_eq!(rate.take(1000, later), later + Duration::from_secs(1) - BURST);
    }
}
