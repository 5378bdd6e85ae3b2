//! What the care of blocks has to tell: what they take, what a collection took away, what a scrub found.

use crate::store::Holder;

/// Damaged objects that are named; beyond, they are counted.
const NAMED_MAX: usize = 1000;

/// What the blocks take on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "BlocksUsage")]
pub struct Usage {
    pub files: u64,
    pub file_bytes: u64,
    pub packs: u64,
    pub pack_bytes: u64,
    /// Of the packs' bytes, those of blocks that are in the index.
    pub pack_live: u64,
}

/// What a round has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Collected {
    /// Blocks that nothing needed.
    pub blocks: u64,
    /// Files that no record has ever named.
    pub orphans: u64,
    /// Packs rewritten and deleted.
    pub packs: u64,
    /// Bytes given back to the file system.
    pub bytes: u64,
    /// Blocks left alone because a stage or a reader had them.
    pub held: u64,
}

/// What a scrub has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Scrubbed {
    pub messages: u64,
    pub blocks: u64,
    pub bytes: u64,
    /// Objects that are not what they should be, healed ones included.
    pub damaged: u64,
    pub healed: u64,
    /// One sentence for each damaged object.
    pub named: Vec<String>,
    /// Records whose data, or message, is damaged still.
    #[serde(default)]
    pub records: Vec<Holder>,
    /// It came to the end of everything.
    pub complete: bool,
}

impl Scrubbed {
    pub(super) fn name(&mut self, sentence: String) {
        self.damaged += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(sentence);
        }
    }

    /// Something that stays damaged, and whose it is.
    pub(super) fn lost(&mut self, sentence: String, holders: Vec<Holder>) {
        self.name(sentence);
        for holder in holders {
            if self.records.len() < NAMED_MAX && !self.records.contains(&holder) {
                self.records.push(holder);
            }
        }
    }
}
