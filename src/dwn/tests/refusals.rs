//! The rules in stories: refusals.

use super::*;
use proptest::prelude::*;

fn made(json: Value) -> Result<Value, Refusal> {
    Ok(json)
}

#[test]
fn what_is_not_a_message() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let mut says = |json: Value| detail(&past.send(made(json), None)).to_owned();
    assert_eq!(says(json!({})), "Both interface and method must be present, interface: undefined, method: undefined");
    assert_eq!(
        says(json!({"descriptor": {"interface": "Records", "method": "Nope"}})),
        "SchemaValidatorSchemaNotFound: schema for RecordsNope not found."
    );
    assert_eq!(
        says(json!({"descriptor": {"interface": "Records", "method": "Query"}})),
        "SchemaValidatorFailure: /descriptor: must have required property 'messageTimestamp'"
    );
    assert_eq!(
        says(json!({"descriptor": {"interface": "Records", "method": "Subscribe"}})),
        "SchemaValidatorFailure: /descriptor: must have required property 'messageTimestamp'"
    );
}

#[test]
fn a_changed_message_does_not_verify() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let mut message = write(&note(), b"one", 1, &alice).expect("made");
    message["descriptor"]["dataSize"] = 4.into();
    let reply = past.send(made(message), Some(b"one"));
    assert!(detail(&reply).starts_with("AuthenticateDescriptorCidMismatch: provided descriptorCid bafy"), "{reply}");

    let mut message = write(&note(), b"one", 1, &alice).expect("made");
    let other = write(&note(), b"two", 1, &alice).expect("made");
    let signature = "/authorization/signature/signatures/0/signature";
    *message.pointer_mut(signature).expect("there") = other.pointer(signature).expect("there").clone();
    let reply = past.send(made(message), Some(b"one"));
    let text = format!("GeneralJwsVerifierInvalidSignature: Signature verification failed for {}", alice.did());
    assert_eq!(reply["status"], json!({"code": 401, "detail": text}));
}

#[test]
fn an_encryption_added_by_somebody_else_is_refused() {
    let alice = person(1);
    let mut past = Past::of(&alice);
    let mut message = write(&note(), b"one", 1, &alice).expect("made");
    let key = json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"});
    message["encryption"] = json!({"algorithm": "A256CTR", "initializationVector": "AA", "keyEncryption": [{
        "rootKeyId": "a", "derivationScheme": "schemas", "algorithm": "ECIES-ES256K", "encryptedKey": "AA",
        "initializationVector": "AA", "ephemeralPublicKey": key, "messageAuthenticationCode": "AA",
    }]});
    let reply = past.send(made(message), Some(b"one"));
    assert!(detail(&reply).starts_with("RecordsWriteValidateIntegrityEncryptionCidMismatch: "), "{reply}");
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z$]{0,6}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn subscription(interface: &str, signer: &Signer) -> Result<Value, Refusal> {
    let query = match interface {
        "Records" => records_query(json!({"recordId": "a"}), json!({}), &at(1), Some(signer)),
        _ => messages_query(json!([]), None, &at(1), signer),
    };
    let mut descriptor = query?["descriptor"].clone();
    descriptor["method"] = "Subscribe".into();
    let payload = json!({"descriptorCid": cid_of(&descriptor)?});
    let signature = crate::crypto::jws::Jws::sign(payload.to_string().as_bytes(), signer).expect("signs");
    Ok(json!({"descriptor": descriptor, "authorization": {"signature": signature}}))
}

proptest! {
    #[test]
    fn arbitrary_rules_for_tags_never_panic(rule in arbitrary_json(), value in arbitrary_json(), name in 0..17_usize) {
        let names = ["type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
            "maxLength", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "items", "contains", "a"];
        let schema = json!({names[name]: rule.clone(), "contains": {}});
        let _ = tags::check_schema(&schema, "a");
        for schema in [schema, rule.clone()] {
            let rules = json!({"a": schema, "$requiredTags": rule.clone()});
            let _ = tags::check(rules.as_object().expect("an object"), Some(&json!({"a": value.clone()})), "a");
        }
    }

    #[test]
    fn arbitrary_data_of_permissions_never_panics(data in arbitrary_json(), bytes: Vec<u8>, path in 0..4_usize) {
        let path = ["request", "grant", "grant/revocation", "other"][path];
        let write = json!({"descriptor": {"protocol": PERMISSIONS, "protocolPath": path}});
        let _ = crate::dwn::permissions::check_data(&write, &bytes);
        let _ = crate::dwn::permissions::check_data(&write, data.to_string().as_bytes());
        let data = json!({"dateExpires": at(1), "scope": data});
        let _ = crate::dwn::permissions::check_data(&write, data.to_string().as_bytes());
        let mut grant = write;
        grant["encodedData"] = crate::crypto::encode(&bytes).into();
        prop_assert!(grant::Grant::delegated(&grant).is_err());
    }

    #[test]
    fn arbitrary_definitions_never_panic(json in arbitrary_json(), path in "[a-z/$]{0,12}") {
        let _ = definition::Definition::parse(&json);
        let mut configure = threads();
        configure["structure"]["thread"]["$actions"] = json.clone();
        configure["structure"]["thread"]["reply"]["$tags"] = json;
        if let Some(definition) = definition::Definition::parse(&configure) {
            let _ = definition.check();
            let _ = definition.rules_at(&path);
        }
    }

    #[test]
    fn arbitrary_json_never_panics(json in arbitrary_json()) {
        prop_assert!(Message::parse("did:example:a", json).is_err());
    }

    #[test]
    fn a_message_with_arbitrary_parts_never_panics(part in arbitrary_json(), kind in 0..10_usize, place in 0..4_usize) {
        let alice = person(1);
        let filter = json!({"recordId": "a"});
        let mut message = [
            write(&note(), b"one", 1, &alice),
            records_read(filter.clone(), &at(1), Some(&alice)),
            records_query(filter, json!({}), &at(1), Some(&alice)),
            records_delete("a", true, &at(1), &alice),
            protocols_configure(threads(), &at(1), &alice),
            protocols_query(None, &at(1), Some(&alice)),
            messages_query(json!([]), None, &at(1), &alice),
            messages_read("a", &at(1), &alice),
            subscription("Records", &alice),
            subscription("Messages", &alice),
        ][kind].clone().expect("made");
        let places = ["/authorization", "/authorization/signature", "/authorization/signature/signatures/0", "/descriptor"];
        let target = message.pointer_mut(places[place]).expect("it is there");
        match (target, part) {
            (Value::Object(target), Value::Object(part)) => target.extend(part),
            (target, part) => *target = part,
        }
        if let Ok(message) = Message::parse(alice.did(), message) {
            let _ = message.verify(&key_of);
        }
    }
}

#[test]
fn nesting_has_a_bound() {
    let deep = |levels| (0..levels).fold(Value::Null, |inner, _| json!([inner]));
    let reply = |levels| Message::parse("did:example:a", deep(levels)).expect_err("refused").detail;
    assert_eq!(reply(100), "the message is nested deeper than 64 levels");
    assert!(reply(60).starts_with("Both interface"));
}
