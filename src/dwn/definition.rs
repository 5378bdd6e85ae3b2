//! Protocol definitions: types, structure and rules.

use super::{json::or_undefined, refusal::Refusal, tags, text};
use serde::Deserialize;
use serde_json::{Number, Value};
use std::collections::BTreeMap;

/// Records may be nested this deep.
const DEPTH_MAX: usize = 10;

/// A protocol definition whose shape has been checked.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Definition {
    pub protocol: String,
    pub types: BTreeMap<String, Type>,
    pub structure: BTreeMap<String, RuleSet>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Type {
    pub schema: Option<String>,
    #[serde(rename = "dataFormats")]
    pub data_formats: Option<Vec<String>>,
}

/// The rules for the records at one path.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RuleSet {
    #[serde(rename = "$actions")]
    pub actions: Option<Vec<Rule>>,
    #[serde(rename = "$size")]
    pub size: Option<Size>,
    #[serde(rename = "$role", default)]
    pub role: bool,
    #[serde(rename = "$tags")]
    pub tags: Option<Value>,
    // Kept out of `children`: keys that clients encrypt to are theirs alone.
    #[serde(rename = "$encryption")]
    encryption: Option<Value>,
    #[serde(flatten)]
    pub children: BTreeMap<String, RuleSet>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Size {
    pub min: Option<Number>,
    pub max: Option<Number>,
}

/// Who may do what.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
pub(super) struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    pub can: Vec<Action>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Who {
    Anyone,
    Author,
    Recipient,
}

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Author => "author",
            Self::Recipient => "recipient",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    CoDelete,
    CoPrune,
    CoUpdate,
    Create,
    Delete,
    Prune,
    Query,
    Read,
    Subscribe,
    Update,
}

impl Action {
    pub const ALL: [Self; 10] = [
        Self::Create,
        Self::Read,
        Self::Query,
        Self::Subscribe,
        Self::Update,
        Self::Delete,
        Self::Prune,
        Self::CoUpdate,
        Self::CoDelete,
        Self::CoPrune,
    ];

    /// As it stands in `can`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CoDelete => "co-delete",
            Self::CoPrune => "co-prune",
            Self::CoUpdate => "co-update",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Prune => "prune",
            Self::Query => "query",
            Self::Read => "read",
            Self::Subscribe => "subscribe",
            Self::Update => "update",
        }
    }
}

impl Definition {
    /// The definition in a ProtocolsConfigure.
    pub fn parse(json: &Value) -> Option<Self> {
        Deserialize::deserialize(json).ok()
    }

    /// The rules for records at a path like `thread/message`.
    pub fn rules_at(&self, path: &str) -> Option<&RuleSet> {
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let rules = self.structure.get(first)?;
        rest.map_or(Some(rules), |rest| rest.split('/').try_fold(rules, |rules, name| rules.children.get(name)))
    }

    /// What the shape cannot say.
    pub fn check(&self) -> Result<(), Refusal> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// All that stands against it, the first of which it is refused with.
    pub fn problems(&self) -> Vec<Refusal> {
        let mut problems = Vec::new();
        problems.extend(text::check_protocol_uri(&self.protocol).err());
        let schemas = self.types.values().filter_map(|kind| kind.schema.as_deref());
        problems.extend(schemas.filter_map(|uri| text::check_schema_uri(uri).err()));
        let mut roles = Vec::new();
        problems.extend(find_roles("", &self.structure, &mut roles).err());
        self.each_place(&mut |path, name, rules| {
            if !self.types.contains_key(name) {
                let message =
                    format_args!("Rule set {name} is not declared as an allowed type in the protocol definition.");
                problems.push(Refusal::bad("ProtocolsConfigureInvalidRuleSetRecordType", message));
            }
            rules.problems(path, &roles, &mut problems);
        });
        problems
    }

    /// Shows the path, the name and the rules of every place, from the root down.
    pub fn each_place(&self, see: &mut dyn FnMut(&str, &str, &RuleSet)) {
        each_below("", &self.structure, see);
    }
}

impl RuleSet {
    fn problems(&self, path: &str, roles: &[String], problems: &mut Vec<Refusal>) {
        problems.extend(self.check_size(path).err());
        problems.extend(self.check_tags(path).err());
        let rules = self.actions.as_deref().unwrap_or_default();
        for (i, rule) in rules.iter().enumerate() {
            problems.extend(rule.check(path, roles).err());
            problems.extend(rule.check_against(&rules[i + 1..]).err());
        }
    }

    /// Is data there meant to be encrypted?
    pub fn is_private(&self) -> bool {
        self.encryption.is_some()
    }

    /// May a record there have this tag?
    pub fn may_have_tag(&self, tag: &str) -> bool {
        let Some(tags) = self.tags.as_ref().and_then(Value::as_object) else { return true };
        tags.get("$allowUndefinedTags") == Some(&Value::Bool(true)) || (!is_keyword(tag) && tags.contains_key(tag))
    }

    /// All values that this tag may have, if they are listed.
    pub fn tag_values(&self, tag: &str) -> Option<&[Value]> {
        self.tags.as_ref()?.get(tag)?.get("enum")?.as_array().map(Vec::as_slice)
    }

    fn check_size(&self, path: &str) -> Result<(), Refusal> {
        let Some(Size { min, max: Some(max) }) = &self.size else { return Ok(()) };
        let zero = Number::from(0);
        let min = min.as_ref().unwrap_or(&zero);
        if max.as_f64() >= min.as_f64() {
            return Ok(());
        }
        let message = format_args!(
            "Invalid size range found: max limit {max} less than min limit {min} at protocol path '{path}'"
        );
        Err(Refusal::bad("ProtocolsConfigureInvalidSize", message))
    }

    fn check_tags(&self, path: &str) -> Result<(), Refusal> {
        let tags = self.tags.as_ref().and_then(Value::as_object);
        let schemas = tags.into_iter().flatten().filter(|(tag, _)| !is_keyword(tag));
        schemas.into_iter().try_for_each(|(tag, schema)| tags::check_schema(schema, &format!("{path}/$tags/{tag}")))
    }
}

fn is_keyword(tag: &str) -> bool {
    matches!(tag, "$requiredTags" | "$allowUndefinedTags")
}

impl Rule {
    fn check(&self, path: &str, roles: &[String]) -> Result<(), Refusal> {
        self.check_role(path, roles)?;
        if self.who == Some(Who::Anyone) && self.of.as_ref().is_some_and(|of| !of.is_empty()) {
            let message = format_args!("'of' is not allowed at rule set protocol path ({path})");
            return Err(Refusal::bad("ProtocolsConfigureInvalidActionOfNotAllowed", message));
        }
        let on_others = [Action::CoUpdate, Action::CoDelete, Action::CoPrune];
        if self.who == Some(Who::Recipient)
            && self.of.is_none()
            && !self.can.iter().all(|action| on_others.contains(action))
        {
            let message = "Rules for `recipient` without `of` property must have `can` containing only `co-update`, `co-delete`, and `co-prune`.";
            return Err(Refusal::bad("ProtocolsConfigureInvalidRecipientOfAction", message));
        }
        if self.who == Some(Who::Author) && self.of.as_ref().is_none_or(String::is_empty) {
            let message = "'of' is required when 'author' is specified as 'who'";
            return Err(Refusal::bad("ProtocolsConfigureInvalidActionMissingOf", message));
        }
        for (action, name, code) in [
            (Action::Update, "update", "ProtocolsConfigureInvalidActionUpdateWithoutCreate"),
            (Action::Delete, "delete", "ProtocolsConfigureInvalidActionDeleteWithoutCreate"),
        ] {
            if self.can.contains(&action) && !self.can.contains(&Action::Create) {
                let rule = self.shown();
                let message = format_args!(
                    "Action rule {rule} contains '{name}' action but missing the required 'create' action."
                );
                return Err(Refusal::bad(code, message));
            }
        }
        Ok(())
    }

    fn check_role(&self, path: &str, roles: &[String]) -> Result<(), Refusal> {
        let Some(role) = &self.role else { return Ok(()) };
        let rule = self.shown();
        if !roles.contains(role) {
            let message = format_args!("Role in action {rule} for rule set {path} does not exist.");
            return Err(Refusal::bad("ProtocolsConfigureRoleDoesNotExistAtGivenPath", message));
        }
        let reads = [Action::Read, Action::Query, Action::Subscribe];
        let count = reads.iter().filter(|action| self.can.contains(action)).count();
        if count == 0 || count == reads.len() {
            return Ok(());
        }
        let message = format_args!(
            "Role in action {rule} for rule set {path} must contain all read actions (read, query, subscribe)."
        );
        Err(Refusal::bad("ProtocolsConfigureRoleReadActionMissing", message))
    }

    /// One rule per actor and per role.
    fn check_against(&self, others: &[Self]) -> Result<(), Refusal> {
        let rule = self.shown();
        match self.who {
            Some(who) if others.iter().any(|other| other.who == self.who && other.of == self.of) => {
                let (who, of) = (who.name(), or_undefined(self.of.as_deref()));
                Err(Refusal::bad(
                    "ProtocolsConfigureDuplicateActorInRuleSet",
                    format_args!(
                        "More than one action rule per actor {who} of {of} not allowed within a rule set: {rule}"
                    ),
                ))
            }
            None if others.iter().any(|other| other.role == self.role) => {
                let role = or_undefined(self.role.as_deref());
                Err(Refusal::bad(
                    "ProtocolsConfigureDuplicateRoleInRuleSet",
                    format_args!("More than one action rule per role {role} not allowed within a rule set: {rule}"),
                ))
            }
            _ => Ok(()),
        }
    }

    fn shown(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Paths of role records. What is below a role is not looked at, as in the reference implementation.
fn find_roles(path: &str, children: &BTreeMap<String, RuleSet>, roles: &mut Vec<String>) -> Result<(), Refusal> {
    if path.split('/').count() > DEPTH_MAX {
        let message = "Record nesting depth exceeded 10 levels.";
        return Err(Refusal::bad("ProtocolsConfigureRecordNestingDepthExceeded", message));
    }
    children.iter().try_for_each(|(name, rules)| {
        let path = below(path, name);
        if rules.role {
            roles.push(path);
            return Ok(());
        }
        find_roles(&path, &rules.children, roles)
    })
}

fn each_below(path: &str, children: &BTreeMap<String, RuleSet>, see: &mut dyn FnMut(&str, &str, &RuleSet)) {
    for (name, rules) in children {
        let path = below(path, name);
        see(&path, name, rules);
        each_below(&path, &rules.children, see);
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}/{name}") }
}
