//! What can be said of a protocol's definition before it is installed: why a node would refuse it, and what it says in vain.

use super::{
    definition::{Action, Definition, Rule, RuleSet, Who},
    schema, shapes,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Sentences of a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lint {
    /// Why it would be refused. Empty: it can be installed.
    pub problems: Vec<String>,
    /// What nobody can use or meet, though it may be installed.
    pub warnings: Vec<String>,
}

impl Lint {
    /// Judges a definition by the rules that judge it when it is installed.
    pub fn of(definition: &Value) -> Self {
        let unfit = |detail| Self { problems: vec![detail], warnings: Vec::new() };
        if let Err(refusal) = schema::check("definition", &shapes::PROTOCOL_DEFINITION, definition) {
            return unfit(refusal.detail);
        }
        let Some(definition) = Definition::parse(definition) else {
            return unfit("the protocol definition cannot be read".into());
        };
        let mut problems = Vec::new();
        for refusal in definition.problems() {
            // Of what one place says in several others, once.
            if !problems.contains(&refusal.detail) {
                problems.push(refusal.detail);
            }
        }
        Self { problems, warnings: warnings(&definition) }
    }
}

fn warnings(definition: &Definition) -> Vec<String> {
    let (mut used, mut warnings) = (BTreeSet::new(), Vec::new());
    definition.each_place(&mut |path, name, rules| {
        used.insert(name.to_owned());
        let in_vain = rules.actions.iter().flatten().flat_map(|rule| in_vain(rule, path));
        warnings.extend(in_vain.map(|why| format!("`$actions` at `{path}`: {why}")));
        warnings.extend(unmeetable_tag(rules).map(|tag| {
            format!("`$tags` at `{path}`: `{tag}` is required and never allowed, so no record can be written there")
        }));
    });
    let unused = definition.types.keys().filter(|name| !used.contains(*name));
    warnings
        .extend(unused.map(|name| format!("type `{name}` has no place in the structure, so no record can be of it")));
    warnings
}

/// What of a rule nobody can use at this path, and why.
fn in_vain(rule: &Rule, path: &str) -> Vec<String> {
    if let Some(role) = rule.role.as_deref() {
        let above = role.rsplit_once('/').map_or("", |(above, _)| above);
        let holds_here = above.is_empty() || above == path || is_above(above, path);
        let why = format!(
            "nobody can invoke the role `{role}`: it holds in the context of a `{above}`, and no record here is below one"
        );
        return if holds_here { Vec::new() } else { vec![why] };
    }
    let (Some(who @ (Who::Author | Who::Recipient)), Some(of)) = (rule.who, rule.of.as_deref()) else {
        return Vec::new();
    };
    if of == path && rule.can.contains(&Action::Create) {
        let who = who.name();
        return vec![format!(
            "the {who} of `{of}` can create nothing here: there is no such record before it is created"
        )];
    }
    if of == path || is_above(of, path) {
        return Vec::new();
    }
    vec![format!("nobody is the {} of `{of}` here: no `{of}` is above a record at this path", who.name())]
}

/// Is the first path above the second?
fn is_above(above: &str, path: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// A tag that must be there and may not.
fn unmeetable_tag(rules: &RuleSet) -> Option<&str> {
    let tags = rules.tags.as_ref()?.as_object()?;
    if tags.get("$allowUndefinedTags") == Some(&Value::Bool(true)) {
        return None;
    }
    let required = tags.get("$requiredTags")?.as_array()?;
    required.iter().filter_map(Value::as_str).find(|tag| !tags.contains_key(*tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dwn::{create, testing};
    use serde_json::json;

    fn definition(structure: Value) -> Value {
        json!({
            "protocol": "http://example.com/p", "published": true,
            "types": {"thread": {}, "reply": {}, "admin": {}}, "structure": structure,
        })
    }

    #[test]
    fn all_problems_are_told_and_the_first_is_what_a_node_refuses_it_with() {
        let bad = definition(json!({
            "thread": {"$size": {"min": 2, "max": 1}, "$actions": [{"who": "author", "can": ["read"]}]},
            "other": {},
            "admin": {"$role": true},
        }));
        let lint = Lint::of(&bad);
        assert_eq!(lint.problems.len(), 3, "{lint:?}");
        let alice = testing::person(1);
        let mut past = testing::Past::of(&alice);
        let refused = past.send(create::protocols_configure(bad, &testing::at(1), &alice), None);
        assert_eq!(refused["status"]["detail"], lint.problems[0].as_str());
        assert_eq!(Lint::of(&testing::threads()), Lint::default());
        let shape = Lint::of(&json!({"protocol": "http://example.com/p"}));
        assert_eq!(shape.problems, ["SchemaValidatorFailure: definition: must have required property 'published'"]);
        assert!(Lint::of(&json!(null)).problems[0].contains("must be object"));
    }

    #[test]
    fn what_nobody_can_use_is_warned_of() {
        let lint = Lint::of(&definition(json!({
            "thread": {
                "admin": {"$role": true},
                "$actions": [{"who": "author", "of": "thread", "can": ["create", "read"]}],
                "$tags": {"$requiredTags": ["mood"]},
            },
            "reply": {
                "$actions": [
                    {"role": "thread/admin", "can": ["create"]},
                    {"who": "recipient", "of": "thread", "can": ["read"]},
                ],
            },
        })));
        assert_eq!(lint.problems, Vec::<String>::new());
        let expected = [
            "nobody can invoke the role `thread/admin`",
            "nobody is the recipient of `thread`",
            "can create nothing",
            "`mood`",
        ];
        for said in expected {
            assert!(lint.warnings.iter().any(|warning| warning.contains(said)), "{said}: {lint:?}");
        }
        assert_eq!(lint.warnings.len(), expected.len(), "{lint:?}");
        let unused = Lint::of(&definition(json!({"thread": {"reply": {}}})));
        assert_eq!(unused.warnings, ["type `admin` has no place in the structure, so no record can be of it"]);
    }
}
