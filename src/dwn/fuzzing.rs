//! Seam for `crate::fuzzing`: messages as strangers send them, and messages with signatures that fit whatever they
//! say (no fuzzer can sign), so that what stands behind the integrity checks is reached too.

use super::{
    EventFilter, Fault, Given, Hits, LogEvent, Message, Page, Record, Select, Stored, Take, View, create, decide,
    fields::{cid_of, entry_id},
    index_values,
};
use crate::{
    cid::{self, Cid},
    crypto::encode,
    did,
};
use serde_json::{Value, json};

/// The tenant of all messages here, and a key id of it.
const TENANT: &str = "did:key:z6MkpiTQjCoppwukNs3htBJr8TFS9mqnDCkAnXy8admM1kN6";
const NOW: &str = "2026-11-21T00:00:00.000000Z";

/// A DWN message: parsed, encoded, parsed again, and judged by an empty node.
pub(crate) fn message(bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(judge)
}

fn judge(json: Value) -> bool {
    let Ok(message) = Message::parse(TENANT, json) else { return false };
    let back = cid::decode(message.bytes()).expect("what was encoded decodes");
    let again = Message::parse(TENANT, back).expect("what was accepted is accepted again");
    assert_eq!((again.cid(), again.bytes()), (message.cid(), message.bytes()));
    let _ = message.verify(&|kid: &str| did::key_of(kid).ok());
    if message.is_write() {
        for given in [Given::None, Given::Promised, Given::Elsewhere] {
            if let Ok(change) = decide(&message, &given, &Nothing, NOW) {
                assert_eq!(cid::of(cid::DAG_CBOR, &change.bytes), change.cid);
            }
        }
        let _ = index_values(message.json(), message.author().unwrap_or_default(), super::First::default(), true);
    } else {
        let _ = super::answer(&message, &Nothing, NOW).map(|mut reply| reply.write(usize::MAX, &Nothing));
    }
    true
}

/// A descriptor, or a message without signature, under a signature that says what it must.
pub(crate) fn descriptor(bytes: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return false };
    signed(json).is_some_and(judge)
}

fn signed(json: Value) -> Option<Value> {
    let mut message = if json.get("descriptor").is_some() { json } else { json!({"descriptor": json}) };
    let map = message.as_object_mut()?;
    let descriptor = map.get("descriptor")?.clone();
    descriptor.as_object()?;
    let mut payload = json!({"descriptorCid": cid_of(&descriptor).ok()?});
    if descriptor["interface"] == "Records" && descriptor["method"] == "Write" {
        let id = entry_id(&Value::Object(map.clone()), TENANT).ok()?;
        let id = map.entry("recordId").or_insert_with(|| id.into()).clone();
        payload["recordId"] = id.clone();
        if descriptor.get("protocol").is_some() {
            payload["contextId"] = map.entry("contextId").or_insert(id).clone();
        }
        for part in ["encryption", "attestation"] {
            if let Some(value) = map.get(part) {
                payload[format!("{part}Cid")] = cid_of(value).ok()?.into();
            }
        }
    }
    let protected = json!({"kid": format!("{TENANT}#{}", &TENANT[8..]), "alg": "EdDSA"});
    let [protected, payload] = [protected, payload].map(|json| encode(json.to_string().as_bytes()));
    let signatures = json!([{"protected": protected, "signature": encode(&[0; 64])}]);
    map.insert("authorization".into(), json!({"signature": {"payload": payload, "signatures": signatures}}));
    Some(message)
}

/// Descriptors of every method, to begin with.
pub(crate) fn descriptors() -> Vec<Vec<u8>> {
    let filter = json!({
        "protocol": "http://a", "author": [TENANT], "tags": {"a": {"gt": 1}, "b": {"startsWith": "x"}, "c": true},
        "dateCreated": {"from": NOW}, "dataSize": {"gte": 1}, "published": true,
    });
    let definition = json!({
        "protocol": "http://a", "published": true, "types": {"t": {"schema": "http://s", "dataFormats": ["text/plain"]}, "r": {}},
        "structure": {"r": {"$role": true}, "t": {
            "$actions": [{"who": "anyone", "can": ["create", "read"]}, {"role": "r", "can": ["read"]}],
            "$size": {"min": 1, "max": 9},
            "$tags": {"$requiredTags": ["a"], "$allowUndefinedTags": true, "a": {"type": "string", "enum": ["x"]}},
            "t": {"$actions": [{"who": "author", "of": "t", "can": ["co-delete"]}]},
        }},
    });
    let signer = crate::crypto::Signer::new(zeroize::Zeroizing::new([1; 32]), "a#b");
    let page = json!({"dateSort": "createdAscending", "pagination": {"limit": 1, "cursor": {"messageCid": "a", "value": NOW}}});
    let write = create::Write {
        protocol: Some(("http://a", "t")),
        data_format: "text/plain",
        published: true,
        tags: json!({"a": "x", "b": [1, 2.5], "c": true}).as_object().cloned(),
        ..create::Write::default()
    };
    let made = [
        create::draft(&write, (&cid::of(cid::RAW, b"x"), 1), NOW, TENANT),
        create::records_read(filter.clone(), NOW, None),
        create::records_query(filter.clone(), page, NOW, None),
        create::records_delete("a", true, NOW, &signer),
        create::protocols_configure(definition, NOW, &signer),
        create::protocols_query(Some("http://a"), NOW, None),
        create::messages_query(json!([{"interface": "Records", "protocol": "http://a"}]), None, NOW, &signer),
        create::messages_read(&cid::of(cid::DAG_CBOR, b"x").to_string(), NOW, &signer),
    ];
    let mut found: Vec<Value> = made.into_iter().flatten().collect();
    let subscribe = |interface| json!({"interface": interface, "method": "Subscribe", "messageTimestamp": NOW});
    let mut records = subscribe("Records");
    records["filter"] = filter;
    let mut messages = subscribe("Messages");
    messages["filters"] = json!([]);
    found.extend([records, messages]);
    found.iter().map(|message| message.to_string().into_bytes()).collect()
}

/// A tenant without a past.
struct Nothing;

impl View for Nothing {
    fn message(&self, _: &Cid) -> Result<Option<Stored>, Fault> {
        Ok(None)
    }

    fn record(&self, _: &str) -> Result<Option<Record>, Fault> {
        Ok(None)
    }

    fn protocol(&self, _: &str) -> Result<Option<Stored>, Fault> {
        Ok(None)
    }

    fn protocols(&self) -> Result<Vec<u64>, Fault> {
        Ok(vec![])
    }

    fn hits(&self, select: &Select) -> Result<Hits, Fault> {
        Ok(Hits { positions: vec![], cursor: select.after.clone() })
    }

    fn each(&self, _: &[u64], _: &mut Take<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn select_of(&self, _: &str, select: &Select) -> Result<Page, Fault> {
        self.select(select)
    }

    fn events(&self, _: &[EventFilter], _: Option<u64>, _: Option<usize>) -> Result<Vec<LogEvent>, Fault> {
        Ok(vec![])
    }

    fn inline_data(&self, _: &Stored) -> Result<Option<bytes::Bytes>, Fault> {
        Ok(None)
    }

    fn has_data(&self, _: &Stored) -> Result<bool, Fault> {
        Ok(false)
    }
}
