//! Recovery phrases (BIP-39, English): words that a person can write down, and the seed that follows from them.

use bip39::{Language, Mnemonic};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of randomness behind a phrase of twelve words.
const ENTROPY: usize = 16;
/// Bytes of the longest phrase that is read: 24 words of 8 letters, with room for spaces.
const TEXT_MAX: usize = 512;

/// Why a phrase is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a recovery phrase has 12, 15, 18, 21 or 24 words, this one has {0}")]
    Count(usize),
    #[error("word {0} is not one of the 2048 words of recovery phrases: look for a slip of the pen")]
    Word(usize),
    #[error(
        "each word is right, but not all of them together: one is another than was written down, or two are swapped"
    )]
    Checksum,
    #[error("a recovery phrase is 12 to 24 English words")]
    Text,
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// A recovery phrase. Wiped when it is given up.
pub struct Phrase(Mnemonic);

impl Phrase {
    /// A new one, of twelve words.
    pub fn random() -> Result<Self, Error> {
        let mut entropy = Zeroizing::new([0; ENTROPY]);
        getrandom::fill(entropy.as_mut_slice()).map_err(|_| Error::Randomness)?;
        Mnemonic::from_entropy_in(Language::English, entropy.as_slice()).map(Self).map_err(|_| Error::Text)
    }

    /// The phrase in these words, however they are spaced and capitalised.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > TEXT_MAX {
            return Err(Error::Text);
        }
        let mut words = Zeroizing::new(String::with_capacity(TEXT_MAX));
        for word in text.split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        }
        Mnemonic::parse_in_normalized(Language::English, &words).map(Self).map_err(|error| match error {
            bip39::Error::BadWordCount(count) => Error::Count(count),
            bip39::Error::UnknownWord(at) => Error::Word(at + 1),
            bip39::Error::InvalidChecksum => Error::Checksum,
            _ => Error::Text,
        })
    }

    /// The words, with a space between two.
    pub fn words(&self) -> Zeroizing<String> {
        let mut words = Zeroizing::new(String::with_capacity(TEXT_MAX));
        for word in self.0.words() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        words
    }

    /// The 64 bytes that all keys of the phrase are derived from: no further passphrase, as web5 has none.
    pub fn seed(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_seed_normalized(""))
    }

    /// The root of its keys.
    pub fn root(&self) -> super::slip10::Node {
        super::slip10::Node::root(self.seed().as_slice())
    }
}

impl Drop for Phrase {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phrase(…)")
    }
}

/// The keys that web5's identity vault derives from a phrase: the node whose children are an identity's keys.
pub fn web5_account(root: super::slip10::Node) -> super::slip10::Node {
    root.descend(&[44, 0, 1_708_523_827, 0])
}

/// The Ed25519 seed of web5's vault key, which no identity of ours uses.
#[cfg(test)]
fn web5_vault(root: super::slip10::Node) -> super::secret::Secret {
    root.descend(&[44, 0, 0, 0, 0]).into_parts().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Made by `tests/vectors/generate-recovery.mjs`.
    #[test]
    fn web5_derives_the_same_keys() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../tests/vectors/recovery_phrases.json")).expect("JSON");
        for case in vectors["phrases"].as_array().expect("a list") {
            let phrase = Phrase::parse(case["phrase"].as_str().expect("text")).expect("a phrase");
            assert_eq!(phrase.words().as_str(), case["phrase"]);
            let account = web5_account(phrase.root());
            let hex = |secret: &super::super::secret::Secret| Value::from(hex::encode(secret.expose()));
            assert_eq!(hex(&web5_vault(phrase.root())), case["keys"]["m/44'/0'/0'/0'/0'"]);
            assert_eq!(hex(account.child(0).key()), case["keys"]["m/44'/0'/1708523827'/0'/0'"]);
            assert_eq!(hex(account.child(1).key()), case["keys"]["m/44'/0'/1708523827'/0'/1'"]);
        }
    }

    #[test]
    fn a_wrong_phrase_says_what_is_wrong_and_none_is_shown() {
        let good = "legal winner thank year wave sausage worth useful legal winner thank yellow";
        let error = |text: &str| Phrase::parse(text).expect_err("is none");
        assert_eq!(error("legal winner"), Error::Count(2));
        assert_eq!(error(&good.replace("wave", "weve")), Error::Word(5));
        assert_eq!(error(&good.replace("yellow", "legal")), Error::Checksum);
        assert_eq!(error(&"a".repeat(10_000)), Error::Text);
        assert_eq!(error(""), Error::Count(0));
        let odd = Phrase::parse(&format!("  {} ", good.replace(' ', "\n ").to_uppercase())).expect("the same");
        assert_eq!(odd.words().as_str(), good);
        assert_eq!(format!("{odd:?}"), "Phrase(…)");
        let (a, b) = (Phrase::random().expect("randomness"), Phrase::random().expect("randomness"));
        assert!(a.words() != b.words() && a.words().split(' ').count() == 12);
    }
}
