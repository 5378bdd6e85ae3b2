//! The records above a record.

use super::{
    fields::descriptor_text,
    refusal::{Refusal, Stop},
    view::{Stored, View},
};

/// Initial writes from the root record down to `record_id`.
pub(super) fn record_chain(record_id: Option<&str>, view: &dyn View) -> Result<Vec<Stored>, Stop> {
    let mut chain = Vec::new();
    let mut next = record_id.map(str::to_owned);
    while let Some(id) = next {
        let initial = view.record(&id)?.map(|record| record.initial).ok_or_else(|| {
            let text = format_args!(
                "Unexpected error that should never trigger: no parent found with ID {id} when constructing record chain."
            );
            Refusal::denied("ProtocolAuthorizationParentNotFoundConstructingRecordChain", text)
        })?;
        next = descriptor_text(&initial.message, "parentId").map(str::to_owned);
        chain.push(initial);
    }
    chain.reverse();
    Ok(chain)
}
