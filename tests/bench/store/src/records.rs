//! What is stored: records of about 1.5 kB, and what each of them changes in the index, as the store itself has it.

use anyhow::{Context as _, Result, anyhow};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, BufWriter, ErrorKind, Read, Write},
    path::Path,
    sync::{Arc, Mutex},
};
use toft::{
    cid,
    dwn::{Change, Stop, Subject},
    store::{Data, Hold},
};

use crate::engines::Pair;

pub const ALICE: &str = "did:example:alice";

pub fn id(n: u64) -> String {
    cid::of(cid::DAG_CBOR, &n.to_be_bytes()).to_string()
}

pub fn time(n: u64) -> String {
    format!("2026-01-01T00:{:02}:{:02}.{:06}Z", n / 60_000_000 % 60, n / 1_000_000 % 60, n % 1_000_000)
}

pub fn protocol(n: u64) -> String {
    format!("http://example.com/protocol/{}", n % 7)
}

/// A record of about 1.5 kB with 240 bytes of data, new to the store.
pub fn record(n: u64) -> Result<(Change, Data), Stop> {
    let (id, time) = (id(n), time(n));
    let bytes = n.to_be_bytes().repeat(30);
    let root = cid::of(cid::RAW, &bytes);
    // A signature does not compress; nothing real is as long and as regular as a run of one letter.
    let noise = |length: usize| -> String {
        (0..length as u64 / 59 + 1).map(|i| self::id(n << 8 | i)).collect::<String>()[..length].to_owned()
    };
    let message = serde_json::json!({
        "recordId": id, "contextId": id,
        "descriptor": {
            "interface": "Records", "method": "Write", "dataFormat": "application/json", "dataSize": bytes.len(),
            "dataCid": root.to_string(), "dateCreated": time, "messageTimestamp": time,
            "published": n.is_multiple_of(3),
            "protocol": protocol(n), "protocolPath": "thread/message",
            "schema": "http://example.com/schema/message", "recipient": format!("did:example:{}", n % 100),
        },
        "authorization": {"signature": {"payload": noise(300), "signatures": [{"protected": noise(120),
            "signature": noise(86)}]}},
    });
    let change = Change {
        data: Some((root, bytes.len() as u64)),
        ..Change::initial(ALICE, Subject::Record(id), message)?
    };
    let size = bytes.len() as u64;
    Ok((change, Data { root, size, inline: Some(bytes.into()), blocks: Vec::new(), hold: Hold::default() }))
}

/// One record: its message and what it changes in the index.
pub struct Piece {
    pub position: u64,
    pub message: Vec<u8>,
    pub changes: Vec<Pair>,
}

/// A record that is asked for: its number, its key, and its key among those of its protocol.
#[derive(Clone)]
pub struct Sample {
    pub n: u64,
    pub record: Vec<u8>,
    pub by: Vec<u8>,
}

fn put(out: &mut impl Write, bytes: &[u8]) -> Result<()> {
    out.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
    Ok(out.write_all(bytes)?)
}

fn take(input: &mut impl Read) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Writes every record that the store in this process indexes into `dir`, from now on, and returns what ends that.
pub fn record_into(dir: &Path, samples: impl Iterator<Item = u64>) -> Result<impl FnOnce() -> Result<()>> {
    let wanted: HashMap<Vec<u8>, u64> = samples.map(|n| (id(n).into_bytes(), n)).collect();
    let pieces = BufWriter::with_capacity(1 << 20, File::create(dir.join("pieces"))?);
    let chosen = BufWriter::new(File::create(dir.join("samples"))?);
    let state = Arc::new(Mutex::new((pieces, chosen)));
    let mine = state.clone();
    toft::store::tap(Box::new(move |position, message, changes| {
        let mut state = mine.lock().expect("nobody panics here");
        let (pieces, chosen) = &mut *state;
        let written = (|| -> Result<()> {
            pieces.write_all(&position.to_le_bytes())?;
            put(pieces, message)?;
            pieces.write_all(&u32::try_from(changes.len())?.to_le_bytes())?;
            for (key, value) in changes {
                put(pieces, key)?;
                pieces.write_all(&[u8::from(value.is_some())])?;
                put(pieces, value.unwrap_or_default())?;
            }
            let record = changes.iter().find(|(key, _)| key.first() == Some(&RECORD));
            let Some((record, _)) = record else { return Ok(()) };
            let Some(n) = record.get(5..).and_then(|id| wanted.get(id)) else { return Ok(()) };
            let by = changes.iter().find(|(key, _)| key.first() == Some(&BY) && key.get(5..7) == Some(&[1, 0]));
            let (by, _) = by.context("a record without a protocol")?;
            chosen.write_all(&n.to_le_bytes())?;
            put(chosen, record)?;
            put(chosen, by)
        })();
        written.expect("the disk takes what the bench writes down");
    }));
    Ok(move || {
        let mut state = state.lock().map_err(|_| anyhow!("the bench panicked"))?;
        state.0.flush()?;
        Ok(state.1.flush()?)
    })
}

/// First bytes of keys, as `docs/formats.md` has them.
pub const ROW: u8 = 0x01;
pub const MESSAGE: u8 = 0x02;
const RECORD: u8 = 0x04;
const BY: u8 = 0x10;
/// Where the other engines keep messages: tenant, position.
pub const BODY: u8 = 0xF0;

pub fn pieces(dir: &Path) -> Result<impl Iterator<Item = Result<Piece>>> {
    let mut input = BufReader::with_capacity(1 << 20, File::open(dir.join("pieces"))?);
    Ok(std::iter::from_fn(move || {
        let mut eight = [0; 8];
        match input.read_exact(&mut eight) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) => return Some(Err(error.into())),
            Ok(()) => {}
        }
        Some((|| {
            let message = take(&mut input)?;
            let mut count = [0; 4];
            input.read_exact(&mut count)?;
            let mut changes = Vec::new();
            for _ in 0..u32::from_le_bytes(count) {
                let key = take(&mut input)?;
                let mut is = [0];
                input.read_exact(&mut is)?;
                let value = take(&mut input)?;
                changes.push((key, (is == [1]).then_some(value)));
            }
            Ok(Piece { position: u64::from_le_bytes(eight), message, changes })
        })())
    }))
}

pub fn samples(dir: &Path) -> Result<Vec<Sample>> {
    let mut input = BufReader::new(File::open(dir.join("samples"))?);
    let mut found = Vec::new();
    let mut eight = [0; 8];
    while input.read_exact(&mut eight).is_ok() {
        found.push(Sample { n: u64::from_le_bytes(eight), record: take(&mut input)?, by: take(&mut input)? });
    }
    Ok(found)
}

/// Key of a message's bytes in the engines beside the store.
pub fn body(position: u64) -> Vec<u8> {
    [&[BODY, 0, 0, 0, 1], position.to_be_bytes().as_slice()].concat()
}

/// Position and message key of a record's newest message, from its row.
pub fn newest(row: &[u8]) -> Result<(u64, Vec<u8>)> {
    let (mut position, mut at) = (0, 1);
    loop {
        let byte = *row.get(at).context("a record's row ends early")?;
        position |= u64::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte < 0x80 {
            break;
        }
    }
    let digest = row.get(at..at + 32).context("a record's row ends early")?;
    Ok((position, [&[MESSAGE, 0, 0, 0, 1], digest].concat()))
}
