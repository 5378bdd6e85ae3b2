//! The DWN protocol over a WebSocket: the frames of the reference, what it leaves unanswered, and what toft adds.

use crate::support::{
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};

/// One client with one socket.
struct Client {
    sdk: Sdk,
    node: Toft,
    alice: String,
}

impl Client {
    fn new() -> Self {
        let node = Home::new().set("dwn.tenants", "open").up();
        let mut sdk = Sdk::start();
        let alice = sdk.persona("alice", "ed25519");
        let mut client = Self { sdk, node, alice };
        client.open("ws");
        client
    }

    fn open(&mut self, name: &str) {
        self.sdk.call("open", json!({"url": self.node.url(), "name": name}));
    }

    #[track_caller]
    fn say(&mut self, frame: Value) {
        self.sdk.call("say", json!({"name": "ws", "frame": frame}));
    }

    #[track_caller]
    fn hear(&mut self) -> Value {
        let heard = self.sdk.call("hear", json!({"name": "ws"}));
        assert!(heard["frame"].is_object(), "instead of a frame: {heard}");
        heard["frame"].clone()
    }

    /// Nothing comes for a while.
    #[track_caller]
    fn silence(&mut self) {
        let heard = self.sdk.call("hear", json!({"name": "ws", "ms": 300}));
        assert_eq!(heard["nothing"], true, "{heard}");
    }

    #[track_caller]
    fn ask(&mut self, frame: Value) -> Value {
        self.say(frame);
        self.hear()
    }

    #[track_caller]
    fn make(&mut self, kind: &str, who: Value, mut fields: Value) -> Value {
        fields["kind"] = kind.into();
        if who.is_string() {
            fields["as"] = who;
        }
        self.sdk.call("make", fields)
    }

    /// Subscribes to all of Alice's records that `who` may see.
    #[track_caller]
    fn subscribe(&mut self, id: &str, who: Value, more: Value) -> Value {
        let made = self.make("RecordsSubscribe", who, json!({"filter": {"dataFormat": "text/plain"}}));
        let mut subscription = json!({"id": id});
        subscription.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let reply = self.ask(request("rpc.subscribe.dwn.processMessage", &self.alice, &made["message"], subscription));
        if reply["error"].is_null() {
            assert_eq!(reply["result"]["reply"]["subscription"]["id"], made["cid"], "{reply}");
        }
        reply
    }

    #[track_caller]
    fn write(&mut self, text: &str, published: bool) -> Value {
        let fields = json!({"url": self.node.url(), "as": "alice", "tenant": self.alice, "text": text, "dataFormat": "text/plain", "published": published});
        let written = self.sdk.call("write", fields);
        assert_eq!(code(&written), 202, "{written}");
        written
    }
}

fn request(method: &str, target: &str, message: &Value, subscription: Value) -> Value {
    let params = json!({"target": target, "message": message});
    json!({"jsonrpc": "2.0", "id": "r", "method": method, "params": params, "subscription": subscription})
}

#[test]
fn a_subscriber_hears_what_it_may_see_until_it_closes() {
    let mut client = Client::new();
    let reply = client.subscribe("sub1", json!("alice"), json!({}));
    let id = &reply["result"]["reply"]["subscription"]["id"];
    let status = json!({"code": 200, "detail": "OK"});
    let expected =
        json!({"jsonrpc": "2.0", "id": "r", "result": {"reply": {"status": status, "subscription": {"id": id}}}});
    assert_eq!(reply, expected);
    client.subscribe("anonymous", Value::Null, json!({}));

    let written = client.write("for Alice alone", false);
    let event = client.hear();
    assert_eq!((&event["jsonrpc"], &event["id"]), (&json!("2.0"), &json!("sub1")));
    assert_eq!(event["result"]["event"]["message"]["recordId"], written["recordId"]);
    let members = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&event["result"]), ["event"], "no cursor for who has not asked");
    assert_eq!(members(&event["result"]["event"]), ["message"], "no initial write beside itself");

    let update = json!({"url": client.node.url(), "as": "alice", "tenant": client.alice, "recordId": written["recordId"], "text": "for all", "published": true});
    assert_eq!(code(&client.sdk.call("update", update)), 202);
    let mut ids = vec![];
    for _ in 0..2 {
        let event = client.hear();
        ids.push(event["id"].as_str().expect("an id").to_owned());
        let event = &event["result"]["event"];
        assert_eq!(event["message"]["descriptor"]["published"], true);
        assert_eq!(event["initialWrite"]["recordId"], written["recordId"], "{event}");
        assert_ne!(event["initialWrite"]["descriptor"]["published"], true);
    }
    ids.sort();
    assert_eq!(ids, ["anonymous", "sub1"]);

    let again = client.subscribe("sub1", json!("alice"), json!({}));
    let error = json!({"code": -32602, "message": "the subscribe id: sub1 is in use by an active subscription"});
    assert_eq!(again["error"], error);
    let close = json!({"jsonrpc": "2.0", "id": "c", "method": "rpc.subscribe.close", "subscription": {"id": "sub1"}});
    let closed = json!({"jsonrpc": "2.0", "id": "c", "result": {"reply": {"status": 200, "detail": "Accepted"}}});
    assert_eq!(client.ask(close.clone()), closed, "also without params");
    let gone =
        json!({"jsonrpc": "2.0", "id": "c", "error": {"code": -32602, "message": "subscription sub1 does not exist."}});
    assert_eq!(client.ask(close), gone);
    client.write("nobody hears this", false);
    client.silence();
    // The id is free again.
    assert_eq!(code(&client.subscribe("sub1", json!("alice"), json!({}))["result"]["reply"]), 200);
}

#[test]
fn everything_but_a_subscription_is_answered_too_also_what_is_no_request() {
    let mut client = Client::new();
    let alice = client.alice.clone();
    let written = client.make("RecordsWrite", json!("alice"), json!({"text": "small"}));
    let mut write = request("dwn.processMessage", &alice, &written["message"], Value::Null);
    write["params"]["encodedData"] = written["encodedData"].clone();
    assert_eq!(code(&client.ask(write)["result"]["reply"]), 202);
    let id = &written["message"]["recordId"];
    let read = client.make("RecordsRead", json!("alice"), json!({"filter": {"recordId": id}}));
    let read = client.ask(request("dwn.processMessage", &alice, &read["message"], Value::Null));
    let reply = &read["result"]["reply"];
    assert_eq!((code(reply), &reply["entry"]["encodedData"]), (200, &written["encodedData"]), "{reply}");
    let query = client.make("RecordsQuery", json!("alice"), json!({"filter": {"recordId": id}}));
    let found = client.ask(request("dwn.processMessage", &alice, &query["message"], Value::Null));
    assert_eq!(found["result"]["reply"]["entries"].as_array().map(Vec::len), Some(1), "{found}");
    let denied = client.subscribe("sub", json!("alice"), json!({"maxInFlight": 0}));
    assert_eq!(denied["error"]["code"], -32602);
    let ping = client.ask(json!({"jsonrpc": "2.0", "id": 7, "method": "rpc.ping"}));
    assert_eq!((&ping["id"], code(&ping["result"]["reply"])), (&json!(7), 200));

    let subscribe = client.make("RecordsSubscribe", json!("alice"), json!({"filter": {"recordId": id}}));
    for (what, text, code) in [
        ("no JSON", "{oops".to_owned(), -32700),
        ("nothing", String::new(), -32700),
        ("null", "null".into(), -32600),
        ("no version", r#"{"id":1,"method":"dwn.processMessage"}"#.into(), -32600),
        ("unknown", r#"{"jsonrpc":"2.0","id":1,"method":"constructor"}"#.into(), -32601),
        ("no params", r#"{"jsonrpc":"2.0","id":1,"method":"dwn.processMessage"}"#.into(), -32602),
        ("no subscription", r#"{"jsonrpc":"2.0","id":1,"method":"rpc.subscribe.close"}"#.into(), -32600),
        ("no id", r#"{"jsonrpc":"2.0","id":1,"method":"rpc.subscribe.close","subscription":{}}"#.into(), -32602),
        ("unknown ack", r#"{"jsonrpc":"2.0","method":"rpc.ack","subscription":{"id":"x"}}"#.into(), -32602),
        (
            "a subscription by the wrong method",
            request("dwn.processMessage", &alice, &subscribe["message"], json!({"id": "s"})).to_string(),
            -32600,
        ),
        (
            "a subscription without its context",
            request("rpc.subscribe.dwn.processMessage", &alice, &subscribe["message"], Value::Null).to_string(),
            -32602,
        ),
        ("deep", "[".repeat(200_000), -32700),
    ] {
        client.sdk.call("say", json!({"name": "ws", "text": text}));
        let answer = client.hear();
        assert_eq!(answer["error"]["code"], code, "{what}: {answer}");
    }
    // Over HTTP the reference's refusal.
    let frame = request("rpc.subscribe.dwn.processMessage", &alice, &subscribe["message"], json!({"id": "s"}));
    let headers = json!({"dwn-request": frame.to_string()});
    let call = json!({"url": client.node.url(), "path": "/", "method": "POST", "headers": headers});
    let answer = client.sdk.call("get", call);
    assert_eq!((&answer["http"], &answer["json"]["error"]["code"]), (&json!(500), &json!(-32600)), "{answer}");

    client.sdk.call("say", json!({"name": "ws", "size": (1 << 20) + 1}));
    assert_eq!(client.sdk.call("hear", json!({"name": "ws"}))["closed"], 1009);
    client.open("ws");
    for n in 0..64 {
        assert_eq!(code(&client.subscribe(&n.to_string(), Value::Null, json!({}))["result"]["reply"]), 200);
    }
    let many = client.subscribe("one more", Value::Null, json!({}));
    assert!(many["error"]["message"].as_str().is_some_and(|m| m.contains("at most 64")), "{many}");
}

#[test]
fn events_wait_to_be_acknowledged_and_a_cursor_resumes() {
    let mut client = Client::new();
    let before = client.write("before", false);
    assert_eq!(code(&client.subscribe("s", json!("alice"), json!({"maxInFlight": 2}))["result"]["reply"]), 200);
    let written: Vec<_> = (0..5).map(|n| client.write(&format!("{n}"), false)["recordId"].clone()).collect();
    let record = |event: &Value| event["result"]["event"]["message"]["recordId"].clone();
    let (first, second) = (client.hear(), client.hear());
    assert_eq!([record(&first), record(&second)], written[..2]);
    client.silence();
    let ack = |cursor: &Value| json!({"jsonrpc": "2.0", "method": "rpc.ack", "params": {"cursor": cursor}, "subscription": {"id": "s"}});
    client.say(ack(&first["result"]["cursor"]));
    assert_eq!(record(&client.hear()), written[2]);
    client.silence();
    let mut all = ack(&Value::Null);
    all["params"] = json!({});
    client.say(all);
    assert_eq!([record(&client.hear()), record(&client.hear())], written[3..]);

    // Another connection goes on where the first has heard the second event: no gap, no repetition, and then live.
    client.open("ws");
    let cursor = &second["result"]["cursor"];
    client.subscribe("resumed", json!("alice"), json!({"cursor": cursor}));
    let heard: Vec<_> = (0..3).map(|_| record(&client.hear())).collect();
    assert_eq!(heard, written[2..]);
    let last = client.write("live", false);
    assert_eq!(record(&client.hear()), last["recordId"]);
    // From the beginning, and with a cursor of another node's making: everything that is kept.
    for cursor in [Value::Null, json!({"messageCid": "x", "value": "01M7Y2GM6856YPEKDTHME4N19M"})] {
        client.open("ws");
        client.subscribe("all", json!("alice"), json!({"cursor": cursor}));
        let heard: Vec<_> = (0..7).map(|_| record(&client.hear())).collect();
        assert_eq!((&heard[0], &heard[6]), (&before["recordId"], &last["recordId"]));
        client.silence();
    }
    // A stranger resumes into nothing that is not theirs.
    client.open("ws");
    client.subscribe("all", Value::Null, json!({"cursor": null}));
    client.silence();
}

#[test]
fn who_does_not_listen_is_ended_and_nobody_waits_for_it() {
    let mut client = Client::new();
    let alice = client.alice.clone();
    let made = client.make("MessagesSubscribe", json!("alice"), json!({"filters": []}));
    let frame = request("rpc.subscribe.dwn.processMessage", &alice, &made["message"], json!({"id": "deaf"}));
    assert_eq!(code(&client.ask(frame)["result"]["reply"]), 200);
    client.sdk.call("deaf", json!({"name": "ws", "on": true}));
    let url = client.node.url().to_owned();
    // Some 20 MB: more than the sockets on both ends and the queue hold.
    let flood = json!({"url": url, "as": "alice", "tenant": alice, "count": 40, "size": 500_000});
    assert_eq!(client.sdk.call("flood", flood)["codes"], json!([202]));
    client.sdk.call("deaf", json!({"name": "ws", "on": false}));
    let mut heard = json!({});
    for _ in 0..20 {
        heard = client.sdk.call("heard", json!({"name": "ws", "ms": 500}));
        if heard["error"].is_object() {
            break;
        }
    }
    let error = &heard["error"];
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!("deaf"), &json!(-50410)), "{heard}");
    assert!(error["error"]["message"].as_str().is_some_and(|m| m.contains("subscribe again")), "{error}");
    // The connection lives on.
    client.sdk.call("say", json!({"name": "ws", "frame": {"jsonrpc": "2.0", "id": "p", "method": "rpc.nope"}}));
    let error = client.sdk.call("heard", json!({"name": "ws", "ms": 500}))["error"].clone();
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!("p"), &json!(-32601)));
}

#[test]
fn a_revoked_grant_ends_the_subscription_it_allowed() {
    let mut client = Client::new();
    client.sdk.persona("bob", "ed25519");
    let (alice, url) = (client.alice.clone(), client.node.url().to_owned());
    let scope = json!({"interface": "Messages", "method": "Subscribe"});
    let grant = client.sdk.call("grant", json!({"url": url, "as": "alice", "to": "bob", "scope": scope}));
    assert_eq!(code(&grant), 202, "{grant}");
    let asked = json!({"filters": [], "permissionGrantId": grant["grantId"]});
    let made = client.make("MessagesSubscribe", json!("bob"), asked);
    let frame = request("rpc.subscribe.dwn.processMessage", &alice, &made["message"], json!({"id": "s"}));
    let reply = client.ask(frame);
    assert_eq!(code(&reply["result"]["reply"]), 200, "{reply}");
    client.write("Bob may hear this", false);
    assert!(client.hear()["result"]["event"].is_object());
    let revoked = client.sdk.call("revoke", json!({"url": url, "as": "alice", "grantId": grant["grantId"]}));
    assert_eq!(code(&revoked), 202, "{revoked}");
    client.write("and not this", false);
    // Whether the revocation itself was still his to hear is nobody's harm; what comes after it is not.
    let mut end = client.hear();
    if end["result"]["event"]["message"]["descriptor"]["protocolPath"] == "grant/revocation" {
        end = client.hear();
    }
    assert_eq!((&end["id"], &end["error"]["code"]), (&json!("s"), &json!(-50401)), "{end}");
    client.silence();
}

#[test]
fn a_write_that_came_without_its_data_gets_it_from_the_same_write() {
    let mut client = Client::new();
    let (alice, url) = (client.alice.clone(), client.node.url().to_owned());
    for by_socket in [true, false] {
        let written = client.make("RecordsWrite", json!("alice"), json!({"text": format!("late {by_socket}")}));
        let (id, data) = (&written["message"]["recordId"], &written["encodedData"]);
        let bare = if by_socket {
            let frame = request("dwn.processMessage", &alice, &written["message"], Value::Null);
            code(&client.ask(frame)["result"]["reply"])
        } else {
            let call = json!({"url": url, "tenant": alice, "message": written["message"]});
            code(&client.sdk.call("send", call))
        };
        assert_eq!(bare, 204);
        let call = json!({"url": url, "as": "alice", "tenant": alice, "recordId": id});
        assert_eq!(code(&client.sdk.call("read", call.clone())), 404);
        let call_send = json!({"url": url, "tenant": alice, "message": written["message"], "data": data});
        assert_eq!(code(&client.sdk.call("send", call_send.clone())), 202);
        let read = client.sdk.call("read", call);
        let text = format!("late {by_socket}");
        assert_eq!((code(&read), &read["data"]["size"]), (200, &json!(text.len())), "{read}");
        assert_eq!(code(&client.sdk.call("send", call_send)), 409, "twice the same");
    }
}

#[test]
fn a_participant_of_one_thread_follows_it_to_its_end_and_no_other() {
    let mut client = Client::new();
    let (bob, carol) = (client.sdk.persona("bob", "ed25519"), client.sdk.persona("carol", "ed25519"));
    let (alice, url) = (client.alice.clone(), client.node.url().to_owned());
    let protocol = "http://chat.example/threads";
    let can = json!([{"role": "thread/participant", "can": ["read", "query", "subscribe"]}]);
    let definition = json!({"protocol": protocol, "published": true,
        "types": {"thread": {}, "participant": {}, "message": {}},
        "structure": {"thread": {"participant": {"$role": true}, "message": {"$actions": can}}}});
    let configure = json!({"url": url, "as": "alice", "tenant": alice, "definition": definition});
    assert_eq!(code(&client.sdk.call("configure", configure)), 202);
    let mut put = |path: &str, parent: Option<&Value>, recipient: Option<&str>| {
        let mut call = json!({"url": url, "as": "alice", "tenant": alice, "text": "x", "dataFormat": "text/plain",
            "protocol": protocol, "protocolPath": path});
        parent.into_iter().for_each(|parent| call["parentContextId"] = parent["contextId"].clone());
        recipient.into_iter().for_each(|did| call["recipient"] = did.into());
        let written = client.sdk.call("write", call);
        assert_eq!(code(&written), 202, "{written}");
        written
    };
    let threads = [put("thread", None, None), put("thread", None, None)];
    put("thread/participant", Some(&threads[0]), Some(&bob));
    put("thread/participant", Some(&threads[1]), Some(&carol));
    let messages = [put("thread/message", Some(&threads[0]), None), put("thread/message", Some(&threads[1]), None)];

    let filter = |context: &str| json!({"protocol": protocol, "protocolPath": "thread/message", "contextId": context});
    let own = threads[0]["contextId"].as_str().expect("a context");
    let other = threads[1]["contextId"].as_str().expect("a context");
    for (context, expected, count) in [(own, 200, 1), (other, 401, 0), ("b", 401, 0), (&own[..30], 401, 0)] {
        for kind in ["RecordsQuery", "RecordsSubscribe"] {
            let asked = json!({"filter": filter(context), "protocolRole": "thread/participant"});
            let made = client.make(kind, json!("bob"), asked);
            let (method, id) = match kind {
                "RecordsQuery" => ("dwn.processMessage", Value::Null),
                _ => ("rpc.subscribe.dwn.processMessage", json!({"id": context})),
            };
            let reply = client.ask(request(method, &alice, &made["message"], id))["result"]["reply"].clone();
            let found = reply["entries"].as_array().map_or(0, Vec::len);
            assert_eq!((code(&reply), found), (expected, if kind == "RecordsQuery" { count } else { 0 }), "{reply}");
        }
    }
    for message in messages.iter().rev() {
        let call = json!({"url": url, "as": "alice", "tenant": alice, "recordId": message["recordId"]});
        assert_eq!(code(&client.sdk.call("delete", call)), 202);
    }
    let event = client.hear()["result"]["event"].clone();
    assert_eq!(event["message"]["descriptor"]["recordId"], messages[0]["recordId"], "{event}");
    assert_eq!(event["initialWrite"]["recordId"], messages[0]["recordId"], "{event}");
    client.silence();
}

#[test]
fn one_address_leaves_sockets_and_subscriptions_to_others() {
    let mut client = Client::new();
    let filter = json!({"filter": {"dataFormat": "text/plain"}});
    let anonymous = client.make("RecordsSubscribe", Value::Null, filter)["message"].clone();
    let (url, did) = (client.node.url().to_owned(), client.alice.clone());
    let mut crowd = |from: &str, count: u32| {
        let asked = json!({"url": url, "from": from, "count": count, "each": 64, "target": did, "message": anonymous});
        client.sdk.call("crowd", asked)
    };
    // One socket of this address is open already.
    let one = crowd("127.0.0.1", 132);
    assert_eq!((&one["open"], &one["codes"]["200"]), (&json!(63), &json!(256)), "{one}");
    let other = crowd("127.0.0.2", 4);
    assert_eq!(other, json!({"open": 4, "codes": {"200": 256}}));
    // Who is let in is told what he may see.
    client.sdk.call("open", json!({"url": client.node.url(), "name": "ws", "from": "127.0.0.3"}));
    assert_eq!(code(&client.subscribe("s", json!("alice"), json!({}))["result"]["reply"]), 200);
    let written = client.write("heard", false);
    assert_eq!(client.hear()["result"]["event"]["message"]["recordId"], written["recordId"]);
}

#[test]
fn every_end_is_one_that_the_client_is_told() {
    let mut client = Client::new();
    let mut end = |op: &str, mut fields: Value| {
        client.open("ws");
        fields["name"] = "ws".into();
        client.sdk.call(op, fields);
        client.sdk.call("hear", json!({"name": "ws"}))
    };
    assert_eq!(end("bye", json!({"code": 1000, "reason": "done"})), json!({"closed": 1000, "reason": "done"}));
    assert_eq!(end("bye", json!({"code": 4001, "reason": "own"}))["closed"], 4001);
    assert_eq!(end("bye", json!({}))["closed"], 1005, "without a code");
    // However much of it comes: it is thrown away until the client has heard that it is too much.
    for size in [(1 << 20) + 1, 8 << 20, 30 << 20] {
        assert_eq!(end("say", json!({"size": size}))["closed"], 1009, "{size}");
    }
    assert_eq!(end("bytes", json!({"hex": "838000000000"}))["closed"], 1002, "a frame of a kind that is none");
    assert_eq!(end("bytes", json!({"hex": "810161"}))["closed"], 1002, "a frame without a mask");
    assert_eq!(end("text", json!({"hex": "ff"}))["closed"], 1007);
    client.open("ws");
    client.open("other");
    let Client { mut sdk, node, .. } = client;
    drop(node.stop());
    for name in ["ws", "other"] {
        assert_eq!(sdk.call("hear", json!({"name": name}))["closed"], 1001, "the node stops");
    }
}
