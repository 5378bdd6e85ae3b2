//! Records that toft encrypts, kept by a node and opened by the JS SDK.

use crate::support::{
    sdk::{Sdk, code},
    toft::Home,
};
use serde_json::{Value, json};
use toft::{
    cid,
    crypto::{
        Signer, ed25519_public, encode,
        hd::{PrivateKey, Scheme},
        record::{self, DataKey, Recipient},
    },
    did,
    dwn::create,
};
use zeroize::Zeroizing;

const NOW: &str = "2026-01-02T03:04:05.000000Z";
const PROTOCOL: &str = "http://example.com/secrets";

#[test]
fn the_sdk_opens_what_we_encrypt_with_every_key_above_it() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let did = did::key::from_ed25519(&ed25519_public(&[5; 32]));
    let signer = Signer::new(Zeroizing::new([5; 32]), did::key::kid(&did));
    let roots = Scheme::ALL.map(|scheme| PrivateKey::root(format!("{did}#enc"), scheme, &[6; 32]).expect("a key"));
    let by_path = roots.iter().find(|root| root.scheme() == Scheme::ProtocolPath).expect("one of each");

    let definition = json!({
        "protocol": PROTOCOL, "published": false, "types": {"note": {}, "answer": {}}, "structure": {"note": {"answer": {}}},
    });
    let definition = record::with_keys(&definition, by_path).expect("derives");
    let configure = create::protocols_configure(definition.clone(), NOW, &signer).expect("is signed");
    let done = sdk.call("send", json!({"url": node.url(), "tenant": did.as_str(), "message": configure}));
    assert_eq!(code(&done), 202, "{done}");

    for (size, path, parent) in [(11, "note", false), (11, "note/answer", true), (70_001, "note", false)] {
        let plain: Vec<u8> = (0..size).map(|i: usize| (i % 251) as u8).collect();
        let key = DataKey::random().expect("randomness");
        let mut data = plain.clone();
        key.apply(&mut data);
        let write = |path, context| create::Write {
            protocol: Some((PROTOCOL, path)),
            parent_context: context,
            schema: Some("http://example.com/s"),
            data_format: "text/plain",
            ..create::Write::default()
        };
        let cid = cid::of(cid::RAW, &data);
        let mut context = None;
        if parent {
            let note = create::records_write(&write("note", None), (&cid, size as u64), NOW, &signer).expect("is made");
            let done = sdk.call(
                "send",
                json!({"url": node.url(), "tenant": did.as_str(), "message": note, "data": encode(&data)}),
            );
            assert_eq!(code(&done), 202, "{done}");
            context = note["contextId"].as_str().map(str::to_owned);
        }
        let mut message =
            create::draft(&write(path, context.as_deref()), (&cid, size as u64), NOW, did.as_str()).expect("is made");
        let mut recipients: Vec<Recipient> =
            roots.iter().map(|root| Recipient::holder(root, &message).expect("derives")).collect();
        let at = recipients.iter().position(|to| to.scheme == Scheme::ProtocolPath).expect("one of each");
        recipients[at] = Recipient::of_protocol(&definition, path).expect("it has a key");
        message["encryption"] = record::encryption(&key, &recipients).expect("seals");
        let message = create::sign_records_write(message, &signer).expect("is signed");
        let done = sdk.call(
            "send",
            json!({"url": node.url(), "tenant": did.as_str(), "message": message, "data": encode(&data)}),
        );
        assert_eq!(code(&done), 202, "{done}");

        for root in &roots {
            let leaf = root.scheme().path(&message).expect("a path");
            for depth in 0..=leaf.len() {
                let key = root.derive(&leaf[..depth]).expect("derives").to_json();
                let read = sdk.call("decrypt", json!({"message": message, "data": encode(&data), "key": key}));
                assert_eq!(read["plain"], Value::from(encode(&plain)), "{} at depth {depth}", root.scheme());
            }
        }
    }
}
