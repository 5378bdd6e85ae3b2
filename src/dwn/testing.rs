//! A tenant's past as a list, slow and obvious, and people who write to it.

use super::*;
use crate::{
    cid::{self, Cid},
    crypto::{PublicKey, Signer},
    did::{self, Did},
};
use bytes::Bytes;
use fields::{descriptor_text, is_method, record_id, timestamp};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Somebody with a did:key.
pub fn person(seed: u8) -> Signer {
    let secret = [seed; 32];
    let PublicKey::Ed25519(key) = Signer::new(Zeroizing::new(secret), "").public() else { unreachable!() };
    let did: Did = did::key::from_ed25519(key.as_bytes());
    Signer::new(Zeroizing::new(secret), did::key::kid(&did))
}

pub fn key_of(kid: &str) -> Option<PublicKey> {
    did::key_of(kid).ok()
}

/// A time on one day, by second.
pub fn at(second: u32) -> String {
    format!("2026-11-21T00:{:02}:{:02}.000000Z", second / 60, second % 60)
}

/// Later than all that is said in tests.
pub const NOW: &str = "2027-01-01T00:00:00.000000Z";

pub fn data_cid(data: &[u8]) -> Cid {
    cid::of(cid::RAW, data)
}

#[derive(Debug, Clone)]
struct Entry {
    stored: Stored,
    subject: Subject,
    initial: bool,
    data: Option<Vec<u8>>,
    position: u64,
}

/// What a tenant keeps.
#[derive(Debug)]
pub struct Past {
    /// The node's clock; without one, messages come when they say.
    pub clock: Option<String>,
    tenant: String,
    kept: Vec<Entry>,
    position: u64,
}

impl Past {
    pub fn of(tenant: &Signer) -> Self {
        Self::new(tenant.did())
    }

    pub fn new(tenant: &str) -> Self {
        Self { clock: None, tenant: tenant.into(), kept: Vec::new(), position: 0 }
    }

    /// Sends a message through the whole way; the reply as clients see it, and `data`: the CID of the data.
    pub fn send(&mut self, json: Result<Value, Refusal>, data: Option<&[u8]>) -> Value {
        self.tell(json, data, false)
    }

    /// As [`Past::send`], told by another device of the tenant.
    pub fn replay(&mut self, json: Value, data: Option<&[u8]>) -> Value {
        self.tell(Ok(json), data, true)
    }

    fn tell(&mut self, json: Result<Value, Refusal>, data: Option<&[u8]>, replayed: bool) -> Value {
        let reply = match self.process(json.expect("was made"), data, replayed) {
            Ok(reply) => reply,
            Err(Stop::Refusal(refusal)) => refusal.into(),
            Err(Stop::Fault(fault)) => panic!("{fault:#}"),
        };
        let mut json = serde_json::from_str::<Value>(&reply.text()).expect("a reply is JSON");
        if let Some((_, cid, _)) = reply.data {
            json["data"] = cid.to_string().into();
        }
        json
    }

    /// As [`Past::send`], but only the status.
    pub fn code(&mut self, json: Result<Value, Refusal>, data: Option<&[u8]>) -> u64 {
        self.send(json, data)["status"]["code"].as_u64().expect("a code")
    }

    fn process(&mut self, json: Value, data: Option<&[u8]>, replayed: bool) -> Result<MessageReply, Stop> {
        let message = Message::parse(&self.tenant, json)?;
        let message = if replayed { message.replayed() } else { message };
        message.verify(&key_of)?;
        let now = &self.clock.clone().unwrap_or_else(|| timestamp(message.json()).to_owned());
        if !message.is_write() {
            let mut reply = answer(&message, self, now)?;
            reply.write(usize::MAX, self)?;
            return Ok(reply);
        }
        let promised = if data.is_some() { Given::Promised } else { Given::None };
        decide(&message, &promised, self, now)?;
        let given = match data {
            Some(data) => {
                let inline = (data.len() as u64 <= INLINE_MAX).then(|| data.to_vec().into());
                Given::Staged { cid: data_cid(data), size: data.len() as u64, inline }
            }
            None => Given::None,
        };
        let mut change = decide(&message, &given, self, now)?;
        change.came = message.is_replayed().then(Knew::default);
        let reply = MessageReply::from(&change);
        self.apply(change, data);
        Ok(reply)
    }

    fn apply(&mut self, change: Change, data: Option<&[u8]>) {
        let newest_data =
            self.kept.iter().rev().find(|kept| kept.subject == change.subject).and_then(|k| k.data.clone());
        self.kept.retain(|kept| !change.removes.contains(&kept.stored.cid));
        for kept in self.kept.iter_mut().filter(|kept| change.demotes.contains(&kept.stored.cid)) {
            kept.stored.latest = false;
            kept.data = None;
        }
        let data = if change.keeps_data { newest_data } else { data.map(<[u8]>::to_vec) };
        self.position += 1;
        let kept = Kept {
            cid: change.cid,
            author: change.author.into(),
            record_id: match &change.subject {
                Subject::Record(id) => Some(id.as_str().into()),
                Subject::Protocol(_) => None,
            },
            message: change.message,
            beside: None,
            lineage: Lineage { before: None, came: change.came.is_some(), knew: change.came.unwrap_or_default() },
        };
        let stored = Stored { kept: Arc::new(kept), latest: change.latest };
        self.kept.push(Entry {
            stored,
            subject: change.subject,
            initial: change.initial,
            data,
            position: self.position,
        });
    }

    fn data(&self, stored: &Stored) -> Option<&Vec<u8>> {
        self.kept.iter().find(|kept| kept.stored.cid == stored.cid).and_then(|kept| kept.data.as_ref())
    }

    fn of_subject(&self, subject: &Subject) -> impl DoubleEndedIterator<Item = &Entry> {
        self.kept.iter().filter(move |kept| kept.subject == *subject)
    }

    fn values(&self, kept: &Entry) -> std::collections::BTreeMap<String, Vec<IndexValue>> {
        let initial = self.of_subject(&kept.subject).find(|other| other.initial);
        let first = initial.map_or_else(First::default, |initial| First::of(&initial.stored));
        index_values(&kept.stored.message, &kept.stored.author, first, kept.stored.latest)
    }
}

impl View for Past {
    fn message(&self, cid: &Cid) -> Result<Option<Stored>, Fault> {
        Ok(self.kept.iter().find(|kept| kept.stored.cid == *cid).map(|kept| kept.stored.clone()))
    }

    fn record(&self, id: &str) -> Result<Option<Record>, Fault> {
        let subject = Subject::Record(id.into());
        let mut messages = self.of_subject(&subject);
        let Some(initial) = messages.find(|kept| kept.initial) else { return Ok(None) };
        let newest = self.of_subject(&subject).next_back().expect("there is one at least");
        Ok(Some(Record { initial: initial.stored.clone(), newest: newest.stored.clone() }))
    }

    fn protocol(&self, uri: &str) -> Result<Option<Stored>, Fault> {
        let subject = Subject::Protocol(uri.into());
        Ok(self.of_subject(&subject).next_back().map(|kept| kept.stored.clone()))
    }

    fn protocols(&self) -> Result<Vec<u64>, Fault> {
        let protocols = self.kept.iter().filter(|kept| matches!(kept.subject, Subject::Protocol(_)));
        Ok(protocols.map(|kept| kept.position).collect())
    }

    fn each(&self, positions: &[u64], take: &mut Take<'_>) -> Result<(), Fault> {
        for position in positions {
            let kept = self.kept.iter().find(|kept| kept.position == *position);
            if take(kept.map(|kept| kept.stored.clone()))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn hits(&self, select: &Select) -> Result<Hits, Fault> {
        let sort = match select.sort {
            SortBy::DateCreated => "dateCreated",
            SortBy::DatePublished => "datePublished",
            SortBy::MessageTimestamp => "messageTimestamp",
        };
        let mut found = Vec::new();
        for kept in self.kept.iter().filter(|kept| kept.stored.latest && matches!(kept.subject, Subject::Record(_))) {
            let values = self.values(kept);
            let Some([IndexValue::String(key)]) = values.get(sort).map(Vec::as_slice) else { continue };
            if select.any_of.iter().any(|filter| filter::fits(filter, &values)) {
                found.push(((key.clone(), kept.stored.cid.to_string()), kept.position));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        if select.direction == Direction::Descending {
            found.reverse();
        }
        if let Some(PaginationCursor { message_cid, value }) = &select.after {
            let after = (value.clone(), message_cid.clone());
            found
                .retain(|(key, _)| if select.direction == Direction::Descending { *key < after } else { *key > after });
        }
        let limit = select.limit.unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more).map(|((value, cid), _)| (value.clone(), cid.clone()));
        let cursor = last.map(|(value, message_cid)| PaginationCursor { message_cid, value });
        Ok(Hits { positions: found.into_iter().map(|(_, position)| position).collect(), cursor })
    }

    fn select_of(&self, tenant: &str, select: &Select) -> Result<Page, Fault> {
        if tenant == self.tenant { self.select(select) } else { Ok(Page::default()) }
    }

    fn events(&self, any_of: &[EventFilter], after: Option<u64>, limit: Option<usize>) -> Result<Vec<LogEvent>, Fault> {
        let matches = |kept: &&Entry| {
            let (json, values) = (&kept.stored.message, self.values(kept));
            let equal = |name: &str, wanted: &Option<String>| {
                wanted.as_ref().is_none_or(|wanted| {
                    values.get(name).is_some_and(|values| values.contains(&IndexValue::String(wanted.clone())))
                })
            };
            let is_tagged = |protocol: &Option<String>| {
                protocol.is_none()
                    || equal("tag.protocol", protocol) && equal("protocol", &Some(PERMISSIONS.to_owned()))
            };
            any_of.is_empty()
                || any_of.iter().any(|filter| {
                    equal("interface", &filter.interface)
                        && equal("method", &filter.method)
                        && (equal("protocol", &filter.protocol) || is_tagged(&filter.protocol))
                        && is_tagged(&filter.tagged)
                        && filter.from.as_deref().is_none_or(|from| timestamp(json) >= from)
                        && filter.to.as_deref().is_none_or(|to| timestamp(json) < to)
                })
        };
        let events = self.kept.iter().filter(|kept| after.is_none_or(|after| kept.position > after)).filter(matches);
        let events = events.map(|kept| {
            let kind = match kept.subject {
                Subject::Protocol(_) => EventKind::Configure,
                Subject::Record(_) if kept.initial || !is_method(&kept.stored.message, "Write") => EventKind::First,
                Subject::Record(_) => EventKind::Update,
            };
            let defined = kept.stored.message.pointer("/descriptor/definition/protocol").and_then(Value::as_str);
            let protocol = descriptor_text(&kept.stored.message, "protocol").or(defined).map(str::to_owned);
            LogEvent { position: kept.position, cid: kept.stored.cid, kind, protocol }
        });
        Ok(events.take(limit.unwrap_or(usize::MAX)).collect())
    }

    fn inline_data(&self, stored: &Stored) -> Result<Option<Bytes>, Fault> {
        Ok(self.data(stored).filter(|data| data.len() as u64 <= INLINE_MAX).cloned().map(Bytes::from))
    }

    fn has_data(&self, stored: &Stored) -> Result<bool, Fault> {
        Ok(self.data(stored).is_some())
    }

    fn children(&self, parent_id: &str) -> Result<Vec<Record>, Fault> {
        let children = self
            .kept
            .iter()
            .filter(|kept| kept.initial && descriptor_text(&kept.stored.message, "parentId") == Some(parent_id));
        children.filter_map(|kept| self.record(record_id(&kept.stored.message)?).transpose()).collect()
    }
}

/// A RecordsQuery by somebody, who may invoke a role. (The node itself never asks with one.)
pub fn records_query_as(
    filter: Map<String, Value>,
    more: Value,
    now: &str,
    signer: Option<&Signer>,
    role: Option<&str>,
) -> Value {
    let mut query = create::records_query(Value::Object(filter), more, now, signer).expect("was made");
    if let (Some(role), Some(signer)) = (role, signer) {
        let descriptor = fields::cid_of(&query["descriptor"]).expect("encodes");
        let payload = json!({"descriptorCid": descriptor, "protocolRole": role}).to_string();
        query["authorization"] =
            json!({"signature": crate::crypto::jws::Jws::sign(payload.as_bytes(), signer).expect("signs")});
    }
    query
}

/// A RecordsSubscribe by somebody, who may invoke a role. (The node itself never subscribes.)
pub fn records_subscribe(filter: Value, now: &str, signer: Option<&Signer>, role: Option<&str>) -> Value {
    let mut message = create::records_query(filter, json!({}), now, signer).expect("was made");
    message["descriptor"]["method"] = "Subscribe".into();
    if let Some(signer) = signer {
        let mut payload = json!({"descriptorCid": fields::cid_of(&message["descriptor"]).expect("encodes")});
        role.into_iter().for_each(|role| payload["protocolRole"] = role.into());
        let signature = crate::crypto::jws::Jws::sign(payload.to_string().as_bytes(), signer).expect("signs");
        message["authorization"] = json!({"signature": signature});
    }
    message
}

/// A protocol with threads that anyone may start and answer.
pub fn threads() -> Value {
    json!({
        "protocol": "http://example.com/threads",
        "published": true,
        "types": {"thread": {"dataFormats": ["text/plain"]}, "reply": {"schema": "http://example.com/reply"}},
        "structure": {"thread": {
            "$actions": [{"who": "anyone", "can": ["create", "update", "delete"]}],
            "reply": {
                "$size": {"min": 1, "max": 10},
                "$actions": [
                    {"who": "author", "of": "thread", "can": ["read", "co-delete"]},
                    {"who": "recipient", "of": "thread", "can": ["create"]},
                    {"who": "recipient", "can": ["co-update"]},
                ],
            },
        }},
    })
}
