use super::*;

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
        "RecordsSubscribe is not supported by this version of toft"
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
