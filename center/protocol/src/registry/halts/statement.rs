//! What a revocation says: that a module or a domain is to stop, for a while or for good. No rule is in here.

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, DomainId};
use crate::statements::kind::Kind;
use crate::time::Timestamp;

/// The version of this family's rules: which statement types it has and what they do.
pub const VERSION: u32 = 1;

/// A module or domain is to stop, for a while or for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// For a while or for good.
    pub severity: RevocationSeverity,
    /// What is to stop.
    pub target: Target,
    /// A short machine-readable reason, for example `vulnerability`.
    pub reason_code: String,
    /// The reason in words, or the digest of a text under embargo.
    pub reason: String,
    /// An earlier end of a suspension than the registry's own; never a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it was signed; a suspension counts from here.
    pub issued: Timestamp,
}

impl Kind for Revocation {
    const TYPE: &'static str = "https://iog.example/statement/revocation/v1";
}

/// For a while or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationSeverity {
    /// Lapses by itself.
    Suspend,
    /// Final.
    Revoke,
}

/// What a revocation stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The file with this digest.
    Module(Digest),
    /// This member.
    Domain(DomainId),
}
