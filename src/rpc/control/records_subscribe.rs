//! What happens to records from now on: `records.subscribe`.

use super::{
    actor::{About, Actor, readable},
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    records::complete,
    refusals::REFUSALS,
    subscriptions::{Subscribed, no_websocket},
};
use crate::{
    dwn::create,
    node::{self, Delivery, Events, Resume},
};
use anyhow::Context as _;
use futures::{Stream, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub const METHODS: &[Entry] = &[Entry::of::<Subscribe>()];

#[derive(Debug)]
pub struct Subscribe;

impl Method for Subscribe {
    const NAME: &'static str = "records.subscribe";
    const SUMMARY: &'static str =
        "Be told of each change of records that meet a filter, by notifications (over a WebSocket alone).";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a format",
        params: r#"{"filter": {"dataFormat": "text/plain"}}"#,
        result: r#"{"subscription": "1"}"#,
    }];
    type Params = Following;
    type Result = Subscribed;

    async fn run(call: &Call, following: Following) -> Result<Subscribed, Failure> {
        let subscriptions = call.subscriptions().ok_or_else(no_websocket)?;
        let actor = Actor::within(call, following.from.as_deref(), following.tenant.as_deref())?;
        let filter = complete(following.filter);
        readable(call, filter.get("protocol").and_then(Value::as_str))?;
        let invoked = (following.protocol_role.as_deref(), None);
        let right = actor.right(&call.node, "Subscribe", About::asked(&filter), invoked).await?;
        let message = right.invoking(create::subscribe_to_records(filter.into(), &node::now(), Some(&actor.signer)))?;
        let resume = following.cursor.as_ref().map(Resume::from_cursor);
        let (reply, events) = call.node.subscribe(call.asker(), &actor.tenant, message, resume).await?;
        right.accepted(reply)?;
        let events = events.context("a subscription has no events")?;
        Ok(Subscribed { subscription: subscriptions.carry(told(events))? })
    }
}

/// Which records are followed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Following {
    /// RecordsFilter. Empty: every record.
    pub filter: Map<String, Value>,
    /// That of the last event that was seen: what came since then is told first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Value>,
    /// Path of a role that the asker invokes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_role: Option<String>,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose records they are; the asker's if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Events as they are told, and why they end. They wait in the subscription's bounded queue; who is too slow is ended.
fn told(events: Events) -> impl Stream<Item = Result<Value, String>> + Send + 'static {
    stream::unfold(Some(events), async |events| {
        let mut events = events?;
        match events.next().await {
            Ok(event) => Some((Ok(change(&event)), Some(events))),
            Err(ended) => Some((Err(ended.to_string()), None)),
        }
    })
}

/// `{message, initialWrite?, cursor}`.
fn change(event: &Delivery) -> Value {
    let mut change: Value = serde_json::from_str(&event.text()).unwrap_or_default();
    change["cursor"] = event.cursor();
    change
}
