//! How two devices show each other that both know the secret of a code, and what people compare.
//!
//! All that both said goes into it: who changes a word on the way, or stands between two streams, is noticed.

use crate::crypto::Transcript;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Name of the protocol on libp2p streams.
pub const PROTOCOL: &str = "/toft/pair/1.0.0";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Has made the offer.
    Gives,
    /// Was given the code.
    Joins,
}

/// What one of the two said of itself.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub did: &'a str,
    pub name: &'a str,
    /// Its libp2p peer id, which the connection has proved.
    pub peer: &'a str,
    pub nonce: &'a [u8],
}

/// What the two said, by the device that gives and the one that joins.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub gives: Side<'a>,
    pub joins: Side<'a>,
}

impl Said<'_> {
    fn mac(&self, secret: &[u8; 16], purpose: &[u8]) -> Hmac<Sha256> {
        let transcript = [self.gives, self.joins].into_iter().fold(Transcript::new(PROTOCOL), |all, side| {
            all.with(side.did.as_bytes()).with(side.name.as_bytes()).with(side.peer.as_bytes()).with(side.nonce)
        });
        let mut mac = Hmac::new_from_slice(secret).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(transcript.with(purpose).as_bytes());
        mac
    }

    /// What shows that this end knows the secret.
    pub fn proof(&self, secret: &[u8; 16], of: Role) -> Vec<u8> {
        self.mac(secret, name(of)).finalize().into_bytes().to_vec()
    }

    /// Does the other end know it? In the same time for every answer.
    pub fn proves(&self, secret: &[u8; 16], of: Role, proof: &[u8]) -> bool {
        self.mac(secret, name(of)).verify_slice(proof).is_ok()
    }

    /// Six digits that are the same on both devices, and on no third.
    pub fn digits(&self, secret: &[u8; 16]) -> String {
        let bytes = self.mac(secret, b"digits").finalize().into_bytes();
        let number = bytes.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:06}", number % 1_000_000)
    }
}

fn name(role: Role) -> &'static [u8] {
    match role {
        Role::Gives => b"gives",
        Role::Joins => b"joins",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side<'a>(did: &'a str, peer: &'a str, nonce: &'a [u8]) -> Side<'a> {
        Side { did, name: "a name", peer, nonce }
    }

    #[test]
    fn a_proof_is_good_for_these_two_this_once_and_this_end() {
        let (gives, joins) = (side("did:a", "A", &[1; 32]), side("did:b", "B", &[2; 32]));
        let said = Said { gives, joins };
        let proof = said.proof(&[7; 16], Role::Joins);
        assert!(said.proves(&[7; 16], Role::Joins, &proof));
        assert!(!said.proves(&[8; 16], Role::Joins, &proof), "another secret");
        assert!(!said.proves(&[7; 16], Role::Gives, &proof), "sent back");
        assert!(!said.proves(&[7; 16], Role::Joins, &proof[..31]) && !said.proves(&[7; 16], Role::Joins, &[]));
        let others = [
            Said { gives: joins, joins: gives },
            Said { gives, joins: side("did:c", "B", &[2; 32]) },
            Said { gives, joins: side("did:b", "C", &[2; 32]) },
            Said { gives, joins: side("did:b", "B", &[3; 32]) },
            Said { gives, joins: Side { name: "another", ..joins } },
            Said { gives: side("did:a", "A", &[3; 32]), joins },
        ];
        for other in others {
            assert!(!other.proves(&[7; 16], Role::Joins, &proof), "{other:?}");
        }
        let digits = said.digits(&[7; 16]);
        assert!(digits.len() == 6 && digits.bytes().all(|c| c.is_ascii_digit()), "{digits}");
        assert_ne!(digits, others[0].digits(&[7; 16]));
    }
}
