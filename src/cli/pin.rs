//! `toft pin add | rm | ls`: data that stays even if no record holds it any more.

use super::{context::Context, output::Output};
use crate::rpc::control::{
    Failure, NoParams,
    pins::{self, OneRoot},
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep the data under a CID (the data CID of a record that is here).
    Add { cid: String },
    /// Take a pin away.
    Rm { cid: String },
    /// List the pins.
    Ls,
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    let client = context.client()?;
    match command {
        Command::Add { cid } => {
            let done = client.call::<pins::Add>(&OneRoot { cid: cid.clone() }).await?;
            Output::told(&done, format!("✓ {cid} stays, whatever becomes of its records"))
        }
        Command::Rm { cid } => {
            let done = client.call::<pins::Rm>(&OneRoot { cid: cid.clone() }).await?;
            Output::told(&done, format!("✓ {cid} stays only as long as a record holds it"))
        }
        Command::Ls => {
            let pins = client.call::<pins::Ls>(&NoParams {}).await?;
            Output::of(&pins, |pins| if pins.is_empty() { "nothing is pinned".to_owned() } else { pins.join("\n") })
        }
    }
}
