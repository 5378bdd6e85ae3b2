//! Tokens: `tokens.…`. Who holds one makes narrower ones with it, and sees and revokes those alone.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::{
    access::{Created, Listed, Refused, Token, Wanted},
    job::blocking,
};
use anyhow::Error;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Create>(), Entry::of::<List>(), Entry::of::<Revoke>()];

#[derive(Debug)]
pub struct Create;

impl Method for Create {
    const NAME: &'static str = "tokens.create";
    const SUMMARY: &'static str = "Make a token: what is made with one is narrower than it, and ends with it.";
    const SCOPE: Need = Need::Any;
    const ERRORS: &'static [Kind] = &[Kind::Conflict];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "for notes",
        params: r#"{"name": "notes", "scopes": ["records:read", "records:write"], "protocols": ["$protocol"], "expiresIn": 86400}"#,
        result: r#"{"token": "toft_$token.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "id": "$token", "name": "notes", "scopes": ["records:read", "records:write"], "protocols": ["$protocol"], "rate": 600, "created": "2026-11-21T09:00:00Z", "expires": "2026-11-22T09:00:00Z"}"#,
    }];
    type Params = Wanted;
    type Result = Created;

    async fn run(call: &Call, wanted: Wanted) -> Result<Created, Failure> {
        let (access, by) = (call.access.clone(), call.caller().clone());
        done(blocking(move || Ok(access.create(&by, wanted, Timestamp::now()))).await)
    }
}

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "tokens.list";
    const SUMMARY: &'static str = "List tokens, and when each was used last.";
    const SCOPE: Need = Need::Any;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"id": "$token", "name": "notes", "scopes": ["info"], "rate": 600, "created": "2026-11-21T09:00:00Z", "expires": "2026-11-22T09:00:00Z", "state": "live", "lastUsed": null}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Listed>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<Listed>, Failure> {
        Ok(call.access.list(call.caller(), Timestamp::now()))
    }
}

#[derive(Debug)]
pub struct Revoke;

impl Method for Revoke {
    const NAME: &'static str = "tokens.revoke";
    const SUMMARY: &'static str = "Revoke a token and those made with it, at once: what they have open ends.";
    const SCOPE: Need = Need::Any;
    const ERRORS: &'static [Kind] = &[Kind::Conflict, Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"id": "$token"}"#,
        result: r#"{"id": "$token", "name": "notes", "scopes": ["info"], "rate": 600, "created": "2026-11-21T09:00:00Z", "expires": "2026-11-22T09:00:00Z"}"#,
    }];
    type Params = OneToken;
    type Result = Token;

    async fn run(call: &Call, OneToken { id }: OneToken) -> Result<Token, Failure> {
        let (access, by) = (call.access.clone(), call.caller().clone());
        done(blocking(move || Ok(access.revoke(&by, &id, Timestamp::now()))).await)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneToken {
    /// As tokens.list shows it.
    pub id: String,
}

fn done<T>(outcome: Result<Result<T, Refused>, Error>) -> Result<T, Failure> {
    outcome?.map_err(|refused| match refused {
        Refused::Unfit(why) => Failure::new(Kind::Usage, why.to_string()),
        Refused::NotFound(_) => Failure::new(Kind::NotFound, refused.to_string()),
        Refused::Full(_) => Failure::new(Kind::Conflict, refused.to_string()),
        Refused::Denied(denial) => denial.into(),
        Refused::Fault(fault) => fault.into(),
    })
}
