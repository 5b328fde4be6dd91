//! Where a gateway stands when it decides: its domain, its registry, how old that is, and the time. Taken once for each
//! decision. The age is looked at before the registry, so that a registry that comes in between is newer than was thought.

use std::sync::Arc;

use iog_machine::Clock;
use iog_protocol::ids::DomainId;
use iog_protocol::registry::Registry;
use iog_protocol::time::Timestamp;

use crate::registry::RegistryCell;

/// What the gateway knows at the moment of asking.
#[derive(Debug, Clone)]
pub struct Here {
    /// The replayed registry.
    pub registry: Arc<Registry>,
    /// The gateway's own domain.
    pub domain: DomainId,
    /// The present time.
    pub now: Timestamp,
    /// The hours that were too many, where nobody has confirmed the registry for too long: it may lack a revocation.
    pub stale_after_h: Option<u64>,
}

/// From where a gateway looks.
#[derive(Debug)]
pub struct Vantage {
    /// The gateway's own domain.
    pub domain: DomainId,
    /// The registry in force.
    pub registry: Arc<RegistryCell>,
    /// Hours without a word of the center after which nothing runs.
    pub registry_age_max_h: u64,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Vantage {
    /// What is known now.
    #[must_use]
    pub fn here(&self) -> Here {
        let (now, max_h) = (self.clock.now(), self.registry_age_max_h);
        let fresh = self.registry.is_fresh(now, self.registry_age_max_s());
        Here {
            registry: self.registry.current(),
            domain: self.domain.clone(),
            now,
            stale_after_h: (!fresh).then_some(max_h),
        }
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Seconds without a word of the center after which nothing runs.
    #[must_use]
    pub fn registry_age_max_s(&self) -> u64 {
        self.registry_age_max_h.saturating_mul(3_600)
    }
}
