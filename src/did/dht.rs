//! did:dht: the identifier is an Ed25519 key in z-base-32, the document a signed DNS packet that whoever has it may
//! hand on. Reading such packets and checking their signature; fetching them is done elsewhere.
//!
//! The bytes of a packet are what pkarr relays speak: signature (64) ‖ sequence number (8, big-endian) ‖ DNS packet.

use super::{
    document::{Document, PastKey, Service, VerificationMethod, absolute},
    name::{Did, Error},
};
use crate::crypto::{PublicKey, Secret, decode, encode};
use jiff::Timestamp;
use pkarr::dns::{ResourceRecord, rdata::RData};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Characters of a z-base-32 key.
pub const ID_LEN: usize = 52;
/// Largest packet: 64 + 8 bytes and the 1000 that BEP 44 allows for a value.
pub const PACKET_MAX: usize = 1072;

/// A signed packet whose signature holds.
#[derive(Debug, Clone)]
pub struct Packet {
    signed: pkarr::SignedPacket,
}

/// Seconds for which who has read a record of a packet may use it without asking again, as web5's libraries write it.
const TTL: u32 = 7200;

/// Until when (unix seconds) a key signed that does no more: our own word, which others pass over.
const UNTIL: &str = "until";

/// A key that a packet of our own names beside the identity's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What follows the `#`.
    pub id: String,
    pub key: [u8; 32],
    /// It signs in the DID's name no more; what it signed before (unix seconds) verifies.
    pub until: Option<i64>,
}

/// The did:dht of an Ed25519 public key.
pub fn from_ed25519(public_key: &[u8; 32]) -> Result<Did, String> {
    let key = pkarr::PublicKey::try_from(public_key).map_err(|e| e.to_string())?;
    Ok(Did(format!("did:dht:{}", key.to_z32())))
}

/// Is this how a did:dht key is written, to the letter?
pub fn is_id(text: &str) -> bool {
    key(text).is_some()
}

/// z-base-32 has several spellings of the same bytes, and pkarr reads URLs too: only the one we would write counts.
fn key(id: &str) -> Option<pkarr::PublicKey> {
    let key = pkarr::PublicKey::try_from(id).ok().filter(|key| id.len() == ID_LEN && key.to_z32() == id)?;
    PublicKey::ed25519(key.as_bytes()).ok().map(|_| key)
}

impl Packet {
    /// The packet of the key `id`, if it is signed by it.
    pub fn parse(id: &str, payload: &[u8]) -> Result<Self, String> {
        let key = key(id).ok_or("the identifier is not an Ed25519 key in z-base-32")?;
        if payload.len() > PACKET_MAX {
            return Err(format!("a packet has at most {PACKET_MAX} bytes, this one {}", payload.len()));
        }
        let signed = pkarr::SignedPacket::from_relay_payload(&key, &payload.to_vec().into());
        Ok(Self { signed: signed.map_err(|e| format!("not a packet signed by this key: {e}"))? })
    }

    /// The packet of the identity key `secret`, with further Ed25519 keys and the endpoints of DWNs. It has the number `seq`, which
    /// must be above that of the packet before.
    pub fn sign(secret: &Secret, keys: &[Named], endpoints: &[String], seq: u64) -> Result<Self, String> {
        let keypair = pkarr::Keypair::from_secret_key(secret.expose());
        let id = keypair.to_z32();
        let numbered = || keys.iter().enumerate().map(|(n, key)| (n + 1, key));
        let all: Vec<_> = (0..=keys.len()).map(|n| format!("k{n}")).collect();
        let signing: Vec<_> = ["k0".to_owned()]
            .into_iter()
            .chain(numbered().filter(|(_, key)| key.until.is_none()).map(|(n, _)| format!("k{n}")))
            .collect();
        let mut root = format!("v=0;vm={};auth={1};asm={1};inv=k0;del=k0", all.join(","), signing.join(","));
        let mut texts = vec![("_k0._did".to_owned(), format!("t=0;k={}", encode(keypair.public_key().as_bytes())))];
        texts.extend(numbered().map(|(n, key)| {
            let until = key.until.map(|until| format!(";until={until}")).unwrap_or_default();
            (format!("_k{n}._did"), format!("id={};t=0;k={}{until}", key.id, encode(&key.key)))
        }));
        if !endpoints.is_empty() {
            root += ";svc=s0";
            let text = format!("id=dwn;t=DecentralizedWebNode;se={};sig=#sig", endpoints.join(","));
            texts.push(("_s0._did".to_owned(), text));
        }
        texts.push((format!("_did.{id}"), root));
        let mut packet = pkarr::SignedPacket::builder().timestamp(seq.into());
        for (name, text) in &texts {
            let name = name.as_str().try_into().map_err(|e| format!("{name}: {e}"))?;
            let text = pkarr::dns::rdata::TXT::try_from(text.as_str()).map_err(|e| format!("{text}: {e}"))?;
            packet = packet.txt(name, text, TTL);
        }
        let signed = packet.sign(&keypair).map_err(|e| format!("the packet cannot be made: {e}"))?;
        Self::parse(&id, &signed.to_relay_payload())
    }

    /// The sequence number: of two packets of a key, the one with the larger number holds.
    pub fn seq(&self) -> u64 {
        self.signed.timestamp().into()
    }

    /// Signature, sequence number and DNS packet.
    pub fn payload(&self) -> Vec<u8> {
        self.signed.to_relay_payload().to_vec()
    }

    /// The document that the packet holds.
    pub fn document(&self, did: &Did) -> Result<Document, Error> {
        if did.method() != "dht" || did.identifier() != self.signed.public_key().to_z32() {
            return Err(did.invalid("the packet is that of another DID"));
        }
        let records: BTreeMap<_, _> = self.signed.all_resource_records().filter_map(record).collect();
        let root = records.get("").ok_or_else(|| did.invalid("its packet holds no DID document"))?;
        if !matches!(root.get("v").map(String::as_str), None | Some("0")) {
            return Err(did.invalid("its document has a version that is not 0"));
        }
        let signing: Vec<_> = ["auth", "asm"].iter().filter_map(|name| root.get(*name)).collect();
        let signs = |label: &str| signing.is_empty() || signing.iter().any(|list| list.split(',').any(|k| k == label));
        let of = |kind: char| records.iter().filter(move |(label, _)| is_numbered(label, kind));
        let methods = of('k').filter_map(|(label, fields)| {
            let (id, key) = method(did, label, fields)?;
            let signs = key.algorithm().is_some() && signs(label) && !fields.contains_key(UNTIL);
            Some(VerificationMethod { id, key, signs })
        });
        let methods = methods.collect();
        let past = of('k').filter_map(|(label, fields)| {
            let (id, key) = method(did, label, fields)?;
            let until = Timestamp::from_second(fields.get(UNTIL)?.parse().ok()?).ok()?;
            Some(PastKey { id, key, until })
        });
        let past = past.collect();
        let services = of('s').filter_map(|(_, fields)| service(did, fields)).collect();
        Ok(Document { id: did.clone(), methods, services, past })
    }
}

/// `name=value;…` of one record, under its label: `k0`, `s1`, … or nothing for the root.
fn record(record: &ResourceRecord) -> Option<(String, HashMap<String, String>)> {
    let RData::TXT(text) = &record.rdata else { return None };
    let labels: Vec<_> = record.name.get_labels().iter().map(ToString::to_string).collect();
    let label = match labels.as_slice() {
        [root, ..] if root == "_did" => String::new(),
        [label, did, ..] if did == "_did" => label.strip_prefix('_')?.to_owned(),
        _ => return None,
    };
    let text = String::try_from(text.clone()).ok()?;
    let fields = text.split(';').filter_map(|field| field.split_once('='));
    Some((label, fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
}

fn is_numbered(label: &str, kind: char) -> bool {
    label.strip_prefix(kind).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn method(did: &Did, label: &str, fields: &HashMap<String, String>) -> Option<(String, PublicKey)> {
    let bytes = decode(fields.get("k")?)?;
    let key = match fields.get("t")?.as_str() {
        "0" => PublicKey::ed25519(&bytes),
        "1" => PublicKey::secp256k1(&bytes),
        "2" => PublicKey::p256(&bytes),
        "3" => PublicKey::x25519(&bytes),
        _ => return None,
    };
    let key = key.ok()?;
    // The first key is the identity key and always called 0; others are called by name or by thumbprint.
    let name = match (label, fields.get("id")) {
        ("k0", _) => "0".to_owned(),
        (_, Some(id)) => id.trim_start_matches('#').to_owned(),
        (_, None) => thumbprint(&key),
    };
    Some((format!("{did}#{name}"), key))
}

fn service(did: &Did, fields: &HashMap<String, String>) -> Option<Service> {
    let endpoints = fields.get("se")?.split(',').map(str::to_owned).collect();
    let id = fields.get("id")?;
    let id = if id.starts_with("did:") { id.clone() } else { format!("#{}", id.trim_start_matches('#')) };
    Some(Service { id: absolute(did, &id), kind: fields.get("t")?.clone(), endpoints })
}

/// JWK thumbprint (RFC 7638): SHA-256 over the required members in lexical order.
fn thumbprint(key: &PublicKey) -> String {
    let mut jwk = key.to_jwk();
    jwk.sort_all_objects();
    encode(&Sha256::digest(jwk.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn vectors() -> Vec<Value> {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/did_dht.json")).expect("JSON");
        vectors["packets"].as_array().expect("a list").clone()
    }

    fn of(vector: &Value) -> (Did, Vec<u8>) {
        let payload = hex::decode(vector["payload"].as_str().expect("hex")).expect("hex");
        (vector["did"].as_str().expect("a DID").parse().expect("a DID"), payload)
    }

    /// Made by `tests/vectors/generate-dids.mjs`.
    #[test]
    fn packets_hold_what_js_put_into_them() {
        for vector in vectors() {
            let (did, payload) = of(&vector);
            let packet = Packet::parse(did.identifier(), &payload).expect("parses");
            assert_eq!((packet.seq(), packet.payload()), (vector["seq"].as_u64().expect("a number"), payload));
            let document = packet.document(&did).expect("a document");
            let methods: Value = document
                .methods
                .iter()
                .map(|m| json!({"id": m.id, "publicKeyJwk": m.key.to_jwk(), "signs": m.signs}))
                .collect();
            let services: Value = document
                .services
                .iter()
                .map(|s| json!({"id": s.id, "type": s.kind, "endpoints": s.endpoints}))
                .collect();
            assert_eq!((&methods, &services), (&vector["methods"], &vector["services"]), "{}", vector["name"]);
        }
    }

    #[test]
    fn a_packet_is_signed_by_its_key_in_every_bit() {
        let (all, (did, payload)) = (vectors(), of(&vectors()[0]));
        for at in (0..payload.len()).step_by(7) {
            let mut changed = payload.clone();
            changed[at] ^= 1;
            assert!(Packet::parse(did.identifier(), &changed).is_err(), "byte {at}");
        }
        let (other, _) = of(&all[1]);
        assert!(Packet::parse(other.identifier(), &payload).is_err());
        let packet = Packet::parse(did.identifier(), &payload).expect("parses");
        assert!(packet.document(&other).is_err());
        assert!(Packet::parse(did.identifier(), &vec![0; PACKET_MAX + 1]).is_err());
    }

    /// web5-js writes a P-256 key so, and cannot read it back either.
    #[test]
    fn a_key_of_a_type_that_is_none_is_passed_over() {
        let keys = pkarr::Keypair::from_secret_key(&[7; 32]);
        let did: Did = format!("did:dht:{}", keys.to_z32()).parse().expect("a DID");
        let own = encode(keys.public_key().as_bytes());
        let texts = [
            ("_did", "v=0;vm=k0,k1;auth=k0,k1".to_owned()),
            ("_k0._did", format!("t=0;k={own}")),
            ("_k1._did", format!("id=p;t=undefined;k={own};a=ES256")),
        ];
        let built = texts.iter().fold(pkarr::SignedPacket::builder(), |packet, (name, text)| {
            let text = pkarr::dns::rdata::TXT::try_from(text.as_str()).expect("a text");
            packet.txt((*name).try_into().expect("a name"), text, 1)
        });
        let payload = built.sign(&keys).expect("it is small").to_relay_payload();
        let document = Packet::parse(did.identifier(), &payload).expect("its key signed it").document(&did);
        let ids: Vec<_> = document.expect("a document").methods.into_iter().map(|method| method.id).collect();
        assert_eq!(ids, [format!("{did}#0")]);
    }

    #[test]
    fn our_own_packet_says_which_keys_sign_and_where_the_dwn_is() {
        let (identity, other) = (Secret::from([7; 32]), crate::crypto::ed25519_public(&[8; 32]));
        let did = from_ed25519(&crate::crypto::ed25519_public(identity.expose())).expect("a DID");
        let named = |id: &str, until| Named { id: id.into(), key: other, until };
        let keys = [named("sig-2", None), named("sig", Some(1_795_000_000))];
        let endpoints = ["https://a.example".to_owned(), "https://b.example".to_owned()];
        let packet = Packet::sign(&identity, &keys, &endpoints, 1_796_000_000).expect("it is small");
        assert_eq!(packet.seq(), 1_796_000_000);
        let document = packet.document(&did).expect("a document");
        let signs = |id: &str| document.key(&format!("{did}#{id}")).is_ok();
        assert!(signs("0") && signs("sig-2") && !signs("sig"));
        assert_eq!(document.methods.len(), 3);
        let past = |second| document.past_key(&format!("{did}#sig"), Timestamp::from_second(second).expect("a time"));
        assert!(past(1_794_999_999).is_some() && past(1_795_000_000).is_none());
        assert_eq!(document.endpoints("DecentralizedWebNode").collect::<Vec<_>>(), endpoints);
        let many: Vec<_> = (0..40).map(|n| named(&format!("sig-{n}"), Some(1))).collect();
        assert!(Packet::sign(&identity, &many, &[], 1).is_err(), "a packet has a bound");
    }

    #[test]
    fn an_identifier_has_one_spelling() {
        let (did, _) = of(&vectors()[0]);
        let id = did.identifier();
        assert!(is_id(id));
        for other in [id.to_uppercase(), format!("pk:{id}"), format!("x.{id}"), id[1..].into(), format!("{id}y")] {
            assert!(!is_id(&other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_published_document_is_read(seed: [u8; 32], other: [u8; 32], endpoints in prop::collection::vec("https://[a-z]{1,9}\\.example", 1..4)) {
            let keys = pkarr::Keypair::from_secret_key(&seed);
            let did: Did = format!("did:dht:{}", keys.to_z32()).parse().expect("a DID");
            let second = PublicKey::ed25519(&crate::crypto::ed25519_public(&other)).expect("a key");
            let texts = [
                ("_did", "v=0;vm=k0,k1;auth=k0;asm=k0;svc=s0".to_owned()),
                ("_k0._did", format!("t=0;k={}", encode(keys.public_key().as_bytes()))),
                ("_k1._did", format!("id=b;t=0;k={}", encode(&crate::crypto::ed25519_public(&other)))),
                ("_s0._did", format!("id=dwn;t=DecentralizedWebNode;se={}", endpoints.join(","))),
            ];
            let built = texts.iter().fold(pkarr::SignedPacket::builder(), |packet, (name, text)| {
                let text = pkarr::dns::rdata::TXT::try_from(text.as_str()).expect("a text");
                packet.txt((*name).try_into().expect("a name"), text, 1)
            });
            let payload = built.sign(&keys).expect("it is small").to_relay_payload();
            let packet = Packet::parse(did.identifier(), &payload).expect("its key signed it");
            prop_assert_eq!(packet.payload(), payload.to_vec());
            let document = packet.document(&did).expect("a document");
            let own = PublicKey::ed25519(keys.public_key().as_bytes()).expect("a key");
            prop_assert_eq!(document.key(&format!("{did}#0")), Ok(&own));
            prop_assert!(document.key(&(did.to_string() + "#b")).is_err());
            prop_assert_eq!(&document.methods[1].key, &second);
            prop_assert_eq!(document.endpoints("DecentralizedWebNode").collect::<Vec<_>>(), endpoints);
        }

        #[test]
        fn foreign_packets_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
            let (did, _) = of(&vectors()[0]);
            prop_assert!(Packet::parse(did.identifier(), &bytes).is_err());
        }

        /// A signature makes no packet harmless: its holder may sign anything.
        #[test]
        fn signed_nonsense_never_panics(dns in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
            let keys = pkarr::Keypair::from_secret_key(&[7; 32]);
            let sign = |dns: &[u8]| {
                let signable = [format!("3:seqi1e1:v{}:", dns.len()).as_bytes(), dns].concat();
                [&keys.sign(&signable).to_bytes()[..], &1_u64.to_be_bytes(), dns].concat()
            };
            let did: Did = format!("did:dht:{}", keys.to_z32()).parse().expect("a DID");
            let read = |payload: &[u8]| Packet::parse(did.identifier(), payload).map(|packet| packet.document(&did));
            let _ = read(&sign(&dns));
            for label in ["_did", "_k0._did", "_s0._did"] {
                let txt = pkarr::dns::rdata::TXT::try_from(text.as_str()).expect("a text");
                let name = label.try_into().expect("a name");
                let built = pkarr::SignedPacket::builder().txt(name, txt, 1).sign(&keys);
                if let Ok(packet) = built {
                    let _ = read(&packet.to_relay_payload());
                }
            }
        }
    }
}
