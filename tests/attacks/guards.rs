//! Each guard matters: with its bound raised beyond its maximum the flood that it stands against does its harm.
//! Those of libp2p are in `tests/it/net_floods.rs`.

use crate::{
    floods::{self, USUAL_DESCRIPTORS, Web},
    node::{alone, falls, unguarded},
};

/// As good as none.
const ANY: &str = "1000000";

#[test]
fn without_a_bound_on_connections_silent_ones_take_all_descriptors() {
    let _alone = alone();
    let settings = [("dwn.limits.connections", ANY), ("dwn.limits.connections_per_address", ANY)];
    falls(&unguarded(&settings).limited(USUAL_DESCRIPTORS).up(), floods::silent);
}

#[test]
fn without_a_share_of_uploads_one_address_takes_all_places() {
    let _alone = alone();
    let settings = [("dwn.limits.uploads_per_address", "300"), ("dwn.limits.connections_per_address", "512")];
    falls(&unguarded(&settings).up(), floods::stalled_uploads);
}

#[test]
fn without_a_share_of_subscriptions_one_address_takes_all_places() {
    let _alone = alone();
    let settings = [
        ("dwn.limits.subscriptions_per_address", "8192"),
        ("dwn.limits.websockets_per_address", "512"),
        ("dwn.limits.connections_per_address", "512"),
    ];
    falls(&unguarded(&settings).up(), floods::subscriptions);
}

#[test]
fn without_a_share_of_the_mailbox_one_address_fills_it() {
    let _alone = alone();
    falls(&unguarded(&[("dwn.limits.letters_per_address", "4096")]).up(), floods::letters);
}

#[test]
fn without_a_share_of_lookups_made_up_dids_use_them_up() {
    let _alone = alone();
    let web = Web::start();
    let settings = [("resolve.web_insecure_hosts", web.hosts()), ("resolve.lookups_per_address", ANY.to_owned())];
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    falls(&unguarded(&settings).up(), |node| web.made_up(node));
}

#[test]
fn without_a_budget_for_answers_they_take_the_memory() {
    let _alone = alone();
    let most = "100000000000";
    let settings = [("dwn.limits.answers_memory", most), ("dwn.limits.answers_memory_per_address", most)];
    let node = unguarded(&settings).up();
    let record = floods::large_record(&node);
    falls(&node, |node| floods::unread_records(node, &record));
}
