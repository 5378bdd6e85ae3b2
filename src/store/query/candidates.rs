//! Which indexes can serve a filter, and which part of them: every equality, list, range and prefix has one, or the
//! reason why not stands here.
//!
//! Two things are known of the rows because RecordsWrite's shape holds them (`dwn/shapes/write.rs`): what has a
//! protocolPath has a protocol, and what is published has a datePublished.

use super::{
    cond::{prefix, strings, text_bounds},
    reader::Reader,
};
use crate::{
    dwn::{Cond, Direction, Fault, Filter, IndexValue, Select},
    store::rows::{
        entry_flags,
        families::{Family, NUMBERED, Order, SPELLED},
        keys,
        source::number_of,
    },
};
use anyhow::Context as _;
use std::collections::BTreeSet;

/// Ranges that one filter may be spread over (one-of-lists multiply); beyond, a wider index is used.
const RANGES_MAX: usize = 64;

/// A part of the index that holds every row that a filter can match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub part: Part,
    /// Do its rows stand in the order that is asked for, span by span?
    pub ordered: bool,
    /// Do its entries alone say whether a row meets the filter?
    pub covers: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The states of these records.
    Records(Vec<String>),
    Spans(Family, Order, Vec<Span>),
}

/// Keys from `from` to before `to`. `value`: how many bytes of a key stand before the sort value; nothing if values
/// differ within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
    pub value: usize,
}

/// A family and the values of it that a filter names.
type Under = (Family, Vec<Vec<u8>>);

/// Finds the candidates of one query's filters.
pub struct Finder<'r, 'a> {
    pub reader: &'r Reader<'a>,
    /// The tenant's DID.
    pub name: &'r str,
    pub order: Order,
    pub select: &'r Select,
}

impl Finder<'_, '_> {
    /// All candidates, the narrow before the wide by what is usual.
    pub fn candidates(&self, filter: &Filter) -> Result<Vec<Candidate>, Fault> {
        let mut found = Vec::new();
        if let Some(ids) = filter.get("recordId").and_then(strings) {
            let few = ids.len() <= RANGES_MAX;
            found.push(Candidate { part: Part::Records(ids), ordered: false, covers: false });
            if few {
                return Ok(found);
            }
        }
        for (family, values) in self.under(filter)? {
            found.push(self.spans(family, self.order_of(family), &values, filter));
            found.extend(self.by_other_dates(family, &values, filter));
        }
        // The whole tenant has nothing to add to a part of it in the same order.
        let all = [Vec::new()];
        let of = |found: &[Candidate], wanted: Order| {
            found.iter().any(|it| matches!(&it.part, Part::Spans(_, order, _) if *order == wanted))
        };
        if !of(&found, self.order_of(Family::All)) {
            found.push(self.spans(Family::All, self.order_of(Family::All), &all, filter));
        }
        let whole = self.by_other_dates(Family::All, &all, filter).into_iter();
        let whole: Vec<_> =
            whole.filter(|it| matches!(&it.part, Part::Spans(_, order, _) if !of(&found, *order))).collect();
        found.extend(whole);
        found.extend(self.between(filter));
        Ok(found)
    }

    /// Families in which the filter names values.
    fn under(&self, filter: &Filter) -> Result<Vec<Under>, Fault> {
        let mut found = Vec::new();
        for family in [Family::Parent, Family::Context, Family::Tag, Family::Recipient, Family::DataCid] {
            match family {
                Family::Context => found.extend(context(filter).map(|value| (family, vec![value]))),
                Family::Tag => found.extend(tags(filter).map(|values| (family, values))),
                other => found.extend(self.by(other, filter)?),
            }
        }
        let paths = self.paths(filter)?;
        let by_path = paths.is_some();
        found.extend(paths.map(|values| (Family::ProtocolPath, values)));
        for family in [Family::Schema, Family::Attester, Family::Creator, Family::Author] {
            found.extend(self.by(family, filter)?);
        }
        if !by_path {
            found.extend(self.by(Family::Protocol, filter)?);
        }
        Ok(found)
    }

    fn by(&self, family: Family, filter: &Filter) -> Result<Option<Under>, Fault> {
        let property = NUMBERED.iter().chain(&SPELLED).find(|(it, _)| *it == family).map(|(_, property)| *property);
        let Some(wanted) = property.and_then(|property| filter.get(property)).and_then(strings) else {
            return Ok(None);
        };
        let values = match family {
            // What the tenant wrote is most of what there is, and is not indexed by its author.
            Family::Author | Family::Creator if wanted.iter().any(|did| did == self.name) => return Ok(None),
            Family::Parent | Family::DataCid => wanted.iter().map(|s| keys::spelled(s)).collect(),
            _ => self.numbers(&wanted)?,
        };
        Ok((values.len() <= RANGES_MAX).then_some((family, values)))
    }

    /// Values of protocol and path. Where only a path is asked for: under each protocol that the tenant has.
    fn paths(&self, filter: &Filter) -> Result<Option<Vec<Vec<u8>>>, Fault> {
        let Some(paths) = filter.get("protocolPath").and_then(strings) else { return Ok(None) };
        let most = RANGES_MAX / paths.len().max(1);
        let paths = self.numbers(&paths)?;
        let protocols = match filter.get("protocol").and_then(strings) {
            Some(protocols) => self.numbers(&protocols)?,
            None if filter.contains_key("protocol") => return Ok(None),
            None => self.protocols(most + 1)?,
        };
        let pairs = protocols.iter().flat_map(|protocol| paths.iter().map(|path| [protocol.as_slice(), path].concat()));
        Ok((protocols.len() <= most).then(|| pairs.collect()))
    }

    /// Numbers of the protocols that the tenant has records of, at most `max`: one seek for each.
    fn protocols(&self, max: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let prefix = keys::by(self.reader.tenant, Family::Protocol, Order::DateCreated).to_vec();
        let to = keys::after(prefix.clone());
        let (mut from, mut found) = (prefix.clone(), Vec::new());
        while found.len() < max {
            let Some(pair) = self.reader.source.scan(&from, &to, false).next() else { break };
            self.reader.read();
            let (key, _) = pair?;
            let number = key.get(prefix.len()..prefix.len() + 4).context("an index key is too short")?.to_vec();
            from = keys::after([prefix.as_slice(), &number].concat());
            found.push(number);
        }
        Ok(found)
    }

    /// Interned numbers of the strings that have one; nothing is found under the others.
    fn numbers(&self, strings: &[String]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut out = Vec::new();
        for s in strings {
            out.extend(number_of(self.reader.source, s)?.map(|n| n.to_be_bytes().to_vec()));
        }
        Ok(out)
    }

    /// The order in which a family is read: the one asked for, if it has it.
    fn order_of(&self, family: Family) -> Order {
        if family.has(self.order) { self.order } else { Order::DateCreated }
    }

    /// The same rows in an order that is not asked for, but bounded by the filter.
    fn by_other_dates(&self, family: Family, values: &[Vec<u8>], filter: &Filter) -> Vec<Candidate> {
        let others = [Order::DateCreated, Order::DatePublished].into_iter();
        let others = others.filter(|order| *order != self.order_of(family) && family.has(*order));
        others.filter(|order| bounded(*order, filter)).map(|order| self.spans(family, order, values, filter)).collect()
    }

    /// All rows under these values that the filter and the cursor leave in one order.
    fn spans(&self, family: Family, order: Order, values: &[Vec<u8>], filter: &Filter) -> Candidate {
        let ordered = order == self.order;
        let spans = values.iter().map(|value| self.span(family, order, value, filter)).collect();
        let covers = ordered && covers(family, order, filter);
        Candidate { part: Part::Spans(family, order, spans), ordered, covers }
    }

    fn span(&self, family: Family, order: Order, value: &[u8], filter: &Filter) -> Span {
        let prefix = [keys::by(self.reader.tenant, family, order).as_slice(), value].concat();
        let value = prefix.len();
        let (mut from, mut to) = (prefix.clone(), keys::after(prefix.clone()));
        let (low, high) = filter.get(order.property()).map(|cond| text_bounds(cond, whole)).unwrap_or_default();
        if let Some(low) = low {
            from = from.max([prefix.as_slice(), &low].concat());
        }
        if let Some(high) = high {
            to = to.min(keys::after([prefix.as_slice(), &high].concat()));
        }
        if let Some(cursor) = self.select.after.as_ref().filter(|_| order == self.order) {
            let mut at = prefix;
            keys::text(&mut at, &cursor.value);
            at.extend_from_slice(keys::tie(&cursor.message_cid).as_ref().map_or(&[][..], |tie| tie));
            match self.select.direction {
                Direction::Ascending => from = from.max(at),
                Direction::Descending => to = to.min(keys::after(at)),
            }
        }
        Span { from, to, value }
    }

    /// Ranges over values: contextIds by any prefix, tags, parents, data. In no order of dates.
    fn between(&self, filter: &Filter) -> Vec<Candidate> {
        let texts = [(Family::Context, "contextId"), (Family::Parent, "parentId"), (Family::DataCid, "dataCid")];
        let texts = texts.into_iter().filter_map(|(family, property)| {
            let cond = filter.get(property).filter(|cond| matches!(cond, Cond::Range { .. }))?;
            let served = family == Family::Context && context(filter).is_some();
            let (low, high) = text_bounds(cond, keys::spelled);
            let wanted = !served && (low.is_some() || high.is_some());
            wanted.then(|| (family, low.unwrap_or_default(), high.unwrap_or_else(|| vec![0xFF])))
        });
        let tags = filter.iter().filter(|(property, _)| property.starts_with("tag."));
        let tags = tags.filter_map(|(property, cond)| {
            let Cond::Range { gt, gte, lt, lte } = cond else { return None };
            let whole = keys::spelled(property);
            let bound = |value: &IndexValue| keys::tagged(property, value);
            let low = gte.as_ref().or(gt.as_ref()).map_or_else(|| whole.clone(), bound);
            let high = lte.as_ref().or(lt.as_ref()).map_or_else(|| whole.clone(), bound);
            Some((Family::Tag, low, high))
        });
        texts.chain(tags).map(|(family, low, high)| self.range(family, &low, &high)).collect()
    }

    /// Everything between two values, both inclusive.
    fn range(&self, family: Family, low: &[u8], high: &[u8]) -> Candidate {
        let prefix = keys::by(self.reader.tenant, family, Order::DateCreated);
        let (from, to) = ([prefix.as_slice(), low].concat(), keys::after([prefix.as_slice(), high].concat()));
        let span = Span { from, to, value: 0 };
        Candidate { part: Part::Spans(family, Order::DateCreated, vec![span]), ordered: false, covers: false }
    }
}

/// Can index entries alone decide this filter? Spans of interned values and of short ones hold no other rows; the rest of
/// the filter must be about the sort value or the entry's flags.
fn covers(family: Family, order: Order, filter: &Filter) -> bool {
    let exact = |property: &str, cond: &Cond| match family {
        Family::All | Family::Context | Family::Tag => false,
        Family::ProtocolPath => matches!(property, "protocol" | "protocolPath"),
        Family::Parent | Family::DataCid => {
            SPELLED.contains(&(family, property))
                && strings(cond).is_some_and(|wanted| wanted.iter().all(|s| keys::is_whole(s)))
        }
        _ => NUMBERED.contains(&(family, property)),
    };
    filter.iter().all(|(property, cond)| {
        property == order.property() || exact(property, cond) || entry_flags::asked(property, cond).is_some()
    })
}

/// Does the filter leave only a part of an order?
fn bounded(order: Order, filter: &Filter) -> bool {
    let published = || filter.get("published") == Some(&Cond::Equal(IndexValue::Bool(true)));
    filter.contains_key(order.property()) || order == Order::DatePublished && published()
}

/// A contextId, or a prefix of one at a length that is indexed.
fn context(filter: &Filter) -> Option<Vec<u8>> {
    match filter.get("contextId")? {
        Cond::Equal(IndexValue::String(whole)) => Some(keys::spelled(whole)),
        cond => prefix(cond).filter(|prefix| keys::is_context(prefix)).map(keys::spelled),
    }
}

/// Tags with one value, or one of several.
fn tags(filter: &Filter) -> impl Iterator<Item = Vec<Vec<u8>>> {
    filter.iter().filter(|(property, _)| property.starts_with("tag.")).filter_map(|(property, cond)| match cond {
        Cond::Equal(value) => Some(vec![keys::tagged(property, value)]),
        Cond::OneOf(values) if values.len() <= RANGES_MAX => {
            let distinct: BTreeSet<_> = values.iter().map(|value| keys::tagged(property, value)).collect();
            Some(distinct.into_iter().collect())
        }
        _ => None,
    })
}

/// A sort value as it stands in keys: never cut.
fn whole(s: &str) -> Vec<u8> {
    let mut out = Vec::new();
    keys::text(&mut out, s);
    out
}
