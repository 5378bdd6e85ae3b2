//! The DWN protocol over a WebSocket, on the same port and path as over HTTP: one JSON-RPC object per text frame.
//!
//! Who owns what: one task per connection reads requests and owns the connection's subscriptions; one writes
//! frames; each subscription has a task that carries its events. Requests are answered as they are done, not in
//! order; subscribing and closing are done in order.
//!
//! Beyond the reference: RecordsWrite with small data as `params.encodedData`, and such data in the replies of
//! reads; `rpc.ping`; `rpc.subscribe.close` without `params`; unknown methods are answered. A client that puts
//! `maxInFlight` into the `subscription` of its subscribe request gets a `cursor` with every event and no more
//! than that many events that it has not acknowledged with `rpc.ack`; one that puts a `cursor` there (or `null`)
//! is told first what came after it (or everything that is kept).

use super::{
    dwn::at_most,
    jsonrpc::{self, Call, Problem, Request},
};
use crate::{
    asker::Asker,
    dwn::json::{Object, quoted},
    node::{Ended, Events, Node, Resume},
};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{SinkExt as _, StreamExt as _, stream::SplitSink};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

/// Connections at the same time: each holds buffers, and up to all its subscriptions.
pub(super) const CONNECTIONS_MAX: usize = 1024;
/// Subscriptions of one connection: an agent has one per protocol and tenant, not hundreds.
const SUBSCRIPTIONS_MAX: usize = 64;
/// Requests of one connection that are worked on at the same time; the next are read when one is done.
const REQUESTS_MAX: usize = 16;
/// Frames waiting to be written to one client. Small: events wait in their subscription's queue.
const FRAMES_MAX: usize = 16;
/// A client that takes no frame for this long is gone or stuck.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// A client that said nothing, not even a pong, between two pings is gone; as the reference has it.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Data in a reply, as base64url in its JSON. What is larger is read over HTTP.
const DATA_MAX: usize = 512 << 10;
/// Most events a client may allow itself without acknowledging: beyond, the bound bounds nothing.
const IN_FLIGHT_MAX: u64 = 1000;
/// Longest subscription id: the client's choice, echoed with every event.
const ID_MAX: usize = 256;

/// Frames on their way to one client.
type Out = mpsc::Sender<Message>;

/// The upgrade with the bounds of this protocol.
pub(super) fn bounded(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.max_message_size(jsonrpc::REQUEST_MAX).max_frame_size(jsonrpc::REQUEST_MAX)
}

/// Speaks with one client until it goes or the node stops.
pub(super) async fn converse(socket: WebSocket, node: Node, asker: Asker, stop: CancellationToken) {
    let (sink, mut frames) = socket.split();
    let (out, queue) = mpsc::channel(FRAMES_MAX);
    // Cancelled when the client is to be let go.
    let over = CancellationToken::new();
    let writing = tokio::spawn(write(sink, queue, over.clone()));
    let (subscriptions, running) = (HashMap::new(), JoinSet::new());
    let mut connection = Connection { node, asker, out: out.clone(), subscriptions, running };
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut alive = true;
    let farewell = loop {
        tokio::select! {
            frame = frames.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    alive = true;
                    connection.request(text.as_bytes()).await;
                }
                Some(Ok(Message::Binary(bytes))) => {
                    alive = true;
                    connection.request(&bytes).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => alive = true,
                Some(Ok(Message::Close(_))) | None => break None,
                Some(Err(error)) => {
                    tracing::debug!("a WebSocket ended: {error}");
                    break Some((close_code::SIZE, "frames have at most 1 MiB"));
                }
            },
            _ = heartbeat.tick() => {
                if !std::mem::take(&mut alive) {
                    break None;
                }
                let _ = out.try_send(Message::Ping(Default::default())); // a full queue is traffic enough
            }
            () = over.cancelled() => break None,
            () = stop.cancelled() => break Some((close_code::AWAY, "the node is stopping")),
        }
    };
    drop(connection);
    if let Some((code, reason)) = farewell {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = out.try_send(Message::Close(Some(frame))); // who takes no frames misses the farewell
    }
    drop(out);
    let _ = tokio::time::timeout(Duration::from_secs(1), writing).await; // a farewell is not worth waiting longer
    over.cancel();
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut queue: mpsc::Receiver<Message>, over: CancellationToken) {
    while let Some(frame) = queue.recv().await {
        let written = tokio::select! {
            written = tokio::time::timeout(WRITE_DEADLINE, sink.send(frame)) => written,
            () = over.cancelled() => break,
        };
        if !matches!(written, Ok(Ok(()))) {
            break;
        }
    }
    over.cancel();
}

struct Connection {
    node: Node,
    asker: Asker,
    out: Out,
    /// By the JSON of the id the client chose.
    subscriptions: HashMap<String, Carried>,
    running: JoinSet<()>,
}

/// A subscription whose events are being carried. Dropping it ends that.
struct Carried {
    task: AbortHandle,
    window: Option<Arc<Window>>,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    async fn request(&mut self, text: &[u8]) {
        let mut request = match Request::parse(text) {
            Ok(request) => request,
            Err(problem) => return self.tell(problem.to_json().to_string()).await,
        };
        let answer = match request.method.as_str() {
            jsonrpc::PROCESS | jsonrpc::SUBSCRIBE => match request.call() {
                Ok(call) if call.is_subscribe() => self.subscribe(&request, call).await,
                Ok(call) => return self.process(request.id, call).await,
                Err(problem) => Err(problem),
            },
            jsonrpc::CLOSE => self.close(&request),
            jsonrpc::ACK => self.acknowledge(&request),
            jsonrpc::PING => Ok(Some(json!({"reply": {"status": {"code": 200, "detail": "OK"}}}))),
            _ => Err(request.unknown()),
        };
        match answer {
            Ok(Some(result)) => self.tell(jsonrpc::success(&request.id, &result.to_string())).await,
            Ok(None) => {}
            Err(problem) => self.tell(problem.to_json().to_string()).await,
        }
    }

    async fn tell(&self, json: String) {
        let _ = self.out.send(Message::Text(json.into())).await; // fails when the client is gone
    }

    /// Has the door answer, beside what else is going on here.
    async fn process(&mut self, id: Value, call: Call) {
        while self.running.len() >= REQUESTS_MAX {
            self.running.join_next().await;
        }
        while self.running.try_join_next().is_some() {}
        let (node, asker, out) = (self.node.clone(), self.asker, self.out.clone());
        self.running.spawn(async move {
            let json = match answer(&node, asker, call).await {
                Ok(reply) => jsonrpc::replied(&id, &reply),
                Err(fault) => {
                    tracing::error!("{fault:#}");
                    Problem::new(&id, jsonrpc::INTERNAL_ERROR, jsonrpc::FAULT).to_json().to_string()
                }
            };
            let _ = out.send(Message::Text(json.into())).await; // fails when the client is gone
        });
    }

    /// Answers by itself: the first event may follow at once, and must not come before the answer.
    async fn subscribe(&mut self, request: &Request, call: Call) -> Result<Option<Value>, Problem> {
        let problem = |code, message: String| Problem::new(&request.id, code, message);
        let asked = request.subscription.as_ref().filter(|_| request.method == jsonrpc::SUBSCRIBE);
        let Some(asked) = asked else { return Err(problem(jsonrpc::INVALID_REQUEST, jsonrpc::NO_CONTEXT.into())) };
        let (id, key) = subscription_id(request, asked)?;
        self.subscriptions.retain(|_, carried| !carried.task.is_finished());
        if self.subscriptions.contains_key(&key) {
            let message = format!("the subscribe id: {} is in use by an active subscription", shown(&id));
            return Err(problem(jsonrpc::INVALID_PARAMS, message));
        }
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            let message = format!("a connection carries at most {SUBSCRIPTIONS_MAX} subscriptions: open another one");
            return Err(problem(jsonrpc::INVALID_REQUEST, message));
        }
        let window = match asked.get("maxInFlight") {
            None => None,
            Some(most) => match most.as_u64().filter(|most| (1..=IN_FLIGHT_MAX).contains(most)) {
                Some(most) => Some(Arc::new(Window::new(most as usize))),
                None => {
                    let message = format!("subscription.maxInFlight must be a number from 1 to {IN_FLIGHT_MAX}");
                    return Err(problem(jsonrpc::INVALID_PARAMS, message));
                }
            },
        };
        let cursor = asked.get("cursor");
        let with_cursors = cursor.is_some() || window.is_some();
        let resume = cursor.map(Resume::from_cursor);
        let subscribed = self.node.subscribe(self.asker, &call.tenant, call.message, resume).await;
        let (reply, events) = subscribed.map_err(|fault| {
            tracing::error!("{fault:#}");
            problem(jsonrpc::INTERNAL_ERROR, jsonrpc::FAULT.into())
        })?;
        self.tell(jsonrpc::replied(&request.id, &reply.text())).await;
        if let Some(events) = events {
            let task = tokio::spawn(carry(events, id, with_cursors, window.clone(), self.out.clone())).abort_handle();
            self.subscriptions.insert(key, Carried { task, window });
        }
        Ok(None)
    }

    fn close(&mut self, request: &Request) -> Result<Option<Value>, Problem> {
        let (id, key) = self.named(request)?;
        match self.subscriptions.remove(&key).filter(|carried| !carried.task.is_finished()) {
            // A number, not an object: so says the reference.
            Some(_) => Ok(Some(json!({"reply": {"status": 200, "detail": "Accepted"}}))),
            None => Err(does_not_exist(request, &id)),
        }
    }

    /// Answered only if it has an id: a client acknowledges often.
    fn acknowledge(&mut self, request: &Request) -> Result<Option<Value>, Problem> {
        let (id, key) = self.named(request)?;
        let Some(carried) = self.subscriptions.get(&key) else { return Err(does_not_exist(request, &id)) };
        if let Some(window) = &carried.window {
            let named = request.subscription.as_ref().and_then(|subscription| subscription.get("cursor"));
            window.acknowledge(named.or_else(|| request.params.get("cursor")));
        }
        let wants_answer = !request.id.is_null();
        Ok(wants_answer.then(|| json!({"reply": {"status": {"code": 200, "detail": "OK"}}})))
    }

    fn named(&self, request: &Request) -> Result<(Value, String), Problem> {
        match &request.subscription {
            Some(subscription) => subscription_id(request, subscription),
            None => {
                let message = "subscribe options do not exist";
                Err(Problem::new(&request.id, jsonrpc::INVALID_REQUEST, message))
            }
        }
    }
}

/// The id that the client has chosen for a subscription, and its key.
pub(super) fn subscription_id(request: &Request, subscription: &Value) -> Result<(Value, String), Problem> {
    let id = subscription.get("id").filter(|id| id.is_string() || id.is_number());
    let id = id.map(|id| (id.clone(), id.to_string())).filter(|(_, key)| key.len() <= ID_MAX);
    id.ok_or_else(|| {
        let message = format!("subscription.id must be a text or a number of at most {ID_MAX} bytes");
        Problem::new(&request.id, jsonrpc::INVALID_PARAMS, message)
    })
}

fn does_not_exist(request: &Request, id: &Value) -> Problem {
    let message = format!("subscription {} does not exist.", shown(id));
    Problem::new(&request.id, jsonrpc::INVALID_PARAMS, message)
}

/// An id as JavaScript writes it into a sentence.
fn shown(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// The reply to a message, with small data in it.
async fn answer(node: &Node, asker: Asker, call: Call) -> Result<String, crate::dwn::Fault> {
    let mut reply = node.process_for(asker, &call.tenant, call.message, call.data).await?;
    if let Some(data) = reply.data.take()
        && let Some(bytes) = at_most(data, DATA_MAX).await?
        && let Some(entry) = reply.body.remove("entry")
    {
        let entry = Object::extending(&entry).with("encodedData", &quoted(&URL_SAFE_NO_PAD.encode(bytes)));
        reply.body.insert("entry", entry.text());
    }
    Ok(reply.text())
}

/// Carries the events of one subscription until it ends, and says why it did.
async fn carry(mut events: Events, id: Value, with_cursors: bool, window: Option<Arc<Window>>, out: Out) {
    loop {
        let json = match events.next().await {
            Ok(event) => {
                let mut result = Object::default().with("event", &event.text());
                let cursor = event.cursor();
                if with_cursors {
                    result = result.with("cursor", &cursor.to_string());
                }
                if let Some(window) = &window {
                    window.send(&cursor).await;
                }
                jsonrpc::success(&id, &result.text())
            }
            Err(ended) => {
                let code = match &ended {
                    Ended::Refused(refusal) if refusal.code == 401 => jsonrpc::UNAUTHORIZED,
                    Ended::Failed => jsonrpc::INTERNAL_ERROR,
                    Ended::Refused(_) | Ended::Slow | Ended::Stopping => jsonrpc::GONE,
                };
                let problem = Problem::new(&id, code, format!("the subscription has ended: {ended}"));
                let _ = out.send(Message::Text(problem.to_json().to_string().into())).await; // nobody there: no matter
                return;
            }
        };
        if out.send(Message::Text(json.into())).await.is_err() {
            return;
        }
    }
}

/// Events that were sent and not acknowledged, at most so many.
#[derive(Debug)]
struct Window {
    free: Semaphore,
    sent: Mutex<VecDeque<Value>>,
}

impl Window {
    fn new(most: usize) -> Self {
        Self { free: Semaphore::new(most), sent: Mutex::default() }
    }

    /// Waits for room and notes that the event of this cursor is sent.
    async fn send(&self, cursor: &Value) {
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).push_back(cursor.clone());
        }
    }

    /// Makes room for all up to the cursor; without a cursor, or with one that is not among them, for all or none.
    fn acknowledge(&self, cursor: Option<&Value>) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let count = match cursor {
            Some(cursor) => sent.iter().position(|one| one == cursor).map_or(0, |at| at + 1),
            None => sent.len(),
        };
        sent.drain(..count);
        self.free.add_permits(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_window_holds_events_back_until_they_are_acknowledged() {
        let window = Window::new(2);
        let waits = |n: u64| window.send(&json!(n)).now_or_never().is_none();
        assert!(!waits(1) && !waits(2) && waits(3));
        window.acknowledge(Some(&json!(7)));
        assert!(waits(3), "an unknown cursor acknowledges nothing");
        window.acknowledge(Some(&json!(1)));
        assert!(!waits(3) && waits(4));
        window.acknowledge(None);
        assert!(!waits(4) && !waits(5) && waits(6));
    }
}
