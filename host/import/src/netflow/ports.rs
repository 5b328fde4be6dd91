//! What the protocol of a flow says about its ports.

/// Whether the protocol is ICMP, of IPv4 or IPv6.
pub(crate) fn is_icmp(proto: u8) -> bool {
    matches!(proto, 1 | 58)
}

/// Whether the protocol has ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
pub(super) fn has_ports(proto: u8) -> bool {
    matches!(proto, 6 | 17 | 33 | 132 | 136)
}
