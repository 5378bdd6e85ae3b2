//! The head of the audit log in records of the node's own tenant: signed, and anchored as other records are. Who cuts the log's tail off,
//! or writes it anew, has them against him.

use crate::{
    audit::{Audit, Head, Signed, What},
    cid,
    crypto::Signer,
    dwn::{Cond, Direction, Fault, Filter, IndexValue, Refusal, Select, SortBy, View, create},
    job::{Job, Wait, blocking},
    node::{Node, now, one_chunk},
};
use anyhow::{anyhow, bail};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// The format that tells these records. Only [`Heads`] writes it: methods of records refuse it, and a message counts only under no
/// protocol and without a delegate's grant, so that nobody but an identity of this node can have signed it.
pub const HEAD_FORMAT: &str = "application/vnd.toft.audit-head+json";
/// How often is looked whether the head has moved, and how often at most it is signed, unless so many entries have come since.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const SIGN_EVERY: Duration = Duration::from_secs(3600);
const UNSIGNED_MAX: u64 = 64;
/// Of one page, and of all that are read.
const PAGE: usize = 100;
const HEADS_MAX: usize = 20_000;
/// What is not known yet.
const UNKNOWN: u64 = u64::MAX;

/// Signs heads, and finds those that were signed. Cheap to clone.
#[derive(Clone)]
pub struct Heads {
    node: Node,
    signer: Arc<Signer>,
    own: Own,
    audit: Audit,
    /// The number of the newest entry that was signed.
    last: Arc<AtomicU64>,
}

/// The DIDs of this node's identities: each of them may have been the node's own once.
pub type Own = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

impl std::fmt::Debug for Heads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heads({})", self.signer.did())
    }
}

impl Heads {
    /// `signer`: the node's own tenant. `own`: all identities of this node.
    pub fn new(node: Node, (signer, own): (Arc<Signer>, Own), audit: Audit) -> Self {
        Self { node, signer, own, audit, last: Arc::new(AtomicU64::new(UNKNOWN)) }
    }

    /// Signs the head when something has happened that matters: at most once an hour, but when many entries have come at once. Until it is
    /// to stop.
    pub async fn keep_signing(self, job: Job) -> Result<(), Fault> {
        self.sign_every((LOOK_EVERY, SIGN_EVERY), job).await
    }

    async fn sign_every(self, (look, every): (Duration, Duration), job: Job) -> Result<(), Fault> {
        job.awaits(Wait::Every(look));
        let mut at: Option<Instant> = None;
        let mut is_well = job.run(self.compare()).await.is_some();
        loop {
            // What failed is not tried again at once, and what is locked waits.
            let many = match self.last.load(Relaxed) {
                UNKNOWN => UNKNOWN,
                last if is_well && !self.signer.is_locked() => last.saturating_add(UNSIGNED_MAX),
                _ => UNKNOWN,
            };
            let goes_on = tokio::select! {
                goes_on = job.sleep(look) => goes_on,
                () = self.audit.moved_to(many) => true,
            };
            if !goes_on {
                return Ok(());
            }
            let round = async {
                if self.last.load(Relaxed) == UNKNOWN {
                    self.compare().await?;
                }
                let moved = self.audit.moved();
                let is_due = at.is_none_or(|at: Instant| at.elapsed() >= every) || moved >= many;
                if is_due && moved > self.last.load(Relaxed) && !self.signer.is_locked() {
                    self.sign().await?;
                    at = Some(Instant::now());
                }
                Ok(())
            };
            is_well = job.run(round).await.is_some();
        }
    }

    /// Signs the head of a log that is closed, if something has happened since it was signed last.
    pub async fn sign_last(&self) -> Result<(), Fault> {
        if self.last.load(Relaxed) == UNKNOWN {
            self.compare().await?;
        }
        if self.audit.moved() > self.last.load(Relaxed) {
            self.sign().await?;
        }
        Ok(())
    }

    /// Finds the newest entry that was signed. If it is not there, or is another one, the log says so from now on.
    async fn compare(&self) -> Result<(), Fault> {
        let newest = self.find(1).await?.into_iter().next();
        let head = self.audit.head().n;
        let Some(signed) = newest else {
            self.last.store(0, Relaxed);
            return Ok(());
        };
        let Signed { n, at, .. } = &signed;
        let is_cut = *n > head;
        let is_other = !is_cut && self.is_other(signed.clone()).await?;
        if is_cut {
            tracing::error!(
                "the audit log ends with entry {head}, and this node signed entry {n} on {at}: toft audit verify"
            );
        }
        if is_other {
            tracing::error!(
                "entry {n} of the audit log is not the one that this node signed on {at}: toft audit verify"
            );
        }
        if is_cut || is_other {
            let about = json!({"signed": n, "at": at, "last": head, "isOther": is_other});
            self.audit.note(What::Missing, "node", about).await?;
        }
        // What was written since is signed again.
        self.last.store(if is_cut || is_other { head } else { *n }, Relaxed);
        Ok(())
    }

    /// Is there another entry under the number of a signed one? (Cut off, and as many were written again.) One that is gone for its
    /// age is none.
    async fn is_other(&self, signed: Signed) -> Result<bool, Fault> {
        let audit = self.audit.clone();
        blocking(move || {
            let found = audit.newest(1, |entry| entry.n == signed.n)?;
            Ok(found.iter().any(|entry| entry.hash != signed.hash))
        })
        .await
    }

    async fn sign(&self) -> Result<u64, Fault> {
        let Head { n, hash } = self.audit.head();
        let at = now();
        let data = json!({"n": n, "hash": hash, "at": at}).to_string();
        let write = create::Write { data_format: HEAD_FORMAT, ..Default::default() };
        let root = cid::of(cid::RAW, data.as_bytes());
        let message = create::records_write(&write, (&root, data.len() as u64), &at, &self.signer).map_err(refused)?;
        let reply = self.node.process(self.signer.did(), message, Some(one_chunk(data.into()))).await?;
        if reply.code != 202 {
            bail!("the head of the audit log is not recorded: {} {}", reply.code, reply.detail);
        }
        self.last.store(n, Relaxed);
        Ok(n)
    }

    /// All that were signed, the newest first.
    pub async fn signed(&self) -> Result<Vec<Signed>, Fault> {
        self.find(HEADS_MAX).await
    }

    /// The newest that were signed, by whichever identity of this node. Nobody else signs a head.
    async fn find(&self, most: usize) -> Result<Vec<Signed>, Fault> {
        let (store, own) = (self.node.store().clone(), (self.own)());
        blocking(move || {
            let mut all = Vec::new();
            for did in own {
                all.extend(of_tenant(&*store.view(&did), &did, most)?);
            }
            all.sort_by(|a: &Signed, b| b.at.cmp(&a.at));
            all.truncate(most);
            Ok(all)
        })
        .await
    }
}

/// The newest heads that a tenant has signed. Blocks.
fn of_tenant(view: &dyn View, did: &str, most: usize) -> Result<Vec<Signed>, Fault> {
    let is = |name: &str, text: &str| (name.to_owned(), Cond::Equal(IndexValue::String(text.to_owned())));
    let filter: Filter = [is("method", "Write"), is("dataFormat", HEAD_FORMAT), is("author", did)].into();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let select = Select {
            any_of: vec![filter.clone()],
            sort: SortBy::DateCreated,
            direction: Direction::Descending,
            limit: Some(PAGE.min(most - found.len())),
            after,
        };
        let page = view.select(&select)?;
        for stored in page.entries {
            if !is_own(&stored.message) {
                continue;
            }
            let data = view.inline_data(&stored)?;
            found.extend(data.and_then(|data| serde_json::from_slice::<Signed>(&data).ok()));
        }
        after = page.cursor;
        if after.is_none() || found.len() >= most {
            return Ok(found);
        }
    }
}

/// Did the author sign it himself? Whom he let write in a protocol writes in his name.
fn is_own(message: &Value) -> bool {
    let descriptor = &message["descriptor"];
    descriptor.get("protocol").is_none() && message["authorization"].get("authorDelegatedGrant").is_none()
}

fn refused(refusal: Refusal) -> Fault {
    anyhow!("a message about the audit log: {refusal}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::verify,
        blocks::{self, Blocks},
        dwn::testing::person,
        metrics::Metrics,
        node::{Config, RetentionConfig},
        resolve::{self, Resolver},
        store::{self, Store},
    };
    use jiff::Timestamp;
    use std::{fs, path::Path};

    fn own(signer: &Arc<Signer>) -> (Arc<Signer>, Own) {
        (signer.clone(), Arc::new(|| vec![person(1).did().to_owned(), person(2).did().to_owned()]))
    }

    fn heads(home: &Path) -> Heads {
        let store = Store::open(&home.join("store"), &store::Config::default()).expect("the store opens");
        let blocks =
            Blocks::open(&home.join("blocks"), &blocks::Config::default(), store.clone()).expect("blocks open");
        let (signer, metrics) = (Arc::new(person(1)), Metrics::default());
        let resolver = Resolver::new(&resolve::Config::default(), store.clone(), &metrics).expect("a resolver");
        let (config, retention) = (Config::default(), RetentionConfig::default());
        let who = (signer.did(), None, &retention);
        let node = Node::new(&config, who, store, blocks, resolver, &metrics).expect("a node");
        node.host_own(person(2).did());
        Heads::new(node, own(&signer), Audit::open(home, Timestamp::now()).expect("the log opens"))
    }

    async fn entries(heads: &Heads, many: u64) {
        for n in 0..many {
            heads.audit.note(What::Login, "owner", json!({"n": n})).await.expect("written");
        }
    }

    #[tokio::test]
    async fn a_tail_that_is_cut_off_is_seen_by_the_signed_records() {
        let home = tempfile::tempdir().expect("a directory");
        let heads = heads(home.path());
        heads.compare().await.expect("looks");
        assert_eq!((heads.last.load(Relaxed), heads.audit.moved()), (0, 0), "that a file was begun says nothing");
        for n in 0..3 {
            entries(&heads, 1).await;
            assert_eq!(heads.sign().await.expect("signs"), n + 2);
        }
        heads.compare().await.expect("looks");
        assert_eq!(heads.last.load(Relaxed), 4);
        let signed = heads.signed().await.expect("finds");
        assert_eq!(signed.iter().map(|head| head.n).collect::<Vec<_>>(), [4, 3, 2]);
        let dir = heads.audit.dir().to_owned();
        let report = |signed: &[Signed]| verify(&dir, signed).expect("reads").problems;
        assert_eq!(report(&signed), [""; 0]);
        let file = crate::audit::files(&dir).expect("lists").pop().expect("a file");
        let whole = fs::read_to_string(&file).expect("a file");
        let cut: String = whole.split_inclusive('\n').take(3).collect();
        fs::write(&file, cut).expect("writes");
        assert_eq!(report(&signed).len(), 1);
        // The node starts on what is left, as another identity: it says so, and the newer entries do not hide it.
        let Heads { node, .. } = heads;
        let other = Arc::new(person(2));
        let again = Heads::new(node, own(&other), Audit::open(home.path(), Timestamp::now()).expect("the log opens"));
        again.compare().await.expect("looks");
        assert_eq!(again.last.load(Relaxed), 3);
        assert_eq!(again.audit.newest(1, |_| true).expect("reads")[0].what, What::Missing.name());
        assert!(report(&signed)[0].contains("entry 4 is not the one that the node signed"), "{:?}", report(&signed));
        // What the identity of before has signed, counts on.
        again.sign().await.expect("signs");
        let signed = again.signed().await.expect("finds");
        assert_eq!(signed.iter().map(|head| head.n).collect::<Vec<_>>(), [4, 4, 3, 2]);
    }

    #[test]
    fn who_may_write_in_a_protocol_signs_no_head() {
        let written = |descriptor: Value, authorization: Value| {
            is_own(&json!({"descriptor": descriptor, "authorization": authorization}))
        };
        assert!(written(json!({"dataFormat": HEAD_FORMAT}), json!({"signature": {}})));
        assert!(!written(
            json!({"dataFormat": HEAD_FORMAT, "protocol": "http://a.example/p"}),
            json!({"signature": {}})
        ));
        let delegated = json!({"signature": {}, "authorDelegatedGrant": {}});
        assert!(!written(json!({"dataFormat": HEAD_FORMAT}), delegated));
    }

    #[tokio::test]
    async fn entries_in_the_place_of_others_are_seen_at_the_next_start() {
        let home = tempfile::tempdir().expect("a directory");
        let heads = heads(home.path());
        for _ in 0..3 {
            entries(&heads, 1).await;
            heads.sign().await.expect("signs");
        }
        let file = crate::audit::files(heads.audit.dir()).expect("lists").pop().expect("a file");
        let whole = fs::read_to_string(&file).expect("a file");
        fs::write(&file, whole.split_inclusive('\n').take(3).collect::<String>()).expect("writes");
        // The start writes where the cut entry was, so that nothing is lacking by number.
        let Heads { node, .. } = heads;
        let audit = Audit::open(home.path(), Timestamp::now()).expect("the log opens");
        audit.started("1", &json!({})).expect("writes");
        assert_eq!(audit.head().n, 4);
        let again = Heads::new(node, own(&Arc::new(person(1))), audit);
        again.compare().await.expect("looks");
        assert_eq!(again.last.load(Relaxed), 4);
        let told = again.audit.newest(1, |_| true).expect("reads").pop().expect("an entry");
        assert_eq!((told.what.as_str(), &told.about["isOther"]), (What::Missing.name(), &json!(true)));
        again.sign().await.expect("signs");
        let signed = again.signed().await.expect("finds");
        assert_eq!(signed.iter().map(|head| head.n).collect::<Vec<_>>(), [5, 4, 3, 2]);
        // It is said once.
        again.compare().await.expect("looks");
        assert_eq!((again.last.load(Relaxed), again.audit.head().n), (5, 5));
    }

    #[tokio::test]
    async fn many_entries_are_signed_at_once_and_the_last_ones_at_the_end() {
        let home = tempfile::tempdir().expect("a directory");
        let heads = heads(home.path());
        entries(&heads, 1).await;
        let stop = tokio_util::sync::CancellationToken::new();
        let job = Job::new("audit-head", "signs", stop.clone());
        let times = (Duration::from_millis(20), SIGN_EVERY);
        let signing = tokio::spawn(heads.clone().sign_every(times, job.clone()));
        let signed = async |n: u64| {
            while heads.last.load(Relaxed) != n {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // The first at the first look; then none for an hour, unless there are many.
        signed(2).await;
        entries(&heads, UNSIGNED_MAX).await;
        signed(2 + UNSIGNED_MAX).await;
        entries(&heads, 3).await;
        let before = job.status().runs;
        while job.status().runs < before + 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(heads.last.load(Relaxed), 2 + UNSIGNED_MAX, "a few wait");
        stop.cancel();
        signing.await.expect("ends").expect("well");
        heads.sign_last().await.expect("signs");
        assert_eq!(heads.last.load(Relaxed), 5 + UNSIGNED_MAX);
        heads.sign_last().await.expect("nothing to sign");
        assert_eq!(heads.signed().await.expect("finds").len(), 3);
    }
}
