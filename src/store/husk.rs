//! What compaction leaves of a message that is no longer kept: no content, only what the rest of the log builds on.
//!
//! The index is a function of the frames in order, and a message that is gone has had effects that stay: it removed
//! and demoted others, the data of the message after it may be its own, its record began with it, blocks lie where it
//! says. So a husk does to the index what its message did, save that it is found by nothing and is no event. The frame
//! that removed the message comes later in the log and removes the husk's traces as it did the message's.
//!
//! Where nothing removes it (the log was cut before, to restore an earlier moment, or that frame is damaged), a husk
//! stays in the index, and readers treat its message as one that is not here ([`super::view`]).

use super::{
    Position,
    frame::{self, About, DataInfo, StoredPlace},
    pending::Pending,
    rows::{DataRow, MessageRow, RecordRow},
};
use crate::dwn::Fault;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Husk {
    pub tenant: String,
    pub subject: About,
    pub cid: ByteArray<32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initial: bool,
    /// `parentId` of the record that began with the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataInfo>,
    /// Data that something else still reads from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<ByteBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_data: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demotes: Vec<ByteArray<32>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<ByteArray<32>>,
    /// Blocks that are still there and whose place nothing later may say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<(ByteArray<32>, StoredPlace)>,
}

impl Husk {
    /// Of a message whose data in the frame, and blocks, have been cut to what is still needed.
    pub fn of(message: frame::Message) -> Result<Self, Fault> {
        // Only the first frame of a record makes its parent known; a tombstone may be that, if damage took the write.
        let parent = match &message.subject {
            About::Record(_) => message.json()?["descriptor"]["parentId"].as_str().map(str::to_owned),
            About::Protocol(_) => None,
        };
        let frame::Message { tenant, subject, cid, initial, data, inline, .. } = message;
        let frame::Message { keeps_data, demotes, removes, blocks, .. } = message;
        Ok(Self { tenant, subject, cid, initial, parent, data, inline, keeps_data, demotes, removes, blocks })
    }
}

impl Pending<'_> {
    /// Does to the index what the husk's message did, as far as later frames build on it.
    pub(super) fn add_husk(&mut self, position: Position, husk: Husk) -> Result<(), Fault> {
        let tenant = self.intern_tenant(&husk.tenant)?;
        let parent = husk.parent.clone();
        let message = Arc::new(frame::Message::of_husk(husk));
        self.keep_frame(position, message.clone());
        let digest = *message.cid;
        let (before, kept) = self.make_way(tenant, &message)?;
        let data = match &message.data {
            Some(info) => {
                let inline = message.inline.as_ref().map(|_| position);
                Some(DataRow { root: info.root()?, size: info.size, inline })
            }
            None => kept,
        };
        match &message.subject {
            About::Record(id) => {
                let newest = (position, digest);
                let row = match before {
                    Some(before) if !message.initial => RecordRow { newest, latest: false, ..before },
                    _ => self.begin_record(tenant, id, message.initial, parent, newest),
                };
                self.put_record(tenant, id, &row);
                if let Some(data) = &data {
                    self.refer(tenant, id, data, false)?;
                }
            }
            About::Protocol(uri) => self.put_protocol(tenant, uri, position),
        }
        self.place(position, &message)?;
        let row = MessageRow { position, latest: false, subject: message.subject.clone(), data };
        self.put_message(tenant, &digest, &row);
        Ok(())
    }
}
