//! The members there are and were, and whose each key is. Whether one is suspended or revoked is known to `halts`.

use std::ops::Deref;
use std::sync::Arc;

use super::statement::Domain;
use crate::ids::{Digest, DomainId, KeyId};
use crate::keys::PublicKey;
use crate::registry::shared_map::SharedMap;
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
    pub(crate) record: Arc<DomainRecord>,
    former: Vec<Former>,
}

/// A record that was in force before, and the entry that ended it: its successor, or the revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Former {
    record: Arc<DomainRecord>,
    ended: u64,
}

impl DomainState {
    /// The record for a reader of the first `size` entries; `revoked` is the index of the entry that revoked the present one.
    pub(super) fn at(&self, size: u64, revoked: Option<u64>) -> Option<&DomainRecord> {
        let present = (&self.record, revoked.unwrap_or(u64::MAX));
        let former = self.former.iter().map(|former| (&former.record, former.ended));
        let in_force = |(record, ended): &(&Arc<DomainRecord>, u64)| record.index < size && size <= *ended;
        former.chain([present]).find(in_force).map(|(record, _)| &**record)
    }
}

/// All members, and the owners of all keys that members have or had, by the keys' ids: a signature names its key so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    domains: SharedMap<DomainId, Arc<DomainState>>,
    keys: SharedMap<KeyId, DomainId>,
}

impl State {
    pub(crate) fn founded(_genesis: &Genesis, _digest: Digest) -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, id: &DomainId) -> Option<&DomainState> {
        self.domains.get(id).map(Arc::as_ref)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DomainState> {
        self.domains.values().map(Arc::as_ref)
    }

    pub(super) fn len(&self) -> usize {
        self.domains.len()
    }

    /// The domain of which `key` is, or once was, a caller or receipt key.
    pub(crate) fn key_owner(&self, key: &PublicKey) -> Option<&DomainId> {
        self.keys.get(&key.id())
    }

    /// The member whose caller key has this id, revoked or not. A former key has no member.
    pub(crate) fn by_caller_key_id(&self, id: &KeyId) -> Option<&DomainState> {
        self.get(self.keys.get(id)?).filter(|state| state.record.caller_key.id() == *id)
    }

    /// Puts a record into force; one that it follows was in force until the entry with index `ended`. Former keys stay the
    /// domain's, so that nobody else can ever speak with them.
    pub(super) fn put(&mut self, record: Arc<DomainRecord>, ended: u64) {
        for key in [&record.caller_key, &record.receipt_key] {
            self.keys.insert(key.id(), record.id.clone());
        }
        if let Some(state) = self.domains.get_mut(&record.id) {
            let state = Arc::make_mut(state);
            let record = std::mem::replace(&mut state.record, record);
            state.former.push(Former { record, ended });
        } else {
            self.domains.insert(record.id.clone(), Arc::new(DomainState { record, former: Vec::new() }));
        }
    }
}
