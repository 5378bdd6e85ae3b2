//! Talks to the calendars: what `receipts` wants to be asked is asked, over HTTP, and every answer is durable before the next
//! question.
//!
//! A crash anywhere loses nothing: a digest is handed in at most again, which costs a calendar nothing and gives one more
//! proof. Calendars are asked side by side and each of them one thing after the other; one that is away is not asked again
//! for the next batch in the same turn. Redirects are not followed, and addresses in answers are asked only if they are of
//! the settings, or of the calendars behind the well-known pools.

use super::{
    config::Calendar,
    receipts::{ANSWER_MAX, Answer, Ask, Pace, Receipts, Standing},
    tree,
    witness::Witness,
};
use crate::{
    cid::Digest,
    dwn::Fault,
    foreign::{plain, said},
    memory::{self, wipe_stack},
    resolve::{Client, NoLine, Target},
    store::Store,
};
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};
use url::Url;

/// Where receipts of batch n are kept.
const KEY: &[u8] = b"anchor/calendar/";
/// Everything about one question. The reference answers within its aggregation interval of a second, or of five under load.
const DEADLINE: Duration = Duration::from_secs(15);
/// The longest pause between two questions.
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// Questions to one host in one turn; who has more waits for the next turn, so that no turn takes long.
const TURN_MAX: usize = 8;
/// After this nobody is asked in this turn any more: with [`DEADLINE`] it has an end, and others get theirs.
const TURN: Duration = Duration::from_secs(5);
/// What calendars are asked for, as the stock client does.
pub const MEDIA_TYPE: &str = "application/vnd.opentimestamps.v1";
/// Pools hand what they get to calendars of other names, which then promise in their own: hosts that end so, and the
/// ends of their calendars' names. The stock client (opentimestamps 0.4.5) trusts the same.
const POOLS: [(&str, &str); 3] = [
    (".pool.opentimestamps.org", ".calendar.opentimestamps.org"),
    (".pool.eternitywall.com", ".calendar.eternitywall.com"),
    (".catallaxy.com", ".calendar.catallaxy.com"),
];

/// Asks calendars about batches and keeps what they say.
#[derive(Debug)]
pub(super) struct Calendars {
    book: Book,
    min: u32,
    pace: Pace,
    store: Store,
    client: Client,
    /// Of the batches that the last turn was about.
    open: BTreeMap<u64, Receipts>,
}

impl Calendars {
    /// `first`: the pause after a question that brought nothing; it doubles each time, up to an hour.
    pub fn new(settings: &Calendar, first: Duration, store: Store) -> Result<Self, Fault> {
        let client = Client::new().context("preparing to ask calendars")?;
        let pace = Pace { first: first.min(PAUSE_MAX), most: PAUSE_MAX };
        Ok(Self { book: Book::new(&settings.urls), min: settings.min, pace, store, client, open: BTreeMap::new() })
    }

    /// Asks what is to be asked about these batches (number and root), all that are not settled otherwise. `now` is in
    /// milliseconds since 1970. `witness` says whether the chain has blocks; where its end has changed, it is asked again about
    /// all. The numbers of the batches of which something new is known.
    pub async fn turn(
        &mut self,
        now: u64,
        secret: &[u8; 32],
        roots: &[(u64, Digest)],
        witness: &mut Witness,
    ) -> Result<BTreeSet<u64>, Fault> {
        self.take_up(now, secret, roots).await?;
        if witness.look().await {
            self.open.values_mut().for_each(|receipts| receipts.doubt(now));
        }
        let begun = Instant::now();
        let mut changed = BTreeSet::new();
        let mut hosts: HashMap<String, VecDeque<(u64, Ask)>> = HashMap::new();
        for (number, receipts) in &self.open {
            for ask in receipts.asks(now, self.min, |uri| self.book.knows(uri)) {
                hosts.entry(host(&ask)).or_default().push_back((*number, ask));
            }
        }
        let mut running = FuturesUnordered::new();
        let next = |asked: usize, mut waiting: VecDeque<(u64, Ask)>| {
            let (client, first) = (self.client.clone(), waiting.pop_front());
            let first = first.filter(|_| asked < TURN_MAX && begun.elapsed() < TURN);
            let target = first.as_ref().and_then(|(_, ask)| self.book.target(ask));
            first.map(|(number, ask)| async move {
                let heard = talk(&client, &ask, target).await;
                (number, ask, heard, asked + 1, waiting)
            })
        };
        running.extend(hosts.into_values().filter_map(|waiting| next(0, waiting)));
        while let Some((number, ask, heard, asked, mut waiting)) = running.next().await {
            let is_away = matches!(heard, Heard::Not(Answer::Away(_)));
            let answers = match heard {
                // The others are not asked: nobody would answer.
                Heard::Not(answer) if is_away => {
                    let others = waiting.drain(..).map(|(number, ask)| (number, ask, answer.clone()));
                    [(number, ask, answer.clone())].into_iter().chain(others).collect()
                }
                Heard::Not(answer) => vec![(number, ask, answer)],
                Heard::Said(bytes) => {
                    let read = Receipts::read(&ask, &bytes, |uri| self.book.knows(uri));
                    let answer = match read {
                        Ok(reading) => {
                            let fit = witness.fit(&reading.blocks).await;
                            Answer::Took(reading, fit)
                        }
                        Err(why) => Answer::Refused(said(why)),
                    };
                    vec![(number, ask, answer)]
                }
                Heard::Look(blocks) => vec![(number, ask, Answer::Looked(witness.fit(&blocks).await))],
            };
            let mut writes = Vec::new();
            for (number, ask, answer) in answers {
                let Some(receipts) = self.open.get_mut(&number) else { continue };
                if receipts.on(&ask, answer, now, self.pace, jitter()) {
                    changed.insert(number);
                }
                writes.push((key(number), Some(receipts.encode())));
            }
            self.store.put_state(writes).await?;
            running.extend(next(asked, waiting));
        }
        Ok(changed)
    }

    /// When the next turn has something to do, in milliseconds since 1970.
    pub fn next(&self, now: u64) -> Option<u64> {
        self.open.values().filter_map(|receipts| receipts.next(now, self.min, |uri| self.book.knows(uri))).min()
    }

    /// Everything is asked now: somebody wants to know.
    pub fn hurry(&mut self) {
        self.open.values_mut().for_each(Receipts::hurry);
    }

    /// How a batch of the last turn stands.
    pub fn standing(&self, batch: u64) -> Option<Standing> {
        self.open.get(&batch).map(Receipts::standing)
    }

    /// Height and Merkle root of the blocks that a batch of the last turn is in.
    pub fn blocks(&self, batch: u64) -> Vec<(u64, Digest)> {
        self.open.get(&batch).map(Receipts::blocks).unwrap_or_default()
    }

    /// Reads what is kept of batches that are new, and makes receipts of those that have none.
    async fn take_up(&mut self, now: u64, secret: &[u8; 32], roots: &[(u64, Digest)]) -> Result<(), Fault> {
        self.open.retain(|number, receipts| roots.contains(&(*number, *receipts.root())));
        let mut writes = Vec::new();
        for (number, root) in roots {
            let mut receipts = match self.open.remove(number) {
                Some(receipts) => receipts,
                // of another root: a crash took that batch, and it was made again
                None => match read(&self.store, *number)?.filter(|kept| kept.root() == root) {
                    Some(kept) => kept,
                    None => {
                        let nonce = tree::calendar_nonce(secret, *number, root);
                        wipe_stack::<{ memory::SIGNING }>();
                        Receipts::new(*root, nonce, now)
                    }
                },
            };
            if receipts.know(&self.book.urls) {
                writes.push((key(*number), Some(receipts.encode())));
            }
            self.open.insert(*number, receipts);
        }
        if writes.is_empty() { Ok(()) } else { self.store.put_state(writes).await }
    }
}

/// What is kept about a batch.
pub(super) fn read(store: &Store, batch: u64) -> Result<Option<Receipts>, Fault> {
    let Some(bytes) = store.state(&key(batch))? else { return Ok(None) };
    let receipts = Receipts::decode(&bytes);
    receipts.map(Some).map_err(|cause| anyhow!("what calendars said of anchor batch {batch} cannot be read: {cause}"))
}

fn key(batch: u64) -> Vec<u8> {
    [KEY, &batch.to_be_bytes()].concat()
}

/// A number from 0 to 1. Without randomness nothing worse happens than that calendars are asked at the same moment.
fn jitter() -> f64 {
    let mut bytes = [0; 2];
    let _ = getrandom::fill(&mut bytes);
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

/// What came of talking to a calendar.
enum Heard {
    Said(Bytes),
    Not(Answer),
    /// There is nobody to talk to: the chain knows.
    Look(Vec<(u64, Digest)>),
}

async fn talk(client: &Client, ask: &Ask, target: Option<Target>) -> Heard {
    let post = match ask {
        Ask::Submit { digest, .. } => Some(Bytes::copy_from_slice(digest)),
        Ask::Upgrade { .. } => None,
        Ask::Look { blocks, .. } => return Heard::Look(blocks.clone()),
    };
    let Some(target) = target else { return Heard::Not(Answer::Refused("its address is no URL".into())) };
    let is_upgrade = post.is_none();
    Heard::Not(match client.ask(&target, post, MEDIA_TYPE, DEADLINE).await {
        Ok((200, body)) => return Heard::Said(body),
        Ok((404, _)) if is_upgrade => Answer::NotYet,
        Ok((status @ 300..400, _)) => {
            Answer::Refused(format!("it redirects (HTTP status {status}), which is not followed"))
        }
        Ok((status @ (429 | 500..), _)) => Answer::Away(format!("HTTP status {status}")),
        Ok((status, _)) => Answer::Refused(format!("it answers with HTTP status {status}")),
        Err(NoLine::TooLong(most)) => Answer::Refused(format!("its answer is longer than {most} bytes")),
        Err(why) => Answer::Away(plain(why, 200)),
    })
}

/// Where a question goes; the chain is a host of its own.
fn host(ask: &Ask) -> String {
    let url = match ask {
        Ask::Submit { url, .. } => url,
        Ask::Upgrade { uri, .. } => uri,
        Ask::Look { .. } => return String::new(),
    };
    Url::parse(url).ok().map(|url| url.authority().to_owned()).unwrap_or_default()
}

/// Who may be asked.
#[derive(Debug)]
struct Book {
    /// Without a slash at the end.
    urls: Vec<String>,
    /// What hosts of calendars behind them end with.
    behind: Vec<&'static str>,
}

impl Book {
    fn new(urls: &[String]) -> Self {
        let hosts: Vec<_> = urls.iter().filter_map(|url| Some(Url::parse(url).ok()?.host_str()?.to_owned())).collect();
        let behind = POOLS.iter().filter(|(pool, _)| hosts.iter().any(|host| host.ends_with(pool)));
        Self { behind: behind.map(|(_, calendars)| *calendars).collect(), urls: urls.iter().map(|u| bare(u)).collect() }
    }

    fn knows(&self, uri: &str) -> bool {
        self.names(uri) || self.is_behind(uri)
    }

    fn names(&self, uri: &str) -> bool {
        self.urls.contains(&bare(uri))
    }

    fn is_behind(&self, uri: &str) -> bool {
        let Ok(url) = Url::parse(uri) else { return false };
        let plain = url.scheme() == "https" && url.port().is_none() && url.path() == "/" && url.query().is_none();
        let user = !url.username().is_empty() || url.password().is_some();
        let host = url.host_str().unwrap_or_default();
        plain && !user && self.behind.iter().any(|end| host.ends_with(end))
    }

    /// Where a question goes. The owner has named the hosts of the settings himself, so these may have private addresses.
    fn target(&self, ask: &Ask) -> Option<Target> {
        let (base, rest) = match ask {
            Ask::Submit { url, .. } => (url, "/digest".to_owned()),
            Ask::Upgrade { uri, commitment, .. } => (uri, format!("/timestamp/{}", hex::encode(commitment))),
            Ask::Look { .. } => return None,
        };
        let url = Url::parse(base).ok()?;
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        Some(Target {
            tls: url.scheme() == "https",
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            path: bare(url.path()) + &rest,
            trusted: self.names(base),
            body_max: ANSWER_MAX,
        })
    }
}

fn bare(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_be_asked_is_in_the_settings_or_behind_a_pool_of_them() {
        let book = Book::new(&["https://a.pool.opentimestamps.org/".into(), "http://127.0.0.1:14788".into()]);
        for uri in [
            "https://a.pool.opentimestamps.org",
            "https://alice.btc.calendar.opentimestamps.org",
            "https://bob.btc.calendar.opentimestamps.org/",
            "http://127.0.0.1:14788",
        ] {
            assert!(book.knows(uri), "{uri}");
        }
        for uri in [
            "https://calendar.opentimestamps.org.evil.example",
            "http://alice.btc.calendar.opentimestamps.org",
            "https://alice.btc.calendar.opentimestamps.org:8080",
            "https://alice.btc.calendar.opentimestamps.org/path",
            "https://x@alice.btc.calendar.opentimestamps.org",
            "https://finney.calendar.eternitywall.com",
            "http://127.0.0.1:14789",
            "https://127.0.0.1",
            "nonsense",
        ] {
            assert!(!book.knows(uri), "{uri}");
        }
    }

    #[test]
    fn questions_go_below_the_address_and_only_named_hosts_may_be_private() {
        let book = Book::new(&["https://a.pool.opentimestamps.org".into(), "http://[::1]:80/cal/".into()]);
        let submit = |url: &str| book.target(&Ask::Submit { url: url.into(), digest: [0; 32] }).expect("a URL");
        let there = submit("http://[::1]:81/cal/");
        assert_eq!((there.host.as_str(), there.port, there.path.as_str()), ("::1", 81, "/cal/digest"));
        assert!(!there.trusted && !there.tls && there.authority == "[::1]:81");
        assert!(submit("http://[::1]:80/cal/").trusted);
        let (url, uri) = ("https://a.pool.opentimestamps.org", "https://alice.btc.calendar.opentimestamps.org");
        let upgrade = Ask::Upgrade { url: url.into(), uri: uri.into(), commitment: vec![0xab, 1] };
        let there = book.target(&upgrade).expect("a URL");
        assert_eq!((there.path.as_str(), there.trusted, there.port), ("/timestamp/ab01", false, 443));
    }
}
