//! RGB assets: the storage that a wallet asks, on records of one protocol (`protocols/rgb.json`).
//!
//! Everything that is kept is a signed record of the tenant, written through the door (`node`). What is held and which of two transfers of one
//! coin counts is derived from the transfers, for each answer in one view (`book`); nothing derived is believed for longer.
//! The rules of RGB itself are not here: a hook says whether a consignment is good (`hook`).
//!
//! `things` says what is kept, `kept` reads it off records, `book` is the pure part, `books` keeps what was derived and takes in
//! what came since, `hand` writes. The calls are in the files below them, on [`Rgb`].

mod amount;
mod problem;
mod things;
mod book;
mod kept;
mod books;
mod locks;
mod hand;
mod balance;
mod storage;
mod assets;
mod transfers;
mod validation;
mod balances;
mod invoices;
mod history;
#[cfg(test)]
mod tests;

pub use amount::Amount;
pub use assets::{AssetFilter, Assets, Described, Found};
pub use balance::{Balance, Declared};
pub use hand::{Hand, Written};
pub use history::{Event, History, Past, Source};
pub use problem::Problem;
pub use storage::{Place, Rgb};
pub use things::{
    Asset, Happening, HistoryEntry, Invoice, InvoiceStatus, Kind, Media, Metadata, Network, PROTOCOL, Schema, Status,
    Transfer,
};
pub use transfers::{DoubleSpend, Standing, Told};
pub use validation::Verdict;
