//! What the door answered, and why content was not kept or given, as an answer or a failure of a call.

use super::failure::{Failure, Kind};
use crate::{
    content::{AddError, GetError},
    dwn::Refusal,
    net,
    node::Reply,
};

/// As [`refused`] tells them apart, beside what is common to all methods.
pub(super) const REFUSALS: &[Kind] = &[Kind::NotFound, Kind::Conflict, Kind::Pending, Kind::Locked];

/// Seconds after which a node that was short of something is asked again.
const AGAIN: u64 = 1;

/// A refusal of the door, or of the rules.
pub(super) fn refused(refusal: Refusal) -> Failure {
    let Refusal { code, detail } = refusal;
    let kind = match code {
        400 | 413 => Kind::Usage,
        401 | 403 => Kind::Denied,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        423 => Kind::Locked,
        429 => Kind::TooMany,
        503 => Kind::Pending,
        _ => Kind::Failed,
    };
    let message = format!("{code} {detail}");
    match kind {
        Kind::TooMany => Failure::too_many(message, AGAIN),
        kind => Failure::new(kind, message),
    }
}

/// A reply of success, or why there is none.
pub(super) fn accepted(reply: Reply) -> Result<Reply, Failure> {
    match reply.code {
        200..300 => Ok(reply),
        code => Err(refused(Refusal { code, detail: reply.detail })),
    }
}

impl From<AddError> for Failure {
    fn from(why: AddError) -> Self {
        match why {
            AddError::TooLarge(_) => Self::new(Kind::Usage, why.to_string()),
            AddError::Refused { code, detail } => refused(Refusal { code, detail }),
            // Staging refuses too: for want of room.
            AddError::Fault(fault) => match fault.downcast::<Refusal>() {
                Ok(refusal) => refused(refusal),
                Err(fault) => fault.into(),
            },
        }
    }
}

impl From<GetError> for Failure {
    fn from(why: GetError) -> Self {
        let kind = match &why {
            GetError::NotFile(_) | GetError::Unreadable(_) => Kind::Usage,
            GetError::Unreachable(net::Error::Locked(_)) => Kind::Locked,
            GetError::Unreachable(_) | GetError::Elsewhere(_) => Kind::Network,
            GetError::Damaged { .. } | GetError::Fault(_) => Kind::Failed,
        };
        Self::new(kind, why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::failure::COMMON, *};

    #[test]
    fn what_scripts_tell_apart_follows_from_the_code() {
        for (code, kind, rpc) in [
            (400, Kind::Usage, -32602),
            (413, Kind::Usage, -32602),
            (401, Kind::Denied, -32001),
            (404, Kind::NotFound, -32004),
            (409, Kind::Conflict, -32009),
            (423, Kind::Locked, -32008),
            (429, Kind::TooMany, -32005),
            (503, Kind::Pending, -32007),
            (507, Kind::Failed, -32000),
            (500, Kind::Failed, -32000),
        ] {
            let failure = refused(Refusal::new(code, "why"));
            assert_eq!((failure.kind, failure.kind.code()), (kind, rpc), "{code}");
            assert_eq!(failure.message, format!("{code} why"));
            assert!(COMMON.contains(&kind) || REFUSALS.contains(&kind), "{kind:?}");
        }
    }
}
