//! Keys and signatures. Public keys are Ed25519 (EdDSA), secp256k1 (ES256K) and P-256 (ES256); X25519 is known
//! as a key that cannot sign. Where the JS SDK is lax (it never reads `alg`, ignores `crit`, accepts padded
//! base64 and DER signatures), this module is strict: no honest client is hurt by it.

mod base64url;
mod secret;
pub mod seal;
mod key;
mod signer;
pub mod slip10;
pub mod phrase;
pub mod jws;
pub mod ecies;
pub mod hd;
pub mod record;

pub use base64url::{decode, encode};
pub use key::{KeyError, PublicKey};
pub use secret::Secret;
pub use signer::{Locked, Signer, Transcript, ed25519_public};
