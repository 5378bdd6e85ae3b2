//! Against what the SDK encrypted, and against what must not open.

use super::*;
use crate::crypto::decode;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// Made by `tests/vectors/generate-encryption.mjs`.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/encryption.json")).expect("JSON")
}

fn root(vectors: &Value, scheme: Scheme) -> PrivateKey {
    let secret = hex::decode(vectors["rootPrivateKeyHex"].as_str().expect("hex")).expect("hex");
    let id = vectors["rootKeyId"].as_str().expect("an id");
    PrivateKey::root(id, scheme, &secret.try_into().expect("32 bytes")).expect("a key")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("text")
}

fn plain(case: &Value) -> Vec<u8> {
    match case["plainPattern"].as_u64() {
        Some(size) => (0..size).map(|i| (i % 251) as u8).collect(),
        None => decode(text(case, "plain")).expect("base64url"),
    }
}

/// One of the records, and the root key that opens it.
fn one(scheme: Scheme) -> (Value, PrivateKey) {
    let vectors = vectors();
    let cases = vectors["cases"].as_array().expect("a list");
    let case = cases.iter().find(|case| case["schemes"][0] == scheme.name()).expect("one of each scheme");
    (case["message"].clone(), root(&vectors, scheme))
}

#[test]
fn every_ancestor_opens_what_the_sdk_encrypted() {
    let vectors = vectors();
    let mut seen = 0;
    for case in vectors["cases"].as_array().expect("a list") {
        for (at, name) in case["schemes"].as_array().expect("a list").iter().enumerate() {
            let root = root(&vectors, Scheme::named(name.as_str().expect("text")).expect("a scheme"));
            let path: Vec<String> = serde_json::from_value(case["paths"][at].clone()).expect("a path");
            assert_eq!(root.scheme().path(&case["message"]).expect("a path"), path);
            for depth in 0..=path.len() {
                let key = open(&case["message"], &root.derive(&path[..depth]).expect("derives")).expect("opens");
                assert_eq!(
                    (encode(key.key.as_slice()).as_str(), encode(&key.iv).as_str()),
                    (text(case, "key"), text(case, "iv"))
                );
                let mut data = plain(case);
                key.apply(&mut data);
                match case["cipherSha256"].as_str() {
                    Some(expected) => assert_eq!(hex::encode(Sha256::digest(&data)), expected, "{}", case["name"]),
                    None => assert_eq!(encode(&data), case["cipher"], "{}", case["name"]),
                }
                key.apply(&mut data);
                assert_eq!(data, plain(case));
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_protocol_gets_the_keys_that_the_sdk_gives_it() {
    let vectors = vectors();
    let root = root(&vectors, Scheme::ProtocolPath);
    let made = with_keys(&vectors["protocol"], &root).expect("derives");
    assert_eq!(made, vectors["definition"]);
    for path in ["thread", "thread/reply", "note"] {
        let message = json!({"descriptor": {"protocol": made["protocol"], "protocolPath": path}});
        assert_eq!(Recipient::of_protocol(&made, path), Recipient::holder(&root, &message), "{path}");
    }
    for path in ["", "thread/none", "none", "thread/$actions", "thread/reply/$encryption/publicKeyJwk"] {
        assert_eq!(Recipient::of_protocol(&made, path), Err(Error::NoProtocolKey(path.into())));
    }
    assert!(with_keys(&json!({"protocol": "a", "structure": {"x": 1}}), &root).is_err());
    assert!(with_keys(&json!({"structure": {}}), &root).is_err());
}

#[test]
fn an_answer_is_encrypted_to_the_readers_of_the_context() {
    let vectors = vectors();
    let thread =
        vectors["cases"].as_array().expect("a list").iter().find(|case| case["paths"][1][0] == "protocolContext");
    let thread = &thread.expect("a record of two schemes")["message"];
    let readers = Recipient::of_context(thread).expect("reads");
    let root = root(&vectors, Scheme::ProtocolContext);
    assert_eq!(readers, [Recipient::holder(&root, thread).expect("derives")]);
    let key = DataKey::random().expect("randomness");
    let context = format!("{}/child", text(thread, "contextId"));
    let mut answer = json!({"descriptor": {}, "contextId": context});
    answer["encryption"] = encryption(&key, &readers).expect("seals");
    assert_eq!(open(&answer, &root).expect("opens").key, key.key);
}

#[test]
fn another_key_or_path_or_scheme_does_not_open() {
    for scheme in Scheme::ALL {
        let (message, root) = one(scheme);
        assert!(open(&message, &root).is_ok());
        let path = scheme.path(&message).expect("a path");
        let other = PrivateKey::root(root.root_key_id(), scheme, &[1; 32]).expect("a key");
        assert_eq!(open(&message, &other).err(), Some(Error::Seal(ecies::Error::Open)));
        let renamed = PrivateKey::root("did:example:other#enc", scheme, &root.secret().to_bytes()).expect("a key");
        assert!(matches!(open(&message, &renamed), Err(Error::NotForKey { .. })));
        let leaf = root.derive(&path).expect("derives");
        let too_deep = leaf.derive(&["x"]).expect("derives");
        let beside = root.derive(&[&path[..path.len() - 1], &["x".to_owned()]].concat()).expect("derives");
        for key in [too_deep, beside] {
            assert!(matches!(open(&message, &key), Err(Error::Derive(hd::Error::NotAncestor { .. }))));
        }
        // The key of a place, said to be of another: derives to something else.
        let mut lie = leaf.to_json();
        lie["derivationPath"] = json!([path[0]]);
        let lie = PrivateKey::from_json(&lie).expect("reads");
        assert_eq!(open(&message, &lie).err(), Some(Error::Seal(ecies::Error::Open)));
    }
}

#[test]
fn changed_and_cut_messages_do_not_open() {
    let (message, root) = one(Scheme::Schemas);
    let at = |pointer: &str| format!("/encryption/{pointer}");
    let flip = |text: &str| {
        let mut bytes = decode(text).expect("base64url");
        bytes[0] ^= 1;
        encode(&bytes)
    };
    for name in ["initializationVector", "messageAuthenticationCode", "encryptedKey"] {
        let pointer = at(&format!("keyEncryption/0/{name}"));
        let mut changed = message.clone();
        let field = changed.pointer_mut(&pointer).expect("it is there");
        *field = flip(field.as_str().expect("text")).into();
        assert_eq!(open(&changed, &root).err(), Some(Error::Seal(ecies::Error::Open)), "{name}");
        for wrong in [json!(""), json!("AA"), json!("="), json!(encode(&[0; 33])), json!(1), Value::Null] {
            let mut changed = message.clone();
            *changed.pointer_mut(&pointer).expect("it is there") = wrong;
            assert_eq!(open(&changed, &root).err(), Some(Error::Shape(name)));
        }
    }
    let key = "keyEncryption/0/ephemeralPublicKey";
    for (pointer, value) in [
        ("algorithm", json!("A128CTR")),
        ("initializationVector", json!("AA")),
        ("keyEncryption", json!({})),
        ("keyEncryption", json!([])),
        ("keyEncryption/0", json!(1)),
        ("keyEncryption/0/algorithm", json!("dir")),
        (key, json!({})),
        (key, json!({"kty": "EC", "crv": "secp256k1", "x": encode(&[1; 32]), "y": encode(&[1; 32])})),
        (key, json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"})),
        (key, json!({"kty": "OKP", "crv": "X25519", "x": encode(&[9; 32])})),
    ] {
        let mut changed = message.clone();
        *changed.pointer_mut(&at(pointer)).expect("it is there") = value.clone();
        assert!(open(&changed, &root).is_err(), "{pointer} {value}");
    }
    let mut plain = message.clone();
    plain.as_object_mut().expect("an object").remove("encryption");
    assert_eq!(open(&plain, &root).err(), Some(Error::NotEncrypted));
    assert_eq!(Recipient::of_context(&plain), Err(Error::NotEncrypted));
    // Same keys, but the record says it is another: its key is another.
    let mut moved = message;
    moved["descriptor"]["schema"] = json!("http://example.com/other");
    assert_eq!(open(&moved, &root).err(), Some(Error::Seal(ecies::Error::Open)));
}

#[test]
fn nothing_is_encrypted_for_nobody_and_no_secret_prints() {
    let key = DataKey { key: Zeroizing::new([171; 32]), iv: [205; 16] };
    assert!(encryption(&key, &[]).is_err());
    assert_eq!(format!("{key:?} {:?}", key.stream()), "DataKey(…) DataStream(…)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // 32 bytes of 255 are beyond the order of secp256k1, and so no key.
    #[test]
    fn what_is_encrypted_opens_again(data: Vec<u8>, pieces in 1..50usize, seed in 1..255u8, schema in "[a-z]{1,9}", depth in 0..3usize) {
        let root = PrivateKey::root("did:example:a#enc", Scheme::Schemas, &[seed; 32]).expect("a key");
        let mut message = json!({"descriptor": {"schema": schema}});
        let key = DataKey::random().expect("randomness");
        let mut sealed = data.clone();
        key.apply(&mut sealed);
        // At 16 bytes and more, equal by chance is out of the question.
        prop_assert!(data.len() < 16 || sealed != data);
        message["encryption"] = encryption(&key, &[Recipient::holder(&root, &message).expect("derives")]).expect("seals");
        let ancestor = root.derive(&Scheme::Schemas.path(&message).expect("a path")[..depth]).expect("derives");
        let mut stream = open(&message, &ancestor).expect("opens").stream();
        sealed.chunks_mut(pieces).for_each(|piece| stream.apply(piece));
        prop_assert_eq!(sealed, data);
    }

    #[test]
    fn arbitrary_encryption_never_panics(texts: [String; 5]) {
        let [algorithm, iv, tag, key, scheme] = texts;
        let (mut message, root) = one(Scheme::Schemas);
        message["encryption"]["keyEncryption"][0]["messageAuthenticationCode"] = json!(tag);
        prop_assert!(open(&message, &root).is_err());
        message["encryption"] = json!({"algorithm": algorithm, "initializationVector": iv, "keyEncryption": [key, {"derivationScheme": scheme}]});
        prop_assert!(open(&message, &root).is_err());
        prop_assert_eq!(Recipient::of_context(&message).map(|found| found.len()), Ok(0));
    }
}
