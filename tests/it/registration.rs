//! Who may be a tenant: by list, by registration, and what a client is told otherwise.

use crate::support::{
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};

/// Writes as `who` into their own DWN; the code and detail.
fn write(sdk: &mut Sdk, node: &Toft, who: &str, did: &str) -> (u64, String) {
    let reply = sdk.call("write", json!({"url": node.url(), "as": who, "tenant": did, "size": 10}));
    (code(&reply), reply["status"]["detail"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_list_lets_tenants_in() {
    let mut sdk = Sdk::start();
    let (alice, bob) = (sdk.persona("alice", "ed25519"), sdk.persona("bob", "ed25519"));
    let node = Home::new().set("dwn.tenants", "allow-list").set("dwn.allow", &alice).up();
    assert_eq!(write(&mut sdk, &node, "alice", &alice).0, 202);
    assert_eq!(write(&mut sdk, &node, "bob", &bob), (401, format!("DID {bob} is not an active tenant.")));
    let get = json!({"url": node.url(), "path": "/registration/proof-of-work"});
    assert_eq!(sdk.call("get", get)["http"], 404, "there is no registration");
}

#[test]
fn a_tenant_agrees_and_works_and_is_let_in() {
    let mut sdk = Sdk::start();
    let (alice, bob) = (sdk.persona("alice", "ed25519"), sdk.persona("bob", "ed25519"));
    // Every 256th hash will do.
    let home = Home::new()
        .set("dwn.tenants", "registration")
        .set("registration.terms", "terms.txt")
        .set("registration.max_hash", &format!("00{}", "f".repeat(62)));
    home.json(&["init"]);
    std::fs::write(home.path().join("terms.txt"), "Be kind.").expect("writes");
    let node = home.up();
    assert_eq!(write(&mut sdk, &node, "alice", &alice), (401, "Not a registered tenant.".into()));

    let url = node.url().to_owned();
    let get = |sdk: &mut Sdk, path: &str| sdk.call("get", json!({"url": url, "path": path}));
    let required = json!(["proof-of-work-sha256-v0", "terms-of-service"]);
    assert_eq!(get(&mut sdk, "/info")["json"]["registrationRequirements"], required);
    let terms = get(&mut sdk, "/registration/terms-of-service");
    assert_eq!(terms["text"], "Be kind.");
    let challenge = get(&mut sdk, "/registration/proof-of-work")["json"].clone();
    let length = |name: &str| challenge[name].as_str().map(str::len);
    assert_eq!((length("challengeNonce"), length("maximumAllowedHashValue")), (Some(64), Some(64)), "{challenge}");

    let data = json!({"did": alice, "termsOfServiceHash": terms["sha256"]});
    let mut work = challenge.clone();
    work["registrationData"] = data.clone();
    let nonce = sdk.call("work", work)["responseNonce"].clone();
    let register = |sdk: &mut Sdk, data: &Value, challenge: &Value, response: &Value| {
        let body =
            json!({"registrationData": data, "proofOfWork": {"challengeNonce": challenge, "responseNonce": response}});
        let headers = json!({"content-type": "application/json"});
        let call = json!({"url": url, "path": "/registration", "method": "POST", "headers": headers, "body": body.to_string()});
        let answer = sdk.call("get", call);
        (answer["http"].clone(), answer["json"].clone())
    };
    let challenge = &challenge["challengeNonce"];
    for (what, data, challenge, response, code) in [
        (
            "old terms",
            &json!({"did": alice, "termsOfServiceHash": "00"}),
            challenge,
            &nonce,
            "RegistrationManagerInvalidOrOutdatedTermsOfServiceHash",
        ),
        ("no nonce", &data, challenge, &json!("x"), "ProofOfWorkManagerInvalidResponseNonceFormat"),
        ("another challenge", &data, &json!("00"), &nonce, "ProofOfWorkManagerInvalidChallengeNonce"),
        ("no DID", &json!({"did": 3}), challenge, &nonce, "RegistrationRequestInvalid"),
    ] {
        let (status, body) = register(&mut sdk, data, challenge, response);
        assert_eq!((status, &body["code"]), (json!(400), &json!(code)), "{what}: {body}");
        assert!(body["message"].as_str().is_some_and(|m| m.starts_with(code)), "{what}: {body}");
    }
    assert_eq!(register(&mut sdk, &data, challenge, &nonce), (json!(200), json!({"success": true})));
    assert_eq!(register(&mut sdk, &data, challenge, &nonce).1["code"], "ProofOfWorkManagerResponseNonceReused");
    assert_eq!(write(&mut sdk, &node, "alice", &alice).0, 202);
    assert_eq!(write(&mut sdk, &node, "bob", &bob).0, 401);

    // It outlives a restart; changed terms do not count as agreed to.
    let home = node.stop();
    let node = home.up();
    assert_eq!(write(&mut sdk, &node, "alice", &alice).0, 202);
    let home = node.stop();
    std::fs::write(home.path().join("terms.txt"), "Be kinder.").expect("writes");
    let node = home.up();
    assert_eq!(write(&mut sdk, &node, "alice", &alice), (401, "Agreed terms-of-service is outdated.".into()));
}

#[test]
fn settings_that_cannot_work_are_said_at_the_start() {
    let home = || Home::new().set("dwn.tenants", "registration");
    let said = home().set("registration.terms", "none.txt").try_up().expect_err("there is no such file");
    assert!(said.contains("none.txt") && said.contains("registration.terms"), "{said}");
    let said = home().set("registration.max_hash", "ff").try_up().expect_err("too short");
    assert!(said.contains("registration.max_hash must be 64 hex digits"), "{said}");
}

#[test]
fn a_removed_tenant_is_gone_and_stays_gone() {
    let mut sdk = Sdk::start();
    let (alice, bob) = (sdk.persona("alice", "ed25519"), sdk.persona("bob", "ed25519"));
    let node = Home::new().set("dwn.tenants", "open").up();
    let url = node.url().to_owned();
    let definition =
        json!({"protocol": "http://p.example", "published": true, "types": {"note": {}}, "structure": {"note": {}}});
    for (who, did) in [("alice", &alice), ("bob", &bob)] {
        let configure = json!({"url": url, "as": who, "tenant": did, "definition": definition});
        assert_eq!(code(&sdk.call("configure", configure)), 202);
        for size in [10, 30_001, 300_000] {
            let fields = json!({"url": url, "as": who, "tenant": did, "size": size, "published": true});
            let written = sdk.call("write", fields);
            assert_eq!(code(&written), 202);
            let update = json!({"url": url, "as": who, "tenant": did, "recordId": written["recordId"], "size": size});
            assert_eq!(code(&sdk.call("update", update)), 202);
        }
    }
    // More than one step of them, and what nobody else may reach by its CID afterwards.
    for _ in 0..70 {
        assert_eq!(write(&mut sdk, &node, "alice", &alice).0, 202);
    }
    let last =
        sdk.call("write", json!({"url": url, "as": "alice", "tenant": alice, "size": 40_000, "published": true}));
    let gateway = node.facts["gateway"].as_str().expect("a gateway").trim_end_matches("/ipfs/").to_owned();
    let path = format!("/ipfs/{}", last["dataCid"].as_str().expect("a CID"));
    assert_eq!(sdk.call("get", json!({"url": gateway, "path": path}))["http"], 200);

    let list = |node: &Toft| node.json(&["tenant", "ls"]);
    let messages = |list: &Value, did: &str| {
        let found = list.as_array().into_iter().flatten().find(|tenant| tenant["did"] == did);
        found.and_then(|tenant| tenant["messages"].as_u64()).unwrap_or_default()
    };
    let before = list(&node);
    assert_eq!((messages(&before, &alice), messages(&before, &bob)), (78, 7), "{before}");
    assert!(!node.home().run(&["tenant", "rm", &alice]).status.success(), "it asks");
    assert!(!node.home().run(&["tenant", "rm", node.did(), "--yes"]).status.success(), "not its own");
    assert_eq!(node.json(&["tenant", "rm", &alice, "--yes"])["messages"], 78);
    assert_eq!(node.home().run(&["tenant", "rm", &alice, "--yes"]).status.code(), Some(3));

    let gone = |sdk: &mut Sdk, node: &Toft, heads: u64| {
        let url = node.url();
        let events = |who: &str, did: &str| json!({"url": url, "as": who, "tenant": did});
        assert_eq!(sdk.call("messages", events("alice", &alice))["entries"], json!([]));
        assert_eq!(sdk.call("messages", events("bob", &bob))["entries"].as_array().map(Vec::len), Some(7));
        let protocols = json!({"url": url, "tenant": alice, "filter": {"protocol": "http://p.example"}});
        assert_eq!(sdk.call("protocols", protocols)["entries"], json!([]));
        let all = json!({"url": url, "tenant": alice, "filter": {"published": true}});
        assert_eq!(sdk.call("query", all)["entries"], json!([]));
        assert_eq!((messages(&list(node), &alice), messages(&list(node), &bob)), (0, 7));
        let store = node.json(&["status"])["store"].clone();
        assert_eq!((&store["messages"], &store["records"]), (&json!(7 + heads), &json!(3 + heads)), "{store}");
    };
    gone(&mut sdk, &node, 0);
    assert_eq!(sdk.call("get", json!({"url": gateway, "path": path}))["http"], 404);
    // Also after a restart (which has signed the audit log's head), and when the index is built again from the log.
    let node = node.stop().up();
    gone(&mut sdk, &node, 1);
    let home = node.kill();
    std::fs::remove_dir_all(home.path().join("store/index")).expect("removes");
    let node = home.up();
    gone(&mut sdk, &node, 1);
    // The door is open: who was removed may begin anew.
    assert_eq!(write(&mut sdk, &node, "alice", &alice).0, 202);
}
