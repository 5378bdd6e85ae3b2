//! UnixFS files as DAGs: building one in the layout of kubo and the JS SDK, and walking any. Pure: no I/O.
//!
//! [`Layout`] makes CIDv1 trees of raw leaves, [`CHUNK`] bytes each, [`LINKS`] links in a node, balanced; one leaf
//! alone is the file. [`Walk`] reads every file that follows the format: CIDv0, leaves wrapped in DAG-PB, data in
//! inner nodes, other chunk sizes and shapes. It believes nothing: the sizes that nodes declare must add up, which
//! also bounds what a hostile DAG can make a walker do by the file size that its root declares.

use crate::{
    cid::{self, Cid},
    protobuf::{self, Fields, Value, put_bytes, put_number, varint},
};
use bytes::Bytes;

/// Bytes in a leaf.
pub const CHUNK: usize = 262_144;
/// Links in a node.
pub const LINKS: usize = 174;
/// Longest block that is read as a node or leaf: what kubo's Bitswap carries.
pub const BLOCK_MAX: usize = 2 << 20;
/// Deepest tree that is walked. Six levels of 174 links hold more than a zettabyte.
pub const DEPTH_MAX: usize = 32;

/// UnixFS types of a node that is part of a file.
const RAW_DATA: u64 = 0;
const FILE: u64 = 2;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("the block does not parse as DAG-PB: {0}")]
    Pb(&'static str),
    #[error("the node is not part of a UnixFS file (type {0})")]
    NotFile(u64),
    #[error("the node's sizes do not add up")]
    Sizes,
    #[error("the file's tree is deeper than {DEPTH_MAX} nodes")]
    Depth,
    #[error("the block has {0} bytes, more than {BLOCK_MAX}")]
    Long(usize),
    #[error("codec 0x{0:x} is not one a UnixFS file is made of")]
    Codec(u64),
}

impl From<protobuf::Error> for Error {
    fn from(error: protobuf::Error) -> Self {
        Self::Pb(match error {
            protobuf::Error::Truncated => "it ends early",
            protobuf::Error::Varint => "a number that does not end",
            protobuf::Error::WireType(_) => "a field of an unexpected type",
        })
    }
}

/// A DAG-PB node of a UnixFS file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Bytes of the file that stand in the node itself, before those of its links.
    pub data: Bytes,
    /// Child and its `Tsize` (bytes of its whole DAG, as claimed).
    pub links: Vec<(Cid, u64)>,
    /// Bytes of the file under each link.
    pub sizes: Vec<u64>,
    /// Bytes of the file under the node.
    pub filesize: u64,
}

/// A block of a tree under construction, and what a parent says of it.
#[derive(Debug, Clone)]
struct Child {
    cid: Cid,
    tsize: u64,
    filesize: u64,
}

/// Builds the tree over leaves that come one by one.
#[derive(Debug, Default)]
pub struct Layout {
    /// `levels[0]` are leaves without a parent, `levels[1]` nodes over leaves, and so on: each fewer than [`LINKS`].
    levels: Vec<Vec<Child>>,
}

impl Layout {
    /// Adds the next leaf. Nodes that are complete with it go to `emit`.
    pub fn leaf<E>(&mut self, bytes: &[u8], emit: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), E>) -> Result<Cid, E> {
        let size = bytes.len() as u64;
        let cid = cid::of(cid::RAW, bytes);
        self.push(0, Child { cid, tsize: size, filesize: size }, emit)?;
        Ok(cid)
    }

    /// All leaves are in: emits the remaining nodes and returns the root. Without a leaf: the empty leaf.
    pub fn finish<E>(mut self, emit: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), E>) -> Result<Cid, E> {
        let mut level = 0;
        loop {
            let above = self.levels.iter().skip(level + 1).any(|l| !l.is_empty());
            match self.levels.get_mut(level).map(std::mem::take) {
                None => return Ok(cid::of(cid::RAW, &[])),
                Some(mut children) if children.len() == 1 && !above => {
                    return Ok(children.remove(0).cid);
                }
                Some(children) if children.is_empty() => {}
                Some(children) => {
                    let node = parent(&children, emit)?;
                    self.push(level + 1, node, emit)?;
                }
            }
            level += 1;
        }
    }

    fn push<E>(
        &mut self,
        level: usize,
        child: Child,
        emit: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut next = Some((level, child));
        while let Some((level, child)) = next.take() {
            if self.levels.len() <= level {
                self.levels.resize_with(level + 1, Vec::new);
            }
            if let Some(children) = self.levels.get_mut(level) {
                children.push(child);
                if children.len() == LINKS {
                    let children = std::mem::take(children);
                    next = Some((level + 1, parent(&children, emit)?));
                }
            }
        }
        Ok(())
    }
}

fn parent<E>(children: &[Child], emit: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), E>) -> Result<Child, E> {
    let bytes = encode(children);
    let cid = cid::of(cid::DAG_PB, &bytes);
    let tsize = bytes.len() as u64 + children.iter().map(|c| c.tsize).sum::<u64>();
    let filesize = children.iter().map(|c| c.filesize).sum();
    emit(cid, bytes)?;
    Ok(Child { cid, tsize, filesize })
}

/// A file node over `children`, in DAG-PB's one form: links first, each with its (empty) name, then the data.
fn encode(children: &[Child]) -> Vec<u8> {
    let mut out = Vec::new();
    for child in children {
        let mut link = Vec::new();
        put_bytes(&mut link, 1, &child.cid.to_bytes());
        put_bytes(&mut link, 2, &[]);
        put_number(&mut link, 3, child.tsize);
        put_bytes(&mut out, 2, &link);
    }
    let mut file = Vec::new();
    put_number(&mut file, 1, FILE);
    put_number(&mut file, 3, children.iter().map(|c| c.filesize).sum());
    for child in children {
        put_number(&mut file, 4, child.filesize);
    }
    put_bytes(&mut out, 1, &file);
    out
}

/// Parses a DAG-PB block as a node of a UnixFS file.
pub fn node(block: &[u8]) -> Result<Node, Error> {
    if block.len() > BLOCK_MAX {
        return Err(Error::Long(block.len()));
    }
    let mut links = Vec::new();
    let mut unixfs = None;
    for field in Fields::new(block) {
        match field? {
            (_, Value::Fixed) => return Err(Error::Pb("a field of an unexpected type")),
            (1, Value::Bytes(data)) if unixfs.is_none() => unixfs = Some(data),
            (2, Value::Bytes(bytes)) => links.push(link(bytes)?),
            _ => return Err(Error::Pb("a field that a node does not have")),
        }
    }
    let file = file(unixfs.ok_or(Error::Pb("no UnixFS data"))?)?;
    let declared = file.sizes.iter().try_fold(file.data.len() as u64, |sum, size| sum.checked_add(*size));
    // A child of no bytes would let a small DAG repeat itself without end.
    let empty_child = file.sizes.contains(&0);
    if file.sizes.len() != links.len() || declared != Some(file.filesize) || empty_child {
        return Err(Error::Sizes);
    }
    Ok(Node { links, ..file })
}

fn link(bytes: &[u8]) -> Result<(Cid, u64), Error> {
    let (mut hash, mut tsize) = (None, 0);
    for field in Fields::new(bytes) {
        match field? {
            (_, Value::Fixed) => return Err(Error::Pb("a field of an unexpected type")),
            (1, Value::Bytes(cid)) => hash = Some(Cid::try_from(cid).map_err(|_| Error::Pb("a link's CID"))?),
            (2, Value::Bytes(_)) => {}
            (3, Value::Number(n)) => tsize = n,
            _ => return Err(Error::Pb("a field that a link does not have")),
        }
    }
    Ok((hash.ok_or(Error::Pb("a link without CID"))?, tsize))
}

/// Parses the UnixFS message of a node; its links are not known here.
fn file(bytes: &[u8]) -> Result<Node, Error> {
    let (mut kind, mut data, mut filesize, mut sizes) = (None, Bytes::new(), None, Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (_, Value::Fixed) => return Err(Error::Pb("a field of an unexpected type")),
            (1, Value::Number(n)) => kind = Some(n),
            (2, Value::Bytes(d)) => data = Bytes::copy_from_slice(d),
            (3, Value::Number(n)) => filesize = Some(n),
            (4, Value::Number(n)) => sizes.push(n),
            // Packed, as some writers have it.
            (4, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    sizes.push(varint(&mut packed)?);
                }
            }
            // hashType, fanout, mode, mtime: nothing that a file's bytes depend on.
            (5..=8, _) => {}
            _ => return Err(Error::Pb("a field that UnixFS does not have")),
        }
    }
    match kind {
        Some(RAW_DATA | FILE) => {}
        other => return Err(Error::NotFile(other.unwrap_or(u64::MAX))),
    }
    let filesize = filesize.unwrap_or(data.len() as u64);
    Ok(Node { data, links: Vec::new(), sizes, filesize })
}

/// Walks a file depth-first: says which block comes next, takes it, gives out the file's bytes in order.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Blocks still to come, the next one last: CID, size of the file under it (unknown for the root), depth.
    ahead: Vec<(Cid, Option<u64>, usize)>,
    size: Option<u64>,
}

impl Walk {
    pub fn new(root: Cid) -> Self {
        Self { ahead: vec![(root, None, 0)], size: None }
    }

    /// The block needed next; `None` at the end.
    pub fn wants(&self) -> Option<Cid> {
        self.ahead.last().map(|(cid, ..)| *cid)
    }

    /// Blocks known to be needed, the next one first: what a fetcher may ask for ahead.
    pub fn ahead(&self) -> impl Iterator<Item = &Cid> {
        self.ahead.iter().rev().map(|(cid, ..)| cid)
    }

    /// Size of the file, known once the root was taken.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Passes over what is next as far as it lies wholly within the next `most` bytes of the file; how many that were.
    pub fn skip(&mut self, most: u64) -> u64 {
        let mut passed = 0;
        while let Some((_, Some(size), _)) = self.ahead.last()
            && *size <= most - passed
        {
            passed += size;
            self.ahead.pop();
        }
        passed
    }

    /// Passes over a leaf of raw bytes that [`Self::wants`] named: so many are said to be there.
    pub fn pass(&mut self, length: u64) -> Result<(), Error> {
        let Some((cid, declared, _)) = self.ahead.pop() else { return Ok(()) };
        if cid.codec() != cid::RAW {
            return Err(Error::Codec(cid.codec()));
        }
        if declared.is_some_and(|declared| declared != length) {
            return Err(Error::Sizes);
        }
        self.size.get_or_insert(length);
        Ok(())
    }

    /// Takes the block that [`Self::wants`] named, whose hash the caller has checked. Returns its share of the
    /// file, which is empty for an inner node.
    pub fn take(&mut self, block: Bytes) -> Result<Bytes, Error> {
        let Some((cid, declared, depth)) = self.ahead.pop() else { return Ok(Bytes::new()) };
        if block.len() > BLOCK_MAX {
            return Err(Error::Long(block.len()));
        }
        let node = match cid.codec() {
            cid::RAW => Node { filesize: block.len() as u64, data: block, links: Vec::new(), sizes: Vec::new() },
            cid::DAG_PB => node(&block)?,
            other => return Err(Error::Codec(other)),
        };
        if declared.is_some_and(|declared| declared != node.filesize) {
            return Err(Error::Sizes);
        }
        if depth >= DEPTH_MAX && !node.links.is_empty() {
            return Err(Error::Depth);
        }
        self.size.get_or_insert(node.filesize);
        let children = node.links.iter().zip(&node.sizes).rev();
        self.ahead.extend(children.map(|((cid, _), size)| (*cid, Some(*size), depth + 1)));
        Ok(node.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{collections::HashMap, convert::Infallible};

    fn walk(root: Cid, blocks: &HashMap<Cid, Vec<u8>>) -> Result<Vec<u8>, Error> {
        let mut walk = Walk::new(root);
        let mut out = Vec::new();
        while let Some(cid) = walk.wants() {
            out.extend_from_slice(&walk.take(Bytes::copy_from_slice(&blocks[&cid]))?);
        }
        Ok(out)
    }

    /// A node as other writers make them: CIDv0, data of its own, leaves wrapped.
    fn foreign(data: &[u8], children: &[(Cid, u64)], kind: u64, blocks: &mut HashMap<Cid, Vec<u8>>) -> (Cid, u64) {
        let size = data.len() as u64 + children.iter().map(|(_, size)| size).sum::<u64>();
        let mut file = Vec::new();
        put_number(&mut file, 1, kind);
        put_bytes(&mut file, 2, data);
        put_number(&mut file, 3, size);
        children.iter().for_each(|(_, size)| put_number(&mut file, 4, *size));
        let mut block = Vec::new();
        for (cid, _) in children {
            let mut link = Vec::new();
            put_bytes(&mut link, 1, &cid.to_bytes());
            put_bytes(&mut block, 2, &link);
        }
        put_bytes(&mut block, 1, &file);
        let cid = Cid::new_v0(*cid::of(cid::DAG_PB, &block).hash()).expect("DAG-PB and sha2-256");
        blocks.insert(cid, block);
        (cid, size)
    }

    /// Made by `tests/vectors/generate.mjs`.
    #[test]
    fn js_names_data_of_every_size_the_same() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/cids.json")).expect("JSON");
        let cases = vectors["data"].as_array().expect("a list");
        for case in cases {
            let size = case["size"].as_u64().expect("a size") as usize;
            let mut layout = Layout::default();
            let mut emit = |_, _| Ok::<_, Infallible>(());
            for begin in (0..size).step_by(CHUNK) {
                let chunk: Vec<u8> = (begin..size.min(begin + CHUNK)).map(|i| (i % 251) as u8).collect();
                layout.leaf(&chunk, &mut emit).expect("nothing fails here");
            }
            let root = layout.finish(&mut emit).expect("nothing fails here");
            assert_eq!(root.to_string(), case["cid"], "{size} bytes");
        }
        assert!(cases.iter().any(|case| case["size"].as_u64() > Some((CHUNK * LINKS) as u64)), "one of two levels");
    }

    #[test]
    fn foreign_files_are_read() {
        let mut blocks = HashMap::new();
        let one = foreign(b"one ", &[], FILE, &mut blocks);
        let two = foreign(b"two ", &[], RAW_DATA, &mut blocks);
        let inner = foreign(b"before ", &[two, one], FILE, &mut blocks);
        let (root, size) = foreign(b"", &[one, inner, one], FILE, &mut blocks);
        assert_eq!(walk(root, &blocks), Ok(b"one before two one one ".to_vec()));
        let mut walk = Walk::new(root);
        walk.take(Bytes::copy_from_slice(&blocks[&root])).expect("taken");
        assert_eq!((walk.size(), walk.ahead().count()), (Some(size), 3));
        // The empty file of kubo without raw leaves.
        let empty = node(&[0x0a, 0x04, 0x08, 0x02, 0x18, 0x00]).expect("parses");
        assert_eq!((empty.filesize, empty.links.len()), (0, 0));
    }

    #[test]
    fn a_dag_that_lies_is_refused() {
        let mut blocks = HashMap::new();
        let one = foreign(b"one", &[], FILE, &mut blocks);
        let empty = foreign(b"", &[], FILE, &mut blocks);
        let (short, _) = foreign(b"", &[(one.0, 2)], FILE, &mut blocks);
        assert_eq!(walk(short, &blocks), Err(Error::Sizes));
        // Nothing, over and over: 174 to the power of the depth.
        let (root, _) = foreign(b"", &vec![empty; 174], FILE, &mut blocks);
        assert_eq!(walk(root, &blocks), Err(Error::Sizes));
        let (directory, _) = foreign(b"", &[], 1, &mut blocks);
        assert_eq!(walk(directory, &blocks), Err(Error::NotFile(1)));
        let mut deep = one;
        for _ in 0..=DEPTH_MAX {
            deep = foreign(b"", &[deep], FILE, &mut blocks);
        }
        assert_eq!(walk(deep.0, &blocks), Err(Error::Depth));
        assert_eq!(node(&vec![0; BLOCK_MAX + 1]), Err(Error::Long(BLOCK_MAX + 1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn a_tree_is_walked_back(leaves in 0_usize..400, last in 1_usize..9) {
            let mut layout = Layout::default();
            let mut blocks = HashMap::new();
            let mut whole = Vec::new();
            let mut keep = |cid: Cid, block: Vec<u8>| { blocks.insert(cid, block); Ok::<_, Infallible>(()) };
            for n in 0..leaves {
                let leaf = vec![n as u8; if n + 1 == leaves { last } else { 9 }];
                whole.extend_from_slice(&leaf);
                let Ok(cid) = layout.leaf(&leaf, &mut keep);
                let Ok(()) = keep(cid, leaf);
            }
            let Ok(root) = layout.finish(&mut keep);
            blocks.entry(root).or_default();
            prop_assert_eq!(walk(root, &blocks), Ok(whole));
        }

        #[test]
        fn no_block_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = node(&bytes);
        }
    }
}
