//! From the values of a record to its rows: which counter, which protocol, which neighbour. A direction that carried
//! nothing has no row.

use super::fault::Failure;
use super::options::ExportOptions;
use super::ports::{has_ports, is_icmp};
use super::raw::{Raw, Values};
use super::scope::{Clock, Scope};
use super::slot::Slot;
use super::state::Stream;
use super::tally::Reason;
use super::{sampling, section, times};
use crate::columns::FlowRow;

/// Neighbour ASes that the record itself names; 0 names none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Neighbours {
    pub(crate) prev: Option<u32>,
    pub(crate) next: Option<u32>,
}

/// Hands on the rows of the values of a record: one, or two of a biflow; or why it has none.
#[inline]
pub(super) fn rows(
    raw: &Raw<'_>,
    clock: Clock,
    stream: &Stream,
    scope: &Scope<'_>,
    take: &mut impl FnMut(Result<&FlowRow, Reason>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut row = FlowRow::default();
    if let Err(reason) = describe(&mut row, raw, clock, stream, scope) {
        return take(Err(reason));
    }
    let (forward, reverse) = carried(raw);
    let neighbours = Neighbours { prev: raw.one.small(Slot::PrevAs), next: raw.one.small(Slot::NextAs) };
    if let Carried::Nothing = reverse {
        return match complete(&mut row, forward, neighbours, scope.options) {
            Ok(()) => take(Ok(&row)),
            Err(reason) => take(Err(reason)),
        };
    }
    let mut back = back(raw, &row, clock, stream);
    let prev = raw.back.small(Slot::PrevAs).or(neighbours.next);
    let exchanged = Neighbours { prev, next: raw.back.small(Slot::NextAs).or(neighbours.prev) };
    let came_back = complete(&mut back, reverse, exchanged, scope.options);
    if !matches!(forward, Carried::Nothing) {
        match complete(&mut row, forward, neighbours, scope.options) {
            Ok(()) => take(Ok(&row))?,
            // A record that says too little of both directions is one record.
            Err(reason) if came_back.is_err() => return take(Err(reason)),
            Err(reason) => take(Err(reason))?,
        }
    }
    take(came_back.map(|()| &back))
}

/// Fills in what was carried, and the neighbours.
#[inline]
fn complete(
    row: &mut FlowRow,
    carried: Carried,
    neighbours: Neighbours,
    options: &ExportOptions,
) -> Result<(), Reason> {
    (row.packets, row.bytes) = carried.counted()?;
    set_neighbours(row, neighbours, options)
}

/// Fills in all of a row but its counters and neighbours.
#[inline]
fn describe(row: &mut FlowRow, raw: &Raw<'_>, clock: Clock, stream: &Stream, scope: &Scope<'_>) -> Result<(), Reason> {
    let values = &raw.one;
    match raw.ends() {
        Some((src, dst)) => {
            (row.src, row.dst) = (src, dst);
            describe_packets(row, values)?;
        }
        None => *row = section::described(raw).ok_or(Reason::NoAddresses)??,
    }
    (row.start, row.end) = times::of(values, clock, boot(raw, stream), scope)?;
    row.src_as = values.small(Slot::SourceAs);
    row.dst_as = values.small(Slot::TargetAs);
    row.ingress_if = values.small(Slot::IngressIf).or_else(|| values.small(Slot::IngressPhysical));
    row.egress_if = values.small(Slot::EgressIf).or_else(|| values.small(Slot::EgressPhysical));
    row.sampling = sampling::rate(values)
        .or_else(|| stream.sampling(values.get(Slot::Sampler), values.get(Slot::IngressIf)))
        .filter(|rate| *rate > 1);
    row.exporter = raw.exporter().or(scope.exporter);
    Ok(())
}

/// When the exporter started, as the record or its options say it.
#[inline]
fn boot(raw: &Raw<'_>, stream: &Stream) -> Option<u64> {
    raw.one.get(Slot::BootMillis).filter(|boot| *boot > 0).or(stream.boot_ms)
}

/// Fills in what the fields of a record say about its packets beside their ends.
#[inline]
fn describe_packets(row: &mut FlowRow, values: &Values) -> Result<(), Reason> {
    let port = |slots| values.first(slots).and_then(|port| u16::try_from(port).ok());
    row.proto = protocol(values, &row.src).ok_or(Reason::NoProtocol)?;
    row.src_port = port(&[Slot::SourcePort, Slot::UdpSource, Slot::TcpSource]);
    row.dst_port = port(&[Slot::TargetPort, Slot::UdpTarget, Slot::TcpTarget]);
    if is_icmp(row.proto) {
        // NetFlow puts ICMP type and code where the destination port is; exporters that do not write 0 there, which
        // would be an echo reply.
        row.icmp_type = icmp(values, row.proto).or(row.dst_port.filter(|port| *port != 0));
    }
    row.tcp_flags = values.small(Slot::TcpFlags);
    row.tos = values.small(Slot::Tos);
    Ok(())
}

/// How mapped IPv4 addresses begin.
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// The protocol: as the record says it, or as the other things say that it can only have one.
#[inline]
fn protocol(values: &Values, src: &[u8; 16]) -> Option<u8> {
    values.small(Slot::Protocol).or_else(|| implied(values, !src.starts_with(&MAPPED)))
}

#[cold]
fn implied(values: &Values, six: bool) -> Option<u8> {
    let next: Option<u8> = values.small(Slot::NextHeader);
    let has = |slots: &[Slot]| values.first(slots).is_some();
    let ports = values.counted(&[Slot::SourcePort, Slot::TargetPort]).is_some_and(|port| port > 0);
    if let Some(next) = next.filter(|next| !is_extension(*next)) {
        return Some(next);
    }
    // A template of many protocols has the fields of all of them, with 0 in those of the others.
    match (has(&[Slot::TcpSource, Slot::TcpTarget]), has(&[Slot::UdpSource, Slot::UdpTarget])) {
        (true, false) => return Some(6),
        (false, true) => return Some(17),
        (true, true) => return None,
        (false, false) => {}
    }
    let four = has(&[Slot::IcmpTypeCode4, Slot::IcmpType4]);
    let either = four || has(&[Slot::IcmpTypeCode6, Slot::IcmpType6]);
    (either && !ports).then_some(if six { 58 } else { 1 })
}

/// Whether a next header of IPv6 is an extension header, behind which the protocol stands (RFC 8200 §4).
fn is_extension(next: u8) -> bool {
    matches!(next, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140)
}

/// ICMP type × 256 + code; none where one of both is not said.
fn icmp(values: &Values, proto: u8) -> Option<u16> {
    let whole = |whole, kind, code| {
        values.small(whole).or_else(|| {
            let (kind, code): (u8, u8) = (values.small(kind)?, values.small(code)?);
            Some(u16::from(kind) << 8 | u16::from(code))
        })
    };
    let four = || whole(Slot::IcmpTypeCode4, Slot::IcmpType4, Slot::IcmpCode4);
    let six = || whole(Slot::IcmpTypeCode6, Slot::IcmpType6, Slot::IcmpCode6);
    if proto == 58 { six().or_else(four) } else { four().or_else(six) }
}

/// What a direction carried, as far as the record says it.
#[derive(Clone, Copy)]
enum Carried {
    /// There are no counters, or they counted nothing.
    Nothing,
    /// Packets and bytes.
    Counted(u64, u64),
    /// Something, but this is not said.
    Partly(Reason),
    /// There are no counters at all.
    Unsaid,
}

impl Carried {
    fn of(packets: Option<u64>, bytes: Option<u64>) -> Self {
        match (packets, bytes) {
            (None, None) => Self::Unsaid,
            (None | Some(0), None | Some(0)) => Self::Nothing,
            (Some(packets @ 1..), Some(bytes)) => Self::Counted(packets, bytes),
            (Some(_), None) => Self::Partly(Reason::NoBytes),
            (None | Some(0), Some(_)) => Self::Partly(Reason::NoPackets),
        }
    }

    const fn counted(self) -> Result<(u64, u64), Reason> {
        match self {
            Self::Counted(packets, bytes) => Ok((packets, bytes)),
            Self::Partly(reason) => Err(reason),
            Self::Nothing => Err(Reason::NoTraffic),
            Self::Unsaid => Err(Reason::NoPackets),
        }
    }
}

const FORWARD: [&[Slot]; 2] = [
    &[Slot::Packets, Slot::PacketsTotal, Slot::PacketsInitiator, Slot::PacketsPost, Slot::PacketsPostTotal],
    &[Slot::Octets, Slot::OctetsTotal, Slot::OctetsInitiator, Slot::OctetsPost, Slot::OctetsPostTotal],
];
const RESPONDER: [Slot; 2] = [Slot::PacketsResponder, Slot::OctetsResponder];

/// What both directions carried. A record without counters that says how long its packet was is of one packet.
#[inline]
fn carried(raw: &Raw<'_>) -> (Carried, Carried) {
    let forward = Carried::of(raw.one.counted(FORWARD[0]), raw.one.counted(FORWARD[1]));
    if raw.back.is_empty() && !matches!(forward, Carried::Unsaid) && raw.one.first(&RESPONDER).is_none() {
        return (forward, Carried::Nothing);
    }
    let [packets, bytes] = [0, 1].map(|at| raw.back.counted(FORWARD[at]).or_else(|| raw.one.get(RESPONDER[at])));
    let reverse = Carried::of(packets, bytes);
    match (forward, reverse) {
        (Carried::Unsaid, Carried::Unsaid) => (section::carried(raw).map_or(forward, one_packet), Carried::Nothing),
        (Carried::Unsaid, reverse) => (Carried::Nothing, reverse),
        (forward, Carried::Unsaid) => (forward, Carried::Nothing),
        both => both,
    }
}

const fn one_packet(bytes: u64) -> Carried {
    Carried::Counted(1, bytes)
}

/// The row of the reverse direction without its counters and neighbours: what the record says about it (RFC 5103), and
/// of the forward direction what holds for both.
fn back(raw: &Raw<'_>, row: &FlowRow, clock: Clock, stream: &Stream) -> FlowRow {
    let (values, seen) = (&raw.back, reversed(row));
    let (start, end) = times::of_reverse(values, clock, boot(raw, stream), row);
    FlowRow {
        start,
        end,
        src_as: values.small(Slot::SourceAs).or(seen.src_as),
        dst_as: values.small(Slot::TargetAs).or(seen.dst_as),
        ingress_if: values.small(Slot::IngressIf).or_else(|| values.small(Slot::IngressPhysical)).or(seen.ingress_if),
        egress_if: values.small(Slot::EgressIf).or_else(|| values.small(Slot::EgressPhysical)).or(seen.egress_if),
        tcp_flags: values.small(Slot::TcpFlags),
        icmp_type: icmp(values, row.proto).filter(|_| is_icmp(row.proto)),
        tos: values.small(Slot::Tos),
        sampling: sampling::rate(values).filter(|rate| *rate > 1).or(row.sampling),
        ..seen
    }
}

/// The row seen from the other end: without what was said of one direction only.
pub(crate) fn reversed(row: &FlowRow) -> FlowRow {
    FlowRow {
        src: row.dst,
        dst: row.src,
        src_port: row.dst_port,
        dst_port: row.src_port,
        src_as: row.dst_as,
        dst_as: row.src_as,
        ingress_if: row.egress_if,
        egress_if: row.ingress_if,
        tcp_flags: None,
        icmp_type: None,
        tos: None,
        ..*row
    }
}

/// Fills in neighbours, and ports by protocol.
pub(crate) fn finish(mut row: FlowRow, neighbours: Neighbours, options: &ExportOptions) -> Result<FlowRow, Reason> {
    set_neighbours(&mut row, neighbours, options)?;
    Ok(row)
}

#[inline]
fn set_neighbours(row: &mut FlowRow, neighbours: Neighbours, options: &ExportOptions) -> Result<(), Reason> {
    row.ingress_as = neighbours.prev.unwrap_or(0);
    row.egress_as = neighbours.next;
    if !options.complete(row) {
        return Err(Reason::NoIngress);
    }
    if !has_ports(row.proto) {
        row.src_port = row.src_port.map(|_| 0);
        row.dst_port = row.dst_port.map(|_| 0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::options::{AsRole, WhenUnknown};
    use super::*;

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
