//! Counts of what was read and skipped, cheap enough for every record.

use std::collections::BTreeMap;

use super::element::Unread;
use super::registry::{COUNT, ELEMENTS};
use crate::Skip;
use crate::report::OPTIONS_DATA;

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
    /// A set that is not records of its template: damaged, or the template is another one.
    Misfit,
    /// It counts no packet: nothing passed.
    NoTraffic,
    /// A template that breaks its format.
    BadTemplate,
    /// It stands in a message of which a template breaks its format.
    BadMessage,
    /// Not a record: a header of NetFlow v5 that counts other records than there are, which are read.
    Miscount,
}

const REASONS: [Reason; 16] = [
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
    Reason::Misfit,
    Reason::NoTraffic,
    Reason::BadTemplate,
    Reason::BadMessage,
    Reason::Miscount,
];

impl Reason {
    fn skip(self) -> Skip {
        let other = |what: &str| Skip::NotApplicable(what.to_owned());
        let lacks = |column: &str| Skip::Incomplete(column.to_owned());
        match self {
            Self::NoTemplate => Skip::NoTemplate,
            Self::Options => other(OPTIONS_DATA),
            Self::NoAddresses => other("record without IP addresses"),
            Self::NoProtocol => lacks("proto"),
            Self::NoPackets => lacks("packets"),
            Self::NoBytes => lacks("bytes"),
            Self::NoTimes => lacks("start"),
            Self::NoIngress => lacks("ingress_as"),
            Self::Counters => other("interface counters"),
            Self::NotIp => other("sampled packet without an IP header"),
            Self::OtherSample => other("sample without a packet header"),
            Self::Misfit => Skip::Malformed("set that does not fit its template".to_owned()),
            Self::NoTraffic => other("record that counts no packets"),
            Self::BadTemplate => Skip::Malformed("template that breaks its format".to_owned()),
            Self::BadMessage => {
                Skip::Malformed("record of a message with a template that breaks its format".to_owned())
            }
            Self::Miscount => other("header that counts other records than its message has"),
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
    /// By place in [`ELEMENTS`] and direction; as many as this table has, at most.
    unread: BTreeMap<(usize, bool), u64>,
}

const _: () = assert!(COUNT < 1024, "what a hostile exporter may name is bounded by the table");

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

    /// Counts records with values that bear on a column and are not read.
    pub(super) fn not_understood(&mut self, fields: &[Unread], records: u64) {
        for field in fields.iter().filter(|_| records > 0) {
            let Ok(at) = ELEMENTS.binary_search_by_key(&field.element.id, |element| element.id) else { continue };
            *self.unread.entry((at, field.reverse)).or_default() += records;
        }
    }

    /// The counts as a report has them.
    #[must_use]
    pub fn to_skips(&self) -> BTreeMap<Skip, u64> {
        let reasons = REASONS.iter().filter(|&&reason| self.skipped(reason) > 0);
        let unread = self.unread.iter().map(|(&(at, reverse), records)| (unread(at, reverse), *records));
        reasons.map(|&reason| (reason.skip(), self.skipped(reason))).chain(unread).collect()
    }

    /// The protocols seen, in words.
    #[must_use]
    pub fn format(&self) -> String {
        let names = ["netflow v5", "netflow v9", "ipfix", "sflow v5"];
        let seen: Vec<_> = names.iter().zip(self.protocols).filter(|(_, n)| *n > 0).map(|(name, _)| *name).collect();
        if seen.is_empty() { "flow export".to_owned() } else { seen.join(", ") }
    }
}

fn unread(at: usize, reverse: bool) -> Skip {
    let (element, reverse) = (&ELEMENTS[at], if reverse { "reverse " } else { "" });
    Skip::NotUnderstood(format!("{reverse}{} (element {}), for `{}`", element.name, element.id, element.column))
}
