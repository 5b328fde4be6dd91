//! What can be wrong with a statement of any family, and the kinds of reasons that outsiders tell apart.

use crate::dsse::SignatureError;

/// A fault that a statement of any family can have: its signer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The signatures do not carry the statement.
    #[error("the signatures do not carry the statement")]
    Signature(#[from] SignatureError),
    /// Too few of those who must sign did.
    #[error("the statement needs {needed} signatures of {who}, it has {found}")]
    TooFewSigners {
        /// Who must sign.
        who: &'static str,
        /// How many must.
        needed: u64,
        /// How many did.
        found: u64,
    },
    /// A member of the statement breaks a rule that needs no other entry.
    #[error("`{member}` is not {expected}")]
    Member {
        /// The member.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A key has another role already.
    #[error("`{member}` has a key that already serves another purpose")]
    KeyReused {
        /// The member.
        member: &'static str,
    },
    /// The statement's subject is not the module it speaks of.
    #[error("the subject is not the module's name, version and digest")]
    OtherSubject,
    /// The statement is not of the family that is asked about it.
    #[error("the statement is of another family")]
    OtherFamily,
}

/// What kind of reason it is that an entry has no effect, for whoever answers a sender and need not know every family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// More bytes than an entry can have.
    TooLarge,
    /// Not a statement in canonical form.
    Malformed,
    /// Signatures are missing, false or strange.
    Signature,
    /// What it would bring in is there already.
    Exists,
    /// Something later was said already.
    Outdated,
    /// It speaks of a module that was never submitted.
    UnknownModule,
    /// It speaks of a domain that was never a member.
    UnknownDomain,
    /// This software is too old to judge it.
    TooNew,
    /// It breaks another rule.
    Rule,
}

impl Flaw {
    /// What kind of reason it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Signature(_) | Self::TooFewSigners { .. } => Fault::Signature,
            Self::Member { .. } | Self::KeyReused { .. } | Self::OtherSubject | Self::OtherFamily => Fault::Rule,
        }
    }
}

/// Fails with [`Flaw::Member`] unless `holds`.
pub(super) fn member(holds: bool, member: &'static str, expected: &'static str) -> Result<(), Flaw> {
    if holds { Ok(()) } else { Err(Flaw::Member { member, expected }) }
}
