//! What of a tenant the other end may be told, by the terms on which both share it.

use super::{
    reconcile::{List, Set, Without},
    shown::{Listed, Shown},
    term::Term,
};
use crate::{
    cid::{self, Digest},
    dwn::{EventFilter, Fault, PERMISSIONS},
    planted,
    store::{Position, SetView, Store},
    sums::{Item, Prefix, Sum},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What of one tenant is told.
#[derive(Debug)]
pub enum Lens {
    Whole(Whole),
    Shown(Box<Shown>),
    Copied(Copied),
}

/// All but what stays on one of the devices.
#[derive(Debug, Default)]
pub struct Whole {
    /// Protocols that stay on this device, or that the other device says stay on it.
    apart: BTreeSet<String>,
    /// Permission records about these, as of an end of the log.
    about: Listed,
    of: Option<Position>,
}

/// A copy of somebody's messages: what came from them, and what this end wrote to them.
#[derive(Debug)]
pub struct Copied {
    /// What the tenant's end does not have for this one (any more): what it does not show now, and what it does not take.
    withdrawn: BTreeMap<Digest, Option<(Option<String>, Item)>>,
    lists: BTreeMap<Option<String>, Listed>,
    of: Option<Position>,
    changes: u64,
}

impl Lens {
    /// `peer`: its DID; `local_only`: protocols that never leave this device; `withdrawn`: what was withdrawn in
    /// earlier sessions.
    pub fn new(term: Term, tenant: &str, peer: &str, local_only: &Arc<[String]>, withdrawn: Vec<Digest>) -> Self {
        match term {
            Term::Whole => Self::Whole(Whole { apart: local_only.iter().cloned().collect(), ..Whole::default() }),
            Term::Shown => Self::Shown(Box::new(Shown::new(peer, tenant, local_only.clone()))),
            Term::Copied => Self::Copied(Copied {
                withdrawn: withdrawn.into_iter().map(|digest| (digest, None)).collect(),
                lists: BTreeMap::new(),
                of: None,
                changes: 0,
            }),
        }
    }

    /// Brings it up to the end of the log. `time`: milliseconds since 1970.
    pub fn refresh(&mut self, store: &Store, tenant: &str, time: u64) -> Result<(), Fault> {
        let tail = *store.tail().borrow();
        match self {
            Self::Whole(kept) if kept.apart.is_empty() || kept.of == Some(tail) => Ok(()),
            Self::Whole(kept) => kept.find(store, tenant, tail),
            Self::Shown(shown) => shown.refresh(store, time),
            Self::Copied(copied) if copied.of == Some(tail) => Ok(()),
            Self::Copied(copied) => copied.find(store, tenant, tail),
        }
    }

    /// What is told of each protocol.
    pub fn scopes(&self, sets: &SetView) -> Result<Vec<(Option<String>, Sum)>, Fault> {
        if let Self::Shown(shown) = self {
            return Ok(shown.lists().map(|(protocol, list)| (protocol.clone(), list.sum())).collect());
        }
        let mut scopes = sets.scopes()?;
        scopes.retain(|(protocol, _)| !self.is_apart(protocol.as_deref()));
        for (protocol, sum) in &mut scopes {
            if let Some(less) = self.less(protocol.as_ref()) {
                *sum = sum.minus(less.sum());
            }
        }
        scopes.retain(|(_, sum)| !sum.is_empty());
        Ok(scopes)
    }

    /// The set of one protocol.
    pub fn set(&self, view: SetView, protocol: Option<String>) -> Within {
        let part = match self {
            Self::Shown(shown) => Part::Listed(shown.list(protocol.as_ref())),
            _ if self.is_apart(protocol.as_deref()) => Part::Listed(Listed::default()),
            _ => match self.less(protocol.as_ref()) {
                Some(less) => Part::Less(less.items().clone()),
                None => Part::All,
            },
        };
        Within { view, protocol, part }
    }

    fn less(&self, protocol: Option<&String>) -> Option<&Listed> {
        let less = match self {
            Self::Whole(kept) if protocol.is_some_and(|protocol| protocol == PERMISSIONS) => Some(&kept.about),
            Self::Copied(_) if planted::is("what is withdrawn is still told") => None,
            Self::Copied(copied) => copied.lists.get(&protocol.cloned()),
            Self::Whole(_) | Self::Shown(_) => None,
        };
        less.filter(|less| !less.items().is_empty())
    }

    fn is_apart(&self, protocol: Option<&str>) -> bool {
        matches!(self, Self::Whole(kept) if protocol.is_some_and(|protocol| kept.apart.contains(protocol)))
    }

    /// May this message be told, and its data?
    pub fn tells(&self, protocol: Option<&str>, item: &Item) -> bool {
        match self {
            Self::Whole(kept) => !self.is_apart(protocol) && !kept.about.items().contains(item),
            Self::Shown(shown) => shown.has(&item.digest),
            Self::Copied(copied) => !copied.withdrawn.contains_key(&item.digest),
        }
    }

    pub fn copied(&mut self) -> Option<&mut Copied> {
        if let Self::Copied(copied) = self { Some(copied) } else { None }
    }

    /// How often it changed, of itself.
    pub fn changes(&self) -> u64 {
        match self {
            Self::Whole(kept) => kept.apart.len() as u64,
            Self::Shown(shown) => shown.changes(),
            Self::Copied(copied) => copied.changes,
        }
    }
}

impl Whole {
    /// This protocol stays on the other device.
    pub fn part(&mut self, protocol: String) {
        self.of = None;
        self.apart.insert(protocol);
    }

    pub fn is_apart(&self, protocol: &str) -> bool {
        self.apart.contains(protocol)
    }

    pub fn has_parts(&self) -> bool {
        !self.apart.is_empty()
    }

    fn find(&mut self, store: &Store, tenant: &str, tail: Position) -> Result<(), Fault> {
        let tagged = |protocol: &String| EventFilter { tagged: Some(protocol.clone()), ..EventFilter::default() };
        let filters: Vec<_> = self.apart.iter().map(tagged).collect();
        let events = store.view(tenant).events(&filters, None, None)?;
        let sets = store.sets(tenant)?;
        self.about = Listed::default();
        for event in events {
            if let Some(digest) = cid::sha256_of(&event.cid)
                && let Some((_, item, _)) = sets.find(&digest)?
            {
                self.about.insert(item);
            }
        }
        self.of = Some(tail);
        Ok(())
    }
}

impl Copied {
    /// The tenant's end has this no more, or does not take it. Was that news?
    pub fn withdraw(&mut self, digest: Digest) -> bool {
        let is_news = self.withdrawn.insert(digest, None).is_none();
        self.changed(is_news)
    }

    /// The tenant's end has it (again). Was that news?
    pub fn restore(&mut self, digest: &Digest) -> bool {
        let is_news = self.withdrawn.remove(digest).is_some();
        self.changed(is_news)
    }

    fn changed(&mut self, is_news: bool) -> bool {
        if is_news {
            self.of = None;
            self.changes += 1;
        }
        is_news
    }

    /// Looks up what of it is still kept: only that is taken away from sums.
    fn find(&mut self, store: &Store, tenant: &str, tail: Position) -> Result<(), Fault> {
        self.lists.clear();
        self.of = Some(tail);
        if self.withdrawn.is_empty() {
            return Ok(());
        }
        let sets = store.sets(tenant)?;
        for (digest, kept) in &mut self.withdrawn {
            *kept = sets.find(digest)?.map(|(protocol, item, _)| (protocol, item));
            if let Some((protocol, item)) = kept {
                self.lists.entry(protocol.clone()).or_default().insert(*item);
            }
        }
        Ok(())
    }
}

/// One scope of a store, as far as it is told.
pub struct Within {
    view: SetView,
    protocol: Option<String>,
    part: Part,
}

enum Part {
    All,
    Less(Arc<List>),
    Listed(Listed),
}

/// A scope as it is kept.
struct All<'a>(&'a SetView, Option<&'a str>);

impl Set for All<'_> {
    fn sum(&self, of: Prefix) -> Result<Sum, Fault> {
        self.0.sum(self.1, of)
    }

    fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
        self.0.children(self.1, of)
    }

    fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault> {
        Ok(self.0.items(self.1, of)?.into_iter().map(|(item, _)| item).collect())
    }
}

impl Within {
    fn ask<T>(&self, ask: impl FnOnce(&dyn Set) -> T) -> T {
        let all = All(&self.view, self.protocol.as_deref());
        match &self.part {
            Part::All => ask(&all),
            Part::Less(less) => ask(&Without(&all, less)),
            Part::Listed(list) => ask(list),
        }
    }
}

impl Set for Within {
    fn sum(&self, of: Prefix) -> Result<Sum, Fault> {
        self.ask(|set| set.sum(of))
    }

    fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
        self.ask(|set| set.children(of))
    }

    fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault> {
        self.ask(|set| set.items(of))
    }
}
