//! Both ends of pairing over a line in memory.

use super::{
    code::Code,
    line::Line,
    offer::{self, Decision, Offer, Standing, State, Take},
    talk::{self, Asking, Device, Heard, Myself},
};
use crate::sync::Link;
use anyhow::Error;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use std::{sync::Mutex, time::Duration};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

const GIVES: &str = "12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay";
const JOINS: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

fn myself(did: &str, name: &str, peer: &str) -> Myself {
    Myself {
        did: format!("did:example:{did}"),
        name: name.into(),
        addresses: vec![format!("/ip4/192.0.2.7/tcp/4001/p2p/{peer}")],
    }
}

fn gives() -> Myself {
    myself("gives", "desk", GIVES)
}

/// Two ends of one stream, between these two peers as libp2p says.
fn link(seen: (&str, &str)) -> (Link, Link) {
    let (here, there) = tokio::io::duplex(1 << 16);
    let end = |stream, (local, remote): (&str, &str)| Link {
        stream: Box::new(stream),
        local_peer: local.into(),
        remote_peer: remote.into(),
    };
    (end(here, (GIVES, seen.1)), end(there, (seen.0, GIVES)))
}

fn code(secret: u8) -> Code {
    Code::new(Zeroizing::new([secret; 16]), &[format!("/ip4/192.0.2.7/tcp/4001/p2p/{GIVES}")]).expect("an address")
}

async fn meet((mut here, mut there): (Link, Link), code: &Code) -> (Result<Heard, Error>, Result<Asking, Error>) {
    let (gives, joins) = (gives(), myself("joins", "phone", JOINS));
    let both = (talk::hear(&mut here, &gives, &code.secret), talk::ask(&mut there, &joins, (code, "/reached")));
    let (heard, asked) = tokio::join!(both.0, both.1);
    (heard, asked)
}

#[tokio::test]
async fn both_see_the_same_digits_and_who_the_other_is() {
    let (heard, asked) = meet(link((JOINS, JOINS)), &code(7)).await;
    let (Heard::Asks(heard), asked) = (heard.expect("heard"), asked.expect("asked")) else { panic!("no guess") };
    assert_eq!(heard.digits, asked.digits);
    assert_eq!((heard.device.name.as_str(), asked.device.name.as_str()), ("phone", "desk"));
    assert_eq!(heard.device.address, format!("/ip4/192.0.2.7/tcp/4001/p2p/{JOINS}"));
    assert_eq!(asked.device.address, "/reached");
}

#[tokio::test]
async fn who_stands_between_two_streams_is_noticed() {
    // The giver's stream ends at another peer than the joiner's begins at.
    let (heard, asked) = meet(link((JOINS, GIVES)), &code(7)).await;
    assert!(matches!(heard, Ok(Heard::Guessed)), "{heard:?}");
    assert!(asked.expect_err("turned away").to_string().contains("not the code"));
}

/// A node that offers, with streams that the test opens.
struct Fake(Mutex<Option<mpsc::Receiver<Link>>>);

impl Line for Fake {
    fn dial(&self, _: Vec<String>) -> BoxFuture<'static, Result<(Link, String), Error>> {
        unreachable!("it is not asked for")
    }

    fn listen(&self) -> BoxFuture<'static, Result<BoxStream<'static, Link>, Error>> {
        let mut links = self.0.lock().expect("a lock").take().expect("once");
        async move { Ok(futures::stream::poll_fn(move |cx| links.poll_recv(cx)).boxed()) }.boxed()
    }

    fn addresses(&self) -> BoxFuture<'static, Result<Vec<String>, Error>> {
        unreachable!("it is not asked for")
    }
}

struct Tell(mpsc::UnboundedSender<Device>);

impl Take for Tell {
    async fn take(&self, device: Device) -> Result<Vec<String>, Error> {
        self.0.send(device)?;
        Ok(vec!["did:example:gives".into()])
    }
}

struct Made {
    offer: Offer,
    open: mpsc::Sender<Link>,
    taken: mpsc::UnboundedReceiver<Device>,
}

impl Made {
    async fn new() -> Self {
        Self::of(Duration::from_secs(600)).await
    }

    async fn of(life: Duration) -> Self {
        let (open, links) = mpsc::channel(8);
        let (tell, taken) = mpsc::unbounded_channel();
        let (offer, run) =
            offer::make(&Fake(Mutex::new(Some(links))), (gives(), life), Tell(tell)).await.expect("an offer");
        tokio::spawn(run);
        Self { offer, open, taken }
    }

    async fn come(&self) -> Link {
        let (here, there) = link((JOINS, JOINS));
        self.open.send(here).await.expect("it stands");
        there
    }

    /// Comes with a code, and is asked about.
    async fn ask(&self, code: &Code) -> Result<(Asking, Link), Error> {
        let mut there = self.come().await;
        let asked = talk::ask(&mut there, &myself("joins", "phone", JOINS), (code, "/reached")).await?;
        Ok((asked, there))
    }

    async fn until(&mut self, state: State) -> Standing {
        self.offer.standing.wait_for(|standing| standing.state == state).await.expect("it comes to that").clone()
    }
}

#[tokio::test]
async fn a_device_with_the_code_is_let_in_when_the_owner_says_so() {
    let mut made = Made::new().await;
    let silent = made.come().await;
    let (asked, mut there) = made.ask(&made.offer.code).await.expect("the code is right");
    let standing = made.until(State::Asks).await;
    assert_eq!(standing.digits.as_deref(), Some(asked.digits.as_str()));
    assert!(made.taken.try_recv().is_err(), "nobody has said yes");
    made.offer.decide.send(Decision::LetIn(asked.digits)).await.expect("it stands");
    assert_eq!(talk::await_decision(&mut there).await.expect("let in"), ["did:example:gives"]);
    talk::taken(&mut there).await;
    let standing = made.until(State::Paired).await;
    assert_eq!((standing.why, made.taken.try_recv().expect("taken").name), (None, "phone".into()));
    drop(silent);
}

#[tokio::test]
async fn one_wrong_code_ends_the_offer() {
    let mut made = Made::new().await;
    let mut wrong = made.offer.code.clone();
    wrong.secret[15] ^= 1;
    assert!(made.ask(&wrong).await.expect_err("wrong").to_string().contains("not the code"));
    let standing = made.until(State::Over).await;
    assert!(standing.why.expect("a reason").contains("wrong code"));
    made.open.closed().await;
    assert!(made.taken.try_recv().is_err());
}

#[tokio::test]
async fn nobody_is_let_in_by_other_digits_a_no_or_having_gone() {
    let ways: [(Option<Decision>, &str); 3] = [
        (Some(Decision::LetIn("0".into())), "other digits"),
        (Some(Decision::TurnAway), "not let in"),
        (None, "went away"),
    ];
    for (decision, why) in ways {
        let mut made = Made::new().await;
        let (_, mut there) = made.ask(&made.offer.code).await.expect("the code is right");
        made.until(State::Asks).await;
        match decision {
            Some(decision) => {
                made.offer.decide.send(decision).await.expect("it stands");
                assert!(talk::await_decision(&mut there).await.is_err());
            }
            None => drop(there),
        }
        let standing = made.until(State::Over).await;
        assert!(standing.why.as_ref().is_some_and(|said| said.contains(why)), "{standing:?}");
        assert!(made.taken.try_recv().is_err(), "{why}");
    }
}

#[tokio::test]
async fn silence_takes_no_place_for_longer_than_seconds() {
    let mut made = Made::new().await;
    let mut silent = Vec::new();
    for n in 0..2 * offer::HEARD_MAX {
        let (mut here, there) = link((JOINS, JOINS));
        here.remote_peer = n.to_string();
        made.open.send(here).await.expect("it stands");
        silent.push(there);
    }
    let asked = loop {
        match made.ask(&made.offer.code).await {
            Ok(asked) => break asked,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    made.until(State::Asks).await;
    drop((silent, asked));
}

#[tokio::test]
async fn an_offer_has_its_time() {
    let mut made = Made::of(Duration::from_millis(50)).await;
    assert!(made.until(State::Over).await.why.expect("a reason").contains("time is over"));
    made.open.closed().await;
}
