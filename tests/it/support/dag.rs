//! A slow, obvious UnixFS: files as kubo makes them with `--cid-version=1`, held in memory.

use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use toft::cid::{self, Cid};
use toft::net::{BlockSource, FileNode, Offer};
use unsigned_varint::decode;
use unsigned_varint::encode::{self, u64_buffer};

const CHUNK: usize = 256 * 1024;
const LINKS: usize = 174;

/// Blocks in memory, some of which strangers may not have.
#[derive(Default)]
pub struct Shelf {
    blocks: Mutex<HashMap<Vec<u8>, Bytes>>,
    denied: Mutex<HashSet<Vec<u8>>>,
}

impl Shelf {
    pub fn put(&self, cid: &Cid, bytes: Bytes) {
        self.blocks.lock().expect("no test panics while it holds the shelf").insert(cid.hash().to_bytes(), bytes);
    }

    /// From now on nobody gets this block.
    pub fn deny(&self, cid: &Cid) {
        self.denied.lock().expect("no test panics while it holds the shelf").insert(cid.hash().to_bytes());
    }

    pub fn allow(&self, cid: &Cid) {
        self.denied.lock().expect("no test panics while it holds the shelf").remove(&cid.hash().to_bytes());
    }

    /// Stores a file and returns its root.
    pub fn add_file(&self, bytes: &[u8]) -> Cid {
        let mut level: Vec<(Cid, u64, u64)> = bytes
            .chunks(CHUNK)
            .map(|chunk| {
                let cid = cid::of(cid::RAW, chunk);
                self.put(&cid, Bytes::copy_from_slice(chunk));
                (cid, chunk.len() as u64, chunk.len() as u64)
            })
            .collect();
        while level.len() > 1 {
            level = level.chunks(LINKS).map(|group| self.add_node(group)).collect();
        }
        level[0].0
    }

    /// (cid, total size with nodes, file size) of a node over `children`.
    fn add_node(&self, children: &[(Cid, u64, u64)]) -> (Cid, u64, u64) {
        let (mut block, mut file) = (Vec::new(), Vec::new());
        let size: u64 = children.iter().map(|c| c.2).sum();
        int(&mut file, 1, 2);
        int(&mut file, 3, size);
        for (cid, total, child) in children {
            let mut link = Vec::new();
            field(&mut link, 1, &cid.to_bytes());
            field(&mut link, 2, b"");
            int(&mut link, 3, *total);
            field(&mut block, 2, &link);
            int(&mut file, 4, *child);
        }
        field(&mut block, 1, &file);
        let cid = cid::of(cid::DAG_PB, &block);
        let total = block.len() as u64 + children.iter().map(|c| c.1).sum::<u64>();
        self.put(&cid, block.into());
        (cid, total, size)
    }
}

impl BlockSource for Shelf {
    fn offer(&self, cid: &Cid) -> Option<Offer> {
        let key = cid.hash().to_bytes();
        if self.denied.lock().expect("no test panics while it holds the shelf").contains(&key) {
            return None;
        }
        let block = self.blocks.lock().expect("no test panics while it holds the shelf").get(&key).cloned()?;
        Some(Offer::new(block.len(), || Some(block)))
    }
}

/// What one block of a UnixFS file contributes.
pub fn read_node(cid: &Cid, block: &Bytes) -> Result<FileNode, String> {
    if cid.codec() == cid::RAW {
        return Ok(FileNode { data: block.clone(), links: Vec::new() });
    }
    let mut node = FileNode::default();
    for (number, value) in fields(block)? {
        match number {
            1 => {
                for (number, value) in fields(value)? {
                    if number == 2 {
                        node.data = block.slice_ref(value);
                    }
                }
            }
            2 => {
                let link = fields(value)?.into_iter().find(|(n, _)| *n == 1).ok_or("a link without a hash")?;
                node.links.push(Cid::try_from(link.1).map_err(|e| e.to_string())?);
            }
            _ => {}
        }
    }
    Ok(node)
}

/// Bytes that look random and are the same every time.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(len);
    out
}

fn varint(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(encode::u64(n, &mut u64_buffer()));
}

fn int(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3);
    varint(out, value);
}

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The length-delimited fields of a protobuf message.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, &[u8])>, String> {
    fn take(bytes: &mut &[u8]) -> Result<u64, String> {
        let (n, rest) = decode::u64(bytes).map_err(|error| error.to_string())?;
        *bytes = rest;
        Ok(n)
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = take(&mut bytes)?;
        match key & 7 {
            0 => drop(take(&mut bytes)?),
            2 => {
                let len = take(&mut bytes)? as usize;
                let (value, rest) = bytes.split_at_checked(len).ok_or("cut")?;
                bytes = rest;
                all.push((key >> 3, value));
            }
            _ => return Err("wire type".into()),
        }
    }
    Ok(all)
}
