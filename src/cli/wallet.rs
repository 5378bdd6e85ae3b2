//! `toft wallet ls | approve | rm`: wallets that ask to be let in, and those that are.

use super::{
    context::Context,
    output::{Output, aside},
};
use crate::{
    access::Pairing,
    rpc::control::{
        Failure, Kind, NoParams,
        pair::{self, Approval, OnePairing},
        tokens::{self, OneToken},
    },
    span::Span,
};
use std::io::IsTerminal as _;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the wallets that wait.
    Ls,
    /// Let in the wallet that shows these six digits.
    Approve {
        /// The six digits; asked for if they are not given.
        code: Option<String>,
        /// Which one it is, as toft wallet ls shows it.
        #[arg(long)]
        id: Option<String>,
        /// How long its token is good for, such as 12h or 30d.
        #[arg(long, value_name = "TIME", default_value = "24h")]
        expires: Span,
    },
    /// Turn away a wallet that waits, or revoke the token of one that was let in.
    Rm {
        /// As toft wallet ls or toft token ls shows it.
        id: String,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Ls => {
            let waiting = client.call::<pair::List>(&NoParams {}).await?;
            Output::of(&waiting, |waiting| match waiting.is_empty() {
                true => "no wallet waits (toft token ls shows those that were let in)".to_owned(),
                false => waiting.iter().map(|one| shown(context, one)).collect::<Vec<_>>().join("\n"),
            })
        }
        Command::Approve { code, id, expires } => {
            let code = match code {
                Some(code) => code,
                None => asked(context)?,
            };
            let approval = Approval { code, id, expires_in: Some(expires.0.as_secs().max(1)) };
            let approved = client.call::<pair::Approve>(&approval).await?;
            Output::of(&approved, |one| format!("✓ {} is let in: it may {}", one.name, one.words.join(", and ")))
        }
        Command::Rm { id } => match client.call::<pair::Reject>(&OnePairing { id: id.clone() }).await {
            Ok(rejected) => Output::of(&rejected, |one| format!("✓ {} is not let in", one.name)),
            Err(failure) if failure.kind == Kind::NotFound => {
                let revoked = client.call::<tokens::Revoke>(&OneToken { id }).await?;
                Output::of(&revoked, |token| format!("✓ {} is let in no more", token.name))
            }
            Err(failure) => Err(failure),
        },
    }
}

fn shown(context: &Context, one: &Pairing) -> String {
    let from = match (&one.origin, one.from_page) {
        (Some(origin), true) => format!("the page {origin}"),
        (Some(origin), false) => format!("a program that says it is of {origin}"),
        (None, _) => "a program, no page".to_owned(),
    };
    let state = if one.approved {
        "  let in; it has not fetched its token yet".to_owned()
    } else {
        format!("  Type the digits it shows: {}", context.next(&format!("wallet approve <code> --id {}", one.id)))
    };
    let wants: Vec<_> = one.words.iter().map(|words| format!("  - {words}")).collect();
    format!("{} {} ({from}) wants to\n{}\n{state}", one.id, one.name, wants.join("\n"))
}

/// Asks on a terminal.
fn asked(context: &Context) -> Result<String, Failure> {
    if context.json || !std::io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "give the six digits that the wallet shows: toft wallet approve <code>"));
    }
    aside("The six digits that the wallet shows:");
    let mut code = String::new();
    std::io::stdin().read_line(&mut code).map_err(|e| Failure::new(Kind::Failed, format!("reading the code: {e}")))?;
    Ok(code.trim().to_owned())
}
