//! Seam for `crate::fuzzing`: DIDs, documents, and did:dht packets under a signature that holds.

use super::{Did, DidUrl, Document, dht, is_did_or_url, web};
use crate::crypto::PublicKey;

/// A DID or DID URL, and the document it carries.
pub(crate) fn did(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    if let Ok(url) = text.parse::<DidUrl>() {
        assert_eq!(url.to_string(), text);
        assert!(is_did_or_url(text));
        let _ = super::key_of(text);
    }
    let Ok(did) = text.parse::<Did>() else { return false };
    assert_eq!(format!("did:{}:{}", did.method(), did.identifier()), text);
    if let Ok(place) = web::location(&did) {
        assert!(!place.authority().contains('@') && place.path.starts_with('/') && !place.path.contains(".."));
    }
    if let Ok(document) = did.document() {
        check(&did, &document);
    }
    true
}

/// The document of a did:web.
pub(crate) fn document(bytes: &[u8]) -> bool {
    let did: Did = "did:web:a.example".parse().expect("a DID");
    Document::from_json(&did, bytes).map(|document| check(&did, &document)).is_ok()
}

fn check(did: &Did, document: &Document) {
    for method in &document.methods {
        assert!(method.id.starts_with(&format!("{did}#")), "{}", method.id);
        assert_eq!(PublicKey::from_jwk(&method.key.to_jwk()).as_ref(), Ok(&method.key));
        let _ = document.key(&method.id);
    }
}

/// A packet as it is, and its bytes taken as the DNS packet of a key that signs anything.
pub(crate) fn packet(bytes: &[u8]) -> bool {
    let (did, payload) = signed(bytes);
    let _ = dht::Packet::parse(did.identifier(), bytes);
    let Ok(packet) = dht::Packet::parse(did.identifier(), &payload) else { return false };
    assert_eq!(dht::Packet::parse(did.identifier(), &packet.payload()).map(|p| p.seq()), Ok(packet.seq()));
    packet.document(&did).map(|document| check(&did, &document)).is_ok()
}

/// A DID, and a packet of it with these bytes as value.
pub(crate) fn signed(dns: &[u8]) -> (Did, Vec<u8>) {
    let keys = pkarr::Keypair::from_secret_key(&[7; 32]);
    let signable = [format!("3:seqi1e1:v{}:", dns.len()).as_bytes(), dns].concat();
    let payload = [&keys.sign(&signable).to_bytes()[..], &1_u64.to_be_bytes(), dns].concat();
    (format!("did:dht:{}", keys.to_z32()).parse().expect("a DID"), payload)
}

/// The DNS packet of a document.
pub(crate) fn packets() -> Vec<Vec<u8>> {
    let keys = pkarr::Keypair::from_secret_key(&[7; 32]);
    let texts = [
        ("_did", "v=0;vm=k0,k1;auth=k0;asm=k0;agm=k1;svc=s0"),
        ("_k0._did", "t=0;k=6kpsY-KcUgq-9VB7Ey7F-ZVHdq69-vnuSQh7qaRRG0w"),
        ("_k1._did", "id=enc;t=1;k=A2lNF8GF4mGGs0EBXsdTYnXhMj8f_QhVSqjcwXbGGhK1;a=ES256K"),
        ("_s0._did", "id=dwn;t=DecentralizedWebNode;se=https://a.example,https://b.example;enc=#enc"),
    ];
    let built = texts.iter().try_fold(pkarr::SignedPacket::builder(), |packet, (name, text)| {
        let text = pkarr::dns::rdata::TXT::try_from(*text).ok()?;
        Some(packet.txt((*name).try_into().ok()?, text, 7200))
    });
    let packet = built.expect("names and texts").sign(&keys).expect("it is small");
    vec![packet.to_relay_payload()[72..].to_vec()]
}
