//! Ed25519 keys by derivation from one seed (SLIP-0010): every child is hardened, so that a child's key says nothing of its
//! parent or its siblings.

use super::secret::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;
use zeroize::Zeroize as _;

/// What marks a child as hardened; Ed25519 knows no others.
const HARDENED: u32 = 1 << 31;

/// A key of the tree, and what its children are derived with.
#[derive(Debug)]
pub struct Node {
    key: Secret,
    chain: Secret,
}

impl Node {
    /// The root of the tree that grows from a seed.
    pub fn root(seed: &[u8]) -> Self {
        Self::of(b"ed25519 seed", &[seed])
    }

    /// The node with this key and chain code, as [`Self::into_parts`] gave them.
    pub fn new(key: Secret, chain: Secret) -> Self {
        Self { key, chain }
    }

    /// The child at `index'`.
    pub fn child(&self, index: u32) -> Self {
        Self::of(self.chain.expose(), &[&[0], self.key.expose(), &(index | HARDENED).to_be_bytes()])
    }

    /// The node below, `path` being indexes of which each is hardened.
    pub fn descend(self, path: &[u32]) -> Self {
        path.iter().fold(self, |node, &index| node.child(index))
    }

    /// The Ed25519 seed.
    pub fn key(&self) -> &Secret {
        &self.key
    }

    /// Key and chain code.
    pub fn into_parts(self) -> (Secret, Secret) {
        (self.key, self.chain)
    }

    fn of(key: &[u8], parts: &[&[u8]]) -> Self {
        let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes a key of any length");
        parts.iter().for_each(|part| mac.update(part));
        let mut both = mac.finalize().into_bytes();
        let half = |bytes| Secret::from_slice(bytes).expect("half of 64 bytes");
        let node = Self { key: half(&both[..32]), chain: half(&both[32..]) };
        both.as_mut_slice().zeroize();
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vector 1 of SLIP-0010 for Ed25519.
    #[test]
    fn the_tree_grows_as_slip_0010_says() {
        let root = Node::root(&hex::decode("000102030405060708090a0b0c0d0e0f").expect("hex"));
        let shown = |node: &Node| (hex::encode(node.key.expose()), hex::encode(node.chain.expose()));
        let of = |key: &str, chain: &str| (key.to_owned(), chain.to_owned());
        assert_eq!(
            shown(&root),
            of(
                "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
                "90046a93de5380a72b5e45010748567d5ea02bbf6522f979e05c0d8d8ca9fffb"
            )
        );
        assert_eq!(
            shown(&root.child(0)),
            of(
                "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
                "8b59aa11380b624e81507a27fedda59fea6d0b779a778918a2fd3590e16e9c69"
            )
        );
        let deep = root.descend(&[0, 1, 2, 2, 1_000_000_000]);
        assert_eq!(shown(&deep).0, "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793");
    }
}
