//! Every door gives out what it may, and no door more: random data of published, private, superseded and deleted records
//! that link to, repeat and imitate one another, against a slow model.

use super::network::Public;
use crate::{
    asker::Asker,
    blocks::{Blocks, Right, unixfs},
    cid::{self, Cid, Digest},
    crypto::Signer,
    dwn::{create, testing::person},
    metrics::Metrics,
    net::{self, BlockSource as _},
    node::{self, Node, Tenants, one_chunk},
    protobuf::{put_bytes, put_number},
    resolve::{self, Resolver},
    rpc,
    store::{self, Store},
};
use axum::{body::to_bytes, http::Request};
use bytes::Bytes;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What data is made of; numbers choose among what was written before.
#[derive(Debug, Clone)]
enum Recipe {
    /// So many bytes: inline, in a pack, a file, a tree of two.
    Noise(usize, u8),
    /// The same as other data.
    Copy(usize),
    /// The very bytes of a block of other data: of a node, if it has one.
    Block(usize),
    /// A node of a file over blocks of other data; true: named as a node.
    Node(Vec<(usize, usize, bool)>),
    /// A chunk, and such a node as the last one.
    Tail(Vec<(usize, usize, bool)>),
}

#[derive(Debug, Clone)]
enum Step {
    Write { who: usize, published: bool, recipe: Recipe },
    Update { record: usize, published: bool, recipe: Option<Recipe> },
    Delete(usize),
    Pin(usize),
    Collect,
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let links = || proptest::collection::vec((0..9_usize, 0..4_usize, any::<bool>()), 1..4);
    prop_oneof![
        3 => (0..4_usize, any::<u8>()).prop_map(|(size, seed)| Recipe::Noise([100, 40_000, 70_000, 300_000][size], seed)),
        1 => (0..9_usize).prop_map(Recipe::Copy),
        2 => (0..9_usize).prop_map(Recipe::Block),
        3 => links().prop_map(Recipe::Node),
        1 => links().prop_map(Recipe::Tail),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_usize, any::<bool>(), recipes()).prop_map(|(who, published, recipe)| Step::Write { who, published, recipe }),
        3 => (0..9_usize, any::<bool>(), proptest::option::of(recipes()))
            .prop_map(|(record, published, recipe)| Step::Update { record, published, recipe }),
        1 => (0..9_usize).prop_map(Step::Delete),
        1 => (0..9_usize).prop_map(Step::Pin),
        1 => Just(Step::Collect),
    ]
}

/// A node of a file, as its format says.
fn node_of(links: &[(Cid, u64)]) -> Vec<u8> {
    let mut out = vec![];
    for (cid, size) in links {
        let mut link = vec![];
        put_bytes(&mut link, 1, &cid.to_bytes());
        put_bytes(&mut link, 2, &[]);
        put_number(&mut link, 3, *size);
        put_bytes(&mut out, 2, &link);
    }
    let mut file = vec![];
    put_number(&mut file, 1, 2);
    put_number(&mut file, 3, links.iter().map(|(_, size)| size).sum());
    links.iter().for_each(|(_, size)| put_number(&mut file, 4, *size));
    put_bytes(&mut out, 1, &file);
    out
}

/// Data, and the blocks of the tree over it.
#[derive(Debug, Clone)]
struct Content {
    data: Vec<u8>,
    root: Cid,
    blocks: BTreeMap<Digest, Vec<u8>>,
}

impl Content {
    fn new(data: Vec<u8>) -> Self {
        let mut layout = unixfs::Layout::default();
        let mut blocks = BTreeMap::new();
        let mut keep = |cid: Cid, bytes: Vec<u8>| {
            blocks.insert(cid::sha256_of(&cid).expect("sha2-256"), bytes);
            Ok::<_, std::convert::Infallible>(())
        };
        for chunk in data.chunks(unixfs::CHUNK) {
            let Ok(leaf) = layout.leaf(chunk, &mut keep);
            let Ok(()) = keep(leaf, chunk.to_vec());
        }
        let Ok(root) = layout.finish(&mut keep);
        Self { data, root, blocks }
    }

    fn of(recipe: &Recipe, known: &[Content]) -> Self {
        let pick = |n: usize| known.get(n % known.len().max(1));
        let links = |links: &[(usize, usize, bool)]| {
            let named = links.iter().filter_map(|(content, block, node)| {
                let content = pick(*content)?;
                let (digest, bytes) = content.blocks.iter().nth(block % content.blocks.len())?;
                // As a node it says itself how large it is; what lies will not be read.
                let size = unixfs::node(bytes).ok().filter(|_| *node).map_or(bytes.len() as u64, |node| node.filesize);
                Some((cid::from_digest(if *node { cid::DAG_PB } else { cid::RAW }, digest), size))
            });
            node_of(&named.collect::<Vec<_>>())
        };
        Self::new(match recipe {
            Recipe::Noise(size, seed) => (0..*size).map(|i| (i * 31 + (i >> 8)) as u8 ^ seed).collect(),
            Recipe::Copy(n) => pick(*n).map_or_else(|| b"first".to_vec(), |content| content.data.clone()),
            Recipe::Block(n) => {
                let blocks = pick(*n).map(|content| content.blocks.values());
                blocks.and_then(|blocks| blocks.min_by_key(|b| b.len())).map_or_else(|| b"one".to_vec(), Clone::clone)
            }
            Recipe::Node(list) => links(list),
            Recipe::Tail(list) => [vec![7; unixfs::CHUNK], links(list)].concat(),
        })
    }
}

struct Record {
    who: usize,
    write: Value,
    content: usize,
    published: bool,
    live: bool,
}

struct World {
    _dir: tempfile::TempDir,
    node: Node,
    people: [Signer; 2],
    contents: Vec<Content>,
    records: Vec<Record>,
    pinned: BTreeSet<Digest>,
}

/// Messages of one record need times of their own.
fn clock() -> String {
    std::thread::sleep(Duration::from_micros(2));
    node::now()
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config = store::Config { cache: 4 << 20, min_free: 0, ..store::Config::default() };
        let store = Store::open(&dir.path().join("store"), &config).expect("the store opens");
        let blocks = crate::blocks::Config::default();
        let blocks = Blocks::open(&dir.path().join("blocks"), &blocks, store.clone()).expect("blocks open");
        let config = node::Config { tenants: Tenants::Open, ..node::Config::default() };
        let resolver =
            Resolver::new(&resolve::Config::default(), store.clone(), &Metrics::default()).expect("a resolver");
        let who = ("did:example:none", None, &node::RetentionConfig::default());
        let node = Node::new(&config, who, store, blocks, resolver, &Metrics::default()).expect("a node");
        let people = [person(1), person(2)];
        Self { _dir: dir, node, people, contents: vec![], records: vec![], pinned: BTreeSet::new() }
    }

    async fn send(&self, who: usize, message: Value, data: Option<&[u8]>) {
        let data = data.map(|data| one_chunk(Bytes::copy_from_slice(data)));
        let reply = self.node.process(self.people[who].did(), message, data).await.expect("answered");
        assert_eq!(reply.code, 202, "{reply:?}");
    }

    async fn step(&mut self, step: &Step) {
        let live: Vec<usize> = (0..self.records.len()).filter(|n| self.records[*n].live).collect();
        let choose = |n: usize| live.get(n % live.len().max(1)).copied();
        match step {
            Step::Write { who, published, recipe } => {
                let content = Content::of(recipe, &self.contents);
                let write = create::Write { data_format: "text/plain", published: *published, ..Default::default() };
                let data = (&content.root, content.data.len() as u64);
                let write = create::records_write(&write, data, &clock(), &self.people[*who]).expect("made");
                self.send(*who, write.clone(), Some(&content.data)).await;
                let (content, published) = (self.keep(content), *published);
                self.records.push(Record { who: *who, write, content, published, live: true });
            }
            Step::Update { record, published, recipe } => {
                let Some(n) = choose(*record) else { return };
                let (who, now) = (self.records[n].who, clock());
                let content = recipe.as_ref().map(|recipe| Content::of(recipe, &self.contents));
                let mut changes = json!({"published": true, "datePublished": now});
                if !published {
                    changes = json!({"published": null, "datePublished": null});
                }
                if let Some(content) = &content {
                    changes["dataCid"] = content.root.to_string().into();
                    changes["dataSize"] = content.data.len().into();
                }
                let update = create::records_update(&self.records[n].write, &changes, &now, &self.people[who]);
                let update = update.expect("made");
                self.send(who, update.clone(), content.as_ref().map(|content| content.data.as_slice())).await;
                if let Some(content) = content {
                    self.records[n].content = self.keep(content);
                }
                (self.records[n].write, self.records[n].published) = (update, *published);
            }
            Step::Delete(n) => {
                let Some(n) = choose(*n) else { return };
                let record = &self.records[n];
                let id = record.write["recordId"].as_str().expect("a recordId");
                let delete = create::records_delete(id, false, &clock(), &self.people[record.who]).expect("made");
                self.send(record.who, delete, None).await;
                self.records[n].live = false;
            }
            Step::Pin(n) => {
                let Some(n) = choose(*n) else { return };
                let root = self.contents[self.records[n].content].root;
                assert!(self.node.blocks().pin(&root).await.expect("answers"));
                self.pinned.extend(cid::sha256_of(&root));
            }
            Step::Collect => {
                let blocks = self.node.blocks().clone();
                tokio::task::spawn_blocking(move || blocks.collect()).await.expect("ends").expect("collects");
            }
        }
    }

    fn keep(&mut self, content: Content) -> usize {
        self.contents.push(content);
        self.contents.len() - 1
    }

    fn held(&self, published: bool) -> impl Iterator<Item = &Content> {
        let records = self.records.iter().filter(move |record| record.live && (record.published || !published));
        records.map(|record| &self.contents[record.content])
    }

    /// The bytes of a block, if a record holds it.
    fn block(&self, digest: &Digest, published: bool) -> Option<&Vec<u8>> {
        self.held(published).find_map(|content| content.blocks.get(digest))
    }

    /// A file that is put together of whatever a record, or a pin, may hold.
    fn assembled(&self, root: &Cid, pins: bool) -> Option<Vec<u8>> {
        let mut walk = unixfs::Walk::new(*root);
        let mut out = vec![];
        while let Some(cid) = walk.wants() {
            let digest = cid::sha256_of(&cid)?;
            let pinned = || self.contents.iter().filter(|c| self.is_pinned(c)).find_map(|c| c.blocks.get(&digest));
            let block = self.block(&digest, false).or_else(|| pinned().filter(|_| pins))?;
            out.extend(walk.take(Bytes::copy_from_slice(block)).ok()?);
        }
        Some(out)
    }

    fn is_pinned(&self, content: &Content) -> bool {
        cid::sha256_of(&content.root).is_some_and(|root| self.pinned.contains(&root))
    }

    async fn at_gateway(&self, path: &str) -> (u16, Vec<u8>) {
        let router =
            TowerToHyperService::new(rpc::gateway::router(self.node.clone()).layer(axum::Extension(Asker::Owner)));
        let request = Request::get(path).body(axum::body::Body::empty()).expect("a request");
        let answer = router.call(request).await.expect("answers");
        let code = answer.status().as_u16();
        (code, to_bytes(answer.into_body(), usize::MAX).await.expect("a body").to_vec())
    }

    /// Asks at every door for a block, under every name it could have.
    async fn ask(&self, digest: &Digest) {
        let blake = ::cid::multihash::Multihash::wrap(0x1e, digest).expect("32 bytes fit");
        let stored = self.block(digest, true);
        let v0 = Cid::new_v0(*cid::from_digest(cid::DAG_PB, digest).hash()).expect("sha2-256");
        for cid in
            [cid::RAW, cid::DAG_PB, cid::DAG_CBOR].map(|codec| cid::from_digest(codec, digest)).into_iter().chain([v0])
        {
            let not_here = (404, format!("no published record of this node holds {cid}\n").into_bytes());
            // Bitswap.
            let offer = Public(self.node.blocks().clone()).offer(&cid);
            assert_eq!(offer.as_ref().map(net::Offer::size), stored.map(Vec::len), "{cid} by Bitswap");
            assert_eq!(offer.and_then(net::Offer::read).map(Vec::from).as_ref(), stored, "{cid} by Bitswap");
            // The gateway: the block.
            let answer = self.at_gateway(&format!("/ipfs/{cid}?format=raw")).await;
            assert_eq!(answer, stored.map_or(not_here.clone(), |block| (200, block.clone())), "{cid} at the gateway");
            // And the file.
            if cid.codec() == cid::DAG_CBOR {
                continue;
            }
            let of_root = |content: &&Content| content.root.hash() == cid.hash() && content.root.codec() == cid.codec();
            let file = match cid.codec() {
                cid::RAW => stored,
                _ => self.held(true).find(of_root).map(|content| &content.data),
            };
            let answer = self.at_gateway(&format!("/ipfs/{cid}")).await;
            assert_eq!(answer, file.map_or(not_here, |file| (200, file.clone())), "{cid}, a file at the gateway");
            // The owner's get: at least what records hold, at most what pins hold as well.
            let read = self
                .node
                .blocks()
                .read(Right::OWNER, &cid)
                .ok()
                .map(|reader| reader.flat_map(|chunk| chunk.expect("reads")).collect::<Vec<u8>>());
            let (least, most) = (self.assembled(&cid, false), self.assembled(&cid, true));
            assert!(read == most || read == least, "{cid}: what the owner gets");
        }
        let identity = ::cid::multihash::Multihash::wrap(cid::IDENTITY, &digest[..]).expect("32 bytes fit");
        for hash in [blake, identity] {
            let cid = Cid::new_v1(cid::DAG_PB, hash);
            assert!(Public(self.node.blocks().clone()).offer(&cid).is_none());
            assert_eq!(self.at_gateway(&format!("/ipfs/{cid}")).await.0, 404);
        }
    }

    /// Reads a record as its tenant, and as nobody.
    async fn read(&self, record: &Record) {
        let tenant = &self.people[record.who];
        let expected = &self.contents[record.content].data;
        for (signer, may) in [(Some(tenant), record.live), (None, record.live && record.published)] {
            let filter = json!({"recordId": record.write["recordId"]});
            let message = create::records_read(filter, &node::now(), signer).expect("made");
            let mut reply = self.node.process(tenant.did(), message, None).await.expect("answered");
            assert_eq!(reply.code == 200, may, "{reply:?}");
            if let Some(data) = reply.data.take() {
                let data: Vec<Bytes> = futures::TryStreamExt::try_collect(data.metered()).await.expect("reads");
                assert!(&data.concat() == expected, "the data of {}", record.write["recordId"]);
            }
        }
    }

    async fn look_everywhere(&self) {
        let digests: BTreeSet<&Digest> = self.contents.iter().flat_map(|content| content.blocks.keys()).collect();
        for digest in digests {
            self.ask(digest).await;
        }
        self.ask(&cid::digest(b"never written")).await;
        for record in &self.records {
            self.read(record).await;
        }
    }
}

fn run(steps: &[Step]) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new();
        for step in steps {
            world.step(step).await;
        }
        world.look_everywhere().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if std::env::var_os("TOFT_LONG").is_some() { 600 } else { 20 },
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_door_gives_out_more_than_it_may(steps in proptest::collection::vec(steps(), 2..14)) {
        run(&steps);
    }
}

/// The attacks that the rule is there for, one by one, so that each is met whatever chance brings.
#[test]
fn data_that_is_a_node_leads_nowhere() {
    let secret = |published| Step::Write { who: 0, published, recipe: Recipe::Noise(300_000, 1) };
    let write = |recipe| Step::Write { who: 1, published: true, recipe };
    // A published node over another's private data, as a leaf and as a tree; the bytes of its root; and a last chunk.
    for recipe in [
        Recipe::Node(vec![(0, 0, false)]),
        Recipe::Node(vec![(0, 0, true), (0, 1, true), (0, 2, true)]),
        Recipe::Block(0),
        Recipe::Tail(vec![(0, 0, false), (0, 1, false)]),
    ] {
        run(&[secret(false), write(recipe.clone())]);
        run(&[secret(true), write(recipe.clone()), Step::Delete(0)]);
        run(&[secret(true), write(recipe.clone()), Step::Delete(0), Step::Collect]);
        let superseded = Step::Update { record: 0, published: true, recipe: Some(Recipe::Noise(100, 3)) };
        run(&[secret(true), write(recipe.clone()), superseded]);
        run(&[secret(false), Step::Pin(0), write(recipe), Step::Delete(0), Step::Collect]);
    }
}
