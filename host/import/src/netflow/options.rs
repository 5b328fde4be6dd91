//! What the owner of the exporters knows and the exports do not say. Data and its lookup only.

use std::collections::BTreeMap;

use crate::columns::FlowRow;

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
/// same way with element 128, the destination AS and the interface of exit, else null. AS 0 names no neighbour, because
/// exporters write it where they know none; an element 128 of 0 stays where nothing else names one. Files of nfdump are
/// read the same way from what nfdump stored.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// What the AS numbers of the exporters mean.
    pub as_role: AsRole,
    /// Neighbour AS at an interface (SNMP index) of an exporter (address, IPv4 mapped), or of every exporter (`None`).
    pub neighbours: BTreeMap<(Option<[u8; 16]>, u32), u32>,
    /// When nothing says through which AS a flow entered: `ingress_as`, or skip it.
    pub unknown_ingress: WhenUnknown,
    /// The neighbour AS where nothing says it; 0 for unknown.
    pub ingress_as: u32,
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

    /// Completes the neighbours of a flow whose source names those it knows, with 0 for those it does not. Tells whether
    /// the flow is to be kept.
    pub(crate) fn complete(&self, row: &mut FlowRow) -> bool {
        let known = |asn: Option<u32>| asn.filter(|asn| *asn != 0);
        let (mut prev, mut next) = (known(Some(row.ingress_as)), known(row.egress_as));
        if self.as_role == AsRole::Peer {
            prev = prev.or(known(row.src_as.take()));
            next = next.or(known(row.dst_as.take()));
        }
        prev = prev.or_else(|| self.neighbour(row.exporter, row.ingress_if));
        row.egress_as = next.or_else(|| self.neighbour(row.exporter, row.egress_if)).or(row.egress_as);
        row.ingress_as = prev.unwrap_or(self.ingress_as);
        prev.is_some() || self.unknown_ingress == WhenUnknown::Approximate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_completed_by_role_interface_and_default() {
        let stored = FlowRow { src_as: Some(64500), ingress_if: Some(3), egress_as: Some(0), ..FlowRow::default() };
        let with = |options: &ExportOptions| {
            let mut row = stored;
            (options.complete(&mut row), row.ingress_as, row.egress_as, row.src_as)
        };
        let mut options = ExportOptions { unknown_ingress: WhenUnknown::Skip, ..ExportOptions::default() };
        assert_eq!(with(&options), (false, 0, Some(0), Some(64500)));
        options = ExportOptions { ingress_as: 64511, ..ExportOptions::default() };
        assert_eq!(with(&options), (true, 64511, Some(0), Some(64500)));
        options.neighbours.insert((None, 3), 64501);
        assert_eq!(with(&options), (true, 64501, Some(0), Some(64500)));
        options.as_role = AsRole::Peer;
        assert_eq!(with(&options), (true, 64500, Some(0), None));
        let mut named = FlowRow { ingress_as: 64502, ..stored };
        assert!(options.complete(&mut named));
        assert_eq!(named.ingress_as, 64502);
    }
}
