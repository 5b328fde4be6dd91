//! Approvals (rule R2): the center's word takes effect only where enough organisations stand behind it, which everybody
//! counts again.

use super::count::carried;
use super::error::Invalid;
use super::record::ApprovalRecord;
use super::statement::{Approval, ResourceRef, VerificationResult};
use super::submissions::spoken_of;
use crate::ids::Digest;
use crate::registry::entry::Entry;
use crate::registry::states::States;

/// Rule R2. The approval, if it says `PASSED`, and the module that it is about.
pub(super) fn judge(
    states: &States,
    entry: &Entry,
    approval: &Approval,
) -> Result<(Digest, Option<ApprovalRecord>), Invalid> {
    let record = spoken_of(states, entry)?;
    entry.signers(|id| states.keysets.approval_key(id))?;
    if approval.manifest != record.submission.manifest {
        return Err(Invalid::OtherManifest { found: approval.manifest });
    }
    let unknown = |input: &&ResourceRef| !record.was_reviewed_by(&input.digest.0);
    if let Some(input) = approval.input_attestations.iter().find(unknown) {
        return Err(Invalid::UnknownEvidence(input.digest.0));
    }
    if approval.verification_result == VerificationResult::Failed {
        return Ok((record.submission.module, None));
    }
    let evidence = carried(states, record, None, None).map_err(Invalid::Ineffective)?;
    let reviews = evidence.iter().map(|review| review.index).collect();
    let taken = ApprovalRecord { index: entry.index, entry: entry.digest, expires: approval.expires, reviews };
    Ok((record.submission.module, Some(taken)))
}
