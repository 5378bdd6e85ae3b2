//! Targets whose parsers are public, and seeds that are plain text.

use crate::{
    anchor::{
        batch::Batch,
        config::Network,
        headers,
        native::{self, Anchored, Head, Leaf, Part, RECORD_MAX},
        ots::{self, Attestation, Detached, Op, Stamp},
        proof, tree,
    },
    cid::{self, Cid},
    config::{self, Config},
    crypto::{
        PublicKey,
        hd::{PrivateKey, Scheme},
        jws::{self, Jws},
        record::{self, Recipient},
    },
    did,
    net::bitswap::message::{self, Entry, Message, Presence, Want},
    span::Span,
};
use bytes::Bytes;
use serde_json::{Value, json};

/// A file among the vectors, as JSON.
fn vectors(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What stands at `pointer` in each of a list.
fn each(list: &Value, pointer: &str) -> Vec<Vec<u8>> {
    let found = list.as_array().into_iter().flatten().filter_map(|case| case.pointer(pointer));
    found.map(|value| value.to_string().into_bytes()).collect()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A Bitswap message without its length.
pub(super) fn bitswap(bytes: &[u8]) -> bool {
    let Ok(message) = message::decode(bytes) else { return false };
    for (cid, data) in &message.blocks {
        assert_eq!(cid::verify(cid, data), Ok(()));
    }
    let written = message::encode(&message);
    let body = written.iter().position(|byte| *byte < 0x80).expect("a length ends") + 1;
    assert_eq!(message::decode(&written[body..]).as_ref(), Ok(&message));
    true
}

pub(super) fn bitswap_seeds() -> Vec<Vec<u8>> {
    let of = |n: u8| cid::of(cid::RAW, &[n]);
    let entry = |n, want| Entry { cid: of(n), priority: 1, want, send_dont_have: true };
    let v0 = Cid::new_v0(*cid::of(cid::DAG_PB, b"x").hash()).expect("DAG-PB and sha2-256");
    let message = Message {
        wants: vec![entry(1, Want::Block), entry(2, Want::Have), entry(3, Want::Cancel)],
        full: true,
        blocks: vec![(of(4), Bytes::from_static(&[4])), (v0, Bytes::from_static(b"x"))],
        presences: vec![(of(5), Presence::Have), (of(6), Presence::DontHave)],
    };
    let written = message::encode(&message);
    let body = written.iter().position(|byte| *byte < 0x80).expect("a length ends") + 1;
    vec![written[body..].to_vec(), b"\x12\x03old".to_vec()]
}

/// A CID in bytes, or in text.
pub(super) fn cid(bytes: &[u8]) -> bool {
    let check = |cid: &Cid| {
        assert_eq!(Cid::try_from(cid.to_bytes()).as_ref().ok(), Some(cid));
        assert_eq!(Cid::try_from(cid.to_string()).as_ref().ok(), Some(cid));
        let _ = (cid::verify(cid, bytes), cid::sha256_of(cid));
    };
    let binary = Cid::try_from(bytes).map(|cid| check(&cid));
    let text = std::str::from_utf8(bytes).ok().and_then(|text| Cid::try_from(text).ok()).map(|cid| check(&cid));
    binary.is_ok() || text.is_some()
}

pub(super) fn cids() -> Vec<Vec<u8>> {
    let v1 = cid::of(cid::DAG_CBOR, b"x");
    let v0 = Cid::new_v0(*v1.hash()).expect("sha2-256");
    vec![v1.to_bytes(), v0.to_bytes(), v1.to_string().into_bytes(), v0.to_string().into_bytes()]
}

/// `node.toml`.
pub(super) fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(config) = Config::parse(text) else { return false };
    let once = config.show().expect("a configuration has a text");
    let again = Config::parse(&once).expect("what was shown is read");
    assert_eq!(again.show().expect("a configuration has a text"), once);
    true
}

pub(super) fn configs() -> Vec<Vec<u8>> {
    let shown = Config::default().show().expect("a configuration has a text");
    vec![vec![], shown.into_bytes(), config::DEFAULT.as_bytes().to_vec()]
}

/// DAG-CBOR of strangers, and JSON that becomes it.
pub(super) fn dag_cbor(bytes: &[u8]) -> bool {
    if let Ok(json) = serde_json::from_slice::<Value>(bytes)
        && let Ok(once) = cid::encode(&json)
    {
        let back = cid::decode(&once).expect("what was encoded decodes");
        assert_eq!(cid::encode(&back).as_ref(), Ok(&once));
    }
    let Ok(json) = cid::decode(bytes) else { return false };
    let Ok(once) = cid::encode(&json) else { return false };
    assert_eq!(cid::encode(&cid::decode(&once).expect("what was encoded decodes")), Ok(once));
    true
}

pub(super) fn dag_cbor_seeds() -> Vec<Vec<u8>> {
    let texts = vectors("cids.json")["json"].take();
    let texts: Vec<Vec<u8>> = texts
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|case| Some(case["text"].as_str()?.as_bytes().to_vec()))
        .collect();
    let encoded = texts.iter().filter_map(|text| cid::encode(&serde_json::from_slice(text).ok()?).ok());
    encoded.chain(texts.iter().cloned()).collect()
}

pub(super) fn dids() -> Vec<Vec<u8>> {
    let mut found = texts(&["did:web:example.com%3A80:a:b", "did:dht:x#0", "did:example:a;b/c?d#e"]);
    for (file, list) in [("dids.json", "/dids"), ("did_keys.json", "/dids")] {
        let cases = vectors(file).pointer(list).cloned().unwrap_or_default();
        let dids = cases.as_array().into_iter().flatten().filter_map(|case| case["did"].as_str());
        found.extend(dids.map(|did| did.as_bytes().to_vec()));
    }
    found
}

pub(super) fn documents() -> Vec<Vec<u8>> {
    let key = "z6MkpiTQjCoppwukNs3htBJr8TFS9mqnDCkAnXy8admM1kN6";
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "mHluY5FnsiXpaEMfaYu4yLRkp5ny32PkTEnaHHT92RM"});
    let document = json!({
        "id": "did:web:a.example",
        "verificationMethod": [
            {"id": "#a", "type": "JsonWebKey", "publicKeyJwk": jwk},
            {"id": "did:web:a.example#b", "type": "Multikey", "publicKeyMultibase": key},
        ],
        "authentication": ["#a", {"id": "#c", "publicKeyMultibase": key}],
        "service": [{"id": "#dwn", "type": "DecentralizedWebNode", "serviceEndpoint": ["https://a.example"]}],
    });
    vec![document.to_string().into_bytes()]
}

pub(super) fn messages() -> Vec<Vec<u8>> {
    let mut found = each(&vectors("encryption.json")["cases"], "/message");
    let shapes = vectors("shapes.json");
    found.extend(shapes["bases"].as_object().into_iter().flatten().map(|(_, base)| base.to_string().into_bytes()));
    found.extend(each(&vectors("definitions.json")["cases"], "/message").into_iter().take(8));
    found
}

/// A message with `encryption`, a protocol with keys in it.
pub(super) fn encrypted(bytes: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return false };
    let secret: [u8; 32] = cid::digest(b"not a key of anybody");
    let id = json.pointer("/encryption/keyEncryption/0/rootKeyId").and_then(Value::as_str).unwrap_or("a#b");
    let mut reached = false;
    for scheme in Scheme::ALL {
        let root = PrivateKey::root(id, scheme, &secret).expect("a key");
        // Reached when all has been read and only the key is wrong.
        reached |= matches!(record::open(&json, &root), Err(record::Error::Seal(_)));
        let _ = Recipient::holder(&root, &json);
        if let Ok(with_keys) = record::with_keys(&json, &root) {
            assert_eq!(record::with_keys(&with_keys, &root), Ok(with_keys));
        }
    }
    let _ = (Recipient::of_context(&json), Recipient::of_protocol(&json, "a/b"));
    reached
}

/// A derived private key as people hand it over.
pub(super) fn hd_key(bytes: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return false };
    let Ok(key) = PrivateKey::from_json(&json) else { return false };
    let again = PrivateKey::from_json(&key.to_json()).expect("what was written is read");
    assert_eq!((again.to_json(), again.path()), (key.to_json(), key.path()));
    let _ = key.derive(key.path());
    true
}

pub(super) fn hd_keys() -> Vec<Vec<u8>> {
    let root = PrivateKey::root("did:example:a#enc", Scheme::ProtocolPath, &[7; 32]).expect("a key");
    let keys = [root.derive(&["protocolPath", "http://a"]).expect("derives"), root];
    keys.iter().map(|key| key.to_json().to_string().into_bytes()).collect()
}

/// A public key in JWK.
pub(super) fn jwk(bytes: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return false };
    let Ok(key) = PublicKey::from_jwk(&json) else { return false };
    assert_eq!(PublicKey::from_jwk(&key.to_jwk()).as_ref(), Ok(&key));
    let _ = key.verify(bytes, bytes.first_chunk::<64>().map_or(&[], |bytes| bytes));
    true
}

pub(super) fn jwks() -> Vec<Vec<u8>> {
    [&vectors("dids.json")["dids"], &vectors("did_keys.json")["dids"]]
        .iter()
        .flat_map(|cases| each(cases, "/methods/0/publicKeyJwk"))
        .collect()
}

/// A General JWS.
pub(super) fn jws(bytes: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return false };
    let _ = jws::payload(&json);
    let Ok(jws) = Jws::parse(&json) else { return false };
    assert_eq!(jws.kids().count(), jws.len());
    let _ = jws.verify(&|kid: &str| did::key_of(kid).ok());
    true
}

pub(super) fn jws_seeds() -> Vec<Vec<u8>> {
    [each(&vectors("jws.json")["cases"], "/jws"), each(&vectors("es256.json")["cases"], "/jws")].concat()
}

/// The state of an anchor's batch.
pub(super) fn batch(bytes: &[u8]) -> bool {
    let Ok(batch) = Batch::decode(bytes) else { return false };
    let once = batch.encode();
    assert_eq!(Batch::decode(&once).expect("what was written is read").encode(), once);
    true
}

pub(super) fn batches() -> Vec<Vec<u8>> {
    vec![Batch::new(1, [7; 32], 3, 4).encode()]
}

/// A file of block headers.
pub(super) fn header_file(bytes: &[u8]) -> bool {
    headers::read(bytes, &[0].into()).is_ok_and(|read| read.wanted.len() == usize::from(read.first == 0))
}

pub(super) fn header_files() -> Vec<Vec<u8>> {
    let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header;
    let file = |first| [headers::start(Network::Regtest, first), headers::bytes(&genesis)].concat();
    vec![file(0), file(7)]
}

/// An OpenTimestamps file.
pub(super) fn ots(bytes: &[u8]) -> bool {
    let Ok(file) = Detached::read(bytes) else { return false };
    let once = file.write();
    assert_eq!(Detached::read(&once).as_ref(), Ok(&file));
    let _ = file.attestations();
    match ots::Claims::read(bytes) {
        Ok(claims) => assert_eq!(claims.digest, file.digest),
        Err(why) => assert!(matches!(why, ots::Error::Work(_)), "{why}"),
    }
    // the same as a calendar sends it
    let stamp = Stamp::read(&file.digest, &file.stamp.bytes());
    assert_eq!(stamp.as_ref(), Ok(&file.stamp));
    let digest = file.digest.first_chunk().copied().unwrap_or_default();
    let _ = proof::verify::<proof::Error>(bytes, &digest, |_| Ok(None));
    true
}

pub(super) fn ots_seeds() -> Vec<Vec<u8>> {
    let ops = || vec![Op::Append(vec![1]), Op::Sha256, Op::Prepend(vec![2]), Op::Keccak256, Op::Hexlify, Op::Reverse];
    let ends = [
        Attestation::Bitcoin(800_000),
        Attestation::Pending("https://a.example".into()),
        Attestation::Unknown { tag: [7; 8], payload: vec![1] },
    ];
    let of = |end: &Attestation| Stamp::line(ops().into_iter(), end.clone());
    let mut files: Vec<_> = ends.iter().map(of).collect();
    files.push(Stamp(files.iter().flat_map(|stamp| stamp.0.clone()).collect()));
    let file = |stamp| Detached { hash: Op::Sha256, digest: vec![7; 32], stamp };
    files.into_iter().map(|stamp| file(stamp).write()).collect()
}

/// A proof as a record holds it.
pub(super) fn proof_record(bytes: &[u8]) -> bool {
    if let Ok(part) = Part::read(bytes) {
        for leaf in part.leaves() {
            assert_eq!(tree::climb(leaf.hash(), &part.path(leaf)), part.root);
        }
        return true;
    }
    let Ok(head) = Head::read(bytes) else { return false };
    let once = head.write();
    assert!(once.len() > RECORD_MAX || Head::read(&once).as_ref() == Ok(&head));
    assert!(head.stamp().is_ok() && head.blocks().len() <= bytes.len());
    true
}

pub(super) fn proof_records() -> Vec<Vec<u8>> {
    let leaf = |index: u32| Leaf { index, digest: [index as u8; 32], nonce: [1; 16], codec: 0x71 };
    let leaves: Vec<Leaf> = (0..5).map(leaf).collect();
    let tree = tree::Tree::of(leaves.iter().map(Leaf::hash).collect()).expect("not empty");
    let stamp = Stamp::line([Op::Append(vec![1]), Op::Sha256].into_iter(), Attestation::Bitcoin(800_000)).bytes();
    let batch = Anchored {
        number: 1,
        root: tree.root(),
        size: 5,
        network: Network::Regtest,
        genesis: native::genesis(Network::Regtest),
        made: 1_790_000_000,
        is_final: true,
        attestations: vec![native::Attestation::Calendar { url: "https://a.example".into(), stamp }],
    };
    let mut seeds = Part::of(&tree, &leaves[1..4]);
    seeds.push(Head::new(batch, [2; 16], 1).write());
    seeds
}

/// A length of time in settings.
pub(super) fn span(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(span) = text.parse::<Span>() else { return false };
    assert_eq!(span.to_string().parse(), Ok(span));
    true
}

pub(super) fn spans() -> Vec<Vec<u8>> {
    texts(&["250ms", "90", "30m", "1d", "x"])
}

pub(super) fn places() -> Vec<Vec<u8>> {
    vec![[&2_u64.to_be_bytes()[..], &3_u32.to_be_bytes(), b"abcdefgh"].concat()]
}

pub(super) fn headers() -> Vec<Vec<u8>> {
    vec![[&100_u64.to_be_bytes()[..], b"tft\x01", &[0; 20]].concat()]
}

pub(super) fn queries() -> Vec<Vec<u8>> {
    texts(&["filter.protocol=http%3A%2F%2Fa&filter.dataSize.gte=3&filter.author=a&filter.author=b", "a=1&a.b=2"])
}

pub(super) fn registrations() -> Vec<Vec<u8>> {
    let data = json!({"did": "did:example:a", "termsOfServiceHash": "ab"});
    let work = json!({"challengeNonce": "A", "responseNonce": "B"});
    vec![json!({"registrationData": data, "proofOfWork": work}).to_string().into_bytes()]
}
