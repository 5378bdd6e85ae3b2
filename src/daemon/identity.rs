//! Whom the node speaks as.

use crate::{
    config::Config,
    crypto::Signer,
    identity::{Identities, Opened},
    memory::{self, wipe_stack},
    vault::{Passphrase, Secrets},
};
use anyhow::Error;
use std::{path::Path, sync::Arc};
use tokio::sync::oneshot;

/// The identity that the node itself is.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub did: String,
    pub signer: Arc<Signer>,
}

impl Identity {
    pub fn own(identities: &Identities) -> Self {
        let signer = identities.own();
        Self { did: signer.did().to_owned(), signer }
    }
}

/// The keys of a node that starts.
pub(super) enum Keys {
    Open(Secrets),
    /// They will be there when their owner unlocks them.
    Locked(oneshot::Receiver<Opened>),
}

/// Opens the sealed keys of a home and brings their files into today's form. Without the passphrase that they take, they stay locked.
pub(super) async fn open(
    home: &Path,
    config: &Config,
    passphrase: Option<Passphrase>,
) -> Result<(Identities, Keys), Error> {
    let vault = config.identity.vault(home)?;
    let open = move || -> Result<_, Error> {
        if passphrase.is_none() && vault.needs_passphrase()? {
            let (identities, opened) = Identities::locked(vault)?;
            return Ok((identities, Keys::Locked(opened)));
        }
        let secrets = vault.open(passphrase.as_ref())?;
        vault.settle(&secrets, passphrase.as_ref())?;
        Ok((Identities::of(vault, &secrets), Keys::Open(secrets)))
    };
    let wiped = move || {
        let opened = open();
        wipe_stack::<{ memory::KEYS }>();
        opened
    };
    tokio::task::spawn_blocking(wiped).await?
}

/// Where others reach the DWN of this node, for the documents of its identities: nowhere, as long as `dwn.url` says nothing.
pub(super) fn endpoints(config: &Config) -> Vec<String> {
    Some(config.dwn.url.clone()).filter(|url| !url.is_empty()).into_iter().collect()
}
