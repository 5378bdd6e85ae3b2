//! Data on its way in: from a body into blocks, piece by piece.

use super::{
    data::{Body, gather},
    limits::Limits,
    quota::Reserved,
    workers::Workers,
};
use crate::{
    asker::Asker,
    blocks::Blocks,
    dwn::{self, Refusal, Stop},
    pool::{Full, Permit, Pool},
    store::{self, Data},
};
use bytes::Bytes;
use std::time::Duration;

/// Bytes of a body that are hashed in one go.
const PIECE: usize = 256 << 10;
/// The longest for each piece, whoever brings it. Over HTTP `dwn.limits` says less; a device has no other bound.
const PIECE_DEADLINE: Duration = Duration::from_secs(60);
/// A body may run over its declared size by this much and still be hashed, so that the answer can name its CID.
const OVERRUN_MAX: u64 = 1 << 20;

/// Takes bodies.
#[derive(Debug)]
pub(super) struct Uploads {
    blocks: Blocks,
    workers: Workers,
    /// Bodies above the inline size that are taken at the same time: each holds a piece in memory.
    pub(super) places: Pool,
    /// How long a place among them is waited for.
    wait: Duration,
}

impl Uploads {
    pub fn new(limits: &Limits, blocks: Blocks, workers: Workers) -> Self {
        let places = Pool::new("uploads", limits.uploads());
        Self { blocks, workers, places, wait: Duration::from_secs(limits.piece_seconds) }
    }

    /// Body → blocks, piece by piece. No worker waits for a slow client, and no slow client is waited for without
    /// end. Stops soon after more came than was declared.
    pub async fn stage(
        &self,
        asker: Asker,
        mut body: Body,
        declared: u64,
        reserved: &mut Reserved,
    ) -> Result<Data, Stop> {
        let (mut got, mut slot, mut rest) = (0, None, Bytes::new());
        let mut stage = self.blocks.stage();
        loop {
            // What rides inline is taken without a slot: small writes do not wait for large ones.
            let most = if slot.is_none() { dwn::INLINE_MAX as usize + 1 } else { PIECE };
            let gather = gather(&mut body, &mut rest, most);
            let (piece, ended) = tokio::time::timeout(PIECE_DEADLINE, gather)
                .await
                .map_err(|_| Refusal::new(400, format!("the data stalled after {got} bytes")))?
                .map_err(|e| Refusal::new(400, format!("the data broke off after {got} bytes: {e:#}")))?;
            got += piece.len() as u64;
            if got > declared + OVERRUN_MAX {
                let text = format!("more than {got} bytes came, dataSize in descriptor: {declared}");
                return Err(Refusal::bad("RecordsWriteDataSizeMismatch", text).into());
            }
            if ended {
                let finish = move || stage.push(&piece).and_then(|()| stage.finish());
                let is_short = slot.is_none();
                let data = self.workers.turn((asker, is_short), finish).await;
                return data?.map_err(store::stop);
            }
            reserved.written(piece.len() as u64);
            stage = self.workers.run(asker, move || stage.push(&piece).map(|()| stage)).await?.map_err(store::stop)?;
            if slot.is_none() {
                slot = Some(self.place(asker).await?);
            }
        }
    }

    /// A place for data that does not ride inline.
    async fn place(&self, asker: Asker) -> Result<Permit, Stop> {
        let waited = tokio::time::timeout(self.wait, self.places.wait(asker, 1)).await;
        // Nobody waits longer than others may stall.
        let full = match waited.unwrap_or_else(|_| self.places.take(asker, 1)) {
            Ok(place) => return Ok(place),
            Err(full) => full,
        };
        let code = if matches!(full, Full::Share(_)) { 429 } else { 503 };
        Err(Refusal::new(code, format!("Busy: {full}")).into())
    }
}
