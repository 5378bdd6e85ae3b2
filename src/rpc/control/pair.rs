//! Pairing a wallet: `pair.…`. A wallet asks without a token; the owner types what it shows.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::{
    access::{Asked, Created, NoPairing, Pairing, Wish},
    job::blocking,
};
use anyhow::Error;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] =
    &[Entry::of::<Request>(), Entry::of::<Poll>(), Entry::of::<List>(), Entry::of::<Approve>(), Entry::of::<Reject>()];

#[derive(Debug)]
pub struct Request;

impl Method for Request {
    const NAME: &'static str = "pair.request";
    const SUMMARY: &'static str =
        "Ask the node's owner for a token: show the code, and fetch the token with pair.poll.";
    const SCOPE: Need = Need::Nobody;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a wallet",
        params: r#"{"name": "Wallet", "origin": "https://wallet.example", "scopes": ["records:read"]}"#,
        result: r#"{"id": "$token", "code": "042137", "secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "expires": "2026-11-21T09:05:00Z"}"#,
    }];
    type Params = Wish;
    type Result = Asked;

    async fn run(call: &Call, wish: Wish) -> Result<Asked, Failure> {
        call.access.ask_pairing(call.caller(), wish, Timestamp::now()).map_err(failed)
    }
}

#[derive(Debug)]
pub struct Poll;

impl Method for Poll {
    const NAME: &'static str = "pair.poll";
    const SUMMARY: &'static str = "Fetch the token that the owner has given; once. Until then, pending.";
    const SCOPE: Need = Need::Nobody;
    const ERRORS: &'static [Kind] = &[Kind::NotFound, Kind::Pending];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a wallet",
        params: r#"{"id": "$token", "secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        result: r#"{"token": "toft_$token.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "id": "$token", "name": "Wallet", "scopes": ["records:read"], "origin": "https://wallet.example", "rate": 600, "created": "2026-11-21T09:00:00Z", "expires": "2026-11-22T09:00:00Z"}"#,
    }];
    type Params = Fetch;
    type Result = Created;

    async fn run(call: &Call, Fetch { id, secret }: Fetch) -> Result<Created, Failure> {
        let (access, caller) = (call.access.clone(), call.caller().clone());
        done(blocking(move || Ok(access.fetch_pairing(&caller, &id, &secret, Timestamp::now()))).await)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PairingFetch")]
pub struct Fetch {
    pub id: String,
    /// As pair.request gave it.
    pub secret: String,
}

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "pair.list";
    const SUMMARY: &'static str = "List the wallets that wait for the owner.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"id": "$token", "name": "Wallet", "origin": "https://wallet.example", "fromPage": true, "scopes": ["records:read"], "words": ["read all records"], "approved": false, "expires": "2026-11-21T09:05:00Z"}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Pairing>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<Pairing>, Failure> {
        Ok(call.access.pairings(Timestamp::now()))
    }
}

#[derive(Debug)]
pub struct Approve;

impl Method for Approve {
    const NAME: &'static str = "pair.approve";
    const SUMMARY: &'static str = "Let in the wallet that shows this code.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "for a month",
        params: r#"{"code": "042137", "id": "$token", "expiresIn": 2592000}"#,
        result: r#"{"id": "$token", "name": "Wallet", "origin": "https://wallet.example", "fromPage": true, "scopes": ["records:read"], "words": ["read all records"], "approved": true, "expires": "2026-11-21T09:05:00Z"}"#,
    }];
    type Params = Approval;
    type Result = Pairing;

    async fn run(call: &Call, Approval { code, id, expires_in }: Approval) -> Result<Pairing, Failure> {
        let (access, by) = (call.access.clone(), call.caller().clone());
        let approved =
            blocking(move || Ok(access.approve_pairing(&by, (id.as_deref(), &code), expires_in, Timestamp::now())));
        done(approved.await)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "PairingApproval")]
pub struct Approval {
    /// Six digits, as the wallet shows them.
    pub code: String,
    /// Which one it is, where several wait.
    #[serde(default)]
    pub id: Option<String>,
    /// Seconds that its token is good for: a day if not given.
    #[serde(default)]
    pub expires_in: Option<u64>,
}

#[derive(Debug)]
pub struct Reject;

impl Method for Reject {
    const NAME: &'static str = "pair.reject";
    const SUMMARY: &'static str = "Do not let a wallet in that waits.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"id": "$token"}"#,
        result: r#"{"id": "$token", "name": "Wallet", "origin": null, "fromPage": false, "scopes": ["records:read"], "words": ["read all records"], "approved": false, "expires": "2026-11-21T09:05:00Z"}"#,
    }];
    type Params = OnePairing;
    type Result = Pairing;

    async fn run(call: &Call, OnePairing { id }: OnePairing) -> Result<Pairing, Failure> {
        let (access, by) = (call.access.clone(), call.caller().clone());
        done(blocking(move || Ok(access.reject_pairing(&by, &id, Timestamp::now()))).await)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnePairing {
    pub id: String,
}

fn done<T>(outcome: Result<Result<T, NoPairing>, Error>) -> Result<T, Failure> {
    outcome?.map_err(failed)
}

fn failed(no: NoPairing) -> Failure {
    match no {
        NoPairing::Wrong(_) => Failure::new(Kind::Usage, no.to_string()),
        NoPairing::TooMany(denial) => denial.into(),
        NoPairing::NotFound | NoPairing::WrongCode => Failure::new(Kind::NotFound, no.to_string()),
        NoPairing::NotYet => Failure::new(Kind::Pending, no.to_string()),
        NoPairing::Fault(fault) => fault.into(),
    }
}
