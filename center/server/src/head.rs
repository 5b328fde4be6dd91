//! The published state of the log: what was durable and signed when it was put here. Readers see one moment; only the sequencer writes.

use std::sync::{Arc, PoisonError, RwLock};

use iog_protocol::registry::Registry;
use iog_tlog::{Checkpoint, NoteSigner, TileId, Tree};

/// One moment of the log.
pub(crate) struct Head {
    /// The fold of all entries.
    pub(crate) registry: Arc<Registry>,
    /// All hashes.
    pub(crate) tree: Tree,
    /// The signed checkpoint over exactly this tree.
    pub(crate) checkpoint: Arc<[u8]>,
}

/// The newest [`Head`], shared by readers and the sequencer.
#[derive(Clone)]
pub(crate) struct Published(Arc<RwLock<Head>>);

impl Published {
    pub(crate) fn new(head: Head) -> Self {
        Self(Arc::new(RwLock::new(head)))
    }

    fn read<T>(&self, look: impl FnOnce(&Head) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.read(|head| Arc::clone(&head.registry))
    }

    pub(crate) fn checkpoint(&self) -> Arc<[u8]> {
        self.read(|head| Arc::clone(&head.checkpoint))
    }

    pub(crate) fn size(&self) -> u64 {
        self.read(|head| head.tree.len())
    }

    pub(crate) fn tile(&self, id: TileId) -> Option<Vec<u8>> {
        self.read(|head| head.tree.tile(id))
    }

    /// A checkpoint over the tree as it is, and the tree's size.
    pub(crate) fn sign(&self, signer: &NoteSigner) -> (u64, Vec<u8>) {
        self.read(|head| (head.tree.len(), sign(signer, &head.tree)))
    }

    /// Changes the head; for the sequencer alone.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Head)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

pub(crate) fn sign(signer: &NoteSigner, tree: &Tree) -> Vec<u8> {
    Checkpoint::new(signer.verifier().name(), tree.len(), tree.root()).sign(signer)
}
