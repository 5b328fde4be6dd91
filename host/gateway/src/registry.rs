//! The registry as a gateway holds it: replaced as a whole when the log has grown, read by every request, never waited for.
//! A center that is away changes nothing but the age.

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
}

impl RegistryCell {
    /// A cell with what the replica on disk holds.
    #[must_use]
    pub fn new(registry: Arc<Registry>, synced: Option<Timestamp>) -> Self {
        Self { state: RwLock::new(State { registry, synced, problem: None }) }
    }

    /// The registry now.
    #[must_use]
    pub fn current(&self) -> Arc<Registry> {
        Arc::clone(&self.state().registry)
    }

    /// Takes over what the center confirmed at `now`.
    pub fn replace(&self, registry: Arc<Registry>, now: Timestamp) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = State { registry, synced: Some(now), problem: None };
    }

    /// Notes that the center could not be asked.
    pub fn missed(&self, problem: String) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).problem = Some(problem);
    }

    /// Seconds since the center last confirmed the registry; `None` where that is not known.
    #[must_use]
    pub fn age_s(&self, now: Timestamp) -> Option<u64> {
        self.state().synced.map(|synced| u64::try_from(now.seconds_since(synced)).unwrap_or(0))
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
