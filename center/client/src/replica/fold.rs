//! From entries to a registry, and what the genesis in it demands of the log: its key and its witnesses.

use super::error::ReplicaError;
use super::pins::Pins;
use iog_protocol::registry::Registry;
use iog_tlog::{Policy, VerifierKey};
use std::sync::Arc;

/// Folds entries that follow what `before` covers; without it the first of them is the genesis.
pub(super) fn extend(
    before: Option<Arc<Registry>>,
    entries: &[&[u8]],
    pins: &Pins,
) -> Result<Arc<Registry>, ReplicaError> {
    let (mut registry, rest) = match (before, entries) {
        (Some(registry), []) => return Ok(registry),
        (Some(registry), rest) => (Arc::unwrap_or_clone(registry), rest),
        (None, [genesis, rest @ ..]) => (begin(genesis, pins)?, rest),
        (None, []) => return Err(ReplicaError::Empty),
    };
    for entry in rest {
        registry.absorb(entry);
    }
    Ok(Arc::new(registry))
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
