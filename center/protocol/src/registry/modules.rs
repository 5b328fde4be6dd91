//! Submissions: which files are in the registry, under which names, and everything said about them. One file is submitted
//! once; a name and version stand for one file for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::approvals::ApprovalRecord;
use super::entry::Entry;
use super::halts::Halts;
use super::keyset::member;
use super::reviews::{FindingRecord, ReviewRecord};
use super::{Invalid, Registry};
use crate::ids::{Digest, ModuleName, ModuleVersion, OrganisationId};
use crate::statements::{Subject, Submission};
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
    /// What suspends or revokes it.
    pub halts: Halts,
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

    pub(super) fn check_subject(&self, entry: &Entry) -> Result<(), Invalid> {
        if entry.statement.module() == Some(&self.subject()) { Ok(()) } else { Err(Invalid::OtherSubject) }
    }
}

impl Registry {
    pub(super) fn judge_submission(&self, entry: &Entry, submission: &Submission) -> Result<ModuleRecord, Invalid> {
        let namespace = submission.name.namespace();
        let publisher = self.publisher(namespace).ok_or_else(|| Invalid::UnknownNamespace(namespace.to_owned()))?;
        entry.signers(&publisher.keys)?;
        if submission.publisher_organisation != publisher.organisation {
            let (found, expected) = (submission.publisher_organisation.clone(), publisher.organisation.clone());
            return Err(Invalid::OtherOrganisation { found, expected });
        }
        if let Some(earlier) = self.modules.get(&submission.module) {
            return Err(Invalid::AlreadySubmitted { module: submission.module, index: earlier.index });
        }
        if self.find(&submission.name, Some(&submission.version)).is_some() {
            let (name, version) = (submission.name.clone(), submission.version.clone());
            return Err(Invalid::VersionTaken { name, version });
        }
        member(submission.size > 0, "size", "the bytes of a file that is not empty")?;
        let record = ModuleRecord {
            submission: Arc::new(submission.clone()),
            index: entry.index,
            entry: entry.digest,
            reviews: Vec::new(),
            findings: BTreeMap::new(),
            approvals: Vec::new(),
            halts: Halts::default(),
        };
        record.check_subject(entry)?;
        Ok(record)
    }

    pub(super) fn submitted(&self, digest: &Digest) -> Result<&ModuleRecord, Invalid> {
        self.modules.get(digest).ok_or(Invalid::UnknownModule(*digest))
    }

    /// The record a statement about a module speaks of, by its one subject.
    pub(super) fn spoken_of(&self, entry: &Entry) -> Result<&ModuleRecord, Invalid> {
        let digest = entry.statement.module().ok_or(Invalid::OtherSubject)?.digest();
        let record = self.submitted(&digest)?;
        record.check_subject(entry)?;
        if record.halts.revoked().is_some() { Err(Invalid::Revoked) } else { Ok(record) }
    }

    /// The file with this digest, approved or not.
    #[must_use]
    pub fn module(&self, digest: &Digest) -> Option<&ModuleRecord> {
        self.modules.get(digest)
    }

    /// All submitted files, in the order of their digests.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleRecord> {
        self.modules.values()
    }

    /// The file that a name and version stand for, approved or not; without a version the highest that is not a pre-release,
    /// or the highest pre-release where there is nothing else.
    #[must_use]
    pub fn find(&self, name: &ModuleName, version: Option<&ModuleVersion>) -> Option<&ModuleRecord> {
        let mut named = self.modules.values().filter(|record| record.submission.name == *name);
        match version {
            Some(version) => named.find(|record| record.submission.version == *version),
            None => named.max_by_key(|record| {
                let version = &record.submission.version;
                (version.semver().pre.is_empty(), version.clone())
            }),
        }
    }

    /// As [`Self::find`] without a version, but among the files that may run at `now`.
    #[must_use]
    pub fn find_effective(&self, name: &ModuleName, now: Timestamp) -> Option<&ModuleRecord> {
        let named = self.modules.values().filter(|record| record.submission.name == *name);
        let effective = named.filter(|record| self.effective(&record.submission.module, now).is_ok());
        effective.max_by_key(|record| {
            let version = &record.submission.version;
            (version.semver().pre.is_empty(), version.clone())
        })
    }
}
