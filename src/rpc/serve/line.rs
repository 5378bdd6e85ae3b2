//! A connection's bytes, and how it ends.
//!
//! Who answers before all of a request has come and closes at once throws the answer away as well: the system
//! answers what still comes with a reset, and the client, who is still sending, sees that instead of the answer. So the
//! node ends its side, reads on, and throws away what comes, within bounds.

use super::crowd::Seat;
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

/// How long what still comes is thrown away, and how much of it.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_BYTES: u64 = 32 << 20;
/// What is thrown away at once.
const PIECE: usize = 16 << 10;
/// What is read at once. hyper makes its buffer twice as large as what it was given, for as long as the connection lives.
const READ_MAX: u64 = 32 << 10;

/// What those who answer requests know of a connection, and its end has to know.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Bytes that have come since the last request was whole.
    since: AtomicU64,
    /// Something of a request was answered unread.
    unread: AtomicBool,
    /// The client stalled: nothing more is waited for.
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

    /// May something still come that the client means as part of what was answered?
    fn is_owed(&self) -> bool {
        let pending = self.unread.load(Ordering::Relaxed) || self.since.load(Ordering::Relaxed) > 0;
        pending && !self.has_stalled()
    }
}

pub(super) struct Line<S> {
    stream: S,
    notes: Arc<Notes>,
    ended: bool,
    linger: Option<Linger>,
    /// Held as long as the connection, whatever it becomes.
    _seat: Arc<Seat>,
}

struct Linger {
    until: Pin<Box<Sleep>>,
    left: u64,
}

impl<S> Line<S> {
    pub fn new(stream: S, notes: Arc<Notes>, seat: Arc<Seat>) -> Self {
        Self { stream, notes, ended: false, linger: None, _seat: seat }
    }
}

impl<S: AsyncRead + Unpin> Line<S> {
    /// Throws away what comes until the client ends or the bounds are reached.
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

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Line<S> {
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
