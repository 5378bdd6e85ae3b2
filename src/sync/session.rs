//! One live stream with one peer: pushes what the log brings, applies what the peer pushes.
//!
//! Three loops share the stream: `receive` reads frames and applies items through the door, `push` follows
//! the log, `send` owns the writing half. Items are applied one after the other, in the order sent.

use super::{
    flow::{Amount, Flow},
    order,
    progress::{Progress, SentUpTo},
    wire::{self, Frame},
};
use crate::{
    cid::{self, Cid},
    dwn, foreign,
    node::{self, Body, Node},
    store::{Entry, Position, Store},
};
use anyhow::{Context as _, Error, anyhow, bail};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::Value;
use std::{collections::BTreeSet, ops::Range, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

/// Log entries looked at in one offer: an offer stays far below the frame bound.
const OFFER_MAX: usize = 256;
/// Items and pieces of data waiting to be written.
const ITEMS_AHEAD: usize = 16;
/// Answers waiting to be written or read: those to one whole offer fit, so `receive` never waits for the
/// writer and two ends that push at each other cannot lock up.
const ANSWERS_MAX: usize = 2 * OFFER_MAX;
/// A peer that owes an answer longer than this is gone, or stuck: the stream is given up and opened anew.
const ANSWER_DEADLINE: Duration = Duration::from_secs(120);
/// Pieces of data on their way into the door.
const CHUNKS_AHEAD: usize = 4;

/// Bytes of the log that are counted before they are sent: some milliseconds.
const SHORT: Position = 1 << 20;

/// A stretch of the log: where it ends, what of it to offer, and how much that is.
struct Stretch {
    next: Position,
    offers: Vec<(String, Cid)>,
    amount: Amount,
}

/// What of the log is ahead.
#[derive(Default)]
struct Outlook {
    /// Where the counted stretch ends.
    end: Position,
    count: Option<Counting>,
    /// Of what is counted, what has been passed.
    passed: Amount,
}

enum Counting {
    Under(oneshot::Receiver<Result<Amount, Error>>),
    Done(Amount),
}

impl Outlook {
    fn passed(&mut self, amount: Amount) {
        self.passed = self.passed.plus(amount);
    }
}

/// How much of a stretch of the log is ahead of who shares these tenants. Ends early when nobody waits for it any more.
fn count_ahead(
    store: &Store,
    tenants: &BTreeSet<String>,
    stretch: Range<Position>,
    asked: &oneshot::Sender<Result<Amount, Error>>,
) -> Result<Amount, Error> {
    let (mut at, mut all) = (stretch.start, Amount::default());
    while at < stretch.end && !asked.is_closed() {
        let before = at;
        for entry in store.entries(at, OFFER_MAX)? {
            at = entry.next();
            if let Entry::Message { tenant, cid, .. } = entry
                && tenants.contains(&tenant)
            {
                all = all.plus(weigh(&*store.view(&tenant), &cid)?);
            }
        }
        if at == before {
            break;
        }
    }
    Ok(all)
}

/// One message, with its data, if they are still kept.
fn weigh(view: &dyn dwn::View, cid: &Cid) -> Result<Amount, Error> {
    let Some(stored) = view.message(cid)? else { return Ok(Amount::default()) };
    let size = stored.message.pointer("/descriptor/dataSize").and_then(Value::as_u64);
    let bytes = if view.has_data(&stored)? { size.unwrap_or(0) } else { 0 };
    Ok(Amount { messages: 1, bytes })
}

/// What a session is about.
pub struct Session {
    pub node: Node,
    pub peer: String,
    pub tenants: BTreeSet<String>,
    /// The other end wants to be told what is ahead.
    pub tells_ahead: bool,
    pub stop: CancellationToken,
    pub progress: Arc<Progress>,
}

impl Session {
    /// Runs until the stream ends or the node stops. `from`: where in the log to push from.
    pub async fn run(self, stream: impl AsyncRead + AsyncWrite + Send, from: Position) -> Result<(), Error> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (out, mut items) = mpsc::channel::<Frame>(ITEMS_AHEAD);
        let (reply, mut replies) = mpsc::channel::<Frame>(ANSWERS_MAX);
        let (answers, mut answered) = mpsc::channel::<Frame>(ANSWERS_MAX);
        let send = async {
            // Bytes of an item's data that are still to come.
            let mut owed = 0_u64;
            loop {
                let frame = tokio::select! {
                    biased;
                    // Nothing comes between an item and its data.
                    Some(frame) = replies.recv(), if owed == 0 => frame,
                    Some(frame) = items.recv() => frame,
                    else => return Ok::<_, Error>(()),
                };
                owed = match &frame {
                    Frame::Item { data, .. } => data.unwrap_or(0),
                    Frame::Data(piece) if piece.is_empty() => 0,
                    Frame::Data(piece) => owed.saturating_sub(piece.len() as u64),
                    _ => owed,
                };
                wire::write(&mut writer, &frame).await.context("writing to the peer")?;
            }
        };
        tokio::select! {
            done = send => done,
            done = self.receive(&mut reader, reply, answers) => done,
            done = self.push(from, out, &mut answered) => done,
            () = self.stop.cancelled() => Ok(()),
        }
    }

    /// Follows the log and offers the shared tenants' messages.
    async fn push(
        &self,
        from: Position,
        out: mpsc::Sender<Frame>,
        answers: &mut mpsc::Receiver<Frame>,
    ) -> Result<(), Error> {
        let mut tail = self.node.store().tail();
        let mut position = from;
        let mut outlook = Outlook::default();
        // The other end knows that nothing is ahead.
        let mut is_told = false;
        loop {
            tail.borrow_and_update();
            let Stretch { next, offers, amount } = self.gather(position).await?;
            if next == position {
                self.progress.sending(&self.peer, Flow::complete);
                if !std::mem::replace(&mut is_told, true) {
                    self.tell(&out, Amount::default()).await?;
                }
                tail.changed().await.context("the store is closed")?;
                continue;
            }
            if offers.is_empty() {
                outlook.passed(amount);
                position = next;
                continue; // nothing the peer shares: not worth writing the cursor down
            }
            self.progress.sending(&self.peer, Flow::begun);
            is_told = false;
            if let Some(left) = self.look_ahead(&mut outlook, position).await? {
                self.progress.sending(&self.peer, |flow| flow.ahead(left));
                self.tell(&out, left).await?;
            }
            position = next;
            outlook.passed(amount);
            let refused = self.exchange(&offers, &out, answers).await?;
            if !refused.is_empty() {
                // A refusal can be a matter of order (its parent came later in the same offer): once more.
                for (offer, code, detail) in self.exchange_reporting(&refused, &out, answers).await? {
                    tracing::warn!("{} refused {} of {}: {code} {detail}", self.peer, offer.1, offer.0);
                    let what = foreign::said(format_args!("{} of {}: {code} {detail}", offer.1, offer.0));
                    self.progress.refused(&self.peer, what);
                }
            }
            let cursor = SentUpTo { position, tenants: self.tenants.clone() };
            self.node.store().put_state(vec![cursor.entry(&self.peer)?]).await?;
        }
    }

    /// Tells the other end what is ahead, if it wants to know.
    async fn tell(&self, out: &mpsc::Sender<Frame>, Amount { messages, bytes }: Amount) -> Result<(), Error> {
        if self.tells_ahead { queue(out, Frame::Ahead { messages, bytes }).await } else { Ok(()) }
    }

    /// What is ahead from `from` on, as soon as it is known. A long log is counted while its beginning is on its way.
    async fn look_ahead(&self, outlook: &mut Outlook, from: Position) -> Result<Option<Amount>, Error> {
        let end = *self.node.store().tail().borrow();
        if outlook.count.is_none() || from >= outlook.end {
            let (send, count) = oneshot::channel();
            let (store, tenants) = (self.node.store().clone(), self.tenants.clone());
            tokio::task::spawn_blocking(move || {
                let counted = count_ahead(&store, &tenants, from..end, &send);
                let _ = send.send(counted);
            });
            *outlook = Outlook { end, count: Some(Counting::Under(count)), passed: Amount::default() };
        }
        if let Some(Counting::Under(count)) = &mut outlook.count {
            let counted = match outlook.end - from {
                0..=SHORT => Some(count.await.context("what is ahead was not counted")?),
                _ => count.try_recv().ok(),
            };
            if let Some(counted) = counted {
                outlook.count = Some(Counting::Done(counted?));
            }
        }
        let Some(Counting::Done(all)) = outlook.count else { return Ok(None) };
        Ok(Some(all.less(outlook.passed)))
    }

    /// The next stretch of the log: where it ends, and what of it to offer.
    async fn gather(&self, from: Position) -> Result<Stretch, Error> {
        let (store, tenants) = (self.node.store().clone(), self.tenants.clone());
        tokio::task::spawn_blocking(move || {
            let mut next = from;
            let mut amount = Amount::default();
            let mut offers: Vec<(String, Cid)> = vec![];
            for entry in store.entries(from, OFFER_MAX / 2)? {
                match entry {
                    Entry::State { next: end, .. } => next = end,
                    Entry::Message { next: end, tenant, cid, .. } => {
                        next = end;
                        if tenants.contains(&tenant) {
                            amount = amount.plus(weigh(&*store.view(&tenant), &cid)?);
                            for cid in order::to_send(&*store.view(&tenant), &cid)? {
                                if !offers.contains(&(tenant.clone(), cid)) {
                                    offers.push((tenant.clone(), cid));
                                }
                            }
                        }
                    }
                }
            }
            Ok(Stretch { next, offers, amount })
        })
        .await?
    }

    /// Offers, sends what is wanted, waits for the answers. Returns what was refused.
    async fn exchange(
        &self,
        offers: &[(String, Cid)],
        out: &mpsc::Sender<Frame>,
        answers: &mut mpsc::Receiver<Frame>,
    ) -> Result<Vec<(String, Cid)>, Error> {
        let refused = self.exchange_reporting(offers, out, answers).await?;
        Ok(refused.into_iter().map(|(offer, ..)| offer).collect())
    }

    async fn exchange_reporting(
        &self,
        offers: &[(String, Cid)],
        out: &mpsc::Sender<Frame>,
        answers: &mut mpsc::Receiver<Frame>,
    ) -> Result<Vec<((String, Cid), u16, String)>, Error> {
        let list = offers.iter().map(|(tenant, cid)| (tenant.clone(), cid.to_string())).collect();
        queue(out, Frame::Offer(list)).await?;
        let Frame::Want(wanted) = next(answers).await? else { bail!("the peer answered an offer with something else") };
        let mut sent = vec![];
        for index in wanted {
            let (tenant, cid) = offers.get(index as usize).context("the peer wants what was not offered")?;
            if self.send_item(tenant, cid, out).await? {
                sent.push((tenant.clone(), *cid));
            }
        }
        let mut refused = vec![];
        for offer in sent {
            let Frame::Ack { cid, code, detail } = next(answers).await? else { bail!("the peer owes an answer") };
            if cid != offer.1.to_string() {
                bail!("the peer answered {cid} where {} was due", offer.1);
            }
            match code {
                // 404: the other device has no such record (any more), so there is nothing to delete.
                200..=299 | 404 | 409 => {}
                500.. => bail!("the peer could not store {cid}: {code} {detail}"),
                _ => refused.push((offer, code, detail)),
            }
        }
        Ok(refused)
    }

    /// Sends one message with its data, if both are still here.
    async fn send_item(&self, tenant: &str, cid: &Cid, out: &mpsc::Sender<Frame>) -> Result<bool, Error> {
        let (view, id) = (self.node.store().view(tenant), *cid);
        let found = tokio::task::spawn_blocking(move || {
            let Some(stored) = view.message(&id)? else { return Ok::<_, Error>(None) };
            let inline = if view.has_data(&stored)? { Some(view.inline_data(&stored)?) } else { None };
            Ok(Some((stored, inline)))
        })
        .await??;
        let Some((stored, held)) = found else { return Ok(false) };
        let bytes = cid::encode(&stored.message)?;
        let descriptor = &stored.message["descriptor"];
        let size = descriptor["dataSize"].as_u64();
        let body: Option<Body> = match held {
            Some(Some(inline)) => Some(node::one_chunk(inline)),
            Some(None) => match descriptor["dataCid"].as_str().map(Cid::try_from) {
                Some(Ok(root)) => Some(node::read_out(self.node.blocks().clone(), root)),
                _ => None,
            },
            None => None,
        };
        let data = body.is_some().then_some(size).flatten();
        queue(out, Frame::Item { tenant: tenant.into(), cid: cid.to_string(), message: bytes, data }).await?;
        if let (Some(mut body), Some(mut left)) = (body, data) {
            while let Some(chunk) = body.next().await {
                let Ok(chunk) = chunk else {
                    tracing::error!("the data of {cid} cannot be read; the peer is told");
                    break;
                };
                for piece in chunk.chunks(wire::CHUNK) {
                    left = left.saturating_sub(piece.len() as u64);
                    let bytes = piece.len() as u64;
                    self.progress.sending(&self.peer, |flow| flow.went(Amount { messages: 0, bytes }));
                    queue(out, Frame::Data(piece.to_vec())).await?;
                }
            }
            if left > 0 {
                queue(out, Frame::Data(vec![])).await?;
            }
        }
        self.progress.count_sent();
        self.progress.sending(&self.peer, |flow| flow.went(Amount { messages: 1, bytes: 0 }));
        Ok(true)
    }

    /// Reads frames: answers offers, applies items, hands answers to `push`.
    async fn receive(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        reply: mpsc::Sender<Frame>,
        answers: mpsc::Sender<Frame>,
    ) -> Result<(), Error> {
        let answer = |frame| reply.try_send(frame).map_err(|_| anyhow!("the peer sends more than it may"));
        loop {
            match wire::read::<Frame>(reader).await.context("reading from the peer")? {
                Frame::Offer(list) => {
                    let wanted = self.wanted(list).await?;
                    if !wanted.is_empty() {
                        self.progress.receiving(&self.peer, Flow::begun);
                    }
                    answer(Frame::Want(wanted))?;
                }
                Frame::Item { tenant, cid, message, data } => {
                    let (code, detail) = self.apply((reader, &answers), tenant, &message, data).await?;
                    self.progress.count_received();
                    self.progress.receiving(&self.peer, |flow| flow.went(Amount { messages: 1, bytes: 0 }));
                    answer(Frame::Ack { cid, code, detail })?;
                }
                theirs @ (Frame::Want(_) | Frame::Ack { .. }) => {
                    answers.try_send(theirs).map_err(|_| anyhow!("the peer answers what was not asked"))?;
                }
                Frame::Ahead { messages: 0, .. } => self.progress.receiving(&self.peer, Flow::complete),
                Frame::Ahead { messages, bytes } => {
                    self.progress.receiving(&self.peer, |flow| flow.ahead(Amount { messages, bytes }));
                }
                Frame::Data(_) => bail!("the peer sent data without a message"),
            }
        }
    }

    /// Which of the offered messages are not here, or not with their data.
    async fn wanted(&self, list: Vec<(String, String)>) -> Result<Vec<u32>, Error> {
        if list.len() > OFFER_MAX {
            bail!("an offer of {} messages is above the bound of {OFFER_MAX}", list.len());
        }
        let (store, tenants) = (self.node.store().clone(), self.tenants.clone());
        tokio::task::spawn_blocking(move || {
            let mut wanted = vec![];
            for (index, (tenant, cid)) in list.iter().enumerate() {
                let cid = Cid::try_from(cid.as_str()).context("an offer names no CID")?;
                if tenants.contains(tenant) && order::is_wanted(&*store.view(tenant), &cid)? {
                    wanted.push(index as u32);
                }
            }
            Ok(wanted)
        })
        .await?
    }

    /// Puts one message through the door, its data streaming in from the peer.
    async fn apply(
        &self,
        (reader, answers): (&mut (impl AsyncRead + Unpin), &mpsc::Sender<Frame>),
        tenant: String,
        message: &[u8],
        data: Option<u64>,
    ) -> Result<(u16, String), Error> {
        if !self.tenants.contains(&tenant) {
            bail!("the peer sent a message of {tenant}, which is not shared with it");
        }
        let json: Value = cid::decode(message).context("the peer sent a message that is not DAG-CBOR")?;
        let (feed, mut fed) = mpsc::channel::<Result<Bytes, dwn::Fault>>(CHUNKS_AHEAD);
        let body: Option<Body> = data.map(|_| Box::pin(futures::stream::poll_fn(move |cx| fed.poll_recv(cx))) as Body);
        let take = async {
            let mut left = data.unwrap_or(0);
            while left > 0 {
                let piece = match wire::read(reader).await.context("reading a record's data from the peer")? {
                    Frame::Data(piece) => piece,
                    // An older toft lets its answers come in between.
                    theirs @ (Frame::Want(_) | Frame::Ack { .. }) => {
                        answers.try_send(theirs).map_err(|_| anyhow!("the peer answers what was not asked"))?;
                        continue;
                    }
                    _ => bail!("the peer broke off a record's data"),
                };
                if piece.is_empty() {
                    // The sender lost the data: the door sees a body that breaks off and refuses it.
                    let _ = feed.send(Err(anyhow!("the peer no longer has the data"))).await;
                    break;
                }
                left = left.saturating_sub(piece.len() as u64);
                let bytes = piece.len() as u64;
                self.progress.receiving(&self.peer, |flow| flow.went(Amount { messages: 0, bytes }));
                let _ = feed.send(Ok(piece.into())).await; // a door that refused early reads no more
            }
            drop(feed);
            Ok(())
        };
        let (taken, reply) = tokio::join!(take, self.node.replay(&tenant, json, body));
        taken?;
        Ok(match reply {
            Ok(reply) => (reply.code, reply.detail),
            Err(fault) => {
                tracing::error!("a message from {} could not be stored: {fault:#}", self.peer);
                (500, "the other device could not store it".into())
            }
        })
    }
}

async fn queue(out: &mpsc::Sender<Frame>, frame: Frame) -> Result<(), Error> {
    out.send(frame).await.map_err(|_| anyhow!("the stream is closed"))
}

async fn next(answers: &mut mpsc::Receiver<Frame>) -> Result<Frame, Error> {
    let answer = tokio::time::timeout(ANSWER_DEADLINE, answers.recv());
    answer.await.context("the peer does not answer any more")?.context("the stream is closed")
}
