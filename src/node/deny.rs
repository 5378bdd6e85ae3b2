//! Whom this node has nothing to do with: its operator's word (`dwn.deny`), and no judgement of a message.

use crate::{
    asker::Network,
    dwn::{Fault, Message, Refusal},
    foreign,
};
use anyhow::anyhow;
use std::{collections::BTreeSet, net::IpAddr};

/// DIDs, as tenants and as authors, and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denied {
    dids: BTreeSet<String>,
    networks: Vec<Network>,
}

impl Denied {
    /// From DIDs, addresses ("192.0.2.7") and networks ("192.0.2.0/24").
    pub(super) fn parse(texts: &[String]) -> Result<Self, Fault> {
        let (dids, networks): (Vec<_>, Vec<_>) = texts.iter().partition(|text| text.starts_with("did:"));
        let network = |text: &String| text.parse().map_err(|e| anyhow!("dwn.deny: {e}"));
        let networks = networks.into_iter().map(network).collect::<Result<_, Fault>>()?;
        Ok(Self { dids: dids.into_iter().cloned().collect(), networks })
    }

    /// Is this address one of them?
    pub fn has(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    pub(super) fn check(&self, did: &str) -> Result<(), Refusal> {
        if !self.dids.contains(did) {
            return Ok(());
        }
        let why =
            format!("Denied: this node's operator has nothing kept for {0} or taken from it", foreign::shown(did));
        Err(Refusal::new(403, why))
    }

    /// Whose word a message is: its signers', and its author's, for whom one of them may have signed.
    pub(super) fn check_message(&self, message: &Message) -> Result<(), Refusal> {
        if self.dids.is_empty() {
            return Ok(());
        }
        let signers = message.signers();
        let signers = signers.iter().filter_map(|kid| kid.split('#').next());
        signers.chain(message.author()).try_for_each(|did| self.check(did))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dids_and_networks_stand_in_one_list() {
        let texts = ["did:x:bob", "192.0.2.0/24", "2001:db8::7"].map(str::to_owned);
        let denied = Denied::parse(&texts).expect("parses");
        assert_eq!(denied.check("did:x:bob").map_err(|refusal| refusal.code), Err(403));
        assert_eq!(denied.check("did:x:carol"), Ok(()));
        let has = |address: &str| denied.has(address.parse().expect("an address"));
        assert!(has("192.0.2.9") && has("::ffff:192.0.2.9") && has("2001:db8::7"));
        assert!(!has("192.0.3.9") && !has("2001:db8::8"));
        let wrong = Denied::parse(&["bob".to_owned()]).expect_err("is neither");
        assert!(wrong.to_string().starts_with("dwn.deny: bob is neither"), "{wrong}");
    }
}
