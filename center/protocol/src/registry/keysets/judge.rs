//! Genesis and keysets (rule R5): who holds which role. A keyset follows exactly the one before it and is signed by the root
//! threshold; a new root signs too. Keys of the center and of the root serve no other purpose.

use super::check::{check_authorities, check_families, check_genesis, check_keyset, check_root};
use super::error::Invalid;
use super::state::{REQUIRING_RULES, State, root_signed};
use super::statement::{Genesis, Keyset, RequiredFamily, Root};
use crate::keys::PublicKey;
use crate::registry::entry::Entry;
use crate::registry::families::Family;
use crate::registry::flaw::{Flaw, member};
use crate::registry::keyring::Keyring;
use crate::registry::states::States;
use crate::registry::too_new::{RULES_VERSION, TooNew};
use crate::statements::Predicate;

/// What a statement of this family changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The version of the keyset that comes into force.
    pub version: u32,
}

/// A keyset that is to come into force.
pub(crate) struct Effect(Box<Keyset>);

impl Effect {
    pub(crate) fn change(&self) -> Change {
        Change { version: self.0.version }
    }
}

/// Checks entry 0, whose digest was compared with the pinned one already.
pub(crate) fn check_founding(entry: &Entry, genesis: &Genesis) -> Result<(), Invalid> {
    check_root(&genesis.root)?;
    let ring = Keyring::of(&genesis.root.keys);
    let signers = entry.signers(|id| ring.get(id))?;
    root_signed(&genesis.root, &signers)?;
    rules_known(genesis.min_rules_version)?;
    check_genesis(genesis)?;
    if genesis.min_rules_version >= REQUIRING_RULES {
        check_authorities(&genesis.keyset)?;
        check_families(&genesis.keyset.required_families)?;
        families_known(&genesis.keyset.required_families)?;
    }
    Ok(())
}

/// Rule R5.
pub(crate) fn judge(states: &States, entry: &Entry) -> Result<Effect, Invalid> {
    let Predicate::Keyset(keyset) = &entry.statement.predicate else { return Err(Flaw::OtherFamily.into()) };
    let state = &states.keysets;
    let new_root = keyset.root.as_ref();
    let candidates = state.root.keys.iter().chain(new_root.into_iter().flat_map(|root| &root.keys));
    let ring = Keyring::of(candidates);
    let signers = entry.signers(|id| ring.get(id))?;
    state.root_signed(&signers)?;
    if let Some(root) = new_root {
        check_root(root)?;
        root_signed(root, &signers)?;
    }
    if state.keyset.version.checked_add(1) != Some(keyset.version) {
        return Err(Invalid::KeysetVersion { found: keyset.version, current: state.keyset.version });
    }
    let min_rules = keyset.min_rules_version.unwrap_or(state.min_rules_version);
    rules_known(min_rules)?;
    member(min_rules >= state.min_rules_version, "min_rules_version", "at least the number in force")?;
    check_keyset(keyset, new_root.unwrap_or(&state.root), state.log_key()?)?;
    clear_of_domains(states, keyset, new_root)?;
    if min_rules >= REQUIRING_RULES {
        check_authorities(keyset)?;
        judge_families(state, &keyset.required_families)?;
    }
    Ok(Effect(keyset.clone()))
}

/// Puts a judged keyset into force.
pub(crate) fn commit(states: &mut States, _index: u64, effect: Effect) {
    states.keysets.replace(*effect.0);
}

/// The last question of all: only a keyset that is valid otherwise stops a reader who lacks a family.
fn judge_families(state: &State, families: &[RequiredFamily]) -> Result<(), Invalid> {
    check_families(families)?;
    let falls = |required: &RequiredFamily| state.in_force(&required.family).is_some_and(|v| required.version < v);
    member(!families.iter().any(falls), "required_families.version", "at least the number in force")?;
    families_known(families)
}

fn families_known(families: &[RequiredFamily]) -> Result<(), Invalid> {
    for RequiredFamily { family, version } in families {
        let ours = Family::named(family).map(Family::version);
        if ours.is_none_or(|ours| ours < *version) {
            return Err(Invalid::TooNew(TooNew::Family { family: family.clone(), needed: *version, ours }));
        }
    }
    Ok(())
}

fn rules_known(needed: u32) -> Result<(), Invalid> {
    let ours = RULES_VERSION;
    if needed > ours { Err(Invalid::TooNew(TooNew::Rules { needed, ours })) } else { Ok(()) }
}

/// No key of the root or the center may be a domain's.
fn clear_of_domains(states: &States, keyset: &Keyset, new_root: Option<&Root>) -> Result<(), Flaw> {
    let roles = [("keyset.approval", &keyset.approval), ("keyset.token", &keyset.token)];
    let root = new_root.map(|root| ("root.keys", &root.keys));
    let reused = |keys: &[PublicKey]| keys.iter().any(|key| states.members.key_owner(key).is_some());
    match roles.into_iter().chain(root).find(|(_, keys)| reused(keys)) {
        Some((member, _)) => Err(Flaw::KeyReused { member }),
        None => Ok(()),
    }
}
