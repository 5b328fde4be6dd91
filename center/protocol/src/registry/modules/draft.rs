//! The approval that a center may sign: on which reviews it rests, and what it says.

use super::count::{Evidence, carried};
use super::error::Missing;
use super::statement::{Approval, PolicyRef, ResourceRef, VerificationResult, Verifier};
use crate::ids::Digest;
use crate::registry::fold::Registry;
use crate::statements::Statement;
use crate::statements::digest_set::DigestSet;
use crate::time::Timestamp;

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
    /// The reviews on which the center can approve a module at `now`. While it is suspended only reviews that came after the
    /// suspension count, since only they can lift it.
    ///
    /// # Errors
    /// [`Missing`] saying what still lacks.
    pub fn ready_for_approval(&self, digest: &Digest, now: Timestamp) -> Result<Vec<Evidence>, Missing> {
        if let Some(needed) = &self.stopped {
            return Err(Missing::TooNew(needed.clone()));
        }
        let record = self.states.modules.get(digest).ok_or(Missing::UnknownModule(*digest))?;
        let halts = self.states.halts.of_module(digest);
        if halts.revoked().is_some() {
            return Err(Missing::Revoked);
        }
        carried(&self.states, record, Some(now), halts.latest_active(now))
    }

    /// The approval that the center signs with an approval key, resting on [`Self::ready_for_approval`].
    ///
    /// # Errors
    /// [`Missing`] saying what still lacks.
    pub fn draft_approval(&self, digest: &Digest, draft: &ApprovalDraft) -> Result<Statement, Missing> {
        let evidence = self.ready_for_approval(digest, draft.now)?;
        let record = self.states.modules.get(digest).ok_or(Missing::UnknownModule(*digest))?;
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
                uri: format!("https://iog.example/rules/{}", self.rules_version()),
                digest: DigestSet(*self.genesis_digest()),
            },
            input_attestations: evidence.iter().map(input).collect(),
            verification_result: VerificationResult::Passed,
            verified_levels: vec!["IOG_REVIEWED".to_owned()],
            manifest: record.submission.manifest,
            expires: draft.expires,
        };
        Ok(Statement::about(self.genesis_digest(), subject, approval))
    }
}
