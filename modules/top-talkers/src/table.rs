//! Adds up traffic by prefix and ranks it. Pure. Exact: where there are more prefixes than the module's memory holds, it
//! gives up with an error instead of forgetting some.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use iog_guest::Prefix;

use crate::bindings::{Measure, Question, Ranking, Talker};

/// Prefixes that fit into the memory that the manifest asks for: a tree of
/// half-filled nodes takes about 92 bytes for each.
const PREFIXES_MAX: usize = 500_000;

/// Traffic by prefix.
///
/// A tree, not a hash table: senders choose the addresses, and no choice of theirs makes a tree slow; nor does it ever
/// need room for two copies of itself.
#[derive(Default)]
pub(crate) struct Table {
    prefixes: BTreeMap<Prefix, Traffic>,
    total: Traffic,
}

/// More different prefixes than the module's memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {PREFIXES_MAX} prefixes: ask for a shorter time or shorter prefixes")
    }
}

impl From<TooMany> for String {
    fn from(error: TooMany) -> Self {
        error.to_string()
    }
}

/// Flows, packets and bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Traffic {
    /// Adds `other`; sums stay at the greatest number instead of wrapping.
    pub(crate) fn add(&mut self, other: Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// The number that a ranking by `measure` compares.
    pub(crate) fn by(self, measure: Measure) -> u64 {
        match measure {
            Measure::Bytes => self.bytes,
            Measure::Packets => self.packets,
            Measure::Flows => self.flows,
        }
    }
}

/// What part of `all` is `some`: 0 where there is nothing.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
pub(crate) fn share(some: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { some as f64 / all as f64 }
}

impl Table {
    /// Adds one flow; one without an address counts in the totals only.
    pub(crate) fn add(&mut self, prefix: Option<Prefix>, packets: u64, bytes: u64) -> Result<(), TooMany> {
        let flow = Traffic { flows: 1, packets, bytes };
        self.total.add(flow);
        let Some(prefix) = prefix else { return Ok(()) };
        if let Some(traffic) = self.prefixes.get_mut(&prefix) {
            traffic.add(flow);
            return Ok(());
        }
        if self.prefixes.len() >= PREFIXES_MAX {
            return Err(TooMany);
        }
        self.prefixes.insert(prefix, flow);
        Ok(())
    }

    /// The heaviest, as asked.
    pub(crate) fn ranking(self, question: &Question) -> Ranking {
        let Self { prefixes, total } = self;
        let Question { side, measure, v4_length, v6_length, n } = *question;
        let all = total.by(measure);
        let count = prefixes.len() as u64;
        let talkers = heaviest(prefixes.into_iter(), measure, n as usize)
            .into_iter()
            .map(|(prefix, traffic)| Talker {
                prefix: prefix.to_string(),
                flows: traffic.flows,
                packets: traffic.packets,
                bytes: traffic.bytes,
                share: share(traffic.by(measure), all),
            })
            .collect();
        let Traffic { flows, packets, bytes } = total;
        Ranking { side, measure, v4_length, v6_length, n, talkers, prefixes: count, flows, packets, bytes }
    }
}

/// The first `n` by `measure`, heaviest first, equal ones by key. Keeps no more than `2 n` at a time.
fn heaviest<K: Ord + Copy>(all: impl Iterator<Item = (K, Traffic)>, measure: Measure, n: usize) -> Vec<(K, Traffic)> {
    let rank = |&(key, traffic): &(K, Traffic)| (Reverse(traffic.by(measure)), key);
    let mut kept = Vec::with_capacity(2 * n);
    for item in all {
        if kept.len() == 2 * n {
            kept.sort_unstable_by_key(rank);
            kept.truncate(n);
        }
        kept.push(item);
    }
    kept.sort_unstable_by_key(rank);
    kept.truncate(n);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::Side;
    use iog_guest::Address;

    fn question(measure: Measure, n: u32) -> Question {
        Question { side: Side::Source, measure, v4_length: 24, v6_length: 48, n }
    }

    fn table(flows: &[(&str, u64, u64)]) -> Table {
        let mut table = Table::default();
        for &(address, packets, bytes) in flows {
            let prefix = address.parse::<Address>().ok().map(|address| address.prefix(24, 48));
            table.add(prefix, packets, bytes).unwrap();
        }
        table
    }

    const FLOWS: [(&str, u64, u64); 6] = [
        ("192.0.2.1", 1, 100),
        ("192.0.2.200", 1, 100),
        ("198.51.100.1", 10, 150),
        ("2001:db8:1::1", 1, 50),
        ("2001:db8:1:2::1", 1, 50),
        ("null", 1, 50),
    ];

    #[test]
    fn traffic_is_summed_by_prefix_and_ranked_by_the_measure() {
        let names = |measure, n| {
            let ranking = table(&FLOWS).ranking(&question(measure, n));
            ranking.talkers.iter().map(|t| t.prefix.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(Measure::Bytes, 10), ["192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48"]);
        assert_eq!(names(Measure::Packets, 1), ["198.51.100.0/24"]);
        assert_eq!(names(Measure::Flows, 2), ["192.0.2.0/24", "2001:db8:1::/48"], "equal ones by prefix");
    }

    #[test]
    fn totals_count_what_is_not_ranked_and_shares_are_of_them() {
        let ranking = table(&FLOWS).ranking(&question(Measure::Bytes, 1));
        assert_eq!((ranking.flows, ranking.packets, ranking.bytes, ranking.prefixes), (6, 15, 500, 3));
        assert_eq!((ranking.talkers.len(), ranking.talkers[0].share), (1, 0.4));
        let nothing = Table::default().ranking(&question(Measure::Bytes, 1));
        assert_eq!((nothing.talkers.len(), nothing.bytes), (0, 0));
        assert_eq!(share(0, 0), 0.0);
    }

    #[test]
    fn the_heaviest_of_many_are_found_with_little_kept() {
        let all = (0..10_000u64).map(|n| (n, Traffic { flows: n * 7919 % 10_007, packets: 0, bytes: 0 }));
        let mut sorted: Vec<_> = all.clone().map(|(key, traffic)| (Reverse(traffic.flows), key)).collect();
        sorted.sort_unstable();
        let found: Vec<_> = heaviest(all, Measure::Flows, 25).iter().map(|&(key, t)| (Reverse(t.flows), key)).collect();
        assert_eq!(found, sorted[..25]);
    }

    #[test]
    fn too_many_prefixes_are_an_error_and_known_ones_still_count() {
        let mut table = Table::default();
        let prefix = |n: u32| Some(Address::from(std::net::IpAddr::from(n.to_be_bytes())).prefix(32, 128));
        for n in 0..PREFIXES_MAX as u32 {
            table.add(prefix(n), 1, 1).unwrap();
        }
        assert_eq!(table.add(prefix(u32::MAX), 1, 1), Err(TooMany));
        assert_eq!(table.add(prefix(0), 1, 1), Ok(()));
    }
}
