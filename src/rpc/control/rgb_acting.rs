//! Who asks for assets, and whose: what the methods `rgb.…` share.

use super::{
    actor::{About, Actor, readable, writable},
    call::Call,
    failure::{Failure, Kind},
    refusals::refused,
};
use crate::{
    hook::HookError,
    rgb::{Hand, PROTOCOL, Problem},
};

/// How the methods can fail, beside what is common to all.
pub(super) const PROBLEMS: &[Kind] = &[Kind::NotFound, Kind::Conflict, Kind::Pending, Kind::Locked];

/// Seconds after which a hook may have a place.
const AGAIN: u64 = 1;

/// The tenant whose assets are asked for. Balances and histories are of all records of the protocol: who asks may read all of them.
pub(super) async fn reader(call: &Call, (from, tenant): (Option<&str>, Option<&str>)) -> Result<String, Failure> {
    readable(call, Some(PROTOCOL))?;
    let actor = Actor::within(call, from, tenant)?;
    let right = actor.right(&call.node, "Query", about(None), (None, None)).await?;
    Ok(right.hand(actor.tenant)?.tenant)
}

/// Who writes a record at this path. What is written is compared with what is there, and the answer says so: who writes must be allowed to
/// read, too.
pub(super) async fn writer(
    call: &Call,
    (from, tenant): (Option<&str>, Option<&str>),
    path: &str,
) -> Result<Hand, Failure> {
    readable(call, Some(PROTOCOL))?;
    writable(call, Some(PROTOCOL))?;
    let actor = Actor::within(call, from, tenant)?;
    let right = actor.right(&call.node, "Write", about(Some(path)), (None, None)).await?;
    right.hand(actor.tenant)
}

fn about(path: Option<&str>) -> About {
    About::Records {
        protocol: Some(PROTOCOL.to_owned()),
        context: None,
        path: path.map(str::to_owned),
        published: false,
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let text = problem.to_string();
        match problem {
            Problem::Usage(_) => Self::new(Kind::Usage, text),
            Problem::NotInstalled(_) | Problem::NotFound(_) | Problem::NoValidator => Self::new(Kind::NotFound, text),
            Problem::Conflict(_) => Self::new(Kind::Conflict, text),
            Problem::Hook(HookError::Busy(_)) => Self::too_many(text, AGAIN),
            Problem::Hook(_) => Self::new(Kind::Failed, text),
            Problem::Refused(refusal) => refused(refusal),
            Problem::Fault(fault) => fault.into(),
        }
    }
}
