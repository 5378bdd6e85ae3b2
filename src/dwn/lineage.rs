//! Which earlier states of a record were known to whoever wrote a new one.
//!
//! A DWN message does not say which state it replaces. A store knows it of what was written here, and tells other devices.

use crate::cid::{self, Cid, Digest};
use bytes::Bytes;

/// Of a digest, as many bytes tell it from others.
const SHORT: usize = 8;
/// States that came from other devices and are remembered with each later one: as often the devices may have taken turns.
pub const TURNS_MAX: usize = 64;
/// States that are told of with a message that ends no more than its own record.
pub const SINGLE_MAX: usize = TURNS_MAX + 8;
/// States that are told of at most: one prune takes many.
pub const TOLD_MAX: usize = 1 << 16;

/// States, by the first eight bytes of their CIDs' digests, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knew(Bytes);

/// Where a state of a record comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// Where the state lies that it superseded when it came here.
    pub before: Option<u64>,
    /// It came from another device, or from another node that had taken it; otherwise it was written here.
    pub came: bool,
    /// What whoever wrote it knew: of a state that came, all that was told with it; of one written here, those states before it
    /// that had come.
    pub knew: Knew,
}

impl Knew {
    /// As it is stored and sent. `None`: it is none, or too long.
    pub fn read(bytes: Bytes) -> Option<Self> {
        (bytes.len().is_multiple_of(SHORT) && bytes.len() <= SHORT * TOLD_MAX).then_some(Self(bytes))
    }

    pub fn of<'a>(states: impl IntoIterator<Item = &'a Digest>) -> Self {
        let all = states.into_iter().take(TOLD_MAX).flat_map(|digest| digest.first_chunk::<SHORT>());
        Self(all.flatten().copied().collect::<Vec<_>>().into())
    }

    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, state: &Cid) -> bool {
        let digest = cid::sha256_of(state).unwrap_or_default();
        digest.first_chunk::<SHORT>().is_some_and(|short| self.0.chunks_exact(SHORT).any(|one| one == short))
    }

    /// These, and then `older` ones, `most` in all.
    #[must_use]
    pub fn and(&self, older: &Self, most: usize) -> Self {
        let all = [&*self.0, &*older.0].concat();
        Self(all.into_iter().take(SHORT * most.min(TOLD_MAX)).collect::<Vec<_>>().into())
    }
}

impl Lineage {
    /// What was known of states that came from elsewhere to who replaces the state `state`, whose lineage this is, here.
    pub fn passed_on(&self, state: &Cid) -> Knew {
        match (self.came, cid::sha256_of(state)) {
            (true, Some(digest)) => Knew::of([&digest]).and(&self.knew, TURNS_MAX),
            _ => self.knew.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(n: u8) -> (Digest, Cid) {
        let digest = [n; 32];
        (digest, cid::from_digest(cid::DAG_CBOR, &digest))
    }

    #[test]
    fn what_came_is_passed_on_and_what_was_written_here_is_not() {
        let ((one, of_one), (two, of_two)) = (state(1), state(2));
        let came = Lineage { came: true, knew: Knew::of([&one]), before: None };
        let knew = came.passed_on(&of_two);
        assert_eq!(knew, Knew::of([&two, &one]));
        assert!(knew.contains(&of_one) && knew.contains(&of_two) && !knew.contains(&state(3).1));
        let own = Lineage { came: false, knew: knew.clone(), before: Some(7) };
        assert_eq!(own.passed_on(&state(3).1), knew);
        assert!(Lineage::default().passed_on(&of_one).is_empty());
    }

    #[test]
    fn the_oldest_are_forgotten_beyond_the_bound() {
        let mut knew = Knew::default();
        for n in 0..=u8::try_from(TURNS_MAX).expect("fits") {
            knew = Lineage { came: true, knew, before: None }.passed_on(&state(n).1);
        }
        assert_eq!(knew.bytes().len(), TURNS_MAX * SHORT);
        assert!(!knew.contains(&state(0).1) && knew.contains(&state(1).1));
    }

    #[test]
    fn what_is_no_list_of_states_is_none() {
        assert!(Knew::read(vec![0; 12].into()).is_none());
        assert!(Knew::read(vec![0; SHORT * (TOLD_MAX + 1)].into()).is_none());
        assert_eq!(Knew::read(Bytes::new()), Some(Knew::default()));
    }
}
