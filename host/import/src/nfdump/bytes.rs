//! Values as nfdump stores them in the records of both layouts: little-endian, addresses too.

use crate::columns::FlowRow;
use crate::packet::proto;

/// Ports, control bits and ICMP type: nfdump keeps type and code where the destination port is.
#[inline]
pub(super) fn set_transport(row: &mut FlowRow, src_port: u16, dst_port: u16, tcp_flags: u8) {
    let icmp = matches!(row.proto, proto::ICMP | proto::ICMP6);
    row.src_port = Some(if icmp { 0 } else { src_port });
    row.dst_port = Some(if icmp { 0 } else { dst_port });
    row.icmp_type = icmp.then_some(dst_port);
    row.tcp_flags = (row.proto == proto::TCP).then_some(u16::from(tcp_flags));
}

/// An IPv4 address, mapped.
#[inline]
pub(super) fn mapped(address: u32) -> [u8; 16] {
    crate::packet::mapped(address.to_be_bytes())
}

#[inline]
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[inline]
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[inline]
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// An IPv6 address, kept as two numbers of eight bytes.
#[inline]
pub(super) fn v6_at(bytes: &[u8], at: usize) -> Option<[u8; 16]> {
    let (high, low) = (u64_at(bytes, at)?, u64_at(bytes, at + 8)?);
    Some((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}
