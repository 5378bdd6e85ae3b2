//! Frames on one connection.
//!
//! - Every inbound stream is read to its end: kubo and helia open a new one for nearly every message.
//! - Wantlists and blocks are written on two streams of their own, so that a want never waits behind megabytes.
//! - A stream that is idle is closed, so that the peer need not time it out.

use super::message::{FRAME_BYTES_MAX, Message, decode_shared};
use crate::asker::Asker;
use crate::pool::{Permit, Pool};
use crate::protobuf::varint;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::io::BufReader;
use futures::stream::{BoxStream, FuturesUnordered, SelectAll};
use futures::{AsyncReadExt as _, AsyncWriteExt as _, FutureExt as _, StreamExt as _};
use libp2p::StreamProtocol;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, Stream, StreamUpgradeError, SubstreamProtocol};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Semaphore;

/// 1.2.0 first; 1.1.0 differs only in fields its speakers ignore.
const PROTOCOLS: [StreamProtocol; 2] =
    [StreamProtocol::new("/ipfs/bitswap/1.2.0"), StreamProtocol::new("/ipfs/bitswap/1.1.0")];
/// Inbound streams held per connection; a peer that opens more has them reset.
const INBOUND_MAX: usize = 128;
/// Frames being read at once per connection. What all together may hold is bounded by the budget of memory.
const READING_MAX: usize = 4;
/// Memory that a message's lists may take beyond its frame: an entry of a wantlist is ten times as large as on the wire.
const LISTS_MAX: usize = 1 << 20;
/// A frame is read in steps from this
const STEP: usize = 64 << 10;
/// to this.
const MOST: usize = 1 << 20;
/// How long it takes until it is looked again whether there is room for the next step.
const NO_ROOM: Duration = Duration::from_millis(100);
/// What is read from a stream at once while its frame has not begun.
const READ_AT_ONCE: usize = 512;
/// How long one frame may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one frame (at most 2 MiB and a bit) may take to be taken by the peer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// An outbound stream unused for this long is closed: helia aborts those that idle for ten seconds.
const IDLE: Duration = Duration::from_secs(2);
/// After closing our half we wait this long for the peer's, so that it reads all before any reset.
const LINGER: Duration = Duration::from_secs(10);
/// Streams in that state; beyond it the oldest wait is not worth the memory and new ones are just dropped.
const LINGERING_MAX: usize = 16;
/// Times a frame is tried on a new stream before the connection is given up.
const TRIES: u32 = 2;

/// Which of the two outbound streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Wants,
    Blocks,
}

/// Send this frame (with its length prefix). The behaviour keeps at most two of them before a lane.
#[derive(Debug)]
pub struct Send {
    pub lane: Lane,
    pub frame: Bytes,
    /// The frame's memory, if it is counted.
    pub place: Option<Permit>,
}

#[derive(Debug)]
pub enum HandlerEvent {
    /// A message, and its memory.
    Received(Box<Message>, Permit),
    Sent(Lane),
    /// The peer does not speak Bitswap.
    Unsupported,
    /// The peer takes no frames: the connection is of no use.
    Failed(String),
}

pub struct Handler {
    inbound: SelectAll<BoxStream<'static, (Message, Permit)>>,
    reading: Reading,
    lanes: [Outbound; 2],
    lingering: FuturesUnordered<BoxFuture<'static, ()>>,
    events: VecDeque<HandlerEvent>,
}

/// What is needed to read a frame.
#[derive(Clone)]
struct Reading {
    permits: Arc<Semaphore>,
    memory: Pool,
    asker: Asker,
}

struct Outbound {
    lane: Lane,
    queue: VecDeque<(Bytes, Option<Permit>)>,
    state: State,
    tries: u32,
}

enum State {
    None,
    Opening,
    Writing(BoxFuture<'static, io::Result<Stream>>),
    Open(Box<Stream>, BoxFuture<'static, ()>),
}

impl Handler {
    /// For a connection with `asker`, whose frames are held in `memory`.
    pub fn new(memory: Pool, asker: Asker) -> Self {
        let lane = |lane| Outbound { lane, queue: VecDeque::new(), state: State::None, tries: 0 };
        Self {
            inbound: SelectAll::new(),
            reading: Reading { permits: Arc::new(Semaphore::new(READING_MAX)), memory, asker },
            lanes: [lane(Lane::Wants), lane(Lane::Blocks)],
            lingering: FuturesUnordered::new(),
            events: VecDeque::new(),
        }
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handler").field("inbound", &self.inbound.len()).finish_non_exhaustive()
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Send;
    type ToBehaviour = HandlerEvent;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Lane;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(Upgrade, ())
    }

    fn on_behaviour_event(&mut self, send: Send) {
        self.lane(send.lane).queue.push_back((send.frame, send.place));
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Upgrade, Upgrade, (), Lane>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. })
                if self.inbound.len() < INBOUND_MAX =>
            {
                self.inbound.push(messages(stream, self.reading.clone()));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info: lane }) => {
                self.lane(lane).state = State::open(stream);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: lane, error }) => match error {
                StreamUpgradeError::NegotiationFailed => {
                    for lane in &mut self.lanes {
                        lane.queue.clear();
                        lane.state = State::None;
                    }
                    self.events.push_back(HandlerEvent::Unsupported);
                }
                error => {
                    let failed = self.lane(lane).failed(&error.to_string());
                    self.events.extend(failed);
                }
            },
            _ => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Upgrade, Lane, HandlerEvent>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
            }
            for at in 0..self.lanes.len() {
                if let Some(request) = self.drive(at, cx) {
                    return Poll::Ready(request);
                }
            }
            while let Poll::Ready(Some(())) = self.lingering.poll_next_unpin(cx) {}
            match self.inbound.poll_next_unpin(cx) {
                Poll::Ready(Some((message, place))) => {
                    self.events.push_back(HandlerEvent::Received(Box::new(message), place));
                }
                Poll::Ready(None) | Poll::Pending if self.events.is_empty() => return Poll::Pending,
                _ => {}
            }
        }
    }
}

impl Handler {
    fn lane(&mut self, lane: Lane) -> &mut Outbound {
        &mut self.lanes[lane as usize]
    }

    /// Moves one lane as far as it goes; returns a request for a stream if it needs one.
    fn drive(
        &mut self,
        at: usize,
        cx: &mut Context<'_>,
    ) -> Option<ConnectionHandlerEvent<Upgrade, Lane, HandlerEvent>> {
        let out = &mut self.lanes[at];
        loop {
            match std::mem::replace(&mut out.state, State::None) {
                State::None if out.queue.is_empty() => return None,
                State::None => {
                    out.state = State::Opening;
                    let protocol = SubstreamProtocol::new(Upgrade, out.lane);
                    return Some(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
                }
                State::Opening => {
                    out.state = State::Opening;
                    return None;
                }
                State::Open(stream, mut idle) => match out.queue.front() {
                    Some((frame, _)) => out.state = State::Writing(write(*stream, frame.clone()).boxed()),
                    None if idle.poll_unpin(cx).is_pending() => {
                        out.state = State::Open(stream, idle);
                        return None;
                    }
                    None if self.lingering.len() < LINGERING_MAX => self.lingering.push(linger(*stream).boxed()),
                    None => {}
                },
                State::Writing(mut writing) => match writing.poll_unpin(cx) {
                    Poll::Pending => {
                        out.state = State::Writing(writing);
                        return None;
                    }
                    Poll::Ready(Ok(stream)) => {
                        out.queue.pop_front();
                        out.tries = 0;
                        out.state = State::open(stream);
                        self.events.push_back(HandlerEvent::Sent(out.lane));
                    }
                    Poll::Ready(Err(error)) => self.events.extend(out.failed(&error.to_string())),
                },
            }
        }
    }
}

impl Outbound {
    /// The stream broke: the frame is sent again on a new one, until it has failed too often.
    fn failed(&mut self, error: &str) -> Option<HandlerEvent> {
        self.state = State::None;
        self.tries += 1;
        (self.tries >= TRIES).then(|| {
            self.queue.clear();
            HandlerEvent::Failed(error.to_owned())
        })
    }
}

impl State {
    fn open(stream: Stream) -> Self {
        State::Open(Box::new(stream), tokio::time::sleep(IDLE).boxed())
    }
}

async fn write(mut stream: Stream, frame: Bytes) -> io::Result<Stream> {
    let work = async {
        stream.write_all(&frame).await?;
        stream.flush().await?;
        Ok(stream)
    };
    tokio::time::timeout(WRITE_TIMEOUT, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn linger(mut stream: Stream) {
    let work = async {
        stream.close().await?;
        stream.read(&mut [0; 1]).await
    };
    // Either way the stream is dropped now.
    let _ = tokio::time::timeout(LINGER, work).await;
}

/// The messages of one inbound stream, until it ends or says something that is no message.
fn messages(stream: Stream, reading: Reading) -> BoxStream<'static, (Message, Permit)> {
    let start = (BufReader::with_capacity(READ_AT_ONCE, stream), reading);
    futures::stream::unfold(start, |(mut stream, reading)| async move {
        match read(&mut stream, &reading).await {
            Ok(message) => message.map(|m| (m, (stream, reading))),
            Err(error) => {
                tracing::debug!(%error, "a Bitswap stream was dropped");
                None
            }
        }
    })
    .boxed()
}

async fn read(stream: &mut BufReader<Stream>, reading: &Reading) -> io::Result<Option<(Message, Permit)>> {
    let Some(len) = read_len(stream).await? else { return Ok(None) };
    // A stream that waits for its peer to speak holds no permit, one in the middle of a frame does.
    let permit = reading.permits.acquire().await.map_err(io::Error::other)?;
    let (frame, mut place) = in_time(read_body(stream, len, reading)).await?;
    in_time(grow(&mut place, LISTS_MAX.min(16 * len))).await?;
    // Decoding hashes every block: here, on the connection's task, not on the swarm's.
    let message = decode_shared(&Bytes::from(frame)).map_err(io::Error::other)?;
    drop(permit);
    Ok(Some((message, place)))
}

/// A frame and its memory, which both grow with what arrives, not with what was promised.
async fn read_body(stream: &mut BufReader<Stream>, len: usize, reading: &Reading) -> io::Result<(Vec<u8>, Permit)> {
    let mut place = reading.memory.take(reading.asker, 0).map_err(io::Error::other)?;
    let mut frame = Vec::new();
    while frame.len() < len {
        let step = frame.len().clamp(STEP, MOST).min(len - frame.len());
        grow(&mut place, step).await?;
        frame.reserve_exact(step);
        if stream.take(step as u64).read_to_end(&mut frame).await? < step {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((frame, place))
}

/// Waits until there is room; the caller bounds how long.
async fn grow(place: &mut Permit, more: usize) -> io::Result<()> {
    while place.grow(more).is_err() {
        tokio::time::sleep(NO_ROOM).await;
    }
    Ok(())
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(READ_TIMEOUT, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn read_len(stream: &mut BufReader<Stream>) -> io::Result<Option<usize>> {
    let mut bytes = Vec::with_capacity(4);
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        bytes.push(byte[0]);
        if byte[0] < 0x80 {
            break;
        }
        if bytes.len() > 4 {
            return Err(io::Error::other("the frame's length is no sensible varint"));
        }
    }
    let len = varint(&mut &bytes[..]).ok().and_then(|n| usize::try_from(n).ok());
    len.filter(|n| *n <= FRAME_BYTES_MAX)
        .map(Some)
        .ok_or_else(|| io::Error::other(format!("a frame of more than {FRAME_BYTES_MAX} bytes was announced")))
}

/// Hands the bare stream over, whichever version was agreed.
#[derive(Debug, Clone, Copy)]
pub struct Upgrade;

impl UpgradeInfo for Upgrade {
    type Info = StreamProtocol;
    type InfoIter = std::array::IntoIter<StreamProtocol, 2>;

    fn protocol_info(&self) -> Self::InfoIter {
        PROTOCOLS.into_iter()
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = Stream;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = Stream;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}
