//! `toft lock`: the running node signs nothing more until it is unlocked.

use super::{context::Context, output::Output};
use crate::rpc::control::{Failure, NoParams, identity};

pub async fn run(context: &Context) -> Result<Output, Failure> {
    let locked = context.client()?.call::<identity::Lock>(&NoParams {}).await?;
    let text = format!(
        "✓ The keys are wiped from the node's memory: it signs nothing, and goes on reading\n→ To sign again: {}",
        context.next("unlock")
    );
    Output::told(&locked, text)
}
