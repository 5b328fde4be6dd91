//! The log as everybody may see it: nothing of it is shown before it is durable. Clones share it.

use std::sync::{Arc, PoisonError, RwLock};

use iog_tlog::{BundleId, Hash, TILE_WIDTH, TileId, Tree, VerifierKey};

use crate::served::{Bundle, Content, ServeError, Served};
use crate::storage::Storage;

/// The newest heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The checkpoint over all that is shown, as the log signed it.
    pub signed: Arc<[u8]>,
    /// The newest checkpoint that witnesses cosigned; it may lag behind, since nobody waits for them.
    pub witnessed: Option<Arc<[u8]>>,
}

#[derive(Debug)]
struct State {
    /// Every leaf, durable or about to be.
    tree: Tree,
    /// Leaves that are durable; nothing beyond them is shown.
    shown: u64,
    head: Head,
}

#[derive(Debug)]
struct Shared {
    verifier: VerifierKey,
    state: RwLock<State>,
}

/// The log as it is shown.
#[derive(Debug, Clone)]
pub struct Log(Arc<Shared>);

impl Log {
    pub(crate) fn new(verifier: VerifierKey, tree: Tree, signed: Arc<[u8]>) -> Self {
        let state = State { shown: tree.len(), tree, head: Head { signed, witnessed: None } };
        Self(Arc::new(Shared { verifier, state: RwLock::new(state) }))
    }

    /// The newest heads.
    #[must_use]
    pub fn head(&self) -> Head {
        self.read(|state| state.head.clone())
    }

    /// The newest signed checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<[u8]> {
        self.read(|state| Arc::clone(&state.head.signed))
    }

    /// Entries that are shown.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.read(|state| state.shown)
    }

    /// The key that verifies the log.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.0.verifier
    }

    /// A hash tile of what is shown.
    #[must_use]
    pub fn tile(&self, id: TileId) -> Option<Vec<u8>> {
        let nodes = id.first_node() + u64::from(id.width());
        let leaves = u128::from(nodes) << (8 * u32::from(id.level()));
        self.read(|state| if leaves <= u128::from(state.shown) { state.tree.tile(id) } else { None })
    }

    /// A bundle of entries that are shown.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bundle<S: Storage>(&self, storage: &S, id: BundleId) -> Result<Option<Bundle>, ServeError<S::Error>> {
        if id.first_entry().saturating_add(id.width().into()) > self.size() {
            return Ok(None);
        }
        Bundle::of(storage, id).await.map(Some)
    }

    /// The file at a path of C2SP tlog-tiles (`tile/0/000`, `tile/entries/000`); `None` for what is not there (yet) and
    /// what is not such a path.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn file<S: Storage>(&self, storage: &S, path: &str) -> Result<Option<Served>, ServeError<S::Error>> {
        if let Ok(id) = BundleId::parse(path) {
            let (bundle, is_full) = (self.bundle(storage, id).await?, id.width() == TILE_WIDTH);
            return Ok(bundle.map(|bundle| Served { content: Content::Entries(bundle), is_full }));
        }
        let Ok(id) = TileId::parse(path) else { return Ok(None) };
        Ok(self.tile(id).map(|bytes| Served { content: Content::Tile(bytes), is_full: id.is_full() }))
    }

    /// Adds leaves that are not shown yet: the index of the first, all leaves, and the root over them. `None` while others
    /// are not shown yet either.
    pub(crate) fn extend(&self, leaves: impl IntoIterator<Item = Hash>) -> Option<(u64, u64, Hash)> {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        let first = state.tree.len();
        if first != state.shown {
            return None;
        }
        state.tree.extend(leaves);
        Some((first, state.tree.len(), state.tree.root()))
    }

    /// The hashes that prove a leaf in the tree of so many leaves, shown or not.
    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        self.read(|state| state.tree.inclusion(index, size).ok())
    }

    /// Shows what has become durable.
    pub(crate) fn show(&self, size: u64, signed: &Arc<[u8]>) {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        state.shown = size;
        state.head.signed = Arc::clone(signed);
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}
