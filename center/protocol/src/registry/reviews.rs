//! Reviews (rules R1 and R3): who may speak, whose word is the latest, which findings are open. Whether enough speak for a
//! module is counted in `approvals`.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Entry;
use super::keyset::member;
use super::modules::ModuleRecord;
use super::{Invalid, Registry};
use crate::ids::{Digest, OrganisationId};
use crate::keys::PublicKey;
use crate::statements::{Auditor, Finding, Review, Scope, Severity, Verdict};
use crate::time::Timestamp;

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

impl Registry {
    pub(super) fn judge_review(&self, entry: &Entry, review: &Review) -> Result<(Digest, ReviewRecord), Invalid> {
        let record = self.spoken_of(entry)?;
        let signers = entry.signers(self.keyset.auditors.iter().map(|auditor| &auditor.key))?;
        let [key] = signers[..] else {
            let found = signers.len() as u64;
            return Err(Invalid::TooFewSigners { who: "exactly one auditor", needed: 1, found });
        };
        let auditor = self.auditor(&key).ok_or(Invalid::TooFewSigners { who: "an auditor", needed: 1, found: 0 })?;
        if review.manifest != record.submission.manifest {
            return Err(Invalid::OtherManifest { found: review.manifest });
        }
        let latest = record.reviews.iter().filter(|said| said.key == key).map(|said| said.review.issued).max();
        if let Some(latest) = latest.filter(|latest| review.issued <= *latest) {
            return Err(Invalid::ReviewOutdated { auditor: auditor.id.clone(), latest });
        }
        check_findings(review)?;
        let unknown = review.closes.iter().find(|name| !record.findings.contains_key(&full_name(auditor, name)));
        if let Some(name) = unknown {
            return Err(Invalid::UnknownFinding(full_name(auditor, name)));
        }
        let said = ReviewRecord {
            index: entry.index,
            entry: entry.digest,
            auditor: auditor.id.clone(),
            organisation: auditor.organisation.clone(),
            key,
            review: review.clone(),
        };
        Ok((record.submission.module, said))
    }

    pub(super) fn commit_review(&mut self, module: &Digest, said: ReviewRecord) {
        let k = self.genesis.thresholds.k as usize;
        if let Some(record) = self.modules.get_mut(module) {
            record.close_findings(&said, k);
            record.open_findings(&said);
            record.reviews.push(said);
        }
    }

    /// The reviews that count, one for each organisation, in the order of the log: the latest of each auditor who still holds
    /// the role, unexpired at `now` if that is given, of organisations that approve and are not the publisher's.
    pub(super) fn counted<'a>(&self, record: &'a ModuleRecord, now: Option<Timestamp>) -> Vec<&'a ReviewRecord> {
        let mut latest: BTreeMap<&str, &ReviewRecord> = BTreeMap::new();
        for said in &record.reviews {
            latest.insert(&said.auditor, said);
        }
        let mut votes: BTreeMap<&OrganisationId, Option<&ReviewRecord>> = BTreeMap::new();
        for said in latest.into_values().filter(|said| self.still_holds(said) && said.unexpired(now)) {
            let counts = said.review.verdict == Verdict::Approve && self.scope_suffices(record, said.review.scope);
            match said.review.verdict {
                Verdict::Reject => drop(votes.insert(&said.organisation, None)),
                Verdict::Approve if counts => drop(votes.entry(&said.organisation).or_insert(Some(said))),
                Verdict::Approve | Verdict::Abstain => {}
            }
        }
        votes.remove(record.publisher());
        let mut counted: Vec<_> = votes.into_values().flatten().collect();
        counted.sort_by_key(|said| said.index);
        counted
    }

    fn still_holds(&self, said: &ReviewRecord) -> bool {
        let same = |auditor: &Auditor| auditor.id == said.auditor && auditor.organisation == said.organisation;
        self.auditor(&said.key).is_some_and(same)
    }

    /// Rule R3: the difference to an approved version of the same module suffices where nothing more is asked for.
    fn scope_suffices(&self, record: &ModuleRecord, scope: Scope) -> bool {
        let Scope::Delta { from } = scope else { return true };
        self.modules.get(&from).is_some_and(|former| {
            former.index != record.index
                && former.submission.name == record.submission.name
                && !former.approvals.is_empty()
                && former.halts.revoked().is_none()
                && record.submission.capabilities.superset_of_nothing_new(&former.submission.capabilities)
        })
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

impl ModuleRecord {
    /// The full names of the blocking findings that are open.
    #[must_use]
    pub fn open_blocking(&self) -> Vec<String> {
        self.findings.iter().filter(|(_, found)| found.blocks()).map(|(name, _)| name.clone()).collect()
    }

    fn close_findings(&mut self, said: &ReviewRecord, k: usize) {
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

    /// A finding that its author repeats is open again.
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
            self.findings.insert(format!("{}/{}", said.auditor, finding.id), record);
        }
    }
}

fn full_name(auditor: &Auditor, name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("{}/{name}", auditor.id) }
}

fn check_findings(review: &Review) -> Result<(), Invalid> {
    let ids: BTreeSet<&str> = review.findings.iter().map(|finding| &finding.id[..]).collect();
    member(ids.len() == review.findings.len(), "findings", "of different ids")?;
    let plain = |id: &&str| {
        (1..=63).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    member(ids.iter().all(plain), "findings.id", "1 to 63 of A-Z, a-z, 0-9, `-`, `_` and `.`")
}
