//! What one device shows and another is given, so that they find each other: one word.
//!
//! Base32 without padding of: 1 (the version), 16 bytes of secret, the peer id with its length, up to three places with
//! theirs, and the first 4 bytes of the SHA-256 of all that, which notices what was typed wrong. The secret has 128 bits: it
//! cannot be guessed, so no key agreement for weak passwords is needed (decision 26).

use crate::net;
use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// Places that a code names.
pub const PLACES_MAX: usize = 3;
/// Characters of the longest code that is looked at.
const TEXT_MAX: usize = 1_024;
const CHECK: usize = 4;

/// A code of an offer.
#[derive(Clone)]
pub struct Code {
    pub secret: Zeroizing<[u8; 16]>,
    /// Multiaddrs of the device that offers, each ending in its peer id.
    pub addresses: Vec<String>,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// What is wrong with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCode {
    #[error("this is no code for pairing: toft pair, on the other device, prints one that is right")]
    Shape,
    #[error("a letter of the code is wrong or missing: copy the whole line that toft pair prints")]
    Typed,
    #[error("the code is of version {0}, which this toft does not know: it needs a newer one")]
    Version(u8),
}

impl Code {
    /// With the first addresses that are right, of one peer. `None`: none is.
    pub fn new(secret: Zeroizing<[u8; 16]>, addresses: &[String]) -> Option<Self> {
        let (first, _) = addresses.iter().find_map(|address| net::packed(address))?;
        let is_its = |address: &&String| net::packed(address).is_some_and(|(peer, _)| peer == first);
        let its = || addresses.iter().filter(is_its);
        // A relay has the last place: through it a device is found that is nowhere near.
        let relay = its().find(|address| is_circuit(address));
        let direct = its().filter(|address| !is_circuit(address)).take(PLACES_MAX - usize::from(relay.is_some()));
        let addresses = direct.chain(relay).cloned().collect();
        Some(Self { secret, addresses })
    }

    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(vec![VERSION]);
        bytes.extend(self.secret.iter());
        let packed: Vec<_> = self.addresses.iter().filter_map(|address| net::packed(address)).collect();
        let peer = packed.first().map(|(peer, _)| peer.as_slice()).unwrap_or_default();
        for part in std::iter::once(peer).chain(packed.iter().map(|(_, place)| place.as_slice())) {
            bytes.push(u8::try_from(part.len()).unwrap_or(u8::MAX)); // an address is short: net made it of a text
            bytes.extend(part);
        }
        let check = Sha256::digest(&*bytes);
        bytes.extend(&check[..CHECK]);
        bytes
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.bytes()).to_lowercase())
    }
}

impl FromStr for Code {
    type Err = NoCode;

    /// Capital letters are as good as small ones, and spaces and hyphens are passed over.
    fn from_str(text: &str) -> Result<Self, NoCode> {
        if text.len() > TEXT_MAX {
            return Err(NoCode::Shape);
        }
        let text: Zeroizing<String> = Zeroizing::new(
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect(),
        );
        if text.is_empty() || !text.chars().all(|c| matches!(c, 'A'..='Z' | '2'..='7')) {
            return Err(NoCode::Shape);
        }
        // Letters that are missing can leave a length that base32 has not.
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| NoCode::Typed)?);
        let (body, check) = bytes.split_last_chunk::<CHECK>().ok_or(NoCode::Typed)?;
        if Sha256::digest(body)[..CHECK] != *check {
            return Err(NoCode::Typed);
        }
        let (version, rest) = body.split_first().ok_or(NoCode::Shape)?;
        if *version != VERSION {
            return Err(NoCode::Version(*version));
        }
        let (secret, mut rest) = rest.split_first_chunk::<16>().ok_or(NoCode::Shape)?;
        let peer = part(&mut rest).ok_or(NoCode::Shape)?;
        let mut addresses = Vec::new();
        while !rest.is_empty() {
            let place = part(&mut rest).ok_or(NoCode::Shape)?;
            addresses.push(net::unpacked(peer, place.to_vec()).ok_or(NoCode::Shape)?);
        }
        match addresses.len() {
            1..=PLACES_MAX => Ok(Self { secret: Zeroizing::new(*secret), addresses }),
            _ => Err(NoCode::Shape),
        }
    }
}

fn is_circuit(address: &str) -> bool {
    address.contains("/p2p-circuit")
}

/// The next part, with its length before it.
fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first()?;
    let (part, after) = after.split_at_checked(usize::from(*length))?;
    *rest = after;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
    const OTHER: &str = "12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay";

    fn code() -> Code {
        let at = |place: &str| format!("{place}/p2p/{PEER}");
        let elsewhere = format!("/ip4/192.0.2.9/tcp/1/p2p/{OTHER}");
        let addresses = [
            at("/ip4/192.0.2.7/tcp/4001"),
            elsewhere,
            "no address".into(),
            at("/dns4/a.example/tcp/1"),
            at("/ip6/::1/udp/9/quic-v1"),
            at("/ip4/9.9.9.9/tcp/4"),
        ];
        Code::new(Zeroizing::new([7; 16]), &addresses).expect("addresses")
    }

    #[test]
    fn a_code_is_read_as_it_was_written_however_it_is_typed() {
        let code = code();
        assert_eq!(code.addresses.len(), PLACES_MAX);
        let text = code.to_string();
        assert!(text.len() < 220, "{} letters", text.len());
        let spaced: String = text.chars().flat_map(|c| [c.to_ascii_uppercase(), ' ', '-', '\n']).collect();
        for text in [text, spaced] {
            let read: Code = text.parse().expect("a code");
            assert_eq!((&*read.secret, &read.addresses), (&*code.secret, &code.addresses));
        }
    }

    #[test]
    fn a_relay_has_a_place_however_many_addresses_there_are() {
        let at = |n: u8| format!("/ip4/192.0.2.{n}/tcp/4001/p2p/{PEER}");
        let circuit = format!("/ip4/9.9.9.9/tcp/1/p2p/{OTHER}/p2p-circuit/p2p/{PEER}");
        let addresses = [at(1), at(2), at(3), circuit.clone()];
        let code = Code::new(Zeroizing::new([7; 16]), &addresses).expect("addresses");
        assert_eq!(code.addresses, [at(1), at(2), circuit]);
    }

    #[test]
    fn what_is_typed_wrong_is_noticed() {
        let text = code().to_string();
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'a' { "b" } else { "a" };
            let wrong = [&text[..at], other, &text[at + 1..]].concat();
            assert!(wrong.parse::<Code>().is_err(), "letter {at}");
            assert!(text[..at].parse::<Code>().is_err(), "the first {at}");
        }
        for (not, why) in
            [("", NoCode::Shape), (PEER, NoCode::Shape), ("abc", NoCode::Typed), (&"a".repeat(2_000), NoCode::Shape)]
        {
            assert_eq!(not.parse::<Code>().expect_err("no code"), why, "{not}");
        }
    }

    #[test]
    fn a_code_of_a_later_version_says_so() {
        let mut bytes = vec![9, 1, 2];
        let check = Sha256::digest(&bytes);
        bytes.extend(&check[..CHECK]);
        assert_eq!(BASE32_NOPAD.encode(&bytes).parse::<Code>().expect_err("not known"), NoCode::Version(9));
    }
}
