//! Counts distinct pairs of a neighbour AS and a source address exactly, within a fixed share of the module's memory.
//! It gives up with a typed error before that share is used up; it never estimates.

use std::fmt;

use iog_guest::Address;
use iog_guest::bounded::{BoundedMap, Budget};

/// What the tables may take: the 64 MiB that the manifest asks for, less the columns of one batch and what the
/// allocator loses while tables grow. About 3.6 million IPv4 pairs or 0.9 million IPv6 pairs.
const TABLE_BYTES_MAX: usize = 40 << 20;
/// Pairs that are remembered beside the tables, as a power of two: 256 KiB, which the processor's caches hold. Most
/// flows come from few sources, so most rows end here.
const RECENT_BITS: u32 = 15;
/// 2⁶⁴ divided by the golden ratio: spreads near numbers (Knuth, volume 3, 6.4).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The distinct pairs seen so far.
pub(crate) struct Sources {
    /// `neighbour << 32 | address`.
    ipv4: BoundedMap<u64, ()>,
    ipv6: BoundedMap<(u32, Address), ()>,
    /// IPv4 pairs seen lately, each at its own place only: what is here is in the table too.
    recent: Vec<u64>,
}

/// Where a pair is remembered.
#[inline]
fn place(pair: u64) -> usize {
    (pair.wrapping_mul(SPREAD) >> (u64::BITS - RECENT_BITS)) as usize
}

/// More distinct pairs than the module's memory can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// How many were counted until then.
    pub(crate) counted: usize,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} distinct sources: ask for a shorter time or a smaller target", self.counted)
    }
}

impl Sources {
    /// For `seed` see `BoundedMap::new`.
    pub(crate) fn new(seed: u64) -> Self {
        Self::within(seed, &Budget::new(TABLE_BYTES_MAX))
    }

    fn within(seed: u64, budget: &Budget) -> Self {
        // An empty place holds a pair that belongs elsewhere.
        let mut recent = vec![0; 1 << RECENT_BITS];
        recent[place(0)] = 1;
        Self { ipv4: BoundedMap::new(seed, budget), ipv6: BoundedMap::new(seed, budget), recent }
    }

    /// Adds a pair and says whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, neighbour: u32, source: Address) -> Result<bool, TooMany> {
        let Some(ipv4) = source.ipv4() else { return self.insert_ipv6(neighbour, source) };
        let pair = u64::from(neighbour) << 32 | u64::from(ipv4.to_bits());
        let place = place(pair);
        if self.recent[place] == pair {
            return Ok(false);
        }
        let is_new = self.insert_ipv4(pair)?;
        self.recent[place] = pair;
        Ok(is_new)
    }

    #[inline(never)]
    fn insert_ipv4(&mut self, pair: u64) -> Result<bool, TooMany> {
        self.ipv4.entry(pair).map(|(_, is_new)| is_new).map_err(|_| self.too_many())
    }

    #[inline(never)]
    fn insert_ipv6(&mut self, neighbour: u32, source: Address) -> Result<bool, TooMany> {
        self.ipv6.entry((neighbour, source)).map(|(_, is_new)| is_new).map_err(|_| self.too_many())
    }

    fn too_many(&self) -> TooMany {
        TooMany { counted: self.ipv4.len() + self.ipv6.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(n: u32) -> Address {
        std::net::IpAddr::from(std::net::Ipv4Addr::from(n)).into()
    }

    fn v6(n: u32) -> Address {
        std::net::IpAddr::from(std::net::Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(n))).into()
    }

    #[test]
    fn pairs_are_counted_once() {
        let mut sources = Sources::new(1);
        let mut new = 0;
        for n in 0..200_000u32 {
            for address in [v4(n % 50_000), v6(n % 30_000)] {
                new += u32::from(sources.insert(n % 2, address).unwrap());
            }
        }
        assert_eq!(new, 80_000);
        assert!(sources.insert(7, v4(0)).unwrap(), "another neighbour is another pair");
    }

    #[test]
    fn no_pair_passes_for_an_empty_place() {
        assert_ne!(place(0), place(1));
        for (neighbour, address) in [(0, 0), (0, 1), (u32::MAX, u32::MAX), (1, 0)] {
            let mut sources = Sources::new(1);
            assert_eq!(sources.insert(neighbour, v4(address)), Ok(true), "{neighbour} {address}");
            assert_eq!(sources.insert(neighbour, v4(address)), Ok(false));
        }
    }

    #[test]
    fn it_gives_up_before_its_memory_is_used_up() {
        let mut sources = Sources::within(0, &Budget::new(1 << 20));
        let failed = (0..u32::MAX).find_map(|n| sources.insert(1, v4(n)).err()).unwrap();
        assert!((50_000..120_000).contains(&failed.counted), "{failed:?}");
        assert!(failed.to_string().starts_with("more than "));
        assert_eq!(sources.insert(1, v4(0)), Ok(false), "what is known is still known");
    }

    #[test]
    fn the_whole_room_holds_millions() {
        let mut sources = Sources::new(1);
        for n in 0..3_600_000u32 {
            sources.insert(64_500, v4(n.wrapping_mul(2_654_435_761))).unwrap();
        }
    }
}
