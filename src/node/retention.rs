//! How long records are kept: rules of the operator, by protocol and path or by schema.
//!
//! A record's time is its `dateCreated`, which no update can change. Whether it is over is a function of the message,
//! the rules and the clock alone, so the door can refuse what would only be ended again: a replay, by a peer or a
//! client, does not bring an ended record back. Who ends records is [`super::reaper`]. Why so:
//! `docs/decisions/0007-retention.md`.

use crate::{
    did::Did,
    dwn::{self, Cond, Filter, IndexValue, Refusal},
    span::Span,
};
use anyhow::{Error, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Every write is compared with every rule.
const RULES_MAX: usize = 256;
/// As `tenant`: whoever's records are kept here.
const ANYONE: &str = "*";
/// How long conflicts are kept where nothing else is set.
const CONFLICTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How often records whose time is over are looked for.
    pub every: Span,
    /// Which records are kept for how long. None: all are kept.
    pub rules: Vec<Rule>,
    /// How long an edit is kept that another device's took the place of without knowing it (toft conflict ls).
    pub conflicts: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Span(Duration::from_secs(600)), rules: Vec::new(), conflicts: Span(CONFLICTS) }
    }
}

/// Records that end some time after they were created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// URI of the protocol the records belong to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    /// Path of the records in the protocol. What lies below it has a path, and needs a rule, of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Instead of protocol and path: the schema of the records.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// Whose records: empty: this node's own; a DID; or "*": everybody's that are kept here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// How long after its dateCreated a record ends.
    pub keep: Span,
}

impl Config {
    /// Is there sense in every rule?
    pub fn check(&self) -> Result<(), Error> {
        if self.rules.len() > RULES_MAX {
            bail!("retention.rules has {} rules; {RULES_MAX} is the most", self.rules.len());
        }
        self.rules.iter().enumerate().try_for_each(|(n, rule)| {
            rule.flaw().map_or(Ok(()), |flaw| bail!("retention.rules, rule {}: {flaw}", n + 1))
        })
    }
}

impl Rule {
    fn flaw(&self) -> Option<String> {
        match (self.protocol.as_str(), self.path.as_str(), self.schema.as_str()) {
            ("", "", "") => return Some("it names neither a protocol and a path, nor a schema".into()),
            ("", "", _) => {}
            (_, _, schema) if !schema.is_empty() => {
                return Some("it names a schema and a protocol or path: name one or the other".into());
            }
            ("", ..) | (_, "", _) => return Some("protocol and path go together: name both".into()),
            (dwn::PERMISSIONS, ..) => {
                return Some(
                    "grants and revocations have an end of their own: a revocation that ends gives a grant back".into(),
                );
            }
            _ => {}
        }
        for uri in [&self.protocol, &self.schema].into_iter().filter(|uri| !uri.is_empty()) {
            match dwn::normalize_uri(uri) {
                Some(normal) if normal == *uri => {}
                Some(normal) => return Some(format!("records have {uri} as {normal}: write it so")),
                None => return Some(format!("{uri} is not a URI")),
            }
        }
        let known = matches!(self.tenant.as_str(), "" | ANYONE) || self.tenant.parse::<Did>().is_ok();
        (!known).then(|| format!("tenant = {:?} is neither a DID nor \"*\"", self.tenant))
    }

    /// The dateCreated before which records are over at `now`, as DWN writes times. `None`: none is.
    fn cutoff(&self, now: Timestamp) -> Option<String> {
        let cutoff = now.checked_sub(self.keep.0).ok().filter(|cutoff| *cutoff > Timestamp::UNIX_EPOCH)?;
        Some(format!("{cutoff:.6}"))
    }

    /// Finds the records that are over at `now`, and their tombstones.
    pub(super) fn filter(&self, now: Timestamp) -> Option<Filter> {
        let equal = |text: &String| Cond::Equal(IndexValue::String(text.clone()));
        let over = Cond::Range { gt: None, gte: None, lt: Some(IndexValue::String(self.cutoff(now)?)), lte: None };
        let named = [("protocol", &self.protocol), ("protocolPath", &self.path), ("schema", &self.schema)];
        let named = named.into_iter().filter(|(_, text)| !text.is_empty());
        Some(named.map(|(name, text)| (name.to_owned(), equal(text))).chain([("dateCreated".into(), over)]).collect())
    }
}

/// The rules of a node.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The node's DID.
    own: String,
    list: Vec<Rule>,
    conflicts: Duration,
}

impl Rules {
    /// Rules that have been checked, for the node with the DID `own`.
    pub fn new(config: &Config, own: &str) -> Self {
        Self { own: own.to_owned(), list: config.rules.clone(), conflicts: config.conflicts.0 }
    }

    /// How long conflicts are kept.
    pub fn conflicts(&self) -> Duration {
        self.conflicts
    }

    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// Whose records a rule is about; `None`: everybody's.
    pub(super) fn tenant<'a>(&'a self, rule: &'a Rule) -> Option<&'a str> {
        match rule.tenant.as_str() {
            "" => Some(&self.own),
            ANYONE => None,
            did => Some(did),
        }
    }

    /// The rule by which a message belongs to a record that is over. Only a RecordsWrite does.
    pub fn ended(&self, tenant: &str, message: &Value, now: Timestamp) -> Option<&Rule> {
        if self.list.is_empty() {
            return None;
        }
        let descriptor = message.get("descriptor")?;
        let text = |name: &str| descriptor.get(name).and_then(Value::as_str).unwrap_or_default();
        if (text("interface"), text("method")) != ("Records", "Write") || text("protocol") == dwn::PERMISSIONS {
            return None;
        }
        self.list.iter().find(|rule| {
            let is = |wanted: &String, name| wanted.is_empty() || wanted == text(name);
            is(&rule.protocol, "protocol")
                && is(&rule.path, "protocolPath")
                && is(&rule.schema, "schema")
                && self.tenant(rule).is_none_or(|meant| meant == tenant)
                && rule.cutoff(now).is_some_and(|cutoff| text("dateCreated") < cutoff.as_str())
        })
    }

    /// Refuses what would only be ended again. 409, as for anything that is over already: a client's or peer's sync
    /// takes that as done and does not come again.
    pub(super) fn check(&self, tenant: &str, message: &Value, now: Timestamp) -> Result<(), Refusal> {
        let Some(rule) = self.ended(tenant, message, now) else { return Ok(()) };
        let created = message.pointer("/descriptor/dateCreated").and_then(Value::as_str).unwrap_or_default();
        let what =
            if rule.schema.is_empty() { [rule.protocol.as_str(), &rule.path].join(" ") } else { rule.schema.clone() };
        let text =
            format!("RecordExpired: this node keeps records of {what} for {}, and this one is of {created}", rule.keep);
        Err(Refusal::new(409, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(toml: &str) -> Rules {
        let config: Config = toml::from_str(toml).expect("parses");
        config.check().expect("sound");
        Rules::new(&config, "did:x:own")
    }

    fn write(protocol: &str, path: &str, created: &str) -> Value {
        json!({"descriptor": {
            "interface": "Records", "method": "Write", "protocol": protocol, "protocolPath": path, "dateCreated": created,
            "schema": "http://s.example",
        }})
    }

    #[test]
    fn a_rule_ends_what_it_names_when_its_time_is_over() {
        let rules = rules(r#"rules = [{ protocol = "http://a.example", path = "thread/message", keep = "30d" }]"#);
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let over = |tenant: &str, message: &Value| rules.ended(tenant, message, now).is_some();
        let old = write("http://a.example", "thread/message", "2026-10-22T11:59:59.999999Z");
        assert!(over("did:x:own", &old));
        assert!(!over("did:x:own", &write("http://a.example", "thread/message", "2026-10-22T12:00:00.000000Z")));
        assert!(!over("did:x:own", &write("http://a.example", "thread", "2020-10-22T12:00:00.000000Z")));
        assert!(!over("did:x:own", &write("http://b.example", "thread/message", "2020-10-22T12:00:00.000000Z")));
        assert!(!over("did:x:other", &old), "without a tenant it is about the node's own records");
        let mut delete = old.clone();
        delete["descriptor"]["method"] = "Delete".into();
        assert!(!over("did:x:own", &delete), "tombstones are taken");
        let refusal = rules.check("did:x:own", &old, now).expect_err("over");
        assert_eq!(refusal.code, 409);
        assert!(refusal.detail.contains("thread/message for 30d"), "{}", refusal.detail);
    }

    #[test]
    fn a_rule_can_be_about_anybody_and_about_a_schema() {
        let rules = rules(
            r#"rules = [{ schema = "http://s.example", tenant = "*", keep = "1d" },
                        { protocol = "http://a.example", path = "p", tenant = "did:x:bob", keep = "99999d" }]"#,
        );
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("a time");
        let old = write("http://a.example", "p", "2026-11-20T11:00:00.000000Z");
        assert!(rules.ended("did:x:anyone", &old, now).is_some_and(|rule| rule.tenant == "*"));
        let mut other = old;
        other["descriptor"]["schema"] = "http://other.example/".into();
        assert!(rules.ended("did:x:bob", &other, now).is_none(), "kept for longer than there are computers");
        other["descriptor"]["schema"] = "http://s.example".into();
        other["descriptor"]["protocol"] = dwn::PERMISSIONS.into();
        assert!(rules.ended("did:x:bob", &other, now).is_none(), "grants have an end of their own");
    }

    #[test]
    fn a_rule_without_sense_is_named() {
        for (rule, words) in [
            (r#"keep = "1d""#, "names neither"),
            (r#"protocol = "http://a.example", keep = "1d""#, "go together"),
            (r#"path = "p", keep = "1d""#, "go together"),
            (
                r#"protocol = "http://a.example", path = "p", schema = "http://s.example", keep = "1d""#,
                "one or the other",
            ),
            (
                r#"protocol = "https://tbd.website/dwn/permissions", path = "grant/revocation", keep = "1d""#,
                "gives a grant back",
            ),
            (r#"protocol = "a.example/", path = "p", keep = "1d""#, "http://a.example"),
            (r#"protocol = "http://a.example", path = "p", tenant = "bob", keep = "1d""#, "neither a DID"),
        ] {
            let config: Config = toml::from_str(&format!("rules = [{{ {rule} }}]")).expect("parses");
            let said = config.check().expect_err(rule).to_string();
            assert!(said.contains("rule 1") && said.contains(words), "{said}");
        }
        for wrong in [r#"{ protocol = "http://a.example", path = "p" }"#, r#"{ keeep = "1d" }"#, r#"{ keep = "0s" }"#] {
            assert!(toml::from_str::<Config>(&format!("rules = [{wrong}]")).is_err(), "{wrong}");
        }
    }
}
