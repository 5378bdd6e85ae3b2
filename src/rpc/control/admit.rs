//! Which calls are let in, and what those hear that do not come over the socket.

use super::{
    call::Call,
    dispatch::Gatekeeper,
    failure::{Failure, Kind},
    method::{Entry, From, Need},
};
use jiff::Timestamp;
use std::path::Path;

/// The one gatekeeper: by the token's scopes and rate, and by the way that the call comes.
#[derive(Debug)]
pub struct Admission;

impl Gatekeeper<Call> for Admission {
    fn allow(&self, call: &Call, method: &Entry) -> Result<(), Failure> {
        call.access.admit(call.caller(), method.scope, Timestamp::now())?;
        if method.from == From::Socket && !call.caller().is_local() {
            let message = format!("{} is for the node's own socket alone: use the command line", method.name);
            return Err(Failure::new(Kind::Denied, message));
        }
        Ok(())
    }

    /// Over TCP nobody learns where on this machine the home lies. What records say is theirs and stays as it is.
    fn shown(&self, call: &Call, method: &Entry, outcome: Result<String, Failure>) -> Result<String, Failure> {
        if call.caller().is_local() {
            return outcome;
        }
        match outcome {
            Ok(result) if is_about_the_node(method.scope) => Ok(without(&call.home, result)),
            Ok(result) => Ok(result),
            Err(failure) => Err(Failure { message: without(&call.home, failure.message), ..failure }),
        }
    }
}

/// Do its methods answer with what the node says of itself, and not with a person's data?
fn is_about_the_node(need: Need) -> bool {
    match need {
        Need::Nobody | Need::Any | Need::Info | Need::Sync | Need::Anchor | Need::Pins | Need::Backup | Need::Admin => {
            true
        }
        Need::ReadRecords | Need::WriteRecords | Need::ReadBlocks | Need::WriteBlocks | Need::Sign(_) => false,
    }
}

/// The text without the path of the home, also as JSON writes it.
fn without(home: &Path, text: String) -> String {
    let home = home.to_string_lossy();
    let quoted = serde_json::to_string(&home).unwrap_or_default();
    let quoted = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    [home.as_ref(), quoted]
        .iter()
        .filter(|home| home.len() > 1)
        .fold(text, |text, home| if text.contains(home) { text.replace(home, "<home>") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_not_told() {
        let text = r#"{"problem":"/a \"b\"/x is full","other":"/c"}"#;
        assert_eq!(without(Path::new("/a \"b\""), text.into()), r#"{"problem":"<home>/x is full","other":"/c"}"#);
        assert_eq!(without(Path::new("/c"), text.into()), r#"{"problem":"/a \"b\"/x is full","other":"<home>"}"#);
        assert_eq!(without(Path::new("/"), "a/b".into()), "a/b", "the root says nothing");
    }
}
