//! What an accepted message changes: the one thing rules hand to the store.

use super::{
    fields,
    json::Json,
    lineage::Knew,
    message::Message,
    refusal::{Fault, Refusal, Stop},
    view::{Record, View},
};
use crate::cid::{self, Cid};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// What a message is about; the store keeps the state of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A record, by recordId.
    Record(String),
    /// A protocol, by URI.
    Protocol(String),
}

/// One atomic change of a tenant: append a message, and say what it supersedes.
#[derive(Debug, Clone)]
pub struct Change {
    pub tenant: String,
    pub subject: Subject,
    /// CID of `bytes`.
    pub cid: Cid,
    /// DAG-CBOR of the message without `encodedData`.
    pub bytes: Vec<u8>,
    pub message: Arc<Json>,
    pub author: String,
    /// The message becomes the latest state of its record (false: an initial write without data).
    pub latest: bool,
    /// The message is its record's initial write (kept as long as the record or its tombstone).
    pub initial: bool,
    /// The data that must be there with the message: CID and size. `None`: the message names no data, or
    /// the data is not here (initial write without data).
    pub data: Option<(Cid, u64)>,
    /// An update without data: the record's newest data, which has the same CID and size, stays.
    pub keeps_data: bool,
    /// The message is its subject's state already, and its data was elsewhere: now it comes.
    pub brings_data: bool,
    /// Messages kept whose state ends: no longer latest, no longer with data (the initial write of an
    /// updated or deleted record).
    pub demotes: Vec<Cid>,
    /// Messages that go, with their events and data.
    pub removes: Vec<Cid>,
    /// 202 (accepted) or 204 (initial write without data).
    pub status: u16,
    /// It came from another device: what its writer knew of its record. `None`: it is written here.
    pub came: Option<Knew>,
    /// State of other modules that is kept as soon as the message is: keys and values.
    pub states: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What came of a write's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The message came without data.
    None,
    /// Data came with the message and has not been read.
    Promised,
    /// The data stays where it is, on another device: nothing of it was read.
    Elsewhere,
    /// The data has been read and is what this says.
    /// `inline`: the data itself, if it is small enough to be kept beside its message.
    Staged { cid: Cid, size: u64, inline: Option<Bytes> },
}

impl Change {
    /// A message of the tenant's own becomes the first and the latest state of its subject: what a store can be given without
    /// rules. `message` is without `encodedData`.
    pub fn initial(tenant: &str, subject: Subject, message: Value) -> Result<Self, Fault> {
        let (cid, bytes) = cid::of_json(&message)?;
        Ok(Self { initial: true, ..Self::new((tenant, tenant), subject, (cid, bytes), Arc::new(message.into())) })
    }

    /// The message becomes the latest state of its subject; everything else is left for the method to say.
    pub(super) fn of(message: &Message, subject: Subject) -> Result<Self, Refusal> {
        let author = message.signed_author()?;
        let encoded = (*message.cid(), message.bytes().into());
        Ok(Self::new((message.tenant(), author), subject, encoded, message.json().clone()))
    }

    fn new((tenant, author): (&str, &str), subject: Subject, (cid, bytes): (Cid, Vec<u8>), message: Arc<Json>) -> Self {
        Self {
            tenant: tenant.into(),
            subject,
            cid,
            bytes,
            message,
            author: author.into(),
            latest: true,
            initial: false,
            data: None,
            keeps_data: false,
            brings_data: false,
            demotes: Vec::new(),
            removes: Vec::new(),
            status: 202,
            came: None,
            states: Vec::new(),
        }
    }

    /// The record's messages before this change: the initial write stays, later ones go.
    pub(super) fn supersede(&mut self, record: &Record) {
        if record.newest.cid == record.initial.cid {
            self.demotes.push(record.initial.cid);
        } else {
            self.removes.push(record.newest.cid);
        }
    }

    /// Depth is bounded by that of protocol definitions; the list of parents still to visit is explicit all the
    /// same, so that no tree of records can exhaust the stack.
    pub(super) fn remove_descendants(&mut self, record_id: &str, view: &dyn View) -> Result<(), Stop> {
        let mut parents = vec![record_id.to_owned()];
        while let Some(parent) = parents.pop() {
            for child in view.children(&parent)? {
                parents.extend(fields::record_id(&child.initial.message).map(str::to_owned));
                self.removes.push(child.initial.cid);
                if child.newest.cid != child.initial.cid {
                    self.removes.push(child.newest.cid);
                }
            }
        }
        Ok(())
    }
}
