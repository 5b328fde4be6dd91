//! The members there are and were, and whose each key is. Whether one is suspended or revoked is known to `halts`.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::statement::Domain;
use crate::ids::{Digest, DomainId};
use crate::keys::PublicKey;
use crate::statements::Genesis;

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

/// A member with its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainState {
    pub(crate) record: DomainRecord,
    former: Vec<Former>,
}

/// A record that was in force before, and the entry that ended it: its successor, or the revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Former {
    record: DomainRecord,
    ended: u64,
}

impl DomainState {
    /// A new member.
    pub(super) fn first(record: DomainRecord) -> Self {
        Self { record, former: Vec::new() }
    }

    /// This member with a new record; the present one was in force until the entry with index `ended`.
    pub(super) fn followed_by(&self, record: DomainRecord, ended: u64) -> Self {
        let last = Former { record: self.record.clone(), ended };
        Self { record, former: self.former.iter().cloned().chain([last]).collect() }
    }

    /// The record for a reader of the first `size` entries; `revoked` is the index of the entry that revoked the present one.
    pub(super) fn at(&self, size: u64, revoked: Option<u64>) -> Option<&DomainRecord> {
        let present = (&self.record, revoked.unwrap_or(u64::MAX));
        let former = self.former.iter().map(|former| (&former.record, former.ended));
        let in_force = |(record, ended): &(&DomainRecord, u64)| record.index < size && size <= *ended;
        former.chain([present]).find(in_force).map(|(record, _)| record)
    }
}

/// All members, and the owners of all keys that members have or had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    domains: BTreeMap<DomainId, DomainState>,
    keys: BTreeMap<PublicKey, DomainId>,
}

impl State {
    pub(crate) fn founded(_genesis: &Genesis, _digest: Digest) -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, id: &DomainId) -> Option<&DomainState> {
        self.domains.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DomainState> {
        self.domains.values()
    }

    /// The domain of which `key` is, or once was, a caller or receipt key.
    pub(crate) fn key_owner(&self, key: &PublicKey) -> Option<&DomainId> {
        self.keys.get(key)
    }

    /// Former keys stay the domain's, so that nobody else can ever speak with them.
    pub(super) fn put(&mut self, state: DomainState) {
        let domain = &state.record.statement;
        self.keys.insert(domain.caller_key, domain.id.clone());
        self.keys.insert(domain.receipt_key, domain.id.clone());
        self.domains.insert(domain.id.clone(), state);
    }
}
