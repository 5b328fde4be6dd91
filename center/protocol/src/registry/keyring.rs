//! Keys by the ids that signatures name them with. Hashing a key costs more than finding it, so rings are made when the keys
//! change and asked for each signature.

use std::collections::BTreeMap;

use crate::ids::KeyId;
use crate::keys::PublicKey;

/// Some keys, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keyring(BTreeMap<KeyId, PublicKey>);

impl Keyring {
    pub(crate) fn of<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        Self(keys.into_iter().map(|key| (key.id(), *key)).collect())
    }

    pub(crate) fn get(&self, id: &KeyId) -> Option<PublicKey> {
        self.0.get(id).copied()
    }
}
