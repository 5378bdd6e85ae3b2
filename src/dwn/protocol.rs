//! Protocol rules: does a record fit into its protocol's structure, and may its author do what they ask?
//!
//! The structure binds everybody, the tenant too; the rules bind everybody else.

use super::{
    chain::record_chain,
    definition::{Action, Definition, Rule, RuleSet, Who},
    fields::{self, PERMISSIONS, descriptor_text},
    filter::{all, text, within},
    json::{js_string, or_undefined},
    kind::Kind,
    message::Message,
    permissions,
    policy::{self, At},
    refusal::{Refusal, Stop},
    tags,
    view::{Record, Select, Stored, View},
};
use serde_json::Value;
use std::borrow::Cow;

/// Does this record fit into the structure of its protocol? Refused with 400. Returns the protocol's definition.
pub(super) fn check_record(
    message: &Message,
    uri: &str,
    at: At<'_>,
    view: &dyn View,
) -> Result<Cow<'static, Definition>, Stop> {
    let definition = definition(Some(uri), view, Refusal::bad)?;
    let path = message.text("protocolPath").unwrap_or_default();
    check_type(message.json(), path, &definition)?;
    check_place(message, path, view)?;
    let rules = rule_set(&definition, path, Refusal::bad)?;
    if rules.role {
        check_role_record(message, path, at, view)?;
    }
    check_contents(message.json(), path, rules, uri)?;
    Ok(definition)
}

/// Has a definition room for a RecordsWrite at this path, as far as its message alone says?
pub(super) fn check_message(json: &Value, path: &str, definition: &Definition) -> Result<(), Refusal> {
    check_type(json, path, definition)?;
    let rules = rule_set(definition, path, Refusal::bad)?;
    check_contents(json, path, rules, &definition.protocol)
}

fn check_contents(json: &Value, path: &str, rules: &RuleSet, uri: &str) -> Result<(), Refusal> {
    check_size(json, rules)?;
    let Some(rules) = rules.tags.as_ref().and_then(Value::as_object) else { return Ok(()) };
    tags::check(rules, fields::descriptor_of(json).get("tags"), &format!("{uri}/{path}/$tags"))
}

/// May somebody who is not the tenant write this record, which fits into its protocol's structure?
pub(super) fn authorize_write(
    message: &Message,
    record: Option<&Record>,
    definition: &Definition,
    at: At<'_>,
    view: &dyn View,
) -> Result<Rule, Stop> {
    let author = message.author();
    let (chain_end, actions): (Option<&str>, &[Action]) = match record {
        // Rules for a record that is not here yet speak of its ancestors.
        None if message.is_initial_write() => (message.text("parentId"), &[Action::Create]),
        None => (message.text("parentId"), &[]),
        Some(_) if message.is_initial_write() => (fields::record_id(message.json()), &[Action::Create]),
        Some(record) if author == Some(&*record.initial.author) => {
            (fields::record_id(message.json()), &[Action::CoUpdate, Action::Update])
        }
        Some(_) => (fields::record_id(message.json()), &[Action::CoUpdate]),
    };
    let chain = record_chain(chain_end, view)?;
    let rules = rule_set(definition, message.text("protocolPath").unwrap_or_default(), Refusal::denied)?;
    check_role(message, (message.text("protocol"), fields::context_id(message.json())), definition, at, view)?;
    let request = Request { message, actions, chain: &chain, recipient: message.text("recipient") };
    Ok(request.authorize(rules)?)
}

/// May somebody who invokes a role ask for many records?
pub(super) fn authorize_query(message: &Message, at: At<'_>, view: &dyn View) -> Result<Rule, Stop> {
    let definition = definition(message.asked("protocol"), view, Refusal::denied)?;
    let rules = rule_set(&definition, message.asked("protocolPath").unwrap_or_default(), Refusal::denied)?;
    check_role(message, (message.asked("protocol"), message.asked("contextId")), &definition, at, view)?;
    let actions: &[Action] = match message.kind() {
        Kind::RecordsSubscribe => &[Action::Subscribe],
        _ => &[Action::Query],
    };
    Ok(Request { message, actions, chain: &[], recipient: None }.authorize(rules)?)
}

/// May somebody who is no party of an unpublished record read it?
pub(super) fn authorize_read(message: &Message, write: &Stored, at: At<'_>, view: &dyn View) -> Result<Rule, Stop> {
    authorize_on(message, write, &[Action::Read], at, view)
}

/// May somebody who is not the tenant delete this record?
pub(super) fn authorize_delete(message: &Message, record: &Record, at: At<'_>, view: &dyn View) -> Result<Rule, Stop> {
    let is_author = message.author() == Some(&*record.initial.author);
    let actions: &[Action] = match (fields::is_prune(message.json()), is_author) {
        (true, true) => &[Action::CoPrune, Action::Prune],
        (true, false) => &[Action::CoPrune],
        (false, true) => &[Action::CoDelete, Action::Delete],
        (false, false) => &[Action::CoDelete],
    };
    authorize_on(message, &record.initial, actions, at, view)
}

/// Asks the rules at the place of a record that is here.
fn authorize_on(
    message: &Message,
    write: &Stored,
    actions: &[Action],
    at: At<'_>,
    view: &dyn View,
) -> Result<Rule, Stop> {
    let chain = record_chain(fields::record_id(&write.message), view)?;
    let definition = definition(descriptor_text(&write.message, "protocol"), view, Refusal::denied)?;
    let path = descriptor_text(&write.message, "protocolPath").unwrap_or_default();
    let rules = rule_set(&definition, path, Refusal::denied)?;
    let context = fields::context_id(&write.message);
    check_role(message, (descriptor_text(&write.message, "protocol"), context), &definition, at, view)?;
    let recipient = chain.last().and_then(|record| descriptor_text(&record.message, "recipient"));
    Ok(Request { message, actions, chain: &chain, recipient }.authorize(rules)?)
}

/// Somebody asks to do something to a record; any of `actions` would allow it.
struct Request<'a> {
    message: &'a Message,
    actions: &'a [Action],
    /// Initial writes from the root record down.
    chain: &'a [Stored],
    /// To whom the record is addressed that the request is about.
    recipient: Option<&'a str>,
}

impl Request<'_> {
    /// The rule that allows it.
    fn authorize(&self, rules: &RuleSet) -> Result<Rule, Refusal> {
        let (kind, author) = (self.message.kind().name(), or_undefined(self.message.author()));
        let Some(rules) = &rules.actions else {
            return Err(Refusal::denied(
                "ProtocolAuthorizationActionRulesNotFound",
                format_args!("no action rule defined for {kind}, {author} is unauthorized"),
            ));
        };
        rules.iter().find(|rule| self.is_allowed_by(rule)).cloned().ok_or_else(|| {
            let text = format_args!("Inbound message action {kind} by author {author} not allowed.");
            Refusal::denied("ProtocolAuthorizationActionNotAllowed", text)
        })
    }

    fn is_allowed_by(&self, rule: &Rule) -> bool {
        if !rule.can.iter().any(|action| self.actions.contains(action)) {
            return false;
        }
        match (rule.who, self.message.author()) {
            (Some(Who::Anyone), _) => true,
            // Who invokes a role has its rights and no others.
            (_, Some(_)) if self.message.role().is_some() => rule.role.as_deref() == self.message.role(),
            (Some(Who::Recipient), Some(author)) if rule.of.is_none() => self.recipient == Some(author),
            (Some(who), Some(author)) => self.is_ancestors(who, rule.of.as_deref(), author),
            // Rules for roles that nobody invokes.
            (None, _) | (_, None) => false,
        }
    }

    /// Is `did` the author or recipient of the ancestor at the path `of`?
    fn is_ancestors(&self, who: Who, of: Option<&str>, did: &str) -> bool {
        let at_path = |record: &&Stored| descriptor_text(&record.message, "protocolPath") == of;
        self.chain.iter().find(at_path).is_some_and(|ancestor| match who {
            Who::Recipient => descriptor_text(&ancestor.message, "recipient") == Some(did),
            _ => *ancestor.author == *did,
        })
    }
}

/// Structure that is missing is the message's fault (400) or a reason not to trust it (401).
pub(super) type Refuse = fn(&str, String) -> Refusal;

/// The definition of a protocol that is installed, or built in.
pub(super) fn definition(uri: Option<&str>, view: &dyn View, refuse: Refuse) -> Result<Cow<'static, Definition>, Stop> {
    let uri = or_undefined(uri);
    if let Some(definition) = permissions::definition().filter(|_| uri == PERMISSIONS) {
        return Ok(Cow::Borrowed(definition));
    }
    let configure = view.protocol(uri)?.ok_or_else(|| {
        let message = format!("unable to find protocol definition for {uri}");
        refuse("ProtocolAuthorizationProtocolNotFound", message)
    })?;
    let definition = fields::descriptor_of(&configure.message).get("definition");
    definition
        .and_then(Definition::parse)
        .map(Cow::Owned)
        .ok_or_else(|| anyhow::anyhow!("the stored definition of protocol {uri} ({}) is not one", configure.cid).into())
}

pub(super) fn rule_set<'a>(definition: &'a Definition, path: &str, refuse: Refuse) -> Result<&'a RuleSet, Refusal> {
    definition.rules_at(path).ok_or_else(|| {
        let message = format!("No rule set defined for protocolPath {path}");
        refuse("ProtocolAuthorizationMissingRuleSet", message)
    })
}

fn check_type(json: &Value, path: &str, definition: &Definition) -> Result<(), Refusal> {
    let name = type_name(path);
    let kind = definition.types.get(name).ok_or_else(|| {
        let message = format_args!("record with type {name} not allowed in protocol");
        Refusal::bad("ProtocolAuthorizationInvalidType", message)
    })?;
    let schema = descriptor_text(json, "schema");
    if let Some(wanted) = kind.schema.as_deref().filter(|wanted| Some(*wanted) != schema) {
        let given = or_undefined(schema);
        return Err(Refusal::bad(
            "ProtocolAuthorizationInvalidSchema",
            // The gap is the reference implementation's.
            format_args!("type '{name}' must have schema '{wanted}',         instead has '{given}'"),
        ));
    }
    let format = descriptor_text(json, "dataFormat").unwrap_or_default();
    if let Some(formats) = kind.data_formats.as_ref().filter(|formats| !formats.iter().any(|f| f == format)) {
        let wanted = formats.join(",");
        return Err(Refusal::bad(
            "ProtocolAuthorizationIncorrectDataFormat",
            format_args!("type '{name}' must have data format in ({wanted}),         instead has '{format}'"),
        ));
    }
    Ok(())
}

/// Path and context of a record must be those of its parent, one step further.
fn check_place(message: &Message, path: &str, view: &dyn View) -> Result<(), Stop> {
    let name = type_name(path);
    let Some(parent_id) = message.text("parentId") else {
        if path == name {
            return Ok(());
        }
        let text = format_args!("Declared protocol path '{path}' is not valid for records with no parent'.");
        return Err(Refusal::bad("ProtocolAuthorizationParentlessIncorrectProtocolPath", text).into());
    };
    let parent = parent(parent_id, view)?
        .filter(|parent| descriptor_text(&parent.message, "protocol") == message.text("protocol"));
    let is_below = |parent: &Stored| {
        descriptor_text(&parent.message, "protocolPath").is_some_and(|above| format!("{above}/{name}") == path)
    };
    let parent = parent.filter(is_below).ok_or_else(|| {
        let text = format_args!("Could not find matching parent record to verify declared protocol path '{path}'.");
        Refusal::bad("ProtocolAuthorizationIncorrectProtocolPath", text)
    })?;
    let above = or_undefined(fields::context_id(&parent.message));
    let expected = format!("{above}/{}", or_undefined(fields::record_id(message.json())));
    let declared = or_undefined(fields::context_id(message.json()));
    if declared == expected {
        return Ok(());
    }
    let text = format_args!("Declared contextId '{declared}' is not the same as expected: '{expected}'.");
    Err(Refusal::bad("ProtocolAuthorizationIncorrectContextId", text).into())
}

/// The record that this one hangs on, if anything may hang on it.
fn parent(id: &str, view: &dyn View) -> Result<Option<Stored>, Stop> {
    let newest = view.record(id)?.map(|record| record.newest);
    Ok(newest.filter(|newest| newest.latest && fields::is_method(&newest.message, "Write")))
}

fn check_size(json: &Value, rules: &RuleSet) -> Result<(), Refusal> {
    let Some(limits) = &rules.size else { return Ok(()) };
    let size = fields::descriptor_of(json).get("dataSize");
    let (number, shown) = (size.and_then(Value::as_f64).unwrap_or_default(), js_string(size));
    if let Some(min) = limits.min.as_ref().filter(|min| min.as_f64().is_some_and(|min| number < min)) {
        let text = format_args!("data size {shown} is less than allowed {min}");
        return Err(Refusal::bad("ProtocolAuthorizationMinSizeInvalid", text));
    }
    if let Some(max) = limits.max.as_ref().filter(|max| max.as_f64().is_some_and(|max| number > max)) {
        let text = format_args!("data size {shown} is more than allowed {max}");
        return Err(Refusal::bad("ProtocolAuthorizationMaxSizeInvalid", text));
    }
    Ok(())
}

/// A role has one record per holder and parent context.
fn check_role_record(message: &Message, path: &str, at: At<'_>, view: &dyn View) -> Result<(), Stop> {
    let Some(recipient) = message.text("recipient") else {
        let text = "Role records must have a recipient";
        return Err(Refusal::bad("ProtocolAuthorizationRoleMissingRecipient", text).into());
    };
    let context = fields::context_id(message.json()).and_then(|context| context.rsplit_once('/'));
    let context = context.map(|(parent, _)| parent);
    let held = role_records((message.text("protocol"), path), Some(recipient), context, (at, view), 2)?;
    let is_other = |record: &Stored| fields::record_id(&record.message) != fields::record_id(message.json());
    if !held.iter().any(is_other) {
        return Ok(());
    }
    let text = format_args!(
        "DID '{recipient}' is already recipient of a role record at protocol path '{path} under the parent context {}.",
        context.unwrap_or_default()
    );
    Err(Refusal::bad("ProtocolAuthorizationDuplicateRoleRecipient", text).into())
}

/// If the message invokes a role, does its author hold it in this context?
fn check_role(
    message: &Message,
    (protocol, context): (Option<&str>, Option<&str>),
    definition: &Definition,
    at: At<'_>,
    view: &dyn View,
) -> Result<(), Stop> {
    let Some(role) = message.role() else { return Ok(()) };
    if !definition.rules_at(role).is_some_and(|rules| rules.role) {
        let text = format_args!("Protocol path {role} does not match role record type.");
        return Err(Refusal::denied("ProtocolAuthorizationNotARole", text).into());
    }
    let context = role_context(role, context).ok_or_else(|| {
        let text = "Could not verify role because contextId is missing.";
        Refusal::denied("ProtocolAuthorizationMissingContextId", text)
    })?;
    let holder = Some(message.author().unwrap_or_default());
    if role_records((protocol, role), holder, context.as_deref(), (at, view), 1)?.is_empty() {
        let text = format_args!("No matching role record found for protocol path {role}");
        return Err(Refusal::denied("ProtocolAuthorizationMatchingRoleRecordNotFound", text).into());
    }
    Ok(())
}

/// Where a role holds that is invoked in a context: in the whole protocol, or for one below `thread`, in the context of its
/// thread and in no other. None: whoever asks did not say in which.
pub(super) fn role_context(role: &str, context: Option<&str>) -> Option<Option<String>> {
    let above = role.split('/').count() - 1;
    let segments: Vec<_> = context.into_iter().flat_map(|context| context.split('/')).take(above).collect();
    if segments.len() < above || segments.contains(&"") {
        return None;
    }
    Some((above > 0).then(|| segments.join("/")))
}

/// Who holds a role in a context.
pub(super) fn holders(
    protocol: Option<&str>,
    role: &str,
    context: Option<&str>,
    (at, view): (At<'_>, &dyn View),
    limit: usize,
) -> Result<Vec<String>, Stop> {
    let Some(context) = role_context(role, context) else { return Ok(Vec::new()) };
    let held = role_records((protocol, role), None, context.as_deref(), (at, view), limit)?;
    let holders = held.iter().filter_map(|record| descriptor_text(&record.message, "recipient"));
    Ok(holders.map(str::to_owned).collect())
}

/// Does somebody hold a role in any context?
pub(super) fn holds(protocol: &str, role: &str, holder: &str, at: At<'_>, view: &dyn View) -> Result<bool, Stop> {
    Ok(!role_records((Some(protocol), role), Some(holder), None, (at, view), 1)?.is_empty())
}

/// Records at the path of a role that are not over, addressed to its holder (none: to any), below a context (none: of the whole
/// protocol).
fn role_records(
    (protocol, path): (Option<&str>, &str),
    holder: Option<&str>,
    context: Option<&str>,
    (at, view): (At<'_>, &dyn View),
    limit: usize,
) -> Result<Vec<Stored>, Stop> {
    let mut filter = all([
        ("method", text("Write")),
        ("protocol", text(protocol.unwrap_or_default())),
        ("protocolPath", text(path)),
    ]);
    filter.extend(holder.map(|holder| ("recipient".to_owned(), text(holder))));
    if let Some(context) = context {
        filter.insert("contextId".into(), within(context));
    }
    let select = |limit| Select { any_of: vec![filter.clone()], limit: Some(limit), ..Select::default() };
    let mut records = view.select(&select(limit))?.entries;
    if policy::keep_current(&mut records, at, view)? {
        // Those that are over may stand before others: of all, then.
        records = view.select(&select(usize::MAX))?.entries;
        policy::keep_current(&mut records, at, view)?;
        records.truncate(limit);
    }
    Ok(records)
}

fn type_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
