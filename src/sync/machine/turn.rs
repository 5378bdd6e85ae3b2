//! One event after the other.

use super::{
    event::{Effect, Event, Now, Setup},
    machine::Machine,
    state::{Aside, Compare, Names, SETTLED, Sending, Taking, Transfers},
};
use crate::{
    dwn::Fault,
    planted,
    sync::{frame::Frame, local::Local, parked::Parked},
};
use anyhow::bail;

/// Who has said nothing for so long is gone.
const SILENCE: u64 = 45_000;
/// Something is on its way, and for so long nothing has come of it: the peer is stuck.
const STALLED: u64 = 120_000;

impl Machine {
    /// `parked`: what was put aside of this peer before.
    pub fn new(setup: Setup, local: Local, parked: Vec<Parked>, now: Now) -> Result<Self, Fault> {
        local.is_at(now.time);
        let followed = local.tail();
        let mut machine = Self {
            setup,
            local,
            effects: Vec::new(),
            names: Names::default(),
            compare: Compare::default(),
            send: Sending::default(),
            take: Taking::default(),
            park: Aside::default(),
            data: Transfers::default(),
            heard: now.at,
            active: now.at,
            followed,
            seen: followed,
        };
        machine.drop_stale();
        machine.take_up(parked)?;
        machine.tell_state(false)?;
        Ok(machine)
    }

    /// What is to be done at the beginning.
    pub fn begin(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// An error ends the session: the peer broke the rules, is gone, or this device's store failed.
    pub fn on(&mut self, event: Event, now: Now) -> Result<Vec<Effect>, Fault> {
        self.local.is_at(now.time);
        match event {
            Event::Frame(frame) => {
                self.heard = now.at;
                if !matches!(frame, Frame::Beat { .. }) {
                    self.active = now.at;
                }
                self.on_frame(frame, now)?;
            }
            // What of it is shared is looked at below: a friend sees nothing of the rest, not even that something happened.
            Event::Grew => {}
            Event::Applied(answers) => {
                self.active = now.at;
                self.on_applied(answers, now)?;
            }
            Event::Read(digest, from, piece) => {
                self.active = now.at;
                self.on_read(digest, from, piece);
            }
            Event::Begun(digest, upto) => {
                self.active = now.at;
                self.on_begun(digest, upto)?;
            }
            Event::Stored(digest, upto) => {
                self.active = now.at;
                self.on_stored(digest, upto)?;
            }
            Event::Refused(digest, code, why) => {
                self.active = now.at;
                self.on_refused(digest, code, why, now)?;
            }
            Event::Busy(digest) => self.on_busy(digest, now),
            Event::Fetch(tenant, digest) => {
                self.active = now.at;
                self.fetch(tenant, digest)?;
            }
            Event::Unfetch(tenant, digest) => self.unfetch(&tenant, &digest)?,
            Event::Compare => {
                self.active = now.at;
                self.tell_state(true)?;
            }
            Event::Tick => {}
        }
        if now.at.saturating_sub(self.heard) >= SILENCE && !planted::is("silence is not noticed") {
            bail!("the peer has said nothing for {} s", SILENCE / 1000);
        }
        self.follow(now)?;
        if !self.is_idle() && now.at.saturating_sub(self.active) >= STALLED {
            bail!("nothing has come of what is on its way for {} s", STALLED / 1000);
        }
        self.pump()?;
        self.apply_next()?;
        self.fetch_next(now)?;
        self.ask_again(now)?;
        self.settle(now)?;
        Ok(std::mem::take(&mut self.effects))
    }

    fn on_frame(&mut self, frame: Frame, now: Now) -> Result<(), Fault> {
        match frame {
            Frame::Name(tenant, protocol) => self.names.learn(tenant, protocol, &self.setup.tenants),
            Frame::State { scopes, last, ask } => self.on_state(scopes, last, ask),
            Frame::Ranges(number, ranges) => self.on_ranges(number, &ranges),
            Frame::Want(number, bits, value, wanted) => self.on_want(number, (bits, value), &wanted),
            Frame::Again(number, digests) => self.on_again(number, digests),
            Frame::Knew(states) => self.on_knew(states),
            Frame::Message(number, message, carried) => self.on_message(number, message, carried),
            Frame::Gone(number, digest) => self.on_gone(number, &digest.0),
            Frame::Took(messages, bytes) => self.on_took(messages, bytes),
            Frame::DataWanted(number, digest, from) => self.on_data_wanted(number, digest.0, from),
            Frame::Data(digest, from, piece) => self.on_data(digest.0, from, piece, now),
            Frame::DataTook(digest, upto) => self.on_data_took(digest.0, upto),
            Frame::Ahead(messages) => self.on_ahead(messages),
            Frame::Apart(place, protocol) => self.on_apart(place, protocol),
            Frame::Declined(number, digest) => self.on_declined(number, digest.0),
            Frame::Beat { held, covered, parked } => self.on_beat(held, covered, parked, now),
            Frame::Parked(number, digest, code, why) => self.on_parked(number, &digest.0, code, &why),
        }
    }

    /// When to wake it with a [`Event::Tick`], by the clock that only goes forward.
    pub fn wake(&self, now: Now) -> u64 {
        let beat = self.compare.next_beat().min(self.heard + SILENCE);
        if !self.is_quiet() {
            // What is on its way comes as an event.
            return beat.min(self.active + STALLED).min(self.next_fetch());
        }
        let settle = if self.compare.is_settled() { u64::MAX } else { (self.active + SETTLED).max(now.at + 50) };
        beat.min(settle).min(self.compare.next_check()).min(self.next_again(now))
    }

    /// What is on its way, for who looks for a mistake.
    #[cfg(test)]
    pub fn told(&self) -> String {
        let (followed, tail) = (self.followed, self.local.tail());
        format!("{:?}\n{:?}\n{:?}\n{:?}\nfollowed {followed} of {tail}", self.send, self.take, self.data, self.compare)
    }
}
