//! Link layers of captures (the registry of pcap link types): from a frame to its IP packet. No tunnel above IP is opened.

use super::ether::{ether, payload, service};
use super::hdlc::{cisco, ppp, pppd};
use super::ip::with_payload;
use super::layer::{Parsed, rest, versioned};
use super::ppp::pppoe;
use super::{NotIp, Packet, be16, be32, nflog};

/// The kind of frames in a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// BSD loopback: four bytes of address family in the byte order of the machine that captured (0, 108).
    Loopback,
    /// Ethernet (1), and the same frames as sFlow samples them.
    Ethernet,
    /// PPP, with or without address and control; where these are Cisco's, HDLC of Cisco (9, 50).
    Ppp,
    /// PPP behind a byte that says the direction (204).
    PppDirected,
    /// PPP with the direction in place of its address, as `pppd` records it (166).
    Pppd,
    /// PPPoE, session and discovery (51).
    PppOverEthernet,
    /// HDLC of Cisco (104).
    CiscoHdlc,
    /// HDLC of Cisco behind a byte that says the direction (205).
    CiscoDirected,
    /// IEEE 802.2 without a frame around it, as over ATM (100).
    Services,
    /// IP without a link header (101, and 12 and 14 of older systems).
    Raw,
    /// IPv4 only (228).
    Ipv4,
    /// IPv6 only (229).
    Ipv6,
    /// Linux cooked capture (113).
    CookedV1,
    /// Linux cooked capture version 2 (276).
    CookedV2,
    /// Messages of Linux netfilter's log (239).
    Nflog,
    /// Another type.
    Other(u32),
}

impl Link {
    /// The link type of this number (`LINKTYPE_…` of the pcap registry).
    #[must_use]
    pub const fn of(number: u32) -> Self {
        match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            204 => Self::PppDirected,
            166 => Self::Pppd,
            51 => Self::PppOverEthernet,
            104 => Self::CiscoHdlc,
            205 => Self::CiscoDirected,
            100 => Self::Services,
            12 | 14 | 101 => Self::Raw,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            113 => Self::CookedV1,
            276 => Self::CookedV2,
            239 => Self::Nflog,
            other => Self::Other(other),
        }
    }
}

/// Reads a frame of which `data` was captured and which had `wire_bytes` bytes on the wire.
///
/// # Errors
/// No IP packet, too little captured, or contradictory.
#[inline]
pub fn parse(link: Link, data: &[u8], wire_bytes: u64) -> Result<Packet, NotIp> {
    parse_payload(link, data, wire_bytes).map(|(packet, _)| packet)
}

/// As [`parse`], with what was captured of the payload of the IP packet (nothing of a fragment after the first).
///
/// # Errors
/// As [`parse`].
#[inline]
pub fn parse_payload(link: Link, data: &[u8], wire_bytes: u64) -> Result<(Packet, &[u8]), NotIp> {
    match link {
        Link::Ethernet => ether(data, 12, wire_bytes),
        Link::Raw => with_payload(data, wire_bytes),
        Link::Ipv4 => versioned(data, 4, wire_bytes),
        Link::Ipv6 => versioned(data, 6, wire_bytes),
        Link::CookedV1 => cooked(data, 14, 16, wire_bytes),
        Link::CookedV2 => cooked(data, 0, 20, wire_bytes),
        Link::Ppp => ppp(data, wire_bytes),
        Link::PppDirected => rest(data, 1, wire_bytes).and_then(|(data, wire)| ppp(data, wire)),
        Link::Pppd => pppd(data, wire_bytes),
        Link::PppOverEthernet => pppoe(data, wire_bytes),
        Link::CiscoHdlc => cisco(data, wire_bytes),
        Link::CiscoDirected => rest(data, 1, wire_bytes).and_then(|(data, wire)| cisco(data, wire)),
        Link::Services => services(data, 0, wire_bytes),
        Link::Loopback => loopback(data, wire_bytes),
        Link::Nflog => nflog::parse(data),
        Link::Other(number) => Err(NotIp::LinkType(number)),
    }
}

/// A cooked frame: its protocol stands at `protocol_at`, its payload at `at`. Numbers below those of EtherTypes are
/// Linux's own: 1 is Novell's frame without IEEE 802.2, 4 is IEEE 802.2.
fn cooked(data: &[u8], protocol_at: usize, at: usize, wire_bytes: u64) -> Parsed<'_> {
    match be16(data, protocol_at).ok_or(NotIp::Short)? {
        1 => Err(NotIp::Service(0xff)),
        4 => services(data, at, wire_bytes),
        protocol => payload(data, at, protocol, wire_bytes),
    }
}

/// IEEE 802.2 at `at`.
fn services(data: &[u8], at: usize, wire_bytes: u64) -> Parsed<'_> {
    let (protocol, at) = service(data, at)?;
    payload(data, at, protocol, wire_bytes)
}

/// The address family is in the capturing machine's byte order: values of systems we know are small in one of the two.
fn loopback(data: &[u8], wire_bytes: u64) -> Parsed<'_> {
    let family = be32(data, 0).ok_or(NotIp::Short)?;
    let family = family.min(family.swap_bytes());
    let (data, wire) = rest(data, 4, wire_bytes)?;
    match family {
        2 => versioned(data, 4, wire),
        10 | 24 | 28 | 30 => versioned(data, 6, wire),
        other => Err(NotIp::Family(other)),
    }
}
