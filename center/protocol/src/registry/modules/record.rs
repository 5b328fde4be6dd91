//! One submitted file and everything said about it: reviews, findings, approvals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::statement::{Finding, Review, Severity, Submission};
use crate::ids::{Digest, OrganisationId};
use crate::keys::PublicKey;
use crate::registry::entry::Entry;
use crate::registry::flaw::Flaw;
use crate::statements::Subject;
use crate::time::Timestamp;

/// One submitted file and what was said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleRecord {
    /// What the publisher signed.
    pub submission: Arc<Submission>,
    /// The submission's index in the log.
    pub index: u64,
    /// The digest of the submission's bytes.
    pub entry: Digest,
    /// All reviews in the order of the log, replaced ones too.
    pub reviews: Vec<ReviewRecord>,
    /// All findings by full name, `<auditor id>/<finding id>`.
    pub findings: BTreeMap<String, FindingRecord>,
    /// The approvals that took effect, in the order of the log.
    pub approvals: Vec<ApprovalRecord>,
}

impl ModuleRecord {
    /// The organisation whose auditors' reviews do not count.
    #[must_use]
    pub fn publisher(&self) -> &OrganisationId {
        &self.submission.publisher_organisation
    }

    /// The latest approval that took effect; whether it still holds is asked with a time.
    #[must_use]
    pub fn approval(&self) -> Option<&ApprovalRecord> {
        self.approvals.last()
    }

    /// The subject of every statement about this file.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::module(&self.submission.name, &self.submission.version, self.submission.module)
    }

    /// Fails unless the entry's one subject is this module.
    pub(crate) fn check_subject(&self, entry: &Entry) -> Result<(), Flaw> {
        if entry.statement.module() == Some(&self.subject()) { Ok(()) } else { Err(Flaw::OtherSubject) }
    }

    /// The full names of the blocking findings that are open.
    #[must_use]
    pub fn open_blocking(&self) -> Vec<String> {
        self.findings.iter().filter(|(_, found)| found.blocks()).map(|(name, _)| name.clone()).collect()
    }

    /// Closes what the review closes: one's own finding, or another's that `k` organisations want closed.
    pub(super) fn close_findings(&mut self, said: &ReviewRecord, k: usize) {
        let publisher = self.publisher().clone();
        for name in &said.review.closes {
            let name = if name.contains('/') { name.clone() } else { format!("{}/{name}", said.auditor) };
            let Some(found) = self.findings.get_mut(&name) else { continue };
            let author = found.author == said.auditor && found.organisation == said.organisation;
            if !author && said.organisation != found.organisation && said.organisation != publisher {
                found.closers.insert(said.organisation.clone());
            }
            if (author || found.closers.len() >= k) && found.closed.is_none() {
                found.closed = Some(said.index);
            }
        }
    }

    /// Adds the review's findings. One that its author repeats is open again.
    pub(super) fn open_findings(&mut self, said: &ReviewRecord) {
        for finding in &said.review.findings {
            let record = FindingRecord {
                author: said.auditor.clone(),
                organisation: said.organisation.clone(),
                finding: finding.clone(),
                index: said.index,
                closers: BTreeSet::new(),
                closed: None,
            };
            self.findings.insert(format!("{}/{}", said.auditor, finding.id), record);
        }
    }
}

/// One logged review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRecord {
    /// Its index in the log.
    pub index: u64,
    /// The digest of its bytes.
    pub entry: Digest,
    /// The auditor's id.
    pub auditor: String,
    /// Whose vote it is.
    pub organisation: OrganisationId,
    /// The key that signed.
    pub key: PublicKey,
    /// What was said.
    pub review: Review,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRecord {
    /// The author's auditor id.
    pub author: String,
    /// The author's organisation.
    pub organisation: OrganisationId,
    /// What was found.
    pub finding: Finding,
    /// The review's index in the log.
    pub index: u64,
    /// Other organisations that want it closed.
    pub closers: BTreeSet<OrganisationId>,
    /// The index of the review that closed it.
    pub closed: Option<u64>,
}

impl FindingRecord {
    /// True if no approval can take effect because of it.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.finding.severity == Severity::Blocking && self.closed.is_none()
    }
}

impl ReviewRecord {
    /// True if it has not expired at `now`; without a time it counts as unexpired.
    pub(super) fn unexpired(&self, now: Option<Timestamp>) -> bool {
        match (self.review.expires, now) {
            (Some(expires), Some(now)) => now < expires,
            _ => true,
        }
    }
}

/// An approval that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// Its index in the log.
    pub index: u64,
    /// The digest of its bytes.
    pub entry: Digest,
    /// After this moment it has no effect.
    pub expires: Option<Timestamp>,
    /// The indexes of the reviews that carry it.
    pub reviews: Vec<u64>,
}
