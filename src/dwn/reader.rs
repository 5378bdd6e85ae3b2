//! What somebody may read of a tenant's messages, asked of very many of them: what a friend's device is sent.
//!
//! The rules are those of RecordsRead, of MessagesRead and of ProtocolsQuery, asked of the message instead of the request: what
//! anybody could read with one grant, role or rule or another is theirs (`tests/explain.rs` holds one against the other).
//! Definitions that are not published go by grants and roles too. What everybody may read counts only in the protocols in which they have a part: nobody is sent all that a tenant has published.

use super::{
    definition::{Action, Definition, Rule, Who},
    fields::{self, PERMISSIONS, context_id, descriptor_text, is_method, is_prune, is_published, revoked},
    filter::{all, text},
    grant::Scope,
    granted::{GRANTS_MAX, Standing, Wanted, grants_after},
    index::{self, CREATOR},
    lineage::Lineage,
    message::Message,
    permissions, protocol,
    refusal::{Fault, Refusal, Stop},
    view::{Cond, Direction, Filter, Kept, Record, Select, SortBy, Stored, View},
};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Records looked at in one go.
const PAGE: usize = 500;

/// What one DID may read of a tenant's, at one moment.
#[derive(Debug, Clone)]
pub struct Reader {
    did: String,
    /// A grant of Messages.Read without a protocol opens all.
    all: bool,
    /// Protocols that a grant of Messages.Read opens.
    whole: BTreeSet<String>,
    /// What grants of Records.Read open.
    records: Vec<Scope>,
    /// Protocols in which they have a part, and what these say.
    near: BTreeMap<String, Option<Cow<'static, Definition>>>,
    /// Roles that they hold: protocol, path, context.
    roles: BTreeSet<(String, String, Option<String>)>,
    /// When the first of their grants expires.
    ends: Option<String>,
}

impl Reader {
    /// `now`: the time as messages write it.
    pub fn of(did: &str, tenant: &str, view: &dyn View, now: &str) -> Result<Self, Fault> {
        let mut reader = Self {
            did: did.to_owned(),
            all: false,
            whole: BTreeSet::new(),
            records: Vec::new(),
            near: BTreeMap::new(),
            roles: BTreeSet::new(),
            ends: None,
        };
        reader.take_grants(tenant, view, now)?;
        reader.each_own_record(view, &mut |reader, stored| {
            let Some(protocol) = descriptor_text(&stored.message, "protocol").filter(|uri| *uri != PERMISSIONS) else {
                return Ok(());
            };
            reader.take_protocol(protocol, view)?;
            reader.take_role(protocol, stored);
            Ok(())
        })?;
        Ok(reader)
    }

    fn take_grants(&mut self, tenant: &str, view: &dyn View, now: &str) -> Result<(), Fault> {
        let did = self.did.clone();
        let mut after = None;
        loop {
            let wanted = Wanted { grantee: Some(&did), protocol: None };
            let (grants, next) = grants_after(tenant, wanted, (GRANTS_MAX, after), view, now)?;
            for grant in grants.into_iter().filter(|grant| grant.standing == Standing::Active) {
                match (grant.interface.as_str(), grant.method.as_str(), &grant.protocol) {
                    ("Messages", "Read", None) => self.all = true,
                    ("Messages", "Read", Some(protocol)) => drop(self.whole.insert(protocol.clone())),
                    ("Records", "Read", _) => self.records.push(grant.scope()),
                    _ => continue,
                }
                if let Some(protocol) = &grant.protocol {
                    self.take_protocol(protocol, view)?;
                }
                if self.ends.as_ref().is_none_or(|ends| grant.expires < *ends) {
                    self.ends = Some(grant.expires);
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// They have a part in this protocol.
    fn take_protocol(&mut self, protocol: &str, view: &dyn View) -> Result<(), Fault> {
        if protocol != PERMISSIONS && !self.near.contains_key(protocol) {
            let definition = match protocol::definition(Some(protocol), view, Refusal::denied) {
                Ok(definition) => Some(definition),
                Err(Stop::Refusal(_)) => None,
                Err(Stop::Fault(fault)) => return Err(fault),
            };
            self.near.insert(protocol.to_owned(), definition);
        }
        Ok(())
    }

    fn take_role(&mut self, protocol: &str, stored: &Stored) {
        let path = descriptor_text(&stored.message, "protocolPath").unwrap_or_default();
        if stored.latest
            && is_method(&stored.message, "Write")
            && descriptor_text(&stored.message, "recipient") == Some(&self.did)
            && self.is_role(protocol, path)
        {
            let above = context_id(&stored.message).and_then(|context| context.rsplit_once('/'));
            self.roles.insert((protocol.to_owned(), path.to_owned(), above.map(|(above, _)| above.to_owned())));
        }
    }

    fn is_role(&self, protocol: &str, path: &str) -> bool {
        let definition = self.near.get(protocol).and_then(Option::as_ref);
        definition.and_then(|definition| definition.rules_at(path)).is_some_and(|rules| rules.role)
    }

    /// Hands out the newest state of each record that they wrote to or that is addressed to them.
    fn each_own_record(
        &mut self,
        view: &dyn View,
        take: &mut dyn FnMut(&mut Self, &Stored) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let select = Select {
                any_of: self.own(),
                sort: SortBy::MessageTimestamp,
                direction: Direction::Ascending,
                limit: Some(PAGE),
                after,
            };
            let page = view.select(&select)?;
            for stored in &page.entries {
                take(self, stored)?;
            }
            match page.cursor {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn own(&self) -> Vec<Filter> {
        let parties = ["author", CREATOR, "recipient"];
        parties.map(|party| all([(party, text(&self.did)) as (&str, Cond)])).into()
    }

    /// Ids of the records that are theirs to read wherever they lie: that they wrote to, or that are addressed to them, and the
    /// revocations of their grants.
    pub fn own_records(&self, view: &dyn View) -> Result<BTreeSet<String>, Fault> {
        let (mut found, mut grants) = (BTreeSet::new(), Vec::new());
        self.clone().each_own_record(view, &mut |_, stored| {
            let Some(id) = &stored.record_id else { return Ok(()) };
            if descriptor_text(&stored.message, "protocol") == Some(PERMISSIONS) {
                grants.push(id.to_string());
            }
            found.insert(id.to_string());
            Ok(())
        })?;
        for grant in grants {
            let below = view.children(&grant)?;
            found.extend(below.iter().filter_map(|record| record.initial.record_id.as_ref().map(ToString::to_string)));
        }
        Ok(found)
    }

    /// Does a grant open records of no protocol?
    pub fn reads_outside_protocols(&self) -> bool {
        self.records.iter().any(|scope| scope.protocol.is_none())
    }

    /// Does a grant open all that the tenant has?
    pub fn reads_all(&self) -> bool {
        self.all
    }

    /// Does a grant open what permissions there are in some protocol?
    pub fn reads_permissions(&self) -> bool {
        !self.whole.is_empty()
    }

    /// The protocols in which there may be more for them than their own records.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.near.keys().map(String::as_str)
    }

    /// When less may be theirs to read, if nothing happens before: as messages write times.
    pub fn ends(&self) -> Option<&str> {
        self.ends.as_deref()
    }

    /// May this message change what is theirs to read?
    pub fn may_change(&self, stored: &Stored, view: &dyn View) -> Result<bool, Fault> {
        let json = &stored.message;
        if descriptor_text(json, "interface") != Some("Records") {
            return Ok(self.all || index::scope(json, None).is_some_and(|uri| self.near.contains_key(uri)));
        }
        let record = stored.record_id.as_deref().map(|id| view.record(id)).transpose()?.flatten();
        let initial = record.as_ref().map_or(json, |record| &record.initial.message);
        let Some(protocol) = descriptor_text(initial, "protocol") else { return Ok(false) };
        if protocol == PERMISSIONS {
            let grant = revoked(initial).map(|grant| view.record(grant)).transpose()?.flatten();
            let grant = grant.as_ref().map_or(initial, |grant| &grant.initial.message);
            return Ok(descriptor_text(grant, "recipient") == Some(&self.did));
        }
        if is_prune(json) {
            return Ok(self.all || self.near.contains_key(protocol));
        }
        let is_theirs = descriptor_text(initial, "recipient") == Some(&self.did) || *stored.author == *self.did;
        let path = descriptor_text(initial, "protocolPath").unwrap_or_default();
        Ok(is_theirs && (!self.near.contains_key(protocol) || self.is_role(protocol, path)))
    }

    /// Is this message theirs to read? Of records both the first and the newest state are, if the record is.
    pub fn reads(&self, stored: &Stored, view: &dyn View) -> Result<bool, Fault> {
        if self.all {
            return Ok(true);
        }
        match &stored.record_id {
            Some(id) => view.record(id)?.map_or(Ok(false), |record| self.reads_record(&record, view)),
            None => Ok(self.reads_configure(&stored.message)),
        }
    }

    /// Is the definition of a protocol theirs to read? Of one that is not published, by a grant or a role in it.
    fn reads_configure(&self, configure: &Value) -> bool {
        let Some(uri) = index::scope(configure, None).filter(|uri| self.near.contains_key(*uri)) else { return false };
        configure.pointer("/descriptor/definition/published") == Some(&Value::Bool(true))
            || self.whole.contains(uri)
            || self.records.iter().any(|scope| scope.protocol.as_deref() == Some(uri))
            || self.roles.iter().any(|(protocol, ..)| protocol == uri)
    }

    /// Would this message be theirs to read, were it here? By the record that it is of, or else by what it says itself.
    pub fn would_read(&self, message: &Message, view: &dyn View) -> Result<bool, Fault> {
        if self.all {
            return Ok(true);
        }
        let Some(id) = fields::record_id(message.json()) else { return Ok(self.reads_configure(message.json())) };
        if let Some(record) = view.record(id)? {
            return self.reads_record(&record, view);
        }
        if !message.is_initial_write() {
            return Ok(false);
        }
        let kept = Kept {
            cid: *message.cid(),
            author: message.author().unwrap_or_default().into(),
            record_id: Some(id.into()),
            message: message.json().clone(),
            beside: None,
            lineage: Lineage::default(),
        };
        let state = Stored { kept: Arc::new(kept), latest: true };
        self.reads_record(&Record { initial: state.clone(), newest: state }, view)
    }

    /// Is this record theirs to read?
    pub fn reads_record(&self, record: &Record, view: &dyn View) -> Result<bool, Fault> {
        let Record { initial, newest } = record;
        let is_deleted = is_method(&newest.message, "Delete");
        let state = if is_deleted { initial } else { newest };
        if self.all
            || *initial.author == *self.did
            || *newest.author == *self.did
            || descriptor_text(&initial.message, "recipient") == Some(&self.did)
        {
            return Ok(true);
        }
        if let Some(grant) = revoked(&initial.message) {
            let grant = view.record(grant)?;
            if grant.is_some_and(|it| descriptor_text(&it.initial.message, "recipient") == Some(&self.did)) {
                return Ok(true);
            }
        }
        if self.records.iter().any(|scope| scope.covers(&state.message).is_ok()) {
            return Ok(true);
        }
        let Some(protocol) = descriptor_text(&initial.message, "protocol") else { return Ok(false) };
        if protocol == PERMISSIONS {
            return self.reads_permission(state, view);
        }
        if self.whole.contains(protocol) {
            return Ok(true);
        }
        let Some(definition) = self.near.get(protocol) else { return Ok(false) };
        if is_published(&state.message) {
            return Ok(true);
        }
        let path = descriptor_text(&initial.message, "protocolPath").unwrap_or_default();
        let rules = definition.as_ref().and_then(|definition| definition.rules_at(path));
        let Some(actions) = rules.and_then(|rules| rules.actions.as_ref()) else { return Ok(false) };
        for rule in actions.iter().filter(|rule| rule.can.contains(&Action::Read)) {
            if self.is_allowed_by(rule, protocol, initial, view)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Who may read all of a protocol also reads which permissions there are in it.
    fn reads_permission(&self, state: &Stored, view: &dyn View) -> Result<bool, Fault> {
        if self.whole.is_empty() {
            return Ok(false);
        }
        let data = view.inline_data(state)?;
        match permissions::scoped_protocol(&state.message, data.as_deref(), view) {
            Ok(about) => Ok(about.is_some_and(|about| self.whole.contains(&about))),
            Err(Stop::Refusal(_)) => Ok(false),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    fn is_allowed_by(&self, rule: &Rule, protocol: &str, initial: &Stored, view: &dyn View) -> Result<bool, Fault> {
        if let Some(role) = &rule.role {
            let context = protocol::role_context(role, context_id(&initial.message));
            return Ok(context.is_some_and(|context| self.roles.contains(&(protocol.into(), role.clone(), context))));
        }
        match (rule.who, rule.of.as_deref()) {
            (Some(Who::Anyone), _) => Ok(true),
            (Some(who), Some(of)) => self.is_ancestors(who, of, initial, view),
            // Who it is addressed to reads it anyway.
            (Some(_), None) | (None, _) => Ok(false),
        }
    }

    /// Are they the author or recipient of the ancestor at the path `of`?
    fn is_ancestors(&self, who: Who, of: &str, initial: &Stored, view: &dyn View) -> Result<bool, Fault> {
        let mut next = Some(initial.clone());
        while let Some(stored) = next {
            if descriptor_text(&stored.message, "protocolPath") == Some(of) {
                return Ok(match who {
                    Who::Recipient => descriptor_text(&stored.message, "recipient") == Some(&self.did),
                    Who::Author | Who::Anyone => *stored.author == *self.did,
                });
            }
            let parent = descriptor_text(&stored.message, "parentId");
            next = parent.map(|id| view.record(id)).transpose()?.flatten().map(|record| record.initial);
        }
        Ok(false)
    }
}
