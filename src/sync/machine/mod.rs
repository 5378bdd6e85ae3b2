//! One session with one peer, without its line, its clock and its disk: events go in, effects come out. Whoever drives it
//! (`session`, or the simulation) hands frames on, applies what is to be applied, and wakes it.
//!
//! | file | what it is, or decides |
//! |---|---|
//! | `event.rs` | what goes in and comes out |
//! | `state.rs` | what a session remembers |
//! | `machine.rs` | the session, and what all parts need |
//! | `data.rs` | data that travels apart from its message |
//! | `park.rs` | what is put aside, and when it is asked for again |
//! | `send.rs` | what goes out, and how much at a time |
//! | `take.rs` | what comes in, and in which order it is applied |
//! | `compare.rs` | who lacks what; when both have the same |
//! | `turn.rs` | one event after the other |

mod event;
mod state;
#[expect(clippy::module_inception, reason = "the machine is what the folder is about")]
mod machine;
mod data;
mod park;
mod send;
mod take;
mod compare;
mod turn;
#[cfg(test)]
mod tests;

pub use event::{Answer, Arrival, Data, Effect, Event, Now, Setup, Standing, Way};
pub use machine::Machine;
pub use state::Compared;
