//! The world in which sessions are tried: several devices of one person, and often a friend's, with what happens to them. Everything
//! follows from a seed.
//!
//! | real | replaced |
//! |---|---|
//! | the machine: what is compared, sent, taken, put aside | its driver `session.rs`: no queues, no threads; what a machine wants is done at once, in order |
//! | frames, encoded and decoded | the line, which delays them and breaks; handshake and lengths (`wire.rs`) |
//! | stores with log, index and sums, their crashes and backups; `parked.rs`, `partial.rs` | the disk: it is memory, and what is written is durable |
//! | deciding (`dwn::decide`), signatures | the door (`node`): `Node::judge` and `Node::check_file` of this folder stand for it, with the troubles that it may have; no quota, no resolver |
//! | | blocks: all data is small enough to lie beside its message |
//! | | the clocks, and who dials when |
//!
//! Bounds that decide which way is taken (`reconcile::FEW`, `frame::PIECE` and others) are smaller, so that small sets go all ways.

mod history;
mod line;
mod node;
mod world;

use crate::{crypto::Signer, dwn::testing::person};
use world::World;

/// Numbers that follow from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    /// With a chance of so many in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// The person, and somebody else.
fn people() -> (Signer, Signer) {
    (person(1), person(2))
}

/// How many histories, and from which seed on: `TOFT_SIM=count[,seed]`.
fn wanted(otherwise: u64) -> (u64, u64) {
    let Ok(text) = std::env::var("TOFT_SIM") else { return (otherwise, 1) };
    let mut parts = text.split(',').map(|part| part.parse().expect("TOFT_SIM=count[,seed]"));
    (parts.next().unwrap_or(otherwise), parts.next().unwrap_or(1))
}

#[test]
fn devices_come_together_whatever_happens() {
    let (count, first) = wanted(40);
    for seed in first..first + count {
        if let Err(why) = World::new(seed).live() {
            panic!("seed {seed}: {why}\nTOFT_SIM=1,{seed} cargo test --lib sync::sim shows it again");
        }
    }
}

/// Mistakes, each put in on purpose, that histories must show.
const PLANTED: [&str; 22] = [
    "silence is not noticed",
    "what is put aside counts as held",
    "records of no protocol are not compared",
    "the last of a batch is not applied",
    "once equal is always equal",
    "what is asked for is not sent",
    "what is put aside is not asked for again",
    "what the peer lacks is forgotten",
    "a message without its data is enough",
    "half of the parts are passed over",
    "only the number of messages is compared",
    "data that was fetched stays claimed",
    "a sum does not know of data",
    "what is removed stays in the sum",
    "what a device has judged is judged again",
    "data is changed on its way",
    "short names are of the digest alone",
    "what has come stays put aside",
    "the last item of a range is left out",
    "who has nothing of a scope is not told it",
    "what a friend may read never changes",
    "what is withdrawn is still told",
];

#[test]
fn mistakes_that_are_put_in_are_found() {
    let program = std::env::current_exe().expect("this program");
    let finds = |name: &str| {
        let run = std::process::Command::new(&program)
            .args(["--exact", "sync::sim::devices_come_together_whatever_happens"])
            .envs([("TOFT_PLANTED", name), ("TOFT_SIM", "160,1000"), ("RUST_BACKTRACE", "0")])
            .output()
            .expect("runs");
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(told.contains("running 1 test"), "{told}");
        !run.status.success()
    };
    let half = |names: &[&'static str]| names.iter().copied().filter(|name| !finds(name)).collect::<Vec<_>>();
    let (one, two) = PLANTED.split_at(PLANTED.len() / 2);
    let missed = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(two));
        [half(one), other.join().expect("it ends")].concat()
    });
    assert!(missed.is_empty(), "not found: {missed:?}");
}
