//! The order in which MessagesQuery lists a tenant's messages, so that they can be replayed one after the other.
//!
//! The log keeps the first and the newest message of a record, in the order of arrival. Take a record that was written,
//! got a child, and was then updated. The log has: first write (its data is gone), child, update. A node that replays this
//! refuses the child, because its parent has no data yet; the reference needs a second round. A protocol that was configured
//! again after its records has the same problem. So an update is listed before the first message that may need it,
//! together with the grant and the roles that the update itself needs.
//!
//! Cursors stay right, because a cursor is a position in the log: it says which messages were listed, not in which
//! order. A reply holds all messages between two positions, and its cursor is the larger one.
//!
//! No order helps the children of a record that was deleted since: the data that made their parent live is gone. They are
//! listed where they stand.

use super::{
    fields::record_id,
    filter,
    refusal::Fault,
    view::{EventKind, LogEvent, Select, Stored, View},
};
use crate::cid::Cid;
use crate::crypto::jws;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The events in an order in which each comes after what it needs, else as they came.
pub fn order(events: Vec<LogEvent>, view: &dyn View) -> Result<Vec<LogEvent>, Fault> {
    if events.iter().all(|event| event.kind == EventKind::First) {
        return Ok(events); // nearly always, and then it costs nothing
    }
    let stretch = Stretch::new(&events);
    let mut early: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        let Some(to) = stretch.place(at, event, view)? else { continue };
        let needs = stretch.needs(event, view)?.into_iter().filter(|&need| need > to && need != at);
        early.entry(to).or_default().extend(needs.chain([at]));
    }
    let mut told = vec![false; events.len()];
    let mut order = Vec::with_capacity(events.len());
    for at in 0..events.len() {
        for next in early.remove(&at).unwrap_or_default().into_iter().chain([at]) {
            if !std::mem::replace(&mut told[next], true) {
                order.push(events[next].clone());
            }
        }
    }
    Ok(order)
}

/// The events of one reply, findable.
struct Stretch<'a> {
    by_cid: HashMap<&'a Cid, usize>,
    by_protocol: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Stretch<'a> {
    fn new(events: &'a [LogEvent]) -> Self {
        let mut by_protocol: HashMap<_, Vec<_>> = HashMap::new();
        for (at, event) in events.iter().enumerate() {
            if let Some(protocol) = &event.protocol {
                by_protocol.entry(protocol.as_str()).or_default().push(at);
            }
        }
        Self { by_cid: events.iter().enumerate().map(|(at, event)| (&event.cid, at)).collect(), by_protocol }
    }

    /// Before which event this one must be told, if before any.
    fn place(&self, at: usize, event: &LogEvent, view: &dyn View) -> Result<Option<usize>, Fault> {
        let Some(protocol) = event.protocol.as_deref() else { return Ok(None) };
        let after = match event.kind {
            EventKind::First => return Ok(None),
            EventKind::Configure => None,
            // Where the first write was told before, its record is live there already.
            EventKind::Update => match self.first_write(event, view)? {
                Some(first) => Some(first),
                None => return Ok(None),
            },
        };
        let same = self.by_protocol.get(protocol).map(Vec::as_slice).unwrap_or_default();
        let next = same.partition_point(|&other| after.is_some_and(|after| other <= after));
        Ok(same.get(next).copied().filter(|&to| to < at))
    }

    fn first_write(&self, event: &LogEvent, view: &dyn View) -> Result<Option<usize>, Fault> {
        let Some(update) = view.message(&event.cid)? else { return Ok(None) };
        let Some(id) = record_id(&update.message) else { return Ok(None) };
        Ok(view.record(id)?.and_then(|record| self.by_cid.get(&record.initial.cid).copied()))
    }

    /// The grant and the roles that the message's author calls upon.
    fn needs(&self, event: &LogEvent, view: &dyn View) -> Result<Vec<usize>, Fault> {
        let Some(message) = view.message(&event.cid)? else { return Ok(vec![]) };
        let signed = message.message.pointer("/authorization/signature").and_then(jws::payload);
        let text = |name: &str| signed.as_ref().and_then(|payload| payload.get(name)).and_then(Value::as_str);
        let mut needs: Vec<Stored> = vec![];
        if let Some(grant) = text("permissionGrantId").map(|id| view.record(id)).transpose()?.flatten() {
            needs.push(grant.initial);
        }
        if let (Some(role), Some(protocol)) = (text("protocolRole"), &event.protocol) {
            let held = [("protocol", protocol.as_str()), ("protocolPath", role), ("recipient", &message.author)];
            let filter = filter::all(held.map(|(name, value)| (name, filter::text(value))));
            for newest in view.select(&Select { any_of: vec![filter], ..Select::default() })?.entries {
                let record = record_id(&newest.message).map(|id| view.record(id)).transpose()?.flatten();
                needs.extend(record.map(|record| record.initial));
                needs.push(newest);
            }
        }
        Ok(needs.iter().filter_map(|need| self.by_cid.get(&need.cid).copied()).collect())
    }
}
