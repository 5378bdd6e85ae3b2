//! The root key of an identity's records: what private data is encrypted to.
//!
//! It is derived from what never changes of an identity (of a did:dht the account that its recovery words bring back, else the seed that
//! the DID is), so it is stored nowhere, survives a change of the key that signs, and comes back with the identity.

use crate::{
    crypto::{
        Secret,
        hd::{Error, root_secret},
    },
    vault::Keys,
};

/// Nothing else is derived under it. Another label would be another key: what was encrypted before would not open.
const LABEL: &str = "toft/records/1";

/// DID URL of the root key. No document has it: who encrypts to its owner finds the keys in the owner's protocols.
pub fn root_key_id(did: &str) -> String {
    format!("{did}#toft-records")
}

/// The secret of the root key.
pub fn root(keys: &Keys) -> Result<Secret, Error> {
    root_secret(keys.account.as_ref().map_or(&keys.seed, |account| &account.key), LABEL)
}

#[cfg(test)]
mod tests {
    use super::super::{
        Method,
        make::{new, of_phrase, rotate},
    };
    use super::*;
    use crate::crypto::phrase::Phrase;

    const NOW: &str = "2026-11-29T09:00:00.000000Z";

    #[test]
    fn it_stays_when_the_key_that_signs_changes_and_comes_back_with_the_words() {
        let phrase = Phrase::random().expect("randomness");
        let mut keys = of_phrase(&phrase, NOW).expect("keys");
        let (before, signed) = (root(&keys).expect("derives"), *keys.seed.expose());
        rotate(&mut keys, true, NOW).expect("rotates");
        assert_ne!(keys.seed.expose(), &signed);
        assert_eq!(root(&keys).expect("derives").expose(), before.expose());
        assert_eq!(root(&of_phrase(&phrase, NOW).expect("keys")).expect("derives").expose(), before.expose());
    }

    #[test]
    fn each_identity_has_its_own_and_it_is_none_of_the_other_keys() {
        for method in [Method::Key, Method::Jwk, Method::Dht] {
            let [one, other] = [(); 2].map(|()| new(method, NOW).expect("made").keys);
            let root = |keys: &Keys| *super::root(keys).expect("derives").expose();
            assert_ne!(root(&one), root(&other));
            assert_ne!(&root(&one), one.seed.expose());
        }
    }
}
