//! A sorted map in parts that its copies share: a copy costs a pointer for each part, and a change copies the one part that it
//! falls into, and only where somebody else still holds it. The registry is made of such maps, so that a batch or a request
//! takes a copy of it whatever its size. It knows nothing of what it holds.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Entries of one part at most. A change of a shared part copies so many keys and values; a copy of the map takes a pointer
/// for every half of it, at worst.
const PART_MAX: usize = 512;

/// The map. Parts are never empty, and their keys ascend within and across them.
pub(crate) struct SharedMap<K, V> {
    parts: Vec<Arc<Vec<(K, V)>>>,
    len: usize,
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let part = self.parts.get(self.part_of(key)?)?;
        let at = find(part, key).ok()?;
        part.get(at).map(|(_, value)| value)
    }

    /// The value, to be changed; its part is copied first if it is shared.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let index = self.part_of(key)?;
        let at = find(self.parts.get(index)?, key).ok()?;
        Some(&mut own(self.parts.get_mut(index)?).get_mut(at)?.1)
    }

    /// Puts a value in and gives the one that it replaces.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(index) = self.part_of(&key) else {
            self.parts.push(Arc::new(vec![(key, value)]));
            self.len += 1;
            return None;
        };
        let part = own(&mut self.parts[index]);
        match find(part, &key) {
            Ok(at) => Some(std::mem::replace(&mut part[at].1, value)),
            Err(at) => {
                part.insert(at, (key, value));
                self.len += 1;
                if part.len() > PART_MAX {
                    let upper = part.split_off(part.len() / 2);
                    self.parts.insert(index + 1, Arc::new(upper));
                }
                None
            }
        }
    }

    /// The value, put in first where there is none.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        if self.get(&key).is_none() {
            self.insert(key.clone(), V::default());
        }
        self.get_mut(&key).expect("a key that was put in is there")
    }

    /// The part into which a key falls; `None` while there is none at all.
    fn part_of<Q: Ord + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        work::looked(self.parts.len());
        let after = self.parts.partition_point(|part| part.first().is_some_and(|(first, _)| first.borrow() <= key));
        (!self.parts.is_empty()).then_some(after.saturating_sub(1))
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    pub(crate) const fn new() -> Self {
        Self { parts: Vec::new(), len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// All entries, in the order of the keys.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.parts.iter().flat_map(|part| part.iter()).map(|(key, value)| (key, value))
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries from the first key on that is not `before`; keys that are come before those that are not.
    pub(crate) fn iter_from(&self, before: impl Fn(&K) -> bool) -> impl Iterator<Item = (&K, &V)> {
        let whole = self.parts.partition_point(|part| part.last().is_some_and(|(last, _)| before(last)));
        let rest = self.parts[whole..].iter().flat_map(|part| part.iter());
        rest.map(|(key, value)| (key, value)).skip_while(move |(key, _)| before(key))
    }
}

fn find<K: Borrow<Q>, V, Q: Ord + ?Sized>(part: &[(K, V)], key: &Q) -> Result<usize, usize> {
    work::looked(part.len());
    part.binary_search_by(|(held, _)| held.borrow().cmp(key))
}

fn own<K: Clone, V: Clone>(part: &mut Arc<Vec<(K, V)>>) -> &mut Vec<(K, V)> {
    if Arc::get_mut(part).is_none() {
        work::copied(part.len());
    }
    Arc::make_mut(part)
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        work::copied(self.parts.len());
        Self { parts: self.parts.clone(), len: self.len }
    }
}

impl<K: Ord, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// Two maps are the same if their entries are, however those lie in parts.
impl<K: Ord, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for SharedMap<K, V> {}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Counts what maps do, for the test that holds the fold to work that does not grow with the log. Outside the tests it is
/// nothing.
pub(crate) mod work {
    #[cfg(test)]
    thread_local! {
        static DONE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    /// Entries compared in a binary search over so many.
    pub(super) fn looked(among: usize) {
        add(u64::from(among.max(1).ilog2()) + 1);
    }

    /// Entries or pointers copied.
    pub(super) fn copied(count: usize) {
        add(count as u64);
    }

    #[cfg(test)]
    pub(crate) fn add(count: u64) {
        DONE.with(|done| done.set(done.get() + count));
    }

    #[cfg(not(test))]
    fn add(_count: u64) {}

    /// What was counted on this thread since the last time.
    #[cfg(test)]
    pub(crate) fn taken() -> u64 {
        DONE.with(std::cell::Cell::take)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_copy_stays_as_it_was_and_shares_all_but_what_changed() {
        let mut map = SharedMap::new();
        for key in 0..10_000_u32 {
            map.insert(key.wrapping_mul(2_654_435_761), key);
        }
        let before = map.clone();
        assert_eq!(map.parts.iter().map(|part| part.len()).sum::<usize>(), 10_000);
        *map.get_mut(&0).unwrap() = 7;
        assert_eq!((before.get(&0), map.get(&0)), (Some(&0), Some(&7)));
        let shared = before.parts.iter().zip(&map.parts).filter(|(old, new)| Arc::ptr_eq(old, new)).count();
        assert_eq!(shared, before.parts.len() - 1);
        assert!(before.parts.len() <= 10_000 / (PART_MAX / 2));
    }

    proptest! {
        #[test]
        fn it_is_the_map_of_the_standard_library(steps in prop::collection::vec((0_u16..2_000, any::<bool>()), 0..3_000)) {
            let (mut map, mut model) = (SharedMap::new(), BTreeMap::new());
            let mut copies = Vec::new();
            for (number, (key, copy)) in steps.iter().enumerate() {
                prop_assert_eq!(map.insert(*key, number), model.insert(*key, number));
                if *copy && number % 100 == 0 {
                    copies.push((map.clone(), model.clone()));
                }
            }
            copies.push((map, model));
            for (map, model) in copies {
                prop_assert!(map.iter().eq(model.iter()));
                prop_assert!(map.values().rev().eq(model.values().rev()));
                prop_assert_eq!(map.len(), model.len());
                for key in [0, 1, 999, 1_000, 1_999, 2_000] {
                    prop_assert_eq!(map.get(&key), model.get(&key));
                    prop_assert!(map.iter_from(|held| *held < key).eq(model.range(key..)));
                }
            }
        }
    }
}
