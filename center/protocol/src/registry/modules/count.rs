//! Counting (rules R1 to R3): which reviews count, and whether they carry an approval.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Missing;
use super::record::{ModuleRecord, ReviewRecord};
use super::statement::{Scope, Verdict};
use crate::ids::{Digest, OrganisationId};
use crate::registry::states::States;
use crate::statements::Auditor;
use crate::time::Timestamp;

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

/// Organisations that must approve: k, and one more for anything but public data.
pub(super) fn needed(states: &States, record: &ModuleRecord) -> u32 {
    let k = states.keysets.genesis.thresholds.k;
    if record.submission.capabilities.is_public() { k } else { k.saturating_add(1) }
}

/// The reviews that carry an approval, if they suffice: those that count, after entry `after` if given.
pub(super) fn carried(
    states: &States,
    record: &ModuleRecord,
    now: Option<Timestamp>,
    after: Option<u64>,
) -> Result<Vec<Evidence>, Missing> {
    let open = record.open_blocking();
    if !open.is_empty() {
        return Err(Missing::Findings(open));
    }
    let counted = counted(states, record, now).into_iter().filter(|said| after.is_none_or(|after| said.index > after));
    let evidence: Vec<Evidence> = counted
        .map(|said| Evidence { index: said.index, entry: said.entry, organisation: said.organisation.clone() })
        .collect();
    let (found, needed) = (u32::try_from(evidence.len()).unwrap_or(u32::MAX), needed(states, record));
    if found >= needed { Ok(evidence) } else { Err(Missing::Reviews { found, needed }) }
}

/// The reviews that count, one for each organisation, in the order of the log: the latest of each auditor who still holds
/// the role, unexpired at `now` if that is given, of organisations that approve and are not the publisher's.
fn counted<'a>(states: &States, record: &'a ModuleRecord, now: Option<Timestamp>) -> Vec<&'a ReviewRecord> {
    let mut latest: BTreeMap<&str, &ReviewRecord> = BTreeMap::new();
    for said in record.reviews.iter().map(Arc::as_ref) {
        latest.insert(&said.auditor, said);
    }
    let mut votes: BTreeMap<&OrganisationId, Option<&ReviewRecord>> = BTreeMap::new();
    for said in latest.into_values().filter(|said| still_holds(states, said) && said.unexpired(now)) {
        let counts = said.review.verdict == Verdict::Approve && scope_suffices(states, record, said.review.scope);
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

fn still_holds(states: &States, said: &ReviewRecord) -> bool {
    let same = |auditor: &Auditor| auditor.id == said.auditor && auditor.organisation == said.organisation;
    states.keysets.auditor(&said.key).is_some_and(same)
}

/// Rule R3: the difference to an approved version of the same module suffices where nothing more is asked for.
fn scope_suffices(states: &States, record: &ModuleRecord, scope: Scope) -> bool {
    let Scope::Delta { from } = scope else { return true };
    states.modules.get(&from).is_some_and(|former| {
        former.index != record.index
            && former.submission.name == record.submission.name
            && !former.approvals.is_empty()
            && states.halts.of_module(&from).revoked().is_none()
            && record.submission.capabilities.superset_of_nothing_new(&former.submission.capabilities)
    })
}
