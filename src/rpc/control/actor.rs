//! As whom, and in whose tenant, a call acts.

use super::{
    call::Call,
    failure::{Failure, Kind},
};
use crate::{
    content::HEAD_FORMAT,
    crypto::Signer,
    dwn::{
        PERMISSIONS, Refusal,
        create::{self, Invoked},
    },
};
use serde_json::Value;
use std::sync::Arc;

/// Who signs, and whose records it is about.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub signer: Arc<Signer>,
    pub tenant: String,
}

impl Actor {
    /// `from`: an identity of this node; if none is named, the one that the caller is bound to, else the node's own. `tenant`: that
    /// identity's if none is named.
    pub fn of(call: &Call, from: Option<&str>, tenant: Option<&str>) -> Result<Self, Failure> {
        let from = from.or(call.caller().tenant()).unwrap_or(call.signer.did());
        let signer = call.identities.signer(from).ok_or_else(|| {
            let message = format!("this node holds no key of {}: see identity.list", crate::foreign::shown(from));
            Failure::new(Kind::NotFound, message)
        })?;
        call.caller().may_act_for(signer.did())?;
        let tenant = tenant.unwrap_or(signer.did()).to_owned();
        Ok(Self { signer, tenant })
    }

    /// A message as it is to be sent: with the grant or the role that it invokes, if it does.
    pub fn invoking(
        &self,
        message: Result<Value, Refusal>,
        role: Option<&str>,
        grant: Option<&str>,
    ) -> Result<Value, Failure> {
        let message = message.map_err(super::refusals::refused)?;
        if role.is_none() && grant.is_none() {
            return Ok(message);
        }
        create::invoking(message, Invoked { grant, role }, &self.signer).map_err(super::refusals::refused)
    }
}

/// Fails unless the caller may read records under this protocol; `None`: all records, or one under no protocol.
pub(super) fn readable(call: &Call, protocol: Option<&str>) -> Result<(), Failure> {
    let told = |failure: Failure| match protocol {
        None if failure.kind == Kind::Denied => {
            Failure { message: format!("{}; for one protocol: name it in filter.protocol", failure.message), ..failure }
        }
        _ => failure,
    };
    call.caller().may_read(protocol).map_err(|denial| told(denial.into()))
}

/// Fails unless the caller may write and delete records under this protocol; `None`: one under no protocol.
pub(super) fn writable(call: &Call, protocol: Option<&str>) -> Result<(), Failure> {
    // What lets others in is no record like others: who may write records may not thereby give out grants.
    if protocol == Some(PERMISSIONS) {
        let message = "requests, grants and revocations are made by the methods grants.…, not by those of records";
        return Err(Failure::new(Kind::Denied, message));
    }
    Ok(call.caller().may_write(protocol)?)
}

/// Fails if a record of this media type is one that the node signs by itself. Signed heads of the audit log say what was done with
/// tokens, so no token makes, changes or ends one.
pub(super) fn signed_by_node(format: Option<&str>) -> Result<(), Failure> {
    if format == Some(HEAD_FORMAT) {
        let message = "heads of the audit log are signed by the node itself, and stay";
        return Err(Failure::new(Kind::Denied, message));
    }
    Ok(())
}
