//! Chains of headers as files: by them a proof can be judged without any node (`docs/formats.md`, "Headers").
//!
//! A file is read as a stream and checked whenever it is read, so where it comes from does not matter; of its headers only
//! the wanted ones are kept.

mod rules;

pub use rules::{Chain, Rule};

use super::{clock, config::Network, verify::Grade};
use crate::vault::make_private_dir;
use bitcoin::{
    Work,
    block::Header,
    consensus::encode::{deserialize, serialize},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"tofthead";
const VERSION: u8 = 1;
/// Magic, version, network, height of the first header.
const START_LEN: usize = 14;
/// Bytes of a header.
const HEADER_LEN: usize = 80;
/// Bytes read at a time.
const PIECE: usize = 1 << 16;

/// Why headers are not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is no file of headers that toft wrote: it begins with other bytes")]
    Magic,
    #[error("it is a file of headers of version {0}; this toft reads version {VERSION}")]
    Version(u8),
    #[error("it is of a network that toft does not know (number {0})")]
    Network(u8),
    #[error("it ends in the middle of the header of block {0}")]
    Truncated(u32),
    #[error("it holds no header")]
    Empty,
    #[error("block {height}: {rule}")]
    Rule { height: u32, rule: Rule },
    #[error(
        "anybody could have made it: it must hold block {known}, the newest that toft knows, and is of blocks {start} to {tip}"
    )]
    Unknown { start: u32, tip: u32, known: u32 },
    #[error("it is of {theirs:?}, and anchor.bitcoin.network says {ours:?}")]
    Other { ours: Network, theirs: Network },
    #[error("the headers that are here already, up to block {0}, hold as much work or more: they stay")]
    Lighter(u32),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What a file of headers is, and the headers that were wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Headers {
    pub network: Network,
    /// Heights of the first and the last header.
    pub first: u32,
    pub tip: u32,
    /// What the last block's miner wrote, seconds since 1970.
    pub time: u32,
    pub grade: Grade,
    /// Of all the headers in it.
    pub work: Work,
    pub wanted: BTreeMap<u32, Header>,
    weight: (Option<u32>, Work),
}

/// What stands before the first header.
pub fn start(network: Network, height: u32) -> Vec<u8> {
    [MAGIC.as_slice(), &[VERSION, number(network)], &height.to_be_bytes()].concat()
}

/// A header as it stands in the file.
pub fn bytes(header: &Header) -> Vec<u8> {
    serialize(header)
}

/// Reads and checks all of a file; the clock says how late it is.
pub fn read(from: impl Read, wanted: &BTreeSet<u32>) -> Result<Headers, Error> {
    pass(from, wanted, clock::seconds(), |_| Ok(()))
}

/// The same of a file that has a name.
pub fn open(path: &Path, wanted: &BTreeSet<u32>) -> Result<Headers, Error> {
    read(File::open(path)?, wanted)
}

/// Where the headers of a network lie in a home.
pub fn place(home: &Path, network: Network) -> PathBuf {
    home.join("headers").join(network.chain())
}

/// Takes headers into the home, in one step and durably, if they are linked to a block that toft knows and hold more work
/// than those that are there.
pub fn import(home: &Path, network: Network, from: impl Read) -> Result<Headers, Error> {
    let to = place(home, network);
    let dir = to.parent().unwrap_or(home);
    make_private_dir(dir).map_err(io::Error::other)?;
    let part = Part(to.with_extension("new"));
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part.0)?;
    let mut out = BufWriter::new(&file);
    let headers = pass(from, &BTreeSet::new(), clock::seconds(), |bytes| out.write_all(bytes))?;
    out.flush()?;
    drop(out);
    if headers.network != network {
        return Err(Error::Other { ours: network, theirs: headers.network });
    }
    if headers.grade != Grade::Checkpointed {
        return Err(Error::Unknown { start: headers.first, tip: headers.tip, known: Chain::start(network) });
    }
    // Those that are there may be damaged: then anything is better.
    match open(&to, &BTreeSet::new()) {
        Ok(old) if old.weight >= headers.weight => return Err(Error::Lighter(old.tip)),
        _ => {}
    }
    file.sync_all()?;
    fs::rename(&part.0, &to)?;
    File::open(dir)?.sync_all()?;
    Ok(headers)
}

/// A file that is not whole yet; what is left of it goes.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // it has its name by now, or what went wrong before is the one to tell
    }
}

/// Goes through a file once; `copy` gets its bytes as they were read.
fn pass(
    from: impl Read,
    wanted: &BTreeSet<u32>,
    now: u64,
    mut copy: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Headers, Error> {
    let mut from = BufReader::with_capacity(PIECE, from);
    let mut begin = [0; START_LEN];
    if fill(&mut from, &mut begin)? != START_LEN || !begin.starts_with(MAGIC) {
        return Err(Error::Magic);
    }
    let [.., version, number, a, b, c, d] = begin;
    if version != VERSION {
        return Err(Error::Version(version));
    }
    let (network, first) = (network(number)?, u32::from_be_bytes([a, b, c, d]));
    copy(&begin)?;
    let (mut chain, mut height, mut found) = (Chain::new(network, first, now), first, BTreeMap::new());
    let mut bytes = [0; HEADER_LEN];
    loop {
        match fill(&mut from, &mut bytes)? {
            0 => break,
            HEADER_LEN => {}
            _ => return Err(Error::Truncated(height)),
        }
        let header: Header = deserialize(&bytes).expect("any 80 bytes are a header");
        chain.take(&header).map_err(|rule| Error::Rule { height, rule })?;
        copy(&bytes)?;
        if wanted.contains(&height) {
            found.insert(height, header);
        }
        height = height.saturating_add(1);
    }
    let (tip, last) = chain.tip().ok_or(Error::Empty)?;
    // The first block of mainnet alone says nothing: from there on anybody makes a chain of the least difficulty.
    let is_known = chain.known() == Some(Chain::start(network));
    let grade = if is_known { Grade::Checkpointed } else { Grade::HeaderWorkOnly };
    let (work, weight) = (chain.work(), chain.weight());
    Ok(Headers { network, first, tip, time: last.time, grade, work, wanted: found, weight })
}

/// Fills `into` as far as there are bytes; how far.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = into.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

fn number(network: Network) -> u8 {
    match network {
        Network::Mainnet => 0,
        Network::Testnet4 => 1,
        Network::Signet => 2,
        Network::Regtest => 3,
    }
}

fn network(number: u8) -> Result<Network, Error> {
    Ok(match number {
        0 => Network::Mainnet,
        1 => Network::Testnet4,
        2 => Network::Signet,
        3 => Network::Regtest,
        other => return Err(Error::Network(other)),
    })
}

#[cfg(test)]
mod tests;
