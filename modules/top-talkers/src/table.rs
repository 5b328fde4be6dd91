//! Adds up traffic by prefix and ranks it. Pure. Exact: where there are more prefixes than the module's memory holds, it
//! gives up with an error instead of forgetting some.

use std::cmp::Reverse;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use iog_guest::bounded::{BoundedMap, Budget};
use iog_guest::{Address, Prefix};

use crate::bindings::{Measure, Question, Ranking, Talker};

/// What the tables may take: the 64 MiB that the manifest asks for, less the columns of one batch and what the
/// allocator loses while tables grow. About 900,000 IPv4 prefixes or 450,000 IPv6 prefixes.
const TABLE_BYTES_MAX: usize = 40 << 20;

/// Traffic by prefix.
pub(crate) struct Table {
    v4_length: u8,
    v6_length: u8,
    /// By the first address of the prefix; so is `ipv6`.
    ipv4: BoundedMap<u32, Traffic>,
    ipv6: BoundedMap<Address, Traffic>,
    total: Traffic,
}

/// More different prefixes than the module's memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// How many there were until then.
    pub(crate) counted: usize,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} prefixes: ask for a shorter time or shorter prefixes", self.counted)
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
    /// An empty table for prefixes of these lengths (0 to 32, 0 to 128); for `seed` see `BoundedMap::new`.
    pub(crate) fn new(v4_length: u8, v6_length: u8, seed: u64) -> Self {
        Self::within(v4_length, v6_length, seed, &Budget::new(TABLE_BYTES_MAX))
    }

    fn within(v4_length: u8, v6_length: u8, seed: u64, budget: &Budget) -> Self {
        let (ipv4, ipv6) = (BoundedMap::new(seed, budget), BoundedMap::new(seed, budget));
        Self { v4_length, v6_length, ipv4, ipv6, total: Traffic::default() }
    }

    /// Adds one flow; one without an address counts in the totals only.
    pub(crate) fn add(&mut self, address: Option<Address>, packets: u64, bytes: u64) -> Result<(), TooMany> {
        let flow = Traffic { flows: 1, packets, bytes };
        self.total.add(flow);
        let Some(address) = address else { return Ok(()) };
        let traffic = match address.ipv4() {
            Some(ipv4) => self.ipv4.entry(ipv4.to_bits() & v4_mask(self.v4_length)),
            None => self.ipv6.entry(address.prefix(self.v4_length, self.v6_length).first()),
        };
        match traffic {
            Ok((traffic, _)) => traffic.add(flow),
            Err(_) => return Err(TooMany { counted: self.prefixes() }),
        }
        Ok(())
    }

    fn prefixes(&self) -> usize {
        self.ipv4.len() + self.ipv6.len()
    }

    /// The heaviest, as asked.
    pub(crate) fn ranking(self, question: &Question) -> Ranking {
        let Question { side, measure, v4_length, v6_length, n } = *question;
        let all = self.total.by(measure);
        let ipv4 = self.ipv4.iter().map(|(first, traffic)| (IpAddr::from(Ipv4Addr::from_bits(first)).into(), traffic));
        let addresses = ipv4.chain(self.ipv6.iter());
        let prefixes = addresses.map(|(first, &traffic)| (first.prefix(v4_length, v6_length), traffic));
        let talkers = heaviest(prefixes, measure, n as usize)
            .into_iter()
            .map(|(prefix, traffic): (Prefix, Traffic)| Talker {
                prefix: prefix.to_string(),
                flows: traffic.flows,
                packets: traffic.packets,
                bytes: traffic.bytes,
                share: share(traffic.by(measure), all),
            })
            .collect();
        let prefixes = self.prefixes() as u64;
        let Traffic { flows, packets, bytes } = self.total;
        Ranking { side, measure, v4_length, v6_length, n, talkers, prefixes, flows, packets, bytes }
    }
}

/// The mask that keeps the first `length` of 32 bits.
fn v4_mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0)
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

    fn question(measure: Measure, n: u32) -> Question {
        Question { side: Side::Source, measure, v4_length: 24, v6_length: 48, n }
    }

    fn table(flows: &[(&str, u64, u64)]) -> Table {
        let mut table = Table::new(24, 48, 0);
        for &(address, packets, bytes) in flows {
            table.add(address.parse().ok(), packets, bytes).unwrap();
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
        let nothing = Table::new(24, 48, 0).ranking(&question(Measure::Bytes, 1));
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
        let mut table = Table::within(32, 128, 0, &Budget::new(1 << 20));
        let address = |n: u32| Some(Address::from(IpAddr::from(n.to_be_bytes())));
        let refused = (0..u32::MAX).find(|&n| table.add(address(n), 1, 1).is_err()).unwrap();
        assert!((10_000..30_000).contains(&refused), "{refused}");
        let error = table.add(address(refused), 1, 1).unwrap_err().to_string();
        assert!(error.starts_with(&format!("more than {refused} prefixes")), "{error}");
        assert_eq!(table.add(address(0), 1, 1), Ok(()));
    }

    #[test]
    fn lengths_of_zero_and_of_all_bits_work() {
        assert_eq!([0, 1, 24, 32].map(v4_mask), [0, 0x8000_0000, 0xffff_ff00, u32::MAX]);
        let mut table = Table::new(0, 0, 0);
        for text in ["192.0.2.1", "198.51.100.1", "2001:db8::1"] {
            table.add(text.parse().ok(), 1, 1).unwrap();
        }
        let all = Question { v4_length: 0, v6_length: 0, ..question(Measure::Flows, 5) };
        let names: Vec<_> = table.ranking(&all).talkers.into_iter().map(|talker| talker.prefix).collect();
        assert_eq!(names, ["0.0.0.0/0", "::/0"]);
    }
}
