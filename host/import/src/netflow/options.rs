//! What the owner of the exporters knows and the exports do not say. Data only.

use std::collections::BTreeMap;

/// What the AS numbers of the exporter (v5 `src_as`, elements 16 and 17) mean; routers are configured for one of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AsRole {
    /// The AS that originates the address: columns `src_as` and `dst_as`.
    #[default]
    Origin,
    /// The neighbour AS: columns `ingress_as` and `egress_as`.
    Peer,
}

/// What to do with a record that lacks something required which has an approximation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenUnknown {
    /// Write the approximation.
    #[default]
    Approximate,
    /// Skip the record and count it as incomplete.
    Skip,
}

/// How exports become rows.
///
/// `ingress_as` is, in this order: element 129 (`bgpPrevAdjacentAsNumber`); the source AS when the role is
/// [`AsRole::Peer`]; the neighbour at the interface of entry; else what `unknown_ingress` says. `egress_as` is found the
/// same way with element 128, the destination AS and the interface of exit, else null.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// What the AS numbers of the exporters mean.
    pub as_role: AsRole,
    /// Neighbour AS at an interface (SNMP index) of an exporter (address, IPv4 mapped), or of every exporter (`None`).
    pub neighbours: BTreeMap<(Option<[u8; 16]>, u32), u32>,
    /// When nothing says through which AS a flow entered: 0, or skip it.
    pub unknown_ingress: WhenUnknown,
    /// When a record has no time: the export time of its message for both ends, or skip it.
    pub unknown_times: WhenUnknown,
    /// Whether templates of an exporter hold for all its observation domains (source ids). The RFCs keep them apart
    /// (RFC 7011 §8, RFC 3954 §5.1); some exporters send templates on one domain only.
    pub share_domains: bool,
}

impl ExportOptions {
    /// The neighbour AS at an interface of an exporter.
    pub(super) fn neighbour(&self, exporter: Option<[u8; 16]>, interface: Option<u32>) -> Option<u32> {
        if self.neighbours.is_empty() {
            return None;
        }
        let interface = interface?;
        self.neighbours.get(&(exporter, interface)).or_else(|| self.neighbours.get(&(None, interface))).copied()
    }
}
