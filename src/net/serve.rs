//! Being a relay, for devices alone (`net.relay_server`).

use libp2p::relay::Config;
use std::time::Duration;

/// Devices that may be met through this node.
const RESERVATIONS: usize = 256;
/// Connections it carries at once, each with two streams' buffers, and those of one device.
const CIRCUITS: usize = 128;
const CIRCUITS_PER_PEER: usize = 16;
/// A circuit lasts as long as its ends want: libp2p knows no "without end".
const DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long a place is kept whose device does not say that it still wants it.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// Devices carry as much as they like, for as long as they like; the protocol is offered to nobody else.
pub fn relay() -> Config {
    Config {
        max_reservations: RESERVATIONS,
        max_reservations_per_peer: 4,
        reservation_duration: KEPT,
        // Devices come again as often as their lines break.
        reservation_rate_limiters: Vec::new(),
        max_circuits: CIRCUITS,
        max_circuits_per_peer: CIRCUITS_PER_PEER,
        max_circuit_duration: DURATION,
        // Without end.
        max_circuit_bytes: 0,
        circuit_src_rate_limiters: Vec::new(),
    }
}
