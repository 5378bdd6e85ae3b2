//! Seam for `crate::fuzzing`: pack files, and UnixFS trees.

use super::{
    disk::Disk,
    unixfs::{self, Layout, Walk},
};
use crate::{
    cid,
    store::{Place, fuzzing::Scratch},
};
use bytes::Bytes;
use std::{convert::Infallible, fs};

/// A pack, walked from its beginning, its entries read, and continued.
pub(crate) fn pack(bytes: &[u8]) -> bool {
    let scratch = Scratch::new("pack");
    let disk = Disk::open(scratch.path(), u64::MAX).expect("an empty folder opens");
    fs::write(scratch.path().join("packs/00000000.pack"), bytes).expect("the scratch folder takes a file");
    let (mut at, mut entries) = (0, 0);
    while let Some(entry) = disk.entry(0, at).expect("the pack is there") {
        assert!(entry.next > at && entry.next <= bytes.len() as u64);
        let read = disk.read(&entry.digest, entry.place).expect("an entry lies in its pack");
        let Place::Pack { at: begin, .. } = entry.place else { panic!("an entry lies in its pack") };
        assert_eq!(read, bytes[begin as usize..][..read.len()]);
        (at, entries) = (entry.next, entries + 1);
    }
    let _ = disk.sealed().expect("the packs are listed");
    entries > 0
}

/// A place that a damaged index names: of a pack of some bytes, so much at such a place.
pub(crate) fn place(bytes: &[u8]) -> bool {
    let Some((at, rest)) = bytes.split_first_chunk() else { return false };
    let Some((len, rest)) = rest.split_first_chunk() else { return false };
    let place = Place::Pack { segment: 0, at: u64::from_be_bytes(*at), len: u32::from_be_bytes(*len) };
    let scratch = Scratch::new("place");
    let disk = Disk::open(scratch.path(), u64::MAX).expect("an empty folder opens");
    fs::write(scratch.path().join("packs/00000000.pack"), rest).expect("the scratch folder takes a file");
    let _ = disk.entry(0, u64::from_be_bytes(*at));
    disk.read(&[0; 32], place).is_ok()
}

/// A node of a file, walked as if all its children were itself.
pub(crate) fn unixfs(bytes: &[u8]) -> bool {
    let block = Bytes::copy_from_slice(bytes);
    let parsed = unixfs::node(&block);
    if let Ok(node) = &parsed {
        let declared = node.sizes.iter().try_fold(node.data.len() as u64, |sum, size| sum.checked_add(*size));
        assert_eq!(declared, Some(node.filesize));
        assert_eq!(node.links.len(), node.sizes.len());
    }
    let mut walk = Walk::new(cid::of(cid::DAG_PB, bytes));
    let mut given = 0;
    for _ in 0..200 {
        if walk.wants().is_none() {
            assert_eq!(Some(given), walk.size(), "all bytes of the file were given");
            break;
        }
        match walk.take(block.clone()) {
            Ok(data) => given += data.len() as u64,
            Err(_) => break,
        }
    }
    assert!(walk.size().is_none_or(|size| given <= size));
    parsed.is_ok()
}

/// Nodes of a file of some leaves.
pub(crate) fn nodes() -> Vec<Vec<u8>> {
    let mut found = vec![];
    let mut emit = |_, block: Vec<u8>| -> Result<(), Infallible> {
        found.push(block);
        Ok(())
    };
    let mut layout = Layout::default();
    for n in 0..3u8 {
        layout.leaf(&[n], &mut emit).expect("nothing fails here");
    }
    layout.finish(&mut emit).expect("nothing fails here");
    // A leaf wrapped as kubo does it, and the empty file.
    found.push(b"\x0a\x07\x08\x02\x12\x01x\x18\x01".to_vec());
    found.push(vec![0x0a, 0x04, 0x08, 0x02, 0x18, 0x00]);
    found
}

/// A pack of two blocks.
pub(crate) fn packs() -> Vec<Vec<u8>> {
    let entry = |bytes: &[u8]| {
        let body = [&(bytes.len() as u32).to_be_bytes()[..], &cid::digest(bytes), bytes].concat();
        [&body[..], &crc32c::crc32c(&body).to_be_bytes()].concat()
    };
    vec![[entry(b"one"), entry(b"two, longer")].concat(), entry(b"")]
}
