//! The handle: what all calls are made on.

use super::{
    book::{Book, Key},
    books::Books,
    kept::installed,
    locks::Locks,
    problem::Problem,
};
use crate::{
    dwn::{PaginationCursor, View},
    hook::Runner,
    metrics::Metrics,
    node::Node,
};
use anyhow::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Which transfers do not count, each with the one that took a coin of it before.
pub(super) type Lost = HashMap<Key, Key>;

/// The storage of assets. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rgb {
    pub(super) node: Node,
    pub(super) hooks: Runner,
    pub(super) locks: Locks,
    books: Books,
}

/// The end of a page: where the next one goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RgbPlace")]
pub struct Place {
    pub message_cid: String,
    pub value: String,
}

impl From<Place> for PaginationCursor {
    fn from(Place { message_cid, value }: Place) -> Self {
        Self { message_cid, value }
    }
}

impl From<PaginationCursor> for Place {
    fn from(PaginationCursor { message_cid, value }: PaginationCursor) -> Self {
        Self { message_cid, value }
    }
}

impl Rgb {
    pub fn new(node: Node, hooks: Runner, metrics: &Metrics) -> Self {
        let books = Books::default();
        books.register(metrics);
        Self { node, hooks, locks: Locks::default(), books }
    }

    /// What is found in one view of a tenant's records, if the protocol is installed there.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        tenant: &str,
        find: impl FnOnce(&dyn View) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (store, tenant) = (self.node.store().clone(), tenant.to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            store.whole()?;
            let view = store.view(&tenant);
            installed(&*view, &tenant)?;
            find(&*view)
        });
        looked.await.map_err(Error::new)?
    }

    /// What is found in the book of an asset, and in the view that it is of.
    pub(super) async fn derive<T: Send + 'static>(
        &self,
        tenant: &str,
        asset: &str,
        find: impl FnOnce(&Book, &dyn View) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (books, node) = (self.books.clone(), self.node.clone());
        let (tenant, asset) = (tenant.to_owned(), asset.to_owned());
        let derived = tokio::task::spawn_blocking(move || {
            node.store().whole()?;
            books.ask(&node, (&tenant, &asset), find).map(|(found, _)| found)
        });
        derived.await.map_err(Error::new)?
    }

    /// What is read, at length, of the view that a book is of: with a copy of which transfers of the asset do not count. The book is free
    /// for others meanwhile.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        tenant: &str,
        asset: &str,
        read: impl FnOnce(&Lost, &dyn View) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (books, node) = (self.books.clone(), self.node.clone());
        let (tenant, asset) = (tenant.to_owned(), asset.to_owned());
        let derived = tokio::task::spawn_blocking(move || {
            node.store().whole()?;
            let lost = |book: &Book, _: &dyn View| Ok(book.conflicts().map(|(one, other)| (*one, *other)).collect());
            let (lost, view) = books.ask(&node, (&tenant, &asset), lost)?;
            read(&lost, &*view)
        });
        derived.await.map_err(Error::new)?
    }
}

/// Does what holds a lock, also if nobody waits for it any more: a write that is on its way is not taken back when its caller goes, and
/// until it is done nobody else may look.
pub(super) async fn to_the_end<T: Send + 'static>(
    act: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(act).await.map_err(Error::new)?
}
