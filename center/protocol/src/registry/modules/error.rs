//! Why a submission, review or approval has no effect, why a module may not run, and what an approval still lacks.

use crate::ids::{Digest, ModuleName, ModuleVersion, OrganisationId};
use crate::registry::flaw::{Fault, Flaw};
use crate::registry::too_new::TooNew;
use crate::time::Timestamp;

/// Why a submission, review or approval is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A fault that a statement of any family can have.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// The namespace has no publisher.
    #[error("namespace `{0}` has no publisher")]
    UnknownNamespace(String),
    /// The publisher's organisation is another one.
    #[error("the publisher's organisation is `{expected}`, the submission says `{found}`")]
    OtherOrganisation {
        /// What the submission says.
        found: OrganisationId,
        /// What the keyset says.
        expected: OrganisationId,
    },
    /// The file was submitted before.
    #[error("module `{module}` was submitted before, as entry {index}")]
    AlreadySubmitted {
        /// The file.
        module: Digest,
        /// The earlier entry.
        index: u64,
    },
    /// The name and version stand for another file.
    #[error("`{name}` version `{version}` already stands for another file")]
    VersionTaken {
        /// The name.
        name: ModuleName,
        /// The version.
        version: ModuleVersion,
    },
    /// No such file was submitted.
    #[error("module `{0}` was not submitted")]
    UnknownModule(Digest),
    /// The manifest is not the submitted one.
    #[error("the manifest `{found}` is not the submitted one")]
    OtherManifest {
        /// What the statement names.
        found: Digest,
    },
    /// The auditor said something later already.
    #[error("auditor `{auditor}` already reviewed this module at `{latest}`, which is not earlier")]
    ReviewOutdated {
        /// The auditor.
        auditor: String,
        /// When it last did.
        latest: Timestamp,
    },
    /// A review closes what nobody found.
    #[error("there is no finding `{0}`")]
    UnknownFinding(String),
    /// The module is revoked, and that is final.
    #[error("the target is revoked")]
    Revoked,
    /// An approval names a review that is not one of this module's.
    #[error("the approval rests on `{0}`, which is not a review of this module")]
    UnknownEvidence(Digest),
    /// An approval that the reviews do not carry: what a stolen center key can produce.
    #[error("the approval has no effect")]
    Ineffective(#[source] Missing),
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
            Self::AlreadySubmitted { .. } | Self::VersionTaken { .. } => Fault::Exists,
            Self::ReviewOutdated { .. } => Fault::Outdated,
            Self::UnknownModule(_) => Fault::UnknownModule,
            _ => Fault::Rule,
        }
    }
}

/// What an approval still lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such file was submitted.
    #[error("module `{0}` was not submitted")]
    UnknownModule(Digest),
    /// It is revoked.
    #[error("the module is revoked")]
    Revoked,
    /// Reviews.
    #[error("{found} organisations approve, {needed} must")]
    Reviews {
        /// Organisations whose approval counts.
        found: u32,
        /// Organisations needed.
        needed: u32,
    },
    /// Blocking findings are open.
    #[error("blocking findings are open: {}", .0.join(", "))]
    Findings(Vec<String>),
    /// This software is too old to tell.
    #[error("the registry needs {}", .0.needed())]
    TooNew(TooNew),
}

/// Why a module may not run at a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEffective {
    /// No such file was submitted.
    #[error("module `{0}` is not in the registry")]
    UnknownModule(Digest),
    /// No approval took effect.
    #[error("module `{0}` is not approved")]
    NotApproved(Digest),
    /// There was an approval; it, or a review it rests on, has expired.
    #[error("the approval of module `{0}` has expired")]
    Expired(Digest),
    /// It is suspended.
    #[error("module `{module}` is suspended until {until}")]
    Suspended {
        /// The file.
        module: Digest,
        /// When the suspension lapses.
        until: Timestamp,
    },
    /// It is revoked for good.
    #[error("module `{0}` is revoked")]
    Revoked(Digest),
    /// The keyset has expired: nothing runs until the root signs a new one.
    #[error("the keyset expired at {0}")]
    KeysetExpired(Timestamp),
    /// This software is older than the registry's rules.
    #[error("the registry needs {0}")]
    TooNew(TooNew),
}
