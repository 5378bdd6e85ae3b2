//! Identifiers in the examples. Whoever tries an example on a node puts that node's own in their place.

/// The DID of the node's own tenant.
pub const DID: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
/// A DID of somebody else.
pub const OTHER_DID: &str = "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH";
/// A record of the node's own tenant, of the data "hello" and of the format `text/plain`.
pub const RECORD: &str = "bafyreihv6cfjqprjqy5i7f2ygzkzmfnp6u5oj6ewl6ufkmk5jz2oxtd5ra";
/// The CID of its data.
pub const DATA: &str = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
/// The protocol that the examples are about; its definition lets its author write `note`.
pub const PROTOCOL: &str = "https://toft.example/notes";
/// A named token.
pub const TOKEN: &str = "4f1d2c3b4a596877";

/// What stands for them in the texts of the methods.
const NAMES: [(&str, &str); 6] = [
    ("$did", DID),
    ("$other", OTHER_DID),
    ("$record", RECORD),
    ("$data", DATA),
    ("$protocol", PROTOCOL),
    ("$token", TOKEN),
];

/// The text of an example with identifiers in it.
pub(super) fn filled(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}
