//! Proofs, read and judged: our reader beside the reference implementation, `toft verify` beside stock `ots verify`, with
//! a bitcoind and with headers alone.

use crate::{
    anchor_chain::{self, leaves, place, sign},
    support::{
        bitcoind::Bitcoind,
        ots,
        random::Random,
        toft::{Home, random_file},
    },
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use toft::anchor::{
    chain::Chain,
    ots::{Attestation, Branch, Claims, Detached, Op, Stamp},
};

/// A valid file with every kind of branch.
fn whole(hash: Op, digest: usize) -> Vec<u8> {
    let end = |a| Stamp(vec![Branch::Attest(a)]);
    let ethereum = [0x30, 0xfe, 0x80, 0x87, 0xb5, 0xc7, 0xea, 0xd7];
    let stamp = Stamp(vec![
        Branch::Attest(Attestation::Pending("https://calendar.example.org".into())),
        Branch::Attest(Attestation::Pending(String::new())),
        Branch::Attest(Attestation::Unknown { tag: *b"whatever", payload: vec![1, 2, 3] }),
        Branch::Attest(Attestation::Unknown { tag: *b"nobodyis", payload: vec![] }),
        Branch::Attest(Attestation::Unknown { tag: ethereum, payload: vec![0xac, 0x02] }),
        Branch::Then(Op::Hexlify, Stamp(vec![Branch::Then(Op::Sha1, end(Attestation::Bitcoin(5)))])),
        Branch::Then(Op::Ripemd160, Stamp(vec![Branch::Then(Op::Reverse, end(Attestation::Litecoin(300)))])),
        Branch::Then(Op::Keccak256, Stamp(vec![Branch::Then(Op::Keccak256, end(Attestation::Bitcoin(7)))])),
        Branch::Then(
            Op::Append(vec![9; 40]),
            Stamp(vec![Branch::Then(
                Op::Prepend(vec![8; 300]),
                Stamp(vec![Branch::Then(Op::Sha256, end(Attestation::Bitcoin(900_000)))]),
            )]),
        ),
    ]);
    Detached { hash, digest: vec![3; digest], stamp }.write()
}

/// Where the magic ends.
const BODY: usize = 31;

/// A valid file for each hash function.
fn wholes() -> Vec<Vec<u8>> {
    let kinds = [(Op::Sha256, 32), (Op::Sha1, 20), (Op::Ripemd160, 20), (Op::Keccak256, 32)];
    kinds.into_iter().map(|(hash, digest)| whole(hash, digest)).collect()
}

/// Files that the reference implementation and our reader must judge the same: with bytes changed, doubled, left out and
/// numbers made longer.
fn changed(n: usize, seed: u64) -> Vec<Vec<u8>> {
    let (wholes, mut files, mut random) = (wholes(), Vec::new(), Random(seed));
    while files.len() < n {
        let mut file = wholes[random.below(wholes.len())].clone();
        for _ in 0..=random.below(3) {
            // mostly behind the magic, where it is interesting
            let at =
                if random.below(10) == 0 { random.below(file.len()) } else { BODY + random.below(file.len() - BODY) };
            match random.below(6) {
                0 => drop(file.remove(at)),
                1 => file.insert(at, [0x00, 0x02, 0x08, 0x67, 0xf0, 0xf2, 0xf3, 0xff][random.below(8)]),
                2 => file[at] = random.below(256) as u8,
                3 => {
                    // what may be a number is written longer than it needs
                    file[at] |= 0x80;
                    let longer = [vec![0x80; random.below(12)], vec![random.below(2) as u8]].concat();
                    file.splice(at + 1..at + 1, longer);
                }
                _ => file[at] ^= 1 << random.below(8),
            }
        }
        files.push(file);
    }
    files
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

/// As the reference writes an attestation: numbers as short as they can be.
fn said(attestation: &Attestation) -> String {
    let heights = ["0588960d73d71901", "06869a0d73d71b45", "30fe8087b5c7ead7"];
    if let Attestation::Unknown { tag, payload } = attestation
        && heights.contains(&&*hex::encode(tag))
    {
        let mut short = payload.clone();
        while short.len() > 1 && short.last() == Some(&0) {
            short.pop();
            *short.last_mut().expect("not empty") &= 0x7f;
        }
        let short = Attestation::Unknown { tag: *tag, payload: short };
        return hex::encode(&Stamp(vec![Branch::Attest(short)]).bytes()[1..]);
    }
    hex::encode(&Stamp(vec![Branch::Attest(attestation.clone())]).bytes()[1..])
}

/// Judges files both ways; how many are files.
fn compare(files: &[Vec<u8>]) -> usize {
    let theirs = ots::read_all(files);
    assert_eq!(theirs.len(), files.len());
    let mut accepted = 0;
    for (file, theirs) in files.iter().zip(&theirs) {
        let shown = || hex::encode(file);
        let ours = Detached::read(file);
        assert_eq!(ours.is_ok(), Claims::read(file).is_ok(), "{}", shown());
        assert_eq!(ours.is_ok(), theirs.is_some(), "{ours:?}: {}", shown());
        let (Ok(mut ours), Some(theirs)) = (ours, theirs) else { continue };
        accepted += 1;
        forget_doubles(&mut ours.stamp);
        let mut attested = Vec::new();
        ours.stamp.each_attestation(&ours.digest, &mut |message, attestation| {
            attested.push(format!("{}:{}", hex::encode(message), said(attestation)));
        });
        attested.sort();
        attested.dedup();
        assert_eq!(attested, theirs.attested, "{}", shown());
        let again = Detached::read(&theirs.written).expect("what the reference writes is read");
        assert!(again.write() == theirs.written, "written again it is another file: {}", hex::encode(&theirs.written));
    }
    accepted
}

/// Valid files cut at every byte, and 20,000 that were changed; with `TOFT_LONG=1` a million.
#[test]
fn the_reference_implementation_and_ours_read_the_same() {
    let cuts: Vec<_> = wholes().iter().flat_map(|whole| (0..=whole.len()).map(|n| whole[..n].to_vec())).collect();
    assert_eq!(compare(&cuts), wholes().len(), "no file that was cut is one");
    let (rounds, each) = (if std::env::var_os("TOFT_LONG").is_some() { 50 } else { 1 }, 20_000);
    let mut accepted = 0;
    for round in 0..rounds {
        accepted += compare(&changed(each, 0x2545_f491_4f6c_dd1d ^ (round << 8)));
    }
    println!("{accepted} of {} changed files are files still, for both", each * rounds as usize);
    assert!(accepted > each * rounds as usize / 20, "only {accepted} are files at all");
}

/// Files in a folder, and `toft verify` on them.
struct Bench {
    dir: TempDir,
    home: Home,
}

impl Bench {
    fn new(bitcoind: &Bitcoind) -> Self {
        Self { dir: TempDir::new().expect("a directory"), home: Home::new().asks(bitcoind) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("writes");
        text(&path)
    }

    /// Exit code, and what `--json` prints: of a failure what it says.
    fn verify(&self, data: &[u8], proof: &[u8], more: &[&str]) -> (i32, Value) {
        let (file, ots) = (self.put("data", data), self.put("data.ots", proof));
        verify(&self.home, &[&[&*file, &*ots], more].concat())
    }
}

fn verify(home: &Home, args: &[&str]) -> (i32, Value) {
    let output = home.run(&[&["verify"], args, &["--json"]].concat());
    let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    let said = serde_json::from_slice(said).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(said)));
    (output.status.code().expect("it ended by itself"), said)
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn with_headers_alone_the_verdict_is_that_of_the_stock_client() {
    let bitcoind = Bitcoind::start();
    bitcoind.funded_wallet();
    let chain = Chain::new(&anchor_chain::config(&bitcoind));
    let leaves = leaves(7);
    let attempt = sign(&chain, &leaves.tree.root());
    chain.send(&attempt.tx).expect("bitcoind takes it");
    let block = bitcoind.mine(1);
    let before = place(&chain, &attempt);
    bitcoind.rpc("invalidateblock", json!([block[0]]));
    bitcoind.mine_only(&[]);
    bitcoind.mine_only(&[]);
    bitcoind.mine(7);
    let now = place(&chain, &attempt);
    assert_ne!(before.height, now.height);

    let good = leaves.proof(0, &attempt, &now);
    let mut cases: Vec<(&[u8], Vec<u8>)> = vec![
        (&leaves.data[0], good.clone()),
        (&leaves.data[6], leaves.proof(6, &attempt, &now)),
        (&leaves.data[0], leaves.proof(0, &attempt, &before)), // reorganised away
        (&leaves.data[1], good.clone()),
        (b"something else", good.clone()),
    ];
    for at in [3, 40, 75, 120, good.len() / 2, good.len() - 30, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 0x04;
        cases.push((&leaves.data[0], changed));
    }
    let stock: Vec<bool> = cases.iter().map(|(data, proof)| ots::verify(&bitcoind, data, proof).is_success()).collect();
    assert_eq!(stock.iter().filter(|good| **good).count(), 2);

    let bench = Bench::new(&bitcoind);
    let (all, late) = (text(&bench.path("all")), text(&bench.path("late")));
    let exported = bench.home.json(&["anchor", "headers", "export", "-o", &all]);
    assert_eq!((&exported["first"], &exported["network"]), (&json!(0), &json!("regtest")));
    assert_eq!(
        std::fs::metadata(&all).expect("is there").len(),
        14 + 80 * (exported["tip"].as_u64().expect("a height") + 1)
    );
    let headers = std::fs::read(&all).expect("reads");
    let from = (now.height - 1).to_string();
    bench.home.json(&["anchor", "headers", "export", "-o", &late, "--from", &from]);
    let judged = |grade: &str, more: &[&str]| {
        for ((data, proof), stock) in cases.iter().zip(&stock) {
            let (code, said) = bench.verify(data, proof, more);
            assert_eq!(code == 0, *stock, "{said}");
            assert_eq!(said["verified"] == json!(true), *stock, "{said}");
            assert_eq!(said["grade"] == json!(grade), *stock, "{said}");
            if *stock {
                assert_eq!(said["result"]["height"], json!(now.height));
                assert_eq!(said["result"]["block"], json!(now.block()));
                assert_eq!(said["network"], "regtest");
            }
        }
    };
    judged("full_node", &[]);
    bitcoind.stop();

    // Nobody is there to judge: it says so, and what to do.
    let (code, said) = bench.verify(cases[0].0, &good, &[]);
    assert_eq!(
        (code, &said["verified"], &said["result"], &said["grade"]),
        (6, &json!(false), &Value::Null, &Value::Null)
    );
    let sentence = said["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("start bitcoind") && sentence.contains("toft anchor headers import"), "{sentence}");

    judged("checkpointed", &["--headers", &all]);
    judged("header_work_only", &["--headers", &late]);
    let refused = bench.home.run(&["anchor", "headers", "import", &late]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("must hold block 0"), "{refused:?}");
    let taken = bench.home.json(&["anchor", "headers", "import", &all]);
    assert_eq!((&taken["tip"], &taken["grade"]), (&exported["tip"], &json!("checkpointed")));
    judged("checkpointed", &[]);
    // Of another network than the settings' they judge nothing, whatever they hold.
    let elsewhere = Home::new().set("anchor.bitcoin.network", "signet");
    let (code, said) =
        verify(&elsewhere, &[&bench.put("a", cases[0].0), &bench.put("a.ots", &good), "--headers", &all]);
    assert_eq!(code, 2, "{said}");
    assert!(said.to_string().contains("anchor.bitcoin.network says Signet"), "{said}");
    // Nor do they know of blocks before their first.
    let above = text(&bench.path("above"));
    let tip = exported["tip"].as_u64().expect("a height");
    std::fs::write(&above, [&headers[..10], &(tip as u32).to_be_bytes(), &headers[headers.len() - 80..]].concat())
        .expect("writes");
    let (code, said) = bench.verify(cases[0].0, &good, &["--headers", &above]);
    let sentence = said["sentence"].as_str().expect("a sentence");
    assert!(code == 6 && sentence.contains(&format!("export --from {}", now.height)), "{said}");
    // Beyond their end they say nothing.
    let mut later = now.clone();
    later.height += 1000;
    let (code, said) = bench.verify(&leaves.data[0], &leaves.proof(0, &attempt, &later), &[]);
    assert_eq!((code, &said["result"]["verdict"]), (7, &json!("no_such_block")), "{said}");

    // Headers that were tampered with judge nothing.
    let mut bytes = std::fs::read(&all).expect("reads");
    bytes[14 + 80 * 50 + 4] ^= 1; // its link
    let bad = bench.put("bad", &bytes);
    let (code, said) = bench.verify(&leaves.data[0], &good, &["--headers", &bad]);
    assert_eq!(code, 2);
    assert!(said.to_string().contains("block 50: "), "{said}");
    assert_eq!(bench.home.run(&["anchor", "headers", "import", &bad]).status.code(), Some(2));
}

#[test]
fn among_18_000_attestations_the_one_that_is_good_counts() {
    let bitcoind = Bitcoind::start();
    bitcoind.funded_wallet();
    let chain = Chain::new(&anchor_chain::config(&bitcoind));
    let leaves = leaves(1);
    let attempt = sign(&chain, &leaves.tree.root());
    chain.send(&attempt.tx).expect("bitcoind takes it");
    bitcoind.mine(1);
    let inclusion = place(&chain, &attempt);
    let good = Detached::read(&leaves.proof(0, &attempt, &inclusion)).expect("our own");
    let bench = Bench::new(&bitcoind);
    for heights in [vec![3; 18_000], (0..18_000).collect::<Vec<u64>>()] {
        let mut file = good.clone();
        let many = heights.into_iter().map(|height| Branch::Attest(Attestation::Bitcoin(height)));
        file.stamp.0.splice(0..0, many);
        let (code, said) = bench.verify(&leaves.data[0], &file.write(), &[]);
        assert_eq!((code, &said["result"]["height"]), (0, &json!(inclusion.height)), "{said}");
        file.stamp.0.pop();
        let (code, said) = bench.verify(&leaves.data[0], &file.write(), &[]);
        assert_ne!(code, 0, "{said}");
    }
}

/// The node's own road: a proof that is made when it is wanted, judged, written, and written again over the older one.
#[test]
fn a_running_node_makes_the_proof_that_is_not_there() {
    let bitcoind = Bitcoind::start();
    bitcoind.funded_wallet();
    let node = Home::new().pays(&bitcoind).up();
    let dir = TempDir::new().expect("a directory");
    let (file, _) = random_file(dir.path(), "file", 5_000);
    let file = text(&file);
    let (code, said) = verify(node.home(), &[&file]);
    assert_eq!(code, 3, "{said}");
    assert!(said.to_string().contains("there is no"), "{said}");
    let added = node.json(&["add", &file]);
    let record = added["record"].as_str().expect("a record").to_owned();
    node.json(&["anchor", "now"]);
    let (code, said) = verify(node.home(), &[&record]);
    assert_eq!(code, 7, "{said}");
    let block = bitcoind.mine(1);
    crate::support::eventually("the anchor to be in a block", || {
        node.json(&["anchor", "status"])["batches"][0]["height"].as_u64()
    });
    for what in [&file, &record] {
        let (code, said) = verify(node.home(), &[what]);
        assert_eq!((code, &said["grade"], &said["verified"]), (0, &json!("full_node"), &json!(true)), "{said}");
    }
    let ots = text(&dir.path().join("record.ots"));
    let proof = || node.home().run(&["anchor", "proof", &record, "-o", &ots]).status.code();
    assert_eq!(proof(), Some(0));
    let old = std::fs::read(&ots).expect("reads");

    // Another block holds it: the older export is replaced without a word, anything else is not.
    bitcoind.rpc("invalidateblock", json!([block[0]]));
    bitcoind.mine_only(&[]);
    bitcoind.mine(2);
    crate::support::eventually("the new block to be seen", || {
        let height = node.json(&["anchor", "status"])["batches"][0]["height"].as_u64()?;
        let tip = bitcoind.rpc("getblockcount", json!([])).as_u64()?;
        (height + 1 == tip).then_some(())
    });
    assert_eq!(proof(), Some(0));
    let new = std::fs::read(&ots).expect("reads");
    assert_ne!(new, old);
    let stamped = dir.path().join("record");
    assert_eq!(verify(node.home(), &[&text(&stamped), &ots]).0, 0);
    for other in [&b"mine"[..], &whole(Op::Sha256, 32)] {
        std::fs::write(&ots, other).expect("writes");
        assert_eq!(proof(), Some(5));
        assert_eq!(std::fs::read(&ots).expect("reads"), other);
    }
}
