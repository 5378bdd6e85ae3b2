//! How frames lie on the stream after the handshake: many in one chunk, packed (deflate) with what was said before in view, since
//! messages are alike. Data goes as it is.
//!
//! A chunk is its length (u32, big-endian; the highest bit: it is packed) and its bytes. Unpacked it is frames, each a length and
//! a DAG-CBOR value. A packed chunk goes on where the one before ended: its window is what was said last, 32 KiB.
//!
//! Who reads unpacks as much as the next frame takes and no more: what a chunk would become is never held.

use super::{
    frame::Frame,
    wire::{FRAME_MAX, decode, encode},
};
use anyhow::{Context as _, Error, anyhow, bail};
use miniz_oxide::{
    DataFormat, MZError, MZFlush,
    deflate::{
        core::{CompressorOxide, create_comp_flags_from_zip_params},
        stream::deflate,
    },
    inflate::stream::{InflateState, inflate},
};
use std::fmt;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The mark of a packed chunk.
const PACKED: u32 = 1 << 31;
/// Bytes of frames from which on a chunk is sent, whatever follows.
const BATCH: usize = 64 << 10;
/// Of a chunk: the largest frame behind almost a batch of others, and what packing adds where it saves nothing.
const CHUNK_MAX: usize = FRAME_MAX + (256 << 10);
/// How hard to look for what is alike (0 to 10): more costs time and saves little.
const LEVEL: i32 = 4;
/// Packed at once.
const STEP: usize = 16 << 10;

/// Writes frames.
pub struct Writer<W> {
    to: W,
    packer: Box<CompressorOxide>,
    /// Frames that wait for others to be packed with.
    batch: Vec<u8>,
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} bytes wait)", self.batch.len())
    }
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub fn new(to: W) -> Self {
        let flags = create_comp_flags_from_zip_params(LEVEL, -15, 0);
        Self { to, packer: Box::new(CompressorOxide::new(flags)), batch: Vec::new() }
    }

    /// Writes one frame, at the latest when none follows at once; bytes that went.
    pub async fn write(&mut self, frame: &Frame, more: bool) -> Result<usize, Error> {
        let bytes = encode(frame)?;
        let length = u32::try_from(bytes.len())?.to_be_bytes();
        let mut sent = 0;
        if matches!(frame, Frame::Data(..)) {
            sent += self.send_batch().await?;
            self.to.write_u32(u32::try_from(4 + bytes.len())?).await?;
            self.to.write_all(&length).await?;
            self.to.write_all(&bytes).await?;
            sent += 8 + bytes.len();
        } else {
            self.batch.extend(length);
            self.batch.extend(bytes);
        }
        if !more || self.batch.len() >= BATCH {
            sent += self.send_batch().await?;
        }
        if !more {
            self.to.flush().await?;
        }
        Ok(sent)
    }

    async fn send_batch(&mut self) -> Result<usize, Error> {
        if self.batch.is_empty() {
            return Ok(0);
        }
        let packed = self.pack()?;
        self.batch.clear();
        self.batch.shrink_to(2 * BATCH);
        self.to.write_u32(u32::try_from(packed.len())? | PACKED).await?;
        self.to.write_all(&packed).await?;
        Ok(4 + packed.len())
    }

    fn pack(&mut self) -> Result<Vec<u8>, Error> {
        let (mut packed, mut left, mut step) = (Vec::new(), &self.batch[..], vec![0; STEP]);
        loop {
            let done = deflate(&mut self.packer, left, &mut step, MZFlush::Sync);
            packed.extend(step.iter().take(done.bytes_written));
            left = left.get(done.bytes_consumed..).unwrap_or_default();
            match done.status {
                Ok(_) if left.is_empty() && done.bytes_written < STEP => return Ok(packed),
                // There is nothing more to say.
                Err(MZError::Buf) if left.is_empty() => return Ok(packed),
                Ok(_) => {}
                Err(error) => bail!("frames cannot be packed: {error:?}"),
            }
        }
    }
}

/// Reads frames.
pub struct Reader<R> {
    from: R,
    unpacker: Box<InflateState>,
    chunk: Vec<u8>,
    is_packed: bool,
    /// Of the chunk.
    read: usize,
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} of a chunk of {} bytes)", self.read, self.chunk.len())
    }
}

/// What was read.
#[derive(Debug)]
pub struct Heard {
    pub frame: Frame,
    /// Bytes of the frame.
    pub size: usize,
    /// Bytes that came for it, and for those that came with it.
    pub came: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(from: R) -> Self {
        let unpacker = InflateState::new_boxed(DataFormat::Raw);
        Self { from, unpacker, chunk: Vec::new(), is_packed: false, read: 0 }
    }

    pub async fn read(&mut self) -> Result<Heard, Error> {
        let mut came = 0;
        let mut length = [0; 4];
        loop {
            match self.take(&mut length)? {
                4 => break,
                0 => came += self.next_chunk().await?,
                _ => bail!("a chunk ends within a frame"),
            }
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > FRAME_MAX {
            bail!("a frame of {length} bytes is above the bound of {FRAME_MAX}");
        }
        let mut bytes = vec![0; length];
        if self.take(&mut bytes)? < length {
            bail!("a chunk ends within a frame");
        }
        Ok(Heard { frame: decode(&bytes)?, size: 4 + length, came })
    }

    async fn next_chunk(&mut self) -> Result<usize, Error> {
        let head = self.from.read_u32().await?;
        let length = (head & !PACKED) as usize;
        if length > CHUNK_MAX {
            bail!("a chunk of {length} bytes is above the bound of {CHUNK_MAX}");
        }
        (self.is_packed, self.read) = (head & PACKED != 0, 0);
        self.chunk.clear();
        self.chunk.shrink_to(2 * BATCH);
        self.chunk.resize(length, 0);
        self.from.read_exact(&mut self.chunk).await?;
        Ok(4 + length)
    }

    /// The next bytes of the chunk; fewer, if it ends.
    fn take(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let left = self.chunk.get(self.read..).unwrap_or_default();
            let (read, written) = match self.is_packed {
                true => unpack(&mut self.unpacker, left, rest)?,
                false => {
                    let count = left.len().min(rest.len());
                    rest.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
                    (count, count)
                }
            };
            if (read, written) == (0, 0) {
                break;
            }
            (self.read, done) = (self.read + read, done + written);
        }
        Ok(done)
    }
}

fn unpack(unpacker: &mut InflateState, left: &[u8], out: &mut [u8]) -> Result<(usize, usize), Error> {
    let done = inflate(unpacker, left, out, MZFlush::None);
    match done.status {
        Ok(_) | Err(MZError::Buf) => Ok((done.bytes_consumed, done.bytes_written)),
        Err(error) => Err(anyhow!("{error:?}")).context("a chunk is not packed as it should be"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cid,
        dwn::{create, testing},
        sync::frame::{Bytes32, Carried},
    };
    use proptest::{collection::vec, prelude::*};

    async fn read_all(mut bytes: &[u8]) -> Vec<Frame> {
        let (mut reader, mut frames) = (Reader::new(&mut bytes), vec![]);
        while let Ok(heard) = reader.read().await {
            frames.push(heard.frame);
        }
        frames
    }

    /// As somebody sends it who writes what he likes.
    fn packed(unpacked: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        writer.batch = unpacked.to_vec();
        let packed = writer.pack().expect("is packed");
        [&(packed.len() as u32 | PACKED).to_be_bytes()[..], &packed].concat()
    }

    async fn refused(bytes: &[u8]) -> String {
        let mut bytes = bytes;
        format!("{:#}", Reader::new(&mut bytes).read().await.expect_err("is refused"))
    }

    #[tokio::test]
    async fn messages_that_are_alike_take_few_bytes() {
        const RECORDS: u32 = 1000;
        let (alice, mut writer, mut plain) = (testing::person(1), Writer::new(Vec::new()), 0);
        let mut frames = vec![];
        for n in 0..RECORDS {
            let data = format!("a note that somebody has written, the {n}th of many").into_bytes();
            let write = create::Write {
                protocol: Some(("http://notes.example/p", "topic")),
                data_format: "text/plain",
                ..Default::default()
            };
            let time = format!("2026-11-21T09:{:02}:{:02}.123456Z", n / 60, n % 60);
            let told = (&testing::data_cid(&data), data.len() as u64);
            let message = create::records_write(&write, told, &time, &alice).expect("made");
            let frame = Frame::Message(0, cid::encode(&message).expect("encodes"), Carried::With(data));
            plain += encode(&frame).expect("encodes").len();
            writer.write(&frame, n % 50 != 49).await.expect("is written");
            frames.push(frame);
        }
        let (each, plain) = (writer.to.len() / RECORDS as usize, plain / RECORDS as usize);
        println!("{each} bytes a record, {plain} without packing");
        assert!(each < 800 && each * 2 < plain, "{each} bytes a record, {plain} without packing");
        assert_eq!(read_all(&writer.to).await, frames);
    }

    #[tokio::test]
    async fn data_goes_as_it_is() {
        let mut writer = Writer::new(Vec::new());
        let data = Frame::Data(Bytes32([1; 32]), 0, vec![0; 50_000]);
        let frames = [Frame::Ahead(1), data, Frame::Ahead(2)];
        for frame in &frames {
            writer.write(frame, true).await.expect("is written");
        }
        writer.write(&Frame::Ahead(3), false).await.expect("is written");
        assert!(writer.to.len() > 50_000);
        assert_eq!(read_all(&writer.to).await, [&frames[..], &[Frame::Ahead(3)]].concat());
    }

    #[tokio::test]
    async fn what_would_become_very_large_is_not_unpacked() {
        // A frame that says it is as large as its chunk becomes.
        let bomb = packed(&[&(1_u32 << 30).to_be_bytes()[..], &vec![0; 256 << 20]].concat());
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        assert!(refused(&bomb).await.contains("above the bound"));
        // Many frames: one is unpacked at a time.
        let one = encode(&Frame::Ahead(7)).expect("encodes");
        let one = [&(one.len() as u32).to_be_bytes()[..], &one].concat();
        let many = packed(&one.repeat(1 << 20));
        let mut bytes = &many[..];
        let mut reader = Reader::new(&mut bytes);
        for _ in 0..1000 {
            assert_eq!(reader.read().await.expect("is read").frame, Frame::Ahead(7));
        }
        assert!(reader.chunk.capacity() < 1 << 20);
    }

    #[tokio::test]
    async fn what_is_no_chunk_is_refused() {
        assert!(refused(&[0xFF; 8]).await.contains("chunk of 2147483647 bytes is above the bound"));
        assert!(refused(&[0, 0, 0, 2, 0, 0]).await.contains("ends within a frame"));
        assert!(refused(&[0, 0, 0, 5, 0, 0, 0, 2, 0]).await.contains("ends within a frame"));
        assert!(refused(&packed(&[0, 0, 0, 9, 1])).await.contains("ends within a frame"));
        assert!(refused(&[0x80, 0, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF]).await.contains("not packed as it should be"));
        assert!(refused(&[0, 0, 0, 5, 0, 0, 0, 1, 0xFF]).await.contains("not what this protocol speaks"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sizes in vec((0..200_000_usize, any::<bool>(), any::<bool>()), 0..12)) {
            let frames: Vec<_> = sizes.iter().map(|(size, is_data, _)| match is_data {
                true => Frame::Data(Bytes32([2; 32]), 1, vec![3; *size]),
                false => Frame::Message(1, (0..*size).map(|n| (n * n) as u8).collect(), Carried::None),
            }).collect();
            futures::executor::block_on(async {
                let mut writer = Writer::new(Vec::new());
                for (n, frame) in frames.iter().enumerate() {
                    let more = sizes[n].2 && n + 1 < frames.len();
                    writer.write(frame, more).await.expect("is written");
                }
                assert_eq!(read_all(&writer.to).await, frames);
            });
        }

        #[test]
        fn bytes_of_any_kind_are_read_or_refused(bytes in vec(any::<u8>(), 0..300), packed: bool) {
            let head = bytes.len() as u32 | if packed { PACKED } else { 0 };
            let bytes = [&head.to_be_bytes()[..], &bytes].concat();
            futures::executor::block_on(read_all(&bytes));
        }
    }
}
