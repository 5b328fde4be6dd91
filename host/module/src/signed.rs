//! A module's second moment: what was found in it is what its publisher signed and the registry has. It is the only way to
//! say so, for gateways, callers and auditors alike; the center's word counts for nothing.

use iog_protocol::ids::Digest;
use iog_protocol::statements::Submission;

use crate::examined::Examined;

/// A module that is what the registry says.
#[derive(Debug, Clone)]
pub struct AsSigned(Examined);

/// A module that is not what was signed; nobody may run it until that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAsSigned {
    /// The file or the manifest is another one.
    #[error("module `{module}` is another file than was signed, or has another manifest")]
    OtherFile {
        /// The module that was signed.
        module: Digest,
    },
    /// It may touch other things.
    #[error("module `{module}` has other capabilities than were signed")]
    OtherCapabilities {
        /// The module.
        module: Digest,
    },
}

impl AsSigned {
    /// Compares what was found with what was signed.
    ///
    /// # Errors
    /// [`NotAsSigned`].
    pub fn compare(found: Examined, signed: &Submission) -> Result<Self, NotAsSigned> {
        if found.digest() != signed.module || found.manifest_digest() != signed.manifest {
            return Err(NotAsSigned::OtherFile { module: signed.module });
        }
        if *found.capabilities() != signed.capabilities {
            return Err(NotAsSigned::OtherCapabilities { module: signed.module });
        }
        Ok(Self(found))
    }

    /// What was found, which is what was signed.
    #[must_use]
    pub fn examined(&self) -> &Examined {
        &self.0
    }

    /// As [`Self::examined`], for who keeps it.
    #[must_use]
    pub fn into_examined(self) -> Examined {
        self.0
    }
}
