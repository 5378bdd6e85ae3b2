//! The receipts of one batch against calendars that answer in every order, lie and break.

use super::*;
use crate::anchor::{ots::Branch, promise::DEPTH_MAX};
use proptest::prelude::*;

const PACE: Pace = Pace { first: Duration::from_secs(30), most: Duration::from_secs(3600) };
const HOUR: u64 = 3_600_000;
const URLS: [&str; 3] = ["https://a.example", "https://b.example", "https://c.example"];

fn urls() -> Vec<String> {
    URLS.map(Into::into).into()
}

fn known(uri: &str) -> bool {
    URLS.contains(&uri)
}

fn receipts() -> Receipts {
    let mut receipts = Receipts::new([1; 32], [2; 16], 0);
    assert!(receipts.know(&urls()));
    receipts
}

/// What calendar `n` answers to a digest, as the reference does: a nonce of its own, and its promise.
fn promise(n: u8, uri: &str) -> Vec<u8> {
    let ops = [Op::Append(vec![n; 16]), Op::Sha256];
    Stamp::line(ops.into_iter(), Attestation::Pending(uri.into())).bytes()
}

/// What it answers later: some way to a block.
fn kept(n: u8, height: u64) -> Vec<u8> {
    Stamp::line([Op::Prepend(vec![n; 32]), Op::Sha256].into_iter(), Attestation::Bitcoin(height)).bytes()
}

/// What the calendars would be asked now, answered by `answer`.
fn round(receipts: &mut Receipts, now: u64, answer: impl Fn(&Ask) -> Answer) -> usize {
    let asks = receipts.asks(now, 2, known);
    for ask in &asks {
        receipts.on(ask, answer(ask), now, PACE, 0.5);
    }
    asks.len()
}

fn took(ask: &Ask, bytes: &[u8], fit: Fit) -> Answer {
    match Receipts::read(ask, bytes, known) {
        Ok(reading) => Answer::Took(reading, fit),
        Err(why) => Answer::Refused(why),
    }
}

fn number(ask: &Ask) -> u8 {
    URLS.iter().position(|url| *url == ask.url()).expect("a calendar") as u8
}

fn good(ask: &Ask) -> Answer {
    match ask {
        Ask::Submit { url, .. } => took(ask, &promise(number(ask), url), Fit::Yes),
        Ask::Upgrade { .. } => took(ask, &kept(number(ask), 100 + u64::from(number(ask))), Fit::Yes),
        Ask::Look { .. } => Answer::Looked(Fit::Yes),
    }
}

#[test]
fn the_good_road_keeps_what_every_calendar_says() {
    let mut receipts = receipts();
    assert_eq!(receipts.stamp(), None);
    assert_eq!(receipts.standing().sentence(), "none of 3 calendars has taken it yet; they are asked again");
    assert_eq!(round(&mut receipts, 0, good), 3);
    let standing = receipts.standing();
    assert_eq!((standing.waiting, standing.pending, standing.complete), (0, 3, 0));
    let stamp = receipts.stamp().expect("promises");
    let pending = stamp.attestations(receipts.root()).len();
    assert_eq!(pending, 3);
    assert_eq!(round(&mut receipts, 0, good), 0, "it is asked again later");
    assert_eq!(receipts.next(0, 2, known), Some(30_000));

    assert_eq!(round(&mut receipts, 30_000, good), 3);
    assert_eq!(receipts.standing(), Standing { complete: 3, found: 3, ..Standing::default() });
    assert_eq!(receipts.blocks().iter().map(|(height, _)| *height).collect::<Vec<_>>(), [100, 101, 102]);
    let stamp = receipts.stamp().expect("blocks");
    let all = stamp.attestations(receipts.root());
    assert!(all.len() == 3 && all.iter().all(|(_, a)| matches!(a, Attestation::Bitcoin(_))), "{all:?}");
    assert_eq!(receipts.next(30_000, 2, known), None, "nothing is left to be asked");
    assert_eq!(Receipts::decode(&receipts.encode()), Ok(receipts));
}

#[test]
fn what_is_away_is_asked_again_ever_more_rarely_and_at_least_hourly() {
    let mut receipts = receipts();
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..12 {
        assert_eq!(round(&mut receipts, now, |_| Answer::Away("no route".into())), 3);
        let next = receipts.next(now, 2, known).expect("never given up");
        waits.push(next - now);
        now = next;
    }
    assert_eq!(waits[..3], [30_000, 60_000, 120_000]);
    assert_eq!(waits[11], HOUR);
    assert!(receipts.standing().sentence().contains("https://a.example gives no answer (no route)"));
    assert_eq!(round(&mut receipts, now, good), 3);
    assert_eq!(receipts.standing().taken(), 3);
    assert!(receipts.standing().troubles.is_empty());
}

#[test]
fn a_calendar_that_lies_is_refused_and_the_others_are_used() {
    let mut receipts = receipts();
    let other = promise(0, "https://evil.example");
    let nonsense = b"<html>".to_vec();
    let long = vec![0xff; ANSWER_MAX + 1];
    let unknown = Attestation::Unknown { tag: [7; 8], payload: vec![] };
    let nothing = Stamp::line([Op::Sha256].into_iter(), unknown).bytes();
    for (bytes, why) in [
        (other, "another calendar, https://evil.example"),
        (nonsense, "no OpenTimestamps proof"),
        (long, "longer than 10000 bytes"),
        (nothing, "promises nothing"),
    ] {
        let ask = Ask::Submit { url: URLS[0].into(), digest: receipts.commitment() };
        receipts.on(&ask, took(&ask, &bytes, Fit::Yes), 0, PACE, 0.5);
        let said = receipts.standing().troubles.concat();
        assert!(said.contains("https://a.example is not believed") && said.contains(why), "{said}");
    }
    round(&mut receipts, 0, good);
    // the first one's time has not come yet
    assert_eq!((receipts.standing().waiting, receipts.standing().pending), (1, 2));
    let now = receipts.next(0, 2, known).expect("more to ask");
    round(&mut receipts, now, |ask| match (ask, ask.url()) {
        (Ask::Upgrade { .. }, "https://b.example") => took(ask, &kept(1, 7), Fit::No(7)),
        _ => good(ask),
    });
    let standing = receipts.standing();
    assert_eq!((standing.complete, standing.found), (1, 1));
    assert!(standing.sentence().contains("block 7 holds the batch"), "{}", standing.sentence());
    assert_eq!(receipts.blocks().len(), 1, "what the chain contradicts is in no proof");
    assert_eq!(receipts.stamp().expect("others").attestations(receipts.root()).len(), 2);
}

#[test]
fn more_than_a_calendar_may_say_is_refused_before_it_is_computed() {
    let receipts = receipts();
    let ask = Ask::Upgrade { url: URLS[0].into(), uri: URLS[0].into(), commitment: receipts.commitment().to_vec() };
    let refused = |stamp: &Stamp| Receipts::read(&ask, &stamp.bytes(), known).expect_err("is refused");
    let end = || Stamp(vec![Branch::Attest(Attestation::Bitcoin(7))]);
    let deep = |n: usize| end().after(std::iter::repeat_n(Op::Sha256, n));
    assert!(Receipts::read(&ask, &deep(DEPTH_MAX).bytes(), known).is_ok());
    assert!(refused(&deep(DEPTH_MAX + 1)).contains("128 steps"));
    let late = Stamp(vec![Branch::Attest(Attestation::Bitcoin(u64::from(u32::MAX) + 1))]);
    assert!(refused(&late).contains("no block can have that height"));
    let many = |n: u64| Stamp((0..n).map(|height| Branch::Attest(Attestation::Bitcoin(height))).collect());
    assert!(Receipts::read(&ask, &many(8).bytes(), known).is_ok());
    assert!(refused(&many(9)).contains("more than 8 blocks"));
    // 4 KiB, and then ways of steps that each go over all of it
    let line = || Branch::Then(Op::Reverse, Stamp(vec![Branch::Then(Op::Sha256, end())]));
    let wide = Stamp(vec![Branch::Then(Op::Append(vec![0; 4000]), Stamp((0..8).map(|_| line()).collect()))]);
    assert!(Receipts::read(&ask, &wide.bytes(), known).is_ok());
    let ways = |_| Branch::Then(Op::Reverse, deep(1).after(std::iter::repeat_n(Op::Reverse, 9)));
    let wide = Stamp(vec![Branch::Then(Op::Append(vec![0; 4000]), Stamp((0..8).map(ways).collect()))]);
    assert!(refused(&wide).contains("bytes of hashing"));
}

#[test]
fn one_deep_answer_after_another_leaves_the_others_room() {
    let mut receipts = receipts();
    let deep = |end: Attestation| Stamp::line(std::iter::repeat_n(Op::Sha256, 100), end).bytes();
    round(&mut receipts, 0, |ask| match (ask, number(ask)) {
        (Ask::Submit { url, .. }, 0) => took(ask, &deep(Attestation::Pending(url.clone())), Fit::Yes),
        _ => good(ask),
    });
    round(&mut receipts, HOUR, |ask| match number(ask) {
        0 => took(ask, &deep(Attestation::Bitcoin(9)), Fit::Yes),
        _ => good(ask),
    });
    let standing = receipts.standing();
    assert_eq!((standing.pending, standing.complete), (1, 2));
    assert!(standing.troubles.concat().contains("more than 128 steps"), "{standing:?}");
}

#[test]
fn what_nobody_could_check_is_looked_for_later_and_taken_back() {
    let mut receipts = receipts();
    round(&mut receipts, 0, good);
    round(&mut receipts, HOUR, |ask| took(ask, &kept(number(ask), 9), Fit::Unknown));
    assert_eq!((receipts.standing().complete, receipts.standing().found), (3, 0));
    let asks = receipts.asks(2 * HOUR, 2, known);
    assert!(asks.len() == 3 && asks.iter().all(|ask| matches!(ask, Ask::Look { .. })), "{asks:?}");
    round(&mut receipts, 2 * HOUR, |ask| Answer::Looked(if number(ask) == 0 { Fit::No(9) } else { Fit::Yes }));
    assert_eq!((receipts.standing().complete, receipts.standing().found, receipts.standing().pending), (2, 2, 1));
    receipts.doubt(3 * HOUR);
    let looks = receipts.asks(3 * HOUR, 2, known);
    assert_eq!(looks.iter().filter(|ask| matches!(ask, Ask::Look { .. })).count(), 2, "after a reorganisation");
}

#[test]
fn a_calendar_that_is_no_longer_in_the_settings_is_not_asked_and_a_new_one_is() {
    let mut receipts = receipts();
    round(&mut receipts, 0, good);
    let only = |uri: &str| uri == "https://b.example" || uri == "https://d.example";
    assert!(receipts.know(&["https://b.example".into(), "https://d.example".into()]));
    let asks = receipts.asks(HOUR, 2, only);
    assert_eq!(asks.iter().map(Ask::url).collect::<Vec<_>>(), ["https://b.example", "https://d.example"]);
    assert_eq!(receipts.stamp().expect("promises").attestations(receipts.root()).len(), 3, "nothing is forgotten");
}

#[test]
fn when_enough_are_done_nobody_new_is_asked_and_a_broken_promise_is_given_up_in_the_end() {
    let mut receipts = receipts();
    let away = |ask: &Ask| if number(ask) == 2 { Answer::Away("gone".into()) } else { good(ask) };
    round(&mut receipts, 0, away);
    round(&mut receipts, HOUR, away);
    assert_eq!(receipts.standing().complete, 2);
    assert_eq!(receipts.next(HOUR, 2, known), None);
    assert!(receipts.next(HOUR, 3, known).is_some(), "with more that must");

    let mut receipts = self::receipts();
    round(&mut receipts, 0, good);
    let broken = |ask: &Ask| if number(ask) == 2 { Answer::NotYet } else { good(ask) };
    round(&mut receipts, HOUR, broken);
    assert!(receipts.next(HOUR, 2, known).is_some());
    assert_eq!(receipts.next(31 * 24 * HOUR, 2, known), None);
}

fn answer() -> impl Strategy<Value = (u8, u8, u64, u64)> {
    (0..3_u8, 0..8_u8, 0..4_u64, 0..20_000_000_u64)
}

proptest! {
    /// Whatever calendars say in whatever order: what was believed once is in the proof until the chain contradicts it, every
    /// state can be stored, and every attestation in the proof is one that a calendar gave for our root.
    #[test]
    fn no_order_of_answers_loses_one(steps in prop::collection::vec(answer(), 1..40)) {
        let (mut receipts, mut now) = (receipts(), 0);
        for (who, what, height, later) in steps {
            now += later;
            let asks = receipts.asks(now, 2, known);
            let Some(ask) = asks.iter().find(|ask| number(ask) == who) else { continue };
            let contradicts = what == 3;
            let answer = match (what, ask) {
                (0, _) => Answer::Away("away".into()),
                (1, _) => Answer::NotYet,
                (2, _) => Answer::Refused("nonsense".into()),
                (_, Ask::Look { .. }) => Answer::Looked(if contradicts { Fit::No(height) } else { Fit::Yes }),
                (3, _) => took(ask, &kept(who, height), Fit::No(height)),
                (4, _) => took(ask, &kept(who, height), Fit::Unknown),
                _ => good(ask),
            };
            let before = receipts.blocks();
            receipts.on(ask, answer, now, PACE, 0.3);
            prop_assert!(contradicts || before.iter().all(|block| receipts.blocks().contains(block)));
            prop_assert_eq!(Receipts::decode(&receipts.encode()), Ok(receipts.clone()));
            let standing = receipts.standing();
            prop_assert_eq!(standing.waiting + standing.taken(), 3);
            prop_assert!(receipts.stamp().is_some() == (standing.taken() > 0));
            if let Some(stamp) = receipts.stamp() {
                prop_assert_eq!(Stamp::read(receipts.root(), &stamp.bytes()), Ok(stamp));
            }
        }
    }
}
