//! Fetching many blocks of one DAG.

use super::bitswap::behaviour::Answer;
use super::command::{Command, Commands};
use super::error::Error;
use crate::cid::{self, Cid};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

/// Blocks of one session in flight; callers beyond that wait. 64 times 256 KiB keep any home line busy.
const IN_FLIGHT_MAX: usize = 64;

/// Remembers who had blocks of a DAG. Cheap to clone; closes when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    commands: Commands,
    id: u64,
    permits: Semaphore,
}

impl Session {
    pub(super) fn new(commands: Commands, id: u64) -> Self {
        Self(Arc::new(Inner { commands, id, permits: Semaphore::new(IN_FLIGHT_MAX) }))
    }

    /// One block. The bytes are verified against `cid`.
    pub async fn fetch(&self, cid: Cid, timeout: Duration) -> Result<Bytes, Error> {
        let work = async {
            let _permit = self.0.permits.acquire().await.map_err(|_| Error::Stopped)?;
            self.receive(cid, self.request(cid).await?).await
        };
        match tokio::time::timeout(timeout, work).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out(cid, timeout).await),
        }
    }

    /// Asks for a block without waiting for it. Dropping the receiver takes the want back.
    pub(super) async fn request(&self, cid: Cid) -> Result<oneshot::Receiver<Answer>, Error> {
        let (reply, answer) = oneshot::channel();
        match cid.hash().code() {
            cid::SHA2_256 => self.0.commands.tell(Command::Want { session: self.0.id, cid, reply }).await?,
            cid::IDENTITY => {
                // The receiver is in our hands.
                let _ = reply.send(Ok(Bytes::copy_from_slice(cid.hash().digest())));
            }
            other => return Err(cid::Error::Hash(other).into()),
        }
        Ok(answer)
    }

    pub(super) async fn receive(&self, cid: Cid, answer: oneshot::Receiver<Answer>) -> Result<Bytes, Error> {
        match answer.await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(asked)) => Err(Error::NotFound { cid, asked }),
            Err(_) => Err(self.dropped()),
        }
    }

    /// Why a want was dropped unanswered: there was no room for it, or the swarm's task has stopped.
    pub(super) fn dropped(&self) -> Error {
        if self.0.commands.is_closed() { Error::Stopped } else { Error::Busy }
    }

    pub(super) async fn timed_out(&self, cid: Cid, after: Duration) -> Error {
        match self.0.commands.ask(|reply| Command::Asked(cid, reply)).await {
            Ok(asked) => Error::Timeout { cid, after, asked },
            Err(stopped) => stopped,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(command) = self.commands.try_tell(Command::Close(self.id)) else { return };
        let commands = self.commands.clone();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { commands.tell(command).await });
        }
    }
}
