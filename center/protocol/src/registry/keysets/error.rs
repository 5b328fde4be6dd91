//! Why a genesis or keyset has no effect.

use crate::registry::flaw::{Fault, Flaw};
use crate::registry::too_new::TooNew;

/// Why a genesis or keyset is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A fault that a statement of any family can have.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// It asks for rules that this software does not know: the one reason that is nobody's fault. The registry stops.
    #[error("the registry needs {0}: update it")]
    TooNew(TooNew),
    /// A keyset that is not the next one.
    #[error("keyset version {found} does not follow version {current}")]
    KeysetVersion {
        /// The one received.
        found: u32,
        /// The one in force.
        current: u32,
    },
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
            Self::TooNew(_) => Fault::TooNew,
            Self::KeysetVersion { .. } => Fault::Outdated,
        }
    }
}
