//! Reading a whole file from the network: depth first, with the next blocks already on their way.

use super::bitswap::behaviour::Answer;
use super::error::Error;
use super::session::Session;
use crate::cid::Cid;
use bytes::Bytes;
use futures::Stream;
use futures::stream::try_unfold;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::oneshot::{self, error::TryRecvError};

/// What a block contributes to a file: bytes, then what its links contribute.
#[derive(Debug, Default, Clone)]
pub struct FileNode {
    pub data: Bytes,
    pub links: Vec<Cid>,
}

/// How much a file fetched from strangers may cost.
#[derive(Debug, Clone, Copy)]
pub struct FileLimits {
    /// Bytes handed out.
    pub bytes: u64,
    /// Blocks fetched: links can be repeated without end.
    pub blocks: u64,
    /// Links between the root and a leaf. A petabyte in 256 KiB chunks has five.
    pub depth: usize,
    /// Blocks asked for ahead of the one being read; twice as many are held at most.
    pub window: usize,
    /// For each block.
    pub timeout: Duration,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self { bytes: 1 << 40, blocks: 1 << 24, depth: 32, window: 32, timeout: Duration::from_secs(60) }
    }
}

/// The bytes of the file under `root`, in order. `read` tells what one block contributes; the bytes it
/// gets are verified. Dropping the stream takes back what was asked for.
pub fn fetch_file<F>(
    session: Session,
    root: Cid,
    limits: FileLimits,
    read: F,
) -> impl Stream<Item = Result<Bytes, Error>> + Send
where
    F: Fn(&Cid, &Bytes) -> Result<FileNode, String> + Send,
{
    let queue = VecDeque::from([Slot::Todo(root, 0)]);
    let walk = Walk { session, root, limits, read, queue, bytes: 0, blocks: 0 };
    try_unfold(walk, |mut walk| async move { Ok(walk.next().await?.map(|bytes| (bytes, walk))) })
}

struct Walk<F> {
    session: Session,
    root: Cid,
    limits: FileLimits,
    read: F,
    /// What is left of the file, in its order.
    queue: VecDeque<Slot>,
    bytes: u64,
    blocks: u64,
}

enum Slot {
    Todo(Cid, usize),
    Asked(Cid, usize, oneshot::Receiver<Answer>),
    Data(Bytes),
    /// Told when its turn comes: what is before it can still be read.
    Failed(Error),
}

impl<F: Fn(&Cid, &Bytes) -> Result<FileNode, String>> Walk<F> {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            self.ask_ahead().await?;
            match self.queue.pop_front() {
                None => return Ok(None),
                Some(Slot::Data(data)) => return Ok(Some(data)),
                Some(Slot::Failed(error)) => return Err(error),
                Some(Slot::Todo(..)) => unreachable!("the front is always asked for"),
                Some(Slot::Asked(cid, depth, answer)) => {
                    let waiting = tokio::time::timeout(self.limits.timeout, self.session.receive(cid, answer));
                    let block = match waiting.await {
                        Ok(result) => result?,
                        Err(_) => return Err(self.session.timed_out(cid, self.limits.timeout).await),
                    };
                    self.expand(0, cid, depth, &block)?;
                }
            }
            self.expand_arrived()?;
        }
    }

    async fn ask_ahead(&mut self) -> Result<(), Error> {
        let mut held = self.queue.iter().filter(|slot| !matches!(slot, Slot::Todo(..))).count();
        for at in 0..self.limits.window.max(1).min(self.queue.len()) {
            let Some(Slot::Todo(cid, depth)) = self.queue.get(at) else { continue };
            let (cid, depth) = (*cid, *depth);
            // Nodes expanded inside the window push fetched blocks behind it; they count too.
            if at > 0 && held >= 2 * self.limits.window {
                break;
            }
            self.blocks += 1;
            if self.blocks > self.limits.blocks {
                return Err(self.too_large(format!("{} blocks", self.limits.blocks)));
            }
            let answer = self.session.request(cid).await?;
            held += 1;
            if let Some(slot) = self.queue.get_mut(at) {
                *slot = Slot::Asked(cid, depth, answer);
            }
        }
        Ok(())
    }

    /// Opens up the nodes that have arrived early, so that their leaves are asked for in time.
    fn expand_arrived(&mut self) -> Result<(), Error> {
        let mut at = 0;
        while at < self.limits.window.min(self.queue.len()) {
            let Some(Slot::Asked(cid, depth, answer)) = self.queue.get_mut(at) else {
                at += 1;
                continue;
            };
            let (cid, depth) = (*cid, *depth);
            let failure = match answer.try_recv() {
                Ok(Ok(block)) => {
                    self.queue.remove(at);
                    self.expand(at, cid, depth, &block)?;
                    continue;
                }
                Ok(Err(asked)) => Some(Error::NotFound { cid, asked }),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Closed) => Some(self.session.dropped()),
            };
            if let Some(error) = failure
                && let Some(slot) = self.queue.get_mut(at)
            {
                *slot = Slot::Failed(error);
            }
            at += 1;
        }
        Ok(())
    }

    /// Puts what `block` contributes at position `at`.
    fn expand(&mut self, at: usize, cid: Cid, depth: usize, block: &Bytes) -> Result<(), Error> {
        let node = (self.read)(&cid, block).map_err(|reason| Error::Node { cid, reason })?;
        if depth >= self.limits.depth && !node.links.is_empty() {
            return Err(self.too_large(format!("{} levels", self.limits.depth)));
        }
        self.bytes += node.data.len() as u64;
        if self.bytes > self.limits.bytes {
            return Err(self.too_large(format!("{} bytes", self.limits.bytes)));
        }
        let mut rest = self.queue.split_off(at);
        if !node.data.is_empty() {
            self.queue.push_back(Slot::Data(node.data));
        }
        self.queue.extend(node.links.into_iter().map(|link| Slot::Todo(link, depth + 1)));
        self.queue.append(&mut rest);
        Ok(())
    }

    fn too_large(&self, limit: String) -> Error {
        Error::TooLarge { root: self.root, limit }
    }
}
