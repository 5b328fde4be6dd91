//! What can be asked about members.

use super::state::DomainRecord;
use crate::ids::{DomainId, KeyId};
use crate::keys::PublicKey;
use crate::registry::fold::Registry;
use crate::registry::halts::state::Halts;
use crate::time::Timestamp;

impl Registry {
    /// A member in force at `now`: neither revoked nor suspended. `None` too while this software is too old to judge.
    #[must_use]
    pub fn domain(&self, id: &DomainId, now: Timestamp) -> Option<&DomainRecord> {
        let state = self.states.members.get(id).filter(|_| self.stopped.is_none())?;
        let halts = self.states.halts.of_domain(id);
        let in_force = halts.revoked().is_none() && halts.suspension(now).is_none();
        in_force.then_some(&*state.record)
    }

    /// All members in force at `now`, by id.
    pub fn domains(&self, now: Timestamp) -> impl Iterator<Item = &DomainRecord> {
        self.states.members.iter().filter_map(move |state| self.domain(&state.record.id, now))
    }

    /// The member in force at `now` whose caller key this is.
    #[must_use]
    pub fn domain_by_caller_key(&self, key: &PublicKey, now: Timestamp) -> Option<&DomainRecord> {
        self.domain_by_key_id(&key.id(), now)
    }

    /// The member in force at `now` whose caller key has this id.
    #[must_use]
    pub fn domain_by_key_id(&self, id: &KeyId, now: Timestamp) -> Option<&DomainRecord> {
        self.domain(&self.states.members.by_caller_key_id(id)?.record.id, now)
    }

    /// How many domains are members or once were.
    #[must_use]
    pub fn domain_count(&self) -> usize {
        self.states.members.len()
    }

    /// The member's latest statement with what stops it, in force or not.
    #[must_use]
    pub fn domain_history(&self, id: &DomainId) -> Option<(&DomainRecord, &Halts)> {
        self.states.members.get(id).map(|state| (&*state.record, self.states.halts.of_domain(id)))
    }

    /// A member as a reader of the log's first `size` entries had it: with the keys of that time. `None` where it was unknown
    /// or revoked by then; what became of it later does not count.
    #[must_use]
    pub fn domain_at(&self, id: &DomainId, size: u64) -> Option<&DomainRecord> {
        self.states.members.get(id)?.at(size, self.states.halts.of_domain(id).revoked())
    }
}
