//! Data that comes after its call, to a one-time address.

use super::{
    call::Call,
    failure::{Failure, Kind},
    tickets::{Address, Task},
};
use crate::{
    content::AddError,
    crypto::{Locked, Signer},
    node::Body,
    store::Data,
};
use anyhow::Error;
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;

/// Where `size` bytes are to come to; they are kept as what `through` makes of them, as many, and then `then` is done with that, if the
/// caller's token is still good. `signer`: what signs then. `held`: bytes that `then` keeps until it is done.
pub(super) fn expect<T, Done>(
    call: &Call,
    (size, held): (u64, usize),
    signer: &Arc<Signer>,
    through: impl FnOnce(Body) -> Body + Send + 'static,
    then: impl FnOnce(Data) -> Done + Send + 'static,
) -> Result<Address, Failure>
where
    T: Serialize,
    Done: Future<Output = Result<T, Failure>> + Send,
{
    let most = call.node.max_record();
    if size > most {
        let message =
            format!("dataSize {size} is above this node's limit of {most} bytes (dwn.max_record in node.toml)");
        return Err(Failure::new(Kind::Usage, message));
    }
    unlocked(signer)?;
    let (content, caller, signer) = (call.content.clone(), call.caller().clone(), signer.clone());
    let upload = move |body: Body| async move {
        caller.check_live(Timestamp::now())?;
        // Before the data comes: it would come for nothing.
        unlocked(&signer)?;
        let data = content.stage(through(body), size).await.map_err(|why| match why {
            AddError::TooLarge(_) => {
                Failure::new(Kind::Usage, format!("more than the {size} bytes have come that were said"))
            }
            why => why.into(),
        })?;
        if data.size != size {
            let message = format!("{} bytes have come, and {size} were said", data.size);
            return Err(Failure::new(Kind::Usage, message));
        }
        // It may have taken minutes.
        caller.check_live(Timestamp::now())?;
        let done = then(data).await?;
        Ok(serde_json::to_value(done).map_err(Error::new)?)
    };
    call.tickets.issue(call.caller(), held, Task::Upload(Box::new(move |body| Box::pin(upload(body)))))
}

fn unlocked(signer: &Signer) -> Result<(), Failure> {
    if signer.is_locked() { Err(Locked.into()) } else { Ok(()) }
}
