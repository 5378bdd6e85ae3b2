//! Books that are kept: what was derived from a tenant's transfers, brought up to date from the log whenever it is asked for.
//!
//! An answer is of one view. Before it is given, what that view knows and the books do not (the messages that came since) is taken in, so
//! that nothing is ever answered from an earlier moment. What leaves a node without a message (retention, the end of a
//! tenant) is counted by the node; then the books are begun anew.

use super::{
    book::{Book, Key},
    kept::{id_of, installed, is, key, newest, of_asset, row, text},
    problem::Problem,
    things::PROTOCOL,
};
use crate::{
    dwn::{EventFilter, Fault, Select, View, is_method, record_id},
    metrics::Metrics,
    node::Node,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

/// Transfers in the books of a tenant, beside those of the asset that was asked for last: some 50 MB.
const ROWS_MAX: usize = 200_000;
/// Books of a tenant.
const BOOKS_MAX: usize = 20_000;
/// Tenants that have books.
const TENANTS_MAX: usize = 64;
/// Messages that are taken in; if there are more, beginning anew is sooner done.
const EVENTS_MAX: usize = 20_000;
/// Transfers read in one go.
const PAGE: usize = 5_000;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct From {
    from: &'static str,
}

/// The books of all tenants. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    tenants: Arc<Mutex<HashMap<String, Arc<Mutex<Shelf>>>>>,
    reads: Family<From, Counter>,
}

/// The books of a tenant, as of one position in the log.
#[derive(Debug, Default)]
struct Shelf {
    /// The last position that is taken in; none: nothing is kept.
    seen: Option<u64>,
    /// What had left the node without a message.
    gone: u64,
    books: HashMap<Arc<str>, (Book, u64)>,
    /// In which book a transfer stands.
    places: HashMap<Key, Arc<str>>,
    /// Counts what was asked for.
    asked: u64,
}

impl Books {
    pub fn register(&self, metrics: &Metrics) {
        let help =
            "Books of RGB assets that were asked for: kept ones, brought up to date, and those read from records";
        metrics.register(|registry| registry.register("rgb_books", help, self.reads.clone()));
    }

    /// What `ask` finds in the book of an asset and in the view that it is of; and that view, for what need not hold up others (blocking).
    pub fn ask<T>(
        &self,
        node: &Node,
        (tenant, asset): (&str, &str),
        ask: impl FnOnce(&Book, &dyn View) -> Result<T, Problem>,
    ) -> Result<(T, Box<dyn View + Send>), Problem> {
        let shelf = self.shelf(tenant);
        let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the view: all before it is in the view's state of the index, and what is in both is taken in twice.
        let before = node.store().tail().borrow().checked_sub(1);
        let view = node.store().view(tenant);
        if let Err(problem) = installed(&*view, tenant) {
            *shelf = Shelf::default();
            return Err(problem);
        }
        // After the view was frozen: what it does not have any more is counted.
        let gone = node.gone();
        if let Err(fault) = shelf.follow(&*view, tenant, (before, gone)) {
            // Half of it may be taken in.
            *shelf = Shelf::default();
            return Err(fault.into());
        }
        let from = match shelf.open(&*view, tenant, asset)? {
            true => "kept",
            false => "records",
        };
        self.reads.get_or_create(&From { from }).inc();
        let book = shelf.books.get(asset).map(|(book, _)| book).ok_or_else(|| anyhow::anyhow!("a book is lost"))?;
        let found = ask(book, &*view)?;
        Ok((found, view))
    }

    fn shelf(&self, tenant: &str) -> Arc<Mutex<Shelf>> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = tenants.get(tenant) {
            return shelf.clone();
        }
        if tenants.len() >= TENANTS_MAX {
            tenants.clear();
        }
        tenants.entry(tenant.to_owned()).or_default().clone()
    }
}

impl Shelf {
    /// Takes in what came since.
    fn follow(&mut self, view: &dyn View, tenant: &str, (before, gone): (Option<u64>, u64)) -> Result<(), Fault> {
        let (Some(seen), false) = (self.seen, self.gone != gone) else {
            *self = Self { seen: before, gone, ..Self::default() };
            return Ok(());
        };
        let filter = EventFilter {
            interface: Some("Records".into()),
            protocol: Some(PROTOCOL.into()),
            ..EventFilter::default()
        };
        let events = view.events(&[filter], Some(seen), Some(EVENTS_MAX))?;
        if events.len() >= EVENTS_MAX {
            *self = Self { seen: before, gone, ..Self::default() };
            return Ok(());
        }
        for event in &events {
            let Some(stored) = view.message(&event.cid)? else { continue };
            let message = &stored.message;
            let is_delete = is_method(message, "Delete");
            if !is_delete && text(message, "protocolPath") != "transfer" {
                continue;
            }
            let id = match is_delete {
                true => text(message, "recordId"),
                false => record_id(message).unwrap_or_default(),
            };
            if let Some(key) = key(id) {
                self.take_in(view, tenant, key)?;
            }
        }
        self.seen = events.last().map(|event| event.position).max(self.seen);
        // Nothing of the protocol came up to there: it need not be gone through again.
        self.seen = self.seen.max(before);
        Ok(())
    }

    /// What the view says of a transfer now.
    fn take_in(&mut self, view: &dyn View, tenant: &str, key: Key) -> Result<(), Fault> {
        let state = newest(view, "transfer", &id_of(&key))?;
        let now = state.map(|state| row(view, tenant, &state)).transpose()?.flatten();
        let is_elsewhere = |asset: &Arc<str>| now.as_ref().is_none_or(|(name, _)| **asset != **name);
        if self.places.get(&key).is_some_and(is_elsewhere)
            && let Some(old) = self.places.remove(&key)
            && let Some((book, _)) = self.books.get_mut(&old)
        {
            book.set(key, None);
        }
        let Some((asset, row)) = now else { return Ok(()) };
        if let Some((name, _)) = self.books.get_key_value(asset.as_str()) {
            self.places.insert(key, name.clone());
        }
        if let Some((book, _)) = self.books.get_mut(asset.as_str()) {
            book.set(key, Some(row));
        }
        Ok(())
    }

    /// Has the book of an asset here; `false`: it had to be made.
    fn open(&mut self, view: &dyn View, tenant: &str, asset: &str) -> Result<bool, Problem> {
        self.asked += 1;
        if let Some((_, last)) = self.books.get_mut(asset) {
            *last = self.asked;
            return Ok(true);
        }
        let mut filter = of_asset("transfer", asset);
        filter.extend([is("author", tenant)]);
        let mut select = Select { any_of: vec![filter], limit: Some(PAGE), ..Select::default() };
        let (mut book, mut found) = (Book::default(), Vec::new());
        loop {
            let hits = view.hits(&select)?;
            view.each(&hits.positions, &mut |stored| {
                let Some(stored) = stored else { return Ok(ControlFlow::Continue(())) };
                let key = record_id(&stored.message).and_then(key);
                if let (Some(key), Some((_, row))) = (key, row(view, tenant, &stored)?) {
                    book.set(key, Some(row));
                    found.push(key);
                }
                Ok(ControlFlow::Continue(()))
            })?;
            select.after = hits.cursor;
            if select.after.is_none() {
                break;
            }
        }
        self.make_room(book.len());
        let name: Arc<str> = asset.into();
        self.places.extend(found.into_iter().map(|key| (key, name.clone())));
        self.books.insert(name, (book, self.asked));
        Ok(false)
    }

    /// Lets books go that were not asked for the longest.
    fn make_room(&mut self, rows: usize) {
        if self.books.len() < BOOKS_MAX && self.places.len() + rows <= ROWS_MAX {
            return;
        }
        // A quarter at once: looking for the oldest is not for each.
        let mut all: Vec<_> = self.books.iter().map(|(name, (_, last))| (*last, name.clone())).collect();
        all.sort_unstable();
        let mut left = self.places.len();
        let mut gone = HashSet::new();
        for (_, name) in all {
            if self.books.len() < BOOKS_MAX / 4 * 3 && left + rows <= ROWS_MAX / 4 * 3 {
                break;
            }
            left -= self.books.remove(&name).map_or(0, |(book, _)| book.len());
            gone.insert(name);
        }
        self.places.retain(|_, asset| !gone.contains(asset));
    }
}
