//! The head of the audit log in records of the node's own tenant: signed, and anchored as other records are. Who cuts the log's tail off,
//! or writes it anew, has them against him.

use crate::{
    audit::{Audit, Head, Signed, What},
    cid,
    crypto::Signer,
    dwn::{Fault, Refusal, create},
    job::{Job, Wait},
    node::{Node, now, one_chunk},
};
use anyhow::{Context as _, anyhow, bail};
use serde_json::{Map, Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The format that tells these records.
const FORMAT: &str = "application/vnd.toft.audit-head+json";
/// How often is looked whether the head has moved, and how often at most it is signed.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const SIGN_EVERY: Duration = Duration::from_secs(3600);
/// Of one page, and of all that are read.
const PAGE: usize = 100;
const HEADS_MAX: usize = 20_000;

/// Signs heads, and finds those that were signed. Cheap to clone.
#[derive(Clone)]
pub struct Heads {
    node: Node,
    signer: Arc<Signer>,
    audit: Audit,
}

impl std::fmt::Debug for Heads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heads({})", self.signer.did())
    }
}

impl Heads {
    /// `signer`: the node's own tenant.
    pub fn new(node: Node, signer: Arc<Signer>, audit: Audit) -> Self {
        Self { node, signer, audit }
    }

    /// Signs the head when something has happened that matters, at most once an hour, until it is to stop.
    pub async fn keep_signing(self, job: Job) -> Result<(), Fault> {
        job.awaits(Wait::Every(LOOK_EVERY));
        let mut signed: Option<(u64, Option<Instant>)> = None;
        loop {
            if !job.sleep(LOOK_EVERY).await {
                return Ok(());
            }
            let round = async {
                let (before, at) = match signed {
                    Some(signed) => signed,
                    None => (self.compare().await?, None),
                };
                let is_due = at.is_none_or(|at: Instant| at.elapsed() >= SIGN_EVERY);
                let is_moved = self.audit.moved() > before;
                Ok(if is_due && is_moved { (self.sign().await?, Some(Instant::now())) } else { (before, at) })
            };
            signed = job.run(round).await.or(signed);
        }
    }

    /// The number of the newest entry that was signed. If it is not there, the log says so from now on.
    async fn compare(&self) -> Result<u64, Fault> {
        let newest = self.page(1, None).await?.0.pop();
        let Some(Signed { n, at, .. }) = newest else { return Ok(0) };
        let head = self.audit.head().n;
        if n > head {
            tracing::error!(
                "the audit log ends with entry {head}, and this node signed entry {n} on {at}: toft audit verify"
            );
            self.audit.note(What::Missing, "node", json!({"signed": n, "at": at, "last": head})).await?;
            return Ok(head);
        }
        Ok(n)
    }

    async fn sign(&self) -> Result<u64, Fault> {
        let Head { n, hash } = self.audit.head();
        let at = now();
        let data = json!({"n": n, "hash": hash, "at": at}).to_string();
        let write = create::Write { data_format: FORMAT, ..Default::default() };
        let root = cid::of(cid::RAW, data.as_bytes());
        let message = create::records_write(&write, (&root, data.len() as u64), &at, &self.signer).map_err(refused)?;
        let reply = self.node.process(self.signer.did(), message, Some(one_chunk(data.into()))).await?;
        if reply.code != 202 {
            bail!("the head of the audit log is not recorded: {} {}", reply.code, reply.detail);
        }
        Ok(n)
    }

    /// All that were signed, the newest first.
    pub async fn signed(&self) -> Result<Vec<Signed>, Fault> {
        let (mut all, mut cursor) = self.page(PAGE, None).await?;
        while let Some(from) = cursor.take().filter(|_| all.len() < HEADS_MAX) {
            let (more, next) = self.page(PAGE, Some(from)).await?;
            all.extend(more);
            cursor = next;
        }
        Ok(all)
    }

    async fn page(&self, limit: usize, cursor: Option<Value>) -> Result<(Vec<Signed>, Option<Value>), Fault> {
        let mut pagination = Map::from_iter([("limit".to_owned(), limit.into())]);
        pagination.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor)));
        // Of this tenant's own hand: nobody else signs a head.
        let filter = json!({"dataFormat": FORMAT, "author": self.signer.did()});
        let more = json!({"dateSort": "createdDescending", "pagination": pagination});
        let message = create::records_query(filter, more, &now(), Some(&self.signer)).map_err(refused)?;
        let reply = self.node.process(self.signer.did(), message, None).await?;
        if reply.code != 200 {
            bail!("looking for signed heads of the audit log: {} {}", reply.code, reply.detail);
        }
        let mut page: Value =
            serde_json::from_str(&reply.whole().await?).context("an answer of this node is not a page")?;
        let entries = page["entries"].as_array().into_iter().flatten();
        let heads = entries.filter_map(|entry| {
            let data = crate::crypto::decode(entry["encodedData"].as_str()?)?;
            serde_json::from_slice(&data).ok()
        });
        let heads = heads.collect();
        Ok((heads, Some(page["cursor"].take()).filter(|cursor| !cursor.is_null())))
    }
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

    fn heads(home: &Path) -> Heads {
        let store = Store::open(&home.join("store"), &store::Config::default()).expect("the store opens");
        let blocks =
            Blocks::open(&home.join("blocks"), &blocks::Config::default(), store.clone()).expect("blocks open");
        let (signer, metrics) = (Arc::new(person(1)), Metrics::default());
        let resolver = Resolver::new(&resolve::Config::default(), store.clone(), &metrics).expect("a resolver");
        let (config, retention) = (Config::default(), RetentionConfig::default());
        let who = (signer.did(), None, &retention);
        let node = Node::new(&config, who, store, blocks, resolver, &metrics).expect("a node");
        Heads::new(node, signer, Audit::open(home, Timestamp::now()).expect("the log opens"))
    }

    #[tokio::test]
    async fn a_tail_that_is_cut_off_is_seen_by_the_signed_records() {
        let home = tempfile::tempdir().expect("a directory");
        let heads = heads(home.path());
        assert_eq!(heads.compare().await.expect("looks"), 0);
        assert_eq!(heads.audit.moved(), 0, "that a file was begun says nothing");
        for n in 0..3 {
            heads.audit.note(What::Login, "owner", json!({"n": n})).await.expect("written");
            assert_eq!(heads.sign().await.expect("signs"), n + 2);
        }
        assert_eq!(heads.compare().await.expect("looks"), 4);
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
        // The node starts on what is left: it says so, and the newer entries do not hide it.
        let Heads { node, signer, .. } = heads;
        let again = Heads::new(node, signer, Audit::open(home.path(), Timestamp::now()).expect("the log opens"));
        assert_eq!(again.compare().await.expect("looks"), 3);
        assert_eq!(again.audit.newest(1, |_| true).expect("reads")[0].what, What::Missing.name());
        assert!(report(&signed)[0].contains("entry 4 is not the one that the node signed"), "{:?}", report(&signed));
    }
}
