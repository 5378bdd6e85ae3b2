//! Blocks as their users see them.

use super::*;
use crate::{
    dwn::{Change, Subject},
    store::{self, Data},
};
use proptest::prelude::*;
use serde_json::json;
use std::{fs, sync::Arc};

/// Sizes and CIDs of dwn-sdk-js 0.5.2 (`Cid.computeDagPbCidFromBytes`); the bytes are those of [`pattern`].
const SDK: [(usize, &str); 12] = [
    (0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    (1, "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu"),
    (2, "bafkreigy65zaxv3lrycifcnt53v4lva6edbvqiwumurwjjbjvn6lp2tld4"),
    (1000, "bafkreiaeukrgmf62txn3bnsm5qvwa6oszv3az5ygshpamnksybxkrukt4i"),
    (30_000, "bafkreighn2ih2n6u26wapwiqb2om7ij4fxjql3gmdx72xla5glfta37rsi"),
    (30_001, "bafkreiea6bmublvf2ic6u35d6js2xgqb2sa26inrdzgxuy5d2736hxfmku"),
    (262_143, "bafkreicrm7kbmhauoblbuhnqppwpfqkplz3woarynwidm3uqjx27w3s7ri"),
    (262_144, "bafkreicyf2rsjlabvogs5vfihpzfegm2q5hjwrohaneftr2crm6gsnlznm"),
    (262_145, "bafybeidgoqoyg4yhalu6oks2gnsjbs74tnoepwkl77plj4i4rd6lhvt424"),
    (524_288, "bafybeig3atojx6ws4ghqmgsfq7dx43alqpgbcmp3ztg465catkpl7nnija"),
    (1_048_577, "bafybeiau4u2th4ne5g5xc2ecrptvlbutn3m6u2wb5tpovetto2zl5wu2d4"),
    (45_613_057, "bafybeibceeiwyvx3pxrrewxawlbhjvw5ia7lqgj7pt6zjsw56m6vxph5dq"),
];

/// Sizes and CIDs of kubo 0.x and the SDK for the bytes `i % 251` (`dwn.md` 3.3).
const MODULO: [(usize, &str); 6] = [
    (0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    (30_000, "bafkreiei5mlujn4p6526gluqvzrgwqaxukqmjheeugqi74rhlubjczmmr4"),
    (262_144, "bafkreibruh455iawsviqslif5c7uurdcfdemh22mtnytyzvnzn75kpejxy"),
    (262_145, "bafybeiexg2oqkfnj56l7fcmawswqbijt5shq4b5rg6a546uwpkqqzwjioi"),
    (1 << 20, "bafybeiedpcapwld4tkgtzwahfofgn4wex5ryysf4se6hwpmlrsh4ntnrau"),
    (45_875_200, "bafybeie73j3heycdgkdsehpoe6cxh2y3iywtf6djpi3dzqrywevvjmazny"),
];

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|k| (k * 31 + (k >> 8)) as u8).collect()
}

struct Node {
    dir: tempfile::TempDir,
    store: Store,
    blocks: Blocks,
}

fn node() -> Node {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config { cache: 4 << 20, ..Config::default() };
    let store = Store::open(&dir.path().join("store"), &config).expect("the store opens");
    let blocks = Blocks::open(&dir.path().join("blocks"), &Config::default(), store.clone()).expect("the blocks open");
    Node { dir, store, blocks }
}

impl Node {
    fn stage(&self, data: &[u8]) -> Data {
        let mut stage = self.blocks.stage();
        data.chunks(100_003).for_each(|part| stage.push(part).expect("taken"));
        stage.finish().expect("staged")
    }

    /// Makes staged data a record's.
    fn commit(&self, record: &str, data: Data, demotes: Vec<Cid>) -> Cid {
        let message = json!({"recordId": record, "descriptor": {"dataCid": data.root.to_string()}});
        let (cid, bytes) = cid::of_json(&message).expect("encodes");
        let change = Change {
            tenant: "did:example:alice".into(),
            subject: Subject::Record(record.into()),
            cid,
            bytes,
            message: Arc::new(message),
            author: "did:example:alice".into(),
            latest: true,
            initial: demotes.is_empty(),
            data: Some((data.root, data.size)),
            keeps_data: false,
            demotes,
            removes: Vec::new(),
            status: 202,
        };
        let commit = self.store.commit("did:example:alice", Some(data), move |_| Ok(change.clone()));
        futures::executor::block_on(commit).expect("committed").cid
    }

    fn read(&self, root: &Cid) -> Vec<u8> {
        self.blocks.read(root).expect("is here").flat_map(|chunk| chunk.expect("reads").to_vec()).collect()
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        let mut dirs = vec![self.dir.path().join("blocks")];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).expect("lists") {
                let path = entry.expect("lists").path();
                if path.is_dir() { dirs.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

#[test]
fn data_is_named_as_the_sdk_and_kubo_name_it() {
    let node = node();
    let modulo = |size: usize| (0..size).map(|i| (i % 251) as u8).collect::<Vec<u8>>();
    for (size, cid) in SDK {
        assert_eq!(node.stage(&pattern(size)).root.to_string(), cid, "{size}");
    }
    for (size, cid) in MODULO {
        assert_eq!(node.stage(&modulo(size)).root.to_string(), cid, "{size}");
    }
}

#[test]
fn data_comes_back() {
    let node = node();
    for size in [0, 1, 30_000, 30_001, 65_535, 65_536, 262_144, 262_145, 3_000_000, 46_000_000] {
        let data = pattern(size);
        let staged = node.stage(&data);
        assert!(node.blocks.get(&staged.root).expect("answers").is_none(), "staged data is not here yet");
        let root = staged.root;
        node.commit(&format!("r{size}"), staged, Vec::new());
        assert!(node.read(&root) == data, "{size}");
        assert!(node.blocks.get(&root).expect("answers").is_some());
    }
}
