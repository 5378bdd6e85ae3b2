//! A peer that keeps to none of the rules: what a session remembers of it stays bounded, and it ends with a sentence.

use super::{Answer, Data, Effect, Event, Machine, Now, Setup};
use crate::{
    cid::{self, Digest},
    dwn::{self, Change, Subject},
    store::{self, Config, Store},
    sync::{
        frame::{Bytes32, Carried, Frame, Number, PIECE},
        local::{Local, Sharing},
        reconcile::{Keyed, Range, Short},
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

const ALICE: &str = "did:example:alice";

/// A session and what it stands on.
struct Session {
    machine: Machine,
    now: Now,
    store: Store,
    _dir: TempDir,
}

impl Session {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = Config { cache: 1 << 20, min_free: 0, ..Config::default() };
        let store = Store::open(dir.path(), &config).expect("opens");
        let key = Keyed::new([b"one", b"two"]);
        let setup = Setup {
            peer: "did:example:mallory".into(),
            tenants: vec![ALICE.into()],
            key,
            leads: true,
            on_demand: false,
        };
        let now = Now { at: 1_000, time: 1_000_000 };
        let machine =
            Machine::new(setup.clone(), Local::new(store.clone(), Sharing::whole(&setup.tenants)), vec![], now)
                .expect("begins");
        let mut session = Self { machine, now, store, _dir: dir };
        session.machine.begin();
        session.hear(Frame::Name(0, None));
        session
    }

    fn on(&mut self, event: Event) -> Result<Vec<Effect>, String> {
        self.machine.on(event, self.now).map_err(|error| format!("{error:#}"))
    }

    #[track_caller]
    fn hear(&mut self, frame: Frame) -> Vec<Effect> {
        self.on(Event::Frame(frame)).expect("goes on")
    }

    /// Time passes.
    fn later(&mut self, millis: u64) -> Vec<Effect> {
        self.now = Now { at: self.now.at + millis, time: self.now.time + millis };
        self.hear(Frame::Ahead(0))
    }

    /// Hears of the same kind again and again, until it is enough: how often, and why.
    fn until_it_ends(&mut self, most: u64, frame: impl Fn(u64) -> Frame) -> (u64, String) {
        for n in 0..most {
            if let Err(why) = self.on(Event::Frame(frame(n))) {
                return (n, why);
            }
        }
        panic!("{most} were heard");
    }
}

/// A message that says that its data has so many bytes.
fn message(n: u64, size: u64) -> Vec<u8> {
    let data = cid::of(cid::RAW, b"data").to_string();
    cid::encode(&json!({"descriptor": {"n": n, "dataCid": data, "dataSize": size}})).expect("encodes")
}

fn apart(n: u64, size: u64) -> Frame {
    Frame::Message(0, message(n, size), Carried::Apart(size))
}

fn took(effects: &[Effect]) -> u32 {
    let took = |effect: &Effect| if let Effect::Send(Frame::Took(messages, _)) = effect { *messages } else { 0 };
    effects.iter().map(took).sum()
}

fn begun(effects: &[Effect]) -> Vec<Digest> {
    let begun = |effect: &Effect| if let Effect::Begin(digest, _) = effect { Some(*digest) } else { None };
    effects.iter().filter_map(begun).collect()
}

#[test]
fn who_sends_more_than_there_is_room_for_is_ended() {
    let of = |bytes: usize| move |n| Frame::Message(0, message(n, 1), Carried::With(vec![0; bytes]));
    // Nothing is taken meanwhile.
    for (bytes, most) in [(0, 2048), (1 << 20, 7)] {
        let (heard, why) = Session::new().until_it_ends(10_000, of(bytes));
        assert_eq!(heard, most);
        assert!(why.contains("more than it was told that there is room for"), "{why}");
    }
}

#[test]
fn messages_that_wait_for_data_are_bounded() {
    let mut session = Session::new();
    let mut effects = Vec::new();
    for n in 0..2_000 {
        effects.extend(session.hear(apart(n, 1 << 20)));
    }
    // A thousand are said to be taken, the others keep their room.
    assert_eq!(took(&effects), 1024);
    let digests = begun(&effects);
    assert_eq!(digests.len(), 4);
    let (_, why) = session.until_it_ends(10_000, |n| apart(10_000 + n, 1 << 20));
    assert!(why.contains("room"), "{why}");
    // One that waits already takes no more room.
    let mut session = Session::new();
    session.hear(apart(0, 1 << 20));
    assert!((0..10_000).all(|_| took(&session.hear(apart(0, 1 << 20))) == 1));
}

#[test]
fn data_that_is_refused_is_put_aside_and_gives_its_room_back() {
    let mut session = Session::new();
    let mut waiting = Vec::new();
    let mut told = 0;
    for n in 0..1_100 {
        let effects = session.hear(apart(n, 1 << 20));
        told += took(&effects);
        waiting.extend(begun(&effects));
    }
    assert_eq!(told, 1024);
    while let Some(digest) = waiting.pop() {
        let effects = session.on(Event::Refused(digest, 413, "too large".into())).expect("goes on");
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Park(_))));
        told += took(&effects);
        waiting.extend(begun(&effects));
    }
    assert_eq!((told, session.machine.parked_here()), (1_100, 1_100));
    assert!(session.machine.parked().all(|parked| parked.code == 413 && parked.why == "too large"));
    assert_eq!(session.machine.data.said, Default::default());
}

#[test]
fn the_size_of_data_is_what_the_message_says() {
    let offered = |size: serde_json::Value| {
        // A number with a point stays one, as who does not write as this toft does may send it.
        let message = json!({"descriptor": {"dataCid": cid::of(cid::RAW, b"data").to_string(), "dataSize": size}});
        let message = serde_ipld_dagcbor::to_vec(&message).expect("encodes");
        Session::new().on(Event::Frame(Frame::Message(0, message, Carried::Apart(100_000))))
    };
    assert_eq!(begun(&offered(json!(100_000)).expect("is taken")).len(), 1);
    assert_eq!(begun(&offered(json!(100_000.0)).expect("is taken")).len(), 1);
    for wrong in [json!(99_999), json!("100000"), json!(null), json!(100_000.5)] {
        let why = offered(wrong.clone()).expect_err("is refused");
        assert!(why.contains("does not say so"), "{wrong}: {why}");
    }
}

#[test]
fn data_comes_only_as_far_as_there_is_room_for() {
    let mut session = Session::new();
    let [digest] = begun(&session.hear(apart(0, 1 << 30)))[..] else { panic!("it is begun") };
    session.on(Event::Begun(digest, 0)).expect("goes on");
    let piece = |n: u64| Frame::Data(Bytes32(digest), n * PIECE as u64, vec![1; PIECE]);
    let (heard, why) = session.until_it_ends(1 << 20, piece);
    assert_eq!(heard, (1 << 20) / PIECE as u64 + 1);
    assert!(why.contains("more data than"), "{why}");
    // What was refused on its way is not wanted any more, and the rest of it is passed over.
    let mut session = Session::new();
    session.hear(apart(0, 1 << 30));
    session.on(Event::Begun(digest, 0)).expect("goes on");
    session.hear(piece(0));
    let effects = session.on(Event::Refused(digest, 507, "full".into())).expect("goes on");
    let is_told = |effect: &Effect| matches!(effect, Effect::Send(Frame::Gone(_, Bytes32(gone))) if *gone == digest);
    assert!(effects.iter().any(is_told));
    assert!(session.hear(piece(1)).is_empty());
}

#[test]
fn data_that_is_asked_for_again_and_again_is_read_once_at_a_time() {
    let mut session = Session::new();
    let wanted = |n| Frame::DataWanted(0, Bytes32([1; 32]), n);
    let reads = (0..10_000).flat_map(|n| session.hear(wanted(n))).count();
    assert_eq!(reads, 1);
    // Then it is read from where it was asked for last.
    let effects = session.on(Event::Read([1; 32], 0, Some(vec![1]))).expect("goes on");
    assert!(matches!(&effects[..], [Effect::Read(_, _, 9_999)]), "{effects:?}");
    let effects = session.on(Event::Read([1; 32], 9_999, Some(vec![1]))).expect("goes on");
    assert!(
        matches!(&effects[..], [Effect::Send(Frame::Data(_, 9_999, _)), Effect::Read(_, _, 10_000)]),
        "{effects:?}"
    );
}

#[test]
fn who_wants_more_than_it_was_told_of_is_ended() {
    let (heard, why) = Session::new().until_it_ends(2, |_| Frame::Want(0, 0, 0, vec![Short::default()]));
    assert_eq!(heard, 0);
    assert!(why.contains("more messages than it was told of"), "{why}");
}

#[test]
fn what_a_peer_names_and_claims_is_bounded() {
    let (heard, why) = Session::new().until_it_ends(1 << 17, |n| Frame::Name(0, Some(format!("{n:08000}"))));
    assert!(heard < 600 && why.contains("bytes of names"), "{heard} {why}");
    let (heard, why) = Session::new().until_it_ends(1 << 17, |_| Frame::Name(0, Some(String::new())));
    assert!(heard < 1 << 16, "{heard} {why}");
    let many = vec![Short::default(); 100_000];
    let why = Session::new().on(Event::Frame(Frame::Ranges(0, vec![Range::Items(0, 0, many)]))).expect_err("too many");
    assert!(why.contains("100000 items of a range"), "{why}");
}

#[test]
fn a_message_that_is_asked_for_again_is_tried_once() {
    let mut session = Session::new();
    let come = |session: &mut Session| {
        let effects = session.hear(Frame::Message(0, message(0, 1), Carried::None));
        let Some(Effect::Apply(batch)) = effects.into_iter().find(|e| matches!(e, Effect::Apply(_))) else {
            panic!("it is applied")
        };
        assert!(matches!(&batch[..], [arrival] if arrival.data == Data::None));
        let answer = Answer { code: 401, detail: "no".repeat(1000) };
        session.on(Event::Applied(vec![answer])).expect("goes on");
        let parked: Vec<_> = session.machine.parked().cloned().collect();
        let [parked] = &parked[..] else { panic!("{parked:?}") };
        assert!(parked.why.len() < 400, "{}", parked.why.len());
        parked.tries
    };
    assert_eq!(come(&mut session), 0);
    for tries in 1..5 {
        // 2 s, 4 s, 8 s …
        let asked = |effects: Vec<Effect>| effects.iter().any(|e| matches!(e, Effect::Send(Frame::Again(..))));
        assert!(!asked(session.later((1_000 << tries) - 100)), "too soon");
        assert!(asked(session.later(200)), "not asked again");
        assert_eq!(come(&mut session), tries);
    }
}

#[test]
fn what_the_peer_sends_does_not_go_back_to_it() {
    let mut session = Session::new();
    let bytes = message(0, 1);
    let effects = session.hear(Frame::Message(0, bytes.clone(), Carried::None));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Apply(_))));
    // It is in the log before the session hears that it was applied.
    let json: Value = cid::decode(&bytes).expect("decodes");
    let change = Change::initial(ALICE, Subject::Record("r".into()), json).expect("encodes");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(session.store.commit(ALICE, None, move |_| Ok(change.clone()))).expect("is written");
    let is_told = |effects: Vec<Effect>| effects.iter().any(|e| matches!(e, Effect::Send(Frame::Message(..))));
    assert!(!is_told(session.on(Event::Grew).expect("goes on")));
    let applied = vec![Answer { code: 202, detail: String::new() }];
    assert!(!is_told(session.on(Event::Applied(applied)).expect("goes on")));
    assert!(!is_told(session.later(1_000)));
}

#[test]
fn what_was_not_named_is_not_told_of() {
    let unknown: Number = 7;
    let why = Session::new().on(Event::Frame(Frame::Gone(unknown, Bytes32([0; 32])))).expect_err("is refused");
    assert!(why.contains("has not named"), "{why}");
}

/// Bytes of a piece.
const STEP: u64 = PIECE as u64;

/// A session in which data of a message is elsewhere, and on its way.
fn fetching() -> (Session, Digest) {
    let mut session = Session::new();
    let (n, size) = (0, 10 * STEP);
    let json: Value = cid::decode(&message(n, size)).expect("decodes");
    let digest = cid::digest(&message(n, size));
    let (root, size) = dwn::declared_data(&json).expect("names data");
    let change = Change {
        data: Some((root, size)),
        ..Change::initial(ALICE, Subject::Record("r".into()), json).expect("encodes")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let commit = session.store.commit(ALICE, Some(store::Data::elsewhere(root, size)), move |_| Ok(change.clone()));
    runtime.block_on(commit).expect("is written");
    session.machine.setup.on_demand = true;
    (session, digest)
}

#[test]
fn who_reads_leaves_and_reads_again_gets_the_data() {
    let (mut session, digest) = fetching();
    let wanted = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Send(Frame::DataWanted(_, _, from)) => Some(from),
            _ => None,
        })
    };
    let of = || (ALICE.to_owned(), digest);
    let piece = || vec![1; PIECE];
    session.on(Event::Fetch(of().0, of().1)).expect("goes on");
    assert_eq!(wanted(session.on(Event::Begun(digest, 0)).expect("goes on")), Some(0));
    session.hear(Frame::Data(Bytes32(digest), 0, piece()));
    // He leaves, and comes again, in one turn: more of it was on its way, here and on the line.
    let left = session.on(Event::Unfetch(of().0, of().1)).expect("goes on");
    assert!(left.iter().any(|effect| matches!(effect, Effect::Send(Frame::Gone(..)))), "{left:?}");
    session.on(Event::Fetch(of().0, of().1)).expect("goes on");
    assert_eq!(wanted(session.on(Event::Stored(digest, STEP)).expect("goes on")), None);
    session.hear(Frame::Data(Bytes32(digest), STEP, piece()));
    assert_eq!(wanted(session.on(Event::Begun(digest, STEP)).expect("goes on")), Some(STEP));
    session.hear(Frame::Data(Bytes32(digest), 2 * STEP, piece()));
    for from in (1..10).map(|n| n * STEP) {
        session.hear(Frame::Data(Bytes32(digest), from, piece()));
        session.on(Event::Stored(digest, from + STEP)).expect("goes on");
    }
    let batch = session.machine.take.applying.len();
    assert_eq!(batch, 1, "it is judged");
    let applied = session.on(Event::Applied(vec![Answer { code: 202, detail: String::new() }])).expect("goes on");
    assert!(applied.iter().any(|effect| matches!(effect, Effect::Fetched(_, _, Ok(())))), "{applied:?}");
}

#[test]
fn what_somebody_reads_and_does_not_come_is_given_up() {
    let (mut session, digest) = fetching();
    session.on(Event::Fetch(ALICE.into(), digest)).expect("goes on");
    session.on(Event::Begun(digest, 0)).expect("goes on");
    let mut said = vec![];
    for _ in 0..7 {
        said.extend(session.later(10_000));
    }
    assert!(
        said.iter().any(|effect| matches!(effect, Effect::Fetched(_, _, Err(why)) if why.contains("sends nothing")))
    );
    // What is asked for and is not known, or not shared, ends no session.
    for (tenant, digest) in [(ALICE, [9; 32]), ("did:example:other", digest)] {
        let said = session.on(Event::Fetch(tenant.into(), digest)).expect("goes on");
        assert!(said.iter().any(|effect| matches!(effect, Effect::Fetched(_, _, Err(_)))), "{said:?}");
    }
}
