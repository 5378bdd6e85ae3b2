//! `toft grant create | request | ls | revoke | explain`: what others may do with the records of this node's identities.

use super::{context::Context, output::Output};
use crate::rpc::control::{
    Failure,
    grants::{self, Conditions, Grant, GrantScope, New, OneGrant, Pagination, Which, Wish},
    grants_explain::{self, Access, Question},
};
use jiff::{Span, Timestamp, Zoned, tz::TimeZone};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Let somebody do something with this node's records, until a date.
    Create(Box<Create>),
    /// Ask somebody for a grant.
    Request(Box<Request>),
    /// List the grants that were given.
    Ls {
        /// Those of this DID.
        #[arg(long = "to", value_name = "DID")]
        granted_to: Option<String>,
        /// Those about this protocol.
        #[arg(long, value_name = "URI")]
        protocol: Option<String>,
        /// Those in force alone.
        #[arg(long)]
        active: bool,
        /// Which of the node's identities gave them; its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// End a grant from now on.
    Revoke {
        /// recordId of the grant.
        grant: String,
        /// Which of the node's identities gave it; its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
    /// Say who may read and write a record, or the records at a path, and why.
    Explain {
        /// recordId of the record.
        #[arg(required_unless_present = "protocol", conflicts_with = "protocol")]
        record: Option<String>,
        /// URI of the protocol.
        #[arg(long, value_name = "URI", requires = "path")]
        protocol: Option<String>,
        /// Path in the protocol, e.g. thread/reply.
        #[arg(long, value_name = "PATH", requires = "protocol")]
        path: Option<String>,
        /// What this one may, and if they may not read, why not.
        #[arg(long, value_name = "DID")]
        did: Option<String>,
        /// Whose records: one of the node's identities; its own if none is named.
        #[arg(long = "as", value_name = "DID")]
        from: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub struct Create {
    /// The DID that is let do it.
    granted_to: String,
    #[command(flatten)]
    scope: Scope,
    /// Until when: a date, a time as 2026-11-21T12:00:00Z, or from now on as 30d, 12h.
    #[arg(long, value_name = "TIME", value_parser = until)]
    expires: String,
    /// recordId of the request that this answers.
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    #[command(flatten)]
    more: More,
}

#[derive(Debug, clap::Args)]
pub struct Request {
    /// The DID of who is asked.
    from: String,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    more: More,
}

#[derive(Debug, clap::Args)]
struct Scope {
    /// What may be done, e.g. Records.Read, Records.Write, Protocols.Query, Messages.Read.
    #[arg(long = "for", value_name = "INTERFACE.METHOD", value_parser = method)]
    method: (String, String),
    /// URI of the protocol.
    #[arg(long, value_name = "URI")]
    protocol: Option<String>,
    /// Records at this path of the protocol alone.
    #[arg(long, value_name = "PATH", conflicts_with = "context")]
    path: Option<String>,
    /// Records in this context alone.
    #[arg(long, value_name = "ID")]
    context: Option<String>,
}

impl Scope {
    fn into_grant(self) -> GrantScope {
        let Self { method: (interface, method), protocol, path, context } = self;
        GrantScope { interface, method, protocol, context_id: context, protocol_path: path }
    }
}

#[derive(Debug, clap::Args)]
struct More {
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// To act in the grantor's name.
    #[arg(long)]
    delegated: bool,
    /// Of writes: must they be published?
    #[arg(long, value_name = "RULE", value_parser = ["Required", "Prohibited"])]
    publication: Option<String>,
    /// Which of the node's identities does it; its own if none is named.
    #[arg(long = "as", value_name = "DID")]
    own: Option<String>,
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Create(create) => {
            let Create { granted_to, scope, expires, request, more } = *create;
            let More { description, delegated, publication, own } = more;
            let new = New {
                granted_to,
                scope: scope.into_grant(),
                date_expires: expires,
                description,
                delegated,
                conditions: publication.map(|publication| Conditions { publication }),
                request_id: request,
                from: own,
            };
            let created = client.call::<grants::Create>(&new).await?;
            Output::of(&created, |created| {
                let end = context.next(&format!("grant revoke {}", created.grant.grant_id));
                format!("✓ {}\n→ To end it before that: {end}", line(&created.grant))
            })
        }
        Command::Request(request) => {
            let Request { from, scope, more } = *request;
            let More { description, delegated, publication, own } = more;
            let conditions = publication.map(|publication| Conditions { publication });
            let scope = scope.into_grant();
            let wish = Wish { from, scope, description, delegated, conditions, asker: own };
            let requested = client.call::<grants::Request>(&wish).await?;
            Output::of(&requested, |requested| match requested.delivered {
                true => format!("✓ Asked: request {}", requested.request_id),
                false => format!(
                    "… Request {} is made and not delivered: its records are not kept here. With --json its message is printed, for their node",
                    requested.request_id
                ),
            })
        }
        Command::Ls { granted_to, protocol, active, from } => {
            let (mut all, active) = (Vec::new(), active.then_some(true));
            let mut which = Which { granted_to, protocol, active, from, pagination: Pagination::default() };
            loop {
                let page = client.call::<grants::List>(&which).await?;
                all.extend(page.grants);
                which.pagination.cursor = page.cursor;
                if which.pagination.cursor.is_none() {
                    break;
                }
            }
            Output::of(&all, |all| match all.is_empty() {
                true => "no grants".to_owned(),
                false => all.iter().map(line).collect::<Vec<_>>().join("\n"),
            })
        }
        Command::Revoke { grant, from } => {
            let revoked = client.call::<grants::Revoke>(&OneGrant { grant_id: grant, from }).await?;
            Output::of(&revoked, |revoked| format!("✓ {}", line(revoked)))
        }
        Command::Explain { record, protocol, path, did, from } => {
            let question = Question { record_id: record, protocol, protocol_path: path, did, from };
            let explained = client.call::<grants_explain::Explain>(&question).await?;
            Output::of(&explained, |explained| {
                let mut lines: Vec<_> = explained.access.iter().map(access).collect();
                lines.extend((!explained.complete).then(|| "… and more, who were not looked at".to_owned()));
                lines.join("\n")
            })
        }
    }
}

fn line(grant: &Grant) -> String {
    let scope = &grant.scope;
    let place = [&scope.protocol, &scope.protocol_path, &scope.context_id].into_iter().flatten();
    let place: Vec<_> = place.map(String::as_str).collect();
    let whose = if grant.delegated { ", in the owner's name" } else { "" };
    let stands = match &grant.date_revoked {
        Some(since) => format!("revoked {since}"),
        None => format!("{} until {}", grant.state, grant.date_expires),
    };
    let to = grant.granted_to.as_deref().unwrap_or("nobody");
    format!("{} {stands}: {to} {}.{} {}{whose}", grant.grant_id, scope.interface, scope.method, place.join(" "))
}

fn access(access: &Access) -> String {
    let Access { who, may, because, .. } = access;
    match may.is_empty() {
        true => format!("✗ {who} nothing: {because}"),
        false => format!("✓ {who} {}: {because}", may.join(", ")),
    }
}

fn method(text: &str) -> Result<(String, String), String> {
    let (interface, method) = text.split_once('.').ok_or("write it as Records.Read")?;
    Ok((interface.to_owned(), method.to_owned()))
}

/// A time that is meant, as RPC takes it.
fn until(text: &str) -> Result<String, String> {
    let now = Zoned::now().with_time_zone(TimeZone::UTC);
    let date = || Some(text.parse::<jiff::civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let later = || Some(now.checked_add(text.parse::<Span>().ok()?).ok()?.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(date).or_else(later);
    time.map(|at| format!("{at:.6}")).ok_or_else(|| "write it as 2026-11-21, 2026-11-21T12:00:00Z or 30d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_date_a_time_or_a_while_from_now() {
        assert_eq!(until("2036-11-21"), Ok("2036-11-21T00:00:00.000000Z".into()));
        assert_eq!(until("2036-11-21T14:00:00+02:00"), Ok("2036-11-21T12:00:00.000000Z".into()));
        let later: Timestamp = until("30d").expect("a time").parse().expect("a time");
        let hours = later.since(Timestamp::now()).expect("a span").get_seconds() / 3600;
        assert!((719..=720).contains(&hours), "{hours}");
        assert!(until("soon").is_err());
    }
}
