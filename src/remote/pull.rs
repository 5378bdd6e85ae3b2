//! What the server has and this node lacks, fetched and put through the door one after the other.

use super::{
    aside::{Aside, PASSES, SAVED_EVERY},
    kept::millis,
    status::Tally,
    talk::{Fetched, Talk, Trouble},
};
use crate::{
    cid::{self, Digest},
    dwn::{self, Fault},
    job::blocking,
    node::{Brought, Node},
};
use anyhow::Error;
use futures::StreamExt as _;
use std::collections::HashSet;

/// Messages asked for at once. They come in their order; data of those behind waits at the server.
const AHEAD: usize = 4;
/// Answers that were none, one after the other, after which the server is left alone until the next round.
pub const STRIKES: u32 = 5;

/// One pull.
pub struct Pull<'a> {
    pub node: &'a Node,
    pub talk: Talk<'a>,
    pub aside: &'a mut Aside,
    /// What came, so that it is not sent back.
    pub pulled: &'a mut HashSet<Digest>,
    pub tally: &'a Tally,
}

impl Pull<'_> {
    /// Fetches these, and of what was put aside what is due. All that was not taken is put aside, durably, when this returns,
    /// unless the round has ended early.
    pub async fn run(mut self, wanted: Vec<Digest>) -> Result<(), Trouble> {
        let mut next = wanted;
        next.extend(self.aside.due(millis(), false));
        let mut passes = 0;
        while !next.is_empty() {
            let came = self.pass(next).await;
            self.aside.save(self.node.store()).await?;
            passes += 1;
            // What came may be what others waited for.
            next = if came? && passes < PASSES { self.aside.due(0, true) } else { vec![] };
        }
        Ok(())
    }

    /// Did anything come?
    async fn pass(&mut self, wanted: Vec<Digest>) -> Result<bool, Trouble> {
        let (talk, mut came, mut strikes) = (self.talk, false, 0);
        let mut without_data = Vec::new();
        self.tally.receives(wanted.len() as u64);
        let mut seen = HashSet::new();
        let wanted = wanted.into_iter().filter(move |digest| seen.insert(*digest));
        let mut answers = futures::stream::iter(wanted)
            .map(|digest| async move { (digest, talk.read(&digest).await) })
            .buffered(AHEAD);
        let mut done = 0;
        while let Some((digest, answer)) = answers.next().await {
            done += 1;
            self.tally.received_one();
            match answer {
                Ok(fetched) => {
                    strikes = 0;
                    let without =
                        fetched.lacks_data.then(|| dwn::record_id(&fetched.message).map(str::to_owned)).flatten();
                    let (taken, came_in) = self.take(digest, fetched).await?;
                    came |= came_in;
                    match without {
                        Some(record) if taken => without_data.push((digest, record)),
                        _ if taken => self.aside.drop(&digest),
                        _ => {}
                    }
                }
                Err(Trouble::Refused(code, why)) => {
                    self.aside.put(digest, false, (code, &why), millis())?;
                    // That something is not there is an answer.
                    strikes = if code < 500 { 0 } else { strikes + 1 };
                    if strikes >= STRIKES {
                        return Err(Trouble::Away(format!("the server gives out nothing: {code} {why}")));
                    }
                }
                Err(trouble) => return Err(trouble),
            }
            if done % SAVED_EVERY == 0 {
                self.aside.save(self.node.store()).await?;
            }
        }
        self.tally.receives(0);
        self.look_for_data(without_data).await?;
        Ok(came)
    }

    /// Puts a message through the door. Is it here, or something newer; and has it come in just now?
    async fn take(&mut self, digest: Digest, Fetched { message, data, .. }: Fetched) -> Result<(bool, bool), Trouble> {
        let has_data = data.is_some();
        // No server says what a message was built on: what it takes away of what was written here counts as unseen.
        let (code, why) = match self.node.replay(Brought::default(), &self.talk.part.tenant, message, data).await {
            Ok(reply) => (reply.code, reply.detail),
            Err(fault) => {
                let cid = cid::from_digest(cid::DAG_CBOR, &digest);
                tracing::error!("{cid} from {} could not be stored: {fault:#}", self.aside.name());
                (500, "this node could not store it; its log says why".to_owned())
            }
        };
        match code {
            200..300 => {
                self.pulled.insert(digest);
                self.tally.pulled();
                Ok((true, true))
            }
            409 => Ok((true, false)),
            // Of this node, which has no room or no time: it is no fault of the message.
            429 | 503 | 507 => Err(Trouble::Away(format!("this node takes nothing now: {code} {why}"))),
            code => {
                self.aside.put(digest, has_data, (code, &why), millis())?;
                Ok((false, false))
            }
        }
    }

    /// An initial write comes without data when its record was changed or deleted since: the newer message comes too. If none
    /// has come, its data was not to be had, and is asked for again.
    async fn look_for_data(&mut self, without: Vec<(Digest, String)>) -> Result<(), Trouble> {
        if without.is_empty() {
            return Ok(());
        }
        let (store, tenant) = (self.node.store().clone(), self.talk.part.tenant.clone());
        let lacking = blocking(move || {
            let view = store.view(&tenant);
            let is_newest = |(digest, id): &(Digest, String)| -> Result<bool, Fault> {
                let newest = view.record(id)?.map(|record| record.newest);
                Ok(match newest {
                    Some(newest) => cid::sha256_of(&newest.cid).as_ref() == Some(digest) && !view.has_data(&newest)?,
                    None => false,
                })
            };
            without.into_iter().map(|one| Ok((one.0, is_newest(&one)?))).collect::<Result<Vec<_>, Error>>()
        });
        for (digest, lacks) in lacking.await? {
            match lacks {
                true => self.aside.put(digest, true, (404, "the server sent it without its data"), millis())?,
                false => self.aside.drop(&digest),
            }
        }
        Ok(())
    }
}
