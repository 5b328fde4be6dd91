//! Who may be a member, and with which keys. A domain is in force when the root or enough member organisations co-signed its
//! statement; a later statement needs its old caller key too, or the root. A fold has no clock, so a member that is merely
//! suspended still co-signs; a revoked one does not.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::Invalid;
use super::state::{DomainRecord, DomainState};
use super::statement::{Domain, Endpoint};
use crate::ids::{DomainId, KeyId, OrganisationId};
use crate::keys::PublicKey;
use crate::registry::entry::Entry;
use crate::registry::flaw::{Flaw, member};
use crate::registry::keyring::Keyring;
use crate::registry::states::States;
use crate::statements::Predicate;

const ENDPOINTS_MAX: usize = 16;
const ASNS_MAX: usize = 1024;

/// What a statement of this family changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The member that is new, or has new keys or names.
    pub domain: DomainId,
}

/// A member as it is to be.
pub(crate) struct Effect {
    record: Arc<DomainRecord>,
    /// The entry that ended its former record, where it has one.
    ended: u64,
    /// True for one that was revoked and comes back: what stopped it is over.
    forgiven: bool,
}

impl Effect {
    pub(crate) fn change(&self) -> Change {
        Change { domain: self.record.id.clone() }
    }
}

/// Judges a domain statement.
pub(crate) fn judge(states: &States, entry: &Entry) -> Result<Effect, Invalid> {
    let Predicate::Domain(domain) = &entry.statement.predicate else { return Err(Flaw::OtherFamily.into()) };
    let old = states.members.get(&domain.id);
    let candidates = Candidates::of(states, domain);
    let signers = entry.signers(|id| candidates.find(id))?;
    if !signers.contains(&domain.caller_key) {
        return Err(Flaw::TooFewSigners { who: "the domain's caller key", needed: 1, found: 0 }.into());
    }
    let revoked = states.halts.of_domain(&domain.id).revoked();
    if let Some(old) = old {
        judge_succession(states, domain, &old.record, &signers)?;
    }
    judge_admission(states, domain, old, &signers)?;
    check_domain(domain)?;
    check_keys(states, domain)?;
    let record = DomainRecord { statement: (**domain).clone(), index: entry.index, entry: entry.digest };
    Ok(Effect { record: Arc::new(record), ended: revoked.unwrap_or(entry.index), forgiven: revoked.is_some() })
}

/// Puts a judged member into force.
pub(crate) fn commit(states: &mut States, _index: u64, effect: Effect) {
    if effect.forgiven {
        states.halts.forgive(&effect.record.id);
    }
    states.members.put(effect.record, effect.ended);
}

/// Who may sign a domain statement: the root, members in good standing, and the domain with its present and its new key.
pub(crate) struct Candidates<'a> {
    states: &'a States,
    own: Keyring,
}

impl<'a> Candidates<'a> {
    pub(crate) fn of(states: &'a States, domain: &Domain) -> Self {
        let old = states.members.get(&domain.id).map(|state| &state.record.caller_key);
        Self { states, own: Keyring::of(old.into_iter().chain([&domain.caller_key])) }
    }

    pub(crate) fn find(&self, id: &KeyId) -> Option<PublicKey> {
        let known = self.states.keysets.root_key(id).or_else(|| self.own.get(id));
        known.or_else(|| Some(self.cosigner(id)?.record.caller_key))
    }

    fn cosigner(&self, id: &KeyId) -> Option<&'a DomainState> {
        in_good_standing(self.states, self.states.members.by_caller_key_id(id)?)
    }
}

/// The member, unless it was revoked.
fn in_good_standing<'a>(states: &States, state: &'a DomainState) -> Option<&'a DomainState> {
    states.halts.of_domain(&state.record.id).revoked().is_none().then_some(state)
}

/// A revoked domain comes back with new keys and the root's consent only.
fn judge_succession(
    states: &States,
    domain: &Domain,
    former: &DomainRecord,
    signers: &[PublicKey],
) -> Result<(), Invalid> {
    if domain.sequence <= former.sequence {
        let (found, current) = (domain.sequence, former.sequence);
        return Err(Invalid::DomainSequence { domain: domain.id.clone(), found, current });
    }
    if states.halts.of_domain(&domain.id).revoked().is_some() {
        let burnt = [former.caller_key, former.receipt_key];
        if burnt.contains(&domain.caller_key) || burnt.contains(&domain.receipt_key) {
            return Err(Invalid::Revoked);
        }
        return Ok(states.keysets.root_signed(signers)?);
    }
    if signers.contains(&former.caller_key) { Ok(()) } else { Ok(states.keysets.root_signed(signers)?) }
}

fn judge_admission(
    states: &States,
    domain: &Domain,
    old: Option<&DomainState>,
    signers: &[PublicKey],
) -> Result<(), Flaw> {
    let Err(too_few_roots) = states.keysets.root_signed(signers) else { return Ok(()) };
    let needed = u64::from(states.keysets.genesis.thresholds.member_cosigners);
    if needed == 0 {
        return Err(too_few_roots);
    }
    let own = [Some(&domain.organisation), old.map(|state| &state.record.organisation)];
    let cosigners: BTreeSet<&OrganisationId> = signers
        .iter()
        .filter_map(|key| in_good_standing(states, states.members.by_caller_key_id(&key.id())?))
        .map(|state| &state.record.organisation)
        .filter(|organisation| !own.contains(&Some(organisation)))
        .collect();
    let found = cosigners.len() as u64;
    let who = "the root, or member organisations other than its own";
    if found >= needed { Ok(()) } else { Err(Flaw::TooFewSigners { who, needed, found }) }
}

fn check_keys(states: &States, domain: &Domain) -> Result<(), Flaw> {
    if domain.caller_key == domain.receipt_key {
        return Err(Flaw::KeyReused { member: "receipt_key" });
    }
    let reused = |key: &PublicKey| {
        states.keysets.is_governing_key(key) || states.members.key_owner(key).is_some_and(|owner| *owner != domain.id)
    };
    let roles = [("caller_key", &domain.caller_key), ("receipt_key", &domain.receipt_key)];
    match roles.into_iter().find(|(_, key)| reused(key)) {
        Some((member, _)) => Err(Flaw::KeyReused { member }),
        None => Ok(()),
    }
}

fn check_domain(domain: &Domain) -> Result<(), Flaw> {
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
