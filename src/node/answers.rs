//! Answers on their way out: one budget of memory for all of them, with a share for each address and some of it for the owner
//! and his devices alone.
//!
//! Who owns what: room is taken before an answer is made, as much as its first piece takes, and given back when the bytes have
//! been handed to the operating system. Of a long answer no more is made than its reader takes. Who has to wait for
//! room longer than [`Limits::answers_seconds`] is refused, or cut off if the answer has begun.

use super::{
    data::{self, Body, one_chunk, unread},
    limits::Limits,
    workers::Workers,
};
use crate::{
    asker::Asker,
    blocks::Reader,
    dwn::{self, Entries, Fault, Members, Refusal, Stop},
    pool::{Full, Permit, Pool, Size},
    store::Store,
};
use anyhow::Context as _;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Bytes of an answer that are made at once; one entry may be longer.
pub(super) const PIECE: usize = 64 << 10;
/// Bytes of data that go out in one chunk, as a rule: a block's.
const CHUNK: usize = 256 << 10;
/// What stands around an answer, at most: nobody counts it byte by byte.
const AROUND: usize = 1 << 10;

/// The budget. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Answers {
    pool: Pool,
    /// For answers that are put together as one text, data and all. Of its own: who has room here may still need some for
    /// a piece, which others must not hold while they wait here.
    whole: Pool,
    deadline: Duration,
    /// Who makes the pieces.
    workers: Workers,
}

/// An answer's text as it goes out.
pub enum Text {
    Whole(Bytes),
    Pieces(Body),
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Text::Whole(_) => "Whole",
            Text::Pieces(_) => "Pieces",
        })
    }
}

/// For messages that wait for subscribers: half as much again. Each is counted once, however many wait for it.
pub(super) fn events(limits: &Limits) -> Pool {
    let most = limits.answers_memory as usize / 2;
    Pool::new("bytes of messages that wait for subscribers", Size { most, share: most, reserved: 0 })
}

/// A record's data as an answer carries it. Its first chunk may be in memory already, for which there is room.
pub struct Outgoing {
    answers: Answers,
    data: Body,
    chunk: usize,
    held: Permit,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({:?})", self.held)
    }
}

impl Outgoing {
    /// With room for each chunk, as the client takes it.
    pub fn metered(self) -> Body {
        self.answers.metered(self.held.asker(), self.chunk, Some(self.held), self.data)
    }

    /// As it is, for who has room for all of it.
    pub fn raw(self) -> Body {
        self.data
    }
}

/// What the door answers.
pub struct Reply {
    pub code: u16,
    pub detail: String,
    /// `entry`, `entries`, `cursor`: what stands beside `status`.
    pub body: Members,
    /// The record's data, if the answer carries some.
    pub data: Option<Outgoing>,
    /// Of a long answer, what is still to be made.
    rest: Option<Rest>,
    /// Room in the budget for answers.
    held: Option<Permit>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({} {}, data: {})", self.code, self.detail, self.data.is_some())
    }
}

/// What of an answer is still to be made.
struct Rest {
    answers: Answers,
    entries: Entries,
    store: Store,
    tenant: String,
    /// For the list of entries.
    held: Permit,
}

/// Bytes, and the room they take until they are gone.
struct Held<T> {
    bytes: T,
    _place: Permit,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Bytes that hold their room as long as anybody holds them.
fn holding<T: AsRef<[u8]> + Send + 'static>(bytes: T, place: Permit) -> Bytes {
    Bytes::from_owner(Held { bytes, _place: place })
}

impl Answers {
    pub(super) fn new(limits: &Limits, workers: Workers) -> Self {
        let (most, share) = (limits.answers_memory as usize, limits.answers_memory_per_address as usize);
        let part = |most: usize, share: usize| Size { most, share, reserved: most / 8 };
        let pool = Pool::new("bytes of answers", part(most - most / 4, share - share / 4));
        let whole = Pool::new("bytes of answers in one piece", part(most / 4, share / 4));
        Self { pool, whole, deadline: Duration::from_secs(limits.answers_seconds), workers }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        self.pool.register("dwn_answers_bytes", registry);
        self.whole.register("dwn_answers_whole_bytes", registry);
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.pool.used()
    }

    /// Room for a piece, if there is some at once.
    pub(super) fn take(&self, asker: Asker) -> Option<Permit> {
        self.pool.take(asker, PIECE).ok()
    }

    /// Room for so many bytes, as soon as others have taken theirs.
    pub async fn wait(&self, asker: Asker, bytes: usize) -> Result<Permit, Refusal> {
        self.wait_in(&self.pool, asker, bytes).await
    }

    /// Room for an answer that is put together as one text, before it is.
    pub async fn wait_whole(&self, asker: Asker, bytes: usize) -> Result<Permit, Refusal> {
        self.wait_in(&self.whole, asker, bytes).await
    }

    async fn wait_in(&self, pool: &Pool, asker: Asker, bytes: usize) -> Result<Permit, Refusal> {
        let full = |why: Full| Refusal::new(503, format!("AnswersMemoryFull: {why}"));
        if let Ok(place) = pool.take(asker, bytes) {
            return Ok(place);
        }
        match tokio::time::timeout(self.deadline, pool.wait(asker, bytes)).await {
            Ok(place) => place.map_err(full),
            Err(_) => pool.take(asker, bytes).map_err(full),
        }
    }

    /// Room for as many bytes as it turned out to be.
    async fn fit(&self, mut held: Permit, bytes: usize) -> Result<Permit, Refusal> {
        match bytes.checked_sub(held.count()) {
            None | Some(0) => held.shrink(bytes),
            Some(more) if held.grow(more).is_ok() => {}
            Some(_) => {
                // What one holds is no reason for another, or for oneself, to wait.
                let asker = held.asker();
                drop(held);
                return self.wait(asker, bytes).await;
            }
        }
        Ok(held)
    }

    /// Bytes that are there already, with the room they take.
    pub async fn hold(&self, asker: Asker, bytes: Bytes) -> Result<Bytes, Refusal> {
        let place = self.wait(asker, bytes.len()).await?;
        Ok(holding(bytes, place))
    }

    /// A text that is there already, with the room it takes.
    pub async fn text(&self, asker: Asker, text: String) -> Result<Text, Refusal> {
        let place = self.wait(asker, text.len()).await?;
        Ok(whole(text, Some(place)))
    }

    /// Data on its way out, as the client takes it. `chunk`: bytes of one chunk as a rule; `held`: room for the first.
    pub fn metered(&self, asker: Asker, chunk: usize, held: Option<Permit>, data: Body) -> Body {
        let metered = stream::unfold(Some((self.clone(), held, data)), move |state| async move {
            let (answers, held, mut data) = state?;
            let next = async {
                let place = match held {
                    Some(place) => place,
                    None => answers.wait(asker, chunk).await?,
                };
                let Some(bytes) = data.next().await.transpose()? else { return Ok(None) };
                let place = answers.fit(place, bytes.len()).await?;
                Ok::<_, Fault>(Some(holding(bytes, place)))
            };
            match next.await.transpose()? {
                Ok(bytes) => Some((Ok(bytes), Some((answers, None, data)))),
                Err(fault) => Some((Err(fault), None)),
            }
        });
        Box::pin(metered)
    }

    /// A file on its way to somebody.
    pub fn send(&self, asker: Asker, reader: Reader) -> Body {
        self.metered(asker, CHUNK, None, data::send(reader))
    }

    /// Data that is in memory.
    pub(super) async fn outgoing(&self, asker: Asker, bytes: Bytes) -> Result<Outgoing, Refusal> {
        let (answers, chunk) = (self.clone(), bytes.len());
        let held = answers.wait(asker, chunk).await?;
        Ok(Outgoing { answers, data: one_chunk(bytes), chunk, held })
    }

    /// Data in blocks, each of which is looked at before: nothing for a thread of the runtime.
    pub(super) async fn outgoing_blocks(&self, asker: Asker, mut reader: Box<Reader>) -> Result<Outgoing, Stop> {
        let answers = self.clone();
        // To look at a file is to read its first chunk.
        let held = answers.wait(asker, CHUNK).await?;
        let checked = self.workers.run(asker, move || reader.check().map(|()| reader)).await?;
        let data = data::send(*checked.map_err(unread)?);
        Ok(Outgoing { answers, data, chunk: CHUNK, held })
    }

    /// The reply, with as much room as it takes. `held`: room for a piece.
    pub(super) async fn replied(
        &self,
        answer: dwn::MessageReply,
        (store, tenant): (Store, String),
        held: Permit,
    ) -> Result<Reply, Stop> {
        let asker = held.asker();
        let held = self.fit(held, answer.body.size() + AROUND).await?;
        let rest = match answer.rest {
            None => None,
            Some(entries) => {
                let held = self.wait(asker, entries.size()).await?;
                Some(Rest { answers: self.clone(), entries, store, tenant, held })
            }
        };
        Ok(Reply { code: answer.code, detail: answer.detail, body: answer.body, data: None, rest, held: Some(held) })
    }
}

impl Rest {
    /// The next piece, and what is left.
    async fn next(mut self) -> Result<(String, Permit, Option<Self>), Fault> {
        let (answers, asker) = (self.answers.clone(), self.held.asker());
        let place = answers.wait(asker, PIECE).await?;
        let made = answers.workers.run(asker, move || {
            let mut text = String::with_capacity(PIECE + PIECE / 4);
            // Each piece has a view of its own: who waits for a slow client keeps no old state of the index.
            let all = self.entries.write(&mut text, PIECE, &*self.store.view(&self.tenant))?;
            Ok::<_, Fault>((text, (!all).then_some(self)))
        });
        let (text, rest) = made.await??;
        let place = answers.fit(place, text.len()).await?;
        Ok((text, place, rest))
    }
}

impl Reply {
    pub(super) fn new(code: u16, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), body: Members::default(), data: None, rest: None, held: None }
    }

    /// `{"status": {"code", "detail"}, …}` as the reference writes it: JSON text. Of an answer with many entries nothing but
    /// the status: it goes out by [`Reply::into_text`].
    pub fn text(&self) -> String {
        match &self.rest {
            None => self.body.reply(self.code, &self.detail),
            Some(_) => Members::default().reply(self.code, &self.detail),
        }
    }

    /// The answer between `before` and `after`, to be sent. Long ones come in pieces, made as they are taken.
    pub fn into_text(self, before: &str, after: &str) -> Text {
        let Self { code, detail, body, rest, held, .. } = self;
        match rest {
            None => whole([before, &body.reply(code, &detail), after].concat(), held),
            Some(rest) => {
                let (head, tail) = body.around(code, &detail);
                pieces([before, &head].concat(), held, rest, tail + after)
            }
        }
    }

    /// As [`Reply::into_text`], with room that was taken before it was made.
    pub fn into_text_within(self, mut place: Permit, before: &str, after: &str) -> Text {
        let text = [before, &self.text(), after].concat();
        drop(self);
        place.shrink(text.len());
        whole(text, Some(place))
    }

    /// Its entries alone, as [`Reply::into_text`].
    pub fn into_entries(mut self) -> Text {
        let entries = self.body.remove("entries").unwrap_or_else(|| "[]".into());
        match self.rest {
            None => whole(entries, self.held),
            Some(rest) => pieces(entries, self.held, rest, "]".into()),
        }
    }

    /// The answer as one text, for who cannot take pieces. There must be room for all of it.
    pub async fn whole(self) -> Result<String, Fault> {
        let pieces: Vec<Bytes> = match self.into_text("", "") {
            Text::Whole(text) => vec![text],
            Text::Pieces(pieces) => pieces.try_collect().await.context("ask for less at once, with a limit")?,
        };
        String::from_utf8(pieces.concat()).context("an answer of this node is no text")
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.detail)
    }
}

fn whole(text: String, held: Option<Permit>) -> Text {
    Text::Whole(kept(text, held))
}

fn kept(text: String, held: Option<Permit>) -> Bytes {
    match held {
        Some(place) => holding(text, place),
        None => text.into(),
    }
}

/// `head`, the entries that are still to be written, `tail`.
fn pieces(head: String, held: Option<Permit>, rest: Rest, tail: String) -> Text {
    let first = kept(head, held);
    let following = stream::unfold((Some(rest), tail), |(rest, tail)| async move {
        match rest?.next().await {
            Ok((text, place, Some(rest))) => Some((Ok(holding(text, place)), (Some(rest), tail))),
            Ok((text, place, None)) => Some((Ok(holding(text + &tail, place)), (None, tail))),
            Err(fault) => Some((Err(fault.context("an answer breaks off")), (None, tail))),
        }
    });
    Text::Pieces(Box::pin(stream::iter([Ok(first)]).chain(following)))
}
