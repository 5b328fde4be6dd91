//! Reviews (rules R1 and R3): who may speak, and whose word is the latest. Whether enough speak for a module is counted in
//! `count`.

use std::collections::BTreeSet;

use super::error::Invalid;
use super::record::ReviewRecord;
use super::statement::Review;
use super::submissions::spoken_of;
use crate::ids::Digest;
use crate::registry::entry::Entry;
use crate::registry::flaw::{Flaw, member};
use crate::registry::states::States;
use crate::statements::Auditor;

/// The review, and the module that it is about.
pub(super) fn judge(states: &States, entry: &Entry, review: &Review) -> Result<(Digest, ReviewRecord), Invalid> {
    let record = spoken_of(states, entry)?;
    let signers = entry.signers(|id| states.keysets.auditor_key(id))?;
    let [key] = signers[..] else {
        let found = signers.len() as u64;
        return Err(Flaw::TooFewSigners { who: "exactly one auditor", needed: 1, found }.into());
    };
    let nobody = Flaw::TooFewSigners { who: "an auditor", needed: 1, found: 0 };
    let auditor = states.keysets.auditor(&key).ok_or(nobody)?;
    if review.manifest != record.submission.manifest {
        return Err(Invalid::OtherManifest { found: review.manifest });
    }
    if let Some(latest) = record.latest_of(&key).filter(|latest| review.issued <= *latest) {
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

fn full_name(auditor: &Auditor, name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("{}/{name}", auditor.id) }
}

fn check_findings(review: &Review) -> Result<(), Flaw> {
    let ids: BTreeSet<&str> = review.findings.iter().map(|finding| &finding.id[..]).collect();
    member(ids.len() == review.findings.len(), "findings", "of different ids")?;
    let plain = |id: &&str| {
        (1..=63).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    member(ids.iter().all(plain), "findings.id", "1 to 63 of A-Z, a-z, 0-9, `-`, `_` and `.`")
}
