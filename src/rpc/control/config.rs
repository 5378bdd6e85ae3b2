//! The settings: `config.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, From, Method, Need, NoParams},
    services::Settings,
};
use crate::{audit::What, job::blocking};
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

pub const METHODS: &[Entry] = &[Entry::of::<Get>(), Entry::of::<Schema>(), Entry::of::<Set>()];

/// How a multiaddr begins, which is no path of this machine.
const PROTOCOLS: [&str; 6] = ["/ip4/", "/ip6/", "/dns", "/ipfs/", "/p2p/", "/unix/"];

/// Held while the file is changed.
static CHANGING: Mutex<()> = Mutex::new(());

#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const NAME: &'static str = "config.get";
    const SUMMARY: &'static str = "Give the settings that the node runs with, without passwords.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "all", params: "{}", result: r#"{"settings": {"log": {"level": "info"}}, "file": null}"# }];
    type Params = NoParams;
    type Result = InForce;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<InForce, Failure> {
        let Settings { shown, file, .. } = &*call.settings;
        let mut settings = shown.read().unwrap_or_else(PoisonError::into_inner).clone();
        if call.caller().is_local() {
            return Ok(InForce { settings, file: Some(file.clone()) });
        }
        hide_paths(&mut settings);
        Ok(InForce { settings, file: None })
    }
}

#[derive(Debug)]
pub struct Schema;

impl Method for Schema {
    const NAME: &'static str = "config.schema";
    const SUMMARY: &'static str = "Give the JSON Schema of the settings, with what each is for and, as x-toft-effect, when it counts if it is changed.";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "the schema",
        params: "{}",
        result: r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Config", "type": "object"}"#,
    }];
    type Params = NoParams;
    type Result = Value;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Value, Failure> {
        Ok((call.settings.schema)())
    }
}

#[derive(Debug)]
pub struct Set;

impl Method for Set {
    const NAME: &'static str = "config.set";
    const SUMMARY: &'static str = "Change one setting in node.toml, if the file is right with it; the answer says whether it counts at once or from the next start on.";
    const SCOPE: Need = Need::Admin;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "more in the log",
        params: r#"{"key": "log.level", "value": "debug"}"#,
        result: r#"{"key": "log.level", "file": "/srv/toft/node.toml", "effect": "at once", "overriddenBy": null}"#,
    }];
    type Params = Change;
    type Result = Changed;

    async fn run(call: &Call, Change { key, value }: Change) -> Result<Changed, Failure> {
        let text = match value {
            Value::String(text) => text,
            // As options on the command line write it.
            value => value.to_string(),
        };
        let settings = call.settings.clone();
        let (named, audit, who) = (key.clone(), call.audit.clone(), call.caller().to_string());
        let variable = (call.settings.variable)(&key);
        let overridden_by = std::env::var_os(&variable).map(|_| variable);
        let is_overridden = overridden_by.is_some();
        let counts = blocking(move || {
            let note = || audit.write(What::SettingsChanged, who, json!({"key": named}));
            Ok(change(&settings, (&named, &text), is_overridden, note))
        })
        .await??;
        let effect = if counts { "at once" } else { "at the next start" };
        Ok(Changed { key, file: call.settings.file.clone(), effect: effect.into(), overridden_by })
    }
}

/// Settings, as node.toml has them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct InForce {
    /// By section.
    pub settings: Value,
    /// Where they are written. Told over the node's socket alone.
    pub file: Option<PathBuf>,
}

/// One setting as it is to be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// `section.key`, such as `log.level`.
    pub key: String,
    /// A text, number, flag or list; or text that means one.
    pub value: Value,
}

/// A setting that was changed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SettingChanged")]
pub struct Changed {
    pub key: String,
    pub file: PathBuf,
    /// When it counts: `at once`, or `at the next start`. What the environment or an option of `toft up` says goes on counting.
    pub effect: String,
    /// An environment variable that the node was started with, and that counts more than the file.
    pub overridden_by: Option<String>,
}

/// Writes the changed file, and lets the setting count if it can; whether it does. `note` puts it into the audit log: what is not
/// there is not changed. Blocks.
fn change(
    settings: &Settings,
    (key, value): (&str, &str),
    is_overridden: bool,
    note: impl FnOnce() -> Result<(), Error>,
) -> Result<bool, Failure> {
    let _held = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    let file = match fs::read_to_string(&settings.file) {
        Ok(text) => Some(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(Error::new(e).context(format!("reading {}", settings.file.display())).into()),
    };
    let before = file.as_deref().unwrap_or(settings.default);
    let after = (settings.edited)(before, key, value).map_err(|e| Failure::new(Kind::Usage, format!("{e:#}")))?;
    replace(&settings.file, &after).with_context(|| format!("writing {}", settings.file.display()))?;
    if let Err(error) = note() {
        put_back(&settings.file, file.as_deref())
            .with_context(|| format!("{error:#}; then {key} could not be put back"))?;
        return Err(error.context(format!("{key} is as it was")).into());
    }
    let mut shown = settings.shown.write().unwrap_or_else(PoisonError::into_inner);
    let Some(in_force) = shown.pointer_mut(&format!("/{}", key.replace('.', "/"))) else { return Ok(false) };
    // Where another value is in force than the file had, an option of the command line counts more.
    if is_overridden || *in_force != (settings.read)(before, key)? || !(settings.apply)(&after, key)? {
        return Ok(false);
    }
    *in_force = (settings.read)(&after, key)?;
    Ok(true)
}

/// The file as it was. `None`: there was none.
fn put_back(path: &Path, text: Option<&str>) -> io::Result<()> {
    match text {
        Some(text) => replace(path, text),
        None => fs::remove_file(path),
    }
}

/// Puts a whole new file, with the old one's mode, in the place of the old one, durably.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let new = path.with_extension("toml.new");
    let mut file = File::create(&new)?;
    if let Ok(old) = fs::metadata(&path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Takes paths of this machine away: who comes over TCP has no use for them.
fn hide_paths(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with('/') && !PROTOCOLS.iter().any(|begin| text.starts_with(begin)) => {
            *text = "…".into();
        }
        Value::Array(items) => items.iter_mut().for_each(hide_paths),
        Value::Object(fields) => fields.values_mut().for_each(hide_paths),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_hidden_and_addresses_are_not() {
        let mut shown = json!({"a": ["/ip4/127.0.0.1/tcp/1", "/srv/backups"], "b": {"c": "/etc/x", "d": "keys"}});
        hide_paths(&mut shown);
        assert_eq!(shown, json!({"a": ["/ip4/127.0.0.1/tcp/1", "…"], "b": {"c": "…", "d": "keys"}}));
    }

    #[test]
    fn a_change_that_is_not_in_the_audit_log_is_put_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("node.toml");
        let settings = Settings {
            shown: json!({"log": {"level": "info"}}).into(),
            file: file.clone(),
            default: "default",
            schema: || Value::Null,
            edited: |before, _, value| Ok(format!("{before} {value}")),
            read: |_, _| Ok(json!("info")),
            apply: |_, _| Err(Error::msg("it does not count")),
            variable: str::to_owned,
        };
        let change = |note: Result<(), Error>| change(&settings, ("log.level", "debug"), false, || note);
        let full = || Err(Error::msg("no room"));
        assert!(change(full()).expect_err("not noted").message.contains("no room"));
        assert!(!file.exists(), "there was none");
        fs::write(&file, "mine").expect("writes");
        change(full()).expect_err("not noted");
        assert_eq!(fs::read_to_string(&file).expect("reads"), "mine");
        // What fails later fails with its entry.
        assert!(change(Ok(())).expect_err("does not count").message.contains("it does not count"));
        assert_eq!(fs::read_to_string(&file).expect("reads"), "mine debug");
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("node.toml");
        fs::write(&file, "old").expect("writes");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("sets");
        replace(&file, "new").expect("replaces");
        assert_eq!(fs::read_to_string(&file).expect("reads"), "new");
        assert_eq!(fs::metadata(&file).expect("is there").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 1);
    }
}
