//! Published data by URL, what strangers may not see, and questions that are none.

use crate::support::{
    sdk::{Sdk, code},
    toft::Home,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

#[test]
fn what_is_published_is_read_by_url_and_nothing_else_is() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let did = sdk.persona("alice", "ed25519");
    let uri = "http://notes.example/p";
    let configure = |uri: &str, published: bool| {
        let definition = json!({"protocol": uri, "published": published, "types": {"note": {}, "reply": {}}, "structure": {"note": {"reply": {}}}});
        json!({"url": node.url(), "as": "alice", "tenant": did, "definition": definition})
    };
    for (uri, published) in [(uri, true), ("http://secret.example", false)] {
        assert_eq!(code(&sdk.call("configure", configure(uri, published))), 202);
    }
    let write = |fields: Value| {
        let mut all = json!({"url": node.url(), "as": "alice", "tenant": did, "dataFormat": "text/html"});
        all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        all
    };
    let note = json!({"published": true, "protocol": uri, "protocolPath": "note", "text": "one"});
    let first = sdk.call("write", write(note.clone()));
    let newer =
        sdk.call("write", write(json!({"published": true, "protocol": uri, "protocolPath": "note", "text": "two"})));
    let big = sdk.call("write", write(json!({"published": true, "size": 100_000})));
    let private = sdk.call("write", write(json!({"size": 10})));
    for written in [&first, &newer, &big, &private] {
        assert_eq!(code(written), 202, "{written}");
    }
    let mut get = |path: String| sdk.call("get", json!({"url": node.url(), "path": path}));
    let id = |written: &Value| written["recordId"].as_str().expect("an id").to_owned();

    for route in ["records", "read/records"] {
        let page = get(format!("/{did}/{route}/{}", id(&big)));
        assert_eq!((&page["http"], &page["sha256"]), (&json!(200), &big["sha256"]));
        let headers = &page["headers"];
        assert_eq!(
            (&headers["content-type"], &headers["x-content-type-options"]),
            (&json!("text/html"), &json!("nosniff"))
        );
        assert!(headers["content-security-policy"].as_str().is_some_and(|p| p.starts_with("sandbox")));
        let reply: Value = serde_json::from_str(headers["dwn-response"].as_str().expect("a reply")).expect("JSON");
        assert_eq!((code(&reply), &reply["entry"]["recordsWrite"]["recordId"]), (200, &big["recordId"]));
    }
    for hidden in [format!("/{did}/records/{}", id(&private)), "/did:key:zNobody/records/x".into()] {
        assert_eq!(get(hidden)["http"], 404);
    }
    let encoded = |uri: &str| URL_SAFE_NO_PAD.encode(uri);
    let protocol = format!("/{did}/read/protocols/{}", encoded(uri));
    assert_eq!(get(protocol.clone())["json"]["descriptor"]["definition"]["protocol"], uri);
    assert_eq!(get(format!("/{did}/read/protocols/{}", encoded("http://secret.example")))["http"], 404);
    assert_eq!(get(format!("{protocol}/note"))["text"], "two", "the newest");
    assert_eq!(get(format!("{protocol}/note/reply"))["http"], 404);
    assert_eq!(get(format!("{protocol}/"))["http"], 400);
    assert_eq!(get(format!("/{did}/read/protocols/%21%21/note"))["http"], 400);
    assert_eq!(get(format!("/{did}/query/protocols"))["json"].as_array().map(Vec::len), Some(1));

    let query = format!("/{did}/query?filter.protocol=notes.example/p/&dateSort=publishedDescending");
    let found = get(format!("{query}&pagination.limit=1"));
    assert_eq!((&found["http"], code(&found["json"])), (&json!(200), 200));
    assert_eq!(found["json"]["entries"][0]["recordId"], newer["recordId"]);
    assert!(found["json"]["cursor"].is_object(), "{found}");
    let found = get(format!("/{did}/query?filter.published=true&filter.dataSize.gte=50000"));
    assert_eq!(found["json"]["entries"].as_array().map(Vec::len), Some(1), "{found}");
    let denied = get(format!("/{did}/query?filter.published=false"));
    assert_eq!((&denied["http"], code(&denied["json"])), (&json!(200), 401));
    for wrong in ["", "?dateSort=nope&filter.schema=http://a", "?filter=1&filter.a=2", "?a.b.c.d.e.f=1"] {
        assert_eq!(get(format!("/{did}/query{wrong}"))["http"], 400, "{wrong}");
    }
}

#[test]
fn questions_that_hurt_the_reference_are_only_questions() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let did = sdk.persona("alice", "ed25519");
    let mut get = |path: &str| sdk.call("get", json!({"url": node.url(), "path": path.replace("DID", &did)}));
    for path in [
        "/DID/query?filter.published=true&__proto__.polluted=1",
        "/DID/query?filter.published=true&__proto__.published=zzz",
        "/DID/query?filter.constructor.prototype.polluted=1",
        "/DID/query?filter.schema=%E0%A4%A",
        "/DID/query?%",
        "/%E0%A4%A/query?filter.published=true",
        "/DID/records/%",
        "/DID/read/protocols/%00/%ff",
        "/DID/read/protocols/%2e%2e%2f%2e%2e/etc",
        "/..%2f..%2fetc/passwd",
        "/none",
    ] {
        let answer = get(path);
        let status = answer["http"].as_u64().unwrap_or_default();
        assert!((200..500).contains(&status), "{path}: {answer}");
        assert!(!answer["text"].as_str().unwrap_or_default().contains("/src/"), "{path}: {answer}");
    }
    let found = get("/DID/query?filter.published=true");
    assert_eq!((&found["http"], &found["json"]["entries"]), (&json!(200), &json!([])));
    let info = get("/info");
    assert_eq!((&info["http"], &info["json"]["webSocketSupport"]), (&json!(200), &json!(true)));
    // Numbers are kept by route, never by what was asked.
    let numbers = get("/metrics")["text"].as_str().expect("text").to_owned();
    assert!(numbers.contains(r#"toft_dwn_http_requests_total{route="/{did}/query",code="200"}"#), "{numbers}");
    for asked in ["polluted", "passwd", did.as_str()] {
        assert!(!numbers.contains(asked), "{asked} stands in the metrics");
    }
}

#[test]
fn pages_of_any_origin_may_ask() {
    let node = Home::new().set("dwn.url", "https://dwn.example.com").up();
    let mut sdk = Sdk::start();
    let asked = json!({"origin": "https://app.example", "access-control-request-method": "POST", "access-control-request-headers": "dwn-request,content-type"});
    let answer = sdk.call("get", json!({"url": node.url(), "path": "/", "method": "OPTIONS", "headers": asked}));
    let headers = &answer["headers"];
    assert_eq!(answer["http"], 200);
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(headers["access-control-allow-headers"], "dwn-request,content-type");
    let info =
        sdk.call("get", json!({"url": node.url(), "path": "/info", "headers": {"origin": "https://app.example"}}));
    assert_eq!(info["headers"]["access-control-expose-headers"], "dwn-response,etag,content-range,accept-ranges");
    let expected = json!({
        "url": "https://dwn.example.com", "server": "toft", "maxFileSize": 1_073_741_824, "registrationRequirements": [],
        "version": env!("CARGO_PKG_VERSION"), "sdkVersion": "0.5.2", "webSocketSupport": true,
        "limits": {"webSocketsPerAddress": 64, "subscriptionsPerWebSocket": 64, "subscriptionsPerAddress": 256},
    });
    assert_eq!(info["json"], expected);
}

#[test]
fn what_fetch_writes_it_reads_back_or_hears_that_it_could_not() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let did = sdk.persona("alice", "ed25519");
    let mut write =
        |tags: Value| sdk.call("fetched", json!({"url": node.url(), "as": "alice", "tenant": did, "tags": tags}));
    // Each character is a byte of Latin-1; some of these bytes could be UTF-8 too.
    for text in ["café", "ÿ þ \u{a0}", "Ã©", "Â£5", &"é".repeat(5000), &"\u{85}".repeat(2000)] {
        let tags = json!({"a": text});
        let done = write(tags.clone());
        assert_eq!((code(&done["written"]), code(&done["read"]), &done["tags"]), (202, 200, &tags), "{done}");
    }
    // The longest that is taken is read back.
    let (mut taken, mut refused) = (10_000, 16_000);
    while refused - taken > 1 {
        let middle = (taken + refused) / 2;
        let done = write(json!({"a": "é".repeat(middle)}));
        if code(&done["written"]) == 202 {
            assert_eq!(code(&done["read"]), 200, "{middle}");
            taken = middle;
        } else {
            let detail = done["written"]["status"]["detail"].as_str().unwrap_or_default();
            assert!(code(&done["written"]) == 413 && detail.starts_with("RecordsWriteTooLongToRead: "), "{done}");
            refused = middle;
        }
    }
    assert!(taken > 13_000, "{taken}");
}

#[test]
fn numbers_and_health_are_for_the_operator_and_his_pages() {
    let home = Home::new().set("dwn.url", "https://dwn.example.com").set("dwn.hosts", "10.0.0.5");
    let node = home.up();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ask = |path: &str, head: &[(&str, &str)]| {
        let request = agent.get(format!("{}{path}", node.url()));
        let request = head.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.call().expect("an answer");
        (answer.status().as_u16(), answer.headers().contains_key("access-control-allow-origin"))
    };
    let own = node.url().strip_prefix("http://").expect("http").to_owned();
    let localhost = own.replace("127.0.0.1", "localhost");
    for path in ["/health", "/metrics"] {
        for host in [own.as_str(), &localhost, "dwn.example.com", "10.0.0.5:3000"] {
            assert_eq!(ask(path, &[("host", host)]), (200, false), "{path} {host}");
            assert_eq!(ask(path, &[("host", host), ("origin", &format!("https://{host}"))]), (200, false), "{host}");
            for stranger in [
                ("origin", "https://app.example"),
                ("origin", "null"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-mode", "no-cors"),
            ] {
                assert_eq!(ask(path, &[("host", host), stranger]), (403, false), "{path} {host} {stranger:?}");
            }
        }
        for host in ["rebound.example", "rebound.example:3000", "192.168.1.7", "localhost", "127.0.0.1:1"] {
            assert_eq!(ask(path, &[("host", host), ("origin", "null")]), (421, false), "{path} {host}");
        }
    }
    assert_eq!(ask("/info", &[("host", "anything.example"), ("origin", "https://app.example")]), (200, true));
}

#[test]
fn a_record_is_read_in_parts_and_not_again_by_who_has_it() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let did = sdk.persona("alice", "ed25519");
    for size in [20_000, 1_000_000] {
        let fields =
            json!({"url": node.url(), "as": "alice", "tenant": did, "size": size, "published": true, "keep": true});
        let written = sdk.call("write", fields);
        let data =
            base64::engine::general_purpose::STANDARD.decode(written["data"].as_str().expect("data")).expect("base64");
        let url = format!("{}/{did}/read/records/{}", node.url(), written["recordId"].as_str().expect("an id"));
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let ask = |headers: &[(&str, &str)]| {
            let request = headers.iter().fold(agent.get(&url), |request, (name, value)| request.header(*name, *value));
            let mut answer = request.call().expect("an answer");
            let header = |name: &str| answer.headers().get(name).map(|v| v.to_str().expect("a text").to_owned());
            let (length, range) = (header("content-length"), header("content-range"));
            (answer.status().as_u16(), length, range, answer.body_mut().read_to_vec().expect("bytes"))
        };
        let tag = format!("\"{}\"", written["dataCid"].as_str().expect("a CID"));
        assert_eq!(ask(&[]), (200, Some(size.to_string()), None, data.clone()));
        for (first, last) in [(0, 0), (5, 9), (1000, 19_999), (size - 1, size - 1), (0, size - 1), (size / 2, size - 2)]
        {
            let part = data[first..=last].to_vec();
            let said = Some(format!("bytes {first}-{last}/{size}"));
            let asked = format!("bytes={first}-{last}");
            for more in [None, Some(("if-range", &*tag))] {
                let headers: Vec<_> = more.into_iter().chain([("range", &*asked)]).collect();
                assert_eq!(ask(&headers), (206, Some(part.len().to_string()), said.clone(), part.clone()));
            }
        }
        let none = ask(&[("range", &format!("bytes={size}-"))]);
        assert_eq!(none, (416, Some("0".into()), Some(format!("bytes */{size}")), vec![]));
        assert_eq!(ask(&[("range", "bytes=0-1"), ("if-range", "\"other\"")]).0, 200);
        let (code, _, _, body) = ask(&[("if-none-match", &tag)]);
        assert_eq!((code, body.len()), (304, 0));
        let looked = agent.head(&url).call().expect("an answer");
        let header = |name: &str| looked.headers()[name].to_str().expect("a text").to_owned();
        assert_eq!((looked.status().as_u16(), header("content-length"), header("etag")), (200, size.to_string(), tag));
        assert_eq!(header("accept-ranges"), "bytes");
    }
}
