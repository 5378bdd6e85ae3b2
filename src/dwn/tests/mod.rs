//! The way of messages through the rules, told as stories.

use super::{create::*, fields::cid_of, testing::*, *};
use crate::crypto::{
    Signer,
    jws::{self, Jws},
};
use serde_json::{Value, json};

mod contexts;
mod explain;
mod order;
mod permissions;
mod policies;
mod delegated;
mod protocols;
mod queries;
mod reader;
mod records;
mod refusals;
mod unseen;
mod vectors;

/// A plain text note of one's own.
fn note<'a>() -> Write<'a> {
    Write { data_format: "text/plain", ..Write::default() }
}

fn write(write: &Write<'_>, data: &[u8], second: u32, signer: &Signer) -> Result<Value, Refusal> {
    records_write(write, (&data_cid(data), data.len() as u64), &at(second), signer)
}

/// Signed again, with more in the signature; `RecordsWrite` or any other message.
fn with_payload(message: Result<Value, Refusal>, more: Value, signer: &Signer) -> Value {
    let mut message = message.expect("was made");
    let mut payload = jws::payload(&message["authorization"]["signature"]).expect("a payload");
    payload.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    message["authorization"]["signature"] = Jws::sign(payload.to_string().as_bytes(), signer).expect("signs");
    message
}

fn detail(reply: &Value) -> &str {
    reply["status"]["detail"].as_str().expect("a detail")
}

fn record_id(message: &Result<Value, Refusal>) -> &str {
    message.as_ref().expect("was made")["recordId"].as_str().expect("a recordId")
}

fn read(message: &Result<Value, Refusal>, signer: Option<&Signer>) -> Result<Value, Refusal> {
    records_read(json!({"recordId": record_id(message)}), &at(3000), signer)
}
