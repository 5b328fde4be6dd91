//! Counts distinct pairs of a neighbour AS and a source address exactly, within a fixed share of the module's memory.
//! It gives up with a typed error before that share is used up; it never estimates.

use std::fmt;

use iog_guest::Address;
use iog_guest::bounded::{BoundedMap, Budget};

/// What the tables may take: the 64 MiB that the manifest asks for, less the columns of one batch and what the
/// allocator loses while tables grow. About 3.6 million IPv4 pairs or 0.9 million IPv6 pairs.
const TABLE_BYTES_MAX: usize = 40 << 20;

/// The distinct pairs seen so far.
pub(crate) struct Sources {
    /// `neighbour << 32 | address`.
    ipv4: BoundedMap<u64, ()>,
    ipv6: BoundedMap<(u32, Address), ()>,
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
        Self { ipv4: BoundedMap::new(seed, budget), ipv6: BoundedMap::new(seed, budget) }
    }

    /// Adds a pair and says whether it is new.
    pub(crate) fn insert(&mut self, neighbour: u32, source: Address) -> Result<bool, TooMany> {
        let is_new = match source.ipv4() {
            Some(ipv4) => {
                let pair = u64::from(neighbour) << 32 | u64::from(ipv4.to_bits());
                self.ipv4.entry(pair).map(|(_, is_new)| is_new)
            }
            None => self.ipv6.entry((neighbour, source)).map(|(_, is_new)| is_new),
        };
        is_new.map_err(|_| TooMany { counted: self.ipv4.len() + self.ipv6.len() })
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
