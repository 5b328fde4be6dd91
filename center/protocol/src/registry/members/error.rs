//! Why a domain statement has no effect.

use crate::ids::DomainId;
use crate::registry::flaw::{Fault, Flaw};

/// Why a domain statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A fault that a statement of any family can have.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// A domain statement that is not newer.
    #[error("sequence {found} of domain `{domain}` does not follow {current}")]
    DomainSequence {
        /// The domain.
        domain: DomainId,
        /// The one received.
        found: u64,
        /// The one in force.
        current: u64,
    },
    /// The domain is revoked, and these keys with it.
    #[error("the target is revoked")]
    Revoked,
}

impl Invalid {
    /// The fault, if it is one that a statement of any family can have.
    #[must_use]
    pub fn flaw(&self) -> Option<&Flaw> {
        if let Self::Flaw(flaw) = self { Some(flaw) } else { None }
    }

    /// What kind of reason it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Flaw(flaw) => flaw.fault(),
            Self::DomainSequence { .. } => Fault::Outdated,
            Self::Revoked => Fault::Rule,
        }
    }
}
