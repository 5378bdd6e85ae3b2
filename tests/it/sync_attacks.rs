//! A paired device that lies, over a real connection and after a real handshake, against a real node: what the node holds of it
//! stays bounded, its stream is ended with a reason that is shown, and another device is served as before.

use crate::{
    net,
    support::{
        eventually,
        toft::{Home, Toft},
        within,
    },
    sync::{add, in_step, peer, records},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use toft::{
    asker::Asker,
    cid,
    crypto::{Signer, ed25519_public},
    did,
    dwn::create,
    metrics::Metrics,
    net::Duplex,
    resolve::{self, Resolver},
    store::{self, Store},
    sync::{
        Own, PROTOCOL,
        spoken::{Bytes32, Carried, Frame, Offer, Range, Reader, Run, ScopeState, Short, Writer, handshake},
    },
};
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use zeroize::Zeroizing;

/// What a node may hold more under an attack than before, in MiB: what waits to be written, and what waits to be taken.
const MORE_MAX: u64 = 200;

/// A device of somebody who does not keep to the rules.
pub struct Liar {
    node: net::Node,
    id: String,
    own: Own,
    run: Run,
    resolver: Resolver,
    _dir: TempDir,
}

impl Liar {
    pub async fn new(seed: u8) -> Self {
        let node = net::Node::start(seed);
        let address = node.address("/tcp/").await;
        let (_, id) = address.rsplit_once("/p2p/").expect("with a peer id");
        let did = did::key::from_ed25519(&ed25519_public(&[seed; 32]));
        let signer = Arc::new(Signer::new(Zeroizing::new([seed; 32]), did::key::kid(&did)));
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), &store::Config { min_free: 0, ..Default::default() }).expect("opens");
        let resolver = Resolver::new(&resolve::Config::default(), store, &Metrics::default()).expect("a resolver");
        Self {
            id: id.to_owned(),
            node,
            own: Own { did: did.to_string(), signer },
            run: Run { id: 1, since: 1 },
            resolver,
            _dir: dir,
        }
    }

    pub fn did(&self) -> &str {
        &self.own.did
    }

    /// Where it is said to be, and is not: it comes by itself.
    pub fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/1/p2p/{}", self.id)
    }

    /// What the node offers to this libp2p peer.
    pub async fn offered_by(&self, node: &Toft) -> Vec<String> {
        let (net, address) = (&self.node.net, node.address("/tcp/"));
        let peer = net.dial(&address).await.expect("it answers");
        loop {
            let peers = net.connected().await.expect("it runs");
            if let Some(known) = peers.into_iter().find(|known| known.id == peer && known.agent.is_some()) {
                return known.protocols;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The node trusts it. (Where it is said to be nobody answers: it comes by itself.)
    pub fn is_added_by(&self, node: &Toft) {
        node.json(&["peer", "add", self.did(), &self.address()]);
    }

    /// A session of which nothing is said yet.
    async fn open(&self, node: &Toft) -> Box<dyn Duplex> {
        self.open_with(node, Offer::Device { tenants: vec![self.did().to_owned(), node.did().to_owned()] }).await
    }

    pub async fn open_with(&self, node: &Toft, offer: Offer) -> Box<dyn Duplex> {
        eventually("the end of the one before", || (peer_of(node, self)["connected"] == false).then_some(()));
        let address = node.address("/tcp/");
        let (_, other) = address.rsplit_once("/p2p/").expect("with a peer id");
        let mut stream = self.node.net.open_stream(&address, PROTOCOL).await.expect("a stream");
        let offers = |_: &str, _: Run| Ok((offer.clone(), None));
        let (who, resolver) = ((&self.own, self.run), (&self.resolver, Asker::Device));
        handshake(&mut stream, (&self.id, other), who, resolver, offers).await.expect("greeted");
        eventually("the session", || (peer_of(node, self)["connected"] == true).then_some(()));
        stream
    }

    /// A session in which the liar's own DID has the number 0.
    async fn meet(&self, node: &Toft) -> Lies {
        let (hears, says) = split(self.open(node).await);
        let mut lies = Lies { says: Writer::new(says), hears: Reader::new(hears) };
        lies.tell(&self.name(node)).await;
        lies
    }

    /// Gives the liar's own DID the number 0.
    fn name(&self, node: &Toft) -> Frame {
        let mut tenants = [self.did(), node.did()];
        tenants.sort_unstable();
        let mine = tenants.iter().position(|did| *did == self.did()).expect("it is one") as u16;
        Frame::Name(mine, None)
    }
}

fn peer_of(node: &Toft, liar: &Liar) -> Value {
    let peers = node.json(&["peer", "ls"]);
    peers.as_array().expect("a list").iter().find(|p| p["did"] == liar.did()).cloned().expect("it is one")
}

/// A session of a liar.
struct Lies {
    says: Writer<WriteHalf<Box<dyn Duplex>>>,
    hears: Reader<ReadHalf<Box<dyn Duplex>>>,
}

impl Lies {
    /// Is it still listened to?
    async fn tell(&mut self, frame: &Frame) -> bool {
        let said = self.says.write(frame, false);
        // Who is not read any more is ended soon.
        tokio::time::timeout(Duration::from_secs(60), said).await.is_ok_and(|said| said.is_ok())
    }

    /// Says so many things and hears nothing.
    async fn tell_all(&mut self, count: u64, frame: impl Fn(u64) -> Frame) {
        for n in 0..count {
            if !self.tell(&frame(n)).await {
                return;
            }
        }
    }

    async fn hear(&mut self) -> Option<Frame> {
        let heard = tokio::time::timeout(Duration::from_secs(60), self.hears.read()).await;
        heard.ok().and_then(Result::ok).map(|heard| heard.frame)
    }

    /// Hears until it is asked for data.
    async fn is_asked_for_data(&mut self) -> Bytes32 {
        loop {
            if let Frame::DataWanted(_, digest, 0) = self.hear().await.expect("it is asked") {
                return digest;
            }
        }
    }
}

/// The node did not grow by more than so many MiB.
#[track_caller]
fn is_small(node: &Toft, before: u64, more: u64) {
    let peak = node.peak_memory() >> 20;
    println!("{peak} MiB, and {before} MiB before");
    assert!(peak < before + more, "{peak} MiB, and {before} MiB before");
}

/// What its first record would be, with data of so many bytes.
fn record(liar: &Liar, data: &[u8]) -> Value {
    let write = create::Write { data_format: "text/plain", ..Default::default() };
    let told = (&cid::of(cid::RAW, data), data.len() as u64);
    create::records_write(&write, told, &toft::node::now(), &liar.own.signer).expect("made")
}

fn bytes(message: &Value) -> Vec<u8> {
    cid::encode(message).expect("encodes")
}

/// A node, another device of its owner, and a liar.
struct Place {
    node: Toft,
    honest: Toft,
    liar: Liar,
    /// MiB before anything was said.
    before: u64,
}

impl Place {
    async fn new(seed: u8) -> Self {
        let (node, honest) = (Home::new().up(), Home::new().up());
        node.json(&["peer", "add", honest.did(), &honest.address("/tcp/")]);
        honest.json(&["peer", "add", node.did(), &node.address("/tcp/")]);
        in_step(&node, &honest);
        let liar = Liar::new(seed).await;
        liar.is_added_by(&node);
        let before = node.peak_memory() >> 20;
        Self { node, honest, liar, before }
    }

    /// Waits until the session is ended for this reason, and looks that the node did not grow by it.
    #[track_caller]
    fn ended(&self, why: &str) {
        self.is_ended(why);
        is_small(&self.node, self.before, MORE_MAX);
    }

    #[track_caller]
    fn is_ended(&self, why: &str) {
        let problem = within(Duration::from_secs(120), why, || {
            let peer = peer_of(&self.node, &self.liar);
            let problem = peer["problem"].as_str()?;
            (peer["connected"] == false && problem.contains(why)).then(|| problem.to_owned())
        });
        println!("{problem}");
    }

    /// The node still does what it is for.
    #[track_caller]
    fn serves_the_other(&self) {
        let had = records(&self.node);
        add(&self.honest, "news");
        within(Duration::from_secs(60), "the record of an honest device", || {
            (records(&self.node) == had + 1).then_some(())
        });
        in_step(&self.node, &self.honest);
        assert_eq!(peer(&self.node, &self.honest)["parked"], 0);
        let log = self.node.log();
        let bad = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked"));
        assert_eq!(bad, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_claims_more_than_there_can_be_is_ended() {
    const CLAIMED: u64 = 10_000_000;
    let at = Place::new(101).await;
    // Claims alone cost nothing, and are not believed.
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell(&Frame::Ahead(CLAIMED)).await;
    let scopes = vec![ScopeState(0, Default::default(), Default::default(), CLAIMED)];
    lies.tell(&Frame::State { scopes, last: true, ask: true }).await;
    assert_eq!(peer_of(&at.node, &at.liar)["in_sync"], false);
    // So many names of items as fit a frame.
    let items = vec![Short::default(); 400_000];
    lies.tell(&Frame::Ranges(0, vec![Range::Items(0, 0, items)])).await;
    at.ended("400000 items of a range");
    for (frame, why) in [
        (Frame::Ranges(0, vec![Range::Items(0, 0, vec![]); 65]), "65 ranges at once"),
        (Frame::Ranges(0, vec![Range::Items(0, 0, vec![]); 2]), "same range twice"),
        (Frame::Ranges(7, vec![]), "has not named"),
        (Frame::Took(1, 1), "took more than it was sent"),
        (
            Frame::State {
                scopes: vec![ScopeState(0, Default::default(), Default::default(), 1); 1001],
                last: true,
                ask: true,
            },
            "1001 scopes at once",
        ),
    ] {
        let mut lies = at.liar.meet(&at.node).await;
        lies.tell(&frame).await;
        at.ended(why);
    }
    // Names of scopes, each as long as one may be.
    let name = |n: u64| Frame::Name(0, Some(format!("https://{n:08000}")));
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell_all(100_000, name).await;
    at.ended("bytes of names");
    at.serves_the_other();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_same_without_end_is_ended() {
    const TIMES: u64 = 100_000;
    let at = Place::new(102).await;
    add(&at.node, "a record that is worth asking for");
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell_all(TIMES, |_| Frame::Want(0, 0, 0, vec![Short::default()])).await;
    at.ended("more messages than it was told of");
    // Data of what is not here: read once at a time, and an answer each.
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell_all(TIMES, |_| Frame::DataWanted(0, Bytes32([1; 32]), 0)).await;
    is_small(&at.node, at.before, MORE_MAX);
    drop(lies);
    // Answers that are not read.
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell_all(TIMES, |n| Frame::Again(0, vec![Bytes32([n as u8; 32]); 256])).await;
    at.ended("does not read what it is sent");
    at.serves_the_other();
}

/// A chunk that says this, whatever came before it.
async fn packed(frame: &Frame) -> Vec<u8> {
    let mut chunk = Vec::new();
    Writer::new(&mut chunk).write(frame, false).await.expect("is packed");
    chunk
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_batches_without_end_is_ended() {
    let at = Place::new(103).await;
    // All but the first take next to nothing on the line; the last one is many times as large when it is decoded.
    for message in
        [json!("y".repeat(100)), json!("y".repeat(1 << 20)), json!("y".repeat(4_000_000)), json!(vec![0; 1 << 20])]
    {
        let message = bytes(&json!({"x": message}));
        let mut lies = at.liar.open(&at.node).await;
        lies.write_all(&packed(&at.liar.name(&at.node)).await).await.expect("is said");
        // Packed once: packing takes longer than taking, and for who is slower than the node there is room again each time.
        let chunk = packed(&Frame::Message(0, message, Carried::None)).await;
        for _ in 0..100_000 {
            let said = tokio::time::timeout(Duration::from_secs(60), lies.write_all(&chunk)).await;
            if !said.is_ok_and(|said| said.is_ok()) {
                break;
            }
        }
        at.ended("more than it was told that there is room for");
    }
    at.serves_the_other();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_ever_more_that_cannot_be_taken_is_ended() {
    let at = Place::new(106).await;
    let mut lies = at.liar.meet(&at.node).await;
    let (mut sent, mut taken) = (0_u64, 0);
    // It keeps to what there is room for.
    'said: while taken < 200_000 {
        while sent - taken < 1000 {
            let message = bytes(&json!({"n": sent}));
            if !lies.tell(&Frame::Message(0, message, Carried::None)).await {
                break 'said;
            }
            sent += 1;
        }
        match lies.hear().await {
            Some(Frame::Took(messages, _)) => taken += u64::from(messages),
            Some(_) => {}
            None => break,
        }
    }
    at.is_ended("100000 messages of this peer could not be taken");
    // While the session goes on all of them are in memory, each with its reason.
    is_small(&at.node, at.before, 300);
    at.serves_the_other();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_none_end_the_session() {
    let at = Place::new(104).await;
    for (raw, why) in [
        (&[0xFF_u8; 8][..], "a chunk of 2147483647 bytes is above the bound"),
        (&[0, 0, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF], "a frame of 4294967295 bytes is above the bound"),
        (&[0, 0, 0, 5, 0, 0, 0, 1, 0xFF], "not what this protocol speaks"),
        (&[0x80, 0, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF], "not packed as it should be"),
    ] {
        let mut lies = at.liar.open(&at.node).await;
        lies.write_all(raw).await.expect("is said");
        lies.flush().await.expect("is said");
        at.ended(why);
    }
    // Half a frame, and then nothing.
    let mut lies = at.liar.open(&at.node).await;
    lies.write_all(&[&(4_u32 << 20).to_be_bytes()[..], &vec![7; 2 << 20]].concat()).await.expect("is said");
    lies.flush().await.expect("is said");
    at.serves_the_other();
    at.ended("has said nothing for 45 s");
    at.serves_the_other();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_data_and_wrong_signatures_are_put_aside_with_their_reasons() {
    const FORGED: u64 = 2_000;
    let at = Place::new(105).await;
    let (data, wrong) = (vec![1; 100_000], vec![2; 100_000]);
    let message = record(&at.liar, &data);
    let offer = |size| Frame::Message(0, bytes(&message), Carried::Apart(size));
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell(&offer(data.len() as u64)).await;
    let digest = lies.is_asked_for_data().await;
    for (n, piece) in wrong.chunks(50_000).enumerate() {
        lies.tell(&Frame::Data(digest, n as u64 * 50_000, piece.to_vec())).await;
    }
    let parked = || peer_of(&at.node, &at.liar)["parked"].as_u64().expect("a number");
    eventually("the wrong data to be put aside", || (parked() == 1).then_some(()));
    // Signed, and changed afterwards.
    let forged = |n: u64| {
        let mut message = record(&at.liar, &n.to_be_bytes());
        let signature = &mut message["authorization"]["signature"]["signatures"][0]["signature"];
        let text = signature.as_str().expect("a text").to_owned();
        let first = if text.starts_with('A') { "B" } else { "A" };
        *signature = format!("{first}{}", &text[1..]).into();
        message
    };
    let (mut sent, mut taken) = (0, 0);
    while taken < FORGED {
        while sent < FORGED && sent - taken < 1000 {
            let data = sent.to_be_bytes().to_vec();
            assert!(lies.tell(&Frame::Message(0, bytes(&forged(sent)), Carried::With(data))).await);
            sent += 1;
        }
        if let Frame::Took(messages, _) = lies.hear().await.expect("it goes on") {
            taken += u64::from(messages);
        }
    }
    eventually("all to be put aside", || (parked() == FORGED + 1).then_some(()));
    let status = at.node.json(&["sync", "status"]);
    let of = status.as_array().expect("a list").iter().find(|one| one["did"] == at.liar.did()).expect("it is one");
    let whys: Vec<_> = of["put_aside"].as_array().expect("a list").iter().map(|one| one["why"].as_str()).collect();
    assert_eq!(whys.len() as u64, FORGED + 1);
    assert!(whys.iter().all(|why| why.is_some_and(|why| !why.is_empty())), "{:?}", whys.first());
    is_small(&at.node, at.before, MORE_MAX);
    at.serves_the_other();
    // Data that was not asked for, more than there is room for, and of another size than the message says.
    drop(lies);
    let large = record(&at.liar, &vec![3; 8 << 20]);
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell(&Frame::Message(0, bytes(&large), Carried::Apart(8 << 20))).await;
    let digest = lies.is_asked_for_data().await;
    lies.tell(&Frame::Data(digest, 1 << 20, vec![0; 1000])).await;
    at.ended("data that was not asked for");
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell(&Frame::Message(0, bytes(&large), Carried::Apart(8 << 20))).await;
    let digest = lies.is_asked_for_data().await;
    lies.tell(&Frame::Data(digest, 0, vec![0; 1 << 20])).await;
    at.ended("more data than it was told that there is room for");
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell(&Frame::Message(0, bytes(&large), Carried::Apart(1 << 20))).await;
    at.ended("of a message that does not say so");
    // More than this node keeps is refused before a byte of it is asked for.
    let mut huge = large;
    huge["descriptor"]["dataSize"] = json!(1_u64 << 40);
    let mut lies = at.liar.meet(&at.node).await;
    lies.tell(&Frame::Message(0, bytes(&huge), Carried::Apart(1 << 40))).await;
    let why = loop {
        match lies.hear().await.expect("it is told") {
            Frame::Parked(_, _, 413, why) => break why,
            Frame::DataWanted(..) => panic!("it is asked for"),
            _ => {}
        }
    };
    assert!(why.contains("above this node's limit"), "{why}");
    at.serves_the_other();
}
