//! Seam for `crate::fuzzing`: the keystore's file, and what is sealed in it.

use super::{
    keystore::{Keystore, Opening},
    secrets::{Keys, Secrets},
};
use crate::crypto::Secret;
use serde_json::{Value, json};

fn key(n: u8) -> Secret {
    Secret::from([n; 32])
}

fn some() -> Secrets {
    Secrets::new(Keys::of_did_key(key(1), "2026-11-29T09:00:00.000000Z".into())).expect("made")
}

/// A keystore. It is opened with a key alone: a passphrase costs what it is meant to.
pub(crate) fn keystore(bytes: &[u8]) -> bool {
    let Ok(read) = Keystore::parse(bytes) else { return false };
    let written = read.to_bytes().expect("it is plain data");
    let again = Keystore::parse(&written).expect("what was written is read");
    assert_eq!(again.to_bytes().expect("it is plain data"), written);
    if let Ok(Some((secrets, master))) = read.open(&Opening::File(&key(7))) {
        let mut again = again;
        again.seal(&secrets, &master).expect("seals");
    }
    true
}

/// One that the key opens, and one that a passphrase may open, too.
pub(crate) fn keystores() -> Vec<Vec<u8>> {
    let keystore = Keystore::new(&some(), &Opening::File(&key(7))).expect("made");
    let bytes = keystore.to_bytes().expect("it is plain data");
    let mut more: Value = serde_json::from_slice(&bytes).expect("JSON");
    let kdf = json!({"name": "argon2id", "m": 65536, "t": 3, "p": 1, "salt": "AAAAAAAAAAAAAAAAAAAAAA"});
    if let Some(slots) = more["slots"].as_array_mut() {
        slots.insert(0, json!({"kind": "passphrase", "kdf": kdf, "wrapped": "AAAA"}));
    }
    vec![bytes, more.to_string().into_bytes()]
}

/// What is sealed, as today's toft writes it or the first one did.
pub(crate) fn secrets(bytes: &[u8]) -> bool {
    let read = Secrets::from_text(bytes).or_else(|_| Secrets::from_first(bytes));
    let Ok(read) = read else { return false };
    let own = read.own();
    let _ = own.public();
    let written = read.to_text().expect("it is plain data");
    let again = Secrets::from_text(&written).expect("what was written is read");
    assert_eq!(again.to_text().expect("it is plain data"), written);
    true
}

pub(crate) fn texts() -> Vec<Vec<u8>> {
    let first = json!({"version": 1, "identity": vec![1; 32], "peer": vec![2; 32], "anchor": vec![3; 32]});
    vec![some().to_text().expect("it is plain data").to_vec(), first.to_string().into_bytes()]
}
