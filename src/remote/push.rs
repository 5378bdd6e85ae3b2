//! What this node has and the server lacks, sent one after the other.

use super::{
    aside::{Aside, PASSES, SAVED_EVERY},
    kept::{Part, millis},
    line::{Line, Outgoing},
    pull::STRIKES,
    status::Tally,
    talk::{self, Trouble},
};
use crate::{
    cid::{self, Digest},
    dwn::{self, Fault, INLINE_MAX},
    job::blocking,
    node::{self, Node},
};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// One push.
pub struct Push<'a> {
    pub node: &'a Node,
    pub line: &'a Line,
    pub part: &'a Part,
    pub aside: &'a mut Aside,
    /// CID of the message that the server took last.
    pub sent: &'a mut Option<String>,
    pub tally: &'a Tally,
    /// Protocols that never leave this device (`sync.local_only`).
    pub local_only: &'a Arc<[String]>,
}

/// A message on its way out.
struct Loaded {
    message: Value,
    data: Data,
}

enum Data {
    None,
    Inline(Bytes),
    Stored(cid::Cid, u64),
    Elsewhere,
}

/// May a message leave this node? The one place where it is asked of what goes to DWN servers. `protocol`: the one it belongs
/// to, if any; `about`: the one that it is about, if it is a permission record; `local_only`: protocols that never leave.
fn may_leave(part: &Part, local_only: &[String], protocol: Option<&str>, about: Option<&str>) -> bool {
    let stays = |protocol: &str| local_only.iter().any(|local| local == protocol);
    if protocol.is_some_and(stays) || about.is_some_and(stays) {
        return false;
    }
    // Permission records of a protocol belong to that of permissions, and go with it: `Part` chose them.
    part.protocol.is_none() || protocol == part.protocol.as_deref() || protocol == Some(dwn::PERMISSIONS)
}

impl Push<'_> {
    /// Sends these, in this order, and of what was put aside what is due. All that was not taken is put aside, durably, when this
    /// returns, unless the round has ended early.
    pub async fn run(mut self, wanted: Vec<Digest>) -> Result<(), Trouble> {
        let mut next = wanted;
        next.extend(self.aside.due(millis(), false));
        let mut passes = 0;
        while !next.is_empty() {
            let went = self.pass(next).await;
            self.aside.save(self.node.store()).await?;
            passes += 1;
            next = if went? && passes < PASSES { self.aside.due(0, true) } else { vec![] };
        }
        Ok(())
    }

    /// Was anything taken?
    async fn pass(&mut self, wanted: Vec<Digest>) -> Result<bool, Trouble> {
        let (mut went, mut strikes) = (false, 0);
        let mut seen = std::collections::HashSet::new();
        self.tally.sends(wanted.len() as u64);
        for (done, digest) in wanted.into_iter().filter(|digest| seen.insert(*digest)).enumerate() {
            self.tally.sent_one();
            let Some(Loaded { message, data }) = self.load(digest).await? else {
                // It was superseded or removed since.
                self.aside.drop(&digest);
                continue;
            };
            let has_data = !matches!(data, Data::None);
            let data = match data {
                Data::None => Outgoing::None,
                Data::Inline(bytes) => Outgoing::Whole(bytes),
                Data::Elsewhere => {
                    // When it is read here, its message comes into the log once more.
                    let why = "its data is on another device of its owner, not on this node";
                    self.aside.put(digest, has_data, (503, why), millis())?;
                    continue;
                }
                Data::Stored(root, size) => Outgoing::Stream(size, node::read_out(self.node.blocks().clone(), root)),
            };
            match talk::push(self.line, &self.part.tenant, &message, data).await {
                Ok(()) => {
                    strikes = 0;
                    went = true;
                    self.aside.drop(&digest);
                    *self.sent = Some(cid::from_digest(cid::DAG_CBOR, &digest).to_string());
                    self.tally.pushed();
                }
                Err(Trouble::Refused(code, why)) => {
                    self.aside.put(digest, has_data, (code, &why), millis())?;
                    strikes = if code < 500 { 0 } else { strikes + 1 };
                    if strikes >= STRIKES {
                        return Err(Trouble::Away(format!("the server takes nothing: {code} {why}")));
                    }
                }
                Err(trouble) => return Err(trouble),
            }
            if done % SAVED_EVERY == SAVED_EVERY - 1 {
                self.aside.save(self.node.store()).await?;
            }
        }
        self.tally.sends(0);
        Ok(went)
    }

    /// A message and its data, if it is still kept and may leave.
    async fn load(&self, digest: Digest) -> Result<Option<Loaded>, Trouble> {
        let (store, part, local_only) = (self.node.store().clone(), self.part.clone(), self.local_only.clone());
        let loaded = blocking(move || {
            let view = store.view(&part.tenant);
            let Some(stored) = view.message(&cid::from_digest(cid::DAG_CBOR, &digest))? else { return Ok(None) };
            let initial = dwn::record_id(&stored.message).map(|id| view.record(id)).transpose()?.flatten();
            let initial = initial.map(|record| record.initial.message.clone());
            let initial = initial.as_ref().map(|initial| &***initial);
            let about = dwn::tagged_protocol(initial.unwrap_or(&stored.message));
            if !may_leave(&part, &local_only, dwn::scope(&stored.message, initial), about) {
                return Ok(None);
            }
            let declared = dwn::declared_data(&stored.message);
            let data = match declared {
                Some((root, size)) if view.has_data(&stored)? => match view.inline_data(&stored)? {
                    Some(bytes) => Data::Inline(bytes),
                    None if size <= INLINE_MAX => Data::None,
                    None if view.is_elsewhere(&stored)? => Data::Elsewhere,
                    None => Data::Stored(root, size),
                },
                _ => Data::None,
            };
            Ok::<_, Fault>(Some(Loaded { message: Value::clone(&stored.message), data }))
        });
        Ok(loaded.await?)
    }
}
