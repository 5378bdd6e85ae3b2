//! Bodies of requests. Each piece has a deadline, and the whole a least rate. What no handler reads is drained, within bounds.

use super::{
    connections::{Exchange, Slot},
    socket::Notes,
};
use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// How much of an unread body is drained before the answer goes out, and for how long. Then the connection can be kept.
const REST_MAX: u64 = 64 << 10;
const REST_DEADLINE: Duration = Duration::from_secs(1);

/// How fast a body must come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Deadline for each piece, and the stretch over which the rate is measured.
    pub piece: Duration,
    /// Least bytes a second, counted only while the node waits.
    pub rate: u32,
}

impl Pace {
    fn least(&self) -> u64 {
        self.piece.as_secs().saturating_mul(self.rate.into())
    }
}

/// The handler's end of a body.
pub(super) struct Upload(Arc<Mutex<Coming>>);

/// The server's end of the same body: what is left when the handler has answered.
pub(super) struct Rest(Arc<Mutex<Coming>>);

struct Coming {
    incoming: Option<Incoming>,
    /// The handler has begun to read.
    wanted: bool,
    pace: Option<Pace>,
    /// In this stretch: bytes that came, and how long the node waited for them.
    got: u64,
    waited: Duration,
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
    slot: Arc<Slot>,
    notes: Arc<Notes>,
}

/// Splits a body into what the handler gets and what is kept.
pub(super) fn split(incoming: Incoming, pace: Option<Pace>, slot: Arc<Slot>, notes: Arc<Notes>) -> (Body, Rest) {
    let empty = incoming.is_end_stream();
    let coming = Arc::new(Mutex::new(Coming {
        incoming: (!empty).then_some(incoming),
        wanted: false,
        pace,
        got: 0,
        waited: Duration::ZERO,
        since: None,
        alarm: None,
        slot,
        notes,
    }));
    let body = if empty { Body::empty() } else { Body::new(Upload(coming.clone())) };
    (body, Rest(coming))
}

fn lock(coming: &Mutex<Coming>) -> MutexGuard<'_, Coming> {
    coming.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        lock(&self.0).poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).incoming.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Coming {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.wanted = true;
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = match Pin::new(incoming).poll_frame(cx) {
            Poll::Pending => return self.wait(cx).map(|error| Some(Err(axum::Error::new(error)))),
            Poll::Ready(frame) => frame,
        };
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
            self.slot.work();
        }
        match &frame {
            Some(Ok(frame)) => self.got += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => self.notes.stall(),
            None => {}
        }
        if !matches!(frame, Some(Ok(_))) {
            self.incoming = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)))
    }

    /// Waits for the client; ready when that is over.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let begun = self.since.is_some();
        let since = *self.since.get_or_insert_with(Instant::now);
        if !begun {
            self.slot.wait();
        }
        let Some(pace) = self.pace else { return Poll::Pending };
        loop {
            let waited = self.waited + since.elapsed();
            if since.elapsed() >= pace.piece || waited >= pace.piece && self.got < pace.least() {
                self.notes.stall();
                self.incoming = None;
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the body does not come"));
            }
            if waited >= pace.piece {
                // A new stretch begins: past speed is no credit.
                (self.got, self.waited) = (0, Duration::ZERO);
                self.since = Some(Instant::now());
                return self.wait(cx);
            }
            let until = since + (pace.piece - self.waited);
            let alarm = match &mut self.alarm {
                Some(alarm) => {
                    alarm.as_mut().reset(until);
                    alarm
                }
                None => self.alarm.insert(Box::pin(tokio::time::sleep_until(until))),
            };
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Rest {
    /// Has the whole body come, or does it end within the bounds? Otherwise the connection cannot be kept.
    pub async fn whole(self, expects: bool) -> bool {
        let (incoming, wanted, stalled) = {
            let mut coming = lock(&self.0);
            (coming.incoming.take(), coming.wanted, coming.notes.has_stalled())
        };
        let Some(incoming) = incoming else { return !stalled };
        if incoming.is_end_stream() {
            return true;
        }
        // The client waits for `100 Continue`, which it will not get.
        if expects && !wanted || incoming.size_hint().lower() > REST_MAX {
            return false;
        }
        tokio::time::timeout(REST_DEADLINE, ends_soon(incoming)).await.unwrap_or(false)
    }
}

async fn ends_soon(mut incoming: Incoming) -> bool {
    let mut left = REST_MAX;
    while let Some(frame) = incoming.frame().await {
        let size = match &frame {
            Ok(frame) => frame.data_ref().map_or(0, |data| data.len() as u64),
            Err(_) => return false,
        };
        if size > left {
            return false;
        }
        left -= size;
    }
    true
}

/// An answer's body. The exchange ends with it.
pub(super) struct Answer {
    body: Body,
    _exchange: Exchange,
}

impl Answer {
    pub fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, _exchange: exchange }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
