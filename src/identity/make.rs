//! Keys of new identities, of recovered ones, and the next keys of one.

use super::method::Method;
use crate::{
    crypto::{
        PublicKey, Secret, Signer, decode, ed25519_public,
        phrase::{Phrase, web5_account},
        slip10,
    },
    did::{
        dht::{self, Named, Packet},
        jwk,
    },
    vault::{Account, Keys, Past},
};
use anyhow::{Context as _, Error, anyhow, bail};

/// The child of an account that the DID is.
const IDENTITY: u32 = 0;
/// The child that signs first, as web5 has it.
const FIRST: u32 = 1;
/// Keys of one identity, one after the other.
const ROTATIONS_MAX: u32 = 1000;

/// A new identity, and the words that bring it back, if there are such.
#[derive(Debug)]
pub struct Made {
    pub keys: Keys,
    pub phrase: Option<Phrase>,
}

/// What signs with the keys of one identity.
pub fn signer(keys: &Keys) -> Signer {
    Signer::of(&keys.seed, |_| keys.kid.clone())
}

/// Now, as DWN writes times.
pub fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

/// Makes an identity.
pub fn new(method: Method, now: &str) -> Result<Made, Error> {
    let random = || Secret::random().map_err(|e| anyhow!("the operating system gave no randomness: {e}"));
    Ok(match method {
        Method::Key => Made { keys: Keys::of_did_key(random()?, now.into()), phrase: None },
        Method::Jwk => Made { keys: of_jwk(random()?, now)?, phrase: None },
        Method::Dht => {
            let phrase = Phrase::random()?;
            Made { keys: of_phrase(&phrase, now)?, phrase: Some(phrase) }
        }
    })
}

fn of_jwk(seed: Secret, now: &str) -> Result<Keys, Error> {
    let did = jwk::of(&PublicKey::ed25519(&ed25519_public(seed.expose()))?);
    Ok(Keys { kid: format!("{did}#0"), did: did.to_string(), created: now.into(), seed, account: None, past: vec![] })
}

/// The did:dht of a recovery phrase, as web5 derives it, with its first signing key.
pub fn of_phrase(phrase: &Phrase, now: &str) -> Result<Keys, Error> {
    let account = web5_account(phrase.root());
    let did = dht::from_ed25519(&ed25519_public(account.child(IDENTITY).key().expose())).map_err(Error::msg)?;
    let (seed, _) = account.child(FIRST).into_parts();
    let (key, chain) = account.into_parts();
    let account = Some(Account { key, chain, index: FIRST });
    Ok(Keys { kid: kid(did.as_str(), FIRST), did: did.to_string(), created: now.into(), seed, account, past: vec![] })
}

/// Goes on to the signing key that a document of the DID names: one of another device, or of before it was lost. Keys before it
/// count as past ones, until the time that the document gives for them, or now.
pub fn catch_up(keys: &mut Keys, document: &crate::did::Document, now: &str) -> Result<(), Error> {
    let from = keys.account.as_ref().context("only a did:dht has keys that follow one another")?.index;
    let named = (from..=FIRST + ROTATIONS_MAX).find(|&index| document.key(&kid(&keys.did, index)).is_ok());
    let to =
        named.with_context(|| format!("the document of {} names none of its keys from {} on", keys.did, keys.kid))?;
    for _ in from..to {
        let until = document.past.iter().find(|past| past.id == keys.kid).map(|past| past.until.to_string());
        rotate(keys, false, &until.unwrap_or_else(|| now.into()))?;
    }
    Ok(())
}

/// Signs with the next key from `now` on.
pub fn rotate(keys: &mut Keys, compromised: bool, now: &str) -> Result<(), Error> {
    let before = Past { kid: keys.kid.clone(), public: keys.public(), until: now.into(), compromised };
    let account = keys.account.as_mut().with_context(|| cannot_rotate(&keys.did))?;
    let index = account.index + 1;
    if index > FIRST + ROTATIONS_MAX {
        bail!("{} has had {ROTATIONS_MAX} keys; there are no more", keys.did);
    }
    // Both halves are copied within memory that is wiped.
    let node = |secret: &Secret| Secret::from_slice(secret.expose()).context("32 bytes");
    let account_node = slip10::Node::new(node(&account.key)?, node(&account.chain)?);
    keys.seed = account_node.child(index).into_parts().0;
    account.index = index;
    keys.kid = kid(&keys.did, index);
    keys.past.push(before);
    Ok(())
}

/// What to do where a key cannot be replaced.
pub fn cannot_rotate(did: &str) -> String {
    format!(
        "{did} is its key, which no other can take the place of. Make an identity that can change its keys (toft id new --method dht) \
         and move to it (toft id use); {did} stays a tenant here, and its records stay under it"
    )
}

/// The packet that says which keys a did:dht has: the one that signs, and as many of the past ones as fit, the newest first.
pub fn packet(keys: &Keys, endpoints: &[String], seq: u64) -> Result<Option<Packet>, Error> {
    let Some(account) = &keys.account else { return Ok(None) };
    let node = |secret: &Secret| Secret::from_slice(secret.expose()).context("32 bytes");
    let identity = slip10::Node::new(node(&account.key)?, node(&account.chain)?).child(IDENTITY);
    let fragment = |kid: &str| kid.rsplit('#').next().unwrap_or_default().to_owned();
    let current = Named { id: fragment(&keys.kid), key: ed25519_public(keys.seed.expose()), until: None };
    let past = keys.past.iter().rev().filter(|past| !past.compromised).map(|past| {
        let until: jiff::Timestamp = past.until.parse().context("a time")?;
        // Whole seconds, and never too few: what was signed a moment before counts.
        Ok(Named { id: fragment(&past.kid), key: public(past)?, until: Some(until.as_second() + 1) })
    });
    let mut named = vec![current];
    named.extend(past.collect::<Result<Vec<_>, Error>>()?);
    loop {
        match Packet::sign(identity.key(), &named, endpoints, seq) {
            Ok(packet) => return Ok(Some(packet)),
            Err(why) if named.len() == 1 => return Err(anyhow!("{}: {why}", keys.did)),
            Err(_) => named.truncate(named.len() - 1),
        }
    }
}

/// The public key of one that has signed before.
pub fn public(past: &Past) -> Result<[u8; 32], Error> {
    decode(&past.public).and_then(|bytes| bytes.try_into().ok()).with_context(|| format!("the key {}", past.kid))
}

fn kid(did: &str, index: u32) -> String {
    if index == FIRST { format!("{did}#sig") } else { format!("{did}#sig-{index}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const NOW: &str = "2026-11-29T09:00:00.000000Z";

    /// Made by `tests/vectors/generate-recovery.mjs`.
    #[test]
    fn a_phrase_of_web5_gives_the_same_did_and_keys() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../tests/vectors/recovery_phrases.json")).expect("JSON");
        for case in vectors["phrases"].as_array().expect("a list") {
            let phrase = Phrase::parse(case["phrase"].as_str().expect("text")).expect("a phrase");
            let keys = of_phrase(&phrase, NOW).expect("keys");
            assert_eq!((&*keys.did, &*keys.kid), (case["did"].as_str().expect("text"), &*format!("{}#sig", keys.did)));
            let packet = packet(&keys, &[], 1).expect("fits").expect("is a did:dht");
            let document = packet.document(&keys.did.parse().expect("a DID")).expect("a document");
            for (ours, theirs) in document.methods.iter().zip(case["verificationMethod"].as_array().expect("a list")) {
                assert_eq!(
                    (&*ours.id, &ours.key.to_jwk()["x"]),
                    (theirs["id"].as_str().expect("text"), &theirs["publicKeyJwk"]["x"])
                );
            }
        }
    }

    #[test]
    fn each_method_makes_an_identity_whose_document_names_its_key() {
        for (method, prefix) in [(Method::Key, "did:key:z6Mk"), (Method::Jwk, "did:jwk:"), (Method::Dht, "did:dht:")] {
            let Made { keys, phrase } = new(method, NOW).expect("made");
            assert!(keys.did.starts_with(prefix) && keys.kid.starts_with(&keys.did), "{}", keys.did);
            assert_eq!((phrase.is_some(), Method::of(&keys.did)), (method == Method::Dht, Some(method)));
            let did: crate::did::Did = keys.did.parse().expect("a DID");
            let document = match packet(&keys, &[], 1).expect("fits") {
                Some(packet) => packet.document(&did).expect("a document"),
                None => did.document().expect("a document"),
            };
            let key = PublicKey::ed25519(&ed25519_public(keys.seed.expose())).expect("a key");
            assert_eq!(document.key(&keys.kid), Ok(&key));
        }
    }

    #[test]
    fn keys_follow_one_another_and_the_packet_tells_as_many_as_fit() {
        let mut keys = new(Method::Dht, NOW).expect("made").keys;
        let first = keys.public();
        rotate(&mut keys, true, "2026-11-30T09:00:00.000000Z").expect("rotates");
        for day in 1..=30 {
            rotate(&mut keys, false, &format!("2026-12-{day:02}T09:00:00.000000Z")).expect("rotates");
        }
        assert_eq!((keys.past.len(), &keys.past[0].public), (31, &first));
        assert_eq!(keys.kid, format!("{}#sig-32", keys.did));
        let endpoints = ["https://node.example".to_owned()];
        let packet = packet(&keys, &endpoints, 1).expect("fits").expect("is a did:dht");
        let document = packet.document(&keys.did.parse().expect("a DID")).expect("a document");
        assert!(document.key(&keys.kid).is_ok() && document.endpoints("DecentralizedWebNode").count() == 1);
        assert!(document.past.len() >= 4, "{} past keys fit", document.past.len());
        assert_eq!(document.past[0].id, keys.past[30].kid, "the newest come first");
        let day = |day: u32| format!("2026-12-{day:02}T08:59:59.000000Z").parse().expect("a time");
        assert!(document.past_key(&keys.past[30].kid, day(30)).is_some());
        assert!(document.past_key(&keys.past[30].kid, day(31)).is_none(), "it does not sign any more");
        assert!(document.key(&keys.past[30].kid).is_err());
    }

    #[test]
    fn who_recovers_goes_on_with_the_key_that_the_document_names() {
        let phrase = Phrase::random().expect("randomness");
        let mut lost = of_phrase(&phrase, NOW).expect("keys");
        for _ in 0..3 {
            rotate(&mut lost, false, NOW).expect("rotates");
        }
        let packet = packet(&lost, &[], 1).expect("fits").expect("is a did:dht");
        let document = packet.document(&lost.did.parse().expect("a DID")).expect("a document");
        let mut back = of_phrase(&phrase, NOW).expect("keys");
        catch_up(&mut back, &document, NOW).expect("finds it");
        assert_eq!((&back.kid, back.seed.expose(), back.past.len()), (&lost.kid, lost.seed.expose(), 3));
        let mut other = new(Method::Dht, NOW).expect("made").keys;
        assert!(catch_up(&mut other, &document, NOW).is_err());
    }

    #[test]
    fn a_did_key_does_not_rotate_and_says_what_to_do() {
        let mut keys = new(Method::Key, NOW).expect("made").keys;
        let error = rotate(&mut keys, false, NOW).expect_err("cannot").to_string();
        assert!(error.contains("toft id new --method dht") && error.contains("stays a tenant"), "{error}");
        assert!(keys.past.is_empty());
    }
}
