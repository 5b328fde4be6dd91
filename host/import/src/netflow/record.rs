//! From the values of a record to a row: which counter, which time, which neighbour.

use super::element::Slot;
use super::options::{ExportOptions, WhenUnknown};
use super::raw::Raw;
use super::scope::{Clock, Scope};
use super::state::Stream;
use super::tally::Reason;
use crate::columns::FlowRow;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH: i64 = 2_208_988_800;

/// Neighbour ASes that the record itself names; 0 names none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Neighbours {
    pub(crate) prev: Option<u32>,
    pub(crate) next: Option<u32>,
}

/// The rows of a record: one, or two of a biflow.
pub(super) type Rows = (FlowRow, Option<FlowRow>);

/// The rows of the values of a record.
pub(super) fn rows(raw: &Raw, clock: Clock, stream: &Stream, scope: &Scope<'_>) -> Result<Rows, Reason> {
    let (src, dst) = raw.ends().ok_or(Reason::NoAddresses)?;
    let proto = raw.small(Slot::Protocol).ok_or(Reason::NoProtocol)?;
    let forward = counts(raw, &FORWARD);
    let reverse = counts(raw, &REVERSE);
    if forward.0.is_none() && reverse.0.is_none() {
        return Err(Reason::NoPackets);
    }
    if forward.1.is_none() && reverse.1.is_none() {
        return Err(Reason::NoBytes);
    }
    let (start, end) = times(raw, clock, stream.boot_ms, scope)?;
    let row = FlowRow {
        start,
        end,
        src,
        dst,
        proto,
        packets: forward.0.unwrap_or(0),
        bytes: forward.1.unwrap_or(0),
        src_port: raw.small(Slot::SourcePort),
        dst_port: raw.small(Slot::TargetPort),
        tcp_flags: raw.small(Slot::TcpFlags),
        src_as: raw.small(Slot::SourceAs),
        dst_as: raw.small(Slot::TargetAs),
        ingress_if: raw.small(Slot::IngressIf),
        egress_if: raw.small(Slot::EgressIf),
        icmp_type: icmp(raw),
        tos: raw.small(Slot::Tos),
        sampling: sampling(raw)
            .or_else(|| stream.sampling(raw.get(Slot::Sampler), raw.get(Slot::IngressIf)))
            .filter(|rate| *rate > 1),
        exporter: raw.exporter().or(scope.exporter),
        ..FlowRow::default()
    };
    let neighbours = Neighbours { prev: raw.small(Slot::PrevAs), next: raw.small(Slot::NextAs) };
    let back = match reverse {
        (Some(packets @ 1..), Some(bytes)) => Some((packets, bytes)),
        _ => None,
    };
    let Some((packets, bytes)) = back else { return Ok((finish(row, neighbours, scope.options)?, None)) };
    let back = FlowRow { packets, bytes, tcp_flags: raw.small(Slot::TcpFlagsReverse), ..exchanged(&row) };
    let exchanged = Neighbours { prev: neighbours.next, next: neighbours.prev };
    Ok((finish(row, neighbours, scope.options)?, Some(finish(back, exchanged, scope.options)?)))
}

const FORWARD: [&[Slot]; 2] = [
    &[Slot::Packets, Slot::PacketsTotal, Slot::PacketsInitiator, Slot::PacketsPost, Slot::PacketsPostTotal],
    &[Slot::Octets, Slot::OctetsTotal, Slot::OctetsInitiator, Slot::OctetsPost, Slot::OctetsPostTotal],
];
const REVERSE: [&[Slot]; 2] = [
    &[Slot::PacketsReverse, Slot::PacketsReverseTotal, Slot::PacketsResponder],
    &[Slot::OctetsReverse, Slot::OctetsReverseTotal, Slot::OctetsResponder],
];

fn counts(raw: &Raw, slots: &[&[Slot]; 2]) -> (Option<u64>, Option<u64>) {
    (raw.first(slots[0]), raw.first(slots[1]))
}

/// The row seen from the other end.
fn exchanged(row: &FlowRow) -> FlowRow {
    FlowRow {
        src: row.dst,
        dst: row.src,
        src_port: row.dst_port,
        dst_port: row.src_port,
        src_as: row.dst_as,
        dst_as: row.src_as,
        ingress_if: row.egress_if,
        egress_if: row.ingress_if,
        ..*row
    }
}

/// ICMP type × 256 + code.
fn icmp(raw: &Raw) -> Option<u16> {
    raw.small(Slot::IcmpTypeCode).or_else(|| {
        let kind: u8 = raw.small(Slot::IcmpType)?;
        let code: u8 = raw.small(Slot::IcmpCode).unwrap_or(0);
        Some(u16::from(kind) << 8 | u16::from(code))
    })
}

/// One packet in how many, as a record says it.
pub(super) fn sampling(raw: &Raw) -> Option<u64> {
    raw.get(Slot::SamplingInterval).or_else(|| {
        let taken = raw.get(Slot::SampledPackets)?;
        let left = raw.get(Slot::UnsampledPackets)?;
        (taken > 0).then(|| taken.saturating_add(left) / taken)
    })
}

/// First and last packet, microseconds since the epoch.
fn times(raw: &Raw, clock: Clock, boot_ms: Option<u64>, scope: &Scope<'_>) -> Result<(i64, i64), Reason> {
    let boot = raw.get(Slot::BootMillis).or(boot_ms);
    let start = time(raw, &STARTS, clock, boot);
    let end = time(raw, &ENDS, clock, boot);
    let lasted = raw.get(Slot::DurationMicros).or_else(|| raw.get(Slot::DurationMillis)?.checked_mul(1000));
    let lasted = lasted.and_then(|lasted| i64::try_from(lasted).ok()).unwrap_or(0);
    match (start, end) {
        (Some(start), Some(end)) => Ok((start, end)),
        (Some(start), None) => Ok((start, start.saturating_add(lasted))),
        (None, Some(end)) => Ok((end.saturating_sub(lasted), end)),
        (None, None) => {
            let seen = time(raw, &SEEN, clock, boot);
            let approximate = scope.options.unknown_times == WhenUnknown::Approximate;
            let at = seen.or(approximate.then_some(clock.export_us)).ok_or(Reason::NoTimes)?;
            Ok((at, at))
        }
    }
}

/// The slots that tell one time: NTP, milliseconds, seconds, uptime, microseconds before export.
type Times = (Slot, Slot, Slot, Option<(Slot, Slot)>);
const STARTS: Times =
    (Slot::StartNtp, Slot::StartMillis, Slot::StartSeconds, Some((Slot::StartUptime, Slot::StartDelta)));
const ENDS: Times = (Slot::EndNtp, Slot::EndMillis, Slot::EndSeconds, Some((Slot::EndUptime, Slot::EndDelta)));
const SEEN: Times = (Slot::SeenNtp, Slot::SeenMillis, Slot::SeenSeconds, None);

fn time(raw: &Raw, slots: &Times, clock: Clock, boot: Option<u64>) -> Option<i64> {
    let (ntp_slot, millis, seconds, relative) = *slots;
    if let Some(time) = raw.get(millis) {
        return i64::try_from(time).ok()?.checked_mul(1000);
    }
    if let Some(time) = raw.get(ntp_slot) {
        return Some(ntp(time));
    }
    if let Some(time) = raw.get(seconds) {
        return i64::try_from(time).ok()?.checked_mul(1_000_000);
    }
    let (uptime, delta) = relative?;
    if let Some(time) = raw.get(uptime) {
        return clock.at_uptime(time).or_else(|| i64::try_from(boot?.checked_add(time)?).ok()?.checked_mul(1000));
    }
    clock.export_us.checked_sub(i64::try_from(raw.get(delta)?).ok()?)
}

/// An NTP timestamp (RFC 5905 §6) as microseconds since the epoch; era 1 begins in 2036, where the first bit is 0 again.
fn ntp(time: u64) -> i64 {
    let seconds = (time >> 32).cast_signed();
    let era = if seconds < 0x8000_0000 { 1 << 32 } else { 0 };
    let micros = ((time & 0xffff_ffff) * 1_000_000) >> 32;
    (seconds + era - NTP_EPOCH) * 1_000_000 + micros.cast_signed()
}

/// Fills in neighbours, and ports by protocol.
pub(crate) fn finish(mut row: FlowRow, neighbours: Neighbours, options: &ExportOptions) -> Result<FlowRow, Reason> {
    row.ingress_as = neighbours.prev.unwrap_or(0);
    row.egress_as = neighbours.next;
    if !options.complete(&mut row) {
        return Err(Reason::NoIngress);
    }
    if !has_ports(row.proto) {
        if is_icmp(row.proto) {
            // NetFlow puts ICMP type and code where the destination port is.
            row.icmp_type = row.icmp_type.or(row.dst_port);
        }
        row.src_port = row.src_port.map(|_| 0);
        row.dst_port = row.dst_port.map(|_| 0);
    } else {
        row.icmp_type = None;
    }
    Ok(row)
}

/// Whether the protocol is ICMP, of IPv4 or IPv6.
pub(crate) fn is_icmp(proto: u8) -> bool {
    matches!(proto, 1 | 58)
}

/// Whether the protocol has ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
fn has_ports(proto: u8) -> bool {
    matches!(proto, 6 | 17 | 33 | 132 | 136)
}

#[cfg(test)]
mod tests {
    use super::super::options::AsRole;
    use super::*;

    #[test]
    fn ntp_time_is_read_in_both_eras() {
        let at = |unix: i64| (u64::try_from(unix + NTP_EPOCH).unwrap() & 0xffff_ffff) << 32;
        assert_eq!(ntp(at(1_500_000_000) | 1 << 31), 1_500_000_000_500_000);
        assert_eq!(ntp(at(2_200_000_000)), 2_200_000_000_000_000);
    }

    #[test]
    fn icmp_type_stands_in_the_port_of_netflow() {
        let row = FlowRow { proto: 1, dst_port: Some(0x0300), src_port: Some(7), ..FlowRow::default() };
        let row = finish(row, Neighbours::default(), &ExportOptions::default()).unwrap();
        assert_eq!((row.icmp_type, row.src_port, row.dst_port), (Some(0x300), Some(0), Some(0)));
    }

    #[test]
    fn the_neighbour_is_named_configured_or_unknown() {
        let row = FlowRow { src_as: Some(64500), ingress_if: Some(3), ..FlowRow::default() };
        let mut options = ExportOptions { unknown_ingress: WhenUnknown::Skip, ..ExportOptions::default() };
        assert_eq!(finish(row, Neighbours::default(), &options), Err(Reason::NoIngress));
        options.neighbours.insert((None, 3), 64501);
        assert_eq!(finish(row, Neighbours::default(), &options).unwrap().ingress_as, 64501);
        options.as_role = AsRole::Peer;
        let peer = finish(row, Neighbours::default(), &options).unwrap();
        assert_eq!((peer.ingress_as, peer.src_as), (64500, None));
        let named = Neighbours { prev: Some(64502), next: None };
        assert_eq!(finish(row, named, &options).unwrap().ingress_as, 64502);
    }

    #[test]
    fn as_0_names_no_neighbour() {
        let row = FlowRow { ingress_if: Some(3), egress_if: Some(4), ..FlowRow::default() };
        let zero = Neighbours { prev: Some(0), next: Some(0) };
        let mut options = ExportOptions { unknown_ingress: WhenUnknown::Skip, ..ExportOptions::default() };
        assert_eq!(finish(row, zero, &options), Err(Reason::NoIngress));
        options = ExportOptions { ingress_as: 64511, ..ExportOptions::default() };
        let unknown = finish(row, zero, &options).unwrap();
        assert_eq!((unknown.ingress_as, unknown.egress_as), (64511, Some(0)), "what was said of the exit stays");
        options.neighbours = [((None, 3), 64501), ((None, 4), 64502)].into();
        let found = finish(row, zero, &options).unwrap();
        assert_eq!((found.ingress_as, found.egress_as), (64501, Some(64502)));
        options.as_role = AsRole::Peer;
        let row = FlowRow { src_as: Some(0), dst_as: Some(0), ..row };
        let found = finish(row, Neighbours::default(), &options).unwrap();
        assert_eq!((found.ingress_as, found.egress_as, found.src_as), (64501, Some(64502), None));
        let named = finish(FlowRow { src_as: Some(64503), ..row }, zero, &options).unwrap();
        assert_eq!(named.ingress_as, 64503);
    }
}
