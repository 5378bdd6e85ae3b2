//! Seam for `crate::fuzzing`: an exported identity's file, and what is sealed in it.

use super::export::{keys_in, parse};
use crate::{
    crypto::Secret,
    vault::{Kdf, Keys, to_text},
};
use serde_json::{Value, json};

/// A file: it is not opened, because a passphrase costs what it is meant to. Or what a passphrase opens.
pub(crate) fn export(bytes: &[u8]) -> bool {
    let file = std::str::from_utf8(bytes).ok().and_then(|text| parse(text).ok());
    if let Some(file) = &file {
        let written = serde_json::to_string(file).expect("it is plain data");
        let again = parse(&written).expect("what was written is read");
        assert_eq!(again.header.did, file.header.did);
        assert_eq!(serde_json::to_string(&again).expect("it is plain data"), written);
    }
    let did = serde_json::from_slice::<Value>(bytes).ok().and_then(|json| Some(json["did"].as_str()?.to_owned()));
    let keys = did.and_then(|did| keys_in(bytes, &did).ok());
    if let Some(keys) = &keys {
        let written = to_text(keys).expect("it is plain data");
        let again = keys_in(&written, &keys.did).expect("what was written is read");
        assert_eq!(to_text(&again).expect("it is plain data"), written);
    }
    file.is_some() || keys.is_some()
}

pub(crate) fn exports() -> Vec<Vec<u8>> {
    let keys = Keys::of_did_key(Secret::from([1; 32]), "2026-11-29T09:00:00.000000Z".into());
    let file = json!({"toft-identity": 1, "did": keys.did, "kdf": Kdf::new().expect("made"), "sealed": "AAAA"});
    vec![file.to_string().into_bytes(), to_text(&keys).expect("it is plain data").to_vec()]
}
