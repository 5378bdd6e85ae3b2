//! What a message asks for.

use super::{refusal::Refusal, schema::Shape, shapes};
use serde_json::Value;

/// What a message asks for: interface and method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    RecordsWrite,
    RecordsRead,
    RecordsQuery,
    RecordsDelete,
    RecordsSubscribe,
    ProtocolsConfigure,
    ProtocolsQuery,
    MessagesQuery,
    MessagesRead,
    MessagesSubscribe,
}

impl Kind {
    /// Interface and method in one word, as clients name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RecordsWrite => "RecordsWrite",
            Self::RecordsRead => "RecordsRead",
            Self::RecordsQuery => "RecordsQuery",
            Self::RecordsDelete => "RecordsDelete",
            Self::RecordsSubscribe => "RecordsSubscribe",
            Self::ProtocolsConfigure => "ProtocolsConfigure",
            Self::ProtocolsQuery => "ProtocolsQuery",
            Self::MessagesQuery => "MessagesQuery",
            Self::MessagesRead => "MessagesRead",
            Self::MessagesSubscribe => "MessagesSubscribe",
        }
    }

    /// Interface and method.
    pub fn parts(self) -> (&'static str, &'static str) {
        let name = self.name();
        let interface = ["Records", "Protocols", "Messages"].into_iter().find(|interface| name.starts_with(interface));
        name.split_at(interface.map_or(0, str::len))
    }

    /// What a message asks for that may be anything.
    pub fn of_json(json: &Value) -> Option<Self> {
        let part = |name| json.get("descriptor").and_then(|descriptor| descriptor.get(name)).and_then(Value::as_str);
        let (interface, method) = (part("interface")?, part("method")?);
        ALL.into_iter().find(|kind| kind.parts() == (interface, method))
    }

    pub(super) fn of(name: &str) -> Result<Self, Refusal> {
        ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let message = format_args!("schema for {name} not found.");
            Refusal::bad("SchemaValidatorSchemaNotFound", message)
        })
    }

    pub(super) fn shape(self) -> &'static Shape {
        match self {
            Self::RecordsWrite => &shapes::RECORDS_WRITE,
            Self::RecordsRead => &shapes::RECORDS_READ,
            Self::RecordsQuery => &shapes::RECORDS_QUERY,
            Self::RecordsDelete => &shapes::RECORDS_DELETE,
            Self::RecordsSubscribe => &shapes::RECORDS_SUBSCRIBE,
            Self::ProtocolsConfigure => &shapes::PROTOCOLS_CONFIGURE,
            Self::ProtocolsQuery => &shapes::PROTOCOLS_QUERY,
            Self::MessagesQuery => &shapes::MESSAGES_QUERY,
            Self::MessagesRead => &shapes::MESSAGES_READ,
            Self::MessagesSubscribe => &shapes::MESSAGES_SUBSCRIBE,
        }
    }

    /// Does it change the tenant's state?
    pub fn is_write(self) -> bool {
        matches!(self, Self::RecordsWrite | Self::RecordsDelete | Self::ProtocolsConfigure)
    }

    /// Does it ask for what happens from now on?
    pub fn is_subscribe(self) -> bool {
        matches!(self, Self::RecordsSubscribe | Self::MessagesSubscribe)
    }
}

const ALL: [Kind; 10] = [
    Kind::RecordsWrite,
    Kind::RecordsRead,
    Kind::RecordsQuery,
    Kind::RecordsDelete,
    Kind::RecordsSubscribe,
    Kind::ProtocolsConfigure,
    Kind::ProtocolsQuery,
    Kind::MessagesQuery,
    Kind::MessagesRead,
    Kind::MessagesSubscribe,
];
