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
    _encryption: Option<Value>,
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
    fn name(self) -> &'static str {
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
        text::check_protocol_uri(&self.protocol)?;
        self.types.values().filter_map(|kind| kind.schema.as_deref()).try_for_each(text::check_schema_uri)?;
        let mut roles = Vec::new();
        find_roles("", &self.structure, &mut roles)?;
        self.check_children("", &self.structure, &roles)
    }

    fn check_children(
        &self,
        path: &str,
        children: &BTreeMap<String, RuleSet>,
        roles: &[String],
    ) -> Result<(), Refusal> {
        children.iter().try_for_each(|(name, rules)| {
            if !self.types.contains_key(name) {
                let message =
                    format_args!("Rule set {name} is not declared as an allowed type in the protocol definition.");
                return Err(Refusal::bad("ProtocolsConfigureInvalidRuleSetRecordType", message));
            }
            let path = below(path, name);
            rules.check(&path, roles)?;
            self.check_children(&path, &rules.children, roles)
        })
    }
}

impl RuleSet {
    fn check(&self, path: &str, roles: &[String]) -> Result<(), Refusal> {
        self.check_size(path)?;
        self.check_tags(path)?;
        let rules = self.actions.as_deref().unwrap_or_default();
        rules.iter().enumerate().try_for_each(|(i, rule)| {
            rule.check(path, roles)?;
            rule.check_against(&rules[i + 1..])
        })
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

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}/{name}") }
}
