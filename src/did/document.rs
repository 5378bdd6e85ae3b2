//! DID documents, read as far as a node needs them: keys that sign, and services.

use super::{
    multikey,
    name::{Did, Error},
};
use crate::{crypto::PublicKey, foreign::shown};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Deepest nesting read; documents have 4 levels, extensions a few more.
const DEPTH_MAX: usize = 32;
/// Keys and services read of one document: far more than a person has.
const ENTRIES_MAX: usize = 64;

/// What a DID stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub id: Did,
    pub methods: Vec<VerificationMethod>,
    pub services: Vec<Service>,
    /// Keys that signed once and do no more. Only a did:dht of a toft tells them.
    pub past: Vec<PastKey>,
}

/// A key that signed before some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastKey {
    /// The whole DID URL.
    pub id: String,
    pub key: PublicKey,
    pub until: Timestamp,
}

/// A key of a DID. `id` is always the whole DID URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationMethod {
    pub id: String,
    pub key: PublicKey,
    /// The document lets this key sign in the DID's name.
    pub signs: bool,
}

/// Where something of a DID is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The whole DID URL.
    pub id: String,
    pub kind: String,
    pub endpoints: Vec<String>,
}

impl Document {
    /// The document of `did` from JSON. Keys of a kind we do not know are passed over; a document of another DID
    /// is refused.
    pub fn from_json(did: &Did, bytes: &[u8]) -> Result<Self, Error> {
        let json: Value = serde_json::from_slice(bytes).map_err(|e| did.invalid(format_args!("not JSON: {e}")))?;
        if depth(&json) > DEPTH_MAX {
            return Err(did.invalid(format_args!("its document is nested deeper than {DEPTH_MAX} levels")));
        }
        if json.get("id").and_then(Value::as_str) != Some(did.as_str()) {
            return Err(did.invalid("its document has the id of another DID"));
        }
        Ok(Self { id: did.clone(), methods: methods(did, &json), services: services(did, &json), past: vec![] })
    }

    /// The key that may sign under `kid`, which must be the id of a method to the letter.
    pub fn key(&self, kid: &str) -> Result<&PublicKey, Error> {
        let method = self.methods.iter().find(|method| method.id == kid);
        let method = method.ok_or_else(|| self.id.invalid(format_args!("it has no key {}", shown(kid))))?;
        if !method.signs {
            return Err(self.id.invalid(format_args!("{} is not a key for signing", shown(kid))));
        }
        Ok(&method.key)
    }

    /// The key that signed under `kid` at a time when it still did.
    pub fn past_key(&self, kid: &str, at: Timestamp) -> Option<&PublicKey> {
        self.past.iter().find(|past| past.id == kid && at < past.until).map(|past| &past.key)
    }

    /// The endpoints of the services of one type, such as `DecentralizedWebNode`.
    pub fn endpoints<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.services.iter().filter(move |s| s.kind == kind).flat_map(|s| &s.endpoints).map(String::as_str)
    }
}

/// A fragment (`#0`), or an id that is whole already, as whole DID URL.
pub(super) fn absolute(did: &Did, id: &str) -> String {
    if id.starts_with('#') { format!("{did}{id}") } else { id.into() }
}

fn methods(did: &Did, json: &Value) -> Vec<VerificationMethod> {
    let relations = ["authentication", "assertionMethod"].map(|name| json.get(name).and_then(Value::as_array));
    let related: Vec<&Value> = relations.iter().flatten().flat_map(|list| list.iter()).take(2 * ENTRIES_MAX).collect();
    // A document that says nothing of what its keys are for lets all of them sign.
    let says_nothing = relations.iter().all(Option::is_none);
    let ids: Vec<_> = related.iter().filter_map(|v| v.as_str()).map(|id| absolute(did, id)).collect();
    let listed = list(json, "verificationMethod").filter_map(|json| {
        let (id, key) = method(did, json)?;
        let signs = key.algorithm().is_some() && (says_nothing || ids.contains(&id));
        Some(VerificationMethod { id, key, signs })
    });
    // A key may also be written out under the relation itself.
    let embedded = related.iter().filter_map(|v| v.as_object()).filter_map(|json| {
        let (id, key) = method(did, json)?;
        let signs = key.algorithm().is_some();
        Some(VerificationMethod { id, key, signs })
    });
    let mut methods: Vec<VerificationMethod> = Vec::new();
    for method in listed.chain(embedded) {
        // An id names one key: the first one.
        if methods.iter().all(|other| other.id != method.id) {
            methods.push(method);
        }
    }
    methods
}

fn method(did: &Did, json: &Map<String, Value>) -> Option<(String, PublicKey)> {
    let id = absolute(did, json.get("id")?.as_str()?);
    // A key id names its DID: a document cannot hand out keys of another.
    let own = id.strip_prefix(did.as_str()).is_some_and(|rest| rest.starts_with('#') && rest.len() > 1);
    let key = match (json.get("publicKeyJwk"), json.get("publicKeyMultibase").and_then(Value::as_str)) {
        (Some(jwk), None) => PublicKey::from_jwk(jwk).ok()?,
        (None, Some(multibase)) => multikey::from_multibase(multibase).ok()?,
        _ => return None,
    };
    own.then_some((id, key))
}

fn services(did: &Did, json: &Value) -> Vec<Service> {
    let service = |json: &Map<String, Value>| {
        let endpoints = match json.get("serviceEndpoint")? {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => many.iter().take(ENTRIES_MAX).filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => vec![],
        };
        let id = absolute(did, json.get("id")?.as_str()?);
        Some(Service { id, kind: json.get("type")?.as_str()?.into(), endpoints })
    };
    list(json, "service").filter_map(service).collect()
}

fn list<'a>(json: &'a Value, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    json.get(name).and_then(Value::as_array).into_iter().flatten().take(ENTRIES_MAX).filter_map(Value::as_object)
}

/// Levels of a value. The parser stops at 128, so this recursion is bounded.
fn depth(json: &Value) -> usize {
    let inner = match json {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => None,
    };
    1 + inner.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const DID: &str = "did:web:example.com";
    const ED25519: &str = "z6MkpiTQjCoppwukNs3htBJr8TFS9mqnDCkAnXy8admM1kN6";
    const P256: &str = "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";

    fn read(mut json: Value) -> Result<Document, Error> {
        json["id"] = json.get("id").cloned().unwrap_or_else(|| DID.into());
        Document::from_json(&DID.parse().expect("a DID"), json.to_string().as_bytes())
    }

    fn multikey(id: &str, key: &str) -> Value {
        json!({"id": id, "type": "Multikey", "controller": DID, "publicKeyMultibase": key})
    }

    #[test]
    fn keys_come_as_jwk_and_as_multikey() {
        let x = "mHluY5FnsiXpaEMfaYu4yLRkp5ny32PkTEnaHHT92RM";
        let jwk = json!({"id": "#a", "type": "JsonWebKey", "publicKeyJwk": {"kty": "OKP", "crv": "Ed25519", "x": x}});
        let methods = json!([jwk, multikey("did:web:example.com#b", ED25519), multikey("#c", P256)]);
        let document = read(json!({"verificationMethod": methods})).expect("reads");
        let ids: Vec<_> = document.methods.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(ids, ["did:web:example.com#a", "did:web:example.com#b", "did:web:example.com#c"]);
        assert_eq!(document.methods[0].key, document.methods[1].key);
        assert_eq!(document.key("did:web:example.com#c").map(PublicKey::algorithm), Ok(Some("ES256")));
        for other in ["#a", "did:web:example.com", "did:web:other.example#a", "x#did:web:example.com#a"] {
            assert!(document.key(other).is_err(), "{other}");
        }
    }

    #[test]
    fn only_keys_meant_for_it_sign_where_the_document_says() {
        let methods = json!([multikey("#a", ED25519), multikey("#b", P256)]);
        let with = |more: Value| {
            let mut json = json!({"verificationMethod": methods});
            json.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            let document = read(json).expect("reads");
            ["#a", "#b", "#c"].map(|id| document.key(&format!("{DID}{id}")).is_ok())
        };
        assert_eq!(with(json!({"keyAgreement": ["#b"]})), [true, true, false]);
        assert_eq!(with(json!({"authentication": ["#a"]})), [true, false, false]);
        assert_eq!(with(json!({"assertionMethod": [format!("{DID}#b")]})), [false, true, false]);
        assert_eq!(with(json!({"authentication": [], "keyAgreement": ["#a"]})), [false, false, false]);
        assert_eq!(with(json!({"authentication": [multikey("#c", P256)]})), [false, false, true]);
        // The id of a listed key cannot be given another key by a second entry.
        assert_eq!(with(json!({"authentication": [multikey("#a", P256)]})), [false, false, false]);
    }

    #[test]
    fn a_document_speaks_only_for_its_own_did() {
        assert!(read(json!({"id": "did:web:other.example"})).is_err());
        let foreign =
            json!([multikey("did:web:other.example#a", ED25519), multikey("did:web:example.com.evil#a", P256)]);
        assert_eq!(read(json!({"verificationMethod": foreign})).expect("reads").methods, []);
    }

    #[test]
    fn services_have_one_endpoint_or_many() {
        let services = json!([
            {"id": "#dwn", "type": "DecentralizedWebNode", "serviceEndpoint": ["https://a.example", "https://b.example"]},
            {"id": "#site", "type": "LinkedDomains", "serviceEndpoint": "https://c.example"},
            {"id": "#odd", "type": "LinkedDomains", "serviceEndpoint": {"a": 1}},
        ]);
        let document = read(json!({"service": services})).expect("reads");
        let found: Vec<_> = document.endpoints("DecentralizedWebNode").collect();
        assert_eq!(found, ["https://a.example", "https://b.example"]);
        assert_eq!(document.endpoints("LinkedDomains").collect::<Vec<_>>(), ["https://c.example"]);
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| format!("{{\"id\":\"{DID}\",\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let read = |text: String| Document::from_json(&DID.parse().expect("a DID"), text.as_bytes());
        assert!(read(nested(DEPTH_MAX - 1)).is_ok());
        assert!(read(nested(DEPTH_MAX)).is_err());
        assert!(read(nested(30_000)).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            prop_oneof![Just("#a"), Just(ED25519), Just(DID), Just("Ed25519"), Just("OKP")].prop_map(Value::from),
        ];
        let name = prop_oneof![
            Just("id"),
            Just("type"),
            Just("verificationMethod"),
            Just("authentication"),
            Just("publicKeyJwk"),
            Just("publicKeyMultibase"),
            Just("service"),
            Just("serviceEndpoint"),
            Just("kty"),
            Just("x"),
        ];
        leaf.prop_recursive(5, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn foreign_documents_never_panic(json in any_json(), bytes: Vec<u8>) {
            let did: Did = DID.parse().expect("a DID");
            let _ = Document::from_json(&did, &bytes);
            let mut json = json;
            if let Some(object) = json.as_object_mut() {
                object.insert("id".into(), DID.into());
            }
            if let Ok(document) = Document::from_json(&did, json.to_string().as_bytes()) {
                let own = format!("{DID}#");
                prop_assert!(document.methods.iter().all(|method| method.id.starts_with(&own)));
            }
        }
    }
}
