//! Who follows the log, and what comes round every so often: the list of jobs.

use super::{
    base::Base,
    door::Door,
    identity::Identity,
    network::{Dialler, incoming, keep_direct},
    seen,
    storage::Storage,
};
use crate::{
    access::Access,
    anchor::Anchor,
    audit::Audit,
    backup::Source,
    config,
    content::{self, Care, Heads},
    crypto::Secret,
    identity::Identities,
    memory,
    net::{self, Net},
    remote::Remotes,
    rpc::control::{Call, anchor_records, devices},
    sync::{self, Peers},
};
use anyhow::Error;

/// Those of them that are asked for something.
pub(super) struct Followers {
    pub backup: Source,
    pub sync: Peers,
    pub remotes: Remotes,
    pub anchor: Anchor,
}

impl Followers {
    pub async fn start(
        base: &Base<'_>,
        (identity, identities): (&Identity, &Identities),
        (storage, door, net): (&Storage, &Door, &Net),
        (anchor_key, audit): (Option<Secret>, &Audit),
    ) -> Result<Self, Error> {
        let backup = backup(base, identity, storage);
        jobs(base, identity, (storage, door, net), (&backup, audit));
        door.node.forget_what_came().await?;
        let sync = sync(base, identity, door, net)?;
        let who = (door.node.clone(), identities.clone());
        let remotes = Remotes::start(
            (&base.config.remote, &base.config.sync.local_only),
            who,
            sync.still(),
            &base.jobs,
            &base.metrics,
        )?;
        let (network, store) = (net.clone(), storage.store.clone());
        base.jobs.start("seen", "writes down where devices are reached", |job| seen::keep(network, store, job));
        let (network, peers) = (net.clone(), sync.clone());
        base.jobs
            .start("direct", "moves sync from relays to direct connections", |job| keep_direct(network, peers, job));
        let parts = (storage.store.clone(), storage.blocks.clone(), audit.clone());
        sync.bring_what_is_read();
        let anchor = Anchor::start(&base.config.anchor, parts, anchor_key, &base.metrics, &base.jobs).await?;
        Ok(Self { backup, sync, remotes, anchor })
    }
}

/// Jobs that nobody asks for anything.
fn jobs(
    base: &Base<'_>,
    identity: &Identity,
    (storage, door, net): (&Storage, &Door, &Net),
    (backup, audit): (&Source, &Audit),
) {
    let (jobs, config, node, Storage { store, blocks }) = (&base.jobs, base.config, &door.node, storage);
    jobs.start("subscriptions", "tells subscribers what was written", |job| node.clone().carry_events(job));
    jobs.start("announce", "tells the network what is published", |job| {
        let (net, store) = (net.clone(), store.clone());
        async move {
            tokio::select! {
                () = job.stop().cancelled() => return Ok(()),
                () = net.begun() => {}
            }
            net::announce(net, store, job).await
        }
    });
    jobs.start("backup", "takes snapshots of the home", |job| {
        backup.clone().keep_backing_up(config.backup.clone(), audit.clone(), job)
    });
    jobs.start("compact", "gives back what the log holds of deleted messages", |job| {
        store.clone().keep_compacting(config.store.compact_every.0, config.store.compact_above, job)
    });
    jobs.start("retention", "ends records whose time is over", |job| {
        node.clone().keep_ending(config.retention.every.0, identity.signer.clone(), job)
    });
    jobs.start("conflicts", "forgets conflicts whose time is over", |job| {
        node.clone().keep_forgetting(config.retention.every.0, job)
    });
    jobs.start("collect", "deletes blocks that nothing needs", |job| {
        blocks.clone().keep_collecting(config.blocks.collect_every.0, job)
    });
    jobs.start("scrub", "reads everything and checks every hash", |job| {
        let fetch = Some(content::peers(net));
        let care = Care { store: store.clone(), blocks: blocks.clone(), fetch, stop: job.stop().clone() };
        content::keep_scrubbing(care, config.blocks.scrub_every.0, job)
    });
    jobs.start("memory", "gives free memory back to the system", memory::keep_giving_back);
}

/// Jobs of those who call and those who sign.
pub(super) fn accounts(base: &Base<'_>, identities: &Identities, (audit, access, heads): (&Audit, &Access, &Heads)) {
    let jobs = &base.jobs;
    jobs.start("tokens", "writes down when tokens were used last", |job| access.clone().keep_noting(job));
    jobs.start("audit", "writes down how many calls were refused", |job| audit.clone().keep_summing_up(job));
    jobs.start("audit-head", "signs the head of the audit log", |job| heads.clone().keep_signing(job));
    if base.config.identity.publish {
        let work = "puts the documents of this node's identities to the gateway";
        jobs.start("publish", work, |job| identities.clone().keep_publishing(job));
    }
}

/// What acts for the owner as the owner would by a call.
pub(super) fn grants(base: &Base<'_>, owner: Call) {
    let follower = owner.clone();
    base.jobs
        .start("devices", "meets the devices that a person's records name", |job| devices::keep_meeting(follower, job));
    let recorder = owner.clone();
    base.jobs.start("proofs", "writes proofs into records of those whose messages they are of", |job| {
        anchor_records::keep_recording(recorder, job)
    });
    base.jobs.start("grants", "gives devices the grants that they lack", |job| devices::keep_giving(owner, job));
}

/// What a snapshot is taken of.
fn backup(base: &Base<'_>, identity: &Identity, storage: &Storage) -> Source {
    Source {
        home: base.home.to_owned(),
        keys: base.config.identity.keys.clone(),
        settings: config::FILE.to_owned(),
        store: storage.store.clone(),
        blocks: storage.blocks.clone(),
        signer: identity.signer.clone(),
        link: base.config.backup.link,
    }
}

fn sync(base: &Base<'_>, identity: &Identity, door: &Door, net: &Net) -> Result<Peers, Error> {
    let Identity { did, signer } = identity.clone();
    let links =
        (Dialler { net: net.clone(), store: door.node.store().clone(), did: did.clone() }, incoming(net, &base.tasks)?);
    let who = (sync::Own { did, signer }, door.resolver.clone());
    let dir = base.home.join("sync");
    Peers::start((&base.config.sync, &dir), door.node.clone(), who, links, &base.jobs, &base.metrics)
}
