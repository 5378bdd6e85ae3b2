//! Devices, lines and time.

use super::{
    Random,
    history::History,
    line::{Mood, Stream},
    node::{By, Node, Trouble},
    people,
};
use crate::{
    cid::Digest,
    sync::{
        machine::{Effect, Event, Machine, Setup, Standing},
        reconcile::Keyed,
    },
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::runtime::Runtime;

/// 2026-11-21 in milliseconds since 1970.
const BEGIN: u64 = 1_795_219_200_000;
/// After everything is well again, devices have so long to come together (milliseconds).
const HEALING: u64 = 3 * 3600 * 1000;

/// What happens until then is enough.
const STEPS_MAX: u64 = 200_000;

pub struct World {
    random: Random,
    runtime: Runtime,
    nodes: Vec<Node>,
    /// Between a smaller and a larger number.
    lines: BTreeMap<(usize, usize), (Mood, Option<Stream>)>,
    /// When the two ends try again.
    retry: BTreeMap<(usize, usize), u64>,
    time: u64,
    history: History,
    tenant: String,
    steps: u64,
    /// What was said, if somebody wants to know.
    trace: bool,
    told: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let tenant = people().0.did().to_owned();
        let count = 2 + random.index(5);
        let mut nodes: Vec<_> = (0..count).map(|number| Node::new(number, &tenant, None)).collect();
        let mut lines = BTreeMap::new();
        // A ring, and some more.
        for a in 0..count {
            for b in a + 1..count {
                if b == a + 1 || (a == 0 && b + 1 == count) || random.percent(30) {
                    lines.insert((a, b), (Mood::Up, None));
                }
            }
        }
        // In every second life a friend keeps a copy of what he may read.
        if random.percent(50) {
            nodes.push(Node::new(count, &tenant, Some(people().1.did().to_owned())));
            for _ in 0..1 + random.index(2) {
                lines.insert((random.index(count), count), (Mood::Up, None));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (retry, history) = (BTreeMap::new(), History::new());
        let trace = std::env::var_os("TOFT_SIM_TRACE").is_some();
        Self { random, runtime, nodes, lines, retry, time: BEGIN, history, tenant, steps: 0, trace, told: Vec::new() }
    }

    fn text(&self, node: usize) -> String {
        let time = self.nodes[node].now(self.time).time;
        let time = jiff::Timestamp::from_millisecond(time as i64).expect("a time");
        format!("{time:.6}")
    }

    /// Lives a life, heals, and says what is wrong with what came of it.
    pub fn live(mut self) -> Result<(), String> {
        self.live_on().map_err(|why| [self.told.join("\n"), why].join("\n"))
    }

    fn live_on(&mut self) -> Result<(), String> {
        for n in 0..self.nodes.len() {
            let text = self.text(0);
            for message in self.history.begin(&text) {
                if self.nodes[n].friend.is_none() {
                    self.nodes[n].judge(&self.runtime, message, None, By::Client, &text);
                }
            }
        }
        for _ in 0..20 + self.random.index(60) {
            self.turn()?;
        }
        self.heal();
        self.run(self.time + HEALING, true)?;
        self.check()
    }

    fn turn(&mut self) -> Result<(), String> {
        let node = self.random.index(self.nodes.len());
        match self.random.below(100) {
            0..=59 => {
                let text = self.text(node);
                let made = self.history.act(&mut self.random, &text);
                // On a friend's device only the friend writes.
                let is_friends = self.nodes[node].friend.is_some();
                if let Some((message, data)) = made.filter(|made| !is_friends || self.history.is_bobs(made)) {
                    self.nodes[node].judge(&self.runtime, message, data.as_deref(), By::Client, &text);
                    self.tell_grown(node)?;
                }
            }
            60..=74 => {
                let n = self.random.index(self.lines.len());
                let mood = [Mood::Up, Mood::Cut, Mood::Silent][self.random.index(3)];
                // What was silent may go on, or be dead without a word.
                let dies = self.random.percent(50);
                if let Some((pair, (old, stream))) = self.lines.iter_mut().nth(n) {
                    if *old == Mood::Silent && dies {
                        stream.iter_mut().for_each(Stream::die);
                    }
                    *old = mood;
                    if mood == Mood::Cut {
                        *stream = None;
                        let (a, b) = *pair;
                        self.nodes[a].end(b);
                        self.nodes[b].end(a);
                    }
                }
            }
            75..=79 => {
                self.nodes[node].crash();
                self.lost(node);
            }
            80..=82 => {
                self.nodes[node].back_up();
                self.lost(node);
            }
            83..=85 => {
                self.nodes[node].restore();
                self.lost(node);
            }
            86..=88 => self.nodes[node].skew = [0, -20 * 60_000, 20 * 60_000][self.random.index(3)],
            _ => {
                let mut trouble = Trouble::default();
                match self.random.below(6) {
                    0 => trouble.unresolved = true,
                    1 => trouble.max_record = Some(20),
                    2 => trouble.unreadable = true,
                    3 => trouble.full = true,
                    _ => {}
                }
                self.nodes[node].trouble = trouble;
            }
        }
        let wait = match self.random.below(10) {
            0..=4 => self.random.below(50),
            5..=8 => self.random.below(2_000),
            _ => self.random.below(200_000),
        };
        self.run(self.time + wait, false)?;
        self.check_equal()
    }

    /// Who says that both have the same is right, whenever it is said by both.
    fn check_equal(&mut self) -> Result<(), String> {
        let kept: Vec<_> = self.nodes.iter().map(Node::kept).collect();
        let pairs: Vec<_> = self.lines.keys().copied().collect();
        for (a, b) in pairs {
            let mut equal = 0;
            for (node, other) in [(a, b), (b, a)] {
                let now = self.nodes[node].now(self.time);
                let Some(machine) = self.nodes[node].sessions.get_mut(&other) else { continue };
                let standing = machine.standing(now).map_err(|error| format!("{error:#}"))?;
                equal += usize::from(matches!(standing, Standing::Equal(_)));
            }
            if equal == 2 && !self.same(a, b, &kept) {
                let friend = self.nodes[a].friend.is_some() || self.nodes[b].friend.is_some();
                let only = |one: usize, other: usize| -> Vec<_> {
                    let there: BTreeSet<_> = kept[other].iter().collect();
                    let only = kept[one].iter().filter(|it| !there.contains(it));
                    only.map(|(digest, has_data, latest)| (hex::encode(&digest[..4]), *has_data, *latest)).collect()
                };
                let (on_a, on_b) = (only(a, b), only(b, a));
                return Err(format!(
                    "{a} and {b} say that they have the same, and have not (one is a friend's: {friend}): {on_a:?} and {on_b:?}"
                ));
            }
        }
        Ok(())
    }

    /// Do both hold what they are to hold? A friend may hold more: what was theirs to read once.
    fn same(&self, a: usize, b: usize, kept: &[Vec<(Digest, bool, bool)>]) -> bool {
        let (device, friend) = if self.nodes[a].friend.is_some() { (b, a) } else { (a, b) };
        let Some(did) = &self.nodes[friend].friend else { return kept[a] == kept[b] };
        let held: BTreeSet<_> = kept[friend].iter().map(|(digest, has_data, _)| (*digest, *has_data)).collect();
        self.nodes[device].readable(did, self.time).is_subset(&held)
    }

    /// The streams of a node are gone; the others notice.
    fn lost(&mut self, node: usize) {
        for (&(a, b), (_, stream)) in &mut self.lines {
            if a == node || b == node {
                *stream = None;
                self.nodes[a].end(b);
                self.nodes[b].end(a);
            }
        }
    }

    fn heal(&mut self) {
        for (mood, _) in self.lines.values_mut() {
            *mood = Mood::Up;
        }
        for node in &mut self.nodes {
            node.skew = 0;
            node.trouble = Trouble::default();
        }
    }

    fn tell_grown(&mut self, node: usize) -> Result<(), String> {
        let others: Vec<_> = self.nodes[node].sessions.keys().copied().collect();
        others.into_iter().try_for_each(|other| self.tell(node, other, Event::Grew))
    }

    /// Something happens in a session of a node, and all that follows from it at once.
    fn tell(&mut self, node: usize, other: usize, event: Event) -> Result<(), String> {
        let mut events = std::collections::VecDeque::from([event]);
        let mut grew = false;
        while let Some(event) = events.pop_front() {
            self.steps += 1;
            let now = self.nodes[node].now(self.time);
            let applied = matches!(event, Event::Applied(_));
            let Some(machine) = self.nodes[node].sessions.get_mut(&other) else { return Ok(()) };
            match machine.on(event, now) {
                Ok(effects) => events.extend(self.carry_out(node, other, effects)),
                Err(error) => {
                    self.end(node, other, &format!("{error:#}"))?;
                    return Ok(());
                }
            }
            grew |= applied;
        }
        if grew { self.tell_grown(node) } else { Ok(()) }
    }

    fn carry_out(&mut self, node: usize, other: usize, effects: Vec<Effect>) -> std::collections::VecDeque<Event> {
        let text = self.text(node);
        let (frames, events) = self.nodes[node].do_all(other, effects, &self.runtime, &text);
        let pair = (node.min(other), node.max(other));
        let delay = 1 + self.random.below(40);
        if let Some((_, Some(stream))) = self.lines.get_mut(&pair) {
            for frame in frames {
                stream.send(usize::from(other > node), self.time + delay, &frame);
            }
        }
        events
    }

    /// A session ends: by its deadline, or because of a mistake.
    fn end(&mut self, node: usize, other: usize, why: &str) -> Result<(), String> {
        if !why.contains("said nothing") && !why.contains("nothing has come") {
            return Err(format!("the session of {node} with {other} ended: {why}"));
        }
        self.nodes[node].end(other);
        Ok(())
    }

    /// Lets time pass. `well`: it may stop early, when all stand equal.
    fn run(&mut self, until: u64, well: bool) -> Result<(), String> {
        let begun = self.steps;
        loop {
            self.connect()?;
            let now = |node: &Node| node.now(self.time);
            let delivery = self.lines.iter().filter_map(|(pair, (mood, stream))| {
                let (at, to) = stream.as_ref()?.next()?;
                (*mood == Mood::Up).then_some((at, *pair, to))
            });
            let delivery = delivery.min();
            let wake = self.nodes.iter().flat_map(|node| {
                node.sessions.iter().map(|(other, machine)| (machine.wake(now(node)), node.number, *other))
            });
            let wake = wake.min();
            let retry = self.retry.values().copied().filter(|at| *at > self.time).min();
            let next = [delivery.map(|d| d.0), wake.map(|w| w.0), retry].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.time = self.time.max(next);
            if let Some((at, pair, to)) = delivery
                && at <= self.time
            {
                let frame = self.lines.get_mut(&pair).and_then(|(_, stream)| stream.as_mut()?.take(to));
                let (node, other) = if to == 0 { pair } else { (pair.1, pair.0) };
                if let Some(frame) = frame {
                    if self.trace {
                        self.told.push(format!("{} {other} -> {node} {frame:?}", self.time - BEGIN));
                    }
                    self.tell(node, other, Event::Frame(frame))?;
                }
            } else if let Some((at, node, other)) = wake
                && at <= self.time
            {
                self.tell(node, other, Event::Tick)?;
            }
            if self.steps - begun > STEPS_MAX {
                return Err(format!("they do not come to an end: {}", self.check().err().unwrap_or_default()));
            }
            if well && self.all_equal()? {
                return Ok(());
            }
        }
        self.time = until;
        Ok(())
    }

    /// Opens streams where there are none. A new one takes the place of an old one that only one end still believes in.
    fn connect(&mut self) -> Result<(), String> {
        let pairs: Vec<_> =
            self.lines.iter().filter(|(_, (mood, _))| *mood == Mood::Up).map(|(pair, _)| *pair).collect();
        for (a, b) in pairs {
            let both = self.nodes[a].sessions.contains_key(&b) && self.nodes[b].sessions.contains_key(&a);
            let line = self.lines.get_mut(&(a, b)).expect("is there");
            if both && line.1.is_some() || self.retry.get(&(a, b)).is_some_and(|at| *at > self.time) {
                continue;
            }
            line.1 = Some(Stream::default());
            let wait = 1_000 + self.random.below(30_000);
            self.retry.insert((a, b), self.time + wait);
            let nonce = self.random.next().to_be_bytes();
            let key = Keyed::new([&nonce, b"sim"]);
            for (node, other) in [(a, b), (b, a)] {
                let tenants = vec![self.tenant.clone()];
                let setup = Setup { peer: String::new(), tenants, key, leads: node < other, on_demand: false };
                let friend = self.nodes[other].friend.clone();
                let effects = self.nodes[node].begin(other, setup, friend.as_ref(), self.time);
                for event in self.carry_out(node, other, effects) {
                    self.tell(node, other, event)?;
                }
            }
        }
        Ok(())
    }

    fn all_equal(&mut self) -> Result<bool, String> {
        let expected = 2 * self.lines.len();
        let mut equal = 0;
        for node in &mut self.nodes {
            let now = node.now(self.time);
            for machine in node.sessions.values_mut() {
                let standing = machine.standing(now).map_err(|error| format!("{error:#}"))?;
                let is_equal = matches!(standing, Standing::Equal(_)) && machine.parked().next().is_none();
                equal += usize::from(is_equal);
            }
        }
        Ok(equal == expected)
    }

    /// Equal exactly where they say so; all equal in the end; nothing put aside.
    fn check(&mut self) -> Result<(), String> {
        let kept: Vec<_> = self.nodes.iter().map(Node::kept).collect();
        let mut wrong = Vec::new();
        let mut same_of = BTreeMap::new();
        for &(a, b) in self.lines.keys() {
            let same = self.same(a, b, &kept);
            same_of.extend([((a, b), same), ((b, a), same)]);
        }
        let has_newer =
            |machine: &Machine| machine.parked().next().is_some() && machine.parked().all(|it| it.code == 409);
        let of_friends = self.nodes.iter().filter(|node| node.friend.is_some());
        let older: BTreeSet<_> = of_friends
            .flat_map(|node| node.sessions.iter().map(move |(other, machine)| (node.number, *other, machine)))
            .filter(|(_, _, machine)| has_newer(machine))
            .map(|(node, other, _)| (node.min(other), node.max(other)))
            .collect();
        for node in &mut self.nodes {
            let now = node.now(self.time);
            for (other, machine) in &mut node.sessions {
                let standing = machine.standing(now).map_err(|error| format!("{error:#}"))?;
                let same = same_of[&(node.number, *other)];
                if self.trace {
                    self.told.push(format!("{} with {other}: {}", node.number, machine.told()));
                }
                // What a friend has newer, and no device takes back from him any more, stands in the way of what is older there.
                let stands = older.contains(&(node.number.min(*other), node.number.max(*other)));
                if stands && !same && !matches!(standing, Standing::Equal(_)) {
                    continue;
                }
                if matches!(standing, Standing::Equal(_)) != same || !same {
                    let aside: Vec<_> = machine.parked().map(|parked| (parked.code, &parked.why)).collect();
                    wrong.push(format!(
                        "{} with {other}: {standing:?}, the same: {same}, {} and {} kept, put aside {aside:?}",
                        node.number,
                        kept[node.number].len(),
                        kept[*other].len(),
                    ));
                } else if machine.parked().next().is_some() {
                    let aside: Vec<_> = machine.parked().map(|parked| (parked.code, &parked.why)).collect();
                    wrong.push(format!("{} with {other}: equal, and put aside {aside:?}", node.number));
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}
