//! HTTP to one DWN server: connections that are used again, a deadline for each step, a bound for what comes.
//!
//! As in `resolve`: no redirects, no compression, no cookies, no proxies. The owner has named the host, so its address may be a
//! private one; TLS is asked of an https URL as of any other.

use super::{endpoint::Endpoint, wire::Request};
use crate::{
    foreign::said,
    node::Body,
    resolve::{Client, NoLine},
};
use anyhow::{Error, anyhow};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Response, StatusCode,
    body::{Frame, Incoming},
    client::conn::http1::SendRequest,
    header,
};
use hyper_util::rt::TokioIo;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// Until an answer begins, beside the time that sending takes.
const ANSWER: Duration = Duration::from_secs(60);
/// Between two pieces of a body.
const PIECE: Duration = Duration::from_secs(30);
/// Bytes a second that a server takes or gives at least, on the whole; who is slower is left.
const SLOWEST: u64 = 16 << 10;
/// All headers of an answer: a message with its data in the body stands in one.
const HEADERS_MAX: usize = 512 << 10;
/// Connections that wait to be used again.
const IDLE_MAX: usize = 4;

type Out = UnsyncBoxBody<Bytes, Error>;

/// Data of a message on its way to a server.
pub enum Outgoing {
    None,
    Whole(Bytes),
    /// With its length. It is read once.
    Stream(u64, Body),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// The server cannot be reached: nothing else would be answered either.
    Away(String),
    /// This one question was not answered.
    Broken(String),
}

/// An answer that begins.
pub struct Begun {
    pub status: StatusCode,
    /// What stands in the header `dwn-response`, if data is in the body.
    pub header: Option<Vec<u8>>,
    body: Incoming,
}

/// A server, and the connections to it.
pub struct Line {
    client: Client,
    endpoint: Endpoint,
    idle: Mutex<Vec<SendRequest<Out>>>,
}

impl Line {
    pub fn new(client: Client, endpoint: Endpoint) -> Self {
        Self { client, endpoint, idle: Mutex::default() }
    }

    /// Sends a request.
    pub async fn post(&self, request: &Request, data: Outgoing) -> Result<Begun, NoAnswer> {
        let size = match &data {
            Outgoing::None => 0,
            Outgoing::Whole(bytes) => bytes.len() as u64,
            Outgoing::Stream(size, _) => *size,
        };
        let limit = ANSWER + Duration::from_secs(size / SLOWEST);
        let answer = match data {
            // A stream can be read once: it goes over a connection that the server cannot have closed meanwhile.
            Outgoing::Stream(size, body) => {
                let body = StreamBody::new(body.map(|piece| piece.map(Frame::data))).boxed_unsync();
                let send = self.send(None, request, Some((size, body)));
                timeout(limit, send).await.map_err(|_| late(limit))?.map_err(|(why, _)| why)?
            }
            Outgoing::Whole(bytes) => self.again(request, Some(&bytes), limit).await?,
            Outgoing::None => self.again(request, None, limit).await?,
        };
        let header = answer.headers().get("dwn-response").map(|value| value.as_bytes().to_vec());
        let (parts, body) = answer.into_parts();
        Ok(Begun { status: parts.status, header, body })
    }

    /// Over a connection that waited, and if the server has closed that one, over a new one.
    async fn again(
        &self,
        request: &Request,
        data: Option<&Bytes>,
        limit: Duration,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let body = || data.map(|bytes| (bytes.len() as u64, whole(bytes.clone())));
        if let Some(waited) = self.waiting() {
            match timeout(limit, self.send(Some(waited), request, body())).await.map_err(|_| late(limit))? {
                Err((_, true)) => {}
                answer => return answer.map_err(|(why, _)| why),
            }
        }
        timeout(limit, self.send(None, request, body())).await.map_err(|_| late(limit))?.map_err(|(why, _)| why)
    }

    fn waiting(&self) -> Option<SendRequest<Out>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        let ready = idle.iter().position(SendRequest::is_ready)?;
        Some(idle.swap_remove(ready))
    }

    /// `true` beside an error: the connection was closed before anything was answered.
    async fn send(
        &self,
        sender: Option<SendRequest<Out>>,
        request: &Request,
        data: Option<(u64, Out)>,
    ) -> Result<Response<Incoming>, (NoAnswer, bool)> {
        let mut sender = match sender {
            Some(sender) => sender,
            None => self.connect().await.map_err(|why| (why, false))?,
        };
        let target = &self.endpoint.target;
        let mut out = hyper::Request::builder()
            .method(Method::POST)
            .uri(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::USER_AGENT, concat!("toft/", env!("CARGO_PKG_VERSION")));
        let body = match (request, data) {
            (Request::Header(header), Some((size, body))) => {
                out = out
                    .header("dwn-request", header.as_slice())
                    .header(header::CONTENT_TYPE, "application/octet-stream")
                    .header(header::CONTENT_LENGTH, size);
                body
            }
            (Request::Header(header), None) => {
                out = out.header("dwn-request", header.as_slice());
                whole(Bytes::new())
            }
            (Request::Body(json), _) => {
                out = out.header(header::CONTENT_TYPE, "application/json");
                whole(json.clone().into())
            }
        };
        let out = out.body(body).map_err(|e| (NoAnswer::Broken(said(e)), false))?;
        match sender.send_request(out).await {
            Ok(answer) => {
                // It is ready again when the answer's body is read.
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < IDLE_MAX {
                    idle.push(sender);
                }
                Ok(answer)
            }
            Err(error) => {
                let closed = error.is_canceled() || error.is_closed() || error.is_incomplete_message();
                let why = said(format_args!("the server did not answer: {:#}", Error::new(error)));
                Err((NoAnswer::Broken(why), closed))
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Out>, NoAnswer> {
        let away = |why: NoLine| NoAnswer::Away(format!("the server cannot be reached: {why}"));
        let line = self.client.line(&self.endpoint.target).await.map_err(away)?;
        let (sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(HEADERS_MAX)
            .handshake(TokioIo::new(line))
            .await
            .map_err(|e| NoAnswer::Away(said(e)))?;
        tokio::spawn(connection); // ends with its sender and its answer; an error shows at the request
        Ok(sender)
    }
}

fn late(limit: Duration) -> NoAnswer {
    NoAnswer::Broken(format!("the server did not answer within {} s", limit.as_secs()))
}

fn whole(bytes: Bytes) -> Out {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

impl Begun {
    /// All of the body, of at most `most` bytes.
    pub async fn bytes(self, most: usize) -> Result<Bytes, NoAnswer> {
        let limit = ANSWER + Duration::from_secs(most as u64 / SLOWEST);
        let body = Limited::new(self.body, most).collect();
        match timeout(limit, body).await {
            Err(_) => Err(late(limit)),
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(NoAnswer::Broken(format!("the answer is longer than {most} bytes")))
            }
            Ok(Err(error)) => Err(NoAnswer::Broken(said(format_args!("the answer broke off: {error}")))),
        }
    }

    /// The body piece by piece, as it is taken; an error if more than `size` bytes come, or they come too slowly.
    pub fn data(self, size: u64) -> Body {
        let end = tokio::time::Instant::now() + ANSWER + Duration::from_secs(size / SLOWEST);
        let body = self.body.into_data_stream();
        Box::pin(futures::stream::unfold(Some((body, size)), move |rest| async move {
            let (mut body, left) = rest?;
            let next = tokio::time::Instant::now() + PIECE;
            let piece = match tokio::time::timeout_at(next.min(end), body.next()).await {
                Err(_) => Err(anyhow!("the server sends too slowly")),
                Ok(None) => return None,
                Ok(Some(Err(error))) => Err(Error::new(error)),
                Ok(Some(Ok(piece))) => Ok(piece),
            };
            match piece {
                Ok(piece) => match left.checked_sub(piece.len() as u64) {
                    Some(left) => Some((Ok(piece), Some((body, left)))),
                    None => Some((Err(anyhow!("the server sends more than the message says")), None)),
                },
                Err(error) => Some((Err(error), None)),
            }
        }))
    }
}
