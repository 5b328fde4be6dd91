//! Frames like HDLC: those of PPP (RFC 1662), and those of Cisco, which captures of PPP hold as well.

use super::NotIp;
use super::ether::ether;
use super::layer::{Parsed, rest};
use super::ppp::protocol;

/// A frame of PPP from its address on, where it has one.
pub(super) fn ppp(data: &[u8], wire_bytes: u64) -> Parsed<'_> {
    match data {
        [0x0f | 0x8f, 0, ..] => cisco(data, wire_bytes),
        [0xff, 3, ..] => rest(data, 2, wire_bytes).and_then(|(data, wire)| protocol(data, wire)),
        _ => protocol(data, wire_bytes),
    }
}

/// A frame whose address is replaced by a direction, 0 or 1.
pub(super) fn pppd(data: &[u8], wire_bytes: u64) -> Parsed<'_> {
    match data {
        [0 | 1, 3, ..] => rest(data, 2, wire_bytes).and_then(|(data, wire)| protocol(data, wire)),
        [_, _, ..] => Err(NotIp::Malformed),
        _ => Err(NotIp::Short),
    }
}

/// HDLC of Cisco: an address, a zero, an EtherType.
pub(super) fn cisco(data: &[u8], wire_bytes: u64) -> Parsed<'_> {
    match data {
        [0x0f | 0x8f, ..] => ether(data, 2, wire_bytes),
        [_, ..] => Err(NotIp::Malformed),
        [] => Err(NotIp::Short),
    }
}
