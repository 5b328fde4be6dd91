//! What is said about a module: that it is offered, what auditors think of it, that the center approves it. No rule is in
//! here.

use serde::{Deserialize, Serialize};

use crate::capabilities::Capabilities;
use crate::ids::{Digest, ModuleName, ModuleVersion, OrganisationId};
use crate::statements::digest_set::DigestSet;
use crate::statements::kind::Kind;
use crate::time::Timestamp;

/// The version of this family's rules: which statement types it has and what they do.
pub const VERSION: u32 = 1;

/// A module offered for review, signed by a publisher of its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Name of the module.
    pub name: ModuleName,
    /// Version; a name and version stand for one file for ever.
    pub version: ModuleVersion,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the whole file; also the statement's subject.
    pub module: Digest,
    /// SHA-256 of the manifest's text.
    pub manifest: Digest,
    /// What inspection found that it can touch and ask.
    pub capabilities: Capabilities,
    /// Where its source is.
    pub source: Source,
    /// The publisher's organisation, as the keyset has it.
    pub publisher_organisation: OrganisationId,
}

impl Kind for Submission {
    const TYPE: &'static str = "https://iog.example/statement/submission/v1";
}

/// Where a module's source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Repository URL.
    pub repository: String,
    /// Commit.
    pub commit: String,
}

/// One auditor's judgement of one submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The judgement.
    pub verdict: Verdict,
    /// The criteria applied, by name.
    pub criteria: Vec<String>,
    /// What was read.
    pub scope: Scope,
    /// Digest of the manifest that was read.
    pub manifest: Digest,
    /// What was found.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Findings that this review closes: `<auditor id>/<finding id>`, or the bare id of one's own.
    #[serde(default)]
    pub closes: Vec<String>,
    /// When it was signed. A review that is not later than the last logged one of the same key is refused, so a center can
    /// neither repeat an old review nor hold one back until the auditor has changed their mind.
    pub issued: Timestamp,
    /// After this moment it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Kind for Review {
    const TYPE: &'static str = "https://iog.example/statement/review/v1";
}

/// A judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// May run.
    Approve,
    /// Must not run.
    Reject,
    /// Read, not judged.
    Abstain,
}

/// What a review covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole module.
    Full,
    /// The difference to an approved version; counts only where nothing more is asked for.
    Delta {
        /// The file of that version.
        from: Digest,
    },
}

/// Something an auditor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A name, unique among the author's findings on this module.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, or the digest of a text under embargo.
    pub text: String,
}

/// How bad a finding is, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Should be better.
    Minor,
    /// Should be fixed soon.
    Major,
    /// No approval while it is open.
    Blocking,
}

/// The center's approval: a SLSA verification summary (`https://slsa.dev/verification_summary/v1`). It takes effect only
/// where enough reviews stand behind it, which everybody counts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Who verified.
    pub verifier: Verifier,
    /// When.
    pub time_verified: Timestamp,
    /// `iog:module:<name>@<version>`.
    pub resource_uri: String,
    /// By which rules.
    pub policy: PolicyRef,
    /// The reviews it rests on.
    #[serde(default)]
    pub input_attestations: Vec<ResourceRef>,
    /// `PASSED` or `FAILED`.
    pub verification_result: VerificationResult,
    /// `IOG_REVIEWED`.
    pub verified_levels: Vec<String>,
    /// Digest of the approved manifest.
    #[serde(rename = "https://iog.example/manifest_digest")]
    pub manifest: Digest,
    /// After this moment it has no effect.
    #[serde(rename = "https://iog.example/expires", default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Kind for Approval {
    const TYPE: &'static str = "https://slsa.dev/verification_summary/v1";
}

/// Who made a verification summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    /// A URI.
    pub id: String,
}

/// The rules of a verification summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRef {
    /// A URI.
    pub uri: String,
    /// Its digest: here that of the genesis, which fixes the rules.
    pub digest: DigestSet,
}

/// A resource with its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRef {
    /// `iog:log:<index>` for an entry of the log.
    pub uri: String,
    /// Its digest.
    pub digest: DigestSet,
}

/// The outcome of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VerificationResult {
    /// The rules hold.
    Passed,
    /// They do not.
    Failed,
}
