//! A WebSocket, whatever is spoken over it: its handshake, its bounds, its heartbeat, and how it ends.
//!
//! One task per connection reads and lets a [`Talk`] hear what comes; one writes frames.

use super::jsonrpc;
use crate::node::{Body, Text};
use axum::{
    extract::Request as HttpRequest,
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::{SinkExt, StreamExt as _, stream::SplitSink};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
    time::MissedTickBehavior,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WsError, Message as WsMessage, Utf8Bytes,
        error::ProtocolError,
        handshake::derive_accept_key,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use tokio_util::sync::CancellationToken;

/// Bytes of a connection's read buffer, and of its write buffer. Longer frames take more for as long as they need it.
const BUFFER: usize = 16 << 10;
/// Frames waiting to be written to one client. Small: events wait in their subscription's queue.
const FRAMES_MAX: usize = 16;
/// A client that reads no frame for this long is gone or stuck.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a close frame may take to be sent.
const FAREWELL_DEADLINE: Duration = Duration::from_secs(1);
/// How long, and how much of, what a client still sends is discarded after our close frame.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_MAX: u64 = 32 << 20;
/// A client that sent nothing, not even a pong, between two pings is gone. The reference has the same interval.
const PING_EVERY: Duration = Duration::from_secs(30);
/// A connection that sends and receives frames. (axum's type hides that a message may have several.)
pub(super) type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// A WebSocket message as it is, or a text that may be sent piece by piece.
#[derive(Debug)]
enum Parcel {
    Message(WsMessage),
    Text(Text),
    /// Nothing more comes.
    End,
}

/// The answer to a request for a WebSocket, and the connection that begins when the client has the answer.
pub(super) fn upgrade(request: &mut HttpRequest) -> Result<(Response, OnUpgrade), (StatusCode, &'static str)> {
    let headers = request.headers();
    let has = |name: HeaderName, wanted: &str| is_among(headers, name, wanted);
    if request.method() != Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "a WebSocket begins with GET"));
    }
    if !has(header::CONNECTION, "upgrade") {
        return Err((StatusCode::BAD_REQUEST, "`Connection` header did not include 'upgrade'"));
    }
    if !has(header::UPGRADE, "websocket") {
        return Err((StatusCode::BAD_REQUEST, "`Upgrade` header did not include 'websocket'"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err((StatusCode::BAD_REQUEST, "`Sec-WebSocket-Version` header did not include '13'"));
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return Err((StatusCode::BAD_REQUEST, "`Sec-WebSocket-Key` header missing"));
    };
    let accept = derive_accept_key(key.as_bytes());
    let coming = hyper::upgrade::on(request);
    let headers =
        [(header::CONNECTION, "upgrade"), (header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_ACCEPT, &accept)];
    Ok(((StatusCode::SWITCHING_PROTOCOLS, headers).into_response(), coming))
}

/// Is `wanted` in a header's list?
fn is_among(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let lists = headers.get_all(name);
    let texts = lists.iter().filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
    texts.into_iter().any(|text| text.trim().eq_ignore_ascii_case(wanted))
}

/// The connection with the bounds of this protocol.
pub(super) async fn open(coming: OnUpgrade) -> Result<WebSocket, hyper::Error> {
    let bounds = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(jsonrpc::REQUEST_MAX))
        .max_frame_size(Some(jsonrpc::REQUEST_MAX));
    Ok(WebSocketStream::from_raw_socket(TokioIo::new(coming.await?), Role::Server, Some(bounds)).await)
}

/// What hears a client and answers it.
pub(super) trait Talk: Send {
    /// One message of the client. The next one is read when this comes back.
    fn hear(&mut self, text: &[u8]) -> impl Future<Output = ()> + Send;
}

/// The way to one client: what is sent, and the end. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    out: mpsc::Sender<Parcel>,
    over: CancellationToken,
    why: Arc<OnceLock<&'static str>>,
}

impl Outlet {
    fn new() -> (Self, mpsc::Receiver<Parcel>) {
        let (out, queue) = mpsc::channel(FRAMES_MAX);
        (Self { out, over: CancellationToken::new(), why: Arc::default() }, queue)
    }

    pub async fn send(&self, text: Text) {
        let _ = self.out.send(Parcel::Text(text)).await; // fails when the client is gone
    }

    /// Disconnects the client when it has what was sent before, and tells it why.
    pub async fn end(&self, why: &'static str) {
        let _ = self.why.set(why); // the first reason is the one
        let _ = self.out.send(Parcel::End).await; // fails when the client is gone
    }

    /// Disconnects the client at once, and tells it why.
    pub fn hang_up(&self, why: &'static str) {
        let _ = self.why.set(why); // the first reason is the one
        self.over.cancel();
    }

    fn why(&self) -> &'static str {
        self.why.get().copied().unwrap_or("what was sent was not taken")
    }
}

/// Speaks with one client until it goes or the node stops. `begin`: who speaks, given the way to the client.
pub(super) async fn converse<T: Talk>(socket: WebSocket, stop: CancellationToken, begin: impl FnOnce(Outlet) -> T) {
    let (sink, mut frames) = socket.split();
    let (outlet, queue) = Outlet::new();
    let (out, over) = (outlet.out.clone(), outlet.over.clone());
    let mut writing = tokio::spawn(write(sink, queue, over.clone()));
    let mut talk = begin(outlet.clone());
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut alive = true;
    let farewell = loop {
        tokio::select! {
            frame = frames.next() => match frame {
                Some(Ok(WsMessage::Text(text))) => {
                    alive = true;
                    talk.hear(text.as_bytes()).await;
                }
                Some(Ok(WsMessage::Binary(bytes))) => {
                    alive = true;
                    talk.hear(&bytes).await;
                }
                Some(Ok(WsMessage::Ping(_) | WsMessage::Pong(_))) => alive = true,
                // The answer to a close is made already; it has to be sent.
                Some(Ok(WsMessage::Close(_) | WsMessage::Frame(_))) | None => break None,
                Some(Err(error)) => {
                    tracing::debug!("a WebSocket ended: {error}");
                    break farewell(&error);
                }
            },
            _ = heartbeat.tick() => {
                if !std::mem::take(&mut alive) {
                    break Some((CloseCode::Policy, "nothing was heard for too long"));
                }
                let _ = out.try_send(Parcel::Message(WsMessage::Ping(Bytes::new()))); // a full queue is traffic enough
            }
            () = over.cancelled() => break Some((CloseCode::Policy, outlet.why())),
            () = stop.cancelled() => break Some((CloseCode::Away, "the node is stopping")),
        }
    };
    drop((talk, out, outlet));
    // What waits is still sent, if the client takes it quickly.
    let sink = match tokio::time::timeout(FAREWELL_DEADLINE, &mut writing).await {
        Ok(sink) => sink,
        Err(_) => {
            over.cancel();
            writing.await
        }
    };
    if let Ok(sink) = sink
        && let Ok(socket) = sink.reunite(frames)
    {
        let linger = if stop.is_cancelled() { FAREWELL_DEADLINE } else { LINGER };
        end(socket, farewell, linger).await;
    }
}

/// The close frame for a client whose frames cannot be read. `None`: the client is gone.
fn farewell(error: &WsError) -> Option<(CloseCode, &'static str)> {
    match error {
        WsError::Capacity(_) => Some((CloseCode::Size, "messages have at most 1 MiB")),
        WsError::Utf8(_) => Some((CloseCode::Invalid, "text must be UTF-8")),
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        WsError::Protocol(_) => Some((CloseCode::Protocol, "these are not frames of RFC 6455")),
        _ => None,
    }
}

/// Ends a connection as RFC 6455 says: the client's close frame is answered, or the client gets one with a reason. Then what still
/// comes is discarded until the client ends its side. Without that the system would send a reset, and our close frame would be lost.
async fn end(mut socket: WebSocket, farewell: Option<(CloseCode, &'static str)>, linger: Duration) {
    let say = async {
        if let Some((code, reason)) = farewell {
            let _ = socket.close(Some(CloseFrame { code, reason: reason.into() })).await; // or it is gone
        }
        SinkExt::close(&mut socket).await
    };
    if !matches!(tokio::time::timeout(FAREWELL_DEADLINE, say).await, Ok(Ok(()))) {
        return; // who takes no frames misses the farewell
    }
    let mut stream = socket.into_inner();
    let rest = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_MAX), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(linger, rest).await; // it has had the time that it gets
}

type Sink = SplitSink<WebSocket, WsMessage>;

/// Writes until the queue ends, or the client reads nothing any more.
async fn write(mut sink: Sink, mut queue: mpsc::Receiver<Parcel>, over: CancellationToken) -> Sink {
    while let Some(parcel) = queue.recv().await {
        let written = async {
            match parcel {
                Parcel::End => None,
                Parcel::Message(message) => send(&mut sink, message).await,
                Parcel::Text(Text::Whole(text)) => whole(&mut sink, text).await,
                Parcel::Text(Text::Pieces(pieces)) => fragments(&mut sink, pieces).await,
            }
        };
        let written = tokio::select! {
            written = written => written,
            () = over.cancelled() => break,
        };
        if written.is_none() {
            break;
        }
    }
    over.cancel();
    sink
}

/// `None`: the client reads nothing any more.
async fn send(sink: &mut Sink, message: WsMessage) -> Option<()> {
    tokio::time::timeout(WRITE_DEADLINE, sink.send(message)).await.ok()?.ok()
}

async fn whole(sink: &mut Sink, text: Bytes) -> Option<()> {
    // The room in the budget is held until the client has the text, of which the connection has a copy.
    let _held = text.clone();
    send(sink, WsMessage::Text(Utf8Bytes::try_from(text).ok()?)).await
}

/// One message, one frame for each piece. If the pieces break off, the connection ends, because the message has no end.
async fn fragments(sink: &mut Sink, mut pieces: Body) -> Option<()> {
    let mut kind = Data::Text;
    while let Some(piece) = pieces.next().await {
        let piece = piece.inspect_err(|fault| tracing::warn!("{fault:#}")).ok()?;
        let _held = piece.clone();
        let frame = Frame::message(piece, OpCode::Data(std::mem::replace(&mut kind, Data::Continue)), false);
        send(sink, WsMessage::Frame(frame)).await?;
    }
    send(sink, WsMessage::Frame(Frame::message(Bytes::new(), OpCode::Data(kind), true))).await
}
