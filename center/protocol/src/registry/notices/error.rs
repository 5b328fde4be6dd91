//! Why a notice has no effect.

use crate::registry::flaw::{Fault, Flaw};

/// Why a notice is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A fault that a statement of any family can have.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// The author said so before.
    #[error("this notice was given before")]
    Repeated,
}

impl Invalid {
    pub(crate) fn flaw(&self) -> Option<&Flaw> {
        if let Self::Flaw(flaw) = self { Some(flaw) } else { None }
    }

    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Flaw(flaw) => flaw.fault(),
            Self::Repeated => Fault::Exists,
        }
    }
}
