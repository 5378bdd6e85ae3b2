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
    http::at_most,
    jsonrpc::{self, DwnCall, RpcError, RpcRequest},
    websocket::{self, Outlet, Talk, WebSocket},
};
use crate::{
    asker::Asker,
    dwn::json::{Object, js_string},
    memory,
    node::{Ended, Events, Node, Reply, Resume, Text},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// Requests of one connection that are worked on at the same time; the next are read when one is done.
const REQUESTS_MAX: usize = 16;
/// Bytes of data that a reply carries as base64url in its JSON. Larger data is read over HTTP.
const DATA_MAX: usize = 512 << 10;
/// Most events that a client may ask to have unacknowledged. A larger bound would bound nothing.
const IN_FLIGHT_MAX: u64 = 1000;
/// Bytes of a subscription id, which the client chooses and every event repeats.
const ID_MAX: usize = 256;

/// Speaks with one client until it goes or the node stops.
pub(super) async fn converse(socket: WebSocket, node: Node, asker: Asker, stop: CancellationToken) {
    let connection =
        |outlet| Connection { node, asker, outlet, subscriptions: HashMap::new(), running: JoinSet::new() };
    websocket::converse(socket, stop, connection).await;
}

struct Connection {
    node: Node,
    asker: Asker,
    outlet: Outlet,
    /// By the JSON of the id the client chose.
    subscriptions: HashMap<String, Subscription>,
    running: JoinSet<()>,
}

/// A subscription whose events are being carried. Dropping it ends that.
struct Subscription {
    task: AbortHandle,
    window: Option<Arc<Window>>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Talk for Connection {
    async fn hear(&mut self, text: &[u8]) {
        let mut request = match RpcRequest::parse(text) {
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
}

impl Connection {
    async fn tell(&self, json: String) {
        self.outbox().tell(json).await;
    }

    fn outbox(&self) -> Outbox {
        Outbox { node: self.node.clone(), asker: self.asker, outlet: self.outlet.clone() }
    }

    /// Has the door answer, concurrently with other requests of this connection.
    async fn process(&mut self, id: Value, call: DwnCall) {
        while self.running.len() >= REQUESTS_MAX {
            self.running.join_next().await;
        }
        while self.running.try_join_next().is_some() {}
        let outbox = self.outbox();
        self.running.spawn(async move {
            match answer(&outbox, &id, call).await {
                Ok(text) => outbox.send(text).await,
                Err(fault) => {
                    tracing::error!("{fault:#}");
                    outbox
                        .tell(RpcError::new(&id, jsonrpc::INTERNAL_ERROR, jsonrpc::FAULT).to_json().to_string())
                        .await;
                }
            }
        });
    }

    /// Sends its answer itself: the first event may follow at once and must not overtake the answer.
    async fn subscribe(&mut self, request: &RpcRequest, call: DwnCall) -> Result<Option<Value>, RpcError> {
        let problem = |code, message: String| RpcError::new(&request.id, code, message);
        let asked = request.subscription.as_ref().filter(|_| request.method == jsonrpc::SUBSCRIBE);
        let Some(asked) = asked else { return Err(problem(jsonrpc::INVALID_REQUEST, jsonrpc::NO_CONTEXT.into())) };
        let (id, key) = subscription_id(request, asked)?;
        self.subscriptions.retain(|_, subscription| !subscription.task.is_finished());
        if self.subscriptions.contains_key(&key) {
            let message = format!("the subscribe id: {} is in use by an active subscription", js_string(Some(&id)));
            return Err(problem(jsonrpc::INVALID_PARAMS, message));
        }
        let most = self.node.limits().subscriptions_per_websocket;
        if self.subscriptions.len() >= most as usize {
            let message = format!("a connection carries at most {most} subscriptions: open another one");
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
            let task = tokio::spawn(carry(events, id, with_cursors, window.clone(), self.outbox())).abort_handle();
            self.subscriptions.insert(key, Subscription { task, window });
        }
        Ok(None)
    }

    fn close(&mut self, request: &RpcRequest) -> Result<Option<Value>, RpcError> {
        let (id, key) = self.named(request)?;
        match self.subscriptions.remove(&key).filter(|subscription| !subscription.task.is_finished()) {
            // A number, not an object: so says the reference.
            Some(_) => Ok(Some(json!({"reply": {"status": 200, "detail": "Accepted"}}))),
            None => Err(does_not_exist(request, &id)),
        }
    }

    /// Answered only if the request has an id, because clients acknowledge often.
    fn acknowledge(&mut self, request: &RpcRequest) -> Result<Option<Value>, RpcError> {
        let (id, key) = self.named(request)?;
        let Some(subscription) = self.subscriptions.get(&key) else { return Err(does_not_exist(request, &id)) };
        if let Some(window) = &subscription.window {
            let named = request.subscription.as_ref().and_then(|subscription| subscription.get("cursor"));
            window.acknowledge(named.or_else(|| request.params.get("cursor")));
        }
        let wants_answer = !request.id.is_null();
        Ok(wants_answer.then(|| json!({"reply": {"status": {"code": 200, "detail": "OK"}}})))
    }

    fn named(&self, request: &RpcRequest) -> Result<(Value, String), RpcError> {
        match &request.subscription {
            Some(subscription) => subscription_id(request, subscription),
            None => {
                let message = "subscribe options do not exist";
                Err(RpcError::new(&request.id, jsonrpc::INVALID_REQUEST, message))
            }
        }
    }
}

/// The id that the client has chosen for a subscription, and its key.
pub(super) fn subscription_id(request: &RpcRequest, subscription: &Value) -> Result<(Value, String), RpcError> {
    let id = subscription.get("id").filter(|id| id.is_string() || id.is_number());
    let id = id.map(|id| (id.clone(), id.to_string())).filter(|(_, key)| key.len() <= ID_MAX);
    id.ok_or_else(|| {
        let message = format!("subscription.id must be a text or a number of at most {ID_MAX} bytes");
        RpcError::new(&request.id, jsonrpc::INVALID_PARAMS, message)
    })
}

fn does_not_exist(request: &RpcRequest, id: &Value) -> RpcError {
    let message = format!("subscription {} does not exist.", js_string(Some(id)));
    RpcError::new(&request.id, jsonrpc::INVALID_PARAMS, message)
}

/// Sends answers and events to the client. Each concurrent task has its own.
struct Outbox {
    node: Node,
    asker: Asker,
    outlet: Outlet,
}

impl Outbox {
    async fn tell(&self, json: String) {
        match self.node.answers().text(self.asker, json).await {
            Ok(text) => self.send(text).await,
            // The client's address reads too little of what it has asked for.
            Err(_) => self.outlet.hang_up("what was sent was not taken"),
        }
    }

    async fn send(&self, text: Text) {
        self.outlet.send(text).await;
    }
}

/// The reply to a message, with small data in it.
async fn answer(outbox: &Outbox, id: &Value, call: DwnCall) -> Result<Text, crate::dwn::Fault> {
    let mut reply = outbox.node.process_for(outbox.asker, &call.tenant, call.message, call.data).await?;
    let data = reply.data.take();
    let (before, after) = jsonrpc::around_reply(id);
    let Some((data, size)) = data.zip(data_size(&reply)).filter(|(_, size)| *size <= DATA_MAX) else {
        return Ok(reply.into_text(&before, after));
    };
    // Room for the bytes, their text and the text around it, twice while it is put together.
    let place = match outbox.node.answers().wait_whole(outbox.asker, 4 * size + reply.body.size()).await {
        Ok(place) => place,
        Err(refusal) => return Ok(Reply::from(refusal).into_text(&before, after)),
    };
    if let Some(bytes) = at_most(data.raw(), DATA_MAX).await?
        && let Some(entry) = reply.body.remove("entry")
    {
        // Base64 has nothing to escape.
        let mut encoded = memory::text(bytes.len().div_ceil(3) * 4 + 2);
        encoded.push('"');
        URL_SAFE_NO_PAD.encode_string(bytes, &mut encoded);
        encoded.push('"');
        let entry = Object::extending(&entry).with("encodedData", &encoded);
        reply.body.insert("entry", entry.text());
    }
    Ok(reply.into_text_within(place, &before, after))
}

/// Bytes of the data of what was read, as its message says.
fn data_size(reply: &Reply) -> Option<usize> {
    let entry = reply.body.get("entry")?;
    let message = ["recordsWrite", "message"].into_iter().find_map(|name| entry.get(name))?;
    message.pointer("/descriptor/dataSize")?.as_u64().and_then(|size| usize::try_from(size).ok())
}

/// Carries the events of one subscription until it ends, and says why it did.
async fn carry(mut events: Events, id: Value, with_cursors: bool, window: Option<Arc<Window>>, outbox: Outbox) {
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
                    Ended::Refused(_) | Ended::Slow | Ended::Full | Ended::Stopping => jsonrpc::GONE,
                };
                let problem = RpcError::new(&id, code, format!("the subscription has ended: {ended}"));
                return outbox.tell(problem.to_json().to_string()).await;
            }
        };
        outbox.tell(json).await;
    }
}

/// Bounds the events that were sent and are not acknowledged.
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

    /// Makes room: for all events up to the cursor; without a cursor for all; with an unknown cursor for none.
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
