//! The protocols of the node's identities: `protocols.…`.

use super::{
    actor::Actor,
    call::Call,
    facts::cid_of,
    failure::{Failure, Kind},
    letter::send,
    method::{Entry, Example, Method, Need},
    refusals::{REFUSALS, refused},
};
use crate::{
    crypto::{hd::Scheme, record},
    dwn::{Lint, Stored, create, normalize_uri},
    foreign::shown,
    node,
};
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::ops::ControlFlow;

pub const METHODS: &[Entry] = &[Entry::of::<Install>(), Entry::of::<List>(), Entry::of::<Show>(), Entry::of::<Check>()];

#[derive(Debug)]
pub struct Install;

impl Method for Install {
    const NAME: &'static str = "protocols.install";
    const SUMMARY: &'static str = "Install a protocol, or a newer definition of it.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[
        Example {
            name: "notes",
            params: r#"{"definition": {"protocol": "$protocol", "published": false, "types": {"note": {"dataFormats": ["text/plain"]}}, "structure": {"note": {}}}}"#,
            result: r#"{"protocol": "$protocol", "messageCid": "$record"}"#,
        },
        Example {
            name: "notes that are private",
            params: r#"{"definition": {"protocol": "$protocol", "published": false, "types": {"note": {"dataFormats": ["text/plain"]}}, "structure": {"note": {}}}, "private": ["note"]}"#,
            result: r#"{"protocol": "$protocol", "messageCid": "$record"}"#,
        },
    ];
    type Params = NewProtocol;
    type Result = Installed;

    async fn run(call: &Call, NewProtocol { definition, private, from }: NewProtocol) -> Result<Installed, Failure> {
        let protocol = definition.get("protocol").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Actor { signer, tenant, .. } = Actor::of(call, from.as_deref())?;
        call.caller().may_write(Some(&protocol))?;
        let definition = match &private {
            Some(private) => with_keys(call, &tenant, definition.into(), private)?,
            None => definition.into(),
        };
        let message = create::protocols_configure(definition, &node::now(), &signer).map_err(refused)?;
        let message_cid = cid_of(&message)?;
        send(call, &tenant, message, None).await?;
        call.devices.lack_grants();
        Ok(Installed { protocol, message_cid })
    }
}

/// The definition with the tenant's keys at the paths of its private types, and with none at others.
fn with_keys(call: &Call, tenant: &str, definition: Value, private: &[String]) -> Result<Value, Failure> {
    let types = definition.get("types").and_then(Value::as_object);
    let is_type = |name: &String| types.is_some_and(|types| types.contains_key(name));
    if let Some(unknown) = private.iter().find(|name| !is_type(name)) {
        let types: Vec<_> = types.into_iter().flatten().map(|(name, _)| shown(name).to_string()).collect();
        let text = format!("{} is no type of the protocol: its types are {}", shown(unknown), types.join(", "));
        return Err(Failure::new(Kind::Usage, text));
    }
    let is_private = |name: &str| private.iter().any(|private| private == name);
    let made = call
        .identities
        .with_root(tenant, Scheme::ProtocolPath, |root| record::with_keys_of(&definition, root, &is_private))?;
    let made = made.context("the tenant is an identity of this node, and has no root key")?;
    made.map_err(|why| Failure::new(Kind::Usage, format!("the definition has no room for keys: {why}")))
}

/// A protocol and what installed it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProtocolInstalled")]
pub struct Installed {
    /// URI of the protocol.
    pub protocol: String,
    /// CID of the ProtocolsConfigure.
    #[serde(rename = "messageCid")]
    pub message_cid: String,
}

/// A protocol that is to be installed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProtocol {
    /// As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`.
    pub definition: Map<String, Value>,
    /// Names of types whose data is private: the node adds the identity's keys (`$encryption`) at their paths, and takes away what stands
    /// at others. Their data is encrypted from then on, by records.write too. Not given: the definition is installed as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<Vec<String>>,
    /// Which of the node's identities installs it; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneDefinition {
    /// As ProtocolsConfigure carries it: `protocol`, `published`, `types`, `structure`.
    pub definition: Map<String, Value>,
}

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "protocols.list";
    const SUMMARY: &'static str = "List the protocols that are installed, of those that the caller may read.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"protocol": "$protocol", "published": false, "types": ["note"], "dateConfigured": "2026-11-21T09:00:00.000000Z", "messageCid": "$record"}]"#,
    }];
    type Params = Whose;
    type Result = Vec<Protocol>;

    async fn run(call: &Call, Whose { from }: Whose) -> Result<Vec<Protocol>, Failure> {
        let mut found = read(call, from.as_deref(), |view| {
            let mut found = Vec::new();
            view.each(&view.protocols()?, &mut |stored| {
                found.extend(stored.map(|stored| Protocol::of(&stored)));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(found)
        })
        .await?;
        found.retain(|installed| call.caller().may_read(Some(&installed.protocol)).is_ok());
        found.sort_by(|a, b| a.protocol.cmp(&b.protocol));
        Ok(found)
    }
}

/// Whose protocols are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhoseProtocols")]
pub struct Whose {
    /// One of the node's identities; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Looks at the past of one of the node's identities.
async fn read<T: Send + 'static>(
    call: &Call,
    from: Option<&str>,
    look: impl FnOnce(&dyn crate::dwn::View) -> Result<T, Error> + Send + 'static,
) -> Result<T, Failure> {
    let Actor { tenant, .. } = Actor::of(call, from)?;
    let store = call.node.store().clone();
    let looked = tokio::task::spawn_blocking(move || look(&*store.view(&tenant)));
    Ok(looked.await.map_err(Error::new)??)
}

/// A protocol that is installed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Protocol {
    /// Its URI.
    pub protocol: String,
    /// May anybody see its definition?
    pub published: bool,
    /// The names of its types.
    pub types: Vec<String>,
    #[serde(rename = "dateConfigured")]
    pub date_configured: String,
    /// CID of the ProtocolsConfigure.
    #[serde(rename = "messageCid")]
    pub message_cid: String,
}

impl Protocol {
    fn of(stored: &Stored) -> Self {
        let at = |pointer: &str| stored.message.pointer(pointer);
        let text = |pointer: &str| at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let types = at("/descriptor/definition/types").and_then(Value::as_object);
        Self {
            protocol: text("/descriptor/definition/protocol"),
            published: at("/descriptor/definition/published") == Some(&Value::Bool(true)),
            types: types.into_iter().flatten().map(|(name, _)| name.clone()).collect(),
            date_configured: text("/descriptor/messageTimestamp"),
            message_cid: stored.cid.to_string(),
        }
    }
}

#[derive(Debug)]
pub struct Show;

impl Method for Show {
    const NAME: &'static str = "protocols.show";
    const SUMMARY: &'static str = "Show the definition of a protocol that is installed.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "notes",
        params: r#"{"protocol": "$protocol"}"#,
        result: r#"{"definition": {"protocol": "$protocol", "published": false, "types": {"note": {"dataFormats": ["text/plain"]}}, "structure": {"note": {}}}, "dateConfigured": "2026-11-21T09:00:00.000000Z", "messageCid": "$record"}"#,
    }];
    type Params = OneProtocol;
    type Result = Definition;

    async fn run(call: &Call, OneProtocol { protocol, from }: OneProtocol) -> Result<Definition, Failure> {
        let uri = normalize_uri(&protocol).unwrap_or_else(|| protocol.clone());
        call.caller().may_read(Some(&uri))?;
        let stored = read(call, from.as_deref(), move |view| view.protocol(&uri)).await?.ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("{protocol} is not installed here: protocols.list lists what is"))
        })?;
        let definition = stored.message.pointer("/descriptor/definition").and_then(Value::as_object);
        let Protocol { date_configured, message_cid, .. } = Protocol::of(&stored);
        Ok(Definition { definition: definition.cloned().unwrap_or_default(), date_configured, message_cid })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneProtocol {
    /// URI of the protocol.
    pub protocol: String,
    /// Whose: one of the node's identities; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// What a protocol is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProtocolDefinition")]
pub struct Definition {
    /// As ProtocolsConfigure carries it.
    pub definition: Map<String, Value>,
    #[serde(rename = "dateConfigured")]
    pub date_configured: String,
    /// CID of the ProtocolsConfigure.
    #[serde(rename = "messageCid")]
    pub message_cid: String,
}

#[derive(Debug)]
pub struct Check;

impl Method for Check {
    const NAME: &'static str = "protocols.check";
    const SUMMARY: &'static str = "Say what stands against a definition, without installing it.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[
        Example {
            name: "a good one",
            params: r#"{"definition": {"protocol": "$protocol", "published": false, "types": {"note": {"dataFormats": ["text/plain"]}}, "structure": {"note": {}}}}"#,
            result: r#"{"problems": [], "warnings": []}"#,
        },
        Example {
            name: "one without a type",
            params: r#"{"definition": {"protocol": "$protocol", "published": false, "types": {}, "structure": {"note": {}}}}"#,
            result: r#"{"problems": ["ProtocolsConfigureInvalidRuleSetRecordType: Rule set note is not declared as an allowed type in the protocol definition."], "warnings": []}"#,
        },
    ];
    type Params = OneDefinition;
    type Result = Verdict;

    async fn run(_: &Call, OneDefinition { definition }: OneDefinition) -> Result<Verdict, Failure> {
        let Lint { problems, warnings } = Lint::of(&definition.into());
        Ok(Verdict { problems, warnings })
    }
}

/// What stands against a definition, in sentences.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProtocolVerdict")]
pub struct Verdict {
    /// Why it would be refused. Empty: it can be installed.
    pub problems: Vec<String>,
    /// What it says in vain: rules that nobody can use, types without a place.
    pub warnings: Vec<String>,
}
