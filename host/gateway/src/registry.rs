//! The registry as a gateway holds it: replaced as a whole when the log has grown, read by every request, never waited for.
//! While the center is away only the age changes.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use iog_protocol::registry::Registry;
use iog_protocol::time::Timestamp;

/// The registry in force and what is known of its age.
#[derive(Debug)]
pub struct RegistryCell {
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    registry: Arc<Registry>,
    synced: Option<Timestamp>,
    problem: Option<String>,
    alarm: Option<String>,
}

impl RegistryCell {
    /// A cell with what the replica on disk holds.
    #[must_use]
    pub fn new(registry: Arc<Registry>, synced: Option<Timestamp>) -> Self {
        Self { state: RwLock::new(State { registry, synced, problem: None, alarm: None }) }
    }

    /// The registry now.
    #[must_use]
    pub fn current(&self) -> Arc<Registry> {
        Arc::clone(&self.state().registry)
    }

    /// Takes over what the center confirmed at `now`.
    pub fn replace(&self, registry: Arc<Registry>, now: Timestamp) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = State { registry, synced: Some(now), problem: None, alarm: state.alarm.take() };
    }

    /// Notes that the center could not be asked.
    pub fn missed(&self, problem: String) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).problem = Some(problem);
    }

    /// Notes that what the center showed is not to be believed. This stays: a proof does not lapse when the center behaves
    /// again.
    pub fn alarmed(&self, problem: String) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.problem = Some(problem.clone());
        state.alarm = Some(problem);
    }

    /// What the center showed that is not to be believed, since the start.
    #[must_use]
    pub fn alarm(&self) -> Option<String> {
        self.state().alarm.clone()
    }

    /// Seconds since the center last confirmed the registry; `None` where that is not known.
    #[must_use]
    pub fn age_s(&self, now: Timestamp) -> Option<u64> {
        self.state().synced.map(|synced| u64::try_from(now.seconds_since(synced)).unwrap_or(0))
    }

    /// Whether the center confirmed the registry at most `age_max_s` seconds ago. What is not known does not count as fresh.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp, age_max_s: u64) -> bool {
        self.age_s(now).is_some_and(|age_s| age_s <= age_max_s)
    }

    /// Why the last synchronisation failed, where it did.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.state().problem.clone()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{World, now};

    #[test]
    fn freshness_ends_after_the_last_second_and_begins_with_news() {
        let registry = Arc::new(crate::testkit::World::new().registry);
        let at = Timestamp::from_unix;
        let cell = RegistryCell::new(Arc::clone(&registry), None);
        assert!(!cell.is_fresh(at(0), u64::MAX), "nobody knows");
        cell.replace(registry, at(1_000));
        assert!(cell.is_fresh(at(1_060), 60) && cell.is_fresh(at(900), 60));
        assert!(!cell.is_fresh(at(1_061), 60));
    }

    #[test]
    fn an_alarm_outlives_the_next_good_answer() {
        let registry = Arc::new(World::new().registry);
        let cell = RegistryCell::new(Arc::clone(&registry), None);
        cell.missed("away".into());
        assert_eq!((cell.problem().as_deref(), cell.alarm()), (Some("away"), None));
        cell.alarmed("forked".into());
        cell.replace(registry, now());
        assert_eq!((cell.problem(), cell.alarm().as_deref()), (None, Some("forked")));
    }
}
