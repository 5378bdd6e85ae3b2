//! What happens on the network, for a job that goes on until the node stops.

use crate::{
    job::Job,
    net::{Event, Net},
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

pub(super) struct Events {
    events: Receiver<Event>,
    job: Job,
}

impl Events {
    /// From now on.
    pub fn of(net: &Net, job: Job) -> Self {
        Self { events: net.events(), job }
    }

    /// The next one: until it is there the job waits, and then it works. Nothing: the node stops, or the network has ended. Who is
    /// too slow misses the oldest.
    pub async fn next(&mut self) -> Option<Event> {
        self.job.ended(None);
        self.job.waits(None);
        let event = loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Ok(event) => break event,
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                () = self.job.stop().cancelled() => return None,
            }
        };
        self.job.works();
        Some(event)
    }
}
