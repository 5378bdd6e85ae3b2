//! Who may do what with a record, and by which rule.
//!
//! The rules themselves are asked, with the messages that somebody would send. Nobody signs those: their signatures are never
//! verified here, and they never reach the door.
//!
//! Whom others than the owner let act in their names, they alone know.

use super::{
    chain::record_chain,
    create,
    definition::{Action, Definition, Rule, Who},
    fields::{self, cid_of, descriptor_text},
    granted::{self, GRANTS_MAX, Granted, Standing, Wanted},
    message::Message,
    policy::At,
    protocol,
    reason::Reason,
    records_delete, records_query, records_read, records_write,
    refusal::{Refusal, Stop},
    view::{Record, View},
};
use crate::crypto::encode;
use serde_json::{Value, json};
use std::{cell::Cell, collections::BTreeSet};

/// Stands for everybody.
pub const ANYONE: &str = "anyone";
/// A DID that is nobody's: what may be done in its name, anybody may do who signs.
const STRANGER: &str = "did:example:anyone";
/// Parties of one record that are looked at.
const PARTIES_MAX: usize = 200;
/// Rights that are tried for one answer, each with a message for each action.
const WAYS_MAX: usize = 2000;

/// What somebody may do with a record, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// A DID, [`ANYONE`], or in words who it depends on the record.
    pub who: String,
    /// In the words of `$actions`. Empty: nothing, and `because` says why not.
    pub may: Vec<&'static str>,
    /// What lets them: `owner`, `creator`, `author`, `recipient`, `published`, `rule`, `role`, `grant`; or `nothing`.
    pub by: &'static str,
    /// The same in a sentence.
    pub because: String,
    /// recordId of the grant, and when it expires.
    pub grant: Option<(String, String)>,
}

/// Who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    pub access: Vec<Access>,
    /// All parties were looked at.
    pub complete: bool,
}

/// Who may do what with a record of the tenant; refused with 404 if there is none. `did`: of this one alone, and where they may
/// not read it, why not. `now`: the time as messages write it.
pub fn explain(id: &str, did: Option<&str>, tenant: &str, view: &dyn View, now: &str) -> Result<Explained, Stop> {
    let record =
        view.record(id)?.filter(|record| record.newest.latest && fields::is_method(&record.newest.message, "Write"));
    let record = record.ok_or_else(Refusal::not_found)?;
    let protocol = descriptor_text(&record.initial.message, "protocol");
    let definition = protocol.map(|uri| protocol::definition(Some(uri), view, Refusal::denied)).transpose()?;
    let (ways, all_grants) = (Cell::new(0), Cell::new(true));
    let asked = Asked { tenant, view, now, record: &record, definition: definition.as_deref(), ways, all_grants };
    match did {
        Some(did) => asked.of(did),
        None => asked.all(),
    }
}

/// A record that is asked about.
struct Asked<'a> {
    tenant: &'a str,
    view: &'a dyn View,
    now: &'a str,
    record: &'a Record,
    /// Of its protocol, if it has one.
    definition: Option<&'a Definition>,
    /// Rights that were tried.
    ways: Cell<usize>,
    /// There are no more grants than were looked at.
    all_grants: Cell<bool>,
}

/// By which right somebody asks.
#[derive(Debug, Clone, Copy, Default)]
struct Way<'a> {
    /// Nobody signs.
    did: Option<&'a str>,
    role: Option<&'a str>,
    /// A grant that is kept here.
    grant: Option<&'a str>,
    /// A grant that comes along: its message, with its data.
    delegated: Option<&'a Value>,
}

/// What was asked, and what the rules say.
type Said = (&'static str, Result<Reason, Refusal>);

impl<'a> Asked<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        descriptor_text(&self.record.initial.message, name)
    }

    fn path(&self) -> &'a str {
        self.text("protocolPath").unwrap_or_default()
    }

    /// The roles that the rules at the record's place speak of.
    fn roles(&self) -> impl Iterator<Item = &'a str> {
        let rules = self.definition.and_then(|definition| definition.rules_at(self.path()));
        rules.and_then(|rules| rules.actions.as_ref()).into_iter().flatten().filter_map(|rule| rule.role.as_deref())
    }

    /// What one DID may, by all its rights; and if it may not read, why not.
    fn of(&self, did: &str) -> Result<Explained, Stop> {
        let mut access = Vec::new();
        let refused = self.by_all_ways(did, &mut access)?;
        if !access.iter().any(|access| access.may.contains(&"read")) {
            self.add_spent_grants(did, &mut access)?;
            let because = format!("no rule lets them read it: {}", refused.unwrap_or_else(Refusal::not_found).detail);
            access.push(Access { who: did.into(), may: Vec::new(), by: "nothing", because, grant: None });
        }
        Ok(Explained { access, complete: self.is_complete() })
    }

    /// Could all that there is be tried?
    fn is_complete(&self) -> bool {
        self.ways.get() <= WAYS_MAX && self.all_grants.get()
    }

    /// What anybody may, and what each party may beyond that.
    fn all(&self) -> Result<Explained, Stop> {
        let mut access = Vec::new();
        let anonymous = self.readings(Way::default())?;
        let stranger = self.writings(Way { did: Some(STRANGER), ..Way::default() })?;
        for (action, said) in anonymous.into_iter().chain(stranger) {
            if let Ok(reason) = said {
                self.add(&mut access, ANYONE, action, &reason);
            }
        }
        let (parties, complete) = self.parties()?;
        for did in parties {
            let mut theirs = Vec::new();
            self.by_all_ways(&did, &mut theirs)?;
            for one in &mut theirs {
                let known = access.iter().find(|known| known.who == ANYONE && known.because == one.because);
                one.may.retain(|action| !known.is_some_and(|known| known.may.contains(action)));
            }
            access.extend(theirs.into_iter().filter(|one| !one.may.is_empty()));
        }
        Ok(Explained { access, complete: complete && self.is_complete() })
    }

    fn at(&self) -> At<'_> {
        At { tenant: self.tenant, now: self.now }
    }

    /// Everybody whom a rule or a grant may name, in order: the owner first.
    fn parties(&self) -> Result<(Vec<String>, bool), Stop> {
        let Record { initial, newest } = self.record;
        let mut found = vec![self.tenant.to_owned(), initial.author.to_string(), newest.author.to_string()];
        for stored in record_chain(fields::record_id(&initial.message), self.view)?.iter().rev() {
            found.push(stored.author.to_string());
            found.extend(descriptor_text(&stored.message, "recipient").map(str::to_owned));
        }
        let mut complete = true;
        let context = fields::context_id(&initial.message);
        for role in self.roles() {
            let holders =
                protocol::holders(self.text("protocol"), role, context, (self.at(), self.view), PARTIES_MAX + 1)?;
            complete &= holders.len() <= PARTIES_MAX;
            found.extend(holders);
        }
        for grant in self.grants(None)? {
            found.extend(grant.grantee.filter(|_| grant.standing == Standing::Active));
        }
        let mut seen = BTreeSet::new();
        found.retain(|did| seen.insert(did.clone()));
        complete &= found.len() <= PARTIES_MAX;
        found.truncate(PARTIES_MAX);
        Ok((found, complete))
    }

    /// The grants that may be about the record, to one grantee or to all: whether they are, the rules say.
    fn grants(&self, grantee: Option<&str>) -> Result<Vec<Granted>, Stop> {
        let mut found = granted::grants(self.tenant, Wanted { grantee, protocol: None }, self.view, self.now)?;
        if found.len() >= GRANTS_MAX {
            self.all_grants.set(false);
        }
        let protocol = self.text("protocol");
        found.retain(|granted| {
            granted.interface == "Records" && granted.protocol.as_deref().is_none_or(|about| Some(about) == protocol)
        });
        Ok(found)
    }

    /// Adds what a DID may by each of its rights. Returns why it may not read as it is, if so.
    fn by_all_ways(&self, did: &str, access: &mut Vec<Access>) -> Result<Option<Refusal>, Stop> {
        let plain = Way { did: Some(did), ..Way::default() };
        let mut refused = None;
        for (action, said) in self.by(plain)? {
            match said {
                Ok(reason) => self.add(access, did, action, &reason),
                Err(refusal) if action == "read" => refused = Some(refusal),
                Err(_) => {}
            }
        }
        for role in self.roles() {
            for (action, reason) in allowed(self.by(Way { role: Some(role), ..plain })?) {
                self.add(access, did, action, &reason);
            }
        }
        for granted in self.grants(Some(did))? {
            for (action, reason) in allowed(self.by(Way { grant: Some(&granted.id), ..plain })?) {
                self.add(access, did, action, &reason);
            }
            if granted.delegated {
                self.add_delegated(&granted, plain, access)?;
            }
        }
        Ok(refused)
    }

    /// Adds what a delegate may in the owner's name.
    fn add_delegated(&self, granted: &Granted, plain: Way<'_>, access: &mut Vec<Access>) -> Result<(), Stop> {
        let Some(stored) = self.view.record(&granted.id)?.map(|record| record.newest) else { return Ok(()) };
        let Some(data) = self.view.inline_data(&stored)? else { return Ok(()) };
        let mut message = Value::clone(&stored.message);
        message["encodedData"] = encode(&data).into();
        for (action, _) in allowed(self.by(Way { delegated: Some(&message), ..plain })?) {
            let (id, expires) = (&granted.id, &granted.expires);
            let because = format!("grant {id} lets them act in the owner's name until {expires}");
            put(
                access,
                Access {
                    who: plain.did.unwrap_or(ANYONE).into(),
                    may: vec![action],
                    by: "grant",
                    because,
                    grant: Some((id.clone(), expires.clone())),
                },
            );
        }
        Ok(())
    }

    /// Adds the grants of a DID that speak of the record, and are good no more.
    fn add_spent_grants(&self, did: &str, access: &mut Vec<Access>) -> Result<(), Stop> {
        for granted in self.grants(Some(did))? {
            let why = match &granted.standing {
                _ if !granted.covers(&self.record.newest.message) => continue,
                Standing::Active => continue,
                Standing::Expired => format!("expired {}", granted.expires),
                Standing::Revoked(since) => format!("is revoked since {since}"),
            };
            let because = format!("grant {} of Records.{} {why}", granted.id, granted.method);
            let grant = Some((granted.id, granted.expires));
            access.push(Access { who: did.into(), may: Vec::new(), by: "grant", because, grant });
        }
        Ok(())
    }

    fn add(&self, access: &mut Vec<Access>, who: &str, action: &'static str, reason: &Reason) {
        put(access, told(who, action, reason, self.path()));
    }

    fn by(&self, way: Way<'_>) -> Result<Vec<Said>, Stop> {
        self.ways.update(|ways| ways + 1);
        if self.ways.get() > WAYS_MAX {
            return Ok(Vec::new());
        }
        let mut said = self.readings(way)?;
        said.extend(self.writings(way)?);
        Ok(said)
    }

    fn readings(&self, way: Way<'_>) -> Result<Vec<Said>, Stop> {
        let read = said(self.read(way))?;
        let query = said(self.query(way, read.as_ref().ok()))?;
        Ok(vec![("read", read), ("query", query)])
    }

    fn writings(&self, way: Way<'_>) -> Result<Vec<Said>, Stop> {
        let update = said(self.update(way))?;
        let delete = said(self.delete(way, false))?;
        let prune = said(self.delete(way, true))?;
        Ok(vec![("update", update), ("delete", delete), ("prune", prune)])
    }

    fn read(&self, way: Way<'_>) -> Result<Reason, Stop> {
        let Record { initial, newest } = self.record;
        let filter = json!({"recordId": fields::record_id(&initial.message)});
        let message = self.signed(create::records_read(filter, self.now, None)?, way)?;
        records_read::authorize(&message, newest, &initial.author, self.view, self.now)
    }

    /// `read`: why it may be read, which is why it is found.
    fn query(&self, way: Way<'_>, read: Option<&Reason>) -> Result<Reason, Stop> {
        let mut filter = json!({"recordId": fields::record_id(&self.record.initial.message)});
        for name in ["protocol", "protocolPath"] {
            self.text(name).into_iter().for_each(|text| filter[name] = text.into());
        }
        if let Some(context) = fields::context_id(&self.record.initial.message) {
            filter["contextId"] = context.into();
        }
        let message = self.signed(create::records_query(filter, json!({}), self.now, None)?, way)?;
        records_query::authorize(&message, self.now, self.view, self.now)?;
        if self.view.hits(&records_query::selection(&message)?)?.positions.is_empty() {
            return Err(Refusal::not_found().into());
        }
        match way.role {
            Some(_) => Ok(Reason::Rule(protocol::authorize_query(&message, self.at(), self.view)?)),
            None => Ok(read.cloned().unwrap_or(Reason::Owner)),
        }
    }

    fn update(&self, way: Way<'_>) -> Result<Reason, Stop> {
        let mut message = Value::clone(&self.record.newest.message);
        let parts = message.as_object_mut().into_iter();
        parts.for_each(|parts| parts.retain(|name, _| !matches!(name.as_str(), "authorization" | "attestation")));
        message["descriptor"]["messageTimestamp"] = self.now.into();
        let message = self.signed(message, way)?;
        // Where a record has lost its parent or its place, nobody writes it any more.
        let definition =
            self.text("protocol").map(|uri| protocol::check_record(&message, uri, self.at(), self.view)).transpose()?;
        records_write::authorize(&message, Some(self.record), definition.as_deref(), self.view, self.now)
    }

    fn delete(&self, way: Way<'_>, prune: bool) -> Result<Reason, Stop> {
        let id = fields::record_id(&self.record.initial.message);
        let message = json!({"descriptor": {
            "interface": "Records", "method": "Delete", "messageTimestamp": self.now, "recordId": id, "prune": prune,
        }});
        records_delete::authorize(&self.signed(message, way)?, self.record, self.view, self.now)
    }

    /// The message as it would come. What stands for the signature is none.
    fn signed(&self, mut message: Value, way: Way<'_>) -> Result<Message, Stop> {
        if let Some(did) = way.did {
            let mut payload = json!({"descriptorCid": cid_of(&message["descriptor"])?});
            if fields::is_method(&message, "Write") {
                payload["recordId"] = message["recordId"].clone();
                fields::context_id(&message).into_iter().for_each(|context| payload["contextId"] = context.into());
                if let Some(encryption) = message.get("encryption") {
                    payload["encryptionCid"] = cid_of(encryption)?.into();
                }
            }
            way.role.into_iter().for_each(|role| payload["protocolRole"] = role.into());
            way.grant.into_iter().for_each(|grant| payload["permissionGrantId"] = grant.into());
            if let Some(grant) = way.delegated {
                let mut bare = grant.clone();
                if let Some(parts) = bare.as_object_mut() {
                    parts.remove("encodedData");
                }
                payload["delegatedGrantId"] = cid_of(&bare)?.into();
            }
            let protected = json!({"kid": format!("{did}#unsigned"), "alg": "EdDSA"});
            let [protected, payload] = [protected, payload].map(|part| encode(part.to_string().as_bytes()));
            let signatures = json!([{"protected": protected, "signature": encode(&[0; 64])}]);
            message["authorization"] = json!({"signature": {"payload": payload, "signatures": signatures}});
            way.delegated
                .into_iter()
                .for_each(|grant| message["authorization"]["authorDelegatedGrant"] = grant.clone());
        }
        Ok(Message::parse(self.tenant, message)?)
    }
}

/// A refusal is what the rules say; a fault is none.
fn said(outcome: Result<Reason, Stop>) -> Result<Result<Reason, Refusal>, Stop> {
    match outcome {
        Ok(reason) => Ok(Ok(reason)),
        Err(Stop::Refusal(refusal)) => Ok(Err(refusal)),
        Err(fault) => Err(fault),
    }
}

fn allowed(said: Vec<Said>) -> impl Iterator<Item = (&'static str, Reason)> {
    said.into_iter().filter_map(|(action, said)| Some((action, said.ok()?)))
}

/// Adds to what the same one may for the same reason.
fn put(access: &mut Vec<Access>, new: Access) {
    match access.iter_mut().find(|known| known.who == new.who && known.because == new.because) {
        None => access.push(new),
        Some(known) => {
            let more: Vec<_> = new.may.into_iter().filter(|action| !known.may.contains(action)).collect();
            known.may.extend(more);
        }
    }
}

/// A reason in words. `path`: the record's place in its protocol.
fn told(who: &str, action: &'static str, reason: &Reason, path: &str) -> Access {
    let (by, because, grant) = match reason {
        Reason::Owner => ("owner", "the records here are theirs".to_owned(), None),
        Reason::Creator => ("creator", "they created the record".to_owned(), None),
        Reason::Author => ("author", "they wrote its newest state".to_owned(), None),
        Reason::Recipient => ("recipient", "it is addressed to them".to_owned(), None),
        Reason::Published => ("published", "it is published".to_owned(), None),
        Reason::Grant(id, expires) => {
            ("grant", format!("grant {id} allows it until {expires}"), Some((id.clone(), expires.clone())))
        }
        Reason::Rule(rule) => (by(rule), format!("`$actions` at `{path}`: {}", in_words(rule)), None),
    };
    Access { who: who.into(), may: vec![action], by, because, grant }
}

fn by(rule: &Rule) -> &'static str {
    if rule.role.is_some() { "role" } else { "rule" }
}

/// `the author of thread can read, co-delete`.
fn in_words(rule: &Rule) -> String {
    format!("{} can {}", actor(rule), actions(rule).join(", "))
}

/// Whom a rule speaks of.
fn actor(rule: &Rule) -> String {
    match (&rule.role, rule.who, &rule.of) {
        (Some(role), ..) => format!("who holds the role `{role}`"),
        (None, Some(Who::Anyone), _) => ANYONE.to_owned(),
        (None, Some(who), Some(of)) => format!("the {} of `{of}`", who.name()),
        (None, Some(who), None) => format!("the {} of the record", who.name()),
        (None, None, _) => "nobody".to_owned(),
    }
}

fn actions(rule: &Rule) -> Vec<&'static str> {
    rule.can.iter().map(|action| action.name()).collect()
}

/// Who may do what with the records at a path of a protocol, as its rules and the tenant's grants say; refused with 404 if the
/// protocol is not installed or has no such path. `did`: what may be for this one alone.
pub fn explain_path(
    (uri, path): (&str, &str),
    did: Option<&str>,
    tenant: &str,
    view: &dyn View,
    now: &str,
) -> Result<Explained, Stop> {
    let missing = |code: &str, text| Refusal { code: 404, ..Refusal::bad(code, text) };
    let definition = protocol::definition(Some(uri), view, missing)?;
    let rules = protocol::rule_set(&definition, path, missing)?;
    let mut access = vec![Access {
        who: tenant.into(),
        may: Action::ALL.iter().map(|action| action.name()).collect(),
        by: "owner",
        because: "the records here are theirs".into(),
        grant: None,
    }];
    for rule in rules.actions.iter().flatten() {
        let holds = |role: &str, did: &str| protocol::holds(uri, role, did, At { tenant, now }, view);
        let applies = match (rule.role.as_deref(), did) {
            (Some(role), Some(did)) => holds(role, did)?,
            _ => true,
        };
        if applies {
            let because = format!("`$actions` at `{path}`: {}", in_words(rule));
            access.push(Access { who: actor(rule), may: actions(rule), by: by(rule), because, grant: None });
        }
    }
    let wanted = Wanted { grantee: did, protocol: Some(uri) };
    for granted in granted::grants(tenant, wanted, view, now)? {
        let may = granted.actions().to_vec();
        if granted.standing != Standing::Active || may.is_empty() || !granted.covers_path(uri, path) {
            continue;
        }
        let within = granted.context_id.as_deref().map(|id| format!(" in the context {id}")).unwrap_or_default();
        let because = format!("grant {} allows it{within} until {}", granted.id, granted.expires);
        let grant = Some((granted.id, granted.expires));
        access.push(Access { who: granted.grantee.unwrap_or_default(), may, by: "grant", because, grant });
    }
    if let Some(did) = did {
        access.retain(|access| access.by != "owner" || access.who == did);
    }
    Ok(Explained { access, complete: true })
}
