//! A set of small numbers: of peers while rows are read, of domains while answers are compared. Pure.

/// A set of small numbers; takes a bit for each up to the largest.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn set(&mut self, number: u32) {
        let (word, bit) = (number as usize / 64, number % 64);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << bit;
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Adds all of another set.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// All of them, ascending.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let words = (0u32..).zip(&self.0);
        words.flat_map(|(at, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * 64 + bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_there_and_nothing_else() {
        let (mut one, mut other) = (Bits::default(), Bits::default());
        [3, 64, 200, 3].into_iter().for_each(|number| one.set(number));
        [0, 64, 1_000].into_iter().for_each(|number| other.set(number));
        assert_eq!((one.count(), one.has(200), one.has(201), one.has(9_999)), (3, true, false, false));
        one.add(&other);
        assert_eq!(one.numbers().collect::<Vec<_>>(), [0, 3, 64, 200, 1_000]);
        assert_eq!(one.count(), 5);
    }
}
