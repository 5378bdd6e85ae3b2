//! The subscriptions of one WebSocket: events go out as notifications.

use super::{
    super::websocket::Outlet,
    failure::{Failure, Kind},
};
use crate::{asker::Asker, node::Answers};
use futures::{Stream, StreamExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// The notification that carries an event: `{subscription, event}`, and at last `{subscription, ended}` with a sentence.
pub const EVENT: &str = "rpc.event";

/// Of one connection, as one call of it sees them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    shared: Arc<Shared>,
    /// Cancelled when the call is answered: no event overtakes the answer that names its subscription.
    answered: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    outlet: Outlet,
    answers: Answers,
    asker: Asker,
    most: usize,
    running: Mutex<HashMap<String, AbortHandle>>,
    next: AtomicU64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.running.get_mut().unwrap_or_else(PoisonError::into_inner).values().for_each(AbortHandle::abort);
    }
}

impl Subscriptions {
    /// `most`: at a time.
    pub(in super::super) fn new(outlet: Outlet, answers: Answers, asker: Asker, most: usize) -> Self {
        let (running, next) = (Mutex::default(), AtomicU64::new(1));
        let shared = Arc::new(Shared { outlet, answers, asker, most, running, next });
        Self { shared, answered: CancellationToken::new() }
    }

    /// The same for a call.
    #[must_use]
    pub(in super::super) fn for_call(&self) -> Self {
        Self { answered: CancellationToken::new(), ..self.clone() }
    }

    /// The call is answered.
    pub(in super::super) fn begin(&self) {
        self.answered.cancel();
    }

    /// Carries events until there are no more, or the client ends it. Returns the subscription's id. An `Err` in the stream is why it
    /// ends, in a sentence.
    pub fn carry(&self, events: impl Stream<Item = Result<Value, String>> + Send + 'static) -> Result<String, Failure> {
        let mut running = self.running();
        running.retain(|_, task| !task.is_finished());
        if running.len() >= self.shared.most {
            let message = format!("a connection carries at most {} subscriptions: open another one", self.shared.most);
            return Err(Failure::new(Kind::Conflict, message));
        }
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed).to_string();
        let (shared, answered) = (Arc::downgrade(&self.shared), self.answered.clone());
        let (outlet, answers) = (self.shared.outlet.clone(), self.shared.answers.clone());
        let (asker, name) = (self.shared.asker, id.clone());
        let task = tokio::spawn(async move {
            answered.cancelled().await;
            let mut events = std::pin::pin!(events);
            let mut said = None;
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => tell(&outlet, &answers, asker, json!({"subscription": name, "event": event})).await,
                    Err(why) => {
                        said = Some(why);
                        break;
                    }
                }
            }
            let ended = said.unwrap_or_else(|| "there are no more events".to_owned());
            tell(&outlet, &answers, asker, json!({"subscription": name, "ended": ended})).await;
            if let Some(shared) = shared.upgrade() {
                shared.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            }
        });
        running.insert(id.clone(), task.abort_handle());
        Ok(id)
    }

    /// Ends one. Says whether there was one.
    pub fn end(&self, id: &str) -> bool {
        let Some(task) = self.running().remove(id) else { return false };
        // Asked first: what is aborted may have finished in the next moment.
        let ran = !task.is_finished();
        task.abort();
        ran
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which subscription began. Its events come as `rpc.event`; `rpc.unsubscribe` ends it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    pub subscription: String,
}

/// What a call without a WebSocket hears.
pub(super) fn no_websocket() -> Failure {
    Failure::new(Kind::Usage, "subscriptions need a WebSocket: rpc.listen in node.toml opens one, at /rpc")
}

async fn tell(outlet: &Outlet, answers: &Answers, asker: Asker, params: Value) {
    let text = json!({"jsonrpc": "2.0", "method": EVENT, "params": params}).to_string();
    match answers.text(asker, text).await {
        Ok(text) => outlet.send(text).await,
        Err(_) => outlet.hang_up("what was sent was not taken"),
    }
}
