//! What a newer definition of a protocol changes: what it allows and forbids, and which records that are here it would refuse.

use super::{
    definition::{Action, Definition, Rule, RuleSet, Size, Type, Who},
    fields::descriptor_text,
    protocol, schema, shapes,
    view::Stored,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What `published` lets anybody do.
const DEFINITION: &str = "anyone may read the definition";

/// Sentences about two definitions of one protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// What could not be written, or done, before.
    pub allows: Vec<String>,
    /// What cannot be written, or done, any more.
    pub forbids: Vec<String>,
}

/// A definition that records are held against.
#[derive(Debug)]
pub struct Fit(Definition);

impl Fit {
    /// None: it is no definition.
    pub fn of(definition: &Value) -> Option<Self> {
        schema::check("definition", &shapes::PROTOCOL_DEFINITION, definition).ok()?;
        Definition::parse(definition).map(Self)
    }

    /// Why the definition has no room for a record that is here; nothing, if it has. It looks at the record's message alone: its path, type,
    /// format, size and tags.
    pub fn refuses(&self, record: &Stored) -> Option<String> {
        let path = descriptor_text(&record.message, "protocolPath").unwrap_or_default();
        protocol::check_message(&record.message, path, &self.0).err().map(|refusal| refusal.detail)
    }
}

impl Diff {
    /// Of an installed definition and a newer one. Where one of them is no definition, there is nothing to compare.
    pub fn between(earlier: &Value, newer: &Value) -> Option<Self> {
        let (Fit(old), Fit(new)) = (Fit::of(earlier)?, Fit::of(newer)?);
        let mut diff = Self::default();
        match (&earlier["published"], &newer["published"]) {
            (Value::Bool(false), Value::Bool(true)) => diff.allows.push(DEFINITION.into()),
            (Value::Bool(true), Value::Bool(false)) => diff.forbids.push(DEFINITION.into()),
            _ => {}
        }
        let (before, after) = (places(&old), places(&new));
        for (path, place) in &after {
            match before.get(path) {
                None => diff.allows.push(format!("records at `{path}`")),
                Some(earlier) => diff.place(path, earlier, place),
            }
        }
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            diff.forbids.push(format!("records at `{path}`"));
        }
        Some(diff)
    }

    fn place(&mut self, path: &str, old: &Place, new: &Place) {
        let (before, after) = (allowed(&old.rules), allowed(&new.rules));
        self.allows.extend(after.difference(&before).map(|(who, can)| format!("`{path}`: {who} may {can}")));
        self.forbids.extend(before.difference(&after).map(|(who, can)| format!("`{path}`: {who} may {can}")));
        self.set(path, "data of the format", &old.formats, &new.formats);
        self.set(path, "the schema", &old.schema, &new.schema);
        self.size(path, old.rules.size.as_ref(), new.rules.size.as_ref());
        self.tags(path, &old.tags, &new.tags);
        match (old.rules.role, new.rules.role) {
            (false, true) => self.forbids.push(format!("`{path}`: records without a recipient: each gives a role")),
            (true, false) => self.forbids.push(format!("`{path}`: to invoke it as a role")),
            _ => {}
        }
    }

    /// `None` stands for all of them.
    fn set(&mut self, path: &str, what: &str, old: &Option<BTreeSet<String>>, new: &Option<BTreeSet<String>>) {
        match (old, new) {
            (None, Some(new)) => {
                self.forbids.push(format!("`{path}`: {what} other than {}", list(new.iter())));
            }
            (Some(old), None) => {
                self.allows.push(format!("`{path}`: {what} other than {}", list(old.iter())));
            }
            (Some(old), Some(new)) => {
                self.allows.extend(new.difference(old).map(|one| format!("`{path}`: {what} {one}")));
                self.forbids.extend(old.difference(new).map(|one| format!("`{path}`: {what} {one}")));
            }
            (None, None) => {}
        }
    }

    fn size(&mut self, path: &str, old: Option<&Size>, new: Option<&Size>) {
        let bound = |size: Option<&Size>| {
            let least = size.and_then(|size| size.min.as_ref()?.as_f64()).unwrap_or(0.0);
            let most = size.and_then(|size| size.max.as_ref()?.as_f64()).unwrap_or(f64::INFINITY);
            (least, most)
        };
        let ((old_least, old_most), (new_least, new_most)) = (bound(old), bound(new));
        for (is_more, text) in [
            (new_most > old_most, format!("`{path}`: data of more than {old_most} bytes")),
            (new_least < old_least, format!("`{path}`: data of less than {old_least} bytes")),
        ] {
            self.allows.extend(is_more.then_some(text));
        }
        for (is_less, text) in [
            (new_most < old_most, format!("`{path}`: data of more than {new_most} bytes")),
            (new_least > old_least, format!("`{path}`: data of less than {new_least} bytes")),
        ] {
            self.forbids.extend(is_less.then_some(text));
        }
    }

    fn tags(&mut self, path: &str, old: &Tags, new: &Tags) {
        self.forbids.extend(
            new.required.difference(&old.required).map(|tag| format!("`{path}`: records without the tag `{tag}`")),
        );
        self.allows.extend(
            old.required.difference(&new.required).map(|tag| format!("`{path}`: records without the tag `{tag}`")),
        );
        match (old.others, new.others) {
            (true, false) => self.forbids.push(format!("`{path}`: tags that are not named")),
            (false, true) => self.allows.push(format!("`{path}`: tags that are not named")),
            _ => {}
        }
        for (tag, rule) in &new.rules {
            match old.rules.get(tag) {
                Some(earlier) if earlier == rule => {}
                Some(_) => self.forbids.push(format!("`{path}`: values of the tag `{tag}` that are not {rule}")),
                None if old.others => {
                    self.forbids.push(format!("`{path}`: values of the tag `{tag}` that are not {rule}"))
                }
                None => self.allows.push(format!("`{path}`: the tag `{tag}`")),
            }
        }
        for (tag, rule) in old.rules.iter().filter(|(tag, _)| !new.rules.contains_key(*tag)) {
            match new.others {
                true => self.allows.push(format!("`{path}`: values of the tag `{tag}` that are not {rule}")),
                false => self.forbids.push(format!("`{path}`: the tag `{tag}`")),
            }
        }
    }
}

/// What is said of the records at one path.
struct Place {
    rules: RuleSet,
    /// None: any.
    formats: Option<BTreeSet<String>>,
    schema: Option<BTreeSet<String>>,
    tags: Tags,
}

struct Tags {
    required: BTreeSet<String>,
    /// May a record have tags that are not named?
    others: bool,
    rules: Map<String, Value>,
}

fn places(definition: &Definition) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    definition.each_place(&mut |path, name, rules| {
        let (schema, formats) = match definition.types.get(name) {
            Some(Type { schema, data_formats }) => (schema.clone(), data_formats.clone()),
            None => (None, None),
        };
        let place = Place {
            rules: rules.clone(),
            formats: formats.map(|formats| formats.into_iter().collect()),
            schema: schema.map(|schema| [schema].into()),
            tags: Tags::of(rules),
        };
        places.insert(path.to_owned(), place);
    });
    places
}

impl Tags {
    fn of(rules: &RuleSet) -> Self {
        let Some(said) = rules.tags.as_ref().and_then(Value::as_object) else {
            return Self { required: BTreeSet::new(), others: true, rules: Map::new() };
        };
        let required = said.get("$requiredTags").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let others = said.get("$allowUndefinedTags") == Some(&Value::Bool(true));
        let rules = said.iter().filter(|(tag, _)| !tag.starts_with('$'));
        Self { required, others, rules: rules.map(|(tag, rule)| (tag.clone(), rule.clone())).collect() }
    }
}

/// Who may do what by these rules.
fn allowed(rules: &RuleSet) -> BTreeSet<(String, &'static str)> {
    let all = rules.actions.iter().flatten();
    all.flat_map(|rule| rule.can.iter().map(|action| (who(rule), Action::name(*action)))).collect()
}

fn who(rule: &Rule) -> String {
    match (&rule.role, rule.who, &rule.of) {
        (Some(role), ..) => format!("the role `{role}`"),
        (None, Some(Who::Anyone), _) => "anyone".to_owned(),
        (None, Some(who), Some(of)) => format!("the {} of `{of}`", who.name()),
        (None, Some(who), None) => format!("the {}", who.name()),
        (None, None, _) => "nobody".to_owned(),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn notes(more: Value) -> Value {
        let mut definition = json!({
            "protocol": "https://notes.example/p", "published": false,
            "types": {"note": {"schema": "https://notes.example/note", "dataFormats": ["text/plain", "text/html"]}, "reply": {}, "reader": {}},
            "structure": {
                "reader": {"$role": true},
                "note": {
                    "$size": {"max": 100},
                    "$tags": {"$requiredTags": ["state"], "$allowUndefinedTags": false, "state": {"type": "string", "enum": ["open", "done"]}},
                    "$actions": [{"who": "anyone", "can": ["create"]}, {"role": "reader", "can": ["read", "query", "subscribe"]}],
                    "reply": {"$actions": [{"who": "author", "of": "note", "can": ["create"]}]},
                },
            },
        });
        for (pointer, value) in more.as_object().expect("changes") {
            let (above, name) = pointer.rsplit_once('/').expect("a pointer");
            let above = definition.pointer_mut(above).and_then(Value::as_object_mut).expect("it is there");
            match value {
                Value::Null => drop(above.remove(name)),
                value => drop(above.insert(name.to_owned(), value.clone())),
            }
        }
        definition
    }

    fn of(more: Value) -> (Vec<String>, Vec<String>) {
        let Diff { allows, forbids } = Diff::between(&notes(json!({})), &notes(more)).expect("both are definitions");
        (allows, forbids)
    }

    #[test]
    fn what_is_new_and_what_is_over_is_said_place_by_place() {
        let nothing: (Vec<String>, Vec<String>) = Default::default();
        assert_eq!(of(json!({})), nothing);
        let one = |text: &str| vec![text.to_owned()];
        assert_eq!(of(json!({"/structure/note/reply": null})), (vec![], one("records at `note/reply`")));
        assert_eq!(of(json!({"/structure/note/reply/reply": {}})), (one("records at `note/reply/reply`"), vec![]));
        assert_eq!(
            of(json!({"/structure/note/$actions": [{"who": "anyone", "can": ["create", "read"]}]})),
            (
                one("`note`: anyone may read"),
                ["query", "read", "subscribe"].map(|can| format!("`note`: the role `reader` may {can}")).to_vec()
            )
        );
        assert_eq!(
            of(json!({"/structure/note/$size": {"min": 1, "max": 200}})),
            (one("`note`: data of more than 100 bytes"), one("`note`: data of less than 1 bytes"))
        );
        assert_eq!(
            of(json!({"/types/note/dataFormats": ["text/plain", "text/markdown"]})),
            (one("`note`: data of the format text/markdown"), one("`note`: data of the format text/html"))
        );
        assert_eq!(
            of(json!({"/types/note/schema": null})),
            (one("`note`: the schema other than https://notes.example/note"), vec![])
        );
        let tags = json!({"/structure/note/$tags": {"$requiredTags": ["state", "day"], "$allowUndefinedTags": true, "state": {"type": "string"}, "day": {"type": "string"}}});
        let (allows, forbids) = of(tags);
        assert_eq!(allows, ["`note`: tags that are not named", "`note`: the tag `day`"]);
        assert_eq!(
            forbids,
            [
                "`note`: records without the tag `day`",
                r#"`note`: values of the tag `state` that are not {"type":"string"}"#
            ]
        );
        assert_eq!(
            of(json!({"/structure/reader/$role": null, "/structure/note/$actions": [{"who": "anyone", "can": ["read"]}]})).1.first().map(String::as_str),
            Some("`note`: anyone may create")
        );
        assert_eq!(of(json!({"/published": true})), (one("anyone may read the definition"), vec![]));
        assert!(Diff::between(&json!({}), &notes(json!({}))).is_none());
    }
}
