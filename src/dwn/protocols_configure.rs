//! ProtocolsConfigure: installs a protocol, or a newer definition of it.

use super::{
    change::{Change, Subject},
    definition::Definition,
    fields,
    grant::Grant,
    message::Message,
    refusal::{Refusal, Stop},
    view::View,
};
use serde_json::{Map, Value};

/// The definition is judged before the signature is looked at.
/// Types of a protocol, and paths.
const PLACES_MAX: usize = 1_000;

pub(super) fn check_unsigned(descriptor: &Map<String, Value>) -> Result<(), Refusal> {
    definition(descriptor)?.check()
}

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    message.check_timestamp()
}

fn definition(descriptor: &Map<String, Value>) -> Result<Definition, Refusal> {
    let definition = descriptor.get("definition").and_then(Definition::parse);
    definition.ok_or_else(|| Refusal::new(400, "the protocol definition cannot be read"))
}

pub(super) fn decide(message: &Message, view: &dyn View, now: &str) -> Result<Change, Stop> {
    if message.is_replayed() {
        message.check_delegations()?;
    } else {
        authorize(message, view, now)?;
        check_size(message.descriptor())?;
    }
    let uri = protocol(message);
    let mut change = Change::of(message, Subject::Protocol(uri.into()))?;
    if let Some(before) = view.protocol(uri)? {
        if !fields::is_newer((message.json(), message.cid()), (&before.message, &before.cid)) {
            return Err(Refusal::conflict().into());
        }
        change.removes.push(before.cid);
    }
    Ok(change)
}

/// What each write under a protocol reads again is no book.
fn check_size(descriptor: &Map<String, Value>) -> Result<(), Refusal> {
    let definition = definition(descriptor)?;
    let mut places = 0;
    definition.each_place(&mut |_, _, _| places += 1);
    let types = definition.types.len();
    if types <= PLACES_MAX && places <= PLACES_MAX {
        return Ok(());
    }
    let text = format_args!(
        "this definition has {types} types and {places} paths; {PLACES_MAX} of each is the most: make several protocols of it"
    );
    Err(Refusal::bad("ProtocolsConfigureTooLarge", text))
}

fn protocol(message: &Message) -> &str {
    let protocol = message.descriptor().get("definition").and_then(|definition| definition.get("protocol"));
    protocol.and_then(Value::as_str).unwrap_or_default()
}

fn authorize(message: &Message, view: &dyn View, now: &str) -> Result<(), Stop> {
    let allows = |grant: &Grant, claim| -> Result<(), Stop> {
        grant.check(claim, view)?;
        if grant.scope.protocol.as_deref().is_none_or(|granted| granted == protocol(message)) {
            return Ok(());
        }
        let text = "Grant scope specifies different protocol than what appears in the configure message.";
        Err(Refusal::denied("ProtocolsGrantAuthorizationScopeProtocolMismatch", text).into())
    };
    if let Some((grant, claim)) = message.delegation(now)? {
        allows(grant, claim)?;
    }
    // The reference forgets to ask whether the grant is a delegated one and the one that was signed for.
    message.check_delegations().map_err(|refusal| Refusal { code: 401, ..refusal })?;
    if message.author() == Some(message.tenant()) {
        return Ok(());
    }
    if let Some((grant, claim)) = message.grant(view, now)? {
        return allows(&grant, claim);
    }
    Err(Refusal::denied("ProtocolsConfigureAuthorizationFailed", "message failed authorization").into())
}
