//! Fuzz targets: every parser of bytes that come from strangers or from the disk, as a function that must not panic.
//!
//! What a target holds beyond that stands in it: what was parsed is written and parsed again and is the same. A
//! parser that is private has its target beside it (`<module>/fuzzing.rs`); all are named here. Compiled for tests and
//! with `--cfg fuzzing` (`scripts/fuzz`), never into a node. The tests run every target on its seeds and on what
//! fuzzing has once found (`tests/fuzz/regressions/<target>/`).

mod plain;
#[cfg(test)]
mod tests;

use crate::{backup, blocks, did, dwn, identity, net, resolve, rpc, store, sync, vault};

/// A parser under test.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    /// Takes any bytes; says whether they were what the parser reads.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to begin with, of which some are read.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("backup_manifest", backup::fuzzing::manifest, backup::fuzzing::manifests),
    target("bitswap_message", plain::bitswap, plain::bitswap_seeds),
    target("block_pack", blocks::fuzzing::pack, blocks::fuzzing::packs),
    target("block_place", blocks::fuzzing::place, plain::places),
    target("cid", plain::cid, plain::cids),
    target("config", plain::config, plain::configs),
    target("dag_cbor", plain::dag_cbor, plain::dag_cbor_seeds),
    target("did", did::fuzzing::did, plain::dids),
    target("did_dht_packet", did::fuzzing::packet, did::fuzzing::packets),
    target("did_document", did::fuzzing::document, plain::documents),
    target("dwn_descriptor", dwn::fuzzing::descriptor, dwn::fuzzing::descriptors),
    target("dwn_message", dwn::fuzzing::message, plain::messages),
    target("encrypted_record", plain::encrypted, plain::messages),
    target("identity_export", identity::fuzzing::export, identity::fuzzing::exports),
    target("hd_key", plain::hd_key, plain::hd_keys),
    target("jwk", plain::jwk, plain::jwks),
    target("jws", plain::jws, plain::jws_seeds),
    target("kept_packet", resolve::fuzzing::kept, resolve::fuzzing::values),
    target("keystore", vault::fuzzing::keystore, vault::fuzzing::keystores),
    target("log_header", store::fuzzing::header, plain::headers),
    target("log_payload", store::fuzzing::payload, store::fuzzing::payloads),
    target("log_recovery", store::fuzzing::recovery, store::fuzzing::layouts),
    target("log_segments", store::fuzzing::segments, store::fuzzing::layouts),
    target("index_row", store::fuzzing::row, store::fuzzing::rows),
    target("anchor_batch", plain::batch, plain::batches),
    target("anchor_record", plain::proof_record, plain::proof_records),
    target("anchor_headers", plain::header_file, plain::header_files),
    target("mdns_packet", net::fuzzing::mdns, net::fuzzing::mdns_seeds),
    target("ots", plain::ots, plain::ots_seeds),
    target("rpc_call", rpc::control::fuzzing::call, rpc::control::fuzzing::calls),
    target("rpc_header", rpc::fuzzing::header, rpc::fuzzing::requests),
    target("rpc_query", rpc::fuzzing::query, plain::queries),
    target("rpc_registration", rpc::fuzzing::registration, plain::registrations),
    target("rpc_request", rpc::fuzzing::request, rpc::fuzzing::requests),
    target("sealed_secrets", vault::fuzzing::secrets, vault::fuzzing::texts),
    target("span", plain::span, plain::spans),
    target("sync_frame", sync::fuzzing::frame, sync::fuzzing::frames),
    target("unixfs", blocks::fuzzing::unixfs, blocks::fuzzing::nodes),
];

const fn target(name: &'static str, run: fn(&[u8]) -> bool, seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}
