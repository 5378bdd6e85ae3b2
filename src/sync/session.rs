//! Drives one [`Machine`]: hands on what comes over the stream, does what the machine wants done, wakes it.
//!
//! One task reads frames, one writes them, one puts data on the disk; the machine itself runs on a blocking thread, because
//! it reads the store. What is applied goes through the door, many at a time, so that one fsync serves many.

use super::{
    frame::{Frame, PIECE},
    local::Local,
    machine::{Answer, Arrival, Compared, Data, Effect, Event, Machine, Now, Setup},
    parked::{self, Changes},
    partial::Partials,
    progress::Progress,
    wire,
};
use crate::{
    blocks::Right,
    cid::Digest,
    dwn::Fault,
    node::{self, Body, Node},
};
use anyhow::{Context as _, Error, anyhow, bail};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

/// Frames read and not yet looked at.
const FRAMES_AHEAD: usize = 64;
/// Frames, other than data, that wait to be written: a peer that lets more pile up does not read.
const OUT_MAX: usize = 16_384;
/// Pieces of data that wait to be written.
const PIECES_AHEAD: usize = 4;
/// Messages of a batch that are judged at the same time.
const APPLIED_AT_ONCE: usize = 64;
/// Events looked at in one turn.
const TURN: usize = 256;

/// What a session is about.
pub struct Session {
    pub node: Node,
    pub setup: Setup,
    pub partials: Arc<Partials>,
    pub stop: CancellationToken,
    pub progress: Arc<Progress>,
    /// Its number there.
    pub number: u64,
    /// What is asked of it while it runs.
    pub asked: mpsc::Receiver<Ask>,
}

/// What a running session is asked.
#[derive(Debug)]
pub enum Ask {
    /// Compare at once.
    Compare,
    /// How do the scopes stand, and what did the peer put aside?
    Scopes(oneshot::Sender<Told>),
}

/// What a session knows.
#[derive(Debug, Default)]
pub struct Told {
    pub scopes: Vec<Compared>,
    /// Messages that the peer put aside: code and reason.
    pub aside_there: BTreeMap<Digest, (u16, String)>,
}

/// Something that was being done is done.
enum Done {
    Event(Event),
    /// A piece was read; its reader goes on from there.
    Read(Digest, Option<Feeder>, Event),
    Nothing,
}

/// A message's data on its way out.
struct Feeder {
    body: Body,
    rest: Bytes,
    at: u64,
    ended: bool,
}

/// What waits to be written.
struct Out {
    frames: mpsc::Sender<Frame>,
    pieces: mpsc::Sender<Frame>,
}

impl Out {
    fn send(&self, frame: Frame) -> Result<(), Error> {
        let to = if matches!(frame, Frame::Data(..)) { &self.pieces } else { &self.frames };
        to.try_send(frame).map_err(|_| anyhow!("the peer does not read what it is sent"))
    }
}

impl Session {
    /// Runs until the stream ends, the peer breaks the rules, or the node stops.
    pub async fn run(mut self, stream: impl AsyncRead + AsyncWrite + Send) -> Result<(), Error> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (frames, mut outgoing) = mpsc::channel::<Frame>(OUT_MAX);
        // The machine bounds how many pieces are on their way; those are all that can be here.
        let (pieces, mut data) = mpsc::channel::<Frame>(OUT_MAX);
        let (incoming, mut arrived) = mpsc::channel::<Frame>(FRAMES_AHEAD);
        let write = async {
            loop {
                let frame = tokio::select! {
                    biased;
                    Some(frame) = outgoing.recv() => frame,
                    Some(piece) = data.recv() => piece,
                    else => return Ok::<_, Error>(()),
                };
                let more = !outgoing.is_empty() || !data.is_empty();
                let bytes = wire::write_frame(&mut writer, &frame, !more).await.context("writing to the peer")?;
                self.progress.sent_bytes.inc_by(bytes as u64);
            }
        };
        let read = async {
            loop {
                let (frame, bytes) = wire::read_frame::<Frame>(&mut reader).await.context("reading from the peer")?;
                self.progress.received_bytes.inc_by(bytes as u64);
                if incoming.send(frame).await.is_err() {
                    return Ok(());
                }
            }
        };
        let stop = self.stop.clone();
        let (_, none) = mpsc::channel(1);
        let asked = std::mem::replace(&mut self.asked, none);
        tokio::select! {
            done = write => done,
            done = read => done,
            done = self.turns(&mut arrived, asked, Out { frames, pieces }) => done,
            () = stop.cancelled() => Ok(()),
        }
    }

    async fn turns(
        &self,
        arrived: &mut mpsc::Receiver<Frame>,
        mut asked: mpsc::Receiver<Ask>,
        out: Out,
    ) -> Result<(), Error> {
        let clock = Clock::new();
        let (store, peer) = (self.node.store().clone(), self.setup.peer.clone());
        let setup = self.setup.clone();
        let mut tail = store.tail();
        tail.borrow_and_update();
        let begun = clock.now();
        let mut machine = tokio::task::spawn_blocking(move || {
            let parked = parked::load(&store, &peer)?;
            Machine::new(setup, Local::new(store), parked, begun)
        })
        .await??;
        let mut doing: FuturesUnordered<BoxFuture<'_, Result<Done, Error>>> = FuturesUnordered::new();
        let (disk, disk_done) = self.disk();
        let mut disk_done = disk_done;
        let mut feeders = HashMap::new();
        for effect in machine.begin() {
            self.take_on(effect, &out, &disk, &mut feeders, &doing)?;
        }
        loop {
            let now = clock.now();
            let wait = Duration::from_millis(machine.wake(now).saturating_sub(now.at));
            let mut events = Vec::new();
            tokio::select! {
                frame = arrived.recv() => events.push(Event::Frame(frame.context("the stream is closed")?)),
                Some(done) = doing.next() => events.extend(Self::done(done?, &mut feeders)),
                Some(done) = disk_done.recv() => events.push(done?),
                grew = tail.changed() => {
                    grew.context("the store is closed")?;
                    tail.borrow_and_update();
                    events.push(Event::Grew);
                }
                Some(ask) = asked.recv() => match ask {
                    Ask::Compare => events.push(Event::Compare),
                    Ask::Scopes(answer) => {
                        let told = Told { scopes: machine.compared()?, aside_there: machine.aside().clone() };
                        // Who asked may have gone.
                        let _ = answer.send(told);
                        continue;
                    }
                },
                () = tokio::time::sleep(wait) => events.push(Event::Tick),
            }
            while events.len() < TURN
                && let Ok(frame) = arrived.try_recv()
            {
                events.push(Event::Frame(frame));
            }
            let now = clock.now();
            let (went_on, effects, standing) = tokio::task::spawn_blocking(move || {
                let mut effects = Vec::new();
                for event in events {
                    effects.extend(machine.on(event, now)?);
                }
                let standing = machine.standing(now)?;
                Ok::<_, Fault>((machine, effects, standing))
            })
            .await??;
            machine = went_on;
            for effect in effects {
                self.take_on(effect, &out, &disk, &mut feeders, &doing)?;
            }
            self.progress.note((&self.setup.peer, self.number), standing, &machine);
        }
    }

    fn done(done: Done, feeders: &mut HashMap<Digest, Feeder>) -> Option<Event> {
        match done {
            Done::Event(event) => Some(event),
            Done::Read(digest, feeder, event) => {
                feeders.extend(feeder.map(|feeder| (digest, feeder)));
                Some(event)
            }
            Done::Nothing => None,
        }
    }

    fn take_on<'a>(
        &'a self,
        effect: Effect,
        out: &Out,
        disk: &mpsc::UnboundedSender<Effect>,
        feeders: &mut HashMap<Digest, Feeder>,
        doing: &FuturesUnordered<BoxFuture<'a, Result<Done, Error>>>,
    ) -> Result<(), Error> {
        match effect {
            Effect::Send(frame) => {
                self.progress.count_sent(&frame);
                out.send(frame)?;
            }
            Effect::Apply(batch) => doing.push(self.apply(batch).map(Ok).boxed()),
            Effect::Read(tenant, digest, from) => {
                let feeder = feeders.remove(&digest).filter(|feeder| feeder.at == from);
                doing.push(self.read(tenant, digest, from, feeder).map(Ok).boxed());
            }
            Effect::Begin(..) | Effect::Store(..) | Effect::Release(_) | Effect::Discard(_) => {
                disk.send(effect).map_err(|_| anyhow!("data can no longer be written"))?;
            }
            Effect::Park(changes) => doing.push(self.park(changes).boxed()),
        }
        Ok(())
    }

    async fn park(&self, changes: Changes) -> Result<Done, Error> {
        parked::save(self.node.store(), &self.setup.peer, changes).await?;
        Ok(Done::Nothing)
    }

    /// Puts data on the disk, in order. (The machine bounds how much of it is on its way.)
    fn disk(&self) -> (mpsc::UnboundedSender<Effect>, mpsc::Receiver<Result<Event, Error>>) {
        let (send, mut jobs) = mpsc::unbounded_channel();
        let (done, answers) = mpsc::channel(PIECES_AHEAD);
        let partials = self.partials.clone();
        tokio::task::spawn_blocking(move || {
            while let Some(effect) = jobs.blocking_recv() {
                let outcome = match effect {
                    Effect::Begin(digest, size) => partials
                        .begin(&digest, size)
                        .map(|upto| upto.map_or(Event::Busy(digest), |upto| Event::Stored(digest, upto))),
                    Effect::Store(digest, from, piece) => {
                        partials.put(&digest, from, &piece).map(|upto| Event::Stored(digest, upto))
                    }
                    Effect::Release(digest) => {
                        partials.release(&digest);
                        continue;
                    }
                    Effect::Discard(digest) => match partials.discard(&digest) {
                        Ok(()) => continue,
                        Err(error) => Err(error),
                    },
                    _ => continue,
                };
                if done.blocking_send(outcome).is_err() {
                    return;
                }
            }
        });
        (send, answers)
    }

    async fn apply(&self, batch: Vec<Arrival>) -> Done {
        self.progress.count_received(batch.len() as u64);
        let answers = futures::stream::iter(batch).map(|arrival| self.judge(arrival)).buffered(APPLIED_AT_ONCE);
        Done::Event(Event::Applied(answers.collect().await))
    }

    /// Puts one message through the door.
    async fn judge(&self, Arrival { tenant, digest, message, data, .. }: Arrival) -> Answer {
        let body: Option<Body> = match data {
            Data::None => None,
            Data::With(bytes) => Some(node::one_chunk(bytes.into())),
            Data::Stored(_) => Some(self.partials.read(&digest)),
        };
        match self.node.replay(&tenant, message, body).await {
            Ok(reply) => Answer { code: reply.code, detail: reply.detail },
            Err(fault) => {
                tracing::error!("a message from {} could not be stored: {fault:#}", self.setup.peer);
                Answer { code: 500, detail: "this device could not store it; its log says why".into() }
            }
        }
    }

    /// Reads the next piece of a message's data.
    async fn read(&self, tenant: String, digest: Digest, from: u64, feeder: Option<Feeder>) -> Done {
        match self.next_piece(&tenant, &digest, from, feeder).await {
            Ok((piece, feeder)) => Done::Read(digest, Some(feeder), Event::Read(digest, from, Some(piece))),
            Err(error) => {
                tracing::error!("data of {tenant} that a peer wants cannot be read: {error:#}");
                Done::Read(digest, None, Event::Read(digest, from, None))
            }
        }
    }

    async fn next_piece(
        &self,
        tenant: &str,
        digest: &Digest,
        from: u64,
        feeder: Option<Feeder>,
    ) -> Result<(Vec<u8>, Feeder), Error> {
        let mut feeder = match feeder {
            Some(feeder) => feeder,
            None => {
                let (local, blocks) = (Local::new(self.node.store().clone()), self.node.blocks().clone());
                let (tenant, digest) = (tenant.to_owned(), *digest);
                let reader = tokio::task::spawn_blocking(move || {
                    let root = local.data(&tenant, &digest)?.context("the message, or its data, is gone")?;
                    Ok::<_, Error>(blocks.read(Right::reader(&root), &root)?.part(from..u64::MAX))
                });
                Feeder { body: node::send(reader.await??), rest: Bytes::new(), at: from, ended: false }
            }
        };
        let mut piece = Vec::with_capacity(PIECE);
        while piece.len() < PIECE {
            if feeder.rest.is_empty() {
                if feeder.ended {
                    break;
                }
                match feeder.body.next().await {
                    Some(bytes) => feeder.rest = bytes?,
                    None => feeder.ended = true,
                }
            }
            let more = feeder.rest.split_to(feeder.rest.len().min(PIECE - piece.len()));
            piece.extend_from_slice(&more);
        }
        if feeder.at != from {
            bail!("data is read from two places at once");
        }
        feeder.at += piece.len() as u64;
        Ok((piece, feeder))
    }
}

/// The clocks of a session.
pub struct Clock(Instant);

impl Clock {
    pub fn new() -> Self {
        Self(Instant::now())
    }

    pub fn now(&self) -> Now {
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Now { at: millis(self.0.elapsed()), time: millis(since(SystemTime::now())) }
    }
}
