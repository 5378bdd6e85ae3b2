//! did:dht: our own relay, and gateways that lie.

use super::*;
use crate::did::dht::PACKET_MAX;
use pkarr::{Keypair, SignedPacket, dns::rdata::TXT};

/// Somebody with a did:dht.
struct Person(Keypair);

impl Person {
    fn new(seed: u8) -> Self {
        Self(Keypair::from_secret_key(&[seed; 32]))
    }

    fn id(&self) -> String {
        self.0.to_z32()
    }

    fn did(&self) -> Did {
        format!("did:dht:{}", self.id()).parse().expect("a DID")
    }

    /// The person's document with one endpoint, as packet number `seq`.
    fn packet(&self, seq: u64, endpoint: &str) -> Vec<u8> {
        let key = crate::crypto::encode(self.0.public_key().as_bytes());
        let text = |text: &str| TXT::try_from(text).expect("a text").into_owned();
        let name = |name: &'static str| name.try_into().expect("a name");
        let packet = SignedPacket::builder()
            .txt(name("_k0._did"), text(&format!("t=0;k={key}")), 7200)
            .txt(name("_s0._did"), text(&format!("id=dwn;t=DecentralizedWebNode;se={endpoint}")), 7200)
            .txt(name("_did"), text("v=0;vm=k0;auth=k0;asm=k0;svc=s0"), 7200)
            .timestamp(seq.into());
        packet.sign(&self.0).expect("signs").to_relay_payload().to_vec()
    }
}

/// A gateway that hands out whatever it was given last.
struct Gateway {
    server: Server,
    says: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Gateway {
    fn start() -> Self {
        let says = Arc::new(Mutex::new(None::<Vec<u8>>));
        let said = says.clone();
        let server = Server::start(move |_, stream| {
            let answer = match &*said.lock().expect("not poisoned") {
                Some(packet) => response("200 OK", "", packet),
                None => response("404 Not Found", "", b""),
            };
            drop(stream.write_all(&answer));
        });
        Self { server, says }
    }

    fn say(&self, packet: Option<Vec<u8>>) {
        *self.says.lock().expect("not poisoned") = packet;
    }

    fn config(&self) -> Config {
        Config { dht_gateway: format!("http://{}/pkarr", self.server.host()), ..Config::default() }
    }
}

async fn endpoint(resolver: &Resolver, did: &Did) -> Result<String, Error> {
    let document = resolver.document(did, Asker::Owner).await?;
    assert!(document.key(&format!("{did}#0")).is_ok());
    Ok(document.endpoints("DecentralizedWebNode").collect())
}

#[tokio::test]
async fn a_gateway_can_keep_a_change_from_us_but_not_take_us_back() {
    let (gateway, alice, (_dir, store)) = (Gateway::start(), Person::new(1), store());
    let (did, first) = (alice.did(), resolver(gateway.config(), &store));
    assert!(matches!(endpoint(&first, &did).await, Err(Error::Unknown(..))));
    assert_eq!(gateway.server.asked(), [format!("/pkarr/{}", alice.id())]);

    for (packet, expected) in [
        (Some(alice.packet(10, "a")), "a"),
        (Some(alice.packet(11, "b")), "b"),
        (Some(alice.packet(10, "a")), "b"),
        (None, "b"),
        (Some(Person::new(2).packet(12, "c")), "b"),
        (Some(vec![0; PACKET_MAX]), "b"),
    ] {
        // A budget of six lookups a minute for one DID would end this test early.
        let fresh = resolver(gateway.config(), &store);
        gateway.say(packet);
        assert_eq!(endpoint(&fresh, &did).await.as_deref(), Ok(expected));
    }
    // After a restart, with nobody to ask.
    gateway.say(Some(alice.packet(9, "old")));
    assert_eq!(endpoint(&resolver(gateway.config(), &store), &did).await.as_deref(), Ok("b"));
    let nobody = Config { dht_gateway: "http://127.0.0.1:1".into(), ..Config::default() };
    assert_eq!(endpoint(&resolver(nobody, &store), &did).await.as_deref(), Ok("b"));
}

#[tokio::test]
async fn lies_about_an_unknown_did_are_refused() {
    let (gateway, alice, (_dir, store)) = (Gateway::start(), Person::new(1), store());
    let mut changed = alice.packet(5, "a");
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for lie in [Person::new(2).packet(5, "a"), changed, vec![], vec![0; PACKET_MAX + 1]] {
        gateway.say(Some(lie));
        let resolver = resolver(gateway.config(), &store);
        assert!(endpoint(&resolver, &alice.did()).await.is_err());
        assert!(endpoint(&resolver, &alice.did()).await.is_err());
    }
    assert_eq!(gateway.server.asked().len(), 4, "a failure is remembered");
}

#[tokio::test]
async fn what_is_published_here_is_found_here() {
    let (gateway, alice, (_dir, store)) = (Gateway::start(), Person::new(1), store());
    let resolver = resolver(gateway.config(), &store);
    let relay = resolver.relay().expect("it is one");
    assert!(matches!(endpoint(&resolver, &alice.did()).await, Err(Error::Unknown(..))));
    relay.put(&alice.id(), &alice.packet(1, "here"), Asker::Owner).await.expect("taken");
    assert_eq!(endpoint(&resolver, &alice.did()).await.as_deref(), Ok("here"));
    relay.put(&alice.id(), &alice.packet(2, "there"), Asker::Owner).await.expect("taken");
    assert_eq!(endpoint(&resolver, &alice.did()).await.as_deref(), Ok("there"), "at once");
    assert_eq!(gateway.server.asked().len(), 1, "only before it was here");
    assert_eq!(relay.get(&alice.id()).expect("reads"), Some(alice.packet(2, "there")));
}

#[tokio::test]
async fn the_relay_takes_what_is_newer_and_signed_and_not_too_often() {
    let (alice, bob, (_dir, store)) = (Person::new(1), Person::new(2), store());
    let resolver = resolver(Config::default(), &store);
    let relay = resolver.relay().expect("it is one");
    assert_eq!(relay.get(&alice.id()).expect("reads"), None);
    relay.put(&alice.id(), &alice.packet(7, "a"), Asker::Owner).await.expect("taken");
    relay.put(&alice.id(), &alice.packet(7, "a"), Asker::Owner).await.expect("the same is no offence");
    assert!(matches!(relay.put(&alice.id(), &alice.packet(7, "b"), Asker::Owner).await, Err(RelayError::Old(_))));
    assert!(matches!(relay.put(&alice.id(), &alice.packet(6, "b"), Asker::Owner).await, Err(RelayError::Old(_))));
    assert!(matches!(relay.put(&alice.id(), &bob.packet(8, "b"), Asker::Owner).await, Err(RelayError::Bad(_))));
    assert_eq!(relay.get(&alice.id()).expect("reads"), Some(alice.packet(7, "a")));
    for _ in 0..10 {
        // What alice has not signed takes nothing of what she may publish.
        assert!(matches!(relay.put(&alice.id(), &bob.packet(8, "b"), Asker::Owner).await, Err(RelayError::Bad(_))));
    }
    assert!(relay.put(&alice.id(), &alice.packet(8, "b"), Asker::Owner).await.is_ok());
    assert!(relay.put(&alice.id(), &alice.packet(8, "b"), Asker::Owner).await.is_ok());
    assert!(matches!(relay.put(&alice.id(), &alice.packet(9, "c"), Asker::Owner).await, Err(RelayError::TooMany)));
    assert!(relay.put(&bob.id(), &bob.packet(1, "b"), Asker::Owner).await.is_ok(), "others are not hindered");
    assert!(
        Resolver::new(&Config { relay: false, ..Config::default() }, store.clone(), &Metrics::default())
            .expect("starts")
            .relay()
            .is_none()
    );
}

#[tokio::test]
async fn one_address_does_not_fill_the_relay() {
    let (_dir, store) = store();
    let config = Config { relay_new_keys: 20, relay_new_keys_per_address: 3, ..Config::default() };
    let relay = resolver(config, &store).relay().expect("it is one");
    let people: Vec<_> = (1..=8).map(Person::new).collect();
    let from = |n: u8| Asker::at([10, 0, 0, n].into());
    let put = async |person: &Person, seq: u64, n: u8| relay.put(&person.id(), &person.packet(seq, "a"), from(n)).await;
    for person in &people[..3] {
        assert!(put(person, 1, 1).await.is_ok());
    }
    assert!(matches!(put(&people[3], 1, 1).await, Err(RelayError::TooManyNew)));
    assert!(put(&people[0], 2, 1).await.is_ok(), "who is here goes on");
    assert!(put(&people[3], 1, 2).await.is_ok(), "and others begin");
}
