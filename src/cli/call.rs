//! `toft call METHOD`: any method of the RPC, with parameters as they stand in JSON.

use super::{context::Context, output::Output};
use crate::rpc::control::{Failure, Kind};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name, such as node.status (toft token scopes lists all).
    method: String,
    /// Its parameters, such as '{"recordId": "…"}'.
    #[arg(default_value = "{}", value_name = "JSON")]
    params: String,
}

pub async fn run(context: &Context, args: &Args) -> Result<Output, Failure> {
    let params: Value = serde_json::from_str(&args.params).map_err(|problem| {
        Failure::new(
            Kind::Usage,
            format!("the parameters are no JSON: {problem}; write them as '{{\"name\": \"value\"}}'"),
        )
    })?;
    let result = context.client()?.call_named(&args.method, &params).await?;
    let text = serde_json::to_string_pretty(&result).unwrap_or_default();
    Ok(Output::new(result, text))
}
