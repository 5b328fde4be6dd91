//! The registry: a pure fold over the entries of the log, the same for the center, every gateway, every auditor and every
//! monitor. [`Registry::apply`] consumes the state and one entry and gives the next state, or the old one and the reason why
//! the entry has no effect. Nothing here reads a clock: questions that depend on time take it.
//!
//! Nobody is trusted alone. With all of the center's online keys (log, approval, token, CA) no entry can be made that approves
//! an unreviewed module, lifts a suspension, revokes anything or changes a domain's keys.

mod approvals;
mod domains;
mod entry;
mod error;
mod halts;
mod keyset;
mod modules;
mod reviews;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use approvals::{ApprovalDraft, ApprovalRecord, EffectiveModule, Evidence};
pub use domains::DomainRecord;
pub use error::{Anomaly, Invalid, Missing, NotEffective, Rejected};
pub use halts::{Halts, Party, Suspension};
pub use modules::ModuleRecord;
pub use reviews::{FindingRecord, ReviewRecord};

use crate::ids::{Digest, DomainId};
use crate::keys::PublicKey;
use crate::statements::{Genesis, Keyset, Predicate, Root, Target};
use domains::DomainState;
use entry::Entry;
use halts::Halt;

/// The version of the rules in this module. A genesis or keyset that asks for a later one stops this software.
pub const RULES_VERSION: u32 = 1;

/// The state of a registry after some number of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    genesis_digest: Digest,
    genesis: Genesis,
    root: Root,
    keyset: Keyset,
    min_rules_version: u32,
    stopped: Option<u32>,
    size: u64,
    domains: BTreeMap<DomainId, DomainState>,
    domain_keys: BTreeMap<PublicKey, DomainId>,
    modules: BTreeMap<Digest, ModuleRecord>,
    anomalies: Vec<Anomaly>,
}

/// What a valid entry changes.
enum Change {
    Nothing,
    Keyset(Box<Keyset>),
    Domain(Box<DomainState>),
    Submission(Box<ModuleRecord>),
    Review(Digest, Box<ReviewRecord>),
    Approval(Digest, ApprovalRecord),
    Halt(Target, Halt),
}

impl Registry {
    /// The registry of entry 0, which must have the digest that the reader pinned.
    ///
    /// # Errors
    /// [`Invalid`] if it is another genesis, is not signed by its own root threshold, or needs later rules.
    pub fn genesis(entry: &[u8], pinned: &Digest) -> Result<Self, Invalid> {
        let (entry, genesis) = keyset::open_genesis(entry, pinned)?;
        Ok(Self {
            genesis_digest: entry.digest,
            root: genesis.root.clone(),
            keyset: genesis.keyset.clone(),
            min_rules_version: genesis.min_rules_version,
            genesis,
            stopped: None,
            size: 1,
            domains: BTreeMap::new(),
            domain_keys: BTreeMap::new(),
            modules: BTreeMap::new(),
            anomalies: Vec::new(),
        })
    }

    /// The registry after the entry with index [`Self::size`].
    ///
    /// # Errors
    /// [`Rejected`] with this registry unchanged and the reason. The center refuses such an entry; a reader of the log uses
    /// [`Self::absorb`].
    pub fn apply(self, entry: &[u8]) -> Result<Self, Box<Rejected>> {
        match self.judge(entry) {
            Ok(change) => Ok(self.commit(change)),
            Err(reason) => Err(Box::new(Rejected { registry: self, reason })),
        }
    }

    /// As [`Self::apply`] for an entry that is in the log already: one without effect is kept as an [`Anomaly`] and takes its
    /// index. An entry that asks for later rules stops the registry: see [`Self::stopped`].
    #[must_use]
    pub fn absorb(self, entry: &[u8]) -> Self {
        match self.apply(entry) {
            Ok(next) => next,
            Err(rejected) => {
                let Rejected { mut registry, reason } = *rejected;
                if let Invalid::RulesTooNew { needed, .. } = reason {
                    registry.stopped.get_or_insert(needed);
                }
                registry.anomalies.push(Anomaly { index: registry.size, entry: Digest::of(entry), reason });
                registry.size += 1;
                registry
            }
        }
    }

    fn judge(&self, bytes: &[u8]) -> Result<Change, Invalid> {
        if let Some(needed) = self.stopped {
            return Err(Invalid::RulesTooNew { needed, ours: RULES_VERSION });
        }
        let entry = Entry::open(self.size, bytes)?;
        if matches!(entry.statement.predicate, Predicate::Unknown(_)) {
            return Ok(Change::Nothing);
        }
        if matches!(entry.statement.predicate, Predicate::Genesis(_)) {
            return Err(Invalid::GenesisPlace);
        }
        if entry.statement.registry() != Some(self.genesis_digest) {
            return Err(Invalid::OtherRegistry);
        }
        Ok(match &entry.statement.predicate {
            Predicate::Unknown(_) | Predicate::Genesis(_) => Change::Nothing,
            Predicate::Keyset(keyset) => Change::Keyset(Box::new(self.judge_keyset(&entry, keyset)?)),
            Predicate::Domain(domain) => Change::Domain(Box::new(self.judge_domain(&entry, domain)?)),
            Predicate::Submission(submission) => {
                Change::Submission(Box::new(self.judge_submission(&entry, submission)?))
            }
            Predicate::Review(review) => {
                let (module, said) = self.judge_review(&entry, review)?;
                Change::Review(module, Box::new(said))
            }
            Predicate::Approval(approval) => match self.judge_approval(&entry, approval)? {
                Some((module, taken)) => Change::Approval(module, taken),
                None => Change::Nothing,
            },
            Predicate::Revocation(revocation) => {
                Change::Halt(revocation.target.clone(), self.judge_revocation(&entry, revocation)?)
            }
        })
    }

    fn commit(mut self, change: Change) -> Self {
        let index = self.size;
        match change {
            Change::Nothing => {}
            Change::Keyset(keyset) => {
                self.min_rules_version = keyset.min_rules_version.unwrap_or(self.min_rules_version);
                if let Some(root) = &keyset.root {
                    self.root = root.clone();
                }
                self.keyset = *keyset;
            }
            Change::Domain(state) => self.commit_domain(*state),
            Change::Submission(record) => drop(self.modules.insert(record.submission.module, *record)),
            Change::Review(module, said) => self.commit_review(&module, *said),
            Change::Approval(module, taken) => {
                if let Some(record) = self.modules.get_mut(&module) {
                    record.approvals.push(taken);
                }
            }
            Change::Halt(target, halt) => self.commit_halt(&target, index, halt),
        }
        self.size += 1;
        self
    }

    fn commit_halt(&mut self, target: &Target, index: u64, halt: Halt) {
        let halts = match target {
            Target::Module(digest) => self.modules.get_mut(digest).map(|record| &mut record.halts),
            Target::Domain(id) => self.domains.get_mut(id).map(|state| &mut state.halts),
        };
        if let Some(halts) = halts {
            halts.commit(index, halt);
        }
    }

    /// What entry 0 says. Keys in it may have been replaced since: see [`Self::keyset`] and [`Self::root`].
    #[must_use]
    pub fn founding(&self) -> &Genesis {
        &self.genesis
    }

    /// The digest of entry 0, which names this registry in every statement.
    #[must_use]
    pub fn genesis_digest(&self) -> &Digest {
        &self.genesis_digest
    }

    /// The keyset in force.
    #[must_use]
    pub fn keyset(&self) -> &Keyset {
        &self.keyset
    }

    /// The root in force.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// How many entries were folded, which is the index of the next one.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The entries without effect, in the order of the log.
    #[must_use]
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    /// The rules version that an entry asked for and this software does not know. From then on nothing is effective and no
    /// domain is in force, until the software is updated and the log folded again.
    #[must_use]
    pub fn stopped(&self) -> Option<u32> {
        self.stopped
    }
}
