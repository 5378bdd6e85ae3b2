//! The plain sha256 of whole files: what people, and stock tools, hash of a file that lies here in many blocks.
//!
//! The CID of such a file names its root, a node of links. So the file is read once, its blocks verified, and hashed as a
//! stream; the answer is kept. It is done a slice of time at a time, beside nothing else but the reading of the log, and a
//! write waits for none of it. Files that are elsewhere, or gone before they were hashed, are passed over: of them the
//! root is a leaf all the same.

use super::{leaves::Changes, ledger::Ledger, queue::File, waiting::Item};
use crate::{
    blocks::{Blocks, Reader, Right, Unread},
    cid::{self, Digest, Hasher},
    dwn::Fault,
    scarce,
};
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

/// Files that wait to be hashed, before the log is read on.
const FILES_MAX: usize = 4096;
/// How long one slice of hashing takes at most, but for the block that ends it.
const SLICE: Duration = Duration::from_millis(400);

/// Files that are to be hashed, and the one that is.
#[derive(Debug)]
pub(super) struct Wholes {
    blocks: Blocks,
    ledger: Ledger,
    files: VecDeque<File>,
    /// The first of them, as far as it was read.
    begun: Option<Slice>,
    /// Files whose records are in a batch, and that themselves are in none yet.
    carried: BTreeSet<Digest>,
}

#[derive(Debug)]
struct Hashing {
    reader: Reader,
    hasher: Hasher,
}

/// What a slice came to.
#[derive(Debug)]
enum Slice {
    Done {
        plain: Digest,
        is_leaf: bool,
    },
    /// Not all of it is here.
    Missing(String),
    More(Box<Hashing>),
}

impl Wholes {
    pub(super) fn new(blocks: Blocks, ledger: Ledger) -> Self {
        Self { blocks, ledger, files: VecDeque::new(), begun: None, carried: BTreeSet::new() }
    }

    /// Takes up what the last run left: what was hashed and is in no batch is told.
    pub(super) async fn resume(&mut self) -> Result<Vec<Item>, Fault> {
        let ledger = self.ledger.clone();
        let look = move || {
            let mut found = Vec::new();
            for (root, position) in ledger.unhashed()? {
                let plain = ledger.whole(&root)?;
                let is_leaf = plain.map_or(Ok(None), |plain| ledger.leaf(&plain))?.is_some();
                found.push((File { root, position }, plain, is_leaf));
            }
            Ok::<_, Fault>(found)
        };
        let mut items = Vec::new();
        for (file, plain, is_leaf) in tokio::task::spawn_blocking(look).await?? {
            self.carried.insert(file.root);
            match plain {
                Some(plain) if !is_leaf => items.push(file.item(plain)),
                Some(_) => {}
                None => self.files.push_back(file),
            }
        }
        Ok(items)
    }

    /// Are there so many that the log has to wait?
    pub(super) fn is_full(&self) -> bool {
        self.files.len() >= FILES_MAX
    }

    pub(super) fn is_idle(&self) -> bool {
        self.files.is_empty()
    }

    /// The log has brought these.
    pub(super) fn add(&mut self, files: Vec<File>) {
        self.files.extend(files);
    }

    /// Hashes for a moment; what is done then, unless it is in a batch already.
    pub(super) async fn step(&mut self) -> Result<Option<Item>, Fault> {
        let Some(file) = self.files.front().copied() else { return Ok(None) };
        let (blocks, ledger) = (self.blocks.clone(), self.ledger.clone());
        let slice = match self.begun.take() {
            Some(done @ Slice::Done { .. }) => done,
            Some(Slice::More(begun)) => tokio::task::spawn_blocking(move || begun.go_on(&ledger)).await??,
            _ => tokio::task::spawn_blocking(move || Hashing::begin(&blocks, &ledger, &file)).await??,
        };
        let item = match slice {
            more @ Slice::More(_) => {
                self.begun = Some(more);
                return Ok(None);
            }
            Slice::Done { plain, is_leaf } => {
                // Without room to write it down it is not computed once more: a large file costs minutes.
                self.begun = Some(Slice::Done { plain, is_leaf });
                self.ledger.put_whole(&file.root, &plain).await?;
                self.begun = None;
                (!is_leaf).then(|| file.item(plain))
            }
            Slice::Missing(why) => {
                let root = cid::from_digest(cid::DAG_PB, &file.root);
                tracing::info!("of the file {root} only the root is anchored, and not its bytes as a whole: {why}");
                None
            }
        };
        self.files.pop_front(); // not before: what fails, or is cut off, is begun again
        Ok(item)
    }

    /// A batch is made of the log up to `next`: what has to be remembered with it.
    pub(super) fn closing(&self) -> (Changes, BTreeSet<Digest>) {
        let after: BTreeSet<Digest> = self.files.iter().map(|file| file.root).collect();
        let mut changes: Changes =
            self.carried.difference(&after).map(|root| Ledger::unhashed_change(root, None)).collect();
        let new = self.files.iter().filter(|file| !self.carried.contains(&file.root));
        changes.extend(new.map(|file| Ledger::unhashed_change(&file.root, Some(file.position))));
        (changes, after)
    }

    /// It was made.
    pub(super) fn closed(&mut self, after: BTreeSet<Digest>) {
        self.carried = after;
    }
}

impl File {
    fn item(&self, plain: Digest) -> Item {
        Item { digest: plain, codec: cid::RAW as u8, position: self.position }
    }
}

impl Hashing {
    fn begin(blocks: &Blocks, ledger: &Ledger, file: &File) -> Result<Slice, Fault> {
        match blocks.open_file(Right::OWNER, &cid::from_digest(cid::DAG_PB, &file.root)) {
            Ok(reader) => Self { reader, hasher: Hasher::default() }.go_on(ledger),
            Err(Unread::Fault(fault)) => missing(fault),
            Err(why) => Ok(Slice::Missing(why.to_string())),
        }
    }

    fn go_on(mut self, ledger: &Ledger) -> Result<Slice, Fault> {
        let begun = Instant::now();
        for chunk in self.reader.by_ref() {
            match chunk {
                Ok(bytes) => self.hasher.update(&bytes),
                Err(fault) => return missing(fault),
            }
            if begun.elapsed() >= SLICE {
                return Ok(Slice::More(Box::new(self)));
            }
        }
        let plain = self.hasher.finish();
        Ok(Slice::Done { plain, is_leaf: ledger.leaf(&plain)?.is_some() })
    }
}

/// What cannot be read is passed over, unless it will be readable again in a moment.
fn missing(fault: Fault) -> Result<Slice, Fault> {
    if scarce::is_scarcity(&fault) { Err(fault) } else { Ok(Slice::Missing(format!("{fault:#}"))) }
}
