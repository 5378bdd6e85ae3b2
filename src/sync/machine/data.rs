//! Data that travels apart from its message: asked for piece by piece, from where an earlier session broke off.

use super::{
    event::{Arrival, Effect, Now},
    machine::Machine,
    state::{Coming, Going},
};
use crate::{
    cid::Digest,
    dwn::Fault,
    planted,
    sync::frame::{Bytes32, Frame, Number},
    sync::local::Scope,
};
use anyhow::bail;

/// Data of so many messages comes, or goes, at the same time.
const AT_ONCE: usize = 4;
/// Bytes of one message's data that are on their way.
const WINDOW: u64 = 1 << 20;
/// How long to wait for another session that fetches the same (milliseconds).
const LATER: u64 = 1_000;
/// Messages that wait for their data.
const WAITING_MAX: usize = 1 << 16;

impl Machine {
    /// A message waits for its data.
    pub(super) fn await_data(&mut self, arrival: Arrival, size: u64) {
        let is_known = self.data.coming.contains_key(&arrival.digest)
            || self.data.waiting.iter().any(|(waiting, _)| waiting.digest == arrival.digest);
        // One too many is found again when the sets are compared.
        if !is_known && self.data.waiting.len() < WAITING_MAX {
            self.data.waiting.push_back((arrival, size));
        }
    }

    pub(super) fn fetch_next(&mut self, now: Now) -> Result<(), Fault> {
        while self.data.coming.len() < AT_ONCE && now.at >= self.data.later {
            let Some((arrival, size)) = self.data.waiting.pop_front() else { break };
            let digest = arrival.digest;
            if self.local.kept(&arrival.tenant, &digest)?.is_some_and(|kept| kept.item.has_data) {
                self.dropped(&arrival.tenant, &digest, now)?;
                continue;
            }
            self.data.coming.insert(digest, Coming { arrival, size, come: None });
            self.effects.push(Effect::Begin(digest, size));
        }
        Ok(())
    }

    /// When to look again for what another session was fetching.
    pub(super) fn next_fetch(&self) -> u64 {
        if self.data.waiting.is_empty() || self.data.coming.len() >= AT_ONCE { u64::MAX } else { self.data.later }
    }

    /// Another session fetches it: it may be here soon.
    pub(super) fn on_busy(&mut self, digest: Digest, now: Now) {
        if let Some(Coming { arrival, size, .. }) = self.data.coming.remove(&digest) {
            self.data.waiting.push_back((arrival, size));
            self.data.later = now.at + LATER;
            self.active = now.at;
        }
    }

    /// So much of it is on the disk.
    pub(super) fn on_stored(&mut self, digest: Digest, upto: u64) -> Result<(), Fault> {
        let Some(coming) = self.data.coming.get_mut(&digest) else { return Ok(()) };
        if upto >= coming.size {
            if let Some(Coming { arrival, .. }) = self.data.coming.remove(&digest) {
                self.push(Frame::DataTook(Bytes32(digest), upto));
                self.take.ready(arrival);
            }
        } else if coming.come.is_none() {
            coming.come = Some(upto);
            let scope = Scope { tenant: coming.arrival.tenant.clone(), protocol: coming.arrival.protocol.clone() };
            let number = self.number(&scope)?;
            self.push(Frame::DataWanted(number, Bytes32(digest), upto));
        } else {
            self.push(Frame::DataTook(Bytes32(digest), upto));
        }
        Ok(())
    }

    pub(super) fn on_data(&mut self, digest: Digest, from: u64, piece: Vec<u8>, now: Now) -> Result<(), Fault> {
        let Some(coming) = self.data.coming.get_mut(&digest) else { return Ok(()) };
        if coming.come != Some(from) || from + piece.len() as u64 > coming.size {
            bail!("the peer sends data that was not asked for");
        }
        if piece.is_empty() {
            if let Some(Coming { arrival, .. }) = self.data.coming.remove(&digest) {
                self.effects.push(Effect::Release(digest));
                self.set_aside(&arrival, 503, "the other device cannot read its data at the moment".into(), now)?;
            }
            return Ok(());
        }
        coming.come = Some(from + piece.len() as u64);
        let piece = if planted::is("data is changed on its way") { vec![0; piece.len()] } else { piece };
        self.effects.push(Effect::Store(digest, from, piece));
        Ok(())
    }

    pub(super) fn on_data_wanted(&mut self, number: Number, digest: Digest, from: u64) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        if self.data.going.len() >= AT_ONCE && !self.data.going.contains_key(&digest) {
            bail!("the peer asks for the data of more than {AT_ONCE} messages at once");
        }
        let going = Going { tenant: scope.tenant, read: from, took: from, reading: false, ended: false };
        self.data.going.insert(digest, going);
        self.read_on(digest);
        Ok(())
    }

    pub(super) fn on_data_took(&mut self, digest: Digest, upto: u64) -> Result<(), Fault> {
        if let Some(going) = self.data.going.get_mut(&digest) {
            going.took = going.took.max(upto.min(going.read));
            if going.ended && going.took >= going.read {
                self.data.going.remove(&digest);
            }
        }
        self.read_on(digest);
        Ok(())
    }

    fn read_on(&mut self, digest: Digest) {
        let Some(going) = self.data.going.get_mut(&digest) else { return };
        if going.reading || going.ended || going.read - going.took >= WINDOW {
            return;
        }
        going.reading = true;
        self.effects.push(Effect::Read(going.tenant.clone(), digest, going.read));
    }

    /// A piece was read.
    pub(super) fn on_read(&mut self, digest: Digest, from: u64, piece: Option<Vec<u8>>) {
        let Some(going) = self.data.going.get_mut(&digest) else { return };
        if !going.reading || going.read != from {
            return;
        }
        going.reading = false;
        match piece {
            Some(piece) if piece.is_empty() => {
                going.ended = true;
                if going.took >= going.read {
                    self.data.going.remove(&digest);
                }
            }
            Some(piece) => {
                going.read += piece.len() as u64;
                self.push(Frame::Data(Bytes32(digest), from, piece));
                self.read_on(digest);
            }
            None => {
                self.data.going.remove(&digest);
                self.push(Frame::Data(Bytes32(digest), from, Vec::new()));
            }
        }
    }
}
