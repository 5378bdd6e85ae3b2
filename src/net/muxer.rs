//! Yamux, with what a peer makes us buffer counted.
//!
//! The other end may send 256 KiB on each stream before anybody has read a byte of it. It may cut them into pieces of
//! one byte, which cost sixty times as much to keep. So what lies unread, streams included, is taken from one budget
//! for all connections (`net.limits.memory`). A connection for which nothing is left there is closed. To know what
//! comes in, the headers of yamux frames are read on their way into the yamux crate.

use crate::asker::Asker;
use crate::pool::{Full, Permit, Pool};
use futures::{AsyncRead, AsyncWrite, FutureExt as _};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use std::collections::{HashMap, VecDeque};
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Sleep;

/// Streams of one connection at once.
const STREAMS: usize = 1024;
/// What the windows of a connection may grow by beyond the 256 KiB that each stream has.
///
/// js-libp2p sends a frame as large as the window we grant, and the yamux crate drops a connection on a frame of more than
/// 1 MiB; but it lets windows grow with the line, so fetching much from a fast helia broke the connection. With this none
/// exceeds 1 MiB.
const GROWTH: usize = 768 << 10;
const WINDOW: usize = yamux::DEFAULT_CREDIT as usize;
/// Streams that the other end opened and nobody has asked for yet; what is beyond is reset.
const WAITING_MAX: usize = 256;
/// How long a connection may take to say goodbye: who reads nothing must not keep it.
const CLOSING: Duration = Duration::from_secs(2);
/// What every connection may have unread without taking from the budget: small talk goes on when that is used up.
const FREE: usize = 64 << 10;
/// The budget is taken from in steps of this.
const STEP: usize = 64 << 10;
/// Memory of a stream, besides what lies in it.
const STREAM: usize = 2 << 10;
/// Memory of a piece, besides its bytes.
const PIECE: usize = 64;
/// Bytes of a frame's header.
const HEADER: usize = 12;
const SYN: u16 = 1;

/// What a connection has unread, and whom it is counted to.
#[derive(Debug)]
struct Unread {
    place: Permit,
    streams: HashMap<u32, Pieces>,
    total: usize,
    header: [u8; HEADER],
    /// How much of the next header has come.
    have: usize,
    /// How much is still to come of the last frame's body.
    body: usize,
}

/// What lies unread in one stream.
#[derive(Debug, Default)]
struct Pieces {
    sizes: VecDeque<u32>,
    /// How much of the first has been read.
    read: usize,
}

impl Unread {
    /// These bytes go to yamux next.
    fn arrived(&mut self, mut bytes: &[u8]) -> Result<(), Full> {
        while !bytes.is_empty() {
            if self.body > 0 {
                let skipped = self.body.min(bytes.len());
                self.body -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER {
                self.have = 0;
                self.on_header()?;
            }
        }
        Ok(())
    }

    fn on_header(&mut self) -> Result<(), Full> {
        let [_, kind, f0, f1, i0, i1, i2, i3, l0, l1, l2, l3] = self.header;
        let (flags, id) = (u16::from_be_bytes([f0, f1]), u32::from_be_bytes([i0, i1, i2, i3]));
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let (data, window) = (kind == 0, kind == 1);
        if (data || window) && flags & SYN != 0 {
            self.opened(id)?;
        }
        if data && length > 0 {
            self.body = length as usize;
            // Of a stream that is no longer there, yamux keeps nothing.
            if let Some(pieces) = self.streams.get_mut(&id) {
                pieces.sizes.push_back(length);
                self.total += length as usize + PIECE;
            }
        }
        self.settle()
    }

    fn opened(&mut self, id: u32) -> Result<(), Full> {
        if self.streams.insert(id, Pieces::default()).is_none() {
            self.total += STREAM;
        }
        self.settle()
    }

    fn read(&mut self, id: u32, count: usize) {
        let Some(pieces) = self.streams.get_mut(&id) else { return };
        pieces.read += count;
        while let Some(first) = pieces.sizes.front().map(|size| *size as usize).filter(|size| *size <= pieces.read) {
            pieces.sizes.pop_front();
            pieces.read -= first;
            self.total -= first + PIECE;
        }
        self.give_back();
    }

    fn dropped(&mut self, id: u32) {
        let Some(pieces) = self.streams.remove(&id) else { return };
        self.total -= STREAM + pieces.sizes.iter().map(|size| *size as usize + PIECE).sum::<usize>();
        self.give_back();
    }

    fn due(&self) -> usize {
        self.total.saturating_sub(FREE).next_multiple_of(STEP)
    }

    fn settle(&mut self) -> Result<(), Full> {
        match self.due().checked_sub(self.place.count()) {
            None | Some(0) => Ok(()),
            Some(more) => self.place.grow(more),
        }
    }

    fn give_back(&mut self) {
        if self.due() < self.place.count() {
            self.place.shrink(self.due());
        }
    }
}

/// What both ends of yamux share.
#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<Unread>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Unread> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes below yamux.
#[derive(Debug)]
pub struct Metered<C> {
    io: C,
    unread: Shared,
}

impl<C: AsyncRead + Unpin> AsyncRead for Metered<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = futures::ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.unread.lock().arrived(&buf[..read]).map_err(io::Error::other)?;
        Poll::Ready(Ok(read))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Metered<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

/// One connection.
#[derive(Debug)]
pub struct Muxer<C> {
    connection: yamux::Connection<Metered<C>>,
    unread: Shared,
    /// What the other end opened while nobody asked.
    waiting: VecDeque<Stream>,
    waker: Option<Waker>,
    closing: Option<Pin<Box<Sleep>>>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(io: C, memory: &Pool, mode: yamux::Mode) -> Result<Self, Full> {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(STREAMS).set_max_connection_receive_window(Some(STREAMS * WINDOW + GROWTH));
        let unread = Unread {
            // Until it is known whose it is, nothing is taken.
            place: memory.take(Asker::Owner, 0)?,
            streams: HashMap::new(),
            total: 0,
            header: [0; HEADER],
            have: 0,
            body: 0,
        };
        let unread = Shared(Arc::new(Mutex::new(unread)));
        let connection = yamux::Connection::new(Metered { io, unread: unread.clone() }, config, mode);
        Ok(Self { connection, unread, waiting: VecDeque::new(), waker: None, closing: None })
    }

    /// Whose connection it is, before anything has come over it.
    pub fn belongs_to(&self, asker: Asker) {
        let taken = self.unread.lock().place.become_of(asker);
        debug_assert!(taken.is_ok(), "nothing is always to be had");
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let next = futures::ready!(self.connection.poll_next_inbound(cx));
        let stream = next.unwrap_or(Err(yamux::ConnectionError::Closed)).map_err(error)?;
        Poll::Ready(Ok(Stream { id: stream.id().val(), inner: stream, unread: self.unread.clone() }))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        if let Poll::Ready(next) = self.next(cx) {
            return Poll::Ready(next);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let stream = futures::ready!(self.connection.poll_new_outbound(cx)).map_err(error)?;
        let stream = Stream { id: stream.id().val(), inner: stream, unread: self.unread.clone() };
        self.unread.lock().opened(stream.id).map_err(io::Error::other)?;
        Poll::Ready(Ok(stream))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(closed) = self.connection.poll_close(cx) {
            return Poll::Ready(closed.map_err(error));
        }
        let closing = self.closing.get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSING)));
        closing.poll_unpin(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        let stream = futures::ready!(self.next(cx))?;
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(stream);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        // Lets others run, and goes on at once.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn error(error: yamux::ConnectionError) -> io::Error {
    match error {
        yamux::ConnectionError::Io(error) => error,
        other => io::Error::other(other),
    }
}

#[derive(Debug)]
pub struct Stream {
    id: u32,
    inner: yamux::Stream,
    unread: Shared,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = futures::ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.unread.lock().read(self.id, read);
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.unread.lock().dropped(self.id);
    }
}

/// Agrees on yamux.
#[derive(Debug, Clone)]
pub struct Upgrade(pub Pool);

impl UpgradeInfo for Upgrade {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_inbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Muxer::new(io, &self.0, yamux::Mode::Server).map_err(io::Error::other))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_outbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Muxer::new(io, &self.0, yamux::Mode::Client).map_err(io::Error::other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Size;
    use proptest::prelude::*;

    fn unread(most: usize) -> Unread {
        let pool = Pool::new("bytes", Size { most, share: most, reserved: 0 });
        let place = pool.take(Asker::at([10, 0, 0, 1].into()), 0).expect("nothing");
        Unread { place, streams: HashMap::new(), total: 0, header: [0; HEADER], have: 0, body: 0 }
    }

    fn frame(kind: u8, flags: u16, id: u32, body: usize) -> Vec<u8> {
        let mut bytes = vec![0, kind];
        bytes.extend(flags.to_be_bytes());
        bytes.extend(id.to_be_bytes());
        bytes.extend((body as u32).to_be_bytes());
        bytes.resize(HEADER + if kind == 0 { body } else { 0 }, 7);
        bytes
    }

    #[test]
    fn pieces_of_a_byte_cost_what_they_cost() {
        let mut unread = unread(1 << 20);
        unread.arrived(&frame(1, SYN, 1, 256 << 10)).expect("a stream");
        let piece = frame(0, 0, 1, 1);
        let mut pieces = 0;
        let full = loop {
            match unread.arrived(&piece) {
                Ok(()) => pieces += 1,
                Err(full) => break full,
            }
        };
        assert!(matches!(full, Full::Share(_)) && pieces <= (1 << 20) / PIECE + 1024, "{full} {pieces}");
        unread.dropped(1);
        assert_eq!((unread.total, unread.place.count()), (0, 0));
    }

    #[test]
    fn streams_cost_and_what_goes_to_none_does_not() {
        let mut unread = unread(1 << 20);
        let opened = (0..10_000).take_while(|id| unread.arrived(&frame(1, SYN, 2 * id + 1, 0)).is_ok()).count();
        assert!(opened <= ((1 << 20) + FREE) / STREAM, "{opened}");
        unread.dropped(1);
        unread.dropped(3);
        let before = unread.total;
        unread.arrived(&frame(0, 0, 99_999, 100_000)).expect("kept by nobody");
        unread.arrived(&frame(2, 0, 0, 12_345)).expect("a ping has no body");
        assert_eq!((unread.total, unread.body, unread.have), (before, 0, 0));
    }

    proptest! {
        /// However the bytes are cut, and however they are read, nothing stays counted.
        #[test]
        fn what_was_read_is_not_counted(
            sizes in prop::collection::vec((0u32..4, 0usize..5000), 0..60),
            cut in 1usize..3000,
            reads in prop::collection::vec(1usize..4000, 1..8),
        ) {
            let mut unread = unread(1 << 30);
            let mut bytes = Vec::new();
            let mut each = [0usize; 4];
            for id in 0..4 {
                bytes.extend(frame(0, SYN, id, 0));
            }
            for (id, size) in &sizes {
                bytes.extend(frame(0, 0, *id, *size));
                each[*id as usize] += size;
            }
            for part in bytes.chunks(cut) {
                unread.arrived(part).expect("room");
            }
            let pieces = sizes.iter().filter(|(_, size)| *size > 0).count();
            prop_assert_eq!(unread.total, 4 * STREAM + each.iter().sum::<usize>() + pieces * PIECE);
            for (id, mut left) in each.into_iter().enumerate() {
                for read in reads.iter().cycle() {
                    if left == 0 { break }
                    let read = left.min(*read);
                    unread.read(id as u32, read);
                    left -= read;
                }
            }
            prop_assert_eq!(unread.total, 4 * STREAM);
            (0..4).for_each(|id| unread.dropped(id));
            prop_assert_eq!((unread.total, unread.place.count()), (0, 0));
        }
    }
}
