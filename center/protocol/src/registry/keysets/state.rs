//! Who holds which role now, and what the registry requires of its readers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::statement::{Auditor, Genesis, Keyset, Publisher, Root};
use crate::ids::{Digest, KeyId};
use crate::keys::PublicKey;
use crate::registry::families::Family;
use crate::registry::flaw::Flaw;
use crate::registry::keyring::Keyring;

/// The rules version from which on `required_families` means something and a keyset names an authority at least. Before, the
/// first is an unknown member and ignored, and the second is not looked at, so that software of version 1 and later software
/// fold such a registry alike.
pub(super) const REQUIRING_RULES: u32 = 2;

/// The genesis, and what keysets made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) digest: Digest,
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) root: Arc<Root>,
    pub(crate) keyset: Arc<Keyset>,
    pub(crate) min_rules_version: u32,
    /// What was required beyond the founding families at version 1. It only grows.
    required: BTreeMap<String, u32>,
    log_key: Option<[u8; 32]>,
    rings: Arc<Rings>,
}

/// The keys of those who sign most often, by their ids.
#[derive(Debug, PartialEq, Eq)]
struct Rings {
    root: Keyring,
    auditors: Keyring,
    approval: Keyring,
}

impl Rings {
    fn of(root: &Root, keyset: &Keyset) -> Arc<Self> {
        Arc::new(Self {
            root: Keyring::of(&root.keys),
            auditors: Keyring::of(keyset.auditors.iter().map(|auditor| &auditor.key)),
            approval: Keyring::of(&keyset.approval),
        })
    }
}

impl State {
    pub(crate) fn founded(genesis: &Genesis, digest: Digest) -> Self {
        let mut state = Self {
            digest,
            genesis: Arc::new(genesis.clone()),
            root: Arc::new(genesis.root.clone()),
            keyset: Arc::new(genesis.keyset.clone()),
            min_rules_version: genesis.min_rules_version,
            required: BTreeMap::new(),
            log_key: log_key(genesis).ok(),
            rings: Rings::of(&genesis.root, &genesis.keyset),
        };
        state.require(&genesis.keyset);
        state
    }

    /// Puts a judged keyset into force.
    pub(super) fn replace(&mut self, keyset: Keyset) {
        self.min_rules_version = keyset.min_rules_version.unwrap_or(self.min_rules_version);
        if let Some(root) = &keyset.root {
            self.root = Arc::new(root.clone());
        }
        self.require(&keyset);
        self.rings = Rings::of(&self.root, &keyset);
        self.keyset = Arc::new(keyset);
    }

    fn require(&mut self, keyset: &Keyset) {
        if self.min_rules_version >= REQUIRING_RULES {
            let named = keyset.required_families.iter();
            self.required.extend(named.map(|required| (required.family.clone(), required.version)));
        }
    }

    /// The version of a family's rules that is in force; `None` where the registry does not require the family.
    pub(crate) fn in_force(&self, family: &str) -> Option<u32> {
        let founding = Family::FOUNDING.iter().any(|founding| founding.name() == family);
        self.required.get(family).copied().or(founding.then_some(1))
    }

    pub(crate) fn auditor(&self, key: &PublicKey) -> Option<&Auditor> {
        self.keyset.auditors.iter().find(|auditor| auditor.key == *key)
    }

    pub(crate) fn publisher(&self, namespace: &str) -> Option<&Publisher> {
        self.keyset.publishers.iter().find(|publisher| publisher.namespace == namespace)
    }

    /// The root's key of this id.
    pub(crate) fn root_key(&self, id: &KeyId) -> Option<PublicKey> {
        self.rings.root.get(id)
    }

    /// The auditor's key of this id.
    pub(crate) fn auditor_key(&self, id: &KeyId) -> Option<PublicKey> {
        self.rings.auditors.get(id)
    }

    /// The center's key of this id that signs approvals.
    pub(crate) fn approval_key(&self, id: &KeyId) -> Option<PublicKey> {
        self.rings.approval.get(id)
    }

    /// The log's key without its name.
    pub(super) fn log_key(&self) -> Result<[u8; 32], Flaw> {
        self.log_key.map_or_else(|| log_key(&self.genesis), Ok)
    }

    /// Fails unless the root threshold is among `signers`, which holds each key once.
    pub(crate) fn root_signed(&self, signers: &[PublicKey]) -> Result<(), Flaw> {
        root_signed(&self.root, signers)
    }

    /// True if `key` belongs to the root, the log, or the center's online roles.
    pub(crate) fn is_governing_key(&self, key: &PublicKey) -> bool {
        let center = self.keyset.approval.iter().chain(&self.keyset.token);
        self.root.keys.iter().chain(center).any(|governing| governing == key)
            || self.log_key.is_some_and(|log| log == *key.as_bytes())
    }
}

/// The log's key without its name, to compare it with others.
pub(super) fn log_key(genesis: &Genesis) -> Result<[u8; 32], Flaw> {
    let key: Result<iog_tlog::VerifierKey, _> = genesis.log_key.parse();
    let key = key.ok().filter(|key| key.kind() == iog_tlog::KeyKind::Ed25519);
    let key = key.ok_or(Flaw::Member { member: "log_key", expected: "an Ed25519 verifier key of a log" })?;
    Ok(key.public().to_bytes())
}

/// Fails unless the root threshold is among `signers`, which holds each key once.
pub(super) fn root_signed(root: &Root, signers: &[PublicKey]) -> Result<(), Flaw> {
    let found = signers.iter().filter(|key| root.keys.contains(key)).count() as u64;
    let needed = u64::from(root.threshold.max(1));
    if found >= needed { Ok(()) } else { Err(Flaw::TooFewSigners { who: "the root", needed, found }) }
}
