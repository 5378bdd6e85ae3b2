//! A connection's bytes, and how it ends.
//!
//! A server that answers before the whole request has come, and closes at once, loses its answer too: the system answers what still
//! comes with a reset, and the client, which is still sending, sees the reset instead of the answer. So the node ends its own side,
//! reads on, and discards what comes, within bounds.

use super::connections::Slot;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// How long, and how much of, what still comes is discarded.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_BYTES: u64 = 32 << 20;
/// Bytes discarded at once.
const PIECE: usize = 16 << 10;
/// Bytes read at once. hyper grows its buffer to twice what one read gave, for as long as the connection lives.
const READ_MAX: u64 = 32 << 10;

/// What the end of a connection must know of its requests.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Bytes that have come since the last request was whole.
    since: AtomicU64,
    /// A request was answered before all of it was read.
    unread: AtomicBool,
    /// The client stalled, so nothing more is expected.
    stalled: AtomicBool,
}

impl Notes {
    /// All of a request has come.
    pub fn whole(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    pub fn unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    pub fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    pub fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// May more of a request come that is answered already?
    fn is_owed(&self) -> bool {
        let pending = self.unread.load(Ordering::Relaxed) || self.since.load(Ordering::Relaxed) > 0;
        pending && !self.has_stalled()
    }
}

pub(super) struct Socket<S> {
    stream: S,
    notes: Arc<Notes>,
    ended: bool,
    linger: Option<Linger>,
    /// Held as long as the connection lives, whatever it becomes.
    _slot: Arc<Slot>,
}

struct Linger {
    until: Pin<Box<Sleep>>,
    left: u64,
}

impl<S> Socket<S> {
    pub fn new(stream: S, notes: Arc<Notes>, slot: Arc<Slot>) -> Self {
        Self { stream, notes, ended: false, linger: None, _slot: slot }
    }
}

impl<S: AsyncRead + Unpin> Socket<S> {
    /// Discards what comes until the client ends or the bounds are reached.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(linger) = &mut self.linger else { return Poll::Ready(()) };
        while linger.left > 0 && linger.until.as_mut().poll(cx).is_pending() {
            let mut bytes = [std::mem::MaybeUninit::uninit(); PIECE];
            let mut bytes = ReadBuf::uninit(&mut bytes);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut bytes)) {
                Ok(()) if !bytes.filled().is_empty() => {
                    linger.left = linger.left.saturating_sub(bytes.filled().len() as u64);
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = bytes.filled().len();
        let mut some = (&mut this.stream).take(READ_MAX);
        ready!(Pin::new(&mut some).poll_read(cx, bytes))?;
        let came = bytes.filled().len() - before;
        this.ended |= came == 0;
        this.notes.since.fetch_add(came as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if this.ended || !this.notes.is_owed() {
                return Poll::Ready(Ok(()));
            }
            this.linger = Some(Linger { until: Box::pin(tokio::time::sleep(LINGER)), left: LINGER_BYTES });
        }
        ready!(this.poll_rest(cx));
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
