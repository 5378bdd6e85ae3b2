//! Pages in Chromium and the wallet RPC: those of strangers can ask to be paired and nothing else, whatever they try; a paired
//! wallet's can do what its token allows, until it is revoked.

use crate::support::{
    chromium::Chromium,
    toft::{Home, Toft},
    within,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A page of another port is of the same site for a browser, one of another name is not.
const STRANGERS: [&str; 2] = ["127.0.0.1", "wallet.example"];
/// What pages send: a call that needs no more than the least scope.
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"node.status"}"#;

fn start() -> Toft {
    Home::new().set("rpc.listen", "127.0.0.1:0").up()
}

/// What may do all; only this user can read it.
fn cookie(node: &Toft) -> String {
    std::fs::read_to_string(node.home().path().join("rpc.cookie")).expect("a cookie")
}

/// A script that posts a body as JSON; it comes to `[status, answer]`, or throws where the browser keeps the answer.
fn posts(url: &str, body: &Value, token: Option<&str>) -> String {
    let mut headers = json!({"content-type": "application/json"});
    if let Some(token) = token {
        headers["authorization"] = format!("Bearer {token}").into();
    }
    let options = json!({"method": "POST", "headers": headers, "body": body.to_string()});
    format!("fetch('{url}', {options}).then(async (answer) => [answer.status, await answer.json()])")
}

#[test]
fn a_strangers_page_gets_nothing() {
    let node = start();
    let url = format!("http://{}/rpc", node.rpc());
    let token = cookie(&node);
    let call: Value = serde_json::from_str(CALL).expect("JSON");
    let mut chromium = Chromium::start();
    let port = chromium.serve(None);
    for host in STRANGERS {
        let page = chromium.open(&format!("http://{host}:{port}/"));
        // As an app would: the browser asks first, and is refused; so it is with a token that came into wrong hands.
        for token in [None, Some(token.as_str())] {
            let thrown = chromium.try_eval(page, &posts(&url, &call, token)).expect_err("a page of a stranger");
            assert!(thrown.contains("Failed to fetch"), "{thrown}");
        }
        let answers = chromium.answers(page, &url);
        assert_eq!(answers.iter().filter(|answer| *answer == "OPTIONS 403").count(), 2, "{answers:?}");
        assert!(!answers.contains(&"POST 200".to_owned()), "{answers:?}");

        // Without asking first, as text; the page never sees the answer, the test does.
        let blind = format!("fetch('{url}', {{method: 'POST', mode: 'no-cors', body: '{CALL}'}}).then((a) => a.type)");
        assert_eq!(chromium.eval(page, &blind), "opaque");
        assert_eq!(chromium.answers(page, &url).last().map(String::as_str), Some("POST 403"));

        // Neither are its answers had by a tag of HTML.
        let script = format!(
            "new Promise((done) => {{ const tag = document.createElement('script'); tag.src = '{url}';
               tag.onload = () => done('ran'); tag.onerror = () => done('nothing'); document.body.append(tag); }})"
        );
        assert_eq!(chromium.eval(page, &script), "nothing");
        assert!(!chromium.answers(page, &url).contains(&"GET 200".to_owned()));

        let socket = format!(
            "new Promise((done) => {{ const line = new WebSocket('{}');
               line.onopen = () => done('open'); line.onclose = () => done('refused'); }})",
            url.replace("http", "ws")
        );
        assert_eq!(chromium.eval(page, &socket), "refused");
        chromium.close(page);
    }
}

#[test]
fn a_form_of_a_stranger_is_refused() {
    let node = start();
    let url = format!("http://{}/rpc", node.rpc());
    let mut chromium = Chromium::start();
    let port = chromium.serve(None);
    for host in STRANGERS {
        for kind in ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"] {
            let page = chromium.open(&format!("http://{host}:{port}/"));
            // A name and a value that make JSON of the line between them.
            let form = format!(
                r#"document.body.innerHTML = `<form method="post" enctype="{kind}" action="{url}"><input name='{}' value='"}}'></form>`,
                   document.forms[0].submit()"#,
                CALL.replace('}', r#","x":""#)
            );
            chromium.eval(page, &form);
            let answer = within(Duration::from_secs(20), "the form's answer", || {
                chromium.answers(page, &url).into_iter().find(|answer| answer != "POST -")
            });
            assert_eq!(answer, "POST 403", "{host} {kind}");
            chromium.close(page);
        }
    }
}

#[test]
fn a_name_that_comes_to_mean_this_machine_is_not_ours() {
    let node = start();
    let (port, token) = (node.rpc().port(), cookie(&node));
    let call: Value = serde_json::from_str(CALL).expect("JSON");
    let mut chromium = Chromium::start();
    // To the browser the node is the page's own server.
    let page = chromium.open_rebound(&format!("http://rebound.example:{port}/"));
    for path in ["/rpc", "/pair"] {
        for token in [None, Some(token.as_str())] {
            let answer = chromium.eval(page, &posts(path, &call, token));
            assert_eq!(answer[0], 421, "{path}: {answer}");
        }
    }
    let socket = format!(
        "new Promise((done) => {{ const line = new WebSocket('ws://rebound.example:{port}/rpc');
           line.onopen = () => done('open'); line.onclose = () => done('refused'); }})"
    );
    assert_eq!(chromium.eval(page, &socket), "refused");
}
