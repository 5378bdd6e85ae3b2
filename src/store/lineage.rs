//! What another device is told of a message: which earlier states its writer knew.

use super::{
    handle::Store,
    log::{Read, frame::Frame, frame::message_digest},
};
use crate::dwn::{Fault, Knew, Stored, TOLD_MAX};

/// Of the states before one that was written here, as many are told that were written here too: a client may have given them to
/// the other device itself.
const OWN_MAX: usize = 8;

impl Store {
    /// Which earlier states, of its record and of those that it ended, the writer of a tenant's message knew.
    pub fn knew(&self, tenant: &str, message: &Stored) -> Result<Knew, Fault> {
        let lineage = &message.lineage;
        if lineage.came {
            return Ok(lineage.knew.clone());
        }
        let (mut own, mut at) = (Vec::new(), lineage.before);
        // What compaction has taken is not there any more.
        while own.len() < OWN_MAX
            && let Some(before) = at
            && let Read::Frame { frame: Frame::Message(state), .. } = self.0.log.read(before)?
            && !state.came
        {
            own.push(*state.cid);
            at = state.before;
        }
        let knew = Knew::of(&own).and(&lineage.knew, TOLD_MAX);
        if message.message["descriptor"]["prune"] != true {
            return Ok(knew);
        }
        let Some((.., at)) = self.sets(tenant)?.find(&message_digest(&message.cid)?)? else { return Ok(knew) };
        let Read::Frame { frame: Frame::Message(prune), .. } = self.0.log.read(at)? else { return Ok(knew) };
        let gone: Vec<_> = prune.removes.iter().map(|gone| **gone).collect();
        Ok(knew.and(&Knew::of(&gone), TOLD_MAX))
    }
}
