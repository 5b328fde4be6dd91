//! Link layers of captures (the registry of pcap link types): from a frame to its IP packet. Ethernet with VLAN tags,
//! MPLS labels and PPPoE; no tunnel above IP is opened.

use super::ip::with_payload;
use super::{NotIp, Packet, be16, be32};

/// A packet and what was captured of its payload.
type Parsed<'a> = Result<(Packet, &'a [u8]), NotIp>;

/// VLAN tags and MPLS labels taken off a frame before it counts as contradictory.
const TAGS_MAX: usize = 16;

/// The kind of frames in a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// BSD loopback: four bytes of address family in the byte order of the machine that captured (0, 108).
    Loopback,
    /// Ethernet (1), and the same frames as sFlow samples them.
    Ethernet,
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
            12 | 14 | 101 => Self::Raw,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            113 => Self::CookedV1,
            276 => Self::CookedV2,
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
        Link::CookedV1 => ether(data, 14, wire_bytes),
        Link::CookedV2 => {
            let protocol = be16(data, 0).ok_or(NotIp::Short)?;
            payload(data, 20, protocol, wire_bytes)
        }
        Link::Loopback => loopback(data, wire_bytes),
        Link::Other(number) => Err(NotIp::LinkType(number)),
    }
}

/// A frame whose EtherType stands at `at`, its payload behind it.
#[inline]
fn ether(data: &[u8], at: usize, wire_bytes: u64) -> Parsed<'_> {
    let protocol = be16(data, at).ok_or(NotIp::Short)?;
    payload(data, at + 2, protocol, wire_bytes)
}

/// The payload at `at`, of this EtherType; takes tags and labels off.
#[inline]
fn payload(data: &[u8], mut at: usize, mut protocol: u16, wire_bytes: u64) -> Parsed<'_> {
    for _ in 0..TAGS_MAX {
        match protocol {
            0x0800 => return rest(data, at, wire_bytes).and_then(|(data, wire)| versioned(data, 4, wire)),
            0x86dd => return rest(data, at, wire_bytes).and_then(|(data, wire)| versioned(data, 6, wire)),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                protocol = be16(data, at + 2).ok_or(NotIp::Short)?;
                at += 4;
            }
            0x8847 | 0x8848 => {
                let at = labels(data, at)?;
                let (data, wire) = rest(data, at, wire_bytes)?;
                return with_payload(data, wire)
                    .map_err(|error| if error == NotIp::Malformed { NotIp::EtherType(protocol) } else { error });
            }
            0x8864 => {
                protocol = match be16(data, at + 6).ok_or(NotIp::Short)? {
                    0x0021 => 0x0800,
                    0x0057 => 0x86dd,
                    _ => return Err(NotIp::EtherType(protocol)),
                };
                at += 8;
            }
            0..0x0600 => return Err(NotIp::Ieee8023),
            other => return Err(NotIp::EtherType(other)),
        }
    }
    Err(NotIp::Malformed)
}

/// Where the MPLS label stack (RFC 3032) ends.
fn labels(data: &[u8], mut at: usize) -> Result<usize, NotIp> {
    for _ in 0..TAGS_MAX {
        let label = be32(data, at).ok_or(NotIp::Short)?;
        at += 4;
        if label & 0x100 != 0 {
            return Ok(at);
        }
    }
    Err(NotIp::Malformed)
}

/// What follows `at`, captured and on the wire.
#[inline]
fn rest(data: &[u8], at: usize, wire_bytes: u64) -> Result<(&[u8], u64), NotIp> {
    Ok((data.get(at..).ok_or(NotIp::Short)?, wire_bytes.saturating_sub(at as u64)))
}

/// A packet that must be of this version.
#[inline]
fn versioned(data: &[u8], version: u8, wire_bytes: u64) -> Parsed<'_> {
    match data.first() {
        Some(first) if first >> 4 == version => with_payload(data, wire_bytes),
        Some(_) => Err(NotIp::Malformed),
        None => Err(NotIp::Short),
    }
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
