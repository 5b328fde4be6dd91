//! To stop a module or a domain for some hours or for good: a `revocation/v1`. Who may stop what is the registry's rule; it is
//! asked before anything is sent.

use std::sync::Arc;

use iog_module::ModuleNamed;
use iog_protocol::ids::DomainId;
use iog_protocol::registry::{Halts, Invalid, Registry};
use iog_protocol::statements::{Revocation, RevocationSeverity, Statement, Target};
use iog_protocol::time::Timestamp;
use serde::Serialize;

use super::NoModule;

/// What somebody decided to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopDecision {
    /// What stops.
    pub what: Stopped,
    /// For some hours or for good.
    pub severity: RevocationSeverity,
    /// A short reason for machines.
    pub reason_code: String,
    /// The reason in words; it is in the log for everybody, for ever.
    pub reason: String,
}

/// What can be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A module.
    Module(ModuleNamed),
    /// A domain.
    Domain(DomainId),
}

/// The registry would not take the statement, says its own rule; the signer's, most likely who may not stop this.
#[derive(Debug, thiserror::Error)]
#[error("the registry would not take this statement; not sent")]
pub struct WouldNotTake(#[from] Invalid);

/// A statement that is to be signed, and what it stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What is signed.
    pub statement: Statement,
    /// What stops.
    pub target: Target,
}

impl StopDecision {
    /// What is to be signed at `now`.
    ///
    /// # Errors
    /// [`NoModule`].
    pub fn statement(&self, registry: &Registry, now: Timestamp) -> Result<Stop, NoModule> {
        let genesis = registry.genesis_digest();
        let (subject, target) = match &self.what {
            Stopped::Domain(id) => (None, Target::Domain(id.clone())),
            Stopped::Module(named) => {
                let record = super::module(registry, named)?;
                (Some(record.subject()), Target::Module(record.submission.module))
            }
        };
        let revocation = Revocation {
            severity: self.severity,
            target: target.clone(),
            reason_code: self.reason_code.clone(),
            reason: self.reason.clone(),
            until: None,
            issued: now,
        };
        let statement = match subject {
            None => Statement::new(genesis, revocation),
            Some(subject) => Statement::about(genesis, subject, revocation),
        };
        Ok(Stop { statement, target })
    }
}

/// The registry as it would be with a signed statement.
///
/// # Errors
/// [`WouldNotTake`].
pub fn foreseen(registry: &Arc<Registry>, envelope: &[u8]) -> Result<Arc<Registry>, WouldNotTake> {
    let mut after = Arc::clone(registry);
    Registry::apply_shared(&mut after, envelope)?;
    Ok(after)
}

/// What a machine is told once the statement is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StopLogged {
    /// What was to stop.
    pub target: Target,
    /// `revoked`, `suspended` or `not stopped`, where votes are missing.
    pub state: &'static str,
    /// Its index.
    pub index: u64,
}

impl StopLogged {
    /// The state of the target in `after`, at `now`.
    #[must_use]
    pub fn of(after: &Registry, target: Target, index: u64, now: Timestamp) -> Self {
        let state = state(after.halts(&target), now);
        Self { target, state, index }
    }
}

fn state(halts: &Halts, now: Timestamp) -> &'static str {
    if halts.revoked().is_some() {
        "revoked"
    } else if halts.suspension(now).is_some() {
        "suspended"
    } else {
        "not stopped"
    }
}
