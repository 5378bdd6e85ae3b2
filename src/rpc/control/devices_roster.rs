//! The records that tell a person's devices of one another: written by the one that holds the identity's key, and followed by the others.

use super::{
    actor::Actor,
    call::Call,
    failure::Failure,
    grants::look,
    letter::{install, send, write},
    refusals::refused,
};
use crate::{
    anchor::records::{self, PROTOCOL},
    audit::What,
    devices::{
        Listed,
        roster::{self, Entry, ROSTER, Recorded, SCHEMA},
    },
    dwn::{Stop, create},
    node,
};
use anyhow::{Context as _, Error};
use serde_json::json;
use std::collections::BTreeSet;

/// Writes the record of a device that an identity of this node has let in, unless it is there as it should be.
pub(super) async fn record(call: &Call, identity: &str, device: &Listed) -> Result<(), Failure> {
    let Some(address) = device.address.clone() else { return Ok(()) };
    let entry = Entry { did: device.did.clone(), name: device.name.clone(), address };
    let (asked, did) = (identity.to_owned(), device.did.clone());
    let (is_installed, has_proofs, known) = look(call, identity, move |view, _| {
        let is_installed = |uri| Ok::<_, Stop>(view.protocol(uri)?.is_some());
        Ok((is_installed(ROSTER)?, is_installed(PROTOCOL)?, roster::of(&asked, view)?.remove(&did)))
    })
    .await?;
    let actor = Actor::of(call, Some(identity))?;
    if !has_proofs {
        // The device may be the one that anchors: only who holds the key lets it write what it proves.
        install(call, &actor, records::definition()?).await?;
    }
    let older = match known {
        Some(Recorded { mut ids, entry: recorded }) if recorded == entry => {
            ids.pop();
            return end(call, identity, &ids).await;
        }
        Some(Recorded { ids, .. }) => ids,
        None => Vec::new(),
    };
    if !is_installed {
        install(call, &actor, roster::definition()?).await?;
    }
    let Actor { signer, tenant, .. } = actor;
    let tags = json!({"did": entry.did});
    let record = create::Write {
        protocol: Some((ROSTER, "device")),
        schema: Some(SCHEMA),
        data_format: "application/json",
        tags: tags.as_object().cloned(),
        ..create::Write::default()
    };
    let (message, data) = write(&signer, &record, &json!(entry))?;
    send(call, &tenant, message, Some(data)).await?;
    // Only now: without any record the other devices would take it for gone.
    end(call, identity, &older).await
}

/// Ends the record of a device that is none any more.
pub(super) async fn forget(call: &Call, identity: &str, device: &str) -> Result<(), Failure> {
    let (asked, did) = (identity.to_owned(), device.to_owned());
    let known = look(call, identity, move |view, _| Ok(roster::of(&asked, view)?.remove(&did))).await?;
    match known {
        Some(Recorded { ids, .. }) => end(call, identity, &ids).await,
        None => Ok(()),
    }
}

async fn end(call: &Call, identity: &str, ids: &[String]) -> Result<(), Failure> {
    if ids.is_empty() {
        return Ok(());
    }
    let Actor { signer, tenant, .. } = Actor::of(call, Some(identity))?;
    for id in ids {
        let delete = create::records_delete(id, false, &node::now(), &signer).map_err(refused)?;
        send(call, &tenant, delete, None).await?;
    }
    Ok(())
}

/// Meets the devices that the identities whose key is elsewhere have let in, and shares nothing more with those that are none any more.
pub(super) async fn follow(call: &Call) -> Result<(), Error> {
    let own = call.identities.dids();
    let devices = || call.sync.peers().into_iter().map(|status| status.peer).filter(|peer| peer.friend.is_none());
    let shared: BTreeSet<String> =
        devices().flat_map(|peer| peer.tenants).filter(|tenant| !own.contains(tenant)).collect();
    for identity in shared {
        let (store, asked) = (call.node.store().clone(), identity.clone());
        let looked = tokio::task::spawn_blocking(move || roster::of(&asked, &*store.view(&asked)));
        let recorded = looked.await.context("a look at the devices ended early")??;
        let named = call.devices.named_by(&identity)?;
        let peers: Vec<_> = call.sync.peers().into_iter().map(|status| status.peer).collect();
        let news = roster::news(call.sync.own(), &recorded, &peers, &named);
        for did in news.gone {
            call.sync.remove(&did).await?;
            call.devices.forget(&did).await?;
            call.audit.note(What::PeerRemoved, call.caller(), json!({"did": did, "by": identity})).await?;
        }
        for Entry { did, name, address } in news.come {
            if let Err(why) = call.sync.check(&did, &address, &[]) {
                tracing::warn!("{identity} names a device that is none: {why}");
                continue;
            }
            call.devices.add_named(&did, &name, &identity).await?;
            call.sync.add(did.clone(), address, vec![identity.clone()]).await?;
            let about = json!({"did": did, "tenants": [identity], "name": name, "by": identity});
            call.audit.note(What::PeerAdded, call.caller(), about).await?;
        }
    }
    Ok(())
}
