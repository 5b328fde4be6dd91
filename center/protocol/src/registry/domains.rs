//! Members: who may be one, and with which keys. A domain is in force when the root or enough member organisations co-signed
//! its statement; a later statement needs its old caller key too, or the root. A fold has no clock, so a member that is merely
//! suspended still co-signs; a revoked one does not.

use std::collections::BTreeSet;
use std::ops::Deref;

use super::entry::Entry;
use super::halts::Halts;
use super::keyset::member;
use super::{Invalid, Registry};
use crate::ids::{Digest, DomainId, OrganisationId};
use crate::keys::PublicKey;
use crate::statements::{Domain, Endpoint};
use crate::time::Timestamp;

const ENDPOINTS_MAX: usize = 16;
const ASNS_MAX: usize = 1024;

/// A member domain as its latest statement has it; the statement's fields are reached directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRecord {
    /// What was signed.
    pub statement: Domain,
    /// The entry's index in the log.
    pub index: u64,
    /// The digest of the entry's bytes.
    pub entry: Digest,
}

impl Deref for DomainRecord {
    type Target = Domain;

    fn deref(&self) -> &Domain {
        &self.statement
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DomainState {
    pub(super) record: DomainRecord,
    pub(super) halts: Halts,
    former: Vec<Former>,
}

/// A record that was in force before, and the entry that ended it: its successor, or the revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Former {
    record: DomainRecord,
    ended: u64,
}

impl DomainState {
    /// The records before one that enters the log at `index`.
    fn past(&self, index: u64) -> Vec<Former> {
        let last = Former { record: self.record.clone(), ended: self.halts.revoked().unwrap_or(index) };
        self.former.iter().cloned().chain([last]).collect()
    }

    /// The record for a reader of the first `size` entries, unless the domain was unknown or revoked by then.
    fn at(&self, size: u64) -> Option<&DomainRecord> {
        let present = (&self.record, self.halts.revoked().unwrap_or(u64::MAX));
        let former = self.former.iter().map(|former| (&former.record, former.ended));
        let in_force = |(record, ended): &(&DomainRecord, u64)| record.index < size && size <= *ended;
        former.chain([present]).find(in_force).map(|(record, _)| record)
    }
}

impl Registry {
    pub(super) fn judge_domain(&self, entry: &Entry, domain: &Domain) -> Result<DomainState, Invalid> {
        let old = self.domains.get(&domain.id);
        let members = self.domains.values().filter(|state| state.halts.revoked().is_none());
        let members = members.map(|state| &state.record.caller_key);
        let known = self.root.keys.iter().chain(members).chain(old.map(|state| &state.record.caller_key));
        let signers = entry.signers(known.chain([&domain.caller_key]))?;
        if !signers.contains(&domain.caller_key) {
            return Err(Invalid::TooFewSigners { who: "the domain's caller key", needed: 1, found: 0 });
        }
        if let Some(old) = old {
            self.judge_succession(domain, old, &signers)?;
        }
        self.judge_admission(domain, old, &signers)?;
        check_domain(domain)?;
        self.check_domain_keys(domain)?;
        let halts = match old.map(|old| &old.halts) {
            Some(halts) if halts.revoked().is_some() => halts.forgiven(),
            halts => halts.cloned().unwrap_or_default(),
        };
        let record = DomainRecord { statement: domain.clone(), index: entry.index, entry: entry.digest };
        let former = old.map(|old| old.past(entry.index)).unwrap_or_default();
        Ok(DomainState { record, halts, former })
    }

    /// A revoked domain comes back with new keys and the root's consent only.
    fn judge_succession(&self, domain: &Domain, old: &DomainState, signers: &[PublicKey]) -> Result<(), Invalid> {
        let former = &old.record;
        if domain.sequence <= former.sequence {
            let (found, current) = (domain.sequence, former.sequence);
            return Err(Invalid::DomainSequence { domain: domain.id.clone(), found, current });
        }
        if old.halts.revoked().is_some() {
            let burnt = [former.caller_key, former.receipt_key];
            if burnt.contains(&domain.caller_key) || burnt.contains(&domain.receipt_key) {
                return Err(Invalid::Revoked);
            }
            return self.root_signed(signers);
        }
        if signers.contains(&former.caller_key) { Ok(()) } else { self.root_signed(signers) }
    }

    fn judge_admission(
        &self,
        domain: &Domain,
        old: Option<&DomainState>,
        signers: &[PublicKey],
    ) -> Result<(), Invalid> {
        let Err(too_few_roots) = self.root_signed(signers) else { return Ok(()) };
        let needed = u64::from(self.genesis.thresholds.member_cosigners);
        if needed == 0 {
            return Err(too_few_roots);
        }
        let own = [Some(&domain.organisation), old.map(|state| &state.record.organisation)];
        let members = self.domains.values().filter(|state| state.halts.revoked().is_none());
        let cosigners: BTreeSet<&OrganisationId> = members
            .filter(|state| signers.contains(&state.record.caller_key))
            .map(|state| &state.record.organisation)
            .filter(|organisation| !own.contains(&Some(organisation)))
            .collect();
        let found = cosigners.len() as u64;
        let who = "the root, or member organisations other than its own";
        if found >= needed { Ok(()) } else { Err(Invalid::TooFewSigners { who, needed, found }) }
    }

    fn check_domain_keys(&self, domain: &Domain) -> Result<(), Invalid> {
        if domain.caller_key == domain.receipt_key {
            return Err(Invalid::KeyReused { member: "receipt_key" });
        }
        let reused = |key: &PublicKey| {
            self.is_governing_key(key) || self.domain_key_owner(key).is_some_and(|owner| *owner != domain.id)
        };
        let roles = [("caller_key", &domain.caller_key), ("receipt_key", &domain.receipt_key)];
        match roles.into_iter().find(|(_, key)| reused(key)) {
            Some((member, _)) => Err(Invalid::KeyReused { member }),
            None => Ok(()),
        }
    }

    /// The domain of which `key` is, or once was, a caller or receipt key.
    pub(super) fn domain_key_owner(&self, key: &PublicKey) -> Option<&DomainId> {
        self.domain_keys.get(key)
    }

    /// Former keys stay the domain's, so that nobody else can ever speak with them.
    pub(super) fn commit_domain(&mut self, state: DomainState) {
        let domain = &state.record.statement;
        self.domain_keys.insert(domain.caller_key, domain.id.clone());
        self.domain_keys.insert(domain.receipt_key, domain.id.clone());
        self.domains.insert(domain.id.clone(), state);
    }

    /// A member in force at `now`: neither revoked nor suspended. `None` too while this software is too old to judge.
    #[must_use]
    pub fn domain(&self, id: &DomainId, now: Timestamp) -> Option<&DomainRecord> {
        let state = self.domains.get(id).filter(|_| self.stopped.is_none())?;
        let in_force = state.halts.revoked().is_none() && state.halts.suspension(now).is_none();
        in_force.then_some(&state.record)
    }

    /// All members in force at `now`, by id.
    pub fn domains(&self, now: Timestamp) -> impl Iterator<Item = &DomainRecord> {
        self.domains.keys().filter_map(move |id| self.domain(id, now))
    }

    /// The member in force at `now` whose caller key this is.
    #[must_use]
    pub fn domain_by_caller_key(&self, key: &PublicKey, now: Timestamp) -> Option<&DomainRecord> {
        let record = self.domain(self.domain_keys.get(key)?, now)?;
        (record.caller_key == *key).then_some(record)
    }

    /// The member's latest statement with what stops it, in force or not.
    #[must_use]
    pub fn domain_history(&self, id: &DomainId) -> Option<(&DomainRecord, &Halts)> {
        self.domains.get(id).map(|state| (&state.record, &state.halts))
    }

    /// A member as a reader of the log's first `size` entries had it: with the keys of that time. `None` where it was unknown
    /// or revoked by then; what became of it later does not count.
    #[must_use]
    pub fn domain_at(&self, id: &DomainId, size: u64) -> Option<&DomainRecord> {
        self.domains.get(id)?.at(size)
    }
}

fn check_domain(domain: &Domain) -> Result<(), Invalid> {
    member(domain.asns.len() <= ASNS_MAX, "asns", "at most 1024 AS numbers")?;
    let unique = domain.asns.iter().collect::<BTreeSet<_>>().len() == domain.asns.len();
    member(unique, "asns", "without repetition")?;
    member(domain.endpoints.len() <= ENDPOINTS_MAX, "endpoints", "at most 16 endpoints")?;
    member(domain.endpoints.iter().all(is_endpoint), "endpoints", "a transport and `host:port` in printable ASCII")
}

fn is_endpoint(endpoint: &Endpoint) -> bool {
    let printable = |text: &str, bytes_max: usize| {
        (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let port = endpoint
        .address
        .rsplit_once(':')
        .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
    printable(&endpoint.transport, 32) && printable(&endpoint.address, 262) && port.is_some()
}
