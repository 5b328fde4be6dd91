//! Why a revocation has no effect.

use crate::ids::{Digest, DomainId, OrganisationId};
use crate::registry::flaw::{Fault, Flaw};

/// Why a revocation is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A fault that a statement of any family can have.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// No such file was submitted.
    #[error("module `{0}` was not submitted")]
    UnknownModule(Digest),
    /// Nobody of that name.
    #[error("domain `{0}` is not a member")]
    UnknownDomain(DomainId),
    /// The target is revoked, and that is final.
    #[error("the target is revoked")]
    Revoked,
    /// The organisation suspended this target before and nobody seconded it.
    #[error("organisation `{0}` suspended this target before, and no other seconded it")]
    SuspendedBefore(OrganisationId),
    /// The same statement of the same signers was counted before: a replay.
    #[error("this statement was counted before")]
    SaidBefore,
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
            Self::UnknownModule(_) => Fault::UnknownModule,
            Self::UnknownDomain(_) => Fault::UnknownDomain,
            Self::Revoked | Self::SuspendedBefore(_) | Self::SaidBefore => Fault::Rule,
        }
    }
}
