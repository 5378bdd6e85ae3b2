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
        let sessions: Vec<_> = {
            let live = self.lock();
            let devices = live.values().filter(|live| live.is_device_with(tenant));
            devices.map(|live| live.session.as_ref().map(|running| running.ask.clone())).collect()
        };
        let (mut answers, mut away) = (FuturesUnordered::new(), 0_usize);
        for session in sessions {
            let (send, answer) = oneshot::channel();
            let ask = Ask::Fetch(tenant.to_owned(), message, send);
            match session {
                // A session takes one thing at a time, and an app may read many at once.
                Some(session) if session.send(ask).await.is_ok() => answers.push(answer),
                _ => away += 1,
            }
        }
        let mut said = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => said.push(why),
                Err(_) => away += 1,
            }
        }
        if away > 0 {
            said.push(format!("{away} of its other devices cannot be reached; try again when they are connected"));
        }
        match said.is_empty() {
            true => Err("no device of its owner is paired with this node".to_owned()),
            false => Err(said.join("; ")),
        }
    }
}
