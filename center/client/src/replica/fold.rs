//! From entries to a registry, and what the genesis in it demands of the log: its key and its witnesses.

use super::error::ReplicaError;
use super::pins::Pins;
use iog_protocol::registry::Registry;
use iog_tlog::{Policy, VerifierKey};
use std::sync::Arc;

/// A registry that grows with the entries it is given. The one that it began with stays as it is for whoever holds it.
pub(super) struct Fold<'a> {
    registry: Option<Arc<Registry>>,
    pins: &'a Pins,
}

impl<'a> Fold<'a> {
    /// Goes on after `before`; without it the first entry is the genesis.
    pub(super) fn after(before: Option<Arc<Registry>>, pins: &'a Pins) -> Self {
        Self { registry: before, pins }
    }

    /// Folds the entries that follow.
    pub(super) fn add<'e>(&mut self, entries: impl IntoIterator<Item = &'e [u8]>) -> Result<(), ReplicaError> {
        let mut rest = entries.into_iter().peekable();
        if self.registry.is_none() {
            let Some(genesis) = rest.next() else { return Ok(()) };
            self.registry = Some(Arc::new(begin(genesis, self.pins)?));
        }
        // Copied only if there is something to change and others have it.
        if rest.peek().is_some()
            && let Some(registry) = &mut self.registry
        {
            let registry = Arc::make_mut(registry);
            rest.for_each(|entry| drop(registry.absorb(entry)));
        }
        Ok(())
    }

    /// The registry over all that was folded.
    pub(super) fn registry(&self) -> Result<Arc<Registry>, ReplicaError> {
        self.registry.clone().ok_or(ReplicaError::Empty)
    }
}

/// Checks the head against the witness policy of the genesis; gives the time a quorum saw it, if one is asked for.
pub(super) fn witnessed(registry: &Registry, signed: &[u8], pins: &Pins) -> Result<Option<u64>, ReplicaError> {
    let Some(policy) = &registry.founding().witness_policy else { return Ok(None) };
    let policy: Policy = policy.parse().map_err(|error| contradiction(&error))?;
    let head = policy.open_log(signed, &pins.log).map_err(ReplicaError::Witnesses)?;
    Ok(head.fresh_at())
}

fn begin(entry: &[u8], pins: &Pins) -> Result<Registry, ReplicaError> {
    let registry = Registry::genesis(entry, &pins.genesis)
        .map_err(|source| ReplicaError::Genesis { pinned: pins.genesis, source: Box::new(source) })?;
    let named: VerifierKey = registry.founding().log_key.parse().map_err(|error| contradiction(&error))?;
    if named != pins.log {
        return Err(ReplicaError::GenesisContent { reason: format!("it names the log key of `{}`", named.name()) });
    }
    Ok(registry)
}

fn contradiction(error: &dyn std::error::Error) -> ReplicaError {
    ReplicaError::GenesisContent { reason: error.to_string() }
}
