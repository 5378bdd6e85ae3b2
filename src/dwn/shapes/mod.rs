//! The shapes of the messages of dialect 0.5.2, and of what their signatures sign.

mod values;
mod signatures;
mod jwk;
mod write;
mod records;
mod messages;
mod protocols;
mod permissions;

pub(super) use messages::{MESSAGES_QUERY, MESSAGES_READ, MESSAGES_SUBSCRIBE};
pub(super) use permissions::{PERMISSION_GRANT, PERMISSION_REQUEST, PERMISSION_REVOCATION};
pub(super) use protocols::{PROTOCOL_DEFINITION, PROTOCOLS_CONFIGURE, PROTOCOLS_QUERY};
pub(super) use records::{RECORDS_DELETE, RECORDS_QUERY, RECORDS_READ, RECORDS_SUBSCRIBE};
pub(super) use signatures::{PAYLOAD, RECORDS_WRITE_PAYLOAD};
pub(super) use write::RECORDS_WRITE;
