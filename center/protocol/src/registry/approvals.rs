//! Approvals (rule R2): the center's word takes effect only where enough organisations stand behind it, which everybody
//! counts again. What depends on time is asked with a time.

use std::sync::Arc;

use super::entry::Entry;
use super::modules::ModuleRecord;
use super::{Invalid, Missing, NotEffective, RULES_VERSION, Registry};
use crate::capabilities::Capabilities;
use crate::ids::{Digest, OrganisationId};
use crate::statements::{
    Approval, DigestSet, PolicyRef, ResourceRef, Statement, Submission, VerificationResult, Verifier,
};
use crate::time::Timestamp;

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

/// A module that may run at the moment asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveModule {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// SHA-256 of the manifest's text.
    pub manifest: Digest,
    /// What the publisher signed.
    pub submission: Arc<Submission>,
    /// The submission's index in the log.
    pub submission_index: u64,
    /// The approval's index in the log.
    pub approval_index: u64,
}

impl EffectiveModule {
    /// What it can touch and ask.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.submission.capabilities
    }
}

/// A review that an approval can rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its index in the log.
    pub index: u64,
    /// The digest of its bytes.
    pub entry: Digest,
    /// Whose vote it is.
    pub organisation: OrganisationId,
}

/// What the center says of itself in an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalDraft {
    /// Who verified, a URI.
    pub verifier: String,
    /// When.
    pub now: Timestamp,
    /// After this moment the approval has no effect.
    pub expires: Option<Timestamp>,
}

impl Registry {
    /// Organisations that must approve: k, and one more for anything but public data.
    #[must_use]
    pub fn needed_reviews(&self, record: &ModuleRecord) -> u32 {
        let k = self.genesis.thresholds.k;
        if record.submission.capabilities.is_public() { k } else { k.saturating_add(1) }
    }

    /// Rule R2; `Ok(None)` for a summary that says `FAILED`, which changes nothing.
    pub(super) fn judge_approval(
        &self,
        entry: &Entry,
        approval: &Approval,
    ) -> Result<Option<(Digest, ApprovalRecord)>, Invalid> {
        let record = self.spoken_of(entry)?;
        entry.signers(&self.keyset.approval)?;
        if approval.manifest != record.submission.manifest {
            return Err(Invalid::OtherManifest { found: approval.manifest });
        }
        let known = |input: &&ResourceRef| !record.reviews.iter().any(|said| said.entry == input.digest.0);
        if let Some(input) = approval.input_attestations.iter().find(known) {
            return Err(Invalid::UnknownEvidence(input.digest.0));
        }
        if approval.verification_result == VerificationResult::Failed {
            return Ok(None);
        }
        let evidence = self.carried(record, None, None).map_err(Invalid::Ineffective)?;
        let reviews = evidence.iter().map(|review| review.index).collect();
        let taken = ApprovalRecord { index: entry.index, entry: entry.digest, expires: approval.expires, reviews };
        Ok(Some((record.submission.module, taken)))
    }

    /// The reviews that carry an approval, if they suffice: those that count, after entry `after` if given.
    fn carried(
        &self,
        record: &ModuleRecord,
        now: Option<Timestamp>,
        after: Option<u64>,
    ) -> Result<Vec<Evidence>, Missing> {
        let open = record.open_blocking();
        if !open.is_empty() {
            return Err(Missing::Findings(open));
        }
        let counted = self.counted(record, now).into_iter().filter(|said| after.is_none_or(|after| said.index > after));
        let evidence: Vec<Evidence> = counted
            .map(|said| Evidence { index: said.index, entry: said.entry, organisation: said.organisation.clone() })
            .collect();
        let (found, needed) = (u32::try_from(evidence.len()).unwrap_or(u32::MAX), self.needed_reviews(record));
        if found >= needed { Ok(evidence) } else { Err(Missing::Reviews { found, needed }) }
    }

    /// The reviews on which the center can approve a module at `now`. While it is suspended only reviews that came after the
    /// suspension count, since only they can lift it.
    ///
    /// # Errors
    /// [`Missing`] saying what still lacks.
    pub fn ready_for_approval(&self, digest: &Digest, now: Timestamp) -> Result<Vec<Evidence>, Missing> {
        if let Some(needed) = self.stopped {
            return Err(Missing::RulesTooNew(needed));
        }
        let record = self.modules.get(digest).ok_or(Missing::UnknownModule(*digest))?;
        if record.halts.revoked().is_some() {
            return Err(Missing::Revoked);
        }
        self.carried(record, Some(now), record.halts.latest_active(now))
    }

    /// The approval that the center signs with an approval key, resting on [`Self::ready_for_approval`].
    ///
    /// # Errors
    /// [`Missing`] saying what still lacks.
    pub fn draft_approval(&self, digest: &Digest, draft: &ApprovalDraft) -> Result<Statement, Missing> {
        let evidence = self.ready_for_approval(digest, draft.now)?;
        let record = self.modules.get(digest).ok_or(Missing::UnknownModule(*digest))?;
        let subject = record.subject();
        let input = |review: &Evidence| ResourceRef {
            uri: format!("iog:log:{}", review.index),
            digest: DigestSet(review.entry),
        };
        let approval = Approval {
            verifier: Verifier { id: draft.verifier.clone() },
            time_verified: draft.now,
            resource_uri: format!("iog:module:{}", subject.name),
            policy: PolicyRef {
                uri: format!("https://iog.example/rules/{RULES_VERSION}"),
                digest: DigestSet(self.genesis_digest),
            },
            input_attestations: evidence.iter().map(input).collect(),
            verification_result: VerificationResult::Passed,
            verified_levels: vec!["IOG_REVIEWED".to_owned()],
            manifest: record.submission.manifest,
            expires: draft.expires,
        };
        Ok(Statement::about(&self.genesis_digest, subject, approval))
    }

    /// The module, if it may run at `now`: an approval in effect and unexpired, carried by enough unexpired reviews, not
    /// revoked, not suspended (or approved anew on reviews that came after the suspension), under an unexpired keyset.
    ///
    /// # Errors
    /// [`NotEffective`] saying why not.
    pub fn effective(&self, digest: &Digest, now: Timestamp) -> Result<EffectiveModule, NotEffective> {
        if let Some(needed) = self.stopped {
            return Err(NotEffective::RulesTooNew { needed, ours: RULES_VERSION });
        }
        let record = self.modules.get(digest).ok_or(NotEffective::UnknownModule(*digest))?;
        if record.halts.revoked().is_some() {
            return Err(NotEffective::Revoked(*digest));
        }
        if now >= self.keyset.expires {
            return Err(NotEffective::KeysetExpired(self.keyset.expires));
        }
        let holds = |after: Option<u64>| {
            record.approvals.iter().rev().find(|approval| self.approval_holds(record, approval, now, after))
        };
        let suspension = record.halts.suspension(now);
        let approval = holds(record.halts.latest_active(now));
        match (approval, suspension) {
            (Some(approval), _) => Ok(self.effective_by(record, approval)),
            (None, _) if record.approvals.is_empty() => Err(NotEffective::NotApproved(*digest)),
            (None, Some(suspension)) => Err(NotEffective::Suspended { module: *digest, until: suspension.until }),
            (None, None) => Err(NotEffective::Expired(*digest)),
        }
    }

    /// Whether the approval at log index `approval` let a module run at `at`, for a reader of the first `size` entries: what came
    /// later does not count, nor whether the keyset of that time had expired.
    ///
    /// # Errors
    /// [`NotEffective`] saying why not.
    pub fn was_effective(&self, digest: &Digest, approval: u64, size: u64, at: Timestamp) -> Result<(), NotEffective> {
        let record = self.modules.get(digest).ok_or(NotEffective::UnknownModule(*digest))?;
        let named = record.approvals.iter().find(|taken| taken.index == approval && approval < size);
        let named = named.ok_or(NotEffective::NotApproved(*digest))?;
        if record.halts.revoked().is_some_and(|index| index < size) {
            return Err(NotEffective::Revoked(*digest));
        }
        let suspension = record.halts.suspension_before(size, at);
        match (self.approval_holds(record, named, at, suspension.map(|s| s.index)), suspension) {
            (true, _) => Ok(()),
            (false, Some(suspension)) => Err(NotEffective::Suspended { module: *digest, until: suspension.until }),
            (false, None) => Err(NotEffective::Expired(*digest)),
        }
    }

    fn approval_holds(
        &self,
        record: &ModuleRecord,
        approval: &ApprovalRecord,
        now: Timestamp,
        after: Option<u64>,
    ) -> bool {
        let later = |index: u64| after.is_none_or(|after| index > after);
        let carrying = |said: &&super::ReviewRecord| {
            approval.reviews.binary_search(&said.index).is_ok() && later(said.index) && said.unexpired(Some(now))
        };
        let carried = record.reviews.iter().filter(carrying).count();
        let unexpired = approval.expires.is_none_or(|expires| now < expires);
        unexpired && carried >= self.needed_reviews(record) as usize
    }

    fn effective_by(&self, record: &ModuleRecord, approval: &ApprovalRecord) -> EffectiveModule {
        EffectiveModule {
            digest: record.submission.module,
            manifest: record.submission.manifest,
            submission: Arc::clone(&record.submission),
            submission_index: record.index,
            approval_index: approval.index,
        }
    }

    /// True if a suspension of the module is in force at `now`, also where a later approval lifted it.
    #[must_use]
    pub fn has_suspension(&self, digest: &Digest, now: Timestamp) -> bool {
        self.modules.get(digest).is_some_and(|record| record.halts.suspension(now).is_some())
    }
}
