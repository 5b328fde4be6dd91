//! One submitted file and everything said about it: reviews, findings, approvals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::statement::{Finding, Review, Severity, Submission};
use crate::ids::{Digest, OrganisationId};
use crate::keys::PublicKey;
use crate::registry::entry::Entry;
use crate::registry::flaw::Flaw;
use crate::registry::shared_map::SharedMap;
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
    /// The reviews in the order of the log: of each auditor the latest and the [`REPLACED_KEPT`] before it, and those that
    /// carry an approval. Of the others only the digest is kept.
    pub reviews: Vec<Arc<ReviewRecord>>,
    /// All findings by full name, `<auditor id>/<finding id>`.
    pub findings: BTreeMap<String, Arc<FindingRecord>>,
    /// The approvals that took effect, in the order of the log.
    pub approvals: Vec<ApprovalRecord>,
    /// What each key said so far, by the key's bytes.
    spoke: BTreeMap<[u8; 32], Spoke>,
    /// The digests of all reviews, those that are not kept too.
    reviewed: SharedMap<Digest, ()>,
    /// The indexes of the reviews that carry an approval.
    carrying: BTreeSet<u64>,
}

/// Replaced reviews of an auditor that are kept whole, beside the latest: enough to see how a judgement changed. No rule
/// asks for them.
pub const REPLACED_KEPT: usize = 8;

/// How often a key spoke of a module, and when it last did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spoke {
    latest: Timestamp,
    times: u32,
}

impl ModuleRecord {
    pub(super) fn new(submission: Submission, index: u64, entry: Digest) -> Self {
        Self {
            submission: Arc::new(submission),
            index,
            entry,
            reviews: Vec::new(),
            findings: BTreeMap::new(),
            approvals: Vec::new(),
            spoke: BTreeMap::new(),
            reviewed: SharedMap::new(),
            carrying: BTreeSet::new(),
        }
    }

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

    /// How many reviews were logged, those that are not kept too.
    #[must_use]
    pub fn review_count(&self) -> usize {
        self.reviewed.len()
    }

    /// How many reviews of this key were logged.
    #[must_use]
    pub fn reviews_by(&self, key: &PublicKey) -> u32 {
        self.spoke.get(key.as_bytes()).map_or(0, |spoke| spoke.times)
    }

    /// When the last review of this key was signed, by its own words.
    pub(super) fn latest_of(&self, key: &PublicKey) -> Option<Timestamp> {
        self.spoke.get(key.as_bytes()).map(|spoke| spoke.latest)
    }

    /// Whether the entry of this digest is a review of this module.
    pub(crate) fn was_reviewed_by(&self, entry: &Digest) -> bool {
        self.reviewed.get(entry).is_some()
    }

    /// Adds a judged review, which is later than the last of its key.
    pub(super) fn add_review(&mut self, said: ReviewRecord, k: usize) {
        self.close_findings(&said, k);
        self.open_findings(&said);
        self.reviewed.insert(said.entry, ());
        let times = self.reviews_by(&said.key).saturating_add(1);
        self.spoke.insert(*said.key.as_bytes(), Spoke { latest: said.review.issued, times });
        let said = Arc::new(said);
        self.reviews.push(Arc::clone(&said));
        self.forget_replaced(&said);
    }

    /// Adds a judged approval.
    pub(super) fn add_approval(&mut self, taken: Option<ApprovalRecord>) {
        if let Some(taken) = taken {
            self.carrying.extend(&taken.reviews);
            self.approvals.push(taken);
        }
    }

    /// Gives up the oldest review of whoever said the latest, where enough later ones are there. An auditor is a name with a
    /// key: a name may get another key, and a key another name, and of each the latest review counts.
    fn forget_replaced(&mut self, latest: &ReviewRecord) {
        let same = |said: &ReviewRecord| said.auditor == latest.auditor && said.key == latest.key;
        let replaced = |said: &ReviewRecord| same(said) && !self.carrying.contains(&said.index);
        let mut kept = self.reviews.iter().enumerate().rev().filter(|(_, said)| replaced(said));
        if let Some((oldest, _)) = kept.nth(REPLACED_KEPT + 1) {
            self.reviews.remove(oldest);
        }
    }

    /// Closes what the review closes: one's own finding, or another's that `k` organisations want closed.
    fn close_findings(&mut self, said: &ReviewRecord, k: usize) {
        let publisher = self.publisher().clone();
        for name in &said.review.closes {
            let name = if name.contains('/') { name.clone() } else { format!("{}/{name}", said.auditor) };
            let Some(found) = self.findings.get_mut(&name).map(Arc::make_mut) else { continue };
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
    fn open_findings(&mut self, said: &ReviewRecord) {
        for finding in &said.review.findings {
            let record = FindingRecord {
                author: said.auditor.clone(),
                organisation: said.organisation.clone(),
                finding: finding.clone(),
                index: said.index,
                closers: BTreeSet::new(),
                closed: None,
            };
            self.findings.insert(format!("{}/{}", said.auditor, finding.id), Arc::new(record));
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
