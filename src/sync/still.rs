//! Why a node shares nothing with anybody.

use super::wire::Younger;
use std::{fmt, time::Duration};

/// Who was told to be the younger of two copies asks again so often whether the older one is gone.
pub const AGAIN: Duration = Duration::from_secs(120);

/// Why nothing is shared with anybody.
#[derive(Debug, Clone)]
pub enum Still {
    /// The owner wants it so.
    Paused,
    /// One of the owner's devices says that this node is the younger of two copies.
    Younger(Younger),
}

impl fmt::Display for Still {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("sync is paused here: toft sync resume"),
            Self::Younger(Younger { by, .. }) => write!(
                f,
                "this node is the younger of two copies, says {by}, and shares nothing: stop one of the two (a copy that is to be a device of \
                 its own gets a new home: toft init, toft join). That device is asked every {} minutes whether the older one is gone; at \
                 once: toft sync resume",
                AGAIN.as_secs() / 60
            ),
        }
    }
}
