//! Scopes: what a token may do. Nothing is allowed that no scope names.

use crate::{
    dwn::normalize_uri,
    foreign::{is_plain, shown},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, collections::BTreeSet, fmt, str::FromStr};

/// Bytes of a protocol's URI in a scope.
pub const PROTOCOL_MAX: usize = 500;
/// Scopes of one token.
const SCOPES_MAX: usize = 64;

/// Something that a token may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// See who the node is and how it does.
    Info,
    /// Of one protocol, or all of them.
    ReadRecords(Option<String>),
    /// Does not imply reading.
    WriteRecords(Option<String>),
    ReadBlocks,
    WriteBlocks,
    Sign(Use),
    Sync,
    Anchor,
    Pins,
    Backup,
    /// All there is.
    Admin,
}

/// What a signature is for. None serves another use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// A DWN message.
    Message,
    Credential,
    /// A login challenge, with its origin.
    Login,
    Grant,
}

/// What a method needs of its caller: a scope, as far as it is known before the call is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// No token: whoever comes may call it.
    Nobody,
    /// Any valid token.
    Any,
    Info,
    /// Of which protocol, the method asks itself: [`super::Caller::may_read`].
    ReadRecords,
    WriteRecords,
    ReadBlocks,
    WriteBlocks,
    Sign(Use),
    Sync,
    Anchor,
    Pins,
    Backup,
    Admin,
}

impl Use {
    pub const ALL: [Self; 4] = [Self::Message, Self::Credential, Self::Login, Self::Grant];
}

impl Need {
    pub const ALL: [Self; 16] = [
        Self::Nobody,
        Self::Any,
        Self::Info,
        Self::ReadRecords,
        Self::WriteRecords,
        Self::ReadBlocks,
        Self::WriteBlocks,
        Self::Sign(Use::Message),
        Self::Sign(Use::Credential),
        Self::Sign(Use::Login),
        Self::Sign(Use::Grant),
        Self::Sync,
        Self::Anchor,
        Self::Pins,
        Self::Backup,
        Self::Admin,
    ];
}

impl Scope {
    /// May who has this scope call a method with that need? Which protocol it is about, the method asks.
    pub fn allows(&self, need: Need) -> bool {
        match need {
            Need::Nobody | Need::Any => true,
            _ if *self == Self::Admin => true,
            Need::Info => *self == Self::Info,
            Need::ReadRecords => matches!(self, Self::ReadRecords(_)),
            Need::WriteRecords => matches!(self, Self::WriteRecords(_)),
            Need::ReadBlocks => *self == Self::ReadBlocks,
            Need::WriteBlocks => *self == Self::WriteBlocks,
            Need::Sign(wanted) => *self == Self::Sign(wanted),
            Need::Sync => *self == Self::Sync,
            Need::Anchor => *self == Self::Anchor,
            Need::Pins => *self == Self::Pins,
            Need::Backup => *self == Self::Backup,
            Need::Admin => false,
        }
    }

    /// May who has this scope do all that `other` names?
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Admin, _) => true,
            (Self::ReadRecords(None), Self::ReadRecords(_)) | (Self::WriteRecords(None), Self::WriteRecords(_)) => true,
            _ => self == other,
        }
    }

    /// Is it about records or signatures, which are some tenant's? All else is about the whole node.
    pub fn is_of_a_tenant(&self) -> bool {
        matches!(self, Self::Info | Self::ReadRecords(_) | Self::WriteRecords(_) | Self::Sign(_))
    }

    /// Is it about what has a protocol? A signature may be under anything.
    pub fn is_of_a_protocol(&self) -> bool {
        matches!(self, Self::Info | Self::ReadRecords(_) | Self::WriteRecords(_))
    }

    /// What it allows, for the owner who is asked to give it.
    pub fn words(&self) -> String {
        match self {
            Self::Info => "see who this node is and how it does".to_owned(),
            Self::ReadRecords(None) => "read all records".to_owned(),
            Self::ReadRecords(Some(protocol)) => format!("read the records of {protocol}"),
            Self::WriteRecords(None) => "write and delete all records".to_owned(),
            Self::WriteRecords(Some(protocol)) => format!("write and delete the records of {protocol}"),
            Self::ReadBlocks => "read blocks of data".to_owned(),
            Self::WriteBlocks => "add blocks of data".to_owned(),
            Self::Sign(Use::Message) => "sign any DWN message in your name: with it, all your records".to_owned(),
            Self::Sign(Use::Credential) => "sign credentials in your name".to_owned(),
            Self::Sign(Use::Login) => "log in to other sites in your name".to_owned(),
            Self::Sign(Use::Grant) => "let others at your records".to_owned(),
            Self::Sync => "choose the devices that share your records".to_owned(),
            Self::Anchor => "have records anchored in Bitcoin, which may cost fees".to_owned(),
            Self::Pins => "keep data, or let it go".to_owned(),
            Self::Backup => "take backups".to_owned(),
            Self::Admin => "do everything you can do, also give out tokens".to_owned(),
        }
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message => "message",
            Self::Credential => "credential",
            Self::Login => "login",
            Self::Grant => "grant",
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |f: &mut fmt::Formatter<'_>, name: &str, protocol: &Option<String>| match protocol {
            None => f.write_str(name),
            Some(protocol) => write!(f, "{name}:{protocol}"),
        };
        match self {
            Self::Info => f.write_str("info"),
            Self::ReadRecords(protocol) => of(f, "records:read", protocol),
            Self::WriteRecords(protocol) => of(f, "records:write", protocol),
            Self::ReadBlocks => f.write_str("blocks:read"),
            Self::WriteBlocks => f.write_str("blocks:write"),
            Self::Sign(wanted) => write!(f, "identity:sign:{wanted}"),
            Self::Sync => f.write_str("sync"),
            Self::Anchor => f.write_str("anchor"),
            Self::Pins => f.write_str("pins"),
            Self::Backup => f.write_str("backup"),
            Self::Admin => f.write_str("admin"),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = match self {
            Self::Nobody => return f.write_str("no token"),
            Self::Any => return f.write_str("any token"),
            Self::Info => Scope::Info,
            Self::ReadRecords => Scope::ReadRecords(None),
            Self::WriteRecords => Scope::WriteRecords(None),
            Self::ReadBlocks => Scope::ReadBlocks,
            Self::WriteBlocks => Scope::WriteBlocks,
            Self::Sign(wanted) => Scope::Sign(*wanted),
            Self::Sync => Scope::Sync,
            Self::Anchor => Scope::Anchor,
            Self::Pins => Scope::Pins,
            Self::Backup => Scope::Backup,
            Self::Admin => Scope::Admin,
        };
        scope.fmt(f)
    }
}

/// A text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is no scope: write info, records:read or records:write (of one protocol: records:read:<protocol>), blocks:read, blocks:write, identity:sign:<message, credential, login or grant>, sync, anchor, pins, backup or admin",
    shown(.0)
)]
pub struct NoScope(String);

/// The URI of a protocol as messages must spell it, if it is one.
pub fn normal_protocol(text: &str) -> Option<String> {
    let is_plain = |c: char| is_plain(c) && !c.is_whitespace();
    let is_fit = |text: &str| !text.is_empty() && text.len() <= PROTOCOL_MAX && text.chars().all(is_plain);
    normalize_uri(text).filter(|normal| is_fit(text) && is_fit(normal))
}

impl FromStr for Scope {
    type Err = NoScope;

    fn from_str(text: &str) -> Result<Self, NoScope> {
        let wrong = || NoScope(text.to_owned());
        let protocol = |text: &str| normal_protocol(text).map(Some).ok_or_else(wrong);
        Ok(match text {
            "info" => Self::Info,
            "records:read" => Self::ReadRecords(None),
            "records:write" => Self::WriteRecords(None),
            "blocks:read" => Self::ReadBlocks,
            "blocks:write" => Self::WriteBlocks,
            "sync" => Self::Sync,
            "anchor" => Self::Anchor,
            "pins" => Self::Pins,
            "backup" => Self::Backup,
            "admin" => Self::Admin,
            _ => {
                let read = text.strip_prefix("records:read:").map(|of| protocol(of).map(Self::ReadRecords));
                let write = || text.strip_prefix("records:write:").map(|of| protocol(of).map(Self::WriteRecords));
                let sign = || {
                    let wanted = text.strip_prefix("identity:sign:")?;
                    Use::ALL.into_iter().find(|one| one.to_string() == wanted).map(|one| Ok(Self::Sign(one)))
                };
                return read.or_else(write).or_else(sign).unwrap_or_else(|| Err(wrong()));
            }
        })
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Scope {
    fn schema_name() -> Cow<'static, str> {
        "Scope".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(info|records:(read|write)(:\\S{1,500})?|blocks:(read|write)|identity:sign:(message|credential|login|grant)|sync|anchor|pins|backup|admin)$",
        })
    }
}

/// What a token may do, in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    pub fn admin() -> Self {
        Self(BTreeSet::from([Scope::Admin]))
    }

    /// May who has these call a method with that need?
    pub fn allows(&self, need: Need) -> bool {
        matches!(need, Need::Nobody | Need::Any) || self.0.iter().any(|scope| scope.allows(need))
    }

    /// May who has these do what `scope` names?
    pub fn covers(&self, scope: &Scope) -> bool {
        self.0.iter().any(|own| own.covers(scope))
    }

    /// The first of `others` that these do not cover.
    pub fn lacks<'a>(&self, others: &'a Self) -> Option<&'a Scope> {
        others.0.iter().find(|scope| !self.covers(scope))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let list = Vec::<Scope>::deserialize(from)?;
        if list.len() > SCOPES_MAX {
            return Err(D::Error::custom(format_args!("a token has at most {SCOPES_MAX} scopes")));
        }
        Ok(list.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every scope there is; of those with a protocol, all and two of them.
    fn every() -> Vec<Scope> {
        let protocols = || [None, Some("https://a.example/p".to_owned()), Some("http://b".to_owned())];
        let plain = [Scope::Info, Scope::ReadBlocks, Scope::WriteBlocks, Scope::Sync, Scope::Anchor, Scope::Pins];
        plain
            .into_iter()
            .chain([Scope::Backup, Scope::Admin])
            .chain(protocols().map(Scope::ReadRecords))
            .chain(protocols().map(Scope::WriteRecords))
            .chain(Use::ALL.map(Scope::Sign))
            .collect()
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in every() {
            assert_eq!(scope.to_string().parse(), Ok(scope.clone()));
            assert!(!scope.words().is_empty());
        }
        assert_eq!(
            "records:read:b".parse(),
            Ok(Scope::ReadRecords(Some("http://b".to_owned()))),
            "as messages spell it"
        );
        for wrong in ["", "Info", "records", "records:", "records:read:", "records:read:a b", "identity:sign", "all"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
        for wrong in ["identity:sign:raw", "identity:sign:", "admin:", "info ", "blocks", "records:write:a\u{202e}b"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
        assert!(format!("records:read:{}", "x".repeat(PROTOCOL_MAX + 1)).parse::<Scope>().is_err());
    }

    #[test]
    fn all_pairs_of_scope_and_need() {
        // By name: a scope allows the need that is spelled as it, less the protocol; admin allows all.
        for scope in every() {
            let name = scope.to_string();
            for need in Need::ALL {
                let wanted = need.to_string();
                let of_it = name == wanted || name.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with(':'));
                let free = matches!(need, Need::Nobody | Need::Any);
                assert_eq!(scope.allows(need), free || name == "admin" || of_it, "{name} × {wanted}");
                assert_eq!(Scopes::from_iter([scope.clone()]).allows(need), scope.allows(need));
            }
        }
        assert!(!Scopes::default().allows(Need::Info) && Scopes::default().allows(Need::Any));
    }

    #[test]
    fn who_covers_a_scope_is_allowed_all_that_it_allows() {
        for (one, other) in every().iter().flat_map(|one| every().into_iter().map(move |other| (one.clone(), other))) {
            let name = other.to_string();
            let expected = one == other || one == Scope::Admin || name.starts_with(&format!("{one}:"));
            assert_eq!(one.covers(&other), expected, "{one} covers {other}");
            if one.covers(&other) {
                assert!(Need::ALL.into_iter().all(|need| one.allows(need) || !other.allows(need)), "{one} {other}");
            }
        }
    }
}
