//! Counts of what was read and skipped, cheap enough for every record.

use std::collections::BTreeMap;

use crate::Skip;

/// Why a record gave no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its template is not known.
    NoTemplate,
    /// It describes the exporter, not a flow.
    Options,
    /// It has no IP addresses.
    NoAddresses,
    /// It has no protocol.
    NoProtocol,
    /// It counts no packets.
    NoPackets,
    /// It counts no bytes.
    NoBytes,
    /// It has no time, or one outside of what a timestamp can hold.
    NoTimes,
    /// It does not say through which AS the flow entered.
    NoIngress,
    /// It holds counters of an interface, not packets (sFlow).
    Counters,
    /// The sampled packet is not IP, or too little of it was kept (sFlow).
    NotIp,
    /// A sample of a kind without a sampled header (sFlow).
    OtherSample,
    /// The rest of a set that is not a record of its template: damaged, or the template is another exporter's.
    CutShort,
}

const REASONS: [Reason; 12] = [
    Reason::NoTemplate,
    Reason::Options,
    Reason::NoAddresses,
    Reason::NoProtocol,
    Reason::NoPackets,
    Reason::NoBytes,
    Reason::NoTimes,
    Reason::NoIngress,
    Reason::Counters,
    Reason::NotIp,
    Reason::OtherSample,
    Reason::CutShort,
];

impl Reason {
    fn skip(self) -> Skip {
        let other = |what: &str| Skip::NotApplicable(what.to_owned());
        let lacks = |column: &str| Skip::Incomplete(column.to_owned());
        match self {
            Self::NoTemplate => Skip::NoTemplate,
            Self::Options => other("options data"),
            Self::NoAddresses => other("record without IP addresses"),
            Self::NoProtocol => lacks("proto"),
            Self::NoPackets => lacks("packets"),
            Self::NoBytes => lacks("bytes"),
            Self::NoTimes => lacks("start"),
            Self::NoIngress => lacks("ingress_as"),
            Self::Counters => other("interface counters"),
            Self::NotIp => other("sampled packet without an IP header"),
            Self::OtherSample => other("sample without a packet header"),
            Self::CutShort => Skip::Malformed("rest of a set that does not fit its template".to_owned()),
        }
    }
}

/// What was read and skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages read.
    pub messages: u64,
    /// Rows written.
    pub rows: u64,
    /// Messages by protocol: NetFlow v5, v9, IPFIX, sFlow.
    pub protocols: [u64; 4],
    skipped: [u64; REASONS.len()],
}

impl Tally {
    /// Counts records that gave no row.
    pub fn skip(&mut self, reason: Reason, records: u64) {
        self.skipped[reason as usize] += records;
    }

    /// Records that gave no row for this reason.
    #[must_use]
    pub fn skipped(&self, reason: Reason) -> u64 {
        self.skipped[reason as usize]
    }

    /// The counts as a report has them.
    #[must_use]
    pub fn to_skips(&self) -> BTreeMap<Skip, u64> {
        REASONS.iter().filter(|&&reason| self.skipped(reason) > 0).map(|&r| (r.skip(), self.skipped(r))).collect()
    }

    /// The protocols seen, in words.
    #[must_use]
    pub fn format(&self) -> String {
        let names = ["netflow v5", "netflow v9", "ipfix", "sflow v5"];
        let seen: Vec<_> = names.iter().zip(self.protocols).filter(|(_, n)| *n > 0).map(|(name, _)| *name).collect();
        if seen.is_empty() { "flow export".to_owned() } else { seen.join(", ") }
    }
}
