//! Data that is on another device, when somebody reads it here.

use super::{
    peers::{Peers, Shared},
    session::Ask,
};
use crate::cid::Digest;
use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use std::sync::{Arc, Weak};
use tokio::sync::oneshot;

impl Peers {
    /// From now on the door has this bring what is read and is on another device.
    pub fn bring_what_is_read(&self) {
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        self.shared.node.fetch_by(Arc::new(move |tenant, message| {
            let shared = shared.clone();
            async move {
                match shared.upgrade() {
                    Some(shared) => Self { shared }.fetch(&tenant, message).await,
                    None => Err("this node is stopping".to_owned()),
                }
            }
            .boxed()
        }));
    }

    /// Brings the data of a message here, from whichever device has it. It goes on as long as one of them sends.
    async fn fetch(&self, tenant: &str, message: Digest) -> Result<(), String> {
        let mut answers = FuturesUnordered::new();
        let mut away = 0_usize;
        for live in self.lock().values().filter(|live| live.is_device_with(tenant)) {
            let (send, answer) = oneshot::channel();
            let ask = Ask::Fetch(tenant.to_owned(), message, send);
            match &live.session {
                Some(running) if running.ask.try_send(ask).is_ok() => answers.push(answer),
                _ => away += 1,
            }
        }
        let mut why = match (answers.len(), away) {
            (0, 0) => "it is paired with no device that has it".to_owned(),
            _ if away > 0 => {
                format!("{away} of its other devices cannot be reached; try again when they are connected")
            }
            _ => "the device that has it went away meanwhile; try again: what has come is kept".to_owned(),
        };
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Ok(())) => return Ok(()),
                // If another one cannot be reached, it may be the one that has it.
                Ok(Err(said)) if away == 0 => why = said,
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Err(why)
    }
}
