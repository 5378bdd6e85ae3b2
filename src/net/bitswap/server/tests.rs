//! What peers are told, and what a greedy one costs.

use super::super::message::{
    BLOCK_BYTES_MAX, Entry, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, Message, Presence, Want, decode,
};
use super::{Job, Server, WANTLIST_MAX};
use crate::asker::Asker;
use crate::cid::{self, Cid};
use crate::net::{BlockSource, Offer};
use crate::pool::{Pool, Size};
use bytes::Bytes;
use libp2p::PeerId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Store {
    blocks: Mutex<HashMap<Cid, Bytes>>,
    /// How often blocks were asked for, and read.
    asked: AtomicUsize,
    read: Arc<AtomicUsize>,
}

impl Store {
    fn put(&self, bytes: Vec<u8>) -> Cid {
        let cid = cid::of(cid::RAW, &bytes);
        self.blocks.lock().expect("no panics here").insert(cid, bytes.into());
        cid
    }
}

impl BlockSource for Store {
    fn offer(&self, cid: &Cid) -> Option<Offer> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let block = self.blocks.lock().expect("no panics here").get(cid).cloned()?;
        let read = self.read.clone();
        Some(Offer::new(block.len(), move || {
            read.fetch_add(1, Ordering::SeqCst);
            Some(block)
        }))
    }
}

fn place(n: u8) -> Asker {
    Asker::at([10, 0, 0, n].into())
}

/// With room for four full wantlists, two of them from one place.
fn server() -> Server {
    let size = Size { most: 4 * WANTLIST_MAX, share: 2 * WANTLIST_MAX, reserved: 0 };
    Server::new(Pool::new("wants", size))
}

fn entry(cid: Cid, want: Want) -> Entry {
    Entry { cid, priority: 1, want, send_dont_have: true }
}

/// The next message for `peer`, sent and taken.
fn next(server: &mut Server, peer: &PeerId, store: &Store) -> Option<Message> {
    let done = server.job(peer)?.run(store);
    server.done(&done);
    let frame = done.frame?;
    assert!(frame.len() <= FRAME_BYTES_MAX);
    let mut body = &frame[..];
    crate::protobuf::varint(&mut body).expect("a length");
    server.sent(peer);
    Some(decode(body).expect("our own message"))
}

#[test]
fn a_block_is_looked_up_once_and_only_what_is_sent_is_read() {
    let (store, peer) = (Store::default(), PeerId::random());
    let mut server = server();
    let cids = [2000, 3000, 10].map(|len| store.put(vec![len as u8; len]));
    let wants = [entry(cids[0], Want::Have), entry(cids[1], Want::Block), entry(cids[2], Want::Have)];
    server.received((peer, place(1)), wants.into(), false);
    let message = next(&mut server, &peer, &store).expect("an answer");
    assert_eq!(message.presences, [(cids[0], Presence::Have)]);
    // One so small is sent at once.
    assert_eq!(message.blocks.iter().map(|(cid, _)| *cid).collect::<Vec<_>>(), cids[1..]);
    assert_eq!((store.asked.load(Ordering::SeqCst), store.read.load(Ordering::SeqCst)), (3, 2));
}

#[test]
fn a_peer_is_told_have_dont_have_or_given_the_block() {
    let (mut server, peer, store) = (server(), PeerId::random(), Store::default());
    let (big, small, block) = (store.put(vec![1; 5000]), store.put(vec![2; 10]), store.put(vec![3; 5000]));
    let missing = cid::of(cid::RAW, b"missing");
    let wants = vec![
        entry(big, Want::Have),
        entry(small, Want::Have),
        entry(block, Want::Block),
        entry(missing, Want::Block),
        Entry { send_dont_have: false, ..entry(cid::of(cid::RAW, b"quiet"), Want::Have) },
    ];
    server.received((peer, place(1)), wants, false);
    let message = next(&mut server, &peer, &store).expect("an answer");
    assert_eq!(message.presences, [(big, Presence::Have), (missing, Presence::DontHave)]);
    assert_eq!(message.blocks.iter().map(|(c, _)| *c).collect::<Vec<_>>(), [small, block]);
    assert!(next(&mut server, &peer, &store).is_none());
    assert_eq!(server.wants(), 2, "what we lack is remembered");
}

#[test]
fn the_reply_carries_the_codec_that_was_asked_for() {
    let (mut server, peer, store) = (server(), PeerId::random(), Store::default());
    let raw = store.put(vec![1; 5000]);
    let asked = Cid::new_v1(cid::DAG_PB, *raw.hash());
    store.blocks.lock().expect("no panics here").insert(asked, Bytes::from(vec![1; 5000]));
    server.received((peer, place(1)), vec![entry(asked, Want::Block)], false);
    assert_eq!(next(&mut server, &peer, &store).expect("an answer").blocks[0].0, asked);
}

#[test]
fn many_blocks_become_several_messages_none_too_large() {
    let (mut server, peer, store) = (server(), PeerId::random(), Store::default());
    let cids: Vec<Cid> = (0..40).map(|n| store.put(vec![n; 256 * 1024])).collect();
    server.received((peer, place(1)), cids.iter().map(|c| entry(*c, Want::Block)).collect(), false);
    let mut got = Vec::new();
    while let Some(message) = next(&mut server, &peer, &store) {
        assert!(message.blocks.iter().map(|(_, b)| b.len()).sum::<usize>() <= MESSAGE_BYTES_MAX);
        got.extend(message.blocks.into_iter().map(|(c, _)| c));
    }
    assert_eq!(got, cids, "all, in the order they were asked for");
    assert_eq!(server.wants(), 0);
}

#[test]
fn the_largest_block_fits_and_a_larger_one_does_not_exist() {
    let (mut server, peer, store) = (server(), PeerId::random(), Store::default());
    let (fits, too_large) = (store.put(vec![1; BLOCK_BYTES_MAX]), store.put(vec![2; BLOCK_BYTES_MAX + 1]));
    server.received((peer, place(1)), vec![entry(fits, Want::Block), entry(too_large, Want::Block)], false);
    let message = next(&mut server, &peer, &store).expect("an answer");
    assert_eq!(message.blocks.len(), 1);
    assert_eq!(message.presences, [(too_large, Presence::DontHave)]);
}

#[test]
fn a_peer_that_takes_nothing_is_made_two_messages_and_no_more() {
    let (mut server, peer, store) = (server(), PeerId::random(), Store::default());
    let cids: Vec<Cid> = (0..40).map(|n| store.put(vec![n; 256 * 1024])).collect();
    server.received((peer, place(1)), cids.iter().map(|c| entry(*c, Want::Block)).collect(), false);
    for _ in 0..2 {
        let done = server.job(&peer).expect("work").run(&store);
        assert!(server.job(&peer).is_none(), "one job at a time");
        server.done(&done);
    }
    assert!(server.job(&peer).is_none());
    server.sent(&peer);
    assert!(server.job(&peer).is_some());
}

#[test]
fn a_wantlist_is_bounded_cancelled_replaced_and_forgotten() {
    let (mut server, peer, store) = (server(), PeerId::random(), Store::default());
    let wants =
        |from: u32, to: u32| (from..to).map(|n| entry(cid::of(cid::RAW, &n.to_le_bytes()), Want::Block)).collect();
    server.received((peer, place(1)), wants(0, 5000), false);
    assert_eq!(server.wants(), WANTLIST_MAX);
    while next(&mut server, &peer, &store).is_some() {}
    // All are lacking now: newer wants take the place of the oldest.
    server.received((peer, place(1)), wants(5000, 5010), false);
    assert_eq!(server.wants(), WANTLIST_MAX);
    assert_eq!(next(&mut server, &peer, &store).expect("an answer").presences.len(), 10);
    server.received((peer, place(1)), wants(7000, 7003), true);
    assert_eq!(server.wants(), 3);
    server.received((peer, place(1)), vec![entry(cid::of(cid::RAW, &7000u32.to_le_bytes()), Want::Cancel)], false);
    assert_eq!(server.wants(), 2);
    server.disconnected(&peer);
    assert_eq!(server.wants(), 0);
}

#[test]
fn a_block_that_arrives_goes_to_who_waits_for_it() {
    let (mut server, peer, store) = (server(), PeerId::random(), Store::default());
    let cid = cid::of(cid::RAW, b"later");
    server.received((peer, place(1)), vec![entry(cid, Want::Block)], false);
    assert_eq!(next(&mut server, &peer, &store).expect("an answer").presences, [(cid, Presence::DontHave)]);
    store.put(b"later".to_vec());
    server.arrived([*cid.hash()].iter());
    assert_eq!(next(&mut server, &peer, &store).expect("an answer").blocks, [(cid, Bytes::from_static(b"later"))]);
}

#[test]
fn a_lookup_that_fails_is_not_tried_for_ever() {
    let (mut server, peer) = (server(), PeerId::random());
    server.received((peer, place(1)), vec![entry(cid::of(cid::RAW, b"x"), Want::Block)], false);
    let job = server.job(&peer).expect("work");
    let cids = job.cids();
    drop(job);
    server.done(&Job::failed(peer, &cids));
    assert!(server.job(&peer).is_none());
}

#[test]
fn all_wantlists_together_are_bounded_and_one_place_has_its_share() {
    let mut server = server();
    let (share, peers) = (2 * WANTLIST_MAX, [(); 5].map(|()| PeerId::random()));
    let wants =
        |n: usize| (0..WANTLIST_MAX).map(move |i| entry(cid::of(cid::RAW, format!("{n} {i}").as_bytes()), Want::Block));
    for (n, peer) in peers.iter().enumerate().take(4) {
        server.received((*peer, place(1)), wants(n).collect(), false);
    }
    assert_eq!(server.wants(), share, "of one place");
    server.received((peers[4], place(2)), wants(4).collect(), false);
    assert_eq!(server.wants(), share + WANTLIST_MAX, "another is heard");
    server.disconnected(&peers[0]);
    server.received((peers[1], place(1)), Vec::new(), true);
    assert_eq!(server.wants(), WANTLIST_MAX);
    server.received((peers[2], place(1)), wants(2).collect(), false);
    assert_eq!(server.wants(), 2 * WANTLIST_MAX, "what was given back is there again");
}
