//! What nfdump can store about a flow beside its addresses and counters: the elements of layout 2 (nfdump 1.7) and the
//! extensions of layout 1 (nfdump 1.6), by number. Each is read, has no column, or is counted.

/// What a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearing {
    /// It fills a column.
    Read,
    /// No column is about it.
    None,
    /// It bears on a column, or nobody knows what it is; how a report names it.
    Unread(&'static str),
}

/// An element of layout 2.
pub(super) const fn element(kind: u16) -> Bearing {
    match kind {
        // Flow, its addresses, interfaces, counters of the way back, ASes, exporter, neighbours, events of firewalls and
        // of address translation, physical interfaces.
        1..=5 | 7 | 12 | 13 | 16 | 19 | 25 | 38 => Bearing::Read,
        18 => Bearing::Unread("nfdump's element 18 (sampler), for `sampling`"),
        35 => Bearing::Unread("nfdump's element 35 (frame of inline monitoring), for `src`"),
        // None, VLANs, next hops, labels, MAC addresses, latency, translated addresses and ports, access lists, users,
        // applications, labels of people, payloads, tunnels, observation points, what frame it was, VRFs, packet
        // filters, numbers of flows and of Nokia's translation, fragments.
        0 | 6 | 8..=11 | 14 | 15 | 17 | 20..=24 | 26..=34 | 36 | 37 | 39..=42 => Bearing::None,
        _ => Bearing::Unread("elements of nfdump that are not known"),
    }
}

/// An extension of layout 1.
pub(super) const fn extension(number: u16) -> Bearing {
    match number {
        // Interfaces, ASes, counters of the way back, exporter, neighbours, reception, events.
        4..=7 | 14..=17 | 23 | 24 | 26 | 27 | 37 => Bearing::Read,
        // Masks and what leaves, next hops, VLANs, flows, MAC addresses, labels, engines, translated addresses and ports, access lists, users,
        // latency, events of translation without a time.
        8..=13 | 18..=22 | 25 | 38..=43 | 45..=48 => Bearing::None,
        _ => Bearing::Unread("extensions of nfdump that are not known"),
    }
}

/// Bytes of an extension of layout 1 in a record; none of one that is not known.
pub(super) const fn length(extension: u16) -> Option<usize> {
    Some(match extension {
        4 | 6 | 8 | 9 | 11 | 13 | 14 | 16 | 18 | 23 | 25 | 38 => 4,
        5 | 7 | 15 | 17 | 19 | 26 | 27 | 39 | 47 | 48 => 8,
        46 => 12,
        10 | 12 | 20 | 21 | 24 => 16,
        37 => 20,
        41 | 42 | 45 => 24,
        40 => 32,
        22 => 40,
        43 => 72,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `nfxV3.h` of nfdump 1.7.1 to 1.7.5: number, name, the column of `flow/1` that it bears on.
    const ELEMENTS: [(u16, &str, Option<&str>); 43] = [
        (0, "null", None),
        (1, "genericFlow", Some("start, end, packets, bytes, ports, proto, tcp_flags, tos")),
        (2, "ipv4Flow", Some("src, dst")),
        (3, "ipv6Flow", Some("src, dst")),
        (4, "flowMisc", Some("ingress_if, egress_if")),
        (5, "cntFlow", Some("packets, bytes")),
        (6, "vLan", None),
        (7, "asRouting", Some("src_as, dst_as")),
        (8, "bgpNextHopV4", None),
        (9, "bgpNextHopV6", None),
        (10, "ipNextHopV4", None),
        (11, "ipNextHopV6", None),
        (12, "ipReceivedV4", Some("exporter")),
        (13, "ipReceivedV6", Some("exporter")),
        (14, "mplsLabel", None),
        (15, "macAddr", None),
        (16, "asAdjacent", Some("ingress_as, egress_as")),
        (17, "latency", None),
        (18, "samplerInfo", Some("sampling")),
        (19, "nselCommon", Some("start")),
        (20, "nselXlateIPv4", None),
        (21, "nselXlateIPv6", None),
        (22, "nselXlatePort", None),
        (23, "nselAcl", None),
        (24, "nselUser", None),
        (25, "nelCommon", Some("start")),
        (26, "nelXlatePort", None),
        (27, "nbarApp", None),
        (28, "label", None),
        (29, "inPayload", None),
        (30, "outPayload", None),
        (31, "tunIPv4", None),
        (32, "tunIPv6", None),
        (33, "observation", None),
        (34, "inmonMeta", None),
        (35, "inmonFrame", Some("src")),
        (36, "vrf", None),
        (37, "pfinfo", None),
        (38, "layer2", Some("ingress_if, egress_if")),
        (39, "flowId", None),
        (40, "nokiaNat", None),
        (41, "nokiaNatString", None),
        (42, "ipInfo", None),
    ];

    /// `nffile.h` of nfdump 1.6: number, name, bytes (none where it is reserved), the column.
    const EXTENSIONS: [(u16, &str, Option<usize>, Option<&str>); 45] = [
        (4, "IO_SNMP_2", Some(4), Some("ingress_if, egress_if")),
        (5, "IO_SNMP_4", Some(8), Some("ingress_if, egress_if")),
        (6, "AS_2", Some(4), Some("src_as, dst_as")),
        (7, "AS_4", Some(8), Some("src_as, dst_as")),
        (8, "MULIPLE", Some(4), None),
        (9, "NEXT_HOP_v4", Some(4), None),
        (10, "NEXT_HOP_v6", Some(16), None),
        (11, "NEXT_HOP_BGP_v4", Some(4), None),
        (12, "NEXT_HOP_BGP_v6", Some(16), None),
        (13, "VLAN", Some(4), None),
        (14, "OUT_PKG_4", Some(4), Some("packets")),
        (15, "OUT_PKG_8", Some(8), Some("packets")),
        (16, "OUT_BYTES_4", Some(4), Some("bytes")),
        (17, "OUT_BYTES_8", Some(8), Some("bytes")),
        (18, "AGGR_FLOWS_4", Some(4), None),
        (19, "AGGR_FLOWS_8", Some(8), None),
        (20, "MAC_1", Some(16), None),
        (21, "MAC_2", Some(16), None),
        (22, "MPLS", Some(40), None),
        (23, "ROUTER_IP_v4", Some(4), Some("exporter")),
        (24, "ROUTER_IP_v6", Some(16), Some("exporter")),
        (25, "ROUTER_ID", Some(4), None),
        (26, "BGPADJ", Some(8), Some("ingress_as, egress_as")),
        (27, "RECEIVED", Some(8), Some("start")),
        (28, "RESERVED_1", None, Some("not known")),
        (29, "RESERVED_2", None, Some("not known")),
        (30, "RESERVED_3", None, Some("not known")),
        (31, "RESERVED_4", None, Some("not known")),
        (32, "RESERVED_5", None, Some("not known")),
        (33, "RESERVED_6", None, Some("not known")),
        (34, "RESERVED_7", None, Some("not known")),
        (35, "RESERVED_8", None, Some("not known")),
        (36, "RESERVED_9", None, Some("not known")),
        (37, "NSEL_COMMON", Some(20), Some("start, icmp_type")),
        (38, "NSEL_XLATE_PORTS", Some(4), None),
        (39, "NSEL_XLATE_IP_v4", Some(8), None),
        (40, "NSEL_XLATE_IP_v6", Some(32), None),
        (41, "NSEL_ACL", Some(24), None),
        (42, "NSEL_USER", Some(24), None),
        (43, "NSEL_USER_MAX", Some(72), None),
        (44, "NSEL_RESERVED", None, Some("not known")),
        (45, "LATENCY", Some(24), None),
        (46, "NEL_COMMON", Some(12), None),
        (47, "NEL_GLOBAL_IP_v4", Some(8), None),
        (48, "PORT_BLOCK_ALLOC", Some(8), None),
    ];

    #[test]
    fn every_element_is_read_or_counted_or_has_no_column() {
        for (kind, name, column) in ELEMENTS {
            assert_eq!(element(kind) == Bearing::None, column.is_none(), "{kind} {name}");
        }
        assert!(matches!(element(43), Bearing::Unread(_)) && matches!(element(999), Bearing::Unread(_)));
    }

    #[test]
    fn every_extension_is_read_or_counted_or_has_no_column() {
        for (number, name, bytes, column) in EXTENSIONS {
            assert_eq!(length(number), bytes, "{number} {name}");
            assert_eq!(extension(number) == Bearing::None, column.is_none(), "{number} {name}");
            assert!(bytes.is_some() || matches!(extension(number), Bearing::Unread(_)), "{number} {name}");
        }
        assert!(matches!(extension(49), Bearing::Unread(_)));
    }
}
