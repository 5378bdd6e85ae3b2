//! Drives one [`Machine`]: hands on what comes over the stream, does what the machine wants done, wakes it.
//!
//! Four loops of one task: frames are read, frames are written, what lies on the disk between sessions is kept, one thing after
//! the other, and the machine takes its turns. What may block (the machine reads the store) goes to a blocking thread step by
//! step; between steps a session holds none. What is applied goes through the door, many at a time, so that one fsync serves
//! many.

use super::{
    frame::{Frame, PIECE},
    local::{Local, Sharing},
    machine::{Answer, Arrival, Compared, Data, Effect, Event, Machine, Now, Setup},
    parked,
    partial::Partials,
    progress::Progress,
    squeeze::{Heard, Reader, Writer},
    term::Term,
};
use crate::{
    blocks::Right,
    cid::Digest,
    dwn::{Fault, Stop},
    node::{self, Body, Brought, Node},
};
use anyhow::{Context as _, Error, bail};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

/// Frames read and not yet looked at.
const FRAMES_AHEAD: usize = 16;
/// Bytes of them, without the last one.
const BYTES_AHEAD: u32 = 4 << 20;
/// Bytes that wait to be written: a peer that lets more pile up does not read. The machine keeps what it says to an honest one
/// below this.
const OUT_MAX: usize = 32 << 20;
/// Messages of a batch that are judged at the same time.
const APPLIED_AT_ONCE: usize = 64;
/// Events looked at in one turn, and about how many bytes of frames.
const TURN: (usize, usize) = (256, 1 << 20);
/// Things to be kept that wait; who makes more has to wait.
const KEEP_AHEAD: usize = 256;
/// Readers of data that are held open for their next piece: of as many messages as data goes out at the same time.
const FEEDERS_MAX: usize = 4;

/// What a session is about.
pub struct Session {
    pub node: Node,
    pub setup: Setup,
    pub sharing: Sharing,
    pub partials: Arc<Partials>,
    pub stop: CancellationToken,
    pub progress: Arc<Progress>,
    /// Its number there.
    pub number: u64,
    /// What is asked of it while it runs.
    pub asked: mpsc::Receiver<Ask>,
}

/// Is told whether data has come, or why not.
type Fetching = oneshot::Sender<Result<(), String>>;

/// Who waits for data, by tenant and message.
type Fetchers = HashMap<(String, Digest), Vec<Fetching>>;

/// What a running session is asked.
#[derive(Debug)]
pub enum Ask {
    /// Compare at once.
    Compare,
    /// Bring the data of a tenant's message here; what came of it.
    Fetch(String, Digest, Fetching),
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
    frames: mpsc::UnboundedSender<Frame>,
    pieces: mpsc::UnboundedSender<Frame>,
    /// Bytes that wait.
    weight: Arc<AtomicUsize>,
}

/// The other end of it.
struct Outgoing {
    frames: mpsc::UnboundedReceiver<Frame>,
    pieces: mpsc::UnboundedReceiver<Frame>,
    weight: Arc<AtomicUsize>,
}

fn out() -> (Out, Outgoing) {
    let ((frames, from), (pieces, data), weight) =
        (mpsc::unbounded_channel(), mpsc::unbounded_channel(), Arc::default());
    let outgoing = Outgoing { frames: from, pieces: data, weight: Arc::clone(&weight) };
    (Out { frames, pieces, weight }, outgoing)
}

impl Out {
    fn send(&self, frame: Frame) -> Result<(), Error> {
        let more = frame.weight();
        if self.weight.fetch_add(more, Ordering::Relaxed).saturating_add(more) > OUT_MAX {
            bail!("the peer does not read what it is sent");
        }
        let to = if matches!(frame, Frame::Data(..)) { &self.pieces } else { &self.frames };
        to.send(frame).map_err(|_| anyhow::anyhow!("nothing is written any more"))
    }
}

impl Outgoing {
    /// The next frame, data last; does another one wait behind it?
    async fn next(&mut self) -> Option<(Frame, bool)> {
        let frame = tokio::select! {
            biased;
            Some(frame) = self.frames.recv() => frame,
            Some(piece) = self.pieces.recv() => piece,
            else => return None,
        };
        self.weight.fetch_sub(frame.weight(), Ordering::Relaxed);
        Some((frame, !self.frames.is_empty() || !self.pieces.is_empty()))
    }
}

/// A frame that was read, and its part of the room for such.
type Arrived = (Frame, OwnedSemaphorePermit);

impl Session {
    /// Runs until the stream ends, the peer breaks the rules, or the node stops.
    pub async fn run(mut self, stream: impl AsyncRead + AsyncWrite + Send) -> Result<(), Error> {
        let (reader, writer) = tokio::io::split(stream);
        let (mut reader, mut writer) = (Reader::new(reader), Writer::new(writer));
        let (out, mut outgoing) = out();
        let (incoming, mut arrived) = mpsc::channel::<Arrived>(FRAMES_AHEAD);
        let write = async {
            while let Some((frame, more)) = outgoing.next().await {
                let bytes = writer.write(&frame, more).await.context("writing to the peer")?;
                self.progress.sent_bytes.inc_by(bytes as u64);
            }
            Ok::<_, Error>(())
        };
        let read = async {
            let room = Arc::new(Semaphore::new(BYTES_AHEAD as usize));
            loop {
                let Heard { frame, size, came } = reader.read().await.context("reading from the peer")?;
                self.progress.received_bytes.inc_by(came as u64);
                let bytes = u32::try_from(size).unwrap_or(u32::MAX).min(BYTES_AHEAD);
                let place = room.clone().acquire_many_owned(bytes).await?;
                if incoming.send((frame, place)).await.is_err() {
                    return Ok(());
                }
            }
        };
        let stop = self.stop.clone();
        let (_, none) = mpsc::channel(1);
        let asked = std::mem::replace(&mut self.asked, none);
        let (keep, to_keep) = mpsc::channel(KEEP_AHEAD);
        // One answer at most for each thing that is kept.
        let (done, kept) = mpsc::unbounded_channel();
        tokio::select! {
            done = write => done,
            done = read => done,
            done = self.keep(to_keep, done) => done,
            done = self.turns(&mut arrived, asked, out, (keep, kept)) => done,
            () = stop.cancelled() => Ok(()),
        }
    }

    async fn turns(
        &self,
        arrived: &mut mpsc::Receiver<Arrived>,
        mut asked: mpsc::Receiver<Ask>,
        out: Out,
        (keep, mut kept): (mpsc::Sender<Effect>, mpsc::UnboundedReceiver<Event>),
    ) -> Result<(), Error> {
        let clock = Clock::new();
        let (store, peer) = (self.node.store().clone(), self.setup.peer.clone());
        let setup = self.setup.clone();
        let mut tail = store.tail();
        tail.borrow_and_update();
        let (begun, sharing) = (clock.now(), self.sharing.clone());
        let (mut machine, local) = tokio::task::spawn_blocking(move || {
            let (parked, withdrawn) = (parked::load(&store, &peer)?, parked::load_withdrawn(&store, &peer)?);
            let local = Local::new(store, Sharing { withdrawn, ..sharing });
            Ok::<_, Fault>((Machine::new(setup, local.clone(), parked, begun)?, local))
        })
        .await??;
        let mut doing: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        let (mut feeders, mut fetching) = (HashMap::new(), Fetchers::new());
        let mut effects = machine.begin();
        loop {
            let mut others = Vec::new();
            for effect in effects {
                if let Effect::Fetched(tenant, digest, came) = effect {
                    let waiting = fetching.remove(&(tenant, digest)).unwrap_or_default();
                    // Who asked may have gone.
                    waiting.into_iter().for_each(|waits| drop(waits.send(came.clone())));
                    continue;
                }
                self.take_on(effect, &local, (&out, &keep), &mut feeders, &mut doing).await?;
            }
            for (tenant, digest) in unfetched(&mut fetching) {
                others.push(Event::Unfetch(tenant, digest));
            }
            let now = clock.now();
            let wait = Duration::from_millis(machine.wake(now).saturating_sub(now.at));
            let (mut frames, mut ask) = (Vec::new(), None);
            let mut bytes = 0;
            let mut take = |(frame, _): Arrived| {
                bytes += frame.weight();
                frames.push(Event::Frame(frame));
                frames.len() < TURN.0 && bytes < TURN.1
            };
            let mut has_room = true;
            tokio::select! {
                frame = arrived.recv() => has_room = take(frame.context("the stream is closed")?),
                Some(done) = doing.next() => others.push(Self::done(done, &mut feeders)),
                Some(event) = kept.recv() => others.push(event),
                grew = tail.changed() => {
                    grew.context("the store is closed")?;
                    tail.borrow_and_update();
                    others.push(Event::Grew);
                }
                Some(asked) = asked.recv() => match asked {
                    Ask::Compare => others.push(Event::Compare),
                    Ask::Fetch(tenant, digest, waits) => {
                        fetching.entry((tenant.clone(), digest)).or_default().push(waits);
                        others.push(Event::Fetch(tenant, digest));
                    }
                    Ask::Scopes(answer) => ask = Some(answer),
                },
                () = tokio::time::sleep(wait) => others.push(Event::Tick),
            }
            while has_room && let Ok(frame) = arrived.try_recv() {
                has_room = take(frame);
            }
            // Frames first: if this device was held up, the peer is not taken to be silent for it.
            frames.append(&mut others);
            let (turn, now) = (frames, clock.now());
            let went_on = tokio::task::spawn_blocking(move || {
                let effects = turn_of(&mut machine, turn, now)?;
                if let Some(ask) = ask {
                    let told = Told { scopes: machine.compared()?, aside_there: machine.aside().clone() };
                    // Who asked may have gone.
                    let _ = ask.send(told);
                }
                let standing = machine.standing(now)?;
                Ok::<_, Fault>((machine, effects, standing))
            });
            let standing;
            (machine, effects, standing) = went_on.await??;
            self.progress.note((&self.setup.peer, self.number), standing, &machine);
        }
    }

    fn done(done: Done, feeders: &mut HashMap<Digest, Feeder>) -> Event {
        match done {
            Done::Event(event) => event,
            Done::Read(digest, feeder, event) => {
                if feeders.len() >= FEEDERS_MAX {
                    // Some of them are of data that is not wanted any more; the others are opened again.
                    feeders.clear();
                }
                feeders.extend(feeder.map(|feeder| (digest, feeder)));
                event
            }
        }
    }

    async fn take_on<'a>(
        &'a self,
        effect: Effect,
        local: &Local,
        (out, keep): (&Out, &mpsc::Sender<Effect>),
        feeders: &mut HashMap<Digest, Feeder>,
        doing: &mut FuturesUnordered<BoxFuture<'a, Done>>,
    ) -> Result<(), Error> {
        match effect {
            Effect::Send(frame) => {
                self.progress.count_sent(&frame);
                out.send(frame)?;
            }
            Effect::Apply(batch) => doing.push(self.apply(batch).boxed()),
            Effect::Read(tenant, digest, from) => {
                let feeder = feeders.remove(&digest).filter(|feeder| feeder.at == from);
                doing.push(self.read(local.clone(), (tenant, digest, from), feeder).boxed());
            }
            Effect::Fetched(..) => {} // answered already
            Effect::Begin(..) | Effect::Store(..) | Effect::Release(_) | Effect::Discard(_) | Effect::Park(_) => {
                keep.send(effect).await.context("nothing is kept any more")?;
            }
        }
        Ok(())
    }

    /// Does what concerns the disk, in the order in which the machine wants it.
    async fn keep(&self, mut wanted: mpsc::Receiver<Effect>, done: mpsc::UnboundedSender<Event>) -> Result<(), Error> {
        let (mut next, mut parked) = (Vec::new(), Vec::new());
        while wanted.recv_many(&mut next, KEEP_AHEAD).await > 0 {
            for effect in next.drain(..) {
                if let Effect::Park(changes) = effect {
                    // One commit for those that follow one another.
                    parked.push(changes);
                    continue;
                }
                self.park(&mut parked).await?;
                let (node, partials) = (self.node.clone(), self.partials.clone());
                let event = tokio::task::spawn_blocking(move || keep_one(&node, &partials, effect)).await??;
                if let Some(event) = event
                    && done.send(event).is_err()
                {
                    return Ok(());
                }
            }
            self.park(&mut parked).await?;
        }
        Ok(())
    }

    async fn park(&self, parked: &mut Vec<parked::Changes>) -> Result<(), Error> {
        if !parked.is_empty() {
            parked::save(self.node.store(), &self.setup.peer, std::mem::take(parked)).await?;
        }
        Ok(())
    }

    async fn apply(&self, batch: Vec<Arrival>) -> Done {
        self.progress.count_received(batch.len() as u64);
        let answers = futures::stream::iter(batch).map(|arrival| self.judge(arrival)).buffered(APPLIED_AT_ONCE);
        Done::Event(Event::Applied(answers.collect().await))
    }

    /// Puts one message through the door.
    async fn judge(&self, arrival: Arrival) -> Answer {
        let Arrival { tenant, term, digest, message, knew, data } = arrival;
        let is_elsewhere = data == Data::Elsewhere;
        let body: Option<Body> = match data {
            Data::None | Data::Elsewhere | Data::Kept => None,
            Data::With(bytes) => Some(node::one_chunk(bytes.into())),
            Data::Stored(_) => Some(self.partials.read(&digest)),
        };
        let brought = Brought { by: Some(self.setup.peer.clone()), knew, is_elsewhere };
        let reply = match term {
            Term::Whole => self.node.replay(brought, &tenant, message, body).await,
            Term::Copied => self.node.copy(brought, &tenant, message, body).await,
            // What a friend wrote is judged as if it came from anywhere.
            Term::Shown => self.node.receive(brought, &tenant, message, body).await,
        };
        match reply {
            Ok(reply) => Answer { code: reply.code, detail: reply.detail },
            Err(fault) => {
                tracing::error!("a message from {} could not be stored: {fault:#}", self.setup.peer);
                Answer { code: 500, detail: "this device could not store it; its log says why".into() }
            }
        }
    }

    /// Reads the next piece of a message's data; of what is not here, nothing.
    async fn read(&self, local: Local, (tenant, digest, from): (String, Digest, u64), feeder: Option<Feeder>) -> Done {
        match self.next_piece(local, (&tenant, &digest, from), feeder).await {
            // A peer may ask for what is not here.
            Ok(None) => Done::Read(digest, None, Event::Read(digest, from, None)),
            Ok(Some((piece, feeder))) => {
                let feeder = Some(feeder).filter(|_| !piece.is_empty());
                Done::Read(digest, feeder, Event::Read(digest, from, Some(piece)))
            }
            Err(error) => {
                tracing::error!("data of {tenant} that a peer wants cannot be read: {error:#}");
                Done::Read(digest, None, Event::Read(digest, from, None))
            }
        }
    }

    async fn next_piece(
        &self,
        local: Local,
        (tenant, digest, from): (&str, &Digest, u64),
        feeder: Option<Feeder>,
    ) -> Result<Option<(Vec<u8>, Feeder)>, Error> {
        // A right may have ended since the piece before.
        if feeder.is_some() && !local.is_device() {
            let (local, tenant, digest) = (local.clone(), tenant.to_owned(), *digest);
            let still = tokio::task::spawn_blocking(move || local.data(&tenant, &digest)).await??;
            if still.is_none() {
                return Ok(None);
            }
        }
        let mut feeder = match feeder {
            Some(feeder) => feeder,
            None => {
                let blocks = self.node.blocks().clone();
                let (tenant, digest) = (tenant.to_owned(), *digest);
                let reader = tokio::task::spawn_blocking(move || {
                    let Some(root) = local.data(&tenant, &digest)? else { return Ok(None) };
                    Ok::<_, Error>(Some(blocks.read_from(Right::reader(&root), &root, from)?))
                });
                let Some(reader) = reader.await?? else { return Ok(None) };
                Feeder { body: node::send(reader), rest: Bytes::new(), at: from, ended: false }
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
        Ok(Some((piece, feeder)))
    }
}

/// Data for which nobody waits any more.
fn unfetched(fetching: &mut Fetchers) -> Vec<(String, Digest)> {
    let mut gone = Vec::new();
    fetching.retain(|data, waiting| {
        waiting.retain(|waits| !waits.is_closed());
        if waiting.is_empty() {
            gone.push(data.clone());
        }
        !waiting.is_empty()
    });
    gone
}

/// What comes of events, one after the other.
fn turn_of(machine: &mut Machine, events: Vec<Event>, now: Now) -> Result<Vec<Effect>, Fault> {
    let (mut effects, mut weight) = (Vec::new(), 0);
    for event in events {
        for effect in machine.on(event, now)? {
            if let Effect::Send(frame) = &effect {
                weight += frame.weight();
            }
            effects.push(effect);
        }
        if weight > OUT_MAX {
            bail!("the peer asks for more than it can be sent at once");
        }
    }
    Ok(effects)
}

/// One thing that concerns the disk, and what the machine is told of it (blocking).
fn keep_one(node: &Node, partials: &Partials, effect: Effect) -> Result<Option<Event>, Fault> {
    let refused = |digest, stop| match stop {
        Stop::Refusal(refusal) => {
            partials.discard_own(&digest)?;
            Ok(Some(Event::Refused(digest, refusal.code, refusal.detail)))
        }
        Stop::Fault(fault) => Err(fault),
    };
    match effect {
        Effect::Begin(digest, size) => {
            if let Err(stop) = node.check_file(size) {
                return refused(digest, stop);
            }
            let upto = partials.begin(&digest, size)?;
            Ok(Some(upto.map_or(Event::Busy(digest), |upto| Event::Begun(digest, upto))))
        }
        // What comes of data that was refused meanwhile.
        Effect::Store(digest, ..) if !partials.is_own(&digest) => Ok(None),
        Effect::Store(digest, from, piece) => {
            // What else lies on the disk may have become more.
            if let Err(stop) = node.store().room() {
                return refused(digest, stop);
            }
            Ok(Some(Event::Stored(digest, partials.put(&digest, from, &piece)?)))
        }
        Effect::Release(digest) => {
            partials.release(&digest);
            Ok(None)
        }
        Effect::Discard(digest) => partials.discard(&digest).map(|()| None),
        Effect::Send(_) | Effect::Apply(_) | Effect::Read(..) | Effect::Fetched(..) | Effect::Park(_) => Ok(None),
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
