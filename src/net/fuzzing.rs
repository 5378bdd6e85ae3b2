//! Fuzz targets of the parsers in here.

use super::dns_sd::{ADDRESSES_MAX, Said, answer, query, read};
use super::known::peer_of;

/// A packet of mDNS: only so much is taken of it, and nobody speaks for another place.
pub fn mdns(bytes: &[u8]) -> bool {
    let from = [10, 0, 0, 1].into();
    match read(bytes, from) {
        None => false,
        Some(Said::Query) => true,
        Some(Said::Here(heard)) => {
            assert!(heard.len() <= ADDRESSES_MAX);
            for (peer, address) in heard {
                assert_eq!(peer_of(&address), Some(peer));
                assert!(address.to_string().starts_with("/ip4/10.0.0.1/"));
            }
            true
        }
    }
}

pub fn mdns_seeds() -> Vec<Vec<u8>> {
    let address = "/ip4/10.0.0.1/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA".parse();
    let answers = answer("peer", &[address.expect("an address")]);
    query().into_iter().chain(answers).collect()
}
