//! Why an entry has no effect. What is wrong with any entry is named here; what a family refuses is named by the family.

use super::families::{Family, families};
use super::flaw::{Fault, Flaw};
use super::keysets;
use super::too_new::TooNew;
use crate::dsse::EnvelopeError;
use crate::ids::Digest;

macro_rules! invalid {
    ($($(#[$attr:meta])* $Family:ident $family:ident [$($Kind:ident),*],)*) => {
        /// Why an entry has no effect. All but those of [`Fault::TooNew`] are its signer's or the log's fault.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum Invalid {
            /// The entry is larger than a log entry can be.
            #[error("the entry has {bytes} bytes, more than {bytes_max}")]
            TooLarge {
                /// Bytes of the entry.
                bytes: usize,
                /// Bytes allowed.
                bytes_max: usize,
            },
            /// Not an envelope.
            #[error("the entry is not a signed envelope")]
            Envelope(#[from] EnvelopeError),
            /// An envelope, but not in the one spelling that the registry admits.
            #[error("the envelope is not in canonical form: members in order, no spaces, standard base64")]
            NotCanonical,
            /// The payload is not a statement.
            #[error("the payload is not a statement: {0}")]
            Statement(String),
            /// The statement was made for another registry.
            #[error("the statement does not name this registry's genesis")]
            OtherRegistry,
            /// The genesis is not the one pinned.
            #[error("the genesis has digest `{found}`, pinned is `{pinned}`")]
            OtherGenesis {
                /// What was received.
                found: Digest,
                /// What is trusted.
                pinned: Digest,
            },
            /// Entry 0 is not a genesis, or a later entry is one.
            #[error("a genesis is entry 0 and no other")]
            GenesisPlace,
            /// The registry stopped before this entry: this software is older than its rules.
            #[error("the registry needs {0}: update it")]
            Stopped(TooNew),
            $(
            $(#[$attr])*
            #[doc = concat!("The family `", stringify!($family), "` refuses it.")]
            #[error(transparent)]
            $Family(#[from] super::$family::error::Invalid),)*
        }

        impl Invalid {
            /// The family whose rules refuse the entry; `None` where it did not come that far.
            #[must_use]
            pub fn family(&self) -> Option<Family> {
                match self {
                    $($(#[$attr])* Self::$Family(_) => Some(Family::$Family),)*
                    _ => None,
                }
            }

            /// The fault, if it is one that a statement of any family can have.
            #[must_use]
            pub fn flaw(&self) -> Option<&Flaw> {
                match self {
                    $($(#[$attr])* Self::$Family(reason) => reason.flaw(),)*
                    _ => None,
                }
            }

            /// What kind of reason it is.
            #[must_use]
            pub fn fault(&self) -> Fault {
                match self {
                    Self::TooLarge { .. } => Fault::TooLarge,
                    Self::Envelope(_) | Self::NotCanonical | Self::Statement(_) => Fault::Malformed,
                    Self::Stopped(_) => Fault::TooNew,
                    Self::OtherRegistry | Self::OtherGenesis { .. } | Self::GenesisPlace => Fault::Rule,
                    $($(#[$attr])* Self::$Family(reason) => reason.fault(),)*
                }
            }
        }
    };
}
families!(all invalid);

impl Invalid {
    /// What the registry asks for, where this software is too old.
    #[must_use]
    pub fn too_new(&self) -> Option<&TooNew> {
        match self {
            Self::Stopped(needed) | Self::Keysets(keysets::error::Invalid::TooNew(needed)) => Some(needed),
            _ => None,
        }
    }
}

/// A logged entry without effect. Monitors show them: an ineffective approval is a sign of a stolen key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// Its index in the log.
    pub index: u64,
    /// The digest of its bytes.
    pub entry: Digest,
    /// Why it has no effect.
    pub reason: Invalid,
}
