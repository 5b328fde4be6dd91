//! Hash tables that give up with an error before the module's memory is used up, and that no sender of traffic can make
//! slow. They never estimate and never forget.

use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Tables a map is spread over, so that only a small one is there twice while it grows.
const SHARDS: usize = 64;

/// Memory that maps share.
#[derive(Debug, Clone)]
pub struct Budget(Rc<Cell<usize>>);

impl Budget {
    /// `bytes` for all maps that are made with it. Leave a third of the module's memory to columns and the allocator.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Rc::new(Cell::new(bytes)))
    }
}

/// The budget of a map does not hold its next entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is more to remember than the module's memory holds")
    }
}

impl std::error::Error for Full {}

/// A map from `K` to `V` within a budget. Its order is the same on every machine and means nothing: sort what leaves.
#[derive(Debug)]
pub struct BoundedMap<K, V> {
    seed: Mixer,
    shards: Vec<HashTable<(K, V)>>,
    budget: Budget,
}

impl<K: Copy + Eq + Hash, V: Default> BoundedMap<K, V> {
    /// An empty map. `seed` decides where keys go: take it from what a provider recorded (`seed`), so that nobody who
    /// chooses keys, such as source addresses, can choose them to collide.
    #[must_use]
    pub fn new(seed: u64, budget: &Budget) -> Self {
        Self { seed: Mixer(seed), shards: (0..SHARDS).map(|_| HashTable::new()).collect(), budget: budget.clone() }
    }

    /// The value of `key`, and whether it is new (and so the default).
    ///
    /// # Errors
    /// `Full` when a new key would go beyond the budget; known keys are still found.
    pub fn entry(&mut self, key: K) -> Result<(&mut V, bool), Full> {
        let seed = self.seed;
        let hash = seed.hash(&key);
        let shard = &mut self.shards[(hash >> 32) as usize % SHARDS];
        if shard.len() == shard.capacity() && !make_room(shard, seed, &self.budget) {
            return shard.find_mut(hash, |(known, _)| *known == key).map(|(_, value)| (value, false)).ok_or(Full);
        }
        match shard.entry(hash, |(known, _)| *known == key, |(known, _)| seed.hash(known)) {
            Entry::Occupied(found) => Ok((&mut found.into_mut().1, false)),
            Entry::Vacant(place) => Ok((&mut place.insert((key, V::default())).into_mut().1, true)),
        }
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(HashTable::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> + '_ {
        self.shards.iter().flat_map(|shard| shard.iter().map(|(key, value)| (*key, value)))
    }
}

/// Doubles a table if the budget holds the old and the new one together.
fn make_room<K: Hash, V>(shard: &mut HashTable<(K, V)>, seed: Mixer, budget: &Budget) -> bool {
    let left = budget.0.get();
    let before = table_bytes::<(K, V)>(shard.capacity());
    if table_bytes::<(K, V)>(shard.capacity() + 1) > left {
        return false;
    }
    if shard.try_reserve(1, |(known, _)| seed.hash(known)).is_err() {
        return false;
    }
    let grown = table_bytes::<(K, V)>(shard.capacity()) - before;
    budget.0.set(left.saturating_sub(grown));
    true
}

/// Bytes of a table for `capacity` entries: a power of two of slots, at most seven eighths full, with a byte of control
/// for each.
fn table_bytes<T>(capacity: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    (capacity * 8 / 7).next_power_of_two() * (size_of::<T>() + 1)
}

/// A seed out of what a provider recorded, for example the times of the first flows: senders of traffic cannot foresee
/// it, and it is the same when the same data are read again.
#[must_use]
pub fn seed(recorded: impl Iterator<Item = impl Hash>) -> u64 {
    recorded.fold(Mixer(0), |mixer, item| Mixer(mixer.hash(&item))).0
}

/// A fast keyed mixing of 64-bit words (the finaliser of SplitMix64); the standard hasher costs several times the fuel.
#[derive(Debug, Clone, Copy)]
struct Mixer(u64);

impl Mixer {
    fn mix(self, word: u64) -> Self {
        let mut z = (self.0 ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(z ^ z >> 31)
    }

    fn hash(mut self, key: &impl Hash) -> u64 {
        key.hash(&mut self);
        self.0
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word.cast_unsigned());
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

    #[test]
    fn keys_are_new_once_and_values_stay() {
        let mut map = BoundedMap::<u64, u32>::new(seed([1u64, 2, 3].into_iter()), &Budget::new(1 << 24));
        let mut new = 0;
        for n in 0..100_000u64 {
            let (value, is_new) = map.entry(n % 30_000).unwrap();
            *value += 1;
            new += u32::from(is_new);
        }
        assert_eq!((new, map.len(), map.is_empty()), (30_000, 30_000, false));
        assert_eq!(map.iter().map(|(_, &times)| u64::from(times)).sum::<u64>(), 100_000);
        assert_eq!(map.entry(0), Ok((&mut 4, false)));
    }

    #[test]
    fn a_map_gives_up_within_its_budget_and_known_keys_are_still_found() {
        let budget = Budget::new(1 << 20);
        let mut map = BoundedMap::<u64, ()>::new(0, &budget);
        let first_refused = (0..).find(|&n| map.entry(n).is_err()).unwrap();
        assert!((50_000..120_000).contains(&first_refused), "{first_refused}");
        assert_eq!(map.entry(0), Ok((&mut (), false)));
        let used: usize = map.shards.iter().map(|shard| table_bytes::<(u64, ())>(shard.capacity())).sum();
        assert_eq!(used + budget.0.get(), 1 << 20);
    }

    #[test]
    fn maps_share_a_budget() {
        let budget = Budget::new(1 << 20);
        let mut one = BoundedMap::<u64, ()>::new(0, &budget);
        assert!((0..200_000).any(|n| one.entry(n).is_err()));
        let mut other = BoundedMap::<u64, [u64; 32]>::new(0, &budget);
        assert!((0..10_000).any(|n| other.entry(n).is_err()));
    }
}
