//! Genesis and keysets (rule R5): who holds which role. A keyset follows exactly the one before it and is signed by the root
//! threshold; a new root signs too. Keys of the center and of the root serve no other purpose.

use std::collections::BTreeSet;

use super::entry::Entry;
use super::{Invalid, RULES_VERSION, Registry};
use crate::ids::{Digest, OrganisationId};
use crate::keys::PublicKey;
use crate::statements::{Auditor, Genesis, Keyset, Predicate, Publisher, Root};

const KEYS_MAX: usize = 32;
const ROLES_MAX: usize = 512;

/// Opens entry 0.
pub(super) fn open_genesis(bytes: &[u8], pinned: &Digest) -> Result<(Entry, Genesis), Invalid> {
    let found = Digest::of(bytes);
    if found != *pinned {
        return Err(Invalid::OtherGenesis { found, pinned: *pinned });
    }
    let entry = Entry::open(0, bytes)?;
    let Predicate::Genesis(genesis) = &entry.statement.predicate else { return Err(Invalid::GenesisPlace) };
    let genesis = genesis.as_ref().clone();
    check_root(&genesis.root)?;
    let signers = entry.signers(&genesis.root.keys)?;
    root_signed(&genesis.root, &signers)?;
    check_genesis(&genesis)?;
    Ok((entry, genesis))
}

fn check_genesis(genesis: &Genesis) -> Result<(), Invalid> {
    rules_known(genesis.min_rules_version)?;
    member(genesis.rules_version >= genesis.min_rules_version, "rules_version", "at least min_rules_version")?;
    member(genesis.thresholds.k >= 1, "thresholds.k", "at least 1")?;
    member((1..=720).contains(&genesis.thresholds.suspension_hours), "thresholds.suspension_hours", "1 to 720 hours")?;
    member(genesis.keyset.version == 1, "keyset.version", "1 in the genesis")?;
    member(genesis.keyset.root.is_none(), "keyset.root", "absent in the genesis")?;
    member(genesis.keyset.min_rules_version.is_none(), "keyset.min_rules_version", "absent in the genesis")?;
    let log_key = log_key(genesis)?;
    check_keyset(&genesis.keyset, &genesis.root, log_key)?;
    if let Some(policy) = &genesis.witness_policy {
        let parsed = policy.parse::<iog_tlog::Policy>();
        member(parsed.is_ok(), "witness_policy", "a tlog-policy text")?;
    }
    Ok(())
}

/// The log's key without its name, to compare it with others.
fn log_key(genesis: &Genesis) -> Result<[u8; 32], Invalid> {
    let key: Result<iog_tlog::VerifierKey, _> = genesis.log_key.parse();
    let key = key.ok().filter(|key| key.kind() == iog_tlog::KeyKind::Ed25519);
    let key = key.ok_or(Invalid::Member { member: "log_key", expected: "an Ed25519 verifier key of a log" })?;
    Ok(key.public().to_bytes())
}

fn check_root(root: &Root) -> Result<(), Invalid> {
    member(unique_keys(&root.keys, 1..=KEYS_MAX), "root.keys", "1 to 32 different keys")?;
    let threshold = usize::try_from(root.threshold).unwrap_or(usize::MAX);
    member((1..=root.keys.len()).contains(&threshold), "root.threshold", "1 to the number of root keys")
}

fn check_keyset(keyset: &Keyset, root: &Root, log_key: [u8; 32]) -> Result<(), Invalid> {
    member(unique_keys(&keyset.approval, 1..=KEYS_MAX), "keyset.approval", "1 to 32 different keys")?;
    member(unique_keys(&keyset.token, 1..=KEYS_MAX), "keyset.token", "1 to 32 different keys")?;
    member(keyset.ca_spki_sha256.len() <= KEYS_MAX, "keyset.ca_spki_sha256", "at most 32 digests")?;
    check_auditors(&keyset.auditors)?;
    check_publishers(&keyset.publishers)?;
    let mut taken: BTreeSet<[u8; 32]> = root.keys.iter().map(|key| *key.as_bytes()).collect();
    if !taken.insert(log_key) {
        return Err(Invalid::KeyReused { member: "log_key" });
    }
    let roles = [("keyset.approval", &keyset.approval), ("keyset.token", &keyset.token)];
    for (member, key) in roles.iter().flat_map(|(member, keys)| keys.iter().map(move |key| (member, key))) {
        if !taken.insert(*key.as_bytes()) {
            return Err(Invalid::KeyReused { member });
        }
    }
    let auditors = keyset.auditors.iter().map(|auditor| ("keyset.auditors", &auditor.key));
    let publishers = keyset.publishers.iter().flat_map(|p| p.keys.iter().map(|key| ("keyset.publishers", key)));
    match auditors.chain(publishers).find(|(_, key)| taken.contains(key.as_bytes())) {
        Some((member, _)) => Err(Invalid::KeyReused { member }),
        None => Ok(()),
    }
}

fn check_auditors(auditors: &[Auditor]) -> Result<(), Invalid> {
    member(auditors.len() <= ROLES_MAX, "keyset.auditors", "at most 512 auditors")?;
    let ids: BTreeSet<&str> = auditors.iter().map(|auditor| &auditor.id[..]).collect();
    let keys: BTreeSet<&PublicKey> = auditors.iter().map(|auditor| &auditor.key).collect();
    let unique = ids.len() == auditors.len() && keys.len() == auditors.len();
    member(unique, "keyset.auditors", "of different ids and keys")?;
    let labels = ids.iter().all(|id| id.parse::<OrganisationId>().is_ok());
    member(labels, "keyset.auditors.id", "1 to 63 of a-z, 0-9 and `-`")
}

fn check_publishers(publishers: &[Publisher]) -> Result<(), Invalid> {
    member(publishers.len() <= ROLES_MAX, "keyset.publishers", "at most 512 publishers")?;
    let namespaces: BTreeSet<&str> = publishers.iter().map(|publisher| &publisher.namespace[..]).collect();
    member(namespaces.len() == publishers.len(), "keyset.publishers", "of different namespaces")?;
    let keyed = publishers.iter().all(|publisher| unique_keys(&publisher.keys, 1..=KEYS_MAX));
    member(keyed, "keyset.publishers.keys", "1 to 32 different keys")?;
    let labels = namespaces.iter().all(|namespace| namespace.parse::<OrganisationId>().is_ok());
    member(labels, "keyset.publishers.namespace", "1 to 63 of a-z, 0-9 and `-`")
}

impl Registry {
    /// Rule R5.
    pub(super) fn judge_keyset(&self, entry: &Entry, keyset: &Keyset) -> Result<Keyset, Invalid> {
        let new_root = keyset.root.as_ref();
        let candidates = self.root.keys.iter().chain(new_root.into_iter().flat_map(|root| &root.keys));
        let signers = entry.signers(candidates)?;
        root_signed(&self.root, &signers)?;
        if let Some(root) = new_root {
            check_root(root)?;
            root_signed(root, &signers)?;
        }
        if self.keyset.version.checked_add(1) != Some(keyset.version) {
            return Err(Invalid::KeysetVersion { found: keyset.version, current: self.keyset.version });
        }
        let min_rules = keyset.min_rules_version.unwrap_or(self.min_rules_version);
        rules_known(min_rules)?;
        member(min_rules >= self.min_rules_version, "min_rules_version", "at least the number in force")?;
        check_keyset(keyset, new_root.unwrap_or(&self.root), log_key(&self.genesis)?)?;
        self.clear_of_domains(keyset, new_root)?;
        Ok(keyset.clone())
    }

    /// No key of the root or the center may be a domain's.
    fn clear_of_domains(&self, keyset: &Keyset, new_root: Option<&Root>) -> Result<(), Invalid> {
        let roles = [("keyset.approval", &keyset.approval), ("keyset.token", &keyset.token)];
        let root = new_root.map(|root| ("root.keys", &root.keys));
        let reused = |keys: &[PublicKey]| keys.iter().any(|key| self.domain_key_owner(key).is_some());
        match roles.into_iter().chain(root).find(|(_, keys)| reused(keys)) {
            Some((member, _)) => Err(Invalid::KeyReused { member }),
            None => Ok(()),
        }
    }

    /// True if `key` belongs to the root, the log, or the center's online roles.
    pub(super) fn is_governing_key(&self, key: &PublicKey) -> bool {
        let center = self.keyset.approval.iter().chain(&self.keyset.token);
        self.root.keys.iter().chain(center).any(|governing| governing == key)
            || log_key(&self.genesis).is_ok_and(|log| log == *key.as_bytes())
    }

    pub(super) fn auditor(&self, key: &PublicKey) -> Option<&Auditor> {
        self.keyset.auditors.iter().find(|auditor| auditor.key == *key)
    }

    pub(super) fn publisher(&self, namespace: &str) -> Option<&Publisher> {
        self.keyset.publishers.iter().find(|publisher| publisher.namespace == namespace)
    }

    pub(super) fn root_signed(&self, signers: &[PublicKey]) -> Result<(), Invalid> {
        root_signed(&self.root, signers)
    }
}

/// Fails unless the root threshold is among `signers`, which holds each key once.
fn root_signed(root: &Root, signers: &[PublicKey]) -> Result<(), Invalid> {
    let found = signers.iter().filter(|key| root.keys.contains(key)).count() as u64;
    let needed = u64::from(root.threshold.max(1));
    if found >= needed { Ok(()) } else { Err(Invalid::TooFewSigners { who: "the root", needed, found }) }
}

fn rules_known(needed: u32) -> Result<(), Invalid> {
    if needed > RULES_VERSION { Err(Invalid::RulesTooNew { needed, ours: RULES_VERSION }) } else { Ok(()) }
}

fn unique_keys(keys: &[PublicKey], count: std::ops::RangeInclusive<usize>) -> bool {
    count.contains(&keys.len()) && keys.iter().collect::<BTreeSet<_>>().len() == keys.len()
}

pub(super) fn member(holds: bool, member: &'static str, expected: &'static str) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid::Member { member, expected }) }
}
