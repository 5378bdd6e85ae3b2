//! Who is being connected to, in which order his addresses are tried, and who waits for it.
//!
//! Direct addresses are dialled all at once. Those through relays follow soon after, or at once if there is nothing
//! else or all else has failed: a relay is slower and belongs to somebody. What neither reaches is looked up in the
//! public network's table, if this node is part of it.

use super::error::Error;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How much earlier than circuits direct addresses are dialled.
const HEAD_START: Duration = Duration::from_millis(300);

pub type Reply = oneshot::Sender<Result<PeerId, Error>>;

/// What is to be done next for somebody who waits.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Dial(Vec<Multiaddr>),
    LookUp,
}

/// Who is waited for.
#[derive(Debug)]
pub struct Wanted {
    /// `None`: whoever answers.
    pub peer: Option<PeerId>,
    pub direct: Vec<Multiaddr>,
    pub circuits: Vec<Multiaddr>,
    /// Look it up if all else fails?
    pub look_up: bool,
}

#[derive(Debug, Default)]
pub struct Dialling {
    next: u64,
    waiting: HashMap<u64, Waiting>,
    dials: HashMap<ConnectionId, u64>,
}

#[derive(Debug)]
struct Waiting {
    wanted: Wanted,
    began: Instant,
    /// As the owner gave it.
    address: String,
    underway: usize,
    looking: bool,
    reasons: Vec<String>,
    reply: Reply,
}

impl Dialling {
    /// Somebody waits; says what to do at once. `address` is what an error names.
    pub fn begin(&mut self, wanted: Wanted, address: String, reply: Reply, now: Instant) -> (u64, Option<Step>) {
        let number = self.next;
        self.next += 1;
        let waiting = Waiting { wanted, began: now, address, underway: 0, looking: false, reasons: Vec::new(), reply };
        self.waiting.insert(number, waiting);
        (number, self.go_on(number))
    }

    /// Who is waited for.
    pub fn peer(&self, number: u64) -> Option<PeerId> {
        self.waiting.get(&number)?.wanted.peer
    }

    /// A step's dial has begun.
    pub fn dialled(&mut self, number: u64, id: ConnectionId) {
        if let Some(waiting) = self.waiting.get_mut(&number) {
            waiting.underway += 1;
            self.dials.insert(id, number);
        }
    }

    /// A step could not begin, or a dial has failed; says what to do next.
    pub fn failed(&mut self, number: u64, reason: String) -> Option<Step> {
        let waiting = self.waiting.get_mut(&number)?;
        if !waiting.reasons.contains(&reason) {
            waiting.reasons.push(reason);
        }
        self.go_on(number)
    }

    /// A dial has ended without a connection: whose it was, if anybody waits for it.
    pub fn ended(&mut self, id: ConnectionId) -> Option<u64> {
        let number = self.dials.remove(&id)?;
        self.waiting.get_mut(&number)?.underway -= 1;
        Some(number)
    }

    /// What was looked up; says what to do next.
    pub fn found(&mut self, peer: &PeerId, addresses: &[Multiaddr]) -> Vec<(u64, Option<Step>)> {
        let looking = |(number, waiting): (&u64, &mut Waiting)| {
            let ours = waiting.looking && waiting.wanted.peer == Some(*peer);
            ours.then(|| {
                waiting.looking = false;
                waiting.wanted.direct = addresses.to_vec();
                *number
            })
        };
        let numbers: Vec<u64> = self.waiting.iter_mut().filter_map(looking).collect();
        numbers.into_iter().map(|number| (number, self.go_on(number))).collect()
    }

    /// There is a connection to this peer: who waits for it is told, whichever of the dials it was.
    pub fn connected(&mut self, id: ConnectionId, peer: PeerId) {
        let dialled = self.dials.remove(&id);
        let over = |number: &u64, waiting: &Waiting| Some(*number) == dialled || waiting.wanted.peer == Some(peer);
        let numbers: Vec<u64> = self.waiting.iter().filter(|(n, w)| over(n, w)).map(|(n, _)| *n).collect();
        for waiting in numbers.into_iter().filter_map(|number| self.waiting.remove(&number)) {
            // Whoever asked may have gone.
            let _ = waiting.reply.send(Ok(peer));
        }
    }

    /// Whose circuits are to be dialled now.
    pub fn due(&mut self, now: Instant) -> Vec<(u64, Step)> {
        let due = self.waiting.iter_mut().filter(|(_, waiting)| {
            !waiting.wanted.circuits.is_empty() && now.duration_since(waiting.began) >= HEAD_START
        });
        due.map(|(number, waiting)| (*number, Step::Dial(std::mem::take(&mut waiting.wanted.circuits)))).collect()
    }

    /// When circuits are to be dialled next.
    pub fn next_due(&self) -> Option<Instant> {
        let waiting = self.waiting.values().filter(|waiting| !waiting.wanted.circuits.is_empty());
        waiting.map(|waiting| waiting.began + HEAD_START).min()
    }

    /// The next step, once nothing is under way; if there is none, who waits is told why.
    fn go_on(&mut self, number: u64) -> Option<Step> {
        let waiting = self.waiting.get_mut(&number)?;
        if waiting.underway > 0 || waiting.looking {
            return None;
        }
        for addresses in [&mut waiting.wanted.direct, &mut waiting.wanted.circuits] {
            if !addresses.is_empty() {
                return Some(Step::Dial(std::mem::take(addresses)));
            }
        }
        if std::mem::take(&mut waiting.wanted.look_up) && waiting.wanted.peer.is_some() {
            waiting.looking = true;
            return Some(Step::LookUp);
        }
        let Waiting { address, reasons, reply, .. } = self.waiting.remove(&number)?;
        let reason = if reasons.is_empty() { "no address of it is known".into() } else { reasons.join("; ") };
        let _ = reply.send(Err(Error::Dial { address, reason }));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = oneshot::Receiver<Result<PeerId, Error>>;

    fn port(n: usize) -> Multiaddr {
        format!("/ip4/10.0.0.1/tcp/{n}").parse().expect("an address")
    }

    fn id(n: usize) -> ConnectionId {
        ConnectionId::new_unchecked(n)
    }

    fn begin(dialling: &mut Dialling, peer: PeerId, now: Instant) -> (u64, Option<Step>, Answer) {
        let (reply, answer) = oneshot::channel();
        let (direct, circuits) = (vec![port(1), port(2)], vec![port(3)]);
        let wanted = Wanted { peer: Some(peer), direct, circuits, look_up: true };
        let (number, step) = dialling.begin(wanted, "there".into(), reply, now);
        (number, step, answer)
    }

    #[test]
    fn direct_first_then_relays_then_the_table_and_then_it_is_told() {
        let (mut dialling, peer, now) = (Dialling::default(), PeerId::random(), Instant::now());
        let (number, step, mut answer) = begin(&mut dialling, peer, now);
        assert_eq!(step, Some(Step::Dial(vec![port(1), port(2)])), "side by side");
        dialling.dialled(number, id(1));
        assert!(dialling.due(now).is_empty());
        assert_eq!(dialling.ended(id(1)), Some(number));
        assert_eq!(dialling.failed(number, "refused".into()), Some(Step::Dial(vec![port(3)])), "without waiting");
        dialling.dialled(number, id(2));
        assert_eq!(dialling.ended(id(2)), Some(number));
        assert_eq!(dialling.failed(number, "no place".into()), Some(Step::LookUp));
        assert_eq!(dialling.found(&peer, &[port(4)]), [(number, Some(Step::Dial(vec![port(4)])))]);
        dialling.dialled(number, id(3));
        assert!(answer.try_recv().is_err(), "not yet");
        assert_eq!(dialling.ended(id(3)), Some(number));
        assert_eq!(dialling.failed(number, "refused".into()), None);
        let told = answer.try_recv().expect("told").expect_err("an error").to_string();
        assert_eq!(told, "cannot connect to there: refused; no place");
        assert!(dialling.waiting.is_empty() && dialling.dials.is_empty());
    }

    #[test]
    fn relays_do_not_wait_for_a_slow_direct_dial_and_any_connection_ends_the_wait() {
        let (mut dialling, peer, now) = (Dialling::default(), PeerId::random(), Instant::now());
        let (number, _, mut answer) = begin(&mut dialling, peer, now);
        let (_, _, mut another) = begin(&mut dialling, PeerId::random(), now);
        dialling.dialled(number, id(1));
        let due = dialling.due(now + HEAD_START);
        assert_eq!(due.len(), 2);
        dialling.dialled(number, id(2));
        assert_eq!(dialling.ended(id(2)), Some(number));
        assert_eq!(dialling.failed(number, "no place".into()), None, "the direct one is still under way");
        dialling.connected(id(9), peer);
        assert_eq!(answer.try_recv().expect("told").expect("connected"), peer);
        assert!(another.try_recv().is_err());
        assert_eq!(dialling.ended(id(1)), None, "nobody waits for the rest");
    }
}
