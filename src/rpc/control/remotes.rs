//! Other DWN servers in step: `sync.remotes` and its likes.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, From, Method, Need, NoParams},
};
use crate::{
    audit::What,
    remote::{NotAdded, Remote, RemoteStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const METHODS: &[Entry] = &[Entry::of::<Ls>(), Entry::of::<Attach>(), Entry::of::<Detach>()];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "sync.remotes";
    const SUMMARY: &'static str = "List the DWN servers that are kept in step with, and how they stand.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"url": "https://dwn.example", "tenants": ["$did"], "protocols": [], "in_step": true, "last_in_step": "2026-11-21T09:00:00Z", "pushed": 3, "pulled": 1, "waiting_there": 0, "waiting_here": 0, "put_aside": [], "put_aside_there": [], "problem": null}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<RemoteStatus>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<RemoteStatus>, Failure> {
        Ok(call.remotes.status().await?)
    }
}

#[derive(Debug)]
pub struct Attach;

impl Method for Attach {
    const NAME: &'static str = "sync.attach";
    const SUMMARY: &'static str = "Keep in step with a DWN server, or change what is kept in step with it.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a server",
        params: r#"{"url": "https://dwn.example"}"#,
        result: r#"{"url": "https://dwn.example", "tenants": ["$did"], "protocols": []}"#,
    }];
    type Params = NewRemote;
    type Result = Remote;

    async fn run(call: &Call, NewRemote { url, tenants, protocols }: NewRemote) -> Result<Remote, Failure> {
        let added = call.remotes.add(&url, tenants, protocols, &call.dwn).await;
        let remote = added.map_err(|why| match why {
            NotAdded::Wrong(why) => Failure::new(Kind::Usage, why),
            NotAdded::Nobody(why) => Failure::new(Kind::Denied, why),
            NotAdded::Fault(fault) => fault.into(),
        })?;
        let about = json!({"url": remote.url, "tenants": remote.tenants, "protocols": remote.protocols});
        call.audit.note(What::RemoteAdded, call.caller(), about).await?;
        Ok(remote)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewRemoteServer")]
pub struct NewRemote {
    /// `https://…` or `http://…`.
    pub url: String,
    /// DIDs whose messages go there and come from there. Empty: this node's own.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// URIs of the protocols that count. Empty: all, and what belongs to none.
    #[serde(default)]
    pub protocols: Vec<String>,
}

#[derive(Debug)]
pub struct Detach;

impl Method for Detach {
    const NAME: &'static str = "sync.detach";
    const SUMMARY: &'static str = "Keep in step with a DWN server no more: what it has it keeps.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a server",
        params: r#"{"url": "https://dwn.example"}"#,
        result: r#"{"url": "https://dwn.example", "tenants": ["$did"], "protocols": []}"#,
    }];
    type Params = OneRemote;
    type Result = Remote;

    async fn run(call: &Call, OneRemote { url }: OneRemote) -> Result<Remote, Failure> {
        let Some(remote) = call.remotes.remove(&url).await? else {
            let message =
                format!("{} is not kept in step with: toft sync status says what is", crate::foreign::shown(&url));
            return Err(Failure::new(Kind::NotFound, message));
        };
        call.audit.note(What::RemoteRemoved, call.caller(), json!({"url": remote.url})).await?;
        Ok(remote)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OneRemoteServer")]
pub struct OneRemote {
    pub url: String,
}
