//! The one rule of who may have a block. Every walk asks it at every step.
//!
//! A record holds the blocks of the tree that was built here over its data. The data may itself be the bytes of a node
//! with links to anything. Then it is bytes: nobody follows its links for a stranger. So the codec counts:
//!
//! - For others than the owner a file begins only at the root under which a record holds it, and goes on only in that
//!   record's own tree.
//! - A block alone may be had under any codec: its bytes say the same.
//!
//! What is not here and what is not somebody's to have are one answer, found with the same few looks into the index.

use super::handle::Blocks;
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    store::{Keeper, Place, Scope},
};

/// What somebody who asks for blocks may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    keeper: Keeper,
    scope: Scope,
}

impl Right {
    /// Anyone: at the gateway, in the network. Has what published records hold, as long as they do.
    pub const ANYONE: Self = Self { keeper: Keeper::Published, scope: Scope::All };
    /// Whoever may open the control socket. Has what any record, or pin, holds.
    pub const OWNER: Self = Self { keeper: Keeper::Any, scope: Scope::All };

    /// Who was given a record, by its rules, of whose data this is the root. Has that data, whatever becomes of the
    /// record meanwhile.
    pub fn reader(root: &Cid) -> Self {
        let scope = match cid::sha256_of(root) {
            Some(digest) if root.codec() == cid::DAG_PB => Scope::Tree(digest),
            Some(digest) => Scope::Block(digest),
            // No data is named so.
            None => Scope::Block(Digest::default()),
        };
        Self { keeper: Keeper::Nobody, scope }
    }

    /// The right to what the links of a node lead to; `tree`: the node is the root of a tree that is held, or a part of it.
    fn below(self, node: &Digest, tree: bool) -> Option<Self> {
        match self.scope {
            // The owner may put his together as any of it says.
            _ if self == Self::OWNER => Some(self),
            Scope::All => tree.then_some(Self { scope: Scope::Tree(*node), ..self }),
            Scope::Tree(_) => Some(self),
            Scope::Block(_) => None,
        }
    }
}

/// Whether somebody may have a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is not here, or not his.
    No,
    /// Its bytes, and nothing they lead to.
    Bytes(Source),
    /// Its bytes, which are a node; what its links lead to is asked for with this right.
    Node(Source, Right),
}

/// Where a block's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In its CID.
    Cid,
    Here(Digest, Place),
}

impl Source {
    /// Bytes of a block.
    pub fn length(self, cid: &Cid) -> u64 {
        match self {
            Self::Cid => cid.hash().digest().len() as u64,
            Self::Here(_, Place::Log { len, .. } | Place::Pack { len, .. } | Place::File { len }) => len.into(),
        }
    }
}

impl Verdict {
    /// Where the bytes are, if he may have them.
    pub fn source(self) -> Option<Source> {
        match self {
            Self::No => None,
            Self::Bytes(source) | Self::Node(source, _) => Some(source),
        }
    }
}

impl Blocks {
    /// May somebody with this right have this block?
    pub fn may(&self, right: Right, cid: &Cid) -> Result<Verdict, Fault> {
        let node = cid.codec() == cid::DAG_PB;
        if cid.hash().code() == cid::IDENTITY {
            // No tree that was built here has such a link: it is of somebody's data.
            return Ok(match right {
                Right::OWNER if node => Verdict::Node(Source::Cid, right),
                Right::OWNER => Verdict::Bytes(Source::Cid),
                _ => Verdict::No,
            });
        }
        let Some(digest) = cid::sha256_of(cid) else { return Ok(Verdict::No) };
        let Some((place, tree)) = self.0.store.part(&digest, right.keeper, right.scope)? else {
            return Ok(Verdict::No);
        };
        let source = Source::Here(digest, place);
        Ok(match right.below(&digest, tree).filter(|_| node) {
            Some(below) => Verdict::Node(source, below),
            None => Verdict::Bytes(source),
        })
    }
}
