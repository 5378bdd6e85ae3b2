//! What devices say to each other on a local network: libp2p's mDNS, as far as it is needed.
//!
//! A query asks who speaks `_p2p._udp.local`; an answer names its addresses in TXT records. Read is what comes from
//! anybody on the network, so it is bounded, and of an answer only those addresses count from which it came.

use super::known::peer_of;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use simple_dns::rdata::{PTR, RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};
use std::net::IpAddr;

/// The longest packet that is read or sent.
pub const PACKET_MAX: usize = 4096;
const SERVICE: &str = "_p2p._udp.local";
const ATTRIBUTE: &[u8] = b"dnsaddr=";
/// Addresses of one packet.
pub const ADDRESSES_MAX: usize = 16;
/// Records of one packet that are looked at.
const RECORDS_MAX: usize = 64;
/// How long others may believe an answer, in seconds.
const BELIEVED: u32 = 360;

/// What somebody said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Who is there?
    Query,
    /// Here am I, or somebody who says so.
    Here(Vec<(PeerId, Multiaddr)>),
}

pub fn query() -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(0);
    let class = QCLASS::CLASS(CLASS::IN);
    packet.questions.push(Question::new(Name::new(SERVICE).ok()?, QTYPE::TYPE(TYPE::PTR), class, false));
    packet.build_bytes_vec().ok()
}

/// `name`: of this answer, a single label; `addresses` end in this node's peer id.
pub fn answer(name: &str, addresses: &[Multiaddr]) -> Option<Vec<u8>> {
    let texts: Vec<String> = addresses.iter().take(ADDRESSES_MAX).map(|address| format!("dnsaddr={address}")).collect();
    let (service, name) = (Name::new(SERVICE).ok()?, Name::new(name).ok()?);
    let mut packet = Packet::new_reply(0);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    packet.answers.push(ResourceRecord::new(service, CLASS::IN, BELIEVED, RData::PTR(PTR(name.clone()))));
    for text in &texts {
        // What does not fit into a TXT record's string is left out.
        let Ok(text) = TXT::new().with_string(text) else { continue };
        packet.additional_records.push(ResourceRecord::new(name.clone(), CLASS::IN, BELIEVED, RData::TXT(text)));
    }
    packet.build_bytes_vec().ok().filter(|bytes| bytes.len() <= PACKET_MAX)
}

/// What a packet says that came from this address.
pub fn read(bytes: &[u8], from: IpAddr) -> Option<Said> {
    let packet = Packet::parse(bytes.get(..PACKET_MAX).unwrap_or(bytes)).ok()?;
    let service = Name::new(SERVICE).ok()?;
    if !packet.has_flags(PacketFlag::RESPONSE) {
        let asks = |question: &Question<'_>| question.qname == service;
        return packet.questions.iter().take(RECORDS_MAX).any(asks).then_some(Said::Query);
    }
    let mut names = packet.answers.iter().take(RECORDS_MAX).filter(|record| record.name == service);
    let name = names.find_map(|record| if let RData::PTR(PTR(name)) = &record.rdata { Some(name) } else { None })?;
    let records = packet.additional_records.iter().take(RECORDS_MAX).filter(|record| record.name == *name);
    let texts = records.filter_map(|record| if let RData::TXT(text) = &record.rdata { Some(text) } else { None });
    let raw = texts.flat_map(|text| text.iter_raw().take(RECORDS_MAX).collect::<Vec<_>>());
    let addresses = raw.filter_map(|(key, value)| address([key, b"="].concat().as_slice(), value?, from));
    Some(Said::Here(addresses.take(ADDRESSES_MAX).collect()))
}

fn address(key: &[u8], value: &[u8], from: IpAddr) -> Option<(PeerId, Multiaddr)> {
    if key != ATTRIBUTE {
        return None;
    }
    let address: Multiaddr = std::str::from_utf8(value).ok()?.parse().ok()?;
    let ip: IpAddr = match address.iter().next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    // Nobody makes this node connect to anybody else.
    let is_direct = address.iter().filter(|part| matches!(part, Protocol::P2p(_))).count() == 1;
    (from == ip && is_direct).then(|| Some((peer_of(&address)?, address)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(peer: PeerId, n: usize) -> Multiaddr {
        format!("/ip4/10.0.0.1/tcp/{n}/p2p/{peer}").parse().expect("an address")
    }

    #[test]
    fn what_is_said_is_heard() {
        let (peer, from) = (PeerId::random(), IpAddr::from([10, 0, 0, 1]));
        assert_eq!(read(&query().expect("fits"), from), Some(Said::Query));
        let addresses = [here(peer, 1), here(peer, 2)];
        let answer = answer("somebody", &addresses).expect("fits");
        assert_eq!(read(&answer, from), Some(Said::Here(addresses.map(|address| (peer, address)).to_vec())));
        assert_eq!(read(&answer, [10, 0, 0, 2].into()), Some(Said::Here(vec![])), "of others nobody may speak");
    }

    #[test]
    fn what_rust_libp2p_says_is_heard() {
        // A query of libp2p-mdns 0.49, and the form of its answers: strings of several records behind one name.
        let mut query = vec![0xab, 0xcd, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(b"\x04_p2p\x04_udp\x05local\x00\x00\x0c\x00\x01");
        assert_eq!(read(&query, [10, 0, 0, 1].into()), Some(Said::Query));
        let address = here(PeerId::random(), 1);
        let text = format!("dnsaddr={address}");
        let mut answer = vec![0xab, 0xcd, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 1];
        answer.extend(b"\x04_p2p\x04_udp\x05local\x00\x00\x0c\x00\x01\x00\x00\x01\x68\x00\x06\x04peer\x00");
        answer.extend(b"\x04peer\x00\x00\x10\x80\x01\x00\x00\x01\x68");
        answer.extend((text.len() as u16 + 1).to_be_bytes());
        answer.push(text.len() as u8);
        answer.extend(text.as_bytes());
        let Some(Said::Here(heard)) = read(&answer, [10, 0, 0, 1].into()) else { panic!("an answer") };
        assert_eq!(heard.len(), 1);
    }

    #[test]
    fn bad_packets_say_nothing_and_long_ones_not_too_much() {
        let from = IpAddr::from([10, 0, 0, 1]);
        let peer = PeerId::random();
        let many: Vec<Multiaddr> = (1..1000).map(|n| here(peer, n)).collect();
        let answer = answer("x", &many).expect("fits");
        let Some(Said::Here(heard)) = read(&answer, from) else { panic!("an answer") };
        assert_eq!(heard.len(), ADDRESSES_MAX);
        for end in 0..answer.len() {
            let _ = read(&answer[..end], from);
        }
        // A name that points to itself.
        let mut loops = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        loops.extend([0xc0, 12, 0, 12, 0, 1]);
        assert_eq!(read(&loops, from), None);
    }
}
