//! In whose name somebody acts: the delegated grants that a tenant has given, as their grantee looks for one.
//!
//! Nothing is remembered between two questions: each is asked of the tenant's records, where a revocation counts as soon
//! as it is there.

use super::{
    fields::PERMISSIONS,
    filter::{all, text},
    grant::Grant,
    granted::{GRANTS_MAX, Granted, Standing},
    refusal::{Fault, Stop},
    view::{Direction, Select, SortBy, Stored, View},
};
use crate::crypto;
use serde_json::Value;

/// What is to be done with a tenant's records in the tenant's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deed {
    /// Of the interface Records.
    pub method: &'static str,
    /// Nothing: records under no protocol, for which there are no grants.
    pub protocol: Option<String>,
    /// contextId of the record, of the one that a new one is to stand below, or that is asked for.
    pub context: Option<String>,
    pub path: Option<String>,
    /// What is written is to be published.
    pub published: bool,
}

/// How somebody stands who wants to act in a tenant's name.
#[derive(Debug, Clone)]
pub enum Mandate {
    /// They may, by this grant.
    Held(DelegatedGrant),
    /// The grant that they have is not good now.
    Ended(Granted),
    /// They have delegated grants of the tenant, and none of them is for this. (Of grants to read, who wants to write has none.)
    Lacking,
    /// The tenant lets them do nothing in its name.
    None,
}

/// A grant as it goes along with the messages that are signed under it.
#[derive(Debug, Clone)]
pub struct DelegatedGrant {
    pub grantor: String,
    /// CID of the grant's message.
    pub(super) cid: String,
    /// With its data.
    pub(super) message: Value,
}

/// May `grantee` do this in the name of `grantor`, whose past the view tells? Of several grants the one counts that is
/// good for longest. `now`: the time as messages write it.
///
/// The records looked at are the grantee's grants for this protocol, found by index: five for a device, and as many for each year
/// in which they were renewed.
pub fn mandate(grantor: &str, grantee: &str, deed: &Deed, view: &dyn View, now: &str) -> Result<Mandate, Fault> {
    let mut covering = Vec::new();
    if let Some(protocol) = &deed.protocol {
        let found = delegated(grantor, grantee, Some(protocol), view)?;
        covering.extend(found.into_iter().filter(|(_, grant)| covers(grant, deed)));
    }
    let until = |grant: &Grant| (grant.expires.clone(), grant.granted.clone());
    covering.sort_by_cached_key(|(_, grant)| std::cmp::Reverse(until(grant)));
    let mut ended = None;
    for (stored, grant) in covering {
        let granted = match Granted::of(grant, view, now) {
            Ok(granted) => granted,
            Err(Stop::Refusal(_)) => continue,
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        let is_good = granted.standing == Standing::Active && granted.granted.as_str() <= now;
        if let Some(held) = is_good.then(|| DelegatedGrant::of(grantor, &stored, view)).transpose()?.flatten() {
            return Ok(Mandate::Held(held));
        }
        ended.get_or_insert(granted);
    }
    // Who may only read in the tenant's name (a friend) writes in its own.
    let writes = |method: &str| matches!(method, "Write" | "Delete");
    let is_alike = |(_, grant): &(Stored, Grant)| !writes(deed.method) || writes(&grant.scope.method);
    Ok(match ended {
        Some(ended) => Mandate::Ended(ended),
        None if delegated(grantor, grantee, None, view)?.iter().any(is_alike) => Mandate::Lacking,
        None => Mandate::None,
    })
}

/// The delegated grants about records that one has from another, the newest first; those whose data is gone grant nothing.
fn delegated(
    grantor: &str,
    grantee: &str,
    protocol: Option<&str>,
    view: &dyn View,
) -> Result<Vec<(Stored, Grant)>, Fault> {
    let mut filter = all([
        ("method", text("Write")),
        ("protocol", text(PERMISSIONS)),
        ("protocolPath", text("grant")),
        ("author", text(grantor)),
        ("recipient", text(grantee)),
    ]);
    filter.extend(protocol.map(|uri| ("tag.protocol".to_owned(), text(uri))));
    let select = Select {
        any_of: vec![filter],
        sort: SortBy::DateCreated,
        direction: Direction::Descending,
        limit: Some(GRANTS_MAX),
        after: None,
    };
    let mut found = Vec::new();
    for stored in view.select(&select)?.entries {
        match Grant::kept(&stored, view) {
            Ok(Some(grant)) if grant.delegated && grant.scope.interface == "Records" => found.push((stored, grant)),
            Ok(_) | Err(Stop::Refusal(_)) => {}
            Err(Stop::Fault(fault)) => return Err(fault),
        }
    }
    Ok(found)
}

fn covers(grant: &Grant, deed: &Deed) -> bool {
    let may_publish = match grant.publication.as_deref() {
        Some("Required") => deed.published,
        Some("Prohibited") => !deed.published,
        _ => true,
    };
    grant.scope.method == deed.method
        && grant.scope.protocol == deed.protocol
        && grant.scope.allows(deed.context.as_deref(), deed.path.as_deref()).is_ok()
        && (deed.method != "Write" || may_publish)
}

impl DelegatedGrant {
    fn of(grantor: &str, stored: &Stored, view: &dyn View) -> Result<Option<Self>, Fault> {
        let Some(data) = view.inline_data(stored)? else { return Ok(None) };
        let mut message = Value::clone(&stored.message);
        message["encodedData"] = crypto::encode(&data).into();
        Ok(Some(Self { grantor: grantor.to_owned(), cid: stored.cid.to_string(), message }))
    }
}
