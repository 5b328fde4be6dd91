//! The published state: the registry as folded from the entries that the log shows. Readers see one moment; only the sequencer replaces
//! it, after the log shows what it was folded from.

use std::sync::{Arc, PoisonError, RwLock};

use iog_keeper::Log;
use iog_protocol::registry::Registry;

/// The log and the newest registry, shared by readers and the sequencer.
#[derive(Clone)]
pub(crate) struct Published {
    log: Log,
    registry: Arc<RwLock<Arc<Registry>>>,
}

impl Published {
    pub(crate) fn new(log: Log, registry: Registry) -> Self {
        Self { log, registry: Arc::new(RwLock::new(Arc::new(registry))) }
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The log as it is shown.
    pub(crate) const fn log(&self) -> &Log {
        &self.log
    }

    /// Shows a newer registry; for the sequencer alone.
    pub(crate) fn replace(&self, registry: Arc<Registry>) {
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = registry;
    }
}
