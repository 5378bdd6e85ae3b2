//! The session itself, and the little that all its parts need.

use super::{
    event::{Effect, Setup},
    state::{Aside, Compare, Names, Sending, Taking, Transfers},
};
use crate::{
    dwn::Fault,
    store::Position,
    sync::{
        frame::{Frame, Number},
        local::{Local, Scope},
    },
};
use anyhow::Context as _;

/// A session with one peer, without its line, its clock and its disk.
pub struct Machine {
    pub(super) setup: Setup,
    pub(super) local: Local,
    pub(super) effects: Vec<Effect>,
    pub(super) names: Names,
    pub(super) compare: Compare,
    pub(super) send: Sending,
    pub(super) take: Taking,
    pub(super) park: Aside,
    pub(super) data: Transfers,
    pub(super) heard: u64,
    /// When something happened last that may make a difference.
    pub(super) active: u64,
    /// The log is told to the peer up to here, of so much as was there when it was looked at last. What came since is looked at in the
    /// next turn, and changes nothing until then that a friend could see.
    pub(super) followed: Position,
    pub(super) seen: Position,
}

impl Machine {
    /// Nothing is on its way in either direction, as far as this end knows.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_idle() && self.followed >= self.seen
    }

    /// Nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.send.is_empty() && self.take.is_empty() && self.data.is_empty()
    }

    pub(super) fn push(&mut self, frame: Frame) {
        self.effects.push(Effect::Send(frame));
    }

    /// This end's number for a scope; the peer is told it first.
    pub(super) fn number(&mut self, scope: &Scope) -> Result<Number, Fault> {
        if let Some(number) = self.names.mine.get(scope) {
            return Ok(*number);
        }
        let place = self.setup.tenants.iter().position(|tenant| *tenant == scope.tenant);
        let place = place.and_then(|place| u16::try_from(place).ok()).context("this tenant is not shared")?;
        let number = u32::try_from(self.names.mine.len())?;
        self.names.mine.insert(scope.clone(), number);
        self.names.mine_in_order.push(scope.clone());
        self.effects.push(Effect::Send(Frame::Name(place, scope.protocol.clone())));
        Ok(number)
    }
}
