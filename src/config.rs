//! `node.toml`: every key with its default, sections owned by the modules they configure.
//!
//! Precedence: flag over environment (`TOFT_<SECTION>__<KEY>`) over file over default. Unknown keys are an
//! error that names line and key. The file in the repository is compiled in as the default; a test holds it
//! equal to the code.

use crate::{bounds, foreign, log, vault::Vault};
use anyhow::{Context as _, Error, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::{io, path::Path};
use toml::{Table, Value};

/// The complete, commented default file.
pub const DEFAULT: &str = include_str!("../node.toml");
/// Name of the file in a home.
pub const FILE: &str = "node.toml";
/// Settings that count at once when a running node changes them. All others are read when their part starts.
const LIVE: [&str; 2] = ["log.level", "log.repeats"];
/// What the schema calls the moment from which a changed setting counts.
const EFFECT: &str = "x-toft-effect";
const AT_ONCE: &str = "at once";
const NEXT_START: &str = "at the next start";
/// Prefix of overriding environment variables.
const ENV: &str = "TOFT_";

#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub identity: Identity,
    pub store: crate::store::Config,
    pub blocks: crate::blocks::Config,
    pub backup: crate::backup::Config,
    pub retention: crate::node::RetentionConfig,
    pub dwn: crate::node::Config,
    pub registration: crate::rpc::RegistrationConfig,
    pub resolve: crate::resolve::Config,
    pub net: crate::net::Config,
    pub gateway: crate::rpc::gateway::Config,
    pub sync: crate::sync::Config,
    pub remote: crate::remote::Config,
    pub anchor: crate::anchor::Config,
    pub rpc: crate::rpc::Config,
    pub hooks: crate::hook::Config,
    pub web: Web,
    pub log: Log,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Folder of the sealed keys, relative to the home.
    pub keys: String,
    /// File with the key that opens them, outside of the home and its copies. Empty: `master.key` among them. Where a passphrase opens
    /// them there is none.
    pub key_file: String,
    /// Publish the documents of this node's did:dht identities at `resolve.dht_gateway`: who they are becomes public knowledge.
    pub publish: bool,
}

impl Identity {
    /// The sealed keys of a home.
    pub fn vault(&self, home: &Path) -> Result<Vault, Error> {
        let dir = home.join(&self.keys);
        match self.key_file.as_str() {
            "" => Ok(Vault::at(&dir)),
            file => Vault::with_key_file(&dir, Path::new(file)),
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self { keys: "keys".into(), key_file: String::new(), publish: false }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// The dashboard. Not in this version: `true` is refused.
    pub enabled: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,toft::sync=debug`.
    pub level: String,
    /// `text` for people, `json` for machines.
    pub format: LogFormat,
    /// How many events of one kind (of one place in the code) are logged a minute; then it is said how many more there were.
    pub repeats: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text, repeats: 60 }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Config {
    /// The configuration of `home` with `vars` (environment) and `flags` (`section.key`, value) on top.
    pub fn load(
        home: &Path,
        vars: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String)],
    ) -> Result<Self, Error> {
        let file = home.join(FILE);
        let config = match std::fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text).with_context(|| {
                format!("{} cannot be used; mend the line it names, or see: toft config show --default", file.display())
            })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(e) => return Err(e).with_context(|| format!("reading {}", file.display())),
        };
        let mut table = config.table()?;
        let mut vars: Vec<_> =
            vars.into_iter().filter(|(name, _)| name.starts_with(ENV) && name.contains("__")).collect();
        vars.sort();
        for (name, value) in vars {
            let path = name[ENV.len()..].to_lowercase().replace("__", ".");
            set(&mut table, &path, &value).with_context(|| format!("the environment variable {name}"))?;
        }
        for (path, value) in flags {
            set(&mut table, path, value).with_context(|| format!("the option for {path}"))?;
        }
        let config: Self = Value::Table(table).try_into().context("a value given by environment or option")?;
        config.check()?;
        Ok(config)
    }

    /// Parses one file's text. Errors name line, column and key.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// A file's text with `section.key` set to what `value` means for the type that the key has. All else, comments too, stays.
    pub fn edited(text: &str, path: &str, value: &str) -> Result<String, Error> {
        let mut table = Self::parse(text).context("the file as it is cannot be used")?.table()?;
        set(&mut table, path, value)?;
        let found = path.split('.').try_fold(&Value::Table(table), |place, name| place.get(name)).cloned();
        let wanted = found.context("a setting was lost")?.to_string();
        let mut wanted: toml_edit::Value = wanted.parse().with_context(|| format!("{path} as text"))?;
        let mut file: toml_edit::DocumentMut = text.parse().context("the file as it is cannot be used")?;
        let (section, key) = path.rsplit_once('.').unwrap_or_default();
        let place = section.split('.').try_fold(file.as_table_mut(), |place, name| {
            let item = place.entry(name).or_insert_with(|| toml_edit::Item::Table(toml_edit::Table::new()));
            item.as_table_mut().with_context(|| format!("[{section}] is written within a line: change it by hand"))
        })?;
        match place.get_mut(key) {
            // In its place, so that what stands around it stays.
            Some(old) => {
                if let Some(value) = old.as_value() {
                    *wanted.decor_mut() = value.decor().clone();
                }
                *old = toml_edit::Item::Value(wanted);
            }
            None => drop(place.insert(key, toml_edit::Item::Value(wanted))),
        }
        let text = file.to_string();
        Self::parse(&text)?.check()?;
        Ok(text)
    }

    /// All keys as text, without comments and without passwords.
    pub fn show(&self) -> Result<String, Error> {
        toml::to_string(&self.shown()?).context("writing the configuration")
    }

    /// All keys, without passwords: what is shown ends up in reports, screens and chats.
    pub fn shown(&self) -> Result<Table, Error> {
        let mut table = self.table()?;
        table.iter_mut().for_each(|(key, value)| redact(key, value));
        Ok(table)
    }

    /// JSON Schema of the file. `x-toft-effect` of a setting says when it counts if a running node changes it.
    pub fn schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Config).to_value();
        let sections = schema["$defs"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut);
        for section in sections {
            let settings = section["properties"].as_object_mut();
            settings.into_iter().flatten().for_each(|(_, setting)| setting[EFFECT] = NEXT_START.into());
        }
        for (section, key) in LIVE.iter().filter_map(|path| path.split_once('.')) {
            let definition = schema["properties"][section]["$ref"].as_str().unwrap_or_default();
            let definition = definition.trim_start_matches("#").to_owned();
            if let Some(definition) = schema.pointer_mut(&definition) {
                definition["properties"][key][EFFECT] = AT_ONCE.into();
            }
        }
        schema
    }

    /// What a file's text says of `section.key`, or the default.
    pub fn read(text: &str, path: &str) -> Result<serde_json::Value, Error> {
        let settings = serde_json::to_value(Self::parse(text)?)?;
        settings.pointer(&format!("/{}", path.replace('.', "/"))).cloned().with_context(|| format!("no setting {path}"))
    }

    /// Lets what a file's text says of `section.key` count in this process, if that setting can at once.
    pub fn apply(text: &str, path: &str) -> Result<bool, Error> {
        let config = Self::parse(text)?;
        let applied = match path {
            "log.level" => log::set_level(&config.log.level),
            "log.repeats" => log::set_repeats(config.log.repeats),
            _ => return Ok(false),
        };
        applied.map(|()| true).map_err(Error::msg)
    }

    fn table(&self) -> Result<Table, Error> {
        Table::try_from(self).context("the configuration as a table")
    }

    /// What no single key can say.
    fn check(&self) -> Result<(), Error> {
        if self.web.enabled {
            bail!("web.enabled = true: the dashboard is not supported by this version of toft; leave it false");
        }
        if !(0.0..=1.0).contains(&self.store.compact_above) {
            bail!("store.compact_above = {}: it is a part of a segment, from 0 to 1", self.store.compact_above);
        }
        self.dwn.check()?;
        crate::rpc::check_hosts(&self.dwn.hosts, "dwn.hosts")?;
        log::filter(&self.log.level).map_err(Error::msg)?;
        bounds::check("log.repeats", self.log.repeats, 1..=10_000)?;
        self.resolve.check()?;
        self.rpc.check()?;
        self.net.check()?;
        crate::net::check_addresses(&self.net)?;
        self.remote.check()?;
        self.retention.check()?;
        self.hooks.check()?;
        // What calendars promise names them: who asks must not choose that name.
        if self.anchor.calendar.serve && self.dwn.url.is_empty() {
            bail!(
                "anchor.calendar.serve = true: proofs name the calendar that promised them, so dwn.url must say under which URL \
                 this node is reached from outside"
            );
        }
        if self.anchor.calendar.serve {
            crate::rpc::check_calendar(&self.dwn.url)
                .map_err(|why| anyhow!("dwn.url: {why} (anchor.calendar.serve)"))?;
        }
        self.anchor.check().map_err(Error::msg)
    }
}

/// The environment variable that overrides `section.key`.
pub fn variable(path: &str) -> String {
    format!("{ENV}{}", path.to_uppercase().replace('.', "__"))
}

/// Takes passwords away: those of settings that are one, and those in URLs.
fn redact(key: &str, value: &mut Value) {
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(text) if key.contains("password") => *text = "…".into(),
        Value::String(text) => *text = foreign::without_credentials(text).into_owned(),
        Value::Array(list) => list.iter_mut().for_each(|value| redact(key, value)),
        Value::Table(table) => table.iter_mut().for_each(|(key, value)| redact(key, value)),
        _ => {}
    }
}

/// Sets `section.key` to what `text` means for the type the key has.
fn set(table: &mut Table, path: &str, text: &str) -> Result<(), Error> {
    let (section, key) = path.rsplit_once('.').ok_or_else(|| anyhow!("{path} is not of the form section.key"))?;
    let mut place = table;
    for name in section.split('.') {
        let sections: Vec<_> = place.iter().filter(|(_, v)| v.is_table()).map(|(k, _)| k.clone()).collect();
        place = place
            .get_mut(name)
            .and_then(Value::as_table_mut)
            .ok_or_else(|| anyhow!("there is no section [{section}]; sections are: {}", sections.join(", ")))?;
    }
    let keys = place.keys().cloned().collect::<Vec<_>>().join(", ");
    let old = place.get_mut(key).ok_or_else(|| anyhow!("[{section}] has no key {key}; its keys are: {keys}"))?;
    *old = match old {
        Value::String(_) => Value::String(text.to_owned()),
        Value::Integer(_) => {
            Value::Integer(text.parse().with_context(|| format!("{path}: {text} is not a whole number"))?)
        }
        Value::Float(_) => Value::Float(text.parse().with_context(|| format!("{path}: {text} is not a number"))?),
        Value::Boolean(_) => {
            Value::Boolean(text.parse().with_context(|| format!("{path}: {text} is neither true nor false"))?)
        }
        // A list of tables has no other spelling.
        Value::Array(_) if text.trim_start().starts_with('[') => {
            let list: Table = format!("list = {text}").parse().with_context(|| format!("{path}: {text} is no list"))?;
            list.get("list").cloned().unwrap_or(Value::Array(Vec::new()))
        }
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|s| !s.is_empty());
            Value::Array(items.map(|s| Value::String(s.to_owned())).collect())
        }
        Value::Table(_) | Value::Datetime(_) => bail!("{path} is not a single value"),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: Option<&str>, vars: &[(&str, &str)]) -> Result<Config, String> {
        let home = tempfile::tempdir().expect("temp dir");
        if let Some(text) = text {
            std::fs::write(home.path().join(FILE), text).expect("writes");
        }
        let vars = vars.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        Config::load(home.path(), vars, &[]).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn the_shipped_file_is_complete_and_equals_the_code() {
        let shipped = Config::parse(DEFAULT).expect("node.toml parses");
        assert_eq!(shipped.table().expect("table"), Config::default().table().expect("table"));
        let file: Table = DEFAULT.parse().expect("node.toml is a table");
        assert_eq!(file, Config::default().table().expect("table"), "node.toml names every key");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = load(Some("[dwn]\nlisten = \"127.0.0.1:1\"\nlisen = 3\n"), &[]).expect_err("unknown key");
        assert!(error.contains("line 3") && error.contains("lisen"), "{error}");
    }

    #[test]
    fn the_environment_overrides_every_kind_of_value() {
        let vars = [
            ("TOFT_DWN__LISTEN", "127.0.0.1:9"),
            ("TOFT_NET__LISTEN", "/ip4/127.0.0.1/tcp/0, /ip4/127.0.0.1/udp/0/quic-v1"),
            ("TOFT_STORE__SEGMENT_SIZE", "4096"),
            ("TOFT_ANCHOR__BITCOIN__RPC", "http://127.0.0.1:18443"),
            ("TOFT_HOME", "/nowhere"),
        ];
        let config = load(Some("[dwn]\nlisten = \"127.0.0.1:1\"\n"), &vars).expect("loads");
        assert_eq!(config.dwn.listen, "127.0.0.1:9");
        assert_eq!(config.net.listen.len(), 2);
        assert_eq!(config.store.segment_size, 4096);
        assert_eq!(config.anchor.bitcoin.rpc, "http://127.0.0.1:18443");
    }

    #[test]
    fn what_is_shown_holds_no_password() {
        let vars = [
            ("TOFT_ANCHOR__BITCOIN__USER", "me"),
            ("TOFT_ANCHOR__BITCOIN__PASSWORD", "hunter2"),
            ("TOFT_RESOLVE__DHT_GATEWAY", "https://me:hunter2@pkarr.example/a"),
            ("TOFT_RESOLVE__WEB_HOSTS", "https://me:hunter2@web.example"),
        ];
        let config = load(None, &vars).expect("loads");
        let json = serde_json::to_string(&config.shown().expect("a table")).expect("JSON");
        for shown in [config.show().expect("a text"), json, format!("{:?}", config.anchor)] {
            assert!(!shown.contains("hunter2") && shown.contains('…'), "{shown}");
        }
        assert_eq!(config.anchor.bitcoin.password.expose(), "hunter2");
        assert!(config.resolve.dht_gateway.contains("hunter2"), "it is used as it was given");
    }

    #[test]
    fn one_setting_is_changed_and_all_else_stays() {
        let text = DEFAULT;
        let edited = Config::edited(text, "log.level", "debug").expect("edits");
        let changed: Vec<_> = text.lines().zip(edited.lines()).filter(|(before, after)| before != after).collect();
        assert_eq!((changed.len(), text.lines().count()), (1, edited.lines().count()), "{changed:?}");
        let comment = |line: &str| line.split_once('#').map(|(_, comment)| comment.to_owned());
        assert_eq!(comment(changed[0].0), comment(changed[0].1));
        assert_eq!(Config::parse(&edited).expect("parses").log.level, "debug");
        let edited = Config::edited("# mine\n", "dwn.limits.subscriptions", "4096").expect("edits");
        assert_eq!(Config::parse(&edited).expect("parses").dwn.limits.subscriptions, 4096);
        assert!(edited.contains("# mine"), "{edited}");
        let listen =
            Config::edited(text, "net.listen", "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1").expect("edits");
        assert_eq!(Config::parse(&listen).expect("parses").net.listen.len(), 2);
        for (path, value, said) in [
            ("log", "x", "section.key"),
            ("log.colour", "red", "no key colour"),
            ("dwn.max_record", "big", "whole number"),
            ("log.repeats", "0", "log.repeats"),
            ("web.enabled", "true", "dashboard"),
            ("dwn.tenants", "everyone", "everyone"),
        ] {
            let error = Config::edited(text, path, value).expect_err("wrong");
            assert!(format!("{error:#}").contains(said), "{path}: {error:#}");
        }
    }

    #[test]
    fn a_wrong_override_says_what_and_why() {
        let error = load(None, &[("TOFT_DWN__LISEN", "x")]).expect_err("unknown");
        assert!(error.contains("TOFT_DWN__LISEN") && error.contains("its keys are: "), "{error}");
        let error = load(None, &[("TOFT_DWN__MAX_RECORD", "big")]).expect_err("no number");
        assert!(error.contains("big is not a whole number"), "{error}");
        let error = load(None, &[("TOFT_DWN__TENANTS", "everyone")]).expect_err("no such variant");
        assert!(error.contains("everyone"), "{error}");
        for (name, value, said) in [
            ("TOFT_DWN__HOSTS", "http://a.example", "dwn.hosts: `http://a.example` is no host's name"),
            ("TOFT_RPC__HOSTS", "a.example:99999", "rpc.hosts: `a.example:99999` is no host's name"),
            ("TOFT_NET__RELAYS", "/ip4/127.0.0.1/tcp/1", "net.relays: `/ip4/127.0.0.1/tcp/1`"),
            ("TOFT_NET__RELAYS", "here", "net.relays: `here`"),
            ("TOFT_NET__BOOTSTRAP", "/ip4/127.0.0.1/tcp/1", "net.bootstrap: `/ip4/127.0.0.1/tcp/1`"),
            ("TOFT_NET__EXTERNAL", "here", "net.external: `here`"),
        ] {
            let error = load(None, &[(name, value)]).expect_err("wrong");
            assert!(error.contains(said), "{error}");
        }
        assert!(load(None, &[("TOFT_WEB__ENABLED", "true")]).expect_err("not yet").contains("dashboard"));
    }
}
