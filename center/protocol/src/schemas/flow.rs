//! `flow/1`: unidirectional IP flows as routers and probes export them. Data only.

use super::table::{About, Column, ColumnType::*, Schema, optional, required};

pub(super) const FLOW: Schema = Schema {
    id: "flow/1",
    summary: "one unidirectional IP flow as observed at one point of the domain",
    public: false,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    required(
        "start",
        Timestamp,
        "µs",
        About(
            "when the first packet of the flow was seen",
            "IPFIX flowStartMicroseconds (154), flowStartMilliseconds (152), flowStartSeconds (150)",
        ),
    ),
    required(
        "end",
        Timestamp,
        "µs",
        About(
            "when the last packet of the flow was seen",
            "IPFIX flowEndMicroseconds (155), flowEndMilliseconds (153), flowEndSeconds (151)",
        ),
    ),
    required(
        "src",
        Address,
        "",
        About(
            "source address in the IP header (it can be spoofed)",
            "IPFIX sourceIPv4Address (8), sourceIPv6Address (27)",
        ),
    ),
    required(
        "dst",
        Address,
        "",
        About("destination address in the IP header", "IPFIX destinationIPv4Address (12), destinationIPv6Address (28)"),
    ),
    required("proto", Uint, "", About("IP protocol number: 1 ICMP, 6 TCP, 17 UDP", "IPFIX protocolIdentifier (4)")),
    optional("src_port", Uint, "", About("source port of TCP, UDP or SCTP, else 0", "IPFIX sourceTransportPort (7)")),
    optional(
        "dst_port",
        Uint,
        "",
        About("destination port of TCP, UDP or SCTP, else 0", "IPFIX destinationTransportPort (11)"),
    ),
    required(
        "packets",
        Uint,
        "packets",
        About("packets of the flow as counted, not scaled by `sampling`", "IPFIX packetDeltaCount (2)"),
    ),
    required(
        "bytes",
        Uint,
        "bytes",
        About(
            "bytes of the flow at IP level, headers included, as counted, not scaled by `sampling`",
            "IPFIX octetDeltaCount (1)",
        ),
    ),
    optional(
        "tcp_flags",
        Uint,
        "",
        About(
            "union of the TCP control bits of all packets (bit 0 FIN, 1 SYN, 2 RST, 3 PSH, 4 ACK, 5 URG)",
            "IPFIX tcpControlBits (6)",
        ),
    ),
    required(
        "ingress_as",
        Uint,
        "",
        About(
            "neighbour AS through which the flow entered the domain; 0 when its source is inside the domain",
            "IPFIX bgpPrevAdjacentAsNumber (129)",
        ),
    ),
    optional(
        "egress_as",
        Uint,
        "",
        About(
            "neighbour AS through which the flow left the domain; 0 when its destination is inside the domain",
            "IPFIX bgpNextAdjacentAsNumber (128)",
        ),
    ),
    optional(
        "src_as",
        Uint,
        "",
        About("origin AS of the source address in the exporter's routing table", "IPFIX bgpSourceAsNumber (16)"),
    ),
    optional(
        "dst_as",
        Uint,
        "",
        About(
            "origin AS of the destination address in the exporter's routing table",
            "IPFIX bgpDestinationAsNumber (17)",
        ),
    ),
    optional(
        "ingress_if",
        Uint,
        "",
        About("SNMP index of the interface on which the flow entered the exporter", "IPFIX ingressInterface (10)"),
    ),
    optional(
        "egress_if",
        Uint,
        "",
        About("SNMP index of the interface on which the flow left the exporter", "IPFIX egressInterface (14)"),
    ),
    optional(
        "icmp_type",
        Uint,
        "",
        About("ICMP type × 256 + code, for ICMP flows", "IPFIX icmpTypeCodeIPv4 (32), icmpTypeCodeIPv6 (139)"),
    ),
    optional("tos", Uint, "", About("type of service or traffic class octet", "IPFIX ipClassOfService (5)")),
    optional(
        "sampling",
        Uint,
        "",
        About(
            "one packet in this many was observed; 1 or null when all were",
            "IPFIX samplingPacketInterval (305) with samplingPacketSpace (306), samplingInterval (34)",
        ),
    ),
    optional(
        "exporter",
        Address,
        "",
        About(
            "address of the device that exported the flow",
            "IPFIX exporterIPv4Address (130), exporterIPv6Address (131)",
        ),
    ),
];
