//! All records of a protocol, one after the other.

use crate::dwn::{Cond, Fault, IndexValue, Select, Stored, View};
use std::ops::ControlFlow;

/// Records looked at in one go.
const PAGE: usize = 1000;
/// Records that an answer names.
pub(super) const NAMED: usize = 100;

/// Shows the newest state of each record of a protocol; blocking.
pub(super) fn each_record(
    view: &dyn View,
    protocol: &str,
    mut see: impl FnMut(&Stored) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let is = |name: &str, value: &str| (name.to_owned(), Cond::Equal(IndexValue::String(value.to_owned())));
    let of_protocol = [is("protocol", protocol), is("method", "Write")].into();
    let mut select = Select { any_of: vec![of_protocol], limit: Some(PAGE), ..Select::default() };
    loop {
        let hits = view.hits(&select)?;
        view.each(&hits.positions, &mut |stored| {
            stored.as_ref().map_or(Ok(()), &mut see)?;
            Ok(ControlFlow::Continue(()))
        })?;
        select.after = hits.cursor;
        if select.after.is_none() {
            return Ok(());
        }
    }
}
