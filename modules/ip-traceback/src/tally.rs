//! Adds up flows by the neighbour AS they came in over. Pure: it sees one flow after another and calls nobody.

use std::fmt;

use iog_guest::Address;
use iog_guest::bounded::{BoundedMap, Budget};

use crate::bindings::{Ingress, Inside, TraceReport};
use crate::sources::{Sources, TooMany};

/// The ingress AS that means "the source is inside".
const INSIDE: u32 = 0;

/// What the index of neighbours may take: more than [`NEIGHBOURS_MAX`] need.
const INDEX_BYTES_MAX: usize = 2 << 20;
/// Neighbours that are summed, 56 bytes each: some 3 MiB.
const NEIGHBOURS_MAX: usize = 57_344;
/// Neighbours that are found without the index.
const RECENT: usize = 256;

/// What one flow record says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    /// The neighbour AS; absent or 0 where the source is inside.
    pub(crate) ingress: Option<u64>,
    /// Microseconds since the epoch; so is `end`.
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) source: Option<Address>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// Sums by neighbour.
pub(crate) struct Tally {
    sums: Vec<(u32, Sums)>,
    /// Where in `sums` a neighbour is.
    index: BoundedMap<u32, usize>,
    /// The same of neighbours seen lately, each at the place that its last bits name; checked against `sums`.
    recent: [usize; RECENT],
    sources: Sources,
}

/// Why flows could not be added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TallyError {
    /// The provider's data hold a number that is no AS number.
    NotAnAsn(u64),
    /// The module's memory does not hold all neighbours.
    TooManyNeighbours,
    /// The module's memory does not hold all distinct sources.
    TooManySources(TooMany),
}

impl fmt::Display for TallyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAsn(number) => write!(f, "column `ingress_as` holds {number}, which is not an AS number"),
            Self::TooManyNeighbours => f.write_str("more neighbour ASes than the module's memory holds"),
            Self::TooManySources(too_many) => too_many.fmt(f),
        }
    }
}

impl From<TallyError> for String {
    fn from(error: TallyError) -> Self {
        error.to_string()
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    flows: u64,
    packets: u64,
    bytes: u64,
    sources: u64,
    first: i64,
    last: i64,
}

impl Tally {
    /// An empty tally; for `seed` see `Sources::new`.
    pub(crate) fn new(seed: u64) -> Self {
        let index = BoundedMap::new(seed, &Budget::new(INDEX_BYTES_MAX));
        Self { sums: Vec::new(), index, recent: [0; RECENT], sources: Sources::new(seed) }
    }

    /// Adds one flow.
    #[inline]
    pub(crate) fn add(&mut self, flow: &Flow) -> Result<(), TallyError> {
        let number = flow.ingress.unwrap_or(u64::from(INSIDE));
        let asn = u32::try_from(number).map_err(|_| TallyError::NotAnAsn(number))?;
        let recent = self.recent[asn as usize % RECENT];
        let at = match self.sums.get(recent) {
            Some((known, _)) if *known == asn => recent,
            _ => self.find(asn, flow)?,
        };
        let is_new = match flow.source {
            Some(source) => self.sources.insert(asn, source).map_err(TallyError::TooManySources)?,
            None => false,
        };
        let (_, sums) = &mut self.sums[at];
        sums.sources += u64::from(is_new);
        sums.flows += 1;
        sums.packets = sums.packets.saturating_add(flow.packets);
        sums.bytes = sums.bytes.saturating_add(flow.bytes);
        sums.first = sums.first.min(flow.start);
        sums.last = sums.last.max(flow.end);
        Ok(())
    }

    /// Where the sums of a neighbour are; makes them where they are not.
    #[inline(never)]
    fn find(&mut self, asn: u32, flow: &Flow) -> Result<usize, TallyError> {
        let (at, is_new) = self.index.entry(asn).map_err(|_| TallyError::TooManyNeighbours)?;
        if is_new {
            if self.sums.len() >= NEIGHBOURS_MAX {
                return Err(TallyError::TooManyNeighbours);
            }
            *at = self.sums.len();
            self.sums.push((asn, Sums { first: flow.start, last: flow.end, ..Sums::default() }));
        }
        self.recent[asn as usize % RECENT] = *at;
        Ok(*at)
    }

    /// The report on `target`.
    pub(crate) fn report(self, target: String) -> TraceReport {
        let mut sums = self.sums;
        sums.sort_unstable_by_key(|&(asn, _)| asn);
        let total = |field: fn(&Sums) -> u64| sums.iter().map(|(_, sums)| field(sums)).fold(0, u64::saturating_add);
        let inside = sums.iter().find(|&&(asn, _)| asn == INSIDE).map(|(_, sums)| sums);
        TraceReport {
            target,
            inside: Inside {
                flows: inside.map_or(0, |sums| sums.flows),
                packets: inside.map_or(0, |sums| sums.packets),
                bytes: inside.map_or(0, |sums| sums.bytes),
                sources: inside.map_or(0, |sums| sums.sources),
                first_us: inside.map(|sums| sums.first),
                last_us: inside.map(|sums| sums.last),
            },
            flows: total(|sums| sums.flows),
            packets: total(|sums| sums.packets),
            bytes: total(|sums| sums.bytes),
            ingress: sums.iter().filter(|&&(asn, _)| asn != INSIDE).map(ingress).collect(),
        }
    }
}

fn ingress(&(asn, sums): &(u32, Sums)) -> Ingress {
    Ingress {
        asn,
        flows: sums.flows,
        packets: sums.packets,
        bytes: sums.bytes,
        sources: sums.sources,
        first_us: sums.first,
        last_us: sums.last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(ingress: Option<u64>, source: &str, start: i64) -> Flow {
        Flow { ingress, start, end: start + 5, source: source.parse().ok(), packets: 2, bytes: 100 }
    }

    #[test]
    fn flows_are_summed_by_neighbour_and_inside_is_none() {
        let mut tally = Tally::new(0);
        for flow in [
            flow(Some(64_502), "192.0.2.1", 50),
            flow(Some(64_501), "192.0.2.1", 40),
            flow(Some(64_502), "192.0.2.1", 30),
            flow(Some(64_502), "2001:db8::1", 60),
            flow(Some(0), "198.51.100.1", 20),
            flow(None, "198.51.100.2", 70),
        ] {
            tally.add(&flow).unwrap();
        }
        let report = tally.report("203.0.113.1/32".into());
        let seen: Vec<_> =
            report.ingress.iter().map(|i| (i.asn, i.flows, i.bytes, i.sources, i.first_us, i.last_us)).collect();
        assert_eq!(seen, [(64_501, 1, 100, 1, 40, 45), (64_502, 3, 300, 2, 30, 65)]);
        assert_eq!((report.inside.flows, report.inside.sources), (2, 2));
        assert_eq!((report.inside.first_us, report.inside.last_us), (Some(20), Some(75)));
        assert_eq!((report.flows, report.packets, report.bytes), (6, 12, 600));
    }

    #[test]
    fn neighbours_with_the_same_last_bits_are_kept_apart_and_too_many_are_an_error() {
        let mut tally = Tally::new(3);
        for round in 0..3u64 {
            for neighbour in 0..600u64 {
                tally.add(&flow(Some(neighbour * 128), "192.0.2.1", round.cast_signed())).unwrap();
            }
        }
        let report = tally.report(String::new());
        assert_eq!((report.ingress.len(), report.flows, report.inside.flows), (599, 1_800, 3));
        assert!(report.ingress.iter().all(|i| (i.flows, i.sources, i.first_us, i.last_us) == (3, 1, 0, 7)));
        let mut tally = Tally::new(3);
        let failed = (0..).find(|&n| tally.add(&Flow { source: None, ..flow(Some(n), "", 0) }).is_err()).unwrap();
        assert_eq!(failed, NEIGHBOURS_MAX as u64);
    }

    #[test]
    fn nothing_seen_is_an_answer_too() {
        let report = Tally::new(0).report("203.0.113.1/32".into());
        assert!(report.ingress.is_empty());
        assert_eq!((report.flows, report.inside.flows, report.inside.first_us), (0, 0, None));
    }

    #[test]
    fn numbers_beyond_as_numbers_are_the_datas_fault_and_sums_do_not_wrap() {
        let mut tally = Tally::new(0);
        let error = tally.add(&flow(Some(1 << 32), "192.0.2.1", 0)).unwrap_err();
        assert_eq!(error.to_string(), "column `ingress_as` holds 4294967296, which is not an AS number");
        for _ in 0..2 {
            tally.add(&Flow { bytes: u64::MAX, ..flow(Some(1), "192.0.2.1", 0) }).unwrap();
        }
        assert_eq!(tally.report(String::new()).ingress[0].bytes, u64::MAX);
    }
}
