//! Submissions: one file is submitted once, by the publisher of its namespace; a name and version stand for one file for ever.

use super::error::Invalid;
use super::record::ModuleRecord;
use super::statement::Submission;
use crate::registry::entry::Entry;
use crate::registry::flaw::{Flaw, member};
use crate::registry::keyring::Keyring;
use crate::registry::states::States;

/// The record that a submission begins.
pub(super) fn judge(states: &States, entry: &Entry, submission: &Submission) -> Result<ModuleRecord, Invalid> {
    let namespace = submission.name.namespace();
    let publisher =
        states.keysets.publisher(namespace).ok_or_else(|| Invalid::UnknownNamespace(namespace.to_owned()))?;
    let ring = Keyring::of(&publisher.keys);
    entry.signers(|id| ring.get(id))?;
    if submission.publisher_organisation != publisher.organisation {
        let (found, expected) = (submission.publisher_organisation.clone(), publisher.organisation.clone());
        return Err(Invalid::OtherOrganisation { found, expected });
    }
    if let Some(earlier) = states.modules.get(&submission.module) {
        return Err(Invalid::AlreadySubmitted { module: submission.module, index: earlier.index });
    }
    if states.modules.version(&submission.name, &submission.version).is_some() {
        let (name, version) = (submission.name.clone(), submission.version.clone());
        return Err(Invalid::VersionTaken { name, version });
    }
    member(submission.size > 0, "size", "the bytes of a file that is not empty")?;
    let record = ModuleRecord::new(submission.clone(), entry.index, entry.digest);
    record.check_subject(entry)?;
    Ok(record)
}

/// The record that a statement about a module speaks of, by its one subject.
pub(super) fn spoken_of<'a>(states: &'a States, entry: &Entry) -> Result<&'a ModuleRecord, Invalid> {
    let digest = entry.statement.module().ok_or(Flaw::OtherSubject)?.digest();
    let record = states.modules.get(&digest).ok_or(Invalid::UnknownModule(digest))?;
    record.check_subject(entry)?;
    if states.halts.of_module(&digest).revoked().is_some() { Err(Invalid::Revoked) } else { Ok(record) }
}
