//! `toft tenant ls | rm`: whose records this node keeps.

use super::{
    context::Context,
    output::{Output, aside},
};
use crate::{
    foreign::{LISTED_MAX, plain},
    rpc::control::{Failure, Kind},
};
use serde_json::{Value, json};
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
            let tenants = client.call("tenant.ls", json!({})).await?;
            let lines = |tenants: &Value| tenants.as_array().into_iter().flatten().map(line).collect::<Vec<_>>();
            Ok(Output::of(tenants, |tenants| lines(tenants).join("\n")))
        }
        Command::Rm { did, yes } => {
            if !yes && !confirmed(context, &did)? {
                return Err(Failure::new(Kind::Usage, "nothing was removed"));
            }
            let removed = client.call("tenant.rm", json!({"did": did})).await?;
            let text = format!(
                "✓ {did} and its {} messages are removed: no longer found, served or announced",
                removed["messages"]
            );
            Ok(Output::new(removed, text))
        }
    }
}

fn line(tenant: &Value) -> String {
    let did = tenant["did"].as_str().unwrap_or_default();
    let how = match (tenant["registered"]["since"].as_str(), tenant["allowed"].as_bool()) {
        (Some(since), Some(true)) => format!("registered {since}"),
        (Some(since), _) => format!("registered {since}, for terms that have changed"),
        (None, Some(true)) => "let in".to_owned(),
        (None, _) => "no longer let in".to_owned(),
    };
    format!("{did} {} messages, {how}", tenant["messages"])
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
