//! Records that hold the beginning of a sampled packet instead of fields (RFC 5477 §8.5, RFC 7133, and the elements 102
//! to 104 that they replace): one row for each, as of a sample of sFlow.

use super::ports::is_icmp;
use super::raw::Raw;
use super::slot::Slot;
use super::tally::Reason;
use crate::columns::FlowRow;
use crate::packet::{Link, Packet, parse, parse_ip};

/// `dataLinkFrameType` of Ethernet.
const ETHERNET: u64 = 1;

/// What the packet of a record says about itself; none when the record holds no packet.
pub(super) fn described(raw: &Raw<'_>) -> Option<Result<FlowRow, Reason>> {
    Some(packet(raw)?.map(|packet| {
        let icmp = is_icmp(packet.proto);
        FlowRow {
            src: packet.src,
            dst: packet.dst,
            proto: packet.proto,
            src_port: Some(packet.src_port),
            dst_port: Some(if icmp { 0 } else { packet.dst_port }),
            tcp_flags: (packet.proto == 6).then_some(u16::from(packet.tcp_flags)),
            icmp_type: packet.icmp,
            tos: Some(packet.tos),
            ..FlowRow::default()
        }
    }))
}

/// Bytes at IP level of the one packet that a record without counters is about.
pub(super) fn carried(raw: &Raw<'_>) -> Option<u64> {
    if let Some(Ok(packet)) = packet(raw) {
        return Some(packet.bytes);
    }
    raw.one.get(Slot::IpLength).filter(|bytes| *bytes > 0)
}

fn packet(raw: &Raw<'_>) -> Option<Result<Packet, Reason>> {
    let (begins, bytes) = raw.section()?;
    let missing = raw.one.get(Slot::SectionOffset).unwrap_or(0);
    let link = raw.one.get(Slot::FrameType).unwrap_or(ETHERNET);
    let wire = raw.one.get(Slot::FrameSize).filter(|size| *size > 0).unwrap_or(bytes.len() as u64);
    let parsed = match begins {
        _ if missing > 0 => return Some(Err(Reason::NotIp)),
        Slot::IpSection => parse_ip(bytes, raw.one.get(Slot::IpLength).unwrap_or(bytes.len() as u64)),
        _ if link == ETHERNET => parse(Link::Ethernet, bytes, wire),
        _ => return Some(Err(Reason::NotIp)),
    };
    Some(parsed.map_err(|_| Reason::NotIp))
}
