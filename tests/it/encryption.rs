//! Records that toft encrypts, kept by a node and opened by the JS SDK; and those that a node encrypts and decrypts by itself.

use crate::support::{
    control::Control,
    eventually,
    sdk::{Sdk, code},
    toft::{Home, Toft, random_file},
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Stdio};
use toft::{
    cid,
    crypto::{
        Signer, decode, ed25519_public, encode,
        hd::{PrivateKey, Scheme},
        record::{self, DataKey, Recipient},
    },
    did,
    dwn::create,
    identity,
    vault::Vault,
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

const NOTES: &str = "http://notes.example/p";
const MARK: &str = "nobody-else-reads-this";

/// A protocol with types that are private, and one that is not.
fn notes() -> Value {
    let anyone = json!([{"who": "anyone", "can": ["create", "read", "update"]}]);
    json!({
        "protocol": NOTES, "published": true, "types": {"note": {}, "answer": {}, "open": {}},
        "structure": {"note": {"$actions": anyone, "answer": {"$actions": anyone}}, "open": {"$actions": anyone}},
    })
}

fn private_notes(control: &Control) {
    control.call("protocols.install", json!({"definition": notes(), "private": ["note", "answer"]}));
}

fn note(data: &[u8]) -> Value {
    json!({"protocol": NOTES, "protocolPath": "note", "dataFormat": "text/plain", "data": encode(data)})
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

/// A record's data, which the node says that it decrypted.
#[track_caller]
fn decrypted(control: &Control, written: &Value) -> Vec<u8> {
    let read = control.call("records.read", json!({"recordId": written["recordId"]}));
    assert_eq!((&read["encrypted"], &read["sealed"]), (&json!(true), &Value::Null), "{read}");
    decode(text(&read["data"])).expect("base64url")
}

/// Is it in a file of this folder, in the clear?
fn lies_in(folder: &Path, what: &[u8]) -> Option<std::path::PathBuf> {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let kind = entry.file_type().expect("a type");
        let found = if kind.is_dir() {
            lies_in(&entry.path(), what)
        } else {
            let is_there = |bytes: Vec<u8>| bytes.windows(what.len()).any(|part| part == what);
            (kind.is_file() && fs::read(entry.path()).is_ok_and(is_there)).then(|| entry.path())
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The root key of the node's own records, derived again from what its vault keeps.
fn root_key(node: &Toft) -> PrivateKey {
    let secrets = Vault::at(&node.home().path().join("keys")).open(None).expect("opens");
    let root = identity::root(secrets.own()).expect("derives");
    PrivateKey::root(identity::root_key_id(node.did()), Scheme::ProtocolPath, root.expose()).expect("a key")
}

#[test]
fn private_data_of_a_protocol_that_comes_with_toft_lies_nowhere_in_the_clear() {
    let node = Home::new().up();
    let (control, files) = (Control::of(node.home()), tempfile::tempdir().expect("a temp dir"));
    let uri = "https://toft.invalid/protocols/settings";
    let installed = node.home().run(&["protocol", "install", "settings"]);
    assert!(String::from_utf8_lossy(&installed.stdout).contains("encrypted data of: setting, config"), "{installed:?}");
    let keys = node.json(&["protocol", "show", uri])["definition"]["structure"]["setting"]["$encryption"].clone();
    assert_eq!(keys["rootKeyId"], format!("{}#toft-records", node.did()));
    let differs = node.json(&["protocol", "diff", "settings"]);
    assert_eq!((&differs["allows"], &differs["forbids"]), (&json!([]), &json!([])), "keys are no rules: {differs}");
    node.json(&["protocol", "policy", "set", "settings"]);

    let value = json!({"app": "a", "key": "k", "value": MARK}).to_string();
    let tags = json!({"app": "a", "key": "k", "category": "preference"});
    let setting = json!({"protocol": uri, "protocolPath": "setting", "schema": "https://toft.invalid/schemas/settings/setting",
        "dataFormat": "application/json", "data": encode(value.as_bytes()), "tags": tags});
    let by_rpc = control.call("records.write", setting.clone());
    assert_eq!(decrypted(&control, &by_rpc), value.as_bytes());
    let file = files.path().join("config");
    fs::write(&file, &value).expect("writes");
    let file = file.to_str().expect("UTF-8");
    let by_cli = node.json(&[
        "record",
        "write",
        file,
        "--format",
        "application/json",
        "--protocol",
        uri,
        "--path",
        "config",
        "--tag",
        "app=a",
        "--tag",
        "key=k",
        "--schema",
        "https://toft.invalid/schemas/settings/config",
    ]);
    assert_eq!((&by_cli["encrypted"], &by_cli["dataSize"]), (&json!(true), &json!(value.len())));
    let id = text(&by_cli["recordId"]);
    let shown = node.home().run(&["record", "read", id]);
    assert_eq!(String::from_utf8_lossy(&shown.stdout), value);

    // As it is kept: that is what dataCid says, and what queries give.
    let raw = control.call("records.read", json!({"recordId": id, "raw": true}));
    let bytes = decode(text(&raw["data"])).expect("base64url");
    assert!(raw["sealed"].is_string() && raw["encrypted"].is_null() && bytes != value.as_bytes(), "{raw}");
    assert_eq!(raw["dataCid"], cid::of(cid::RAW, &bytes).to_string());
    assert_eq!(node.home().run(&["record", "read", id, "--raw"]).stdout, bytes);
    let page = control.call("records.query", json!({"filter": {"recordId": id}}));
    assert_eq!(page["entries"][0]["encodedData"], encode(&bytes));

    // Another state has a key of its own, also with the same data; and one without data keeps it.
    let same = control.call("records.write", json!({"recordId": id, "data": encode(value.as_bytes())}));
    assert_ne!(same["dataCid"], by_cli["dataCid"]);
    control.call("records.write", json!({"recordId": id, "tags": {"app": "b", "key": "k"}}));
    assert_eq!(decrypted(&control, &by_cli), value.as_bytes());

    let node = node.stop();
    assert_eq!(lies_in(&node.path(), MARK.as_bytes()), None);
    let node = node.up();
    let control = Control::of(node.home());
    let plain = node.json(&["record", "write", file, "--plain", "--record", id]);
    assert!(plain["encrypted"].is_null(), "{plain}");
    let read = control.call("records.read", json!({"recordId": id}));
    assert_eq!((&read["data"], &read["encrypted"]), (&json!(encode(value.as_bytes())), &Value::Null));
    assert!(lies_in(&node.home().path(), MARK.as_bytes()).is_some(), "the search finds what is there");

    // Plain: no key, nothing is encrypted, and what was, opens.
    node.json(&["protocol", "install", "settings", "--plain"]);
    let shown = node.json(&["protocol", "show", uri]);
    assert!(!shown.to_string().contains("$encryption"), "{shown}");
    let key = setting["tags"]["key"].clone();
    let mut other = setting;
    other["tags"]["key"] = json!(format!("{}2", text(&key)));
    assert!(control.call("records.write", other.clone())["encrypted"].is_null());
    assert_eq!(decrypted(&control, &by_rpc), value.as_bytes());
    // What was encrypted is not written in the open by mistake.
    let refused = control.fails("records.write", json!({"recordId": by_rpc["recordId"], "data": encode(b"{}")}));
    assert!(refused.code == -32602 && refused.message.contains("encrypt: false"), "{refused:?}");
    other["encrypt"] = json!(true);
    assert!(control.fails("records.write", other).message.contains("no key"));
}

#[test]
fn large_private_data_comes_and_goes_by_addresses() {
    let node = Home::new().up();
    let (control, files) = (Control::of(node.home()), tempfile::tempdir().expect("a temp dir"));
    private_notes(&control);
    let (path, bytes) = random_file(files.path(), "large", 5_000_000);
    let asked = control.call(
        "records.write",
        json!({"protocol": NOTES, "protocolPath": "note", "dataFormat": "text/plain", "dataSize": bytes.len()}),
    );
    let (status, answer) = control.send("PUT", text(&asked["upload"]["path"]), &bytes);
    let written: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(
        (status, &written["encrypted"], &written["dataSize"]),
        (200, &json!(true), &json!(bytes.len())),
        "{written}"
    );
    let id = &written["recordId"];
    for (raw, is_plain) in [(false, true), (true, false)] {
        let read = control.call("records.read", json!({"recordId": id, "raw": raw}));
        assert_eq!(read["encrypted"] == true, is_plain, "{read}");
        let (status, data) = control.send("GET", text(&read["download"]["path"]), &[]);
        assert!(status == 200 && data.len() == bytes.len() && (data == bytes) == is_plain);
    }
    // An update by the command line, and back to a file.
    let (path, bytes) = (path.to_str().expect("UTF-8"), bytes);
    node.json(&["record", "write", path, "--record", text(id)]);
    let out = files.path().join("out");
    node.json(&["record", "read", text(id), "-o", out.to_str().expect("UTF-8")]);
    assert!(fs::read(&out).expect("it is there") == bytes, "what comes back is what was given");
    assert_eq!(lies_in(&node.home().path(), &bytes[1_000_000..1_000_032]), None);

    for private in [json!(["nothing"]), json!(["note", ""])] {
        let refused = control.fails("protocols.install", json!({"definition": notes(), "private": private}));
        assert!(refused.code == -32602 && refused.message.contains("its types are"), "{refused:?}");
    }
}

#[test]
fn the_sdk_and_a_node_open_what_the_other_has_encrypted() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let (control, mut sdk) = (Control::of(node.home()), Sdk::start());
    let bob = sdk.persona("bob", "ed25519");
    private_notes(&control);
    let found = sdk.call("protocols", json!({"url": node.url(), "tenant": node.did(), "filter": {"protocol": NOTES}}));
    let structure = &found["entries"][0]["descriptor"]["definition"]["structure"];
    assert!(structure["open"]["$encryption"].is_null(), "only private types have a key: {structure}");

    // The node's, with the key at the path, which its owner may hand on.
    let written = control.call("records.write", note(MARK.as_bytes()));
    let raw = control.call("records.read", json!({"recordId": written["recordId"], "raw": true}));
    let path = ["protocolPath", NOTES, "note"].map(str::to_owned);
    let key = root_key(&node).descend(&path).expect("derives").to_json();
    let message = raw["record"].clone();
    let opened = sdk.call("decrypt", json!({"message": message, "data": raw["data"], "key": key}));
    assert_eq!(opened["plain"], encode(MARK.as_bytes()));
    // Others in the thread, by the context's key.
    let entries = message["encryption"]["keyEncryption"].as_array().expect("a list");
    let schemes: Vec<_> = entries.iter().map(|entry| text(&entry["derivationScheme"])).collect();
    assert_eq!(schemes, ["protocolPath", "protocolContext"]);
    let mut answer = note(b"an answer");
    answer["protocolPath"] = json!("note/answer");
    answer["parentContextId"] = written["contextId"].clone();
    let answer = control.call("records.write", answer);
    let raw = control.call("records.read", json!({"recordId": answer["recordId"], "raw": true}));
    let secrets = Vault::at(&node.home().path().join("keys")).open(None).expect("opens");
    let root = identity::root(secrets.own()).expect("derives");
    let root =
        PrivateKey::root(identity::root_key_id(node.did()), Scheme::ProtocolContext, root.expose()).expect("a key");
    let context = root.of_record(&message).expect("derives").to_json();
    let opened = sdk.call("decrypt", json!({"message": raw["record"], "data": raw["data"], "key": context}));
    assert_eq!(opened["plain"], encode(b"an answer"));

    // A stranger reads what is published, and gets what is kept.
    let mut published = note(MARK.as_bytes());
    published["published"] = json!(true);
    let published = control.call("records.write", published);
    let read = sdk
        .call("read", json!({"url": node.url(), "as": "bob", "tenant": node.did(), "recordId": published["recordId"]}));
    assert_eq!(code(&read), 200, "{read}");
    let raw = control.call("records.read", json!({"recordId": published["recordId"], "raw": true}));
    let kept = cid::of(cid::RAW, &decode(text(&raw["data"])).expect("base64url"));
    assert_eq!(read["entry"]["recordsWrite"]["descriptor"]["dataCid"], kept.to_string());
    assert_eq!(hex::encode(cid::sha256_of(&kept).expect("SHA-256")), text(&read["data"]["sha256"]));

    // What the SDK encrypts to the published key.
    let to = &structure["note"]["$encryption"];
    let written = |sdk: &mut Sdk, also: Value| {
        sdk.call(
            "encrypted",
            json!({"url": node.url(), "as": "bob", "tenant": node.did(), "protocol": NOTES, "protocolPath": "note", "to": to,
                "text": MARK, "also": also}),
        )
    };
    let theirs = written(&mut sdk, json!({}));
    assert_eq!(code(&theirs), 202, "{theirs}");
    assert_eq!(decrypted(&control, &theirs), MARK.as_bytes());

    // Encryption that is none: it says so, and the bytes are there all the same.
    let huge: Vec<Value> = (0..12)
        .map(|n| json!({"rootKeyId": format!("did:example:{n}#{}", "k".repeat(300)), "derivationScheme": "protocolPath"}))
        .collect();
    let entry = |members: Value| json!({"keyEncryption": [members]});
    let mut kept = 0;
    for (also, says) in [
        (entry(json!({"encryptedKey": "AAAA"})), "encryptedKey"),
        (entry(json!({"messageAuthenticationCode": "A".repeat(22)})), "does not open"),
        (entry(json!({"algorithm": "ECIES-ES256K", "ephemeralPublicKey": {"x": "AAAA"}})), "does not open"),
        (
            entry(
                json!({"ephemeralPublicKey": {"crv": "P-256", "kty": "EC", "x": encode(&[1; 32]), "y": encode(&[2; 32])}}),
            ),
            "does not open",
        ),
        (entry(json!({"derivationScheme": "schemas"})), "does not open"),
        (entry(json!({"rootKeyId": "did:example:nobody#key"})), "did:example:nobody"),
        (json!({"initializationVector": "AA"}), "initializationVector"),
        (json!({"algorithm": "A128CTR"}), "algorithm"),
        (json!({"keyEncryption": huge}), "did:example:"),
    ] {
        let reply = written(&mut sdk, also.clone());
        if code(&reply) != 202 {
            assert_eq!(code(&reply), 400, "{also}: {reply}");
            continue;
        }
        kept += 1;
        let read = control.call("records.read", json!({"recordId": reply["recordId"]}));
        assert!(text(&read["sealed"]).contains(says) && read["encrypted"].is_null(), "{also}: {read}");
        let kept = decode(text(&read["data"])).expect("base64url");
        assert_eq!(kept.len(), MARK.len());
        let raw = control.call("records.read", json!({"recordId": reply["recordId"], "raw": true}));
        assert_eq!(raw["data"], read["data"]);
        let said = node.home().run(&["record", "read", text(&reply["recordId"])]);
        assert!(said.stdout == kept && String::from_utf8_lossy(&said.stderr).contains("Given as it is"), "{said:?}");
    }
    assert!(kept >= 5, "{kept} were taken");
    assert!(!bob.is_empty());
}

#[test]
fn private_data_stays_readable_when_the_key_that_signs_changes_and_not_while_it_is_locked() {
    let node = Home::new().up();
    let control = Control::of(node.home());
    let made = node.json(&["id", "new", "--method", "dht"]);
    let did = text(&made["did"]);
    control.call("protocols.install", json!({"definition": notes(), "private": ["note"], "from": did}));
    let mut new = note(MARK.as_bytes());
    new["from"] = json!(did);
    let written = control.call("records.write", new.clone());
    let read = || control.ask("records.read", json!({"recordId": written["recordId"], "from": did}));
    let before = read().expect("read")["record"].clone();
    node.json(&["id", "rotate", did]);
    assert_eq!(read().expect("read")["data"], encode(MARK.as_bytes()));
    let also = control.call("records.write", new.clone());
    let after = control.call("records.read", json!({"recordId": also["recordId"], "from": did}));
    assert_eq!(after["data"], encode(MARK.as_bytes()));
    let holder = |record: &Value| record["encryption"]["keyEncryption"][0]["rootKeyId"].clone();
    assert_eq!(holder(&before), holder(&after["record"]));

    node.json(&["lock"]);
    for failed in [
        read().expect_err("locked"),
        control.fails("records.write", new.clone()),
        control.fails("protocols.install", json!({"definition": notes(), "private": ["note"], "from": did})),
    ] {
        assert!(failed.kind == "locked" && failed.message.contains("toft unlock"), "{failed:?}");
    }
    node.json(&["unlock"]);
    assert_eq!(read().expect("read")["data"], encode(MARK.as_bytes()));

    // Another identity of this node writes into its records: the owner reads that, and so does who wrote it, and no third.
    let third = node.json(&["id", "new"]);
    let mut theirs = note(b"from a friend");
    theirs["tenant"] = json!(did);
    let theirs = control.call("records.write", theirs);
    let read = control.call("records.read", json!({"recordId": theirs["recordId"], "from": did}));
    assert_eq!(read["data"], encode(b"from a friend"));
    let holders = read["record"]["encryption"]["keyEncryption"].as_array().expect("a list").iter();
    let holders: Vec<_> =
        holders.map(|entry| text(&entry["rootKeyId"]).split('#').next().expect("a DID").to_owned()).collect();
    assert_eq!(holders, [did, node.did(), node.did()]);
    assert!(!holders.contains(&text(&third["did"]).to_owned()));
}

#[test]
fn a_second_device_says_that_it_holds_no_key() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let offer = desk.json(&["pair", "--offer"])["code"].as_str().expect("a code").to_owned();
    let mut join = phone.home().command(&["join", &offer]);
    let joining = join.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let digits = eventually("a device to ask", || {
        let standing = desk.json(&["device", "confirm"]);
        (standing["state"] == "asks").then(|| standing["digits"].as_str().expect("digits").to_owned())
    });
    desk.json(&["device", "confirm", &digits]);
    assert!(joining.wait_with_output().expect("it ends").status.success());
    let (at_desk, on_phone) = (Control::of(desk.home()), Control::of(phone.home()));
    private_notes(&at_desk);
    let written = at_desk.call("records.write", note(MARK.as_bytes()));

    // It encrypts for the person, and reads what it wrote itself.
    let mut new = note(b"from the phone");
    new["tenant"] = json!(desk.did());
    let sent =
        eventually("the grants and the protocol on the phone", || on_phone.ask("records.write", new.clone()).ok());
    assert_eq!(sent["encrypted"], true, "{sent}");
    eventually("the phone's record at the desk", || {
        let read = at_desk.ask("records.read", json!({"recordId": sent["recordId"]})).ok()?;
        (read["data"] == encode(b"from the phone")).then_some(())
    });
    let own = on_phone.call("records.read", json!({"recordId": sent["recordId"], "tenant": desk.did()}));
    assert_eq!((&own["data"], &own["encrypted"]), (&json!(encode(b"from the phone")), &json!(true)), "{own}");
    let read = eventually("the desk's record on the phone", || {
        on_phone.ask("records.read", json!({"recordId": written["recordId"], "tenant": desk.did()})).ok()
    });
    assert!(text(&read["sealed"]).contains(desk.did()) && read["data"] != encode(MARK.as_bytes()), "{read}");
    assert_eq!(lies_in(&phone.home().path(), MARK.as_bytes()), None);
}
