//! Messages of an identity of this node on their way through the one door.

use super::{
    actor::Actor,
    call::Call,
    failure::Failure,
    refusals::{accepted, refused},
};
use crate::{cid, crypto::Signer, dwn::create, node};
use bytes::Bytes;
use serde_json::Value;

/// Sends a message to a tenant of this node; what is no success is a failure.
pub(super) async fn send(call: &Call, tenant: &str, message: Value, data: Option<Bytes>) -> Result<(), Failure> {
    let reply = call.node.process(tenant, message, data.map(node::one_chunk)).await?;
    accepted(reply).map(drop)
}

/// Installs a protocol of our own, and has devices given what they lack by it.
pub(super) async fn install(call: &Call, actor: &Actor, definition: Value) -> Result<(), Failure> {
    let configure = create::protocols_configure(definition, &node::now(), &actor.signer).map_err(refused)?;
    send(call, &actor.tenant, configure, None).await?;
    call.devices.lack_grants();
    Ok(())
}

/// The initial write of a new record with JSON as its data.
pub(super) fn write(signer: &Signer, write: &create::Write<'_>, data: &Value) -> Result<(Value, Bytes), Failure> {
    let data = Bytes::from(data.to_string());
    let declared = (&cid::of(cid::RAW, &data), data.len() as u64);
    let message = create::records_write(write, declared, &node::now(), signer).map_err(refused)?;
    Ok((message, data))
}
