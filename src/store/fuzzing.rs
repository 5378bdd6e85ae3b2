//! Seam for `crate::fuzzing`: what the store reads from its disk. Frames whose checksums hold are made here, since no
//! fuzzer finds a checksum.

use super::{
    config::Config,
    health::Health,
    log::{
        Appender, CachedMessage, Log, Read,
        frame::{self, Decoded, Frame, HEADER, MAGIC, Moved, Newer, StoredPlace, Stub},
    },
    place::Position,
    recover,
    rows::{
        keys,
        row::{self, EventRow, MessageRow, RecordRow, Row, Stats},
    },
};
use crate::{
    cid,
    dwn::{Change, Fault, Subject},
};
use serde_bytes::{ByteArray, ByteBuf};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The payload of a frame.
pub(crate) fn payload(bytes: &[u8]) -> bool {
    let Ok(Decoded { frame, at }) = frame::decode(bytes) else { return false };
    if let Frame::Message(message) = &frame {
        let _ = (message.damage(), message.data.as_ref().map(|data| data.root()));
        if let Ok(json) = message.json() {
            let cached = CachedMessage::read(bytes).expect("what is read whole is read to be cached");
            let kept = cached.kept().expect("no stub");
            assert_eq!((kept.cid, &*kept.author, &kept.message), (message.cid(), message.author.as_str(), &json));
            assert_eq!(cached.inline().map(|d| &**d), message.inline.as_ref().map(|d| &***d));
        }
    }
    let once = written(&frame, at);
    let Decoded { frame, at: again } = frame::decode(&once[HEADER..]).expect("what was written is read");
    assert_eq!((again, written(&frame, at)), (Some(at.unwrap_or(0)), once));
    true
}

fn written(frame: &Frame, at: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    frame::encode(frame, Some(at.unwrap_or(0)), 0, 0, &mut out).expect("a frame that was read is not too long");
    out
}

/// A header. The checksum in it is made to fit.
pub(crate) fn header(bytes: &[u8]) -> bool {
    let Some((position, rest)) = bytes.split_first_chunk() else { return false };
    let Some(header) = rest.first_chunk::<HEADER>() else { return false };
    let position = u64::from_be_bytes(*position);
    let _ = frame::header(position, header);
    let mut header = *header;
    header[..3].copy_from_slice(MAGIC);
    seal(position, &mut header);
    let Ok(Ok(head)) = frame::header(position, &header) else { return false };
    let mut same = header;
    same[4..8].copy_from_slice(&head.length.to_be_bytes());
    same[8..16].copy_from_slice(&head.group.to_be_bytes());
    same[16..20].copy_from_slice(&head.crc.to_be_bytes());
    assert_eq!(same, header);
    true
}

fn seal(position: Position, header: &mut [u8]) {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&position.to_be_bytes()), &header[..20]);
    header[20..24].copy_from_slice(&crc.to_be_bytes());
}

/// Segments made of what the input says, opened: what verifies is read, what is cut off stays off.
pub(crate) fn segments(bytes: &[u8]) -> bool {
    let scratch = Scratch::new("log");
    lay(bytes, scratch.path());
    let health = Arc::new(Health::default());
    let Ok((log, tail)) = Log::open(scratch.path(), health.clone()) else { return false };
    let (mut at, mut frames) = (0, 0);
    while at < tail.end {
        let read = match log.read(at) {
            Err(error) if error.is::<Newer>() => return false,
            read => read.expect("the files are there"),
        };
        match read {
            Read::Gone { next } => {
                assert!(next > at && next <= tail.end, "{at} {next} {}", tail.end);
                at = next;
            }
            Read::Frame { next, .. } => {
                assert!(next > at && next <= tail.end, "{at} {next} {}", tail.end);
                (at, frames) = (next, frames + 1);
            }
            Read::End => break,
            Read::Bad(_) => match log.resync(at) {
                Err(error) if error.is::<Newer>() => return false,
                next => match next.expect("the files are there") {
                    Some(next) => {
                        assert!(next > at);
                        at = next;
                    }
                    None => break,
                },
            },
        }
    }
    for damage in &tail.damage {
        assert!(damage.from < damage.to && damage.to <= tail.end, "{damage}");
    }
    let Ok(appender) = Appender::open(log, tail.end, u64::MAX) else { return false };
    drop(appender);
    let (_, again) = Log::open(scratch.path(), health).expect("opens again");
    assert_eq!((again.end, again.torn), (tail.end, 0));
    frames > 0
}

/// The same, with an index built from it, twice.
pub(crate) fn recovery(bytes: &[u8]) -> bool {
    let scratch = Scratch::new("store");
    let log = scratch.path().join("log");
    fs::create_dir_all(&log).expect("a folder");
    lay(bytes, &log);
    let open = || -> Result<(Position, Vec<u8>), Fault> {
        let health = Arc::new(Health::default());
        let opened = recover::open(scratch.path(), &Config::default(), &health)?;
        recover::finish(opened.rest, (&opened.index, &opened.log), &health, |_, _| true)?;
        let stats = opened.index.get(&keys::meta("stats"))?.unwrap_or_default();
        Ok((opened.end, stats))
    };
    let Ok(first) = open() else { return false };
    fs::remove_dir_all(scratch.path().join("index")).expect("the index is there");
    assert_eq!(open().expect("opens again"), first, "a rebuilt index agrees");
    Stats::decode(&first.1).is_ok_and(|stats| stats.messages > 0)
}

/// Instructions of the input, each a byte and its operands: a new segment at a place, a frame with a payload, the same
/// with a wrong group, bytes as they are.
fn lay(mut bytes: &[u8], dir: &Path) {
    let (mut start, mut group, mut out): (Position, Position, Vec<u8>) = (0, 0, Vec::new());
    let put = |start: Position, out: &[u8]| {
        fs::write(dir.join(format!("{start:020}.log")), out).expect("the scratch folder takes a file");
    };
    let mut segments = 0;
    while let Some((&op, rest)) = bytes.split_first() {
        bytes = rest;
        let here = start.wrapping_add(out.len() as u64);
        match op % 8 {
            0 => {
                put(start, &out);
                let Some((place, rest)) = bytes.split_first_chunk() else { break };
                bytes = rest;
                let place = u64::from_be_bytes(*place);
                start = if op < 128 { here } else { place };
                (group, segments) = (start, segments + 1);
                out.clear();
                if segments > 8 {
                    return;
                }
            }
            1..=4 => {
                let operand = take(&mut bytes);
                group = if op % 8 == 1 { here } else { group };
                let payload = match op % 8 {
                    1 | 2 => SEEDS.with(|seeds| seeds[operand.len() % seeds.len()].clone()),
                    _ => operand.to_vec(),
                };
                let mut head = [0; HEADER];
                head[..3].copy_from_slice(MAGIC);
                head[3] = 1;
                head[4..8].copy_from_slice(&(payload.len() as u32).to_be_bytes());
                head[8..16].copy_from_slice(&group.to_be_bytes());
                head[16..20].copy_from_slice(&crc32c::crc32c(&payload).to_be_bytes());
                seal(here, &mut head);
                out.extend_from_slice(&head);
                out.extend_from_slice(&payload);
            }
            5 => out.truncate(out.len().saturating_sub(take(&mut bytes).len())),
            // What is there, with what follows, as a compacted segment whose header and table verify.
            6 => {
                let operand = take(&mut bytes);
                let frames = operand.len() / 8;
                let mut head = [0; HEADER];
                head[..3].copy_from_slice(MAGIC);
                head[3] = frame::COMPACTED_VERSION;
                head[4..8].copy_from_slice(&(frames as u32).to_be_bytes());
                head[8..16].copy_from_slice(&start.wrapping_add(1 << (op >> 3)).to_be_bytes());
                let table = &operand[operand.len() - frames * 8..];
                head[16..20].copy_from_slice(&crc32c::crc32c(table).to_be_bytes());
                seal(start, &mut head);
                out = [head.as_slice(), &out, operand].concat();
            }
            _ => out.extend_from_slice(take(&mut bytes)),
        }
    }
    put(start, &out);
}

/// An operand: its length in two bytes, then itself, as far as there is of it.
fn take<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, rest)) = bytes.split_first_chunk() else { return std::mem::take(bytes) };
    let (operand, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length) % 2048).min(rest.len()));
    *bytes = rest;
    operand
}

std::thread_local! {
    static SEEDS: Vec<Vec<u8>> = payloads();
}

/// Payloads of every kind.
pub(crate) fn payloads() -> Vec<Vec<u8>> {
    let state = Frame::State(vec![(b"k".to_vec().into(), Some(b"v".to_vec().into())), (b"l".to_vec().into(), None)]);
    let moved =
        Moved { drops: vec![ByteArray::new([1; 32])], moves: vec![(ByteArray::new([2; 32]), StoredPlace(1, 2, 3, 4))] };
    let stub = Stub {
        tenant: "did:example:a".into(),
        subject: frame::About::Record("r0".into()),
        cid: ByteArray::new([3; 32]),
        initial: true,
        parent: Some("r1".into()),
        data: None,
        inline: None,
        keeps_data: true,
        demotes: Vec::new(),
        removes: vec![ByteArray::new([4; 32])],
        blocks: vec![(ByteArray::new([2; 32]), StoredPlace(1, 2, 3, 4))],
    };
    let frames = [state, Frame::Blocks(moved), Frame::Stub(Box::new(stub))];
    let mut out: Vec<Vec<u8>> = frames.iter().map(|frame| written(frame, Some(7))[HEADER..].to_vec()).collect();
    for n in 0..3u8 {
        let message = json!({"recordId": format!("r{n}"), "descriptor": {
            "interface": "Records", "method": "Write", "protocol": "http://a", "protocolPath": "t", "dataFormat": "text/plain",
            "dateCreated": "2026-01-01T00:00:00.000000Z", "messageTimestamp": "2026-01-01T00:00:00.000000Z",
            "tags": {"a": [1, 2]}, "published": n == 1, "dataSize": 1,
        }, "contextId": "r0"});
        let (named, _) = cid::of_json(&message).expect("encodes");
        let data = cid::of(cid::RAW, &[n]);
        let subject = if n == 2 { Subject::Protocol("http://a".into()) } else { Subject::Record(format!("r{n}")) };
        let change = Change {
            data: Some((data, 1)),
            keeps_data: n == 1,
            removes: vec![named],
            ..Change::initial("did:example:a", subject, message).expect("encodes")
        };
        let mut frame = frame::MessageFrame::new(&change, None).expect("a frame");
        frame.inline = (n == 0).then(|| ByteBuf::from(vec![n]));
        frame.blocks = vec![(ByteArray::new([n; 32]), StoredPlace(2, 0, 0, 70_000))];
        out.push(written(&Frame::Message(Box::new(frame)), Some(8))[HEADER..].to_vec());
    }
    out
}

/// Layouts: whole frames, a torn end, a gap, damage in the middle.
pub(crate) fn layouts() -> Vec<Vec<u8>> {
    let frame = |op: u8, n: u8| [&[op, 0, n][..], &vec![0; usize::from(n)]].concat();
    let whole: Vec<u8> = (0..5).flat_map(|n| frame(1, n)).collect();
    let noise = [7, 0, 3, 1, 2, 3];
    let next = [0; 9];
    let far = [&[128][..], &4096_u64.to_be_bytes()].concat();
    vec![
        whole.clone(),
        [&whole[..], &frame(2, 2), &noise].concat(),
        [&noise[..], &whole].concat(),
        [&whole[..], &next, &whole, &[5, 0, 9], &[0; 9]].concat(),
        [&whole[..], &far, &whole].concat(),
    ]
}

/// Rows of every kind. The first byte says which.
pub(crate) fn row(bytes: &[u8]) -> bool {
    let Some((kind, bytes)) = bytes.split_first() else { return false };
    let kind = kind % 6;
    let Some(once) = through(kind, bytes) else { return false };
    assert_eq!(through(kind, &once).as_ref(), Some(&once), "kind {kind}");
    true
}

fn through(kind: u8, bytes: &[u8]) -> Option<Vec<u8>> {
    match kind {
        0 => Row::decode(bytes).ok().map(|row| row.encode()),
        1 => MessageRow::decode(bytes).ok().map(|row| row.encode()),
        2 => RecordRow::decode(bytes).ok().map(|row| row.encode()),
        3 => EventRow::decode(bytes).ok().map(|row| row.encode()),
        4 => row::decode_place(bytes).ok().map(row::encode_place),
        _ => Stats::decode(bytes).ok().map(|stats| stats.encode()),
    }
}

/// One row of each kind.
pub(crate) fn rows() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for payload in payloads() {
        let Ok(Decoded { frame: Frame::Message(message), .. }) = frame::decode(&payload) else { continue };
        let json = message.json().expect("JSON");
        let values = crate::dwn::index_values(&json, &message.author, crate::dwn::First::default(), true);
        let digest = *message.cid;
        found.push([&[0][..], &Row { digest, values: values.clone() }.encode()].concat());
        found.push([&[3][..], &EventRow::new(digest, &values, true).encode()].concat());
        let data = Some(row::DataRow { root: message.cid(), size: 1, inline: Some(0), is_elsewhere: false });
        let subject = message.subject.clone();
        let row = MessageRow { position: 300, latest: true, stub: false, scope: 7, subject, data };
        found.push([&[1][..], &row.encode()].concat());
        let row = RecordRow {
            initial: Some((1, digest)),
            newest: (300, digest),
            latest: true,
            parent: Some("a".into()),
            author: Some("did:example:b".into()),
        };
        found.push([&[2][..], &row.encode()].concat());
    }
    found.push(vec![4, 1, 2, 3, 4]);
    found.push(vec![5, 1, 2, 3, 4]);
    found
}

/// A folder of one run; gone afterwards.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(kind: &str) -> Self {
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let path = std::env::temp_dir().join(format!("toft-fuzz-{kind}-{}-{thread}", std::process::id()));
        let _ = fs::remove_dir_all(&path); // of a run that was killed
        fs::create_dir_all(&path).expect("the folder for temporary files can be written to");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // it lies among temporary files
    }
}
