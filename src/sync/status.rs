//! How devices stand, in detail, and why a record is or is not on them.

use super::{
    machine::Compared,
    parked::{self, Parked},
    peer::PeerStatus,
    peers::Peers,
    session::{Ask, Told},
};
use crate::{
    cid::{self, Digest},
    node::Elsewhere,
};
use anyhow::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tokio::sync::oneshot;

/// A device, protocol by protocol.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeviceStatus {
    #[serde(flatten)]
    pub peer: PeerStatus,
    /// As both told when they compared last; empty while it is not connected.
    pub scopes: Vec<ScopeStatus>,
    /// What this device could not take of what the other sent.
    pub put_aside: Vec<Parked>,
    /// What the other could not take, as far as it told why.
    pub put_aside_there: Vec<Put>,
    /// Records shared with it of which the data is not here (`sync.data = "on-demand"`), and bytes of that. It comes when it is
    /// read.
    pub elsewhere: u64,
    pub elsewhere_bytes: u64,
}

/// A tenant's messages of one protocol, or of none.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ScopeStatus {
    pub tenant: String,
    pub protocol: Option<String>,
    /// Messages kept here, and there when it told last.
    pub here: u64,
    pub there: u64,
    /// The fingerprints of both are equal.
    pub equal: bool,
}

/// A message that the other device put aside.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Put {
    /// CID of the message.
    pub message: String,
    pub code: u16,
    pub why: String,
}

/// A record and a device.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Why {
    pub did: String,
    /// Both hold the same of it: known only while both are in sync.
    pub same: bool,
    /// A sentence.
    pub why: String,
}

impl From<Compared> for ScopeStatus {
    fn from(Compared { scope, here, there, equal }: Compared) -> Self {
        Self { tenant: scope.tenant, protocol: scope.protocol, here, there, equal }
    }
}

impl Peers {
    /// Each device, protocol by protocol.
    pub async fn devices(&self) -> Result<Vec<DeviceStatus>, Error> {
        let mut devices = Vec::new();
        let elsewhere = self.shared.node.elsewhere(None).await?;
        for peer in self.peers() {
            let Told { scopes, aside_there } = self.ask_scopes(&peer.peer.did).await;
            let put_aside = self.put_aside(&peer.peer.did).await?;
            let put = |(digest, (code, why)): (Digest, (u16, String))| Put {
                message: cid::from_digest(cid::DAG_CBOR, &digest).to_string(),
                code,
                why,
            };
            let is_shared = |it: &&Elsewhere| peer.peer.friend.is_none() && peer.peer.tenants.contains(&it.tenant);
            let elsewhere: Vec<_> = elsewhere.iter().filter(is_shared).map(|it| it.size).collect();
            devices.push(DeviceStatus {
                elsewhere: elsewhere.len() as u64,
                elsewhere_bytes: elsewhere.iter().sum(),
                peer,
                scopes: scopes.into_iter().map(ScopeStatus::from).collect(),
                put_aside,
                put_aside_there: aside_there.into_iter().map(put).collect(),
            });
        }
        Ok(devices)
    }

    async fn put_aside(&self, did: &str) -> Result<Vec<Parked>, Error> {
        let (store, did) = (self.shared.node.store().clone(), did.to_owned());
        tokio::task::spawn_blocking(move || parked::load(&store, &did)).await?
    }

    /// What a session knows; nothing, if none runs.
    async fn ask_scopes(&self, did: &str) -> Told {
        let ask = self.lock().get(did).and_then(|live| live.session.as_ref()).map(|running| running.ask.clone());
        let (send, answer) = oneshot::channel();
        match ask {
            Some(ask) if ask.try_send(Ask::Scopes(send)).is_ok() => answer.await.unwrap_or_default(),
            _ => Told::default(),
        }
    }

    /// Compares at once with all devices that are connected; with how many. The others are dialled as ever, and compared with as
    /// soon as they are connected. Who has more questions waiting than it can take is left out.
    pub fn compare_now(&self) -> usize {
        let live = self.lock();
        let running = live.values().filter_map(|live| live.session.as_ref());
        running.filter(|running| running.ask.try_send(Ask::Compare).is_ok()).count()
    }

    /// Is a record on the devices, and if not, why?
    pub async fn why(&self, tenant: &str, record: &str) -> Result<Vec<Why>, Error> {
        let (view, id) = (self.shared.node.store().view(tenant), record.to_owned());
        let look = move || {
            let kept = view.record(&id)?;
            let is_elsewhere = kept.as_ref().map_or(Ok(false), |record| view.is_elsewhere(&record.newest))?;
            Ok::<_, Error>((kept, is_elsewhere))
        };
        let (kept, is_elsewhere) = tokio::task::spawn_blocking(look).await??;
        let digests: BTreeSet<Digest> = kept
            .iter()
            .flat_map(|record| [&record.initial.cid, &record.newest.cid])
            .filter_map(cid::sha256_of)
            .collect();
        let mut all = Vec::new();
        for peer in self.peers() {
            let did = peer.peer.did.clone();
            let told = self.ask_scopes(&did).await;
            let there = digests.iter().find_map(|digest| told.aside_there.get(digest));
            // What came of the record and was put aside is found by its CID alone; of a record that is not here at all, by hand.
            let here = self.put_aside(&did).await?.into_iter().find(|parked| digests.contains(&parked.digest));
            let (same, why) = match (&kept, here, there) {
                _ if !peer.peer.tenants.iter().any(|shared| shared == tenant) => {
                    (false, format!("nothing of {tenant} is shared with it"))
                }
                (_, Some(parked), _) => {
                    (false, format!("it has a newer form, which was put aside here: {} {}", parked.code, parked.why))
                }
                (_, _, Some((code, why))) => (false, format!("it put the record aside: {code} {why}")),
                _ if peer.in_sync && peer.peer.friend.is_some() => {
                    let why = "both have what the friend may read: toft grant explain says whether this is among it";
                    (false, why.to_owned())
                }
                (None, ..) if peer.in_sync => (true, "neither has it".to_owned()),
                (Some(_), ..) if peer.in_sync && is_elsewhere => {
                    (true, "both have the same of it; its data is not here, and comes when it is read".to_owned())
                }
                (Some(_), ..) if peer.in_sync => (true, "both have the same of it".to_owned()),
                (None, ..) => {
                    (false, "it is not here; whether it is there is not known before both are in sync".to_owned())
                }
                (Some(_), ..) if !peer.connected => {
                    let problem = peer.problem.as_deref().unwrap_or("no reason is known");
                    (false, format!("it is here; the device is not connected ({problem})"))
                }
                (Some(_), ..) => (false, "it is here; both are still comparing".to_owned()),
            };
            all.push(Why { did, same, why });
        }
        Ok(all)
    }

    /// The tenant whose records are meant if none is named: this node's own.
    pub fn own(&self) -> &str {
        &self.shared.own.did
    }
}
