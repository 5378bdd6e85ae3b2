//! `toft unlock`: the running node signs again. The passphrase goes to it sealed, over its own socket.

use super::{context::Context, output::Output, passphrase::Brought};
use crate::{
    identity::Content,
    rpc::control::{
        Failure, NoParams,
        identity::{Opening, Sealing, Unlock},
    },
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    passphrase: Brought,
}

pub async fn run(context: &Context, args: &Args) -> Result<Output, Failure> {
    let client = context.client()?;
    let keys = context.config(&[])?.identity.vault(&context.home)?;
    let handed = match args.passphrase.open(context, &keys)? {
        None => None,
        passphrase => {
            let key = client.call::<Sealing>(&NoParams {}).await?;
            Some(Content { passphrase, keys: None }.seal(&key)?)
        }
    };
    let unlocked = client.call::<Unlock>(&Opening { handed }).await?;
    Output::told(&unlocked, "✓ The node signs again")
}
