//! What waits for an auditor: the modules that may not run, each with what it lacks.

use iog_protocol::registry::Registry;
use iog_protocol::time::Timestamp;
use serde::Serialize;

use super::module_page::{ModuleLine, Modules};

/// The modules that wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// In the order of their digests; each has its reason.
    pub modules: Vec<ModuleLine>,
}

impl Queue {
    /// What waits at `now`.
    #[must_use]
    pub fn of(registry: &Registry, now: Timestamp) -> Self {
        let mut modules = Modules::of(registry, now).modules;
        modules.retain(|line| !line.effective);
        Self { modules }
    }
}
