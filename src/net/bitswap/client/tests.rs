//! The client among peers of every kind, in virtual time.

use super::super::message::{Message, Presence, Want};
use super::{Asked, Client, ClientEvent, Key};
use crate::cid::{self, Cid};
use bytes::Bytes;
use libp2p::PeerId;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

const SESSION: u64 = 1;

fn block(n: u64) -> (Cid, Bytes) {
    let bytes = Bytes::copy_from_slice(&n.to_le_bytes());
    (cid::of(cid::RAW, &bytes), bytes)
}

struct World {
    client: Client,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self { client: Client::default(), now: Instant::now() }
    }

    fn connect(&mut self) -> PeerId {
        let peer = PeerId::random();
        self.client.connected(peer, self.now);
        peer
    }

    fn want(&mut self, cid: Cid) {
        self.client.want(SESSION, cid, self.now);
    }

    fn elapse(&mut self, seconds: u64) {
        for _ in 0..seconds * 4 {
            self.now += Duration::from_millis(250);
            self.client.tick(self.now);
        }
    }

    /// What the client has to say to `peer` about `cid`.
    fn said(&mut self, peer: &PeerId, cid: &Cid) -> Vec<Want> {
        let mut all = Vec::new();
        while let Some(message) = self.client.outgoing(peer) {
            all.extend(message.wants.into_iter().filter(|e| e.cid == *cid).map(|e| e.want));
        }
        all
    }

    fn tell(&mut self, peer: PeerId, cid: Cid, presence: Presence) {
        self.client.received(peer, Vec::new(), vec![(cid, presence)], self.now);
    }

    fn give(&mut self, peer: PeerId, cid: Cid, bytes: Bytes) -> usize {
        self.client.received(peer, vec![(cid, bytes)], Vec::new(), self.now)
    }

    fn events(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.event()).collect()
    }
}

#[test]
fn the_bytes_are_asked_of_one_peer_that_has_them_and_the_others_are_told_when_they_came() {
    let (mut world, (cid, bytes)) = (World::new(), block(1));
    let (a, b) = (world.connect(), world.connect());
    world.want(cid);
    assert_eq!(world.said(&a, &cid), [Want::Have]);
    assert_eq!(world.said(&b, &cid), [Want::Have]);
    world.tell(a, cid, Presence::Have);
    world.tell(b, cid, Presence::Have);
    assert_eq!(world.said(&a, &cid), [Want::Block]);
    assert_eq!(world.said(&b, &cid), []);
    assert_eq!(world.give(a, cid, bytes.clone()), 0);
    assert_eq!(world.events(), [ClientEvent::Block(*cid.hash(), bytes)]);
    assert_eq!(world.said(&a, &cid), [], "who sent it knows");
    assert_eq!(world.said(&b, &cid), [Want::Cancel]);
}

#[test]
fn who_gave_one_block_is_asked_for_the_next_without_a_question_before() {
    let (mut world, (first, bytes), (second, _)) = (World::new(), block(1), block(2));
    let (a, b) = (world.connect(), world.connect());
    world.want(first);
    world.tell(a, first, Presence::Have);
    world.give(a, first, bytes);
    world.want(second);
    assert_eq!(world.said(&a, &second), [Want::Block]);
    assert_eq!(world.said(&b, &second), []);
}

#[test]
fn a_dont_have_a_silence_and_a_goodbye_all_lead_to_the_next_peer() {
    let (mut world, (cid, _)) = (World::new(), block(1));
    let peers = [world.connect(), world.connect(), world.connect(), world.connect()];
    world.want(cid);
    for peer in peers {
        world.tell(peer, cid, Presence::Have);
    }
    let mut left: HashSet<PeerId> = peers.into();
    for step in 0..3 {
        let asked: Vec<PeerId> = left.iter().copied().filter(|p| world.said(p, &cid).contains(&Want::Block)).collect();
        assert_eq!(asked.len(), 1, "one peer at a time");
        let peer = asked[0];
        left.remove(&peer);
        match step {
            0 => world.tell(peer, cid, Presence::DontHave),
            1 => world.elapse(11),
            _ => world.client.disconnected(&peer, world.now),
        }
    }
    let last = left.into_iter().next().expect("the fourth");
    assert!(world.said(&last, &cid).contains(&Want::Block));
}

#[test]
fn nobody_has_it_first_the_root_is_searched_then_the_block_then_it_is_given_up() {
    let (mut world, (root, bytes), (leaf, _)) = (World::new(), block(1), block(2));
    let a = world.connect();
    world.want(root);
    world.tell(a, root, Presence::Have);
    world.give(a, root, bytes);
    world.events();
    world.want(leaf);
    world.tell(a, leaf, Presence::DontHave);
    assert_eq!(world.events(), [ClientEvent::Search(root)]);
    world.client.searched(&root, world.now);
    assert_eq!(world.events(), [ClientEvent::Search(leaf)]);
    world.client.searched(&leaf, world.now);
    assert_eq!(world.events(), [ClientEvent::Exhausted(*leaf.hash(), Asked { peers: 1, lack: 1 })]);
    assert_eq!(world.client.wants(), 0);
}

#[test]
fn a_provider_that_connects_is_asked() {
    let (mut world, (cid, bytes)) = (World::new(), block(1));
    world.want(cid);
    assert_eq!(world.events(), [ClientEvent::Search(cid)]);
    let found = world.connect();
    world.client.searched(&cid, world.now);
    assert_eq!(world.said(&found, &cid), [Want::Have]);
    world.give(found, cid, bytes.clone());
    assert_eq!(world.events(), [ClientEvent::Block(*cid.hash(), bytes)]);
}

#[test]
fn a_thousand_blocks_without_a_peer_are_one_search() {
    let mut world = World::new();
    (0..1000).for_each(|n| world.want(block(n).0));
    world.elapse(30);
    assert_eq!(world.events().len(), 1);
}

#[test]
fn what_was_not_asked_for_is_not_taken() {
    let (mut world, (cid, bytes), (other, unasked)) = (World::new(), block(1), block(2));
    let a = world.connect();
    world.want(cid);
    assert_eq!(world.give(a, other, unasked), 1);
    assert_eq!(world.events(), []);
    assert_eq!(world.give(a, cid, bytes.clone()), 0);
    assert_eq!(world.give(a, cid, bytes), 1, "the second time nobody waits for it");
}

#[test]
fn another_codec_over_the_same_bytes_is_the_same_block() {
    let (mut world, (cid, bytes)) = (World::new(), block(1));
    let a = world.connect();
    world.want(cid::from_digest(cid::DAG_PB, &cid::digest(&bytes)));
    assert_eq!(world.give(a, cid, bytes.clone()), 0);
    assert_eq!(world.events(), [ClientEvent::Block(*cid.hash(), bytes)]);
}

#[test]
fn a_want_taken_back_before_it_was_said_is_never_said() {
    let (mut world, (cid, _)) = (World::new(), block(1));
    let a = world.connect();
    world.want(cid);
    world.client.close(SESSION);
    assert_eq!(world.said(&a, &cid), []);
    assert_eq!(world.client.wants(), 0);
}

#[test]
fn one_session_giving_up_does_not_take_the_block_from_another() {
    let (mut world, (cid, bytes)) = (World::new(), block(1));
    let a = world.connect();
    world.want(cid);
    world.client.want(2, cid, world.now);
    world.client.close(SESSION);
    world.give(a, cid, bytes.clone());
    assert_eq!(world.events(), [ClientEvent::Block(*cid.hash(), bytes)]);
}

/// What a simulated peer does with a want.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Honest,
    Empty,
    Silent,
    /// Says HAVE and never sends.
    Liar,
    /// Sends other bytes.
    Forger,
}

fn answer(kind: Kind, message: &Message, store: &HashMap<Key, Bytes>) -> Message {
    let (mut blocks, mut presences) = (Vec::new(), Vec::new());
    for entry in message.wants.iter().filter(|e| e.want != Want::Cancel) {
        match (kind, entry.want) {
            (Kind::Honest, Want::Block) => blocks.push((entry.cid, store[entry.cid.hash()].clone())),
            (Kind::Honest | Kind::Liar | Kind::Forger, Want::Have) => presences.push((entry.cid, Presence::Have)),
            (Kind::Empty, _) => presences.push((entry.cid, Presence::DontHave)),
            (Kind::Forger, _) => blocks.push(block(u64::MAX)),
            (Kind::Silent | Kind::Liar | Kind::Honest, _) => {}
        }
    }
    Message { blocks, presences, ..Message::default() }
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Empty), Just(Kind::Silent), Just(Kind::Liar), Just(Kind::Forger), Just(Kind::Honest)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the others do: with one honest peer connected every block arrives, once.
    #[test]
    fn one_honest_peer_is_enough(others in prop::collection::vec(any_kind(), 0..8), wants in 1u64..40, leave in 0usize..8) {
        let mut world = World::new();
        let store: HashMap<Key, Bytes> = (0..wants).map(|n| { let (c, b) = block(n); (*c.hash(), b) }).collect();
        let mut peers: Vec<(PeerId, Kind)> = others.iter().map(|k| (world.connect(), *k)).collect();
        peers.push((world.connect(), Kind::Honest));
        (0..wants).for_each(|n| world.want(block(n).0));
        let mut got = HashSet::new();
        for second in 0..300 {
            if second == 3 && leave + 1 < peers.len() {
                let (peer, _) = peers.remove(leave);
                world.client.disconnected(&peer, world.now);
            }
            for (peer, kind) in &peers {
                while let Some(message) = world.client.outgoing(peer) {
                    let answer = answer(*kind, &message, &store);
                    world.client.received(*peer, answer.blocks, answer.presences, world.now);
                }
            }
            world.elapse(1);
            for event in world.events() {
                match event {
                    ClientEvent::Block(key, bytes) => {
                        prop_assert_eq!(&store[&key], &bytes);
                        prop_assert!(got.insert(key), "twice");
                    }
                    ClientEvent::Search(cid) => world.client.searched(&cid, world.now),
                    ClientEvent::Exhausted(..) => prop_assert!(false, "given up with an honest peer there"),
                }
            }
            if got.len() == store.len() { break }
        }
        prop_assert_eq!(got.len(), store.len());
        prop_assert_eq!(world.client.wants(), 0);
    }
}
