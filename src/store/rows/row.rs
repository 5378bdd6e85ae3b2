//! The values of the index, in bytes. They are rebuilt from the log, so they carry one version for all
//! ([`VERSION`]): an index of another version is deleted and built again.

use crate::{
    cid::{Cid, Digest},
    dwn::{EventKind, Fault, IndexValue},
    store::{
        log::frame::{About, StoredPlace},
        place::{Place, Position},
    },
};
use anyhow::{Context as _, anyhow, bail};
use std::collections::BTreeMap;

/// Version of everything the index stores; grows with any change of keys or values.
pub const VERSION: u64 = 12;

/// Names of index properties, stored as one byte. Append only.
const PROPERTIES: [&str; 25] = [
    "interface",
    "method",
    "protocol",
    "protocolPath",
    "schema",
    "author",
    "recipient",
    "attester",
    "dataFormat",
    "dataCid",
    "dataSize",
    "dateCreated",
    "datePublished",
    "messageTimestamp",
    "published",
    "recordId",
    "entryId",
    "contextId",
    "parentId",
    "isLatestBaseState",
    "dateExpires",
    "prune",
    "delegatedGrantId",
    "permissionGrantId",
    "creator",
];
/// Stands for "the name follows".
const NAMED: u8 = 0xFF;

pub type Values = BTreeMap<String, Vec<IndexValue>>;

/// A latest state: its message and what it is indexed by.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub digest: Digest,
    pub values: Values,
}

/// A row, with as many of its values as are wanted: a query looks at a few of a dozen.
#[derive(Debug)]
pub struct Picked<'a> {
    pub digest: Digest,
    /// A property with several values comes several times.
    values: Vec<(&'a str, IndexValue)>,
}

/// What is kept of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    pub position: Position,
    pub latest: bool,
    /// The log has only a stub: the message is not kept, and what is to remove it has not come, or damage has taken it.
    pub stub: bool,
    /// Interned number of the protocol it belongs to (`dwn::scope`); 0: none.
    pub scope: u32,
    pub subject: About,
    pub data: Option<DataRow>,
}

/// Data that a message still has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRow {
    pub root: Cid,
    pub size: u64,
    /// The frame that holds the data itself.
    pub inline: Option<Position>,
    /// It was left on another device: the record names it, and holds no block of it.
    pub is_elsewhere: bool,
}

/// A record: its initial write (`None`: damage of the log took it) and its newest message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    pub initial: Option<(Position, Digest)>,
    pub newest: (Position, Digest),
    /// Is the newest a latest state? Its [`MessageRow`] says the same; who asks for a record need not ask for that too.
    pub latest: bool,
    /// The `parentId` that the initial write names.
    pub parent: Option<String>,
    /// Who began it, if that is not the tenant.
    pub author: Option<String>,
}

/// What the event log is filtered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    pub digest: Digest,
    pub interface: String,
    pub method: String,
    pub timestamp: String,
    pub protocol: Option<String>,
    /// The protocol that a permission record is tagged with.
    pub tagged: Option<String>,
    pub kind: EventKind,
}

/// Counters, kept with every batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Stats {
    /// Latest states of records.
    pub records: u64,
    /// Messages kept.
    pub messages: u64,
    /// Blocks that have a place.
    pub blocks: u64,
    /// Bytes of data that records hold; data held by two records counts twice.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A string of a row: most are CIDs and times, which have a shorter form.
    fn string(&mut self, s: &str) {
        if let Some(time) = pack_time(s) {
            self.0.push(5);
            self.0.extend_from_slice(&time);
        // The one form that comes back as it was begins so; anything else need not be tried.
        } else if let Some(cid) = Some(s).filter(|s| s.starts_with('b')).and_then(|s| Cid::try_from(s).ok())
            && cid.to_string() == s
        {
            self.0.push(4);
            self.bytes(&cid.to_bytes());
        } else {
            self.0.push(3);
            self.bytes(s.as_bytes());
        }
    }

    fn optional(&mut self, s: Option<&str>) {
        self.0.push(u8::from(s.is_some()));
        s.into_iter().for_each(|s| self.bytes(s.as_bytes()));
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let Some((head, rest)) = self.0.split_at_checked(n) else { bail!("a value of the index ends early") };
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.try_into().map_err(|_| anyhow!("a value of the index ends early"))
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[b]| b)
    }

    fn number(&mut self) -> Result<u64, Fault> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        bail!("a number in the index does not end")
    }

    fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let n = self.number()?;
        self.take(usize::try_from(n)?)
    }

    fn string(&mut self) -> Result<String, Fault> {
        Ok(std::str::from_utf8(self.bytes()?)?.to_owned())
    }

    fn value(&mut self) -> Result<IndexValue, Fault> {
        Ok(match self.byte()? {
            flag @ (0 | 1) => IndexValue::Bool(flag == 1),
            2 => IndexValue::Number(f64::from_be_bytes(self.array()?)),
            3 => IndexValue::String(self.string()?),
            4 => IndexValue::String(Cid::try_from(self.bytes()?).context("a CID in the index")?.to_string()),
            5 => IndexValue::String(spell_time(self.array()?)),
            other => bail!("a value of the unknown type {other} in the index"),
        })
    }

    fn skip_value(&mut self) -> Result<(), Fault> {
        match self.byte()? {
            0 | 1 => Ok(()),
            2 => self.array::<8>().map(drop),
            3 | 4 => self.bytes().map(drop),
            5 => self.array::<10>().map(drop),
            other => bail!("a value of the unknown type {other} in the index"),
        }
    }

    fn optional(&mut self) -> Result<Option<String>, Fault> {
        Ok(if self.byte()? == 1 { Some(self.string()?) } else { None })
    }
}

impl Row {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.0.extend_from_slice(&self.digest);
        out.number(self.values.len() as u64);
        for (name, values) in &self.values {
            match PROPERTIES.iter().position(|known| known == name) {
                Some(known) => out.0.push(known as u8),
                None => {
                    out.0.push(NAMED);
                    out.bytes(name.as_bytes());
                }
            }
            out.number(values.len() as u64);
            for value in values {
                match value {
                    IndexValue::Bool(b) => out.0.push(u8::from(*b)),
                    IndexValue::Number(n) => {
                        out.0.push(2);
                        out.0.extend_from_slice(&n.to_be_bytes());
                    }
                    IndexValue::String(s) => out.string(s),
                }
            }
        }
        out.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let Picked { digest, values: picked } = Picked::decode(bytes, |_| true)?;
        let mut values = Values::new();
        for (name, value) in picked {
            values.entry(name.to_owned()).or_default().push(value);
        }
        Ok(Self { digest, values })
    }

    /// The first string of a property.
    pub fn string(&self, property: &str) -> Option<&str> {
        string(&self.values, property)
    }

    /// All strings of a property.
    pub fn strings(&self, property: &str) -> impl Iterator<Item = &str> {
        self.values.get(property).into_iter().flatten().filter_map(|value| match value {
            IndexValue::String(s) => Some(s.as_str()),
            _ => None,
        })
    }
}

impl<'a> Picked<'a> {
    pub fn decode(bytes: &'a [u8], wanted: impl Fn(&str) -> bool) -> Result<Self, Fault> {
        let mut input = In(bytes);
        let digest = input.array()?;
        let mut values = Vec::new();
        for _ in 0..input.number()? {
            let name = match input.byte()? {
                NAMED => std::str::from_utf8(input.bytes()?)?,
                known => PROPERTIES.get(usize::from(known)).context("an unknown property in the index")?,
            };
            let wanted = wanted(name);
            for _ in 0..input.number()? {
                if wanted {
                    values.push((name, input.value()?));
                } else {
                    input.skip_value()?;
                }
            }
        }
        Ok(Self { digest, values })
    }

    /// The values of a property.
    pub fn of(&self, property: &str) -> impl Iterator<Item = &IndexValue> {
        self.values.iter().filter(move |(name, _)| *name == property).map(|(_, value)| value)
    }

    /// The first string of a property.
    pub fn string(&self, property: &str) -> Option<&str> {
        match self.of(property).next()? {
            IndexValue::String(s) => Some(s),
            _ => None,
        }
    }
}

/// The first string of a property.
pub fn string<'a>(values: &'a Values, property: &str) -> Option<&'a str> {
    match values.get(property)?.first()? {
        IndexValue::String(s) => Some(s),
        _ => None,
    }
}

impl MessageRow {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.number(self.position);
        let (kind, name) = match &self.subject {
            About::Record(id) => (0, id),
            About::Protocol(uri) => (1, uri),
        };
        let is_elsewhere = self.data.as_ref().is_some_and(|data| data.is_elsewhere);
        let flags = [self.latest, kind == 1, self.scope > 0, self.stub, is_elsewhere];
        out.0.push(flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag)));
        out.bytes(name.as_bytes());
        if self.scope > 0 {
            out.number(self.scope.into());
        }
        if let Some(data) = &self.data {
            out.bytes(&data.root.to_bytes());
            out.number(data.size);
            out.number(data.inline.map_or(0, |at| at + 1));
        }
        out.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut input = In(bytes);
        let position = input.number()?;
        let flags = input.byte()?;
        let name = input.string()?;
        let subject = if flags & 2 == 0 { About::Record(name) } else { About::Protocol(name) };
        let scope = if flags & 4 == 0 { 0 } else { u32::try_from(input.number()?)? };
        let data = if input.0.is_empty() {
            None
        } else {
            let root = Cid::try_from(input.bytes()?).context("a data CID in the index")?;
            let (size, inline) = (input.number()?, input.number()?.checked_sub(1));
            Some(DataRow { root, size, inline, is_elsewhere: flags & 16 == 16 })
        };
        Ok(Self { position, latest: flags & 1 == 1, stub: flags & 8 == 8, scope, subject, data })
    }
}

impl RecordRow {
    pub fn encode(&self) -> Vec<u8> {
        let flags = [self.parent.is_some(), self.latest, self.author.is_some()];
        let mut out = Out(vec![flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag))]);
        [&self.parent, &self.author].into_iter().flatten().for_each(|text| out.bytes(text.as_bytes()));
        for (position, digest) in [Some(self.newest), self.initial].into_iter().flatten() {
            out.number(position);
            out.0.extend_from_slice(&digest);
        }
        out.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut input = In(bytes);
        let flags = input.byte()?;
        let parent = (flags & 1 == 1).then(|| input.string()).transpose()?;
        let author = (flags & 4 == 4).then(|| input.string()).transpose()?;
        let newest = (input.number()?, input.array()?);
        let initial = if input.0.is_empty() { None } else { Some((input.number()?, input.array()?)) };
        Ok(Self { initial, newest, latest: flags & 2 == 2, parent, author })
    }
}

impl EventRow {
    pub fn new(digest: Digest, values: &Values, initial: bool) -> Self {
        let of = |property| string(values, property).map(str::to_owned);
        let protocol = of("protocol");
        // A permission record is an event of the protocol it is tagged with, too (the SDK's MessagesQuery).
        let tagged = if protocol.as_deref() == Some(PERMISSIONS) { of("tag.protocol") } else { None };
        let (interface, method) = (of("interface").unwrap_or_default(), of("method").unwrap_or_default());
        let kind = EventKind::of(&interface, &method, initial);
        let timestamp = of("messageTimestamp").unwrap_or_default();
        Self { digest, interface, method, timestamp, protocol, tagged, kind }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.0.extend_from_slice(&self.digest);
        for s in [&self.interface, &self.method, &self.timestamp] {
            out.bytes(s.as_bytes());
        }
        out.optional(self.protocol.as_deref());
        out.optional(self.tagged.as_deref());
        out.0.push(match self.kind {
            EventKind::First => 0,
            EventKind::Update => 1,
            EventKind::Configure => 2,
        });
        out.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut input = In(bytes);
        Ok(Self {
            digest: input.array()?,
            interface: input.string()?,
            method: input.string()?,
            timestamp: input.string()?,
            protocol: input.optional()?,
            tagged: input.optional()?,
            kind: match input.byte()? {
                1 => EventKind::Update,
                2 => EventKind::Configure,
                _ => EventKind::First,
            },
        })
    }
}

/// The places of the digits in `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
const TIME: &str = "0000-00-00T00:00:00.000000Z";

/// The digits of a time written in the one form that DWN has, two in a byte.
fn pack_time(s: &str) -> Option<[u8; 10]> {
    if s.len() != TIME.len() {
        return None;
    }
    let (mut packed, mut digits) = ([0; 10], 0);
    for (found, wanted) in s.bytes().zip(TIME.bytes()) {
        match (wanted, found) {
            (b'0', b'0'..=b'9') => {
                let byte: &mut u8 = packed.get_mut(digits / 2)?;
                *byte = *byte << 4 | (found - b'0');
                digits += 1;
            }
            (wanted, found) if wanted == found && wanted != b'0' => {}
            _ => return None,
        }
    }
    Some(packed)
}

fn spell_time(packed: [u8; 10]) -> String {
    let mut digits = packed.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut spelled = String::with_capacity(TIME.len());
    for c in TIME.chars() {
        spelled.push(if c == '0' { char::from(b'0' + digits.next().unwrap_or(0)) } else { c });
    }
    spelled
}

/// URI of the protocol whose records are grants, requests and revocations.
const PERMISSIONS: &str = "https://tbd.website/dwn/permissions";

pub fn encode_place(place: Place) -> Vec<u8> {
    let StoredPlace(kind, segment, at, len) = place.into();
    let mut out = Out(vec![kind]);
    [u64::from(segment), at, u64::from(len)].into_iter().for_each(|n| out.number(n));
    out.0
}

pub fn decode_place(bytes: &[u8]) -> Result<Place, Fault> {
    let mut input = In(bytes);
    let kind = input.byte()?;
    let (segment, at, len) = (input.number()?, input.number()?, input.number()?);
    StoredPlace(kind, u32::try_from(segment)?, at, u32::try_from(len)?).try_into()
}

impl Stats {
    pub(in crate::store) fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        [self.records, self.messages, self.blocks, self.bytes].into_iter().for_each(|n| out.number(n));
        out.0
    }

    pub(in crate::store) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut input = In(bytes);
        Ok(Self {
            records: input.number()?,
            messages: input.number()?,
            blocks: input.number()?,
            bytes: input.number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = IndexValue> {
        prop_oneof![
            any::<bool>().prop_map(IndexValue::Bool),
            (-1e9..1e9).prop_map(IndexValue::Number),
            any::<String>().prop_map(IndexValue::String),
            "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.[0-9]{6}Z".prop_map(IndexValue::String),
            any::<[u8; 4]>().prop_map(|b| IndexValue::String(crate::cid::of(0x71, &b).to_string())),
        ]
    }

    proptest! {
        #[test]
        fn rows_come_back(
            digest in any::<[u8; 32]>(),
            values in proptest::collection::btree_map(
                prop_oneof![Just("protocol".to_owned()), any::<String>()],
                proptest::collection::vec(value(), 0..3), 0..5),
        ) {
            let mut row = Row { digest, values };
            let bytes = row.encode();
            // A property without values is as good as none.
            row.values.retain(|_, values| !values.is_empty());
            let some = Picked::decode(&bytes, |name| name < "m").expect("decodes");
            for (name, values) in &row.values {
                let wanted = if name.as_str() < "m" { values.as_slice() } else { &[] };
                prop_assert_eq!(some.of(name).cloned().collect::<Vec<_>>(), wanted);
            }
            prop_assert_eq!(Row::decode(&bytes).expect("decodes"), row);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Row::decode(&bytes), MessageRow::decode(&bytes), RecordRow::decode(&bytes));
            let _ = (EventRow::decode(&bytes), decode_place(&bytes), Stats::decode(&bytes));
        }
    }

    #[test]
    fn a_message_row_comes_back() {
        let data = DataRow { root: crate::cid::of(0x55, b"x"), size: 1, inline: Some(0), is_elsewhere: false };
        let elsewhere = DataRow { inline: None, is_elsewhere: true, ..data.clone() };
        for data in [None, Some(data), Some(elsewhere)] {
            for (subject, latest, scope) in
                [(About::Record("r".into()), true, 0), (About::Protocol("p".into()), false, 300)]
            {
                let row = MessageRow { position: 900, latest, stub: !latest, scope, subject, data: data.clone() };
                assert_eq!(MessageRow::decode(&row.encode()).expect("decodes"), row);
            }
        }
    }
}
