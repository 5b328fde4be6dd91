//! Why an entry has no effect, why a module may not run, and what an approval still lacks.

use crate::dsse::{EnvelopeError, SignatureError};
use crate::ids::{Digest, DomainId, ModuleName, ModuleVersion, OrganisationId};
use crate::time::Timestamp;

use super::Registry;

/// Why an entry has no effect. All but [`Invalid::RulesTooNew`] are its signer's or the log's fault.
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
    /// Entry 0 is no genesis, or a later entry is one.
    #[error("a genesis is entry 0 and no other")]
    GenesisPlace,
    /// A member of the statement breaks a rule that needs no other entry.
    #[error("`{member}` is not {expected}")]
    Member {
        /// The member.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A key has another role already.
    #[error("`{member}` has a key that serves another purpose already")]
    KeyReused {
        /// The member.
        member: &'static str,
    },
    /// This software is older than the registry's rules; it must stop.
    #[error("the registry needs rules version {needed}, this software knows {ours}: update it")]
    RulesTooNew {
        /// What the registry asks for.
        needed: u32,
        /// [`super::RULES_VERSION`].
        ours: u32,
    },
    /// A keyset that is not the next one.
    #[error("keyset version {found} does not follow version {current}")]
    KeysetVersion {
        /// The one received.
        found: u32,
        /// The one in force.
        current: u32,
    },
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
    /// Nobody of that name.
    #[error("domain `{0}` is not a member")]
    UnknownDomain(DomainId),
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
    #[error("`{name}` version `{version}` stands for another file already")]
    VersionTaken {
        /// The name.
        name: ModuleName,
        /// The version.
        version: ModuleVersion,
    },
    /// No such file was submitted.
    #[error("module `{0}` was not submitted")]
    UnknownModule(Digest),
    /// The statement's subject is not the module it speaks of.
    #[error("the subject is not the module's name, version and digest")]
    OtherSubject,
    /// The manifest is not the submitted one.
    #[error("the manifest `{found}` is not the submitted one")]
    OtherManifest {
        /// What the statement names.
        found: Digest,
    },
    /// The auditor said something later already.
    #[error("auditor `{auditor}` reviewed this module at `{latest}` already, which is not earlier")]
    ReviewOutdated {
        /// The auditor.
        auditor: String,
        /// When it last did.
        latest: Timestamp,
    },
    /// A review closes what nobody found.
    #[error("there is no finding `{0}`")]
    UnknownFinding(String),
    /// The target is revoked, and that is final.
    #[error("the target is revoked")]
    Revoked,
    /// The organisation suspended this target before and nobody seconded it.
    #[error("organisation `{0}` suspended this target before, and no other seconded it")]
    SuspendedBefore(OrganisationId),
    /// The same statement of the same signers was counted before: a replay.
    #[error("this statement was counted before")]
    SaidBefore,
    /// An approval names a review that is not one of this module's.
    #[error("the approval rests on `{0}`, which is no review of this module")]
    UnknownEvidence(Digest),
    /// An approval that the reviews do not carry: what a stolen center key can produce.
    #[error("the approval has no effect")]
    Ineffective(#[source] Missing),
}

/// An entry that was not applied, with the registry as it was before.
#[derive(Debug)]
pub struct Rejected {
    /// The registry, unchanged.
    pub registry: Registry,
    /// Why.
    pub reason: Invalid,
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
    #[error("the registry needs rules version {0}")]
    RulesTooNew(u32),
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
    #[error("the registry needs rules version {needed}, this software knows {ours}")]
    RulesTooNew {
        /// What the registry asks for.
        needed: u32,
        /// What we know.
        ours: u32,
    },
}
