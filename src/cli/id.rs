//! `toft id`: who this node is. Needs no running node.

use super::{context::Context, output::Output};
use crate::{
    daemon::Identity,
    rpc::control::{Failure, Kind},
    vault,
};
use serde_json::json;

pub fn run(context: &Context) -> Result<Output, Failure> {
    let keys = context.home.join(context.config(&[])?.identity.keys);
    if !vault::exists(&keys) {
        let message =
            format!("{} is no toft home yet; make one with: {}", context.home.display(), context.next("init"));
        return Err(Failure::new(Kind::NotFound, message));
    }
    let identity = Identity::of(&vault::open(&keys)?);
    let did = identity.did;
    Ok(Output::new(json!({"did": did, "kid": identity.signer.kid(), "home": context.home}), did))
}
