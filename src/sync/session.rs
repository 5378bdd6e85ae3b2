//! One live stream with one peer: pushes what the log brings, applies what the peer pushes.
//!
//! Three loops share the stream: `receive` reads frames and applies items through the door, `push` follows
//! the log, `send` owns the writing half. Items are applied one after the other, in the order sent.

use super::{order, wire, wire::Frame};
use crate::{
    cid::{self, Cid},
    dwn, foreign,
    node::{self, Body, Node},
    store::{Entry, Position},
};
use anyhow::{Context as _, Error, anyhow, bail};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
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

/// What a session is about.
pub struct Session {
    pub node: Node,
    pub peer: String,
    pub tenants: BTreeSet<String>,
    pub stop: CancellationToken,
    pub progress: Arc<super::Progress>,
}

impl Session {
    /// Runs until the stream ends or the node stops. `from`: where in the log to push from.
    pub async fn run(self, stream: impl AsyncRead + AsyncWrite + Send, from: Position) -> Result<(), Error> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (out, mut items) = mpsc::channel::<Frame>(ITEMS_AHEAD);
        let (reply, mut replies) = mpsc::channel::<Frame>(ANSWERS_MAX);
        let (answers, mut answered) = mpsc::channel::<Frame>(ANSWERS_MAX);
        let send = async {
            loop {
                let frame = tokio::select! {
                    biased;
                    Some(frame) = replies.recv() => frame,
                    Some(frame) = items.recv() => frame,
                    else => return Ok::<_, Error>(()),
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
        loop {
            tail.borrow_and_update();
            let (next, offers) = self.gather(position).await?;
            if next == position {
                self.progress.caught_up(&self.peer);
                tail.changed().await.context("the store is closed")?;
                continue;
            }
            position = next;
            if offers.is_empty() {
                continue; // nothing the peer shares: not worth writing the cursor down
            }
            self.progress.behind(&self.peer);
            let refused = self.exchange(&offers, &out, answers).await?;
            if !refused.is_empty() {
                // A refusal can be a matter of order (its parent came later in the same offer): once more.
                for (offer, code, detail) in self.exchange_reporting(&refused, &out, answers).await? {
                    tracing::warn!("{} refused {} of {}: {code} {detail}", self.peer, offer.1, offer.0);
                    let what = foreign::said(format_args!("{} of {}: {code} {detail}", offer.1, offer.0));
                    self.progress.refused(&self.peer, what);
                }
            }
            let cursor = super::Cursor { position, tenants: self.tenants.clone() };
            self.node.store().put_state(vec![cursor.entry(&self.peer)?]).await?;
        }
    }

    /// The next stretch of the log: where it ends, and what of it to offer.
    async fn gather(&self, from: Position) -> Result<(Position, Vec<(String, Cid)>), Error> {
        let (store, tenants) = (self.node.store().clone(), self.tenants.clone());
        tokio::task::spawn_blocking(move || {
            let mut next = from;
            let mut offers: Vec<(String, Cid)> = vec![];
            for entry in store.entries(from, OFFER_MAX / 2)? {
                match entry {
                    Entry::State { next: end, .. } => next = end,
                    Entry::Message { next: end, tenant, cid, .. } => {
                        next = end;
                        if tenants.contains(&tenant) {
                            for cid in order::to_send(&*store.view(&tenant), &cid)? {
                                if !offers.contains(&(tenant.clone(), cid)) {
                                    offers.push((tenant.clone(), cid));
                                }
                            }
                        }
                    }
                }
            }
            Ok((next, offers))
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
                    queue(out, Frame::Data(piece.to_vec())).await?;
                }
            }
            if left > 0 {
                queue(out, Frame::Data(vec![])).await?;
            }
        }
        self.progress.count_sent();
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
                    answer(Frame::Want(wanted))?;
                }
                Frame::Item { tenant, cid, message, data } => {
                    let (code, detail) = self.apply(reader, tenant, &message, data).await?;
                    self.progress.count_received();
                    answer(Frame::Ack { cid, code, detail })?;
                }
                theirs @ (Frame::Want(_) | Frame::Ack { .. }) => {
                    answers.try_send(theirs).map_err(|_| anyhow!("the peer answers what was not asked"))?;
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
        reader: &mut (impl AsyncRead + Unpin),
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
                let Frame::Data(piece) = wire::read(reader).await.context("reading a record's data from the peer")?
                else {
                    bail!("the peer broke off a record's data");
                };
                if piece.is_empty() {
                    // The sender lost the data: the door sees a body that breaks off and refuses it.
                    let _ = feed.send(Err(anyhow!("the peer no longer has the data"))).await;
                    break;
                }
                left = left.saturating_sub(piece.len() as u64);
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
