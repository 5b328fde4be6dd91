//! Counts distinct pairs of a neighbour AS and a source address exactly, within a fixed share of the module's memory.
//! It gives up with a typed error before that share is used up; it never estimates.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};

use iog_guest::Address;

/// What the tables may take: the 64 MiB that the manifest asks for, less the columns of one batch and what the
/// allocator loses while tables grow. About 3.6 million IPv4 pairs or 1.6 million IPv6 pairs.
const TABLE_BYTES_MAX: usize = 40 << 20;

/// Tables the pairs are spread over, so that only a small one has to be copied when it grows.
const SHARDS: usize = 64;

/// The distinct pairs seen so far.
pub(crate) struct Sources {
    mixer: Mixer,
    /// `neighbour << 32 | address`.
    ipv4: Vec<HashSet<u64, Mixer>>,
    ipv6: Vec<HashSet<Ipv6Pair, Mixer>>,
    table_bytes: usize,
    table_bytes_max: usize,
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
    /// `seed` decides where pairs go in the tables. Take it from data that senders of traffic cannot foresee, so that
    /// nobody can choose source addresses that make counting slow.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_room(seed, TABLE_BYTES_MAX)
    }

    fn with_room(seed: u64, table_bytes_max: usize) -> Self {
        let mixer = Mixer(seed);
        Self {
            mixer,
            ipv4: (0..SHARDS).map(|_| HashSet::with_hasher(mixer)).collect(),
            ipv6: (0..SHARDS).map(|_| HashSet::with_hasher(mixer)).collect(),
            table_bytes: 0,
            table_bytes_max,
        }
    }

    /// Adds a pair and says whether it is new.
    pub(crate) fn insert(&mut self, neighbour: u32, source: Address) -> Result<bool, TooMany> {
        let room = Room { bytes: &mut self.table_bytes, bytes_max: self.table_bytes_max };
        let added = if let Some(ipv4) = source.ipv4() {
            let pair = u64::from(neighbour) << 32 | u64::from(ipv4.to_bits());
            insert(&mut self.ipv4, self.mixer, pair, room)
        } else {
            insert(&mut self.ipv6, self.mixer, Ipv6Pair::new(neighbour, source), room)
        };
        added.ok_or_else(|| TooMany { counted: self.len() })
    }

    fn len(&self) -> usize {
        self.ipv4.iter().map(HashSet::len).sum::<usize>() + self.ipv6.iter().map(HashSet::len).sum::<usize>()
    }
}

/// How much of its share the tables take.
struct Room<'a> {
    bytes: &'a mut usize,
    bytes_max: usize,
}

/// Inserts into the shard that the pair belongs to; `None` where that shard would have to grow beyond the room.
fn insert<T: Hash + Eq>(shards: &mut [HashSet<T, Mixer>], mixer: Mixer, pair: T, room: Room<'_>) -> Option<bool> {
    let shard = (mixer.hash_one(&pair) >> 32) as usize % SHARDS;
    let set = &mut shards[shard];
    if set.len() == set.capacity() {
        if set.contains(&pair) {
            return Some(false);
        }
        let before = table_bytes::<T>(set.capacity());
        // While the pairs move, the old table and the new one are there together.
        let grown = table_bytes::<T>(set.capacity() + 1);
        if *room.bytes + grown > room.bytes_max || set.try_reserve(1).is_err() {
            return None;
        }
        *room.bytes = *room.bytes + table_bytes::<T>(set.capacity()) - before;
    }
    Some(set.insert(pair))
}

/// Bytes of a table for `capacity` pairs: a power of two of slots, at most seven eighths full, with a byte of control
/// for each.
fn table_bytes<T>(capacity: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    (capacity * 8 / 7).next_power_of_two() * (size_of::<T>() + 1)
}

/// A neighbour and an IPv6 source, in 20 bytes.
#[derive(PartialEq, Eq)]
struct Ipv6Pair {
    neighbour: u32,
    source: [u32; 4],
}

impl Ipv6Pair {
    fn new(neighbour: u32, source: Address) -> Self {
        let bits = source.to_bits();
        Self { neighbour, source: [96, 64, 32, 0].map(|shift| (bits >> shift & 0xffff_ffff) as u32) }
    }
}

impl Hash for Ipv6Pair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d] = self.source.map(u64::from);
        state.write_u64(a << 32 | b);
        state.write_u64(c << 32 | d);
        state.write_u64(u64::from(self.neighbour));
    }
}

/// A fast keyed mixing of 64-bit words (the finaliser of SplitMix64). The standard hasher would do, at several times
/// the fuel.
#[derive(Clone, Copy)]
pub(crate) struct Mixer(u64);

impl Mixer {
    /// The state after `word`.
    pub(crate) fn mix(self, word: u64) -> Self {
        let mut z = (self.0 ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(z ^ z >> 31)
    }
}

/// A seed out of what a provider recorded.
pub(crate) fn seed(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(Mixer(0), Mixer::mix).0
}

impl BuildHasher for Mixer {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, word: u64) {
        *self = self.mix(word);
    }

    fn finish(&self) -> u64 {
        self.0
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
        let mut sources = Sources::new(seed([1, 2, 3].into_iter()));
        let mut new = 0;
        for n in 0..200_000u32 {
            for address in [v4(n % 50_000), v6(n % 30_000)] {
                new += u32::from(sources.insert(n % 2, address).unwrap());
            }
        }
        assert_eq!(new, 80_000);
        assert_eq!(sources.len(), 80_000);
        assert!(sources.insert(7, v4(0)).unwrap(), "another neighbour is another pair");
    }

    #[test]
    fn it_gives_up_before_its_memory_is_used_up() {
        let mut sources = Sources::with_room(0, 1 << 20);
        let failed = (0..u32::MAX).find_map(|n| sources.insert(1, v4(n)).err()).unwrap();
        assert!((50_000..120_000).contains(&failed.counted), "{failed:?}");
        assert!(sources.table_bytes <= 1 << 20);
        assert_eq!(sources.insert(1, v4(0)), Ok(false), "what is known is still known");
    }

    #[test]
    fn the_whole_room_holds_millions() {
        let mut sources = Sources::new(1);
        for n in 0..3_600_000u32 {
            sources.insert(64_500, v4(n.wrapping_mul(2_654_435_761))).unwrap();
        }
        let actual: usize = sources.ipv4.iter().map(|set| table_bytes::<u64>(set.capacity())).sum();
        assert_eq!(sources.table_bytes, actual);
    }
}
