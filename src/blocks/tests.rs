//! Blocks as their users see them.

use super::*;
use crate::{
    cid::{self, Cid, Digest},
    dwn::{Change, Fault, Subject},
    store::{self, Data, Place, Store},
};
use bytes::Bytes;
use serde_json::json;
use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

mod collect;
mod damage;
mod kill;
mod versions;

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
    let config = store::Config { cache: 4 << 20, ..store::Config::default() };
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
        let change = Change {
            initial: demotes.is_empty(),
            data: Some((data.root, data.size)),
            demotes,
            ..Change::initial("did:example:alice", Subject::Record(record.into()), message).expect("encodes")
        };
        let commit = self.store.commit("did:example:alice", Some(data), move |_| Ok(change.clone()));
        futures::executor::block_on(commit).expect("committed").cid
    }

    fn read(&self, root: &Cid) -> Vec<u8> {
        self.blocks
            .read(Right::OWNER, root)
            .expect("is here")
            .flat_map(|chunk| chunk.expect("reads").to_vec())
            .collect()
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
        assert!(node.blocks.get(Right::OWNER, &staged.root).expect("answers").is_none(), "staged data is not here yet");
        let root = staged.root;
        node.commit(&format!("r{size}"), staged, Vec::new());
        assert!(node.read(&root) == data, "{size}");
        assert!(node.blocks.get(Right::OWNER, &root).expect("answers").is_some());
    }
}

#[test]
fn what_is_served_is_read_and_hashed_once() {
    let node = node();
    let fetched = || node.blocks.0.fetched.swap(0, Ordering::SeqCst);
    // Chunks of which none is like another, and nodes on two levels.
    let data: Vec<u8> = (0..180 * unixfs::CHUNK).map(|k| (k >> (k % 4 * 8)) as u8).collect();
    let staged = node.stage(&data);
    let root = staged.root;
    node.commit("a", staged, Vec::new());
    fetched();
    let block = node.blocks.locate(Right::OWNER, &root).expect("answers").expect("is here");
    assert_eq!((block.size() > 0, fetched()), (true, 0), "its place says how large it is");
    assert_eq!((block.read().expect("reads").len() as u64, fetched()), (block.size(), 1));
    assert!(node.read(&root) == data);
    assert_eq!(fetched(), 180 + 3, "each leaf and each node");
    let begin = 175 * unixfs::CHUNK as u64 + 5;
    let mut part = node.blocks.open_file(Right::OWNER, &root).expect("is here").part(begin..begin + 10);
    part.check().expect("is whole");
    let read: Vec<u8> = part.flat_map(|chunk| chunk.expect("reads")).collect();
    assert!(read == data[begin as usize..][..10]);
    assert_eq!(fetched(), 1 + 3, "one leaf and each node");
    for from in [0, 1, unixfs::CHUNK as u64, begin, data.len() as u64 - 1, data.len() as u64] {
        let rest = node.blocks.read_from(Right::OWNER, &root, from).expect("is here");
        let read: Vec<u8> = rest.flat_map(|chunk| chunk.expect("reads")).collect();
        assert!(read == data[from as usize..], "from {from}");
    }
}

#[test]
fn superseded_data_is_out_of_reach() {
    let node = node();
    let (old, new) = (node.stage(&pattern(300_000)), node.stage(&pattern(70_000)));
    let roots = (old.root, new.root);
    let leaf = old.blocks[0].0;
    let first = node.commit("r", old, Vec::new());
    let reading = node.blocks.read(Right::reader(&roots.0), &roots.0).expect("is here");
    node.commit("r", new, vec![first]);
    assert!(node.blocks.get(Right::OWNER, &roots.0).expect("answers").is_none());
    assert!(node.blocks.get(Right::OWNER, &cid::from_digest(cid::RAW, &leaf)).expect("answers").is_none());
    assert!(node.blocks.read(Right::OWNER, &roots.0).is_err());
    assert!(node.blocks.get(Right::OWNER, &roots.1).expect("answers").is_some());
    let read: Vec<u8> = reading.flat_map(|chunk| chunk.expect("reads").to_vec()).collect();
    assert!(read == pattern(300_000), "what was being read is read to its end");
}

#[test]
fn large_blocks_are_files_small_ones_are_packed_and_none_is_written_twice() {
    let node = node();
    let mut data = pattern(600_000);
    // The pattern repeats itself; two equal chunks would be one block.
    data[300_000] ^= 1;
    let staged = node.stage(&data);
    let files: Vec<_> = staged.blocks.iter().filter(|(_, place)| matches!(place, Place::File { .. })).collect();
    let packed: Vec<_> = staged.blocks.iter().filter(|(_, place)| matches!(place, Place::Pack { .. })).collect();
    // Two full chunks and one of 75,712 bytes; the root.
    assert_eq!((files.len(), packed.len()), (3, 1));
    let before = node.files();
    let packs = |files: &[std::path::PathBuf]| -> u64 {
        let packs = files.iter().filter(|f| f.extension().is_some_and(|e| e == "pack"));
        packs.map(|f| fs::metadata(f).expect("is there").len()).sum()
    };
    assert_eq!(before.len(), 4);
    let size = packs(&before);
    node.commit("r1", staged, Vec::new());
    let again = node.stage(&data);
    node.commit("r2", again, Vec::new());
    assert_eq!((node.files(), packs(&node.files())), (before, size));
    assert_eq!(node.store.stats().blocks, 4);
}

#[test]
fn a_dropped_stage_leaves_no_temporary_file_and_leftovers_are_swept() {
    let node = node();
    let mut stage = node.blocks.stage();
    stage.push(&pattern(600_000)).expect("taken");
    drop(stage);
    let tmp = node.dir.path().join("blocks/tmp");
    assert_eq!(fs::read_dir(&tmp).expect("lists").count(), 0);
    fs::write(tmp.join("0"), b"half a block").expect("writes");
    Blocks::open(&node.dir.path().join("blocks"), &Config::default(), node.store.clone()).expect("opens");
    assert_eq!(fs::read_dir(&tmp).expect("lists").count(), 0);
}

#[test]
fn wrong_bytes_are_named_and_healed_by_the_same_data() {
    let node = node();
    let data = pattern(600_000);
    let staged = node.stage(&data);
    let (root, digests) = (staged.root, staged.blocks.clone());
    node.commit("r", staged, Vec::new());
    let largest = node.files().into_iter().max_by_key(|f| fs::metadata(f).expect("is there").len()).expect("a file");
    let mut bytes = fs::read(&largest).expect("reads");
    bytes[1000] ^= 1;
    fs::write(&largest, &bytes).expect("writes");
    let errors: Vec<String> = digests
        .iter()
        .filter_map(|(digest, _)| node.blocks.get(Right::OWNER, &cid::from_digest(cid::RAW, digest)).err())
        .map(|error| format!("{error:#}"))
        .collect();
    assert!(matches!(&errors[..], [error] if error.contains("is damaged") && error.contains("bafkrei")), "{errors:?}");
    // One wrong bit is found as it comes, unless it is in the first chunk; a file that is too short, before.
    let mut reader = node.blocks.open_file(Right::OWNER, &root).expect("is here");
    assert!(reader.by_ref().any(|chunk| chunk.is_err()) && reader.next().is_none());
    fs::write(&largest, &bytes[..1000]).expect("writes");
    assert!(matches!(node.blocks.read(Right::OWNER, &root), Err(Unread::Damaged { .. })));
    node.stage(&data);
    assert!(node.read(&root) == data);
    fs::remove_file(largest).expect("removes");
    assert!(matches!(node.blocks.read(Right::OWNER, &root), Err(Unread::Damaged { .. })));
}

#[test]
fn a_pack_that_a_crash_has_cut_is_not_continued() {
    let node = node();
    let first = node.stage(&pattern(40_000));
    let root = first.root;
    node.commit("r1", first, Vec::new());
    let pack = node.dir.path().join("blocks/packs/00000000.pack");
    let mut bytes = fs::read(&pack).expect("reads");
    bytes.extend_from_slice(&[0, 0, 0, 99, 1, 2]);
    fs::write(&pack, bytes).expect("writes");
    let blocks = Blocks::open(&node.dir.path().join("blocks"), &Config::default(), node.store.clone()).expect("opens");
    let mut stage = blocks.stage();
    stage.push(&pattern(50_000)).expect("taken");
    let data = stage.finish().expect("staged");
    assert!(matches!(data.blocks[..], [(_, Place::Pack { segment: 1, .. })]), "{data:?}");
    assert_eq!(node.read(&root), pattern(40_000));
}

#[test]
fn identity_cids_answer_themselves_and_unknown_hashes_are_not_here() {
    let node = node();
    let identity = multihash::Multihash::wrap(cid::IDENTITY, b"inside").expect("fits");
    let found = node.blocks.get(Right::OWNER, &Cid::new_v1(cid::RAW, identity)).expect("answers");
    assert_eq!(found.as_deref(), Some(b"inside".as_slice()));
    let blake = multihash::Multihash::wrap(0x1e, &[0; 32]).expect("fits");
    assert!(node.blocks.get(Right::OWNER, &Cid::new_v1(cid::RAW, blake)).expect("answers").is_none());
}

#[test]
fn a_block_is_one_whatever_cid_names_it() {
    let node = node();
    let staged = node.stage(&pattern(600_000));
    let root = staged.root;
    node.commit("r", staged, Vec::new());
    let v0 = Cid::new_v0(*root.hash()).expect("DAG-PB and sha2-256");
    assert_eq!(
        node.blocks.get(Right::OWNER, &v0).expect("answers"),
        node.blocks.get(Right::OWNER, &root).expect("answers")
    );
    assert!(node.read(&v0) == pattern(600_000));
}

#[test]
fn a_scrub_names_what_is_damaged_and_heals_what_a_peer_has() {
    let node = node();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (large, small) = (pattern(600_000), pattern(40_000));
    let staged = node.stage(&large);
    let root = staged.root;
    node.commit("large", staged, Vec::new());
    node.commit("small", node.stage(&small), Vec::new());
    node.commit("inline", node.stage(b"few"), Vec::new());
    let stop = tokio_util::sync::CancellationToken::new();
    let whole = runtime.block_on(node.blocks.scrub(0, None, &stop)).expect("scrubs");
    assert_eq!((whole.messages, whole.damaged, whole.complete), (3, 0, true), "{whole:?}");
    assert!(whole.blocks >= 3 && whole.bytes > 300_000, "{whole:?}");

    let mut kept = std::collections::HashMap::new();
    for (digest, place) in node.store.places(&[0; 32], 100).expect("lists") {
        kept.insert(digest, node.blocks.fetch(&digest, place).expect("reads"));
    }
    for path in node.files() {
        let mut bytes = fs::read(&path).expect("reads");
        bytes[2000] ^= 1;
        fs::write(path, bytes).expect("writes");
    }
    let damaged = runtime.block_on(node.blocks.scrub(0, None, &stop)).expect("scrubs");
    let files = node.files().len() as u64;
    assert_eq!((damaged.damaged, damaged.healed), (files, 0), "{damaged:?}");
    assert!(damaged.named.iter().all(|sentence| sentence.contains("bafkrei") && sentence.contains("damaged")));
    assert!(damaged.records.iter().any(|holder| holder.record == "large"), "{:?}", damaged.records);
    assert!(damaged.named.iter().all(|sentence| sentence.contains(", of record ")), "{:?}", damaged.named);
    let told = node.store.degraded();
    assert!(told.len() == 1 && told[0].starts_with(&format!("{files} objects are damaged, of ")), "{told:?}");
    assert_eq!(node.blocks.damage().count() as u64, files);

    let fetch: Fetch = Arc::new(move |cid| {
        let found = cid::sha256_of(&cid).and_then(|digest| kept.get(&digest).cloned());
        Box::pin(async move { found })
    });
    let healed = runtime.block_on(node.blocks.scrub(0, Some(fetch), &stop)).expect("scrubs");
    assert_eq!((healed.damaged, healed.healed), (files, files), "{healed:?}");
    assert!(node.read(&root) == large);
    let after = runtime.block_on(node.blocks.scrub(0, None, &stop)).expect("scrubs");
    assert_eq!(after.damaged, 0, "{after:?}");
    stop.cancel();
    assert!(!runtime.block_on(node.blocks.scrub(0, None, &stop)).expect("scrubs").complete);
}

#[test]
fn a_scrub_keeps_to_its_rate() {
    let node = node();
    node.commit("large", node.stage(&pattern(2_000_000)), Vec::new());
    let begun = std::time::Instant::now();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stop = tokio_util::sync::CancellationToken::new();
    let done = runtime.block_on(node.blocks.scrub(1_000_000, None, &stop)).expect("scrubs");
    assert!(begun.elapsed().as_secs_f64() >= done.bytes as f64 / 1_000_000.0, "{done:?} in {:?}", begun.elapsed());
}
