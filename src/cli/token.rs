//! `toft token create | ls | revoke | scopes`: who may call this node, and what.

use super::{context::Context, output::Output};
use crate::{
    access::{Listed, Origin, Scope, State, Wanted},
    rpc::control::{
        Failure, From, Kind, NoParams, TABLE,
        tokens::{self, OneToken},
    },
    span::Span,
};
use serde_json::json;
use std::fmt::Write as _;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a token. It is shown this once.
    Create {
        /// What it is for.
        name: String,
        /// What it may do (may be repeated; toft token scopes lists them).
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
        /// Only the records of this protocol (may be repeated).
        #[arg(long = "protocol", value_name = "URI")]
        protocols: Vec<String>,
        /// Only the records of this tenant.
        #[arg(long, value_name = "DID")]
        tenant: Option<String>,
        /// How long it is good for, such as 12h or 30d, or never.
        #[arg(long, value_name = "TIME", default_value = "24h")]
        expires: String,
        /// Only for pages of this origin, such as https://wallet.example.
        #[arg(long, value_name = "ORIGIN")]
        origin: Option<Origin>,
        /// Calls a minute, such as 60/min.
        #[arg(long, value_name = "N/min")]
        rate: Option<String>,
    },
    /// List the tokens.
    Ls,
    /// Revoke a token and those made with it, at once.
    Revoke {
        /// As toft token ls shows it.
        id: String,
    },
    /// Show which scope each method needs.
    Scopes,
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Create { name, scopes, protocols, tenant, expires, origin, rate } => {
            let scopes = scopes.into_iter().collect();
            let (expires_in, never_expires) = life(&expires)?;
            let rate = rate.as_deref().map(calls).transpose()?;
            let wanted = Wanted { name, scopes, protocols, tenant, origin, rate, expires_in, never_expires };
            let made = context.client()?.call::<tokens::Create>(&wanted).await?;
            let until = made.about.expires.map_or("until it is revoked".to_owned(), |until| format!("until {until}"));
            Output::of(&made, |made| {
                format!(
                    "{}\n✓ Token {} ({}) is good {until}. It is shown this once: keep it as a password",
                    *made.token, made.about.id, made.about.name
                )
            })
        }
        Command::Ls => {
            let tokens = context.client()?.call::<tokens::List>(&NoParams {}).await?;
            Output::of(&tokens, |tokens| match tokens.is_empty() {
                true => format!("no tokens; make one with: {}", context.next("token create <name> --scope <scope>")),
                false => tokens.iter().map(line).collect::<Vec<_>>().join("\n"),
            })
        }
        Command::Revoke { id } => {
            let revoked = context.client()?.call::<tokens::Revoke>(&OneToken { id }).await?;
            Output::of(&revoked, |token| format!("✓ Token {} ({}) is revoked", token.id, token.name))
        }
        Command::Scopes => Ok(scopes()),
    }
}

/// Seconds, or for good.
fn life(text: &str) -> Result<(Option<u64>, bool), Failure> {
    if text == "never" {
        return Ok((None, true));
    }
    let span: Span =
        text.parse().map_err(|why| Failure::new(Kind::Usage, format!("--expires {text}: {why}, or never")))?;
    Ok((Some(span.0.as_secs().max(1)), false))
}

/// `60/min`, or 60.
fn calls(text: &str) -> Result<u32, Failure> {
    let usage = |_| Failure::new(Kind::Usage, format!("--rate {text}: write it as 60/min"));
    text.strip_suffix("/min").unwrap_or(text).parse().map_err(usage)
}

fn line(Listed { token, state, last_used }: &Listed) -> String {
    let mut line = format!("{} {} [{}]", token.id, token.name, token.scopes);
    let bounds = [
        (!token.protocols.is_empty()).then(|| format!("protocols {}", token.protocols.join(", "))),
        token.tenant.as_ref().map(|tenant| format!("tenant {tenant}")),
        token.origin.as_ref().map(|origin| format!("pages of {origin}")),
        token.parent.as_ref().map(|parent| format!("made by {parent}")),
        Some(format!("{}/min", token.rate)),
        Some(match (state, token.expires) {
            (State::Revoked, _) => "✗ revoked".to_owned(),
            (State::Expired, Some(at)) => format!("✗ expired {at}"),
            (_, Some(at)) => format!("until {at}"),
            (_, None) => "until it is revoked".to_owned(),
        }),
        Some(last_used.map_or("never used".to_owned(), |at| format!("last used {at}"))),
    ];
    bounds.into_iter().flatten().for_each(|bound| {
        let _ = write!(line, ", {bound}");
    });
    line
}

/// The table of scopes and methods, from the methods' declarations.
fn scopes() -> Output {
    let methods: Vec<_> = TABLE.iter().flat_map(|group| group.iter()).collect();
    let rows = methods.iter().map(|method| {
        json!({"method": method.name, "scope": method.scope.to_string(), "from": method.from.to_string(), "summary": method.summary})
    });
    let rows: Vec<_> = rows.collect();
    let (name, scope) = methods
        .iter()
        .fold((0, 0), |(name, scope), method| (name.max(method.name.len()), scope.max(method.scope.to_string().len())));
    let lines = methods.iter().map(|method| {
        let socket = if method.from == From::Socket { "(socket only) " } else { "" };
        format!("{:name$}  {:scope$}  {socket}{}", method.name, method.scope.to_string(), method.summary)
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let more = "admin may do all. records:read and records:write may name a protocol: records:read:<protocol>";
    Output::new(rows.into(), format!("{text}\n{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        assert_eq!(life("30d").ok(), Some((Some(30 * 86_400), false)));
        assert_eq!(life("never").ok(), Some((None, true)));
        assert!(life("soon").is_err());
        assert_eq!((calls("60/min").ok(), calls("7").ok()), (Some(60), Some(7)));
        assert!(calls("60/s").is_err() && calls("-1").is_err());
    }
}
