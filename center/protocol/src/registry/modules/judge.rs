//! What is said about modules: each type is judged in its own file, and all of it is committed here.

use super::error::Invalid;
use super::record::{ApprovalRecord, ModuleRecord, ReviewRecord};
use super::{approvals, reviews, submissions};
use crate::ids::Digest;
use crate::registry::entry::Entry;
use crate::registry::flaw::Flaw;
use crate::registry::states::States;
use crate::statements::Predicate;

/// What a statement of this family changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// This file is offered for review.
    Submitted(Digest),
    /// An auditor spoke of this file.
    Reviewed(Digest),
    /// The center approved this file, rightly.
    Approved(Digest),
    /// The center said of this file that it is not approved, which has no effect.
    Declined(Digest),
}

/// What a judged statement adds to a module's record.
pub(crate) enum Effect {
    Submission(Box<ModuleRecord>),
    Review(Digest, Box<ReviewRecord>),
    Approval(Digest, Option<ApprovalRecord>),
}

impl Effect {
    pub(crate) fn change(&self) -> Change {
        match self {
            Self::Submission(record) => Change::Submitted(record.submission.module),
            Self::Review(module, _) => Change::Reviewed(*module),
            Self::Approval(module, Some(_)) => Change::Approved(*module),
            Self::Approval(module, None) => Change::Declined(*module),
        }
    }
}

/// Judges a submission, a review or an approval.
pub(crate) fn judge(states: &States, entry: &Entry) -> Result<Effect, Invalid> {
    match &entry.statement.predicate {
        Predicate::Submission(submission) => {
            Ok(Effect::Submission(Box::new(submissions::judge(states, entry, submission)?)))
        }
        Predicate::Review(review) => {
            let (module, said) = reviews::judge(states, entry, review)?;
            Ok(Effect::Review(module, Box::new(said)))
        }
        Predicate::Approval(approval) => {
            let (module, taken) = approvals::judge(states, entry, approval)?;
            Ok(Effect::Approval(module, taken))
        }
        _ => Err(Flaw::OtherFamily.into()),
    }
}

/// Adds what was judged to the module's record.
pub(crate) fn commit(states: &mut States, _index: u64, effect: Effect) {
    match effect {
        Effect::Submission(record) => states.modules.insert(*record),
        Effect::Review(module, said) => {
            let k = states.keysets.genesis.thresholds.k as usize;
            if let Some(record) = states.modules.get_mut(&module) {
                record.add_review(*said, k);
            }
        }
        Effect::Approval(module, taken) => {
            if let Some(record) = states.modules.get_mut(&module) {
                record.add_approval(taken);
            }
        }
    }
}
