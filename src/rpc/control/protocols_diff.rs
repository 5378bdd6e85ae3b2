//! What a newer definition of a protocol would change, before it is installed: `protocols.diff`.

use super::{
    actor::Actor,
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    walk::{NAMED, each_record},
};
use crate::{
    dwn::{Diff, Fit, Lint, View, normalize_uri, record_id},
    foreign::shown,
};
use anyhow::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub const METHODS: &[Entry] = &[Entry::of::<Compare>()];

#[derive(Debug)]
pub struct Compare;

impl Method for Compare {
    const NAME: &'static str = "protocols.diff";
    const SUMMARY: &'static str =
        "Say what a newer definition allows and forbids, and which records that are here it would refuse.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one more type",
        params: r#"{"definition": {"protocol": "$protocol", "published": false, "types": {"note": {"dataFormats": ["text/plain"]}, "task": {}}, "structure": {"note": {}, "task": {}}}}"#,
        result: r#"{"allows": ["records at `task`"], "forbids": [], "records": 3, "refused": 0, "refusedRecords": []}"#,
    }];
    type Params = Newer;
    type Result = Differences;

    async fn run(call: &Call, Newer { definition, from }: Newer) -> Result<Differences, Failure> {
        let new = Value::from(definition);
        if let Some(problem) = Lint::of(&new).problems.into_iter().next() {
            return Err(Failure::new(Kind::Usage, format!("the newer definition cannot be installed: {problem}")));
        }
        let named = new.get("protocol").and_then(Value::as_str).unwrap_or_default();
        let uri = normalize_uri(named).unwrap_or_else(|| named.to_owned());
        call.caller().may_read(Some(&uri))?;
        let Actor { tenant, .. } = Actor::of(call, from.as_deref())?;
        let store = call.node.store().clone();
        let compared = tokio::task::spawn_blocking(move || compare(&*store.view(&tenant), &uri, &new));
        compared.await.map_err(Error::new)??.ok_or_else(|| {
            let text = "it is not installed here, so there is nothing to compare with: protocols.list lists what is";
            Failure::new(Kind::NotFound, text)
        })
    }
}

/// A definition that is to be compared with what is installed. Keys to encrypt to (`$encryption`) are no rules: they are not compared.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewerProtocol")]
pub struct Newer {
    /// As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`.
    pub definition: Map<String, Value>,
    /// Whose protocol: one of the node's identities; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// What a newer definition changes, in sentences. Records keep what they were: they are only not taken again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProtocolDifferences")]
pub struct Differences {
    /// What could not be done before.
    pub allows: Vec<String>,
    /// What cannot be done any more.
    pub forbids: Vec<String>,
    /// Records of the protocol that are here.
    pub records: u64,
    /// As many of them the newer definition would not take.
    pub refused: u64,
    /// The first of those.
    pub refused_records: Vec<RefusedRecord>,
}

/// A record that a definition would not take.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRecord {
    pub record_id: String,
    pub why: String,
}

fn compare(view: &dyn View, uri: &str, new: &Value) -> Result<Option<Differences>, Error> {
    let Some(installed) = view.protocol(uri)? else { return Ok(None) };
    let old = installed.message.pointer("/descriptor/definition").cloned().unwrap_or_default();
    let (Some(Diff { allows, forbids }), Some(fit)) = (Diff::between(&old, new), Fit::of(new)) else { return Ok(None) };
    let mut found = Differences { allows, forbids, ..Differences::default() };
    each_record(view, uri, |stored| {
        found.records += 1;
        if let Some(why) = fit.refuses(stored) {
            found.refused += 1;
            if found.refused_records.len() < NAMED {
                let record_id = record_id(&stored.message).unwrap_or_default().to_owned();
                found.refused_records.push(RefusedRecord { record_id, why: shown(&why).to_string() });
            }
        }
        Ok(())
    })?;
    Ok(Some(found))
}
