//! A page: some kilobytes of sorted entries, as bytes. Pure.
//!
//! Entries stand in chunks; the first of a chunk has its whole key, the others what differs from the key before. So one
//! entry is found by comparing first keys and reading one chunk. The chunks' offsets stand at the end of the page.

use super::entry::Entry;
use anyhow::{Context as _, Error as Fault, anyhow, bail, ensure};
use std::cmp::Ordering;

/// Entries of a chunk.
const CHUNK: usize = 16;

/// Makes a page of entries that come in key order.
#[derive(Debug, Default)]
pub struct Builder {
    bytes: Vec<u8>,
    chunks: Vec<u32>,
    last: Vec<u8>,
    entries: usize,
}

impl Builder {
    pub fn add(&mut self, (key, value): Entry<'_>) {
        let shared = if self.entries.is_multiple_of(CHUNK) {
            self.chunks.push(self.bytes.len() as u32);
            0
        } else {
            key.iter().zip(&self.last).take_while(|(a, b)| a == b).count()
        };
        let rest = key.get(shared..).unwrap_or_default();
        put(&mut self.bytes, shared);
        put(&mut self.bytes, rest.len());
        put(&mut self.bytes, value.map_or(0, |value| value.len() + 1));
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        self.entries += 1;
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The page, with its checksum; the builder is empty again.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut page = std::mem::take(&mut self.bytes);
        for chunk in self.chunks.drain(..) {
            page.extend_from_slice(&chunk.to_le_bytes());
        }
        page.extend_from_slice(&(self.entries.div_ceil(CHUNK) as u32).to_le_bytes());
        let sum = crc32c::crc32c(&page);
        page.extend_from_slice(&sum.to_le_bytes());
        self.entries = 0;
        self.last.clear();
        page
    }
}

/// A page that is read.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    body: &'a [u8],
    offsets: &'a [[u8; 4]],
}

impl<'a> Page<'a> {
    /// An error if these are not the bytes that were written.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let (page, sum) = bytes.split_last_chunk().context("a page of the index is too short")?;
        ensure!(crc32c::crc32c(page) == u32::from_le_bytes(*sum), "a page of the index has changed on the disk");
        Self::again(bytes)
    }

    /// The page of bytes that have been verified.
    pub fn again(bytes: &'a [u8]) -> Result<Self, Fault> {
        let (page, _) = bytes.split_last_chunk::<4>().context("a page of the index is too short")?;
        let (rest, count) = page.split_last_chunk().context("a page of the index has no end")?;
        let count = u32::from_le_bytes(*count) as usize;
        let at = rest.len().checked_sub(count.saturating_mul(4)).context("a page of the index has too many chunks")?;
        let (body, offsets) = rest.split_at(at);
        ensure!(count > 0, "a page of the index is empty");
        Ok(Self { body, offsets: offsets.as_chunks().0 })
    }

    pub fn chunks(&self) -> usize {
        self.offsets.len()
    }

    /// The chunk that holds the last key for which `before` holds, if all that it holds for come first.
    pub fn find(&self, mut before: impl FnMut(&[u8]) -> bool) -> Result<Option<usize>, Fault> {
        let (mut low, mut high) = (0, self.chunks());
        while low < high {
            let middle = usize::midpoint(low, high);
            if before(self.first(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low.checked_sub(1))
    }

    fn first(&self, chunk: usize) -> Result<&'a [u8], Fault> {
        let mut bytes = self.bytes(chunk)?;
        let (_, length, _) = (take(&mut bytes)?, take(&mut bytes)?, take(&mut bytes)?);
        bytes.get(..length).context("a key in the index is cut off")
    }

    fn bytes(&self, chunk: usize) -> Result<&'a [u8], Fault> {
        let offset = |n: usize| self.offsets.get(n).map(|bytes| u32::from_le_bytes(*bytes) as usize);
        let from = offset(chunk).context("a page of the index has no such chunk")?;
        self.body.get(from..offset(chunk + 1).unwrap_or(self.body.len())).context("a chunk in the index is cut off")
    }

    /// What a chunk says of a key.
    pub fn value(&self, chunk: usize, wanted: &[u8]) -> Result<Option<Option<&'a [u8]>>, Fault> {
        let mut bytes = self.bytes(chunk)?;
        // As long as what was read agrees with the wanted key, it need not be kept: how far it agrees says enough.
        let mut agreed = 0;
        while !bytes.is_empty() {
            let (shared, rest, value) = (take(&mut bytes)?, take(&mut bytes)?, take(&mut bytes)?);
            let Some((rest, after)) = bytes.split_at_checked(rest) else { bail!("a key in the index is cut off") };
            let length = value.saturating_sub(1);
            let Some((found, after)) = after.split_at_checked(length) else { bail!("a value in the index is cut off") };
            bytes = after;
            // It shares more with the key before than that does with the wanted one: it differs where that did.
            if shared > agreed {
                continue;
            }
            let left = wanted.get(shared..).unwrap_or_default();
            let same = rest.iter().zip(left).take_while(|(a, b)| a == b).count();
            agreed = shared + same;
            match rest.get(same..).unwrap_or_default().cmp(left.get(same..).unwrap_or_default()) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(Some((value > 0).then_some(found))),
                Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Reads a chunk into `out`, whose memory is used again.
    pub fn read(&self, chunk: usize, out: &mut Chunk) -> Result<(), Fault> {
        out.clear();
        let mut bytes = self.bytes(chunk)?;
        let mut last = 0..0;
        while !bytes.is_empty() {
            let (shared, rest, value) = (take(&mut bytes)?, take(&mut bytes)?, take(&mut bytes)?);
            let Some((rest, after)) = bytes.split_at_checked(rest) else { bail!("a key in the index is cut off") };
            let (value, after) = match value.checked_sub(1) {
                None => (None, after),
                Some(length) => {
                    let (value, after) = after.split_at_checked(length).context("a value in the index is cut off")?;
                    (Some(value), after)
                }
            };
            bytes = after;
            let begin = out.keys.len();
            ensure!(shared <= last.len(), "a key in the index shares more than there is");
            out.keys.extend_from_within(last.start..last.start + shared);
            out.keys.extend_from_slice(rest);
            last = begin..out.keys.len();
            out.values.extend_from_slice(value.unwrap_or_default());
            out.entries.push(Place { key: last.end, value: out.values.len(), gone: value.is_none() });
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where its key ends; it begins where the one before ends.
    key: usize,
    /// The same of its value.
    value: usize,
    gone: bool,
}

/// The entries of a chunk.
#[derive(Debug, Default)]
pub struct Chunk {
    keys: Vec<u8>,
    values: Vec<u8>,
    entries: Vec<Place>,
}

impl Chunk {
    pub fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
        self.entries.clear();
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, at: usize) -> Option<Entry<'_>> {
        let place = self.entries.get(at)?;
        let (key, value) = match at.checked_sub(1).and_then(|before| self.entries.get(before)) {
            Some(before) => (before.key, before.value),
            None => (0, 0),
        };
        let value = if place.gone { None } else { self.values.get(value..place.value) };
        Some((self.keys.get(key..place.key)?, value))
    }

    /// How many entries stand before the first whose key is not `before`.
    pub fn count(&self, mut before: impl FnMut(&[u8]) -> bool) -> usize {
        (0..self.len()).take_while(|at| self.get(*at).is_some_and(|(key, _)| before(key))).count()
    }
}

/// Appends a number: seven bits in a byte, the lowest first.
pub fn put(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number that [`put`] wrote.
pub fn take(bytes: &mut &[u8]) -> Result<usize, Fault> {
    let mut number = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { bail!("a number in the index is cut off") };
        *bytes = rest;
        number |= usize::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(anyhow!("a number in the index does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn page(map: &BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Vec<u8> {
        let mut builder = Builder::default();
        map.iter().for_each(|(key, value)| builder.add((key, value.as_deref())));
        builder.finish()
    }

    proptest! {
        #[test]
        fn entries_come_back(
            map in prop::collection::btree_map("[ab]{0,9}", prop::option::of("[xy]{0,200}"), 1..99),
            others in prop::collection::vec("[ab]{0,9}", 0..40),
        ) {
            let map = map.into_iter().map(|(k, v)| (k.into_bytes(), v.map(String::into_bytes))).collect();
            let bytes = page(&map);
            let page = Page::new(&bytes).expect("reads");
            let (mut found, mut chunk) = (BTreeMap::new(), Chunk::default());
            for n in 0..page.chunks() {
                page.read(n, &mut chunk).expect("reads");
                found.extend((0..chunk.len()).filter_map(|at| {
                    let (key, value) = chunk.get(at)?;
                    Some((key.to_vec(), value.map(<[u8]>::to_vec)))
                }));
            }
            prop_assert_eq!(&found, &map);
            for (key, value) in &map {
                let n = page.find(|first| first <= key.as_slice()).expect("reads").expect("is there");
                page.read(n, &mut chunk).expect("reads");
                let at = chunk.count(|other| other < key.as_slice());
                prop_assert_eq!(chunk.get(at), Some((key.as_slice(), value.as_deref())));
                prop_assert_eq!(page.value(n, key).expect("reads"), Some(value.as_deref()));
            }
            for other in others.iter().map(|other| other.as_bytes()).filter(|other| !map.contains_key(*other)) {
                if let Some(n) = page.find(|first| first <= other).expect("reads") {
                    prop_assert_eq!(page.value(n, other).expect("reads"), None);
                }
            }
        }

        #[test]
        fn bytes_of_anybody_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200), sealed: bool) {
            let mut bytes = bytes;
            if sealed {
                bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
            }
            let mut chunk = Chunk::default();
            if let Ok(page) = Page::new(&bytes) {
                let _ = page.find(|key| key < b"m".as_slice());
                for n in 0..page.chunks().min(99) {
                    let _ = page.value(n, b"m");
                    let _ = page.read(n, &mut chunk);
                }
            }
        }

        #[test]
        fn a_changed_page_is_refused(at in 0..1000_usize, bit in 0..8) {
            let map = (0..40_u8).map(|n| (vec![n, 1, 2], Some(vec![n; 9]))).collect();
            let mut bytes = page(&map);
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(Page::new(&bytes).is_err());
        }
    }
}
