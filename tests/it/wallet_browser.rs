//! Pages in Chromium and the wallet RPC: those of strangers can ask to be paired and nothing else, whatever they try; a paired
//! wallet's can do what its token allows, until it is revoked.

use crate::support::{
    chromium::{Chromium, Page},
    clients::typescript,
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

        // What may be asked without a token is asked elsewhere, and nothing else is.
        for token in [None, Some(token.as_str())] {
            let answer = chromium.eval(page, &posts(&url.replace("/rpc", "/pair"), &call, token));
            assert_eq!((&answer[0], &answer[1]["error"]["code"]), (&json!(401), &json!(-32002)), "{answer}");
        }

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

/// A wallet's page with the TypeScript client: it asks to be paired, the owner sees it and types what it shows.
fn paired(node: &Toft, chromium: &mut Chromium, origin: &str, scopes: &[&str]) -> (Page, Value) {
    let page = chromium.open(&format!("{origin}/"));
    let ask = format!(
        "import('/client/index.js').then((toft) => {{
           window.url = 'http://{}';
           window.toft = toft;
           toft.pair(url, {{name: 'Notes', scopes: {}}}, (code) => window.code = code).then(
             (token) => {{ window.token = token; window.node = new toft.Toft({{url, token: token.token}}); }},
             (error) => {{ window.token = String(error); }});
         }}), 'asked'",
        node.rpc(),
        json!(scopes)
    );
    chromium.eval(page, &ask);
    let shown = within(Duration::from_secs(20), "the code", || {
        let code = chromium.eval(page, "window.code ?? window.token ?? null");
        code.as_str().map(str::to_owned)
    });
    assert!(shown.len() == 6 && shown.bytes().all(|byte| byte.is_ascii_digit()), "{shown}");

    let waiting = node.json(&["wallet", "ls"]);
    let waiting: Vec<_> = waiting.as_array().into_iter().flatten().filter(|one| one["approved"] == false).collect();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!((&waiting[0]["origin"], &waiting[0]["fromPage"]), (&json!(origin), &json!(true)));
    let wrong = if shown == "000000" { "000001" } else { "000000" };
    assert!(!node.home().run(&["wallet", "approve", wrong]).status.success());
    assert_eq!(chromium.eval(page, "window.token ?? null"), Value::Null, "not by another code");
    node.json(&["wallet", "approve", &shown]);
    let token = within(Duration::from_secs(20), "the token", || {
        let token = chromium.eval(page, "window.token ?? null");
        (!token.is_null()).then_some(token)
    });
    assert_eq!(token["origin"], origin, "{token}");
    (page, token)
}

/// What a call of the client comes to: its result, or the code of its error.
fn outcome(chromium: &mut Chromium, page: Page, call: &str) -> Value {
    chromium.eval(page, &format!("{call}.then((result) => result, (error) => error.code ?? String(error))"))
}

#[test]
fn a_paired_wallet_does_what_its_token_allows() {
    let node = start();
    let mut chromium = Chromium::start();
    let port = chromium.serve(Some(typescript()));
    let origin = format!("http://wallet.example:{port}");
    let (page, token) = paired(&node, &mut chromium, &origin, &["info", "pins", "records:write"]);
    let secret = token["token"].as_str().expect("a token");

    assert_eq!(outcome(&mut chromium, page, "node.node.id()")["did"], node.did());
    assert_eq!(outcome(&mut chromium, page, "node.pins.list()"), json!([]));
    for denied in ["node.records.query()", "node.pair.list()", "node.backup.create({dir: '/tmp'})"] {
        assert_eq!(outcome(&mut chromium, page, denied), -32001, "{denied}");
    }
    let batch = "node.batch([{method: 'node.id', params: {}}, {method: 'tenants.list', params: {}}])";
    let batch = outcome(&mut chromium, page, &format!("{batch}.then(([one, other]) => [one.did, other.code])"));
    assert_eq!(batch, json!([node.did(), -32001]));
    // Large data has an address of its own, of which the browser asks first too.
    let large = "node.records.write({dataSize: 3000000, dataFormat: 'image/png'}).then(
        ({upload}) => node.upload(upload, new Uint8Array(3000000)))";
    assert_eq!(outcome(&mut chromium, page, large)["dataSize"], 3_000_000);
    // The same over a WebSocket.
    chromium.eval(page, "node.connect().then((live) => { window.live = live; })");
    assert_eq!(outcome(&mut chromium, page, "live.node.id()")["did"], node.did());
    assert_eq!(outcome(&mut chromium, page, "live.records.query()"), -32001);

    // The token is this page's alone: another may not even ask with it, nor one that has a token of its own.
    let other = format!("http://other.example:{port}");
    let stranger = chromium.open(&format!("{other}/"));
    let call: Value = serde_json::from_str(CALL).expect("JSON");
    let url = format!("http://{}/rpc", node.rpc());
    chromium.try_eval(stranger, &posts(&url, &call, Some(secret))).expect_err("no token is of this origin");
    let own = node.json(&["token", "create", "other", "--scope", "info", "--origin", &other])["token"].take();
    assert_eq!(chromium.eval(stranger, &posts(&url, &call, own.as_str()))[0], 200);
    assert_eq!(chromium.eval(stranger, &posts(&url, &call, Some(secret)))[0], 401);
}

#[test]
fn who_is_revoked_is_out_within_a_second() {
    let node = start();
    let mut chromium = Chromium::start();
    let port = chromium.serve(Some(typescript()));
    let (page, token) = paired(&node, &mut chromium, &format!("http://wallet.example:{port}"), &["info"]);
    // Each calls until it fails, and notes when that was; more often the rate of its token would not allow.
    let until = |window: &str, client: &str| {
        format!(
            "(async () => {{
               try {{ for (;;) {{ await {client}.node.id(); await new Promise((go) => setTimeout(go, 250)); }} }}
               catch (error) {{ window.{window} = {{at: Date.now(), why: String(error)}}; }}
             }})(), 'begun'"
        )
    };
    chromium.eval(page, "node.connect().then((live) => { window.live = live; })");
    chromium.eval(page, &until("http", "node"));
    chromium.eval(page, &until("socket", "live"));
    // One that is open and says nothing.
    let idle = "new Promise((opened) => {
        const line = new WebSocket(url.replace('http', 'ws') + '/rpc');
        line.onopen = () => line.send(JSON.stringify({jsonrpc: '2.0', id: 1, method: 'rpc.authenticate', params: {token: token.token}}));
        line.onmessage = (message) => opened(JSON.parse(message.data).result.scopes);
        line.onclose = ({code}) => { window.idle = {at: Date.now(), why: String(code)}; };
    })";
    assert_eq!(chromium.eval(page, idle), json!(["info"]));
    assert_eq!(
        chromium.eval(page, "[window.http ?? null, window.socket ?? null, window.idle ?? null]"),
        json!([null, null, null])
    );

    let id = token["id"].as_str().expect("an id");
    node.json(&["wallet", "rm", id]);
    let revoked = chromium.eval(page, "Date.now()").as_i64().expect("a time");
    for window in ["http", "socket", "idle"] {
        let end = within(Duration::from_secs(20), window, || {
            let end = chromium.eval(page, &format!("window.{window} ?? null"));
            (!end.is_null()).then_some(end)
        });
        let after = end["at"].as_i64().expect("a time") - revoked;
        assert!(after < 1000, "{window} ended {after} ms after the token was revoked: {end}");
    }
    // Once it is out, the browser does not let its page speak with the node any more.
    assert!(outcome(&mut chromium, page, "node.node.id()").as_str().is_some_and(|error| error.contains("NoAnswer")));
}
