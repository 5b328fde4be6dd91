//! The entries without effect, in the order of the log. Copies of the registry share them in parts, as they share everything
//! that grows: one more costs the same, however many are there.

use super::error::Anomaly;
use super::shared_map::SharedMap;

/// The anomalies of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anomalies(SharedMap<u64, Anomaly>);

impl Anomalies {
    /// Keeps one more.
    pub(super) fn add(&mut self, anomaly: Anomaly) {
        self.0.insert(anomaly.index, anomaly);
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether every entry had an effect, or was not for this software to judge.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Anomaly> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use crate::registry::Invalid;
    use crate::registry::shared_map::work;

    #[test]
    fn one_more_costs_the_same_however_many_are_there() {
        let anomaly =
            |index: u64| Anomaly { index, entry: Digest::of(&index.to_le_bytes()), reason: Invalid::OtherRegistry };
        let mut held = Anomalies::default();
        let mut costs = Vec::new();
        for index in 0..20_000 {
            let published = held.clone();
            work::taken();
            held.add(anomaly(index));
            costs.push(work::taken());
            assert_eq!(published.len() as u64, index);
        }
        let most = |costs: &[u64]| costs.iter().copied().max().unwrap();
        assert!(most(&costs[10_000..]) <= 2 * most(&costs[..2_000]), "{} {}", most(&costs), most(&costs[..2_000]));
        assert_eq!(held.iter().map(|anomaly| anomaly.index).collect::<Vec<_>>(), (0..20_000).collect::<Vec<_>>());
    }
}
