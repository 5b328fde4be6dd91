//! Suspension and revocation (rule R4), the same for modules and domains. One auditor's organisation may stop a target for
//! some hours, once; two organisations, the root, or the owner stop it for good. The center is no party here.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Entry;
use super::keyset::member;
use super::{Invalid, Registry};
use crate::ids::{Digest, OrganisationId};
use crate::keys::PublicKey;
use crate::statements::{Keyset, Revocation, RevocationSeverity, Target};
use crate::time::Timestamp;

/// How far a signer's clock may be ahead before its suspension begins, in seconds.
const CLOCK_SKEW_S: i64 = 600;

/// Organisations that together revoke for good.
const REVOKERS_MIN: usize = 2;

/// Who stopped something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The root threshold.
    Root,
    /// The publisher of the module, or the domain itself.
    Owner,
    /// An auditor of this organisation.
    Organisation(OrganisationId),
}

/// One suspension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Who.
    pub party: Party,
    /// The entry's index.
    pub index: u64,
    /// From when.
    pub from: Timestamp,
    /// The moment it lapses.
    pub until: Timestamp,
}

/// Everything that stops one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Halts {
    suspensions: Vec<Suspension>,
    votes: BTreeMap<OrganisationId, PublicKey>,
    revoked: Option<u64>,
    /// Which statements were counted for whom: whoever holds the log's key cannot count one twice.
    said: BTreeSet<(Digest, Party)>,
}

impl Halts {
    /// What is left of them for a domain that the root lets in again: nothing, but that no statement counts twice.
    pub(super) fn forgiven(&self) -> Self {
        Self { said: self.said.clone(), ..Self::default() }
    }

    /// The index of the entry that revoked it for good.
    #[must_use]
    pub fn revoked(&self) -> Option<u64> {
        self.revoked
    }

    /// All suspensions, lapsed ones too.
    #[must_use]
    pub fn suspensions(&self) -> &[Suspension] {
        &self.suspensions
    }

    /// The suspension in force at `now` that lapses last.
    #[must_use]
    pub fn suspension(&self, now: Timestamp) -> Option<&Suspension> {
        self.active(now).max_by_key(|suspension| suspension.until)
    }

    /// The index of the latest suspension in force at `now`: only what comes after it can lift it.
    pub(super) fn latest_active(&self, now: Timestamp) -> Option<u64> {
        self.active(now).map(|suspension| suspension.index).max()
    }

    /// The suspension in force at `now` among those of the first `size` entries that came last.
    pub(super) fn suspension_before(&self, size: u64, now: Timestamp) -> Option<&Suspension> {
        self.active(now).filter(|suspension| suspension.index < size).max_by_key(|suspension| suspension.index)
    }

    fn active(&self, now: Timestamp) -> impl Iterator<Item = &Suspension> {
        self.suspensions.iter().filter(move |s| s.from.plus_seconds(-CLOCK_SKEW_S) <= now && now < s.until)
    }

    /// Once for each organisation, and again only after another organisation's suspension.
    fn may_suspend(&self, organisation: &OrganisationId) -> bool {
        let own = |s: &&Suspension| matches!(&s.party, Party::Organisation(other) if other == organisation);
        let Some(last) = self.suspensions.iter().rev().find(own) else { return true };
        let seconded = |s: &Suspension| match &s.party {
            Party::Organisation(other) => other != organisation && s.index > last.index,
            Party::Root | Party::Owner => false,
        };
        self.suspensions.iter().any(seconded)
    }

    pub(super) fn commit(&mut self, index: u64, halt: Halt) {
        self.suspensions.extend(halt.suspensions);
        self.votes.extend(halt.votes);
        self.said.extend(halt.said);
        if halt.revokes {
            self.revoked.get_or_insert(index);
        }
    }
}

/// What one revocation adds to its target's [`Halts`].
#[derive(Default)]
pub(super) struct Halt {
    suspensions: Vec<Suspension>,
    votes: Vec<(OrganisationId, PublicKey)>,
    revokes: bool,
    said: Vec<(Digest, Party)>,
}

impl Registry {
    /// Rule R4.
    pub(super) fn judge_revocation(&self, entry: &Entry, revocation: &Revocation) -> Result<Halt, Invalid> {
        member(revocation.reason_code.len() <= 64, "reason_code", "at most 64 bytes")?;
        let (halts, owners) = self.halted_target(entry, &revocation.target)?;
        if halts.revoked.is_some() {
            return Err(Invalid::Revoked);
        }
        let auditors = self.keyset.auditors.iter().map(|auditor| &auditor.key);
        let signers = entry.signers(self.root.keys.iter().chain(auditors).chain(owners))?;
        let mut parties = self.parties(&signers, owners)?;
        let statement = entry.payload_digest();
        parties.retain(|(party, _)| !halts.said.contains(&(statement, party.clone())));
        if parties.is_empty() {
            return Err(Invalid::SaidBefore);
        }
        let said = parties.iter().map(|(party, _)| (statement, party.clone())).collect();
        let halt = match revocation.severity {
            RevocationSeverity::Suspend => self.judge_suspension(entry, revocation, halts, parties)?,
            RevocationSeverity::Revoke => self.judge_final(entry, revocation, halts, parties),
        };
        Ok(Halt { said, ..halt })
    }

    fn halted_target<'a>(&'a self, entry: &Entry, target: &Target) -> Result<(&'a Halts, &'a [PublicKey]), Invalid> {
        match target {
            Target::Module(digest) => {
                let record = self.submitted(digest)?;
                record.check_subject(entry)?;
                let publisher = self.publisher(record.submission.name.namespace());
                let own = publisher.filter(|publisher| publisher.organisation == *record.publisher());
                Ok((&record.halts, own.map_or(&[], |publisher| &publisher.keys)))
            }
            Target::Domain(id) => {
                let state = self.domains.get(id).ok_or_else(|| Invalid::UnknownDomain(id.clone()))?;
                Ok((&state.halts, std::slice::from_ref(&state.record.caller_key)))
            }
        }
    }

    fn parties(&self, signers: &[PublicKey], owners: &[PublicKey]) -> Result<Vec<(Party, PublicKey)>, Invalid> {
        let mut parties = Vec::new();
        for key in signers {
            if let Some(auditor) = self.auditor(key) {
                parties.push((Party::Organisation(auditor.organisation.clone()), *key));
            }
            if owners.contains(key) {
                parties.push((Party::Owner, *key));
            }
        }
        match self.root_signed(signers) {
            Ok(()) => parties.push((Party::Root, signers[0])),
            Err(too_few) if parties.is_empty() => return Err(too_few),
            Err(_) => {}
        }
        Ok(parties)
    }

    fn judge_suspension(
        &self,
        entry: &Entry,
        revocation: &Revocation,
        halts: &Halts,
        parties: Vec<(Party, PublicKey)>,
    ) -> Result<Halt, Invalid> {
        let mut refused = None;
        let mut suspensions: Vec<Suspension> = Vec::new();
        for (party, _) in parties {
            match &party {
                Party::Organisation(organisation) if !halts.may_suspend(organisation) => {
                    refused = Some(Invalid::SuspendedBefore(organisation.clone()));
                }
                _ if suspensions.iter().any(|s| s.party == party) => {}
                _ => suspensions.push(self.suspension(entry, revocation, party)),
            }
        }
        match refused {
            Some(reason) if suspensions.is_empty() => Err(reason),
            _ => Ok(Halt { suspensions, ..Halt::default() }),
        }
    }

    /// A revocation is final with the root, the owner, or two organisations whose auditors still hold their role. Until the
    /// second organisation follows, the first one's counts as a suspension where it may still suspend.
    fn judge_final(
        &self,
        entry: &Entry,
        revocation: &Revocation,
        halts: &Halts,
        parties: Vec<(Party, PublicKey)>,
    ) -> Halt {
        let mut votes: BTreeMap<OrganisationId, PublicKey> = halts.votes.clone();
        votes.retain(|organisation, key| holds_role(&self.keyset, organisation, key));
        let mut halt = Halt::default();
        for (party, key) in parties {
            match party {
                Party::Root | Party::Owner => halt.revokes = true,
                Party::Organisation(organisation) => {
                    if halts.may_suspend(&organisation) && !votes.contains_key(&organisation) {
                        let party = Party::Organisation(organisation.clone());
                        halt.suspensions.push(self.suspension(entry, revocation, party));
                    }
                    votes.insert(organisation.clone(), key);
                    halt.votes.push((organisation, key));
                }
            }
        }
        halt.revokes |= votes.len() >= REVOKERS_MIN;
        halt
    }

    fn suspension(&self, entry: &Entry, revocation: &Revocation, party: Party) -> Suspension {
        let latest = revocation.issued.plus_hours(i64::from(self.genesis.thresholds.suspension_hours));
        let until = revocation.until.map_or(latest, |until| until.min(latest));
        Suspension { party, index: entry.index, from: revocation.issued, until }
    }
}

fn holds_role(keyset: &Keyset, organisation: &OrganisationId, key: &PublicKey) -> bool {
    keyset.auditors.iter().any(|auditor| auditor.organisation == *organisation && auditor.key == *key)
}
