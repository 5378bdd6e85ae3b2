//! A device: a real store in memory, and its sessions.

use super::super::{
    local::{Local, Sharing},
    machine::{Answer, Arrival, Data as Carried, Effect, Event, Machine, Now, Setup},
    parked,
    partial::Partials,
    term::Term,
};
use crate::{
    cid::{self, Digest},
    dwn::{self, Given, INLINE_MAX, Message, Refusal, Stop, testing},
    planted,
    store::{Config, Data, Hold, Store},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What keeps a device from taking some messages, until it is lifted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trouble {
    /// The DIDs of others do not resolve.
    pub unresolved: bool,
    /// Data of more bytes is not taken.
    pub max_record: Option<u64>,
    /// Data that is kept cannot be read.
    pub unreadable: bool,
    /// The disk is full.
    pub full: bool,
}

pub struct Node {
    pub number: usize,
    dir: TempDir,
    backup: Option<PathBuf>,
    store: Option<Store>,
    partials: Partials,
    /// Milliseconds that its clock is ahead.
    pub skew: i64,
    pub trouble: Trouble,
    /// By the other's number.
    pub sessions: BTreeMap<usize, Machine>,
    fetching: BTreeMap<usize, Partials>,
    tenant: String,
    /// It is a friend's, and keeps a copy of what its owner may read: their DID.
    pub friend: Option<String>,
}

/// As whom somebody hands a message in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Client,
    Device,
    Tenant,
}

/// Memory, where there is some that looks like a disk.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a directory")
}

fn open(dir: &Path) -> Store {
    let config = Config { segment_size: 16 << 10, cache: 1 << 20, min_free: 0, ..Config::default() };
    // Another test starts programs: until such a child is one, it has what this process has open, locks too.
    let mut left = 1000;
    loop {
        match Store::open(&dir.join("store"), &config) {
            Err(why) if left > 0 && why.to_string().contains("is locked") => left -= 1,
            opened => return opened.expect("the store opens"),
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

impl Node {
    pub fn new(number: usize, tenant: &str, friend: Option<String>) -> Self {
        let dir = scratch();
        let partials = Partials::open(&dir.path().join("sync")).expect("a directory");
        let store = Some(open(dir.path()));
        let (skew, trouble, tenant) = (0, Trouble::default(), tenant.to_owned());
        Self {
            number,
            dir,
            backup: None,
            store,
            partials,
            skew,
            trouble,
            sessions: BTreeMap::new(),
            fetching: BTreeMap::new(),
            tenant,
            friend,
        }
    }

    pub fn store(&self) -> &Store {
        self.store.as_ref().expect("is open")
    }

    /// A session ends.
    pub fn end(&mut self, other: usize) {
        self.sessions.remove(&other);
        self.fetching.remove(&other);
    }

    fn end_all(&mut self) {
        self.sessions.clear();
        self.fetching.clear();
    }

    /// It stops at once, and begins anew.
    pub fn crash(&mut self) {
        self.end_all();
        self.store = None;
        self.store = Some(open(self.dir.path()));
    }

    pub fn back_up(&mut self) {
        self.end_all();
        self.store = None;
        let to = self.dir.path().join("backup");
        let _ = fs::remove_dir_all(&to);
        copy(&self.dir.path().join("store"), &to);
        self.backup = Some(to);
        self.store = Some(open(self.dir.path()));
    }

    /// It is as it was when it was backed up.
    pub fn restore(&mut self) {
        let Some(from) = self.backup.clone() else { return };
        self.end_all();
        self.store = None;
        let to = self.dir.path().join("store");
        fs::remove_dir_all(&to).expect("is removed");
        copy(&from, &to);
        self.store = Some(open(self.dir.path()));
    }

    pub fn now(&self, time: u64) -> Now {
        Now { at: time, time: time.saturating_add_signed(self.skew) }
    }

    /// `friend`: the other is a friend's.
    pub fn begin(&mut self, other: usize, mut setup: Setup, friend: Option<&String>, time: u64) -> Vec<Effect> {
        self.end(other);
        self.fetching.insert(other, self.partials.session());
        setup.peer = format!("did:example:{other}");
        let parked = parked::load(self.store(), &setup.peer).expect("is read");
        let mut sharing = Sharing::whole(&setup.tenants);
        for (is_friends, term) in [(friend, Term::Shown), (self.friend.as_ref(), Term::Copied)] {
            if let Some(did) = is_friends {
                sharing.terms = setup.tenants.iter().map(|tenant| (tenant.clone(), term)).collect();
                sharing.withdrawn = parked::load_withdrawn(self.store(), &setup.peer).expect("is read");
                *(if term == Term::Shown { &mut sharing.peer } else { &mut sharing.own }) = did.clone();
            }
        }
        let mut machine =
            Machine::new(setup.clone(), Local::new(self.store().clone(), sharing), parked, self.now(time))
                .expect("begins");
        let effects = machine.begin();
        self.sessions.insert(other, machine);
        effects
    }

    /// What the door says to a message: of a client, or of another device.
    pub fn judge(&self, runtime: &Runtime, json: Value, data: Option<&[u8]>, by: By, time: &str) -> Answer {
        let store = self.store();
        let tell = || -> Result<u16, Stop> {
            if self.trouble.full {
                return Err(Refusal::new(507, "the disk is full").into());
            }
            let message = Message::parse(&self.tenant, json)?;
            let message = match by {
                By::Device if planted::is("what a device has judged is judged again") => message,
                By::Device => message.replayed(),
                By::Tenant => message.vouched(),
                By::Client => message,
            };
            if self.trouble.unresolved && message.signer().is_some_and(|did| did != self.tenant) {
                return Err(Refusal::new(401, "a DID does not resolve").into());
            }
            message.verify(&testing::key_of)?;
            let size = message.data().map_or(0, |(_, size)| size);
            if self.trouble.max_record.is_some_and(|most| size > most) {
                return Err(Refusal::new(413, "above this node's limit").into());
            }
            let view = store.view(&self.tenant);
            let promised = if data.is_some() { Given::Promised } else { Given::None };
            dwn::decide(&message, &promised, &*view, time)?;
            drop(view);
            let staged = data.map(|data| {
                assert!(data.len() as u64 <= INLINE_MAX, "small data only");
                let (root, size) = (cid::of(cid::RAW, data), data.len() as u64);
                Data { root, size, inline: Some(data.to_vec().into()), blocks: Vec::new(), hold: Hold::default() }
            });
            let given = staged.as_ref().map_or(Given::None, |data| Given::Staged {
                cid: data.root,
                size: data.size,
                inline: data.inline.clone(),
            });
            let time = time.to_owned();
            let decide = move |view: &dyn dwn::View| dwn::decide(&message, &given, view, &time);
            let change = runtime.block_on(store.commit(&self.tenant, staged, decide))?;
            Ok(change.status)
        };
        match tell() {
            Ok(code) => Answer { code, detail: String::new() },
            Err(Stop::Refusal(refusal)) => Answer { code: refusal.code, detail: refusal.detail },
            Err(Stop::Fault(fault)) => panic!("{fault:#}"),
        }
    }

    /// Does what a session wants done; what is to be sent, and what is to be told to it.
    pub fn do_all(
        &mut self,
        other: usize,
        effects: Vec<Effect>,
        runtime: &Runtime,
        time: &str,
    ) -> (Vec<super::super::frame::Frame>, VecDeque<Event>) {
        let (mut frames, mut events) = (Vec::new(), VecDeque::new());
        for effect in effects {
            match effect {
                Effect::Send(frame) => frames.push(frame),
                Effect::Apply(batch) => {
                    let answers = batch.into_iter().map(|arrival| self.apply(runtime, arrival, time)).collect();
                    events.push_back(Event::Applied(answers));
                }
                Effect::Read(tenant, digest, from) => events.push_back(self.read(&tenant, digest, from)),
                Effect::Begin(digest, size) => {
                    events.push_back(match self.check_file(size) {
                        Err(refusal) => Event::Refused(digest, refusal.code, refusal.detail),
                        Ok(()) => {
                            let upto = self.fetching[&other].begin(&digest, size).expect("is read");
                            upto.map_or(Event::Busy(digest), |upto| Event::Begun(digest, upto))
                        }
                    });
                }
                Effect::Store(digest, from, piece) => {
                    let upto = self.fetching[&other].put(&digest, from, &piece).expect("is written");
                    events.push_back(Event::Stored(digest, upto));
                }
                Effect::Release(digest) => self.fetching[&other].release(&digest),
                Effect::Fetched(..) => {} // nobody asks here
                Effect::Discard(digest) => self.fetching[&other].discard(&digest).expect("is removed"),
                Effect::Park(changes) => {
                    let peer = format!("did:example:{other}");
                    runtime.block_on(parked::save(self.store(), &peer, vec![changes])).expect("is written");
                }
            }
        }
        (frames, events)
    }

    /// Stands for `Node::check_file`.
    fn check_file(&self, size: u64) -> Result<(), Refusal> {
        if self.trouble.full {
            return Err(Refusal::new(507, "the disk is full"));
        }
        match self.trouble.max_record.is_some_and(|most| size > most) {
            true => Err(Refusal::new(413, "above this node's limit")),
            false => Ok(()),
        }
    }

    fn apply(&self, runtime: &Runtime, arrival: Arrival, time: &str) -> Answer {
        let data = match &arrival.data {
            Carried::None | Carried::Elsewhere | Carried::Kept => None,
            Carried::With(data) => Some(data.clone()),
            Carried::Stored(_) => {
                use futures::StreamExt as _;
                let body = self.partials.read(&arrival.digest);
                let chunks: Vec<_> = runtime.block_on(body.map(|chunk| chunk.expect("is read")).collect());
                Some(chunks.concat())
            }
        };
        let by = match arrival.term {
            Term::Whole => By::Device,
            Term::Copied => By::Tenant,
            Term::Shown => By::Client,
        };
        self.judge(runtime, arrival.message, data.as_deref(), by, time)
    }

    fn read(&self, tenant: &str, digest: Digest, from: u64) -> Event {
        let view = self.store().view(tenant);
        let stored = view.message(&cid::from_digest(cid::DAG_CBOR, &digest)).expect("is read");
        let data = stored.and_then(|stored| view.inline_data(&stored).expect("is read"));
        let piece = data.filter(|_| !self.trouble.unreadable).map(|data| {
            let from = usize::try_from(from).expect("small").min(data.len());
            data.get(from..data.len().min(from + super::super::frame::PIECE)).unwrap_or_default().to_vec()
        });
        Event::Read(digest, from, piece)
    }

    /// What of what it keeps a friend may read: digests, and whether data is there.
    pub fn readable(&self, did: &str, time: u64) -> BTreeSet<(Digest, bool)> {
        let view = self.store().view(&self.tenant);
        let now = super::super::shown::timestamp(self.now(time).time).expect("a time");
        let reader = dwn::Reader::of(did, &self.tenant, &*view, &now).expect("is read");
        let kept = self.kept().into_iter().filter(|(digest, ..)| {
            let stored = view.message(&cid::from_digest(cid::DAG_CBOR, digest)).expect("is read");
            stored.is_some_and(|stored| {
                // A record that is no state for want of its data is found by its protocol alone.
                let record = stored.record_id.as_ref().and_then(|id| view.record(id).expect("is read"));
                let protocol = stored.message.pointer("/descriptor/protocol").and_then(Value::as_str);
                let is_near = protocol.is_some_and(|protocol| reader.protocols().any(|near| near == protocol));
                let is_found = is_near || record.is_none_or(|record| record.newest.latest);
                is_found && reader.reads(&stored, &*view).expect("is read")
            })
        });
        kept.map(|(digest, has_data, _)| (digest, has_data)).collect()
    }

    /// All that it keeps: digests, and whether data is there and it is a state.
    pub fn kept(&self) -> Vec<(Digest, bool, bool)> {
        let view = self.store().view(&self.tenant);
        let events = view.events(&[], None, None).expect("events");
        let mut kept: Vec<_> = events
            .into_iter()
            .filter_map(|event| {
                let stored = view.message(&event.cid).expect("is read")?;
                let has_data = view.has_data(&stored).expect("is read");
                Some((cid::sha256_of(&event.cid).expect("a digest"), has_data, stored.latest))
            })
            .collect();
        kept.sort_unstable();
        kept
    }
}
