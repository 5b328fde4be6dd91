//! Modules of the registry as the HTTP interface shows them. Pure.

use iog_protocol::{
    api::{ModuleDetail, ModuleState, ModuleSummary, ReviewSummary},
    registry::{ModuleRecord, NotEffective, Registry},
    statements::Verdict,
    time::Timestamp,
};

pub(crate) fn summary(registry: &Registry, record: &ModuleRecord, now: Timestamp) -> ModuleSummary {
    ModuleSummary {
        digest: record.submission.module,
        name: record.submission.name.clone(),
        version: record.submission.version.clone(),
        state: state(registry, record, now),
        index: record.index,
        approvals: approving(registry, record, now),
        needed: registry.needed_reviews(record),
    }
}

pub(crate) fn detail(registry: &Registry, record: &ModuleRecord, now: Timestamp) -> ModuleDetail {
    let submission = &record.submission;
    let effective = registry.effective(&submission.module, now);
    ModuleDetail {
        summary: summary(registry, record, now),
        manifest: submission.manifest,
        size: submission.size,
        capabilities: submission.capabilities.clone(),
        publisher_organisation: submission.publisher_organisation.clone(),
        repository: submission.source.repository.clone(),
        commit: submission.source.commit.clone(),
        reviews: record.reviews.iter().map(|said| review(said)).collect(),
        approval_index: effective.as_ref().ok().map(|module| module.approval_index),
        reason: effective.err().map(|why| match registry.ready_for_approval(&submission.module, now) {
            Err(missing) => format!("{why}: {missing}"),
            Ok(_) => why.to_string(),
        }),
    }
}

fn review(said: &iog_protocol::registry::ReviewRecord) -> ReviewSummary {
    let verdict = match said.review.verdict {
        Verdict::Approve => "approve",
        Verdict::Reject => "reject",
        Verdict::Abstain => "abstain",
    };
    ReviewSummary {
        index: said.index,
        auditor: said.auditor.clone(),
        organisation: said.organisation.clone(),
        verdict: verdict.to_owned(),
        findings: u32::try_from(said.review.findings.len()).unwrap_or(u32::MAX),
    }
}

fn state(registry: &Registry, record: &ModuleRecord, now: Timestamp) -> ModuleState {
    match registry.effective(&record.submission.module, now) {
        Ok(_) => ModuleState::Approved,
        Err(NotEffective::Revoked(_)) => ModuleState::Revoked,
        Err(NotEffective::Suspended { .. }) => ModuleState::Suspended,
        Err(NotEffective::Expired(_) | NotEffective::KeysetExpired(_)) => ModuleState::Expired,
        Err(_) if latest(record).any(|said| said.review.verdict == Verdict::Reject) => ModuleState::Rejected,
        Err(_) => ModuleState::Submitted,
    }
}

/// The last word of every auditor.
fn latest(record: &ModuleRecord) -> impl Iterator<Item = &iog_protocol::registry::ReviewRecord> {
    let reviews = &record.reviews;
    let later = |at: usize| reviews[at + 1..].iter().any(|other| other.auditor == reviews[at].auditor);
    reviews.iter().enumerate().filter(move |(at, _)| !later(*at)).map(|(_, said)| said.as_ref())
}

/// Organisations whose approval counts now.
fn approving(registry: &Registry, record: &ModuleRecord, now: Timestamp) -> u32 {
    use iog_protocol::registry::Missing;
    match registry.ready_for_approval(&record.submission.module, now) {
        Ok(evidence) => u32::try_from(evidence.len()).unwrap_or(u32::MAX),
        Err(Missing::Reviews { found, .. }) => found,
        Err(_) => 0,
    }
}
