//! What the rules make of what happens to a batch, and that it is never paid twice.

use super::*;
use crate::anchor::{config::Network, spend::Roots};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bitcoin::{
    Amount, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime,
    consensus::encode::{deserialize, serialize},
    hashes::Hash as _,
    transaction::Version,
};
use proptest::prelude::*;

const RULES: Rules = Rules { last: 6, bump_after: 6 };

/// Attempt `n` to spend coin `coin`.
fn attempt(coin: u8, n: u8) -> Attempt {
    let input = TxIn {
        previous_output: OutPoint::new(Txid::from_byte_array([coin; 32]), 0),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let output = vec![TxOut { value: Amount::from_sat(n.into()), script_pubkey: ScriptBuf::new() }];
    let tx = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output };
    let roots = Roots::of([(1, [0; 32])]);
    Attempt { txid: tx.compute_txid().to_string(), tx: serialize(&tx), fee: n.into(), roots, signed: 0, height: 100 }
}

fn spend(coin: u8, attempts: &[u8]) -> Spend {
    let attempts = attempts.iter().map(|n| attempt(coin, *n)).collect();
    Spend {
        network: Network::Regtest,
        genesis: "g".into(),
        sum: 1_000,
        attempts,
        unsigned: None,
        former: vec![],
        sent: false,
    }
}

/// The same, waiting for a signature.
fn unsigned(coin: u8) -> Spend {
    let tx = deserialize(&attempt(coin, 0).tx).expect("a transaction");
    let psbt = STANDARD.encode(Psbt::from_unsigned_tx(tx).expect("it is unsigned").serialize());
    let roots = Roots::of([(1, [0; 32])]);
    Spend { unsigned: Some(Unsigned { psbt, fee: 1, roots, height: 100 }), ..spend(coin, &[]) }
}

fn place(n: u8) -> Inclusion {
    Inclusion::fake(n)
}

fn mined(coin: u8, n: u8, at: u8) -> Mined {
    Mined { txid: attempt(coin, n).txid, place: place(at) }
}

fn elsewhere(height: u32) -> Elsewhere {
    Elsewhere { txid: "other".into(), height, block: "b".into() }
}

fn seen(seen: Seen, tip: u32) -> BatchEvent {
    BatchEvent::Seen { seen, tip }
}

fn batch(state: State) -> Batch {
    Batch { state, ..Batch::new(1, [0; 32], 3, 0) }
}

fn check(at: u8) -> Action {
    Action::Check { height: place(at).height, block: place(at).block() }
}

#[test]
fn the_good_road() {
    use Action::{Lock, Look, Persist, Send, Sign};
    let mut b = Batch::new(1, [0; 32], 3, 0);
    assert_eq!(b.on(BatchEvent::Woke, RULES), [Sign]);
    assert_eq!(b.on(BatchEvent::Signed(spend(1, &[1])), RULES), [Persist, Lock, Send, Look]);
    assert_eq!(b.on(BatchEvent::Sent(Ok(())), RULES), [Persist]);
    assert_eq!(b.on(seen(Seen::Waiting(attempt(1, 1).txid), 100), RULES), []);
    assert_eq!(b.on(BatchEvent::Woke, RULES), [Look]);
    assert_eq!(b.on(seen(Seen::Mined(mined(1, 1, 101)), 101), RULES), [Persist]);
    assert_eq!((b.depth, b.is_final()), (1, false));
    assert_eq!(b.on(BatchEvent::Woke, RULES), [check(101)]);
    assert_eq!(b.on(BatchEvent::Stands(Some(105)), RULES), []);
    assert_eq!(b.on(BatchEvent::Stands(Some(106)), RULES), [Persist]);
    assert!(b.is_final());
    let read = Batch::decode(&b.encode()).expect("decodes");
    assert_eq!((read.state, read.number), (b.state, 1));
}

#[test]
fn without_coins_it_waits_and_says_so_once() {
    let need = Need { address: "bc1q".into(), at_least: 2_000 };
    let mut b = Batch::new(1, [0; 32], 3, 0);
    assert_eq!(b.on(BatchEvent::NoFunds(need.clone()), RULES), [Action::Persist]);
    assert_eq!(b.on(BatchEvent::NoFunds(need), RULES), []);
    assert_eq!(b.on(BatchEvent::Woke, RULES), [Action::Sign]);
    let capped = Capped::Fee { asked: 2, allowed: 1 };
    assert_eq!(b.on(BatchEvent::Capped(capped.clone()), RULES), [Action::Persist]);
    assert_eq!(b.on(BatchEvent::Capped(capped), RULES), []);
    assert_eq!(b.on(BatchEvent::Signed(spend(1, &[1])), RULES)[0], Action::Persist);
}

#[test]
fn what_waits_too_long_pays_more_from_the_same_coins() {
    let mut b = batch(State::Open(spend(1, &[1])));
    let first = attempt(1, 1).txid;
    assert_eq!(b.on(seen(Seen::Waiting(first.clone()), 105), RULES), [Action::Persist], "bitcoind has it");
    assert_eq!(b.on(seen(Seen::Waiting(first.clone()), 106), RULES), [Action::Replace]);
    assert_eq!(b.on(BatchEvent::Replaced(attempt(2, 9)), RULES), [], "other coins: both could be mined");
    let second = Attempt { height: 106, ..attempt(1, 2) };
    assert_eq!(b.on(BatchEvent::Replaced(second), RULES), [Action::Persist, Action::Send, Action::Look]);
    assert_eq!(b.on(seen(Seen::Waiting(first.clone()), 107), RULES), [Action::Send], "the first still stands there");
    // either may be mined
    for (n, txid) in [(1, first), (2, attempt(1, 2).txid)] {
        let mut b = b.clone();
        b.on(seen(Seen::Mined(mined(1, n, 108)), 108), RULES);
        assert_eq!(b.attempt().map(|a| a.txid.clone()), Some(txid));
    }
    let capped = Capped::Rate { asked: 9.0, allowed: 1.0 };
    assert_eq!(b.on(BatchEvent::Capped(capped.clone()), RULES), []);
    assert_eq!(b.capped, Some(capped), "what was sent stays");
}

#[test]
fn a_bump_by_hand_becomes_an_attempt() {
    let mut b = batch(State::Open(spend(1, &[1])));
    assert_eq!(b.on(seen(Seen::Adopted(attempt(1, 5)), 101), RULES), [Action::Persist, Action::Look]);
    assert_eq!(b.on(seen(Seen::Adopted(attempt(1, 5)), 101), RULES), [], "once");
    assert_eq!(b.on(seen(Seen::Mined(mined(1, 5, 102)), 102), RULES), [Action::Persist]);
    assert_eq!(b.attempt().map(|a| a.fee), Some(5));
}

#[test]
fn a_reorganised_block_is_left_even_when_it_was_final() {
    for state in [State::Mined(spend(1, &[1]), mined(1, 1, 101)), State::Final(spend(1, &[1]), mined(1, 1, 101))] {
        let mut b = batch(state);
        assert_eq!(b.on(BatchEvent::Woke, RULES), [check(101)]);
        assert_eq!(b.on(BatchEvent::Stands(None), RULES), [Action::Persist, Action::Look]);
        assert_eq!(b.state, State::Open(spend(1, &[1])));
        assert_eq!(b.on(seen(Seen::Unspent, 102), RULES), [Action::Send]);
    }
}

#[test]
fn a_double_spend_is_believed_only_when_it_is_buried_whatever_final_means() {
    for last in [1, 6, 10] {
        let rules = Rules { last, ..RULES };
        let mut b = batch(State::Open(spend(1, &[1])));
        let actions = b.on(seen(Seen::Elsewhere(elsewhere(101)), 101), rules);
        assert_eq!(actions, [Action::Persist, Action::Check { height: 101, block: "b".into() }]);
        let deep = 100 + last.max(BURIED);
        assert_eq!(b.on(BatchEvent::Stands(Some(deep - 1)), rules), []);
        assert!(matches!(b.state, State::Conflicted(..)) && b.note.is_some());
        let mut back = b.clone();
        assert_eq!(back.on(BatchEvent::Stands(None), rules), [Action::Persist, Action::Look], "it came back");
        let actions = b.on(BatchEvent::Stands(Some(deep)), rules);
        assert_eq!(actions, [Action::Persist, Action::Unlock(spend(1, &[1])), Action::Sign]);
        assert_eq!(b.state, State::Batched);
    }
}

#[test]
fn what_nobody_signed_is_made_anew_when_its_coins_went() {
    let waiting = unsigned(1);
    let mut b = Batch::new(1, [0; 32], 3, 0);
    assert_eq!(b.on(BatchEvent::Unsigned(waiting.clone()), RULES), [Action::Persist, Action::Lock]);
    assert_eq!(b.on(BatchEvent::Woke, RULES), [Action::Look]);
    assert_eq!(b.on(seen(Seen::Unspent, 101), RULES), []);
    assert_eq!(b.on(seen(Seen::Unspent, 106), RULES), [Action::Replace], "fees may have changed");
    // its owner may have signed and sent it himself: others' spend of the coins has to be as deep as ever
    let actions = b.on(seen(Seen::Elsewhere(elsewhere(103)), 103), RULES);
    assert_eq!(actions, [Action::Persist, Action::Check { height: 103, block: "b".into() }]);
    assert_eq!(b.on(BatchEvent::Stands(Some(107)), RULES), []);
    let actions = b.on(BatchEvent::Stands(Some(108)), RULES);
    assert_eq!(actions, [Action::Persist, Action::Unlock(waiting), Action::Sign]);
}

#[test]
fn a_rider_is_told_by_its_carrier_only_while_that_may_carry_it() {
    let both = Roots::of([(1, [0; 32]), (2, [1; 32])]);
    let second = Attempt { roots: both, ..attempt(1, 2) };
    let mut carrier = batch(State::Open(Spend { attempts: vec![attempt(1, 1), second], ..spend(1, &[]) }));
    let rider = Batch { state: State::Riding(1), ..Batch::new(2, [1; 32], 3, 0) };
    assert_eq!(rider.told_by(Some(&carrier)).number, 1, "it may be either");
    let open = carrier.clone();
    carrier.on(seen(Seen::Mined(mined(1, 2, 101)), 101), RULES);
    assert_eq!(rider.told_by(Some(&carrier)).number, 1);
    let mut carrier = open;
    carrier.on(seen(Seen::Mined(mined(1, 1, 101)), 101), RULES);
    assert_eq!(rider.told_by(Some(&carrier)).number, 2, "the one without it was mined");
    assert_eq!(carrier.carried(2, RULES), None, "it waits until that is buried");
    carrier.depth = BURIED;
    assert_eq!(carrier.carried(2, RULES), Some(false));
}

#[test]
fn batches_of_version_1_are_read() {
    #[derive(Serialize)]
    struct First {
        number: u64,
        #[serde(with = "serde_bytes")]
        root: Digest,
        leaves: u32,
        created: u64,
        state: FirstState,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum FirstState {
        Batched,
        Broadcast(FirstAttempt),
        Final(FirstAttempt, Inclusion),
    }
    #[derive(Serialize, Clone)]
    struct FirstAttempt {
        #[serde(with = "serde_bytes")]
        tx: Vec<u8>,
        txid: String,
        fee: u64,
    }
    let made = attempt(1, 1);
    let first = FirstAttempt { tx: made.tx, txid: made.txid.clone(), fee: 157 };
    for (state, is_final) in [
        (FirstState::Batched, false),
        (FirstState::Broadcast(first.clone()), false),
        (FirstState::Final(first, place(7)), true),
    ] {
        let has_one = !matches!(state, FirstState::Batched);
        let stored = First { number: 3, root: [4; 32], leaves: 5, created: 6, state };
        let bytes = [vec![1], serde_ipld_dagcbor::to_vec(&stored).expect("encodes")].concat();
        let batch = Batch::decode(&bytes).expect("is read");
        assert_eq!((batch.number, batch.root, batch.leaves, batch.created), (3, [4; 32], 5, 6));
        assert_eq!(batch.is_final(), is_final);
        assert_eq!(batch.attempt().map(|a| (a.txid.clone(), a.fee)), has_one.then(|| (made.txid.clone(), 157)));
        assert_eq!(Batch::decode(&batch.encode()), Ok(batch), "and written as the newest version");
    }
}

fn event() -> impl Strategy<Value = BatchEvent> {
    let tip = 95..125_u32;
    let one = prop_oneof![
        (1..3_u8, 0..4_u8).prop_map(|(coin, n)| Seen::Waiting(attempt(coin, n).txid)),
        Just(Seen::Unspent),
        (1..3_u8, 0..4_u8).prop_map(|(coin, n)| Seen::Adopted(attempt(coin, n))),
        Just(Seen::Rival("r".into())),
        (1..3_u8, 0..4_u8, 95..120_u8).prop_map(|(coin, n, at)| Seen::Mined(mined(coin, n, at))),
        (95..120_u32).prop_map(|height| Seen::Elsewhere(elsewhere(height))),
        Just(Seen::Unreadable("pruned".into())),
    ];
    prop_oneof![
        2 => Just(BatchEvent::Woke),
        1 => (1..3_u8, 0..4_u8).prop_map(|(coin, n)| BatchEvent::Signed(spend(coin, &[n]))),
        1 => (1..3_u8).prop_map(|coin| BatchEvent::Unsigned(unsigned(coin))),
        1 => (1..3_u8, 0..4_u8).prop_map(|(coin, n)| BatchEvent::Replaced(attempt(coin, n))),
        1 => Just(BatchEvent::NoFunds(Need { address: "a".into(), at_least: 1 })),
        1 => Just(BatchEvent::Capped(Capped::Fee { asked: 2, allowed: 1 })),
        1 => any::<bool>().prop_map(|ok| BatchEvent::Sent(if ok { Ok(()) } else { Err("no".into()) })),
        4 => (one, tip.clone()).prop_map(|(seen, tip)| BatchEvent::Seen { seen, tip }),
        3 => prop::option::of(tip).prop_map(BatchEvent::Stands),
    ]
}

proptest! {
    /// Whatever bitcoind says in whatever order: nothing is sent that is not stored, every change is stored, all
    /// attempts share their coins, and coins are given up only for a buried spend by others.
    #[test]
    fn no_order_of_events_pays_twice(events in prop::collection::vec(event(), 1..60), last in 1..9_u32) {
        let rules = Rules { last, ..RULES };
        let mut b = Batch::new(1, [0; 32], 3, 0);
        let mut stored = b.clone();
        for event in events {
            let before = b.clone();
            let buried = match (&before.state, &event) {
                (State::Conflicted(_, at), BatchEvent::Stands(Some(tip))) => tip + 1 >= at.height + last.max(BURIED),
                _ => false,
            };
            for action in b.on(event, rules) {
                match action {
                    Action::Persist => stored = b.clone(),
                    Action::Send => prop_assert_eq!(stored.attempt(), b.attempt()),
                    Action::Sign => prop_assert!(b.spend().is_none()),
                    Action::Unlock(_) => prop_assert!(buried),
                    Action::Replace | Action::Lock | Action::Look | Action::Check { .. } => {
                        prop_assert!(b.spend().is_some());
                    }
                }
            }
            prop_assert_eq!(&stored.state, &b.state);
            if let Some(spend) = b.spend() {
                prop_assert!(spend.attempts.iter().all(|attempt| attempt.inputs() == spend.inputs()));
            }
            if let Some(spend) = before.spend() {
                prop_assert!(buried || b.spend().is_some_and(|now| now.inputs() == spend.inputs()));
            }
        }
    }
}
