//! Whether a module may run. All of it depends on time, so it is asked with a time.

use std::sync::Arc;

use super::count::needed;
use super::error::NotEffective;
use super::record::{ApprovalRecord, ModuleRecord, ReviewRecord};
use super::state::highest;
use super::statement::Submission;
use crate::capabilities::Capabilities;
use crate::ids::{Digest, ModuleName};
use crate::registry::fold::Registry;
use crate::time::Timestamp;

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

impl Registry {
    /// The module, if it may run at `now`: an approval in effect and unexpired, carried by enough unexpired reviews, not
    /// revoked, not suspended (or approved anew on reviews that came after the suspension), under an unexpired keyset.
    ///
    /// # Errors
    /// [`NotEffective`] saying why not.
    pub fn effective(&self, digest: &Digest, now: Timestamp) -> Result<EffectiveModule, NotEffective> {
        if let Some(needed) = &self.stopped {
            return Err(NotEffective::TooNew(needed.clone()));
        }
        let record = self.states.modules.get(digest).ok_or(NotEffective::UnknownModule(*digest))?;
        let halts = self.states.halts.of_module(digest);
        if halts.revoked().is_some() {
            return Err(NotEffective::Revoked(*digest));
        }
        if now >= self.states.keysets.keyset.expires {
            return Err(NotEffective::KeysetExpired(self.states.keysets.keyset.expires));
        }
        let holds = |after: Option<u64>| {
            record.approvals.iter().rev().find(|approval| self.approval_holds(record, approval, now, after))
        };
        let suspension = halts.suspension(now);
        let approval = holds(halts.latest_active(now));
        match (approval, suspension) {
            (Some(approval), _) => Ok(effective_by(record, approval)),
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
        let record = self.states.modules.get(digest).ok_or(NotEffective::UnknownModule(*digest))?;
        let named = record.approvals.iter().find(|taken| taken.index == approval && approval < size);
        let named = named.ok_or(NotEffective::NotApproved(*digest))?;
        let halts = self.states.halts.of_module(digest);
        if halts.revoked().is_some_and(|index| index < size) {
            return Err(NotEffective::Revoked(*digest));
        }
        let suspension = halts.suspension_before(size, at);
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
        let carrying = |said: &&Arc<ReviewRecord>| {
            approval.reviews.binary_search(&said.index).is_ok() && later(said.index) && said.unexpired(Some(now))
        };
        let carried = record.reviews.iter().filter(carrying).count();
        let unexpired = approval.expires.is_none_or(|expires| now < expires);
        unexpired && carried >= needed(&self.states, record) as usize
    }

    /// True if a suspension of the module is in force at `now`, also where a later approval lifted it.
    #[must_use]
    pub fn has_suspension(&self, digest: &Digest, now: Timestamp) -> bool {
        self.states.halts.of_module(digest).suspension(now).is_some()
    }

    /// As [`Self::find`] without a version, but among the files that may run at `now`.
    #[must_use]
    pub fn find_effective(&self, name: &ModuleName, now: Timestamp) -> Option<&ModuleRecord> {
        let named = self.states.modules.named(name);
        highest(named.into_iter().filter(|record| self.effective(&record.submission.module, now).is_ok()))
    }
}

fn effective_by(record: &ModuleRecord, approval: &ApprovalRecord) -> EffectiveModule {
    EffectiveModule {
        digest: record.submission.module,
        manifest: record.submission.manifest,
        submission: Arc::clone(&record.submission),
        submission_index: record.index,
        approval_index: approval.index,
    }
}
