//! The headers of one captured packet, from the link layer to the ports: what a flow row needs and nothing else.
//! It follows no tunnel, keeps no state between packets and never reads past the bytes that were captured.

mod ether;
mod hdlc;
mod ip;
mod layer;
mod link;
mod nflog;
mod ppp;

pub(crate) use ip::mapped;
pub use ip::parse_ip;
pub use link::{Link, parse, parse_payload};

use crate::numbered::Numbered;
use crate::tally::Why;

/// IP protocol numbers that this module treats on their own (IANA protocol numbers).
pub(crate) mod proto {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ICMP6: u8 = 58;
    pub(crate) const SCTP: u8 = 132;
}

/// What the headers of an IP packet say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Source address, IPv4 mapped.
    pub src: [u8; 16],
    /// Destination address, IPv4 mapped.
    pub dst: [u8; 16],
    /// Protocol of the payload; for IPv6 the one after the extension headers.
    pub proto: u8,
    /// Type of service or traffic class.
    pub tos: u8,
    /// Source port of TCP, UDP or SCTP; 0 for others, in fragments after the first and where it was not captured.
    pub src_port: u16,
    /// Destination port, as `src_port`.
    pub dst_port: u16,
    /// TCP control bits, 0 for others.
    pub tcp_flags: u8,
    /// ICMP type × 256 + code, when there is one.
    pub icmp: Option<u16>,
    /// Length of the packet at IP level, header included, in bytes, as its header says.
    pub bytes: u64,
}

/// Why bytes are no IP packet for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotIp {
    /// The link type is none we know (IANA link-layer header types of pcap).
    LinkType(u32),
    /// It carries another protocol, by EtherType.
    EtherType(u16),
    /// It carries another protocol, by its service of IEEE 802.2.
    Service(u8),
    /// It carries another protocol, of this organisation's in a SNAP header.
    Organisation(u32),
    /// It carries another protocol, by that of PPP.
    Ppp(u16),
    /// It carries another protocol, by the link's own number.
    Family(u32),
    /// Fewer bytes were captured than the headers need.
    Short,
    /// The headers contradict themselves.
    Malformed,
}

impl NotIp {
    /// The reason as a report counts it.
    pub(crate) const fn why(self) -> Why {
        match self {
            Self::LinkType(number) => Why::Carries(Numbered::Link(number)),
            Self::EtherType(number) => Why::Carries(Numbered::EtherType(number)),
            Self::Service(number) => Why::Carries(Numbered::Sap(number)),
            Self::Organisation(number) => Why::Carries(Numbered::Organisation(number)),
            Self::Ppp(number) => Why::Carries(Numbered::Ppp(number)),
            Self::Family(number) => Why::Carries(Numbered::Family(number)),
            Self::Short => Why::NotApplicable("packet captured without its whole ip header"),
            Self::Malformed => Why::Malformed("packet with a contradictory ip header"),
        }
    }
}

/// The big-endian number at `at`, when it was captured.
pub(crate) fn be16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(data.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// The big-endian number at `at`, when it was captured.
pub(crate) fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
