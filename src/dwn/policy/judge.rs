//! Does a write or a delete keep to the policy of its protocol?

use super::{
    bounded::Schema,
    document::{Document, PATH, POLICY, Party, Rules, Scalar, Transitions, Unique, Who, Within, tag_of},
    expiry::{self, At},
    kept,
};
use crate::dwn::{
    chain::record_chain,
    change::{Change, Given},
    fields::{self, descriptor_of, descriptor_text},
    filter::{all, text},
    message::Message,
    refusal::{Refusal, Stop},
    view::{Cond, Filter, INLINE_MAX, Record, Select, View},
};
use serde_json::Value;

/// Records with the same values that are looked at in one go; more than one is there only if they are over.
const LOOKED_AT: usize = 16;

/// A write, and what is known of it.
struct Write<'a> {
    message: &'a Message,
    /// The record as it is; none: it is new.
    record: Option<&'a Record>,
    given: &'a Given,
    /// The role by which its author may write it.
    role: Option<&'a str>,
    at: At<'a>,
    view: &'a dyn View,
}

/// Judges a write that the dialect allows. `role`: that of its author, if they may write it by that alone.
pub(in crate::dwn) fn check_write(
    (message, record, given): (&Message, Option<&Record>, &Given),
    role: Option<&str>,
    at: At<'_>,
    view: &dyn View,
) -> Result<(), Stop> {
    let Some(protocol) = message.text("protocol") else { return Ok(()) };
    let write = Write { message, record, given, role, at, view };
    if protocol == POLICY {
        return write.check_policy();
    }
    let Some(document) = kept::of(protocol, at, view)? else { return Ok(()) };
    let Some(rules) = document.at(message.text("protocolPath").unwrap_or_default()) else { return Ok(()) };
    write.check(rules)
}

/// Judges a delete, and what a prune takes with it.
pub(in crate::dwn) fn check_delete(record: &Record, change: &Change, at: At<'_>, view: &dyn View) -> Result<(), Stop> {
    let Some(protocol) = descriptor_text(&record.initial.message, "protocol") else { return Ok(()) };
    let Some(document) = kept::of(protocol, at, view)?.filter(|document| document.has_immutable()) else {
        return Ok(());
    };
    if kept::is_over(&record.newest, at, view)? {
        return Ok(()); // what stays as it is stays so until its end
    }
    let is_immutable = |message: &Value| {
        let path = descriptor_text(message, "protocolPath").unwrap_or_default();
        document.at(path).is_some_and(|rules| rules.immutable)
    };
    let below = change.removes.iter().map(|cid| view.message(cid)).collect::<Result<Vec<_>, _>>()?;
    let mut all = std::iter::once(&*record.initial.message).chain(below.iter().flatten().map(|state| &*state.message));
    match all.find(|message| is_immutable(message)) {
        Some(message) => Err(immutable(message).into()),
        None => Ok(()),
    }
}

fn immutable(message: &Value) -> Refusal {
    let (record, path) = (fields::record_id(message), descriptor_text(message, "protocolPath"));
    let (record, path) = (record.unwrap_or_default(), path.unwrap_or_default());
    let text =
        format_args!("records at `{path}` stay as they were first written, so {record} is neither changed nor deleted");
    Refusal::bad("PolicyImmutable", text)
}

impl Write<'_> {
    fn check(&self, rules: &Rules) -> Result<(), Stop> {
        // It was here with its data before: what comes changes it.
        let before = self.record.filter(|record| record.newest.latest && !self.message.is_initial_write());
        if let Some(record) = before {
            if rules.immutable {
                return Err(immutable(&record.initial.message).into());
            }
            if kept::is_over(&record.newest, self.at, self.view)? {
                let id = fields::record_id(&record.initial.message).unwrap_or_default();
                return Err(Refusal::bad("PolicyExpired", format_args!("the record {id} is over")).into());
            }
        }
        for transitions in &rules.transitions {
            self.check_move(transitions, before)?;
        }
        for unique in &rules.unique {
            self.check_unique(unique)?;
        }
        self.check_data(rules)
    }

    fn tag(&self, name: &str) -> Option<&Value> {
        self.message.descriptor().get("tags")?.get(name)
    }

    fn check_move(&self, Transitions { tag, start, moves }: &Transitions, before: Option<&Record>) -> Result<(), Stop> {
        // A list of values is a value of its own, which no move knows.
        let after = self.tag(tag);
        let to = after.and_then(Scalar::of);
        let is_in =
            |values: &[Scalar], value: &Option<Scalar>| value.as_ref().is_some_and(|value| values.contains(value));
        let Some(record) = before else {
            if start.is_empty() || is_in(start, &to) {
                return Ok(());
            }
            let text = format_args!("a new record has not the `{tag}` {}", shown(to.as_ref()));
            return Err(Refusal::bad("PolicyTransition", text).into());
        };
        let former = descriptor_of(&record.newest.message).get("tags").and_then(|tags| tags.get(tag));
        let from = former.and_then(Scalar::of);
        if former == after || (from.is_some() && from == to) {
            return Ok(());
        }
        let mut known = moves.iter().filter(|one| is_in(&one.from, &from) && is_in(&one.to, &to)).peekable();
        let (was, is) = (shown(from.as_ref()), shown(to.as_ref()));
        if known.peek().is_none() {
            let text = format_args!("`{tag}` does not go from {was} to {is}");
            return Err(Refusal::bad("PolicyTransition", text).into());
        }
        for one in known {
            if one.by.is_empty() || self.is_any_of(&one.by)? {
                return Ok(());
            }
        }
        let author = self.message.author().unwrap_or_default();
        let text = format_args!("{author} may not bring `{tag}` from {was} to {is}");
        Err(Refusal::denied("PolicyTransitionNotAllowed", text).into())
    }

    fn is_any_of(&self, parties: &[Party]) -> Result<bool, Stop> {
        let author = self.message.author().unwrap_or_default();
        let chain = record_chain(fields::record_id(self.message.json()), self.view)?;
        Ok(parties.iter().any(|party| {
            let meant = match &party.of {
                Some(of) => chain.iter().find(|above| descriptor_text(&above.message, "protocolPath") == Some(of)),
                None => chain.last(),
            };
            match (party.who, &party.role) {
                (_, Some(role)) => self.role == Some(role),
                (Some(Who::Anyone), _) => true,
                (Some(Who::Tenant), _) => author == self.at.tenant,
                (Some(Who::Author), _) => meant.is_some_and(|record| *record.author == *author),
                (Some(Who::Recipient), _) => {
                    meant.is_some_and(|record| descriptor_text(&record.message, "recipient") == Some(author))
                }
                (None, None) => false,
            }
        }))
    }

    /// Is there no other record with the same values?
    fn check_unique(&self, unique: &Unique) -> Result<(), Stop> {
        let is_asked = unique.only.iter().all(|(name, wanted)| {
            let value = self.value(name);
            value.iter().any(|value| wanted.contains(value))
        });
        let Some(mut filter) = self.same(&unique.by).filter(|_| is_asked) else { return Ok(()) };
        for (name, wanted) in &unique.only {
            filter.entry(name.clone()).or_insert_with(|| one_of(wanted));
        }
        let parent = self.message.text("parentId");
        if let Some(parent) = parent.filter(|_| unique.within == Within::Parent) {
            filter.insert("parentId".into(), text(parent));
        }
        let named = |name: &'static str| (name, text(self.message.text(name).unwrap_or_default()));
        filter.extend(all([("method", text("Write")), named("protocol"), named("protocolPath")]));
        let own = fields::record_id(self.message.json());
        let mut select = Select { any_of: vec![filter], limit: Some(LOOKED_AT), ..Select::default() };
        loop {
            let page = self.view.select(&select)?;
            for other in page.entries.iter().filter(|state| fields::record_id(&state.message) != own) {
                // What is over is in nobody's way.
                if kept::is_over(other, self.at, self.view)? {
                    continue;
                }
                let other = fields::record_id(&other.message).unwrap_or_default();
                let why = match unique.by.is_empty() {
                    true => format!("PolicyNotUnique: the record {other} is there already"),
                    false => format!("PolicyNotUnique: the record {other} has the same {}", unique.by.join(", ")),
                };
                return Err(Refusal::new(409, why).into());
            }
            select.after = page.cursor;
            if select.after.is_none() {
                return Ok(());
            }
        }
    }

    /// What a record has that is the same by all of these names; none if this one lacks one of them.
    fn same(&self, names: &[String]) -> Option<Filter> {
        let conds = names.iter().map(|name| {
            let values = self.value(name);
            (!values.is_empty()).then(|| (name.clone(), one_of(&values)))
        });
        conds.collect()
    }

    fn value(&self, name: &str) -> Vec<Scalar> {
        values(name, self.message.json(), self.message.author())
    }

    /// Does the data fit, as far as it can be looked into?
    fn check_data(&self, rules: &Rules) -> Result<(), Stop> {
        let data = match self.given {
            Given::Staged { inline, .. } => inline.as_deref(),
            _ => None,
        };
        let ends_in_data = rules.expires.as_ref().is_some_and(expiry::is_in_data);
        let is_sealed = self.message.json().get("encryption").is_some();
        // What is private is not looked into, which a schema bears and an end that stands there does not.
        let is_asked = ends_in_data || rules.schema.is_some() && !(is_sealed && rules.is_private);
        if is_asked && is_sealed {
            let text = "the policy asks for what this data says, and nobody can look into what is encrypted";
            return Err(Refusal::bad("PolicyDataEncrypted", text).into());
        }
        if is_asked && self.message.data().is_some_and(|(_, size)| size > INLINE_MAX) {
            let text = format_args!("data that a policy looks into has at most {INLINE_MAX} bytes");
            return Err(Refusal::bad("PolicyDataTooLarge", text).into());
        }
        if let Some(expires) = rules.expires.as_ref().filter(|_| data.is_some() || !ends_in_data) {
            let end = expiry::end(expires, self.message.json(), data);
            let end = end.map_err(|why| Refusal::bad("PolicyExpiryInvalid", why))?;
            if end.is_over(self.at.now) {
                return Err(Refusal::bad("PolicyExpired", "this record would be over already").into());
            }
        }
        let Some(schema) = rules.schema.as_ref().filter(|_| !is_sealed) else { return Ok(()) };
        let Some(data) = data else { return Ok(()) };
        fits(schema, data).map_err(|why| Refusal::bad("PolicyDataInvalid", why).into())
    }

    /// Is this record a policy that can be followed, and the only one of its protocol?
    fn check_policy(&self) -> Result<(), Stop> {
        if self.message.text("protocolPath") != Some(PATH) {
            return Ok(());
        }
        let invalid = |why: &str| Refusal::bad("PolicyInvalid", why);
        let Some(protocol) = self.tag("protocol").and_then(Value::as_str) else {
            return Err(invalid("a policy has a tag `protocol`: the URI of the protocol that it is for").into());
        };
        if self.message.json().get("encryption").is_some() {
            return Err(invalid("a policy that is encrypted cannot be followed").into());
        }
        if self.message.data().is_some_and(|(_, size)| size > INLINE_MAX) {
            return Err(invalid(&format!("a policy has at most {INLINE_MAX} bytes")).into());
        }
        let own = fields::record_id(self.message.json());
        let others = kept::records(protocol, self.at, self.view)?;
        if let Some(other) =
            others.iter().find_map(|other| fields::record_id(&other.message).filter(|id| Some(*id) != own))
        {
            return Err(Refusal::new(
                409,
                format!("PolicyNotUnique: {other} is the policy of {protocol}: update that one"),
            )
            .into());
        }
        let Given::Staged { inline, .. } = self.given else { return Ok(()) };
        let document = Document::read(inline.as_deref().unwrap_or_default()).map_err(|why| invalid(&why))?;
        if document.protocol != protocol {
            return Err(invalid(&format!("it is for {}, and its tag says {protocol}", document.protocol)).into());
        }
        let configure = self.view.protocol(protocol)?;
        let definition = configure.as_ref().and_then(|configure| descriptor_of(&configure.message).get("definition"));
        let Some(definition) = definition else {
            return Err(invalid(&format!("the protocol {protocol} is not installed here: install it first")).into());
        };
        document.contradiction(definition).map_or(Ok(()), |why| Err(invalid(&why).into()))
    }
}

/// Why data does not fit a schema, if so.
pub(super) fn fits(schema: &Schema, data: &[u8]) -> Result<(), String> {
    let json = serde_json::from_slice(data).map_err(|why| format!("the data is no JSON: {why}"))?;
    schema.check(&json).map_err(|(place, why)| {
        let place = if place.is_empty() { "the data".to_owned() } else { place };
        format!("{place}: {why}")
    })
}

/// The values of a state by which it is indexed.
pub(super) fn values(name: &str, message: &Value, author: Option<&str>) -> Vec<Scalar> {
    let text = |text: Option<&str>| text.map(|text| Scalar::Text(text.to_owned())).into_iter().collect();
    match (name, tag_of(name)) {
        ("author", _) => text(author),
        ("recipient", _) => text(descriptor_text(message, "recipient")),
        (_, Some(tag)) => match descriptor_of(message).get("tags").and_then(|tags| tags.get(tag)) {
            Some(Value::Array(all)) => all.iter().filter_map(Scalar::of).collect(),
            value => value.and_then(Scalar::of).into_iter().collect(),
        },
        _ => Vec::new(),
    }
}

fn one_of(values: &[Scalar]) -> Cond {
    match values {
        [one] => Cond::Equal(one.indexed()),
        _ => Cond::OneOf(values.iter().map(Scalar::indexed).collect()),
    }
}

fn shown(value: Option<&Scalar>) -> String {
    match value {
        Some(Scalar::Text(text)) => format!("{text:?}"),
        Some(Scalar::Bool(yes)) => yes.to_string(),
        Some(Scalar::Number(number)) => number.to_string(),
        None => "none, or a list".into(),
    }
}
