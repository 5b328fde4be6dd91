//! A module as the registry has it: one line of it in lists, and its page with everything that was said about it.

use iog_protocol::capabilities::Capabilities;
use iog_protocol::ids::{Digest, ModuleName, ModuleVersion, OrganisationId};
use iog_protocol::registry::{FindingRecord, ModuleRecord, Registry, ReviewRecord};
use iog_protocol::statements::{Severity, Source, Target, Verdict};
use iog_protocol::time::Timestamp;
use serde::Serialize;

/// All modules of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Modules {
    /// In the order of their digests.
    pub modules: Vec<ModuleLine>,
}

impl Modules {
    /// What the registry has at `now`.
    #[must_use]
    pub fn of(registry: &Registry, now: Timestamp) -> Self {
        Self { modules: registry.modules().map(|record| ModuleLine::of(registry, record, now)).collect() }
    }
}

/// A module in short: what it is, what it asks for, and whether it may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleLine {
    /// Its name.
    pub name: ModuleName,
    /// Its version.
    pub version: ModuleVersion,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// SHA-256 of the manifest's text.
    pub manifest: Digest,
    /// The submission's index in the log.
    pub index: u64,
    /// Bytes of the component.
    pub size: u64,
    /// The organisation that submitted it.
    pub publisher: OrganisationId,
    /// What it can touch and ask, as signed.
    pub capabilities: Capabilities,
    /// Reviews in the log, replaced ones too.
    pub reviews: usize,
    /// Approving organisations that it needs.
    pub needed: u32,
    /// Whether it may run.
    pub effective: bool,
    /// Why not, where it may not.
    pub reason: Option<String>,
}

impl ModuleLine {
    /// A module at `now`.
    #[must_use]
    pub fn of(registry: &Registry, record: &ModuleRecord, now: Timestamp) -> Self {
        let submission = &record.submission;
        let reason = registry.effective(&submission.module, now).err().map(|reason| reason.to_string());
        Self {
            name: submission.name.clone(),
            version: submission.version.clone(),
            digest: submission.module,
            manifest: submission.manifest,
            index: record.index,
            size: submission.size,
            publisher: submission.publisher_organisation.clone(),
            capabilities: submission.capabilities.clone(),
            reviews: record.review_count(),
            needed: registry.needed_reviews(record),
            effective: reason.is_none(),
            reason,
        }
    }

    /// `name@version`.
    #[must_use]
    pub fn release(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// A module in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModulePage {
    /// In short: the document that commands and API give.
    #[serde(flatten)]
    pub line: ModuleLine,
    /// Where its publisher says that the source is.
    pub source: Source,
    /// Every review in the order of the log.
    pub verdicts: Vec<VerdictLine>,
    /// Every finding by name.
    pub findings: Vec<FindingLine>,
    /// The entry that revoked it, where one did.
    pub revoked: Option<u64>,
    /// When its suspension lapses, where it is suspended.
    pub suspended_until: Option<Timestamp>,
}

impl ModulePage {
    /// A module at `now`.
    #[must_use]
    pub fn of(registry: &Registry, record: &ModuleRecord, now: Timestamp) -> Self {
        let halts = registry.halts(&Target::Module(record.submission.module));
        Self {
            line: ModuleLine::of(registry, record, now),
            source: record.submission.source.clone(),
            verdicts: record.reviews.iter().map(|said| VerdictLine::of(said)).collect(),
            findings: FindingLine::all(record),
            revoked: halts.revoked(),
            suspended_until: halts.suspension(now).map(|suspension| suspension.until),
        }
    }
}

/// What one auditor judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictLine {
    /// The auditor.
    pub auditor: String,
    /// Whose vote it is.
    pub organisation: OrganisationId,
    /// The judgement.
    pub verdict: Verdict,
    /// The criteria applied.
    pub criteria: Vec<String>,
    /// When it was signed.
    pub issued: Timestamp,
    /// After this moment it does not count.
    pub expires: Option<Timestamp>,
    /// Its index in the log.
    pub index: u64,
}

impl VerdictLine {
    fn of(record: &ReviewRecord) -> Self {
        Self {
            auditor: record.auditor.clone(),
            organisation: record.organisation.clone(),
            verdict: record.review.verdict,
            criteria: record.review.criteria.clone(),
            issued: record.review.issued,
            expires: record.review.expires,
            index: record.index,
        }
    }
}

/// What one auditor found. Its text is foreign: whoever shows it escapes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingLine {
    /// Its full name, by which a review closes it: `<auditor>/<finding>`.
    pub name: String,
    /// Whether it keeps the module from being approved.
    pub severity: Severity,
    /// What was found.
    pub text: String,
    /// The review's index in the log.
    pub index: u64,
    /// The entry that closed it, where one did.
    pub closed: Option<u64>,
}

impl FindingLine {
    /// All findings about a module, by name.
    #[must_use]
    pub fn all(record: &ModuleRecord) -> Vec<Self> {
        record.findings.iter().map(|(name, found)| Self::of(name, found)).collect()
    }

    fn of(name: &str, found: &FindingRecord) -> Self {
        Self {
            name: name.to_owned(),
            severity: found.finding.severity,
            text: found.finding.text.clone(),
            index: found.index,
            closed: found.closed,
        }
    }
}
