//! Files on their way out.

use super::{
    damage::is_damage,
    handle::Blocks,
    holds::Held,
    may::{Right, Source, Verdict},
    unixfs,
};
use crate::{
    cid::{self, Cid},
    dwn::Fault,
};
use bytes::{Buf as _, Bytes};
use std::{collections::VecDeque, ops::Range};

/// Blocks of a file that the disk is asked for while the one before them is hashed and sent: 2 MiB.
const AHEAD: usize = 8;
/// Blocks that are looked at before the first byte goes out: 16 GiB. Beyond, they are found wanting as they come.
const LOOKED_MAX: usize = 1 << 16;

/// Bytes of nodes that are kept from then on, so that they are read once: those of a file of some 300 MiB.
const NODES_MAX: usize = 64 << 10;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It, or a block of it, is not here, or not to be had.
    #[error("{0} is not here: no record holds it")]
    NotHere(Cid),
    #[error("{0} is data: its links are not followed")]
    Data(Cid),
    #[error("{0} is not a file: {1}")]
    NotFile(Box<Cid>, unixfs::Error),
    #[error("block {block} of {root} is damaged here: {why:#}")]
    Damaged { root: Box<Cid>, block: Box<Cid>, why: Fault },
    #[error(transparent)]
    Fault(Fault),
}

impl Blocks {
    /// The file under a UnixFS root, chunk by chunk, each hash checked. Once begun, nothing of it is collected.
    pub fn open_file(&self, right: Right, root: &Cid) -> Result<Reader, Unread> {
        let mut held = Held::new(self.0.holds.clone());
        if let Some(digest) = cid::sha256_of(root) {
            held.block(&digest);
        }
        let walk = Some(unixfs::Walk::new(*root));
        let mut reader = Reader {
            blocks: self.clone(),
            right,
            root: *root,
            walk,
            nodes: VecDeque::new(),
            first: None,
            skip: 0,
            left: u64::MAX,
            expected: 0,
            _held: held,
        };
        if let Verdict::Node(_, below) = reader.may(root)? {
            reader.right = below;
        }
        Ok(reader)
    }

    /// As [`Blocks::open_file`], if every block of it is here.
    pub fn read(&self, right: Right, root: &Cid) -> Result<Reader, Unread> {
        self.read_from(right, root, 0)
    }

    /// The same from this byte on.
    pub fn read_from(&self, right: Right, root: &Cid, from: u64) -> Result<Reader, Unread> {
        let mut reader = self.open_file(right, root)?.part(from..u64::MAX);
        reader.check()?;
        Ok(reader)
    }
}

/// How much of a file is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Of the file, once its root was read.
    pub size: Option<u64>,
    /// Blocks that are here, up to the first that is not, or to as many as are looked at.
    pub blocks: u64,
    /// The first that is not here.
    pub missing: Option<Cid>,
}

impl Blocks {
    /// Looks how much of the file under a UnixFS root is here. Nodes are read, and of leaves the disk is asked no more than whether
    /// they are there.
    pub fn survey(&self, right: Right, root: &Cid) -> Result<Survey, Unread> {
        let reader = self.open_file(right, root)?;
        let (mut walk, mut blocks, mut missing) = (unixfs::Walk::new(*root), 0, None);
        while let Some(cid) = walk.wants().filter(|_| blocks < LOOKED_MAX as u64) {
            let source = match reader.may(&cid) {
                Ok(verdict) => verdict.source().ok_or(Unread::NotHere(cid))?,
                Err(Unread::NotHere(gone)) if blocks > 0 => {
                    missing = Some(gone);
                    break;
                }
                Err(why) => return Err(why),
            };
            let passed = match (cid.codec(), source) {
                (cid::RAW, Source::Here(digest, place)) => {
                    self.sight(&digest, place).map_err(|why| reader.damaged(&cid, why))?;
                    walk.pass(source.length(&cid))
                }
                _ => walk.take(reader.bytes(&cid, source)?).map(drop),
            };
            passed.map_err(|why| Unread::NotFile(Box::new(cid), why))?;
            blocks += 1;
        }
        Ok(Survey { size: walk.size(), blocks, missing })
    }
}

/// Iterates over a file's chunks. After an error there is nothing more.
#[derive(Debug)]
pub struct Reader {
    blocks: Blocks,
    /// With what right the next block is asked for.
    right: Right,
    root: Cid,
    walk: Option<unixfs::Walk>,
    /// The next nodes, as far as they were read in advance.
    nodes: VecDeque<(Cid, Bytes)>,
    /// A chunk that was read in advance.
    first: Option<Bytes>,
    /// Bytes of the file that are not asked for, before those that are; and how many these still are.
    skip: u64,
    left: u64,
    /// How many of the next blocks the disk has been told of.
    expected: usize,
    _held: Held,
}

impl Reader {
    /// The size of the file, once its root was read.
    pub fn size(&self) -> Option<u64> {
        self.walk.as_ref()?.size()
    }

    /// Of the file only these bytes, before any was read ([`Reader::check`] reads some). What lies before them is not read.
    pub fn part(self, range: Range<u64>) -> Self {
        debug_assert!(self.first.is_none(), "bytes were read before it was said which");
        Self { skip: range.start, left: range.end.saturating_sub(range.start), ..self }
    }

    /// Before anything is sent: is every block there, as long as it should be? Nodes, and the first chunk, are read; of the
    /// others the disk is asked no more than that: what hashes to something else is found as it is sent.
    pub fn check(&mut self) -> Result<(), Unread> {
        let mut walk = self.walk.clone().unwrap_or_else(|| unixfs::Walk::new(self.root));
        let mut room = NODES_MAX;
        for _ in 0..LOOKED_MAX {
            let Some(cid) = walk.wants() else { break };
            let source = self.may(&cid)?.source().ok_or(Unread::NotHere(cid))?;
            let passed = match (cid.codec(), source) {
                (cid::RAW, Source::Here(digest, place)) => {
                    self.blocks.sight(&digest, place).map_err(|why| self.damaged(&cid, why))?;
                    walk.pass(source.length(&cid))
                }
                _ => {
                    let node = self.bytes(&cid, source)?;
                    // Those that are kept are the first ones, without a gap.
                    room = room.saturating_sub(node.len());
                    if room > 0 {
                        self.nodes.push_back((cid, node.clone()));
                    }
                    walk.take(node).map(drop)
                }
            };
            passed.map_err(|why| Unread::NotFile(Box::new(cid), why))?;
        }
        if self.first.is_none() {
            self.first = self.step()?;
        }
        Ok(())
    }

    /// The rule, asked for a block of the file.
    fn may(&self, cid: &Cid) -> Result<Verdict, Unread> {
        match self.blocks.may(self.right, cid).map_err(Unread::Fault)? {
            Verdict::No => Err(Unread::NotHere(*cid)),
            Verdict::Bytes(_) if cid.codec() == cid::DAG_PB => Err(Unread::Data(*cid)),
            verdict => Ok(verdict),
        }
    }

    fn bytes(&self, cid: &Cid, source: Source) -> Result<Bytes, Unread> {
        self.blocks.bytes(cid, source).map_err(|why| self.damaged(cid, why))
    }

    /// A node that was read in advance. Those before it were passed over.
    fn kept(&mut self, cid: &Cid) -> Option<Bytes> {
        let at = self.nodes.iter().position(|(node, _)| node == cid)?;
        self.nodes.drain(..=at).next_back().map(|(_, node)| node)
    }

    /// What has come of trying to read a block.
    fn damaged(&self, block: &Cid, why: Fault) -> Unread {
        if !is_damage(&why) {
            return Unread::Fault(why);
        }
        Unread::Damaged { root: Box::new(self.root), block: Box::new(*block), why }
    }

    /// The next chunk.
    fn step(&mut self) -> Result<Option<Bytes>, Unread> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            let Some(walk) = self.walk.as_mut().filter(|_| self.left > 0) else { return Ok(None) };
            let passed = walk.skip(self.skip);
            self.skip -= passed;
            if passed > 0 {
                self.expected = 0;
            }
            let Some(cid) = walk.wants() else { return Ok(None) };
            for next in walk.ahead().take(AHEAD).skip(self.expected) {
                self.blocks.expect(next);
            }
            let before = walk.ahead().count();
            let source = self.may(&cid)?.source().ok_or(Unread::NotHere(cid))?;
            let block = match self.kept(&cid) {
                Some(node) => node,
                None => self.bytes(&cid, source)?,
            };
            let Some(walk) = &mut self.walk else { return Ok(None) };
            let mut data = walk.take(block).map_err(|why| Unread::NotFile(Box::new(cid), why))?;
            // Children stand before what was known to be next.
            self.expected = if walk.ahead().count() < before { AHEAD - 1 } else { 0 };
            let cut = usize::try_from(self.skip).unwrap_or(usize::MAX).min(data.len());
            data.advance(cut);
            self.skip -= cut as u64;
            data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= data.len() as u64;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Bytes, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(chunk) => chunk.map(Ok),
            Err(why) => {
                self.walk = None;
                Some(Err(match why {
                    Unread::Fault(fault) => fault,
                    why => Fault::new(why),
                }))
            }
        }
    }
}
