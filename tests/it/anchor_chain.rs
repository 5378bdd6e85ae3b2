//! Tree, transaction and proof against a real bitcoind, judged by the stock OpenTimestamps client.

use crate::support::{bitcoind::Bitcoind, ots};
use toft::{
    anchor::{
        Config,
        batch::Seen,
        chain::{Chain, Error},
        config::{Mode, Network},
        fees::Caps,
        ots::{Attestation, Branch, Detached, Op, Stamp},
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
    let change = Some(chain.draw_change().expect("the wallet has an address"));
    let caps = Caps::of(&toft::anchor::config::Bitcoin::default(), 0);
    Order { roots: Roots::of([(1, *root)]), change, caps, signs: true }
}

fn spend(chain: &Chain, root: &Digest) -> Spend {
    match chain.spend(&order(chain, root)).expect("bitcoind signs") {
        Signing::Signed(spend) => spend,
        other => panic!("not signed: {other:?}"),
    }
}

fn sign(chain: &Chain, root: &Digest) -> Attempt {
    spend(chain, root).attempts.remove(0)
}

/// The spend with this one attempt.
fn of(attempt: &Attempt) -> Spend {
    let (genesis, attempts) = (String::new(), vec![attempt.clone()]);
    Spend { network: Network::Regtest, genesis, sum: 0, attempts, unsigned: None, former: vec![], sent: true }
}

struct Leaves {
    data: Vec<Vec<u8>>,
    digests: Vec<Digest>,
    nonces: Vec<Nonce>,
    tree: Tree,
}

fn leaves(n: u32) -> Leaves {
    let data: Vec<Vec<u8>> = (0..n).map(|i| format!("record {i} of {n}").into_bytes()).collect();
    let digests: Vec<Digest> = data.iter().map(|d| cid::digest(d)).collect();
    let nonces: Vec<Nonce> = digests.iter().map(|d| tree::nonce(&[1; 32], u64::from(n), d)).collect();
    let leaves: Vec<Digest> = digests.iter().zip(&nonces).map(|(d, n)| tree::leaf(d, n)).collect();
    let tree = Tree::new(&leaves).expect("not empty");
    Leaves { data, digests, nonces, tree }
}

impl Leaves {
    fn proof(&self, i: usize, attempt: &Attempt, inclusion: &proof::Inclusion) -> Vec<u8> {
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

fn place(chain: &Chain, attempt: &Attempt) -> proof::Inclusion {
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
        .spend(&Order { roots: Roots::of([(1, [0; 32])]), change: None, caps: Caps::of(&config.bitcoin, 0), signs: true })
        .expect_err("another network");
    assert!(matches!(error, Error::Network { .. }), "{error}");
    assert!(error.to_string().contains("nothing is signed"), "{error}");
}

#[test]
fn an_empty_wallet_names_an_address_and_is_created_if_missing() {
    let node = Bitcoind::start();
    let chain = Chain::new(&config(&node));
    let Signing::NoFunds(need) = chain.spend(&order(&chain, &[0; 32])).expect("answers") else { panic!("there are no coins") };
    let Signing::NoFunds(again) = chain.spend(&order(&chain, &[0; 32])).expect("answers") else { panic!("there are no coins") };
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

/// Files that the reference implementation and our reader must judge the same: a valid one with every kind of
/// branch, cut at every byte, and with bytes changed, doubled and left out (with a fixed seed).
fn corpus() -> Vec<Vec<u8>> {
    let end = |a| Stamp(vec![Branch::Attest(a)]);
    let stamp = Stamp(vec![
        Branch::Attest(Attestation::Pending("https://calendar.example.org".into())),
        Branch::Attest(Attestation::Unknown { tag: *b"whatever", payload: vec![1, 2, 3] }),
        Branch::Then(Op::Hexlify, Stamp(vec![Branch::Then(Op::Sha1, end(Attestation::Bitcoin(5)))])),
        Branch::Then(Op::Ripemd160, Stamp(vec![Branch::Then(Op::Reverse, end(Attestation::Litecoin(300)))])),
        Branch::Then(
            Op::Append(vec![9; 40]),
            Stamp(vec![Branch::Then(
                Op::Prepend(vec![8; 300]),
                Stamp(vec![Branch::Then(Op::Sha256, end(Attestation::Bitcoin(900_000)))]),
            )]),
        ),
    ]);
    let whole = Detached { hash: Op::Sha256, digest: vec![3; 32], stamp }.write();
    let mut files: Vec<Vec<u8>> = (0..=whole.len()).map(|n| whole[..n].to_vec()).collect();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for _ in 0..20_000 {
        let mut file = whole.clone();
        for _ in 0..=random(3) {
            // mostly behind the magic, where it is interesting
            let at = if random(10) == 0 { random(file.len()) } else { 32 + random(file.len() - 32) };
            match random(4) {
                0 => drop(file.remove(at)),
                1 => file.insert(at, [0x00, 0x02, 0x08, 0xf0, 0xf3, 0xff][random(6)]),
                2 => file[at] = random(256) as u8,
                _ => file[at] ^= 1 << random(8),
            }
        }
        files.push(file);
    }
    files
}

fn has_keccak(stamp: &Stamp) -> bool {
    stamp.0.iter().any(|branch| match branch {
        Branch::Then(op, rest) => *op == Op::Keccak256 || has_keccak(rest),
        Branch::Attest(_) => false,
    })
}

/// The reference keeps branches by their operation: of two that begin the same it forgets the first. We do not.
fn forget_doubles(stamp: &mut Stamp) {
    let mut kept: Vec<Branch> = Vec::new();
    for mut branch in std::mem::take(&mut stamp.0) {
        if let Branch::Then(op, rest) = &mut branch {
            forget_doubles(rest);
            kept.retain(|other| !matches!(other, Branch::Then(same, _) if same == op));
        }
        kept.push(branch);
    }
    stamp.0 = kept;
}

#[test]
fn the_reference_implementation_and_ours_read_the_same() {
    let files = corpus();
    let theirs = ots::read_all(&files);
    assert_eq!(theirs.len(), files.len());
    let mut accepted = 0;
    for (file, theirs) in files.iter().zip(&theirs) {
        if Detached::read(file).is_ok_and(|read| has_keccak(&read.stamp)) {
            assert!(theirs.is_some(), "{}", hex::encode(file)); // what comes after it we accept and do not compute
            continue;
        }
        let ours = Detached::read(file).ok().map(|mut read| {
            forget_doubles(&mut read.stamp);
            // the reference keeps attestations of one message as a set
            let mut found: Vec<_> =
                read.attestations().into_iter().map(|(m, a)| (hex::encode(m), format!("{a:?}"))).collect();
            found.sort();
            found.dedup();
            found.into_iter().map(|(message, _)| message).collect::<Vec<_>>()
        });
        accepted += usize::from(ours.is_some());
        assert_eq!(&ours, theirs, "{}", hex::encode(file));
    }
    assert!(accepted > files.len() / 20, "only {accepted} of {} are files at all", files.len());
}
