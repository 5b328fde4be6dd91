//! IANA's registry of information elements, gone through by hand: each that bears on a column of `flow/1` changes that
//! column, or is counted by its name where it is the only one. Neither is silent.

use super::*;

/// How a test shows that an element is read.
enum How {
    /// Two values of so many bytes give two columns.
    Read(u16, u64, u64),
    /// The same, beside other elements.
    Beside(u16, u64, u64, &'static [(u16, u16, u64)]),
    /// Two packets of 34 bytes behind so many bytes give two columns.
    Packet(u16),
    /// It is not read, but counted.
    Counted,
}
use How::{Beside, Counted, Packet, Read};

const IPV4: u64 = 0x0a00_0000;
const NTP: u64 = (2_208_988_800 + 1) << 32;
const ONE: u64 = 0x3ff0_0000_0000_0000;

/// Number, name, column, how.
const REGISTRY: &[(u16, &str, &str, How)] = &[
    (1, "octetDeltaCount", "bytes", Read(8, 40, 80)),
    (2, "packetDeltaCount", "packets", Read(8, 1, 2)),
    (4, "protocolIdentifier", "proto", Read(1, 6, 17)),
    (5, "ipClassOfService", "tos", Read(1, 1, 2)),
    (6, "tcpControlBits", "tcp_flags", Read(2, 1, 2)),
    (7, "sourceTransportPort", "src_port", Read(2, 1, 2)),
    (8, "sourceIPv4Address", "src", Beside(4, IPV4, IPV4 + 1, &[(12, 4, IPV4)])),
    (10, "ingressInterface", "ingress_if", Read(4, 1, 2)),
    (11, "destinationTransportPort", "dst_port", Read(2, 1, 2)),
    (12, "destinationIPv4Address", "dst", Beside(4, IPV4, IPV4 + 1, &[(8, 4, IPV4)])),
    (14, "egressInterface", "egress_if", Read(4, 1, 2)),
    (16, "bgpSourceAsNumber", "src_as", Read(4, 1, 2)),
    (17, "bgpDestinationAsNumber", "dst_as", Read(4, 1, 2)),
    (19, "postMCastPacketDeltaCount", "packets", Counted),
    (20, "postMCastOctetDeltaCount", "bytes", Counted),
    (21, "flowEndSysUpTime", "end", Beside(4, 1, 2, &[(160, 8, 5000)])),
    (22, "flowStartSysUpTime", "start", Beside(4, 1, 2, &[(160, 8, 5000)])),
    (23, "postOctetDeltaCount", "bytes", Read(8, 40, 80)),
    (24, "postPacketDeltaCount", "packets", Read(8, 1, 2)),
    (27, "sourceIPv6Address", "src", Beside(16, 1, 2, &[(28, 16, 7)])),
    (28, "destinationIPv6Address", "dst", Beside(16, 1, 2, &[(27, 16, 7)])),
    (32, "icmpTypeCodeIPv4", "icmp_type", Read(2, 1, 2)),
    (34, "samplingInterval", "sampling", Read(4, 5, 6)),
    (35, "samplingAlgorithm", "sampling", Counted),
    (44, "sourceIPv4Prefix", "src", Counted),
    (45, "destinationIPv4Prefix", "dst", Counted),
    (48, "samplerId", "sampling", Read(1, 1, 2)),
    (49, "samplerMode", "sampling", Counted),
    (50, "samplerRandomInterval", "sampling", Read(4, 5, 6)),
    (55, "postIpClassOfService", "tos", Counted),
    (85, "octetTotalCount", "bytes", Read(8, 40, 80)),
    (86, "packetTotalCount", "packets", Read(8, 1, 2)),
    (87, "flagsAndSamplerId", "sampling", Counted),
    (98, "postIpDiffServCodePoint", "tos", Counted),
    (102, "layer2packetSectionOffset", "src", Beside(2, 0, 1, &[(315, 48, 0)])),
    (104, "layer2packetSectionData", "src", Packet(14)),
    (128, "bgpNextAdjacentAsNumber", "egress_as", Read(4, 1, 2)),
    (129, "bgpPrevAdjacentAsNumber", "ingress_as", Read(4, 1, 2)),
    (130, "exporterIPv4Address", "exporter", Read(4, IPV4, IPV4 + 1)),
    (131, "exporterIPv6Address", "exporter", Read(16, 1, 2)),
    (132, "droppedOctetDeltaCount", "bytes", Counted),
    (133, "droppedPacketDeltaCount", "packets", Counted),
    (134, "droppedOctetTotalCount", "bytes", Counted),
    (135, "droppedPacketTotalCount", "packets", Counted),
    (139, "icmpTypeCodeIPv6", "icmp_type", Read(2, 1, 2)),
    (150, "flowStartSeconds", "start", Read(4, 1, 2)),
    (151, "flowEndSeconds", "end", Read(4, 1, 2)),
    (152, "flowStartMilliseconds", "start", Read(8, 1, 2)),
    (153, "flowEndMilliseconds", "end", Read(8, 1, 2)),
    (154, "flowStartMicroseconds", "start", Read(8, NTP, NTP + (1 << 32))),
    (155, "flowEndMicroseconds", "end", Read(8, NTP, NTP + (1 << 32))),
    (156, "flowStartNanoseconds", "start", Read(8, NTP, NTP + (1 << 32))),
    (157, "flowEndNanoseconds", "end", Read(8, NTP, NTP + (1 << 32))),
    (158, "flowStartDeltaMicroseconds", "start", Read(4, 1, 2)),
    (159, "flowEndDeltaMicroseconds", "end", Read(4, 1, 2)),
    (160, "systemInitTimeMilliseconds", "start", Beside(8, 5000, 6000, &[(22, 4, 7)])),
    (161, "flowDurationMilliseconds", "end", Read(4, 1, 2)),
    (162, "flowDurationMicroseconds", "end", Read(4, 1, 2)),
    (169, "destinationIPv6Prefix", "dst", Counted),
    (170, "sourceIPv6Prefix", "src", Counted),
    (171, "postOctetTotalCount", "bytes", Read(8, 40, 80)),
    (172, "postPacketTotalCount", "packets", Read(8, 1, 2)),
    (174, "postMCastPacketTotalCount", "packets", Counted),
    (175, "postMCastOctetTotalCount", "bytes", Counted),
    (176, "icmpTypeIPv4", "icmp_type", Beside(1, 1, 2, &[(177, 1, 0)])),
    (177, "icmpCodeIPv4", "icmp_type", Beside(1, 1, 2, &[(176, 1, 3)])),
    (178, "icmpTypeIPv6", "icmp_type", Beside(1, 1, 2, &[(179, 1, 0)])),
    (179, "icmpCodeIPv6", "icmp_type", Beside(1, 1, 2, &[(178, 1, 3)])),
    (180, "udpSourcePort", "src_port", Read(2, 1, 2)),
    (181, "udpDestinationPort", "dst_port", Read(2, 1, 2)),
    (182, "tcpSourcePort", "src_port", Read(2, 1, 2)),
    (183, "tcpDestinationPort", "dst_port", Read(2, 1, 2)),
    (190, "totalLengthIPv4", "bytes", Read(2, 40, 80)),
    (191, "payloadLengthIPv6", "bytes", Counted),
    (193, "nextHeaderIPv6", "proto", Read(1, 6, 17)),
    (195, "ipDiffServCodePoint", "tos", Counted),
    (196, "ipPrecedence", "tos", Counted),
    (204, "ipPayloadLength", "bytes", Counted),
    (218, "tcpSynTotalCount", "tcp_flags", Counted),
    (219, "tcpFinTotalCount", "tcp_flags", Counted),
    (220, "tcpRstTotalCount", "tcp_flags", Counted),
    (221, "tcpPshTotalCount", "tcp_flags", Counted),
    (222, "tcpAckTotalCount", "tcp_flags", Counted),
    (223, "tcpUrgTotalCount", "tcp_flags", Counted),
    (224, "ipTotalLength", "bytes", Read(8, 40, 80)),
    (231, "initiatorOctets", "bytes", Read(8, 40, 80)),
    (232, "responderOctets", "bytes", Beside(8, 40, 80, &[(299, 1, 1)])),
    (242, "ethernetTotalLength", "bytes", Counted),
    (252, "ingressPhysicalInterface", "ingress_if", Read(4, 1, 2)),
    (253, "egressPhysicalInterface", "egress_if", Read(4, 1, 2)),
    (257, "postIpPrecedence", "tos", Counted),
    (258, "collectionTimeMilliseconds", "start", Counted),
    (298, "initiatorPackets", "packets", Read(8, 1, 2)),
    (299, "responderPackets", "packets", Beside(8, 1, 2, &[(232, 1, 40)])),
    (301, "selectionSequenceId", "sampling", Counted),
    (302, "selectorId", "sampling", Read(8, 1, 2)),
    (304, "selectorAlgorithm", "sampling", Counted),
    (305, "samplingPacketInterval", "sampling", Beside(4, 1, 2, &[(306, 4, 98)])),
    (306, "samplingPacketSpace", "sampling", Beside(4, 99, 999, &[(305, 4, 1)])),
    (307, "samplingTimeInterval", "sampling", Counted),
    (308, "samplingTimeSpace", "sampling", Counted),
    (309, "samplingSize", "sampling", Beside(4, 1, 2, &[(310, 4, 100)])),
    (310, "samplingPopulation", "sampling", Beside(4, 100, 200, &[(309, 4, 1)])),
    // One in two and one in four, as numbers of floating point.
    (311, "samplingProbability", "sampling", Read(8, ONE - (1 << 52), ONE - (2 << 52))),
    (312, "dataLinkFrameSize", "bytes", Beside(2, 100, 200, &[(315, 48, 0)])),
    (313, "ipHeaderPacketSection", "src", Packet(0)),
    (314, "ipPayloadPacketSection", "src_port", Counted),
    (315, "dataLinkFrameSection", "src", Packet(14)),
    (317, "mplsPayloadPacketSection", "src", Packet(0)),
    (318, "selectorIdTotalPktsObserved", "sampling", Counted),
    (319, "selectorIdTotalPktsSelected", "sampling", Counted),
    (322, "observationTimeSeconds", "start", Read(4, 1, 2)),
    (323, "observationTimeMilliseconds", "start", Read(8, 1, 2)),
    (324, "observationTimeMicroseconds", "start", Read(8, NTP, NTP + (1 << 32))),
    (325, "observationTimeNanoseconds", "start", Read(8, NTP, NTP + (1 << 32))),
    (329, "hashOutputRangeMin", "sampling", Counted),
    (330, "hashOutputRangeMax", "sampling", Counted),
    (331, "hashSelectedRangeMin", "sampling", Counted),
    (332, "hashSelectedRangeMax", "sampling", Counted),
    (352, "layer2OctetDeltaCount", "bytes", Counted),
    (353, "layer2OctetTotalCount", "bytes", Counted),
    (359, "monitoringIntervalStartMilliSeconds", "start", Counted),
    (360, "monitoringIntervalEndMilliSeconds", "end", Counted),
    (391, "flowSelectedOctetDeltaCount", "bytes", Counted),
    (392, "flowSelectedPacketDeltaCount", "packets", Counted),
    (396, "samplingFlowInterval", "sampling", Counted),
    (397, "samplingFlowSpacing", "sampling", Counted),
    (398, "flowSamplingTimeInterval", "sampling", Counted),
    (399, "flowSamplingTimeSpacing", "sampling", Counted),
    (401, "transportOctetDeltaCount", "bytes", Counted),
    (402, "transportPacketDeltaCount", "packets", Counted),
    (403, "originalExporterIPv4Address", "exporter", Read(4, IPV4, IPV4 + 1)),
    (404, "originalExporterIPv6Address", "exporter", Read(16, 1, 2)),
    (408, "dataLinkFrameType", "src", Beside(2, 1, 2, &[(315, 48, 0)])),
    (409, "sectionOffset", "src", Beside(2, 0, 1, &[(315, 48, 0)])),
    (417, "postLayer2OctetDeltaCount", "bytes", Counted),
    (418, "postMCastLayer2OctetDeltaCount", "bytes", Counted),
    (420, "postLayer2OctetTotalCount", "bytes", Counted),
    (421, "postMCastLayer2OctetTotalCount", "bytes", Counted),
    (424, "droppedLayer2OctetDeltaCount", "bytes", Counted),
    (425, "droppedLayer2OctetTotalCount", "bytes", Counted),
    (430, "layer2FrameDeltaCount", "packets", Counted),
    (431, "layer2FrameTotalCount", "packets", Counted),
];

/// A flow of the elements that exporters send, with its columns.
const USUAL: [(u16, u16, u64, &str); 9] = [
    (8, 4, IPV4, "src"),
    (12, 4, IPV4 + 1, "dst"),
    (4, 1, 6, "proto"),
    (7, 2, 443, "src_port"),
    (11, 2, 50_000, "dst_port"),
    (2, 4, 3, "packets"),
    (1, 4, 300, "bytes"),
    (152, 8, 1000, "start"),
    (153, 8, 2000, "end"),
];

/// A field: its element and its value.
type Field = (u16, Vec<u8>);

/// A number in so many bytes; in 48, the frame of a packet whose header does not say how long it is.
fn bytes(length: u16, value: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(length)];
    match length {
        48 => bytes = frame(14, 1),
        8.. => bytes[usize::from(length) - 8..].copy_from_slice(&value.to_be_bytes()),
        _ => bytes.copy_from_slice(&value.to_be_bytes()[8 - usize::from(length)..]),
    }
    bytes
}

/// A packet of IPv4 from 10.0.0.`last` behind the header of a frame of so many bytes.
fn frame(head: u16, last: u8) -> Vec<u8> {
    let mut frame = vec![0; usize::from(head)];
    if let [.., high, low] = &mut frame[..] {
        (*high, *low) = (8, 0);
    }
    frame.extend([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, last, 10, 0, 0, 99]);
    frame.extend([0; 14]);
    frame
}

/// The usual flow without what the element is to tell; where it is a part of a packet, nothing that a packet tells.
fn base(id: u16, column: &str) -> Vec<Field> {
    let packet = matches!(id, 102 | 104 | 312 | 313 | 315 | 317 | 408 | 409);
    let own = |fields: &[&str]| fields.contains(&column);
    let left_out = |other: &str| {
        other == column
            || own(&["src", "dst"]) && matches!(other, "src" | "dst")
            || packet && !matches!(other, "start" | "end")
            || column == "start" && other == "end"
            || matches!(id, 190 | 224 | 232 | 299) && matches!(other, "packets" | "bytes")
            || matches!(id, 193) && other == "proto"
    };
    let mut fields: Vec<Field> =
        USUAL.iter().filter(|field| !left_out(field.3)).map(|field| (field.0, bytes(field.1, field.2))).collect();
    let proto = if matches!(id, 139 | 178 | 179) { 58 } else { 1 };
    if let Some(field) = fields.iter_mut().find(|field| field.0 == 4 && column == "icmp_type") {
        field.1 = vec![proto];
    }
    if column == "icmp_type" {
        fields.retain(|field| field.0 != 7 && field.0 != 11);
    }
    fields
}

/// The column of the row that these fields give, and what was counted. Samplers 1 and 2 have rates.
fn column(fields: &[Field], column: &str) -> (Option<String>, Vec<String>) {
    let samplers = shorts(&[400, 2, 1, 302, 1, 34, 1]);
    let mut template = shorts(&[300, u16::try_from(fields.len()).unwrap()]);
    template.extend(fields.iter().flat_map(|(id, value)| shorts(&[*id, u16::try_from(value.len()).unwrap()])));
    let data: Vec<u8> = fields.iter().flat_map(|field| field.1.clone()).collect();
    let sets = [set(3, &samplers), set(400, &[1, 10, 2, 20]), set(2, &template), set(300, &data)];
    let given = decode(&ExportOptions::default(), &[ipfix(&sets)]);
    let value = match column {
        "start" => given.times().first().map(|times| times.0.to_string()),
        "end" => given.times().first().map(|times| times.1.to_string()),
        "src" | "dst" | "exporter" => given.addresses(column).first().cloned().flatten(),
        _ => given.uint(column).first().copied().flatten().map(|value| value.to_string()),
    };
    (value, given.skips().into_iter().map(|(skip, _)| skip).collect())
}

#[test]
fn every_element_that_bears_on_a_column_is_read_or_counted() {
    for (id, name, of, how) in REGISTRY {
        let given = |value: Vec<u8>, beside: &[(u16, u16, u64)]| {
            let beside = beside.iter().map(|(id, length, value)| (*id, bytes(*length, *value)));
            let mut fields: Vec<Field> = base(*id, of).into_iter().chain(beside).collect();
            fields.push((*id, value));
            column(&fields, of)
        };
        let [one, other] = match how {
            Read(length, one, other) => [one, other].map(|value| given(bytes(*length, *value), &[])),
            Beside(length, one, other, beside) => [one, other].map(|value| given(bytes(*length, *value), beside)),
            Packet(head) => [7, 8].map(|last| given(frame(*head, last), &[])),
            Counted => [1, 2].map(|value| given(bytes(8, value), &[])),
        };
        let named = format!("values not understood: {name} (element {id}), for `{of}`");
        if matches!(how, Counted) {
            assert!(one.1.contains(&named), "{id} {name} is not counted: {:?}", one.1);
        } else {
            assert_ne!(one.0, other.0, "{id} {name} does not reach `{of}`: {:?}", one.1);
            assert!(!one.1.contains(&named), "{id} {name} is read and counted");
        }
    }
}

#[test]
fn the_decoder_knows_no_other_elements_than_the_list() {
    let ours: Vec<_> = super::super::registry::ELEMENTS.iter().map(|one| (one.id, one.name, one.column)).collect();
    let listed: Vec<_> = REGISTRY.iter().map(|(id, name, column, _)| (*id, *name, *column)).collect();
    assert_eq!(ours, listed);
}
