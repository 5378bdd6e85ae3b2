//! A second device acts in a person's name: with its own key, by grants that the first one gives and takes back.

use crate::support::{
    control::{Control, Failed},
    eventually,
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use toft::crypto;

const PROTOCOL: &str = "http://notes.example/p";

fn definition() -> Value {
    json!({
        "protocol": PROTOCOL, "published": true, "types": {"note": {}},
        "structure": {"note": {"$actions": [{"who": "anyone", "can": ["read"]}]}},
    })
}

/// The device that holds the identity's key, and a second one that has all of the identity's records.
struct Devices {
    a: Toft,
    b: Toft,
    dir: tempfile::TempDir,
}

impl Devices {
    fn new() -> Self {
        let a = Home::new().up();
        let b = Home::new().set("rpc.listen", "127.0.0.1:0").up();
        let dir = tempfile::tempdir().expect("a temp dir");
        let devices = Self { a, b, dir };
        let file = devices.file(&definition().to_string());
        devices.a.json(&["protocol", "install", &file]);
        devices.join();
        devices
    }

    /// They keep the identity's records, both of them.
    fn join(&self) {
        for (here, there) in [(&self.a, &self.b), (&self.b, &self.a)] {
            here.json(&["peer", "add", there.did(), &there.address("/tcp/"), "--tenant", self.a.did()]);
        }
    }

    /// A speaks with B no more; B goes on keeping the identity's records.
    fn part(&self) {
        self.a.json(&["peer", "rm", self.b.did()]);
    }

    fn file(&self, text: &str) -> String {
        let path = self.dir.path().join("file");
        std::fs::write(&path, text).expect("writes");
        path.display().to_string()
    }

    fn give(&self) -> Value {
        Control::of(self.a.home()).call("grants.give", json!({"device": self.b.did()}))
    }

    /// What a new note of the identity's is, as B's wallet writes it.
    fn note(&self, text: &str) -> Value {
        let data = crypto::encode(text.as_bytes());
        json!({"tenant": self.a.did(), "protocol": PROTOCOL, "protocolPath": "note", "dataFormat": "text/plain", "data": data})
    }

    fn ask(&self, method: &str, params: Value) -> Result<Value, Failed> {
        Control::of(self.b.home()).ask(method, params)
    }

    /// A command on B that concerns the identity's records; its words if it fails.
    fn run(&self, args: &[&str]) -> Result<String, String> {
        let output = self.b.home().run(&[args, &["--tenant", self.a.did()]].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// B has heard of its grants: what the identity has written, it finds.
    fn can_act(&self) {
        let asked = json!({"tenant": self.a.did(), "filter": {"protocol": PROTOCOL}});
        let filled = |page: Value| page["entries"].as_array().is_some_and(|entries| !entries.is_empty());
        eventually("B to act in A's name", || self.ask("records.query", asked.clone()).is_ok_and(filled).then_some(()));
        let status = self.a.json(&["peer", "ls"]);
        assert!(status.to_string().contains(self.b.did()));
    }

    /// A note of A's own.
    fn own(&self, text: &str) {
        let mut note = self.note(text);
        note.as_object_mut().expect("an object").remove("tenant");
        Control::of(self.a.home()).call("records.write", note);
    }

    /// The newest state of a record on A, and by whom it is.
    fn on_a(&self, id: &Value, method: &str) -> Value {
        let rpc = Control::of(self.a.home());
        eventually("A to have it", || {
            let past = rpc.ask("records.history", json!({"recordId": id})).ok()?;
            let newest = past["versions"][0].clone();
            (newest["method"] == method).then_some(newest)
        })
    }
}

#[test]
fn a_second_device_writes_in_the_name_of_the_first_and_everybody_takes_it() {
    let devices = Devices::new();
    let (identity, own) = (devices.a.did().to_owned(), devices.b.did().to_owned());
    devices.own("mine");
    let given = devices.give();
    assert_eq!((given["made"].as_array().map(Vec::len), &given["kept"]), (Some(9), &json!(0)), "{given}");
    let again = devices.give();
    assert_eq!((again["made"].as_array().map(Vec::len), &again["kept"]), (Some(0), &json!(9)), "{again}");
    devices.can_act();

    // By the command line: the data comes to a one-time address.
    let file = devices.file("from B");
    let write = ["record", "write", &file, "--format", "text/plain", "--protocol", PROTOCOL, "--path", "note"];
    let written: Value = serde_json::from_str(&devices.run(&[&write[..], &["--json"]].concat()).expect("is written"))
        .expect("what was written");
    let id = &written["recordId"];
    let on_a = devices.on_a(id, "Write");
    assert_eq!(on_a["author"], json!(identity));
    let message = on_a["record"].clone();
    assert_eq!(message["authorization"]["authorDelegatedGrant"]["descriptor"]["recipient"], json!(own));
    assert_eq!(devices.run(&["record", "read", id.as_str().expect("an id")]).as_deref(), Ok("from B"));
    assert_eq!(devices.run(&["record", "ls", "--protocol", PROTOCOL]).map(|lines| lines.lines().count()), Ok(2));

    // By a wallet's call: a new state, which anybody may see.
    let update = json!({"tenant": identity, "recordId": id, "data": crypto::encode(b"again"), "published": true});
    let updated = devices.ask("records.write", update).expect("is written");
    let after = eventually("the new state on A", || {
        let newest = devices.on_a(id, "Write");
        (newest["messageCid"] == updated["messageCid"]).then_some(newest)
    });
    assert_eq!(after["author"], json!(identity));

    // A stranger with the SDK reads it at A.
    let mut sdk = Sdk::start();
    sdk.persona("carol", "ed25519");
    let read = json!({"url": devices.a.url(), "as": "carol", "tenant": identity, "recordId": id});
    let read = sdk.call("read", read);
    assert_eq!((code(&read), &read["data"]["size"]), (200, &json!(5)), "{read}");
    let protocols = sdk.call("protocols", json!({"url": devices.a.url(), "tenant": identity}));

    devices.run(&["record", "rm", id.as_str().expect("an id")]).expect("is deleted");
    let end = devices.on_a(id, "Delete");
    assert_eq!(end["author"], json!(identity));

    // A node of the SDK's own takes it all, and says by whom it is.
    let data = |text: &str| crypto::encode(text.as_bytes());
    let messages = json!([
        {"message": protocols["entries"][0]},
        {"message": message, "data": data("from B")},
        {"message": after["record"], "data": data("again")},
        {"message": end["record"]},
    ]);
    let judged = sdk.call("judge", json!({"tenant": identity, "messages": messages}));
    let said: Vec<_> = judged["said"].as_array().expect("a list").iter().collect();
    assert_eq!(said.len(), 4);
    for (n, said) in said.into_iter().enumerate() {
        let signer = if n == 0 { &identity } else { &own };
        assert_eq!(
            (&said["code"], &said["author"], &said["signer"]),
            (&json!(202), &json!(identity), &json!(signer)),
            "{said}"
        );
    }

    // What no grant can be for is said.
    let flat = devices.run(&["record", "write", &file, "--format", "text/plain"]).expect_err("refused");
    let words = format!("records under no protocol are written by the device that holds the key of {identity}");
    assert!(flat.contains(&words), "{flat}");
    let all = devices.run(&["record", "ls"]).expect_err("refused");
    assert!(all.contains("name it in filter.protocol"), "{all}");
    let other =
        ["record", "write", &file, "--format", "text/plain", "--protocol", "http://other.example", "--path", "note"];
    let other = devices.run(&other).expect_err("refused");
    let words =
        format!("{own} has no grant of Records.Write for http://other.example to act in the name of {identity}");
    let how = format!(
        "toft grant create {own} --for Records.Write --protocol http://other.example --expires 365d --delegated"
    );
    assert!(other.contains(&words) && other.contains(&how), "{other}");
}

#[test]
fn what_is_taken_back_ends_at_once_here_and_counts_there_in_any_case() {
    let devices = Devices::new();
    devices.own("mine");
    devices.give();
    devices.can_act();
    devices.ask("records.write", devices.note("before")).expect("is written");
    let rpc = Control::of(devices.a.home());
    let count = || rpc.call("records.count", json!({"filter": {"protocol": PROTOCOL}}))["count"].clone();
    eventually("it on A", || (count() == 2).then_some(()));

    // Apart, B knows nothing of it, and A takes nothing of B's all the same.
    devices.part();
    let taken = rpc.call("grants.withdraw", json!({"device": devices.b.did()}));
    assert_eq!(taken.as_array().map(Vec::len), Some(9));
    assert!(taken.as_array().expect("a list").iter().all(|grant| grant["state"] == "revoked"));
    assert_eq!(rpc.call("grants.withdraw", json!({"device": devices.b.did()})), json!([]));
    let apart = devices.ask("records.write", devices.note("apart")).expect("B does not know");
    let read = devices.ask("records.read", json!({"tenant": devices.a.did(), "recordId": apart["recordId"]}));
    let read = read.expect("B has it");
    let mut sdk = Sdk::start();
    let sent =
        json!({"url": devices.a.url(), "tenant": devices.a.did(), "message": read["record"], "data": read["data"]});
    let sent = sdk.call("send", sent);
    assert!(code(&sent) == 401 && sent.to_string().contains("GrantAuthorizationGrantRevoked"), "{sent}");

    // Together, B hears of it: what it wrote since goes, and the next is refused with the reason.
    devices.join();
    let asked = json!({"tenant": devices.a.did(), "filter": {"protocol": PROTOCOL}});
    // (Just while it comes, the door says so in its own words.)
    let refused = || devices.ask("records.query", asked.clone()).err();
    let is_told = |refused: &Failed| refused.code == -32001 && refused.message.contains("was revoked at");
    eventually("B to hear of it", || refused().filter(is_told));
    let file = devices.file("after");
    let write = ["record", "write", &file, "--format", "text/plain", "--protocol", PROTOCOL, "--path", "note"];
    let words = format!(
        "the grant by which {} acts in the name of {} (Records.Write, {PROTOCOL}) was revoked at",
        devices.b.did(),
        devices.a.did()
    );
    let said = eventually("B to hear of all of it", || devices.run(&write).err());
    assert!(said.contains(&words) && said.contains("toft grant create"), "{said}");
    eventually("what B wrote apart to go", || {
        let read = devices.ask("records.read", json!({"tenant": devices.a.did(), "recordId": apart["recordId"]}));
        read.is_err_and(|failed| failed.kind == "not-found").then_some(())
    });
    assert_eq!(count(), 2);

    // Given anew, B goes on.
    assert_eq!(devices.give()["made"].as_array().map(Vec::len), Some(9));
    devices.can_act();
    eventually("B to write again", || devices.ask("records.write", devices.note("again")).ok());
    eventually("it on A", || (count() == 3).then_some(()));
}

#[test]
fn a_token_that_is_bound_to_somebody_acts_for_nobody_else() {
    let devices = Devices::new();
    let (identity, own) = (devices.a.did().to_owned(), devices.b.did().to_owned());
    devices.own("mine");
    devices.give();
    devices.can_act();
    let token = |tenant: &str, more: &[&str]| {
        let args =
            ["token", "create", "an app", "--scope", "records:read", "--scope", "records:write", "--tenant", tenant];
        devices.b.json(&[&args[..], more].concat())["token"].as_str().expect("a token").to_owned()
    };
    let call = |token: &str, method: &str, params: Value| {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request =
            ureq::post(format!("http://{}/rpc", devices.b.rpc())).header("authorization", format!("Bearer {token}"));
        let mut answer = request.send_json(&call).expect("answers").body_mut().read_json::<Value>().expect("JSON");
        match answer["error"]["message"].as_str() {
            Some(message) => Err(message.to_owned()),
            None => Ok(answer["result"].take()),
        }
    };
    let without_tenant = |mut note: Value| {
        note.as_object_mut().expect("an object").remove("tenant");
        note
    };
    // Bound to the identity: its records, whether it is named or not, and nobody else's.
    let theirs = token(&identity, &[]);
    let written = call(&theirs, "records.write", without_tenant(devices.note("by an app"))).expect("is written");
    assert_eq!(devices.on_a(&written["recordId"], "Write")["author"], json!(identity));
    let found = call(&theirs, "records.query", json!({"filter": {"protocol": PROTOCOL}})).expect("finds");
    assert_eq!(found["entries"].as_array().map(Vec::len), Some(2));
    for params in [json!({"tenant": own, "filter": {}}), json!({"from": own, "tenant": identity, "filter": {}})] {
        let refused = call(&theirs, "records.query", params.clone()).expect_err("refused");
        assert!(refused.contains("the token is not for tenant"), "{params}: {refused}");
    }
    let flat = json!({"data": "AQ", "dataFormat": "text/plain"});
    let refused = call(&theirs, "records.write", flat).expect_err("refused");
    assert!(refused.contains("records under no protocol are written by"), "{refused}");
    // What reads the store alone asks nobody for a grant.
    for (method, params) in [
        ("records.history", json!({"recordId": written["recordId"]})),
        ("records.count", json!({})),
        ("records.explain", json!({"filter": {"protocol": PROTOCOL}})),
        ("grants.list", json!({})),
        ("protocols.list", json!({})),
    ] {
        let refused = call(&theirs, method, params).expect_err(method);
        assert!(refused.contains("holds no key of"), "{method}: {refused}");
    }
    // Of one protocol: that one alone.
    let narrow = token(&identity, &["--protocol", "http://other.example"]);
    let refused = call(&narrow, "records.write", without_tenant(devices.note("x"))).expect_err("refused");
    assert!(refused.contains("the token is not for protocol"), "{refused}");
    // Bound to the node's own identity: not in the other's name, whatever the node is granted.
    let mine = token(&own, &[]);
    let refused = call(&mine, "records.write", devices.note("x")).expect_err("refused");
    assert!(refused.starts_with("401 "), "{refused}");
}
