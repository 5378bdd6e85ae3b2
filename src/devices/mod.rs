//! A person's devices: how a new one comes in, what they are called, how one goes.
//!
//! `toft pair` makes an offer and prints a code; `toft join CODE`, on the new device, comes with it. Both show that they know the
//! code's secret, the owner types on the first one the six digits that the new one shows, and from then on they are peers
//! (`sync`). Nothing is told to who does not know the secret, and one wrong guess ends the offer (decision 26).
//!
//! | file | what it is |
//! |---|---|
//! | `code.rs`, `proof.rs` | the code, and how both show that they know it |
//! | `talk.rs` | what they say |
//! | `book.rs` | what devices are called |
//! | `roster.rs` | what the records of a person tell of their devices |
//! | `line.rs` | how they come together; `daemon` implements it |
//! | `offer.rs`, `joining.rs` | the two ends |
//! | `handle.rs` | what the rest of the node holds |

mod code;
mod proof;
mod talk;
mod book;
pub mod roster;
mod line;
mod offer;
mod joining;
mod handle;
#[cfg(test)]
mod tests;

pub use code::{Code, NoCode};
pub use handle::{Devices, Listed, NoDevice, Offered};
pub use joining::{Standing as Joining, State as JoiningState};
pub use line::Line;
pub use offer::{Standing as OfferStanding, State as OfferState};
pub use proof::PROTOCOL;
pub use talk::Device;
