//! Web5 Connect: an app and a wallet meet in the node's mailbox.

use crate::support::{sdk::Sdk, toft::Home};
use serde_json::{Value, json};

#[test]
fn an_app_and_a_wallet_exchange_what_each_may_read_once() {
    let node = Home::new().set("dwn.url", "https://dwn.example.com/").up();
    let mut sdk = Sdk::start();
    let url = node.url().to_owned();
    let mut call = |method: &str, path: &str, kind: &str, body: &str| {
        let headers = json!({"content-type": kind});
        let body = (method == "POST").then_some(body);
        let answer =
            sdk.call("get", json!({"url": url, "path": path, "method": method, "headers": headers, "body": body}));
        (answer["http"].as_u64().expect("a status"), answer)
    };
    let (form, json_) = ("application/x-www-form-urlencoded", "application/json");
    let not_found = json!({"ok": false, "status": {"code": 404, "message": "Not Found"}});

    let (status, pushed) = call("POST", "/connect/par", form, "request=sealed.request");
    assert_eq!((status, &pushed["json"]["expires_in"]), (201, &json!(600)), "{pushed}");
    let uri = pushed["json"]["request_uri"].as_str().expect("a URI");
    let path = uri.strip_prefix("https://dwn.example.com").expect("the URL from outside").to_owned();
    assert!(path.starts_with("/connect/authorize/") && path.ends_with(".jwt"), "{path}");
    let (status, fetched) = call("GET", &path, json_, "");
    assert_eq!((status, &fetched["text"]), (200, &json!("sealed.request")));
    assert_eq!(fetched["headers"]["content-type"], "application/jwt");
    let (status, again) = call("GET", &path, json_, "");
    assert_eq!((status, &again["json"]), (404, &not_found));

    let answer = json!({"id_token": "sealed.answer", "state": "s/1"}).to_string();
    let (status, left) = call("POST", "/connect/callback", json_, &answer);
    assert_eq!((status, &left["json"]), (201, &json!({"ok": true, "status": {"code": 201, "message": "Created"}})));
    let other = json!({"id_token": "somebody else's", "state": "s/1"}).to_string();
    assert_eq!(call("POST", "/connect/callback", json_, &other).0, 400);
    let (status, fetched) = call("GET", "/connect/token/s%2F1.jwt", json_, "");
    assert_eq!((status, &fetched["text"]), (200, &json!("sealed.answer")));
    assert_eq!(call("GET", "/connect/token/s%2F1.jwt", json_, "").0, 404);

    let message = |answer: &Value| answer["json"]["status"]["message"].clone();
    let (status, wrong) = call("POST", "/connect/par", json_, "{}");
    assert_eq!((status, message(&wrong)), (400, json!("Bad Request: Missing 'request' parameter")));
    let (status, wrong) = call("POST", "/connect/par", json_, r#"{"request":{"request_uri":"x"}}"#);
    assert_eq!((status, message(&wrong)), (400, json!("Bad Request: 'request_uri' parameter is not allowed in PAR")));
    assert_eq!(call("POST", "/connect/callback", json_, r#"{"state":"x"}"#).0, 400);
    assert_eq!(call("POST", "/connect/par", form, &format!("request={}", "x".repeat(70_000))).0, 413);
}

#[test]
fn who_only_looks_takes_nothing_out_and_one_address_leaves_room_for_others() {
    let node = Home::new().up();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let push = |n: usize| {
        let answer =
            agent.post(format!("{}/connect/par", node.url())).send_json(json!({"request": format!("sealed {n}")}));
        let mut answer = answer.expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_json::<Value>().expect("JSON"))
    };
    let (status, pushed) = push(0);
    let uri = pushed["request_uri"].as_str().expect("a URI").to_owned();
    assert_eq!(status, 201);
    for _ in 0..3 {
        let looked = agent.head(&uri).call().expect("an answer");
        assert_eq!(
            (looked.status().as_u16(), &looked.headers()["content-length"]),
            (200, &"8".parse().expect("a value"))
        );
    }
    let mut read = agent.get(&uri).call().expect("an answer");
    assert_eq!((read.status().as_u16(), read.body_mut().read_to_string().expect("a text").as_str()), (200, "sealed 0"));
    assert_eq!(agent.head(&uri).call().expect("an answer").status().as_u16(), 404);
    // 4,096 of one address were all there was once.
    let taken = (1..=4096).filter(|n| push(*n).0 == 201).count();
    assert_eq!(taken, 64);
    let (status, said) = push(1);
    assert!(status == 429 && said["status"]["message"].as_str().is_some_and(|m| m.contains("your address")), "{said}");
}
