//! Judges a message that is admitted. A read is answered. A write is checked before a byte of its data is read.

use super::{
    answers::PIECE,
    clock::now,
    conflict::Brought,
    data::{Held, unread},
    retention::Rules,
};
use crate::{
    asker::Asker,
    blocks::{Blocks, Right},
    dwn::{self, Given, Message, Refusal, Stop, View},
    store::Store,
};
use anyhow::Context as _;
use std::sync::Arc;

/// Who hands in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Client(Asker),
    /// Another device of the tenant.
    Device(Arc<Brought>),
    /// The tenant's own node, which tells this one what it may read.
    Tenant(Arc<Brought>),
    /// A friend's node, which tells this one what the friend wrote.
    Friend(Arc<Brought>),
}

impl Origin {
    /// What is known of a message that does not come from who wrote it.
    pub fn brought(&self) -> Option<&Arc<Brought>> {
        match self {
            Origin::Client(_) => None,
            Origin::Device(brought) | Origin::Tenant(brought) | Origin::Friend(brought) => Some(brought),
        }
    }

    pub fn asker(&self) -> Asker {
        match self {
            Origin::Client(asker) => *asker,
            Origin::Device(_) => Asker::Device,
            // What a friend's node brings may name any DID that this node then looks up.
            Origin::Tenant(brought) | Origin::Friend(brought) => {
                Asker::friend(brought.by.as_deref().unwrap_or_default())
            }
        }
    }
}

/// What judging a message takes.
pub(super) struct Judging {
    pub origin: Origin,
    pub store: Store,
    pub blocks: Blocks,
    pub rules: Arc<Rules>,
    pub max_record: u64,
    pub given: Given,
    /// There is room for an answer.
    pub has_room: bool,
}

/// What came of it.
pub(super) enum Judged {
    Write(Arc<Message>),
    Read(Box<Answer>),
    /// A read for whose answer there was no room yet.
    Waits(Arc<Message>),
}

/// The answer to a read, and its data.
pub(super) struct Answer {
    pub reply: dwn::MessageReply,
    pub tenant: String,
    /// Who asked: the author, also if a delegate signed for him.
    pub author: Option<String>,
    pub data: Option<Held>,
}

impl Judging {
    pub fn judge(self, message: Arc<Message>) -> Result<Judged, Stop> {
        let message = match self.origin {
            Origin::Client(_) | Origin::Friend(_) => message,
            Origin::Device(_) => Arc::new(Arc::unwrap_or_clone(message).replayed()),
            Origin::Tenant(_) => Arc::new(Arc::unwrap_or_clone(message).vouched()),
        };
        if message.is_write() {
            let view = self.store.view(message.tenant());
            check_write(&message, self.given, self.max_record, &self.rules, &*view)?;
            return Ok(Judged::Write(message));
        }
        if !self.has_room {
            return Ok(Judged::Waits(message));
        }
        answer(&message, &self.store, &self.blocks).map(|answer| Judged::Read(Box::new(answer)))
    }
}

/// Checks a write before a byte of its data is read. The one writer checks all of it again, which is what counts. This first
/// look spares the client sending data in vain, and spares the writer what is refused.
fn check_write(message: &Message, given: Given, most: u64, rules: &Rules, view: &dyn View) -> Result<(), Stop> {
    rules.check(message.tenant(), message.json(), jiff::Timestamp::now())?;
    let declared = message.data();
    if let Some((_, size)) = declared {
        check_size(size, most)?;
    }
    let promised = if declared.is_some() { given } else { Given::None };
    dwn::decide(message, &promised, view, &now()).map(drop)
}

/// Data of a record may be as large as `most`.
pub(super) fn check_size(size: u64, most: u64) -> Result<(), Refusal> {
    if size > most {
        return Err(Refusal::new(413, format!("dataSize {size} is above this node's limit of {most} bytes")));
    }
    Ok(())
}

/// Answers a read and takes hold of its data. If a delete comes between the two, the answer is made again.
pub(super) fn answer(message: &Message, store: &Store, blocks: &Blocks) -> Result<Answer, Stop> {
    let look = || {
        let view = store.view(message.tenant());
        let reply = dwn::answer(message, &*view, &now())?;
        Ok::<_, Stop>((hold(&reply, &*view, blocks), reply))
    };
    let (data, mut reply) = match look()? {
        (Ok(data), reply) => (data, reply),
        (Err(_), _) => {
            let (data, reply) = look()?;
            (data?, reply)
        }
    };
    reply.write(PIECE, &*store.view(message.tenant()))?;
    let author = message.author().map(str::to_owned);
    Ok(Answer { reply, tenant: message.tenant().to_owned(), author, data })
}

/// Takes hold of the data that an answer names.
fn hold(reply: &dwn::MessageReply, view: &dyn View, blocks: &Blocks) -> Result<Option<Held>, Stop> {
    match &reply.data {
        None => Ok(None),
        Some((stored, root, size)) if *size <= dwn::INLINE_MAX => {
            let data = view.inline_data(stored)?.with_context(|| format!("the data {root} is not here"))?;
            Ok(Some(Held::Inline(data)))
        }
        Some((stored, root, _)) if view.is_elsewhere(stored)? => {
            Ok(Some(Held::Elsewhere(Box::new((stored.cid, *root)))))
        }
        Some((_, root, _)) => {
            let reader = blocks.open_file(Right::reader(root), root).map_err(unread)?;
            Ok(Some(Held::Blocks(Box::new(reader))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_friends_node_brings_takes_from_its_share() {
        let by = |did: &str| Arc::new(Brought { by: Some(did.to_owned()), ..Brought::default() });
        assert_eq!(Origin::Device(by("did:example:own")).asker().share(), None);
        let friend = Origin::Friend(by("did:example:friend")).asker();
        assert_eq!(friend.share(), Some(friend));
        assert_eq!(Origin::Tenant(by("did:example:friend")).asker(), friend, "one friend has one share");
        assert_ne!(Origin::Tenant(by("did:example:another")).asker(), friend);
    }
}
