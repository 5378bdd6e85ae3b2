//! Which addresses a stranger may make this node talk to: public ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Is this an address of the public internet, where a stranger gains nothing by having us ask it?
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Everything but the blocks that IANA keeps for special purposes.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127 | 224.., ..] => true, // this network, private, loopback, multicast, reserved
        [100, 64..=127, ..] => true,        // carrier-grade NAT
        [169, 254, ..] => true,             // link-local: cloud metadata lives here
        [172, 16..=31, ..] | [192, 168, ..] => true, // private
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true, // protocols, documentation, 6to4
        [198, 18 | 19, ..] => true,         // benchmarks
        [198, 51, 100, _] | [203, 0, 113, _] => true, // documentation
        _ => false,
    };
    !special
}

/// Global unicast without the blocks that stand for other networks; NAT64 is judged by the address inside.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        [0x2001, 0..=0x1ff, ..] => false,        // Teredo, ORCHID, benchmarks
        [0x2001, 0xdb8, ..] => false,            // documentation
        [0x2002, ..] => false,                   // 6to4: an IPv4 address in disguise
        [0x3fff, 0..=0xfff, ..] => false,        // documentation
        [first, ..] => first & 0xe000 == 0x2000, // global unicast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_not_public_in_any_disguise() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.255.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2001::1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "3fff::1",
        ] {
            assert!(!is_public(address.parse().expect("an address")), "{address}");
        }
        for address in
            ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2001:4860::8", "64:ff9b::808:808"]
        {
            assert!(is_public(address.parse().expect("an address")), "{address}");
        }
    }
}
