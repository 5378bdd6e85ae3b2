//! Seam for `crate::fuzzing`: manifests, signed by whoever made them.

use super::manifest;
use crate::{
    crypto::{Signer, ed25519_public, jws::Jws},
    did::key,
};
use serde_json::json;
use zeroize::Zeroizing;

const SEED: [u8; 32] = [9; 32];

/// The content of a manifest under a signature that holds; and the bytes as a whole file.
pub(crate) fn manifest(bytes: &[u8]) -> bool {
    let _ = manifest::parse(bytes);
    let signer = Signer::new(Zeroizing::new(SEED), key::kid(&key::from_ed25519(&ed25519_public(&SEED))));
    let sign = |bytes: &[u8]| Jws::sign(bytes, &signer).expect("signs").to_string().into_bytes();
    let Ok(read) = manifest::parse(&sign(bytes)) else { return false };
    for file in &read.files {
        assert!(!file.path.starts_with('/') && !file.path.split('/').any(|part| part == ".."), "{}", file.path);
        assert!(manifest::object("d".as_ref(), &file.sha256).starts_with("d/objects"));
    }
    let once = serde_json::to_vec(&read).expect("it is plain data");
    assert_eq!(manifest::parse(&sign(&once)).expect("what was written is read"), read);
    true
}

/// A manifest's content.
pub(crate) fn manifests() -> Vec<Vec<u8>> {
    let did = key::from_ed25519(&ed25519_public(&SEED));
    let manifest = json!({
        "version": manifest::VERSION, "did": did.as_str(), "created": "2026-11-21T10:00:00Z", "log_end": 9,
        "stats": {"records": 1, "messages": 2, "blocks": 3, "bytes": 4},
        "files": [{"path": "store/log/00000000000000000000.log", "size": 9, "sha256": "ab".repeat(32)}],
    });
    vec![manifest.to_string().into_bytes()]
}
