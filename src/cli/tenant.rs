//! `toft tenant ls | rm`: whose records this node keeps.

use super::{
    context::Context,
    output::{Output, aside},
};
use crate::{
    foreign::{LISTED_MAX, plain},
    node::Tenant,
    rpc::control::{
        Failure, Kind, NoParams,
        tenants::{self, OneTenant},
    },
};
use std::io::IsTerminal as _;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the tenants: who has records here, or may have (dwn.tenants).
    Ls,
    /// Remove a tenant: its registration, all its records and their data. There is no way back.
    Rm {
        did: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Ls => {
            let tenants = client.call::<tenants::Ls>(&NoParams {}).await?;
            Output::of(&tenants, |tenants| tenants.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        Command::Rm { did, yes } => {
            if !yes && !confirmed(context, &did)? {
                return Err(Failure::new(Kind::Usage, "nothing was removed"));
            }
            let removed = client.call::<tenants::Rm>(&OneTenant { did: did.clone() }).await?;
            let text = format!(
                "✓ {did} and its {} messages are removed: no longer found, served or announced",
                removed.messages
            );
            Output::told(&removed, text)
        }
    }
}

fn line(tenant: &Tenant) -> String {
    let how = match (&tenant.registered, tenant.allowed) {
        (Some(registered), true) => format!("registered {}", registered.since),
        (Some(registered), false) => format!("registered {}, for terms that have changed", registered.since),
        (None, true) => "let in".to_owned(),
        (None, false) => "no longer let in".to_owned(),
    };
    format!("{} {} messages, {how}", tenant.did, tenant.messages)
}

/// Asks on a terminal; a script says --yes.
fn confirmed(context: &Context, did: &str) -> Result<bool, Failure> {
    if context.json || !std::io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "this cannot be undone: say --yes if you mean it"));
    }
    aside(&format!("Remove {} with all its records? There is no way back. Type yes:", plain(did, LISTED_MAX)));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim() == "yes")
}
