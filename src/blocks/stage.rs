//! Data on its way in.

use super::{
    disk::{self, Touched},
    handle::Blocks,
    holds::Held,
    unixfs,
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::{self, Fault, Stop},
    memory,
    store::{Data, Hold, Place},
};
use bytes::Bytes;

/// Data on its way in: nothing refers to it yet, and it holds its blocks against collection until its data is
/// committed or dropped. Dropped, it leaves no temporary file; blocks it has already written stay as waste until
/// collected, or until the same data comes again.
///
/// Memory: one chunk, and 40 bytes for each chunk before it.
#[derive(Debug)]
pub struct Stage {
    blocks: Blocks,
    chunk: Vec<u8>,
    layout: unixfs::Layout,
    writer: Writer,
    size: u64,
}

#[derive(Debug)]
struct Writer {
    blocks: Blocks,
    places: Vec<(Digest, Place)>,
    held: Held,
    touched: Touched,
}

impl Blocks {
    /// Starts staging.
    pub fn stage(&self) -> Stage {
        Stage::new(self.clone())
    }
}

impl Stage {
    fn new(blocks: Blocks) -> Self {
        let held = Held::new(blocks.0.holds.clone());
        let writer = Writer { blocks: blocks.clone(), places: Vec::new(), held, touched: Touched::default() };
        Self { blocks, chunk: Vec::new(), layout: unixfs::Layout::default(), writer, size: 0 }
    }

    /// Bytes taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes of the data (blocking: call on a blocking thread).
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            // A full chunk is written only when more comes: until then it may be the whole file.
            if self.chunk.len() == unixfs::CHUNK {
                self.write_chunk()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(unixfs::CHUNK - self.chunk.len()));
            if self.chunk.len() + now.len() > self.chunk.capacity() {
                // What is one piece is small; what comes in more than one is mostly a whole chunk or many.
                let len = if self.chunk.is_empty() { now.len() } else { unixfs::CHUNK };
                let begun = std::mem::replace(&mut self.chunk, memory::room(len));
                self.chunk.extend_from_slice(&begun);
            }
            self.chunk.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// All bytes are in: root CID, size, places; block files are durable when this returns.
    pub fn finish(mut self) -> Result<Data, Fault> {
        if self.size <= dwn::INLINE_MAX {
            let root = cid::of(cid::RAW, &self.chunk);
            let inline = Some(Bytes::from(self.chunk));
            return Ok(Data { root, size: self.size, inline, blocks: Vec::new(), hold: Hold::default() });
        }
        self.write_chunk()?;
        let Self { blocks, layout, mut writer, size, .. } = self;
        let root = layout.finish(&mut |cid, bytes| writer.write(&cid, &bytes))?;
        blocks.0.disk.sync(writer.touched)?;
        // Each was written, or found whole, just now.
        for (digest, _) in &writer.places {
            blocks.damage().clear(digest);
        }
        Ok(Data { root, size, inline: None, blocks: writer.places, hold: Hold::new(writer.held) })
    }

    fn write_chunk(&mut self) -> Result<(), Fault> {
        match self.blocks.0.store.room() {
            Ok(()) => {}
            // Found again by whoever answers the client.
            Err(Stop::Refusal(refusal)) => return Err(refusal.into()),
            Err(Stop::Fault(fault)) => return Err(fault),
        }
        let Self { chunk, layout, writer, .. } = self;
        let leaf = layout.leaf(chunk, &mut |cid, bytes| writer.write(&cid, &bytes))?;
        writer.write(&leaf, chunk)?;
        chunk.clear();
        Ok(())
    }
}

impl Writer {
    fn write(&mut self, cid: &Cid, bytes: &[u8]) -> Result<(), Fault> {
        let Some(digest) = cid::sha256_of(cid) else { return Ok(()) };
        // Held before it is looked for, so that what is found stays.
        if !self.held.block(&digest) {
            return Ok(());
        }
        let place = match self.present(&digest, bytes)? {
            Some(place) => place,
            None => self.blocks.0.disk.write(&digest, bytes, &mut self.touched, &mut self.held)?,
        };
        self.places.push((digest, place));
        Ok(())
    }

    /// Where the block lies already, whole. A place in the log does not count: it goes when the log is compacted.
    fn present(&mut self, digest: &Digest, bytes: &[u8]) -> Result<Option<Place>, Fault> {
        let store = &self.blocks.0.store;
        let Some(place @ Place::Pack { segment, .. }) = store.place(digest)? else { return Ok(None) };
        self.held.pack(segment);
        // Another stage may have given the block another place before the pack was held.
        if store.place(digest)? != Some(place) {
            return Ok(None);
        }
        let found = self.blocks.0.disk.read(digest, place);
        Ok(found.is_ok_and(|found| found == bytes).then_some(place))
    }
}

// `disk::FILE_MIN` must lie below a chunk, or full chunks would go to packs.
const _: () = assert!(disk::FILE_MIN < unixfs::CHUNK);
