//! The audit log: `audit.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::{
    audit::{Entry as Noted, Report, verify},
    job::blocking,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<List>(), Entry::of::<Verify>()];

/// Entries of one answer.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "audit.list";
    const SUMMARY: &'static str = "Show the newest entries of the audit log, the oldest of them first.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "tokens",
        params: r#"{"what": "token", "limit": 10}"#,
        result: r#"[{"n": 3, "at": "2026-11-21T09:00:00Z", "what": "token.made", "who": "owner", "about": {"id": "$token", "name": "notes"}, "prev": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"}]"#,
    }];
    type Params = Wanted;
    type Result = Vec<Noted>;

    async fn run(call: &Call, Wanted { since, what, limit }: Wanted) -> Result<Vec<Noted>, Failure> {
        let since = since.map(|since| since.parse::<Timestamp>()).transpose();
        let since = since.map_err(|e| Failure::new(Kind::Usage, format!("since is a moment (RFC 3339): {e}")))?;
        let limit = limit.map_or(LIMIT, |limit| limit as usize);
        if limit > LIMIT_MAX {
            return Err(Failure::new(Kind::Usage, format!("limit is {LIMIT_MAX} at most")));
        }
        let is_of = move |entry: &Noted| {
            let of = |what: &String| {
                entry.what.strip_prefix(what.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            what.as_ref().is_none_or(of) && since.is_none_or(|since| entry.at.0 >= since)
        };
        let audit = call.audit.clone();
        Ok(blocking(move || audit.newest(limit, is_of)).await?)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AuditWanted")]
pub struct Wanted {
    /// From this moment on (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What happened: `token.made`, or all of `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// 100 if not given, 1000 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug)]
pub struct Verify;

impl Method for Verify {
    const NAME: &'static str = "audit.verify";
    const SUMMARY: &'static str = "Say whether the audit log is whole, and is the one whose heads the node has signed.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all of it",
        params: "{}",
        result: r#"{"files": 1, "entries": 3, "n": 3, "hash": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", "heads": 1, "problems": []}"#,
    }];
    type Params = NoParams;
    type Result = Report;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Report, Failure> {
        let heads = call.heads.signed().await?;
        let dir = call.audit.dir().to_owned();
        Ok(blocking(move || verify(&dir, &heads)).await?)
    }
}
