//! Suspension and revocation (rule R4), the same for modules and domains. One auditor's organisation may stop a target for
//! some hours, once; two organisations, the root, or the owner stop it for good. The center has no part in this.

use std::collections::BTreeMap;

use super::error::Invalid;
use super::state::{Halt, Halts, Party, Suspension};
use super::statement::{Revocation, RevocationSeverity, Target};
use crate::ids::{KeyId, OrganisationId};
use crate::keys::PublicKey;
use crate::registry::entry::Entry;
use crate::registry::flaw::{Flaw, member};
use crate::registry::keyring::Keyring;
use crate::registry::states::States;
use crate::statements::{Keyset, Predicate};

/// Organisations that together revoke for good.
const REVOKERS_MIN: usize = 2;

/// What a statement of this family changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it stops.
    pub target: Target,
    /// True if it stops it for good.
    pub revoked: bool,
}

/// What a revocation adds, and to which target.
pub(crate) struct Effect {
    target: Target,
    halt: Halt,
}

impl Effect {
    pub(crate) fn change(&self) -> Change {
        Change { target: self.target.clone(), revoked: self.halt.revokes }
    }
}

/// Adds a judged revocation.
pub(crate) fn commit(states: &mut States, index: u64, effect: Effect) {
    states.halts.add(effect.target, index, effect.halt);
}

/// Rule R4.
pub(crate) fn judge(states: &States, entry: &Entry) -> Result<Effect, Invalid> {
    let Predicate::Revocation(revocation) = &entry.statement.predicate else { return Err(Flaw::OtherFamily.into()) };
    member(revocation.reason_code.len() <= 64, "reason_code", "at most 64 bytes")?;
    let (halts, owners) = target(states, entry, &revocation.target)?;
    if halts.revoked().is_some() {
        return Err(Invalid::Revoked);
    }
    let owning = Keyring::of(owners);
    let governing = |id: &KeyId| states.keysets.root_key(id).or_else(|| states.keysets.auditor_key(id));
    let signers = entry.signers(|id| governing(id).or_else(|| owning.get(id)))?;
    let mut parties = parties(states, &signers, owners)?;
    let statement = entry.payload_digest();
    parties.retain(|(party, _)| !halts.counted(statement, party));
    if parties.is_empty() {
        return Err(Invalid::SaidBefore);
    }
    let said = parties.iter().map(|(party, _)| (statement, party.clone())).collect();
    let case = Case { states, index: entry.index, revocation, halts };
    let halt = match revocation.severity {
        RevocationSeverity::Suspend => judge_suspension(&case, parties)?,
        RevocationSeverity::Revoke => judge_final(&case, parties),
    };
    Ok(Effect { target: revocation.target.clone(), halt: Halt { said, ..halt } })
}

fn target<'a>(states: &'a States, entry: &Entry, target: &Target) -> Result<(&'a Halts, &'a [PublicKey]), Invalid> {
    match target {
        Target::Module(digest) => {
            let record = states.modules.get(digest).ok_or(Invalid::UnknownModule(*digest))?;
            record.check_subject(entry)?;
            let publisher = states.keysets.publisher(record.submission.name.namespace());
            let own = publisher.filter(|publisher| publisher.organisation == *record.publisher());
            Ok((states.halts.of_module(digest), own.map_or(&[], |publisher| &publisher.keys)))
        }
        Target::Domain(id) => {
            let state = states.members.get(id).ok_or_else(|| Invalid::UnknownDomain(id.clone()))?;
            Ok((states.halts.of_domain(id), std::slice::from_ref(&state.record.caller_key)))
        }
    }
}

fn parties(states: &States, signers: &[PublicKey], owners: &[PublicKey]) -> Result<Vec<(Party, PublicKey)>, Flaw> {
    let mut parties = Vec::new();
    for key in signers {
        if let Some(auditor) = states.keysets.auditor(key) {
            parties.push((Party::Organisation(auditor.organisation.clone()), *key));
        }
        if owners.contains(key) {
            parties.push((Party::Owner, *key));
        }
    }
    match states.keysets.root_signed(signers) {
        Ok(()) => parties.push((Party::Root, signers[0])),
        Err(too_few) if parties.is_empty() => return Err(too_few),
        Err(_) => {}
    }
    Ok(parties)
}

/// One revocation that is being judged.
struct Case<'a> {
    states: &'a States,
    index: u64,
    revocation: &'a Revocation,
    halts: &'a Halts,
}

fn judge_suspension(case: &Case<'_>, parties: Vec<(Party, PublicKey)>) -> Result<Halt, Invalid> {
    let mut refused = None;
    let mut suspensions: Vec<Suspension> = Vec::new();
    for (party, _) in parties {
        match &party {
            Party::Organisation(organisation) if !case.halts.may_suspend(organisation) => {
                refused = Some(Invalid::SuspendedBefore(organisation.clone()));
            }
            _ if suspensions.iter().any(|s| s.party == party) => {}
            _ => suspensions.push(suspension(case, party)),
        }
    }
    match refused {
        Some(reason) if suspensions.is_empty() => Err(reason),
        _ => Ok(Halt { suspensions, ..Halt::default() }),
    }
}

/// A revocation is final with the root, the owner, or two organisations whose auditors still hold their role. Until the
/// second organisation follows, the first one's counts as a suspension where it may still suspend.
fn judge_final(case: &Case<'_>, parties: Vec<(Party, PublicKey)>) -> Halt {
    let mut votes: BTreeMap<OrganisationId, PublicKey> = case.halts.votes().clone();
    votes.retain(|organisation, key| holds_role(&case.states.keysets.keyset, organisation, key));
    let mut halt = Halt::default();
    for (party, key) in parties {
        match party {
            Party::Root | Party::Owner => halt.revokes = true,
            Party::Organisation(organisation) => {
                if case.halts.may_suspend(&organisation) && !votes.contains_key(&organisation) {
                    let party = Party::Organisation(organisation.clone());
                    halt.suspensions.push(suspension(case, party));
                }
                votes.insert(organisation.clone(), key);
                halt.votes.push((organisation, key));
            }
        }
    }
    halt.revokes |= votes.len() >= REVOKERS_MIN;
    halt
}

fn suspension(case: &Case<'_>, party: Party) -> Suspension {
    let hours = case.states.keysets.genesis.thresholds.suspension_hours;
    let latest = case.revocation.issued.plus_hours(i64::from(hours));
    let until = case.revocation.until.map_or(latest, |until| until.min(latest));
    Suspension { party, index: case.index, from: case.revocation.issued, until }
}

fn holds_role(keyset: &Keyset, organisation: &OrganisationId, key: &PublicKey) -> bool {
    keyset.auditors.iter().any(|auditor| auditor.organisation == *organisation && auditor.key == *key)
}
