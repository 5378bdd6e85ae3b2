//! did:web: what an honest host is asked, and what a dishonest one gets from us.

use super::*;

fn document(did: &Did) -> String {
    let x = "mHluY5FnsiXpaEMfaYu4yLRkp5ny32PkTEnaHHT92RM";
    let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": x});
    let method = serde_json::json!({"id": "#0", "type": "JsonWebKey", "controller": did.as_str(), "publicKeyJwk": jwk});
    serde_json::json!({"id": did.as_str(), "verificationMethod": [method], "authentication": ["#0"]}).to_string()
}

/// A host with a document for every DID at it.
fn honest() -> Server {
    let port = Arc::new(Mutex::new(0));
    let known = port.clone();
    let server = Server::start(move |path, stream| {
        let path = path.trim_start_matches('/').trim_end_matches("/did.json").replace('/', ":");
        let path = if path == ".well-known" { String::new() } else { format!(":{path}") };
        let port = *known.lock().expect("not poisoned");
        let did = format!("did:web:127.0.0.1%3A{port}{path}").parse().expect("a DID");
        drop(stream.write_all(&response("200 OK", "", document(&did).as_bytes())));
    });
    *port.lock().expect("not poisoned") = server.address.port();
    server
}

fn trusting(server: &Server) -> Config {
    Config { web_insecure_hosts: vec![server.host()], ..Config::default() }
}

/// The answer for the DID of a server that is trusted.
async fn ask(server: &Server) -> Result<Arc<Document>, Error> {
    let (_dir, store) = store();
    resolver(trusting(server), &store).document(&server.did(""), Asker::Owner).await
}

#[tokio::test]
async fn a_host_is_asked_once_for_many_and_then_remembered() {
    let (server, (_dir, store)) = (honest(), store());
    let resolver = resolver(trusting(&server), &store);
    let kid = format!("{}#0", server.did(":user:alice"));
    let all = futures::future::join_all((0..50).map(|_| resolver.key(&kid, Asker::Owner))).await;
    assert!(all.iter().all(Result::is_ok), "{:?}", all[0]);
    assert!(resolver.key(&kid, Asker::Owner).await.is_ok());
    assert_eq!(server.asked(), ["/user/alice/did.json"]);
    assert!(resolver.key(&format!("{}#0", server.did("")), Asker::Owner).await.is_ok());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn the_switch_is_obeyed_and_private_addresses_are_never_asked() {
    let (server, (_dir, store)) = (honest(), store());
    let allowed = |web, hosts: &[&str]| Config {
        web,
        web_hosts: hosts.iter().map(|host| host.to_string()).collect(),
        ..Config::default()
    };
    let port = server.address.port();
    for name in ["127.0.0.1", "localhost"] {
        let did: Did = format!("did:web:{name}%3A{port}").parse().expect("a DID");
        let host = format!("{name}:{port}");
        let asked = async |config| resolver(config, &store).document(&did, Asker::Owner).await.expect_err("refused");
        assert!(matches!(asked(allowed(Web::Off, &[&host])).await, Error::NotAllowed(_)));
        assert!(matches!(asked(allowed(Web::AllowList, &["other.example"])).await, Error::NotAllowed(_)));
        for config in [allowed(Web::AllowList, &[&host]), allowed(Web::On, &[])] {
            assert!(matches!(asked(config).await, Error::Fetch(_, Failure::NotPublic)));
        }
    }
    assert_eq!(server.asked(), Vec::<String>::new(), "not even a connection");
    assert!(resolver(trusting(&server), &store).document(&server.did(""), Asker::Owner).await.is_ok());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = honest();
    let server =
        Server::saying("302 Found", &format!("location: http://{}/.well-known/did.json\r\n", target.host()), "");
    let error = ask(&server).await.expect_err("refused");
    assert!(error.to_string().contains("302"), "{error}");
    assert_eq!(target.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_document_must_be_that_of_the_did() {
    let server = Server::saying("200 OK", "", document(&"did:web:other.example".parse().expect("a DID")));
    assert!(ask(&server).await.expect_err("refused").to_string().contains("another DID"));
}

#[tokio::test]
async fn no_answer_is_longer_than_we_let_it_be() {
    let announced = Server::saying("200 OK", "", vec![b' '; DOCUMENT_MAX + 1]);
    let endless = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while stream.write_all(b"8\r\n        \r\n").is_ok() {}
    });
    for server in [announced, endless] {
        assert!(matches!(ask(&server).await, Err(Error::Fetch(_, Failure::TooLong(DOCUMENT_MAX)))));
    }
    let headers = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"a: 12345678901234567890\r\n").is_ok() {}
    });
    assert!(ask(&headers).await.expect_err("refused").is_outage());
    // Exactly as long as may be: spaces behind a document are JSON.
    let server = honest();
    let text = document(&server.did(""));
    let full = Server::saying("200 OK", "", format!("{text}{}", " ".repeat(DOCUMENT_MAX - text.len())));
    assert!(ask(&full).await.expect_err("another DID").to_string().contains("another DID"));
}

#[tokio::test]
async fn a_slow_host_is_left_alone_and_then_remembered_as_such() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let (_dir, store) = store();
    let resolver = resolver(trusting(&server), &store);
    let began = Instant::now();
    for _ in 0..3 {
        assert!(resolver.document(&server.did(""), Asker::Owner).await.expect_err("no answer").is_outage());
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_outage_is_bridged_and_a_withdrawn_document_is_not() {
    let status = Arc::new(Mutex::new("200 OK"));
    let (now, port) = (status.clone(), Arc::new(Mutex::new(0)));
    let known = port.clone();
    let server = Server::start(move |_, stream| {
        let did = format!("did:web:127.0.0.1%3A{}", known.lock().expect("not poisoned")).parse().expect("a DID");
        let status = *now.lock().expect("not poisoned");
        drop(stream.write_all(&response(status, "", document(&did).as_bytes())));
    });
    *port.lock().expect("not poisoned") = server.address.port();
    let (did, (_dir, store)) = (server.did(""), store());
    let resolver = resolver(trusting(&server), &store);
    assert!(resolver.document(&did, Asker::Owner).await.is_ok());
    *status.lock().expect("not poisoned") = "503 Service Unavailable";
    outdate(&resolver, &did).await;
    assert!(resolver.document(&did, Asker::Owner).await.is_ok(), "the host is only down");
    *status.lock().expect("not poisoned") = "404 Not Found";
    outdate(&resolver, &did).await;
    assert!(resolver.document(&did, Asker::Owner).await.is_err(), "the document is gone");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn strangers_cannot_make_us_a_flood() {
    let (server, (_dir, store)) = (honest(), store());
    let resolver = resolver(trusting(&server), &store);
    let dids: Vec<_> = (0..500).map(|n| server.did(&format!(":{n}"))).collect();
    let found = futures::future::join_all(dids.iter().map(|did| resolver.document(did, Asker::Owner))).await;
    let found = found.iter().filter(|found| found.is_ok()).count();
    let different: BTreeSet<_> = server.asked().into_iter().collect();
    assert!(found >= LOOKUPS_PER_HOST as usize && found <= LOOKUPS_PER_HOST as usize + 2, "{found}");
    assert_eq!(different.len(), found);
}

#[tokio::test]
async fn one_stranger_does_not_use_up_what_all_may_ask() {
    let (server, (_dir, store)) = (honest(), store());
    let resolver = resolver(
        Config { lookups_per_minute: 40, lookups_per_address: 10, lookups_reserved: 8, ..trusting(&server) },
        &store,
    );
    let found = async |from: &str, name: &str| {
        let asker = Asker::at(from.parse().expect("an address"));
        let dids: Vec<_> = (0..50).map(|n| server.did(&format!(":{name}{n}"))).collect();
        let found = futures::future::join_all(dids.iter().map(|did| resolver.document(did, asker))).await;
        found.iter().filter(|found| found.is_ok()).count()
    };
    let (one, other) = (found("9.9.9.9", "a").await, found("9.9.9.8", "b").await);
    assert!((10..=11).contains(&one) && (10..=11).contains(&other), "{one} {other}");
}

/// A host that says what it is told to.
fn told(says: &Arc<Mutex<Vec<u8>>>) -> Server {
    let said = says.clone();
    Server::start(move |_, stream| drop(stream.write_all(&said.lock().expect("not poisoned"))))
}

#[tokio::test]
async fn a_failed_lookup_is_tried_again_soon_and_then_less_often() {
    let says = Arc::new(Mutex::new(response("503 Service Unavailable", "", b"")));
    let (server, (_dir, store)) = (told(&says), store());
    let (did, resolver) = (server.did(""), resolver(trusting(&server), &store));
    let began = Instant::now();
    while began.elapsed() < RETRY * 3 {
        assert!(resolver.document(&did, Asker::Owner).await.is_err());
        tokio::time::sleep(RETRY / 10).await;
    }
    let asked = server.asked().len();
    assert!((2..=3).contains(&asked), "at once, after one second, after two more: {asked}");
    *says.lock().expect("not poisoned") = response("200 OK", "", document(&did).as_bytes());
    while resolver.document(&did, Asker::Owner).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "the host is back");
        tokio::time::sleep(RETRY / 10).await;
    }
}

#[tokio::test]
async fn a_key_that_is_new_is_found_and_one_that_is_made_up_asks_once() {
    let says = Arc::new(Mutex::new(vec![]));
    let (server, (_dir, store)) = (told(&says), store());
    let (did, resolver) = (server.did(""), resolver(trusting(&server), &store));
    let say = |document: &str| *says.lock().expect("not poisoned") = response("200 OK", "", document.as_bytes());
    say(&document(&did));
    let stranger = Asker::at([9, 9, 9, 9].into());
    assert!(resolver.key(&format!("{did}#0"), Asker::Owner).await.is_ok());
    assert!(resolver.key(&format!("{did}#1"), stranger).await.is_err());
    assert_eq!(server.asked().len(), 1, "it has just been had");
    tokio::time::sleep(RETRY).await;
    say(&document(&did).replace("#0", "#1"));
    assert!(resolver.key(&format!("{did}#1"), stranger).await.is_ok(), "the key was changed");
    assert!(resolver.key(&format!("{did}#0"), stranger).await.is_err(), "and the old one is not good any more");
    for n in 2..20 {
        assert!(resolver.key(&format!("{did}#{n}"), stranger).await.is_err());
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn made_up_dids_of_many_cost_nobody_known_his_lookups() {
    let (server, (_dir, store)) = (honest(), store());
    let resolver = resolver(trusting(&server), &store);
    let from = |n: u8| Asker::at([10, 0, 0, n].into());
    let kid = format!("{}#0", server.did(":alice"));
    assert!(resolver.key(&kid, from(1)).await.is_ok());
    // At the very host of hers, and from her own address too.
    for n in 0..40 {
        for name in 0..40 {
            let _ = resolver.document(&server.did(&format!(":{n}:{name}")), from(n)).await;
        }
    }
    outdate(&resolver, &server.did(":alice")).await;
    let before = server.asked().len();
    assert!(resolver.key(&kid, from(1)).await.is_ok());
    assert_eq!(server.asked().len(), before + 1, "she is remembered, and was asked for");
}
