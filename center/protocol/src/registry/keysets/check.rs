//! What genesis and keysets must be in themselves, without looking at the registry: numbers in bounds, roles of different
//! names, no key with two purposes.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::state::log_key;
use super::statement::{Auditor, Genesis, Keyset, Publisher, RequiredFamily, Root};
use crate::ids::OrganisationId;
use crate::keys::PublicKey;
use crate::registry::flaw::{Flaw, member};

const KEYS_MAX: usize = 32;
const ROLES_MAX: usize = 512;
/// Families that one statement can require: more than there will be for years.
const FAMILIES_MAX: usize = 32;

/// Checks what a genesis says of itself; whether this software knows its rules is asked before.
pub(super) fn check_genesis(genesis: &Genesis) -> Result<(), Flaw> {
    member(genesis.rules_version >= genesis.min_rules_version, "rules_version", "at least min_rules_version")?;
    member(genesis.thresholds.k >= 1, "thresholds.k", "at least 1")?;
    member((1..=720).contains(&genesis.thresholds.suspension_hours), "thresholds.suspension_hours", "1 to 720 hours")?;
    member(genesis.keyset.version == 1, "keyset.version", "1 in the genesis")?;
    member(genesis.keyset.root.is_none(), "keyset.root", "absent in the genesis")?;
    member(genesis.keyset.min_rules_version.is_none(), "keyset.min_rules_version", "absent in the genesis")?;
    check_keyset(&genesis.keyset, &genesis.root, log_key(genesis)?)?;
    if let Some(policy) = &genesis.witness_policy {
        let parsed = policy.parse::<iog_tlog::Policy>();
        member(parsed.is_ok(), "witness_policy", "a tlog-policy text")?;
    }
    Ok(())
}

/// From rules version 2 on there is always an authority: a keyset without one would leave those trusted that it means to
/// retire, for nobody can be told to trust none.
pub(super) fn check_authorities(keyset: &Keyset) -> Result<(), Flaw> {
    member(!keyset.ca_spki_sha256.is_empty(), "keyset.ca_spki_sha256", "1 to 32 digests")
}

pub(super) fn check_root(root: &Root) -> Result<(), Flaw> {
    member(unique_keys(&root.keys, 1..=KEYS_MAX), "root.keys", "1 to 32 different keys")?;
    let threshold = usize::try_from(root.threshold).unwrap_or(usize::MAX);
    member((1..=root.keys.len()).contains(&threshold), "root.threshold", "1 to the number of root keys")
}

pub(super) fn check_keyset(keyset: &Keyset, root: &Root, log_key: [u8; 32]) -> Result<(), Flaw> {
    member(unique_keys(&keyset.approval, 1..=KEYS_MAX), "keyset.approval", "1 to 32 different keys")?;
    member(unique_keys(&keyset.token, 1..=KEYS_MAX), "keyset.token", "1 to 32 different keys")?;
    member(keyset.ca_spki_sha256.len() <= KEYS_MAX, "keyset.ca_spki_sha256", "at most 32 digests")?;
    check_auditors(&keyset.auditors)?;
    check_publishers(&keyset.publishers)?;
    let mut taken: BTreeSet<[u8; 32]> = root.keys.iter().map(|key| *key.as_bytes()).collect();
    if !taken.insert(log_key) {
        return Err(Flaw::KeyReused { member: "log_key" });
    }
    let roles = [("keyset.approval", &keyset.approval), ("keyset.token", &keyset.token)];
    for (member, key) in roles.iter().flat_map(|(member, keys)| keys.iter().map(move |key| (member, key))) {
        if !taken.insert(*key.as_bytes()) {
            return Err(Flaw::KeyReused { member });
        }
    }
    let auditors = keyset.auditors.iter().map(|auditor| ("keyset.auditors", &auditor.key));
    let publishers = keyset.publishers.iter().flat_map(|p| p.keys.iter().map(|key| ("keyset.publishers", key)));
    match auditors.chain(publishers).find(|(_, key)| taken.contains(key.as_bytes())) {
        Some((member, _)) => Err(Flaw::KeyReused { member }),
        None => Ok(()),
    }
}

fn check_auditors(auditors: &[Auditor]) -> Result<(), Flaw> {
    member(auditors.len() <= ROLES_MAX, "keyset.auditors", "at most 512 auditors")?;
    let ids: BTreeSet<&str> = auditors.iter().map(|auditor| &auditor.id[..]).collect();
    let keys: BTreeSet<&PublicKey> = auditors.iter().map(|auditor| &auditor.key).collect();
    let unique = ids.len() == auditors.len() && keys.len() == auditors.len();
    member(unique, "keyset.auditors", "of different ids and keys")?;
    let labels = ids.iter().all(|id| id.parse::<OrganisationId>().is_ok());
    member(labels, "keyset.auditors.id", "1 to 63 of a-z, 0-9 and `-`")
}

fn check_publishers(publishers: &[Publisher]) -> Result<(), Flaw> {
    member(publishers.len() <= ROLES_MAX, "keyset.publishers", "at most 512 publishers")?;
    let namespaces: BTreeSet<&str> = publishers.iter().map(|publisher| &publisher.namespace[..]).collect();
    member(namespaces.len() == publishers.len(), "keyset.publishers", "of different namespaces")?;
    let keyed = publishers.iter().all(|publisher| unique_keys(&publisher.keys, 1..=KEYS_MAX));
    member(keyed, "keyset.publishers.keys", "1 to 32 different keys")?;
    let labels = namespaces.iter().all(|namespace| namespace.parse::<OrganisationId>().is_ok());
    member(labels, "keyset.publishers.namespace", "1 to 63 of a-z, 0-9 and `-`")
}

/// Checks the form of a requirement; whether this software meets it is asked elsewhere.
pub(super) fn check_families(families: &[RequiredFamily]) -> Result<(), Flaw> {
    member(families.len() <= FAMILIES_MAX, "required_families", "at most 32 families")?;
    let names: BTreeSet<&str> = families.iter().map(|required| &required.family[..]).collect();
    member(names.len() == families.len(), "required_families", "of different families")?;
    let labels = names.iter().all(|name| name.parse::<OrganisationId>().is_ok());
    member(labels, "required_families.family", "1 to 63 of a-z, 0-9 and `-`")?;
    member(families.iter().all(|required| required.version >= 1), "required_families.version", "at least 1")
}

fn unique_keys(keys: &[PublicKey], count: RangeInclusive<usize>) -> bool {
    count.contains(&keys.len()) && keys.iter().collect::<BTreeSet<_>>().len() == keys.len()
}
