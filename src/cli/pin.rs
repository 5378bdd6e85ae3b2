//! `toft pin add | rm | ls`: data that stays even if no record holds it any more.

use super::{context::Context, output::Output};
use crate::rpc::control::Failure;
use serde_json::{Value, json};

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
            let done = client.call("pin.add", json!({"cid": cid})).await?;
            Ok(Output::new(done, format!("✓ {cid} stays, whatever becomes of its records")))
        }
        Command::Rm { cid } => {
            let done = client.call("pin.rm", json!({"cid": cid})).await?;
            Ok(Output::new(done, format!("✓ {cid} stays only as long as a record holds it")))
        }
        Command::Ls => {
            let pins = client.call("pin.ls", json!({})).await?;
            Ok(Output::of(pins, |pins| {
                let lines: Vec<_> = pins.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                if lines.is_empty() { "nothing is pinned".to_owned() } else { lines.join("\n") }
            }))
        }
    }
}
