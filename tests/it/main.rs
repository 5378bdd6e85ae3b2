//! Tests against real programs: the toft binary, the npm SDK, kubo, helia, bitcoind, `ots`, Chromium. What is missing is
//! fetched by the project's own scripts; what cannot be fetched fails, nothing is skipped.

mod acting;
mod anchor_bitcoin;
mod anchor_calendar;
mod anchor_chain;
mod anchor_kill;
mod anchor_leaves;
mod anchor_node;
mod anchor_records;
mod anchor_verify;
mod answers;
mod bad_input;
mod blocks;
mod care;
mod cli;
mod conflicts;
mod connect;
mod copies;
mod crowd;
mod encryption;
mod friends;
#[rustfmt::skip]
mod generated;
mod full;
mod get_routes;
mod homes;
mod hostile;
mod identity;
mod journeys;
mod keeping;
mod kill;
mod nat;
mod net;
mod net_floods;
mod net_peers;
mod on_demand;
mod pair;
mod private;
mod protocols;
mod reach;
mod records;
mod remotes;
mod registration;
mod resolve;
mod restore;
mod stories;
mod suite;
mod support;
mod sync;
mod sync_attacks;
mod typed;
mod wallet_access;
mod wallet_browser;
mod wallet_clients;
mod wallet_grants;
mod wallet_http;
mod wallet_follow;
mod wallet_records;
mod wallet_openrpc;
mod wallet_secrets;
mod wallet_ws;
mod web5;
mod ws;

#[path = "../road.rs"]
mod road;
