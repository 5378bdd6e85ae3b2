//! For `tests/bench/store` alone (feature `bench`): what each frame changes in the index, so that other engines can
//! be given the very same keys.

use super::place::Position;
use std::sync::OnceLock;

/// Position of a frame, its message, and the keys it changes with their new values (`None`: removed).
type Each = dyn Fn(Position, &[u8], &[(&[u8], Option<&[u8]>)]) + Send + Sync;

static TAP: OnceLock<Box<Each>> = OnceLock::new();

/// From now on `each` is called with what every frame changes, as it is indexed or indexed again. The first call
/// counts, for the whole process.
pub fn tap(each: Box<Each>) {
    let _ = TAP.set(each);
}

/// Does anybody want to be told?
pub fn is_heard() -> bool {
    TAP.get().is_some()
}

pub fn tell(position: Position, message: &[u8], changes: &[(&[u8], Option<&[u8]>)]) {
    if let Some(each) = TAP.get() {
        each(position, message, changes);
    }
}
