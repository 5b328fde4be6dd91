//! What stops modules and domains, and since when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::statement::Target;
use crate::ids::{Digest, DomainId, OrganisationId};
use crate::keys::PublicKey;
use crate::registry::shared_map::SharedMap;
use crate::statements::Genesis;
use crate::time::Timestamp;

/// How far a signer's clock may be ahead before its suspension begins, in seconds.
const CLOCK_SKEW_S: i64 = 600;

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
    /// The index of each organisation's latest suspension.
    latest: BTreeMap<OrganisationId, u64>,
}

/// What stops a target that nothing ever stopped.
static NONE: Halts = Halts {
    suspensions: Vec::new(),
    votes: BTreeMap::new(),
    revoked: None,
    said: BTreeSet::new(),
    latest: BTreeMap::new(),
};

impl Halts {
    /// What is left of them for a domain that the root lets in again: only that no statement counts twice.
    fn forgiven(&self) -> Self {
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
    pub(crate) fn latest_active(&self, now: Timestamp) -> Option<u64> {
        self.active(now).map(|suspension| suspension.index).max()
    }

    /// The suspension in force at `now` among those of the first `size` entries that came last.
    pub(crate) fn suspension_before(&self, size: u64, now: Timestamp) -> Option<&Suspension> {
        self.active(now).filter(|suspension| suspension.index < size).max_by_key(|suspension| suspension.index)
    }

    fn active(&self, now: Timestamp) -> impl Iterator<Item = &Suspension> {
        self.suspensions.iter().filter(move |s| s.from.plus_seconds(-CLOCK_SKEW_S) <= now && now < s.until)
    }

    /// The organisations that voted to revoke it, with the key that spoke for each.
    pub(super) fn votes(&self) -> &BTreeMap<OrganisationId, PublicKey> {
        &self.votes
    }

    /// True if this statement was counted for this party before.
    pub(super) fn counted(&self, statement: Digest, party: &Party) -> bool {
        self.said.contains(&(statement, party.clone()))
    }

    /// Once for each organisation, and again only after another organisation's suspension.
    pub(crate) fn may_suspend(&self, organisation: &OrganisationId) -> bool {
        let Some(last) = self.latest.get(organisation) else { return true };
        self.latest.values().any(|index| index > last)
    }

    fn commit(&mut self, index: u64, halt: Halt) {
        for suspension in &halt.suspensions {
            if let Party::Organisation(organisation) = &suspension.party {
                self.latest.insert(organisation.clone(), suspension.index);
            }
        }
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
    pub(super) suspensions: Vec<Suspension>,
    pub(super) votes: Vec<(OrganisationId, PublicKey)>,
    pub(super) revokes: bool,
    pub(super) said: Vec<(Digest, Party)>,
}

/// What stops each module and each domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    modules: SharedMap<Digest, Arc<Halts>>,
    domains: SharedMap<DomainId, Arc<Halts>>,
}

impl State {
    pub(crate) fn founded(_genesis: &Genesis, _digest: Digest) -> Self {
        Self::default()
    }

    pub(crate) fn of_module(&self, digest: &Digest) -> &Halts {
        self.modules.get(digest).map_or(&NONE, Arc::as_ref)
    }

    pub(crate) fn of_domain(&self, id: &DomainId) -> &Halts {
        self.domains.get(id).map_or(&NONE, Arc::as_ref)
    }

    /// For a domain that the root lets in again after a revocation.
    pub(crate) fn forgive(&mut self, id: &DomainId) {
        if let Some(halts) = self.domains.get_mut(id) {
            *halts = Arc::new(halts.forgiven());
        }
    }

    pub(super) fn add(&mut self, target: Target, index: u64, halt: Halt) {
        let halts = match target {
            Target::Module(digest) => self.modules.or_default(digest),
            Target::Domain(id) => self.domains.or_default(id),
        };
        Arc::make_mut(halts).commit(index, halt);
    }
}
