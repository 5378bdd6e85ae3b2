//! What a policy says: the data of its record.

use super::bounded::Schema;
use crate::{
    dwn::{
        definition::{Definition, RuleSet},
        view::IndexValue,
    },
    span::Span,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The protocol of policies.
pub const POLICY: &str = "https://toft.invalid/protocols/policy";
/// The path of a policy in it.
pub const PATH: &str = "policy";

/// Rules at one path; each of them is asked at every write there.
const RULES_MAX: usize = 16;
/// Paths, and names and values in one rule.
const NAMES_MAX: usize = 256;
/// Before the name of a tag.
const TAG: &str = "tag.";

/// A policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Document {
    /// URI of the protocol it is for.
    pub protocol: String,
    /// For people.
    #[serde(default, rename = "description")]
    _description: Option<String>,
    /// By path in the protocol.
    paths: BTreeMap<String, Rules>,
}

/// What is asked of the records at one path.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Rules {
    /// JSON Schema of the data.
    data: Option<Value>,
    /// A record keeps its first state: it is not updated and not deleted.
    pub immutable: bool,
    pub unique: Vec<Unique>,
    pub transitions: Vec<Transitions>,
    pub expires: Option<Expires>,
    /// Its earlier states stay readable.
    pub keep_history: bool,
    #[serde(skip)]
    pub schema: Option<Schema>,
    /// Encrypted data is what belongs there: it is not looked into.
    #[serde(skip)]
    pub is_private: bool,
}

/// No two records have the same values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unique {
    /// `author` (of the newest state), `recipient` or `tag.<name>`. A record that lacks one of them is not asked. None: there is one
    /// record and no other.
    pub by: Vec<String>,
    #[serde(default)]
    pub within: Within,
    /// Only records are asked, and compared with, that have one of these values.
    #[serde(default, rename = "where")]
    pub only: BTreeMap<String, Vec<Scalar>>,
}

/// Among which records values are to be unique.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Within {
    /// All at this path.
    #[default]
    Protocol,
    /// Those with the same parent.
    Parent,
}

/// A value of a tag.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Bool(bool),
    Number(f64),
}

/// How a tag may change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transitions {
    pub tag: String,
    /// What a new record may have. Empty: anything.
    #[serde(default)]
    pub start: Vec<Scalar>,
    pub moves: Vec<Move>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    pub from: Vec<Scalar>,
    pub to: Vec<Scalar>,
    /// Who may do it. Empty: whoever may update the record.
    #[serde(default)]
    pub by: Vec<Party>,
}

/// Somebody who stands in some relation to a record, as in `$actions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Party {
    pub who: Option<Who>,
    /// Path of the record, or of one above it, whose author or recipient is meant. None: the record itself.
    pub of: Option<String>,
    pub role: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Who {
    Anyone,
    Author,
    Recipient,
    Tenant,
}

/// When a record is over.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expires {
    /// At the time (UTC, like `2027-01-01T00:00:00Z`) in a tag, `tag.<name>`, or in the data, by JSON pointer. A record without one
    /// does not end.
    At(String),
    /// So long after its `dateCreated`.
    After(Span),
}

impl Scalar {
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Bool(yes) => Some(Self::Bool(*yes)),
            Value::Number(number) => number.as_f64().map(Self::Number),
            _ => None,
        }
    }

    /// As it is indexed.
    pub fn indexed(&self) -> IndexValue {
        match self {
            Self::Text(text) => IndexValue::String(text.clone()),
            Self::Bool(yes) => IndexValue::Bool(*yes),
            Self::Number(number) => IndexValue::Number(*number),
        }
    }
}

/// The tag that a name like `tag.<name>` means.
pub(super) fn tag_of(name: &str) -> Option<&str> {
    name.strip_prefix(TAG).filter(|tag| !tag.is_empty())
}

impl Document {
    /// A policy in itself; why it is none, if so.
    pub fn read(data: &[u8]) -> Result<Self, String> {
        let mut this: Self = serde_json::from_slice(data).map_err(|wrong| wrong.to_string())?;
        if this.paths.len() > NAMES_MAX {
            return Err(format!("it names {} paths, and {NAMES_MAX} is the most", this.paths.len()));
        }
        for (path, rules) in &mut this.paths {
            rules.check().map_err(|why| format!("at `{path}`: {why}"))?;
        }
        Ok(this)
    }

    pub(super) fn at(&self, path: &str) -> Option<&Rules> {
        self.paths.get(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = (&String, &Rules)> {
        self.paths.iter()
    }

    pub(super) fn has_immutable(&self) -> bool {
        self.paths.values().any(|rules| rules.immutable)
    }

    /// Says what its protocol lets it look into.
    pub(super) fn learn(&mut self, definition: &Definition) {
        for (path, rules) in &mut self.paths {
            rules.is_private = definition.rules_at(path).is_some_and(RuleSet::is_private);
        }
    }

    /// What it says that its protocol contradicts, if anything.
    pub fn contradiction(&self, definition: &Value) -> Option<String> {
        let definition = Definition::parse(definition)?;
        self.paths.iter().find_map(|(path, rules)| {
            let Some(structure) = definition.rules_at(path) else {
                return Some(format!("the protocol has no path `{path}`"));
            };
            rules.contradiction(path, structure, &definition).map(|why| format!("at `{path}`: {why}"))
        })
    }
}

impl Rules {
    fn check(&mut self) -> Result<(), String> {
        self.schema =
            self.data.take().map(|schema| Schema::new(&schema)).transpose().map_err(|why| format!("data: {why}"))?;
        if self.unique.len() > RULES_MAX || self.transitions.len() > RULES_MAX {
            return Err(format!("it has more than {RULES_MAX} rules of one kind"));
        }
        for unique in &self.unique {
            let known = |name: &&String| matches!(name.as_str(), "author" | "recipient") || tag_of(name).is_some();
            let names = unique.by.iter().chain(unique.only.keys());
            if let Some(name) = names.clone().find(|name| !known(name)) {
                return Err(format!("unique: {name:?} is neither `author`, `recipient` nor `tag.<name>`"));
            }
            if names.count() + unique.only.values().map(Vec::len).sum::<usize>() > NAMES_MAX {
                return Err(format!("unique: it names more than {NAMES_MAX} things"));
            }
        }
        for transitions in &self.transitions {
            let moves = &transitions.moves;
            if moves.len() > NAMES_MAX
                || moves.iter().any(|one| one.from.len() + one.to.len() + one.by.len() > NAMES_MAX)
            {
                return Err(format!("transitions: more than {NAMES_MAX} of one kind"));
            }
            let mut parties = moves.iter().flat_map(|one| &one.by);
            parties.try_for_each(Party::check).map_err(|why| format!("transitions: {why}"))?;
        }
        match &self.expires {
            Some(Expires::After(span)) if span.0.subsec_nanos() > 0 => Err("expires: `after` is whole seconds".into()),
            Some(Expires::At(place)) if !place.starts_with('/') && tag_of(place).is_none() => Err(format!(
                "expires: {place:?} is neither `tag.<name>` nor a JSON pointer into the data, like \"/validUntil\""
            )),
            _ => Ok(()),
        }
    }

    fn contradiction(&self, path: &str, structure: &RuleSet, definition: &Definition) -> Option<String> {
        let at = match &self.expires {
            Some(Expires::At(place)) => tag_of(place),
            _ => None,
        };
        let unique = self.unique.iter().flat_map(|unique| unique.by.iter().chain(unique.only.keys()));
        let moving = self.transitions.iter().map(|transitions| transitions.tag.as_str());
        let unknown =
            unique.filter_map(|name| tag_of(name)).chain(moving).chain(at).find(|tag| !structure.may_have_tag(tag));
        if let Some(tag) = unknown {
            return Some(format!("no record there may have a tag `{tag}`"));
        }
        for Transitions { tag, start, moves } in &self.transitions {
            let values = moves.iter().flat_map(|one| one.from.iter().chain(&one.to)).chain(start);
            let allowed = structure.tag_values(tag);
            if let Some(value) = values.clone().find(|value| {
                allowed.is_some_and(|allowed| !allowed.iter().any(|one| Scalar::of(one).as_ref() == Some(*value)))
            }) {
                return Some(format!("the tag `{tag}` can never be {value:?}"));
            }
            for party in moves.iter().flat_map(|one| &one.by) {
                if let Some(why) = party.contradiction(path, definition) {
                    return Some(why);
                }
            }
        }
        if structure.is_private() && matches!(&self.expires, Some(Expires::At(place)) if tag_of(place).is_none()) {
            return Some("data there is encrypted, so its end stands in a tag: `tag.<name>`".into());
        }
        if self.immutable && !self.transitions.is_empty() {
            return Some("records that are immutable have no transitions".into());
        }
        None
    }
}

impl Party {
    fn check(&self) -> Result<(), String> {
        match (self.who, &self.of, &self.role) {
            (None, None, Some(_)) | (Some(_), None, None) | (Some(Who::Author | Who::Recipient), Some(_), None) => {
                Ok(())
            }
            _ => Err("`by` names a `who` (an author or recipient perhaps `of` a path), or a `role`".into()),
        }
    }

    fn contradiction(&self, path: &str, definition: &Definition) -> Option<String> {
        if let Some(role) = &self.role {
            let is_role = definition.rules_at(role).is_some_and(|rules| rules.role);
            return (!is_role).then(|| format!("the protocol has no role `{role}`"));
        }
        let of = self.of.as_deref()?;
        let is_above = of == path || path.strip_prefix(of).is_some_and(|rest| rest.starts_with('/'));
        (!is_above).then(|| format!("no `{of}` is above a record there"))
    }
}
