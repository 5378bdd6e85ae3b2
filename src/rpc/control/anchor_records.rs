//! Proofs in records of those whose messages and data they are of: every device that keeps these has the proofs too.

use super::{
    actor::{About, Actor, Right},
    anchor::owners,
    call::Call,
    failure::{Failure, Kind},
    grants::look,
    letter::install,
};
use crate::{
    anchor::{
        Shares,
        native::Head,
        records::{self, BATCH, FORMAT, Kept, LEAVES, PROTOCOL},
    },
    cid,
    dwn::create,
    foreign::shown,
    job::{Job, Wait},
    node::{self, one_chunk},
};
use anyhow::{Error, anyhow};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// What was not written is tried again.
const EVERY: Duration = Duration::from_secs(600);
/// A batch changes a few times in a row.
const SETTLED: Duration = Duration::from_millis(500);
/// Tenants that a sentence names.
const NAMED: usize = 3;
/// Tenants of one batch that may give a grant later.
const LACKING_MAX: usize = 64;

/// What is left of a batch to write.
#[derive(Debug, Default)]
struct Left {
    /// Tenants that this node could not sign for. They may give a grant later.
    lacking: Vec<String>,
    /// Some tenant's records were not written; when that was.
    failed: Option<Instant>,
}

/// Writes what is new of batches into records of those whose leaves they have. Until it is to stop.
pub async fn keep_recording(call: Call, job: Job) -> Result<(), Error> {
    job.awaits(Wait::Every(EVERY));
    let mut status = call.anchor.watch();
    let mut left = BTreeMap::new();
    let mut seen = None;
    loop {
        call.anchor.believe(owners(&call));
        let now = (status.borrow_and_update().batches.clone(), call.anchor.is_locked());
        if seen.as_ref() != Some(&now) {
            seen = Some(now);
            job.run(record_all(&call, &mut left)).await;
        }
        tokio::select! {
            goes_on = job.sleep(EVERY) => {
                if !goes_on {
                    return Ok(());
                }
                seen = None;
            }
            changed = status.changed() => if changed.is_err() || !job.sleep(SETTLED).await { return Ok(()) },
        }
    }
}

/// `left`: by batch, what an earlier run of this could not write.
async fn record_all(call: &Call, left: &mut BTreeMap<u64, Left>) -> Result<(), Error> {
    if call.anchor.is_locked() {
        return Ok(());
    }
    let mut failed = Vec::new();
    for (number, is_new) in call.anchor.unwritten().await? {
        if let Some(left) = left.get(&number)
            && !is_new
            && left.failed.is_none_or(|at| at.elapsed() < EVERY)
            && !any_may_write(call, &left.lacking).await
        {
            continue;
        }
        let shares = match call.anchor.shares(number, call.signer.did().to_owned()).await {
            Ok(Some(shares)) => shares,
            Ok(None) => continue,
            Err(why) => {
                failed.push(format!("batch {number}: {why:#}"));
                continue;
            }
        };
        match record(call, &shares).await {
            Ok((lacking, why)) => {
                failed.extend(why.iter().map(|why| format!("batch {number}: {why}")));
                left.insert(number, Left { lacking, failed: why.map(|_| Instant::now()) });
            }
            Err(failure) if failure.kind == Kind::Locked => return Ok(()),
            Err(failure) => failed.push(format!("batch {number}: {}", failure.message)),
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(anyhow!("proofs were not written into records of {}", failed.join("; "))),
    }
}

async fn any_may_write(call: &Call, tenants: &[String]) -> bool {
    for tenant in tenants {
        if may_write(call, tenant).await.is_ok_and(|right| right.is_some()) {
            return true;
        }
    }
    false
}

/// Writes a batch into the records of all whose leaves it has. Of whom it could not for want of a grant, as many as are remembered; and why
/// others refused it, if some did: they keep nobody else from his.
async fn record(call: &Call, shares: &Shares) -> Result<(Vec<String>, Option<String>), Failure> {
    let (mut lacking, mut refused) = (Vec::new(), Vec::new());
    for tenant in shares.tenants() {
        let written = match may_write(call, tenant).await {
            Ok(Some((actor, right))) => record_for(call, shares, &actor, &right).await,
            Ok(None) => {
                lacking.push(tenant.to_owned());
                continue;
            }
            Err(failure) => Err(failure),
        };
        match written {
            Ok(()) => {}
            Err(failure) if failure.kind == Kind::Locked => return Err(failure),
            Err(failure) => refused.push(format!("{}: {}", shown(tenant), failure.message)),
        }
    }
    if !lacking.is_empty() {
        let named: Vec<_> = lacking.iter().take(NAMED).map(|tenant| shown(tenant).to_string()).collect();
        tracing::info!(
            batch = shares.number,
            "this node holds no key and no grant of {} tenants ({}{}): proofs of their records are in its ledger alone",
            lacking.len(),
            named.join(", "),
            if lacking.len() > NAMED { ", …" } else { "" }
        );
    }
    call.anchor.written(shares, (lacking.len() + refused.len()) as u32).await?;
    lacking.truncate(LACKING_MAX);
    let more = refused.len().saturating_sub(NAMED);
    refused.truncate(NAMED);
    let why = (!refused.is_empty()).then(|| refused.join(", "));
    Ok((lacking, why.map(|why| if more > 0 { format!("{why}, and {more} more") } else { why })))
}

/// In whose name a tenant's records are written: its own, or by the grant of a device.
async fn may_write(call: &Call, tenant: &str) -> Result<Option<(Actor, Right)>, Failure> {
    let own = call.identities.signer(tenant).map(|_| tenant);
    let actor = match own {
        Some(own) => Actor::of(call, Some(own))?,
        None => Actor::within(call, None, Some(tenant))?,
    };
    let path = |path: &str| About::Records {
        protocol: Some(PROTOCOL.into()),
        context: None,
        path: Some(path.into()),
        published: false,
    };
    match actor.right(&call.node, "Write", path(BATCH), (None, None)).await {
        Ok(right) if right.author() == tenant => Ok(Some((actor, right))),
        Ok(_) => Ok(None),
        Err(failure) if failure.kind == Kind::Denied => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Writes what a tenant's records lack of a batch. What is there already is looked for first: this may be done again after a crash.
async fn record_for(call: &Call, shares: &Shares, actor: &Actor, right: &Right) -> Result<(), Failure> {
    let tenant = &actor.tenant;
    let root = shares.root();
    let look_at = move |view: &dyn crate::dwn::View, _: &str| {
        let is_installed = view.protocol(PROTOCOL)?.is_some();
        Ok((is_installed, records::head(view, &root)?, records::parts(view, &root)?))
    };
    let (is_installed, kept, known) = look(call, tenant, look_at).await?;
    if !is_installed {
        install(call, actor, records::definition()?).await?;
    }
    let (head, parts) = shares.of_tenant(tenant);
    let context = match kept {
        Some(Kept { message, head: earlier }) => {
            update(call, (actor, right), &message, head, earlier).await?;
            context_of(&message)
        }
        None => {
            let write = create::Write { tags: Some(records::tags_of(&head)), ..of_protocol(BATCH, None) };
            let message = new(call, (actor, right), &write, head.write().into()).await?;
            context_of(&message)
        }
    };
    for (part, bytes) in (0_u32..).zip(parts).filter(|(part, _)| !known.contains(&u64::from(*part))) {
        let tags = records::tags_of_part(&root, part);
        let write = create::Write { tags: Some(tags), ..of_protocol(LEAVES, Some(&context)) };
        new(call, (actor, right), &write, bytes.into()).await?;
    }
    Ok(())
}

fn context_of(message: &Value) -> String {
    message["contextId"].as_str().unwrap_or_default().to_owned()
}

fn of_protocol<'a>(path: &'a str, parent_context: Option<&'a str>) -> create::Write<'a> {
    create::Write { protocol: Some((PROTOCOL, path)), parent_context, data_format: FORMAT, ..create::Write::default() }
}

async fn new(
    call: &Call,
    (actor, right): (&Actor, &Right),
    write: &create::Write<'_>,
    data: Bytes,
) -> Result<Value, Failure> {
    let declared = (&cid::of(cid::RAW, &data), data.len() as u64);
    let draft = create::draft(write, declared, &node::now(), right.author());
    let message = right.invoking(draft.and_then(|draft| create::sign_records_write(draft, &actor.signer)))?;
    right.accepted(call.node.process(&actor.tenant, message.clone(), Some(one_chunk(data))).await?)?;
    Ok(message)
}

/// Writes a batch's record anew, if there is anything new to say.
async fn update(
    call: &Call,
    (actor, right): (&Actor, &Right),
    before: &Value,
    head: Head,
    earlier: Option<Head>,
) -> Result<(), Failure> {
    let head = match earlier.clone() {
        Some(earlier) => head.upgrading(earlier),
        None => head,
    };
    if earlier.as_ref() == Some(&head) {
        return Ok(());
    }
    let data = Bytes::from(head.write());
    let mut changes = Map::from_iter([("tags".to_owned(), records::tags_of(&head).into())]);
    changes.insert("dataCid".into(), cid::of(cid::RAW, &data).to_string().into());
    changes.insert("dataSize".into(), json!(data.len()));
    let message = create::records_update(before, &changes.into(), &node::now(), &actor.signer);
    let message = right.invoking(message)?;
    right.accepted(call.node.process(&actor.tenant, message, Some(one_chunk(data))).await?)?;
    Ok(())
}
