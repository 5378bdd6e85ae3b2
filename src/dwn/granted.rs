//! The grants that a tenant has given, as their grantor sees them.

use super::{
    fields::PERMISSIONS,
    filter::{all, text},
    grant::{Grant, Scope},
    refusal::{Fault, Refusal, Stop},
    view::{Direction, PaginationCursor, Select, SortBy, View},
};
use serde_json::Value;
use std::fmt;

/// Grants that are looked through at once.
pub const GRANTS_MAX: usize = 1000;

/// A permission grant and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// recordId of the grant.
    pub id: String,
    /// To whom.
    pub grantee: Option<String>,
    pub interface: String,
    pub method: String,
    pub protocol: Option<String>,
    pub context_id: Option<String>,
    pub protocol_path: Option<String>,
    pub granted: String,
    pub expires: String,
    /// The grantee acts in the grantor's name.
    pub delegated: bool,
    /// `Required` or `Prohibited`: must what is written be published?
    pub publication: Option<String>,
    pub standing: Standing,
}

impl Granted {
    pub(super) fn of(grant: Grant, view: &dyn View, now: &str) -> Result<Self, Stop> {
        let standing = match grant.revoked(view)? {
            Some(since) => Standing::Revoked(since),
            None if now >= grant.expires.as_str() => Standing::Expired,
            None => Standing::Active,
        };
        Ok(Self {
            id: grant.id,
            grantee: grant.grantee,
            interface: grant.scope.interface,
            method: grant.scope.method,
            protocol: grant.scope.protocol,
            context_id: grant.scope.context_id,
            protocol_path: grant.scope.protocol_path,
            granted: grant.granted,
            expires: grant.expires,
            delegated: grant.delegated,
            publication: grant.publication,
            standing,
        })
    }

    pub(super) fn scope(&self) -> Scope {
        Scope {
            interface: self.interface.clone(),
            method: self.method.clone(),
            protocol: self.protocol.clone(),
            context_id: self.context_id.clone(),
            protocol_path: self.protocol_path.clone(),
        }
    }

    /// Does it speak of this record?
    pub(super) fn covers(&self, write: &Value) -> bool {
        self.interface == "Records" && self.scope().covers(write).is_ok()
    }

    /// Does it speak of records at this path of a protocol, in some context at least?
    pub(super) fn covers_path(&self, protocol: &str, path: &str) -> bool {
        let scope = Scope { context_id: None, ..self.scope() };
        self.interface == "Records"
            && self.protocol.as_deref() == Some(protocol)
            && scope.allows(None, Some(path)).is_ok()
    }

    /// What it lets its grantee do, in the words of `$actions`. Queries, subscriptions and deletes are only done in the
    /// grantor's name.
    pub(super) fn actions(&self) -> &'static [&'static str] {
        match (self.method.as_str(), self.delegated) {
            ("Read", _) => &["read"],
            ("Write", _) => &["create", "update"],
            ("Query", true) => &["query"],
            ("Subscribe", true) => &["subscribe"],
            ("Delete", true) => &["delete", "prune"],
            _ => &[],
        }
    }
}

/// How a grant stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Active,
    Expired,
    /// Since when.
    Revoked(String),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
        })
    }
}

/// What grants are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    pub grantee: Option<&'a str>,
    pub protocol: Option<&'a str>,
}

/// The grants of a tenant, the newest first, [`GRANTS_MAX`] at most. `now`: the time as messages write it.
pub fn grants(tenant: &str, wanted: Wanted<'_>, view: &dyn View, now: &str) -> Result<Vec<Granted>, Fault> {
    grants_after(tenant, wanted, (GRANTS_MAX, None), view, now).map(|(grants, _)| grants)
}

/// The same from where the last page ended, `limit` of them looked at; and where the next page goes on, if there is one.
pub fn grants_after(
    tenant: &str,
    wanted: Wanted<'_>,
    (limit, after): (usize, Option<PaginationCursor>),
    view: &dyn View,
    now: &str,
) -> Result<(Vec<Granted>, Option<PaginationCursor>), Fault> {
    let mut filter = all([
        ("method", text("Write")),
        ("protocol", text(PERMISSIONS)),
        ("protocolPath", text("grant")),
        ("author", text(tenant)),
    ]);
    filter.extend(wanted.grantee.map(|did| ("recipient".to_owned(), text(did))));
    filter.extend(wanted.protocol.map(|uri| ("tag.protocol".to_owned(), text(uri))));
    let select = Select {
        any_of: vec![filter],
        sort: SortBy::DateCreated,
        direction: Direction::Descending,
        limit: Some(limit.min(GRANTS_MAX)),
        after,
    };
    let page = view.select(&select)?;
    let mut grants = Vec::new();
    for stored in page.entries {
        match granted(stored.record_id.as_deref().unwrap_or_default(), view, now) {
            Ok(granted) => grants.push(granted),
            // One whose data is gone grants nothing.
            Err(Stop::Refusal(_)) => {}
            Err(Stop::Fault(fault)) => return Err(fault),
        }
    }
    Ok((grants, page.cursor))
}

/// One grant that is kept here; refused with 404 if there is none of this recordId.
pub fn granted(id: &str, view: &dyn View, now: &str) -> Result<Granted, Stop> {
    let grant = Grant::fetch(id, view).map_err(|stop| match stop {
        Stop::Refusal(refusal) => Stop::Refusal(Refusal { code: 404, ..refusal }),
        fault => fault,
    })?;
    Granted::of(grant, view, now)
}
