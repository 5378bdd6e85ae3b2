//! Tree, transaction and proof against a real bitcoind, judged by the stock OpenTimestamps client.

use crate::support::{bitcoind::Bitcoind, ots};
use toft::{
    anchor::{
        Config,
        batch::Seen,
        chain::{Chain, Error},
        config::{Mode, Network},
        fees::Caps,
        proof::{self, Verdict, Way},
        spend::{Attempt, Roots, Spend},
        tree::{self, Nonce, Tree},
        wallet::{Order, Signing},
    },
    cid::{self, Digest},
};

pub fn config(node: &Bitcoind) -> Config {
    let mut config = Config { mode: Mode::Wallet, ..Config::default() };
    config.bitcoin.spend = true;
    config.bitcoin.rpc = node.url();
    config.bitcoin.cookie = node.cookie().display().to_string();
    config.bitcoin.network = Network::Regtest;
    config
}

fn order(chain: &Chain, root: &Digest) -> Order {
    let change = chain.draw_change().expect("the wallet has an address");
    let caps = Caps::of(&toft::anchor::config::Bitcoin::default(), 0);
    Order { roots: Roots::of([(1, *root)]), change, caps, signs: true }
}

fn spend(chain: &Chain, root: &Digest) -> Spend {
    match chain.spend(&order(chain, root)).expect("bitcoind signs") {
        Signing::Signed(spend) => spend,
        other => panic!("not signed: {other:?}"),
    }
}

pub fn sign(chain: &Chain, root: &Digest) -> Attempt {
    spend(chain, root).attempts.remove(0)
}

/// The spend with this one attempt.
fn of(attempt: &Attempt) -> Spend {
    let (genesis, attempts) = (String::new(), vec![attempt.clone()]);
    Spend { network: Network::Regtest, genesis, sum: 0, attempts, unsigned: None, former: vec![], sent: true }
}

pub struct Leaves {
    pub data: Vec<Vec<u8>>,
    digests: Vec<Digest>,
    nonces: Vec<Nonce>,
    pub tree: Tree,
}

pub fn leaves(n: u32) -> Leaves {
    let data: Vec<Vec<u8>> = (0..n).map(|i| format!("record {i} of {n}").into_bytes()).collect();
    let digests: Vec<Digest> = data.iter().map(|d| cid::digest(d)).collect();
    let nonces: Vec<Nonce> = digests.iter().map(|d| tree::nonce(&[1; 32], u64::from(n), d)).collect();
    let leaves: Vec<Digest> = digests.iter().zip(&nonces).map(|(d, n)| tree::leaf(d, n)).collect();
    let tree = Tree::new(&leaves).expect("not empty");
    Leaves { data, digests, nonces, tree }
}

impl Leaves {
    pub fn proof(&self, i: usize, attempt: &Attempt, inclusion: &proof::Inclusion) -> Vec<u8> {
        let path = self.tree.path(i).expect("there is such a leaf");
        let root = self.tree.root();
        let way = Way {
            digest: &self.digests[i],
            nonce: &self.nonces[i],
            path: &path,
            root: &root,
            tx: &attempt.tx,
            inclusion,
        };
        way.ots().expect("a proof")
    }
}

pub fn place(chain: &Chain, attempt: &Attempt) -> proof::Inclusion {
    match chain.seen(&of(attempt)).expect("bitcoind answers") {
        (Seen::Mined(mined), _) if mined.txid == attempt.txid => mined.place,
        other => panic!("not mined but {other:?}"),
    }
}

#[test]
fn the_stock_client_accepts_proofs_of_trees_of_all_sizes() {
    let node = Bitcoind::start();
    node.funded_wallet();
    let chain = Chain::new(&config(&node));
    for n in [1, 2, 3, 7, 1000] {
        let leaves = leaves(n);
        let attempt = sign(&chain, &leaves.tree.root());
        assert_eq!(chain.seen(&of(&attempt)).expect("answers").0, Seen::Unspent);
        chain.send(&attempt.tx).expect("bitcoind takes it");
        chain.send(&attempt.tx).expect("bitcoind takes the same bytes again");
        assert_eq!(chain.seen(&of(&attempt)).expect("answers").0, Seen::Waiting(attempt.txid.clone()));
        node.mine(1);
        let inclusion = place(&chain, &attempt);
        let sample = [0, 1, 2, 6, 500, 998, 999];
        for i in sample.into_iter().filter(|i| *i < leaves.data.len()) {
            let proof = leaves.proof(i, &attempt, &inclusion);
            assert!(proof.len() < 1024, "{} bytes", proof.len());
            ots::accepts(&node, &leaves.data[i], &proof);
            let verdict = proof::verify::<Error>(&proof, &leaves.digests[i], |h| chain.header_at(h)).expect("readable");
            assert!(matches!(verdict, Verdict::Proven { height, .. } if height == u64::from(inclusion.height)));
        }
    }
    assert_eq!(node.op_returns(b"toft").len(), 5);
}

#[test]
fn the_stock_client_refuses_what_was_changed() {
    let node = Bitcoind::start();
    node.funded_wallet();
    let chain = Chain::new(&config(&node));
    let leaves = leaves(3);
    let attempt = sign(&chain, &leaves.tree.root());
    chain.send(&attempt.tx).expect("bitcoind takes it");
    node.mine(1);
    let inclusion = place(&chain, &attempt);
    let (first, last) = (leaves.proof(0, &attempt, &inclusion), leaves.proof(2, &attempt, &inclusion));
    ots::accepts(&node, &leaves.data[0], &first);
    ots::refuses(&node, b"record 0 of 4", &first);
    ots::refuses(&node, &leaves.data[2], &first);
    ots::refuses(&node, &leaves.data[0], &last);
    // magic, digest, nonce, a sibling, the transaction, the block's branch, the height
    for at in [3, 40, 75, 120, first.len() / 2, first.len() - 30, first.len() - 1] {
        let mut changed = first.clone();
        changed[at] ^= 0x04;
        ots::refuses(&node, &leaves.data[0], &changed);
    }
}

#[test]
fn nothing_is_signed_on_another_network() {
    let node = Bitcoind::start();
    node.funded_wallet();
    let mut config = config(&node);
    config.bitcoin.network = Network::Mainnet;
    let chain = Chain::new(&config);
    let error = chain
        .spend(&Order {
            roots: Roots::of([(1, [0; 32])]),
            change: String::new(),
            caps: Caps::of(&config.bitcoin, 0),
            signs: true,
        })
        .expect_err("another network");
    assert!(matches!(error, Error::Network { .. }), "{error}");
    assert!(error.to_string().contains("nothing is signed"), "{error}");
}

#[test]
fn an_empty_wallet_names_an_address_and_is_created_if_missing() {
    let node = Bitcoind::start();
    let chain = Chain::new(&config(&node));
    let Signing::NoFunds(need) = chain.spend(&order(&chain, &[0; 32])).expect("answers") else {
        panic!("there are no coins")
    };
    let Signing::NoFunds(again) = chain.spend(&order(&chain, &[0; 32])).expect("answers") else {
        panic!("there are no coins")
    };
    assert_eq!(need, again, "asking twice does not use up addresses");
    node.fund(&need.address, &format!("0.{:08}", need.at_least));
    sign(&chain, &[7; 32]);
}

#[test]
fn a_restarted_bitcoind_with_a_new_cookie_and_no_wallet_loaded_is_used_again() {
    let node = Bitcoind::start();
    node.funded_wallet();
    let chain = Chain::new(&config(&node));
    let attempt = sign(&chain, &[7; 32]);
    chain.send(&attempt.tx).expect("bitcoind takes it");
    node.stop();
    let error = chain.tip().expect_err("nobody answers").to_string();
    assert!(error.contains(&node.url()) && error.contains("start it"), "{error}");
    node.resume();
    assert_eq!(node.rpc("listwallets", serde_json::json!([])), serde_json::json!([]), "bitcoind forgets its wallets");
    assert_eq!(chain.seen(&of(&attempt)).expect("it recovers").0, Seen::Waiting(attempt.txid.clone()));
    chain.draw_change().expect("the wallet is loaded");
    node.restart();
    let loaded = node.rpc("listwallets", serde_json::json!([]));
    assert_eq!(loaded, serde_json::json!(["toft"]), "what toft loads stays loaded");
}
